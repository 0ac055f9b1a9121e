from datetime import UTC, date, datetime

import numpy as np
import pytest

from sunshare_sim.inputs.clouds import (
    CLASS_CHANGE,
    CLASS_SHARE,
    INDEX_BOUNDS,
    clear_sky_index,
    clouded,
    zonal_temperature,
)
from sunshare_sim.inputs.sky import Site, clear_sky_at, clear_sky_on, steps
from sunshare_sim.inputs.typical_years import read_tmy
from sunshare_sim.timegrid import TimeGrid

BANGKOK = Site(13.75, 100.5, 5.0, "Asia/Bangkok")


def grid_of(days, minutes=15):
    return TimeGrid.of_days(date(2025, 1, 1), days, minutes, "Asia/Bangkok")


@pytest.fixture(scope="module")
def drawn():
    """Return hourly means of ten drawn years, shape [days, 24]."""
    index = np.concatenate([clear_sky_index(grid_of(365), seed) for seed in range(10)])
    return index.reshape(-1, 4).mean(axis=1).reshape(-1, 24)


@pytest.fixture(scope="module")
def miami():
    """Return the measured hourly clear-sky index of Miami, NaN at night, and its daily means."""
    year = read_tmy("miami")
    start = np.datetime64("2025-01-01T05:00")
    clear = clear_sky_at(steps(start, 10, 8760 * 6), year.station).ghi.reshape(-1, 6).mean(axis=1)
    index = np.full(8760, np.nan)
    index[clear > 50] = year.ghi[clear > 50] / clear[clear > 50]
    daily = year.ghi.reshape(365, 24).sum(axis=1) / clear.reshape(365, 24).sum(axis=1)
    return index.reshape(365, 24), daily


def test_days_are_as_bright_as_in_miami(drawn, miami):
    _, measured = miami
    weight = np.maximum(np.sin(np.pi * (np.arange(24) + 0.5 - 6) / 12), 0)
    daily = drawn @ weight / weight.sum()
    assert daily.mean() == pytest.approx(measured.mean(), abs=0.02)
    assert daily.std() == pytest.approx(measured.std(), abs=0.03)
    for q in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.quantile(daily, q) == pytest.approx(np.quantile(measured, q), abs=0.07)


def test_a_bright_day_is_likelier_after_a_bright_day(drawn, miami):
    def memory(daily):
        return np.corrcoef(daily[:-1], daily[1:])[0, 1]

    # Less than in Miami, where the seasons add to it.
    assert 0.12 < memory(drawn.mean(axis=1)) < memory(miami[1])


def test_hours_follow_each_other_as_in_miami(drawn, miami):
    measured, _ = miami
    day = slice(7, 18)

    def correlation(index):
        about = index[:, day] - np.nanmean(index[:, day], axis=1, keepdims=True)
        now, then = about[:, :-1].ravel(), about[:, 1:].ravel()
        known = np.isfinite(now) & np.isfinite(then)
        return np.corrcoef(now[known], then[known])[0, 1], about[np.isfinite(about)].std()

    ours, theirs = correlation(drawn), correlation(measured)
    assert ours[0] == pytest.approx(theirs[0], abs=0.12)
    assert ours[1] == pytest.approx(theirs[1], abs=0.03)


def test_the_shares_of_classes_are_those_the_chain_settles_at():
    np.testing.assert_allclose(np.sum(CLASS_CHANGE, axis=1), 1)
    settled = np.linalg.matrix_power(np.array(CLASS_CHANGE), 50)[0]
    np.testing.assert_allclose(settled, CLASS_SHARE, atol=0.002)


def test_slots_of_any_length_see_the_same_clouds():
    fine = clear_sky_index(grid_of(3, 5), 1)
    np.testing.assert_allclose(clear_sky_index(grid_of(3, 15), 1), fine.reshape(-1, 3).mean(axis=1))
    np.testing.assert_allclose(clear_sky_index(grid_of(3, 60), 1), fine.reshape(-1, 12).mean(axis=1))
    by_minute = clear_sky_index(grid_of(3, 1), 1)
    np.testing.assert_allclose(by_minute.reshape(-1, 5).mean(axis=1), fine)
    np.testing.assert_allclose(clear_sky_index(grid_of(3, 4), 1).mean(), fine.mean())


def test_a_longer_run_begins_with_the_same_clouds():
    np.testing.assert_allclose(
        clear_sky_index(grid_of(2), 7), clear_sky_index(grid_of(9), 7)[: 2 * 96], rtol=1e-9
    )


def test_another_seed_is_another_sky_and_the_index_keeps_its_bounds(drawn):
    assert not np.allclose(clear_sky_index(grid_of(2), 1), clear_sky_index(grid_of(2), 2))
    assert drawn.min() >= INDEX_BOUNDS[0] - 1e-9
    assert drawn.max() <= INDEX_BOUNDS[1] + 1e-9


def test_clouds_dim_the_beam_most():
    grid = grid_of(28)
    clear, cloudy = clouded(grid, BANGKOK, None), clouded(grid, BANGKOK, 3)
    assert cloudy["ghi"].sum() < clear["ghi"].sum()
    assert cloudy["dni"].sum() / clear["dni"].sum() < cloudy["ghi"].sum() / clear["ghi"].sum()
    assert cloudy["dhi"].sum() > clear["dhi"].sum()
    for sky in (clear, cloudy):
        assert all((values >= 0).all() and np.isfinite(values).all() for values in sky.values())
    night = clear_sky_on(grid, BANGKOK).ghi == 0
    assert night.mean() > 0.4
    assert not any(values[night].any() for values in cloudy.values())


def test_a_year_in_bangkok_is_plausible():
    grid = TimeGrid(datetime(2025, 1, 1, tzinfo=UTC), 8760 * 2, 30)
    total = clouded(grid, BANGKOK, 1)["ghi"].sum() / 2000
    assert 1650 < total < 2050  # measured: some 1 800 to 1 900 kWh/m2 a year


@pytest.mark.parametrize(("latitude", "low", "high"), [(13.75, 22, 31), (52.4, -15, 18), (-33.9, 7, 27)])
def test_temperatures_fit_the_latitude(latitude, low, high):
    warmth = zonal_temperature(grid_of(365, 60), Site(latitude, 0.0))
    assert low < warmth.min() < warmth.max() < high
    summer = warmth[180 * 24] > warmth[0]
    assert summer == (latitude > 0)
    assert zonal_temperature(grid_of(1), Site(latitude, 0.0, 1000.0))[0] == pytest.approx(
        zonal_temperature(grid_of(1), Site(latitude, 0.0))[0] - 6.5
    )
