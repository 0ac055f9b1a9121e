"""The order book against its slow twin on random streams, and the laws any stream of orders must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.market import ASK, BID, Events, OrderBook, Orders
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


def random_stream(rng):
    """One stream: few prices, few owners, small quantities, so that ties and self-trades are common."""
    pools = int(rng.choice([1, 1, 2, 3, 5, 12]))
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
    kinds = rng.choice(6, size=int(rng.integers(5, 50)), p=weights)
    messages, ids = [], 0
    for now, kind in enumerate(kinds.tolist()):
        if kind == 0 or ids == 0:
            tif = TIMES[int(rng.choice(3, p=[0.8, 0.1, 0.1]))]
            expiry = now + int(rng.integers(1, 20)) if rng.random() < 0.3 else None
            side = ASK if rng.random() < 0.5 else BID
            place = int(rng.integers(owners)), side, int(rng.integers(pools))
            messages.append(("submit", *place, random_price(rng, levels), int(rng.integers(1, 9)), tif, expiry))
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


def rows_of(fills):
    return list(zip(*(column.tolist() for column in fills), strict=True))


def assert_uncrossed(book):
    charges = book.charges
    for buying, selling in np.argwhere(charges >= 0).tolist():
        bid, ask = book.best_bid(buying), book.best_ask(selling)
        if bid is not None and ask is not None:
            assert bid - charges[buying, selling] < ask


def compare(levels, rules, messages):
    """Send the same messages to the book, one by one and in batches, and to the twin; all must agree at every step."""
    book, batched = OrderBook(price_levels=levels, **rules), OrderBook(price_levels=levels, **rules)
    twin = ReferenceBook(**rules)
    batch, expected = [], []

    def flush():
        fills = batched.process(as_events(batch))
        assert rows_of(fills) == expected
        batch.clear()
        expected.clear()

    for message in messages:
        result = send(book, message)
        assert result == send(twin, message), message
        assert len(book) == len(twin.orders)
        assert_uncrossed(book)
        if message[0] in {"charges", "slot"}:
            flush()
            assert send(batched, message) == result
        else:
            if message[0] in {"submit", "replace"}:
                expected.extend((*fill, len(batch)) for fill in result[1])
            batch.append(message)
    flush()
    assert at_rest(book) == at_rest(twin) == at_rest(batched)
    assert book.rejected == twin.rejected == batched.rejected


def test_equals_the_slow_twin_on_thousands_of_streams():
    for number in range(STREAMS):
        compare(*random_stream(stream(number, "book")))


@pytest.mark.long
def test_equals_the_slow_twin_on_very_many_streams():
    for number in range(LONG_STREAMS):
        compare(*random_stream(stream(number, "book-long")))


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_equals_the_slow_twin_wherever_hypothesis_looks(seed):
    compare(*random_stream(stream(seed, "book-hypothesis")))
