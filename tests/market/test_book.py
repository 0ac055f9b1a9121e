import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from sunshare_sim.errors import OrderError
from sunshare_sim.market import ASK, BID, Events, Fill, Fills, Order, OrderBook
from sunshare_sim.market._ladder import lowest_bit
from sunshare_sim.market._layout import ORDER_FIELDS, TREED, USED
from sunshare_sim.market.book import CHUNK
from sunshare_sim.market.orders import CANCEL, EXPIRE, GTC, NEVER, REPLACE, SUBMIT
from sunshare_sim.streams import stream


def random_orders(seed, count, pools=1, low=1, high=4095):
    rng = stream(seed, "orders")
    side = rng.choice([BID, ASK], count)
    price = rng.integers(low, high + 1, count)
    return (
        rng.integers(0, 1 + count // 3, count),
        side,
        rng.integers(0, pools, count),
        price,
        rng.integers(1, 99, count),
    )


def everything(book):
    return (
        book.orders(),
        book._state.tolist(),
        book._family.tolist(),
        book._tops.tolist(),
        book._charges.tolist(),
    )


# Orders


def test_ids_count_from_zero_in_order_of_submission():
    book = OrderBook()
    assert [book.submit(0, BID, 0, 5, 1)[0] for _ in range(3)] == [0, 1, 2]


def test_fill_says_what_the_seller_gets_and_the_charge_on_top():
    book = OrderBook([[0, 7], [3, 0]])
    book.submit(4, ASK, 1, 10, 5)
    assert book.submit(5, BID, 0, 20, 3) == (1, [Fill(1, 0, 5, 4, 3, 10, 7)])
    assert book.order(0) == Order(0, 4, ASK, 1, 10, 2, 0, None)
    assert book.order(1) is None


@pytest.mark.parametrize(
    ("pricing", "bid_first", "ask_first"), [("ask", 10, 10), ("resting", 18, 10), ("midpoint", 14, 14)]
)
def test_price_rules(pricing, bid_first, ask_first):
    for first, second, expected in (((BID, 20), (ASK, 10), bid_first), ((ASK, 10), (BID, 20), ask_first)):
        book = OrderBook([[2]], pricing=pricing)
        book.submit(0, first[0], 0, first[1], 1)
        (fill,) = book.submit(1, second[0], 0, second[1], 1)[1]
        assert (fill.price, fill.charge) == (expected, 2)


def test_immediate_or_cancel_leaves_nothing():
    book = OrderBook()
    book.submit(0, ASK, 0, 10, 2)
    assert book.submit(1, BID, 0, 10, 5, tif="IOC")[1] == [Fill(1, 0, 1, 0, 2, 10, 0)]
    assert len(book) == 0


def test_fill_or_kill_counts_neither_own_orders_nor_unaffordable_ones():
    book = OrderBook([[0, 1], [1, 0]])
    book.submit(0, ASK, 0, 10, 2)
    book.submit(1, ASK, 1, 9, 2)
    book.submit(2, ASK, 1, 10, 9)
    before = book.orders()
    assert book.submit(1, BID, 0, 10, 3, tif="FOK")[1] == []
    assert book.submit(5, BID, 0, 10, 5, tif="FOK")[1] == []
    assert book.orders() == before
    fills = book.submit(5, BID, 0, 10, 4, tif="FOK")[1]
    assert [(fill.ask_id, fill.quantity) for fill in fills] == [(0, 2), (1, 2)]


def test_own_order_is_cancelled_and_matching_goes_on():
    book = OrderBook()
    book.submit(7, ASK, 0, 9, 4)
    book.submit(8, ASK, 0, 10, 4)
    assert book.submit(7, BID, 0, 10, 3)[1] == [Fill(2, 1, 7, 8, 3, 10, 0)]
    assert [order.id for order in book.orders()] == [1]


def test_cancel_knows_never_from_no_longer():
    book = OrderBook()
    book.submit(0, BID, 0, 5, 1)
    assert book.cancel(0) is True
    assert book.cancel(0) is False
    for unknown in (1, -1):
        with pytest.raises(OrderError, match="order_id"):
            book.cancel(unknown)
        with pytest.raises(OrderError, match="order_id"):
            book.order(unknown)


def test_replace_keeps_or_loses_the_place_in_the_queue():
    book = OrderBook()
    for owner in range(3):
        book.submit(owner, ASK, 0, 10, 5)
    assert book.replace(0, quantity=3) == (0, [])
    assert book.replace(1, quantity=6) == (1, [])
    assert book.replace(0, price=10) == (0, [])
    fills = book.submit(9, BID, 0, 10, 14)[1]
    assert [(fill.ask_id, fill.quantity) for fill in fills] == [(0, 3), (2, 5), (1, 6)]


def test_replace_may_trade_and_keeps_its_id():
    book = OrderBook()
    book.submit(0, ASK, 0, 10, 5)
    book.submit(1, BID, 0, 8, 2)
    assert book.replace(1, price=11, quantity=7) == (1, [Fill(1, 0, 1, 0, 5, 10, 0)])
    assert book.order(1).quantity == 2
    assert book.submit(2, BID, 0, 1, 1)[0] == 2
    assert book.replace(0, price=3) == (0, [])  # gone, and stays gone


def test_expire_removes_what_ends_at_now_or_before():
    book = OrderBook()
    for expiry in (5, 6, 7, None):
        book.submit(0, BID, 0, 5, 1, expiry=expiry)
    assert [book.expire(now) for now in (4, 6, 6, 2**62)] == [0, 2, 0, 1]
    assert [order.id for order in book.orders()] == [3]


# Rules that change


def test_cheaper_charges_match_the_highest_surplus_first():
    book = OrderBook([[-1, -1], [-1, -1]])
    book.submit(0, BID, 0, 20, 1)
    book.submit(1, BID, 1, 22, 1)
    book.submit(2, ASK, 0, 10, 1)
    book.submit(3, ASK, 1, 11, 1)
    assert book.set_charges([[5, 1], [0, -1]]) == [Fill(1, 2, 1, 2, 1, 10, 0), Fill(0, 3, 0, 3, 1, 11, 1)]


def test_sweep_takes_the_later_order_as_the_incoming_one():
    book = OrderBook([[-1]], pricing="resting")
    book.submit(0, BID, 0, 20, 1)
    book.submit(1, ASK, 0, 10, 2)
    book.submit(2, BID, 0, 15, 1)
    assert [fill.price for fill in book.set_charges([[3]])] == [17, 10]


def test_sweep_cancels_the_earlier_of_two_own_orders():
    book = OrderBook([[-1]])
    book.submit(0, BID, 0, 20, 1)
    book.submit(0, ASK, 0, 10, 2)
    book.submit(1, BID, 0, 12, 1)
    assert book.set_charges([[0]]) == [Fill(2, 1, 1, 0, 1, 10, 0)]
    assert [(order.id, order.quantity) for order in book.orders()] == [(1, 1)]


def test_capacity_of_a_pair_is_used_up_and_renewed_each_slot():
    book = OrderBook([[0, 0], [0, 0]], capacity=[[-1, 3], [-1, -1]])
    book.submit(0, ASK, 1, 10, 10)
    assert [fill.quantity for fill in book.submit(1, BID, 0, 10, 5)[1]] == [3]
    assert book.charges.tolist() == [[0, -1], [0, 0]]
    assert book.submit(1, BID, 0, 10, 1, tif="FOK")[1] == []
    assert [fill.quantity for fill in book.start_slot()] == [2]
    assert book.submit(1, BID, 0, 10, 2, tif="FOK")[1] == []
    assert [fill.quantity for fill in book.submit(1, BID, 0, 10, 1, tif="FOK")[1]] == [1]


def test_capacity_may_come_later_and_clear_renews_it():
    book = OrderBook([[0, 0], [0, 0]])
    assert book.start_slot(capacity=[[0, 1], [1, 0]]) == []
    for _ in range(2):
        book.submit(0, ASK, 0, 10, 5)
        assert book.submit(1, BID, 0, 10, 5)[1] == []
        assert [fill.quantity for fill in book.submit(1, BID, 1, 10, 5)[1]] == [1]
        book.clear()


def test_buffer_holds_all_fills_when_capacity_comes_late():
    book = OrderBook([[0, 0], [0, 0]])
    book.start_slot(capacity=[[1, 1], [1, 1]])
    book.start_slot(capacity=[[-1, 1], [1, -1]])
    while book._scalars[USED] < len(book._orders):
        book.submit(0, ASK, len(book) % 2, 10, 3)
        assert len(book._fills) >= len(book._orders) // ORDER_FIELDS + 4


def test_rate_limit_rejects_counts_and_is_renewed():
    book = OrderBook(rate_limit=2)
    assert [book.submit(3, BID, 0, 5, 1)[0] for _ in range(3)] == [0, 1, 2]
    assert book.replace(0, price=6) == (0, [])
    assert (len(book), book.rejected, book.rejected_by_owner) == (2, 2, {3: 2})
    assert book.order(0).price == 5
    book.submit_many(np.full(3, 4), np.full(3, BID), np.zeros(3, int), np.full(3, 5), np.ones(3, int))
    assert (len(book), book.rejected) == (4, 3)
    assert book.start_slot() == []
    assert (book.submit(3, BID, 0, 5, 1)[0], len(book), book.rejected_by_owner) == (6, 5, {})
    with pytest.raises(OrderError, match="owner"):
        book.submit(-1, BID, 0, 5, 1)


# Batches


@pytest.mark.parametrize("pools", [1, 5])
def test_batch_equals_one_by_one_wherever_it_is_split(pools):
    charges = stream(0, "c").integers(-1, 9, (pools, pools))
    orders = random_orders(1, 3 * CHUNK // 2, pools, 990, 1010)
    one, many, split = (OrderBook(charges) for _ in range(3))
    expected = [
        (*fill, taker)
        for taker, order in enumerate(zip(*(column.tolist() for column in orders), strict=True))
        for fill in one.submit(*order)[1]
    ]
    fills = many.submit_many(*orders)
    assert list(zip(*(column.tolist() for column in fills), strict=True)) == expected
    cut = CHUNK // 3
    parts = [split.submit_many(*(c[:cut] for c in orders)), split.submit_many(*(c[cut:] for c in orders))]
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    assert all(np.array_equal(a, b) for a, b in zip(joined[:-1], fills[:-1], strict=True))
    assert one.orders() == many.orders() == split.orders()


def test_batch_takes_time_in_force_and_expiry_for_all_or_each():
    book = OrderBook()
    columns = [0, 1, 2], [ASK, BID, BID], [0, 0, 0], [5, 4, 5], [1, 1, 9]
    book.submit_many(*columns, tif=["GTC", "FOK", "IOC"], expiry=[3, 4, 5])
    assert len(book) == 0
    assert book.submit_many(*columns, expiry=7).taker.tolist() == [2]
    assert [order.expiry for order in book.orders()] == [7, 7]


def test_fills_are_the_callers_own():
    book = OrderBook()
    first = book.submit_many([0, 1], [ASK, BID], [0, 0], [5, 5], [1, 1])
    kept = [column.copy() for column in first]
    book.submit_many([2, 3], [ASK, BID], [0, 0], [9, 9], [4, 4])
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))
    assert first.count == 1
    assert Fills.empty().count == book.submit_many([], [], [], [], []).count == 0


