"""The order book's kernel: the whole matching of a batch of messages, compiled, on flat integer arrays.

A price becomes a *rung*: the ask's price itself, or `price_levels - price` of a bid, so that on both sides the best
order has the lowest rung and one code serves both. An order that may reach up to rung r of the other side takes from
pool o while rung[o] + charge[o] <= r. A *ladder* is one side of one pool; its rungs hold queues, bitmaps find the next
rung in use. The best rung of every ladder and every charge are stored as `value << shift`, the charge also in the low
bits: the smallest sum over the pools is the lowest landed price and, among those, the lowest charge.

An order is known by the index of its first field in one flat array, 64 bytes or one line of the processor's cache each.
"""

from typing import Final

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market._part import part
from sunshare_sim.units import IntArray

# Fields of an order; the orders stand in order of id, and one with quantity 0 is dead
QUANTITY: Final = 0
TIME: Final = 1
OWNER: Final = 2
RUNG: Final = 3  # ladder << shift | rung
NEXT: Final = 4
PREVIOUS: Final = 5
ID: Final = 6
EXPIRY: Final = 7
ORDER_FIELDS: Final = 8

# Scalars of the book, kept in one array between calls
PRICE_LEVELS: Final = 0
SHIFT: Final = 1
POOLS: Final = 2
PRICING: Final = 3
RATE: Final = 4  # orders an owner may send in a slot; 0 = any number
CAPPED: Final = 5  # 1 when pairs have a capacity
USED: Final = 6  # where the next order goes
OLD: Final = 7  # where the orders end that the last compaction moved together
OLD_ID: Final = 8  # id of the first order after them
NEXT_ID: Final = 9
CLOCK: Final = 10
LIVE: Final = 11  # orders at rest
OPEN: Final = 12  # sum of their quantities
FIRST_EXPIRY: Final = 13  # no resting order expires before this
REJECTED: Final = 14
FILLS: Final = 15  # fills in the buffer
REMOVED: Final = 16  # orders removed by the last cancel or expiry
STATE_FIELDS: Final = 17

EVENT_FIELDS: Final = 9  # as in orders.Events
FILL_FIELDS: Final = 8  # as in orders.Fills
NOTHING: Final = 1 << 60  # best rung of an empty ladder; charge of a forbidden pair
WORD: Final = 5  # a word of the bitmaps holds 2**5 rungs, so that plain Python's integers never overflow
NEVER: Final = 2**63 - 1
MOST_OWNERS: Final = 1 << 24  # with a rate limit, which keeps a count for every owner

PRICE_ASK: Final = 0
PRICE_RESTING: Final = 1
PRICE_MIDPOINT: Final = 2

# Position of the only bit set in a 32-bit word, found at word % 37 (37 is prime and 2 generates its group)
_POSITION = np.zeros(37, dtype=np.int64)
_POSITION[[2**i % 37 for i in range(32)]] = np.arange(32)
_POSITION.setflags(write=False)


@part
def _lowest(word: int) -> int:
    """Return the position of the lowest bit that is set."""
    return _POSITION[(word & -word) % 37]


@part
def _next_rung(rung: int, shift: int, bits: IntArray, tops: IntArray) -> int:
    """Return the next rung in use after `rung` in the same ladder, or NOTHING >> shift."""
    words = tops.size << (shift - 2 * WORD)
    ladder = rung >> shift
    word = rung >> WORD
    found = bits[words + word] & (-2 << (rung & 31))
    if found != 0:
        return (word << WORD) + _lowest(found) - (ladder << shift)
    block = word >> WORD
    end = (ladder + 1) << (shift - 2 * WORD)
    found = bits[block] & (-2 << (word & 31))
    while found == 0:
        block += 1
        if block >= end:
            return NOTHING >> shift
        found = bits[block]
    word = (block << WORD) + _lowest(found)
    return (word << WORD) + _lowest(bits[words + word]) - (ladder << shift)


@part
def _unmark(rung: int, shift: int, bits: IntArray, tops: IntArray) -> None:
    """Note that a rung has become empty; when it was the ladder's best, find the next.

    The bitmap's first part has one bit for each word of the second, which has one for each rung.
    """
    words = tops.size << (shift - 2 * WORD)
    word = rung >> WORD
    left = bits[words + word] & ~(1 << (rung & 31))
    bits[words + word] = left
    if left == 0:
        bits[word >> WORD] &= ~(1 << (word & 31))
    ladder = rung >> shift
    pools = tops.shape[1]
    side = 1 if ladder >= pools else 0
    pool = ladder - side * pools
    if tops[side, pool] == (rung - (ladder << shift)) << shift:
        tops[side, pool] = _next_rung(rung, shift, bits, tops) << shift


