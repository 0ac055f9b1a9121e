"""How well a feeder's voltages and loadings stay where they should, as EN 50160 and network planners report it.

A run is looked at week by week, so that memory does not grow with its length; weeks add up to a report.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.units import FloatArray, IntArray

# EN 50160:2010, 4.2.2.2: 95 % of the 10-minute means of a week within +-10 %, all within +10 / -15 %;
# 4.2.4: 95 % of the 10-minute means of the negative-sequence voltage at most 2 %.
BAND: Final = (0.90, 1.10)
OUTER_BAND: Final = (0.85, 1.10)
SHARE_WITHIN: Final = 0.95
UNBALANCE_LIMIT: Final = 0.02
LOADING_BANDS: Final = (0.8, 1.0, 1.2)
HOURS_OF_WEEK: Final = 168


class VoltageWeek(NamedTuple):
    """Hold what a week (or the rest of one) of voltages comes to; arrays have shape [buses].

    Attributes
    ----------
    slots : int
        Slots with a voltage.
    low, high : IntArray
        Slots below and above the band, of the lowest and of the highest phase.
    outer : IntArray
        Slots outside the outer band.
    lowest, highest : FloatArray
        Extremes [p.u.].
    deviation_95 : FloatArray
        95th percentile of the distance from nominal [p.u.].
    unbalance_95 : FloatArray
        95th percentile of the voltage unbalance; empty if balanced.
    """

    slots: int
    low: IntArray
    high: IntArray
    outer: IntArray
    lowest: FloatArray
    highest: FloatArray
    deviation_95: FloatArray
    unbalance_95: FloatArray


class VoltageReport(NamedTuple):
    """Hold how a run's voltages fare against EN 50160; arrays have shape [buses].

    Attributes
    ----------
    share_outside : FloatArray
        Share of slots outside +-10 %.
    share_low, share_high : FloatArray
        The same, by side.
    lowest, highest : FloatArray
        Extremes [p.u.].
    worst_deviation_95 : FloatArray
        95th percentile of the distance from nominal, of the worst week [p.u.].
    weeks_failed : IntArray
        Weeks in which fewer than 95 % of slots are within +-10 %, or any outside +10 / -15 %, or unbalance exceeds
        2 % for more than 5 % of slots.
    weeks : int
        Weeks looked at; a shorter one at the end counts.
    worst_unbalance_95 : FloatArray
        95th percentile of the unbalance, of the worst week; empty if balanced.
    """

    share_outside: FloatArray
    share_low: FloatArray
    share_high: FloatArray
    lowest: FloatArray
    highest: FloatArray
    worst_deviation_95: FloatArray
    weeks_failed: IntArray
    weeks: int
    worst_unbalance_95: FloatArray


class LoadingReport(NamedTuple):
    """Hold how a run's branches are loaded; arrays have shape [branches], or [branches, bands].

    Attributes
    ----------
    highest, percentile_95 : FloatArray
        Loading over rating; its maximum and the 95th percentile of slots.
    hours_above : FloatArray
        Hours above 80, 100 and 120 % [h], shape [branches, 3].
    kwh_above_rating : FloatArray
        Energy carried beyond the rating, at nominal voltage [kWh].
    reverse_hours : FloatArray
        Hours of power towards the substation [h].
    """

    highest: FloatArray
    percentile_95: FloatArray
    hours_above: FloatArray
    kwh_above_rating: FloatArray
    reverse_hours: FloatArray


def voltage_week(voltage_pu: FloatArray, unbalance: FloatArray | None = None) -> VoltageWeek:
    """Return what at most a week of voltages comes to; slots without a solution (NaN) are left out.

    Slots longer than ten minutes hide peaks that the standard's 10-minute means would show.

    Parameters
    ----------
    voltage_pu : FloatArray
        Voltages, shape [slots, buses] or [slots, buses, 3].
    unbalance : FloatArray, optional
        Negative- over positive-sequence voltage, shape [slots, buses].

    Raises
    ------
    NetworkError
        When no slot has a voltage.
    """
    solved = np.isfinite(voltage_pu).reshape(len(voltage_pu), -1).all(axis=1)
    if not solved.any():
        raise NetworkError(describe("no slot with a voltage", where="EN 50160", got=voltage_pu.shape))
    v = voltage_pu[solved]
    least, most = (v.min(axis=2), v.max(axis=2)) if v.ndim == 3 else (v, v)
    away = np.maximum(np.abs(least - 1), np.abs(most - 1))
    known = unbalance is not None and unbalance.size > 0
    return VoltageWeek(
        slots=int(solved.sum()),
        low=np.count_nonzero(least < BAND[0], axis=0),
        high=np.count_nonzero(most > BAND[1], axis=0),
        outer=np.count_nonzero((least < OUTER_BAND[0]) | (most > OUTER_BAND[1]), axis=0),
        lowest=least.min(axis=0),
        highest=most.max(axis=0),
        deviation_95=np.quantile(away, SHARE_WITHIN, axis=0),
        unbalance_95=np.quantile(unbalance[solved], SHARE_WITHIN, axis=0)
        if known and unbalance is not None
        else np.empty(0),
    )


def voltage_report(weeks: Sequence[VoltageWeek]) -> VoltageReport:
    """Return the report over all weeks."""
    slots = sum(week.slots for week in weeks)
    low, high = sum(week.low for week in weeks), sum(week.high for week in weeks)
    failed = sum(_failed(week).astype(np.int64) for week in weeks)
    return VoltageReport(
        share_outside=np.asarray(low + high) / slots,
        share_low=np.asarray(low) / slots,
        share_high=np.asarray(high) / slots,
        lowest=np.min([week.lowest for week in weeks], axis=0),
        highest=np.max([week.highest for week in weeks], axis=0),
        worst_deviation_95=np.max([week.deviation_95 for week in weeks], axis=0),
        weeks_failed=np.asarray(failed),
        weeks=len(weeks),
        worst_unbalance_95=np.max([week.unbalance_95 for week in weeks], axis=0),
    )


def _failed(week: VoltageWeek) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    too_often = (week.low + week.high) / week.slots > 1 - SHARE_WITHIN
    uneven = week.unbalance_95 > UNBALANCE_LIMIT if week.unbalance_95.size else np.zeros_like(too_often)
    return too_often | (week.outer > 0) | uneven


def voltage_quality(
    voltage_pu: FloatArray, slot_hours: float, unbalance: FloatArray | None = None
) -> VoltageReport:
    """Return the report of voltages that are all in memory, cut into weeks from the first slot on.

    Parameters
    ----------
    voltage_pu : FloatArray
        Voltages, shape [slots, buses] or [slots, buses, 3].
    slot_hours : float
        Length of a slot [h].
    unbalance : FloatArray, optional
        Negative- over positive-sequence voltage, shape [slots, buses].
    """
    step = max(1, round(HOURS_OF_WEEK / slot_hours))
    firsts = range(0, len(voltage_pu), step)
    return voltage_report(
        [
            voltage_week(voltage_pu[i : i + step], None if unbalance is None else unbalance[i : i + step])
            for i in firsts
        ]
    )


def loading_report(
    loading: FloatArray, power_kw: FloatArray, rating_kva: FloatArray, slot_hours: float
) -> LoadingReport:
    """Return how branches are loaded; slots without a solution (NaN) count for nothing.

    Parameters
    ----------
    loading : FloatArray
        Current over rating, shape [slots, branches].
    power_kw : FloatArray
        Power through each branch, < 0 towards the substation, shape [slots, branches].
    rating_kva : FloatArray
        Rating at nominal voltage, shape [branches].
    slot_hours : float
        Length of a slot [h].
    """
    known = np.nan_to_num(loading, nan=0.0)
    above = [np.count_nonzero(known > band, axis=0) * slot_hours for band in LOADING_BANDS]
    return LoadingReport(
        highest=known.max(axis=0),
        percentile_95=np.quantile(known, SHARE_WITHIN, axis=0),
        hours_above=np.stack(above, axis=1),
        kwh_above_rating=np.maximum(known - 1, 0).sum(axis=0) * rating_kva * slot_hours,
        reverse_hours=np.count_nonzero(np.nan_to_num(power_kw, nan=0.0) < -1e-9, axis=0) * slot_hours,
    )


def merge_loadings(reports: Sequence[LoadingReport]) -> LoadingReport:
    """Return the report over several parts of a run; its 95th percentile is that of the worst part."""
    return LoadingReport(
        highest=np.max([each.highest for each in reports], axis=0),
        percentile_95=np.max([each.percentile_95 for each in reports], axis=0),
        hours_above=np.sum([each.hours_above for each in reports], axis=0),
        kwh_above_rating=np.sum([each.kwh_above_rating for each in reports], axis=0),
        reverse_hours=np.sum([each.reverse_hours for each in reports], axis=0),
    )