def test_process_takes_a_recorded_stream():
    rows = [
        (SUBMIT, 0, 1, ASK, 0, 10, 5, GTC, 9),
        (REPLACE, 0, 0, 0, 0, 8, 0, GTC, 0),
        (SUBMIT, 0, 2, BID, 0, 8, 2, GTC, NEVER),
        (CANCEL, 1, 0, 0, 0, 0, 0, GTC, 0),
        (EXPIRE, 0, 0, 0, 0, 0, 0, GTC, 9),
    ]
    book = OrderBook()
    fills = book.process(Events(*np.array(rows).T))
    assert [column.tolist() for column in fills] == [[1], [0], [2], [1], [2], [8], [0], [2]]
    assert len(book) == 0


# What can be seen


def test_depth_and_best_by_pool_and_over_all():
    book = OrderBook([[0, 5], [5, 0]])
    for pool, price in ((0, 10), (1, 12), (0, 10), (0, 9)):
        book.submit(0, BID, pool, price, 2)
    book.submit(1, ASK, 0, 15, 1)
    book.submit(1, ASK, 1, 14, 3)
    assert book.depth().to_dict("list") == {
        "side": [1, 1, 1, -1, -1],
        "price": [12, 10, 9, 14, 15],
        "quantity": [2, 4, 2, 3, 1],
        "orders": [1, 2, 1, 1, 1],
    }
    assert book.depth(1)["price"].tolist() == [12, 14]
    assert (book.best_bid(0), book.best_bid(1), book.best_bid()) == (10, 12, 12)
    assert (book.best_ask(0), book.best_ask(1), book.best_ask()) == (15, 14, 14)
    book.clear()
    assert (len(book), book.best_bid(0), book.best_ask(), len(book.depth()), len(book.depth(0))) == (
        0,
        None,
        None,
        0,
        0,
    )


