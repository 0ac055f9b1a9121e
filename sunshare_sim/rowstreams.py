"""Random streams for some of a group's homes: the whole group's numbers are drawn, and the rows of these homes kept.

So a part of a community, simulated by itself, draws what it would have drawn within the whole.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sunshare_sim.units import IntArray

RowsOf = Callable[[np.random.Generator], np.random.Generator]
# Where each method takes `size`, among its positional arguments; `choice` draws by `integers` or `random`.
SIZES: Final = {
    "beta": 2, "binomial": 2, "chisquare": 1, "exponential": 1, "gamma": 2, "geometric": 1, "gumbel": 2,
    "integers": 2, "laplace": 2, "logistic": 2, "lognormal": 2, "normal": 2, "pareto": 1, "poisson": 1, "random": 0,
    "rayleigh": 1, "standard_exponential": 0, "standard_gamma": 1, "standard_normal": 0, "standard_t": 1,
    "triangular": 3, "uniform": 2, "weibull": 1,
}  # fmt: skip


class RowStream(np.random.Generator):
    """Draw for all homes of a group and return the rows of some.

    Draws of another length than the number of these homes, and scalars, are those of the stream as it is. Numbers whose
    count depends on a parameter given home by home (gamma, poisson and the like) are the whole group's only where that
    parameter is one number.

    Parameters
    ----------
    whole : numpy.random.Generator
        The group's stream; not to be used beside this one.
    rows : IntArray
        Rows of the homes within the group, shape [homes].
    size : int
        Number of homes in the group.
    """

    rows: IntArray
    size: int

    def __init__(self, whole: np.random.Generator, rows: IntArray, size: int) -> None:
        super().__init__(whole.bit_generator)
        self.rows, self.size = rows, size


def rows_of(whole: np.random.Generator, rows: IntArray | slice, size: int) -> np.random.Generator:
    """Return a group's stream for some of its homes; the stream itself where they are all."""
    kept = np.arange(size)[rows]
    return whole if kept.size == size and (kept == np.arange(size)).all() else RowStream(whole, kept, size)


def whole_stream(whole: np.random.Generator) -> np.random.Generator:
    """Return a group's stream as it is, for all its homes."""
    return whole


def _method(name: str, place: int) -> Callable[..., Any]:
    draw = getattr(np.random.Generator, name)

    def drawn(self: RowStream, *given: Any, **options: Any) -> Any:
        arguments, count = list(given), self.rows.size
        size = arguments.pop(place) if len(arguments) > place else options.pop("size", None)
        shape = size if isinstance(size, tuple) else (size,)
        by_home = any(_is_by_home(self, each) for each in (*arguments, *options.values()))
        if shape[0] != count and not (size is None and by_home):
            return draw(self, *arguments, size=size, **options)
        if options.pop("out", None) is not None:
            raise TypeError("a cohort in several markets draws without `out`")
        if by_home:
            arguments = [_whole(self, each) for each in arguments]
            options = {key: _whole(self, each) for key, each in options.items()}
        whole = None if size is None else (self.size, *shape[1:])
        return draw(self, *arguments, size=whole, **options)[self.rows]

    drawn.__name__, drawn.__doc__ = (
        name,
        f"Draw as `numpy.random.Generator.{name}`, for all homes; return these.",
    )
    return drawn


def _is_by_home(self: RowStream, value: Any) -> bool:
    return isinstance(value, np.ndarray | list) and np.shape(value)[:1] == (self.rows.size,)


def _whole(self: RowStream, value: Any) -> Any:
    """Return a parameter given for these homes as one of the whole group; the others get that of the first."""
    if not _is_by_home(self, value):
        return value
    own = np.asarray(value)
    whole = np.repeat(own[:1], self.size, axis=0)
    whole[self.rows] = own
    return whole


for _name, _place in SIZES.items():
    setattr(RowStream, _name, _method(_name, _place))
