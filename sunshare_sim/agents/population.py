"""The community's face: Mesa agents as live views on rows of the arrays, so that Mesa's tools work on them.

An agent stores its row and nothing else. What it shows is what the arrays hold now; select, group and collect with
Mesa (Kazil, Masad & Crooks 2020, doi:10.1007/978-3-030-61255-9_30). A subclass that defines `quote` trades for itself,
one home at a time: slower than a strategy on a cohort, with the same result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mesa
import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, View
from sunshare_sim.units import MICRO, FloatArray, IntArray


class Ground(Protocol):
    """Promise the arrays that agents are views of; the simulation's state keeps it."""

    community: Any
    net: IntArray
    soc_kwh: FloatArray
    flows: Any
    ev: Any
    slot: int

    def total_micro(self, home: int) -> int:
        """Return the home's bill so far [1e-6 currency]."""


class RowAgent(mesa.Agent):  # type: ignore[misc]
    """Show one row of the simulation's arrays.

    Parameters
    ----------
    model : mesa.Model
        A model with the simulation's state in `model.state`.
    row : int
        Row of the arrays: number of the home, or of the car.
    """

    def __init__(self, model: Any, row: int) -> None:
        super().__init__(model)
        self.row = row

    @property
    def _ground(self) -> Ground:
        return self.model.state  # type: ignore[no-any-return]


class Household(RowAgent):
    """Show one home: its meter, its bill, its place on the feeder."""

    @property
    def name(self) -> str:
        """Return the home's name."""
        return str(self._ground.community.households.name[self.row])

    @property
    def group(self) -> str:
        """Return the name of the home's group."""
        return str(self._ground.community.households.group[self.row])

    @property
    def zone(self) -> int:
        """Return the zone (market pool) the home lies in."""
        return int(self._ground.community.households.zone[self.row])

    @property
    def net_kwh(self) -> float:
        """Return the last slot's metered net [kWh]; > 0 is a deficit."""
        return float(self._ground.net[self.row]) / MICRO

    @property
    def load_kwh(self) -> float:
        """Return the last slot's demand without car and battery [kWh]."""
        return float(self._ground.flows.load[self.row])

    @property
    def solar_kwh(self) -> float:
        """Return the last slot's solar generation [kWh]."""
        return float(self._ground.flows.solar[self.row])

    @property
    def bill(self) -> float:
        """Return the home's bill so far, without standing charge [currency]."""
        return self._ground.total_micro(self.row) / MICRO


class Prosumer(Household):
    """Show a home that generates."""

    @property
    def solar_kwp(self) -> float:
        """Return the rated power of the home's modules [kWp]."""
        return float(self._ground.community.households.solar_kwp[self.row])


class Consumer(Household):
    """Show a home that only uses."""


class Enterprise(Prosumer):
    """Show a shop or a campus: a weekday load, often under a big roof."""


class BatteryAgent(RowAgent):
    """Show the battery of the home in this row."""

    @property
    def soc_kwh(self) -> float:
        """Return the energy in the battery [kWh]."""
        return float(self._ground.soc_kwh[self.row])

    @property
    def capacity_kwh(self) -> float:
        """Return the battery's capacity [kWh]."""
        return float(self._ground.community.batteries.capacity_kwh[self.row])

    @property
    def charge_kwh(self) -> float:
        """Return what the battery took in during the last slot, AC side [kWh]."""
        return float(self._ground.flows.charge[self.row])

    @property
    def discharge_kwh(self) -> float:
        """Return what the battery gave during the last slot, AC side [kWh]."""
        return float(self._ground.flows.discharge[self.row])


class EVAgent(RowAgent):
    """Show the car in this row."""

    @property
    def home(self) -> int:
        """Return the home the car charges at."""
        return int(self._ground.community.fleet.home[self.row])

    @property
    def need_kwh(self) -> float:
        """Return the energy still needed before departure [kWh in the battery]."""
        return float(self._ground.ev.need_kwh[self.row])

    @property
    def plugged_in(self) -> bool:
        """Return whether the car is at its charger."""
        return bool(self._ground.slot < self._ground.ev.departure_slot[self.row])


class Utility(mesa.Agent):  # type: ignore[misc]
    """Show the grid: its prices, and what it sold and took in the last slot."""

    @property
    def retail_price(self) -> float:
        """Return the retail price of the last slot [currency/kWh]."""
        state = self.model.state
        return float(state.community.prices.retail_micro[max(state.slot, 0)]) / MICRO

    @property
    def feed_in_price(self) -> float:
        """Return the feed-in price of the last slot [currency/kWh]."""
        state = self.model.state
        return float(state.community.prices.feed_in_micro[max(state.slot, 0)]) / MICRO


@dataclass(frozen=True)
class OneByOne(Strategy):
    """Quote a cohort through its agents' own `quote(view) -> (price, quantity)`, one home at a time."""

    agents: Sequence[Any]

    def quote(self, view: View) -> Quotes:
        """Ask each agent with a view of its own row; the random stream is handed on in the order of the rows."""
        pairs = []
        for i, agent in enumerate(self.agents):
            pairs.append(agent.quote(view.of(slice(i, i + 1))))
        price, quantity = (
            np.array([np.ravel(np.hstack(pair)) for pair in pairs], dtype=np.float64).reshape(-1, 2).T
        )
        return Quotes(price, quantity)
