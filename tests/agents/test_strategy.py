import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from sunshare_sim.agents import basic, zero_intelligence
from sunshare_sim.agents import strategy as strategy_module
from sunshare_sim.agents.blame import raise_in
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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, r"cohort c, slot 3: quote must return Quotes; got 'NoneType'"),
        ((np.zeros(4), np.zeros(4)), r"quote must return Quotes; got 'tuple'"),
        (Quotes(np.array(["a"] * 4), np.zeros(4)), "price is not made of numbers"),
        (Quotes(np.zeros(4), np.array([None] * 4)), "quantity is not made of numbers"),
        (Quotes([[1.0], [1.0, 2.0]], np.zeros(4)), "price is no array"),
        (Quotes(0.2, np.zeros(4)), r"price has the wrong shape; got \(\); expected \(4,\)"),
    ],
)
def test_what_is_no_quote_is_named(given, message):
    with pytest.raises(StrategyError, match=message):
        check_quotes(given, a_view(), cohort="c")


def test_lists_are_taken_as_arrays():
    quotes = check_quotes(Quotes([0.1] * 4, [1, 1, 0, 0]), a_view(), cohort="c")
    assert quotes.price.tolist() == [0.1] * 4
    assert isinstance(quotes.quantity, np.ndarray)


def test_the_traceback_of_a_breach_ends_in_the_strategys_own_line():
    class Careless(Strategy):
        def quote(self, view):
            price = view.limit_price * np.nan
            return Quotes(price, np.abs(view.net_kwh))  # the line to be shown

    with pytest.raises(StrategyError, match="home 0: price not allowed; got nan") as caught:
        check_quotes(Careless().quote(a_view()), a_view(), cohort="c", strategy=Careless())
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.name) == (__file__, "quote")
    assert last.line.endswith("# the line to be shown")


def test_what_is_no_python_function_is_not_blamed():
    with pytest.raises(ValueError, match="mine"):
        raise_in(len, ValueError("mine"))


class Found(NamedTuple):
    """Stand in for an entry point of another package."""

    name: str
    value: str
    load: Callable[[], object]


class Foreign(Strategy):
    def quote(self, view):
        return Quotes(view.limit_price, np.abs(view.net_kwh))


def _fail():
    raise ImportError("no such module")


@pytest.fixture
def others(monkeypatch):
    def offer(load):
        monkeypatch.setattr(strategy_module, "_REGISTRY", dict(strategies()))
        monkeypatch.setattr(
            strategy_module, "entry_points", lambda group: [Found("foreign", "pkg:Foreign", load)]
        )

    return offer


def test_another_package_adds_a_strategy_by_an_entry_point(others):
    others(lambda: Foreign)
    assert strategies()["foreign"] is Foreign
    assert isinstance(make_strategy("foreign"), Foreign)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (_fail, r"entry point foreign = pkg:Foreign .*cannot be loaded; got \"ImportError"),
        (lambda: 3, "not a strategy; got 3"),
    ],
)
def test_a_broken_entry_point_is_named(others, load, message):
    others(load)
    with pytest.raises(StrategyError, match=message):
        strategies()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("zip", {"hears": -1}, r"Zip\.hears: out of range; got -1; expected 0 or more"),
        ("zip", {"relative": "a"}, r"Zip\.relative: out of range; got 'a'; expected 0 to 1"),
        ("aa", {"eta": 0.0}, r"AdaptiveAggressive\.eta: out of range"),
        ("gd", {"trades": 0}, r"GjerstadDickhaut\.trades"),
        ("mgd", {"trades": 0}, r"ModifiedGjerstadDickhaut\.trades"),
        ("shaver", {"step": np.nan}, r"Shaver\.step: out of range; got nan"),
        ("fixed_limit", {"sell_at": -0.1}, r"FixedLimit\.sell_at: out of range; got -0\.1"),
        ("predictive", {"rate": 5}, r"Predictive\.rate: out of range; got 5; expected 0 to 1"),
        ("rules", {"max_price": -1.0}, r"Rules\.max_price: out of range"),
    ],
)
def test_a_parameter_out_of_range_is_named(name, parameters, message):
    with pytest.raises(StrategyError, match=message):
        make_strategy(name, parameters)


def test_good_quotes_pass():
    for name in ("tariff_bound", "fixed_limit", "zi_c"):
        check_quotes(make_strategy(name).quote(a_view()), a_view(), cohort="c")
