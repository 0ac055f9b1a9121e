"""What homes use: a few measured shapes, drawn apart so that many homes differ and do not peak together.

A shape is a leap year of local-clock days of 96 quarter hours. `bootstrap` lets each home follow one shape but draws,
for each day, the day of the year it is taken from and a shift in time; `follow` takes a shape's own days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.inputs._demand import QUARTERS_PER_DAY, gather
from sunshare_sim.inputs.cache import Notice, cached_arrays
from sunshare_sim.rowstreams import RowsOf, whole_stream
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

FORM: Final = 1  # raise it when the tables made here change, so that cached ones are made anew
EXTRA_HINT: Final = "pip install sunshare-sim[grids]"
YEAR: Final = 2016  # of SimBench's series; a leap year, so that every calendar day has its place
DAYS: Final = 366
_LEAP_DAY: Final = 59  # 29 February, counted from 0
_WORKDAY, _SATURDAY, _SUNDAY = 0, 1, 2

HOUSEHOLDS: Final = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-L")
COMMERCIAL: Final = (
    *("G0-A", "G0-M", "G1-A", "G1-B", "G1-C", "G2-A", "G3-A", "G3-M", "G4-A", "G4-B", "G4-M", "G5-A", "G6-A"),
    *("BL-H", "WB-H", "G3-H", "G4-H"),
)
FARMS: Final = ("L0-A", "L1-A", "L2-A", "L2-M")
HEAT_PUMPS: Final = tuple(
    f"{kind}_{n}"
    for n in (1, 2)
    for kind in ("Air_Alternative", "Air_Parallel", "Air_Semi-Parallel", "Soil_Alternative")
)
SIMBENCH_SHAPES: Final = (*HOUSEHOLDS, "H0-H", *COMMERCIAL, *FARMS, *HEAT_PUMPS)
BDEW_SHAPES: Final = ("h0", *(f"g{i}" for i in range(7)), *(f"l{i}" for i in range(3)))

SIMBENCH_LICENCE: Final = (
    "database ODbL 1.0, contents DbCL 1.0 (Meinecke et al. 2020, doi:10.3390/en13123290)"
)
BDEW_LICENCE: Final = "demandlib: MIT; standard load profiles of BDEW (Meier et al. 1999)"


@dataclass(frozen=True)
class DemandShapes:
    """Hold shapes of demand over a leap year of local-clock days.

    Attributes
    ----------
    names : tuple of str
        Name of each shape.
    table : float32 array
        Energy of each quarter hour [kWh], shape [shapes, 366, 96]; the 365 days other than 29 February sum to 1 kWh.
    year : int
        Year whose days of the week the shapes have.
    source, licence : str
        Where they come from, and what one owes for their use.
    window_days, jitter_minutes : int
        How far `bootstrap` may take a day from elsewhere in the year [d] and move it in the day [min].
    """

    names: tuple[str, ...]
    table: npt.NDArray[np.float32]
    year: int
    source: str
    licence: str
    window_days: int = 21
    jitter_minutes: int = 30

    @cached_property
    def weekday(self) -> IntArray:
        """Return the day of the week of each day of the table, Monday = 0, shape [366]."""
        first = np.datetime64(f"{self.year}-01-01").astype(np.int64)
        return (first + np.arange(DAYS) + 3) % 7

    def pick(self, names: tuple[str, ...]) -> "DemandShapes":
        """Return the shapes of these names, in this order.

        Raises
        ------
        InputError
            When a name is unknown.
        """
        for name in names:
            if name not in self.names:
                raise InputError(
                    describe(
                        "unknown shape of demand",
                        where=self.source,
                        got=name,
                        expected=", ".join(self.names),
                        hint=did_you_mean(name, self.names),
                    )
                )
        rows = [self.names.index(name) for name in names]
        return DemandShapes(
            names, np.ascontiguousarray(self.table[rows]), self.year, self.source, self.licence
        )


@dataclass(frozen=True)
class DemandSeries:
    """Hold what is needed to compute demand by slot and home; memory grows with homes and days, not with slots.

    Attributes
    ----------
    shapes : DemandShapes
        Shapes of demand.
    annual_kwh : FloatArray
        Annual demand [kWh], shape [homes].
    shape_of_home : IntArray
        Shape that each home follows, shape [homes].
    donor_day : int16 array
        Day of the shape's year that stands for each day of the run, shape [days, homes].
    shift : int8 array
        Shift of that day to later [quarter hours]; what leaves it at one end enters at the other; shape [days, homes].
    grid : TimeGrid
        Slots of the run.
    """

    shapes: DemandShapes
    annual_kwh: FloatArray
    shape_of_home: IntArray
    donor_day: npt.NDArray[np.int16]
    shift: npt.NDArray[np.int8]
    grid: TimeGrid

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` (exclusive) [kWh], shape [last - first, homes]."""
        return gather(
            self.shapes.table,
            (self.annual_kwh, self.shape_of_home),
            (self.donor_day, self.shift),
            self.grid.local_day[first:last] - self.grid.local_day[0],
            self.grid.local_minute_of_day[first:last],
            self.grid.slot_minutes,
        )


