"""The clear sky over a site, and how values of an hour become values of a slot under it.

Hourly means are spread over shorter slots in proportion to the clear sky: the clear-sky index of the hour (Engerer
and Mills 2014, doi:10.1016/j.solener.2014.04.012), a ratio without the sun's course in it, is held, and the sun moves.
Each hour keeps its energy, and night is dark whatever the file says of it.
"""

from dataclasses import dataclass
from math import gcd
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray

Times = npt.NDArray[np.datetime64]

FINEST_SKY: Final = 15  # [min]; longer slots are averaged from steps no longer than this
# Beyond this, which is pvlib's bound too, the ratio to a clear sky tells of a sun on the horizon and not of clouds.
LARGEST_INDEX: Final = 2.0


@dataclass(frozen=True)
class Site:
    """Say where on Earth something is.

    Attributes
    ----------
    latitude, longitude : float
        North and east positive [deg].
    altitude_m : float
        Height above sea level [m].
    timezone : str
        IANA name of the local time.
    """

    latitude: float
    longitude: float
    altitude_m: float = 0.0
    timezone: str = "UTC"


class ClearSky(NamedTuple):
    """Hold a cloudless sky [W/m2], shape [steps].

    Attributes
    ----------
    ghi, dni : FloatArray
        Global horizontal and direct normal irradiance.
    beam : FloatArray
        Direct irradiance on the horizontal; the rest of `ghi` is diffuse.
    """

    ghi: FloatArray
    dni: FloatArray
    beam: FloatArray


class Intervals(NamedTuple):
    """Hold weather as means over equal intervals, shape [intervals].

    Attributes
    ----------
    start : np.datetime64
        Start of the first interval, UTC.
    minutes : int
        Length of an interval [min].
    ghi, dhi : FloatArray
        Global and diffuse horizontal irradiance [W/m2].
    temp_air : FloatArray
        Air temperature [deg C].
    wind_speed : FloatArray
        Wind speed [m/s].
    """

    start: np.datetime64
    minutes: int
    ghi: FloatArray
    dhi: FloatArray
    temp_air: FloatArray
    wind_speed: FloatArray


def steps(start: np.datetime64, minutes: float, count: int) -> Times:
    """Return the middle of each of `count` steps, datetime64[s], shape [count]."""
    seconds = (np.arange(count) + 0.5) * minutes * 60
    middles: Times = start.astype("datetime64[s]") + seconds.astype(np.int64).astype("timedelta64[s]")
    return middles


def location(site: Site) -> Any:
    """Return pvlib's form of a site."""
    from pvlib.location import Location

    return Location(site.latitude, site.longitude, tz="UTC", altitude=site.altitude_m)


def utc_index(times: Times) -> Any:
    """Return times as a pandas index in UTC, as pvlib takes them."""
    import pandas as pd

    return pd.DatetimeIndex(times).tz_localize("UTC")


def clear_sky_at(times: Times, site: Site) -> ClearSky:
    """Compute the clear sky at `times` (UTC).

    Model of Ineichen and Perez (2002, doi:10.1016/S0038-092X(02)00045-2) with pvlib's monthly climatology of Linke
    turbidity.
    """
    index = utc_index(times)
    place = location(site)
    sun = place.get_solarposition(index)
    # At night pvlib divides by the cosine of a zenith beyond 90 degrees and raises 0 to a power, then discards it.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sky = place.get_clearsky(index, solar_position=sun)
    cos_zenith = np.maximum(np.cos(np.radians(sun["apparent_zenith"].to_numpy())), 0.0)
    ghi, dni = sky["ghi"].to_numpy(), sky["dni"].to_numpy()
    return ClearSky(ghi=ghi, dni=dni, beam=np.minimum(dni * cos_zenith, ghi))


def clear_sky_on(grid: TimeGrid, site: Site) -> ClearSky:
    """Compute the clear sky of each slot, as means over the slot, shape [slots]."""
    step = _finest(grid.slot_minutes)
    per_slot = grid.slot_minutes // step
    sky = clear_sky_at(steps(grid.starts[0], step, grid.slots * per_slot), site)
    return ClearSky(*(part.reshape(-1, per_slot).mean(axis=1) for part in sky))


def spread(
    weather: Intervals, grid: TimeGrid, site: Site, station: Site, *, shift_hours: int = 0
) -> dict[str, FloatArray]:
    """Spread means over intervals to the slots of `grid`, at `site`.

    The direct beam follows the beam of the clear sky, the diffuse light its global irradiance. Where beam exceeds what
    the index allows, the excess counts as diffuse. Temperature and wind are interpolated between the middles of the
    intervals.

    Parameters
    ----------
    weather : Intervals
        The means; their intervals cover the grid.
    grid : TimeGrid
        Slots to fill.
    site, station : Site
        Where the sun is to stand, and where the means were measured.
    shift_hours : int
        How much later the sun stands at the station as it does at the site [h].

    Returns
    -------
    dict
        ``ghi``, ``dni``, ``dhi``, ``temp_air``, ``wind_speed``, each of shape [slots].
    """
    start = grid.starts[0]
    lead = int((start - weather.start) / np.timedelta64(1, "m"))
    step = gcd(_finest(grid.slot_minutes), weather.minutes, lead)
    per_interval, per_slot = weather.minutes // step, grid.slot_minutes // step
    times = steps(weather.start, step, weather.ghi.size * per_interval)

    there = clear_sky_at(times + np.timedelta64(shift_hours, "h"), station)
    here = there if site == station and not shift_hours else clear_sky_at(times, site)
    beam_there, ghi_there = (part.reshape(-1, per_interval).mean(axis=1) for part in (there.beam, there.ghi))
    dhi = np.clip(weather.dhi, 0.0, np.maximum(weather.ghi, 0.0))
    beam = np.maximum(weather.ghi, 0.0) - dhi
    beam_index = _index(beam, beam_there)
    diffuse_index = _index(dhi + beam - beam_index * beam_there, ghi_there)

    def on_slots(index: FloatArray, sky: FloatArray) -> FloatArray:
        fine = np.repeat(index, per_interval) * sky
        first = lead // step
        slots: FloatArray = (
            fine[first : first + grid.slots * per_slot].reshape(grid.slots, per_slot).mean(axis=1)
        )
        return slots

    middles = (np.arange(grid.slots) + 0.5) * grid.slot_minutes + lead
    knots = (np.arange(weather.ghi.size) + 0.5) * weather.minutes
    diffuse = on_slots(diffuse_index, here.ghi)
    return {
        "ghi": on_slots(beam_index, here.beam) + diffuse,
        "dni": on_slots(beam_index, here.dni),
        "dhi": diffuse,
        "temp_air": np.interp(middles, knots, weather.temp_air),
        "wind_speed": np.interp(middles, knots, weather.wind_speed),
    }


def _finest(slot_minutes: int) -> int:
    """Return a step [min] that divides a slot and is no longer than `FINEST_SKY`."""
    return slot_minutes if slot_minutes <= FINEST_SKY else gcd(slot_minutes, FINEST_SKY)


def _index(measured: FloatArray, clear: FloatArray) -> FloatArray:
    """Return the ratio to the clear sky, at most `LARGEST_INDEX`; 0 at night."""
    lit = clear > 0
    ratio: FloatArray = np.divide(measured, clear, out=np.zeros_like(measured), where=lit)
    return np.minimum(ratio, LARGEST_INDEX)
