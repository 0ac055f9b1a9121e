"""Demand or generation from a user's own file, read strictly.

A profile of the wrong date, unit or time zone would spoil a study without a sign, so nothing is guessed: the unit is
stated, the file covers the run, and what cannot be read is named with its line.
"""

import csv
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import InputError, SunShareWarning, describe, did_you_mean
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import BoolArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

UNITS: Final = {"kW": 1.0, "W": 1e-3, "kWh": 1.0, "Wh": 1e-3}
TIME_COLUMNS: Final = ("time", "timestamp", "datetime")
PLAUSIBLE_KWH: Final = (20.0, 5e6)  # demand of a year: an empty flat's standby, and a hospital
HOURS_OF_YEAR: Final = 8760
LONGEST_STEP: Final = np.timedelta64(3600, "s")
STAMP: Final = "ISO 8601, such as 2025-06-01T00:15:00+02:00"
_OFFSET: Final = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")


@dataclass(frozen=True)
class FileSeries:
    """Hold the profiles of a file, one column a home.

    Attributes
    ----------
    names : tuple of str
        Columns of the file, in the order of the homes.
    energy_kwh : FloatArray
        Energy of each slot [kWh], shape [slots, columns].
    source : str
        Name of the file.
    """

    names: tuple[str, ...]
    energy_kwh: FloatArray
    source: str

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` (exclusive) [kWh], shape [last - first, columns]."""
        return self.energy_kwh[first:last]


def read_profile(
    path: str | Path,
    *,
    grid: TimeGrid,
    unit: str,
    columns: tuple[str, ...] = (),
    timezone: str | None = None,
) -> FileSeries:
    """Read profiles from a CSV or Parquet file and lay them on the run's slots; no energy is lost or made.

    The file has a column ``time`` (or ``timestamp``, ``datetime``) with the start of each row's interval, and a column
    of numbers for each profile. Rows follow one another in equal steps of at most an hour and cover the run. Within a
    row power is constant, so a slot gets of each row it overlaps the part that it overlaps.

    Parameters
    ----------
    path : str or Path
        The file; ``.csv`` (separated by comma, semicolon or tab) or ``.parquet``.
    grid : TimeGrid
        Slots of the run.
    unit : {"kW", "W", "kWh", "Wh"}
        Unit of the values: mean power of a row, or energy of a row.
    columns : tuple of str
        Columns to take, in this order; none given: all but the time.
    timezone : str, optional
        IANA name of the zone of time stamps that carry none, such as ``"Europe/Berlin"`` or ``"UTC"``.

    Raises
    ------
    InputError
        When anything about the file is not as said above; names file, line and remedy.

    Warns
    -----
    SunShareWarning
        When a column would be less than 20 kWh or more than 5 GWh in a year, which looks like a wrong unit.
    """
    path = Path(path)
    if unit not in UNITS:
        raise InputError(
            describe(
                "unknown unit",
                where=str(path),
                got=unit,
                expected="kW or W (mean power of a row), kWh or Wh (energy of a row)",
                hint=did_you_mean(unit, UNITS),
            )
        )
    table = _Table(path, "line", 2) if path.suffix.lower() != ".parquet" else _Table(path, "row", 1)
    frame = _read(table, columns)
    if len(frame) < 2:
        raise InputError(
            describe("too short", where=str(path), got=f"{len(frame)} rows", expected="two or more")
        )
    starts = _starts(table, frame.iloc[:, 0], timezone)
    step = _step(table, starts)
    names = tuple(map(str, frame.columns[1:]))
    values = np.column_stack([_numbers(table, frame.iloc[:, i + 1], name) for i, name in enumerate(names)])
    hours = step / np.timedelta64(1, "h")
    energy = values * UNITS[unit] * (1.0 if unit.endswith("h") else hours)
    _warn_if_implausible(table, names, energy.sum(axis=0) / (len(energy) * hours), unit)
    return FileSeries(names, _on_slots(table, (starts, step), energy, grid), path.name)


class _Table(NamedTuple):
    """Where a table came from, and how its rows are counted in messages."""

    path: Path
    counted: str
    first: int

    def row(self, index: int) -> str:
        """Return where row `index` stands in the file."""
        return f"{self.path}, {self.counted} {index + self.first}"


def _read(table: _Table, columns: tuple[str, ...]) -> "pd.DataFrame":
    """Return the time column and the wanted ones, in this order."""
    import pandas as pd

    path = table.path
    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise InputError(
            describe("unknown kind of file", where=str(path), got=path.suffix, expected=".csv or .parquet")
        )
    if not path.is_file():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(describe("no such file", where=str(path), hint=did_you_mean(path.name, beside)))
    try:
        if path.suffix.lower() == ".csv":
            return _read_csv(table, columns)
        frame = pd.read_parquet(path)
    except (
        OSError,
        ValueError,
    ) as error:  # pandas' parser errors and broken text are ValueErrors, pyarrow's too
        raise InputError(
            describe("the file cannot be read", where=str(path), got=str(error).strip())
        ) from error
    if isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.reset_index(names="time")
    return frame.iloc[:, _chosen(path, [str(name) for name in frame.columns], columns)]


def _read_csv(table: _Table, columns: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd

    path = table.path
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        separator = max(",;\t", key=header.count)
        names = [name.strip() for name in _fields(header, separator)]
        _stop_at_wide_row(table, file, separator, len(names))
    chosen = _chosen(path, names, columns)
    frame = pd.read_csv(
        path,
        sep=separator,
        header=None,
        skiprows=1,
        names=list(range(len(names))),
        usecols=chosen,
        dtype={chosen[0]: str},
        keep_default_na=False,
        skip_blank_lines=False,
        encoding="utf-8-sig",
    )
    blank = frame[chosen[0]].fillna("") == ""
    last = blank[~blank].last_valid_index()  # what follows are empty lines at the end
    frame = frame.loc[:last, chosen] if last is not None else frame.loc[:-1, chosen]
    return frame.set_axis([names[i] for i in chosen], axis=1)


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _stop_at_wide_row(table: _Table, lines: Iterable[str], separator: str, width: int) -> None:
    """Raise at the first row with too many values, such as 0,5 for a half; pandas would drop the second."""
    for row, line in enumerate(lines):
        if line.count(separator) >= width and any(beyond := _fields(line, separator)[width:]):
            raise InputError(
                describe(
                    f"more values than the {width} columns",
                    where=table.row(row),
                    got=separator.join(beyond),
                    expected="numbers with a decimal point, one for each column",
                )
            )


def _chosen(path: Path, names: list[str], columns: tuple[str, ...]) -> list[int]:
    """Return the places of the time column and of the wanted ones."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(describe("columns of the same name", where=str(path), got=", ".join(twice)))
    time = next((i for i, name in enumerate(names) if name.lower() in TIME_COLUMNS), None)
    if time is None:
        raise InputError(
            describe(
                "no time column",
                where=str(path),
                got=", ".join(names),
                expected=f"one named {' or '.join(TIME_COLUMNS)}",
            )
        )
    others = [i for i in range(len(names)) if i != time]
    for name in columns:
        if name not in names or names.index(name) == time:
            known = [names[i] for i in others]
            hint = did_you_mean(name, known)
            raise InputError(
                describe("unknown column", where=str(path), got=name, expected=", ".join(known), hint=hint)
            )
    wanted = [names.index(name) for name in columns] or others
    if not wanted:
        raise InputError(describe("no column of values", where=str(path), got=", ".join(names)))
    return [time, *wanted]


def _starts(table: _Table, column: "pd.Series", timezone: str | None) -> npt.NDArray[np.datetime64]:
    """Return the rows' time stamps in UTC, datetime64[s], shape [rows]."""
    import pandas as pd

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        stamps = pd.DatetimeIndex(column)
    elif pd.api.types.is_datetime64_dtype(column):
        stamps = _localised(table, pd.DatetimeIndex(column), timezone)
    else:
        stamps = _parsed(table, column.fillna("").astype(str).str.strip(), timezone)
    _stop_at_first(table, np.asarray(stamps.isna()), column, "not a time stamp", STAMP)
    starts: npt.NDArray[np.datetime64] = stamps.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]")
    return starts


def _parsed(table: _Table, text: "pd.Series", timezone: str | None) -> "pd.DatetimeIndex":
    import pandas as pd

    with_zone = text.str.contains(_OFFSET).to_numpy(dtype=bool)
    if with_zone.any() and not with_zone.all():
        odd = ~with_zone if with_zone[0] else with_zone
        _stop_at_first(
            table, odd, text, "some time stamps carry a zone and some do not", "the same form in every row"
        )
    stamps = pd.to_datetime(text, format="ISO8601", utc=bool(with_zone.any()), errors="coerce")
    index = pd.DatetimeIndex(stamps)
    _stop_at_first(table, np.asarray(index.isna()), text, "not a time stamp", STAMP)
    return index if with_zone.any() else _localised(table, index, timezone)


def _localised(table: _Table, stamps: "pd.DatetimeIndex", timezone: str | None) -> "pd.DatetimeIndex":
    """Give time stamps without zone the stated one; the hour that comes twice in autumn must be there twice."""
    from zoneinfo import available_timezones

    if timezone is None:
        raise InputError(
            describe(
                "time stamps carry no zone and none is stated",
                where=table.row(0),
                got=str(stamps[0]) if len(stamps) else "no rows",
                expected=STAMP,
                hint="state the zone (`timezone`), such as Europe/Berlin or UTC",
            )
        )
    if timezone not in available_timezones():
        hint = did_you_mean(timezone, available_timezones())
        raise InputError(describe("unknown time zone", where=str(table.path), got=timezone, hint=hint))
    missing = np.asarray(stamps.isna())
    absent = np.asarray(stamps.tz_localize(timezone, ambiguous=True, nonexistent="NaT").isna()) & ~missing
    remedy = f"stamps in UTC or with their offset; is the file really in the clock time of {timezone}?"
    _stop_at_first(
        table, absent, stamps, f"a clock time that does not exist in {timezone} (summer time begins)", remedy
    )
    twice = np.asarray(stamps.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT").isna()) & ~missing
    unclear = twice & ~stamps.duplicated(keep=False)
    what = f"a clock time that comes twice in {timezone} (summer time ends) is there once"
    _stop_at_first(table, unclear, stamps, what, remedy)
    return stamps.tz_localize(timezone, ambiguous=~stamps.duplicated())  # the first of the two is summer time


def _stop_at_first(table: _Table, wrong: BoolArray, values: Any, what: str, expected: str) -> None:
    """Raise at the first row marked as wrong, if there is one."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        got = str(np.asarray(values, dtype=object)[rows[0]])
        more = f" (and {rows.size - 1} more rows)" if rows.size > 1 else ""
        raise InputError(describe(what + more, where=table.row(int(rows[0])), got=got, expected=expected))


def _step(table: _Table, starts: npt.NDArray[np.datetime64]) -> np.timedelta64:
    """Return the time from row to row, after checking that it is the same all along."""
    steps = np.diff(starts)
    values, counts = np.unique(steps, return_counts=True)
    step: np.timedelta64 = values[counts.argmax()]
    later = np.concatenate([[step], steps])  # belongs to the row it leads to
    _stop_at_first(
        table, later == np.timedelta64(0, "s"), starts, "the same time twice [UTC]", "each time once"
    )
    _stop_at_first(
        table, later < np.timedelta64(0, "s"), starts, "time goes backwards [UTC]", "rows in order of time"
    )
    for row in np.flatnonzero(later != step)[:1]:
        gap = f"{starts[row - 1]} to {starts[row]}"
        raise InputError(
            describe(
                "a gap, or a row out of step [UTC]",
                where=table.row(int(row)),
                got=gap,
                expected=f"a row every {step.astype(int) / 60:g} min",
                hint="fill the missing rows; nothing is filled in silently",
            )
        )
    if step > LONGEST_STEP:
        raise InputError(
            describe("rows too far apart", where=str(table.path), got=str(step), expected="at most an hour")
        )
    return step


def _numbers(table: _Table, column: "pd.Series", name: str) -> FloatArray:
    """Return a column as numbers, after checking that each is one, finite and not negative."""
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not is_number:
        text = column.astype(str).str.strip().mask(column.isna(), "")
        _stop_at_first(
            table, (text == "").to_numpy(dtype=bool), text, f"no value in column {name}", "a number"
        )
        column = pd.to_numeric(text, errors="coerce")
        expected = "a number with a decimal point"
        _stop_at_first(
            table, column.isna().to_numpy(dtype=bool), text, f"not a number in column {name}", expected
        )
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    _stop_at_first(table, ~np.isfinite(numbers), numbers, f"no value in column {name}", "a finite number")
    expected = "values >= 0; generation has a profile of its own"
    _stop_at_first(table, numbers < 0, numbers, f"a negative value in column {name}", expected)
    return numbers


def _warn_if_implausible(table: _Table, names: tuple[str, ...], mean_kw: FloatArray, unit: str) -> None:
    low, high = PLAUSIBLE_KWH
    for name, kwh in zip(names, mean_kw * HOURS_OF_YEAR, strict=True):
        if not low <= kwh <= high:
            warnings.warn(
                f"{table.path}: column {name} is {kwh:,.3g} kWh in a year if its values are {unit}; is that the unit?",
                SunShareWarning,
                stacklevel=3,
            )


def _on_slots(
    table: _Table, rows: tuple[npt.NDArray[np.datetime64], np.timedelta64], energy: FloatArray, grid: TimeGrid
) -> FloatArray:
    """Return energy by slot, shape [slots, columns]; every kWh of the run's time goes to the slot it falls in."""
    starts, step = rows
    slot = np.timedelta64(grid.seconds, "s")
    begin, end = grid.starts[0], grid.starts[-1] + slot
    if starts[0] > begin or starts[-1] + step < end:
        _raise_not_covered(table, (starts[0], starts[-1] + step), (begin, end))
    first = int((begin - starts[0]) // step)
    last = int(-((starts[0] - end) // step))
    energy, starts = energy[first:last], starts[first:last]
    if step == slot and starts[0] == begin:
        return np.ascontiguousarray(energy)
    at_edges = np.vstack([np.zeros((1, energy.shape[1])), energy.cumsum(axis=0)])
    seconds = np.arange(starts.size + 1) * (step / np.timedelta64(1, "s"))
    edges = (begin - starts[0]) / np.timedelta64(1, "s") + np.arange(grid.slots + 1) * grid.seconds
    columns = [np.diff(np.interp(edges, seconds, column)) for column in at_edges.T]
    return np.asarray(
        np.maximum(np.column_stack(columns), 0.0)
    )  # differences of sums may miss zero by a rounding


def _raise_not_covered(
    table: _Table, has: tuple[np.datetime64, np.datetime64], needs: tuple[np.datetime64, np.datetime64]
) -> NoReturn:
    raise InputError(
        describe(
            "the file does not cover the run [UTC]",
            where=str(table.path),
            got=f"{has[0]} to {has[1]}",
            expected=f"{needs[0]} to {needs[1]}",
            hint="change `time.start` and `time.days`, or give a file of these dates; nothing is shifted or repeated",
        )
    )
