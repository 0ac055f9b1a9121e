"""When cars come to a charge point, how long they stay and what they need: published tables, by kind of place.

All are ElaadNL's (Open Data of charging sessions, Netherlands), as tabulated in EV2Gym (Orfanoudakis et al. 2024,
doi:10.1109/TITS.2024.3510945); hours the tables lack take the nearest hour's value. No weekends are published of
workplaces: nobody goes there on a weekend.
"""

from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.units import FloatArray

# Share of sessions that begin in each local hour of the day [%], workdays and weekends.
ARRIVALS_WORKDAY: Final = (
    2.13, 0.53, 0.21, 0.12, 0.11, 0.08, 0.17, 0.57, 1.38, 1.13, 1.13, 1.54,
    2.18, 2.23, 2.68, 3.65, 5.68, 12.15, 17.02, 11.54, 9.10, 8.93, 9.12, 6.62,
)  # fmt: skip
ARRIVALS_WEEKEND: Final = (
    4.08, 2.03, 0.77, 0.32, 0.21, 0.13, 0.13, 0.37, 0.91, 1.69, 3.04, 4.80,
    6.03, 6.17, 6.16, 6.90, 8.76, 10.21, 7.87, 6.51, 6.76, 6.22, 5.78, 4.14,
)  # fmt: skip
# Mean energy [kWh at the meter] and typical stay [h] of the sessions that begin in each local hour.
ENERGY_BY_ARRIVAL: Final = (
    31.4, 32.5, 28.0, 24.8, 21.3, 21.5, 21.1, 18.1, 13.3, 14.5, 14.6, 14.8,
    15.5, 16.2, 17.9, 19.5, 21.9, 22.4, 24.7, 27.4, 29.1, 29.1, 30.2, 30.8,
)  # fmt: skip
STAY_BY_ARRIVAL: Final = (
    9.1, 8.9, 7.2, 5.7, 4.7, 4.3, 4.6, 4.5, 3.2, 3.5, 3.4, 3.8,
    4.2, 4.7, 7.1, 14.9, 15.4, 14.7, 13.8, 13.0, 12.2, 11.2, 10.2, 9.6,
)  # fmt: skip
# Quantiles over all sessions of energy [kWh at the meter] and stay [h].
QUANTILES: Final = (
    0.001, 0.01, 0.02, 0.05, 0.10, 0.20, 0.25, 0.35, 0.50, 0.65, 0.70, 0.75, 0.80, 0.90, 0.95, 0.99, 0.999,
)  # fmt: skip
ENERGY_QUANTILES: Final = (
    0.1, 0.6, 1.0, 1.8, 3.3, 6.6, 8.2, 12.3, 19.4, 28.2, 31.9, 35.8, 40.4, 51.4, 59.6, 73.4, 99.9,
)  # fmt: skip
STAY_QUANTILES: Final = (
    0.25, 0.5, 0.6, 1.0, 1.5, 3.1, 4.2, 8.5, 11.0, 13.2, 13.8, 14.6, 15.7, 20.3, 29.3, 56.5, 72.0,
)  # fmt: skip
# Correlation of the normal scores of energy and stay with those of the hour of arrival: the values that come nearest to
# the two tables by hour (root mean square 1.7 kWh and 1.1 h). The tables say nothing of energy and stay within one
# hour; sessions are taken to need more energy when they last longer.
ENERGY_ARRIVAL: Final = 0.27
STAY_ARRIVAL: Final = 0.50
ENERGY_STAY: Final = 0.50

WORK_ARRIVALS: Final = (
    0.03, 0.0, 0.0, 0.01, 0.13, 1.43, 4.33, 14.26, 26.66, 18.07, 7.73, 4.94,
    5.4, 5.28, 3.99, 3.04, 2.04, 1.02, 0.58, 0.5, 0.3, 0.14, 0.08, 0.04,
)  # fmt: skip
WORK_ENERGY_BY_ARRIVAL: Final = (
    12.2, 12.2, 12.2, 12.2, 12.2, 12.2, 12.9, 13.4, 15.5, 14.8, 14.6, 14.3,
    14.8, 13.8, 12.6, 12.4, 11.5, 13.9, 12.4, 12.4, 12.4, 12.4, 12.4, 12.4,
)  # fmt: skip
WORK_STAY_BY_ARRIVAL: Final = (
    8.2, 8.2, 8.2, 8.2, 8.2, 8.2, 8.5, 8.4, 7.8, 6.2, 4.8, 4.0,
    3.7, 3.2, 2.6, 2.2, 2.1, 2.6, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5,
)  # fmt: skip
WORK_ENERGY_QUANTILES: Final = (
    0.0, 0.0, 0.2, 1.4, 2.7, 4.7, 5.4, 6.8, 8.8, 12.6, 14.4, 16.7, 19.2, 26.1, 31.9, 48.2, 95.7,
)  # fmt: skip
WORK_STAY_QUANTILES: Final = (
    0.0, 0.0, 0.0, 0.6, 1.2, 2.0, 2.5, 3.3, 4.9, 7.4, 8.0, 8.5, 8.8, 9.8, 13.2, 46.4, 72.0,
)  # fmt: skip

