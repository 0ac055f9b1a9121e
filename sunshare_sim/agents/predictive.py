"""Predictive trading: quote what the market is expected to be like at this hour, from its own past alone."""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, Tape, View, require, strategy
from sunshare_sim.units import FloatArray

HOURS: Final = 24


class SeasonalMeans(NamedTuple):
    """Hold each home's forecasts by hour of the day, NaN before the first observation.

    Attributes
    ----------
    price : FloatArray
        Expected trade price [currency/kWh], shape [homes, 24].
    scarcity : FloatArray
        Expected share of energy wanted that exceeds what is offered, -1 (only offers) to 1; shape [homes, 24].
    """

    price: FloatArray
    scarcity: FloatArray


@strategy("predictive")
@dataclass(frozen=True)
class Predictive(Strategy):
    """Quote around the forecast price of the hour, nearer to the own limit when many compete.

    The forecast is the seasonal mean with a period of a day, exponentially weighted (the seasonal naive benchmark
    smoothed; Hyndman & Athanasopoulos 2021, Forecasting: principles and practice, 3rd ed., sections 5.2 and 8.1),
    of public prices and of public net demand. It is fed by `learn`, after the round, and by nothing else: what
    lies ahead cannot enter.

    Attributes
    ----------
    rate : float
        Weight of the newest observation.
    caution : float
        Part of the way from the forecast to the own limit that is given up when all compete for little.
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 1

    rate: float = 0.3
    caution: float = 0.5

    def __post_init__(self) -> None:
        for name in ("rate", "caution"):
            require(self, name, 0.0, 1.0)

    def start(self, homes: int, rng: np.random.Generator) -> SeasonalMeans:  # noqa: ARG002 - the contract
        """Start without any forecast."""
        return SeasonalMeans(np.full((homes, HOURS), np.nan), np.full((homes, HOURS), np.nan))

    def quote(self, view: View) -> Quotes:
        """Return the forecast, moved towards the limit by the competition expected, never beyond the limit."""
        memory: SeasonalMeans = view.memory
        hour = int(view.hour) % HOURS
        forecast = memory.price[:, hour]
        expected = np.where(np.isnan(forecast), view.last_price, forecast)
        scarcity = np.nan_to_num(memory.scarcity[:, hour])
        crowded = np.maximum(
            scarcity * view.side, 0.0
        )  # for buyers when energy is scarce, for sellers when not
        limit = view.limit_price
        price = expected + (limit - expected) * np.clip(self.caution * crowded, 0.0, 1.0)
        price = np.where(view.side > 0, np.minimum(price, limit), np.maximum(price, limit))
        return Quotes(np.clip(price, 0.0, view.cap_price), np.abs(view.net_kwh))

    def learn(self, view: View, tape: Tape) -> None:
        """Move the hour's means towards what was seen."""
        memory: SeasonalMeans = view.memory
        hour = int(view.hour) % HOURS
        traded = np.where(np.isnan(tape.price), 0.0, tape.quantity)
        price = _ratio((np.nan_to_num(tape.price) * traded).sum(axis=0), traded.sum(axis=0))
        ordered = np.where(np.isnan(tape.order_price), 0.0, tape.order_quantity)
        scarcity = _ratio((ordered * tape.side).sum(axis=0), ordered.sum(axis=0))
        for mean, seen in ((memory.price[:, hour], price), (memory.scarcity[:, hour], scarcity)):
            old = np.where(np.isnan(mean), seen, mean)
            mean[:] = np.where(np.isnan(seen), mean, old + self.rate * (seen - old))


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return part / whole, NaN where there is nothing."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)
