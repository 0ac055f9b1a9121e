"""Blocks by hand: the bytes are those of the documentation, on any machine."""

import struct
from hashlib import sha256

import numpy as np
import pytest

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.authorities import SIGNATURE_BYTES, Authorities, is_signed, load_verifier
from sunshare_sim.ledger.chain import (
    RECEIPT,
    RECEIPT_BYTES,
    Chain,
    genesis_hash,
    header_bytes,
    readings_bytes,
    receipts_array,
    receipts_bytes,
)
from sunshare_sim.ledger.settlement import Trades


def trades(count):
    base = np.arange(count, dtype=np.int64)
    return Trades(base, base + 1, base + 1000, base + 200_000, base + 10)


def test_receipts_follow_the_documented_layout():
    rows = receipts_array(7, trades(2), np.array([0, 2]))
    assert RECEIPT == ("slot", "index", "buyer", "seller", "energy", "price_micro", "charge_micro", "status")
    assert rows.tolist() == [[7, 0, 0, 1, 1000, 200_000, 10, 0], [7, 1, 1, 2, 1001, 200_001, 11, 2]]
    data = receipts_bytes(rows)
    assert data == b"".join(struct.pack("<8q", *row) for row in rows.tolist())
    assert len(data) == 2 * RECEIPT_BYTES


def test_receipts_are_the_same_bytes_from_any_array():
    rows = receipts_array(7, trades(3), np.zeros(3, dtype=np.int64))
    assert receipts_bytes(np.asfortranarray(rows)) == receipts_bytes(rows)
    assert receipts_bytes(rows.astype(">i8")) == receipts_bytes(rows)
    assert receipts_bytes(rows.astype(np.int32)) == receipts_bytes(rows)


def test_blocks_can_be_recomputed_with_the_standard_library_alone():
    chain = Chain("three-homes:1")
    data = receipts_bytes(receipts_array(5, trades(2), np.zeros(2, dtype=np.int64)))
    first, second = chain.append(1_750_000_000, 4, b""), chain.append(1_750_000_900, 5, data)
    start, none = sha256(b"SunShare genesis 2\nthree-homes:1").digest(), sha256(b"").digest()
    header = struct.pack("<4q", 0, 1_750_000_000_000, 4, 0) + start + none + none
    assert (first.previous_hash, first.header_hash) == (start, sha256(header).digest())
    assert header_bytes(first) == header
    leaves = [sha256(b"\0" + data[at : at + 64]).digest() for at in (0, 64)]
    root = sha256(b"\1" + leaves[0] + leaves[1]).digest()
    header = struct.pack("<4q", 1, 1_750_000_900_000, 5, 2) + first.header_hash + root + none
    assert (second.number, second.trades, second.header_hash) == (1, 2, sha256(header).digest())
    assert chain.head == second.header_hash
    assert chain.length == 2


def test_a_block_may_hold_the_receipts_of_several_slots():
    rows = [receipts_array(slot, trades(2), np.zeros(2, dtype=np.int64)) for slot in (0, 1)]
    joined = Chain("run").append(0, 1, b"".join(map(receipts_bytes, rows)))
    assert joined == Chain("run").append(0, 1, np.concatenate(rows))


def test_the_run_is_bound_into_the_first_block():
    assert genesis_hash("a") != genesis_hash("b")
    assert Chain("a").append(0, 0, b"").header_hash != Chain("b").append(0, 0, b"").header_hash


def test_half_a_receipt_is_refused():
    chain = Chain("run")
    with pytest.raises(LedgerError, match="block 0: not whole receipts; got '65 bytes'"):
        chain.append(0, 0, b"x" * 65)
    assert chain.length == 0
    assert chain.head == genesis_hash("run")


def test_a_block_may_be_one_digest_instead_of_a_tree():
    data = receipts_bytes(receipts_array(5, trades(3), np.zeros(3, dtype=np.int64)))
    block = Chain("run", audit="block").append(0, 5, data)
    assert block.receipts_hash == sha256(data).digest()
    assert Chain("run").append(0, 5, data).receipts_hash != block.receipts_hash


def test_readings_and_milliseconds_are_bound_into_the_block():
    plain = Chain("run").append(7, 0, b"")
    read = Chain("run").append(7, 0, b"", readings=readings_bytes(np.array([1, -2]), 3, 4))
    later = Chain("run").append(7, 0, b"", extra_ms=400)
    assert read.readings_hash == sha256(struct.pack("<4q", 3, 4, 1, -2)).digest()
    assert (later.time_ms, later.time_s) == (7400, 7)
    assert len({plain.header_hash, read.header_hash, later.header_hash}) == 3


@pytest.mark.parametrize("scheme", ["ed25519", "ml-dsa-44"])
def test_authorities_sign_in_turn(scheme):
    authorities = Authorities.from_seed(5, 3, scheme)
    verifiers = [load_verifier(key, scheme) for key in authorities.public_keys]
    chain = Chain("run", authorities=authorities)
    for number in range(5):
        block = chain.append(number, number, b"")
        assert len(block.signature) == SIGNATURE_BYTES[scheme]
        signed = [is_signed(each, block.signature, header_bytes(block)) for each in verifiers]
        assert signed == [each == number % 3 for each in range(3)]


def test_the_same_seed_signs_the_same_bytes():
    blocks = [Chain("run", authorities=Authorities.from_seed(seed)).append(0, 0, b"") for seed in (5, 5, 6)]
    assert blocks[0] == blocks[1]
    assert blocks[0].signature != blocks[2].signature
    assert blocks[0].header_hash == blocks[2].header_hash  # who signs does not change what is signed


def test_bad_authorities_are_named():
    with pytest.raises(LedgerError, match=r"settlement.authorities: not a number of authorities; got 6"):
        Authorities.from_seed(1, 6)
    with pytest.raises(LedgerError, match="did you mean 'ed25519'"):
        Authorities.from_seed(1, 1, "ed2519")
