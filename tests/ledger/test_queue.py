"""Settlement apart from trading: nothing is lost on the way, and when a block is made changes no outcome."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.billing import Accumulators, bill_slot
from sunshare_sim.ledger.chain import Chain, receipts_array
from sunshare_sim.ledger.gas import metering_gas, settled_gas
from sunshare_sim.ledger.queue import PENDING, SettlementQueue, SlotTrades, Timetable
from sunshare_sim.ledger.settlement import Ledger, Trades

HOMES, SLOT_MS, PRICES = 4, 900_000, (400_000, 80_000)
home = st.integers(0, HOMES - 1)
trade = st.tuples(home, home, st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**5))
net = st.lists(st.integers(-(10**6), 10**6), min_size=HOMES, max_size=HOMES)
slots = st.lists(st.tuples(net, st.lists(trade, max_size=6)), min_size=1, max_size=7)
timetables = st.builds(
    Timetable, st.integers(1, 4), st.sampled_from([1, 400, 7_000, SLOT_MS, 5 * SLOT_MS]), st.integers(0, 4)
)


def columns(rows):
    return Trades(*np.array(rows, dtype=np.int64).reshape(-1, 5).T.copy())


def agreed(number, metered, rows):
    return SlotTrades(
        number, (number + 1) * SLOT_MS, np.array(metered, dtype=np.int64), PRICES, columns(rows)
    )


def funded():
    ledger = Ledger(HOMES)
    for row in range(HOMES):
        ledger.fund(row, 600_000)
    return ledger


def waiting(timetable=None, audit="trade"):
    return SettlementQueue(funded(), Accumulators.zeros(HOMES), Chain("run", audit=audit), timetable)


def run(queue, story):
    """Trade slot by slot while blocks are made in between; return all slots and all blocks."""
    traded, blocks, due = [], [], []

    def blocks_before(end_ms):
        while queue.busy:
            if not due:
                due.append(
                    queue.next_block_ms(
                        max([t.traded_ms for t in traded] + [b.block.time_ms for b in blocks])
                    )
                )
            if due[0] >= end_ms:
                return
            made = queue.make_block(due[0])
            if made is not None:
                blocks.append(made)
            due[:] = [queue.next_block_ms(due[0])] if queue.busy else []

    for number, (metered, rows) in enumerate(story):
        blocks_before((number + 1) * SLOT_MS)
        traded.append(agreed(number, metered, rows))
        queue.put(traded[-1], last=number == len(story) - 1)
    blocks_before(10**15)
    return traded, blocks


def at_once(story):
    """Settle each slot when it ends."""
    ledger, sums, statuses = funded(), Accumulators.zeros(HOMES), []
    for number, (metered, rows) in enumerate(story):
        values, trades = np.array(metered, dtype=np.int64), columns(rows)
        ledger.register_injections(number, np.maximum(-values, 0))
        statuses.append(ledger.settle_batch(ledger.oracle, trades))
        bill_slot(sums, values, trades, statuses[-1], PRICES)
        ledger.deliver(values)
    return ledger, sums, statuses


@given(slots, timetables)
def test_when_a_block_is_made_changes_no_outcome(story, timetable):
    queue = waiting(timetable)
    traded, blocks = run(queue, story)
    ledger, sums, statuses = at_once(story)
    assert queue.pending == 0
    assert queue.waiting == ()
    assert [each.status.tolist() for each in traded] == [each.tolist() for each in statuses]
    assert queue.ledger.cash.tolist() == ledger.cash.tolist()
    assert [c.tolist() for c in queue.bills[2:]] == [c.tolist() for c in sums[2:]]
    # Blocks hold all receipts in order, never more than they may, at multiples of the interval, none before its trades.
    expected = [receipts_array(n, each.trades, each.status) for n, each in enumerate(traded)]
    assert np.concatenate([b.receipts for b in blocks]).tolist() == np.concatenate(expected).tolist()
    times = [each.block.time_ms for each in blocks]
    assert all(time % timetable.interval_ms == 0 for time in times)
    assert all(a < b for a, b in pairwise(times))
    assert all(each.block.trades <= (timetable.trades or 100) for each in blocks)
    for each in traded:
        assert (each.latency_ms > 0).all()
        for number, latency in zip(each.block.tolist(), each.latency_ms.tolist(), strict=True):
            assert blocks[number].block.time_ms == each.traded_ms + latency
    assert sorted(s.slot for b in blocks for s in b.finished) == list(range(len(story)))
    assert all(b.block.slot <= len(story) - 1 for b in blocks)


def test_a_backlog_reaches_beyond_the_slot():
    """Five trades, one a block, a block each 10 minutes: the last one waits 50 minutes, over three slots' ends."""
    queue = waiting(Timetable(1, 600_000, 1))
    surplus, rows = [-(10**6), 10**6, 0, 0], [(1, 0, 1000, 1000, 0)] * 5
    traded, blocks = run(queue, [(surplus, rows), (surplus, []), (surplus, rows[:1]), (surplus, [])])
    assert traded[0].latency_ms.tolist() == [300_000, 900_000, 1_500_000, 2_100_000, 2_700_000]
    assert traded[2].block.tolist() == [5]
    assert traded[2].latency_ms.tolist() == [4_200_000 - 2_700_000]
    # A block takes the readings of all slots that ended before it, though the trades of the first still wait.
    assert [b.block.slot for b in blocks][:5] == [0, 0, 1, 2, 2]
    assert [[s.slot for s in b.finished] for b in blocks] == [[], [], [], [], [0, 1], [2, 3]]


