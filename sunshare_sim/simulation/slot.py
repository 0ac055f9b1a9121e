"""One slot, phase by phase, over one mutable `State`: the only thing that changes as a run goes on.

observe -> dispatch -> meter -> quote -> match -> settle -> seal -> learn -> record. Timing is `ex_post`: orders are
placed when the slot's meters have been read, so only metered surplus is sold and every trade is delivered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from sunshare_sim.agents.rounds import Ground, gains, publish, trade_in_rounds
from sunshare_sim.agents.strategy import NO_TAPE, Strategy, Tape, View, check_quotes
from sunshare_sim.community.households import Community
from sunshare_sim.devices.battery import self_consumption
from sunshare_sim.devices.ev import EvState, arrive, charge_evs
from sunshare_sim.ledger.billing import Accumulators, Settled, bill_slot
from sunshare_sim.ledger.chain import RECEIPT, Block, Chain, readings_bytes, receipts_array, schedule_blocks
from sunshare_sim.ledger.settlement import Ledger, Trades
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import Mechanism, ReferencePrices
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.telemetry.meters import Flows, Totals, read_meters
from sunshare_sim.units import MICRO, FloatArray, IntArray, from_micro, limit_ticks, to_micro

PREFETCH_VALUES: Final = (
    1 << 19
)  # home-slots of load and solar made at once: some 4 MB each, whatever the run's size


class Recorder(Protocol):
    """Take in a slot when it is over."""

    def slot(self, state: "State") -> None:
        """Record what `state` holds at the end of its slot."""


Arrivals = Callable[[int], IntArray]
NOTHING_METERED: Final = Totals(*(0,) * len(Totals._fields))
NOTHING_SETTLED: Final = Settled(*(0,) * len(Settled._fields))
NO_ORDERS: Final = Orders(*np.empty((len(Orders._fields), 0), dtype=np.int64))
NO_TRADES: Final = Trades(*np.empty((len(Trades._fields), 0), dtype=np.int64))


@dataclass
class Desk:
    """A cohort at the market: its rows, its strategy, its own random stream, and what it saw this slot."""

    name: str
    members: slice
    strategy: Strategy
    rng: np.random.Generator
    memory: Any = None
    view: View | None = None

    @property
    def learns(self) -> bool:
        """Return whether the strategy takes in the tape."""
        return type(self.strategy).learn is not Strategy.learn


@dataclass
class Wishes:
    """The slot's orders before they arrive, one a home; quantity 0 for none; shape [homes]."""

    side: IntArray
    price: IntArray
    quantity: IntArray


class Producer(NamedTuple):
    """Say when blocks are made: after every `slots`, at multiples of `interval_ms`, `trades` each (0: no limit)."""

    slots: int
    interval_ms: int
    trades: int


