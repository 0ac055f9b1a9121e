from dataclasses import dataclass, replace

import numpy as np
import pytest

from sunshare_sim.agents.strategy import Quotes, Strategy, make_strategy, strategies
from sunshare_sim.errors import StrategyError
from sunshare_sim.validation.laboratory import Experiment, conduct
from sunshare_sim.validation.markets import FLAT_DEMAND, FLAT_SUPPLY, MARKETS, SYMMETRIC, Market
from sunshare_sim.validation.report import investigate, page
from sunshare_sim.validation.targets import BSE_MARKET, Check, Target, checks, judge


def trial(market, *names, **options):
    return conduct(Experiment(market, tuple(make_strategy(name) for name in names), **options))


@pytest.mark.parametrize(
    ("market", "quantity", "price", "surplus"),
    [(SYMMETRIC, 6, 200.0, 750.0), (FLAT_SUPPLY, 6, 200.0, 375.0), (FLAT_DEMAND, 10, 300.0, 1125.0)],
)
def test_theory_of_the_schedules(market, quantity, price, surplus):
    assert (market.quantity, market.price, market.surplus) == (quantity, price, surplus)
    assert market.equilibrium_profit.sum() == surplus


def test_equilibrium_price_is_the_middle_of_what_clears():
    assert Market("x", (100.0, 50.0), (10.0, 60.0)).price == 55.0  # 1 trade: 50..60 clears
    assert Market("x", (100.0,), (40.0,)).price == 70.0
    none = Market("x", (100.0, 90.0), (101.0, 150.0))
    assert (none.quantity, none.price, none.surplus) == (0, 100.5, 0.0)
    assert not none.equilibrium_profit.any()
    with pytest.raises(
        StrategyError, match=r"Market\.costs: limit out of range; got 500\.0; expected 0 to 400"
    ):
        Market("x", (100.0,), (500.0,))
    with pytest.raises(StrategyError, match=r"Market\.values: a side without traders"):
        Market("x", (), (40.0,))


@pytest.mark.parametrize(("market", "share"), [(SYMMETRIC, 0.0), (FLAT_DEMAND, 1100 / 1125)])
@pytest.mark.parametrize("protocol", ["P1", "P2"])
def test_unconstrained_traders_trade_everything_so_that_efficiency_is_an_identity(market, share, protocol):
    outcome = trial(market, "zi_u", protocol=protocol, sessions=16)
    assert np.allclose(outcome.efficiency, share, atol=1e-12)
    assert (outcome.trades == 11).all()


def test_same_seed_same_numbers_and_another_seed_others():
    one, two = (trial(SYMMETRIC, "zip", protocol="P3", sessions=8, days=2) for _ in range(2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, two, strict=True))
    other = trial(SYMMETRIC, "zip", protocol="P3", sessions=8, days=2, seed=2)
    assert not np.array_equal(one.mean_price, other.mean_price)


@dataclass(frozen=True)
class Truthful(Strategy):
    keeps_limit = True

    def quote(self, view):
        return Quotes(view.limit_price, np.abs(view.net_kwh))


@pytest.mark.parametrize("protocol", ["P1", "P2", "P3"])
def test_one_buyer_and_one_seller_split_what_the_protocol_says(protocol):
    outcome = conduct(Experiment(Market("pair", (300.0,), (100.0,)), (Truthful(),), protocol, sessions=64))
    assert (outcome.trades == 1).all()
    assert (outcome.efficiency == 1).all()
    # The first quote sets the price, and either side is first half of the time
    assert set(outcome.mean_price.ravel()) == {100.0, 300.0}
    assert np.allclose(outcome.alpha, 0.5)  # 100 from the equilibrium of 200
    assert np.allclose(outcome.dispersion, 100.0)


def test_without_gains_nobody_who_keeps_limits_trades():
    outcome = trial(Market("none", (100.0, 90.0), (101.0, 150.0)), "zi_c", sessions=4)
    assert (outcome.trades == 0).all()


