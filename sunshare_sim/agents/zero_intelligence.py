"""Zero-intelligence traders: random prices, the yardstick of what a market achieves by its rules alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sunshare_sim.agents.strategy import Each, Quotes, Strategy, View, strategy
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray


@strategy("zi_c")
@dataclass(frozen=True)
class ZeroIntelligenceConstrained(Strategy):
    """Draw a price evenly between the grid's two prices, so that no one can lose against the grid.

    Gode & Sunder (1993, doi:10.1086/261868) draw bids between the floor and the buyer's value, asks between the
    seller's cost and the cap. Here the retail price is every buyer's value and the cap, the feed-in price every
    seller's cost and the floor.
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 4

    def quote(self, view: View) -> Quotes:
        """Return one uniform draw a home, whether it trades or not."""
        return Quotes(_even_draw(view, view.feed_in_price, view.retail_price), np.abs(view.net_kwh))


@strategy("zi_u")
@dataclass(frozen=True)
class ZeroIntelligenceUnconstrained(Strategy):
    """Draw a price evenly from all the market takes, even at a loss (Gode & Sunder 1993, doi:10.1086/261868)."""

    rounds: ClassVar[int] = 4

    def quote(self, view: View) -> Quotes:
        """Return one uniform draw a home, whether it trades or not."""
        return Quotes(_even_draw(view, view.tick, view.cap_price), np.abs(view.net_kwh))


def _even_draw(view: View, one: Each, other: Each) -> FloatArray:
    """Draw one price a home between two, whichever is lower."""
    price = view.rng.random(view.net_kwh.size)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        bounds = np.empty((2, price.size))
        bounds[0], bounds[1] = np.minimum(one, other), np.maximum(one, other)
        _even_prices(price, bounds, view.tick)
    else:  # for few homes, making arrays of two numbers would cost more than all the rest
        _even_prices_between(price, float(min(one, other)), float(max(one, other)), view.tick)
    return price


@kernel
def even_price(draw: float, low: float, high: float, tick: float) -> float:
    """Return a price on the market's ticks, where they are known: both ends as likely as what lies between."""
    if tick == 0.0:
        return low + (high - low) * draw
    steps = np.floor((high - low) / tick + 1e-9)
    price: float = low + np.floor(draw * (steps + 1.0)) * tick
    return price


@kernel
def _even_prices(price: FloatArray, bounds: FloatArray, tick: float) -> None:
    """Turn draws into prices, each between its own bounds."""
    for home in range(price.size):
        price[home] = even_price(price[home], bounds[0, home], bounds[1, home], tick)


@kernel
def _even_prices_between(price: FloatArray, low: float, high: float, tick: float) -> None:
    for home in range(price.size):
        price[home] = even_price(price[home], low, high, tick)
