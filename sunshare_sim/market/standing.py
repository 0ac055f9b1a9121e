"""Orders that stay in the book from slot to slot, each for no more energy than is metered in the slot.

A market after the meters (`ex_post`) can sell a kWh only in the slot that metered it. So what stands is a place in
the queue, not energy: at the start of a slot every standing order is held to what its owner wishes now.
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import OrderError, describe
from sunshare_sim.market.batch import check_orders, take
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import MarketRules
from sunshare_sim.market.orders import CANCEL, GTC, NEVER, REPLACE, Events, Fill, Fills, Orders
from sunshare_sim.units import IntArray


class Resting(NamedTuple):
    """Hold the orders that stand; arrays have shape [orders], ids ascend."""

    id: IntArray
    owner: IntArray
    side: IntArray
    pool: IntArray
    price: IntArray
    quantity: IntArray
    expiry: IntArray


NONE: Final = Resting(*np.empty((len(Resting._fields), 0), dtype=np.int64))


class StandingOrders:
    """Keep a book over the slots of a market in which every owner has at most one order.

    At the start of a slot, in this order:

    1. Orders that have stood `lifetime` slots expire.
    2. Each order that is left is held to its owner's new one. Same side, pool and price and no larger quantity: it
       stays, reduced, and keeps its time. None, or another side or pool: cancelled. Another price, or a larger
       quantity: cancelled, and the new one arrives like any other, as rule 4 of the book says of a replaced order.
    3. Capacities are renewed and charges changed; what has become matchable trades, best surplus first.
    4. The new orders arrive in their order.

    An owner thus has one order in a slot, for what it wishes in that slot; no kWh can be sold in two slots.

    Parameters
    ----------
    book : OrderBook
        The book, empty; nobody else may use it.
    rules : MarketRules
        The rules it was made with; `lifetime` counts the slot an order came in, None = until filled or cancelled.
    """

    def __init__(self, book: OrderBook, rules: MarketRules) -> None:
        self._book = book
        self._rules = rules
        self._slot = -1
        self._sent = 0
        self.resting = NONE

    def clear(self, orders: Orders, charges: IntArray | None = None) -> Fills:
        """Match a slot's orders with each other and with what stands; return fills by row of `orders`.

        Parameters
        ----------
        orders : Orders
            One order an owner: all it wishes to trade in this slot.
        charges : IntArray, optional
            New charges from now on [ticks].

        Raises
        ------
        OrderError
            When an owner has two orders, or one is out of range; the slot then did not happen.
        """
        self._check(orders)
        self._slot += 1
        stays, row = self._held(orders)
        swept = _as_fills(self._book.start_slot(charges=charges))
        new = np.delete(np.arange(orders.owner.size), row)
        expiry = NEVER if self._rules.lifetime is None else self._slot + self._rules.lifetime
        fills = self._book.submit_many(*take(orders, new))
        fills = fills._replace(taker=new[fills.taker])
        # Ids ascend: those that stay are older than the new ones
        ids = np.concatenate([self.resting.id[stays], self._sent + np.arange(new.size)])
        rows = np.concatenate([row, new])
        ends = np.concatenate([self.resting.expiry[stays], np.full(new.size, expiry)])
        self._sent += new.size
        both = Fills(*map(np.concatenate, zip(swept, fills, strict=True)))
        both = both._replace(
            bid_id=rows[np.searchsorted(ids, both.bid_id)], ask_id=rows[np.searchsorted(ids, both.ask_id)]
        )
        left = orders.quantity.copy()
        for side in (both.bid_id, both.ask_id):
            np.subtract.at(left, side, both.quantity)
        open_ = left[rows] > 0
        rows, kept = rows[open_], take(orders._replace(quantity=left), rows[open_])
        self.resting = Resting(ids[open_], *kept, ends[open_])
        return both

    def _check(self, orders: Orders) -> None:
        """Refuse the orders before anything is changed."""
        check_orders(orders, self._rules)
        if np.unique(orders.owner).size < orders.owner.size:
            expected = "one order an owner and slot, where orders stand longer than a slot"
            raise OrderError(describe("an owner with two orders", where="orders", expected=expected))
        most = NEVER // self._rules.price_levels
        if int(orders.quantity.sum()) > most:
            got, expected = int(orders.quantity.sum()), f"together at most {most}"
            raise OrderError(describe("quantity out of range", where="orders", got=got, expected=expected))

    def _held(self, orders: Orders) -> tuple[IntArray, IntArray]:
        """Hold what stands to the new orders, or cancel it; return which stay, and the row each stands for."""
        resting = self.resting
        _, old, row = np.intersect1d(resting.owner, orders.owner, assume_unique=True, return_indices=True)
        same = (resting.expiry[old] > self._slot) & (orders.quantity[row] <= resting.quantity[old])
        for name in ("side", "pool", "price"):
            same &= getattr(resting, name)[old] == getattr(orders, name)[row]
        by_id = np.argsort(old[same])
        stays, row = old[same][by_id], row[same][by_id]
        gone = np.delete(np.arange(resting.id.size), stays)
        less = orders.quantity[row] < resting.quantity[stays]
        zeros = np.zeros(gone.size + int(less.sum()), dtype=np.int64)
        kind = zeros + CANCEL
        kind[gone.size :] = REPLACE
        quantity = zeros.copy()
        quantity[gone.size :] = orders.quantity[row][less]
        self._book.process(
            Events(
                kind=kind,
                order_id=np.concatenate([resting.id[gone], resting.id[stays[less]]]),
                owner=zeros,
                side=zeros,
                pool=zeros,
                price=zeros,
                quantity=quantity,
                tif=zeros + GTC,
                expiry=zeros,
            )
        )
        return stays, row


def _as_fills(swept: list[Fill]) -> Fills:
    """Return the fills of a sweep as columns; nobody took them."""
    rows = [(*fill, -1) for fill in swept]
    return Fills(*np.array(rows, dtype=np.int64).reshape(-1, len(Fills._fields)).T)
