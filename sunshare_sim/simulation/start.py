"""The state before the first slot: desks, market, ledger and chain as the scenario says."""

from typing import Final

import numpy as np

from sunshare_sim.agents.markets import ALL, Markets
from sunshare_sim.agents.strategy import Strategy, make_strategy
from sunshare_sim.community.households import Cohort, Community
from sunshare_sim.devices.ev import start_evs
from sunshare_sim.errors import ScenarioError, describe
from sunshare_sim.ledger.account import Account
from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.billing import Accumulators, RetailParts
from sunshare_sim.ledger.chain import Chain
from sunshare_sim.ledger.files import Genesis
from sunshare_sim.ledger.queue import SettlementQueue, Timetable
from sunshare_sim.ledger.settlement import Ledger
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import MarketRules, Mechanism, make_mechanism
from sunshare_sim.rowstreams import rows_of
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.certificates import make_certifier
from sunshare_sim.simulation.events import make_course
from sunshare_sim.simulation.plant import make_plant
from sunshare_sim.simulation.provenance import run_hash
from sunshare_sim.simulation.state import Arrivals, Desk, Recorder, State, Wishes
from sunshare_sim.simulation.wiring import make_wiring
from sunshare_sim.streams import stream
from sunshare_sim.telemetry.meters import Flows
from sunshare_sim.units import MICRO, IntArray, tick_in_micro, to_micro

MOST_LEVELS: Final = 1 << 20


def make_state(
    scenario: Scenario, community: Community, recorder: Recorder, arrivals: Arrivals | None = None
) -> State:
    """Return the state before the first slot: batteries as they start, accounts funded, an empty book."""
    homes, prices = len(community.households), community.prices
    ledger, bills = fund_ledger(homes, funding(scenario)), Accumulators.zeros(homes)
    ev = start_evs(community.fleet.chargers, community.fleet.sessions, community.grid.hours)
    tick_micro = tick_in_micro(scenario.market.tick)
    cap_ticks = highest_price(community, tick_micro)
    of_pool = separate_markets(scenario, community)
    desks, of_seat = make_desks(scenario, community, of_pool)
    rounds = rounds_of(scenario, desks)
    return State(
        community=community,
        desks=desks,
        mechanism=make_market(scenario, community, cap_ticks + 1),
        ledger=ledger,
        queue=make_queue(scenario, community, ledger, bills),
        arrivals=arrivals or make_arrivals(scenario, community),
        recorder=recorder,
        market_rng=stream(scenario.seed, "market"),
        tick_micro=tick_micro,
        cap_ticks=cap_ticks,
        lot=int(to_micro(scenario.market.lot_kwh)),
        flows=Flows(*np.zeros((len(Flows._fields), homes))),
        net=np.zeros(homes, dtype=np.int64),
        soc_kwh=community.initial_soc_kwh.copy(),
        ev=ev,
        plant=make_plant(community, ev, foresight=scenario.results.foresight),
        wiring=make_wiring(scenario, community),
        bills=bills,
        wishes=Wishes(*np.zeros((3, homes), dtype=np.int64)),
        rounds=rounds,
        book=make_round_book(scenario, community, cap_ticks + 1, rounds),
        last_price=sum(prices.quoted(0)) / 2 / MICRO,
        markets=None
        if of_pool is None
        else Markets.opened(of_pool, community.households.zone, of_seat, sum(prices.quoted(0)) / 2 / MICRO),
        charges=community.charges,
        orders_per_slot=scenario.market.orders_per_slot,
        rejected=np.zeros(homes, dtype=np.int64),
        course=make_course(scenario, community),
        certifier=make_certifier(scenario, community),
    )


def make_queue(
    scenario: Scenario, community: Community, ledger: Ledger, bills: Accumulators
) -> SettlementQueue:
    """Return where trades wait for settlement, with the chain of blocks they go into."""
    rules = scenario.settlement
    chain = Chain(
        make_genesis(scenario, community).text(), audit=rules.audit, authorities=make_authorities(scenario)
    )
    timetable = Timetable(rules.block_slots, rules.block_interval_ms, rules.block_trades)
    account = Account(community.terms, len(community.households)) if community.terms else None
    return SettlementQueue(ledger, bills, chain, timetable, account=account)


def separate_markets(scenario: Scenario, community: Community) -> IntArray | None:
    """Return the market of each pool, numbered from 0, where trade between some is forbidden for good; else None.

    Homes hear of the market they trade in. Where breakers open or close, who can trade with whom changes, and all
    hear of everything.
    """
    from scipy.sparse.csgraph import connected_components

    count, of_pool = connected_components(community.charges >= 0, directed=False)
    return None if count == 1 or scenario.events else np.asarray(of_pool, dtype=np.int64)


