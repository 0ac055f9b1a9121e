"""Kernels of the call auction: the allocation of highest welfare over pools and charges, and its lowest and highest prices.

Pools of buyers and sellers are a small flow network; each seller pool supplies along its ask ladder, each buyer pool
takes along its bid ladder, and a unit that goes from s to b costs W[b, s]. Successive shortest paths send energy along the path of
highest gain until no path gains (Ahuja, Magnanti and Orlin 1993, Network Flows, section 9.7): exact in integers. With one pool it is
the crossing of two step curves.
"""

from typing import Final

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market._pairing import ladder_starts, pair, split
from sunshare_sim.units import IntArray

FAR: Final = 1 << 61


@kernel
def price_steps(
    rows: IntArray, starts: IntArray, price: IntArray, quantity: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Join orders of one ladder and one price to steps.

    Returns the first sorted row of each step (and the end), its price, its quantity, and the first step of each ladder (and the end).
    """
    first = np.empty(rows.size + 1, dtype=np.int64)
    height = np.empty(rows.size, dtype=np.int64)
    width = np.empty(rows.size, dtype=np.int64)
    ladders = np.empty(starts.size, dtype=np.int64)
    steps = 0
    for ladder in range(starts.size - 1):
        ladders[ladder] = steps
        for place in range(starts[ladder], starts[ladder + 1]):
            row = rows[place]
            if steps == ladders[ladder] or price[row] != height[steps - 1]:
                first[steps], height[steps], width[steps] = place, price[row], 0
                steps += 1
            width[steps - 1] += quantity[row]
    ladders[-1] = steps
    first[steps] = rows.size
    return first[: steps + 1], height[:steps], width[:steps], ladders


@kernel
def _label(  # noqa: PLR0913, PLR0917 - the network and its two layers of labels
    head: IntArray, height: IntArray, ladders: IntArray, cost: IntArray, flow: IntArray, scale: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the lowest cost at which one more unit reaches each buyer pool, and where it comes from: seller's and buyer's pool."""
    pools = flow.shape[0]
    at_seller = np.full(pools, FAR, dtype=np.int64)
    at_buyer = np.full(pools, FAR, dtype=np.int64)
    seller_from = np.full(pools, -1, dtype=np.int64)
    buyer_from = np.full(pools, -1, dtype=np.int64)
    for s in range(pools):
        if head[pools + s] < ladders[pools + s + 1]:
            at_seller[s] = height[head[pools + s]] * scale
    changed = True
    while changed:
        changed = False
        for b in range(pools):
            if ladders[b] < ladders[b + 1]:
                for s in range(pools):
                    if at_seller[s] + cost[b, s] < at_buyer[b]:
                        at_buyer[b] = at_seller[s] + cost[b, s]
                        buyer_from[b] = s
        for b in range(pools):
            for s in range(pools):
                if flow[b, s] > 0 and at_buyer[b] < FAR and at_buyer[b] - cost[b, s] < at_seller[s]:
                    at_seller[s] = at_buyer[b] - cost[b, s]
                    seller_from[s] = b
                    changed = True
    return at_buyer, seller_from, buyer_from


@kernel
def _send(  # noqa: PLR0913, PLR0917 - path and network
    b: int, head: IntArray, left: IntArray, flow: IntArray, seller_from: IntArray, buyer_from: IntArray
) -> bool:
    """Send what fits along the labelled path to pool b; return whether labels have to be made anew."""
    pools = flow.shape[0]
    amount = left[head[b]]
    s = buyer_from[b]
    while seller_from[s] >= 0:
        back = seller_from[s]
        amount = min(amount, flow[back, s])
        s = buyer_from[back]
    amount = min(amount, left[head[pools + s]])
    source = s
    emptied = False
    at, s = b, buyer_from[b]
    flow[at, s] += amount
    while seller_from[s] >= 0:
        back = seller_from[s]
        flow[back, s] -= amount
        emptied = emptied or flow[back, s] == 0
        at, s = back, buyer_from[back]
        flow[at, s] += amount
    left[head[b]] -= amount
    left[head[pools + source]] -= amount
    if left[head[b]] == 0:
        head[b] += 1
    if left[head[pools + source]] == 0:
        head[pools + source] += 1
        emptied = True
    return emptied


@kernel
def best_flow(height: IntArray, left: IntArray, ladders: IntArray, charges: IntArray) -> IntArray:
    """Return the flow of highest welfare, shape [buyer pools, seller pools]; `left` becomes what is left of each step.

    Among flows of equal welfare the one with the most energy, among those the lowest charges, then the lower pools: costs carry
    the charge once more in their low digits.
    """
    pools = charges.shape[0]
    highest = 0
    for charge in charges.flat:
        highest = max(highest, charge)
    scale = 2 * pools * highest + 2
    cost = np.where(charges >= 0, charges * (scale + 1), FAR)
    flow = np.zeros((pools, pools), dtype=np.int64)
    head = ladders[:-1].copy()
    stale = False
    at_buyer, seller_from, buyer_from = _label(head, height, ladders, cost, flow, scale)
    while True:
        if stale:
            at_buyer, seller_from, buyer_from = _label(head, height, ladders, cost, flow, scale)
        best, gain = -1, -1
        for b in range(pools):
            if head[b] < ladders[b + 1] and at_buyer[b] < FAR:
                here = height[head[b]] * scale - at_buyer[b]
                if best < 0 or here > gain:
                    best, gain = b, here
        if best < 0 or gain + scale // 2 < 0:
            return flow
        stale = _send(best, head, left, flow, seller_from, buyer_from)


@kernel
def accept(first: IntArray, rows: IntArray, left: IntArray, width: IntArray, quantity: IntArray) -> IntArray:
    """Return the accepted quantity of each order: whole steps whole, a step in part pro rata."""
    accepted = np.zeros(quantity.size, dtype=np.int64)
    for step in range(width.size):
        if left[step] < width[step]:
            split(width[step] - left[step], rows[first[step] : first[step + 1]], quantity, accepted)
    return accepted


@kernel
def _bounds(height: IntArray, left: IntArray, width: IntArray, ladders: IntArray) -> tuple[IntArray, IntArray]:
    """Return the lowest and the highest price at which each ladder trades what it does and no more; shape [2 * pools]."""
    sides = ladders.size - 1
    low = np.full(sides, -FAR, dtype=np.int64)
    high = np.full(sides, FAR, dtype=np.int64)
    for ladder in range(sides):
        is_bid = ladder < sides // 2
        for step in range(ladders[ladder], ladders[ladder + 1]):
            if left[step] > 0:  # not all served: the price must not be better than this
                if is_bid:
                    low[ladder] = max(low[ladder], height[step])
                else:
                    high[ladder] = min(high[ladder], height[step])
            if left[step] < width[step]:  # served: the price must not be worse
                if is_bid:
                    high[ladder] = min(high[ladder], height[step])
                else:
                    low[ladder] = max(low[ladder], height[step])
    return low, high


@kernel
def pool_prices(  # noqa: PLR0913, PLR0917 - the cleared steps and the network
    height: IntArray, left: IntArray, width: IntArray, ladders: IntArray, charges: IntArray, flow: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the lowest and the highest equilibrium price of each seller pool.

    Equilibrium: buyer price <= seller price + charge for every allowed pair, equal where energy flows, and every ladder within
    its bounds. Such prices are a lattice, so both extremes exist and are whole ticks (shortest paths of difference constraints).
    """
    pools = charges.shape[0]
    low, high = _bounds(height, left, width, ladders)
    changed = True
    while changed:
        changed = False
        for b in range(pools):
            for s in range(pools):
                if charges[b, s] < 0:
                    continue
                seller, charge = pools + s, charges[b, s]
                if high[seller] < FAR and high[seller] + charge < high[b]:
                    high[b] = high[seller] + charge
                    changed = True
                if low[b] > -FAR and low[b] - charge > low[seller]:
                    low[seller] = low[b] - charge
                    changed = True
                if flow[b, s] > 0:
                    if high[b] - charge < high[seller]:
                        high[seller] = high[b] - charge
                        changed = True
                    if low[seller] + charge > low[b]:
                        low[b] = low[seller] + charge
                        changed = True
    return low[pools:], high[pools:]


@kernel
def set_prices(low: IntArray, high: IntArray, flow: IntArray, k: tuple[int, int]) -> IntArray:
    """Return the price of each seller pool that sells, k = k[0] / k[1] of the way from lowest to highest, rounded down."""
    prices = np.zeros(low.size, dtype=np.int64)
    for s in range(low.size):
        if flow[:, s].any():
            prices[s] = low[s] + k[0] * (high[s] - low[s]) // k[1]
    return prices


@kernel
def clear_call(  # noqa: PLR0913, PLR0917 - a batch, sorted, and the rules
    rows: IntArray,
    columns: tuple[IntArray, IntArray, IntArray, IntArray, IntArray],
    charges: IntArray,
    k: tuple[int, int],
    pay_as_bid: bool,  # noqa: FBT001 - compiled code knows no keywords
) -> tuple[IntArray, int]:
    """Return the columns of `Fills` of one call, and how many of its fills have one owner on both sides."""
    owner, side, pool, price, quantity = columns
    starts = ladder_starts(rows, side, pool, charges.shape[0])
    first, height, width, ladders = price_steps(rows, starts, price, quantity)
    left = width.copy()
    flow = best_flow(height, left, ladders, charges)
    accepted = accept(first, rows, left, width, quantity)
    pairs = pair(rows, starts, accepted, flow)
    low, high = pool_prices(height, left, width, ladders, charges, flow)
    seller_price = set_prices(low, high, flow, k)
    table = np.empty((8, pairs.shape[0]), dtype=np.int64)
    own = 0
    for fill in range(pairs.shape[0]):
        bid, ask, amount = pairs[fill]
        charge = charges[pool[bid], pool[ask]]
        own += owner[bid] == owner[ask]
        table[0, fill], table[1, fill] = bid, ask
        table[2, fill], table[3, fill] = owner[bid], owner[ask]
        table[4, fill] = amount
        table[5, fill] = price[bid] - charge if pay_as_bid else seller_price[pool[ask]]
        table[6, fill] = charge
        table[7, fill] = -1
    return table, own
