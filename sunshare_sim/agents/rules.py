"""Rule-based trading: what a home's owner has written down, carried out to the letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View, require, strategy
from sunshare_sim.errors import StrategyError, describe


@strategy("rules")
@dataclass(frozen=True)
class Rules(Strategy):
    """Trade by an owner's rules: how much, at what price, from what battery level on, at what hours.

    The trading rules of a community market's users (type, max_quantity_kwh, max_price, min_price, min_battery_soc,
    time_windows, is_enabled). Where a rule is worse than the grid, the grid's price holds.

    Attributes
    ----------
    sell, buy : bool
        Whether the rule for selling and the one for buying are enabled.
    min_price, max_price : float
        Least price sold for, highest price bought at [currency/kWh].
    max_sell_kwh, max_buy_kwh : float
        Most energy a slot [kWh].
    min_battery_kwh : float
        Sell only with at least this much in the battery [kWh].
    windows : sequence of (from, to)
        Hours of the local day in which it trades [h], to excluded; (22, 6) spans midnight; empty = always.
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 1

    sell: bool = True
    buy: bool = True
    min_price: float = 0.0
    max_price: float = np.inf
    max_sell_kwh: float = np.inf
    max_buy_kwh: float = np.inf
    min_battery_kwh: float = 0.0
    windows: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        for name in ("min_price", "max_price", "max_sell_kwh", "max_buy_kwh", "min_battery_kwh"):
            require(self, name, 0.0)
        for window in self.windows:
            if len(window) != 2 or not all(0.0 <= hour <= 24.0 for hour in window):
                raise StrategyError(
                    describe(
                        "not a time window", where="rules.windows", got=window, expected="two hours, 0 to 24"
                    )
                )

    def quote(self, view: View) -> Quotes:
        """Return the rules' prices, and nothing where a rule says no."""
        buys = view.side > 0
        price = np.where(
            buys,
            np.minimum(self.max_price, view.retail_price),
            np.maximum(self.min_price, view.feed_in_price),
        )
        may_sell = self.sell & (view.soc_kwh >= self.min_battery_kwh)
        allowed = np.where(buys, self.max_buy_kwh if self.buy else 0.0, self.max_sell_kwh)
        allowed = np.where(buys | may_sell, allowed, 0.0)
        allowed = np.where((price <= view.cap_price) & (price >= 0.0) & self._open(view.hour), allowed, 0.0)
        return Quotes(np.clip(price, 0.0, view.cap_price), np.minimum(np.abs(view.net_kwh), allowed))

    def _open(self, hour: float) -> bool:
        """Return whether the hour lies in one of the windows."""
        if not self.windows:
            return True
        return any(
            first <= hour < last if first <= last else hour >= first or hour < last
            for first, last in self.windows
        )
