"""Whatever is asked of the ledger: batch = one by one = dictionaries, and nothing appears or vanishes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.ledger.audit import verify_chain
from sunshare_sim.ledger.billing import (
    Accumulators,
    Bills,
    RetailParts,
    bill_slot,
    counterparties,
    make_bills,
)
from sunshare_sim.ledger.chain import Chain, receipts_array
from sunshare_sim.ledger.settlement import REASONS, Ledger, Reverted, Trades
from tests.reference import ledger as reference

MAX = 2**63 - 1
HOMES = 4
home = st.integers(0, HOMES - 1)
# Small numbers make failures and successes alternate; the large ones reach the edge of int64.
energy = st.one_of(st.integers(1, 9), st.integers(1, 3 * 10**6), st.integers(1, MAX))
price = st.one_of(st.integers(0, 9), st.integers(0, 2 * 10**6), st.integers(0, MAX))
trade = st.tuples(home, home, energy, price, price)
modest_trade = st.tuples(home, home, st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**5))
share = st.one_of(st.integers(0, 5 * 10**6), st.integers(0, MAX // HOMES))
retail_parts = st.builds(
    RetailParts, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**8)
)


def columns(rows):
    return Trades(*np.array(rows, dtype=np.int64).reshape(-1, 5).T.copy())


def funded(cash, stock):
    ledger = Ledger(HOMES)
    for account, amount in enumerate(cash):
        if amount:
            ledger.fund(account, amount)
    ledger.register_injections(0, np.array(stock, dtype=np.int64))
    return ledger


def one_by_one(ledger, rows):
    """Settle by the scalar path with costs in unbounded integers; return each trade's reason."""
    for buyer, seller, amount, ask, charge in rows:
        cost, wheeling = reference.pay(amount, ask), reference.pay(amount, charge)
        try:
            event = ledger.settle_trade(ledger.oracle, buyer, seller, amount, cost, wheeling=wheeling)
        except Reverted as failure:
            yield failure.reason
        else:
            assert event == (buyer, seller, amount, cost, wheeling)
            yield ""


balances = st.lists(share, min_size=HOMES, max_size=HOMES)


@given(balances, balances, st.lists(trade, max_size=30))
def test_batch_equals_one_by_one_equals_dictionaries(cash, stock, rows):
    batch, scalar = funded(cash, stock), funded(cash, stock)
    twin = reference.ReferenceLedger(HOMES)
    twin.cash.update(enumerate(cash))
    twin.credits.update(enumerate(stock))
    expected = [twin.settle(b, s, e, reference.pay(e, p), reference.pay(e, c)) for b, s, e, p, c in rows]
    status = batch.settle_batch(batch.oracle, columns(rows))
    assert [REASONS[s] for s in status] == expected == list(one_by_one(scalar, rows))
    assert batch.cash.tolist() == scalar.cash.tolist() == list(twin.cash.values())
    assert batch.credits.tolist() == scalar.credits.tolist() == list(twin.credits.values())
    batch.check_conservation()


slot = st.tuples(
    st.lists(st.integers(-(10**6), 10**6), min_size=HOMES, max_size=HOMES), st.lists(modest_trade, max_size=8)
)


@given(st.lists(slot, max_size=6), st.lists(st.integers(0, 10**6), min_size=HOMES, max_size=HOMES))
def test_nothing_appears_or_vanishes_over_slots(slots, cash):
    ledger = funded(cash, [0] * HOMES)
    for number, (metered, rows) in enumerate(slots, start=1):
        net = np.array(metered, dtype=np.int64)
        ledger.register_injections(number, np.maximum(-net, 0))
        held = ledger.credits[:HOMES].sum()
        ledger.settle_batch(ledger.oracle, columns(rows))
        ledger.check_conservation()
        assert ledger.credits[:HOMES].sum() == held
        ledger.deliver(net)
        ledger.check_conservation()
        assert not ledger.credits.any()
        assert ledger.minted == ledger.burnt
    assert ledger.cash.min() >= 0
    assert ledger.cash.sum() == sum(cash)


@given(st.lists(slot, max_size=6), retail_parts, st.integers(0, 10**6), st.integers(0, 10**6))
def test_bills_equal_the_reference_and_sum_to_zero(slots, parts, retail, feed_in):
    ledger = funded([2 * 10**6] * HOMES, [0] * HOMES)
    sums, history = Accumulators.zeros(HOMES), []
    for number, (metered, rows) in enumerate(slots, start=1):
        net = np.array(metered, dtype=np.int64)
        ledger.register_injections(number, np.maximum(-net, 0))
        trades = columns(rows)
        status = ledger.settle_batch(ledger.oracle, trades)
        prices = (retail + number, feed_in)
        settled = [row for row, failed in zip(rows, status, strict=True) if not failed]
        slot_sums = bill_slot(sums, net, trades, status, prices)
        assert slot_sums.energy == sum(row[2] for row in settled)
        assert (slot_sums.trades, slot_sums.failed) == (len(settled), len(rows) - len(settled))
        assert slot_sums.value == sum(reference.pay(e, p) for _, _, e, p, _ in settled)
        assert slot_sums.wheeling == sum(reference.pay(e, c) for _, _, e, _, c in settled)
        history.append((net.tolist(), settled, *prices))
        ledger.deliver(net)
    bills = make_bills(sums, parts)
    for row, expected in enumerate(reference.reference_bills(history, HOMES, parts)):
        assert {name: int(getattr(bills, name)[row]) for name in expected} == expected
    received = counterparties(bills, parts.vat_ppm)
    assert sum(received.values()) == bills.total.sum()
    # What the ledger moved is what the bills say, and what was not sold is what was exported.
    spent = 2 * 10**6 - ledger.cash[:HOMES]
    assert (bills.purchases + bills.sales + bills.wheeling).tolist() == spent.tolist()
    assert bills.export_energy.sum() == ledger.fed_in
    parts_of_total = Bills._fields[Bills._fields.index("supply") : Bills._fields.index("total")]
    assert sum(getattr(bills, name) for name in parts_of_total).tolist() == bills.total.tolist()


@given(
    st.lists(st.lists(modest_trade, max_size=4), min_size=1, max_size=5),
    st.integers(0, 10**9),
    st.integers(0, 255),
)
def test_any_changed_byte_of_a_receipt_is_noticed(slots, position, flip):
    chain, blocks, rows = Chain("run"), [], []
    for number, made in enumerate(slots):
        rows.append(receipts_array(number, columns(made), np.zeros(len(made), dtype=np.int64)))
        blocks.append(chain.append(900 * number, number, rows[-1]))
    receipts = np.concatenate(rows)
    assert verify_chain(blocks, receipts, "run", head=chain.head) == chain.head
    if receipts.size and flip:
        raw = receipts.reshape(-1).view(np.uint8)
        raw[position % raw.size] ^= flip
        with pytest.raises(Exception, match="receipts_hash is wrong"):
            verify_chain(blocks, receipts, "run")
