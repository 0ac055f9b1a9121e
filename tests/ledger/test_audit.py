"""Tampering: whatever is changed in a stored chain, the first wrong block is named."""

from dataclasses import replace

import numpy as np
import pytest

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.audit import verify_chain
from sunshare_sim.ledger.chain import Chain, Place, receipts_array, receipts_bytes, receipts_commitment, seal
from sunshare_sim.ledger.settlement import Trades


@pytest.fixture
def stored():
    """Five blocks of two slots each, with 0 to 4 trades a slot."""
    chain, blocks, rows = Chain("run"), [], []
    for number in range(5):
        made = []
        for slot in (2 * number, 2 * number + 1):
            base = np.arange(slot % 5, dtype=np.int64)
            batch = Trades(base, base + 1, base + 1000 + slot, base + 200_000, base * 0)
            made.append(receipts_array(slot, batch, base % 3))
        rows += made
        blocks.append(chain.append(1800 * number, 2 * number + 1, np.concatenate(made)))
    return blocks, np.concatenate(rows), chain.head


def test_an_untouched_chain_holds(stored):
    blocks, receipts, head = stored
    assert verify_chain(blocks, receipts, "run", head=head) == head
    assert verify_chain([], receipts[:0], "run") == Chain("run").head


def test_every_changed_receipt_is_found_in_its_block(stored):
    blocks, receipts, _ = stored
    owner = np.repeat([block.number for block in blocks], [block.trades for block in blocks])
    for row in range(len(receipts)):
        for field in range(receipts.shape[1]):
            changed = receipts.copy()
            changed[row, field] += 1
            with pytest.raises(LedgerError, match=rf"^block {owner[row]}: receipts_hash is wrong"):
                verify_chain(blocks, changed, "run")


@pytest.mark.parametrize(
    "field", ["number", "time_ms", "slot", "previous_hash", "receipts_hash", "readings_hash", "header_hash"]
)
def test_every_changed_header_field_is_found(stored, field):
    blocks, receipts, _ = stored
    value = getattr(blocks[2], field)
    wrong = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    changed = [*blocks[:2], replace(blocks[2], **{field: wrong}), *blocks[3:]]
    with pytest.raises(LedgerError, match=r"^block 2: "):
        verify_chain(changed, receipts, "run")


@pytest.mark.parametrize("trades", [0, 2, 4, 99, -1])
def test_a_wrong_number_of_trades_is_found(stored, trades):
    blocks, receipts, _ = stored
    assert blocks[1].trades == 5
    with pytest.raises(LedgerError, match=r"^block 1: "):
        verify_chain([blocks[0], replace(blocks[1], trades=trades), *blocks[2:]], receipts, "run")


def test_missing_swapped_and_inserted_blocks_are_found(stored):
    blocks, receipts, head = stored
    with pytest.raises(LedgerError, match=r"^block 0: number is wrong"):
        verify_chain(blocks[1:], receipts[blocks[0].trades :], "run")
    with pytest.raises(LedgerError, match=r"^block 1: number is wrong"):
        verify_chain([blocks[0], blocks[2], blocks[1], *blocks[3:]], receipts, "run")
    with pytest.raises(LedgerError, match="after block 3: receipts in no block"):
        verify_chain(blocks[:-1], receipts, "run")
    shorter = receipts[: -blocks[-1].trades]
    verify_chain(blocks[:-1], shorter, "run")  # a cut at the end is consistent in itself ...
    with pytest.raises(LedgerError, match="block 3: the chain ends elsewhere"):
        verify_chain(blocks[:-1], shorter, "run", head=head)  # ... and shows against the published head


def test_a_forged_block_breaks_the_next_one(stored):
    blocks, receipts, _ = stored
    changed = receipts.copy()
    changed[0, 4] += 1
    data = receipts_bytes(changed[: blocks[0].trades])
    place = Place(0, blocks[0].time_ms, blocks[0].slot, blocks[0].trades)
    hashes = receipts_commitment(data, "trade"), blocks[0].readings_hash
    forged = seal(place, blocks[0].previous_hash, *hashes)
    with pytest.raises(LedgerError, match=r"^block 1: previous_hash is wrong"):
        verify_chain([forged, *blocks[1:]], changed, "run")


def test_a_chain_of_another_run_is_refused(stored):
    blocks, receipts, _ = stored
    with pytest.raises(LedgerError, match=r"^block 0: previous_hash is wrong"):
        verify_chain(blocks, receipts, "another run")


def test_receipts_may_not_be_later_than_their_block():
    rows = receipts_array(9, Trades(*np.ones((5, 1), dtype=np.int64)), np.zeros(1, dtype=np.int64))
    chain = Chain("run")
    block = chain.append(0, 8, rows)
    with pytest.raises(LedgerError, match="block 0: receipts of a later slot"):
        verify_chain([block], rows, "run")


def test_receipts_must_be_rows_of_eight(stored):
    blocks, receipts, _ = stored
    with pytest.raises(LedgerError, match="not receipts"):
        verify_chain(blocks, receipts[:, :7], "run")
