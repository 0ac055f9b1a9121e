# ruff: noqa: C901, PLR0912, PLR0913, PLR0917 -- sequential work on many arrays
"""What the book needs beside matching: the sweep after a change of rules, dropping dead orders, forgetting all."""

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market._ladder import (
    at,
    behind,
    lowest_bit,
    next_rung,
    remove,
    seller_price,
    use_up,
)
from sunshare_sim.market._layout import (
    CAPPED,
    FILLS,
    FIRST_EXPIRY,
    ID,
    LIVE,
    NEVER,
    NEXT,
    NEXT_ID,
    NOBODY,
    NOTHING,
    OLD,
    OLD_ID,
    OPEN,
    ORDER_BITS,
    ORDER_FIELDS,
    OWNER,
    PARENT,
    POOLS,
    PREVIOUS,
    PRICE_LEVELS,
    PRICING,
    QUANTITY,
    RUNG,
    SHIFT,
    TIME,
    TREED,
    USED,
    WORD,
    Queues,
)
from sunshare_sim.units import IntArray


@kernel
def sweep(
    state: IntArray,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    charges: IntArray,
    room: IntArray,
    fills: IntArray,
) -> None:
    """Match resting orders that have become matchable, highest surplus first, until none is left."""
    levels, shift, pools = state[PRICE_LEVELS], state[SHIFT], state[POOLS]
    limit = (levels + 1) << shift
    count = 0
    while True:
        lowest = limit
        for buying in range(pools):
            for selling in range(pools):
                lowest = min(
                    lowest,
                    tops[buying] + tops[pools + selling] + charges[0, buying, selling],
                )
        if lowest >= limit:
            break
        bid, ask, bid_pool, ask_pool = -1, -1, 0, 0
        for buying in range(pools):
            for selling in range(pools):
                ladder = pools + selling
                if tops[buying] + tops[ladder] + charges[0, buying, selling] == lowest:
                    bidder = queues[at(2 * ((buying << shift) + (tops[buying] >> shift)))]
                    asker = queues[at(2 * ((ladder << shift) + (tops[ladder] >> shift)))]
                    if bid >= 0:
                        later = orders[at(bidder + TIME)] - orders[at(bid + TIME)]
                        if later > 0 or (later == 0 and orders[at(asker + TIME)] > orders[at(ask + TIME)]):
                            continue
                    bid, ask, bid_pool, ask_pool = bidder, asker, buying, selling

        seller_rests = orders[at(ask + TIME)] < orders[at(bid + TIME)]
        if orders[at(bid + OWNER)] == orders[at(ask + OWNER)]:
            earlier = ask if seller_rests else bid
            state[LIVE] -= 1
            state[OPEN] -= orders[at(earlier + QUANTITY)]
            remove(earlier, 0, orders, queues, bits, tops, shift)
            continue
        charge = charges[0, bid_pool, ask_pool] >> shift
        traded = min(orders[at(bid + QUANTITY)], orders[at(ask + QUANTITY)])
        if state[CAPPED]:
            traded = min(traded, room[bid_pool, ask_pool])
            use_up(bid_pool, ask_pool, traded, room, charges)
        bid_price = levels - (tops[bid_pool] >> shift)
        ask_price = tops[pools + ask_pool] >> shift
        fills[count, 0] = orders[at(bid + ID)]
        fills[count, 1] = orders[at(ask + ID)]
        fills[count, 2] = orders[at(bid + OWNER)]
        fills[count, 3] = orders[at(ask + OWNER)]
        fills[count, 4] = traded
        fills[count, 5] = seller_price(state[PRICING], seller_rests, bid_price, ask_price, charge)
        fills[count, 6] = charge
        fills[count, 7] = -1
        count += 1
        state[OPEN] -= 2 * traded
        for order in (bid, ask):
            if orders[at(order + QUANTITY)] == traded:
                state[LIVE] -= 1
                remove(order, 0, orders, queues, bits, tops, shift)
            else:
                orders[at(order + QUANTITY)] -= traded
    state[FILLS] = count


