import traceback
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from sunshare_sim.agents.basic import TariffBound
from sunshare_sim.agents.rounds import Ground, trade_in_rounds
from sunshare_sim.agents.strategy import NO_TAPE, Quotes, Strategy, make_strategy
from sunshare_sim.errors import StrategyError
from sunshare_sim.market.book import OrderBook
from sunshare_sim.streams import stream

TICK = 100  # 0.0001 currency/kWh
CAP = 4000


@dataclass
class Desk:
    name: str
    members: slice
    strategy: Strategy
    rng: np.random.Generator
    memory: Any


def hold(
    strategy, *, rounds, homes=60, slots=1, zones=1, charge=0, seed=1, feed_in=80_000, net=None, rate=None
):
    rng = stream(seed, "test")
    charges = np.where(np.eye(zones, dtype=bool), 0, charge).astype(np.int64)
    book = OrderBook(charges, price_levels=CAP + 1, rate_limit=rate)
    desk = Desk("all", slice(0, homes), strategy, stream(seed, "desk"), None)
    desk.memory = strategy.start(homes, desk.rng)
    last, results = (0.24, NO_TAPE), []
    arrival = stream(seed, "arrival")
    for slot in range(slots):
        metered = np.rint(rng.normal(0, 1, homes) * 1e6).astype(np.int64) if net is None else np.array(net)
        pools = np.arange(homes) % zones
        ground = Ground(slot, 12.0, metered, np.zeros(homes), pools, charges, 400_000, feed_in, TICK, CAP, 1)
        result = trade_in_rounds(
            book, ground, [desk], lambda: arrival.permutation(homes), rounds=rounds, last=last
        )
        last = result.last_price, result.tape
        results.append(result)
        traded = np.bincount(result.fills.buyer, result.fills.quantity, minlength=homes)
        sold = np.bincount(result.fills.seller, result.fills.quantity, minlength=homes)
        assert (traded <= np.maximum(metered, 0)).all()
        assert (sold <= np.maximum(-metered, 0)).all()
    return results


@pytest.mark.parametrize(
    "name", ["tariff_bound", "zi_c", "zip", "aa", "gd", "mgd", "shaver", "roth_erev", "predictive"]
)
def test_nobody_trades_more_than_metered_and_the_same_seed_gives_the_same(name):
    one = hold(make_strategy(name), rounds=6, slots=4)
    two = hold(make_strategy(name), rounds=6, slots=4)
    for a, b in zip(one, two, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.fills, b.fills, strict=True))
    assert sum(result.fills.count for result in one) > 0


def test_one_round_is_the_auction_of_a_batch():
    (result,) = hold(TariffBound(), rounds=1)
    book = OrderBook(price_levels=CAP + 1)
    fills = book.submit_many(*result.orders)
    for name in ("buyer", "seller", "quantity", "price", "charge", "taker"):
        assert np.array_equal(getattr(fills, name), getattr(result.fills, name))


def test_truthful_traders_are_done_after_one_round():
    volume = [int(hold(TariffBound(), rounds=rounds)[0].fills.quantity.sum()) for rounds in (1, 2, 64)]
    assert volume[0] == volume[1] == volume[2] > 0


@dataclass(frozen=True)
class Once(Strategy):
    """Wish for half in the first round, withdraw in the second, wish for all in the third."""

    def quote(self, view):
        share = (0.5, 0.0, 1.0)[view.round]
        return Quotes(view.limit_price, np.abs(view.net_kwh) * share)


def test_the_first_wish_bounds_the_slot_and_nothing_withdraws_an_order():
    (result,) = hold(Once(), rounds=3, homes=3, net=[2_000_000, 2_000_000, -1_000_000])
    # Round 1: two bids of 1 kWh, an ask of 0.5: one bid is half filled. Round 2 cancels all. Round 3: bids come back.
    assert result.fills.quantity.sum() == 500_000
    assert result.orders.quantity.tolist().count(1_000_000) >= 2
    assert max(result.orders.quantity) == 1_000_000
    assert len(result.orders.owner) == 5  # three, none, and the two bids: the ask is sold