@part
def _remove(order: int, orders: IntArray, queues: IntArray, bits: IntArray, tops: IntArray, shift: int) -> None:
    """Take an order out of its queue and mark it dead."""
    orders[order + QUANTITY] = 0
    rung, after, before = orders[order + RUNG], orders[order + NEXT], orders[order + PREVIOUS]
    if before >= 0:
        orders[before + NEXT] = after
    else:
        queues[2 * rung] = after
    if after >= 0:
        orders[after + PREVIOUS] = before
    elif before >= 0:
        queues[2 * rung + 1] = before
    else:
        _unmark(rung, shift, bits, tops)


@kernel
def find(order_id: int, state: IntArray, orders: IntArray) -> int:
    """Return where a resting order stands, or -1 when it is no longer there."""
    if order_id >= state[OLD_ID]:
        order = state[OLD] + (order_id - state[OLD_ID]) * ORDER_FIELDS
    else:
        first, end = 0, state[OLD] // ORDER_FIELDS
        while first < end:
            middle = (first + end) >> 1
            if orders[middle * ORDER_FIELDS + ID] < order_id:
                first = middle + 1
            else:
                end = middle
        order = first * ORDER_FIELDS
        if order == state[OLD] or orders[order + ID] != order_id:
            return -1
    return order if orders[order + QUANTITY] > 0 else -1


@part
def _seller_price(pricing: int, seller_rests: bool, bid: int, ask: int, charge: int) -> int:
    """Return what the seller gets a kWh: the ask, the resting order's price, or the middle rounded down."""
    if pricing == PRICE_ASK:
        return ask
    if pricing == PRICE_RESTING:
        return ask if seller_rests else bid - charge
    return (ask + bid - charge) >> 1


@part
def _close(
    bid_pool: int, ask_pool: int, pools: int, traded: int, room: IntArray, charges: IntArray
) -> None:
    """Use up some of a pair's capacity; forbid the pair when nothing is left."""
    room[bid_pool, ask_pool] -= traded
    if room[bid_pool, ask_pool] == 0:
        charges[0, bid_pool, ask_pool] = NOTHING
        charges[1, ask_pool, bid_pool] = NOTHING


@kernel
def _fillable(
    side: int,
    pool: int,
    reach: int,
    quantity: int,
    owner: int,
    state: IntArray,
    orders: IntArray,
    queues: IntArray,
    bits: IntArray,
    tops: IntArray,
    charges: IntArray,
    room: IntArray,
) -> bool:
    """Return whether an order could fill whole at once, without the owner's own orders."""
    shift, pools = state[SHIFT], state[POOLS]
    missing = quantity
    for other in range(pools):
        charge = charges[side, pool, other]
        if charge == NOTHING:
            continue
        charge >>= shift
        most = missing
        if state[CAPPED]:
            most = min(most, room[pool, other] if side == 0 else room[other, pool])
        ladder = (1 - side) * pools + other
        rung = tops[1 - side, other] >> shift
        got = 0
        while got < most and rung + charge <= reach:
            order = queues[2 * ((ladder << shift) + rung)]
            while order >= 0 and got < most:
                if orders[order + OWNER] != owner:
                    got += orders[order + QUANTITY]
                order = orders[order + NEXT]
            rung = _next_rung((ladder << shift) + rung, shift, bits, tops)
        missing -= min(got, most)
        if missing == 0:
            return True
    return False


@kernel
def _expire(
    now: int, used: int, orders: IntArray, queues: IntArray, bits: IntArray, tops: IntArray, shift: int
) -> tuple[int, int, int]:
    """Remove what ends at `now` or before; return how many, how much, and the first expiry that is left."""
    removed, quantity, first = 0, 0, NEVER
    for order in range(0, used, ORDER_FIELDS):
        if orders[order + QUANTITY] > 0:
            if orders[order + EXPIRY] <= now:
                removed += 1
                quantity += orders[order + QUANTITY]
                _remove(order, orders, queues, bits, tops, shift)
            else:
                first = min(first, orders[order + EXPIRY])
    return removed, quantity, first