@kernel
def _living(state: IntArray, orders: IntArray, queues: Queues, bits: IntArray, tops: IntArray) -> IntArray:
    """Return the living orders in order of id: a few are found in their queues, many by looking at every order."""
    used, shift, count = state[USED], state[SHIFT], 0
    living = np.empty(state[LIVE], dtype=np.int64)
    if living.size << 4 > used >> ORDER_BITS:
        for order in range(ORDER_FIELDS, used, ORDER_FIELDS):
            if orders[at(order + QUANTITY)] > 0:
                living[count] = order
                count += 1
        return living
    marks = np.zeros((used >> (ORDER_BITS + WORD)) + 1, dtype=np.int64)
    for ladder in range(tops.size):
        rung = tops[ladder] >> shift
        while rung < NOTHING >> shift:
            place = (ladder << shift) + rung
            order = queues[at(2 * place)]
            while order != NOBODY:
                slot = int(order) >> ORDER_BITS  # plain Python has an int32 here
                marks[at(slot >> WORD)] |= (orders[at(order + QUANTITY)] > 0) << (slot & 31)
                order = behind(order, orders)
            rung = next_rung(place, shift, bits, tops)
    for word in range(marks.size):
        left = marks[word]
        while left != 0:
            living[count] = ((word << WORD) + lowest_bit(left)) << ORDER_BITS
            left &= left - 1
            count += 1
    return living


@kernel
def compact(
    state: IntArray, orders: IntArray, queues: Queues, bits: IntArray, tops: IntArray, target: IntArray
) -> None:
    """Move the living orders to the front of `target` (it may be `orders`), in order of id, and rejoin the queues."""
    living = _living(state, orders, queues, bits, tops)
    for position in range(living.size):
        order = living[position]
        after = behind(order, orders)
        while orders[at(after + QUANTITY)] == 0:
            after = behind(after, orders)
        orders[at(order + NEXT)] = after
        orders[at(order + PREVIOUS)] = (position + 1) << ORDER_BITS  # where it will be
    orders[PREVIOUS] = NOBODY
    for position in range(living.size):
        order, new = living[position], (position + 1) << ORDER_BITS
        rung = orders[at(order + RUNG)]
        if queues[at(2 * rung)] == order:
            queues[at(2 * rung)] = new
        if orders[at(order + NEXT)] == NOBODY:
            queues[at(2 * rung + 1)] = new
        orders[at(order + NEXT)] = orders[at(orders[at(order + NEXT)] + PREVIOUS)]
    target[:ORDER_FIELDS] = NOBODY
    target[QUANTITY] = 1  # of nobody, who never dies
    for position in range(living.size):
        order, new = living[position], (position + 1) << ORDER_BITS
        for field in range(ORDER_FIELDS):
            target[at(new + field)] = orders[at(order + field)]
        target[at(new + PREVIOUS)] = NOBODY
    for position in range(living.size):
        new = (position + 1) << ORDER_BITS
        target[at(target[at(new + NEXT)] + PREVIOUS)] = new
    state[USED] = state[OLD] = (living.size + 1) << ORDER_BITS
    state[OLD_ID] = state[NEXT_ID]


@kernel
def clear(
    state: IntArray,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    sent: IntArray,
    family: IntArray,
) -> None:
    """Forget all orders, at a cost of what was sent, whatever the number of rungs."""
    shift, pools = state[SHIFT], state[POOLS]
    words = tops.size << (shift - WORD)
    for order in range(ORDER_FIELDS, state[USED], ORDER_FIELDS):
        if orders[at(order + QUANTITY)] > 0:
            rung = orders[at(order + RUNG)]
            queues[at(2 * rung)] = NOBODY
            bits[at(rung >> WORD)] = 0
            bits[at(words + (rung >> (2 * WORD)))] = 0
            ladder = rung >> shift
            side = 1 if ladder >= pools else 0
            node = ladder - side * pools
            tops[ladder] = NOTHING
            while state[TREED] and node >= 0 and family[side, node] >= 0:
                family[side, node] = -1
                node = family[PARENT, node]
    state[USED:] = 0
    state[USED] = state[OLD] = ORDER_FIELDS
    state[FIRST_EXPIRY] = NEVER
    sent[:] = 0
