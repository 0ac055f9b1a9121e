# ruff: noqa: C901, PLR0913, PLR0917, PLR1714 -- the book is many arrays
"""The order book's door: what a message may contain, and the quick way in for a single one."""

from typing import Final

from sunshare_sim.kernels import kernel, lent, part
from sunshare_sim.market._book import run_part
from sunshare_sim.market._layout import (
    EVENT_FIELDS,
    FILLS,
    MOST_OWNERS,
    NEVER,
    NEXT_ID,
    OPEN,
    POOLS,
    PRICE_LEVELS,
    RATE,
    SHIFT,
    STATE_FIELDS,
    USED,
    WORD,
    Queues,
)
from sunshare_sim.units import IntArray

FULL: Final = -1 - EVENT_FIELDS  # there is no room for another order


@kernel
def _wrong_field(side: int, pool: int, price: int, quantity: int, pools: int, levels: int, left: int) -> int:
    """Return the first field of an order that is out of range."""
    if side != 1 and side != -1:
        return 3
    if pool < 0 or pool >= pools:
        return 4
    if price < 1 or price >= levels:
        return 5
    if quantity < 1 or quantity > left:
        return 6
    return 7


@part
def _first_bad(
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
    """Do what `first_bad` says; compiled into its callers."""
    levels, pools, rated = state[PRICE_LEVELS], state[POOLS], state[RATE] > 0
    next_id, left = state[NEXT_ID], NEVER // levels - state[OPEN]
    for event in range(kinds.size):
        kind, price, quantity = kinds[event], prices[event], quantities[event]
        field = -1
        if kind == 0:
            side, pool, tif = sides[event], pool_numbers[event], tifs[event]
            is_placed = ((side == 1) | (side == -1)) & (pool >= 0) & (pool < pools)
            is_sized = (price >= 1) & (price < levels) & (quantity >= 1) & (quantity <= left)
            if not (is_placed & is_sized & (tif >= 0) & (tif <= 2)):
                field = _wrong_field(side, pool, price, quantity, pools, levels, left)
            elif rated and (owners[event] < 0 or owners[event] >= MOST_OWNERS):
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
    return _first_bad(state, kinds, order_ids, owners, sides, pool_numbers, prices, quantities, tifs)


@kernel
def spread(arena: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray]:
    """Return the views of one piece of memory: state, event, bits, tops, charges, room.

    They share it because a call from Python costs 60 ns for each array that it passes.
    """
    pools = arena[POOLS]
    words = 2 * pools << (arena[SHIFT] - WORD)
    bits = STATE_FIELDS + EVENT_FIELDS
    tops = bits + words + (words >> WORD)
    charges = tops + 2 * pools
    room = charges + 2 * pools * pools
    return (
        arena[:STATE_FIELDS],
        arena[STATE_FIELDS:bits].reshape((EVENT_FIELDS, 1)),
        arena[bits:tops],
        arena[tops:charges],
        arena[charges:room].reshape((2, pools, pools)),
        arena[room:].reshape((pools, pools)),
    )


@kernel
def run_one(
    arena: IntArray,
    orders: IntArray,
    queues: Queues,
    sent: IntArray,
    family: IntArray,
    fills: IntArray,
) -> int:
    """Check and apply the event in `arena`; return the number of its fills, -1 - the field that is wrong, or FULL."""
    state, event, bits, tops, charges, room = spread(lent(arena))
    some = (event[0], event[1], event[2], event[3], event[4], event[5], event[6], event[7])
    bad = _first_bad(state, *some)
    if bad >= 0:
        return -1 - bad
    if state[USED] == orders.size:
        return FULL
    state[FILLS] = 0
    ladders = (state, lent(orders), lent(queues), bits, tops, charges, room)
    run_part(0, 0, *ladders, lent(sent), lent(family), lent(fills), *some, event[8], 0, 1)
    return int(state[FILLS])
