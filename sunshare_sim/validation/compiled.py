"""The laboratory's fast lane: periods in one compiled loop, for traders whose quoting is a kernel."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from sunshare_sim.agents.basic import TariffBound
from sunshare_sim.agents.shaver import Shaver
from sunshare_sim.agents.strategy import Strategy
from sunshare_sim.agents.zero_intelligence import (
    ZeroIntelligenceConstrained,
    ZeroIntelligenceUnconstrained,
)
from sunshare_sim.agents.zip import Zip, ZipMemory
from sunshare_sim.market._layout import EVENT_FIELDS, FILL_FIELDS, ORDER_FIELDS, QUANTITY
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.orders import NEVER
from sunshare_sim.units import IntArray
from sunshare_sim.validation import _period
from sunshare_sim.validation.protocols import FAILURES, Floor

KERNELS: Final[dict[type[Strategy], int]] = {
    TariffBound: _period.TRUTHFUL,
    ZeroIntelligenceConstrained: _period.CONSTRAINED,
    ZeroIntelligenceUnconstrained: _period.UNCONSTRAINED,
    Shaver: _period.SHAVER,
    Zip: _period.ZIP,
}
PROTOCOLS: Final = {
    "P1": _period.STANDING_QUOTES,
    "P2": _period.FULL_BOOK,
    "P3": _period.OPEN_OUTCRY,
}
MOST_KINDS: Final = 4  # the kernel is compiled for so many random streams
ORDERS: Final = 64  # of a pit's book between two compactions


def suits(traders: Sequence[Strategy]) -> bool:
    """Return whether these traders can quote in the compiled loop; a subclass may do anything, so it cannot."""
    known = all(type(each) in KERNELS for each in traders)
    deaf = any(isinstance(each, Zip) and each.hears < 1 for each in traders)
    return known and not deaf and len(traders) <= MOST_KINDS


class FastLane:
    """Hold the periods of a floor in a compiled loop, with the results `protocols` gives, draw by draw.

    Parameters
    ----------
    floor : Floor
        Where the traders stand; changed by each period.
    traders : sequence of Strategy
        The kinds of traders; `suits(traders)` must hold.
    kind : IntArray
        Kind of each trader, shape [copies * traders].
    memories : sequence of NamedTuple or None
        What each kind's `start` returned.
    rng : sequence of Generator
        Stream of each kind.
    """

    def __init__(
        self,
        floor: Floor,
        traders: Sequence[Strategy],
        kind: IntArray,
        memories: Sequence[ZipMemory | None],
        rng: Sequence[np.random.Generator],
    ) -> None:
        self.floor, self.kind = floor, kind
        self.rng = tuple(rng) + (rng[0],) * (MOST_KINDS - len(rng))
        self.rational = all(each.keeps_limit for each in traders)
        codes = np.array([KERNELS[type(each)] for each in traders], dtype=np.int64)
        numbers = np.array([_numbers(each, floor.cap) for each in traders], dtype=np.float64)
        self.kinds = _period.Kinds(codes, numbers, _joined(memories, kind))
        self.books = _stacked(floor)
        self.changing: list[Any] = [self.books.state, self.books.queues, self.books.bits, self.books.tops]
        self.fresh = [each.copy() for each in self.changing]

    def hold(self, protocol: str, activations: int, chance: np.random.Generator, *, idle: bool) -> int:
        """Hold a period on the opened floor; return the number of quotes asked for.

        Parameters
        ----------
        protocol : str
            "P1", "P2" or "P3".
        activations : int
            Most activations of each pit.
        chance : Generator
            Stream of activations.
        idle : bool
            Whether traders that have traded are activated too.
        """
        floor, books = self.floor, self.books
        for array, fresh in zip(self.changing, self.fresh, strict=True):
            array[:] = fresh
        floor.going(rational=self.rational)
        pits = _period.Pits(
            floor.side,
            floor.limit,
            floor.feed_in,
            floor.retail,
            self.kind,
            floor.active,
            floor.profit,
            floor.order_id,
            floor.last_price,
            floor.best_bid,
            floor.best_ask,
            floor.trades,
            floor.sums,
            floor.squares,
            floor.failures,
            floor.possible,
        )
        rules = _period.Rules(
            PROTOCOLS[protocol], activations, FAILURES, idle, self.rational, floor.ties, floor.cap
        )
        return _period.hold(rules, pits, books, self.kinds, self.rng, chance)


def _numbers(strategy: Strategy, cap: float) -> tuple[float, float]:
    """Return the two numbers a kernel needs of its strategy."""
    if isinstance(strategy, Shaver):
        return max(strategy.step, 1.0), float(strategy.from_worst)
    if isinstance(strategy, Zip):
        return strategy.relative, strategy.absolute * cap
    return 0.0, 0.0


def _joined(memories: Sequence[ZipMemory | None], kind: IntArray) -> ZipMemory:
    """Return one memory in which each trader has the row of its own kind."""
    some = [(i, each) for i, each in enumerate(memories) if each is not None]
    if not some:
        return ZipMemory(*np.zeros((3, 0)), *np.zeros((2, 0, 2)))
    joined = ZipMemory(*(np.array(each) for each in some[0][1]))
    for i, memory in some[1:]:
        for whole, part in zip(joined, memory, strict=True):
            whole[kind == i] = part[kind == i]
    return joined


def _stacked(floor: Floor) -> _period.Books:
    """Return the arrays of one empty order book a pit."""
    book = OrderBook(pricing="resting", price_levels=int(floor.cap) + 1)
    orders = np.zeros((floor.copies, ORDERS * ORDER_FIELDS), dtype=np.int64)
    orders[:, QUANTITY] = 1  # of nobody, who ends every queue
    messages = np.zeros((EVENT_FIELDS, _period.MOST_EVENTS), dtype=np.int64)
    messages[6], messages[8] = 1, NEVER  # quantity, expiry
    state, _, queues, bits, tops, charges, room, sent, family = book._arrays  # noqa: SLF001 - its kernel's own view
    queues, bits, tops = (np.tile(each, (floor.copies, *(1,) * each.ndim)) for each in (queues, bits, tops))
    return _period.Books(
        np.tile(state, (floor.copies, 1)),
        orders,
        queues,
        bits,
        tops,
        charges.copy(),
        room.copy(),
        sent.copy(),
        family.copy(),
        np.zeros((_period.MOST_EVENTS, FILL_FIELDS), dtype=np.int64),
        messages,
    )
