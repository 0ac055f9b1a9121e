"""The order book of the continuous double auction: exact, aware of pools and charges, ignorant of grids and people."""

import struct
from collections.abc import Iterable
from operator import index
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import OrderError, describe, did_you_mean
from sunshare_sim.market import _book as kernel
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

Integers = int | npt.ArrayLike

PRICING: Final = {
    "ask": kernel.PRICE_ASK,
    "resting": kernel.PRICE_RESTING,
    "midpoint": kernel.PRICE_MIDPOINT,
}
CHUNK: Final = 4096  # messages between two compactions: their orders stay in the processor's cache
MOST_LEVELS: Final = 1 << 24
_PACKED: Final = 8 * kernel.EVENT_FIELDS
_PACK: Final = struct.Struct(f"={kernel.EVENT_FIELDS}q").pack_into  # refuses what is no int64


class OrderBook:
    """Match bids and asks by landed price, charge and time, exactly and at once.

    A bid takes the ask with the lowest landed price ask + charge, an ask the bid with the highest bid - charge; ties go to
    the lower charge, then to the earlier order. The seller gets the fill's price, the buyer pays price + charge. An order that
    meets one of the same owner cancels it and goes on.

    Parameters
    ----------
    charges : array_like of int, shape [buyer pools, seller pools], optional
        Charge of each pair of pools [ticks]; negative = forbidden. None = one pool free of charge.
    pricing : {"ask", "resting", "midpoint"}
        What the seller gets: its own limit, the limit of the order that was there first (less the charge when that is the
        bid), or the middle of ask and bid - charge, rounded down.
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
        if pricing not in PRICING:
            raise OrderError(
                describe(
                    "unknown price rule",
                    where="pricing",
                    got=pricing,
                    expected=", ".join(PRICING),
                    hint=did_you_mean(str(pricing), PRICING),
                )
            )
        levels = _whole("price_levels", price_levels, 2, MOST_LEVELS)
        given = np.zeros((1, 1), dtype=np.int64) if charges is None else _matrix("charges", charges)
        pools = len(given)
        shift = max(2 * kernel.WORD, (levels - 1).bit_length())
        state = np.zeros(kernel.STATE_FIELDS, dtype=np.int64)
        state[kernel.PRICE_LEVELS], state[kernel.SHIFT], state[kernel.POOLS] = levels, shift, pools
        state[kernel.PRICING] = PRICING[pricing]
        state[kernel.RATE] = 0 if rate_limit is None else _whole("rate_limit", rate_limit, 1, NEVER)
        state[kernel.FIRST_EXPIRY] = NEVER
        ladders = 2 * pools
        self._levels, self._shift, self._pools = levels, shift, pools
        self._state = state
        self._scalars = memoryview(state)  # reads one number in half of numpy's time
        self._orders = np.zeros(0, dtype=np.int64)
        self._fills = _room_for_fills(0)
        self._queues = np.zeros(2 * ladders << shift, dtype=np.int32)
        words = ladders << (shift - kernel.WORD)
        self._bits = np.zeros(words + (words >> kernel.WORD), dtype=np.int64)
        self._tops = np.full((2, pools), kernel.NOTHING, dtype=np.int64)
        self._sent = np.zeros(0, dtype=np.int64)
        self._event = np.zeros((kernel.EVENT_FIELDS, 1), dtype=np.int64)
        self._given = given
        self._capacity: IntArray | None = None
        self._room = np.zeros((pools, pools) if capacity is not None else (1, 1), dtype=np.int64)
        self._charges = np.zeros((2, pools, pools), dtype=np.int64)
        self._set_capacity(capacity)
        self._reserve(1)

    # Orders in

    def submit(
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
        code = TIME_IN_FORCE.get(tif)
        if code is None:
            raise _unknown_tif(tif)
        order_id = self._scalars[kernel.NEXT_ID]
        event = (SUBMIT, 0, owner, side, pool, price, quantity, code, NEVER if expiry is None else expiry)
        return order_id, self._apply_one(event)

    def cancel(self, order_id: int) -> bool:
        """Remove an order; return False when it is no longer there.

        Raises
        ------
        OrderError
            When no order ever had this id.
        """
        self._apply_one((CANCEL, order_id, 0, 0, 0, 0, 0, 0, 0))
        return self._scalars[kernel.REMOVED] == 1

    def replace(
        self, order_id: int, *, price: int | None = None, quantity: int | None = None
    ) -> tuple[int, list[Fill]]:
        """Change the limit or what is left of an order; return its id, which it keeps, and its fills.

        A reduced quantity keeps the place in the queue; a raised one or another price loses it, and the order comes in anew. An
        order that is no longer there stays gone.

        Raises
        ------
        OrderError
            When no order ever had this id, or price or quantity is out of range; the book is unchanged.
        """
        for name, value in (("price", price), ("quantity", quantity)):
            if value is not None:
                _whole(name, value, 1, NEVER)
        event = (REPLACE, order_id, 0, 0, 0, price or 0, quantity or 0, GTC, 0)
        return order_id, self._apply_one(event)

    def expire(self, now: int) -> int:
        """Remove every order whose expiry is `now` or before; return how many."""
        self._apply_one((EXPIRE, 0, 0, 0, 0, 0, 0, 0, now))
        return self._scalars[kernel.REMOVED]

    def submit_many(
        self,
        owner: Integers,
        side: Integers,
        pool: Integers,
        price: Integers,
        quantity: Integers,
        *,
        tif: str | Iterable[str] = "GTC",
        expiry: Integers | None = None,
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
        columns = Events(
            kind=np.zeros(count, dtype=np.int64),  # SUBMIT
            order_id=np.zeros(count, dtype=np.int64),
            owner=_column("owner", owner),
            side=_column("side", side),
            pool=_column("pool", pool),
            price=_column("price", price),
            quantity=_column("quantity", quantity),
            tif=_tif_codes(tif, count),
            expiry=_per_order("expiry", NEVER if expiry is None else expiry, count),
        )
        return self._apply(_equal_lengths(columns, count))

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
        columns = Events(*map(_column, Events._fields, events))
        return self._apply(_equal_lengths(columns, len(columns.kind)))

    # Slots and rules

    def set_charges(self, charges: npt.ArrayLike) -> list[Fill]:
        """Change the charges between the pools, then match what has become matchable; return those fills.

        The pair of resting orders with the highest bid - charge - ask goes first; ties: lower charge, then earlier bid,
        then earlier ask; the later of the two counts as the incoming order.
        """
        self._given = _matrix("charges", charges, self._pools)
        self._weigh()
        return self._sweep()

    def start_slot(self, *, capacity: npt.ArrayLike | None = None) -> list[Fill]:
        """Renew what is counted by slot: the owners' rate and the pairs' capacity; return the fills this makes possible.

        Parameters
        ----------
        capacity : array_like of int, shape [buyer pools, seller pools], optional
            New capacities from now on [1e-6 kWh]; None = as before.
        """
        self._set_capacity(self._capacity if capacity is None else capacity)
        self._sent[:] = 0
        return self._sweep()

    def clear(self) -> None:
        """Forget all orders and count ids, capacities and rates from the start again."""
        kernel.clear(self._state, self._orders, self._bits, self._tops, self._sent)
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

    def depth(self, pool: int | None = None) -> "pd.DataFrame":
        """Return what rests, one row a side and price, best first: `side, price, quantity, orders`."""
        import pandas as pd

        ladder, rung, rows = self._resting()
        side = np.where(ladder < self._pools, BID, ASK)
        table = pd.DataFrame({"side": side, "rung": rung, "quantity": rows[:, kernel.QUANTITY]})
        if pool is not None:
            table = table[ladder % self._pools == self._pool(pool)]
        grouped = table.groupby(["side", "rung"])["quantity"].agg(quantity="sum", orders="size").reset_index()
        grouped["price"] = np.where(grouped["side"] == BID, self._levels - grouped["rung"], grouped["rung"])
        ordered = grouped.sort_values(["side", "rung"], ascending=[False, True], ignore_index=True)
        return ordered[["side", "price", "quantity", "orders"]].astype(np.int64)

    def order(self, order_id: int) -> Order | None:
        """Return a resting order as it is now, or None when it is no longer there.

        Raises
        ------
        OrderError
            When no order ever had this id.
        """
        _whole("order_id", order_id, 0, self._scalars[kernel.NEXT_ID] - 1)
        start = kernel.find(order_id, self._state, self._orders)
        return None if start < 0 else self._show(self._orders[start : start + kernel.ORDER_FIELDS].tolist())

    def orders(self) -> list[Order]:
        """Return all resting orders in order of id."""
        return [self._show(row) for row in self._resting()[2].tolist()]

    def __len__(self) -> int:
        """Return the number of resting orders."""
        return self._scalars[kernel.LIVE]

    @property
    def rejected(self) -> int:
        """Return how many orders the rate limit has turned away since the last `clear`."""
        return self._scalars[kernel.REJECTED]

    @property
    def charges(self) -> IntArray:
        """Return the charges [ticks] now in force, -1 = forbidden or used up, shape [buyer pools, seller pools]."""
        now = self._charges[0]
        return np.where(now == kernel.NOTHING, -1, now >> self._shift)

    # Inside

    def _apply_one(self, event: tuple[int, ...]) -> list[Fill]:
        """Check and apply one event; return its fills."""
        scalars = self._scalars
        try:
            _PACK(self._event, 0, *event)
        except struct.error:
            raise _not_whole(event) from None
        if scalars[kernel.USED] == len(self._orders):
            self._reserve(1)
        if scalars[kernel.RATE]:
            self._count_owner(event[2])
        count = kernel.run_one(*self._arrays, self._event)
        if count > 0:
            return self._listed(count)
        if count < 0:
            raise self._refusal(-1 - count, event[-1 - count])
        return []

    def _apply(self, events: Events) -> Fills:
        """Check all events, then apply them a chunk at a time; return their fills."""
        count = len(events.kind)
        bad = kernel.first_bad(self._state, *events[:-1])
        if bad >= 0:
            row, field = bad >> 4, bad & 15
            raise self._refusal(field, int(events[field][row]), f"row {row}")
        if self._scalars[kernel.RATE] and count:
            self._count_owner(int(events.owner.max()))
        # Every fill ends an order that was there, one that came, or a pair's capacity
        most = self._scalars[kernel.LIVE] + count + self._pools**2
        fills = self._fills if most <= self._fills.shape[1] else _room_for_fills(most)
        self._state[kernel.FILLS] = 0
        for first in range(0, count, CHUNK):
            last = min(first + CHUNK, count)
            self._reserve(last - first)
            kernel.run(*self._arrays[:-1], fills, *events, first, last)
        filled = fills[:, : self._scalars[kernel.FILLS]]
        return Fills(*(filled.copy() if fills is self._fills else filled))

    def _listed(self, count: int) -> list[Fill]:
        """Return the first fills of the buffer as records."""
        return [Fill(*fill) for fill in zip(*self._fills[:-1, :count].tolist(), strict=True)]

    def _reserve(self, count: int) -> None:
        """Make room for `count` more orders: drop the dead ones and, when the living need it, grow."""
        size = count * kernel.ORDER_FIELDS
        if self._scalars[kernel.USED] + size <= len(self._orders):
            return
        live = self._scalars[kernel.LIVE]
        target = self._orders
        if 2 * (live + count) * kernel.ORDER_FIELDS > len(target):
            target = np.zeros(4 * (live + max(count, 256)) * kernel.ORDER_FIELDS, dtype=np.int64)
            self._fills = _room_for_fills(len(target) // kernel.ORDER_FIELDS + self._pools**2)
        kernel.compact(self._state, self._orders, self._queues, target)
        self._orders = target
        self._collect()

    def _collect(self) -> None:
        """Line up the arrays in the order the kernel takes them."""
        self._arrays = (
            self._state,
            self._orders,
            self._queues,
            self._bits,
            self._tops,
            self._charges,
            self._room,
            self._sent,
            self._fills,
        )

    def _count_owner(self, owner: int) -> None:
        """Make room to count what an owner sends."""
        if len(self._sent) <= owner < kernel.MOST_OWNERS:
            self._sent = np.concatenate([self._sent, np.zeros(owner + 1, dtype=np.int64)])
            self._collect()

    def _set_capacity(self, capacity: npt.ArrayLike | None) -> None:
        """Give every pair its capacity of a slot, or none."""
        if capacity is not None:
            self._capacity = _matrix("capacity", capacity, self._pools)
            self._room[:] = np.where(self._capacity < 0, NEVER, self._capacity)
            self._state[kernel.CAPPED] = 1
        self._weigh()

    def _weigh(self) -> None:
        """Write the charges as the kernel adds them, for both sides; forbidden and used-up pairs are out of reach."""
        open_ = (self._given >= 0) & (self._given < self._levels)
        if self._capacity is not None:
            open_ &= self._room > 0
        charge = np.where(open_, self._given, 0)
        self._charges[0] = np.where(open_, (charge << self._shift) + charge, kernel.NOTHING)
        self._charges[1] = self._charges[0].T

    def _sweep(self) -> list[Fill]:
        """Match resting orders until none cross; return the fills."""
        self._reserve(1)
        kernel.sweep(*self._arrays[:-2], self._fills)
        return self._listed(self._scalars[kernel.FILLS])

    def _best_rung(self, pool: int | None, side: int) -> int | None:
        """Return the lowest rung in use on one side of a pool, or of all pools."""
        tops = self._tops[side]
        best = int(tops.min() if pool is None else tops[self._pool(pool)])
        return None if best == kernel.NOTHING else best >> self._shift

    def _resting(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return ladder, rung and row of every resting order, shapes [orders], [orders], [orders, fields]."""
        rows = self._orders[: self._scalars[kernel.USED]].reshape(-1, kernel.ORDER_FIELDS)
        rows = rows[rows[:, kernel.QUANTITY] > 0]
        ladder = rows[:, kernel.RUNG] >> self._shift
        return ladder, rows[:, kernel.RUNG] - (ladder << self._shift), rows

    def _show(self, row: list[int]) -> Order:
        """Return a row of the store as the order it stands for."""
        ladder, rung = row[kernel.RUNG] >> self._shift, row[kernel.RUNG] & ((1 << self._shift) - 1)
        bid = ladder < self._pools
        expiry = row[kernel.EXPIRY]
        return Order(
            id=row[kernel.ID],
            owner=row[kernel.OWNER],
            side=BID if bid else ASK,
            pool=ladder % self._pools,
            price=self._levels - rung if bid else rung,
            quantity=row[kernel.QUANTITY],
            time=row[kernel.TIME],
            expiry=None if expiry == NEVER else expiry,
        )

    def _pool(self, pool: int) -> int:
        """Return a pool's number, checked."""
        return _whole("pool", pool, 0, self._pools - 1)

    def _refusal(self, field: int, got: object, where: str = "order") -> OrderError:
        """Return the error for a field of an event."""
        expected = {
            "kind": "SUBMIT, CANCEL, REPLACE or EXPIRE",
            "order_id": "the id of an order submitted before",
            "owner": f"0 to {kernel.MOST_OWNERS - 1} where a rate limit is set",
            "side": "BID (1) or ASK (-1)",
            "pool": f"0 to {self._pools - 1}",
            "price": f"1 to {self._levels - 1} ticks",
            "quantity": f"1 or more, and no more than {NEVER // self._levels} in the whole book",
            "tif": ", ".join(TIME_IN_FORCE),
        }
        name = Events._fields[field]
        return OrderError(
            describe(f"{name} out of range", where=where, got=got, expected=expected[name])
        )


