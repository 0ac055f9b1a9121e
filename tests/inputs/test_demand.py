import subprocess
import sys
import warnings
from datetime import date
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import InputError
from sunshare_sim.inputs import demand
from sunshare_sim.inputs.demand import (
    BDEW_SHAPES,
    COMMERCIAL,
    HEAT_PUMPS,
    SIMBENCH_SHAPES,
    bdew_shapes,
    bootstrap,
    follow,
    heat_pump_shapes,
    household_shapes,
    on_local_clock,
    simbench_shapes,
)
from sunshare_sim.timegrid import TimeGrid

YEAR = TimeGrid.of_days(date(2025, 1, 1), 365, 15, "Europe/Berlin")


@pytest.fixture(scope="module")
def homes():
    """A hundred households for a year: annual demand, shape and energy by slot."""
    shapes = household_shapes()
    rng = np.random.default_rng(7)
    annual = 3000 * np.exp(0.45 * rng.standard_normal(100))
    shape = rng.integers(5, size=100)
    return annual, shape, bootstrap(shapes, annual, shape, YEAR, seed=1).block(0, YEAR.slots)


def coincidence(energy):
    """Return the peak of the sum over the sum of the peaks."""
    return energy.sum(axis=1).max() / energy.max(axis=0).sum()


def test_a_hundred_homes_peak_together_as_measured_ones_do(homes):
    annual, shape, energy = homes
    assert 0.2 < coincidence(energy) < 0.35
    # and it is the drawing of days that does it: the same shapes followed day by day are too peaky
    cloned = follow(household_shapes(), annual, shape, YEAR).block(0, YEAR.slots)
    assert coincidence(cloned) > 0.4


def test_energy_of_a_year_is_what_was_asked(homes):
    annual, _, energy = homes
    ratio = energy.sum(axis=0) / annual
    assert abs(ratio.mean() - 1) < 0.005  # standard error of 100 homes with 1.4 % each: 0.0014
    assert 0.005 < ratio.std() < 0.025
    assert np.abs(ratio - 1).max() < 0.06


def test_homes_of_one_shape_differ(homes):
    _, shape, energy = homes
    for each in range(5):
        alike = energy[:, shape == each]
        correlation = np.corrcoef(alike.T)[np.triu_indices(alike.shape[1], 1)]
        assert correlation.max() < 0.75, "1 for clones"
        assert len(set(alike.argmax(axis=0))) > 0.7 * alike.shape[1], "each has its peak at a time of its own"


def test_donors_are_near_in_the_year_and_of_the_same_class():
    shapes = household_shapes()
    grid = TimeGrid.of_days(date(2023, 12, 1), 120, 60, "Europe/Berlin")  # over New Year and a leap day
    series = bootstrap(shapes, np.ones(500), np.zeros(500, dtype=np.int64), grid, seed=3)
    for row in range(120):
        day = pd.Timestamp("2023-12-01") + pd.Timedelta(days=row)
        donors = pd.Timestamp("2016-01-01") + pd.to_timedelta(np.unique(series.donor_day[row]), unit="D")
        away = np.abs((donors.day_of_year - day.replace(year=2016).day_of_year + 183) % 366 - 183)
        assert away.max() <= 21
        kind = 0 if day.weekday() < 5 else day.weekday()
        assert set(np.where(donors.day_of_week < 5, 0, donors.day_of_week)) == {kind}
        assert donors.size >= (25 if kind == 0 else 5), "many days may stand for one"
    assert set(np.unique(series.shift)) == {-2, -1, 0, 1, 2}
    np.testing.assert_allclose(np.bincount(series.shift.ravel() + 2) / series.shift.size, 0.2, atol=0.01)


def test_seed_and_name_are_the_only_sources_of_chance():
    shapes, one = household_shapes(), (np.full(5, 3000.0), np.arange(5))
    grid = TimeGrid.of_days(date(2025, 6, 2), 7, 15, "Europe/Berlin")

    def energy(seed, name):
        return bootstrap(shapes, *one, grid, seed, name=name).block(0, grid.slots)

    np.testing.assert_array_equal(energy(1, "a"), energy(1, "a"))
    assert not np.array_equal(energy(1, "a"), energy(2, "a"))
    assert not np.array_equal(energy(1, "a"), energy(1, "b"))


