"""Kernel of the price-taking mechanisms: share what is offered at one price, near pools first, pro rata."""

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market._pairing import ladder_starts, pair, split
from sunshare_sim.market.orders import Orders
from sunshare_sim.units import BID, IntArray


@kernel
def _flow_at(demand: IntArray, supply: IntArray, near: IntArray) -> IntArray:
    """Return the flows over the pairs in `near` (buyer pool, seller pool): each pool's pro rata part, then the rest.

    Of the longer side each pool that has a partner gets or gives in proportion; where not every pool reaches
    every other, what this leaves is taken up in the order of `near`.
    """
    pools = demand.size
    flow = np.zeros((pools, pools), dtype=np.int64)
    buyers = np.zeros(pools, dtype=np.int64)
    sellers = np.zeros(pools, dtype=np.int64)
    for b, s in near:
        if demand[b] > 0 and supply[s] > 0:
            buyers[b], sellers[s] = demand[b], supply[s]
    amount = min(buyers.sum(), sellers.sum())
    if amount == 0:
        return flow
    every = np.arange(pools)
    part_bought = np.zeros(pools, dtype=np.int64)
    part_sold = np.zeros(pools, dtype=np.int64)
    split(amount, every, buyers, every, part_bought)
    split(amount, every, sellers, every, part_sold)
    for fair in (True, False):
        for b, s in near:
            room = min(part_bought[b], part_sold[s]) if fair else min(buyers[b], sellers[s])
            flow[b, s] += room
            part_bought[b] -= room
            part_sold[s] -= room
            buyers[b] -= room
            sellers[s] -= room
    return flow


@kernel
def _share_out(
    totals: IntArray,
    rows: IntArray,
    starts: IntArray,
    available: IntArray,
    turn: IntArray,
    accepted: IntArray,
) -> None:
    """Split each ladder's total pro rata among its orders."""
    for ladder in range(totals.size):
        if totals[ladder] > 0:
            split(totals[ladder], rows[starts[ladder] : starts[ladder + 1]], available, turn, accepted)


@kernel
def share(  # noqa: PLR0913, PLR0917 - a batch, sorted, and the rules
    rows: IntArray,
    orders: Orders,
    turn: IntArray,
    charges: IntArray,
    levels: IntArray,
    price: int,
    binding: bool,  # noqa: FBT001 - compiled code knows no keywords
) -> IntArray:
    """Return the columns of `Fills` when all energy changes hands at `price`, buyers paying the charge on top.

    `levels` are the distinct charges, rising; at each, pairs of pools with that charge share what is still
    open. With `binding` limits, an order takes part only where the price, all-in for a bid, suits it.
    """
    owner, side, pool, limit, quantity = orders
    pools = charges.shape[0]
    starts = ladder_starts(rows, side, pool, pools)
    table = np.empty((8, rows.size * levels.size + pools * pools), dtype=np.int64)
    left = quantity.copy()
    count = 0
    for charge in levels:
        available = np.zeros(left.size, dtype=np.int64)
        totals = np.zeros(2 * pools, dtype=np.int64)
        for row in rows:
            suits = limit[row] >= price + charge if side[row] == BID else limit[row] <= price
            if suits or not binding:
                available[row] = left[row]
                totals[pool[row] + (0 if side[row] == BID else pools)] += left[row]
        near = np.argwhere(charges == charge)
        flow = _flow_at(totals[:pools], totals[pools:], near)
        if not flow.any():
            continue
        accepted = np.zeros(left.size, dtype=np.int64)
        totals[:pools], totals[pools:] = flow.sum(axis=1), flow.sum(axis=0)
        _share_out(totals, rows, starts, available, turn, accepted)
        left -= accepted
        for bid, ask, amount in pair(rows, starts, accepted, flow):
            table[0, count], table[1, count] = bid, ask
            table[2, count], table[3, count] = owner[bid], owner[ask]
            table[4, count], table[5, count] = amount, price
            table[6, count], table[7, count] = charge, -1
            count += 1
    return table[:, :count]
