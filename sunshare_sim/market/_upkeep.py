# ruff: noqa: C901, PLR0912, PLR0913, PLR0917 -- sequential work on many arrays
"""What the book needs beside matching: the sweep after a change of rules, dropping dead orders, forgetting all."""

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market._ladder import (
    at,
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
    NOTHING,
    OLD,
    OLD_ID,
    OPEN,
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
                    tops[0, buying] + tops[1, selling] + charges[0, buying, selling],
                )
        if lowest >= limit:
            break
        bid, ask, bid_pool, ask_pool = -1, -1, 0, 0
        for buying in range(pools):
            for selling in range(pools):
                if tops[0, buying] + tops[1, selling] + charges[0, buying, selling] == lowest:
                    bidder = queues[at(2 * ((buying << shift) + (tops[0, buying] >> shift)))]
                    ladder = pools + selling
                    asker = queues[at(2 * ((ladder << shift) + (tops[1, selling] >> shift)))]
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
            remove(earlier, orders, queues, bits, tops, shift)
            continue
        charge = charges[0, bid_pool, ask_pool] >> shift
        traded = min(orders[at(bid + QUANTITY)], orders[at(ask + QUANTITY)])
        if state[CAPPED]:
            traded = min(traded, room[bid_pool, ask_pool])
            use_up(bid_pool, ask_pool, traded, room, charges)
        bid_price = levels - (tops[0, bid_pool] >> shift)
        ask_price = tops[1, ask_pool] >> shift
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
                remove(order, orders, queues, bits, tops, shift)
            else:
                orders[at(order + QUANTITY)] -= traded
    state[FILLS] = count


@kernel
def compact(state: IntArray, orders: IntArray, queues: Queues, target: IntArray) -> None:
    """Move the living orders to the front of `target` (it may be `orders`), in order of id, and rejoin the queues."""
    used = state[USED]
    moved = np.empty(used // ORDER_FIELDS, dtype=np.int64)
    living = np.empty(state[LIVE], dtype=np.int64)
    count = 0
    for order in range(0, used, ORDER_FIELDS):
        if orders[at(order + QUANTITY)] > 0:
            moved[order // ORDER_FIELDS] = count * ORDER_FIELDS
            living[count] = order
            count += 1
    for position in range(count):
        order, new = living[position], position * ORDER_FIELDS
        rung, after, before = (
            orders[at(order + RUNG)],
            orders[at(order + NEXT)],
            orders[at(order + PREVIOUS)],
        )
        for field in range(ORDER_FIELDS):
            target[at(new + field)] = orders[at(order + field)]
        if after >= 0:
            target[at(new + NEXT)] = moved[after // ORDER_FIELDS]
        else:
            queues[at(2 * rung + 1)] = new
        if before >= 0:
            target[at(new + PREVIOUS)] = moved[before // ORDER_FIELDS]
        else:
            queues[at(2 * rung)] = new
    end = count * ORDER_FIELDS
    state[USED] = end
    state[OLD] = end
    state[OLD_ID] = state[NEXT_ID]


@kernel
def clear(
    state: IntArray,
    orders: IntArray,
    bits: IntArray,
    tops: IntArray,
    sent: IntArray,
    family: IntArray,
) -> None:
    """Forget all orders, at a cost of what was sent, whatever the number of rungs."""
    shift, pools = state[SHIFT], state[POOLS]
    words = tops.size << (shift - 2 * WORD)
    for order in range(0, state[USED], ORDER_FIELDS):
        if orders[at(order + QUANTITY)] > 0:
            rung = orders[at(order + RUNG)]
            bits[at(words + (rung >> WORD))] = 0
            bits[at(rung >> (2 * WORD))] = 0
            ladder = rung >> shift
            side = 1 if ladder >= pools else 0
            node = ladder - side * pools
            tops[side, node] = NOTHING
            while state[TREED] and node >= 0 and family[side, node] >= 0:
                family[side, node] = -1
                node = family[PARENT, node]
    state[USED:] = 0
    state[FIRST_EXPIRY] = NEVER
    sent[:] = 0
