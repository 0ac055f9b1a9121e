"""The state before the first slot: desks, market, ledger and chain as the scenario says."""

from typing import Final

import numpy as np

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.community.households import Cohort, Community
from sunshare_sim.devices.ev import start_evs
from sunshare_sim.errors import ScenarioError, describe
from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.billing import Accumulators, RetailParts
from sunshare_sim.ledger.chain import Chain
from sunshare_sim.ledger.files import Genesis
from sunshare_sim.ledger.settlement import Ledger
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import MarketRules, Mechanism, make_mechanism
from sunshare_sim.scenario.load import scenario_hash
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.state import Arrivals, Desk, Producer, Recorder, State, Wishes
from sunshare_sim.streams import stream
from sunshare_sim.telemetry.meters import Flows
from sunshare_sim.units import MICRO, IntArray, tick_in_micro, to_micro

MOST_LEVELS: Final = 1 << 20


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
