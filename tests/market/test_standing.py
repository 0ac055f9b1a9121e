"""Orders that stand for several slots: the same as a slow twin, and no kWh is sold twice."""

import numpy as np
import pytest

from sunshare_sim.errors import OrderError
from sunshare_sim.market import ASK, BID, OrderBook, Orders
from sunshare_sim.market.mechanism import MarketRules, ReferencePrices, make_mechanism
from sunshare_sim.streams import stream
from tests.reference.book import ReferenceBook

GRID = ReferencePrices(30, 8)
LEVELS = 40


def rules(charges=((0,),), **others):
    matrix = np.array(charges, dtype=np.int64)
    return MarketRules(len(matrix), matrix, LEVELS, **others)


def orders(*rows):
    """Return orders from (owner, side, price, quantity[, pool])."""
    columns = np.array([(o, s, (rest or [0])[0], p, q) for o, s, p, q, *rest in rows], dtype=np.int64)
    return Orders(*columns.reshape(-1, 5).T.copy())


def trades(mechanism, batch):
    fills = mechanism.clear(batch, GRID).fills
    return list(zip(fills.buyer.tolist(), fills.seller.tolist(), fills.quantity.tolist(), strict=True))


class Twin:
    """The rules of a standing order one by one on the reference book."""

    def __init__(self, charges, pricing, lifetime, capacity):
        self.book = ReferenceBook(charges, pricing=pricing, capacity=capacity)
        self.lifetime, self.slot, self.home = lifetime, -1, {}

    def clear(self, batch, charges):
        self.slot += 1
        book, wishes = self.book, {row[0]: row for row in batch}
        book.expire(self.slot)
        for order in list(book.orders):
            wish = wishes.get(order.owner)
            if wish and wish[1:4] == (order.side, order.pool, order.price) and wish[4] <= order.quantity:
                order.quantity = wish[4]
            else:
                book.cancel(order.id)
        book.charges = charges
        fills = book.start_slot()
        stays = {order.owner for order in book.orders} | {owner for fill in fills for owner in fill[2:4]}
        expiry = None if self.lifetime is None else self.slot + self.lifetime
        for row in batch:
            if row[0] not in stays:
                fills += book.submit(*row, expiry=expiry)[1]
        return [fill[2:] for fill in fills]


def random_charges(rng, pools):
    charges = rng.integers(0, 5, (pools, pools))
    charges[rng.random((pools, pools)) < 0.2] = -1
    return charges


def random_batch(rng, pools, homes):
    """One order a home, at few prices and often those of the slot before, so that orders stand."""
    owner = rng.permutation(homes)[: int(rng.integers(1, homes + 1))]
    side = np.where((owner + (rng.random(owner.size) < 0.1)) % 2, BID, ASK)
    price = 15 + owner % 5 - 2 + (rng.random(owner.size) < 0.3)
    return Orders(owner, side, owner % pools, price, rng.integers(1, 7, owner.size))


@pytest.mark.parametrize("seed", range(150))
def test_equals_the_slow_twin_and_sells_nothing_twice(seed):
    rng = stream(seed, "standing")
    pools, homes = int(rng.integers(1, 4)), int(rng.integers(2, 12))
    charges = random_charges(rng, pools)
    lifetime = [1, 2, 3, None][seed % 4]
    capacity = rng.integers(-1, 9, (pools, pools)) if seed % 3 == 0 else None
    pricing = ["ask", "resting", "midpoint"][seed % 3]
    market = make_mechanism("cda", rules(charges, pricing=pricing, lifetime=lifetime, capacity=capacity))
    twin = Twin(charges.tolist(), pricing, lifetime, None if capacity is None else capacity.tolist())
    for _ in range(12):
        batch = random_batch(rng, pools, homes)
        if rng.random() < 0.3:
            charges = random_charges(rng, pools)
        market.set_charges(charges)
        fills = market.clear(batch, GRID).fills
        columns = (fills.buyer, fills.seller, fills.quantity, fills.price, fills.charge)
        ours = list(zip(*(column.tolist() for column in columns), strict=True))
        assert ours == twin.clear(list(zip(*(c.tolist() for c in batch), strict=True)), charges.tolist())
        count = batch.owner.size
        sold = np.bincount(fills.bid_id, fills.quantity, count) + np.bincount(
            fills.ask_id, fills.quantity, count
        )
        assert (sold <= batch.quantity).all()
        assert (batch.owner[fills.bid_id] == fills.buyer).all()
        assert (batch.owner[fills.ask_id] == fills.seller).all()
        assert (fills.price + fills.charge <= batch.price[fills.bid_id]).all()
        assert (fills.price >= batch.price[fills.ask_id]).all()
        assert (charges[batch.pool[fills.bid_id], batch.pool[fills.ask_id]] == fills.charge).all()
        if capacity is not None:
            carried = np.zeros((pools, pools), dtype=np.int64)
            np.add.at(carried, (batch.pool[fills.bid_id], batch.pool[fills.ask_id]), fills.quantity)
            assert ((carried <= capacity) | (capacity < 0)).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_lifetime_of_one_slot_is_an_empty_book_every_slot(seed):
    from sunshare_sim.market.standing import StandingOrders

    rng = stream(seed, "one slot")
    one = StandingOrders(OrderBook(price_levels=LEVELS), rules(lifetime=1))
    default = make_mechanism("cda", rules())
    for _ in range(6):
        batch = random_batch(rng, 1, 9)
        for ours, theirs in zip(one.clear(batch), default.clear(batch, GRID).fills, strict=True):
            assert ours.tolist() == theirs.tolist()


