# ruff: noqa: FBT001 -- compiled kernels: sequential work on many arrays
"""Shavers: traders without memory that beat the best quote by a hair."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View, require, strategy
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray


@strategy("shaver")
@dataclass(frozen=True)
class Shaver(Strategy):
    """Beat the best standing quote of the own side by one step, but never beyond the own limit.

    The trader SHVR of the Bristol Stock Exchange (Cliff 2012, Minimal documentation of BSE, github.com/davecliff/
    BristolStockExchange). Its first quote there is the worst price of all, and a step one tick, which takes thousands
    of steps on a fine price grid; here the first quote is by default the last price moved by one step.

    Attributes
    ----------
    step : float
        What it improves on the best quote by [currency/kWh], at least one tick of the market.
    from_worst : bool
        Whether to start from the grid's other price, where nobody quotes yet.
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 1

    step: float = 0.005
    from_worst: bool = False

    def __post_init__(self) -> None:
        require(self, "step", 0.0)

    def quote(self, view: View) -> Quotes:
        """Return the best quote of the own side improved by one step."""
        step = max(self.step, view.tick)
        first_bid = view.feed_in_price if self.from_worst else view.last_price + step
        first_ask = view.retail_price if self.from_worst else view.last_price - step
        homes = view.net_kwh.size
        price = np.empty(homes)
        known = (view.best_bid, view.best_ask, first_bid, first_ask)
        bid, ask, one, other = (np.broadcast_to(np.asarray(each, dtype=np.float64), homes) for each in known)
        _shave(view.side, view.limit_price, (bid, ask), (one, other), (step, view.cap_price), price)
        return Quotes(price, np.abs(view.net_kwh))


@kernel
def shaved(
    buys: bool,
    limit: float,
    best: tuple[float, float],
    first: tuple[float, float],
    rules: tuple[float, float],
) -> float:
    """Return the best quote of the own side improved by a step, or the first quote where there is none.

    Parameters
    ----------
    buys : bool
        Whether the home buys.
    limit : float
        Its limit price, never exceeded.
    best, first : (float, float)
        Best standing bid and ask, NaN for none; first bid and first ask.
    rules : (float, float)
        Step, and highest price of the market.
    """
    step, cap = rules
    if buys:
        price = min(first[0] if np.isnan(best[0]) else best[0] + step, limit)
    else:
        price = max(first[1] if np.isnan(best[1]) else best[1] - step, limit)
    return min(max(price, 0.0), cap)


@kernel
def _shave(
    side: FloatArray,
    limit: FloatArray,
    best: tuple[FloatArray, FloatArray],
    first: tuple[FloatArray, FloatArray],
    rules: tuple[float, float],
    price: FloatArray,
) -> None:
    for home in range(side.size):
        price[home] = shaved(
            side[home] > 0,
            limit[home],
            (best[0][home], best[1][home]),
            (first[0][home], first[1][home]),
            rules,
        )
