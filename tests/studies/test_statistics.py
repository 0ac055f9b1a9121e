"""Statistics: against scipy, against numbers worked out by hand, and in the long run."""

import math

import numpy as np
import pytest
from scipy import stats

from sunshare_sim.streams import stream
from sunshare_sim.studies.statistics import (
    bootstrap_interval,
    compare,
    holm,
    reaches,
    t_interval,
    t_p_value,
    variance_reduction,
)

BASE = np.array([10.0, 12.0, 11.0, 15.0, 9.0])
VARIANT = np.array([11.0, 13.5, 11.5, 16.0, 10.5])


def test_a_comparison_by_hand():
    # differences 1, 1.5, 0.5, 1, 1.5: mean 1.1, s^2 = 0.7 / 4 = 0.175, error sqrt(0.035); t(4, 0.975) = 2.776445
    found = compare(BASE, VARIANT, 0.95, "x")
    assert (found.n, found.base_mean, found.mean) == (5, 11.4, 12.5)
    assert found.difference == pytest.approx(1.1)
    assert found.low == pytest.approx(1.1 - 2.776445 * math.sqrt(0.035), abs=1e-6)
    assert found.high == pytest.approx(1.1 + 2.776445 * math.sqrt(0.035), abs=1e-6)
    assert found.p_value == pytest.approx(stats.ttest_rel(VARIANT, BASE).pvalue)
    # var(base) = 21.2 / 4, var(variant) = 20.5 / 4
    assert found.variance_reduction == pytest.approx(1 - 0.175 / 10.425)


def test_the_t_interval_is_scipys():
    values = stream(1, "t").gamma(2.0, size=17)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert t_interval(values, 0.9) == pytest.approx((low, high))
    assert t_p_value(values - 2.0) == pytest.approx(stats.ttest_1samp(values, 2.0).pvalue)


def test_the_bootstrap_depends_on_its_name_and_nothing_else():
    values = stream(2, "b").normal(size=12)
    one = bootstrap_interval(values, 0.95, "total_bill", "flat")
    bootstrap_interval(values, 0.95, "other")
    assert bootstrap_interval(values, 0.95, "total_bill", "flat") == one
    assert bootstrap_interval(values, 0.95, "total_bill", "dynamic") != one
    low, high = t_interval(values, 0.95)
    assert one.low == pytest.approx(low, abs=0.2)
    assert one.high == pytest.approx(high, abs=0.2)


def test_the_bootstrap_leans_where_the_data_lean():
    values = stream(3, "b").lognormal(sigma=1.0, size=40)
    low, high = bootstrap_interval(values, 0.95, "x")
    assert high - values.mean() > 1.2 * (values.mean() - low)


def test_pairs_with_a_gap_do_not_count():
    gap = np.array([math.nan, *BASE])
    assert compare(gap, np.array([1.0, *VARIANT]), 0.95, "x") == compare(BASE, VARIANT, 0.95, "x")
    assert compare(gap[:1], VARIANT[:1], 0.95, "x").n == 0


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_values_that_do_not_vary(shift):
    found = compare(np.full(4, 0.7), np.full(4, 0.7 + shift), 0.95, "x")
    assert found.low == found.high == found.low_bootstrap == pytest.approx(shift)
    assert found.p_value == (1.0 if shift == 0 else 0.0)
    assert math.isnan(found.variance_reduction)


def test_one_replication_gives_no_interval():
    found = compare(BASE[:1], VARIANT[:1], 0.95, "x")
    assert (found.n, found.difference) == (1, 1.0)
    assert all(math.isnan(value) for value in (found.low, found.high, found.low_bootstrap, found.p_value))


def test_what_pairing_saves():
    rng = stream(4, "pairs")
    noise, own, other = rng.normal(size=(3, 4000))
    assert variance_reduction(noise, noise + 1) == pytest.approx(1.0)
    assert variance_reduction(own, other) == pytest.approx(0.0, abs=0.05)
    assert variance_reduction(own, -own) == pytest.approx(-1.0)
    # variances 1 + 1/4 each, of which 1 is shared: the difference keeps 1/2 of 5/2
    assert variance_reduction(noise + own / 2, noise + other / 2) == pytest.approx(0.8, abs=0.03)


def test_holm_by_hand():
    # 0.01 x 3, then max(0.03, 0.03 x 2), then max(0.06, 0.04 x 1)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    found = holm([0.5, math.nan, 0.9])
    assert found[0] == pytest.approx(1.0)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(1.0)
    assert holm([]) == []


def test_when_it_is_enough():
    values = np.array([1.0, 2.0, 1.0, 2.0, 1.5, math.nan])
    half_width = t_interval(values[:5], 0.95).half_width
    assert reaches(values, 0.95, half_width * 1.01, least=5)
    assert not reaches(values, 0.95, half_width * 0.99, least=5)
    assert not reaches(values, 0.95, 100.0, least=6)


def covered(studies, seeds):
    """Return the shares of synthetic studies whose t and bootstrap intervals hold the known difference.

    Base and variant share the seed's noise, each has some of its own, as in paired runs.
    """
    hits = np.zeros(2)
    for number in range(studies):
        shared, own, other = stream(number, "calibration").normal(size=(3, seeds))
        base, variant = 10 + 2 * shared + own, 10.5 + 2 * shared + other
        found = compare(base, variant, 0.95, "calibration", number)
        hits += (found.low <= 0.5 <= found.high, found.low_bootstrap <= 0.5 <= found.high_bootstrap)
    return hits / studies


def test_intervals_cover_what_they_promise():
    t, bootstrap = covered(200, 30)
    assert 0.91 <= t <= 0.985
    assert 0.91 <= bootstrap <= 0.985


@pytest.mark.long
@pytest.mark.parametrize("seeds", [10, 20, 30])
def test_intervals_cover_what_they_promise_in_1000_studies(seeds):
    t, bootstrap = covered(1000, seeds)
    assert 0.93 <= t <= 0.97
    assert 0.93 <= bootstrap <= 0.97
