import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.devices.shiftable import Runs, appliance_load, cheapest_starts, check_runs
from sunshare_sim.errors import InputError


def runs_of(home, earliest, end, energy):
    longest = max(map(len, energy))
    table = np.array([[*row, *[0.0] * (longest - len(row))] for row in energy])
    ints = (np.array(values, dtype=np.int64) for values in (home, earliest, end))
    return Runs(*ints, table, np.array([len(row) for row in energy], dtype=np.int64))


@given(st.integers(0, 10**6))
def test_no_other_start_is_cheaper(seed):
    rng = np.random.default_rng(seed)
    slots, homes = 30, 3
    earliest, length = rng.integers(0, 10, 6), rng.integers(1, 6, 6)
    end = earliest + length + rng.integers(0, 12, 6)
    runs = runs_of(rng.integers(0, homes, 6), earliest, end, [rng.uniform(0, 1, n) for n in length])
    price = rng.normal(0.2, 0.1, (slots, homes))
    check_runs(runs, slots)
    start = np.empty(6, dtype=np.int64)
    cheapest_starts(runs, price, start)
    for run in range(6):
        n, energy = length[run], runs.energy_kwh[run, : length[run]]
        costs = [
            energy @ price[first : first + n, runs.home[run]]
            for first in range(earliest[run], end[run] - n + 1)
        ]
        assert start[run] == earliest[run] + int(np.argmin(costs))
    load = np.empty((slots, homes))
    appliance_load(runs, start, 0, load)
    assert load.sum() == pytest.approx(runs.energy_kwh.sum()), "the same energy, whenever it runs"


def test_blocks_are_cut_from_the_whole():
    runs = runs_of([0, 1], [2, 0], [8, 9], [[1.0, 0.5, 0.25], [0.3]])
    start = np.array([3, 7])
    whole, part = np.empty((10, 2)), np.empty((3, 2))
    appliance_load(runs, start, 0, whole)
    appliance_load(runs, start, 4, part)
    assert np.array_equal(part, whole[4:7])
    assert whole[:, 0].tolist() == [0, 0, 0, 1.0, 0.5, 0.25, 0, 0, 0, 0]


def test_equal_prices_start_at_once():
    runs, start = runs_of([0], [4], [20], [[1.0, 1.0]]), np.empty(1, dtype=np.int64)
    cheapest_starts(runs, np.full((20, 1), 0.3), start)
    assert start[0] == 4


@pytest.mark.parametrize(("earliest", "end"), [(0, 1), (-1, 5), (5, 11)])
def test_windows_that_do_not_fit(earliest, end):
    with pytest.raises(InputError, match="run 0 of home 0"):
        check_runs(runs_of([0], [earliest], [end], [[1.0, 1.0]]), 10)
