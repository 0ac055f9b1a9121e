import numpy as np
import pytest

from sunshare_sim.errors import NetworkError
from sunshare_sim.feeder.quality import loading_report, voltage_quality, voltage_report, voltage_week

WEEK = 672  # quarter hours


def test_five_percent_of_a_week_may_be_outside():
    v = np.ones((WEEK, 2))
    v[:33, 0] = 1.11  # 33 of 672 is 4.9 %, but above +10 % nothing may be, ever
    v[:34, 1] = 0.89  # 34 of 672 is 5.06 %
    report = voltage_quality(v, 0.25)
    assert report.share_high.tolist() == [33 / WEEK, 0]
    assert report.share_low.tolist() == [0, 34 / WEEK]
    assert report.weeks_failed.tolist() == [1, 1]
    v[:33, 0] = 0.89
    assert voltage_quality(v, 0.25).weeks_failed.tolist() == [0, 1]
    v[0, 0] = 0.84
    assert voltage_quality(v, 0.25).weeks_failed.tolist() == [1, 1]


def test_percentile_is_of_the_worst_week():
    v = np.ones((2 * WEEK, 1))
    v[WEEK : WEEK + 100] = 1.07
    report = voltage_quality(v, 0.25)
    assert report.weeks == 2
    assert report.worst_deviation_95[0] == pytest.approx(0.07)
    assert report.highest[0] == 1.07
    assert report.share_outside[0] == 0


def test_phases_and_unbalance():
    v = np.ones((WEEK, 1, 3))
    v[:, 0, 1] = 0.88
    assert voltage_quality(v, 0.25).share_low[0] == 1
    uneven = np.full((WEEK, 1), 0.021)
    assert voltage_quality(np.ones((WEEK, 1, 3)), 0.25, uneven).weeks_failed[0] == 1
    assert voltage_quality(np.ones((WEEK, 1, 3)), 0.25, uneven - 0.002).weeks_failed[0] == 0


def test_weeks_one_by_one_are_the_whole():
    v = np.random.default_rng(1).normal(1, 0.06, (3 * WEEK, 4))
    whole = voltage_quality(v, 0.25)
    parts = voltage_report([voltage_week(part) for part in np.split(v, 3)])
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one, other)


def test_slots_without_a_solution_are_left_out():
    v = np.ones((10, 1))
    v[3] = np.nan
    assert voltage_week(v).slots == 9
    with pytest.raises(NetworkError, match="no slot with a voltage"):
        voltage_week(np.full((2, 1), np.nan))


def test_loading_by_hand():
    loading = np.array([[0.5], [0.9], [1.1], [1.3], [np.nan]])
    report = loading_report(
        loading, np.array([[1.0], [-1.0], [1.0], [1.0], [np.nan]]), np.array([100.0]), 0.25
    )
    assert report.hours_above.tolist() == [[0.75, 0.5, 0.25]]
    assert report.kwh_above_rating[0] == pytest.approx((0.1 + 0.3) * 100 * 0.25)
    assert report.reverse_hours[0] == 0.25
    assert report.highest[0] == 1.3
