"""Columns of a table as the key figures read them: of a DataFrame, or of a dict of arrays."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Columns(Protocol):
    """Promise the columns of a table as a `Run` shows them: a DataFrame, or a dict of arrays."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return a column by name."""

    def __contains__(self, name: Any, /) -> bool:
        """Return whether there is such a column."""


def array(columns: Columns, name: str) -> npt.NDArray[Any]:
    """Return a column as an array."""
    return np.asarray(columns[name])


def total(columns: Columns, name: str) -> float:
    """Return the sum of a column."""
    return float(array(columns, name).sum())


def ratio(part: float, whole: float) -> float:
    """Return part / whole, NaN where there is no whole: a share of nothing has no value."""
    return part / whole if whole > 0 else float("nan")
