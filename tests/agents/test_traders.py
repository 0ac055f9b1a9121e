"""What each strategy does in cases small enough to be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from sunshare_sim.agents.check import _play, _scenes
from sunshare_sim.agents.predictive import Predictive
from sunshare_sim.agents.roth_erev import RothErev
from sunshare_sim.agents.rules import Rules
from sunshare_sim.agents.set_and_forget import SetAndForget
from sunshare_sim.agents.shaver import Shaver
from sunshare_sim.agents.strategy import NO_TAPE, Tape, View, make_strategy
from sunshare_sim.agents.zip import Zip
from sunshare_sim.errors import StrategyError
from sunshare_sim.streams import stream


def a_view(net=(1.0, -2.0), **changes):
    net = np.array(net)
    view = View(
        slot=0,
        net_kwh=net,
        side=np.sign(net),
        soc_kwh=np.full(net.size, 3.0),
        retail_price=0.4,
        feed_in_price=0.1,
        last_price=0.2,
        cap_price=0.5,
        rng=stream(1, "traders"),
        tick=0.001,
    )
    return replace(view, **changes)


def a_tape(*shouts):
    """Return a tape of (side, price, taken at or NaN)."""
    side, price, taken = (np.array(each, dtype=float) for each in zip(*shouts, strict=True))
    trades = taken[~np.isnan(taken)]
    return Tape(side.astype(int), price, np.ones(side.size), trades, np.ones(trades.size), taken)


NO = np.nan


def test_shaver_beats_the_best_quote_by_a_step_but_not_its_limit():
    shaver = Shaver(step=0.01)
    assert np.allclose(shaver.quote(a_view(best_bid=0.2, best_ask=0.3)).price, [0.21, 0.29])
    assert np.allclose(shaver.quote(a_view(best_bid=0.395, best_ask=0.105)).price, [0.4, 0.1])
    assert np.allclose(shaver.quote(a_view()).price, [0.21, 0.19])
    assert np.allclose(Shaver(from_worst=True).quote(a_view()).price, [0.1, 0.4])


@pytest.mark.parametrize(
    ("shout", "buyer", "seller"),
    [
        (
            (1, 0.25, 0.25),
            0,
            1,
        ),  # a trade above both prices: the seller could have had more, the buyer must pay more
        ((-1, 0.25, 0.25), 1, 1),  # an ask taken at 0.25: the buyer at 0.2 must raise its price
        ((1, 0.22, NO), 1, 0),  # a bid of 0.22 in vain: the buyer at 0.2 must raise its price
        ((1, 0.18, NO), 0, 0),  # a lower bid in vain says nothing
        ((-1, 0.14, NO), 0, -1),  # an ask of 0.14 in vain: the seller at 0.15 must lower its price
        ((-1, 0.16, NO), 0, 0),
        (
            (1, 0.12, 0.12),
            -1,
            -1,
        ),  # a bid of 0.12 taken: the buyer could have paid less, the seller must ask less
        ((-1, 0.12, 0.12), -1, 0),
    ],
)
def test_zip_moves_its_price_as_the_rules_say(shout, buyer, seller):
    memory = Zip().start(2, stream(1, "zip"))
    memory.distance[:] = [[-0.2, 0.0], [0.0, 0.05]]  # buyer at 0.2, seller at 0.15
    before = memory.distance.copy()
    Zip().learn(a_view(memory=memory), a_tape(shout))
    assert np.sign(memory.distance - before)[[0, 1], [0, 1]].tolist() == [buyer, seller]


def test_zip_with_nothing_left_only_raises_its_margin():
    memory = Zip().start(2, stream(1, "zip"))
    memory.distance[:] = [[-0.2, 0.0], [0.0, 0.05]]
    done = a_view(memory=memory, net_kwh=np.zeros(2))
    Zip().learn(done, a_tape((1, 0.22, NO), (-1, 0.14, NO)))
    assert np.allclose(memory.distance, [[-0.2, 0.0], [0.0, 0.05]])
    Zip().learn(done, a_tape((1, 0.25, 0.25)))
    assert memory.distance[1, 1] > 0.05


def test_zip_starts_5_to_35_percent_from_its_limit():
    memory = Zip().start(10_000, stream(1, "zip"))
    sides = np.where(np.arange(10_000) % 2, 1.0, -1.0)
    quotes = Zip().quote(a_view(net=sides, memory=memory, tick=0.0))
    buyers, sellers = quotes.price[sides > 0] / 0.4, quotes.price[sides < 0] / 0.1
    assert 0.65 <= buyers.min() < 0.66
    assert 0.94 < buyers.max() <= 0.95
    assert 1.05 <= sellers.min() < 1.06
    assert 1.34 < sellers.max() <= 1.35


def test_aa_moves_a_third_of_the_way_to_its_target():
    strategy = make_strategy("aa")
    memory = strategy.start(2, stream(1, "aa"))
    memory.prices[:] = 0.25  # neutral traders aim at the equilibrium price
    quotes = strategy.quote(a_view(memory=memory, best_bid=0.16, best_ask=0.34))
    assert np.allclose(quotes.price, [0.19, 0.31])
    good = strategy.quote(a_view(memory=memory, best_bid=0.26, best_ask=0.24))
    assert np.allclose(good.price, [0.24, 0.26])
    late = strategy.quote(a_view(memory=memory, best_bid=0.4, best_ask=0.1))
    assert late.quantity.tolist() == [0.0, 0.0]


def test_aa_becomes_eager_when_others_trade_beyond_its_target():
    strategy = make_strategy("aa")
    memory = strategy.start(2, stream(1, "aa"))
    memory.prices[:] = 0.25
    strategy.learn(a_view(memory=memory), a_tape((1, 0.3, 0.3)))
    assert memory.eagerness[0, 0] > 0  # the buyer aims at some 0.26, others paid 0.30
    assert memory.eagerness[1, 1] < 0  # the seller aims at some 0.26, others got 0.30


def test_gd_takes_a_sure_trade_or_shades_between_the_standing_quotes():
    strategy = make_strategy("gd")
    accepted = a_tape(*[(1, 0.2, 0.2), (-1, 0.21, 0.21)] * 4)
    quotes = strategy.quote(a_view(best_bid=0.15, best_ask=0.3, tape=accepted))
    assert (quotes.price > 0.15).all()
    assert (quotes.price < 0.3).all()
    # A bid of 0.20 was always enough; above the asks of 0.21, all taken, the belief falls slowly at first
    assert quotes.price[0] == 0.2
    assert 0.21 <= quotes.price[1] < 0.23
    hopeless = strategy.quote(a_view(best_bid=0.45, best_ask=0.05, tape=accepted))
    assert np.allclose(hopeless.price, [0.05, 0.45])  # both take what stands
    nothing = strategy.quote(a_view(net=(1.0, -1.0), best_bid=0.45, best_ask=0.46, feed_in_price=0.47))
    assert nothing.quantity.tolist() == [0.0, 0.0]


def test_mgd_is_sure_below_the_last_periods_prices_and_hopeless_above():
    strategy = make_strategy("mgd")
    memory = strategy.start(2, stream(1, "mgd"))
    first = a_view(memory=memory, best_bid=0.15, best_ask=0.35)
    before = strategy.quote(first).price
    assert np.array_equal(before, make_strategy("gd").quote(first).price)  # nothing heard yet: as GD
    strategy.learn(first, a_tape((1, 0.22, 0.22), (-1, 0.25, 0.25), (1, 0.24, NO)))
    assert np.array_equal(memory.now, [[0.22, 0.25]] * 2)
    asks_in_vain = a_tape(*[(-1, 0.18, NO), (1, 0.3, NO)] * 3)
    later = replace(first, slot=1, tape=asks_in_vain)
    price = strategy.quote(later).price
    assert np.array_equal(memory.before, [[0.22, 0.25]] * 2)
    assert np.isnan(memory.now).all()
    # GD would ask for less than 0.18 and bid more than 0.30; what traded yesterday is good enough
    assert 0.22 - 1e-12 <= price[0] <= 0.251 + 1e-12
    assert 0.219 - 1e-12 <= price[1] <= 0.25 + 1e-12
    dear_today = replace(later, tape=a_tape(*[(-1, 0.3, 0.3)] * 4))
    assert make_strategy("gd").quote(dear_today).price[1] > 0.27
    assert (
        strategy.quote(dear_today).price[1] <= 0.25 + 1e-12
    )  # beyond the last period's highest it expects nothing
    cheap_today = replace(later, tape=a_tape(*[(1, 0.17, 0.17)] * 4))
    assert make_strategy("gd").quote(cheap_today).price[0] < 0.2
    assert strategy.quote(cheap_today).price[0] >= 0.22 - 1e-12
    strategy.learn(later, NO_TAPE)
    strategy.quote(replace(later, slot=2))
    assert np.array_equal(memory.before, [[0.22, 0.25]] * 2)  # a slot without trades is passed over


def test_mgd_mirrors_buyers_and_sellers():
    strategy = make_strategy("mgd")
    tape = a_tape((1, 0.2, 0.2), (-1, 0.3, 0.3), (1, 0.24, NO), (-1, 0.26, NO))
    memory = strategy.start(2, stream(1, "mgd"))
    view = a_view(net=(1.0, -1.0), memory=memory, best_bid=0.21, best_ask=0.29)
    strategy.learn(view, tape)
    buyer, seller = strategy.quote(replace(view, slot=1, tape=tape)).price  # limits 0.4 and 0.1, cap 0.5
    assert buyer + seller == pytest.approx(0.5)


def test_rules_are_carried_out_to_the_letter():
    assert Rules(min_price=0.2, max_price=0.3).quote(a_view()).price.tolist() == [0.3, 0.2]
    assert Rules(min_price=0.05, max_price=0.9).quote(a_view()).price.tolist() == [0.4, 0.1]
    assert Rules(sell=False).quote(a_view()).quantity.tolist() == [1.0, 0.0]
    assert Rules(buy=False).quote(a_view()).quantity.tolist() == [0.0, 2.0]
    assert Rules(max_sell_kwh=1.5, max_buy_kwh=0.5).quote(a_view()).quantity.tolist() == [0.5, 1.5]
    assert Rules(min_battery_kwh=3.1).quote(a_view()).quantity.tolist() == [1.0, 0.0]
    assert Rules(min_price=0.6).quote(a_view()).quantity.tolist() == [1.0, 0.0]
    night = Rules(windows=((22, 6), (12, 13)))
    traded = [hour for hour in range(24) if night.quote(a_view(hour=float(hour))).quantity.all()]
    assert traded == [0, 1, 2, 3, 4, 5, 12, 22, 23]
    with pytest.raises(StrategyError, match=r"not a time window; got .*25"):
        Rules(windows=((1, 25),))


def test_set_and_forget_keeps_its_margin_and_risks_as_much_as_it_is_told():
    assert np.allclose(SetAndForget(risk_tolerance=0.0).quote(a_view()).price, [0.4, 0.1])
    assert np.allclose(SetAndForget(risk_tolerance=1.0).quote(a_view()).price, [0.2, 0.2])
    assert np.allclose(SetAndForget(risk_tolerance=0.5).quote(a_view()).price, [0.3, 0.15])
    assert np.allclose(SetAndForget(min_margin=0.15).quote(a_view()).price, [0.25, 0.25])
    assert SetAndForget(min_margin=0.45).quote(a_view()).quantity.tolist() == [0.0, 0.0]
    with pytest.raises(StrategyError, match=r"risk_tolerance: out of range; got 1\.5"):
        SetAndForget(risk_tolerance=1.5)


def test_roth_erev_comes_to_prefer_what_pays():
    with pytest.raises(StrategyError, match="propensities would grow"):
        RothErev(margins=3)
    strategy = RothErev()
    rng = stream(1, "re")
    memory = strategy.start(200, rng)
    view = a_view(net=np.full(200, -1.0), memory=memory, rng=rng)
    for _ in range(300):
        price = strategy.quote(view).price
        pays = np.isclose(price, 0.25)  # only the middle one of 11 margins finds a buyer
        strategy.learn(replace(view, gain=np.where(pays, price - 0.1, 0.0)), NO_TAPE)
    share = np.isclose(strategy.quote(view).price, 0.25).mean()
    assert share > 0.7
    assert (memory.weight[:, 0] == 1 / 11).all()  # nothing was learned as a buyer


def test_predictive_quotes_the_hours_mean_and_gives_way_when_it_must_compete():
    strategy = Predictive(rate=0.5, caution=0.5)
    memory = strategy.start(2, stream(1, "p"))
    noon = a_view(memory=memory, hour=12.25)
    assert np.allclose(strategy.quote(noon).price, 0.2)  # nothing learned: the last price
    strategy.learn(noon, a_tape((1, 0.3, 0.3), (-1, 0.3, NO)))
    assert np.allclose(strategy.quote(noon).price, 0.3)
    strategy.learn(noon, a_tape((-1, 0.1, 0.1), (-1, 0.3, NO)))
    assert np.allclose(
        strategy.quote(noon).price, [0.2, 0.175]
    )  # scarcity -0.5: sellers give a quarter of the way
    assert np.allclose(strategy.quote(replace(noon, hour=13.0)).price, 0.2)


@pytest.mark.parametrize("name", ["predictive", "zip", "aa", "gd", "mgd", "roth_erev"])
def test_what_comes_later_cannot_change_what_was_quoted_before(name):
    """Replace the second half of the run by another and compare the quotes of the first half."""
    strategy = make_strategy(name)
    one = _play(strategy, 1)
    half = len(one) // 2

    def other_future():
        rng = stream(1, "check", "cohort")
        memory = strategy.start(7, rng)
        now, later = list(_scenes(1))[:half], list(_scenes(99))[half:]
        for scene, tape in now + later[::-1]:
            view = replace(scene, rng=rng, memory=memory)
            yield strategy.quote(view)
            strategy.learn(view, tape)

    two = list(other_future())
    assert all(np.array_equal(a.price, b.price) for a, b in zip(one[:half], two[:half], strict=True))
    assert not all(np.array_equal(a.price, b.price) for a, b in zip(one[half:], two[half:], strict=True))
