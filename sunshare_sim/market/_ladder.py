# ruff: noqa: PLR0913, PLR0917 -- parts of a kernel that works on many arrays
"""The parts of the order book's kernel: queues on a ladder, the next best rung, the tree of pools."""

import numpy as np

from sunshare_sim.kernels import kernel, part
from sunshare_sim.market._layout import (
    CHILD,
    ID,
    LOW,
    NEVER,
    NEXT,
    NOBODY,
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
    ladder = rung >> shift
    word = rung >> WORD
    found = bits[at(word)] & (-2 << (rung & 31))
    if found != 0:
        return (word << WORD) + lowest_bit(found) - (ladder << shift)
    words = tops.size << (shift - WORD)
    block = word >> WORD
    end = (ladder + 1) << (shift - 2 * WORD)
    found = bits[at(words + block)] & (-2 << (word & 31))
    while found == 0:
        block += 1
        if block >= end:
            return NOTHING >> shift
        found = bits[at(words + block)]
    word = (block << WORD) + lowest_bit(found)
    return (word << WORD) + lowest_bit(bits[at(word)]) - (ladder << shift)


@part
def _unmark(rung: int, shift: int, bits: IntArray, tops: IntArray) -> None:
    """Note that a rung has become empty; when it was the ladder's best, find the next.

    The bitmap's first part has one bit for each rung, the second one for each word of the first.
    """
    word = rung >> WORD
    left = bits[at(word)] & ~(1 << (rung & 31))
    bits[at(word)] = left
    if left == 0:
        words = tops.size << (shift - WORD)
        bits[at(words + (word >> WORD))] &= ~(1 << (word & 31))
    ladder = rung >> shift
    if tops[at(ladder)] == (rung - (ladder << shift)) << shift:
        tops[at(ladder)] = next_rung(rung, shift, bits, tops) << shift


@part
def behind(order: int, orders: IntArray) -> int:
    """Return who stands behind an order."""
    return int(orders[at(order + NEXT)] & LOW)


@part
def remove(
    order: int,
    stays: int,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    shift: int,
) -> None:
    """Mark an order dead and take it out of its queue; if it `stays`, it leaves when it comes first."""
    orders[at(order + QUANTITY)] = 0
    rung, after, before = (
        orders[at(order + RUNG)],
        behind(order, orders),
        orders[at(order + PREVIOUS)],
    )
    if stays and before != NOBODY:
        return
    while orders[at(after + QUANTITY)] == 0:
        after = behind(after, orders)
    orders[at(before + NEXT)] = after
    orders[at(after + PREVIOUS)] = before
    head, tail = queues[at(2 * rung)], queues[at(2 * rung + 1)]
    queues[at(2 * rung)] = after if before == NOBODY else head
    queues[at(2 * rung + 1)] = before if after == NOBODY else tail
    if before | after == NOBODY:
        _unmark(rung, shift, bits, tops)


@part
def lead(
    order: int,
    rung: int,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    shift: int,
) -> None:
    """Let the first living one of `order` and those behind it lead its queue."""
    while orders[at(order + QUANTITY)] == 0:
        order = behind(order, orders)
    queues[at(2 * rung)] = order
    orders[at(order + PREVIOUS)] = NOBODY
    if order == NOBODY:
        _unmark(rung, shift, bits, tops)


@kernel
def find(order_id: int, state: IntArray, orders: IntArray) -> int:
    """Return where a resting order stands, or NOBODY when it is no longer there.

    Orders moved by a compaction are searched by interpolation, as their ids are nearly evenly spaced, and by halves in
    every other step, in case they are not.
    """
    if order_id >= state[OLD_ID]:
        order = state[OLD] + (order_id - state[OLD_ID]) * ORDER_FIELDS
        return order if orders[at(order + QUANTITY)] > 0 else NOBODY
    first, last, halve = 1, state[OLD] // ORDER_FIELDS - 1, False
    while first <= last:
        low, high = orders[at(first * ORDER_FIELDS + ID)], orders[at(last * ORDER_FIELDS + ID)]
        if order_id < low or order_id > high:
            return NOBODY
        guess = (first + last) >> 1
        if not halve:
            guess = first + int((order_id - low) / max(1, high - low) * (last - first))
        order = guess * ORDER_FIELDS
        found = orders[at(order + ID)]
        if found == order_id:
            return order if orders[at(order + QUANTITY)] > 0 else NOBODY
        if found < order_id:
            first = guess + 1
        else:
            last = guess - 1
        halve = not halve
    return NOBODY


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
    ours = side * pools  # the first of this side's ladders
    family[at(side), at(pool)] = pool if tops[at(ours + pool)] < NOTHING else -1
    node = family[PARENT, at(pool)]
    while node >= 0:
        best, best_top, best_time = -1, NOTHING, NEVER
        child = family[CHILD, at(node)]
        while child >= 0:
            other = family[at(side), at(child)]
            if other >= 0 and tops[at(ours + other)] <= best_top:
                top = tops[at(ours + other)]
                time = orders[at(queues[at(2 * (((ours + other) << shift) + (top >> shift)))] + TIME)]
                if top < best_top or time < best_time:
                    best, best_top, best_time = other, top, time
            child = family[SIBLING, at(child)]
        if family[at(side), at(node)] != pool and best != pool:
            break
        family[at(side), at(node)] = best
        node = family[PARENT, at(node)]


@kernel
def grow_tree(state: IntArray, orders: IntArray, queues: Queues, tops: IntArray, family: IntArray) -> None:
    """Find who is best in every group."""
    family[:2] = -1
    for side in range(2):
        for pool in range(state[POOLS]):
            refresh(side, pool, state, orders, queues, tops, family)
