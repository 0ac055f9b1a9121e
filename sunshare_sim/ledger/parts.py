"""Whole units in parts: what is shared adds up again, to the unit."""

import numpy as np

from sunshare_sim.units import IntArray


def parts_of(amount: int, weights: IntArray) -> IntArray:
    """Return an amount in parts by weight, in whole units that add up to it; shape as `weights`.

    Cumulative rounding: each part is its exact share rounded up or down. Where the amount is not above the sum of the
    weights, no part exceeds its weight.

    Parameters
    ----------
    amount : int
        What is divided, not negative; 0 where no weight is above 0.
    weights : IntArray
        Not negative.

    >>> parts_of(10, np.array([1, 0, 1, 1])).tolist()
    [3, 0, 3, 4]
    """
    if not amount:
        return np.zeros_like(weights)
    until = np.cumsum(weights.astype(object))  # Python integers: the products do not fit int64
    ends: IntArray = (until * amount // until[-1]).astype(np.int64)
    return np.diff(ends, prepend=np.int64(0))