def test_replay_is_a_public_tape_in_order_of_time():
    rows = [
        (SUBMIT, 0, 1, ASK, 0, 10, 5, GTC, NEVER),
        (SUBMIT, 0, 2, BID, 0, 12, 7, GTC, NEVER),
        (CANCEL, 1, 0, 0, 0, 0, 0, GTC, 0),
    ]
    tape = OrderBook().replay(Events(*np.array(rows).T))
    assert tape["event"].tolist() == [0, 1, 1, 2]
    assert tape["kind"].tolist() == ["quote", "quote", "trade", "cancel"]
    assert tape["price"].fillna(-1).tolist() == [10, 12, 10, 12]
    assert tape["quantity"].fillna(-1).tolist() == [5, 7, 5, 2]  # what the cancel withdrew
    assert tape["best_bid"].fillna(-1).tolist() == [-1, 12, 12, -1]
    assert tape["best_ask"].fillna(-1).tolist() == [10, -1, -1, -1]
    assert "owner" not in tape


def test_replay_tells_what_happened_and_nothing_else():
    rows = [
        (SUBMIT, 0, 1, ASK, 0, 10, 5, GTC, NEVER),
        (SUBMIT, 0, 1, ASK, 0, 9, 5, GTC, NEVER),  # the owner's second quote is beyond its rate
        (REPLACE, 0, 0, 0, 0, 15, 0, GTC, 0),  # and so is this
        (SUBMIT, 0, 2, BID, 0, 8, 3, GTC, NEVER),
        (CANCEL, 1, 0, 0, 0, 0, 0, GTC, 0),  # of an order that never came in
        (EXPIRE, 0, 0, 0, 0, 0, 0, GTC, 5),
    ]
    tape = OrderBook(rate_limit=1).replay(Events(*np.array(rows).T))
    assert tape["event"].tolist() == [0, 3, 5]
    free = OrderBook().replay(Events(*np.array(rows).T))
    assert free["event"].tolist() == [0, 1, 2, 3, 4, 5]
    assert free.loc[2, ["kind", "side", "pool", "price", "quantity"]].tolist() == ["replace", ASK, 0, 15, 5]
    assert free.loc[4, ["kind", "price", "quantity", "best_ask"]].tolist() == ["cancel", 9, 5, 15]