@kernel
def run(
    state: IntArray,
    orders: IntArray,
    queues: IntArray,
    bits: IntArray,
    tops: IntArray,
    charges: IntArray,
    room: IntArray,
    sent: IntArray,
    fills: IntArray,
    kinds: IntArray,
    order_ids: IntArray,
    owners: IntArray,
    sides: IntArray,
    pool_numbers: IntArray,
    prices: IntArray,
    quantities: IntArray,
    tifs: IntArray,
    expiries: IntArray,
    first: int,
    last: int,
) -> None:
    """Apply the checked events [first, last) to the book and append their fills; there is room for all of them."""
    levels, shift, pools = state[PRICE_LEVELS], state[SHIFT], state[POOLS]
    pricing, rate, capped = state[PRICING], state[RATE], state[CAPPED]
    used, next_id, clock = state[USED], state[NEXT_ID], state[CLOCK]
    live, open_quantity, first_expiry = state[LIVE], state[OPEN], state[FIRST_EXPIRY]
    rejected, removed, count = state[REJECTED], 0, state[FILLS]
    words = tops.size << (shift - 2 * WORD)  # where the second part of the bitmap starts

    for event in range(first, last):
        kind = kinds[event]
        if kind == 0:  # SUBMIT
            order_id = next_id
            order = used
            next_id += 1
            used += ORDER_FIELDS
            orders[order + QUANTITY] = 0
            owner = owners[event]
            side = (1 - sides[event]) >> 1
            pool = pool_numbers[event]
            rung = prices[event] if side else levels - prices[event]
            quantity = quantities[event]
            tif = tifs[event]
            expiry = expiries[event]
        elif kind == 3:  # EXPIRE
            if expiries[event] >= first_expiry:
                gone, gone_quantity, first_expiry = _expire(
                    expiries[event], used, orders, queues, bits, tops, shift
                )
                removed += gone
                live -= gone
                open_quantity -= gone_quantity
            continue
        else:  # CANCEL, REPLACE
            order_id = order_ids[event]
            order = find(order_id, state, orders)
            if order < 0:
                continue
            quantity = orders[order + QUANTITY]
            owner = orders[order + OWNER]
            ladder = orders[order + RUNG] >> shift
            side = 1 if ladder >= pools else 0
            pool = ladder - side * pools
            rung = orders[order + RUNG] - (ladder << shift)
            tif = 0
            expiry = orders[order + EXPIRY]
            if kind == 2:
                if rate > 0:
                    sent[owner] += 1
                    if sent[owner] > rate:
                        rejected += 1
                        continue
                wanted = rung
                if prices[event] > 0:
                    wanted = prices[event] if side else levels - prices[event]
                size = quantities[event] if quantities[event] > 0 else quantity
                if wanted == rung and size <= quantity:
                    orders[order + QUANTITY] = size
                    open_quantity += size - quantity
                    continue
            live -= 1
            open_quantity -= quantity
            _remove(order, orders, queues, bits, tops, shift)
            if kind == 1:
                removed += 1
                continue
            rung, quantity = wanted, size  # it comes in anew

        if rate > 0 and kind == 0:
            sent[owner] += 1
            if sent[owner] > rate:
                rejected += 1
                continue
        time = clock
        clock += 1
        reach = levels - rung
        limit = (reach + 1) << shift
        against = 1 - side

        if tif == 2 and not _fillable(
            side, pool, reach, quantity, owner, state, orders, queues, bits, tops, charges, room
        ):
            continue

        while quantity > 0:
            lowest = NOTHING
            for other in range(pools):
                lowest = min(lowest, tops[against, other] + charges[side, pool, other])
            if lowest >= limit:
                break
            maker, maker_pool = -1, 0
            for other in range(pools):
                if tops[against, other] + charges[side, pool, other] == lowest:
                    place = ((against * pools + other) << shift) + (tops[against, other] >> shift)
                    head = queues[2 * place]
                    if maker < 0 or orders[head + TIME] < orders[maker + TIME]:
                        maker, maker_pool = head, other
            stock = orders[maker + QUANTITY]
            traded = min(quantity, stock)
            partner = orders[maker + OWNER]
            if partner == owner:
                traded = stock  # cancelled
            else:
                charge = charges[side, pool, maker_pool] >> shift
                if capped:
                    bid_pool = maker_pool if side else pool
                    ask_pool = pool if side else maker_pool
                    traded = min(traded, room[bid_pool, ask_pool])
                    _close(bid_pool, ask_pool, pools, traded, room, charges)
                maker_rung = tops[against, maker_pool] >> shift
                maker_id = orders[maker + ID]
                bid = levels - maker_rung if side else reach
                ask = rung if side else maker_rung
                fills[0, count] = maker_id if side else order_id
                fills[1, count] = order_id if side else maker_id
                fills[2, count] = partner if side else owner
                fills[3, count] = owner if side else partner
                fills[4, count] = traded
                fills[5, count] = _seller_price(pricing, side == 0, bid, ask, charge)
                fills[6, count] = charge
                fills[7, count] = event
                count += 1
                quantity -= traded
            open_quantity -= traded
            if traded == stock:
                live -= 1
                _remove(maker, orders, queues, bits, tops, shift)
            else:
                orders[maker + QUANTITY] = stock - traded

        if quantity > 0 and tif == 0:
            place = ((side * pools + pool) << shift) + rung
            orders[order + QUANTITY] = quantity
            orders[order + TIME] = time
            orders[order + OWNER] = owner
            orders[order + RUNG] = place
            orders[order + ID] = order_id
            orders[order + EXPIRY] = expiry
            word = place >> WORD
            if bits[words + word] >> (place & 31) & 1:
                before = queues[2 * place + 1]
                orders[before + NEXT] = order
            else:
                before = -1
                queues[2 * place] = order
                bits[words + word] |= 1 << (place & 31)
                bits[word >> WORD] |= 1 << (word & 31)
                tops[side, pool] = min(tops[side, pool], rung << shift)
            queues[2 * place + 1] = order
            orders[order + PREVIOUS] = before
            orders[order + NEXT] = -1
            live += 1
            open_quantity += quantity
            first_expiry = min(first_expiry, expiry)

    state[USED], state[NEXT_ID], state[CLOCK] = used, next_id, clock
    state[LIVE], state[OPEN], state[FIRST_EXPIRY] = live, open_quantity, first_expiry
    state[REJECTED], state[REMOVED], state[FILLS] = rejected, removed, count


