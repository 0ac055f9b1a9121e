"""Kernels of the call auction: the allocation of highest welfare over pools and charges, and its prices.

Pools of buyers and sellers are a small flow network; each seller pool supplies along its ask ladder, each
buyer pool takes along its bid ladder, and a unit that goes from s to b costs W[b, s]. Successive shortest
paths send energy along the path of highest gain until no path gains (Ahuja, Magnanti and Orlin 1993, Network
Flows, section 9.7): exact in integers. With one pool it is the crossing of two step curves.
"""

from typing import Final

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market._pairing import ladder_starts, pair, split
from sunshare_sim.market.orders import Orders
from sunshare_sim.units import IntArray

FAR: Final = 1 << 61


@kernel
def price_steps(
    rows: IntArray, starts: IntArray, price: IntArray, quantity: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Join orders of one ladder and one price to steps.

    Returns the first sorted row of each step (and the end), its price, its quantity, and the first step of
    each ladder (and the end).
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
def crossing(height: IntArray, left: IntArray, ladders: IntArray, charge: int) -> IntArray:
    """Return what `best_flow` does, for one pool: the step curves are followed to where they cross."""
    flow = np.zeros((1, 1), dtype=np.int64)
    bid, last_bid, last_ask = ladders
    ask = last_bid
    while charge >= 0 and bid < last_bid and ask < last_ask and height[bid] - charge >= height[ask]:
        amount = min(left[bid], left[ask])
        flow[0, 0] += amount
        left[bid] -= amount
        left[ask] -= amount
        if left[bid] == 0:
            bid += 1
        if left[ask] == 0:
            ask += 1
    return flow


@kernel
def _nearest(b: int, supply: IntArray, cost: IntArray) -> tuple[int, int]:
    """Return the lowest cost at which a seller pool's own next unit reaches buyer pool b, and that seller pool."""
    lowest, nearest = FAR, -1
    for s in range(supply.size):
        if supply[s] + cost[b, s] < lowest:
            lowest, nearest = supply[s] + cost[b, s], s
    return lowest, nearest


@kernel
def _label(
    direct: IntArray, supply: IntArray, cost: IntArray, cells: IntArray, at: IntArray, come_from: IntArray
) -> None:
    """Label pools with the lowest cost at which one more unit gets there, and its origin; row 0: buyers, 1: sellers.

    A unit may also reach a seller pool by taking the place of one that flows from it now, in one of `cells`.
    """
    at[0], come_from[0] = direct[0], direct[1]
    at[1], come_from[1] = supply, -1
    changed = True
    while changed:
        changed = False
        for cell in range(cells.shape[0]):
            b, s = cells[cell]
            if at[0, b] < FAR and at[0, b] - cost[b, s] < at[1, s]:
                at[1, s], come_from[1, s] = at[0, b] - cost[b, s], b
                changed = True
                for to in range(supply.size):
                    if at[1, s] + cost[to, s] < at[0, to]:
                        at[0, to], come_from[0, to] = at[1, s] + cost[to, s], s


@kernel
def _send(  # noqa: PLR0913, PLR0917 - path and network
    b: int, head: IntArray, left: IntArray, flow: IntArray, come_from: IntArray, cells: IntArray, used: int
) -> tuple[int, int, bool]:
    """Send what fits along the labelled path to pool b.

    Returns the seller pool it starts at, the number of `cells` in use, and whether one of them has run dry.
    """
    pools = flow.shape[0]
    amount = left[head[b]]
    source = come_from[0, b]
    while come_from[1, source] >= 0:
        amount = min(amount, flow[come_from[1, source], source])
        source = come_from[0, come_from[1, source]]
    amount = min(amount, left[head[pools + source]])
    at, s = b, come_from[0, b]
    emptied = False
    while True:
        if flow[at, s] == 0:
            cells[used] = at, s
            used += 1
        flow[at, s] += amount
        if s == source:
            break
        at = come_from[1, s]
        flow[at, s] -= amount
        emptied = emptied or flow[at, s] == 0
        s = come_from[0, at]
    if emptied:
        kept = 0
        for cell in range(used):
            if flow[cells[cell, 0], cells[cell, 1]] > 0:
                cells[kept] = cells[cell]
                kept += 1
        used = kept
    left[head[b]] -= amount
    left[head[pools + source]] -= amount
    return source, used, emptied


@kernel
def _best_end(
    head: IntArray, ladders: IntArray, height: IntArray, reach: IntArray, scale: int
) -> tuple[int, int]:
    """Return the buyer pool whose next unit gains most, or -1, and that gain."""
    best, gain = -1, -FAR
    for b in range(reach.size):
        if head[b] < ladders[b + 1] and reach[b] < FAR and height[head[b]] * scale - reach[b] > gain:
            best, gain = b, height[head[b]] * scale - reach[b]
    return best, gain


@kernel
def _raise_supply(source: int, to: int, supply: IntArray, direct: IntArray, cost: IntArray) -> None:
    """Set the cost of a seller pool's next own unit, and find out for whom another pool is nearer now."""
    supply[source] = to
    for b in range(supply.size):
        if direct[1, b] == source:
            direct[0, b], direct[1, b] = _nearest(b, supply, cost)


@kernel
def best_flow(height: IntArray, left: IntArray, ladders: IntArray, charges: IntArray) -> IntArray:
    """Return the flow of highest welfare, shape [buyer pools, seller pools]; `left` becomes what is left of each step.

    Among flows of equal welfare the one with the most energy, among those the lowest charges, then the lower
    pools: costs carry the charge once more in their low digits.
    """
    pools = charges.shape[0]
    scale = 2 * pools * max(0, charges.max()) + 2
    cost = np.where(charges >= 0, charges * (scale + 1), FAR)
    flow = np.zeros((pools, pools), dtype=np.int64)
    head = ladders[:-1].copy()
    supply = np.full(pools, FAR, dtype=np.int64)  # cost of each seller pool's next own unit
    for s in range(pools):
        if head[pools + s] < ladders[pools + s + 1]:
            supply[s] = height[head[pools + s]] * scale
    direct = np.empty((2, pools), dtype=np.int64)
    for b in range(pools):
        direct[0, b], direct[1, b] = _nearest(b, supply, cost)
    at = np.empty((2, pools), dtype=np.int64)
    come_from = np.empty((2, pools), dtype=np.int64)
    cells = np.empty((pools * pools + pools, 2), dtype=np.int64)
    used, stale = 0, True
    while True:
        if stale:
            _label(direct, supply, cost, cells[:used], at, come_from)
        best, gain = _best_end(head, ladders, height, at[0], scale)
        if best < 0 or gain + scale // 2 < 0:
            return flow
        source, used, stale = _send(best, head, left, flow, come_from, cells, used)
        if left[head[best]] == 0:
            head[best] += 1
        step = head[pools + source]
        if left[step] == 0:
            head[pools + source] += 1
            dearer = height[step + 1] * scale if step + 1 < ladders[pools + source + 1] else FAR
            _raise_supply(source, dearer, supply, direct, cost)
            stale = True


@kernel
def accept(
    first: IntArray, rows: IntArray, left: IntArray, width: IntArray, quantity: IntArray, turn: IntArray
) -> IntArray:
    """Return the accepted quantity of each order: whole steps whole, a step in part pro rata."""
    accepted = np.zeros(quantity.size, dtype=np.int64)
    for step in range(width.size):
        if left[step] == 0:
            for place in range(first[step], first[step + 1]):
                accepted[rows[place]] = quantity[rows[place]]
        elif left[step] < width[step]:
            split(width[step] - left[step], rows[first[step] : first[step + 1]], quantity, turn, accepted)
    return accepted


@kernel
def _bounds(
    height: IntArray, left: IntArray, width: IntArray, ladders: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the lowest and highest price at which each ladder trades what it does; shape [2 * pools]."""
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
def pool_prices(
    height: IntArray, left: IntArray, width: IntArray, ladders: IntArray, charges: IntArray, flow: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the lowest and the highest equilibrium price of each seller pool.

    Equilibrium: buyer price <= seller price + charge for every allowed pair, equal where energy flows, and
    every ladder within its bounds. Such prices are a lattice, so both extremes exist and are whole ticks
    (shortest paths of difference constraints).
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
    """Return the price of each pool that sells, k[0] / k[1] of the way from lowest to highest, rounded down."""
    prices = np.zeros(low.size, dtype=np.int64)
    for s in range(low.size):
        if flow[:, s].any():
            prices[s] = low[s] + k[0] * (high[s] - low[s]) // k[1]
    return prices


@kernel
def clear_call(
    rows: IntArray,
    orders: Orders,
    turn: IntArray,
    charges: IntArray,
    k: tuple[int, int],
    pay_as_bid: bool,  # noqa: FBT001 - compiled code knows no keywords
) -> tuple[IntArray, int]:
    """Return the columns of `Fills` of one call, and how many of its fills have one owner on both sides."""
    owner, side, pool, price, quantity = orders
    starts = ladder_starts(rows, side, pool, charges.shape[0])
    first, height, width, ladders = price_steps(rows, starts, price, quantity)
    left = width.copy()
    if charges.size == 1:
        flow = crossing(height, left, ladders, charges[0, 0])
    else:
        flow = best_flow(height, left, ladders, charges)
    accepted = accept(first, rows, left, width, quantity, turn)
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