def household_shapes(*, notice: Notice | None = None) -> DemandShapes:
    """Return SimBench's five series of single households."""
    return simbench_shapes(HOUSEHOLDS, notice=notice)


def heat_pump_shapes(*, notice: Notice | None = None) -> DemandShapes:
    """Return SimBench's eight series of heat pumps; donor days lie within 3 days, so that pumps share the weather."""
    return replace(simbench_shapes(HEAT_PUMPS, notice=notice), window_days=3)


def simbench_shapes(names: tuple[str, ...], *, notice: Notice | None = None) -> DemandShapes:
    """Return series of SimBench as shapes; names are those of `SIMBENCH_SHAPES`.

    The series are of 2016 and on the local clock: the hour missing in March is filled from its neighbours, the one that
    comes twice in October is averaged.

    Raises
    ------
    InputError
        When a name is unknown, or SimBench is not installed.
    """
    release = _release("simbench")
    arrays = cached_arrays(
        "shapes-simbench",
        f"{release}-{FORM}",
        lambda: {"table": _normalised(_read_simbench())},
        notice=notice,
        doing=f"reading the load series of simbench {release} (some seconds, once)",
    )
    return DemandShapes(SIMBENCH_SHAPES, arrays["table"], YEAR, f"simbench {release}", SIMBENCH_LICENCE).pick(
        names
    )


def bdew_shapes(names: tuple[str, ...] = ("h0",), *, notice: Notice | None = None) -> DemandShapes:
    """Return standard load profiles of the German utilities; ``h0`` is the dynamic one.

    They are means over many customers: homes drawn from them differ in size, but are smoother than real ones and peak
    together. Names are those of `BDEW_SHAPES`.

    Raises
    ------
    InputError
        When a name is unknown, or demandlib is not installed.
    """
    release = _release("demandlib")
    arrays = cached_arrays(
        "shapes-bdew",
        f"{release}-{FORM}",
        lambda: {"table": _normalised(_read_bdew())},
        notice=notice,
        doing=f"computing standard load profiles with demandlib {release} (a second, once)",
    )
    return DemandShapes(BDEW_SHAPES, arrays["table"], YEAR, f"demandlib {release}", BDEW_LICENCE).pick(names)


