"""A run in progress: state, clock and writer, joined here and nowhere else."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.community.build import build_community
from sunshare_sim.community.households import Community
from sunshare_sim.devices.ev import EvState
from sunshare_sim.ledger.billing import Accumulators
from sunshare_sim.ledger.settlement import Ledger
from sunshare_sim.market.mechanism import MarketRules, make_mechanism
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import RunWriter
from sunshare_sim.scenario.load import scenario_hash
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.clock import Clock
from sunshare_sim.simulation.record import RunRecorder
from sunshare_sim.simulation.slot import PHASES, Desk, Recorder, State, Wishes
from sunshare_sim.streams import stream
from sunshare_sim.telemetry.meters import Flows
from sunshare_sim.units import IntArray, tick_in_micro, to_micro

Arrivals = Callable[[int], IntArray]
Notice = Callable[[str], None]
HIGHEST_LEVELS: Final = 1 << 20


class Nothing:
    """Record nothing: for models that are only looked at."""

    def slot(self, state: State) -> None:
        """Let the slot go."""


class Simulation:
    """Hold one run from its first slot to its folder.

    Parameters
    ----------
    scenario : Scenario
        What to simulate.
    community : Community, optional
        The scenario's community if it is already built; else it is built here.
    out : Path, optional
        Folder of the run; without it nothing is written.
    arrivals : callable, optional
        Gives the order of arrival of the homes in a slot, as an array of rows; else as `market.arrival` says.
    notice : callable, optional
        Is told what is being done before the first slot.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        community: Community | None = None,
        out: Path | None = None,
        arrivals: Arrivals | None = None,
        notice: Notice = lambda text: None,
    ) -> None:
        self.scenario = scenario
        # The folder comes first: a run that could not be kept should fail before the work, not after it.
        self.writer = RunWriter(out) if out is not None else None
        try:
            self.community = community or build_community(scenario, notice=notice)
            recorder = (
                RunRecorder(self.writer, scenario.results.panels, orders=scenario.results.orders)
                if self.writer
                else Nothing()
            )
            self.state = make_state(scenario, self.community, recorder, arrivals)
        except BaseException:
            if self.writer:
                self.writer.discard()
            raise
        self.clock = Clock(self.community.grid, self._run_slot)
        self.seconds = dict.fromkeys((phase.__name__ for phase in PHASES), 0.0)
        self._run_phases = self._plain_phases

    def profile(self) -> None:
        """Measure the time in each phase from now on, in `seconds`."""
        self._run_phases = self._timed_phases

    def _run_slot(self, slot: int) -> None:
        self.state.slot = slot
        self._run_phases()

    def _plain_phases(self) -> None:
        for phase in PHASES:
            phase(self.state)

    def _timed_phases(self) -> None:
        for phase in PHASES:
            start = time.perf_counter()
            phase(self.state)
            self.seconds[phase.__name__] += time.perf_counter() - start

    def step(self) -> None:
        """Run one slot."""
        self.clock.step()
