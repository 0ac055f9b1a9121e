"""Supply and demand schedules of the classical experiments, and what theory says of them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sunshare_sim.errors import StrategyError, describe
from sunshare_sim.units import FloatArray


@dataclass(frozen=True)
class Market:
    """Hold a schedule of limit prices, one unit a trader and period.

    Attributes
    ----------
    name : str
        Its name in tables.
    values : tuple of float
        What a unit is worth to each buyer [ticks].
    costs : tuple of float
        What a unit costs each seller [ticks].
    highest : int
        Prices are 1 to `highest` ticks.
    """

    name: str
    values: tuple[float, ...]
    costs: tuple[float, ...]
    highest: int = 400

    def __post_init__(self) -> None:
        for side in ("values", "costs"):
            limits = getattr(self, side)
            if not limits:
                raise StrategyError(describe("a side without traders", where=f"Market.{side}"))
            for limit in limits:
                if not 0.0 <= limit <= self.highest:
                    expected, hint = f"0 to {self.highest}", "or a larger `highest`"
                    where = f"Market.{side}"
                    raise StrategyError(
                        describe("limit out of range", where=where, got=limit, expected=expected, hint=hint)
                    )

    @property
    def traders(self) -> int:
        """Return the number of traders; buyers come first."""
        return len(self.values) + len(self.costs)

    @property
    def side(self) -> FloatArray:
        """Return +1 for buyers and -1 for sellers, shape [traders]."""
        return np.repeat([1.0, -1.0], [len(self.values), len(self.costs)])

    @property
    def limit(self) -> FloatArray:
        """Return the buyers' values, then the sellers' costs, shape [traders]."""
        return np.array(self.values + self.costs, dtype=np.float64)

    @property
    def quantity(self) -> int:
        """Return the equilibrium quantity, trades without gain included."""
        return int(np.count_nonzero(self._gains() >= 0))

    @property
    def price(self) -> float:
        """Return the middle of the equilibrium prices; without trade, of those at which nobody would."""
        values, costs = np.sort(self.values)[::-1], np.sort(self.costs)
        q = self.quantity
        if q == 0:
            return float(values[0] + costs[0]) / 2.0
        lowest = max(costs[q - 1], values[q] if q < len(values) else 1.0)
        highest = min(values[q - 1], costs[q] if q < len(costs) else float(self.highest))
        return float(lowest + highest) / 2.0

    @property
    def surplus(self) -> float:
        """Return the largest gains from trade."""
        return float(np.maximum(self._gains(), 0.0).sum())

    @property
    def equilibrium_profit(self) -> FloatArray:
        """Return each trader's profit if all traded at the equilibrium price, shape [traders]."""
        return np.maximum((self.limit - self.price) * self.side, 0.0)

    def _gains(self) -> FloatArray:
        n = min(len(self.values), len(self.costs))
        gains: FloatArray = np.sort(self.values)[::-1][:n] - np.sort(self.costs)[:n]
        return gains


STEPS: Final = tuple(float(step) for step in range(75, 326, 25))
SYMMETRIC: Final = Market("A", STEPS, STEPS)
FLAT_SUPPLY: Final = Market("B", STEPS, (200.0,) * 11)
FLAT_DEMAND: Final = Market("E", (300.0,) * 11, STEPS)
MARKETS: Final = {market.name: market for market in (SYMMETRIC, FLAT_SUPPLY, FLAT_DEMAND)}
