# ruff: noqa: PLR0913, PLR0917 -- parts of a kernel that works on many arrays
"""The parts of the order book's kernel: queues on a ladder, the next best rung, the tree of pools."""

import numpy as np

from sunshare_sim.kernels import kernel, part
from sunshare_sim.market._layout import (
    CHILD,
    ID,
    NEVER,
    NEXT,
    NOTHING,
    OLD,
    OLD_ID,
    ORDER_FIELDS,
    PARENT,
    POOLS,
    PREVIOUS,
    PRICE_ASK,
    PRICE_RESTING,
    QUANTITY,
    RUNG,
    SHIFT,
    SIBLING,
    TIME,
    WORD,
    Queues,
)
from sunshare_sim.units import IntArray

# Position of the only bit set in a 32-bit word, found at word % 37 (37 is prime and 2 generates its group)
_POSITION = np.zeros(37, dtype=np.int64)
_POSITION[[2**i % 37 for i in range(32)]] = np.arange(32)
_POSITION.setflags(write=False)


@part
def at(index: int) -> int:
    """Return an index as unsigned: nobody has to look whether it counts from the end, a tenth of all time."""
    return np.uint64(index)  # type: ignore[return-value]


@part
def lowest_bit(word: int) -> int:
    """Return the position of the lowest bit that is set."""
    return int(_POSITION[at((word & -word) % 37)])


@part
def next_rung(rung: int, shift: int, bits: IntArray, tops: IntArray) -> int:
    """Return the next rung in use after `rung` in the same ladder, or NOTHING >> shift."""
    words = tops.size << (shift - 2 * WORD)
    ladder = rung >> shift
    word = rung >> WORD
    found = bits[at(words + word)] & (-2 << (rung & 31))
    if found != 0:
        return (word << WORD) + lowest_bit(found) - (ladder << shift)
    block = word >> WORD
    end = (ladder + 1) << (shift - 2 * WORD)
    found = bits[at(block)] & (-2 << (word & 31))
    while found == 0:
        block += 1
        if block >= end:
            return NOTHING >> shift
        found = bits[at(block)]
    word = (block << WORD) + lowest_bit(found)
    return (word << WORD) + lowest_bit(bits[at(words + word)]) - (ladder << shift)


@part
def _unmark(rung: int, shift: int, bits: IntArray, tops: IntArray) -> None:
    """Note that a rung has become empty; when it was the ladder's best, find the next.

    The bitmap's first part has one bit for each word of the second, which has one for each rung.
    """
    words = tops.size << (shift - 2 * WORD)
    word = rung >> WORD
    left = bits[at(words + word)] & ~(1 << (rung & 31))
    bits[at(words + word)] = left
    if left == 0:
        bits[at(word >> WORD)] &= ~(1 << (word & 31))
    ladder = rung >> shift
    pools = tops.shape[1]
    side = 1 if ladder >= pools else 0
    pool = ladder - side * pools
    if tops[side, pool] == (rung - (ladder << shift)) << shift:
        tops[side, pool] = next_rung(rung, shift, bits, tops) << shift


@part
def remove(
    order: int,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    shift: int,
) -> None:
    """Take an order out of its queue and mark it dead."""
    orders[at(order + QUANTITY)] = 0
    rung, after, before = (
        orders[at(order + RUNG)],
        orders[at(order + NEXT)],
        orders[at(order + PREVIOUS)],
    )
    if before >= 0:
        orders[at(before + NEXT)] = after
    else:
        queues[at(2 * rung)] = after
    if after >= 0:
        orders[at(after + PREVIOUS)] = before
    elif before >= 0:
        queues[at(2 * rung + 1)] = before
    else:
        _unmark(rung, shift, bits, tops)


@kernel
def find(order_id: int, state: IntArray, orders: IntArray) -> int:
    """Return where a resting order stands, or -1 when it is no longer there.

    Orders moved by a compaction are searched by interpolation, as their ids are nearly evenly spaced, and by halves in
    every other step, in case they are not.
    """
    if order_id >= state[OLD_ID]:
        order = state[OLD] + (order_id - state[OLD_ID]) * ORDER_FIELDS
        return order if orders[at(order + QUANTITY)] > 0 else -1
    first, last, halve = 0, state[OLD] // ORDER_FIELDS - 1, False
    while first <= last:
        low, high = orders[at(first * ORDER_FIELDS + ID)], orders[at(last * ORDER_FIELDS + ID)]
        if order_id < low or order_id > high:
            return -1
        guess = (first + last) >> 1
        if not halve:
            guess = first + int((order_id - low) / max(1, high - low) * (last - first))
        order = guess * ORDER_FIELDS
        found = orders[at(order + ID)]
        if found == order_id:
            return order if orders[at(order + QUANTITY)] > 0 else -1
        if found < order_id:
            first = guess + 1
        else:
            last = guess - 1
        halve = not halve
    return -1


@part
def seller_price(pricing: int, seller_rests: int, bid: int, ask: int, charge: int) -> int:
    """Return what the seller gets a kWh: the ask, the resting order's price, or the middle rounded down."""
    if pricing == PRICE_ASK:
        return ask
    if pricing == PRICE_RESTING:
        return ask if seller_rests else bid - charge
    return (ask + bid - charge) >> 1


@part
def use_up(bid_pool: int, ask_pool: int, traded: int, room: IntArray, charges: IntArray) -> None:
    """Use up some of a pair's capacity; forbid the pair when nothing is left."""
    room[bid_pool, ask_pool] -= traded
    if room[bid_pool, ask_pool] == 0:
        charges[0, bid_pool, ask_pool] = NOTHING
        charges[1, ask_pool, bid_pool] = NOTHING


@kernel
def refresh(
    side: int,
    pool: int,
    state: IntArray,
    orders: IntArray,
    queues: Queues,
    tops: IntArray,
    family: IntArray,
) -> None:
    """Find who is best in every group around a pool, after the pool's first order has changed."""
    shift, pools = state[SHIFT], state[POOLS]
    family[side, pool] = pool if tops[side, pool] < NOTHING else -1
    node = family[PARENT, pool]
    while node >= 0:
        best, best_top, best_time = -1, NOTHING, NEVER
        child = family[CHILD, node]
        while child >= 0:
            other = family[side, child]
            if other >= 0 and tops[side, other] <= best_top:
                top = tops[side, other]
                time = orders[at(queues[at(2 * (((side * pools + other) << shift) + (top >> shift)))] + TIME)]
                if top < best_top or time < best_time:
                    best, best_top, best_time = other, top, time
            child = family[SIBLING, child]
        if family[side, node] != pool and best != pool:
            break
        family[side, node] = best
        node = family[PARENT, node]


@kernel
def grow_tree(state: IntArray, orders: IntArray, queues: Queues, tops: IntArray, family: IntArray) -> None:
    """Find who is best in every group."""
    family[:2] = -1
    for side in range(2):
        for pool in range(state[POOLS]):
            refresh(side, pool, state, orders, queues, tops, family)
