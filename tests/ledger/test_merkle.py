"""Merkle trees: the shape of RFC 6962, proofs that hold, and forgeries that do not."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger._sha256 import hash_pieces
from sunshare_sim.ledger.merkle import leaf_hashes, merkle_levels, merkle_path, merkle_root, root_from_path


def rfc6962(items):
    """The recursive definition of the RFC, section 2.1."""
    if not items:
        return sha256(b"").digest()
    if len(items) == 1:
        return sha256(b"\0" + items[0]).digest()
    split = 1
    while 2 * split < len(items):
        split *= 2
    return sha256(b"\1" + rfc6962(items[:split]) + rfc6962(items[split:])).digest()


@given(st.lists(st.binary(min_size=64, max_size=64), max_size=40))
def test_roots_and_paths_are_those_of_the_rfc(items):
    leaves = leaf_hashes(b"".join(items))
    root = merkle_root(leaves)
    assert root == rfc6962(items)
    levels = merkle_levels(leaves)
    for index, item in enumerate(items):
        leaf = sha256(b"\0" + item).digest()
        path = merkle_path(levels, index)
        assert root_from_path(leaf, path) == root
        wrong = sha256(b"\0" + item[:-1] + bytes([item[-1] ^ 1])).digest()
        assert root_from_path(wrong, path) != root


def test_doubling_the_last_leaf_changes_the_root():
    data = bytes(3 * 64)
    assert merkle_root(leaf_hashes(data)) != merkle_root(leaf_hashes(data + data[-64:]))


def test_a_node_cannot_pass_for_a_leaf():
    leaves = leaf_hashes(bytes(range(128)))
    assert merkle_root(leaf_hashes(leaves)) != merkle_root(leaves)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_leaf_that_is_not_there_has_no_path(index):
    with pytest.raises(LedgerError, match=r"no such leaf; got -?\d; expected 0..2"):
        merkle_path(merkle_levels(leaf_hashes(bytes(192))), index)


@given(st.integers(0, 70), st.integers(0, 255), st.randoms(use_true_random=False))
def test_many_at_once_are_one_by_one(count, prefix, random):
    data = random.randbytes(64 * count)
    one_by_one = [sha256(bytes([prefix]) + data[at : at + 64]).digest() for at in range(0, len(data), 64)]
    assert hash_pieces(data, prefix) == b"".join(one_by_one)
