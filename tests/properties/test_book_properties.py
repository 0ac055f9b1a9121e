"""The order book against its slow twin on random streams, and the laws any stream of orders must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.market import ASK, BID, Events, OrderBook, Orders
from sunshare_sim.market._layout import FAR, OPEN, TREED
from sunshare_sim.market._upkeep import compact
from sunshare_sim.market.orders import CANCEL, EXPIRE, GTC, NEVER, REPLACE, SUBMIT, TIME_IN_FORCE
from sunshare_sim.streams import stream
from tests.reference.book import ReferenceBook

STREAMS = 2_500
LONG_STREAMS = 100_000
TIMES = list(TIME_IN_FORCE)

# A stream is a dictionary of the book's arguments and a list of messages ("submit", ...), ("cancel", id) ...


def random_charges(rng, pools):
    """General, tree-like, all equal or partly forbidden charges, many of them alike."""
    charges = rng.integers(0, 4, (pools, pools)) * rng.integers(0, 3)
    np.fill_diagonal(charges, rng.integers(0, 2))
    charges[rng.random((pools, pools)) < rng.choice([0.0, 0.3, 1.0], p=[0.6, 0.3, 0.1])] = -1
    return charges.tolist()


def random_stream(rng, pools=(1, 1, 2, 3, 5, 12), most=50):
    """One stream: few prices, few owners, small quantities, so that ties and self-trades are common."""
    pools = int(rng.choice(pools))
    levels = int(rng.choice([6, 12, 40, 3000]))
    owners = int(rng.choice([2, 5, 20]))
    with_capacity = rng.random() < 0.3
    rules = {
        "charges": random_charges(rng, pools),
        "pricing": str(rng.choice(["ask", "resting", "midpoint"])),
        "capacity": rng.integers(-1, 12, (pools, pools)).tolist() if with_capacity else None,
        "rate_limit": int(rng.integers(1, 8)) if rng.random() < 0.2 else None,
    }
    weights = np.array([0.66, 0.12, 0.12, 0.05, 0.03, 0.02])
    kinds = rng.choice(6, size=int(rng.integers(5, most)), p=weights)
    messages, ids = [], 0
    for now, kind in enumerate(kinds.tolist()):
        if kind == 0 or ids == 0:
            tif = TIMES[int(rng.choice(3, p=[0.8, 0.1, 0.1]))]
            expiry = now + int(rng.integers(1, 20)) if rng.random() < 0.3 else None
            side = ASK if rng.random() < 0.5 else BID
            place = int(rng.integers(owners)), side, int(rng.integers(pools))
            messages.append(
                ("submit", *place, random_price(rng, levels), int(rng.integers(1, 9)), tif, expiry)
            )
            ids += 1
        elif kind == 1:
            messages.append(("cancel", int(rng.integers(ids))))
        elif kind == 2:
            price = random_price(rng, levels) if rng.random() < 0.5 else None
            quantity = int(rng.integers(1, 9)) if rng.random() < 0.6 else None
            messages.append(("replace", int(rng.integers(ids)), price, quantity))
        elif kind == 3:
            messages.append(("expire", now))
        elif kind == 4:
            messages.append(("charges", random_charges(rng, pools)))
        else:
            new = rng.integers(-1, 12, (pools, pools)).tolist()
            messages.append(("slot", new if with_capacity and rng.random() < 0.5 else None))
    return levels, rules, messages


def random_price(rng, levels):
    middle, spread = levels // 2, max(1, min(levels // 3, 6))
    return int(np.clip(middle + rng.integers(-spread, spread + 1), 1, levels - 1))


def send(book, message):
    kind, *values = message
    if kind == "submit":
        *order, tif, expiry = values
        return book.submit(*order, tif=tif, expiry=expiry)
    if kind == "replace":
        return book.replace(values[0], price=values[1], quantity=values[2])
    if kind == "charges":
        return book.set_charges(values[0])
    if kind == "slot":
        return book.start_slot(capacity=values[0])
    return getattr(book, kind)(*values)


def as_events(messages):
    """The same messages as one recorded stream."""
    rows = {
        "submit": lambda owner, side, pool, price, quantity, tif, expiry: (
            *(SUBMIT, 0, owner, side, pool, price, quantity, TIME_IN_FORCE[tif]),
            NEVER if expiry is None else expiry,
        ),
        "cancel": lambda order_id: (CANCEL, order_id, 0, 0, 0, 0, 0, GTC, 0),
        "replace": lambda order_id, price, quantity: (
            *(REPLACE, order_id, 0, 0, 0, price or 0, quantity or 0, GTC, 0),
        ),
        "expire": lambda now: (EXPIRE, 0, 0, 0, 0, 0, 0, GTC, now),
    }
    table = np.array([rows[kind](*values) for kind, *values in messages], dtype=np.int64)
    return Events(*table.reshape(-1, len(Events._fields)).T)


def at_rest(book):
    """What rests, order by order, of either book."""
    orders = book.orders() if isinstance(book, OrderBook) else sorted(book.orders, key=lambda order: order.id)
    return [(o.id, o.owner, o.side, o.pool, o.price, o.quantity, o.time) for o in orders]


def best_prices(book):
    """Best bid and ask of every pool, of either book."""
    if isinstance(book, OrderBook):
        return [(book.best_bid(pool), book.best_ask(pool)) for pool in range(len(book.charges))]
    bids = [
        [o.price for o in book.orders if (o.side, o.pool) == (BID, pool)] for pool in range(len(book.charges))
    ]
    asks = [
        [o.price for o in book.orders if (o.side, o.pool) == (ASK, pool)] for pool in range(len(book.charges))
    ]
    return [(max(bid, default=None), min(ask, default=None)) for bid, ask in zip(bids, asks, strict=True)]


def rows_of(fills):
    return list(zip(*(column.tolist() for column in fills), strict=True))


def assert_uncrossed(book):
    charges = book.charges
    for buying, selling in np.argwhere(charges >= 0).tolist():
        bid, ask = book.best_bid(buying), book.best_ask(selling)
        if bid is not None and ask is not None:
            assert bid - charges[buying, selling] < ask


def tidy(book):
    """Drop the dead orders now, whether there is room or not."""
    compact(book._state, book._orders, book._queues, book._bits, book._tops, book._orders)


def compare(levels, rules, messages, far=None):
    """Send the same messages to the book, one by one and in batches, and to the twin; all must agree at every step.

    With `far`, a generator, the batches take a book's orders for far from each other and end where it says.
    """
    book, batched = OrderBook(price_levels=levels, **rules), OrderBook(price_levels=levels, **rules)
    twin = ReferenceBook(**rules)
    batch, expected = [], []
    if far is not None:
        batched._state[FAR] = -1

    def flush():
        fills = batched.process(as_events(batch))
        assert rows_of(fills) == expected
        batch.clear()
        expected.clear()

    for message in messages:
        result = send(book, message)
        assert result == send(twin, message), message
        assert len(book) == len(twin.orders)
        assert best_prices(book) == best_prices(twin)
        assert_uncrossed(book)
        if message[0] in {"charges", "slot"}:
            flush()
            assert send(batched, message) == result
        else:
            if message[0] in {"submit", "replace"}:
                expected.extend((*fill, len(batch)) for fill in result[1])
            batch.append(message)
            if far is not None and far.random() < 0.15:
                flush()
                if far.random() < 0.3:
                    tidy(batched)
    flush()
    assert at_rest(book) == at_rest(twin) == at_rest(batched)
    assert book.rejected == twin.rejected == batched.rejected
    assert book._state[OPEN] == batched._state[OPEN] == sum(order.quantity for order in twin.orders)


def test_equals_the_slow_twin_on_thousands_of_streams():
    for number in range(STREAMS):
        compare(*random_stream(stream(number, "book")))


@pytest.mark.long
def test_equals_the_slow_twin_on_very_many_streams():
    for number in range(LONG_STREAMS):
        compare(*random_stream(stream(number, "book-long")))


def compare_far(rng):
    """Compare on a stream for the one kind of book that is treated otherwise once it outgrows the cache."""
    levels, rules, messages = random_stream(rng, pools=(1,), most=200)
    compare(levels, {**rules, "capacity": None, "rate_limit": None}, messages, far=rng)


def test_equals_the_slow_twin_when_orders_lie_far_from_each_other():
    for number in range(STREAMS // 4):
        compare_far(stream(number, "book-far"))


@pytest.mark.long
def test_equals_the_slow_twin_on_very_many_streams_of_far_orders():
    for number in range(LONG_STREAMS // 4):
        compare_far(stream(number, "book-far-long"))


def random_tree(rng, pools):
    """Charges of a random tree, of any depth, of one trunk or several, some steps free of charge."""
    cost = int(rng.integers(0, 2))
    group = np.arange(pools)
    charges = np.full((pools, pools), -1)
    while True:
        charges[(charges < 0) & (group[:, None] == group[None, :])] = cost
        if len(np.unique(group)) == 1 or rng.random() < 0.1:
            return charges.tolist()
        group = rng.integers(0, 1 + len(np.unique(group)) // 2, pools)[group]
        cost += int(rng.integers(0, 3))


def test_equals_the_slow_twin_on_tree_tariffs(monkeypatch):
    monkeypatch.setattr("sunshare_sim.market.book.TREE_FROM", 1)
    monkeypatch.setattr(f"{__name__}.random_charges", random_tree)
    trees = 0
    for number in range(STREAMS // 2):
        levels, rules, messages = random_stream(stream(number, "book-tree"))
        if number % 8:
            rules["capacity"] = None
            messages = [("slot", None) if message[0] == "slot" else message for message in messages]
        trees += int(OrderBook(price_levels=levels, **rules)._state[TREED])
        compare(levels, rules, messages)
    assert trees > STREAMS // 3


# The same, drawn by hypothesis, which shrinks what fails

PRICES, QUANTITIES, OWNERS, WHICH = (
    st.integers(1, 11),
    st.integers(1, 6),
    st.integers(0, 3),
    st.integers(0, 99),
)


@st.composite
def drawn_streams(draw):
    pools = draw(st.sampled_from([1, 2, 3, 12]))
    matrix = st.lists(st.integers(-1, 3), min_size=pools**2, max_size=pools**2).map(
        lambda flat: [flat[row * pools : (row + 1) * pools] for row in range(pools)]
    )
    submit = st.tuples(
        *(
            st.just("submit"),
            OWNERS,
            st.sampled_from([BID, ASK]),
            st.integers(0, pools - 1),
            PRICES,
            QUANTITIES,
        ),
        *(st.sampled_from(TIMES), st.none() | st.integers(0, 9)),
    )
    others = st.one_of(
        st.tuples(st.just("cancel"), WHICH),
        st.tuples(st.just("replace"), WHICH, st.none() | PRICES, st.none() | QUANTITIES),
        st.tuples(st.just("expire"), st.integers(0, 9)),
        st.tuples(st.just("charges"), matrix),
        st.tuples(st.just("slot"), st.none()),
    )
    drawn = draw(st.lists(st.one_of(submit, submit, others), max_size=40))
    messages, ids = [], 0
    for message in drawn:
        if message[0] in {"cancel", "replace"}:
            if ids:
                messages.append((message[0], message[1] % ids, *message[2:]))
        else:
            messages.append(message)
            ids += message[0] == "submit"
    rules = {
        "charges": draw(matrix),
        "pricing": draw(st.sampled_from(["ask", "resting", "midpoint"])),
        "capacity": draw(st.none() | matrix),
        "rate_limit": draw(st.none() | st.integers(1, 9)),
    }
    return 12, rules, messages


@settings(max_examples=250)
@given(drawn_streams())
def test_equals_the_slow_twin_wherever_hypothesis_looks(drawn):
    compare(*drawn)


# Laws and symmetries


def random_batch(rng, pools=1, levels=64, count=150):
    side = rng.choice([BID, ASK], count)
    price = np.clip(levels // 2 + rng.integers(-9, 10, count), 1, levels - 1)
    return Orders(
        rng.integers(0, 30, count), side, rng.integers(0, pools, count), price, rng.integers(1, 9, count)
    )


def batches(name, number=120):
    for seed in range(number):
        rng = stream(seed, name)
        pools = int(rng.integers(2, 13))
        yield rng, pools, random_batch(rng, pools), np.array(random_charges(rng, pools))


def equal(fills, others):
    return all(np.array_equal(a, b) for a, b in zip(fills, others, strict=True))


def test_nobody_trades_beyond_a_limit_or_more_than_was_ordered():
    for pricing in ("ask", "resting", "midpoint"):
        for _, _, orders, charges in batches(f"limits-{pricing}", 60):
            book = OrderBook(charges, price_levels=64, pricing=pricing)
            fills = book.submit_many(*orders)
            bid, ask = fills.bid_id, fills.ask_id
            assert (fills.quantity > 0).all()
            assert (orders.price[ask] <= fills.price).all()
            assert (fills.price + fills.charge <= orders.price[bid]).all()
            assert np.array_equal(fills.charge, charges[orders.pool[bid], orders.pool[ask]])
            assert (fills.charge >= 0).all()
            assert (orders.owner[bid] != orders.owner[ask]).all()
            done = np.zeros_like(orders.quantity)
            np.add.at(done, bid, fills.quantity)
            np.add.at(done, ask, fills.quantity)
            left = orders.quantity - done
            assert (left >= 0).all()
            resting = book.orders()
            assert all(left[order.id] == order.quantity for order in resting)
            stepped_aside = (
                set(range(len(left))) - {order.id for order in resting} - set(np.flatnonzero(left == 0))
            )
            taken = [np.flatnonzero(orders.owner == orders.owner[order]) for order in stepped_aside]
            assert all(len(mine) > 1 for mine in taken)  # only an own order makes one disappear
            assert_uncrossed(book)


def test_inside_a_pool_price_comes_first_then_time():
    for _, pools, orders, charges in batches("priority", 60):
        fills = OrderBook(charges, price_levels=64).submit_many(*orders)
        for resting, side in ((fills.bid_id, BID), (fills.ask_id, ASK)):
            for taker in np.unique(fills.taker[resting != fills.taker]):
                mine = resting[(fills.taker == taker) & (resting != taker)]
                for pool in range(pools):
                    order = mine[orders.pool[mine] == pool]
                    rank = list(zip((-side * orders.price[order]).tolist(), order.tolist(), strict=True))
                    assert rank == sorted(rank)


def test_a_cheaper_landed_ask_is_never_passed_over():
    for _, _, orders, charges in batches("landed", 60):
        fills = OrderBook(charges, price_levels=64).submit_many(*orders)
        for taker in np.unique(fills.taker):
            mine = fills.taker == taker
            if orders.side[taker] == BID:
                landed = orders.price[fills.ask_id[mine]] + fills.charge[mine]
                assert (np.diff(landed) >= 0).all()
            else:
                assert (np.diff(orders.price[fills.bid_id[mine]] - fills.charge[mine]) <= 0).all()


def test_without_charges_pools_are_one_book():
    for _, pools, orders, _ in batches("pooled"):
        many = OrderBook(np.zeros((pools, pools), dtype=np.int64), price_levels=64)
        one = OrderBook(price_levels=64)
        assert equal(many.submit_many(*orders), one.submit_many(*orders._replace(pool=orders.pool * 0)))


def test_with_all_other_pairs_forbidden_pools_are_books_of_their_own():
    for _, pools, orders, _ in batches("apart"):
        charges = np.where(np.eye(pools, dtype=bool), 2, -1)
        fills = OrderBook(charges, price_levels=64).submit_many(*orders)
        for pool in range(pools):
            rows = np.flatnonzero(orders.pool == pool)
            own = Orders(*(column[rows] for column in orders))._replace(pool=np.zeros_like(rows))
            alone = OrderBook([[2]], price_levels=64).submit_many(*own)
            here = orders.pool[fills.taker] == pool
            back = alone._replace(
                bid_id=rows[alone.bid_id], ask_id=rows[alone.ask_id], taker=rows[alone.taker]
            )
            assert equal([column[here] for column in fills], back)


def test_pools_have_no_order():
    for rng, pools, orders, charges in batches("names"):
        turn = rng.permutation(pools)
        turned = np.empty_like(charges)
        turned[np.ix_(turn, turn)] = charges
        plain = OrderBook(charges, price_levels=64).submit_many(*orders)
        other = OrderBook(turned, price_levels=64).submit_many(*orders._replace(pool=turn[orders.pool]))
        assert equal(plain, other)


def test_buying_is_selling_in_a_mirror():
    for _, _, orders, charges in batches("mirror"):
        plain = OrderBook(charges, price_levels=64, pricing="resting").submit_many(*orders)
        mirrored = orders._replace(side=-orders.side, price=64 - orders.price)
        other = OrderBook(charges.T, price_levels=64, pricing="resting").submit_many(*mirrored)
        back = plain._replace(
            bid_id=plain.ask_id,
            ask_id=plain.bid_id,
            buyer=plain.seller,
            seller=plain.buyer,
            price=64 - plain.price - plain.charge,
        )
        assert equal(other, back)


def test_shifting_all_prices_shifts_the_tape():
    for rng, _, orders, charges in batches("shift", 60):
        by = int(rng.integers(1, 60_000))
        plain = OrderBook(charges, price_levels=64).submit_many(*orders)
        other = OrderBook(charges, price_levels=65_536).submit_many(*orders._replace(price=orders.price + by))
        assert equal(other, plain._replace(price=plain.price + by))