def test_replay_checks_all_before_the_first():
    book = OrderBook()
    rows = [(SUBMIT, 0, 1, ASK, 0, 10, 5, GTC, NEVER), (CANCEL, 7, 0, 0, 0, 0, 0, GTC, 0)]
    with pytest.raises(OrderError, match="row 1: order_id"):
        book.replay(Events(*np.array(rows).T))
    with pytest.raises(OrderError, match="no recorded stream"):
        book.replay(None)
    assert len(book) == 0


def test_rate_counts_the_owners_of_orders_whatever_stands_in_other_rows():
    submit = (SUBMIT, 0, 3, BID, 0, 12, 1, GTC, NEVER)
    rows = [
        submit,
        submit,
        (CANCEL, 1, 2**40, 0, 0, 0, 0, GTC, 0),
        (EXPIRE, 0, 2**24 - 1, 0, 0, 0, 0, GTC, 0),
    ]
    book = OrderBook(rate_limit=1)
    book.process(Events(*np.array(rows).T))
    assert (book.rejected, book.rejected_by_owner) == (1, {3: 1})
    assert book._sent.size < 100


def test_what_has_no_expiry_never_expires():
    book = OrderBook()
    book.submit(0, BID, 0, 10, 5)
    book.submit(0, BID, 0, 10, 5, expiry=2**63 - 2)
    assert book.expire(2**63 - 1) == 1
    assert book.order(0) is not None