def test_profits_add_up_to_the_gains_from_trade():
    outcome = trial(SYMMETRIC, "zi_c", "shaver", sessions=16, activations=1000)
    total = outcome.profit.sum(axis=0) * 11  # 11 traders of each kind
    assert np.allclose(total, outcome.efficiency * 750)


def test_every_market_of_a_mixed_population_has_as_many_of_each_kind():
    outcome = trial(SYMMETRIC, "zi_c", "aa", protocol="P2", sessions=48, days=4, activations=500)
    zero, adaptive = outcome.profit[:, 1:].mean(axis=(1, 2))
    assert adaptive > zero


def test_the_best_quotes_shown_are_those_of_the_book():
    seen = []

    @dataclass(frozen=True)
    class Looker(Strategy):
        def quote(self, view):
            seen.append((view.best_bid.copy(), view.best_ask.copy(), view.side.copy()))
            return Quotes(np.where(view.side > 0, 150.0, 250.0), np.abs(view.net_kwh))

    conduct(Experiment(SYMMETRIC, (Looker(),), "P2", sessions=1, activations=30))
    sides = [int(side[0]) for _, _, side in seen]
    for step, (bid, ask, _) in enumerate(seen):
        assert (bid[0] == 150.0) == (1 in sides[:step])
        assert (ask[0] == 250.0) == (-1 in sides[:step])


def test_a_breach_in_the_laboratory_is_a_strategy_error():
    @dataclass(frozen=True)
    class Nan(Strategy):
        def quote(self, view):
            return Quotes(np.full(view.net_kwh.size, np.nan), np.abs(view.net_kwh))

    with pytest.raises(
        StrategyError, match="cohort laboratory 0, slot 0, home 0: price not allowed; got nan"
    ):
        conduct(Experiment(SYMMETRIC, (Nan(),), sessions=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "p2"}, r"Experiment\.protocol: unknown protocol; got 'p2'.*did you mean 'P2'"),
        ({"traders": ()}, r"Experiment\.traders: no traders"),
        ({"traders": Truthful()}, r"Experiment\.traders: no traders.*a tuple of strategies"),
        ({"traders": ("zi_c",)}, r"Experiment\.traders: not a strategy; got 'zi_c'"),
        ({"traders": (Truthful(),) * 23}, r"more kinds than traders; got 23; expected <= 22"),
        ({"sessions": 0}, r"Experiment\.sessions: too few; got 0; expected 1 or more"),
        ({"days": 0}, r"Experiment\.days: too few"),
    ],
)
def test_an_experiment_that_cannot_be_is_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        Experiment(**({"market": SYMMETRIC, "traders": (Truthful(),)} | options))


@pytest.mark.parametrize(("name", "protocol"), [("gd", "P3"), ("mgd", "P1"), ("mgd", "P2")])
def test_gd_converges_in_open_outcry_and_mgd_with_standing_orders(name, protocol):
    outcome = trial(SYMMETRIC, name, protocol=protocol, sessions=32, days=3, activations=1500)
    deviation = np.nanmean(outcome.alpha, axis=1)
    efficiency = outcome.efficiency.mean(axis=0)
    # A small sample: at least 98 %, but for three of its standard errors; the page has the long run
    assert efficiency.mean() + 3 * efficiency.std(ddof=1) / np.sqrt(32) >= 0.98
    assert deviation[2] < deviation[1] < deviation[0]


def test_mgd_keeps_prices_closer_to_equilibrium_than_gd_in_an_order_book():
    gd, mgd = (
        trial(SYMMETRIC, name, protocol="P2", sessions=24, days=4, activations=600) for name in ("gd", "mgd")
    )
    assert np.nanmean(mgd.alpha[2:]) < 0.8 * np.nanmean(gd.alpha[2:])


