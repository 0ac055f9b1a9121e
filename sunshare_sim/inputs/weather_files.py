"""Weather from a user's own file: read strictly, because a wrong unit or time zone would spoil a study unseen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.inputs.sky import Intervals, Site, clear_sky_at, steps
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd

REQUIRED: Final = ("ghi", "temp_air")
OPTIONAL: Final = ("dhi", "wind_speed")
UNITS: Final = {"ghi": "W/m2", "dhi": "W/m2", "temp_air": "deg C", "wind_speed": "m/s"}
# What no place on Earth goes beyond in a mean over a minute; broken clouds and sensors at night included.
BOUNDS: Final = {
    "ghi": (-5.0, 1800.0),
    "dhi": (-5.0, 1200.0),
    "temp_air": (-70.0, 60.0),
    "wind_speed": (0.0, 80.0),
}
EXPECTED: Final = "columns time, ghi, temp_air and, if known, dhi, wind_speed"


def read_table(path: Path, grid: TimeGrid, site: Site) -> Intervals:
    """Read measured weather from a CSV or Parquet file with a column ``time`` and columns named as in pvlib.

    `time` is the start of each interval, ISO 8601 with its offset from UTC; ``ghi`` and ``dhi`` are means over the
    interval [W/m2], ``temp_air`` [deg C], ``wind_speed`` [m/s] (2 m/s where there is none). Without ``dhi`` the global
    irradiance is split after Erbs et al. (1982).

    Raises
    ------
    InputError
        With file and row, for a missing column, gaps, repeated or unordered times, times without offset, values out of
        range, a unit or time zone that cannot be, or rows that do not cover the run.
    """
    table = _load(path)
    for name in ("time", *REQUIRED):
        if name not in table:
            raise _error(
                f"column {name!r} is missing",
                path,
                got=", ".join(map(str, table.columns)),
                expected=EXPECTED,
                hint=did_you_mean(name, map(str, table.columns)),
            )
    start, minutes = _regular(path, table)
    columns = {name: _numbers(path, table, name) for name in (*REQUIRED, *OPTIONAL) if name in table}
    wind = columns.get("wind_speed", np.full(len(table), 2.0))
    ghi = np.maximum(columns["ghi"], 0.0)
    weather = Intervals(start, minutes, ghi, columns.get("dhi", ghi), columns["temp_air"], wind)
    _check_sun(path, weather, site)
    if "dhi" not in columns:
        weather = weather._replace(dhi=_diffuse(weather, site))
    return _cover(path, weather, grid)


def _load(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        table = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path)
    except OSError as error:
        raise _error("cannot be read", path, got=error.strerror or str(error)) from error
    except ValueError as error:  # pandas' and pyarrow's parsing errors are ValueErrors
        raise _error("is not a table", path, got=str(error).splitlines()[0], expected=EXPECTED) from error
    if table.index.name == "time":
        table = table.reset_index()
    return table.rename(columns=lambda name: str(name).strip())


def _regular(path: Path, table: "pd.DataFrame") -> tuple[np.datetime64, int]:
    """Return the first time and the length of the intervals [min]; raise where they are not regular."""
    times = _utc_times(path, table)
    if times.size < 2:
        raise _error("is too short", path, got=f"{times.size} rows", expected="at least two")
    apart = np.diff(times)
    usual = np.median(apart.astype(np.int64)).astype("timedelta64[s]")
    minutes = int(usual.astype(np.int64)) // 60
    if not (1 <= minutes <= 60 and 60 % minutes == 0 and minutes * 60 == usual.astype(np.int64)):
        raise _error(
            "has an odd interval", path, got=str(usual), expected="whole minutes that divide an hour"
        )
    odd = np.flatnonzero(apart != usual)
    if odd.size:
        kind = "has a gap" if apart[odd[0]] > usual else "repeats a time or goes back in time"
        raise _error(
            kind,
            path,
            row=int(odd[0]) + 1,
            got=f"{times[odd[0]]} then {times[odd[0] + 1]} (UTC)",
            expected=f"every {minutes} min",
            hint=f"{odd.size} such places in all",
        )
    return times[0], minutes


def _utc_times(path: Path, table: "pd.DataFrame") -> Any:
    import pandas as pd

    column = table["time"]
    expected = "ISO 8601 with the offset from UTC, such as 2025-06-02T00:00+02:00"
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        parsed = column.dt.tz_convert("UTC")
    else:
        text = column.astype(str).str.strip()
        zoned = text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True)
        if not zoned.all():
            row = int(np.flatnonzero(~zoned)[0])
            raise _error("time without time zone", path, row=row, got=text.iloc[row], expected=expected)
        parsed = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601")
        if parsed.isna().any():
            row = int(np.flatnonzero(parsed.isna())[0])
            raise _error("not a time", path, row=row, got=text.iloc[row], expected=expected)
    return parsed.dt.tz_localize(None).to_numpy("datetime64[s]")


def _numbers(path: Path, table: "pd.DataFrame", name: str) -> FloatArray:
    import pandas as pd

    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    low, high = BOUNDS[name]
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))
    if wrong.size:
        row = int(wrong[0])
        what = (
            f"{name} is negative" if low <= 0 and values[row] < low else f"{name} is missing or out of range"
        )
        kelvin = name == "temp_air" and 200 < values[row] < 340
        raise _error(
            what,
            path,
            row=row,
            got=str(table[name].iloc[row]),
            expected=f"{low:g} to {high:g} {UNITS[name]}",
            hint="are these kelvin?" if kelvin else f"{wrong.size} such values in all",
        )
    return values


def _check_sun(path: Path, weather: Intervals, site: Site) -> None:
    """Raise where the light cannot come from the sun over the site: wrong unit, time zone or place."""
    per_interval = max(1, weather.minutes // 10)
    times = steps(weather.start, weather.minutes / per_interval, weather.ghi.size * per_interval)
    clear = clear_sky_at(times, site).ghi.reshape(-1, per_interval).mean(axis=1)
    if weather.ghi.size * weather.minutes < 1440 or clear.sum() == 0:
        return  # less than a day tells nothing
    share = weather.ghi.sum() / clear.sum()
    if not 0.05 <= share <= 1.25:
        raise _error(
            "the light is not that of the sun",
            path,
            got=f"{share:.3g} times the energy of a clear sky",
            expected="0.05 to 1.25 times",
            hint="is ghi in W/m2, a mean over the interval?",
        )
    # The hour of the day at which half of the light has come, on a circle so that midnight is no edge.
    angle = np.exp(2j * np.pi * (np.arange(clear.size) * weather.minutes % 1440) / 1440)
    late = np.angle((weather.ghi * angle).sum() / (clear * angle).sum()) / (2 * np.pi) * 24
    if (abs(late) > 0.75 and weather.ghi.size * weather.minutes >= 3 * 1440) or abs(late) > 3:
        raise _error(
            "the sun of the file stands wrong",
            path,
            got=f"{abs(late):.1f} h {'late' if late > 0 else 'early'}",
            expected="its noon at the site's",
            hint="check the times' offset from UTC, and that they mark the start of each interval",
        )


def _diffuse(weather: Intervals, site: Site) -> FloatArray:
    from pvlib.irradiance import erbs

    from sunshare_sim.inputs.sky import location, utc_index

    middles = utc_index(steps(weather.start, weather.minutes, weather.ghi.size))
    zenith = location(site).get_solarposition(middles)["zenith"].to_numpy()
    return np.asarray(erbs(weather.ghi, zenith, middles)["dhi"], dtype=np.float64)


def _cover(path: Path, weather: Intervals, grid: TimeGrid) -> Intervals:
    """Return the intervals that cover the run and one more on either side where there is one."""
    length = np.timedelta64(weather.minutes, "m")
    end = grid.starts[-1] + np.timedelta64(grid.slot_minutes, "m")
    first = int((grid.starts[0] - weather.start) // length)
    last = -int((weather.start - end) // length)
    if first < 0 or last > weather.ghi.size:
        raise _error(
            "does not cover the run",
            path,
            got=f"{weather.start} to {weather.start + weather.ghi.size * length} (UTC)",
            expected=f"{grid.starts[0]} to {end} (UTC)",
        )
    first, last = max(first - 1, 0), min(last + 1, weather.ghi.size)
    return Intervals(
        weather.start + first * length, weather.minutes, *(part[first:last] for part in weather[2:])
    )


def _error(
    what: str, path: Path, *, row: int | None = None, got: str = "", expected: str = "", hint: str = ""
) -> InputError:
    where = str(path) if row is None else f"{path}, row {row + 1} of the data"
    return InputError(describe(what, where=where, got=got or None, expected=expected or None, hint=hint))