@kernel
def first_bad(
    state: IntArray,
    kinds: IntArray,
    order_ids: IntArray,
    owners: IntArray,
    sides: IntArray,
    pool_numbers: IntArray,
    prices: IntArray,
    quantities: IntArray,
    tifs: IntArray,
) -> int:
    """Return `event << 4 | field` of the first event the book cannot take, or -1.

    The quantities at rest and to come, times any price, must stay within an int64.
    """
    levels, pools, rated = state[PRICE_LEVELS], state[POOLS], state[RATE] > 0
    next_id, left = state[NEXT_ID], NEVER // levels - state[OPEN]
    for event in range(kinds.size):
        kind, price, quantity = kinds[event], prices[event], quantities[event]
        field = -1
        if kind == 0:
            side, pool, owner = sides[event], pool_numbers[event], owners[event]
            if side != 1 and side != -1:
                field = 3
            elif pool < 0 or pool >= pools:
                field = 4
            elif price < 1 or price >= levels:
                field = 5
            elif quantity < 1 or quantity > left:
                field = 6
            elif tifs[event] < 0 or tifs[event] > 2:
                field = 7
            elif rated and (owner < 0 or owner >= MOST_OWNERS):
                field = 2
            next_id += 1
            left -= quantity
        elif kind == 1 or kind == 2:
            if order_ids[event] < 0 or order_ids[event] >= next_id:
                field = 1
            elif kind == 2:
                if price < 0 or price >= levels:
                    field = 5
                elif quantity < 0 or quantity > left:
                    field = 6
                left -= quantity
        elif kind != 3:
            field = 0
        if field >= 0:
            return event << 4 | field
    return -1


@kernel
def run_one(
    state: IntArray,
    orders: IntArray,
    queues: IntArray,
    bits: IntArray,
    tops: IntArray,
    charges: IntArray,
    room: IntArray,
    sent: IntArray,
    fills: IntArray,
    event: IntArray,
) -> int:
    """Check and apply one event; return the number of its fills, or -1 - the field that is wrong."""
    kind, order_id, owner, side, pool = event[0], event[1], event[2], event[3], event[4]
    price, quantity, tif, expiry = event[5], event[6], event[7], event[8]
    bad = first_bad(state, kind, order_id, owner, side, pool, price, quantity, tif)
    if bad >= 0:
        return -1 - bad
    state[FILLS] = 0
    run(
        state, orders, queues, bits, tops, charges, room, sent, fills,
        kind, order_id, owner, side, pool, price, quantity, tif, expiry, 0, kind.size,
    )
    return state[FILLS]