PUBLIC_ARRIVALS_WORKDAY: Final = (
    0.98, 0.45, 0.24, 0.16, 0.16, 0.22, 0.73, 3.23, 7.86, 7.72, 5.11, 4.66,
    5.35, 5.35, 5.02, 5.12, 5.66, 8.34, 10.91, 8.06, 5.05, 3.96, 3.37, 2.28,
)  # fmt: skip
PUBLIC_ARRIVALS_WEEKEND: Final = (
    2.04, 1.24, 0.64, 0.37, 0.28, 0.25, 0.29, 0.65, 1.73, 3.73, 5.66, 7.0,
    7.88, 8.2, 8.46, 8.29, 7.98, 8.02, 7.33, 5.76, 4.87, 3.93, 3.14, 2.25,
)  # fmt: skip
PUBLIC_ENERGY_BY_ARRIVAL: Final = (
    20.9, 21.2, 21.4, 21.3, 20.1, 20.0, 18.9, 15.9, 13.0, 12.5, 12.7, 12.8,
    12.9, 13.2, 14.2, 15.5, 16.5, 16.5, 16.5, 17.7, 19.1, 20.4, 20.4, 20.5,
)  # fmt: skip
PUBLIC_STAY_BY_ARRIVAL: Final = (
    10.0, 9.9, 9.5, 8.4, 6.8, 5.6, 5.2, 5.2, 4.9, 4.0, 3.0, 2.8,
    3.0, 3.0, 3.0, 3.5, 4.7, 10.9, 12.4, 11.7, 11.3, 11.1, 10.5, 10.1,
)  # fmt: skip
PUBLIC_ENERGY_QUANTILES: Final = (
    0.0, 0.0, 0.0, 0.6, 1.6, 3.4, 4.2, 5.6, 7.2, 9.5, 11.3, 13.8, 17.2, 29.0, 41.6, 63.6, 99.8,
)  # fmt: skip
PUBLIC_STAY_QUANTILES: Final = (
    0.0, 0.0, 0.1, 0.3, 0.6, 1.3, 1.7, 2.5, 4.4, 8.9, 10.4, 12.1, 13.5, 17.1, 21.7, 44.9, 72.0,
)  # fmt: skip


class Habits(NamedTuple):
    """Hold the habits of a kind of place; by hour: shape [24], by quantile: shape of `QUANTILES`.

    Attributes
    ----------
    workday, weekend : tuple of float
        Share of sessions that begin in each local hour [%]; no weekend: nobody comes.
    energy_by_arrival, stay_by_arrival : tuple of float
        Mean energy [kWh at the meter] and stay [h] by hour of arrival.
    energy, stay : tuple of float
        Quantiles over all sessions [kWh at the meter, h].
    """

    workday: tuple[float, ...]
    weekend: tuple[float, ...]
    energy_by_arrival: tuple[float, ...]
    stay_by_arrival: tuple[float, ...]
    energy: tuple[float, ...]
    stay: tuple[float, ...]

    def scores(self, by_arrival: tuple[float, ...]) -> FloatArray:
        """Return the standard normal score of each hour's value among all sessions, shape [24]."""
        workday, weekend = np.array(self.workday), np.array(self.weekend or (0.0,) * 24)
        weight = 5 * workday / workday.sum() + 2 * weekend / max(weekend.sum(), 1.0)
        order = np.argsort(by_arrival, kind="stable")
        below = np.cumsum(weight[order]) - weight[order] / 2
        scores = np.empty(24)
        share = np.clip(below / weight.sum(), 1e-6, 1 - 1e-6)
        scores[order] = [NormalDist().inv_cdf(p) for p in share]
        return scores


HOME: Final = Habits(
    ARRIVALS_WORKDAY, ARRIVALS_WEEKEND, ENERGY_BY_ARRIVAL, STAY_BY_ARRIVAL, ENERGY_QUANTILES, STAY_QUANTILES
)
WORK: Final = Habits(
    WORK_ARRIVALS,
    (),
    WORK_ENERGY_BY_ARRIVAL,
    WORK_STAY_BY_ARRIVAL,
    WORK_ENERGY_QUANTILES,
    WORK_STAY_QUANTILES,
)
PUBLIC: Final = Habits(
    PUBLIC_ARRIVALS_WORKDAY, PUBLIC_ARRIVALS_WEEKEND, PUBLIC_ENERGY_BY_ARRIVAL, PUBLIC_STAY_BY_ARRIVAL,
    PUBLIC_ENERGY_QUANTILES, PUBLIC_STAY_QUANTILES,
)  # fmt: skip
PLACES: Final = {"work": WORK, "public": PUBLIC}