# Size


def test_ids_stay_known_through_compactions():
    book = OrderBook()
    kept = [book.submit(0, BID, 0, 1 + i % 50, 1)[0] for i in range(20)]
    for _ in range(4000):
        order_id, _ = book.submit(1, ASK, 0, 3000, 1)
        book.cancel(order_id)
    assert [book.order(i).price for i in kept] == [1 + i % 50 for i in range(20)]
    assert book.order(order_id) is None
    assert all(book.cancel(i) for i in kept[::2])
    assert [order.id for order in book.orders()] == kept[1::2]


def test_memory_follows_what_rests_not_what_was_sent():
    book = OrderBook()
    orders = random_orders(2, 1000, low=2000, high=2100)
    for _ in range(30):
        book.clear()
        book.submit_many(*orders)
    size = book._orders.size + book._fills.size
    for _ in range(60):
        book.clear()
        book.submit_many(*orders)
    assert book._orders.size + book._fills.size == size
    book.clear()
    ones, sizes = np.ones(1000, dtype=np.int64), []
    for _ in range(100):  # without clear: everything is taken at once
        book.submit_many(ones, ones * ASK, ones * 0, ones * 5, ones)
        book.submit_many(ones * 2, ones * BID, ones * 0, ones * 5, ones)
        sizes.append(book._orders.size + book._fills.size)
    assert sizes[5:] == sizes[5:6] * 95


def test_cleared_book_is_as_new():
    used, new = OrderBook([[0, 3], [2, 0]]), OrderBook([[0, 3], [2, 0]])
    used.submit_many(*random_orders(3, 3000, 2, 2000, 2060), expiry=9)
    used.clear()
    orders = random_orders(4, 3000, 2, 2000, 2060)
    assert all(
        np.array_equal(a, b) for a, b in zip(used.submit_many(*orders), new.submit_many(*orders), strict=True)
    )
    assert everything(used) == everything(new)
    assert used.expire(10) == 0


@pytest.mark.parametrize("levels", [2, 3, 33, 1025, 65_536, 1 << 20])
def test_any_number_of_price_levels(levels):
    book = OrderBook(price_levels=levels)
    top = levels - 1
    book.submit(0, BID, 0, 1, 1)
    book.submit(1, ASK, 0, top, 2)
    expected = [(top, 1)] if top == 1 else []
    assert [(fill.price, fill.quantity) for fill in book.submit(2, BID, 0, top - 1 or 1, 3)[1]] == expected
    assert book.best_bid() == (top - 1 or 1)
    for price in (0, levels):
        with pytest.raises(OrderError, match="price"):
            book.submit(0, BID, 0, price, 1)


