"""A run in progress: community, market, ledger, clock and writer, joined here and nowhere else."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.community.build import build_community
from sunshare_sim.community.households import Cohort, Community
from sunshare_sim.devices.ev import start_evs
from sunshare_sim.errors import ResultError, ScenarioError, SunShareWarning, describe
from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.billing import Accumulators, RetailParts, make_bills
from sunshare_sim.ledger.chain import Chain
from sunshare_sim.ledger.files import Genesis
from sunshare_sim.ledger.settlement import Ledger
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import MarketRules, Mechanism, make_mechanism
from sunshare_sim.results.kpis import kpi_table
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import RunWriter
from sunshare_sim.results.tables import as_frame
from sunshare_sim.scenario.load import dump, scenario_hash
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation import tables
from sunshare_sim.simulation.clock import Clock
from sunshare_sim.simulation.provenance import describe_environment, describe_run
from sunshare_sim.simulation.record import RunRecorder
from sunshare_sim.simulation.slot import PHASES, Arrivals, Desk, Producer, Recorder, State, Wishes
from sunshare_sim.streams import stream
from sunshare_sim.telemetry.meters import Flows
from sunshare_sim.units import MICRO, IntArray, tick_in_micro, to_micro

Notice = Callable[[str], None]
MOST_LEVELS: Final = 1 << 20


class Unrecorded:
    """Record nothing: for models that are only looked at."""

    def slot(self, state: State) -> None:
        """Let the slot go."""


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
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        community: Community | None = None,
        out: Path | None = None,
        arrivals: Arrivals | None = None,
        notice: Notice | None = None,
    ) -> None:
        self.scenario = scenario
        self._started = time.perf_counter()
        # The folder comes first: a run that could not be kept should fail before the work, not after it.
        results = scenario.results
        self._recorder = (
            RunRecorder(RunWriter(out), results.panels, orders=results.orders) if out is not None else None
        )
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", SunShareWarning)
                self.community = community or build_community(scenario, notice=notice)
            self._warnings = [
                str(each.message) for each in caught if issubclass(each.category, SunShareWarning)
            ]
            self.state = make_state(scenario, self.community, self._recorder or Unrecorded(), arrivals)
            if self._recorder is not None:
                self._recorder.open_ledger(
                    make_genesis(scenario, self.community), self.state.chain.authorities
                )
        except BaseException:
            self.discard()
            raise
        for each in caught:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        self.clock = Clock(self.community.grid, self._run_slot)
        self.seconds: dict[str, float] = {}

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
        self.seconds = dict.fromkeys((phase.__name__ for phase in PHASES), 0.0)

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
        parts = RetailParts(prices.network_micro, prices.levies_micro, prices.vat_ppm, prices.standing_micro)
        bills = make_bills(state.bills, parts)
        whole: dict[str, Any] = {
            "households": tables.household_columns(self.community, state.ev.shortfall_kwh),
            "bills": tables.bill_columns(bills),
            "accounts": tables.account_columns(funding(self.scenario), bills, prices.vat_ppm),
            "buses": tables.bus_columns(self.community),
            "lines": tables.line_columns(self.community.feeder),
        }
        if state.slot >= 0:
            shown = {name: as_frame(name, whole[name]) for name in ("bills", "households")}
            slots = as_frame("slots", self.recorder.slots(state))
            whole["kpis"] = kpi_table(slots, **shown, hours=self.community.grid.hours)
        for name, columns in whole.items():
            self.recorder.writer.write(name, columns)
        self.recorder.writer.text("resolved.yaml", dump(self.scenario))
        self.recorder.close_ledger()
        return {
            **describe_run(self.scenario, self.community),
            "chain_head": state.chain.head.hex(),
            "warnings": self._warnings,
            "environment": {
                **describe_environment(),
                "seconds": round(time.perf_counter() - self._started, 3),
                "seconds_by_phase": {name: round(value, 3) for name, value in self.seconds.items()},
            },
        }


def make_state(
    scenario: Scenario, community: Community, recorder: Recorder, arrivals: Arrivals | None = None
) -> State:
    """Return the state before the first slot: batteries as they start, accounts funded, an empty book."""
    homes, prices = len(community.households), community.prices
    tick_micro = tick_in_micro(scenario.market.tick)
    cap_ticks = highest_price(community, tick_micro)
    return State(
        community=community,
        desks=tuple(make_desk(scenario, cohort) for cohort in community.cohorts),
        mechanism=make_market(scenario, community, cap_ticks + 1),
        ledger=fund_ledger(homes, funding(scenario)),
        chain=Chain(
            make_genesis(scenario, community).text(),
            audit=scenario.settlement.audit,
            authorities=make_authorities(scenario),
        ),
        producer=Producer(
            scenario.settlement.block_slots,
            scenario.settlement.block_interval_ms,
            scenario.settlement.block_trades,
        ),
        arrivals=arrivals or make_arrivals(scenario, homes),
        recorder=recorder,
        market_rng=stream(scenario.seed, "market"),
        tick_micro=tick_micro,
        cap_ticks=cap_ticks,
        lot=int(to_micro(scenario.market.lot_kwh)),
        flows=Flows(*np.zeros((len(Flows._fields), homes))),
        net=np.zeros(homes, dtype=np.int64),
        soc_kwh=community.initial_soc_kwh.copy(),
        ev=start_evs(community.fleet.chargers, community.fleet.sessions, community.grid.hours),
        bills=Accumulators.zeros(homes),
        wishes=Wishes(*np.zeros((3, homes), dtype=np.int64)),
        rounds=scenario.market.rounds,
        book=make_round_book(scenario, community, cap_ticks + 1),
        last_price=(int(prices.retail_micro[0]) + int(prices.feed_in_micro[0])) / 2 / MICRO,
    )


def make_desk(scenario: Scenario, cohort: Cohort) -> Desk:
    """Return a cohort's place at the market, with the memory its strategy starts with."""
    strategy = make_strategy(cohort.strategy, cohort.parameters, where=f"households, group {cohort.name}")
    rng = stream(scenario.seed, "strategy", cohort.name)
    memory = strategy.start(
        cohort.last - cohort.first, stream(scenario.seed, "strategy", cohort.name, "start")
    )
    return Desk(cohort.name, cohort.members, strategy, rng, memory)


