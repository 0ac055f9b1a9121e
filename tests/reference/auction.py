"""The call auction as two linear programs over orders, solved by HiGHS: slow, and written from the definition.

Primal: how much each bid takes from each ask. Dual: a price for each buyer and seller pool. Nothing of the package
is used.
"""

from math import floor

import numpy as np
from scipy.optimize import linprog


def allocate(orders, charges):
    """Return (welfare, energy, charges paid) of the best allocation: welfare first, then energy, then low charges."""
    bids, asks = np.flatnonzero(orders.side == 1), np.flatnonzero(orders.side == -1)
    pairs = [(b, a) for b in bids for a in asks if charges[orders.pool[b], orders.pool[a]] >= 0]
    if not pairs:
        return 0, 0, 0
    charge = np.array([charges[orders.pool[b], orders.pool[a]] for b, a in pairs])
    gain = np.array([orders.price[b] - orders.price[a] for b, a in pairs]) - charge
    uses = np.array([[float(row in pair) for pair in pairs] for row in range(len(orders.owner))])
    # Whole ticks decide, then half ticks for energy, then a hundred-thousandth for each tick of charge.
    best = linprog(-(gain + 0.5 - 1e-5 * charge), A_ub=uses, b_ub=orders.quantity, method="highs-ds")
    amount = np.rint(best.x)
    return int(gain @ amount), int(amount.sum()), int(charge @ amount)


def extreme_prices(orders, charges, highest):
    """Return the lowest and the highest dual price of each seller pool."""
    pools, count = len(charges), len(orders.owner)
    # Variables: price of each buyer pool, of each seller pool, gain of each order for one unit.
    rows, limits = [], []
    for b in range(pools):
        for s in range(pools):
            if charges[b, s] >= 0:
                row = np.zeros(2 * pools + count)
                row[b], row[pools + s] = 1, -1
                rows.append(row)
                limits.append(charges[b, s])
    for i in range(count):
        row = np.zeros(2 * pools + count)
        is_bid = orders.side[i] == 1
        row[orders.pool[i] + (0 if is_bid else pools)] = -1 if is_bid else 1
        row[2 * pools + i] = -1
        rows.append(row)
        limits.append(-orders.side[i] * orders.price[i])
    worth = np.concatenate([np.zeros(2 * pools), orders.quantity])
    bounds = [(-2 * highest, 3 * highest)] * (2 * pools) + [(0, None)] * count
    welfare = linprog(worth, A_ub=np.array(rows), b_ub=limits, bounds=bounds, method="highs-ds").fun
    rows.append(worth)
    limits.append(welfare + 1e-7)
    up = np.concatenate([np.ones(2 * pools), np.zeros(count)])
    low, high = (
        np.rint(
            linprog(sign * up, A_ub=np.array(rows), b_ub=limits, bounds=bounds, method="highs-ds").x[
                pools : 2 * pools
            ]
        ).astype(int)
        for sign in (1, -1)
    )
    return low, high


def prices(orders, charges, highest, k):
    """Return the price of each seller pool at the fraction k between its extremes."""
    low, high = extreme_prices(orders, charges, highest)
    return [int(lo) + floor(k * int(hi - lo)) for lo, hi in zip(low, high, strict=True)]
