"""Find the tree behind a tariff (substation, feeder, region): then a message looks at levels, not at all pools."""

import numpy as np

from sunshare_sim.market import _layout as at
from sunshare_sim.units import IntArray


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
        Nodes are the pools, then the groups of each charge from the lowest; links as named in the kernel.
    """
    pools = len(weights)
    values = np.unique(weights[weights < at.NOTHING])
    if not len(values) or len(values) > pools:
        return no_tree()
    found = np.full_like(weights, at.NOTHING)
    family = np.full((at.FAMILY_FIELDS, pools), -1, dtype=np.int64)
    below = np.arange(pools)  # node of each pool, one level down
    for value in values.tolist():
        first = np.argmax(weights <= value, axis=1)  # the first pool of the group stands for it
        _, group = np.unique(first, return_inverse=True)
        joined = group[:, None] == group[None, :]
        found[joined & (found == at.NOTHING)] = value
        start = family.shape[1]
        family = np.hstack(
            [
                family,
                np.full((at.FAMILY_FIELDS, group.max() + 1), -1, dtype=np.int64),
            ]
        )
        family[at.STEP, start:] = value
        for child, parent in dict(zip(below.tolist(), (group + start).tolist(), strict=True)).items():
            family[at.PARENT, child] = parent
            family[at.SIBLING, child] = family[at.CHILD, parent]
            family[at.CHILD, parent] = child
        below = group + start
    return family if np.array_equal(found, weights) else no_tree()
