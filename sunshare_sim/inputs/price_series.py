"""Prices from a user's own file: read as strictly as profiles, and laid on the slots; a slot has its mean price."""

from pathlib import Path
from typing import Final

import numpy as np

from sunshare_sim.errors import InputError, describe
from sunshare_sim.inputs.profiles import _raise_not_covered, _read, _starts, _step, _stop_at_first, _Table
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray

LIMIT: Final = 100.0  # currency/kWh


def read_prices(
    path: str | Path, columns: tuple[str, ...], grid: TimeGrid, *, timezone: str, negative: bool = True
) -> FloatArray:
    """Read prices of a CSV or Parquet file and return them by slot [currency/kWh], shape [slots, columns].

    The file has a column ``time`` with the start of each row's interval. Rows follow one another in equal steps of at
    most an hour, in UTC: a local day has 23 or 25 of them when the clock changes. They cover the run. A slot that
    overlaps several rows has their mean, weighted by time.

    Parameters
    ----------
    path : str or Path
        The file.
    columns : tuple of str
        Columns of the prices, in this order.
    grid : TimeGrid
        Slots of the run.
    timezone : str
        IANA name of the zone of time stamps that carry none.
    negative : bool
        Whether prices may be negative.

    Raises
    ------
    InputError
        When the file is not as said above or does not cover the run; names file, line and remedy.
    """
    path = Path(path)
    table = _Table(path, "line", 2) if path.suffix.lower() != ".parquet" else _Table(path, "row", 1)
    frame = _read(table, tuple(dict.fromkeys(columns)))
    if len(frame) < 2:
        raise InputError(
            describe("too short", where=str(path), got=f"{len(frame)} rows", expected="two or more")
        )
    starts = _starts(table, frame.iloc[:, 0], timezone)
    step = _step(table, starts)
    prices = np.column_stack([_prices(table, frame[name], name, negative=negative) for name in columns])
    slot = np.timedelta64(grid.seconds, "s")
    begin, end = grid.starts[0], grid.starts[-1] + slot
    if starts[0] > begin or starts[-1] + step < end:
        _raise_not_covered(table, (starts[0], starts[-1] + step), (begin, end))
    if (
        step >= slot
        and step % slot == np.timedelta64(0, "s")
        and (begin - starts[0]) % slot == np.timedelta64(0, "s")
    ):
        # Every slot lies in one row: its price as it stands, without the rounding of a mean.
        return np.asarray(prices[(grid.starts - starts[0]) // step])
    at_edges = np.vstack([np.zeros((1, prices.shape[1])), prices.cumsum(axis=0)])
    edges = (begin - starts[0]) / step + np.arange(grid.slots + 1) * (slot / step)
    rows = np.arange(starts.size + 1)
    means = [np.diff(np.interp(edges, rows, column)) * (step / slot) for column in at_edges.T]
    return np.column_stack(means)


def _prices(table: _Table, column: "object", name: str, *, negative: bool) -> FloatArray:
    """Return a column as numbers, after checking that each is a price."""
    import pandas as pd

    text = pd.Series(column).astype(str).str.strip()
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    _stop_at_first(table, ~np.isfinite(numbers), text, f"not a price in column {name}", "a number")
    low = -LIMIT if negative else 0.0
    wrong = (numbers < low) | (numbers > LIMIT)
    expected = f"{low:g} to {LIMIT:g} currency/kWh"
    _stop_at_first(table, wrong, numbers, f"a price out of range in column {name}", expected)
    return np.asarray(numbers)
