"""What the order book may be given: whole numbers of the right range, length and shape, or an OrderError."""

import struct
from collections.abc import Iterable
from numbers import Integral, Real
from operator import index
from typing import Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import OrderError, describe, did_you_mean
from sunshare_sim.market._layout import MOST_OWNERS
from sunshare_sim.market.orders import NEVER, TIME_IN_FORCE, Events
from sunshare_sim.units import IntArray

EVENT_FIELDS: Final = len(Events._fields)
PACK: Final = struct.Struct(f"={EVENT_FIELDS}q").pack_into  # refuses what is no int64


def is_whole(value: object) -> bool:
    """Return whether a value is of a type of whole numbers."""
    return isinstance(value, Integral)


def is_number(value: object) -> bool:
    """Return whether a value is of a type of real numbers."""
    return isinstance(value, Real)


def whole(name: str, value: int, lowest: int, highest: int) -> int:
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


def not_whole(event: tuple[object, ...]) -> OrderError:
    """Return the error that names the first value of an event that is no int64."""
    for name, value in zip(Events._fields, event, strict=True):
        try:
            PACK(bytearray(8 * EVENT_FIELDS), 0, *(value,) * EVENT_FIELDS)
        except (struct.error, TypeError):
            return OrderError(
                describe(f"{name} is no whole number", where="order", got=value, expected="an int64")
            )
    raise AssertionError


def column(name: str, values: npt.ArrayLike) -> IntArray:
    """Return values as int64, shape [orders]; refuse what is not whole, naming the row."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different length
        raise OrderError(describe(f"{name} is no column", got=values, expected="one dimension")) from None
    if array.dtype.kind in "US" and not isinstance(values, np.ndarray):
        array = np.asarray(values, dtype=object)  # numpy makes text of numbers where one of them is text
    if array.ndim != 1:
        raise OrderError(describe(f"{name} is no column", got=array.shape, expected="one dimension"))
    if array.dtype == np.int64:  # whatever cannot be written to, as of pandas, would be compiled for anew
        return array if array.flags.carray else array.copy()
    return exact(name, array)


def recorded(events: object) -> Events:
    """Return a recorded stream, column by column as int64; refuse what has not its nine columns."""
    if not isinstance(events, tuple | list) or len(events) != EVENT_FIELDS:
        got = f"{len(events)} columns" if isinstance(events, tuple | list) else type(events).__name__
        raise OrderError(describe("this is no recorded stream", where="process", got=got, expected="Events"))
    columns = Events(*map(column, Events._fields, events))
    return equal_lengths(columns, len(columns.kind))


def exact(name: str, array: npt.NDArray[np.generic]) -> IntArray:
    """Return any array as int64 when every value is a whole number that fits."""
    if array.dtype.kind in "bi":
        return array.astype(np.int64)
    limit = 2.0**63
    if array.dtype.kind in "uf":
        number = array.astype(np.float64)
        good = (number == np.rint(number)) & (number >= -limit) & (number < limit)
    else:
        fits = [is_whole(each) and -NEVER <= int(each) <= NEVER for each in array.flat]
        good = np.array(fits, dtype=bool).reshape(array.shape)
    if not good.all():
        row = np.argwhere(~good)[0].tolist()
        wrong = array[tuple(row)]
        raise OrderError(
            describe(
                f"{name} is no whole number",
                where=f"row {row[0] if len(row) == 1 else row}",
                got=wrong.item() if isinstance(wrong, np.generic) else wrong,
                expected="an int64",
            )
        )
    return array.astype(np.int64)


def per_order(name: str, values: int | npt.ArrayLike, count: int) -> IntArray:
    """Return one value for each order, of a column or of one value for all."""
    if isinstance(values, int):
        return np.full(count, whole(name, values, -NEVER, NEVER), dtype=np.int64)
    return column(name, values)


def tif_codes(tif: str | Iterable[str], count: int) -> IntArray:
    """Return the times in force as codes, shape [orders]."""
    try:
        names = [tif] if isinstance(tif, str) else list(tif)
    except TypeError:
        names = [tif]  # type: ignore[list-item]  # it is refused below
    for row, name in enumerate(names):
        if not isinstance(name, str) or name not in TIME_IN_FORCE:
            raise unknown("time in force", f"row {row}", name, TIME_IN_FORCE)
    if isinstance(tif, str):
        return np.full(count, TIME_IN_FORCE[tif], dtype=np.int64)
    return np.array([TIME_IN_FORCE[name] for name in names], dtype=np.int64)


def unknown(what: str, where: str, got: object, valid: Iterable[str]) -> OrderError:
    """Return the error for a name that is none of the valid ones."""
    hint = did_you_mean(str(got), valid)
    return OrderError(describe(f"unknown {what}", where=where, got=got, expected=", ".join(valid), hint=hint))


def equal_lengths(columns: Events, count: int) -> Events:
    """Return the columns when all have `count` rows."""
    for name, column in zip(Events._fields, columns, strict=True):
        if len(column) != count:
            raise OrderError(
                describe(f"{name} has another length", got=len(column), expected=f"{count}, one an order")
            )
    return columns


def matrix(name: str, values: npt.ArrayLike, pools: int | None = None) -> IntArray:
    """Return a square matrix of whole numbers, checked and copied."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different length
        array = np.empty(0)
    side = len(array) if array.ndim and pools is None else pools
    if array.shape != (side, side) or array.size == 0:
        size = "pools" if pools is None else str(pools)
        raise OrderError(
            describe(f"{name} is not square", got=array.shape, expected=f"shape ({size}, {size})")
        )
    return exact(name, array).copy()


def refuse(bad: int, events: Events, levels: int, pools: int) -> None:
    """Raise for the event and the field that the kernel found wrong, if any."""
    if bad >= 0:
        row, field = bad >> 4, bad & 15
        raise refusal(field, int(events[field][row]), levels, pools, f"row {row}")


def refusal(field: int, got: object, levels: int, pools: int, where: str = "order") -> OrderError:
    """Return the error for a field of an event."""
    expected = {
        "kind": "SUBMIT, CANCEL, REPLACE or EXPIRE",
        "order_id": "the id of an order submitted before",
        "owner": f"0 to {MOST_OWNERS - 1} where a rate limit is set",
        "side": "BID (1) or ASK (-1)",
        "pool": f"0 to {pools - 1}",
        "price": f"1 to {levels - 1} ticks",
        "quantity": f"1 or more, and no more than {NEVER // levels} in the whole book",
        "tif": ", ".join(TIME_IN_FORCE),
    }
    name = Events._fields[field]
    return OrderError(describe(f"{name} out of range", where=where, got=got, expected=expected[name]))
