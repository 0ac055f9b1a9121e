# ruff: noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 -- sequential work on many arrays
"""The order book's kernel: the matching of a batch of messages in one compiled loop; `_layout` explains the arrays."""

from sunshare_sim.kernels import kernel, part
from sunshare_sim.market._ladder import (
    at,
    find,
    grow_tree,
    next_rung,
    refresh,
    remove,
    seller_price,
    use_up,
)
from sunshare_sim.market._layout import (
    CAPPED,
    CLOCK,
    EXPIRY,
    FILLS,
    FIRST_EXPIRY,
    ID,
    LIVE,
    NEVER,
    NEXT,
    NEXT_ID,
    NOTHING,
    OPEN,
    ORDER_FIELDS,
    OWNER,
    PARENT,
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
        rung = tops[1 - side, other] >> shift
        got = 0
        while got < most and rung + charge <= reach:
            order = queues[at(2 * ((ladder << shift) + rung))]
            while order >= 0 and got < most:
                if orders[at(order + OWNER)] != owner:
                    got += orders[at(order + QUANTITY)]
                order = orders[at(order + NEXT)]
            rung = next_rung((ladder << shift) + rung, shift, bits, tops)
        missing -= min(got, most)
        if missing == 0:
            return True
    return False


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
    for order in range(0, used, ORDER_FIELDS):
        if orders[at(order + QUANTITY)] > 0:
            if orders[at(order + EXPIRY)] <= now:
                removed += 1
                quantity += orders[at(order + QUANTITY)]
                remove(order, orders, queues, bits, tops, shift)
            else:
                first = min(first, orders[at(order + EXPIRY)])
    return removed, quantity, first


@part
def run_part(
    simple: int,  # a constant: without it the compiler keeps what one pool without rules never needs
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
            orders[at(order + QUANTITY)] = 0
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
                if treed:
                    grow_tree(state, orders, queues, tops, family)
            continue
        else:  # CANCEL, REPLACE
            order_id = order_ids[event]
            order = find(order_id, state, orders)
            if order < 0:
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
                if prices[event] > 0:
                    wanted = prices[event] if side else levels - prices[event]
                size = quantities[event] if quantities[event] > 0 else quantity
                if wanted == rung and size <= quantity:
                    orders[at(order + QUANTITY)] = size
                    open_quantity += size - quantity
                    continue
            live -= 1
            open_quantity -= quantity
            remove(order, orders, queues, bits, tops, shift)
            if treed:
                refresh(side, pool, state, orders, queues, tops, family)
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
                lowest = tops[against, 0] + charges[side, 0, 0]
                if lowest >= limit:
                    break
                maker = queues[at(2 * ((against << shift) + (tops[against, 0] >> shift)))]
            elif treed:
                lowest = NOTHING
                node = family[PARENT, pool]
                while node >= 0:
                    other = family[against, node]
                    if other >= 0 and tops[against, other] + family[STEP, node] < lowest:
                        lowest = tops[against, other] + family[STEP, node]
                        maker_pool = other
                    node = family[PARENT, node]
                if lowest >= limit:
                    break
                place = ((against * pools + maker_pool) << shift) + (tops[against, maker_pool] >> shift)
                maker = queues[at(2 * place)]
            else:
                lowest = NOTHING
                for other in range(pools):
                    lowest = min(lowest, tops[against, other] + charges[side, pool, other])
                if lowest >= limit:
                    break
                maker = -1
                for other in range(pools):
                    if tops[against, other] + charges[side, pool, other] == lowest:
                        place = ((against * pools + other) << shift) + (tops[against, other] >> shift)
                        head = queues[at(2 * place)]
                        if maker < 0 or orders[at(head + TIME)] < orders[at(maker + TIME)]:
                            maker, maker_pool = head, other
            stock = orders[at(maker + QUANTITY)]
            traded = min(quantity, stock)
            partner = orders[at(maker + OWNER)]
            if partner == owner:
                traded = stock  # cancelled
            else:
                charge = charges[side, pool, maker_pool] >> shift
                if capped:
                    bid_pool = maker_pool if side else pool
                    ask_pool = pool if side else maker_pool
                    traded = min(traded, room[bid_pool, ask_pool])
                    use_up(bid_pool, ask_pool, traded, room, charges)
                maker_rung = tops[against, maker_pool] >> shift
                maker_id = orders[at(maker + ID)]
                bid = levels - maker_rung if side else reach
                ask = rung if side else maker_rung
                fills[count, 0] = maker_id if side else order_id
                fills[count, 1] = order_id if side else maker_id
                fills[count, 2] = partner if side else owner
                fills[count, 3] = owner if side else partner
                fills[count, 4] = traded
                fills[count, 5] = seller_price(pricing, side == 0, bid, ask, charge)
                fills[count, 6] = charge
                fills[count, 7] = event
                count += 1
                quantity -= traded
            open_quantity -= traded
            if traded == stock:
                live -= 1
                remove(maker, orders, queues, bits, tops, shift)
                if treed:
                    refresh(against, maker_pool, state, orders, queues, tops, family)
            else:
                orders[at(maker + QUANTITY)] = stock - traded

        if quantity > 0 and tif == 0:
            place = ((side * pools + pool) << shift) + rung
            orders[at(order + QUANTITY)] = quantity
            orders[at(order + TIME)] = time
            orders[at(order + OWNER)] = owner
            orders[at(order + RUNG)] = place
            orders[at(order + ID)] = order_id
            orders[at(order + EXPIRY)] = expiry
            word = place >> WORD
            if bits[at(words + word)] >> (place & 31) & 1:
                before = queues[at(2 * place + 1)]
                orders[at(before + NEXT)] = order
            else:
                before = -1
                queues[at(2 * place)] = order
                bits[at(words + word)] |= 1 << (place & 31)
                bits[at(word >> WORD)] |= 1 << (word & 31)
                tops[side, pool] = min(tops[side, pool], rung << shift)
            queues[at(2 * place + 1)] = order
            orders[at(order + PREVIOUS)] = before
            orders[at(order + NEXT)] = -1
            if treed and before < 0:
                refresh(side, pool, state, orders, queues, tops, family)
            live += 1
            open_quantity += quantity
            first_expiry = min(first_expiry, expiry)

    state[USED], state[NEXT_ID], state[CLOCK] = used, next_id, clock
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
    if state[POOLS] == 1 and state[RATE] == 0 and state[CAPPED] == 0:
        run_part(1, *book, *events, first, last)
    else:
        run_part(0, *book, *events, first, last)
