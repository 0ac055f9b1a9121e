"""Strategies without memory that know the grid's prices: the tariff-bound one and the fixed limit."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View, require, strategy


@strategy("tariff_bound")
@dataclass(frozen=True)
class TariffBound(Strategy):
    """Quote truthfully: a buyer offers the retail price, a seller asks for the feed-in price.

    The grid is the outside option of both, so these are the limits of a rational trader. The same as the trader GVWY
    of the Bristol Stock Exchange (Cliff 2012, github.com/davecliff/BristolStockExchange).
    """

    rounds: ClassVar[int] = 1

    def quote(self, view: View) -> Quotes:
        """Return retail for deficits, feed-in for surpluses, and all of the metered energy."""
        price = np.where(view.side > 0, view.retail_price, view.feed_in_price)
        return Quotes(price, np.abs(view.net_kwh))


@strategy("fixed_limit")
@dataclass(frozen=True)
class FixedLimit(Strategy):
    """Keep to two prices: "sell my excess solar at 0.05, buy up to 0.07", the source system's user setting.

    Attributes
    ----------
    sell_at : float
        Least price a surplus is sold for [currency/kWh].
    buy_up_to : float
        Highest price a deficit is bought for, charges included [currency/kWh].
    """

    rounds: ClassVar[int] = 1

    sell_at: float = 0.05
    buy_up_to: float = 0.07

    def __post_init__(self) -> None:
        for name in ("sell_at", "buy_up_to"):
            require(self, name, 0.0)

    def quote(self, view: View) -> Quotes:
        """Return the two limits, never beyond the market's cap."""
        price = np.where(view.side > 0, self.buy_up_to, self.sell_at)
        return Quotes(np.minimum(price, view.cap_price), np.abs(view.net_kwh))
