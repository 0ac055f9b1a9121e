"""A run in progress: community, market, ledger, clock and writer, joined here and nowhere else."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sunshare_sim.community.build import build_community
from sunshare_sim.community.households import Community
from sunshare_sim.errors import ResultError, SunShareWarning, describe
from sunshare_sim.ledger.billing import RetailParts, make_bills
from sunshare_sim.ledger.queue import Made
from sunshare_sim.results.kpis import kpi_table
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import RunWriter
from sunshare_sim.results.tables import as_frame
from sunshare_sim.scenario.load import dump
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation import tables
from sunshare_sim.simulation.certificates import certificate_columns, grid_emissions
from sunshare_sim.simulation.clock import Clock
from sunshare_sim.simulation.device_report import device_columns
from sunshare_sim.simulation.money import Settlement
from sunshare_sim.simulation.network import network_tables, trouble_columns
from sunshare_sim.simulation.provenance import PART, describe_environment, describe_run, part_text
from sunshare_sim.simulation.record import RunRecorder
from sunshare_sim.simulation.sky import with_weather
from sunshare_sim.simulation.slot import PHASES
from sunshare_sim.simulation.start import funding, make_genesis, make_state
from sunshare_sim.simulation.state import Arrivals, State
from sunshare_sim.units import MICRO, to_micro

Notice = Callable[[str], None]


class Unrecorded:
    """Record nothing: for models that are only looked at."""

    def slot(self, state: State) -> None:
        """Let the slot go."""

    def block(self, state: State, made: Made) -> None:
        """Let the block go."""


class Simulation:
    """Take one run from its first slot to its folder.

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
    part : int, optional
        Simulate one substation of the community by itself, by number.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        community: Community | None = None,
        out: Path | None = None,
        arrivals: Arrivals | None = None,
        notice: Notice | None = None,
        part: int | None = None,
    ) -> None:
        self.scenario = scenario
        self._started = time.perf_counter()
        # The folder comes first: a run that could not be kept should fail before the work, not after it.
        results = scenario.results
        self._recorder = (
            RunRecorder(RunWriter(out), results.panels, orders=results.orders, quotes=results.quotes)
            if out is not None
            else None
        )
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", SunShareWarning)
                built = community or build_community(scenario, notice=notice, part=part)
                self.community = with_weather(scenario, built)
            self._warnings = [
                str(each.message) for each in caught if issubclass(each.category, SunShareWarning)
            ]
            self.state = make_state(scenario, self.community, self._recorder or Unrecorded(), arrivals)
            if self._recorder is not None:
                self._recorder.gas_price_micro = int(to_micro(scenario.settlement.gas_price))
            if self._recorder is not None and scenario.settlement.audit != "none":
                self._recorder.open_ledger(
                    make_genesis(scenario, self.community), self.state.queue.chain.authorities
                )
        except BaseException:
            self.discard()
            raise
        for each in caught:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        self.seconds: dict[str, float] = {}
        self.clock = Clock(self.community.grid, self._run_slot, Settlement(self.state, self.seconds))

    def __enter__(self) -> Self:
        """Return the simulation."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was neither finished nor abandoned."""
        self.discard()

    def profile(self) -> None:
        """Measure the CPU time of each phase from now on, in `seconds`."""
        self.seconds.update(dict.fromkeys((*(phase.__name__ for phase in PHASES), "seal"), 0.0))

    def step(self) -> None:
        """Run one slot."""
        self.clock.step()

    def _run_slot(self, slot: int) -> None:
        self.state.slot = slot
        if not self.seconds:
            for phase in PHASES:
                phase(self.state)
            return
        for phase in PHASES:
            start = time.thread_time()
            phase(self.state)
            self.seconds[phase.__name__] += time.thread_time() - start

    def finish(self) -> Run:
        """Write what belongs to the whole run, close the folder and return the run."""
        return Run.load(self.recorder.writer.finish(self._close()))

    def abandon(self, reason: str) -> Path:
        """Keep what there is, marked partial, and return where it lies."""
        return self.recorder.writer.abandon(self._close(), reason)

    def discard(self) -> None:
        """Remove what has been written, if the run is not finished."""
        if self._recorder is not None:
            self._recorder.close_ledger(seal=False)
            self._recorder.writer.discard()

    @property
    def keeps(self) -> bool:
        """Return whether the run is written to a folder."""
        return self._recorder is not None

    @property
    def recorder(self) -> RunRecorder:
        """Return what writes the run's folder.

        Raises
        ------
        ResultError
            When the simulation has none.
        """
        if self._recorder is None:
            raise ResultError(
                describe("nothing is kept of this simulation", where="Simulation", expected="an `out`")
            )
        return self._recorder

    def _close(self) -> dict[str, Any]:
        """Write the tables of the whole run and return its manifest."""
        state, prices = self.state, self.community.prices
        self.recorder.leave(state.queue.waiting)  # none but in a run that was stopped
        parts = RetailParts(prices.network_micro, prices.levies_micro, prices.vat_ppm, prices.standing_micro)
        bills = make_bills(state.bills, parts, state.queue.account)
        whole: dict[str, Any] = {
            "households": tables.household_columns(self.community, state.ev.shortfall_kwh, state.rejected)
            | tables.income_column(self.scenario, self.community)
            | device_columns(state.plant, state.soc_kwh)
            | tables.interruption_columns(
                state.course, len(self.community.households), state.wiring.unserved
            ),
            "bills": tables.bill_columns(bills),
            "accounts": tables.account_columns(funding(self.scenario), bills, prices.vat_ppm),
            **network_tables(state),
        }
        if state.slot >= 0:
            shown = {name: as_frame(name, columns) for name, columns in whole.items()}
            shown["slots"] = as_frame("slots", self.recorder.slots(state))
            shown |= {name: as_frame(name, kept) for name, kept in self.recorder.kept_quotes().items()}
            emitted = grid_emissions(self.scenario.settlement.certificates, self.community)[: state.slot + 1]
            hours = self.community.grid.hours
            whole["kpis"] = kpi_table(shown, hours=hours, grid_kg_per_kwh=emitted / MICRO)
        for name, columns in whole.items():
            self.recorder.writer.write(name, columns)
        if state.wiring.noted:
            self.recorder.writer.append("events", trouble_columns(state))
        if state.certifier is not None:
            self.recorder.writer.write("certificates", certificate_columns(state.certifier))
        if state.course is not None:
            self.recorder.writer.append("events", state.course.columns(self.community.grid, state.slot + 1))
        self.recorder.writer.text("resolved.yaml", dump(self.scenario))
        if self.community.part is not None:
            self.recorder.writer.text(PART, part_text(self.community.part))
        self.recorder.close_ledger()
        return {
            **describe_run(self.scenario, self.community),
            "chain_head": state.queue.chain.head.hex() if self.scenario.settlement.audit != "none" else "",
            "warnings": self._warnings,
            "environment": {
                **describe_environment(),
                "seconds": round(time.perf_counter() - self._started, 3),
                "seconds_by_phase": {name: round(value, 3) for name, value in self.seconds.items()},
            },
        }
