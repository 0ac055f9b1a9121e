"""Blocks: what was settled, sealed so that a later change of any byte shows.

Receipt, 64 bytes: eight little-endian int64, in the order of `RECEIPT`. Header, 128 bytes: little-endian int64 number,
time_ms, slot, trades; then previous_hash, receipts_hash, readings_hash (32 each). ``receipts_hash`` is the Merkle root
over the receipts (audit ``trade``, see `merkle`) or SHA-256 of them all (audit ``block``); ``readings_hash`` is SHA-256
of the slots' readings and prices (`readings_bytes`); ``header_hash = SHA-256(header)``. Before block 0 stands
``SHA-256(GENESIS_TAG + UTF-8 of the run id)``. SHA-256: NIST FIPS 180-4 (2015), doi:10.6028/NIST.FIPS.180-4.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger._settlement import Trades
from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.merkle import leaf_hashes, merkle_root
from sunshare_sim.units import IntArray

Audit = Literal["trade", "block", "none"]

RECEIPT: Final = ("slot", "index", "buyer", "seller", "energy", "price_micro", "charge_micro", "status")
RECEIPT_BYTES: Final = 8 * len(RECEIPT)
GENESIS_TAG: Final = b"SunShare genesis 2\n"
HEADER: Final = struct.Struct("<4q32s32s32s")
DEFAULT_INTERVAL_MS: Final = 400  # proof of authority, as the second source has it


@dataclass(frozen=True, slots=True)
class Block:
    """Seal the receipts of one block interval.

    Attributes
    ----------
    number : int
        Position in the chain, from 0.
    time_ms : int
        When it was made [ms since 1970-01-01 UTC].
    slot : int
        Last slot whose trades it holds.
    trades : int
        Number of receipts.
    previous_hash, receipts_hash, readings_hash, header_hash : bytes
        Of the header before, of the receipts, of the readings, and of this header; 32 bytes each.
    signature : bytes
        Over the header, by the authority whose turn it is; empty without authorities.
    """

    number: int
    time_ms: int
    slot: int
    trades: int
    previous_hash: bytes
    receipts_hash: bytes
    readings_hash: bytes
    header_hash: bytes
    signature: bytes = b""

    @property
    def time_s(self) -> int:
        """Return when it was made [s since 1970-01-01 UTC], rounded down."""
        return self.time_ms // 1000


def genesis_hash(run_id: str) -> bytes:
    """Return the hash before block 0, which binds a chain to its run (say, the scenario's hash and the seed)."""
    return sha256(GENESIS_TAG + run_id.encode()).digest()


def header_bytes(block: Block) -> bytes:
    """Return the canonical bytes of a header: everything but its own hash and signature, 128 bytes."""
    return HEADER.pack(
        block.number, block.time_ms, block.slot, block.trades,
        block.previous_hash, block.receipts_hash, block.readings_hash,
    )  # fmt: skip


def receipts_array(slot: int, trades: Trades, status: IntArray, *, first: int = 0) -> IntArray:
    """Return receipts as rows of `RECEIPT`, shape [trades, 8]; `index` counts within the slot, from `first`."""
    rows = np.empty((status.size, len(RECEIPT)), dtype=np.int64)
    rows[:, 0] = slot
    rows[:, 1] = np.arange(first, first + status.size)
    for position, column in enumerate((*trades, status), start=2):
        rows[:, position] = column
    return rows


def receipts_bytes(rows: IntArray) -> bytes:
    """Return the canonical bytes of receipts, 64 a trade, the same on every machine."""
    return rows.astype("<i8", copy=False).tobytes()


def readings_bytes(
    net: IntArray, retail_micro: int, feed_in_micro: int, losses: IntArray | None = None
) -> bytes:
    """Return the canonical bytes of a slot's prices and of every home's metered net and share of losses [1e-6 kWh]."""
    data = struct.pack("<2q", retail_micro, feed_in_micro) + net.astype("<i8", copy=False).tobytes()
    return data if losses is None else data + losses.astype("<i8", copy=False).tobytes()


def receipts_commitment(receipts: bytes, audit: Audit) -> bytes:
    """Return the hash that stands for a block's receipts: a Merkle root, or one digest."""
    if audit == "block":
        return sha256(receipts).digest()
    return merkle_root(leaf_hashes(receipts))


class Chain:
    """Make one block after the other; keeps only the head, so memory does not grow.

    Parameters
    ----------
    run_id : str
        What the chain is bound to; see `genesis_hash`.
    audit : str
        ``trade`` for a Merkle root, from which any trade can be proved; ``block`` for one digest a block; ``none`` for
        blocks without any hash, which prove nothing.
    authorities : Authorities, optional
        Who signs, in turn; without them blocks are not signed.
    """

    def __init__(
        self, run_id: str, *, audit: Audit = "trade", authorities: Authorities | None = None
    ) -> None:
        self.head = genesis_hash(run_id)
        self.length = 0
        self.audit = audit
        self.authorities = authorities

    def append(
        self, time_s: int, slot: int, receipts: bytes | IntArray, *, readings: bytes = b"", extra_ms: int = 0
    ) -> Block:
        """Seal receipts into the next block and return it.

        Parameters
        ----------
        time_s : int
            Time of the block [s since 1970-01-01 UTC].
        slot : int
            Last slot whose trades it holds.
        receipts : bytes or IntArray
            Canonical bytes, or rows of `RECEIPT`, shape [trades, 8]; may be empty.
        readings : bytes
            `readings_bytes` of the slots that this block is the first to hold, one after the other.
        extra_ms : int
            Milliseconds beyond `time_s`.
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
        place = Place(self.length, 1000 * time_s + extra_ms, slot, len(data) // RECEIPT_BYTES)
        if self.audit == "none":
            self.length += 1
            return Block(*place, b"", b"", b"", b"")
        hashes = receipts_commitment(data, self.audit), sha256(readings).digest()
        block = seal(place, self.head, *hashes)
        if self.authorities is not None:
            block = sign_block(block, self.authorities)
        self.head = block.header_hash
        self.length += 1
        return block


class Place(NamedTuple):
    """Say where a block stands: the integers of its header."""

    number: int
    time_ms: int
    slot: int
    trades: int


def seal(place: Place, previous_hash: bytes, receipts_hash: bytes, readings_hash: bytes) -> Block:
    """Return the block with the given place and hashes, without signature."""
    header = HEADER.pack(*place, previous_hash, receipts_hash, readings_hash)
    return Block(*place, previous_hash, receipts_hash, readings_hash, sha256(header).digest())


def sign_block(block: Block, authorities: Authorities) -> Block:
    """Return the block with the signature of the authority whose turn it is."""
    signature = authorities.sign(block.number, header_bytes(block))
    return Block(
        block.number, block.time_ms, block.slot, block.trades,
        block.previous_hash, block.receipts_hash, block.readings_hash, block.header_hash, signature,
    )  # fmt: skip
