"""Merkle trees over receipts: one hash stands for a block, a short path proves that a receipt is in it.

The tree of RFC 6962 (Laurie, Langley and Kasper, 2013, section 2.1): a leaf is ``SHA-256(0x00 + data)``, a node
``SHA-256(0x01 + left + right)``, so that no node can pass for a leaf; an odd last one moves up as it is. Doubling it
instead would let two lists have one root (CVE-2012-2459).
"""

from hashlib import sha256
from typing import Final

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger._sha256 import hash_pieces

LEAF: Final = 0
NODE: Final = 1
HASH_BYTES: Final = 32
Levels = list[bytes]


def leaf_hashes(data: bytes) -> bytes:
    """Return the leaves of `data`, cut into pieces of 64 bytes, as one string of 32 bytes each."""
    return hash_pieces(data, LEAF)


def merkle_root(leaves: bytes) -> bytes:
    """Return the root over leaves; of none it is ``SHA-256()``.

    >>> from hashlib import sha256
    >>> merkle_root(b"") == sha256(b"").digest()
    True
    """
    if not leaves:
        return sha256(b"").digest()
    while len(leaves) > HASH_BYTES:
        leaves = _parents(leaves)
    return leaves


def merkle_levels(leaves: bytes) -> Levels:
    """Return all levels of a tree, from the leaves to the root."""
    levels = [leaves]
    while len(levels[-1]) > HASH_BYTES:
        levels.append(_parents(levels[-1]))
    return levels


def merkle_path(levels: Levels, index: int) -> list[tuple[str, bytes]]:
    """Return what a leaf needs to reach the root: (side, sibling) from below, side being where the sibling stands."""
    count = len(levels[0]) // HASH_BYTES
    if not 0 <= index < count:
        raise LedgerError(
            describe("no such leaf", where="merkle_path", got=index, expected=f"0..{count - 1}")
        )
    path = []
    for level in levels[:-1]:
        sibling = index ^ 1
        found = level[HASH_BYTES * sibling : HASH_BYTES * (sibling + 1)]
        if found:
            path.append(("left" if sibling < index else "right", found))
        index //= 2
    return path


def root_from_path(leaf: bytes, path: list[tuple[str, bytes]]) -> bytes:
    """Return the root that a leaf and its path lead to."""
    for side, sibling in path:
        pair = sibling + leaf if side == "left" else leaf + sibling
        leaf = sha256(bytes([NODE]) + pair).digest()
    return leaf


def _parents(level: bytes) -> bytes:
    pairs = len(level) // (2 * HASH_BYTES) * 2 * HASH_BYTES
    return hash_pieces(level[:pairs], NODE) + level[pairs:]
