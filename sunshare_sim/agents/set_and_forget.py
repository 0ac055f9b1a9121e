"""Set and forget: an owner states two numbers and leaves the trading to them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View, require, strategy


@strategy("set_and_forget")
@dataclass(frozen=True)
class SetAndForget(Strategy):
    """Quote between the grid's price and the last local price, as far as the owner's risk tolerance goes.

    The agents of a peer-to-peer market's design document (risk tolerance, minimum profit margin); the rule is this
    project's own and linear: 0 takes any gain over the grid, 1 holds out for the last local price.

    Attributes
    ----------
    risk_tolerance : float
        0 to 1: how much of a likely gain is put at risk for a better price.
    min_margin : float
        Least gain over the grid's price [currency/kWh].
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 1

    risk_tolerance: float = 0.5
    min_margin: float = 0.0

    def __post_init__(self) -> None:
        require(self, "risk_tolerance", 0.0, 1.0)
        require(self, "min_margin", 0.0)

    def quote(self, view: View) -> Quotes:
        """Return a price that keeps the margin, between limit and last price."""
        limit = view.limit_price
        better = np.maximum(
            (view.last_price - limit) * -view.side, 0.0
        )  # the last price's gain over the grid
        price = limit - view.side * np.maximum(self.min_margin, self.risk_tolerance * better)
        quantity = np.where((price < 0.0) | (price > view.cap_price), 0.0, np.abs(view.net_kwh))
        return Quotes(np.clip(price, 0.0, view.cap_price), quantity)
