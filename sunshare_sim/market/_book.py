"""The order book's kernel: the whole matching of a batch of messages, compiled, on flat integer arrays.

A price becomes a *rung*: the ask's price itself, or `price_levels - price` of a bid, so that on both sides the best order
has the lowest rung and one code serves both. An order that may reach up to rung r of the other side takes from pool o while
rung[o] + charge[o] <= r. A *ladder* is one side of one pool; its rungs hold queues, bitmaps find the next rung in use.
The best rung of every ladder and every charge are stored as `value << shift`, the charge also in the low bits:
the smallest sum over the pools is the lowest landed price and, among those, the lowest charge.
"""

from typing import Final

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.units import IntArray

# Columns of an order, one 64-byte line of the store. Rows are in order of id; a row with quantity 0 is dead.
QUANTITY: Final = 0
TIME: Final = 1
OWNER: Final = 2
RUNG: Final = 3  # ladder << shift | rung
NEXT: Final = 4
PREVIOUS: Final = 5
ID: Final = 6
EXPIRY: Final = 7
ORDER_FIELDS: Final = 8

# Rows of an event
E_KIND: Final = 0
E_ID: Final = 1
E_OWNER: Final = 2
E_SIDE: Final = 3
E_POOL: Final = 4
E_PRICE: Final = 5
E_QUANTITY: Final = 6
E_TIF: Final = 7
E_EXPIRY: Final = 8
EVENT_FIELDS: Final = 9

# Scalars of the book, kept in one array between calls
PRICE_LEVELS: Final = 0
SHIFT: Final = 1
POOLS: Final = 2
PRICING: Final = 3
RATE: Final = 4  # orders an owner may send in a slot; 0 = any number
CAPPED: Final = 5  # 1 when pairs have a capacity
USED: Final = 6  # rows in use, dead ones included
OLD: Final = 7  # rows that were moved together by the last compaction
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

FILL_FIELDS: Final = 8
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


@kernel
def _lowest(word: int) -> int:
    """Return the position of the lowest bit that is set."""
    return _POSITION[(word & -word) % 37]


@kernel
def _mark(rung: int, shift: int, bits: IntArray, tops: IntArray) -> None:
    """Note that a rung is in use. The bitmap's first part has one bit a word of the second, which has one a rung."""
    words = tops.size << (shift - 2 * WORD)
    word = rung >> WORD
    bits[words + word] |= 1 << (rung & 31)
    bits[word >> WORD] |= 1 << (word & 31)
    ladder = rung >> shift
    top = (rung - (ladder << shift)) << shift
    if top < tops[ladder]:
        tops[ladder] = top


@kernel
def _unmark(rung: int, shift: int, bits: IntArray, tops: IntArray) -> None:
    """Note that a rung has become empty; when it was the ladder's best, find the next."""
    words = tops.size << (shift - 2 * WORD)
    word = rung >> WORD
    left = bits[words + word] & ~(1 << (rung & 31))
    bits[words + word] = left
    if left == 0:
        bits[word >> WORD] &= ~(1 << (word & 31))
    ladder = rung >> shift
    if tops[ladder] == (rung - (ladder << shift)) << shift:
        tops[ladder] = _next_rung(rung, shift, bits, tops) << shift


@kernel
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


@kernel
def _append(row: int, orders: IntArray, queues: IntArray, bits: IntArray, tops: IntArray, shift: int) -> None:
    """Put an order at the end of its rung's queue."""
    rung = orders[row, RUNG]
    orders[row, NEXT] = -1
    if bits[(tops.size << (shift - 2 * WORD)) + (rung >> WORD)] >> (rung & 31) & 1:
        last = queues[rung, 1]
        orders[row, PREVIOUS] = last
        orders[last, NEXT] = row
    else:
        orders[row, PREVIOUS] = -1
        queues[rung, 0] = row
        _mark(rung, shift, bits, tops)
    queues[rung, 1] = row


@kernel
def _remove(row: int, orders: IntArray, queues: IntArray, bits: IntArray, tops: IntArray, shift: int) -> None:
    """Take an order out of its queue and mark it dead."""
    orders[row, QUANTITY] = 0
    rung, after, before = orders[row, RUNG], orders[row, NEXT], orders[row, PREVIOUS]
    if after >= 0:
        orders[after, PREVIOUS] = before
    if before >= 0:
        orders[before, NEXT] = after
        if after < 0:
            queues[rung, 1] = before
    elif after >= 0:
        queues[rung, 0] = after
    else:
        _unmark(rung, shift, bits, tops)


