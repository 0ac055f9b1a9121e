"""Typical years: read from the packages that bring them or from a user's file, and laid over the slots of a run.

A typical year has no leap day and a year of its own: it is laid over the run by calendar day and hour of the station's
standard time, and the sun above it is that of the run's site and dates.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import InputError, describe
from sunshare_sim.inputs.sky import Intervals, Site, spread
from sunshare_sim.inputs.weather_files import BOUNDS, UNITS
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

HOURS_OF_YEAR: Final = 8760
TMY_FILES: Final = {"greensboro": "723170TYA.CSV", "sand_point": "703165TY.csv", "miami": "12839.tm2"}

# How far the clocks of the 15 German years are ahead of Central European Time [min]. Their hours are labelled as ending
# hours of that time, but in most the sun stands half an hour early, and in some (2, 3, 4, 9, 11, 12) as in true solar
# time. The tests measure these figures on bright days; what is left, some 15 min at most, goes with the season.
TRY_CLOCK: Final = (-30, -15, -25, -10, -30, -30, -30, -30, -15, -30, -20, -30, -30, -30, -30)

_COLUMNS: Final = ("ghi", "dhi", "temp_air", "wind_speed")
_DAYS_BEFORE_MONTH: Final = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
_DAYS_IN_MONTH: Final = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


class TypicalYear(NamedTuple):
    """Hold the 8 760 hours of a year without leap day, from 0 h on 1 January of the station's standard time.

    Attributes
    ----------
    station : Site
        Where it was measured.
    utc_offset : float
        Clock of the rows minus UTC [h]: the station's standard time, if the clock is right.
    ghi, dhi, temp_air, wind_speed : FloatArray
        Means over each hour, as in `Intervals`, shape [8760].
    """

    station: Site
    utc_offset: float
    ghi: FloatArray
    dhi: FloatArray
    temp_air: FloatArray
    wind_speed: FloatArray


def read_dwd_try(zone: int) -> TypicalYear:
    """Read a test reference year from demandlib's folder.

    The package itself is not imported: that would turn warnings into errors everywhere, and its own reader leaves out
    the radiation. Columns and units are those of the file's head; for its hours see `TRY_CLOCK`.
    """
    name = f"TRY2010_{zone:02d}_Jahr.dat"
    path = _package_folder("demandlib", "grids") / "vdi" / "resources_weather" / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("***"))
        station = _try_station(lines[2])
        columns = lines[head - 1].split()
        table = np.loadtxt(lines[head + 1 :], ndmin=2)
        wind, warmth, direct, diffuse = (table[:, columns.index(c)] for c in ("WG", "t", "B", "D"))
    except (OSError, ValueError, StopIteration, IndexError) as error:
        raise InputError(
            describe(
                "no DWD test reference year of 2010", where=str(path), hint="is demandlib installed whole?"
            )
        ) from error
    diffuse = np.maximum(diffuse, 0.0)
    utc_offset = 1.0 + TRY_CLOCK[zone - 1] / 60
    return TypicalYear(station, utc_offset, np.maximum(direct, 0.0) + diffuse, diffuse, warmth, wind)


def _try_station(line: str) -> Site:
    """Return the station from a head such as ``Lage: 52°23'N <- B.  13°04'O <- L.    81 Meter über NN``."""
    degrees = [int(part) for part in re.findall(r"\d+", line)]
    north, north_minutes, east, east_minutes, altitude = degrees[:5]
    return Site(north + north_minutes / 60, east + east_minutes / 60, float(altitude), "Europe/Berlin")


def read_tmy(name: str) -> TypicalYear:
    """Read a typical year from pvlib's folder."""
    return read_year(_package_folder("pvlib", "") / "data" / TMY_FILES[name])


