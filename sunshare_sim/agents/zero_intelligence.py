"""Zero-intelligence traders: random prices, the yardstick of what a market achieves by its rules alone."""

from dataclasses import dataclass

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View, strategy


@strategy("zi_c")
@dataclass(frozen=True)
class ZeroIntelligenceConstrained(Strategy):
    """Draw a price evenly between the grid's two prices, so that no one can lose against the grid.

    Gode & Sunder (1993, doi:10.1086/261868) draw bids between the floor and the buyer's value, asks between the
    seller's cost and the cap. Here the retail price is every buyer's value and the cap, the feed-in price every
    seller's cost and the floor.
    """

    def quote(self, view: View) -> Quotes:
        """Return one uniform draw a home, whether it trades or not."""
        low, high = sorted((view.feed_in_price, view.retail_price))
        return Quotes(view.rng.uniform(low, high, view.net_kwh.size), np.abs(view.net_kwh))
