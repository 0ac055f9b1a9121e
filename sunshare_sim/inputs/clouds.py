"""Clouds drawn over a clear sky, for places without a weather file.

Days follow a Markov chain of three classes (the idea of Aguiar et al. 1988, doi:10.1016/0038-092X(88)90049-7).
Within the day the clear-sky index wanders about the day's mean as a Gaussian process whose correlation falls
exponentially (a first-order autoregression, as in Aguiar and Collares-Pereira 1992, Solar Energy 49, 167-174).

The numbers are those of the typical year of Miami that pvlib brings along, the one bundled year near the tropics: its
hourly clear-sky index has a correlation from hour to hour of 0.5 (Graham and Hollands 1990,
doi:10.1016/0038-092X(90)90137-2, found 0.54 over many places). They are one climate, without seasons.
"""

from typing import Final

import numpy as np

from sunshare_sim.inputs.sky import Site, clear_sky_on, location, utc_index
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

# Classes of days: dull (mean clear-sky index below 0.60), mixed, and bright (from 0.85 on).
CLASS_SHARE: Final = (0.140, 0.354, 0.506)
CLASS_CHANGE: Final = ((0.327, 0.308, 0.365), (0.171, 0.388, 0.441), (0.066, 0.344, 0.590))
CLASS_MEAN: Final = (0.48, 0.75, 0.955)
CLASS_SPREAD: Final = 0.07  # standard deviation of a day's mean about its class
HOURLY_SPREAD: Final = (0.22, 0.20, 0.14)  # standard deviation of hourly means about the day's mean

# An exponential correlation time of 52 min gives hourly means a correlation of 0.5 from one to the next and 0.84 of the
# standard deviation of the moment (both are integrals of the exponential over two and over one hour).
CORRELATION_MINUTES: Final = 52.0
HOURLY_OF_MOMENT: Final = 0.84
CLOUD_STEP: Final = 5  # [min]; the same clouds pass over whatever the slot's length
INDEX_BOUNDS: Final = (0.05, 1.2)


def clouded(grid: TimeGrid, site: Site, seed: int | None) -> dict[str, FloatArray]:
    """Return irradiance under a sky with drawn clouds, or a clear one without a seed.

    Global irradiance is split after Erbs et al. (1982, doi:10.1016/0038-092X(82)90302-4).

    Returns
    -------
    dict
        ``ghi``, ``dni``, ``dhi`` [W/m2], each of shape [slots].
    """
    sky = clear_sky_on(grid, site)
    if seed is None:
        return {"ghi": sky.ghi, "dni": sky.dni, "dhi": sky.ghi - sky.beam}
    from pvlib.irradiance import erbs

    ghi = sky.ghi * clear_sky_index(grid, seed)
    middles = utc_index(grid.starts + np.timedelta64(grid.seconds // 2, "s"))
    zenith = location(site).get_solarposition(middles)["zenith"].to_numpy()
    parts = erbs(ghi, zenith, middles)
    return {"ghi": ghi, "dni": np.asarray(parts["dni"]), "dhi": np.asarray(parts["dhi"])}


def clear_sky_index(grid: TimeGrid, seed: int) -> FloatArray:
    """Draw the mean clear-sky index of each slot, shape [slots]; a longer run begins with the same clouds."""
    minutes = grid.slots * grid.slot_minutes
    count = -(-minutes // CLOUD_STEP)
    slot_of_step = np.arange(count) * CLOUD_STEP // grid.slot_minutes
    day = grid.local_day[slot_of_step] - grid.local_day[0]
    classes = _classes(int(day[-1]) + 1, seed)
    means = np.array(CLASS_MEAN)[classes]
    means += CLASS_SPREAD * stream(seed, "weather", "day-mean").standard_normal(classes.size)
    moments = np.array(HOURLY_SPREAD)[classes] / HOURLY_OF_MOMENT
    index = np.clip(means[day] + moments[day] * _wander(count, seed), *INDEX_BOUNDS)
    # The mean over a slot is the difference of the running integral at its ends, whether or not steps divide it.
    integral = np.append(0.0, np.cumsum(index)) * CLOUD_STEP
    ends = np.arange(grid.slots + 1) * grid.slot_minutes
    until = np.interp(ends, np.arange(count + 1) * CLOUD_STEP, integral)
    return np.asarray(np.diff(until) / grid.slot_minutes, dtype=np.float64)


def zonal_temperature(grid: TimeGrid, site: Site) -> FloatArray:
    """Return a rough air temperature for a place without data [deg C], shape [slots].

    The mean over all longitudes at that latitude, with its course over the year and none over the day, from the first
    terms in Legendre polynomials of the observed climate (North, Cahalan and Coakley 1981,
    doi:10.1029/RG019i001p00091), less 6.5 K per km of height. It serves the efficiency of solar modules alone, where
    10 K are 3.5 %.
    """
    sine = np.sin(np.radians(site.latitude))
    day_of_year = (grid.starts - grid.starts.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    coldest = np.cos(2 * np.pi * (day_of_year - 30) / 365.25)  # on 30 January in the north
    temperature: FloatArray = (
        15.0 - 28.0 * (3 * sine**2 - 1) / 2 - 15.5 * sine * coldest - 6.5 * site.altitude_m / 1000
    )
    return temperature


def _classes(days: int, seed: int) -> IntArray:
    """Draw the class of each day, shape [days]."""
    draws = stream(seed, "weather", "day-class").random(days)
    change = np.cumsum(CLASS_CHANGE, axis=1)
    classes = np.empty(days, dtype=np.int64)
    share = np.cumsum(CLASS_SHARE)
    for day in range(days):
        classes[day] = min(int(np.searchsorted(share, draws[day], side="right")), len(CLASS_SHARE) - 1)
        share = change[classes[day]]
    return classes


def _wander(count: int, seed: int) -> FloatArray:
    """Draw a stationary standard normal process with the clouds' correlation, shape [steps]."""
    noise = stream(seed, "weather", "clouds").standard_normal(count)
    kept = float(np.exp(-CLOUD_STEP / CORRELATION_MINUTES))
    fresh = float(np.sqrt(1 - kept**2))
    path = np.empty(count)
    level = noise[0]
    path[0] = level
    for step in range(1, count):
        level = kept * level + fresh * noise[step]
        path[step] = level
    return path