@pytest.mark.parametrize("protocol", ["P1", "P2", "P3"])
def test_any_mix_of_registered_strategies_trades_and_books_all_profit(protocol):
    names = [name for name, cls in strategies().items() if cls.__module__.startswith("sunshare_sim")]
    outcome = trial(SYMMETRIC, *names, protocol=protocol, sessions=len(names), days=2, activations=150)
    assert (outcome.trades > 0).all()
    held = np.array(
        [
            (np.arange(22) + copy) % len(names) == kind
            for kind in range(len(names))
            for copy in range(len(names))
        ]
    )
    traders = held.sum(axis=1).reshape(len(names), 1, -1)
    assert np.allclose((outcome.profit * traders).sum(axis=0), outcome.efficiency * 750)


@pytest.mark.parametrize(
    ("better", "worse", "protocol"),
    [("aa", "zi_c", "P2"), ("zip", "zi_c", "P2"), ("zip", "zi_c", "P3"), ("mgd", "zi_c", "P2")],
)
def test_traders_that_learn_earn_more_than_zero_intelligence_in_one_market(better, worse, protocol):
    outcome = trial(SYMMETRIC, better, worse, protocol=protocol, sessions=48, days=5, activations=600)
    lead = (outcome.profit[0] - outcome.profit[1]).mean(axis=0)
    assert lead.mean() > 3 * lead.std(ddof=1) / np.sqrt(48)


def test_zip_learns_in_a_full_book_too():
    outcome = trial(SYMMETRIC, "zip", protocol="P2", sessions=24, days=5, activations=800)
    assert np.nanmean(outcome.alpha[4]) < 0.04 < np.nanmean(outcome.alpha[0])
    zero = trial(SYMMETRIC, "zi_c", protocol="P2", sessions=24, days=5, activations=800)
    assert np.nanmean(zero.alpha[4]) > 0.15  # zero intelligence never learns


MISSED = (  # the page says so, and what is known of why
    ("ZI-C, market B, P3", "efficiency"),
    ("ZIP, market E, P3", "alpha"),
    ("MGD, market A, P3: efficiency at least 98 %", "efficiency"),
    ("mgd among zip, market A, P2: earns more", "lead"),
)
SMALL = (
    "ZI-C, market E, P3",
    "ZI-C, market A, P3",
    "ZI-C, market B, P3",
    "ZIP",
    "ZI-U",
    "50 activations",
    "200 activations",
    "against",
)


@pytest.mark.parametrize(
    "check", [c for c in checks(scale=0.08) if any(word in c.title for word in SMALL)], ids=lambda c: c.title
)
def test_published_figures_are_met_by_a_small_sample(check):
    # A sample in which every session is perfect knows nothing of its error: those targets need the long run
    for finding in judge(check, conduct(check.experiment)):
        if finding.half_width > 0 or finding.target.sample == 0:
            assert finding.holds, finding


@pytest.mark.long
def test_published_figures_are_met_by_the_full_sample():
    findings = investigate(checks())
    failed = {(f.check.title, f.target.measure) for f in findings if not f.holds}
    assert failed <= set(MISSED)


def test_the_page_shows_reference_and_result_side_by_side():
    check = Check(
        "tariff-bound",
        Experiment(BSE_MARKET, (Truthful(),), sessions=8),
        (Target("efficiency", 66.0, 0, 40.0),),
    )
    text = page(investigate([check]))
    assert "| tariff-bound | efficiency [%] | 66 | rules |" in text
    assert "1 of 1 figures hold." in text
    wrong = replace(check, targets=(Target("efficiency", 200.0, 0),))
    assert "**no**" in page(investigate([wrong]))


def test_every_target_names_a_measure_and_every_experiment_has_an_order_of_activation():
    for check in checks():
        assert check.targets
        assert check.experiment.market in (*MARKETS.values(), BSE_MARKET)
        assert check.experiment.sessions >= 128
