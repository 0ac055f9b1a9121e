"""Weather for the slots of a run: reference years, typical years, a clear sky with clouds, or a user's file.

The data stay in the packages that bring them; only what a run needs of them is kept in the user's cache.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.inputs.cache import Notice, cached_arrays
from sunshare_sim.inputs.clouds import clouded, zonal_temperature
from sunshare_sim.inputs.sky import Site, spread
from sunshare_sim.inputs.typical_years import TMY_FILES, is_tmy3, laid_over, read_dwd_try, read_tmy, read_year
from sunshare_sim.inputs.weather_files import read_table
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray

__all__ = ["Site", "Weather", "clear_sky", "dwd_try", "tmy", "weather_file"]

MODEL: Final = 1  # raise it when what this module computes changes, so that cached weather is made anew

DWD_LICENCE: Final = "Deutscher Wetterdienst and BBR, test reference years 2010; reuse with source (GeoNutzV)"
TMY_LICENCE: Final = "National Renewable Energy Laboratory (US government work, public domain)"
SKY_LICENCE: Final = "computed; turbidity from the climatology in pvlib (BSD-3-Clause)"


@dataclass(frozen=True)
class Weather:
    """Hold the weather of each slot, as means over the slot; all arrays have shape [slots].

    Attributes
    ----------
    ghi, dni, dhi : FloatArray
        Global horizontal, direct normal and diffuse horizontal irradiance [W/m2].
    temp_air : FloatArray
        Air temperature [deg C].
    wind_speed : FloatArray
        Wind speed [m/s].
    source, licence : str
        Where the data come from, and what one owes for their use.
    """

    ghi: FloatArray
    dni: FloatArray
    dhi: FloatArray
    temp_air: FloatArray
    wind_speed: FloatArray
    source: str = ""
    licence: str = ""


def dwd_try(zone: int, grid: TimeGrid, site: Site, *, notice: Notice | None = None) -> Weather:
    """Return one of the 15 German test reference years of 2010 (DWD and BBR), as demandlib brings them along.

    Parameters
    ----------
    zone : int
        Region of the reference year, 1 .. 15; 4 is Potsdam.
    grid : TimeGrid
        Slots of the run.
    site : Site
        Where the sun is to stand.
    notice : callable, optional
        Is told what is being made, if something is.
    """
    if not 1 <= zone <= 15:
        raise InputError(
            describe("no such test reference year", where="region", got=zone, expected="1 to 15")
        )
    return _kept(
        f"dwd-try-{zone:02d}",
        (_version("demandlib"), site, grid),
        lambda: laid_over(read_dwd_try(zone), grid, site),
        f"DWD test reference year, region {zone}",
        notice,
        DWD_LICENCE,
    )


def tmy(name: str, grid: TimeGrid, site: Site, *, notice: Notice | None = None) -> Weather:
    """Return a typical meteorological year that pvlib brings along: ``greensboro``, ``sand_point`` or ``miami``.

    Parameters are those of `dwd_try`.
    """
    if name not in TMY_FILES:
        raise InputError(
            describe(
                "no such typical year",
                where="station",
                got=name,
                expected=", ".join(TMY_FILES),
                hint=did_you_mean(name, TMY_FILES),
            )
        )
    return _kept(
        f"tmy-{name}",
        (_version("pvlib"), site, grid),
        lambda: laid_over(read_tmy(name), grid, site),
        f"typical meteorological year, {name}",
        notice,
        TMY_LICENCE,
    )


def clear_sky(
    grid: TimeGrid, site: Site, *, seed: int | None = None, notice: Notice | None = None
) -> Weather:
    """Return weather made without data: a clear sky, and with a seed drawn clouds over it.

    Clouds come from `clouds.clouded`, temperature from `clouds.zonal_temperature`; wind is 2 m/s throughout.

    Parameters
    ----------
    grid : TimeGrid
        Slots of the run.
    site : Site
        The place.
    seed : int, optional
        Seed of the run, for the stream ``weather``; without it the sky stays clear.
    notice : callable, optional
        Is told what is being made, if something is.
    """

    def make() -> dict[str, FloatArray]:
        sky = clouded(grid, site, seed)
        return {
            **sky,
            "temp_air": zonal_temperature(grid, site),
            "wind_speed": np.full(grid.slots, 2.0),
        }

    clouds = "cloudless" if seed is None else "with drawn clouds"
    return _kept(
        "clear-sky", (site, grid, seed), make, f"clear sky at the site, {clouds}", notice, SKY_LICENCE
    )


def weather_file(path: str | Path, grid: TimeGrid, site: Site) -> Weather:
    """Return weather from a user's file: EPW and TMY3 as typical years, CSV and Parquet by their own dates.

    See `weather_files.read_table` for the columns of a CSV or Parquet file. A CSV file is taken for TMY3 when its
    second line is that format's.
    """
    path = Path(path)
    licence = "the file's own"
    if path.suffix.lower() == ".epw" or is_tmy3(path):
        year = read_year(path)
        return Weather(**laid_over(year, grid, site), source=f"typical year {path.name}", licence=licence)
    arrays = spread(read_table(path, grid, site), grid, site, site)
    return Weather(**arrays, source=path.name, licence=licence)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _kept(
    name: str,
    depends_on: tuple[object, ...],
    make: Callable[[], dict[str, FloatArray]],
    source: str,
    notice: Notice | None,
    licence: str,
) -> Weather:
    """Return the weather from the cache, or make it; what it depends on is in the file's name as a hash."""
    depends = (MODEL, _version("pvlib"), *depends_on)
    key = sha256(repr(depends).encode()).hexdigest()[:16]
    arrays = cached_arrays(name, key, make, notice=notice, doing=f"weather: {source}")
    return Weather(**arrays, source=source, licence=licence)