@kernel
def find(order_id: int, state: IntArray, orders: IntArray) -> int:
    """Return the row of a resting order, or -1 when it is no longer there."""
    old = state[OLD]
    if order_id >= state[OLD_ID]:
        row = old + order_id - state[OLD_ID]
    else:
        row, end = 0, old
        while row < end:
            middle = (row + end) >> 1
            if orders[middle, ID] < order_id:
                row = middle + 1
            else:
                end = middle
        if row == old or orders[row, ID] != order_id:
            return -1
    return row if orders[row, QUANTITY] > 0 else -1


@kernel
def _seller_price(pricing: int, buyer_takes: bool, bid: int, ask: int, charge: int) -> int:
    """Return what the seller gets a kWh: the ask, the resting order's price, or the middle rounded down."""
    if pricing == PRICE_ASK or (pricing == PRICE_RESTING and buyer_takes):
        return ask
    if pricing == PRICE_RESTING:
        return bid - charge
    return (ask + bid - charge) >> 1


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
            left = room[pool, other] if side == 0 else room[other, pool]
            most = min(most, left)
        ladder = (1 - side) * pools + other
        rung = tops[ladder] >> shift
        got = 0
        while got < most and rung + charge <= reach:
            row = queues[(ladder << shift) + rung, 0]
            while row >= 0 and got < most:
                if orders[row, OWNER] != owner:
                    got += orders[row, QUANTITY]
                row = orders[row, NEXT]
            rung = _next_rung((ladder << shift) + rung, shift, bits, tops)
        missing -= min(got, most)
        if missing == 0:
            return True
    return False


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
    events: IntArray,
    size: int,
    first: int,
) -> None:
    """Apply `size` checked events to the book and write the fills; the first event is number `first` of its batch."""
    levels, shift, pools = state[PRICE_LEVELS], state[SHIFT], state[POOLS]
    pricing, rate, capped = state[PRICING], state[RATE], state[CAPPED]
    used, next_id, clock = state[USED], state[NEXT_ID], state[CLOCK]
    live, open_quantity, first_expiry = state[LIVE], state[OPEN], state[FIRST_EXPIRY]
    rejected, removed, count = state[REJECTED], 0, 0

    for event in range(size):
        kind = events[E_KIND, event]
        if kind == 3:  # EXPIRE
            now = events[E_EXPIRY, event]
            if now < first_expiry:
                continue
            first_expiry = NEVER
            for row in range(used):
                if orders[row, QUANTITY] > 0:
                    if orders[row, EXPIRY] <= now:
                        live -= 1
                        removed += 1
                        open_quantity -= orders[row, QUANTITY]
                        _remove(row, orders, queues, bits, tops, shift)
                    else:
                        first_expiry = min(first_expiry, orders[row, EXPIRY])
            continue

        if kind == 0:  # SUBMIT
            order_id = next_id
            row = used
            next_id += 1
            used += 1
            orders[row, QUANTITY] = 0
            owner = events[E_OWNER, event]
            side = 0 if events[E_SIDE, event] > 0 else 1
            pool = events[E_POOL, event]
            rung = events[E_PRICE, event] if side == 1 else levels - events[E_PRICE, event]
            quantity = events[E_QUANTITY, event]
            tif = events[E_TIF, event]
            expiry = events[E_EXPIRY, event]
        else:
            order_id = events[E_ID, event]
            row = find(order_id, state, orders)
            if row < 0:
                continue
            if kind == 1:  # CANCEL
                live -= 1
                removed += 1
                open_quantity -= orders[row, QUANTITY]
                _remove(row, orders, queues, bits, tops, shift)
                continue
            owner = orders[row, OWNER]
            ladder = orders[row, RUNG] >> shift
            side = 0 if ladder < pools else 1
            pool = ladder - side * pools
            rung = orders[row, RUNG] - (ladder << shift)
            quantity = orders[row, QUANTITY]
            tif = 0
            expiry = orders[row, EXPIRY]

        if rate > 0:
            sent[owner] += 1
            if sent[owner] > rate:
                rejected += 1
                continue

        if kind == 2:  # REPLACE: keep the place in the queue, or leave it and come in anew
            wanted = rung
            if events[E_PRICE, event] > 0:
                wanted = events[E_PRICE, event] if side == 1 else levels - events[E_PRICE, event]
            size = events[E_QUANTITY, event] if events[E_QUANTITY, event] > 0 else quantity
            open_quantity -= quantity
            if wanted == rung and size <= quantity:
                orders[row, QUANTITY] = size
                open_quantity += size
                continue
            live -= 1
            _remove(row, orders, queues, bits, tops, shift)
            rung, quantity = wanted, size

        time = clock
        clock += 1
        reach = levels - rung
        limit = (reach + 1) << shift
        best = tops[(1 - side) * pools : (2 - side) * pools]
        toll = charges[side, pool]

        if tif == 2 and not _fillable(  # FOK
            side, pool, reach, quantity, owner, state, orders, queues, bits, tops, charges, room
        ):
            continue

        while quantity > 0:
            lowest = NOTHING
            for other in range(pools):
                lowest = min(lowest, best[other] + toll[other])
            if lowest >= limit:
                break
            maker = -1
            maker_pool = 0
            for other in range(pools):
                if best[other] + toll[other] == lowest:
                    head = queues[(((1 - side) * pools + other) << shift) + (best[other] >> shift), 0]
                    if maker < 0 or orders[head, TIME] < orders[maker, TIME]:
                        maker = head
                        maker_pool = other
            stock = orders[maker, QUANTITY]
            if orders[maker, OWNER] == owner:
                live -= 1
                open_quantity -= stock
                _remove(maker, orders, queues, bits, tops, shift)
                continue
            traded = min(quantity, stock)
            charge = toll[maker_pool] >> shift
            if capped:
                bid_pool = pool if side == 0 else maker_pool
                ask_pool = maker_pool if side == 0 else pool
                traded = min(traded, room[bid_pool, ask_pool])
                room[bid_pool, ask_pool] -= traded
                if room[bid_pool, ask_pool] == 0:
                    charges[0, bid_pool, ask_pool] = NOTHING
                    charges[1, ask_pool, bid_pool] = NOTHING
            maker_rung = best[maker_pool] >> shift
            if side == 0:
                price = _seller_price(pricing, True, reach, maker_rung, charge)
                fills[count, 0] = order_id
                fills[count, 1] = orders[maker, ID]
                fills[count, 2] = owner
                fills[count, 3] = orders[maker, OWNER]
            else:
                price = _seller_price(pricing, False, levels - maker_rung, rung, charge)
                fills[count, 0] = orders[maker, ID]
                fills[count, 1] = order_id
                fills[count, 2] = orders[maker, OWNER]
                fills[count, 3] = owner
            fills[count, 4] = traded
            fills[count, 5] = price
            fills[count, 6] = charge
            fills[count, 7] = first + event
            count += 1
            quantity -= traded
            open_quantity -= traded
            if traded == stock:
                live -= 1
                _remove(maker, orders, queues, bits, tops, shift)
            else:
                orders[maker, QUANTITY] = stock - traded

        if quantity > 0 and tif == 0:
            orders[row, QUANTITY] = quantity
            orders[row, TIME] = time
            orders[row, OWNER] = owner
            orders[row, RUNG] = ((side * pools + pool) << shift) + rung
            orders[row, ID] = order_id
            orders[row, EXPIRY] = expiry
            _append(row, orders, queues, bits, tops, shift)
            live += 1
            open_quantity += quantity
            first_expiry = min(first_expiry, expiry)

    state[USED], state[NEXT_ID], state[CLOCK] = used, next_id, clock
    state[LIVE], state[OPEN], state[FIRST_EXPIRY] = live, open_quantity, first_expiry
    state[REJECTED], state[REMOVED], state[FILLS] = rejected, removed, count