@dataclass
class State:
    """Everything that changes during a run.

    Arrays have one row a home (or car). What a slot's phases find out stays until the next slot overwrites it, so that
    agents, recorders and tests can look at it.
    """

    community: Community
    desks: tuple[Desk, ...]
    mechanism: Mechanism
    ledger: Ledger
    chain: Chain
    producer: Producer
    arrivals: Arrivals
    market_rng: np.random.Generator
    recorder: Recorder
    tick_micro: int
    cap_ticks: int
    lot: int
    flows: Flows
    net: IntArray
    soc_kwh: FloatArray
    ev: EvState
    bills: Accumulators
    wishes: Wishes
    last_price: float
    rounds: int = 1
    book: OrderBook | None = None
    slot: int = -1
    totals: Totals = NOTHING_METERED
    orders: Orders = NO_ORDERS
    fills: Fills = field(default_factory=Fills.empty)
    tape: Tape = NO_TAPE
    trades: Trades = NO_TRADES
    status: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    settled: Settled = NOTHING_SETTLED
    receipts: IntArray = field(default_factory=lambda: np.empty((0, len(RECEIPT)), dtype=np.int64))
    waiting: list[tuple[IntArray, bytes]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    prefetched: tuple[int, int, FloatArray, FloatArray] | None = None

    @property
    def tick(self) -> float:
        """Return the price tick [currency/kWh]."""
        return self.tick_micro / MICRO

    def total_micro(self, home: int) -> int:
        """Return a home's bill so far, without standing charge [1e-6 currency]."""
        sums = self.bills
        paid = sums.retail[home] + sums.purchases[home] + sums.wheeling[home]
        return int(paid - sums.feed_in[home] - sums.sales[home])


def observe(state: State) -> None:
    """Look up what homes use and generate in this slot, made some hundred thousand home-slots at a time."""
    community, slot = state.community, state.slot
    if state.prefetched is None or not state.prefetched[0] <= slot < state.prefetched[1]:
        ahead = max(1, min(community.grid.slots_per_day, PREFETCH_VALUES // len(community.households)))
        last = min(slot + ahead, community.grid.slots)
        state.prefetched = (slot, last, community.load.block(slot, last), community.solar.block(slot, last))
    first, _, load, solar = state.prefetched
    state.flows = state.flows._replace(load=load[slot - first], solar=solar[slot - first])


def dispatch(state: State) -> None:
    """Charge the cars, then let each battery serve its own home."""
    community, flows = state.community, state.flows
    if community.fleet.home.size:
        arrive(state.ev, community.fleet.sessions, state.slot)
        charge_evs(state.ev, community.fleet.chargers, state.slot, community.grid.hours)
        flows.ev[:] = np.bincount(community.fleet.home, state.ev.charged_kwh, minlength=flows.ev.size)
    self_consumption(
        flows.load + flows.ev - flows.solar,
        community.batteries,
        state.soc_kwh,
        community.grid.hours,
        flows.charge,
        flows.discharge,
    )


def meter(state: State) -> None:
    """Read the meters: from here on, energy is an integer; surplus is minted as energy credits."""
    state.totals = Totals(*read_meters(state.flows, state.net))
    state.ledger.register_injections(state.slot, np.maximum(-state.net, 0))


def quote(state: State) -> None:
    """Ask each cohort what it wishes, hold it to its contract, and round its wishes to orders.

    A market in rounds asks by itself, in `match`.
    """
    if state.book is not None:
        return
    prices, slot = state.community.prices, state.slot
    side = np.sign(state.net)
    net_kwh = state.net / MICRO
    for desk in state.desks:
        rows = desk.members
        desk.view = View(
            slot=slot,
            net_kwh=net_kwh[rows],
            side=side[rows].astype(np.float64),
            soc_kwh=state.soc_kwh[rows],
            retail_price=prices.retail_micro[slot] / MICRO,
            feed_in_price=prices.feed_in_micro[slot] / MICRO,
            last_price=state.last_price,
            cap_price=state.cap_ticks * state.tick,
            rng=desk.rng,
            tape=state.tape,
            memory=desk.memory,
            tick=state.tick,
            hour=float(state.community.grid.local_hour[slot]),
        )
        quotes = desk.strategy.quote(desk.view)
        check_quotes(quotes, desk.view, cohort=desk.name)
        # A price below one tick cannot be booked: an ask takes the lowest price there is, a bid stays away.
        ticks = limit_ticks(quotes.price, side[rows], state.tick)
        quantity = np.minimum(to_micro(quotes.quantity), np.abs(state.net[rows])) // state.lot * state.lot
        state.wishes.quantity[rows] = np.where((ticks < 1) & (side[rows] > 0), 0, quantity)
        state.wishes.price[rows] = np.minimum(np.maximum(ticks, 1), state.cap_ticks)
    state.wishes.side[:] = side


def match(state: State) -> None:
    """Let the orders arrive in the slot's order and the mechanism clear them, or hold the auction in rounds."""
    if state.book is None:
        state.fills = clear_once(state)
    else:
        state.fills = clear_in_rounds(state, state.book)
    fills = state.fills
    state.trades = Trades(
        buyer=fills.buyer,
        seller=fills.seller,
        energy=fills.quantity,
        price_micro=fills.price * state.tick_micro,
        charge_micro=fills.charge * state.tick_micro,
    )


def clear_once(state: State) -> Fills:
    """Let every home's order arrive once and the mechanism clear them."""
    wishes, slot, prices = state.wishes, state.slot, state.community.prices
    arrival = state.arrivals(slot)
    owner = arrival[wishes.quantity[arrival] > 0]
    state.orders = Orders(
        owner=owner,
        side=wishes.side[owner],
        pool=state.community.households.zone[owner],
        price=wishes.price[owner],
        quantity=wishes.quantity[owner],
    )
    reference = ReferencePrices(
        retail=int(prices.retail_micro[slot]) // state.tick_micro,
        feed_in=-(-int(prices.feed_in_micro[slot]) // state.tick_micro),
    )
    fills = state.mechanism.clear(state.orders, reference, state.market_rng).fills
    state.tape = publish(state.orders, fills, state.tick_micro)
    return fills


def clear_in_rounds(state: State, book: OrderBook) -> Fills:
    """Let every home quote what it has left, round after round; learners learn after each."""
    community, slot = state.community, state.slot
    ground = Ground(
        slot=slot,
        hour=float(community.grid.local_hour[slot]),
        net=state.net,
        soc_kwh=state.soc_kwh,
        pool=community.households.zone,
        charges=community.charges,
        retail_micro=int(community.prices.retail_micro[slot]),
        feed_in_micro=int(community.prices.feed_in_micro[slot]),
        tick_micro=state.tick_micro,
        cap_ticks=state.cap_ticks,
        lot=state.lot,
    )
    result = trade_in_rounds(
        book,
        ground,
        state.desks,
        lambda: state.arrivals(slot),
        rounds=state.rounds,
        last=(state.last_price, state.tape),
    )
    state.orders, state.tape = result.orders, result.tape
    return result.fills


def settle(state: State) -> None:
    """Settle every trade on the ledger, bill what the grid supplied and took, check that nothing was lost.

    A trade that reverts leaves its energy to the grid: the buyer's import and the seller's export.
    """
    ledger, slot, prices = state.ledger, state.slot, state.community.prices
    state.status = ledger.settle_batch(ledger.oracle, state.trades)
    grid_prices = (int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot]))
    state.settled = bill_slot(state.bills, state.net, state.trades, state.status, grid_prices)
    ledger.deliver(state.net)
    ledger.check_conservation()


def seal(state: State) -> None:
    """Put the receipts and readings of the slots since the last block into the next ones; trading does not wait."""
    grid, slot, prices, producer = state.community.grid, state.slot, state.community.prices, state.producer
    state.receipts = receipts_array(slot, state.trades, state.status)
    readings = readings_bytes(state.net, int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot]))
    state.waiting.append((state.receipts, readings))
    state.blocks = []
    if (slot + 1) % producer.slots and slot + 1 != grid.slots:
        return
    receipts = np.concatenate([rows for rows, _ in state.waiting])
    readings = b"".join(each for _, each in state.waiting)
    state.waiting.clear()
    end_ms = 1000 * (int(grid.start.timestamp()) + (slot + 1) * grid.seconds)
    batches = schedule_blocks(
        end_ms, len(receipts), interval_ms=producer.interval_ms, most_trades=producer.trades
    )
    for batch in batches:
        time_s, extra_ms = divmod(batch.time_ms, 1000)
        rows = receipts[batch.first : batch.last]
        state.blocks.append(state.chain.append(time_s, slot, rows, readings=readings, extra_ms=extra_ms))
        readings = b""


def learn(state: State) -> None:
    """Publish the slot's tape and let learning strategies take it in; remember the mean local price."""
    if state.settled.energy:
        state.last_price = state.settled.value / state.settled.energy
    if state.book is not None or not any(desk.learns for desk in state.desks):
        return
    prices, traded = state.community.prices, np.zeros(state.net.size, dtype=np.int64)
    for homes in (state.fills.buyer, state.fills.seller):
        np.add.at(traded, homes, state.fills.quantity)
    left = from_micro((np.abs(state.net) - traded) * np.sign(state.net))
    grid = (int(prices.retail_micro[state.slot]), int(prices.feed_in_micro[state.slot]), state.tick_micro)
    gain = gains(state.fills, grid, state.net.size)
    for desk in state.desks:
        if desk.learns and desk.view is not None:
            rows = desk.members
            desk.strategy.learn(replace(desk.view, net_kwh=left[rows], gain=gain[rows]), state.tape)


def record(state: State) -> None:
    """Hand the finished slot to the recorder."""
    state.recorder.slot(state)


Phase = Callable[[State], None]
PHASES: Final[tuple[Phase, ...]] = (observe, dispatch, meter, quote, match, settle, seal, learn, record)
