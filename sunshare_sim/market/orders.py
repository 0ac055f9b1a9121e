"""The records every market mechanism takes and gives: orders in, fills out, as arrays of integers.

A price is in ticks, a quantity in 1e-6 kWh, a side is BID = 1 or ASK = -1, a pool is a row or column of the charges.
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.units import IntArray

SUBMIT: Final = 0  # what an event does to the book
CANCEL: Final = 1
REPLACE: Final = 2
EXPIRE: Final = 3

GTC: Final = 0  # time in force: good till cancelled, immediate or cancel, fill or kill
IOC: Final = 1
FOK: Final = 2
TIME_IN_FORCE: Final = {"GTC": GTC, "IOC": IOC, "FOK": FOK}

NEVER: Final = 2**63 - 1  # the expiry of an order that has none


class Orders(NamedTuple):
    """Hold a batch of orders in order of arrival; every array is int64, shape [orders]."""

    owner: IntArray
    side: IntArray
    pool: IntArray
    price: IntArray
    quantity: IntArray


class Events(NamedTuple):
    """Hold a recorded stream of messages in order of time; every array is int64, shape [events].

    `kind` is SUBMIT, CANCEL, REPLACE or EXPIRE. A submit reads all columns but `order_id`; a cancel reads `order_id`; a
    replace `order_id`, `price` and `quantity` (0 keeps either as it is); an expiry removes what ends at `expiry` or
    before.
    """

    kind: IntArray
    order_id: IntArray
    owner: IntArray
    side: IntArray
    pool: IntArray
    price: IntArray
    quantity: IntArray
    tif: IntArray
    expiry: IntArray


class Order(NamedTuple):
    """Show one resting order: `quantity` is what is left of it, `time` its place in the queue."""

    id: int
    owner: int
    side: int
    pool: int
    price: int
    quantity: int
    time: int
    expiry: int | None


class Fill(NamedTuple):
    """Tell one trade: the seller gets `price`, the buyer pays `price + charge` [ticks], for `quantity`."""

    bid_id: int
    ask_id: int
    buyer: int
    seller: int
    quantity: int
    price: int
    charge: int


class Fills(NamedTuple):
    """Hold the fills of a batch in order of time; every array is int64, shape [fills].

    `taker` is the row of the submitted batch that caused the fill (-1 in a sweep, where nobody submitted).
    """

    bid_id: IntArray
    ask_id: IntArray
    buyer: IntArray
    seller: IntArray
    quantity: IntArray
    price: IntArray
    charge: IntArray
    taker: IntArray

    @property
    def count(self) -> int:  # type: ignore[override]  # hides tuple.count, of no use here
        """Return the number of fills."""
        return len(self.quantity)

    @classmethod
    def empty(cls) -> "Fills":
        """Return no fills at all."""
        return cls(*np.empty((len(cls._fields), 0), dtype=np.int64))