def make_round_book(scenario: Scenario, community: Community, price_levels: int) -> OrderBook | None:
    """Return the book of a continuous auction in rounds; None where every home quotes once a slot."""
    market = scenario.market
    if market.rounds == 1 or market.mechanism != "cda":
        return None
    return OrderBook(community.charges, pricing=market.pricing, price_levels=price_levels)


def make_authorities(scenario: Scenario) -> Authorities | None:
    """Return who signs the blocks, if anyone does."""
    rules = scenario.settlement
    return (
        Authorities.from_seed(scenario.seed, rules.authorities, rules.signature)
        if rules.authorities
        else None
    )


def make_genesis(scenario: Scenario, community: Community) -> Genesis:
    """Return what the run's chain is bound to."""
    prices, authorities = community.prices, make_authorities(scenario)
    return Genesis(
        run=f"{scenario_hash(scenario)}/{scenario.seed}",
        households=len(community.households),
        slots=community.grid.slots,
        funded_micro=funding(scenario),
        parts=RetailParts(prices.network_micro, prices.levies_micro, prices.vat_ppm, prices.standing_micro),
        audit=scenario.settlement.audit,
        signature=scenario.settlement.signature,
        authorities=tuple(key.hex() for key in authorities.public_keys) if authorities else (),
    )


def highest_price(community: Community, tick_micro: int) -> int:
    """Return the highest limit price the market takes [ticks]: the dearest kWh of the grid, at least one tick.

    Raises
    ------
    ScenarioError
        When that is too many ticks for a price ladder.
    """
    prices = community.prices
    highest = max(int(prices.retail_micro.max()), int(prices.feed_in_micro.max()), tick_micro)
    ticks = -(-highest // tick_micro)
    if ticks >= MOST_LEVELS:
        raise ScenarioError(
            describe(
                "too many price steps",
                where="market.tick",
                got=f"{tick_micro / MICRO:g} currency/kWh, {ticks} steps",
                expected=f"fewer than {MOST_LEVELS} steps up to {highest / MICRO:g}",
                hint="choose a larger tick",
            )
        )
    return ticks


def make_market(scenario: Scenario, community: Community, price_levels: int) -> Mechanism:
    """Return the scenario's mechanism with the community's pools and charges."""
    rules = MarketRules(
        pools=len(community.charges),
        charges=community.charges,
        price_levels=price_levels,
        pricing=scenario.market.pricing,
    )
    return make_mechanism(scenario.market.mechanism, rules)


def funding(scenario: Scenario) -> int:
    """Return what each household's account is funded with [1e-6 currency]."""
    return int(to_micro(scenario.settlement.initial_balance))


def fund_ledger(households: int, amount: int) -> Ledger:
    """Return a ledger on which every household holds `amount` [1e-6 currency]."""
    ledger = Ledger(households)
    for household in range(households if amount else 0):
        ledger.fund(household, amount)
    return ledger


def make_arrivals(scenario: Scenario, homes: int) -> Arrivals:
    """Return the order of arrival in each slot: drawn for all homes, whether they trade or not; or by row."""
    if scenario.market.arrival == "fixed":
        rows: IntArray = np.arange(homes)
        return lambda slot: rows  # noqa: ARG005 - the same in every slot
    rng = stream(scenario.seed, "arrival")
    return lambda slot: rng.permutation(homes)  # noqa: ARG005 - slots follow one another
