import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.errors import ScenarioError
from sunshare_sim.units import ASK, BID, MICRO, from_micro, limit_ticks, tick_in_micro, to_micro


def test_micro_rounds_half_to_even_and_keeps_the_sign():
    assert to_micro([0.25, -1e-6, 0.5e-6, 1.5e-6, 2.5e-6]).tolist() == [250_000, -1, 0, 2, 2]


@given(st.integers(-(2**50), 2**50))
def test_micro_and_back_is_the_same(value):
    assert to_micro(from_micro(value)) == value


@pytest.mark.parametrize("tick", [0.0001, 0.01, 0.000001, 0.25])
def test_tick_is_a_whole_number_of_micro_units(tick):
    assert tick_in_micro(tick) == round(tick * MICRO)


@pytest.mark.parametrize("tick", [0.0, 1e-7, 0.0000015])
def test_a_tick_that_would_round_money_is_refused(tick):
    with pytest.raises(ScenarioError, match=r"market\.tick: not a price tick"):
        tick_in_micro(tick)


def test_prices_on_a_tick_stay_there_although_floats_do_not_divide():
    for ticks in range(1, 5000):
        price = ticks / 10_000
        assert limit_ticks([price, price], [BID, ASK], 0.0001).tolist() == [ticks, ticks]


@given(st.floats(0, 100), st.sampled_from([BID, ASK]), st.sampled_from([0.0001, 0.01, 0.5]))
def test_a_limit_never_goes_beyond_the_wish(price, side, tick):
    ticks = int(limit_ticks(price, side, tick))
    assert side * (ticks * tick - price) <= 1e-9 * max(1.0, price)
    assert abs(ticks * tick - price) < tick * (1 + 1e-6)
    assert np.asarray(ticks).dtype.kind == "i"