@kernel
def sweep(
    state: IntArray,
    orders: IntArray,
    queues: IntArray,
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
                lowest = min(lowest, tops[0, buying] + tops[1, selling] + charges[0, buying, selling])
        if lowest >= limit:
            break
        bid, ask, bid_pool, ask_pool = -1, -1, 0, 0
        for buying in range(pools):
            for selling in range(pools):
                if tops[0, buying] + tops[1, selling] + charges[0, buying, selling] == lowest:
                    bidder = queues[2 * ((buying << shift) + (tops[0, buying] >> shift))]
                    ladder = pools + selling
                    asker = queues[2 * ((ladder << shift) + (tops[1, selling] >> shift))]
                    if bid >= 0:
                        later = orders[bidder + TIME] - orders[bid + TIME]
                        if later > 0 or (later == 0 and orders[asker + TIME] > orders[ask + TIME]):
                            continue
                    bid, ask, bid_pool, ask_pool = bidder, asker, buying, selling

        seller_rests = orders[ask + TIME] < orders[bid + TIME]
        if orders[bid + OWNER] == orders[ask + OWNER]:
            earlier = ask if seller_rests else bid
            state[LIVE] -= 1
            state[OPEN] -= orders[earlier + QUANTITY]
            _remove(earlier, orders, queues, bits, tops, shift)
            continue
        charge = charges[0, bid_pool, ask_pool] >> shift
        traded = min(orders[bid + QUANTITY], orders[ask + QUANTITY])
        if state[CAPPED]:
            traded = min(traded, room[bid_pool, ask_pool])
            _close(bid_pool, ask_pool, pools, traded, room, charges)
        bid_price = levels - (tops[0, bid_pool] >> shift)
        ask_price = tops[1, ask_pool] >> shift
        fills[0, count] = orders[bid + ID]
        fills[1, count] = orders[ask + ID]
        fills[2, count] = orders[bid + OWNER]
        fills[3, count] = orders[ask + OWNER]
        fills[4, count] = traded
        fills[5, count] = _seller_price(state[PRICING], seller_rests, bid_price, ask_price, charge)
        fills[6, count] = charge
        fills[7, count] = -1
        count += 1
        state[OPEN] -= 2 * traded
        for order in (bid, ask):
            if orders[order + QUANTITY] == traded:
                state[LIVE] -= 1
                _remove(order, orders, queues, bits, tops, shift)
            else:
                orders[order + QUANTITY] -= traded
    state[FILLS] = count


@kernel
def compact(state: IntArray, orders: IntArray, queues: IntArray, target: IntArray) -> None:
    """Move the living orders to the front of `target` (it may be `orders`), in order of id, and join the queues anew."""
    used = state[USED]
    moved = np.empty(used // ORDER_FIELDS, dtype=np.int64)
    end = 0
    for order in range(0, used, ORDER_FIELDS):
        moved[order // ORDER_FIELDS] = end
        if orders[order + QUANTITY] > 0:
            end += ORDER_FIELDS
    for order in range(0, used, ORDER_FIELDS):
        if orders[order + QUANTITY] > 0:
            new = moved[order // ORDER_FIELDS]
            rung, after, before = orders[order + RUNG], orders[order + NEXT], orders[order + PREVIOUS]
            for field in range(ORDER_FIELDS):
                target[new + field] = orders[order + field]
            if after >= 0:
                target[new + NEXT] = moved[after // ORDER_FIELDS]
            else:
                queues[2 * rung + 1] = new
            if before >= 0:
                target[new + PREVIOUS] = moved[before // ORDER_FIELDS]
            else:
                queues[2 * rung] = new
    state[USED] = end
    state[OLD] = end
    state[OLD_ID] = state[NEXT_ID]


@kernel
def clear(state: IntArray, orders: IntArray, bits: IntArray, tops: IntArray, sent: IntArray) -> None:
    """Forget all orders, at a cost of what was sent, whatever the number of rungs."""
    shift, pools = state[SHIFT], state[POOLS]
    words = tops.size << (shift - 2 * WORD)
    for order in range(0, state[USED], ORDER_FIELDS):
        if orders[order + QUANTITY] > 0:
            rung = orders[order + RUNG]
            bits[words + (rung >> WORD)] = 0
            bits[rung >> (2 * WORD)] = 0
            ladder = rung >> shift
            side = 1 if ladder >= pools else 0
            tops[side, ladder - side * pools] = NOTHING
    state[USED:] = 0
    state[FIRST_EXPIRY] = NEVER
    sent[:] = 0