@kernel
def first_bad(state: IntArray, events: IntArray, size: int, next_id: int, total: int) -> tuple[int, int, int]:
    """Check a batch before its first order: `event << 4 | field` of the first wrong one or -1, then ids and total after it.

    `total` is the quantity at rest and to come; times any price it stays within an int64.
    """
    levels, pools, rated = state[PRICE_LEVELS], state[POOLS], state[RATE] > 0
    most = NEVER // levels
    for event in range(size):
        kind, field = events[E_KIND, event], -1
        price, quantity = events[E_PRICE, event], events[E_QUANTITY, event]
        if kind == 0:
            side, pool, owner = events[E_SIDE, event], events[E_POOL, event], events[E_OWNER, event]
            if side != 1 and side != -1:
                field = E_SIDE
            elif pool < 0 or pool >= pools:
                field = E_POOL
            elif price < 1 or price >= levels:
                field = E_PRICE
            elif quantity < 1 or quantity > most - total:
                field = E_QUANTITY
            elif events[E_TIF, event] < 0 or events[E_TIF, event] > 2:
                field = E_TIF
            elif rated and (owner < 0 or owner >= MOST_OWNERS):
                field = E_OWNER
            next_id += 1
            total += quantity
        elif kind == 1 or kind == 2:
            if events[E_ID, event] < 0 or events[E_ID, event] >= next_id:
                field = E_ID
            elif kind == 2:
                if price < 0 or price >= levels:
                    field = E_PRICE
                elif quantity < 0 or quantity > most - total:
                    field = E_QUANTITY
                total += quantity
        elif kind != 3:
            field = E_KIND
        if field >= 0:
            return event << 4 | field, next_id, total
    return -1, next_id, total


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
    bad, _, _ = first_bad(state, event, 1, state[NEXT_ID], state[OPEN])
    if bad >= 0:
        return -1 - bad
    run(state, orders, queues, bits, tops, charges, room, sent, fills, event, 1, 0)
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
    sent: IntArray,
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
                lowest = min(lowest, tops[buying] + tops[pools + selling] + charges[0, buying, selling])
        if lowest >= limit:
            break
        bid, ask, bid_pool, ask_pool = -1, -1, 0, 0
        for buying in range(pools):
            if tops[buying] == NOTHING:
                continue
            bidder = queues[(buying << shift) + (tops[buying] >> shift), 0]
            if bid >= 0 and orders[bidder, TIME] > orders[bid, TIME]:
                continue
            for selling in range(pools):
                if tops[buying] + tops[pools + selling] + charges[0, buying, selling] == lowest:
                    ladder = pools + selling
                    asker = queues[(ladder << shift) + (tops[ladder] >> shift), 0]
                    if bidder != bid or orders[asker, TIME] < orders[ask, TIME]:
                        bid, ask, bid_pool, ask_pool = bidder, asker, buying, selling

        buyer_takes = orders[bid, TIME] > orders[ask, TIME]
        if orders[bid, OWNER] == orders[ask, OWNER]:
            earlier = ask if buyer_takes else bid
            state[LIVE] -= 1
            state[OPEN] -= orders[earlier, QUANTITY]
            _remove(earlier, orders, queues, bits, tops, shift)
            continue
        charge = charges[0, bid_pool, ask_pool] >> shift
        traded = min(orders[bid, QUANTITY], orders[ask, QUANTITY])
        if state[CAPPED]:
            traded = min(traded, room[bid_pool, ask_pool])
            room[bid_pool, ask_pool] -= traded
            if room[bid_pool, ask_pool] == 0:
                charges[0, bid_pool, ask_pool] = NOTHING
                charges[1, ask_pool, bid_pool] = NOTHING
        bid_price = levels - (tops[bid_pool] >> shift)
        ask_price = tops[pools + ask_pool] >> shift
        fills[count, 0] = orders[bid, ID]
        fills[count, 1] = orders[ask, ID]
        fills[count, 2] = orders[bid, OWNER]
        fills[count, 3] = orders[ask, OWNER]
        fills[count, 4] = traded
        fills[count, 5] = _seller_price(state[PRICING], buyer_takes, bid_price, ask_price, charge)
        fills[count, 6] = charge
        fills[count, 7] = -1
        count += 1
        state[OPEN] -= 2 * traded
        for row in (bid, ask):
            if orders[row, QUANTITY] == traded:
                state[LIVE] -= 1
                _remove(row, orders, queues, bits, tops, shift)
            else:
                orders[row, QUANTITY] -= traded
    state[FILLS] = count


