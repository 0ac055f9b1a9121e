from dataclasses import dataclass

import numpy as np
import pytest

from sunshare_sim.agents import basic, zero_intelligence
from sunshare_sim.agents.strategy import (
    Quotes,
    Strategy,
    View,
    check_quotes,
    make_strategy,
    strategies,
    strategy,
)
from sunshare_sim.errors import StrategyError
from sunshare_sim.streams import stream

NET = np.array([1.5, -2.0, 0.0, 0.25])


def a_view(net=NET, seed=1):
    return View(
        slot=3,
        net_kwh=net,
        side=np.sign(net),
        soc_kwh=np.zeros(net.size),
        retail_price=0.4,
        feed_in_price=0.08,
        last_price=0.2,
        cap_price=0.41,
        rng=stream(seed, "test"),
    )


def test_tariff_bound_is_truthful():
    quotes = basic.TariffBound().quote(a_view())
    assert quotes.price.tolist() == [0.4, 0.08, 0.08, 0.4]
    assert quotes.quantity.tolist() == [1.5, 2.0, 0.0, 0.25]


def test_fixed_limit_keeps_to_its_two_prices_and_the_cap():
    quotes = basic.FixedLimit(sell_at=0.05, buy_up_to=0.9).quote(a_view())
    assert quotes.price.tolist() == [0.41, 0.05, 0.05, 0.41]


def test_zi_c_draws_between_the_tariffs_one_draw_a_home():
    quotes = zero_intelligence.ZeroIntelligenceConstrained().quote(a_view(np.full(20_000, 1.0)))
    assert quotes.price.min() >= 0.08
    assert quotes.price.max() <= 0.4
    assert quotes.price.mean() == pytest.approx(0.24, abs=0.003)  # 0.0924 / sqrt(20 000) * 4.6
    few = zero_intelligence.ZeroIntelligenceConstrained().quote(a_view(np.array([1.0, -1.0, 0.0])))
    assert few.price.tolist() == quotes.price[:3].tolist()


def test_strategies_are_found_by_name_and_a_wrong_name_gets_the_nearest():
    assert {"tariff_bound", "fixed_limit", "zi_c"} <= set(strategies())
    assert make_strategy("fixed_limit", {"sell_at": 0.1}) == basic.FixedLimit(sell_at=0.1)
    with pytest.raises(StrategyError, match=r"unknown strategy; got 'zic'.*did you mean 'zi_c'"):
        make_strategy("zic")
    with pytest.raises(
        StrategyError, match=r"unknown parameter of fixed_limit; got 'sell'.*did you mean 'sell_at'"
    ):
        make_strategy("fixed_limit", {"sell": 0.1})


def test_a_name_belongs_to_one_class():
    with pytest.raises(StrategyError, match="name already taken"):

        @strategy("zi_c")
        @dataclass(frozen=True)
        class Usurper(Strategy):
            pass


def test_a_strategy_without_quote_says_so():
    with pytest.raises(StrategyError, match=r"must define quote\(view\)"):
        Strategy().quote(a_view())


@pytest.mark.parametrize(
    ("price", "quantity", "message"),
    [
        (
            [0.1, np.nan, 0.1, 0.1],
            [1.0, 1.0, 0.0, 0.0],
            r"cohort c, slot 3, home 1: price not allowed; got nan",
        ),
        ([0.1, 0.1, np.nan, 0.1], [1.0, 1.0, 0.0, 0.0], r"home 2: price not allowed; got nan"),
        (
            [0.5, 0.1, 0.1, 0.1],
            [1.0, 1.0, 0.0, 0.0],
            r"home 0: price not allowed; got 0\.5; expected 0 to 0\.41",
        ),
        ([-0.1, 0.1, 0.1, 0.1], [1.0, 1.0, 0.0, 0.0], r"home 0: price not allowed"),
        (
            [0.1, 0.1, 0.1, 0.1],
            [1.6, 1.0, 0.0, 0.0],
            r"home 0: quantity not allowed; got 1\.6; .*1\.500000 kWh",
        ),
        ([0.1, 0.1, 0.1, 0.1], [1.0, 1.0, 0.1, 0.0], r"home 2: quantity not allowed"),
        ([0.1, 0.1, 0.1, 0.1], [1.0, -1.0, 0.0, 0.0], r"home 1: quantity not allowed"),
        ([0.1, 0.1, 0.1, 0.1], [1.0, np.nan, 0.0, 0.0], r"home 1: quantity not allowed; got nan"),
    ],
)
def test_a_quote_beyond_its_bounds_is_named_by_cohort_slot_home_and_value(price, quantity, message):
    with pytest.raises(StrategyError, match=message):
        check_quotes(Quotes(np.array(price), np.array(quantity)), a_view(), cohort="c")


def test_a_quote_of_the_wrong_shape_is_refused():
    with pytest.raises(StrategyError, match=r"price has the wrong shape; got \(3,\); expected \(4,\)"):
        check_quotes(Quotes(np.zeros(3), np.zeros(4)), a_view(), cohort="c")


def test_good_quotes_pass():
    for name in ("tariff_bound", "fixed_limit", "zi_c"):
        check_quotes(make_strategy(name).quote(a_view()), a_view(), cohort="c")
