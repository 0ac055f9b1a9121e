"""Solar generation by orientation: pvlib's PVWatts chain, run once for the site and once for each distinct orientation.

Sun position and the sky are the same for every home of a site; only the projection on the module differs. Every
orientation is computed exactly, none is taken from a neighbour: nearest-bin shortcuts cost 2 % of a year's energy.
"""

from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sunshare_sim.inputs.cache import Notice, cached_array
from sunshare_sim.inputs.sky import Site, location, utc_index
from sunshare_sim.inputs.weather import Weather
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray

MODEL: Final = 1  # raise it when what this module computes changes, so that cached profiles are made anew
GAMMA_PDC: Final = (
    -0.0035
)  # [1/K] power against cell temperature, PVWatts' premium module (Dobos 2014, table 5)
MOUNTING: Final = "close_mount_glass_glass"  # SAPM thermal parameters of modules on a roof (King et al. 2004)
ALBEDO: Final = 0.25  # of the ground; pvlib's default
INVERTER_EFFICIENCY: Final = 0.96  # nominal, PVWatts' default (Dobos 2014)
CHUNK: Final = 4  # orientations at a time: the chain's arrays stay in the processor's cache

Profiles = npt.NDArray[np.float32]


class Sun(NamedTuple):
    """Hold what all orientations of a site share, for the slots with any light; shape [lit slots, 1]."""

    zenith: FloatArray
    azimuth: FloatArray
    dni_extra: FloatArray
    ghi: FloatArray
    dni: FloatArray
    dhi: FloatArray
    temp_air: FloatArray
    wind_speed: FloatArray


def solar_profiles(  # noqa: PLR0913 - three of them say how, not what
    weather: Weather,
    site: Site,
    tilt: npt.ArrayLike,
    azimuth: npt.ArrayLike,
    grid: TimeGrid,
    *,
    dc_ac_ratio: float = 1.2,
    cache: bool = True,
    notice: Notice | None = None,
) -> Profiles:
    """Compute the AC energy of a system of 1 kWp in each slot, for each orientation.

    PVWatts (Dobos 2014, doi:10.2172/1158421) as in pvlib (Anderson et al. 2023, doi:10.21105/joss.05994):
    transposition after Hay and Davies (1980) with light reflected from the ground, reflection at the glass (De Soto
    et al. 2006), cell temperature after King et al. (2004), module, inverter and 14 % losses as in PVWatts. The sun is
    that of the middle of each slot.

    Parameters
    ----------
    weather : Weather
        Weather of each slot.
    site : Site
        The place.
    tilt, azimuth : array_like
        Orientations, best distinct [deg]: tilt from the horizontal, azimuth with north 0 and east 90; shape
        [orientations].
    grid : TimeGrid
        Slots of the run.
    dc_ac_ratio : float
        Rated power of the modules over rated AC power of the inverter.
    cache : bool
        Keep the profiles in the user's cache, and map them into memory from there.
    notice : callable, optional
        Is told what is being made, if something is.

    Returns
    -------
    float32 array
        Energy [kWh/kWp], shape [slots, orientations], one slot after another in memory.
    """
    tilts, azimuths = (np.atleast_1d(np.asarray(angle, dtype=np.float64)) for angle in (tilt, azimuth))
    if not cache:
        return _profiles(weather, site, tilts, azimuths, grid, dc_ac_ratio)
    key = _key(weather, site, tilts, azimuths, grid, dc_ac_ratio)
    profiles: Profiles = cached_array(
        "solar",
        key,
        lambda: _profiles(weather, site, tilts, azimuths, grid, dc_ac_ratio),
        notice=notice,
        doing=f"solar generation of {tilts.size} orientations in {grid.slots} slots",
    )
    return profiles


def ac_power(sun: Sun, tilt: FloatArray, azimuth: FloatArray, dc_ac_ratio: float) -> FloatArray:
    """Return the AC power of 1 kWp [kW/kWp], shape [lit slots, orientations], for tilts and azimuths [deg]."""
    from pvlib import iam, irradiance, pvsystem, temperature
    from pvlib.inverter import pvwatts

    # pvlib computes the projection in the angle of incidence and again in the sky's part; here it is shared.
    projection = irradiance.aoi_projection(tilt, azimuth, sun.zenith, sun.azimuth)
    facing = np.maximum(projection, 0.0)
    ratio = facing / np.maximum(
        np.cos(np.radians(sun.zenith)), 0.01745
    )  # pvlib's bound: 1 degree above the horizon
    sky = irradiance.haydavies(tilt, azimuth, sun.dhi, sun.dni, sun.dni_extra, projection_ratio=ratio)
    diffuse = sky + irradiance.get_ground_diffuse(tilt, sun.ghi, albedo=ALBEDO)
    direct = sun.dni * facing
    absorbed = direct * iam.physical(np.degrees(np.arccos(projection))) + diffuse
    thermal = temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"][MOUNTING]
    cell = temperature.sapm_cell(direct + diffuse, sun.temp_air, sun.wind_speed, **thermal)
    dc = pvsystem.pvwatts_dc(absorbed, cell, 1.0, GAMMA_PDC) * (1 - pvsystem.pvwatts_losses() / 100)
    power: FloatArray = pvwatts(dc, 1.0 / dc_ac_ratio / INVERTER_EFFICIENCY, INVERTER_EFFICIENCY)
    return power


def sun_over(weather: Weather, site: Site, grid: TimeGrid) -> tuple[npt.NDArray[np.intp], Sun]:
    """Return the slots with any light, and sun and weather in them; sun position once for the site."""
    from pvlib.irradiance import get_extra_radiation

    middles = utc_index(grid.starts + np.timedelta64(grid.seconds // 2, "s"))
    sun = location(site).get_solarposition(middles, temperature=weather.temp_air)
    extra = get_extra_radiation(middles).to_numpy()
    lit = np.flatnonzero((weather.ghi > 0) | (weather.dni > 0) | (weather.dhi > 0))
    columns = (sun["apparent_zenith"].to_numpy(), sun["azimuth"].to_numpy(), extra)
    measured = (weather.ghi, weather.dni, weather.dhi, weather.temp_air, weather.wind_speed)
    return lit, Sun(*(column[lit, np.newaxis] for column in (*columns, *measured)))


def _profiles(
    weather: Weather,
    site: Site,
    tilt: FloatArray,
    azimuth: FloatArray,
    grid: TimeGrid,
    dc_ac_ratio: float,
) -> Profiles:
    lit, sun = sun_over(weather, site, grid)
    profiles = np.zeros((grid.slots, tilt.size), dtype=np.float32)
    for first in range(0, tilt.size, CHUNK):
        part = slice(first, first + CHUNK)
        profiles[lit, part] = ac_power(sun, tilt[part], azimuth[part], dc_ac_ratio) * grid.hours
    return profiles


def _key(weather: Weather, *depends_on: Any) -> str:
    """Return a name for everything the profiles depend on."""
    digest = sha256(
        repr((MODEL, version("pvlib"), GAMMA_PDC, MOUNTING, ALBEDO, INVERTER_EFFICIENCY)).encode()
    )
    for array in (weather.ghi, weather.dni, weather.dhi, weather.temp_air, weather.wind_speed):
        digest.update(np.ascontiguousarray(array).tobytes())
    for item in depends_on:
        digest.update(item.tobytes() if isinstance(item, np.ndarray) else repr(item).encode())
    return digest.hexdigest()[:16]
