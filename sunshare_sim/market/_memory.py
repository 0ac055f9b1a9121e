"""Memory for the order book: orders and fills each on one line of the processor's cache, never across two."""

import sys
from typing import Final

import numpy as np

from sunshare_sim.market._layout import FILL_FIELDS, ORDER_FIELDS
from sunshare_sim.units import IntArray

LINE: Final = 8  # integers of 8 bytes
ONE_VIEW: Final = 2  # references the interpreter counts in `is_lent`: the buffer's and the question's own


def room_for_orders(count: int) -> IntArray:
    """Return memory for `count` orders, as one flat array; the system gives it as it is written to."""
    return _aligned(count * ORDER_FIELDS)


def room_for_fills(count: int) -> IntArray:
    """Return memory for `count` fills, shape [fills, fields]; the system gives it as it is written to."""
    return _aligned(count * FILL_FIELDS).reshape(count, FILL_FIELDS)


def is_lent(fills: IntArray) -> bool:
    """Return whether somebody still holds a view of what `room_for_fills` gave; views refer to its memory itself."""
    return sys.getrefcount(fills.base) > ONE_VIEW


def _aligned(size: int) -> IntArray:
    """Return an array that starts where a line of the cache does; numpy's own start anywhere."""
    room: IntArray = np.empty(size + LINE, dtype=np.int64)
    start = -(room.ctypes.data // room.itemsize) % LINE
    return room[start : start + size]
