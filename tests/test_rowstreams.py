"""Some of a group's homes draw what they would draw among all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.rowstreams import RowStream, rows_of
from sunshare_sim.streams import stream

SIZE = 12
LEVELS = np.arange(1.0, SIZE + 1)
DRAWS = {
    "random": lambda rng, n, rows: rng.random(n),
    "random of some shape": lambda rng, n, rows: rng.random((n, 3, 2)),
    "random by name": lambda rng, n, rows: rng.random(size=n),
    "uniform": lambda rng, n, rows: rng.uniform(0.0, 2.0, n),
    "uniform by home": lambda rng, n, rows: rng.uniform(LEVELS[rows], 20.0),
    "uniform by home and size": lambda rng, n, rows: rng.uniform(LEVELS[rows], 20.0, size=n),
    "normal by home": lambda rng, n, rows: rng.normal(loc=LEVELS[rows], scale=2.0),
    "normal": lambda rng, n, rows: rng.normal(1.0, 2.0, (n, 2)),
    "standard normal": lambda rng, n, rows: rng.standard_normal(n),
    "integers": lambda rng, n, rows: rng.integers(0, 5, n),
    "integers by name": lambda rng, n, rows: rng.integers(7, size=n),
    "choice": lambda rng, n, rows: rng.choice(np.array([2.0, 3.0, 5.0]), n),
    "weighted choice": lambda rng, n, rows: rng.choice(3, size=n, p=[0.2, 0.3, 0.5]),
    "lognormal": lambda rng, n, rows: rng.lognormal(0.0, 0.5, n),
    "gamma": lambda rng, n, rows: rng.gamma(2.0, 1.5, n),
    "poisson": lambda rng, n, rows: rng.poisson(3.0, n),
    "exponential": lambda rng, n, rows: rng.exponential(2.0, n),
}


@pytest.mark.parametrize("name", DRAWS)
@given(chosen=st.sets(st.integers(0, SIZE - 1), min_size=1), seed=st.integers(0, 99))
def test_rows_of_a_draw(name, chosen, seed):
    rows = np.array(sorted(chosen))
    whole, part = stream(seed, "x"), rows_of(stream(seed, "x"), rows, SIZE)
    for _ in range(2):  # the stream goes on alike
        expected = DRAWS[name](whole, SIZE, slice(None))[rows]
        assert np.array_equal(DRAWS[name](part, rows.size, rows), expected)


def test_all_homes_have_the_stream_itself():
    whole = stream(1, "x")
    assert rows_of(whole, slice(0, 3), 3) is whole
    assert rows_of(whole, np.arange(3), 3) is whole


def test_other_draws_are_those_of_the_stream():
    part, whole = rows_of(stream(1, "x"), np.array([2, 3]), SIZE), stream(1, "x")
    assert isinstance(part, RowStream)
    assert part.random() == whole.random()
    assert np.array_equal(part.random(5), whole.random(5))
