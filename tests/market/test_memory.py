"""The order book's memory: where it starts, whose it is, and what a compaction finds in it."""

import numpy as np
import pytest

from sunshare_sim.market import ASK, BID, Events, OrderBook
from sunshare_sim.market._layout import FAR, LIVE, ORDER_FIELDS, QUANTITY, USED
from sunshare_sim.market._memory import is_lent, room_for_fills, room_for_orders
from sunshare_sim.market._upkeep import _living
from sunshare_sim.market.orders import CANCEL, GTC, NEVER, SUBMIT
from sunshare_sim.streams import stream

LINE_BYTES = 64
MANY = 70_000  # orders in one batch: more than the buffer holds that is kept for small ones


def pairs(count, owner=0):
    """Orders of which each second one takes the one before."""
    number = np.arange(count)
    ones = np.ones(count, dtype=np.int64)
    return owner + number, np.where(number % 2, BID, ASK), ones * 0, ones * 5, ones + owner


@pytest.mark.parametrize("count", [1, 2, 3, 100, 70_001])
def test_orders_and_fills_start_on_a_line_of_the_cache(count):
    for array in (room_for_orders(count), room_for_fills(count)):
        assert array.ctypes.data % LINE_BYTES == 0
        assert array.flags.c_contiguous
        assert array.size * array.itemsize == count * LINE_BYTES


def test_memory_is_lent_as_long_as_somebody_looks_at_it():
    fills = room_for_fills(10)
    assert not is_lent(fills)
    column = fills[:3].T[2]
    assert is_lent(fills)
    part = column[1:]
    del column
    assert is_lent(fills)
    del part
    assert not is_lent(fills)


def test_fills_of_a_large_batch_are_the_callers_own_as_long_as_it_keeps_one_of_them():
    book = OrderBook()
    first = book.submit_many(*pairs(MANY))
    assert np.shares_memory(first.price, book._lent)
    kept, quantity = [column.copy() for column in first], first.quantity
    second = book.submit_many(*pairs(MANY, owner=7))
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))
    del first, second
    third = book.submit_many(*pairs(MANY, owner=9))
    assert np.array_equal(quantity, kept[4])
    assert (third.quantity == 10).all()


def test_memory_of_a_large_batch_is_used_again_once_nobody_looks_at_it():
    book = OrderBook()
    book.submit_many(*pairs(MANY))
    where = book._lent.ctypes.data
    book.submit_many(*pairs(MANY))
    assert book._lent.ctypes.data == where


@pytest.mark.parametrize("far", [-1, NEVER])
@pytest.mark.parametrize("left", [1, 0.3, 0.01, 0])
def test_compaction_finds_the_living_however_few(far, left):
    count, rng = 5_000, stream(1, "living", str(left))
    ones, side = np.ones(count, dtype=np.int64), rng.choice([BID, ASK], count)
    price = 1000 - side * rng.integers(1, 40, count)
    book = OrderBook(price_levels=2000)
    book._state[FAR] = far
    book.submit_many(ones, side, ones * 0, price, ones)
    gone = np.flatnonzero(rng.random(count) >= left)
    some = np.zeros(len(gone), dtype=np.int64)
    book.process(Events(some + CANCEL, gone, *[some] * 5, some + GTC, some + NEVER))
    rows = book._orders[: book._state[USED]].reshape(-1, ORDER_FIELDS)
    living = _living(book._state, book._orders, book._queues, book._bits, book._tops)
    assert living.size == book._state[LIVE] == count - len(gone)
    assert np.array_equal(living, ORDER_FIELDS * (1 + np.flatnonzero(rows[1:, QUANTITY] > 0)))


def test_a_book_that_outgrows_the_cache_gives_the_tape_of_one_that_does_not():
    """Batches of all kinds of messages on 40 000 orders at rest, across the limit and back."""
    books = OrderBook(price_levels=2000), OrderBook(price_levels=2000)
    books[1]._state[FAR] = NEVER
    rng, ids = stream(2, "far"), 0
    for resting in (40_000, 60_000, 20_000, 50_000):
        side = rng.choice([BID, ASK], resting)
        price = 1000 - side * rng.integers(-3, 60, resting)
        kind = np.where(rng.random(resting) < 0.3, CANCEL, SUBMIT)
        kind[:10] = SUBMIT
        ids += 10
        some = np.ones(resting, dtype=np.int64)
        columns = some * 0, side, some * 0, price, rng.integers(1, 9, resting), some * GTC, some * NEVER
        events = Events(kind, rng.integers(0, ids, resting), np.arange(resting), *columns[1:])
        ids += int((kind[10:] == SUBMIT).sum())
        one, other = (book.process(events) for book in books)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert books[0].orders() == books[1].orders()
    assert len(books[0]) > books[0]._state[FAR]