def test_a_trade_is_pending_until_its_block():
    queue = waiting(Timetable(2))
    first = agreed(0, [-5000, 5000, 0, 0], [(1, 0, 5000, 10**5, 0)])
    queue.put(first)
    assert first.status.tolist() == [PENDING]
    assert (queue.pending, queue.busy, queue.make_block(10**9)) == (1, False, None)
    queue.put(agreed(1, [0] * 4, []))
    assert queue.busy
    assert queue.make_block(2 * SLOT_MS) is None  # agreed at that very moment: too late for this block
    made = queue.make_block(2 * SLOT_MS + 400)
    assert (first.status.tolist(), first.block.tolist(), first.latency_ms.tolist()) == (
        [0],
        [0],
        [SLOT_MS + 400],
    )
    assert (made.block.trades, made.latency_ms, [s.settled.trades for s in made.finished]) == (
        1,
        SLOT_MS + 400,
        [1, 0],
    )
    assert queue.waiting == ()


def test_without_audit_outcomes_are_the_same_and_nothing_is_hashed():
    story = [([-5000, 5000, 0, 0], [(1, 0, 5000, 10**5, 0), (1, 0, 5000, 10**5, 0)])]
    (with_hash,), hashed = run(waiting(), story)
    (without,), bare = run(waiting(audit="none"), story)
    assert without.status.tolist() == with_hash.status.tolist() == [0, 2]
    assert [b.block.trades for b in bare] == [b.block.trades for b in hashed]
    assert bare[0].block.header_hash == b""


@pytest.mark.parametrize("bad", [Timetable(0), Timetable(1, 0), Timetable(1, 400, -1)])
def test_an_impossible_timetable_is_refused(bad):
    with pytest.raises(LedgerError, match="settlement: not a block interval"):
        waiting(bad)


def test_the_gas_of_a_block_is_of_its_trades_and_readings():
    queue = waiting()
    story = agreed(
        0, [-5000, 3000, 2000, -1], [(1, 0, 3000, 10**5, 0), (2, 0, 2000, 10**5, 0), (2, 0, 2000, 10**5, 0)]
    )
    queue.put(story)
    before = queue.ledger.cash.copy(), np.array([5000, 0, 0, 1, 0, 0, 0, 0])
    made = queue.make_block(10**9)
    assert story.status.tolist() == [0, 0, 2]
    assert made.gas == settled_gas(before, story.trades, story.status)
    # Homes 0 and 3 injected; homes 1, 2 and 3 hold credits when the slot is delivered.
    assert made.metering_gas == metering_gas(2, 3)
