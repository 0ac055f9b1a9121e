"""Enterprise to peer: a shop or a campus that sells homes what it does not use itself."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View, strategy
from sunshare_sim.errors import StrategyError, describe

_BOUNDS: Final = {
    "opens": 24.0,
    "closes": 24.0,
    "open_days": 7,
    "weekend_share": 1.0,
    "off_hours_share": 1.0,
    "open_share": 1.0,
}


@strategy("weekend_surplus")
@dataclass(frozen=True)
class WeekendSurplus(Strategy):
    """Sell the surplus of closed hours to homes, cheapest on days off; buy what is needed at up to the grid's price.

    "Enterprise-to-peer: shops and campuses selling weekend surplus to homes" is one of the growth paths in the SunShare
    system document, which says no more. The price rule is this project's own and linear: a share of the way from the
    feed-in price, which the grid would pay, to the retail price, which a home would pay.

    Attributes
    ----------
    opens, closes : float
        Local hours between which the enterprise works [h]; (22, 6) spans midnight, equal hours mean never.
    open_days : int
        Days of the week on which it opens, from Monday on.
    weekend_share : float
        Share for days off; low, as nobody is there to use the energy and homes are at home.
    off_hours_share : float
        Share for closed hours of working days.
    open_share : float
        Share while it is open, if it sells then.
    sells_when_open : bool
        Whether it sells while it is open too; else that surplus is left to the grid.
    """

    keeps_limit: ClassVar[bool] = True

    opens: float = 8.0
    closes: float = 18.0
    open_days: int = 5
    weekend_share: float = 0.25
    off_hours_share: float = 0.5
    open_share: float = 0.75
    sells_when_open: bool = False

    def __post_init__(self) -> None:
        for name, highest in _BOUNDS.items():
            value = getattr(self, name)
            if not 0 <= value <= highest:
                where, expected = f"weekend_surplus.{name}", f"0 to {highest:g}"
                raise StrategyError(describe("out of range", where=where, got=value, expected=expected))

    def quote(self, view: View) -> Quotes:
        """Return retail for deficits, and for surpluses the share of the hour; nothing is sold while it keeps it."""
        works, opened = view.weekday < self.open_days, self._open(view)
        share = self.open_share if opened else self.off_hours_share if works else self.weekend_share
        spread = np.maximum(np.subtract(view.retail_price, view.feed_in_price), 0.0)
        buys = view.side > 0
        price = np.where(buys, view.retail_price, view.feed_in_price + share * spread)
        keeps = ~buys & (opened and not self.sells_when_open)
        quantity = np.where(keeps | (price < 0.0) | (price > view.cap_price), 0.0, np.abs(view.net_kwh))
        return Quotes(np.clip(price, 0.0, view.cap_price), quantity)

    def _open(self, view: View) -> bool:
        """Return whether the enterprise works; the hours after midnight belong to the day before."""
        if self.opens <= self.closes:
            return view.weekday < self.open_days and self.opens <= view.hour < self.closes
        late = view.weekday < self.open_days and view.hour >= self.opens
        return late or ((view.weekday - 1) % 7 < self.open_days and view.hour < self.closes)
