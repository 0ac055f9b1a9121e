"""Find the tree behind a tariff (substation, feeder, region): then a message looks at levels, not at all pools."""

from typing import Final

import numpy as np

from sunshare_sim.market import _layout as at
from sunshare_sim.units import IntArray

BRANCHES: Final = 4  # of a node: when one changes, the node looks at the others


def no_tree() -> IntArray:
    """Return the family of charges that are no tree."""
    return np.empty((at.FAMILY_FIELDS, 0), dtype=np.int64)


def family_of(weights: IntArray) -> IntArray:
    """Return the tree of groups that charges the kernel's way describe, or `no_tree()`.

    Charges are a tree when, for every charge v, "costs v or less" splits the pools into groups, and the charge of any
    two pools is the lowest v that puts them into one (an ultrametric). Pools that no charge joins may not trade.

    Returns
    -------
    array of int, shape [fields, nodes]
        Nodes are the pools, then the groups of each charge from the lowest, then helpers that keep a wide group
        narrow; links as named in the kernel.
    """
    pools = len(weights)
    values = np.unique(weights[weights < at.NOTHING])
    if not len(values) or len(values) > pools:
        return no_tree()
    found = np.full_like(weights, at.NOTHING)
    parent, step = [-1] * pools, [-1] * pools
    below = np.arange(pools)  # node of each pool, one level down
    for value in values.tolist():
        first = np.argmax(weights <= value, axis=1)  # the first pool of the group stands for it
        _, group = np.unique(first, return_inverse=True)
        joined = group[:, None] == group[None, :]
        found[joined & (found == at.NOTHING)] = value
        above = group + len(parent)
        for child, node in zip(below.tolist(), above.tolist(), strict=True):
            parent[child] = node
        parent += [-1] * (int(group.max()) + 1)
        step += [value] * (int(group.max()) + 1)
        below = above
    return _linked(parent, step) if np.array_equal(found, weights) else no_tree()


def _linked(parent: list[int], step: list[int]) -> IntArray:
    """Return the family of nodes with these parents, wide groups split by helpers, so that nobody has many children."""
    children: list[list[int]] = [[] for _ in parent]
    for node, above in enumerate(parent):
        if above >= 0:
            children[above].append(node)
    for node in range(len(parent)):
        while len(children[node]) > BRANCHES:
            rest = children[node]
            children[node] = []
            for first in range(0, len(rest), BRANCHES):
                children[node].append(len(children))
                children.append(rest[first : first + BRANCHES])
    family = np.full((at.FAMILY_FIELDS, len(children)), -1, dtype=np.int64)
    family[at.GROUP, : len(parent)] = parent
    family[at.STEP, : len(step)] = step
    for node, below in enumerate(children):
        for child in below:
            family[at.PARENT, child] = node
            family[at.SIBLING, child] = family[at.CHILD, node]
            family[at.CHILD, node] = child
    return family