def test_next_best_is_found_across_the_whole_ladder():
    levels = 1 << 18
    prices = np.unique(stream(5, "prices").integers(1, levels, 3000))
    book = OrderBook(price_levels=levels)
    for side, order in ((ASK, prices), (BID, prices[::-1])):
        book.clear()
        shuffled = stream(6, "shuffle").permutation(prices)
        ones = np.ones(len(prices), dtype=np.int64)
        book.submit_many(ones, ones * side, ones * 0, shuffled, ones)
        take = np.full(len(prices), levels - 1 if side == ASK else 1)
        fills = book.submit_many(ones * 2, -ones * side, ones * 0, take, ones)
        resting = fills.ask_id if side == ASK else fills.bid_id
        assert np.array_equal(shuffled[resting], order)
        assert len(book) == 0


@pytest.mark.parametrize(
    "sizes", [(1, 4, 16), (1, 1, 1), (96, 96, 1), (30, 30, 30)]
)  # deep, flat, in three zones
def test_tree_tariff_over_many_pools_gives_the_tape_of_the_full_search(sizes, monkeypatch):
    number = np.arange(96)
    charges = 5 * sum((number[:, None] // size != number // size).astype(int) for size in sizes)
    orders = random_orders(7, 6000, 96, 2000, 2060)
    tree = OrderBook(charges)
    for _ in range(2):
        tree.clear()
        fills = tree.submit_many(*orders, expiry=3)
    changed = np.where(charges == 15, -1, charges)
    after = tree.set_charges(changed), tree.submit_many(*orders), tree.expire(3), tree.submit_many(*orders)
    monkeypatch.setattr("sunshare_sim.market.book.TREE_FROM", 1000)
    full = OrderBook(charges)
    assert (tree._state[TREED], full._state[TREED]) == (1, 0)
    assert all(np.array_equal(a, b) for a, b in zip(full.submit_many(*orders, expiry=3), fills, strict=True))
    assert full.set_charges(changed) == after[0]
    assert all(np.array_equal(a, b) for a, b in zip(full.submit_many(*orders), after[1], strict=True))
    assert full.expire(3) == after[2] > 0
    assert all(np.array_equal(a, b) for a, b in zip(full.submit_many(*orders), after[3], strict=True))


@pytest.mark.parametrize(
    "charges",
    [
        [[0, 1, 2], [1, 0, 1], [2, 1, 0]],  # a line: near and far from the middle
        [[0, 1, 1], [2, 0, 1], [1, 1, 0]],  # there is dearer than back
        [[0, 3, 3], [3, 1, 3], [3, 3, 0]],  # one pool charges for itself
    ],
)
def test_what_is_no_tree_is_not_taken_for_one(charges, monkeypatch):
    monkeypatch.setattr("sunshare_sim.market.book.TREE_FROM", 1)
    assert OrderBook(charges)._state[TREED] == 0
    assert OrderBook([[0, 1, 2], [1, 0, 2], [2, 2, 0]])._state[TREED] == 1


# Compiled or not

SCRIPT = """
import pickle, sys
from sunshare_sim.streams import stream
from tests.properties.test_book_properties import at_rest, random_stream, send
from sunshare_sim.market import OrderBook
tape = []
for number in range(40):
    levels, rules, messages = random_stream(stream(number, "jit"))
    book = OrderBook(price_levels=levels, **rules)
    tape.append(([send(book, message) for message in messages], at_rest(book)))
pickle.dump(tape, sys.stdout.buffer)
"""


def test_plain_python_gives_the_same_tape():
    tapes = []
    for disabled in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        result = subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603
        tapes.append(pickle.loads(result.stdout))  # noqa: S301 -- written above
    assert tapes[0] == tapes[1]
    assert (
        sum(
            len(fills)
            for results, _ in tapes[0]
            for *_, fills in [r for r in results if isinstance(r, tuple)]
        )
        > 50
    )


def test_bit_positions_are_right():
    assert [lowest_bit(1 << i | 1 << 31) for i in range(32)] == list(range(32))
