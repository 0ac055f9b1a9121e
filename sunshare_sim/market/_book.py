# ruff: noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 -- sequential work on many arrays
"""The order book's kernel: the matching of a batch of messages in one compiled loop; `_layout` explains the arrays."""

from sunshare_sim.kernels import fetch, kernel, part
from sunshare_sim.market._ladder import (
    at,
    behind,
    find,
    grow_tree,
    lead,
    next_rung,
    refresh,
    remove,
    seller_price,
    use_up,
)
from sunshare_sim.market._layout import (
    AHEAD,
    CAPPED,
    CLOCK,
    EXPIRY,
    FAR,
    FILLS,
    FIRST_EXPIRY,
    GROUP,
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
    ORDER_FIELDS,
    OWNER,
    POOLS,
    PREVIOUS,
    PRICE_LEVELS,
    PRICING,
    QUANTITY,
    RATE,
    REJECTED,
    REMOVED,
    RUNG,
    SHIFT,
    STEP,
    TIME,
    TREED,
    USED,
    WORD,
    Queues,
)
from sunshare_sim.units import IntArray


@kernel
def _fillable(
    side: int,
    pool: int,
    reach: int,
    quantity: int,
    owner: int,
    state: IntArray,
    orders: IntArray,
    queues: Queues,
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
        rung = tops[ladder] >> shift
        got = 0
        while got < most and rung + charge <= reach:
            order = queues[at(2 * ((ladder << shift) + rung))]
            while order != NOBODY and got < most:
                if orders[at(order + OWNER)] != owner:
                    got += orders[at(order + QUANTITY)]
                order = behind(order, orders)
            rung = next_rung((ladder << shift) + rung, shift, bits, tops)
        missing -= min(got, most)
        if missing == 0:
            return True
    return False


@part
def _announce(
    event: int, last: int, start: int, next_id: int, orders: IntArray, kinds: IntArray, order_ids: IntArray
) -> None:
    """Ask for the memory that some events will need: the orders they cancel, and room for as many new ones."""
    for ahead in range(min(AHEAD, last - event)):
        fetch(orders, at(start + (next_id + ahead) * ORDER_FIELDS))
        if kinds[at(event + ahead)] == 1:
            fetch(orders, at(start + order_ids[at(event + ahead)] * ORDER_FIELDS))


@kernel
def _expire(
    now: int,
    used: int,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    shift: int,
) -> tuple[int, int, int]:
    """Remove what ends at `now` or before; return how many, how much, and the first expiry that is left."""
    removed, quantity, first = 0, 0, NEVER
    now = min(now, NEVER - 1)
    for order in range(ORDER_FIELDS, used, ORDER_FIELDS):
        if orders[at(order + QUANTITY)] > 0:
            if orders[at(order + EXPIRY)] <= now:
                removed += 1
                quantity += orders[at(order + QUANTITY)]
                remove(order, 0, orders, queues, bits, tops, shift)
            else:
                first = min(first, orders[at(order + EXPIRY)])
    return removed, quantity, first


@part
def run_part(
    simple: int,  # a constant: without it the compiler keeps what one pool without rules never needs
    far: int,  # another: orders lie beyond the processor's cache, and what is needed next is asked for ahead of time
    state: IntArray,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    charges: IntArray,
    room: IntArray,
    sent: IntArray,
    family: IntArray,
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
    """Do what `run` says; compiled into every kernel that calls it, as a call costs 0.4 us for its arrays."""
    levels, shift, pools = state[PRICE_LEVELS], state[SHIFT], state[POOLS]
    pricing, rate, capped, treed = (
        state[PRICING],
        state[RATE],
        state[CAPPED],
        state[TREED],
    )
    if simple:
        pools, rate, capped, treed = 1, 0, 0, 0
    next_id, ahead = state[NEXT_ID], state[CLOCK] - state[NEXT_ID]
    start = state[OLD] - state[OLD_ID] * ORDER_FIELDS
    live, open_quantity, first_expiry = state[LIVE], state[OPEN], state[FIRST_EXPIRY]
    rejected, removed, count = state[REJECTED], 0, state[FILLS]
    words = tops.size << (shift - WORD)  # where the second part of the bitmap starts
    home = charges[0, 0, 0]

    for event in range(first, last):
        if far and event % AHEAD == 0:
            _announce(event + AHEAD, last, start, next_id + AHEAD, orders, kinds, order_ids)
        row = at(event)
        kind = kinds[row]
        if kind == 0:  # SUBMIT
            order_id = next_id
            order = start + order_id * ORDER_FIELDS
            time = order_id + ahead
            next_id += 1
            orders[at(order + QUANTITY)] = 0
            owner = owners[row]
            side = (1 - sides[row]) >> 1
            pool = pool_numbers[row]
            rung = prices[row] if side else levels - prices[row]
            quantity = quantities[row]
            tif = tifs[row]
            expiry = expiries[row]
        elif kind == 3:  # EXPIRE
            if expiries[row] >= first_expiry:
                gone, gone_quantity, first_expiry = _expire(
                    expiries[row], start + next_id * ORDER_FIELDS, orders, queues, bits, tops, shift
                )
                removed += gone
                live -= gone
                open_quantity -= gone_quantity
                if treed:
                    grow_tree(state, orders, queues, tops, family)
            continue
        else:  # CANCEL, REPLACE
            order_id = order_ids[row]
            order = find(order_id, state, orders)
            if order == NOBODY:
                continue
            quantity = orders[at(order + QUANTITY)]
            owner = orders[at(order + OWNER)]
            ladder = orders[at(order + RUNG)] >> shift
            side = 1 if ladder >= pools else 0
            pool = ladder - side * pools
            rung = orders[at(order + RUNG)] - (ladder << shift)
            tif = 0
            expiry = orders[at(order + EXPIRY)]
            if kind == 2:
                if rate > 0:
                    sent[owner] += 1
                    if sent[owner] > rate:
                        rejected += 1
                        continue
                wanted = rung
                if prices[row] > 0:
                    wanted = prices[row] if side else levels - prices[row]
                size = quantities[row] if quantities[row] > 0 else quantity
                if wanted == rung and size <= quantity:
                    orders[at(order + QUANTITY)] = size
                    open_quantity += size - quantity
                    continue
            live -= 1
            open_quantity -= quantity
            remove(order, far & (kind == 1), orders, queues, bits, tops, shift)
            if treed:
                refresh(side, pool, state, orders, queues, tops, family)
            if kind == 1:
                removed += 1
                continue
            rung, quantity, time = wanted, size, next_id + ahead  # it comes in anew
            ahead += 1

        if rate > 0 and kind == 0:
            sent[owner] += 1
            if sent[owner] > rate:
                rejected += 1
                ahead -= 1
                continue
        reach = levels - rung
        limit = (reach + 1) << shift
        against = 1 - side
        theirs = against * pools  # the first of the other side's ladders

        if tif == 2 and not _fillable(
            side,
            pool,
            reach,
            quantity,
            owner,
            state,
            orders,
            queues,
            bits,
            tops,
            charges,
            room,
        ):
            continue

        while quantity > 0:
            maker_pool = 0
            if pools == 1:
                best = tops[at(against)]
                toll = home if simple else charges[0, 0, 0]
                if best + toll >= limit:
                    break
                place = (against << shift) + (best >> shift)
                maker = queues[at(2 * place)]
            elif treed:
                lowest = NOTHING
                node = family[GROUP, at(pool)]
                while node >= 0:
                    other = family[at(against), at(node)]
                    if other >= 0 and tops[at(theirs + other)] + family[STEP, at(node)] < lowest:
                        best = tops[at(theirs + other)]
                        lowest = best + family[STEP, at(node)]
                        maker_pool = other
                    node = family[GROUP, at(node)]
                if lowest >= limit:
                    break
                place = ((theirs + maker_pool) << shift) + (best >> shift)
                maker = queues[at(2 * place)]
            else:
                lowest = NOTHING
                for other in range(pools):
                    lowest = min(lowest, tops[at(theirs + other)] + charges[side, pool, other])
                if lowest >= limit:
                    break
                maker = NOBODY
                for other in range(pools):
                    ladder = theirs + other
                    if tops[at(ladder)] + charges[side, pool, other] == lowest:
                        spot = (ladder << shift) + (tops[at(ladder)] >> shift)
                        head = queues[at(2 * spot)]
                        if maker == NOBODY or orders[at(head + TIME)] < orders[at(maker + TIME)]:
                            maker, maker_pool, best, place = head, other, tops[at(ladder)], spot
            stock = orders[at(maker + QUANTITY)]
            traded = min(quantity, stock)
            partner = orders[at(maker + OWNER)]
            if partner == owner:
                traded = stock  # cancelled
            else:
                charge = (home if simple else charges[side, pool, maker_pool]) >> shift
                if capped:
                    bid_pool = maker_pool if side else pool
                    ask_pool = pool if side else maker_pool
                    traded = min(traded, room[bid_pool, ask_pool])
                    use_up(bid_pool, ask_pool, traded, room, charges)
                bid = levels - (best >> shift) if side else reach
                ask = rung if side else best >> shift
                line = at(count)
                fills[line, at(side)] = order_id  # bid_id and ask_id, then buyer and seller
                fills[line, at(against)] = orders[at(maker + ID)]
                fills[line, at(2 + side)] = owner
                fills[line, at(2 + against)] = partner
                fills[line, at(4)] = traded
                fills[line, at(5)] = seller_price(pricing, side == 0, bid, ask, charge)
                fills[line, at(6)] = charge
                fills[line, at(7)] = event
                count += 1
                quantity -= traded
            open_quantity -= traded
            stock -= traded
            orders[at(maker + QUANTITY)] = stock
            live -= stock == 0
            if not far:
                first_left = behind(maker, orders) if stock == 0 else maker
                lead(first_left, place, orders, queues, bits, tops, shift)
            elif stock == 0:
                fetch(orders, at(orders[at(maker + NEXT)] >> 32))  # the third after it
                lead(behind(maker, orders), place, orders, queues, bits, tops, shift)
            if treed and stock == 0:
                refresh(against, maker_pool, state, orders, queues, tops, family)

        if quantity > 0 and tif == 0:
            place = ((side * pools + pool) << shift) + rung
            orders[at(order + QUANTITY)] = quantity
            orders[at(order + TIME)] = time
            orders[at(order + OWNER)] = owner
            orders[at(order + RUNG)] = place
            orders[at(order + ID)] = order_id
            orders[at(order + EXPIRY)] = expiry
            word = place >> WORD
            head = queues[at(2 * place)]
            before = NOBODY if head == NOBODY else queues[at(2 * place + 1)]
            orders[at(before + NEXT)] = order
            queues[at(2 * place)] = order if head == NOBODY else head
            queues[at(2 * place + 1)] = order
            bits[at(word)] |= 1 << (place & 31)
            bits[at(words + (word >> WORD))] |= 1 << (word & 31)
            tops[at(place >> shift)] = min(tops[at(place >> shift)], rung << shift)
            orders[at(order + PREVIOUS)] = before
            orders[at(order + NEXT)] = NOBODY
            if far:  # the third before it will tell of it
                third = orders[at(orders[at(before + PREVIOUS)] + PREVIOUS)]
                orders[at(third + NEXT)] = behind(third, orders) | order << 32
            if treed and before == NOBODY:
                refresh(side, pool, state, orders, queues, tops, family)
            live += 1
            open_quantity += quantity
            first_expiry = min(first_expiry, expiry)

    state[USED], state[NEXT_ID], state[CLOCK] = start + next_id * ORDER_FIELDS, next_id, next_id + ahead
    state[LIVE], state[OPEN], state[FIRST_EXPIRY] = live, open_quantity, first_expiry
    state[REJECTED], state[REMOVED], state[FILLS] = rejected, removed, count


@kernel
def run(
    state: IntArray,
    orders: IntArray,
    queues: Queues,
    bits: IntArray,
    tops: IntArray,
    charges: IntArray,
    room: IntArray,
    sent: IntArray,
    family: IntArray,
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
    book = (state, orders, queues, bits, tops, charges, room, sent, family, fills)
    events = (kinds, order_ids, owners, sides, pool_numbers, prices, quantities, tifs, expiries)
    if state[POOLS] != 1 or state[RATE] > 0 or state[CAPPED] == 1:
        run_part(0, 0, *book, *events, first, last)
    elif state[LIVE] > state[FAR]:
        run_part(1, 1, *book, *events, first, last)
    else:
        run_part(1, 0, *book, *events, first, last)