def _whole(name: str, value: int, lowest: int, highest: int) -> int:
    """Return a whole number, checked."""
    try:
        number = index(value)
    except TypeError:
        number = lowest - 1
    if not lowest <= number <= highest:
        raise OrderError(
            describe(f"{name} out of range", got=value, expected=f"a whole number from {lowest} to {highest}")
        )
    return number


def _not_whole(event: tuple[object, ...]) -> OrderError:
    """Return the error that names the first value of an event that is no int64."""
    for name, value in zip(Events._fields, event, strict=True):
        try:
            _PACK(bytearray(_PACKED), 0, *(value,) * kernel.EVENT_FIELDS)
        except struct.error:
            break
    return OrderError(describe(f"{name} is no whole number", where="order", got=value, expected="an int64"))


def _room_for_fills(count: int) -> IntArray:
    """Return a buffer for `count` fills; the system gives the memory as it is written to."""
    return np.empty((kernel.FILL_FIELDS, count), dtype=np.int64)


def _column(name: str, values: npt.ArrayLike) -> IntArray:
    """Return values as int64, shape [orders]; refuse what is not whole, naming the row."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise OrderError(describe(f"{name} is no column", got=array.shape, expected="one dimension"))
    if array.dtype == np.int64:
        return np.ascontiguousarray(array)
    return _exact(name, array)


def _exact(name: str, array: npt.NDArray[np.generic]) -> IntArray:
    """Return any array as int64 when every value is a whole number that fits."""
    if array.dtype.kind in "bi":
        return array.astype(np.int64)
    if array.dtype.kind not in "uf" and array.size:
        raise OrderError(describe(f"{name} is not numeric", got=str(array.dtype), expected="int64"))
    limit = 2.0**63
    number = array.astype(np.float64)
    good = (number == np.rint(number)) & (number >= -limit) & (number < limit)
    if not good.all():
        row = np.argwhere(~good)[0].tolist()
        raise OrderError(
            describe(
                f"{name} is no whole number",
                where=f"row {row[0] if len(row) == 1 else row}",
                got=array[tuple(row)].item(),
                expected="an int64",
            )
        )
    return array.astype(np.int64)


def _per_order(name: str, values: Integers, count: int) -> IntArray:
    """Return one value for each order, of a column or of one value for all."""
    if isinstance(values, int):
        return np.full(count, _whole(name, values, -NEVER, NEVER), dtype=np.int64)
    return _column(name, values)


def _tif_codes(tif: str | Iterable[str], count: int) -> IntArray:
    """Return the times in force as codes, shape [orders]."""
    names = [tif] if isinstance(tif, str) else list(tif)
    for row, name in enumerate(names):
        if name not in TIME_IN_FORCE:
            raise _unknown_tif(name, f"row {row}")
    if isinstance(tif, str):
        return np.full(count, TIME_IN_FORCE[tif], dtype=np.int64)
    return np.array([TIME_IN_FORCE[name] for name in names], dtype=np.int64)


def _unknown_tif(name: str, where: str = "order") -> OrderError:
    """Return the error for a time in force that is none."""
    return OrderError(
        describe(
            "unknown time in force",
            where=where,
            got=name,
            expected=", ".join(TIME_IN_FORCE),
            hint=did_you_mean(str(name), TIME_IN_FORCE),
        )
    )


def _equal_lengths(columns: Events, count: int) -> Events:
    """Return the columns when all have `count` rows."""
    for name, column in zip(Events._fields, columns, strict=True):
        if len(column) != count:
            raise OrderError(
                describe(f"{name} has another length", got=len(column), expected=f"{count}, one an order")
            )
    return columns


def _matrix(name: str, values: npt.ArrayLike, pools: int | None = None) -> IntArray:
    """Return a square matrix of whole numbers, checked and copied."""
    array = np.asarray(values)
    side = len(array) if array.ndim and pools is None else pools
    if array.shape != (side, side) or array.size == 0:
        size = "pools" if pools is None else str(pools)
        raise OrderError(
            describe(f"{name} is not square", got=array.shape, expected=f"shape ({size}, {size})")
        )
    return _exact(name, array).copy()