def make_desks(
    scenario: Scenario, community: Community, of_pool: IntArray | None
) -> tuple[tuple[Desk, ...], tuple[int, ...]]:
    """Return the cohorts' places at the market, and the market of each.

    A cohort that takes in tapes has a place in each market that homes of its lie in, else one for all of them.
    """
    desks: list[Desk] = []
    of_seat: list[int] = []
    for cohort in community.cohorts:
        strategy = make_strategy(cohort.strategy, cohort.parameters, where=f"households, group {cohort.name}")
        places: list[tuple[int, slice | IntArray]] = [(ALL, cohort.members)]
        if of_pool is not None and (strategy.history or type(strategy).learn is not Strategy.learn):
            market = of_pool[community.households.zone[cohort.members]]
            places = [
                (each, cohort.first + np.flatnonzero(market == each)) for each in np.unique(market).tolist()
            ]
        for each, members in places:
            desks.append(make_desk(scenario, community, cohort, strategy, members))
            of_seat.append(each)
    return tuple(desks), tuple(of_seat)


def make_desk(
    scenario: Scenario, community: Community, cohort: Cohort, strategy: Strategy, members: slice | IntArray
) -> Desk:
    """Return a cohort's place at a market, with the memory its strategy starts with.

    Its homes draw what they would draw if the whole group stood there.
    """
    rows = np.arange(len(community.households))[members] - cohort.first
    size, of_group = cohort.last - cohort.first, rows
    if community.part is not None:
        kept = community.part.kept[cohort.name]
        size, of_group = kept.size, kept.rows[rows]
    names = ("strategy", cohort.name)
    rng = rows_of(stream(scenario.seed, *names), of_group, size)
    memory = strategy.start(rows.size, rows_of(stream(scenario.seed, *names, "start"), of_group, size))
    return Desk(cohort.name, members, strategy, rng, memory)


def rounds_of(scenario: Scenario, desks: tuple[Desk, ...]) -> int:
    """Return how many rounds a slot has: as the scenario says, else as many as any of the strategies needs."""
    market = scenario.market
    if market.mechanism != "cda" or market.order_lifetime != "slot":
        return 1
    return market.rounds or max((desk.strategy.rounds for desk in desks), default=1)


def make_round_book(
    scenario: Scenario, community: Community, price_levels: int, rounds: int
) -> OrderBook | None:
    """Return the book of a continuous auction in rounds; None where every home quotes once a slot."""
    market = scenario.market
    if rounds == 1:
        return None
    return OrderBook(
        community.charges,
        pricing=market.pricing,
        price_levels=price_levels,
        capacity=pair_capacity(scenario, len(community.charges)),
        rate_limit=market.orders_per_slot,
    )


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
        run=f"{run_hash(scenario, community)}/{scenario.seed}",
        households=len(community.households),
        slots=community.grid.slots,
        funded_micro=funding(scenario),
        parts=RetailParts(prices.network_micro, prices.levies_micro, prices.vat_ppm, prices.standing_micro),
        losses=scenario.network.power_flow != "off",
        terms=community.terms,
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
        k=scenario.market.k,
        capacity=pair_capacity(scenario, len(community.charges)),
        lifetime=order_lifetime(scenario),
    )
    return make_mechanism(scenario.market.mechanism, rules, **scenario.market.parameters)


def order_lifetime(scenario: Scenario) -> int | None:
    """Return how many slots an order stands, None = until it is filled or withdrawn."""
    lifetime = scenario.market.order_lifetime
    if isinstance(lifetime, int):
        return lifetime
    return 1 if lifetime == "slot" else None


def pair_capacity(scenario: Scenario, zones: int) -> IntArray | None:
    """Return what each pair of zones may trade in a slot [1e-6 kWh], negative = no limit; None where none has any.

    Raises
    ------
    ScenarioError
        When the scenario's matrix is not one of the community's zones.
    """
    given = scenario.market.pair_capacity_kwh
    if given is None:
        return None
    if isinstance(given, tuple):
        if len(given) != zones:
            where, got = "market.pair_capacity_kwh", f"{len(given)} rows"
            raise ScenarioError(
                describe("not the feeder's zones", where=where, got=got, expected=f"{zones} zones")
            )
        matrix = np.array(given)
    else:
        matrix = np.where(np.eye(zones, dtype=bool), -1.0, given)
    return np.where(matrix < 0, -1, to_micro(np.maximum(matrix, 0.0))).astype(np.int64)


def funding(scenario: Scenario) -> int:
    """Return what each household's account is funded with [1e-6 currency]."""
    return int(to_micro(scenario.settlement.initial_balance))


def fund_ledger(households: int, amount: int) -> Ledger:
    """Return a ledger on which every household holds `amount` [1e-6 currency]."""
    ledger = Ledger(households)
    for household in range(households if amount else 0):
        ledger.fund(household, amount)
    return ledger


def make_arrivals(scenario: Scenario, community: Community) -> Arrivals:
    """Return the order of arrival in each slot: drawn for all homes, whether they trade or not; or by row.

    The homes of a part come in the order they have in the whole.
    """
    homes, part = len(community.households), community.part
    if scenario.market.arrival == "fixed":
        rows: IntArray = np.arange(homes)
        return lambda slot: rows  # noqa: ARG005 - the same in every slot
    rng = stream(scenario.seed, "arrival")
    if part is None:
        return lambda slot: rng.permutation(homes)  # noqa: ARG005 - slots follow one another
    own = np.full(part.size, -1)
    own[part.homes] = np.arange(homes)

    def among_all(slot: int) -> IntArray:  # noqa: ARG001 - slots follow one another
        order = own[rng.permutation(part.size)]
        return order[order >= 0]

    return among_all
