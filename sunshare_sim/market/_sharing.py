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
def _appended(table: IntArray, count: int, pairs: IntArray, charge: int) -> IntArray:
    """Return the table of fills with `pairs` after its first `count` rows, grown when it is full."""
    if count + pairs.shape[0] > table.shape[0]:
        larger = np.empty((2 * count + pairs.shape[0], 4), dtype=np.int64)
        larger[:count] = table[:count]
        table = larger
    table[count : count + pairs.shape[0], :3] = pairs
    table[count : count + pairs.shape[0], 3] = charge
    return table


@kernel
def share(  # noqa: PLR0913, PLR0917 - a batch, sorted, and the rules
    rows: IntArray,
    orders: Orders,
    turn: IntArray,
    pools: int,
    cells: IntArray,
    levels: IntArray,
    price: int,
    binding: bool,  # noqa: FBT001 - compiled code knows no keywords
) -> IntArray:
    """Return rows of (bid row, ask row, quantity, charge) when all energy changes hands at one price.

    `cells` are the allowed pairs of pools by rising charge, `levels` rows of (charge, end of its cells). At
    each level its pairs share what is still open. With `binding` limits, an order takes part only where the
    price, all-in for a bid, suits it.
    """
    _, side, pool, limit, quantity = orders
    starts = ladder_starts(rows, side, pool, pools)
    table = np.empty((rows.size, 4), dtype=np.int64)
    left = quantity.copy()
    count = first = 0
    for charge, last in levels:
        available = np.zeros(left.size, dtype=np.int64)
        totals = np.zeros(2 * pools, dtype=np.int64)
        for row in rows:
            suits = limit[row] >= price + charge if side[row] == BID else limit[row] <= price
            if suits or not binding:
                available[row] = left[row]
                totals[pool[row] + (0 if side[row] == BID else pools)] += left[row]
        if totals[:pools].sum() == 0 or totals[pools:].sum() == 0:
            break  # a higher charge suits no bid that this one does not
        flow = _flow_at(totals[:pools], totals[pools:], cells[first:last])
        first = last
        if not flow.any():
            continue
        accepted = np.zeros(left.size, dtype=np.int64)
        totals[:pools], totals[pools:] = flow.sum(axis=1), flow.sum(axis=0)
        _share_out(totals, rows, starts, available, turn, accepted)
        left -= accepted
        pairs = pair(rows, starts, accepted, flow)
        table = _appended(table, count, pairs, charge)
        count += pairs.shape[0]
    return table[:count]
