"""Kernels that all call markets share: check and sort a batch, split a quantity pro rata, pair what was accepted.

A *ladder* is one side of one pool. Sorted rows stand ladder by ladder, bids before asks, best price first,
then by arrival.
"""

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market.orders import NEVER
from sunshare_sim.units import ASK, BID, IntArray


@kernel
def first_bad(
    side: IntArray, pool: IntArray, price: IntArray, quantity: IntArray, pools: int, price_levels: int
) -> tuple[int, int]:
    """Return the first row that is out of range and its column in `Orders`, or (-1, 0).

    The row whose quantity makes a side's sum, or what both sides may trade times any price, overflow counts as such.
    """
    bids, asks, most = 0, 0, NEVER // price_levels
    for row in range(side.size):
        if side[row] != BID and side[row] != ASK:
            return row, 1
        if pool[row] < 0 or pool[row] >= pools:
            return row, 2
        if price[row] < 1 or price[row] >= price_levels:
            return row, 3
        if quantity[row] < 1 or quantity[row] > (1 << 62) - bids - asks:
            return row, 4
        if side[row] == BID:
            bids += quantity[row]
        else:
            asks += quantity[row]
        if min(bids, asks) > most:
            return row, 4
    return -1, 0


@kernel
def ladder_keys(
    side: IntArray, pool: IntArray, price: IntArray, quantity: IntArray, shape: tuple[int, int, int]
) -> IntArray:
    """Return one integer an order, to sort by side, pool, price and arrival; orders of quantity 0 are left out.

    `shape` holds pools, price levels and the bits of a row number.
    """
    pools, levels, row_bits = shape
    keys = np.empty(side.size, dtype=np.int64)
    used = 0
    for row in range(side.size):
        if quantity[row] > 0:
            if side[row] == BID:
                rung = pool[row] * levels + levels - price[row]
            else:
                rung = (pools + pool[row]) * levels + price[row]
            keys[used] = rung << row_bits | row
            used += 1
    return keys[:used]


@kernel
def ladder_starts(rows: IntArray, side: IntArray, pool: IntArray, pools: int) -> IntArray:
    """Return where each ladder begins in the sorted rows, bids' ladders first; shape [2 * pools + 1]."""
    starts = np.zeros(2 * pools + 1, dtype=np.int64)
    for row in rows:
        starts[pool[row] + (1 if side[row] == BID else pools + 1)] += 1
    for ladder in range(2 * pools):
        starts[ladder + 1] += starts[ladder]
    return starts


@kernel
def split(amount: int, rows: IntArray, available: IntArray, turn: IntArray, given: IntArray) -> None:
    """Split `amount` among `rows` in proportion to what each has available; write to `given`.

    Shares are rounded down; the few units this leaves go one each to the rows with the lowest `turn`.
    """
    whole = 0
    for row in rows:
        whole += available[row]
    if whole == 0:
        return
    left = amount
    ratio = amount / whole
    for row in rows:
        share = available[row] if amount == whole else min(int(available[row] * ratio), available[row])
        given[row] = share
        left -= share
    if left == 0:
        return
    # Floats are exact to some 1e-16 of a share, so `left` is a few units for each row, in rare cases below zero.
    queue = rows[np.argsort(turn[rows])]
    while left != 0:
        step = max(1, abs(left) // rows.size)
        for row in queue:
            room = available[row] - given[row] if left > 0 else -given[row]
            change = min(step, left, room) if left > 0 else max(-step, left, room)
            given[row] += change
            left -= change


@kernel
def pair(rows: IntArray, starts: IntArray, accepted: IntArray, flow: IntArray) -> IntArray:
    """Pair accepted bids with accepted asks in the order of their rows, cell by cell of `flow` [buyer, seller pool].

    Returns rows of (bid row, ask row, quantity). `accepted` is used up.
    """
    pools = flow.shape[0]
    cells = 0
    for flowing in flow.flat:
        if flowing > 0:
            cells += 1
    fills = np.empty((rows.size + cells, 3), dtype=np.int64)
    count = 0
    next_ask = starts[pools:-1].copy()
    for buyer_pool in range(pools):
        bid = starts[buyer_pool]
        for seller_pool in range(pools):
            left = flow[buyer_pool, seller_pool]
            ask = next_ask[seller_pool]
            while left > 0:
                buyer, seller = rows[bid], rows[ask]
                amount = min(left, accepted[buyer], accepted[seller])
                if amount > 0:
                    fills[count] = buyer, seller, amount
                    count += 1
                    accepted[buyer] -= amount
                    accepted[seller] -= amount
                    left -= amount
                if left > 0:
                    if accepted[buyer] == 0:
                        bid += 1
                    if accepted[seller] == 0:
                        ask += 1
            next_ask[seller_pool] = ask
    return fills[:count]
