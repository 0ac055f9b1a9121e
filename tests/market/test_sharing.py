"""Mid-market rate, supply-demand ratio and bill sharing: prices, parts, pools, limits."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.market.mechanism import MarketRules, ReferencePrices, make_mechanism
from sunshare_sim.market.orders import Orders
from sunshare_sim.streams import stream
from sunshare_sim.units import ASK, BID

GRID = ReferencePrices(30, 8)
NAMES = ("mid_market_rate", "supply_demand_ratio", "bill_sharing")


def market(name="mid_market_rate", charges=((0,),)):
    matrix = np.array(charges, dtype=np.int64)
    return make_mechanism(name, MarketRules(len(matrix), matrix, 64))


def book(bids, asks, pools=(), limits=(), owners=()):
    """Return orders of the given quantities, bids first, with limits that accept any price between the grid's."""
    count = len(bids) + len(asks)
    return Orders(
        owner=np.array(owners or range(count), dtype=np.int64),
        side=np.array([BID] * len(bids) + [ASK] * len(asks), dtype=np.int64),
        pool=np.array(pools or [0] * count, dtype=np.int64),
        price=np.array(limits or [60] * len(bids) + [1] * len(asks), dtype=np.int64),
        quantity=np.array([*bids, *asks], dtype=np.int64),
    )


def traded(fills, count):
    totals = np.zeros(count, dtype=np.int64)
    np.add.at(totals, fills.bid_id, fills.quantity)
    np.add.at(totals, fills.ask_id, fills.quantity)
    return totals.tolist()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=9),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=9),
    st.sampled_from(NAMES),
)
def test_the_long_side_shares_in_proportion(bids, asks, name):
    fills = market(name).clear(book(bids, asks), GRID).fills
    got = traded(fills, len(bids) + len(asks))
    amount = min(sum(bids), sum(asks))
    for side, parts in ((bids, got[: len(bids)]), (asks, got[len(bids) :])):
        assert sum(parts) == amount
        for quantity, part in zip(side, parts, strict=True):
            assert abs(part - Fraction(quantity * amount, sum(side))) <= 1 + 1e-6
            assert part <= quantity


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(0, 400), st.integers(0, 400))
def test_the_ratio_price_is_the_formula_to_half_a_tick(supply, demand, feed_in, spread):
    retail = feed_in + spread
    price = market("supply_demand_ratio").price(demand, supply, ReferencePrices(retail, feed_in))
    ratio = min(Fraction(supply, demand), 1)
    bottom = spread * ratio + feed_in
    exact = Fraction(retail * feed_in) / bottom if bottom else 0
    assert abs(price - exact) <= Fraction(1, 2) or (price == 1 and exact < 1)


def test_a_limit_is_a_veto():
    orders = book([5, 5], [5, 5], limits=[19, 18, 19, 20])
    fills = market().clear(orders, GRID).fills
    assert (fills.bid_id.tolist(), fills.ask_id.tolist(), fills.price.tolist()) == ([0], [2], [19])


def test_bill_sharing_ignores_limits_and_gives_energy_away():
    orders = book([5, 5], [6], limits=[1, 1, 60])
    fills = market("bill_sharing").clear(orders, GRID).fills
    assert (fills.quantity.tolist(), fills.price.tolist()) == ([3, 3], [0, 0])


def test_near_pools_come_first_and_the_rest_is_shared_by_all():
    """Pools 0 and 1 have a deficit of 30 and 10, pool 2 a surplus of 20 after its own need."""
    charges = [[1, 4, 4], [4, 1, 4], [4, 4, 1]]
    orders = book([30, 10, 5], [25], pools=[0, 1, 2, 2])
    fills = market(charges=charges).clear(orders, GRID).fills
    assert traded(fills, 4) == [15, 5, 5, 25]
    assert dict(zip(fills.bid_id.tolist(), fills.charge.tolist(), strict=True)) == {0: 4, 1: 4, 2: 1}


def test_a_charge_beyond_the_limit_keeps_a_buyer_at_home():
    charges = [[0, 5], [5, 0]]
    orders = book([4, 4], [4], pools=[0, 0, 1], limits=[23, 24, 1])
    fills = market(charges=charges).clear(orders, GRID).fills
    assert (fills.bid_id.tolist(), fills.price.tolist(), fills.charge.tolist()) == ([1], [19], [5])


def test_where_pools_reach_few_others_all_that_can_trade_does():
    """Each buyer pool reaches one seller pool; even parts of the supply would leave the first buyer short."""
    charges = [[-1, -1, 2, -1], [-1, -1, -1, 2], [-1] * 4, [-1] * 4]
    orders = book([20, 5], [20, 20], pools=[0, 1, 2, 3])
    assert traded(market(charges=charges).clear(orders, GRID).fills, 4) == [20, 5, 20, 5]


@pytest.mark.parametrize("name", NAMES)
def test_forbidden_pairs_and_one_sided_books_trade_nothing(name):
    assert market(name, [[-1]]).clear(book([5], [5]), GRID).fills.count == 0
    assert market(name).clear(book([5], []), GRID).fills.count == 0
    assert market(name).clear(book([], []), GRID).fills.count == 0


def test_nobody_shares_with_oneself():
    fills = market().clear(book([5, 5], [5, 5], owners=[7, 1, 7, 2]), GRID).fills
    assert sorted(zip(fills.buyer.tolist(), fills.seller.tolist(), strict=True)) == [(1, 7), (7, 2)]
    assert market().clear(book([5], [5], owners=[7, 7]), GRID).fills.count == 0


def test_the_order_of_submission_is_irrelevant():
    rng = stream(1, "books")
    orders = book(rng.integers(1, 10**6, 20).tolist(), rng.integers(1, 10**6, 9).tolist())
    mixed = rng.permutation(29)
    for name in NAMES:
        before = traded(market(name).clear(orders, GRID).fills, 29)
        after = traded(market(name).clear(Orders(*(column[mixed] for column in orders)), GRID).fills, 29)
        assert [before[row] for row in mixed] == after
