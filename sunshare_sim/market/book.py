"""The order book of the continuous double auction: exact, aware of pools and charges, ignorant of grids and people."""

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.market import _book, _entry, _ladder, _upkeep
from sunshare_sim.market import _checks as check
from sunshare_sim.market import _layout as at
from sunshare_sim.market._checks import PACK
from sunshare_sim.market._memory import is_lent, room_for_fills, room_for_orders
from sunshare_sim.market._tree import family_of, no_tree
from sunshare_sim.market._views import depth_table, replay, show
from sunshare_sim.market.orders import (
    CANCEL,
    EXPIRE,
    GTC,
    NEVER,
    REPLACE,
    SUBMIT,
    TIME_IN_FORCE,
    Events,
    Fill,
    Fills,
    Order,
)
from sunshare_sim.units import ASK, BID, IntArray

if TYPE_CHECKING:
    import pandas as pd

PRICING: Final = {"ask": at.PRICE_ASK, "resting": at.PRICE_RESTING, "midpoint": at.PRICE_MIDPOINT}
CHUNK: Final = 1 << 14  # messages between two compactions: their orders stay in the processor's cache
TREE_FROM: Final = 65  # pools; with fewer it is faster to look at all
MOST_LEVELS: Final = 1 << 24


class OrderBook:
    """Match bids and asks by landed price, charge and time, exactly and at once.

    A bid takes the ask with the lowest landed price ask + charge, an ask the bid with the highest bid - charge; ties
    go to the lower charge, then to the earlier order. The seller gets the fill's price, the buyer pays price + charge.
    An order that meets one of the same owner cancels it and goes on.

    Parameters
    ----------
    charges : array_like of int, shape [buyer pools, seller pools], optional
        Charge of each pair of pools [ticks]; negative = forbidden. None = one pool free of charge.
    pricing : {"ask", "resting", "midpoint"}
        What the seller gets: its own limit, the limit of the order that was there first (less the charge when that is
        the bid), or the middle of ask and bid - charge, rounded down.
    price_levels : int
        Prices run from 1 to `price_levels` - 1.
    capacity : array_like of int, shape [buyer pools, seller pools], optional
        Most that each pair may trade in a slot [1e-6 kWh]; used up = forbidden, negative = unlimited.
    rate_limit : int, optional
        Most orders and replacements an owner may send in a slot; what exceeds it is rejected and counted.

    Notes
    -----
    Cost of a message: O(pools) plus O(1) a fill, whatever the number of resting orders. Memory follows the largest
    number of orders at rest, not the number submitted.

    References
    ----------
    Friedman, D. and Rust, J. (eds., 1993), The Double Auction Market; charges between zones as in SIDC, the European
    continuous intraday market (All NEMO Committee, 2023).
    """

    def __init__(
        self,
        charges: npt.ArrayLike | None = None,
        *,
        pricing: str = "ask",
        price_levels: int = 4096,
        capacity: npt.ArrayLike | None = None,
        rate_limit: int | None = None,
    ) -> None:
        if not isinstance(pricing, str) or pricing not in PRICING:
            raise check.unknown("price rule", "pricing", pricing, PRICING)
        levels = check.whole("price_levels", price_levels, 2, MOST_LEVELS)
        given = np.zeros((1, 1), dtype=np.int64) if charges is None else check.matrix("charges", charges)
        pools = len(given)
        shift = max(2 * at.WORD, (levels - 1).bit_length())
        words = 2 * pools << (shift - at.WORD)
        self._levels, self._shift, self._pools = levels, shift, pools
        size = at.STATE_FIELDS + at.EVENT_FIELDS + words + (words >> at.WORD) + pools * (2 + 3 * pools)
        self._arena = np.zeros(size, dtype=np.int64)
        self._arena[: at.PRICING + 1] = levels, shift, pools, PRICING[pricing]
        views = _entry.spread(self._arena)
        self._state, self._event, self._bits, self._tops, self._charges, self._room = views
        self._state[at.RATE] = 0 if rate_limit is None else check.whole("rate_limit", rate_limit, 1, NEVER)
        self._state[at.FIRST_EXPIRY] = NEVER
        self._state[at.FAR] = at.FAR_FROM
        self._is_rated = rate_limit is not None
        self._scalars = self._state.data  # reads one number in a third of numpy's time
        self._state[at.USED] = self._state[at.OLD] = at.ORDER_FIELDS
        self._orders = np.zeros(at.ORDER_FIELDS, dtype=np.int64)  # nobody
        self._queues = np.zeros(4 * pools << shift, dtype=np.int32)
        self._tops[:] = at.NOTHING
        self._sent = np.zeros(0, dtype=np.int64)
        self._packed = self._event.data
        self._family = no_tree()
        self._fills = room_for_fills(0)
        self._lent = room_for_fills(0)  # for batches too large for the other; their fills are views of it
        self._given = given
        self._capacity: IntArray | None = None
        self._set_capacity(capacity)
        self._reserve(1)

    # Orders in

    def submit(  # noqa: PLR0913 -- an order has these fields
        self,
        owner: int,
        side: int,
        pool: int,
        price: int,
        quantity: int,
        *,
        tif: str = "GTC",
        expiry: int | None = None,
    ) -> tuple[int, list[Fill]]:
        """Send one order; return its id and its fills.

        Parameters
        ----------
        owner : int
            Who sends it; orders of one owner never trade with each other.
        side : int
            BID (1) or ASK (-1).
        pool : int
            Row (bid) or column (ask) of the charges.
        price : int
            Limit [ticks], 1 to price_levels - 1.
        quantity : int
            Energy [1e-6 kWh], at least 1.
        tif : {"GTC", "IOC", "FOK"}
            Good till cancelled, immediate or cancel, fill or kill.
        expiry : int, optional
            `expire(now)` removes the order once now >= expiry.

        Raises
        ------
        OrderError
            When a value is out of range; the book is unchanged.
        """
        try:
            code = TIME_IN_FORCE[tif]
        except (KeyError, TypeError):
            raise check.unknown("time in force", "order", tif, TIME_IN_FORCE) from None
        order_id = self._scalars[at.NEXT_ID]
        end = NEVER if expiry is None else expiry
        return order_id, self._apply_one(SUBMIT, 0, owner, side, pool, price, quantity, code, end)

    def cancel(self, order_id: int) -> bool:
        """Remove an order; return False when it is no longer there.

        Raises
        ------
        OrderError
            When no order ever had this id.
        """
        self._apply_one(CANCEL, order_id)
        return self._scalars[at.REMOVED] == 1

    def replace(
        self, order_id: int, *, price: int | None = None, quantity: int | None = None
    ) -> tuple[int, list[Fill]]:
        """Change the limit or what is left of an order; return its id, which it keeps, and its fills.

        A reduced quantity keeps the place in the queue; a raised one or another price loses it, and the order comes in
        anew. An order that is no longer there stays gone.

        Raises
        ------
        OrderError
            When no order ever had this id, or price or quantity is out of range; the book is unchanged.
        """
        for name, value in (("price", price), ("quantity", quantity)):
            if value is not None:
                check.whole(name, value, 1, NEVER)
        return order_id, self._apply_one(REPLACE, order_id, price=price or 0, quantity=quantity or 0)

    def expire(self, now: int) -> int:
        """Remove every order whose expiry is `now` or before; return how many."""
        self._apply_one(EXPIRE, 0, expiry=now)
        return self._scalars[at.REMOVED]

    def submit_many(  # noqa: PLR0913 -- an order has these fields
        self,
        owner: npt.ArrayLike,
        side: npt.ArrayLike,
        pool: npt.ArrayLike,
        price: npt.ArrayLike,
        quantity: npt.ArrayLike,
        *,
        tif: str | Iterable[str] = "GTC",
        expiry: npt.ArrayLike | None = None,
    ) -> Fills:
        """Send a batch of orders in order of arrival, exactly as one `submit` after the other would.

        Parameters
        ----------
        owner, side, pool, price, quantity : array_like of int, shape [orders]
            As in `submit`. Order i of the batch gets the i-th id after those given before.
        tif : str or sequence of str, shape [orders]
            One for all, or one for each.
        expiry : int or array_like of int, shape [orders], optional
            One for all, or one for each.

        Raises
        ------
        OrderError
            When any value is out of range or lengths differ; the book is unchanged.
        """
        count = np.size(owner)
        named = zip(Events._fields[2:7], (owner, side, pool, price, quantity), strict=True)
        kind, order_id = np.zeros((2, count), dtype=np.int64)  # SUBMIT, none
        given = [check.column(*each) for each in named]
        codes = check.tif_codes(tif, count)
        ends = check.per_order("expiry", NEVER if expiry is None else expiry, count)
        columns = Events._make((kind, order_id, *given, codes, ends))
        return self._apply(check.equal_lengths(columns, count))

    def process(self, events: Events) -> Fills:
        """Apply a recorded stream of submits, cancels, replaces and expiries in compiled code.

        Returns
        -------
        Fills
            `taker` is the row of the event that caused the fill.

        Raises
        ------
        OrderError
            When any event is wrong; the book is unchanged.
        """
        return self._apply(check.recorded(events))

    # Slots and rules

    def set_charges(self, charges: npt.ArrayLike) -> list[Fill]:
        """Change the charges between the pools, then match what has become matchable; return those fills.

        The pair of resting orders with the highest bid - charge - ask goes first; ties: lower charge, then earlier bid,
        then earlier ask; the later of the two counts as the incoming order.
        """
        self._given = check.matrix("charges", charges, self._pools)
        self._weigh()
        return self._sweep()

    def start_slot(
        self, *, charges: npt.ArrayLike | None = None, capacity: npt.ArrayLike | None = None
    ) -> list[Fill]:
        """Renew the owners' rate and the pairs' capacity of a slot; return the fills this makes possible.

        Parameters
        ----------
        charges : array_like of int, shape [buyer pools, seller pools], optional
            New charges from now on [ticks], in one sweep with the capacities; None = as before.
        capacity : array_like of int, shape [buyer pools, seller pools], optional
            New capacities from now on [1e-6 kWh]; None = as before.
        """
        given = None if charges is None else check.matrix("charges", charges, self._pools)
        room = None if capacity is None else check.matrix("capacity", capacity, self._pools)
        self._sent[:] = 0
        if given is None and room is None and self._capacity is None:
            return []
        self._given = self._given if given is None else given
        self._set_capacity(self._capacity if room is None else room)
        return self._sweep()

    def clear(self) -> None:
        """Forget all orders and count ids, capacities and rates from the start again."""
        arguments: tuple[Any, ...] = (*self._arrays[:5], self._sent, self._family)
        _upkeep.clear(*arguments)
        if self._capacity is not None:
            self._set_capacity(self._capacity)

    # What can be seen

    def best_bid(self, pool: int | None = None) -> int | None:
        """Return the highest bid [ticks] of a pool (None = of all), or None when there is none."""
        rung = self._best_rung(pool, 0)
        return None if rung is None else self._levels - rung

    def best_ask(self, pool: int | None = None) -> int | None:
        """Return the lowest ask [ticks] of a pool (None = of all), or None when there is none."""
        return self._best_rung(pool, 1)

    def best_quotes(self) -> tuple[IntArray, IntArray]:
        """Return the highest bid and the lowest ask of every pool [ticks], 0 = none, each of shape [pools]."""
        tops = self._tops.reshape(2, -1)
        rung = np.where(tops == at.NOTHING, 0, tops >> self._shift)
        return np.where(rung[0] > 0, self._levels - rung[0], 0), rung[1]

    def depth(self, pool: int | None = None) -> "pd.DataFrame":
        """Return what rests, one row a side and price, best first: `side, price, quantity, orders`."""
        ladder, rung, rows = self._resting()
        if pool is not None:
            mine = ladder % self._pools == check.whole("pool", pool, 0, self._pools - 1)
            ladder, rung, rows = ladder[mine], rung[mine], rows[mine]
        bids = ladder < self._pools
        price = np.where(bids, self._levels - rung, rung)
        return depth_table(np.where(bids, BID, ASK), price, rows[:, at.QUANTITY])

    def replay(self, events: Events) -> "pd.DataFrame":
        """Apply events one by one; return the public tape, one row a message and one a trade, in order of time.

        Columns are `event` (row of the events), `kind` ("quote", "cancel", "replace", "expire", "trade"), `side`,
        `pool`, `price`, `quantity`, and `best_bid` and `best_ask` over all pools after the message. Owners stay out,
        and so does what changed nothing: messages that were refused, or about an order that is no longer there.
        """
        columns = check.recorded(events)
        self._refuse_bad(columns)
        return replay(self, columns)

    def order(self, order_id: int) -> Order | None:
        """Return a resting order as it is now, or None when it is no longer there.

        Raises
        ------
        OrderError
            When no order ever had this id.
        """
        check.whole("order_id", order_id, 0, self._scalars[at.NEXT_ID] - 1)
        start = _ladder.find(order_id, self._state, self._orders)
        if start == at.NOBODY:
            return None
        row = self._orders[start : start + at.ORDER_FIELDS].tolist()
        return show(row, self._levels, self._shift, self._pools)

    def orders(self) -> list[Order]:
        """Return all resting orders in order of id."""
        rows = self._resting()[2].tolist()
        return [show(row, self._levels, self._shift, self._pools) for row in rows]

    def __len__(self) -> int:
        """Return the number of resting orders."""
        return self._scalars[at.LIVE]

    @property
    def rejected(self) -> int:
        """Return how many orders the rate limit has turned away since the last `clear`."""
        return self._scalars[at.REJECTED]

    @property
    def rejected_by_owner(self) -> dict[int, int]:
        """Return how many orders of each owner the rate limit has turned away in this slot."""
        over = self._sent - self._scalars[at.RATE]
        return {int(owner): int(over[owner]) for owner in np.flatnonzero(over > 0)}

    @property
    def charges(self) -> IntArray:
        """Return the charges [ticks] now in force, -1 = forbidden or used up, shape [buyer pools, seller pools]."""
        now = self._charges[0]
        return np.where(now == at.NOTHING, -1, now >> self._shift)

    # Inside

    def _apply_one(  # noqa: PLR0913, PLR0917 -- an event has these fields
        self,
        kind: int,
        order_id: int,
        owner: int = 0,
        side: int = 0,
        pool: int = 0,
        price: int = 0,
        quantity: int = 0,
        tif: int = GTC,
        expiry: int = 0,
    ) -> list[Fill]:
        """Check and apply one event; return its fills."""
        try:
            PACK(self._packed, 0, kind, order_id, owner, side, pool, price, quantity, tif, expiry)
        except (struct.error, TypeError):
            raise check.not_whole((kind, order_id, owner, side, pool, price, quantity, tif, expiry)) from None
        if self._is_rated:
            self._count_owner(owner)
        count = _entry.run_one(*self._one)
        if count == _entry.FULL:
            self._reserve(1)
            count = _entry.run_one(*self._one)
        if count > 0:
            return self._listed(count)
        if count < 0:
            raise check.refusal(-1 - count, self._event[-1 - count, 0], self._levels, self._pools)
        return []

    def _apply(self, events: Events) -> Fills:
        """Check all events, then apply them a chunk at a time; return their fills."""
        count = len(events.kind)
        self._refuse_bad(events)
        if self._is_rated:
            self._count_owner(int(events.owner[events.kind == SUBMIT].max(initial=0)))
        orders = check.whole("number of orders", self._scalars[at.LIVE] + count, 0, at.MOST_ORDERS)
        most = orders + self._pairs  # every fill ends an order, or a pair's capacity
        fills = self._fills if most <= len(self._fills) else self._lent
        if most > len(fills) or (fills is self._lent and is_lent(fills)):
            fills = self._lent = room_for_fills(most)
        self._state[at.FILLS] = 0
        for first in range(0, count, CHUNK):
            last = min(first + CHUNK, count)
            self._reserve(last - first)
            arguments: tuple[Any, ...] = (*self._arrays, fills, *events, first, last)
            _book.run(*arguments)
        filled = fills[: self._scalars[at.FILLS]].T
        return Fills(*(filled.copy() if fills is self._fills else filled))

    def _refuse_bad(self, events: Events) -> None:
        """Raise when the book cannot take one of the events."""
        check.refuse(_entry.first_bad(self._state, *events[:-1]), events, self._levels, self._pools)

    def _listed(self, count: int) -> list[Fill]:
        """Return the first fills of the buffer as records."""
        if count == 1:
            return [Fill._make(self._shown[0].tolist())]
        return list(map(Fill._make, self._shown[:count].tolist()))

    def _reserve(self, count: int) -> None:
        """Make room for `count` more orders: drop the dead ones and, when the living need it, grow."""
        size = count * at.ORDER_FIELDS
        if self._scalars[at.USED] + size <= len(self._orders):
            return
        live, target = self._scalars[at.LIVE], self._orders
        if 2 * (live + count) * at.ORDER_FIELDS > len(target):
            check.whole("number of orders", live + count, 0, at.MOST_ORDERS)
            target = room_for_orders(4 * (live + max(count, 256)))
            self._fills = room_for_fills(len(target) // at.ORDER_FIELDS + self._pairs)
        _upkeep.compact(self._state, self._orders, self._queues, self._bits, self._tops, target)
        self._orders = target
        self._collect()

    def _collect(self) -> None:
        """Line up the arrays in the order the kernel takes them."""
        ladders = self._state, self._orders, self._queues, self._bits, self._tops
        self._arrays: tuple[Any, ...] = (*ladders, self._charges, self._room, self._sent, self._family)
        self._size = len(self._orders)
        self._shown = self._fills[:, :-1]
        growing = self._orders, self._queues, self._sent, self._family, self._fills
        self._one: tuple[Any, ...] = (self._arena, *growing)

    def _count_owner(self, owner: int) -> None:
        """Make room to count what an owner sends."""
        if len(self._sent) <= owner < at.MOST_OWNERS:
            self._sent = np.concatenate([self._sent, np.zeros(owner + 1, dtype=np.int64)])
            self._collect()

    def _set_capacity(self, capacity: npt.ArrayLike | None) -> None:
        """Give every pair its capacity of a slot, or none."""
        self._pairs = 0
        if capacity is not None:
            self._capacity = check.matrix("capacity", capacity, self._pools)
            self._room[:] = np.where(self._capacity < 0, NEVER, self._capacity)
            self._state[at.CAPPED] = 1
            self._pairs = self._pools**2
        self._weigh()

    def _weigh(self) -> None:
        """Write the charges as the kernel adds them, for both sides; forbidden and used-up pairs are out of reach."""
        open_ = (self._given >= 0) & (self._given < self._levels)
        if self._capacity is not None:
            open_ &= self._room > 0
        charge = np.where(open_, self._given, 0)
        self._charges[0] = np.where(open_, (charge << self._shift) + charge, at.NOTHING)
        self._charges[1] = self._charges[0].T
        is_open = self._capacity is None  # a pair that is used up would leave the tree
        self._family = family_of(self._charges[0]) if is_open and self._pools >= TREE_FROM else no_tree()
        self._state[at.TREED] = self._family.size > 0
        self._collect()

    def _sweep(self) -> list[Fill]:
        """Match resting orders until none cross; return the fills."""
        self._reserve(1)
        most = len(self._orders) // at.ORDER_FIELDS + self._pairs
        if most > len(self._fills):
            self._fills = room_for_fills(most)
            self._collect()
        arguments: tuple[Any, ...] = (*self._arrays[:-2], self._fills)
        _upkeep.sweep(*arguments)
        if self._state[at.TREED]:
            _ladder.grow_tree(self._state, self._orders, self._queues, self._tops, self._family)
        return self._listed(self._scalars[at.FILLS])

    def _best_rung(self, pool: int | None, side: int) -> int | None:
        """Return the lowest rung in use on one side of a pool, or of all pools."""
        tops = self._tops.reshape(2, -1)[side]
        best = int(tops.min() if pool is None else tops[check.whole("pool", pool, 0, self._pools - 1)])
        return None if best == at.NOTHING else best >> self._shift

    def _resting(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return ladder, rung and row of every resting order, shapes [orders], [orders], [orders, fields]."""
        rows = self._orders[at.ORDER_FIELDS : self._scalars[at.USED]].reshape(-1, at.ORDER_FIELDS)
        rows = rows[rows[:, at.QUANTITY] > 0]
        ladder = rows[:, at.RUNG] >> self._shift
        return ladder, rows[:, at.RUNG] - (ladder << self._shift), rows