def bootstrap(  # noqa: PLR0913 - options by name
    shapes: DemandShapes,
    annual_kwh: FloatArray,
    shape_of_home: IntArray,
    grid: TimeGrid,
    seed: int,
    *,
    name: str = "households",
    of: RowsOf = whole_stream,
) -> DemandSeries:
    """Draw, for each home and day, the day of its shape that stands for it (block bootstrap; Künsch 1989).

    A donor lies within `window_days` of the same calendar day and is a workday, Saturday or Sunday as the day itself
    is. It is moved by a multiple of 15 min, evenly drawn within `jitter_minutes`. Energy of a home over a year scatters
    around its annual demand: standard deviation 1.4 % with SimBench's households, mean within 0.1 %. Days of different
    homes are independent: weather that all homes share is not represented beyond the season.

    Parameters
    ----------
    shapes : DemandShapes
        Shapes to draw from.
    annual_kwh : FloatArray
        Annual demand [kWh], shape [homes].
    shape_of_home : IntArray
        Shape that each home follows, shape [homes].
    grid : TimeGrid
        Slots of the run.
    seed : int
        Seed of the run. What a home draws for a calendar day depends on the seed, `name`, that day and the home's
        number alone, so that longer runs and more homes leave the draws of the others as they were.
    name : str
        Stream of the draws; groups of homes need one each.
    of : callable
        Makes of the stream of all homes of a group that of those given here.

    Raises
    ------
    InputError
        When an annual demand is negative or not a number, or a shape is unknown.
    """
    homes = _checked(shapes, annual_kwh, shape_of_home)
    steps = shapes.jitter_minutes // 15
    run_days = _run_days(grid)
    donor = np.empty((run_days.size, homes), dtype=np.int16)
    shift = np.empty((run_days.size, homes), dtype=np.int8)
    shape_class = _day_class(shapes.weekday)
    for row, day in enumerate(run_days.tolist()):
        candidates = _candidates(day, shape_class, shapes.window_days)
        uniform = of(stream(seed, "demand", name, day)).random((homes, 2))
        donor[row] = candidates[(uniform[:, 0] * candidates.size).astype(np.int64)]
        shift[row] = np.floor(uniform[:, 1] * (2 * steps + 1)).astype(np.int8) - steps
    return DemandSeries(shapes, _floats(annual_kwh), _ints(shape_of_home), donor, shift, grid)


def follow(
    shapes: DemandShapes, annual_kwh: FloatArray, shape_of_home: IntArray, grid: TimeGrid
) -> DemandSeries:
    """Let each home follow its shape day by day, without any draw.

    A day of the run takes the nearest calendar day of the shape that has the same day of the week, at most three days
    away, so that a shop is closed on the run's Sundays. Energy of a year is the annual demand within 1 %.
    Parameters are those of `bootstrap`.

    Raises
    ------
    InputError
        When an annual demand is negative or not a number, or a shape is unknown.
    """
    homes = _checked(shapes, annual_kwh, shape_of_home)
    run_days = _run_days(grid)
    same = _day_of_year(run_days)
    near = (same[:, None] + np.array([0, -1, 1, -2, 2, -3, 3])) % DAYS
    fits = shapes.weekday[near] == _weekday(run_days)[:, None]
    own = near[np.arange(run_days.size), fits.argmax(axis=1)]
    own = np.where(fits.any(axis=1), own, same)  # across New Year a week of the shape's year is not whole
    donor = np.repeat(own.astype(np.int16)[:, None], homes, axis=1)
    return DemandSeries(
        shapes, _floats(annual_kwh), _ints(shape_of_home), donor, np.zeros(donor.shape, np.int8), grid
    )


def _floats(values: npt.ArrayLike) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _ints(values: npt.ArrayLike) -> IntArray:
    return np.ascontiguousarray(values, dtype=np.int64)


def _checked(shapes: DemandShapes, annual_kwh: FloatArray, shape_of_home: IntArray) -> int:
    annual, shape = np.asarray(annual_kwh), np.asarray(shape_of_home)
    if annual.shape != shape.shape or annual.ndim != 1:
        raise InputError(
            describe(
                "not one shape a home", where="demand", got=shape.shape, expected=f"shape {annual.shape}"
            )
        )
    wrong = np.flatnonzero(~((annual >= 0) & np.isfinite(annual)))
    if wrong.size:
        raise InputError(
            describe(
                "not an annual demand",
                where=f"demand of home {wrong[0]}",
                got=float(annual[wrong[0]]),
                expected="kWh >= 0",
            )
        )
    unknown = np.flatnonzero((shape < 0) | (shape >= len(shapes.names)))
    if unknown.size:
        raise InputError(
            describe(
                "unknown shape",
                where=f"demand of home {unknown[0]}",
                got=int(shape[unknown[0]]),
                expected=f"0 to {len(shapes.names) - 1}",
            )
        )
    return annual.size


def _run_days(grid: TimeGrid) -> IntArray:
    """Return the local calendar days of the run, counted from 1970, shape [days]."""
    return np.arange(grid.local_day[0], grid.local_day[-1] + 1)