def test_a_day_of_summer_time_has_23_or_25_hours():
    shapes = household_shapes()
    for day, hours in ((date(2025, 3, 30), 23), (date(2025, 10, 26), 25)):
        grid = TimeGrid(TimeGrid.of_days(day, 1, 15, "Europe/Berlin").start, hours * 4, 15, "Europe/Berlin")
        series = follow(shapes, np.ones(5), np.arange(5), grid)
        assert series.donor_day.shape == (1, 5)
        table = shapes.table[np.arange(5), series.donor_day[0]].T.astype(float)
        spring, autumn = np.delete(table, np.s_[8:12], axis=0), np.insert(table, 12, table[8:12], axis=0)
        expected = spring if hours == 23 else autumn
        np.testing.assert_allclose(series.block(0, hours * 4), expected, rtol=1e-6)


def test_a_shop_is_closed_on_the_runs_sundays():
    energy = follow(simbench_shapes(("G1-A",)), np.array([20_000.0]), np.array([0]), YEAR).block(
        0, YEAR.slots
    )
    by_weekday = np.bincount(YEAR.local_weekday, weights=energy[:, 0])
    assert by_weekday[6] < 0.3 * by_weekday[:5].min()
    assert energy.sum() == pytest.approx(20_000, rel=0.01)


def test_following_takes_the_same_weekday_within_three_days():
    for year in (2021, 2024, 2025, 2026):
        grid = TimeGrid.of_days(date(year, 1, 1), 365, 60, "UTC")
        series = follow(household_shapes(), np.ones(1), np.zeros(1, dtype=np.int64), grid)
        own = pd.Timestamp("2016-01-01") + pd.to_timedelta(series.donor_day[:, 0], unit="D")
        asked = pd.date_range(f"{year}-01-01", periods=365)
        assert (own.day_of_week == asked.day_of_week).mean() > 0.98, "all but the days around New Year"
        away = np.abs(
            (own.day_of_year - [day.replace(year=2016).day_of_year for day in asked] + 183) % 366 - 183
        )
        assert away.max() <= 3


def test_heat_pumps_run_in_winter_and_share_the_weather():
    shapes = heat_pump_shapes()
    assert shapes.names == HEAT_PUMPS
    series = bootstrap(shapes, np.full(80, 5000.0), np.arange(80) % 8, YEAR, seed=1)
    day = np.arange(365) + (np.arange(365) >= 59)
    assert np.abs((series.donor_day - day[:, None] + 183) % 366 - 183).max() <= 6
    energy = series.block(0, YEAR.slots)
    month = YEAR.starts.astype("datetime64[M]").astype(int) % 12
    by_month = np.bincount(month, weights=energy.sum(axis=1))
    assert by_month[0] > 4 * by_month[6]
    assert 0.3 < coincidence(energy) < 0.99


def test_shapes_are_normalised_and_complete(monkeypatch, tmp_path):
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path))  # made here and now, not by an older version
    for shapes in (simbench_shapes(SIMBENCH_SHAPES), bdew_shapes(BDEW_SHAPES)):
        assert shapes.table.shape == (len(shapes.names), 366, 96)
        assert shapes.table.dtype == np.float32
        assert shapes.table.min() >= 0
        year = shapes.table.astype(float).sum(axis=(1, 2)) - shapes.table[:, 59].astype(float).sum(axis=1)
        np.testing.assert_allclose(year, 1.0, rtol=1e-6)
        assert shapes.weekday[0] == date(2016, 1, 1).weekday()
        assert shapes.source
        assert shapes.licence


def test_shapes_are_simbenchs_own_numbers():
    """Against the file read by other means: a winter row before, a summer row after the change of the clock."""
    from importlib.util import find_spec

    (root,) = find_spec("simbench").submodule_search_locations
    wanted = {"15.01.2016 18:00": (14, 72), "15.07.2016 12:30": (196, 50)}
    with Path(root, "networks", "1-complete_data-mixed-all-0-sw", "LoadProfile.csv").open() as file:
        column = file.readline().split(";").index("H0-A_pload")
        read = {row[0]: float(row[column]) for row in (line.split(";") for line in file) if row[0] in wanted}
    table = household_shapes().table[0]
    ratios = [table[wanted[stamp]] / value for stamp, value in read.items()]
    assert len(ratios) == 2
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-6)


