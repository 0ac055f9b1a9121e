"""Call auctions against their linear programs, and what they promise besides."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.errors import OrderError
from sunshare_sim.market import _auction as kernel
from sunshare_sim.market.batch import sorted_rows
from sunshare_sim.market.mechanism import MarketRules, ReferencePrices, make_mechanism
from sunshare_sim.market.orders import Orders
from sunshare_sim.streams import stream
from sunshare_sim.units import ASK, BID
from tests.reference import auction as reference

GRID = ReferencePrices(30, 8)
LEVELS = 40


def book(bids, asks, pools=(), owners=()):
    """Return orders from (quantity, price) pairs, bids first."""
    both = [*bids, *asks]
    count = len(both)
    return Orders(
        owner=np.array(owners or range(count), dtype=np.int64),
        side=np.array([BID] * len(bids) + [ASK] * len(asks), dtype=np.int64),
        pool=np.array(pools or [0] * count, dtype=np.int64),
        price=np.array([price for _, price in both], dtype=np.int64),
        quantity=np.array([quantity for quantity, _ in both], dtype=np.int64),
    )


def market(name="uniform_price", charges=((0,),), k=0.5, levels=LEVELS):
    matrix = np.array(charges, dtype=np.int64)
    return make_mechanism(name, MarketRules(len(matrix), matrix, levels, k=k))


def bought(fills, count):
    return np.bincount(fills.bid_id, fills.quantity, count) + np.bincount(fills.ask_id, fills.quantity, count)


@st.composite
def books(draw, most_pools=4):
    pools = draw(st.integers(1, most_pools))
    charges = draw(
        st.lists(st.lists(st.integers(-2, 8), min_size=pools, max_size=pools), min_size=pools, max_size=pools)
    )
    lowest = draw(st.integers(1, 20))
    order = st.tuples(
        st.sampled_from([BID, ASK]),
        st.integers(0, pools - 1),
        st.integers(lowest, lowest + draw(st.sampled_from([2, 18]))),
        st.integers(1, 6),
    )
    rows = np.array(draw(st.lists(order, min_size=1, max_size=14)), dtype=np.int64)
    return Orders(np.arange(len(rows)), *rows.T.copy()), np.array(charges, dtype=np.int64)


@settings(max_examples=400, deadline=None)
@given(books(), st.sampled_from([0, 0.3, Fraction(1, 3), 0.5, 1]), st.sampled_from([None, 1, 2]))
def test_allocation_and_prices_are_those_of_the_linear_programs(drawn, k, seed):
    orders, charges = drawn
    rng = None if seed is None else stream(seed, "ties")
    fills = market(charges=charges, k=k).clear(orders, GRID, rng).fills
    gains = (orders.price[fills.bid_id] - orders.price[fills.ask_id] - fills.charge) @ fills.quantity
    outcome = (gains, fills.quantity.sum(), fills.charge @ fills.quantity)
    assert outcome == reference.allocate(orders, charges)
    expected = reference.prices(orders, charges, LEVELS, Fraction(k).limit_denominator(1000))
    pools = orders.pool[fills.ask_id]
    assert fills.price.tolist() == [expected[pool] for pool in pools]


@settings(max_examples=200, deadline=None)
@given(books(), st.randoms(use_true_random=False))
def test_everybody_gets_the_same_whatever_the_order_of_submission(drawn, random):
    orders, charges = drawn
    shuffled = list(range(len(orders.owner)))
    random.shuffle(shuffled)
    auction = market(charges=charges)
    for rng in (lambda: None, lambda: stream(3, "ties")):
        before = auction.clear(orders, GRID, rng()).fills
        after = auction.clear(Orders(*(column[shuffled] for column in orders)), GRID, rng()).fills
        count = len(shuffled)
        assert bought(before, count)[shuffled].tolist() == bought(after, count).tolist()
        money = [np.bincount(f.seller, f.price * f.quantity, count).tolist() for f in (before, after)]
        assert money[0] == money[1]


@settings(max_examples=100, deadline=None)
@given(books(), st.randoms(use_true_random=False))
def test_names_of_pools_do_not_matter(drawn, random):
    orders, charges = drawn
    label = list(range(len(charges)))
    random.shuffle(label)
    label = np.array(label)
    renamed = np.empty_like(charges)
    renamed[np.ix_(label, label)] = charges
    before = market(charges=charges).clear(orders, GRID).fills
    after = market(charges=renamed).clear(orders._replace(pool=label[orders.pool]), GRID).fills
    for fills in (before, after):
        gains = (orders.price[fills.bid_id] - orders.price[fills.ask_id] - fills.charge) @ fills.quantity
        assert (gains, fills.quantity.sum()) == reference.allocate(orders, charges)[:2]


def test_pay_as_bid_trades_the_same_energy_and_charges_the_bid():
    orders = book([(5, 20), (5, 18)], [(3, 5), (4, 6), (9, 17)], pools=[0, 0, 1, 1, 0])
    charges = [[1, 3], [3, 1]]
    uniform = market(charges=charges).clear(orders, GRID).fills
    as_bid = market("pay_as_bid", charges).clear(orders, GRID).fills
    assert bought(as_bid, 5).tolist() == bought(uniform, 5).tolist()
    assert (as_bid.price + as_bid.charge).tolist() == orders.price[as_bid.bid_id].tolist()


def test_equal_charges_make_one_market_of_all_pools():
    """The short path (all charges equal) against the long one, forced by a pool without orders."""
    rng = stream(1, "books")
    orders = Orders(
        np.arange(60), rng.choice([BID, ASK], 60), rng.integers(0, 3, 60), *rng.integers(1, 30, (2, 60))
    )
    equal = np.full((4, 4), 2)
    other = equal.copy()
    other[3, 3] = 0
    short, long = (market(charges=charges).clear(orders, GRID).fills for charges in (equal, other))
    assert short.quantity.sum() == long.quantity.sum()
    assert set(short.price.tolist()) == set(long.price.tolist())
    assert set(short.charge.tolist()) == {2}


@settings(max_examples=200, deadline=None)
@given(books(most_pools=1))
def test_the_crossing_of_one_pool_is_its_best_flow(drawn):
    orders, charges = drawn
    rules = MarketRules(1, charges, LEVELS)
    rows = sorted_rows(orders, rules)
    starts = kernel.ladder_starts(rows, orders.side, orders.pool, 1)
    _, height, width, ladders = kernel.price_steps(rows, starts, orders.price, orders.quantity)
    left, same = width.copy(), width.copy()
    flow = kernel.crossing(height, left, ladders, charges[0, 0])
    assert flow.tolist() == kernel.best_flow(height, same, ladders, charges).tolist()
    assert left.tolist() == same.tolist()


def test_marginal_orders_are_served_pro_rata_and_leftovers_by_owner():
    orders = book([(10, 9)], [(4, 5), (8, 5), (4, 5)], owners=[0, 3, 2, 1])
    filled = bought(market().clear(orders, GRID).fills, 4)
    assert filled.tolist() == [
        10,
        2,
        5,
        3,
    ]  # shares of 2.5, 5 and 2.5; the unit that rounding leaves goes to owner 1


def test_a_generator_draws_who_gets_the_last_unit():
    orders = book([(1, 9)], [(1, 5), (1, 5)])
    winners = {int(market().clear(orders, GRID, stream(seed, "ties")).fills.seller[0]) for seed in range(30)}
    assert winners == {1, 2}


def test_a_generator_draws_between_pools_that_are_equally_good():
    orders = book([(1, 9)], [(1, 5), (1, 5)], pools=[0, 1, 2])
    charges = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    auction = market(charges=charges)
    winners = {int(auction.clear(orders, GRID, stream(seed, "ties")).fills.seller[0]) for seed in range(30)}
    assert winners == {1, 2}
    assert auction.clear(orders, GRID).fills.seller.tolist() == [1]


def test_the_nearer_pool_wins_a_tie_in_landed_price():
    orders = book([(1, 9)], [(1, 4), (1, 7)], pools=[0, 1, 0])
    fills = market(charges=[[0, 3], [3, 0]]).clear(orders, GRID).fills
    assert (fills.seller.tolist(), fills.charge.tolist()) == ([2], [0])


def test_energy_is_rerouted_when_that_gains_more():
    """The first trade is local; the best allocation gives it up for two trades across."""
    orders = book([(1, 20), (1, 19)], [(1, 5), (1, 6)], pools=[0, 1, 0, 1])
    charges = [[0, 0], [8, -1]]  # pool 1 can buy in pool 0 only
    fills = market(charges=charges).clear(orders, GRID).fills
    assert sorted(zip(fills.buyer.tolist(), fills.seller.tolist(), strict=True)) == [(0, 3), (1, 2)]


def test_no_more_is_rerouted_than_flows():
    orders = book([(2, 20), (5, 19)], [(2, 5), (5, 6)], pools=[0, 1, 0, 1])
    fills = market(charges=[[0, 0], [8, -1]]).clear(orders, GRID).fills
    trades = sorted(zip(fills.buyer.tolist(), fills.seller.tolist(), fills.quantity.tolist(), strict=True))
    assert trades == [(0, 3, 2), (1, 2, 2)]


@pytest.mark.parametrize("seed", range(40))
def test_large_books_over_many_pools_are_optimal(seed):
    """Scarce pairs and long chains of pools, so that flows are rerouted, in part and more than once."""
    rng = stream(seed, "books")
    pools, count = 7, 60
    charges = np.where(rng.random((pools, pools)) < 0.6, -1, rng.integers(0, 12, (pools, pools)))
    side = rng.choice([BID, ASK], count)
    price = np.where(side == BID, rng.integers(10, 39, count), rng.integers(1, 25, count))
    orders = Orders(np.arange(count), side, rng.integers(0, pools, count), price, rng.integers(1, 9, count))
    fills = market(charges=charges).clear(orders, GRID).fills
    gains = (orders.price[fills.bid_id] - orders.price[fills.ask_id] - fills.charge) @ fills.quantity
    outcome = (gains, fills.quantity.sum(), fills.charge @ fills.quantity)
    assert outcome == reference.allocate(orders, charges)
    expected = reference.prices(orders, charges, LEVELS, Fraction(1, 2))
    assert fills.price.tolist() == [expected[pool] for pool in orders.pool[fills.ask_id]]
    assert (bought(fills, count) <= orders.quantity).all()


def test_nobody_trades_with_oneself():
    # Owner 7 would take all of its own cheap energy; partners are swapped.
    orders = book([(5, 20), (5, 10)], [(5, 2), (5, 4)], owners=[7, 1, 7, 2])
    fills = market().clear(orders, GRID).fills
    assert sorted(zip(fills.buyer.tolist(), fills.seller.tolist(), strict=True)) == [(1, 7), (7, 2)]
    assert set(fills.price.tolist()) == {7}


@pytest.mark.parametrize("name", ["uniform_price", "pay_as_bid"])
def test_what_could_only_meet_its_owner_gives_way_to_the_next_ask(name):
    orders = book([(10, 20)], [(10, 1), (4, 5)], owners=[7, 7, 2])
    fills = market(name).clear(orders, GRID).fills
    assert (fills.seller.tolist(), fills.quantity.tolist()) == ([2], [4])
    assert fills.price.tolist() == [20]  # pay as bid, and the price of a bid that is not wholly served


@settings(max_examples=200, deadline=None)
@given(books(), st.data())
def test_shared_owners_never_trade_with_themselves(drawn, data):
    orders, charges = drawn
    count = len(orders.owner)
    owners = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    orders = orders._replace(owner=np.array(owners, dtype=np.int64))
    for name in ("uniform_price", "pay_as_bid"):
        fills = market(name, charges).clear(orders, GRID).fills
        assert (fills.buyer != fills.seller).all()
        assert (bought(fills, count) <= orders.quantity).all()
        assert (orders.price[fills.bid_id] >= fills.price + fills.charge).all()
        assert (orders.price[fills.ask_id] <= fills.price).all()
        assert (fills.charge == charges[orders.pool[fills.bid_id], orders.pool[fills.ask_id]]).all()


def test_large_quantities_stay_exact():
    huge = 10**16
    orders = book([(huge, 9), (3 * huge, 9)], [(huge + 1, 5), (7, 5)])
    fills = market().clear(orders, GRID).fills
    assert sum(fills.quantity.tolist()) == huge + 8
    shares = bought(fills, 4).tolist()[:2]
    assert shares[0] == pytest.approx((huge + 8) / 4, rel=1e-15)


def test_nothing_to_match():
    for orders in (book([], []), book([(1, 9)], []), book([(1, 4)], [(1, 5)])):
        assert market().clear(orders, GRID).fills.count == 0
    assert market(charges=[[-1]]).clear(book([(1, 9)], [(1, 5)]), GRID).fills.count == 0


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("side", 2, "side out of range"),
        ("pool", 1, "pool out of range"),
        ("pool", -1, "pool out of range"),
        ("price", 0, "price out of range"),
        ("price", LEVELS, "price out of range"),
        ("quantity", 0, "quantity out of range"),
        ("quantity", 2**62, "quantity out of range"),
    ],
)
@pytest.mark.parametrize("name", ["uniform_price", "mid_market_rate", "posted_seller"])
def test_a_bad_order_is_named(name, column, value, says):
    orders = book([(1, 9)], [(1, 5)])
    getattr(orders, column)[1] = value
    with pytest.raises(OrderError, match=rf"order 1: {says}; got {value}"):
        market(name).clear(orders, GRID)


@pytest.mark.parametrize("name", ["uniform_price", "pay_as_bid", "mid_market_rate", "posted_seller"])
def test_what_may_be_traded_times_any_price_stays_within_an_int64(name):
    most = (2**63 - 1) // LEVELS
    with pytest.raises(OrderError, match="quantity out of range"):
        market(name).clear(book([(2 * most, 9)], [(most + 1, 5)]), GRID)
    fills = market(name).clear(book([(most // 2, LEVELS - 1)], [(most // 2, 1)]), GRID).fills
    assert 0 < sum(fills.quantity.tolist()) * (LEVELS - 1) < 2**63


def test_a_column_of_floats_or_of_another_length_is_refused():
    orders = book([(1, 9)], [(1, 5)])
    with pytest.raises(OrderError, match="price: not a column of orders"):
        market().clear(orders._replace(price=orders.price * 1.5), GRID)
    with pytest.raises(OrderError, match="quantity: not a column of orders"):
        market().clear(orders._replace(quantity=orders.quantity[:1]), GRID)
