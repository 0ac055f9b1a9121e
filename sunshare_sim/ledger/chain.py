"""Blocks: what was settled, sealed so that a later change of any byte shows.

Receipt, 64 bytes: eight little-endian int64, in the order of `RECEIPT`. Header, 96 bytes: little-endian int64 number,
time_s, slot, trades; then previous_hash (32) and receipts_hash (32). ``receipts_hash = SHA-256(receipts)``,
``header_hash = SHA-256(header)``. Before block 0 stands ``SHA-256(GENESIS_TAG + UTF-8 of the run id)``.
SHA-256: NIST FIPS 180-4 (2015), doi:10.6028/NIST.FIPS.180-4.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger._settlement import Trades
from sunshare_sim.units import IntArray

RECEIPT: Final = ("slot", "index", "buyer", "seller", "energy", "price_micro", "charge_micro", "status")
RECEIPT_BYTES: Final = 8 * len(RECEIPT)
GENESIS_TAG: Final = b"SunShare genesis 1\n"
_HEADER: Final = struct.Struct("<4q32s32s")


@dataclass(frozen=True, slots=True)
class Block:
    """Seal the receipts of one block interval.

    Attributes
    ----------
    number : int
        Position in the chain, from 0.
    time_s : int
        When it was made [s since 1970-01-01 UTC].
    slot : int
        Last slot whose trades it holds.
    trades : int
        Number of receipts.
    previous_hash, receipts_hash, header_hash : bytes
        SHA-256 of the header before, of the receipts, and of this header; 32 bytes each.
    """

    number: int
    time_s: int
    slot: int
    trades: int
    previous_hash: bytes
    receipts_hash: bytes
    header_hash: bytes


def genesis_hash(run_id: str) -> bytes:
    """Return the hash before block 0, which binds a chain to its run (say, the scenario's hash and the seed)."""
    return sha256(GENESIS_TAG + run_id.encode()).digest()


def header_bytes(block: Block) -> bytes:
    """Return the canonical bytes of a header: everything but its own hash, 96 bytes."""
    return _HEADER.pack(
        block.number, block.time_s, block.slot, block.trades, block.previous_hash, block.receipts_hash
    )


def receipts_array(slot: int, trades: Trades, status: IntArray) -> IntArray:
    """Return a slot's receipts as rows of `RECEIPT`, shape [trades, 8]; `index` counts within the slot."""
    rows = np.empty((status.size, len(RECEIPT)), dtype=np.int64)
    rows[:, 0] = slot
    rows[:, 1] = np.arange(status.size)
    for position, column in enumerate((*trades, status), start=2):
        rows[:, position] = column
    return rows


def receipts_bytes(rows: IntArray) -> bytes:
    """Return the canonical bytes of receipts, 64 a trade, the same on every machine."""
    return rows.astype("<i8", copy=False).tobytes()


class Chain:
    """Make one block after the other; keeps only the head, so memory does not grow.

    Parameters
    ----------
    run_id : str
        What the chain is bound to; see `genesis_hash`.
    """

    def __init__(self, run_id: str) -> None:
        self.head = genesis_hash(run_id)
        self.length = 0

    def append(self, time_s: int, slot: int, receipts: bytes | IntArray) -> Block:
        """Seal receipts into the next block and return it.

        Parameters
        ----------
        time_s : int
            Time of the block [s since 1970-01-01 UTC].
        slot : int
            Last slot whose trades it holds.
        receipts : bytes or IntArray
            Canonical bytes, or rows of `RECEIPT`, shape [trades, 8]; may be empty.
        """
        data = receipts if isinstance(receipts, bytes) else receipts_bytes(receipts)
        if len(data) % RECEIPT_BYTES:
            raise LedgerError(
                describe(
                    "not whole receipts",
                    where=f"block {self.length}",
                    got=f"{len(data)} bytes",
                    expected=f"a multiple of {RECEIPT_BYTES}",
                )
            )
        block = seal(self.length, time_s, slot, data, self.head)
        self.head = block.header_hash
        self.length += 1
        return block


def seal(number: int, time_s: int, slot: int, receipts: bytes, previous_hash: bytes) -> Block:
    """Return the block that holds `receipts` (canonical bytes) after the block with `previous_hash`."""
    trades = len(receipts) // RECEIPT_BYTES
    digest = sha256(receipts).digest()
    header = _HEADER.pack(number, time_s, slot, trades, previous_hash, digest)
    return Block(number, time_s, slot, trades, previous_hash, digest, sha256(header).digest())