def test_a_new_price_replaces_the_old_order():
    @dataclass(frozen=True)
    class Rising(Strategy):
        def quote(self, view):
            start = np.where(view.side > 0, 0.1, 0.3)
            return Quotes(start + view.side * 0.05 * view.round, np.abs(view.net_kwh))

    (result,) = hold(Rising(), rounds=4, homes=2, net=[1_000_000, -1_000_000])
    assert result.fills.quantity.tolist() == [1_000_000]
    assert result.orders.price.tolist().count(1000) == 1
    # 0.10 and 0.30, 0.15 and 0.25, then 0.20 and 0.20
    assert result.fills.price.tolist() == [2000]
    assert len(result.orders.owner) == 6


def test_what_the_book_refuses_is_not_made_public():
    heard = []

    class Climbing(Strategy):
        """Bid and ask apart, then nearer each round; the homes of odd rows from the second round on."""

        def quote(self, view):
            odd = np.arange(len(view.net_kwh)) % 2 == 1
            quantity = np.where(odd & (view.round == 0), 0.0, np.abs(view.net_kwh))
            return Quotes(0.25 - view.side * (0.1 - 0.01 * view.round), quantity)

        def learn(self, view, tape):
            heard.append(tape)

    net = np.array([1, 1, -1, -1]) * 10**6
    free, held = (
        hold(Climbing(), rounds=4, homes=4, net=net, rate=rate)[0].orders.owner.size for rate in (None, 2)
    )
    assert free == held == 2 + 4 + 4 + 4  # the run counts what was sent
    assert [tape.side.size for tape in heard] == [2, 4, 4, 4, 2, 4, 2, 0]
    assert sorted(heard[6].side) == [-1, 1]
    assert heard[6].order_price == pytest.approx(0.25 - heard[6].side * 0.08)


def test_best_quotes_are_seen_with_charges_from_the_own_zone():
    seen = []

    @dataclass(frozen=True)
    class Looker(Strategy):
        def quote(self, view):
            seen.append((np.array(view.best_bid), np.array(view.best_ask)))
            price = np.where(view.side > 0, 0.1, 0.3)
            return Quotes(price, np.abs(view.net_kwh))

    hold(Looker(), rounds=2, homes=4, zones=2, charge=500, net=[10**6, 0, 0, -(10**6)])
    bid, ask = seen[1]
    assert np.allclose(bid, [0.1, 0.05, 0.1, 0.05])  # the bid stands in zone 0
    assert np.allclose(ask, [0.35, 0.3, 0.35, 0.3])  # the ask in zone 1
    assert np.isnan(seen[0][0]).all()


def test_a_breach_names_cohort_slot_and_home():
    @dataclass(frozen=True)
    class Nan(Strategy):
        def quote(self, view):
            return Quotes(np.full(view.net_kwh.size, np.nan), np.abs(view.net_kwh))

    with pytest.raises(
        StrategyError, match="cohort all, slot 0, home 0: price not allowed; got nan"
    ) as caught:
        hold(Nan(), rounds=1)
    assert "np.nan" in traceback.extract_tb(caught.value.__traceback__)[-1].line


def test_learners_reach_the_efficient_volume_in_rounds():
    """With one price for all buyers and one for all sellers, every kWh on the short side should find a partner."""
    for name in ("zip", "aa", "gd", "mgd", "zi_c"):
        results = hold(make_strategy(name), rounds=16, slots=6)
        for result in results[3:]:
            bought = result.fills.quantity.sum()
            side = result.orders.side
            by_home = {(int(o), int(s)): 0 for o, s in zip(result.orders.owner, side, strict=True)}
            for owner, direction, quantity in zip(
                result.orders.owner, side, result.orders.quantity, strict=True
            ):
                key = int(owner), int(direction)
                by_home[key] = max(by_home[key], int(quantity))
            demand = sum(q for (_, s), q in by_home.items() if s > 0)
            supply = sum(q for (_, s), q in by_home.items() if s < 0)
            assert bought >= 0.9 * min(demand, supply), name