def test_an_order_keeps_its_place_while_its_price_stands_and_its_energy_does_not_grow():
    market = make_mechanism("cda", rules(lifetime=None))
    assert trades(market, orders((0, ASK, 10, 5), (1, ASK, 10, 5))) == []
    # Home 1 arrives first in this slot; home 0 was there before it.
    assert trades(market, orders((1, ASK, 10, 5), (0, ASK, 10, 4), (2, BID, 10, 4))) == [(2, 0, 4)]


@pytest.mark.parametrize(
    "changed", [(0, ASK, 9, 5), (0, ASK, 10, 6)], ids=["another price", "a larger quantity"]
)
def test_an_order_loses_its_place_by(changed):
    market = make_mechanism("cda", rules(lifetime=None))
    trades(market, orders((0, ASK, 10, 5), (1, ASK, 10, 5)))
    owner, side, _, quantity = changed
    trades(market, orders(changed, (1, ASK, 10, 5)))
    back = orders((0, side, 10, 5), (1, ASK, 10, 5), (2, BID, 10, 4))
    # The order with another price came back to the old one; the larger one was behind already.
    assert trades(market, back) == [(2, 1, 4)], (owner, quantity)


def test_an_order_ends_after_its_lifetime():
    market = make_mechanism("cda", rules(lifetime=2))
    trades(market, orders((0, ASK, 10, 5)))
    trades(market, orders((1, ASK, 10, 5), (0, ASK, 10, 5)))
    # In the third slot home 0's order has expired; what it asks now comes after home 1's.
    assert trades(market, orders((0, ASK, 10, 5), (1, ASK, 10, 5), (2, BID, 10, 4))) == [(2, 1, 4)]


def test_who_wishes_nothing_is_withdrawn():
    market = make_mechanism("cda", rules(lifetime=None))
    trades(market, orders((0, ASK, 10, 5), (1, ASK, 11, 5)))
    assert trades(market, orders((1, ASK, 11, 5), (2, BID, 12, 5))) == [(2, 1, 5)]
    assert trades(market, orders((3, BID, 12, 5))) == []


def test_cheaper_charges_match_what_stands_before_anyone_arrives():
    market = make_mechanism("cda", rules([[0, 5], [5, 0]], lifetime=None, pricing="resting"))
    standing = orders((0, ASK, 10, 5, 0), (1, BID, 12, 5, 1))
    assert trades(market, standing) == []
    market.set_charges(np.array([[0, 1], [1, 0]]))
    fills = market.clear(orders((0, ASK, 10, 5, 0), (1, BID, 12, 3, 1), (2, BID, 30, 5, 1)), GRID).fills
    columns = (fills.buyer, fills.quantity, fills.price, fills.charge, fills.taker)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == [
        (1, 3, 10, 1, -1),
        (2, 2, 10, 1, 2),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        orders((0, ASK, 10, 5), (0, BID, 9, 5)),
        orders((0, ASK, 0, 5)),
        orders((0, ASK, 10, 0)),
        orders((0, ASK, LEVELS, 5)),
        orders((0, 2, 10, 5)),
        orders((0, ASK, 10, 5, 1)),
        orders((0, ASK, 10, 2**59)),
    ],
)
def test_bad_orders_are_refused_and_change_nothing(bad):
    market = make_mechanism("cda", rules(lifetime=2))
    trades(market, orders((0, ASK, 10, 5), (1, ASK, 10, 5)))
    with pytest.raises(OrderError):
        market.clear(bad, GRID)
    assert trades(market, orders((1, ASK, 10, 5), (0, ASK, 10, 4), (2, BID, 10, 4))) == [(2, 0, 4)]


@pytest.mark.parametrize("seed", range(60))
def test_a_slot_may_begin_with_new_charges_and_capacities_in_one_sweep(seed):
    rng = stream(seed, "slot starts")
    pools = int(rng.integers(1, 4))
    first, then = random_charges(rng, pools), random_charges(rng, pools)
    rooms = [rng.integers(-1, 6, (pools, pools)).tolist() for _ in range(2)]
    book, twin = (
        OrderBook(first, price_levels=LEVELS, capacity=rooms[0]),
        ReferenceBook(first, capacity=rooms[0]),
    )
    for owner in range(20):
        order = owner, int(rng.choice([BID, ASK])), int(rng.integers(pools)), *rng.integers(8, 14, 2).tolist()
        assert [tuple(fill) for fill in book.submit(*order)[1]] == twin.submit(*order)[1]
    twin.charges = then
    swept = book.start_slot(charges=then, capacity=rooms[1])
    assert [tuple(fill) for fill in swept] == twin.start_slot(rooms[1])
    assert [tuple(fill) for fill in book.start_slot()] == twin.start_slot()
    left = {order.id: order.quantity for order in book.orders()}
    assert left == {order.id: order.quantity for order in twin.orders}
    for bad in ({"charges": [[0, 1]]}, {"capacity": [[0.5]]}, {"charges": [[0], [0, 1]]}):
        with pytest.raises(OrderError):
            book.start_slot(**bad)
    assert left == {order.id: order.quantity for order in book.orders()}
