"""What all call markets do with a slot's orders before they match them: check, sort, and draw who wins a tie."""

from typing import Final

import numpy as np

from sunshare_sim.errors import OrderError, describe
from sunshare_sim.market import _pairing as kernel
from sunshare_sim.market.mechanism import MarketRules
from sunshare_sim.market.orders import NEVER, Fills, Orders
from sunshare_sim.units import IntArray

PRIME: Final = (1 << 31) - 1


def check_orders(orders: Orders, rules: MarketRules) -> None:
    """Refuse a batch with a value out of range, before anything is matched.

    Raises
    ------
    OrderError
        Naming the column and the row.
    """
    count = len(orders.owner)
    for name, column in zip(Orders._fields, orders, strict=True):
        if column.dtype != np.int64 or column.shape != (count,):
            got = f"{column.dtype} {column.shape}"
            raise OrderError(
                describe("not a column of orders", where=name, got=got, expected=f"int64 ({count},)")
            )
    row, column_number = kernel.first_bad(*orders[1:], rules.pools, rules.price_levels)
    if row < 0:
        return
    expected = {
        "side": "BID (1) or ASK (-1)",
        "pool": f"0 to {rules.pools - 1}",
        "price": f"1 to {rules.price_levels - 1} ticks",
        "quantity": f"1 or more, on one of the sides at most {NEVER // rules.price_levels} together",
    }
    name = Orders._fields[column_number]
    value = int(orders[column_number][row])
    raise OrderError(
        describe(f"{name} out of range", where=f"order {row}", got=value, expected=expected[name])
    )


def sorted_rows(orders: Orders, rules: MarketRules) -> IntArray:
    """Return the rows of all orders with a quantity, bids first, by pool, best price, arrival."""
    row_bits = len(orders.owner).bit_length()
    if (2 * rules.pools * rules.price_levels).bit_length() + row_bits > 63:
        got = f"{rules.pools} pools, {rules.price_levels} price levels, {len(orders.owner)} orders"
        raise OrderError(
            describe("too much to sort exactly", where="market", got=got, hint="use a larger tick")
        )
    keys = kernel.ladder_keys(*orders[1:], (rules.pools, rules.price_levels, row_bits))
    keys.sort()
    return keys & ((1 << row_bits) - 1)


def drawn_arrival(orders: Orders, rng: np.random.Generator) -> IntArray:
    """Return the rows of `orders` in a random order that depends on what they are, not on when they came.

    Each order's columns are hashed with two drawn numbers (Carter and Wegman 1979, universal hashing).
    """
    factor, shift = rng.integers(1, PRIME, size=2)
    digest = np.full(len(orders.owner), shift)
    for column in orders:
        digest = (digest * factor + column % PRIME) % PRIME
    return np.argsort(digest, kind="stable")


def take(orders: Orders, rows: IntArray) -> Orders:
    """Return the orders in the order of `rows`."""
    return Orders(*(column[rows] for column in orders))


def with_rows(fills: Fills, rows: IntArray) -> Fills:
    """Return fills of the orders that `take(orders, rows)` gave, with the rows these orders had before."""
    return fills._replace(bid_id=rows[fills.bid_id], ask_id=rows[fills.ask_id])