def read_year(path: Path) -> TypicalYear:
    """Read a TMY2, TMY3 or EPW file; their rows are the hours of a year in the station's standard time."""
    from pvlib import iotools

    kind = path.suffix.lower()
    names: Mapping[str, str] = {}
    tenths: tuple[str, ...] = ()
    try:
        if kind == ".tm2":
            table, about = iotools.read_tmy2(str(path))
            names = {"ghi": "GHI", "dhi": "DHI", "temp_air": "DryBulb", "wind_speed": "Wspd"}
            tenths = ("temp_air", "wind_speed")
        elif kind == ".epw":
            table, about = iotools.read_epw(str(path))
        else:
            table, about = iotools.read_tmy3(str(path), map_variables=True)
        columns = {
            key: table[names.get(key, key)].to_numpy(float) / (10 if key in tenths else 1) for key in _COLUMNS
        }
        station = Site(float(about["latitude"]), float(about["longitude"]), float(about["altitude"]))
        year = TypicalYear(station, float(about["TZ"]), **columns)
    except OSError as error:
        raise InputError(
            describe("cannot be read", where=str(path), got=error.strerror or str(error))
        ) from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(
            describe("is not what its name says", where=str(path), got=str(error), expected="EPW or TMY3")
        ) from error
    _check_year(path, year)
    return year


def _check_year(path: Path, year: TypicalYear) -> None:
    if year.ghi.size != HOURS_OF_YEAR:
        raise InputError(
            describe(
                "is no whole year",
                where=str(path),
                got=f"{year.ghi.size} rows",
                expected="8760 hours, no leap day",
            )
        )
    for name in _COLUMNS:
        values = getattr(year, name)
        low, high = BOUNDS[name]
        wrong = np.flatnonzero(~((values >= low) & (values <= high)))
        if wrong.size:
            raise InputError(
                describe(
                    f"{name} is missing or out of range",
                    where=f"{path}, hour {wrong[0] + 1} of the year",
                    got=float(values[wrong[0]]),
                    expected=f"{low:g} to {high:g} {UNITS[name]}",
                )
            )


def is_tmy3(path: Path) -> bool:
    """Return whether a CSV file is in the TMY3 format, by its second line."""
    if path.suffix.lower() != ".csv":
        return False
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            next(file, "")
            return next(file, "").startswith("Date (MM/DD/YYYY),Time (HH:MM)")
    except OSError:
        return False  # the reader of tables says what is wrong


def laid_over(year: TypicalYear, grid: TimeGrid, site: Site) -> dict[str, FloatArray]:
    """Lay a typical year over the run's slots, with the sun of the run's site and dates.

    Hours go by calendar day and standard time; 29 February repeats the 28th. A station far to the east or west is
    shifted by whole hours of the sun, so that its noon meets the site's.
    """
    shift = round((site.longitude - year.station.longitude) / 15)
    lead = round(60 * year.utc_offset) + 60 * shift
    first = (grid.starts[0].astype("datetime64[m]").astype(np.int64) + lead) // 60 - 1
    last = (grid.starts[-1].astype("datetime64[m]").astype(np.int64) + grid.slot_minutes - 1 + lead) // 60 + 2
    hours = np.arange(first, last)
    rows = _row_of_year(hours)
    weather = Intervals(
        np.datetime64(int(first * 60 - lead), "m"),
        60,
        *(column[rows] for column in (year.ghi, year.dhi, year.temp_air, year.wind_speed)),
    )
    return spread(weather, grid, site, year.station, shift_hours=shift)


def _row_of_year(hours: IntArray) -> IntArray:
    """Return the row of a year without leap day for hours since 1970."""
    days = (hours // 24).astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    month_of_year = month.astype(np.int64) % 12
    day = np.minimum((days - month).astype(np.int64), _DAYS_IN_MONTH[month_of_year] - 1)
    row: IntArray = (_DAYS_BEFORE_MONTH[month_of_year] + day) * 24 + hours % 24
    return row


def _package_folder(package: str, extra: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise InputError(
            describe(
                f"the package {package} is not installed, which brings this weather",
                where="place.weather",
                hint=f"pip install 'sunshare-sim[{extra}]', or choose another source",
            )
        )
    return Path(found.submodule_search_locations[0])