def test_the_local_clock_is_mended_in_spring_and_autumn():
    utc = pd.date_range("2015-12-31 23:00", "2016-12-31 22:45", freq="15min", tz="UTC")
    local = utc.tz_convert("Europe/Berlin").tz_localize(None)
    table = on_local_clock(pd.Series(np.arange(len(local), dtype=float), index=local))
    spring, autumn = table[86], table[303]  # 27 March and 30 October 2016
    row = 86 * 96 + 8
    assert spring[7] == row - 1
    np.testing.assert_allclose(spring[8:13], row - 1 + np.array([0.2, 0.4, 0.6, 0.8, 1.0]))
    first = 303 * 96 + 8 - 4  # four rows fewer since March
    np.testing.assert_array_equal(autumn[8:12], first + np.arange(4) + 2)  # the mean of two rows four apart
    assert autumn[12] == first + 8


def test_bdew_tells_households_from_shops():
    shapes = bdew_shapes(("h0", "g1"))
    sunday = shapes.weekday == 6
    home, shop = (shapes.table[i].astype(float).sum(axis=1) for i in (0, 1))
    assert home[sunday].mean() > home[~sunday].mean()
    assert shop[sunday].mean() < 0.5 * shop[~sunday].mean()
    winter, summer = home[:31].mean(), home[182:213].mean()
    assert winter > 1.3 * summer, "the dynamic profile has a season"


def test_demandlib_does_not_change_what_warnings_do(monkeypatch, tmp_path):
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = list(warnings.filters)
        bdew_shapes()
        assert warnings.filters == before
        warnings.warn("harmless", stacklevel=1)


def test_a_cached_run_imports_none_of_the_heavy_packages():
    household_shapes()
    bdew_shapes()
    code = (
        "import sys\n"
        "from sunshare_sim.inputs.demand import bdew_shapes, household_shapes\n"
        "from sunshare_sim.inputs.grids import load_grid\n"
        "assert 'pandas' not in sys.modules, 'importing the modules is cheap'\n"
        "household_shapes(), bdew_shapes()\n"
        "print({'pandas', 'simbench', 'pandapower', 'demandlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "set()"


def test_without_the_extra_the_remedy_is_named(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(demand, "version", absent)
    with pytest.raises(
        InputError, match=r"simbench, which is not installed; pip install sunshare-sim\[grids\]"
    ):
        household_shapes()
    with pytest.raises(
        InputError, match=r"demandlib, which is not installed; pip install sunshare-sim\[grids\]"
    ):
        bdew_shapes()


def test_a_changed_source_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path))
    monkeypatch.setattr(demand, "SIMBENCH_SHAPES", ("H0-Z",))
    with pytest.raises(InputError, match=r"load series of SimBench cannot be read.*H0-Z.*reinstall"):
        household_shapes()
    assert not list(tmp_path.iterdir())


def test_bad_requests():
    shapes = household_shapes()
    with pytest.raises(InputError, match=r"unknown shape of demand; got 'H0-K'.*did you mean 'H0-"):
        simbench_shapes(("H0-K",))
    with pytest.raises(InputError, match=r"unknown shape of demand; got 'h1'"):
        bdew_shapes(("h1",))
    zeros = np.zeros(2, dtype=np.int64)
    for make in (lambda *a: bootstrap(*a, YEAR, 1), lambda *a: follow(*a, YEAR)):
        with pytest.raises(InputError, match=r"demand of home 1: not an annual demand; got -1.0"):
            make(shapes, np.array([1.0, -1.0]), zeros)
        with pytest.raises(InputError, match=r"home 0: not an annual demand; got nan"):
            make(shapes, np.array([np.nan, 1.0]), zeros)
        with pytest.raises(InputError, match=r"home 1: unknown shape; got 5; expected 0 to 4"):
            make(shapes, np.ones(2), np.array([0, 5]))
        with pytest.raises(InputError, match=r"not one shape a home"):
            make(shapes, np.ones(3), zeros)


def test_every_commercial_shape_is_there():
    assert len(set(simbench_shapes(COMMERCIAL).names)) == len(COMMERCIAL) == 17