def _weekday(day: npt.ArrayLike) -> IntArray:
    return np.asarray((np.asarray(day, dtype=np.int64) + 3) % 7, dtype=np.int64)


def _day_class(weekday: IntArray) -> IntArray:
    return np.select([weekday < 5, weekday == 5], [_WORKDAY, _SATURDAY], _SUNDAY).astype(np.int64)


def _day_of_year(day: npt.ArrayLike) -> IntArray:
    """Return the place of calendar days in a leap year, 0 .. 365: 1 March is 60 in every year."""
    date = np.asarray(day, dtype=np.int64).astype("datetime64[D]")
    year = date.astype("datetime64[Y]")
    place = (date - year).astype(np.int64)
    leap = ((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")).astype(np.int64) == DAYS
    return np.asarray(np.where(leap | (place < _LEAP_DAY), place, place + 1), dtype=np.int64)


def _candidates(day: int, shape_class: IntArray, window_days: int) -> IntArray:
    """Return the days of a shape's year that may stand for `day`, the window widened until there is one."""
    centre, wanted = int(_day_of_year(day)), _day_class(_weekday(day))
    width = window_days
    while True:  # ends: a week has every class of day
        near = (centre + np.arange(-width, width + 1)) % DAYS
        found: IntArray = near[shape_class[near] == wanted]
        if found.size:
            return found
        width += 1


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise InputError(
            describe(f"this demand needs {package}, which is not installed", where="demand", hint=EXTRA_HINT)
        ) from error


def _normalised(power: Mapping[str, FloatArray]) -> npt.NDArray[np.float32]:
    """Stack tables of quarter hours, each [366, 96], and scale them to 1 kWh in a year of 365 days."""
    table = np.stack(list(power.values()))
    year = table.sum(axis=(1, 2)) - table[:, _LEAP_DAY].sum(axis=1)
    return np.asarray(table / year[:, None, None], dtype=np.float32)


def _read_simbench() -> dict[str, FloatArray]:
    """Read the load series from the installed package's own file, without importing it (7 s)."""
    from importlib.util import find_spec
    from pathlib import Path

    import pandas as pd

    found = find_spec("simbench")
    roots = list(found.submodule_search_locations or []) if found else []
    path = Path(*roots[:1], "networks", "1-complete_data-mixed-all-0-sw", "LoadProfile.csv")
    columns = {f"{name}_pload": name for name in SIMBENCH_SHAPES}
    try:
        frame = pd.read_csv(path, sep=";", usecols=["time", *columns])
    except (OSError, ValueError) as error:
        raise InputError(
            describe(
                "the load series of SimBench cannot be read",
                where=str(path),
                got=str(error),
                hint="reinstall simbench 1.6 or newer",
            )
        ) from error
    stamps = pd.DatetimeIndex(pd.to_datetime(frame.pop("time"), format="%d.%m.%Y %H:%M"))
    frame.index = stamps
    return {columns[column]: on_local_clock(frame[column]) for column in columns}


def on_local_clock(series: "pd.Series") -> FloatArray:
    """Lay a year of quarter hours with local-clock stamps on a clean table, shape [366, 96].

    Quarter hours that come twice (autumn) are averaged, those that are missing (spring) interpolated in time.
    """
    import pandas as pd

    stamps = pd.DatetimeIndex(series.index)
    clean = pd.date_range(f"{stamps[0].year}-01-01", periods=DAYS * QUARTERS_PER_DAY, freq="15min")
    whole = series.groupby(level=0).mean().reindex(clean).interpolate(limit_direction="both")
    return np.asarray(whole, dtype=np.float64).reshape(DAYS, QUARTERS_PER_DAY)


def _read_bdew() -> dict[str, FloatArray]:
    """Compute BDEW's profiles; demandlib turns warnings into errors for the whole process, which is undone here."""
    import warnings

    with warnings.catch_warnings():
        from demandlib.bdew import ElecSlp

        profiles = ElecSlp(YEAR).get_profiles()
    columns = {name: "h0_dyn" if name == "h0" else name for name in BDEW_SHAPES}
    return {
        name: profiles[column].to_numpy(dtype=np.float64).reshape(DAYS, QUARTERS_PER_DAY)
        for name, column in columns.items()
    }
