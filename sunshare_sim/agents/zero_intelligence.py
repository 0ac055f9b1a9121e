"""Zero-intelligence traders: random prices, the yardstick of what a market achieves by its rules alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sunshare_sim.agents.strategy import Each, Quotes, Strategy, View, strategy
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

    def quote(self, view: View) -> Quotes:
        """Return one uniform draw a home, whether it trades or not."""
        low = np.minimum(view.feed_in_price, view.retail_price)
        high = np.maximum(view.feed_in_price, view.retail_price)
        return Quotes(_even_draw(view, low, high), np.abs(view.net_kwh))


@strategy("zi_u")
@dataclass(frozen=True)
class ZeroIntelligenceUnconstrained(Strategy):
    """Draw a price evenly from all the market takes, even at a loss (Gode & Sunder 1993, doi:10.1086/261868)."""

    def quote(self, view: View) -> Quotes:
        """Return one uniform draw a home, whether it trades or not."""
        return Quotes(_even_draw(view, view.tick, view.cap_price), np.abs(view.net_kwh))


def _even_draw(view: View, low: Each, high: Each) -> FloatArray:
    """Draw one price a home, on the market's ticks where they are known: both ends as likely as what lies between."""
    draw = view.rng.random(view.net_kwh.size)
    if view.tick == 0.0:
        return low + (high - low) * draw
    steps = np.floor((high - low) / view.tick + 1e-9)
    return low + np.floor(draw * (steps + 1.0)) * view.tick
