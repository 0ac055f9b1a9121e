"""The run as a Mesa model: `step()` is one slot, agents are live views on the arrays."""

from pathlib import Path
from typing import Any, Final

import mesa
import numpy as np

from sunshare_sim.agents.population import (
    BatteryAgent,
    Consumer,
    Enterprise,
    EVAgent,
    Household,
    OneByOne,
    Prosumer,
    Utility,
)
from sunshare_sim.community.households import CONSUMER, ENTERPRISE, PROSUMER
from sunshare_sim.errors import ResultError, describe
from sunshare_sim.results.run import Run
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.session import Simulation
from sunshare_sim.simulation.state import State

EAGER_HOMES: Final = (
    20_000  # above this, agents are made when asked for: a Mesa agent costs about 2 us and 1 kB
)


class CommunityModel(mesa.Model):  # type: ignore[misc]
    """Run a scenario slot by slot under Mesa, with the same bytes as `run`.

    Parameters
    ----------
    scenario : Scenario
        What to simulate.
    out : Path, optional
        Run folder to write; without it nothing is kept but what Mesa collects.
    household : type, optional
        A subclass of `Household` with its own `quote(view) -> (price, quantity)`; it replaces every cohort's strategy.
    """

    def __init__(
        self, scenario: Scenario, *, out: Path | None = None, household: type[Household] | None = None
    ) -> None:
        super().__init__(rng=scenario.seed)
        self.simulation = Simulation(scenario, out=out)
        self.result: Run | None = None
        self.utility = Utility(self)
        classes = {PROSUMER: Prosumer, CONSUMER: Consumer, ENTERPRISE: Enterprise}
        kinds = self.state.community.households.kind
        self._class_of = [household or classes[int(kind)] for kind in kinds]
        self._made: dict[tuple[str, int], Any] = {}
        if len(kinds) <= EAGER_HOMES or household is not None:
            self._populate()
        if household is not None:
            self._trade_one_by_one()

    @property
    def state(self) -> State:
        """Return the arrays that the agents are views of."""
        return self.simulation.state

    def household(self, row: int) -> Household:
        """Return the agent of the home in `row`, made now if there is none yet."""
        if ("home", row) not in self._made:
            self._made["home", row] = self._class_of[row](self, row)
        return self._made["home", row]  # type: ignore[no-any-return]

    def step(self) -> None:
        """Run one slot; after the last one, finish the run and stop."""
        if self.simulation.clock.finished:
            raise ResultError(
                describe("the run is over", where="CommunityModel.step", expected="model.running")
            )
        self.simulation.step()
        self.running = not self.simulation.clock.finished
        if not self.running and self.simulation.keeps:
            self.result = self.simulation.finish()

    def close(self) -> None:
        """Forget this model in Mesa's class-level registry, which would keep it alive (Mesa 3.3)."""
        registry = getattr(mesa.Agent, "_ids", None)
        if registry is not None:
            registry.pop(self, None)

    def _populate(self) -> None:
        community = self.state.community
        for row in range(len(community.households)):
            self.household(row)
        for row in range(len(community.households)):
            if community.batteries.capacity_kwh[row] > 0:
                BatteryAgent(self, row)
        for car in range(community.fleet.home.size):
            EVAgent(self, car)

    def _trade_one_by_one(self) -> None:
        for desk in self.state.desks:
            rows = np.arange(len(self._class_of))[desk.members].tolist()
            desk.strategy = OneByOne([self.household(row) for row in rows])
