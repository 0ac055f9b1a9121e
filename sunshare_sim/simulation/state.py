"""The one thing that changes as a run goes on: `State`, with all that a slot's phases find out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from sunshare_sim.agents.markets import Markets
from sunshare_sim.agents.strategy import NO_TAPE, Strategy, Tape, View
from sunshare_sim.community.households import Community
from sunshare_sim.devices.ev import EvState
from sunshare_sim.ledger.billing import Accumulators, Settled
from sunshare_sim.ledger.queue import Made, SettlementQueue
from sunshare_sim.ledger.settlement import Ledger, Trades
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import Mechanism
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.simulation.certificates import Certifier
from sunshare_sim.simulation.events import Course
from sunshare_sim.simulation.plant import Plant
from sunshare_sim.simulation.wiring import Wiring
from sunshare_sim.telemetry.meters import Flows, Totals
from sunshare_sim.units import MICRO, FloatArray, IntArray


class Recorder(Protocol):
    """Take in a slot when it is over."""

    def slot(self, state: "State") -> None:
        """Record what `state` holds at the end of its slot; its trades may not be settled yet."""

    def block(self, state: "State", made: Made) -> None:
        """Record a block and the slots whose trades it settled the last of."""


Arrivals = Callable[[int], IntArray]


NOTHING_METERED: Final = Totals(*(0,) * len(Totals._fields))


NOTHING_SETTLED: Final = Settled(*(0,) * len(Settled._fields))


NO_ORDERS: Final = Orders(*np.empty((len(Orders._fields), 0), dtype=np.int64))


NO_TRADES: Final = Trades(*np.empty((len(Trades._fields), 0), dtype=np.int64))


@dataclass
class Desk:
    """A cohort at the market: its rows, its strategy, its own random stream, and what it saw this slot."""

    name: str
    members: slice | IntArray
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
    queue: SettlementQueue
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
    plant: Plant
    wiring: Wiring
    # Charge of each pair of pools in this slot [ticks], negative = forbidden; shape [buyer pools, seller pools].
    charges: IntArray
    # How many orders each home has sent in vain since the start, beyond `orders_per_slot`; shape [homes].
    rejected: IntArray
    orders_per_slot: int | None = None
    rejected_now: int = 0
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
    # Energy [1e-6 kWh] and value [1e-6 currency] of the slot's trades, settled or not
    agreed: tuple[int, int] = (0, 0)
    prefetched: tuple[int, int, FloatArray, FloatArray] | None = None
    course: Course | None = None
    certifier: Certifier | None = None
    markets: Markets | None = (
        None  # what is known in each, where there are several with no trade between them
    )

    @property
    def tick(self) -> float:
        """Return the price tick [currency/kWh]."""
        return self.tick_micro / MICRO

    def total_micro(self, home: int) -> int:
        """Return a home's bill so far, without fixed charges and what its billing periods add [1e-6 currency]."""
        sums = self.bills
        paid = sums.retail[home] + sums.purchases[home] + sums.wheeling[home] + sums.losses[home]
        return int(paid - sums.feed_in[home] - sums.sales[home])
