"""Recompute a chain from its blocks and receipts alone, and name the first thing that is wrong."""

from collections.abc import Sequence
from dataclasses import fields, replace

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger.chain import (
    RECEIPT,
    Audit,
    Block,
    Place,
    genesis_hash,
    receipts_bytes,
    receipts_commitment,
    seal,
)
from sunshare_sim.units import IntArray


def verify_chain(
    blocks: Sequence[Block],
    receipts: IntArray,
    run_id: str,
    *,
    head: bytes | None = None,
    audit: Audit = "trade",
) -> bytes:
    """Recompute every hash of a chain and return its head.

    Parameters
    ----------
    blocks : sequence of Block
        The blocks as stored, in order.
    receipts : IntArray
        All receipts in order, rows of `chain.RECEIPT`, shape [trades, 8].
    run_id : str
        What the chain says it is bound to.
    head : bytes, optional
        Hash of the last header as published elsewhere. Without it, blocks missing at the end cannot be noticed: a chain
        proves nothing against someone who can rewrite all of it.
    audit : str
        How the receipts were hashed, ``trade`` or ``block``.

    Raises
    ------
    LedgerError
        Naming the first block that is wrong, and in what.
    """
    if receipts.ndim != 2 or receipts.shape[1] != len(RECEIPT):
        raise LedgerError(
            describe(
                "not receipts", where="verify_chain", got=receipts.shape, expected=("trades", len(RECEIPT))
            )
        )
    previous, first = genesis_hash(run_id), 0
    for number, block in enumerate(blocks):
        rows = receipts[first : first + block.trades]
        place = Place(number, block.time_ms, block.slot, len(rows))
        commitment = receipts_commitment(receipts_bytes(rows), audit)
        expected = seal(place, previous, commitment, block.readings_hash)
        if replace(block, signature=b"") != expected:
            raise _mismatch(block, expected)
        if rows.size and not rows[0, 0] <= rows[-1, 0] <= block.slot:
            raise LedgerError(
                describe(
                    "receipts of a later slot",
                    where=f"block {number}",
                    got=int(rows[-1, 0]),
                    expected=block.slot,
                )
            )
        previous, first = block.header_hash, first + block.trades
    if first != len(receipts):
        raise LedgerError(
            describe(
                "receipts in no block",
                where=f"after block {len(blocks) - 1}",
                got=len(receipts),
                expected=first,
            )
        )
    if head is not None and head != previous:
        raise LedgerError(
            describe(
                "the chain ends elsewhere",
                where=f"block {len(blocks) - 1}",
                got=previous.hex(),
                expected=head.hex(),
                hint="blocks at the end are missing or were replaced",
            )
        )
    return previous


def _mismatch(block: Block, expected: Block) -> LedgerError:
    """Say which field of a block differs first from what it should be, in the order of the header."""
    name = next(f.name for f in fields(Block) if getattr(block, f.name) != getattr(expected, f.name))
    got, want = getattr(block, name), getattr(expected, name)
    if isinstance(want, bytes):
        got, want = got.hex(), want.hex()
    return LedgerError(describe(f"{name} is wrong", where=f"block {expected.number}", got=got, expected=want))
