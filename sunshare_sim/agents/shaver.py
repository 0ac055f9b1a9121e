"""Shavers: traders without memory that beat the best quote by a hair."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View, strategy


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

    step: float = 0.005
    from_worst: bool = False

    def quote(self, view: View) -> Quotes:
        """Return the best quote of the own side improved by one step."""
        step = max(self.step, view.tick)
        first_bid = view.feed_in_price if self.from_worst else view.last_price + step
        first_ask = view.retail_price if self.from_worst else view.last_price - step
        bid = np.where(np.isnan(view.best_bid), first_bid, view.best_bid + step)
        ask = np.where(np.isnan(view.best_ask), first_ask, view.best_ask - step)
        limit = view.limit_price
        price = np.where(view.side > 0, np.minimum(bid, limit), np.maximum(ask, limit))
        return Quotes(np.clip(price, 0.0, view.cap_price), np.abs(view.net_kwh))