@kernel
def compact(state: IntArray, orders: IntArray, queues: IntArray, target: IntArray) -> None:
    """Move the living orders to the front of `target` (it may be `orders`), in order of id, and join the queues anew."""
    used = state[USED]
    moved = np.empty(used, dtype=np.int64)
    live = 0
    for row in range(used):
        moved[row] = live
        if orders[row, QUANTITY] > 0:
            live += 1
    for row in range(used):
        if orders[row, QUANTITY] > 0:
            new = moved[row]
            rung, after, before = orders[row, RUNG], orders[row, NEXT], orders[row, PREVIOUS]
            for field in range(ORDER_FIELDS):
                target[new, field] = orders[row, field]
            if after >= 0:
                target[new, NEXT] = moved[after]
            else:
                queues[rung, 1] = new
            if before >= 0:
                target[new, PREVIOUS] = moved[before]
            else:
                queues[rung, 0] = new
    state[USED] = live
    state[OLD] = live
    state[OLD_ID] = state[NEXT_ID]


@kernel
def clear(state: IntArray, orders: IntArray, bits: IntArray, tops: IntArray, sent: IntArray) -> None:
    """Forget all orders, at a cost of what was sent, whatever the number of rungs."""
    shift = state[SHIFT]
    words = tops.size << (shift - 2 * WORD)
    for row in range(state[USED]):
        if orders[row, QUANTITY] > 0:
            rung = orders[row, RUNG]
            bits[words + (rung >> WORD)] = 0
            bits[rung >> (2 * WORD)] = 0
            tops[rung >> shift] = NOTHING
    state[USED:] = 0
    state[FIRST_EXPIRY] = NEVER
    sent[:] = 0
