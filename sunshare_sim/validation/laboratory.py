"""The laboratory: many copies of a small market side by side, each a pool of one `OrderBook` closed to the others.

In every step each copy activates one trader at random, its strategy quotes, the protocol decides what becomes
of the quote, and those who learn hear of it. A strategy cannot tell the laboratory from the live market.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from sunshare_sim.agents.strategy import NO_TAPE, Strategy, Tape, View, check_quotes
from sunshare_sim.errors import StrategyError, describe, did_you_mean
from sunshare_sim.streams import stream
from sunshare_sim.units import BoolArray, FloatArray, IntArray, limit_ticks
from sunshare_sim.validation.compiled import FastLane, suits
from sunshare_sim.validation.markets import Market
from sunshare_sim.validation.protocols import PROTOCOLS, Floor

SIDE_BY_SIDE: Final = 128  # copies of a market in one book: its cost a message grows with them, numpy's falls


@dataclass(frozen=True)
class Experiment:
    """State everything an experiment's numbers depend on.

    Attributes
    ----------
    market : Market
        Schedule of limit prices.
    traders : tuple of Strategy
        One for all, or several, dealt in turn to buyers and to sellers and shifted by one from session to session.
    protocol : str
        "P1": single standing quotes that must be improved, cleared by a trade (Gode & Sunder 1993). "P2": full order
        book, one order a trader, a new one replaces the old. "P3": open outcry, a shout is taken by a random willing
        trader or vanishes, 200 in a row without a trade end the period (Cliff & Bruten 1997).
    sessions, days : int
        Independent repetitions; periods of each, over which traders keep what they have learned.
    activations : int
        Most activations a period.
    idle_polls : bool
        Whether traders that have traded are activated too, to no effect, as in the Bristol Stock Exchange.
    ties : bool
        Whether in P3 a listener takes a shout equal to its own price.
    seed : int
        Seed of all draws.
    """

    market: Market
    traders: tuple[Strategy, ...]
    protocol: str = "P2"
    sessions: int = 100
    days: int = 1
    activations: int = 10_000
    idle_polls: bool = False
    ties: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            known, hint = ", ".join(PROTOCOLS), did_you_mean(self.protocol, PROTOCOLS)
            raise _wrong("protocol", "unknown protocol", self.protocol, known, hint)
        if not (isinstance(self.traders, tuple) and self.traders):
            raise _wrong(
                "traders", "no traders", self.traders, "a tuple of strategies", "(make_strategy('zi_c'),)"
            )
        for trader in self.traders:
            if not isinstance(trader, Strategy):
                raise _wrong(
                    "traders", "not a strategy", trader, "an instance", "make_strategy(name) makes one"
                )
        if len(self.traders) > self.market.traders:
            raise _wrong("traders", "more kinds than traders", len(self.traders), f"<= {self.market.traders}")
        for name, least in (("sessions", 1), ("days", 1), ("activations", 0)):
            if getattr(self, name) < least:
                raise _wrong(name, "too few", getattr(self, name), f"{least} or more")


def _wrong(field: str, what: str, got: object, expected: str, hint: str = "") -> StrategyError:
    where = f"Experiment.{field}"
    return StrategyError(describe(what, where=where, got=got, expected=expected, hint=hint))


class Outcome(NamedTuple):
    """Hold what came of every period; arrays have shape [days, sessions] but for `profit`.

    Attributes
    ----------
    efficiency : FloatArray
        Gains from trade, share of the largest possible; NaN where none are.
    alpha : FloatArray
        Smith's (1962) coefficient: root mean square deviation of trade prices from equilibrium, relative to it; NaN
        without trades.
    mean_price : FloatArray
        Mean trade price [ticks], NaN without trades.
    trades : FloatArray
        Number of trades.
    dispersion : FloatArray
        Root mean square deviation of profits from those of equilibrium [ticks] (Gode & Sunder 1993).
    profit : FloatArray
        Mean profit a trader of each kind in `traders` [ticks], shape [kinds, days, sessions].
    quotes : int
        Quotes asked for in all periods.
    """

    efficiency: FloatArray
    alpha: FloatArray
    mean_price: FloatArray
    trades: FloatArray
    dispersion: FloatArray
    profit: FloatArray
    quotes: int


def conduct(experiment: Experiment, *, compiled: bool = True) -> Outcome:
    """Run an experiment and return what came of every period.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    compiled : bool
        Whether periods of traders whose quoting is a kernel run in one compiled loop; the results are the same.

    Raises
    ------
    StrategyError
        When a strategy breaks its contract.
    """
    parts = [
        _conduct_some(experiment, first, min(SIDE_BY_SIDE, experiment.sessions - first), compiled=compiled)
        for first in range(0, experiment.sessions, SIDE_BY_SIDE)
    ]
    *arrays, quotes = zip(*parts, strict=True)
    joined = {
        name: np.concatenate(each, axis=-1) for name, each in zip(Outcome._fields[:-1], arrays, strict=True)
    }
    return Outcome(**joined, quotes=sum(quotes))


@dataclass
class Troop:
    """Traders of one kind on a floor: their rows, their memory, their random stream."""

    kind: int
    strategy: Strategy
    mine: BoolArray
    memory: Any
    rng: np.random.Generator

    @property
    def learns(self) -> bool:
        """Return whether the strategy takes in what is shouted."""
        return type(self.strategy).learn is not Strategy.learn


class Crowd:
    """Ask the traders of a floor for quotes and tell them what was shouted."""

    def __init__(self, experiment: Experiment, floor: Floor, first: int) -> None:
        market, kinds = experiment.market, len(experiment.traders)
        copies = floor.copies
        turn = np.arange(market.traders)
        self.kind = ((turn + first + np.arange(copies)[:, None]) % kinds).ravel()
        self.floor = floor
        self.slot = 0
        self.troops = []
        for kind, strategy in enumerate(experiment.traders):
            rng = stream(experiment.seed, "laboratory", "strategy", kind, first)
            memory = strategy.start(floor.side.size, rng)
            self.troops.append(Troop(kind, strategy, self.kind == kind, memory, rng))
        self.depth = max(troop.strategy.history for troop in self.troops)
        self.listens = self.depth > 0 or any(troop.learns for troop in self.troops)
        self.banked = np.zeros(floor.side.size)
        self.gain = np.zeros(floor.side.size)
        self.heard = np.full((3, self.depth, copies), np.nan)

    def quote(self, rows: IntArray) -> IntArray:
        """Return the limit price of each trader in `rows` [ticks], 0 where it stays away."""
        if len(self.troops) == 1:
            return self._ask(self.troops[0], rows)
        price = np.zeros(rows.size, dtype=np.int64)
        for troop in self.troops:
            mine = troop.mine[rows]
            if mine.any():
                price[mine] = self._ask(troop, rows[mine])
        return price

    def hear(self, pits: IntArray, side: FloatArray, price: FloatArray, taken_at: FloatArray) -> None:
        """Tell all traders in `pits` of the one shout there; a price of NaN is no shout."""
        if self.depth:
            spoke = ~np.isnan(price)
            loud = pits[spoke]
            self.heard[:, :-1, loud] = self.heard[:, 1:, loud]
            self.heard[:, -1, loud] = side[spoke], price[spoke], taken_at[spoke]
        size = self.floor.size
        # A period starts with no profit: what is banked is then more than what there is
        self.gain = np.where(self.floor.profit == self.banked, 0.0, self.floor.profit)
        self.banked = self.floor.profit.copy()
        rows = (pits[:, None] * size + np.arange(size)).ravel()
        shout = [np.repeat(each, size)[None] for each in (side, price, taken_at)]
        for troop in self.troops:
            if troop.learns:
                mine = troop.mine[rows]
                self._teach(troop, rows[mine], [each[:, mine] for each in shout])

    def _ask(self, troop: Troop, rows: IntArray) -> IntArray:
        view = self._view(troop, rows)
        quotes = troop.strategy.quote(view)
        cohort = f"laboratory {troop.kind}"
        quotes = check_quotes(quotes, view, cohort=cohort, strategy=troop.strategy)
        self._keep(troop, rows, view)
        ticks = np.clip(limit_ticks(quotes.price, view.side, 1.0), 1, int(view.cap_price))
        return np.where(quotes.quantity > 0, ticks, 0)

    def _teach(self, troop: Troop, rows: IntArray, shout: list[FloatArray]) -> None:
        side, price, taken_at = shout
        view = self._view(troop, rows)
        quantity = np.where(np.isnan(taken_at), 0.0, 1.0)
        troop.strategy.learn(
            view, Tape(side.astype(np.int64), price, np.ones_like(price), taken_at, quantity, taken_at)
        )
        self._keep(troop, rows, view)

    def _view(self, troop: Troop, rows: IntArray) -> View:
        floor = self.floor
        pit = rows // floor.size
        side = floor.side[rows]
        memory = troop.memory
        return View(
            slot=self.slot,
            net_kwh=np.where(floor.active[rows], side, 0.0),
            side=side,
            soc_kwh=np.zeros(rows.size),
            retail_price=floor.retail[rows],
            feed_in_price=floor.feed_in[rows],
            last_price=floor.last_price[pit],
            cap_price=floor.cap,
            rng=troop.rng,
            best_bid=floor.best_bid[pit],
            best_ask=floor.best_ask[pit],
            tape=self._tape(pit) if troop.strategy.history else NO_TAPE,
            memory=None if memory is None else type(memory)(*(each[rows] for each in memory)),
            tick=1.0,
            gain=self.gain[rows],
        )

    def _tape(self, pit: IntArray) -> Tape:
        """Return the last shouts of the pit of each trader, shape [shouts, traders]."""
        side, price, taken_at = self.heard[:, :, pit]
        some = np.where(np.isnan(price), np.nan, 1.0)
        return Tape(np.where(np.isnan(side), 0, side).astype(np.int64), price, some, taken_at, some, taken_at)

    @staticmethod
    def _keep(troop: Troop, rows: IntArray, view: View) -> None:
        """Put back the rows of the memory that the strategy has changed in place."""
        if troop.memory is not None:
            for whole, part in zip(troop.memory, view.memory, strict=True):
                whole[rows] = part


def _conduct_some(experiment: Experiment, first: int, copies: int, *, compiled: bool) -> tuple[Any, ...]:
    """Run the sessions from `first` on side by side."""
    market = experiment.market
    floor = Floor(market, copies, ties=experiment.ties)
    crowd = Crowd(experiment, floor, first)
    rng = stream(experiment.seed, "laboratory", "activation", first)
    lane = _fast_lane(floor, crowd, experiment) if compiled and suits(experiment.traders) else None
    rows: list[list[FloatArray]] = []
    quotes = 0
    for day in range(experiment.days):
        crowd.slot = day
        floor.open()
        if lane is None:
            quotes += _hold(experiment, floor, crowd, rng)
        else:
            quotes += lane.hold(experiment.protocol, experiment.activations, rng, idle=experiment.idle_polls)
        rows.append(_measure(floor, market, crowd.kind, len(experiment.traders)))
    columns = [np.stack(each) for each in zip(*rows, strict=True)]
    columns[-1] = np.moveaxis(columns[-1], 0, 1)
    return (*columns, quotes)


def _fast_lane(floor: Floor, crowd: Crowd, experiment: Experiment) -> FastLane:
    memories, streams = zip(*((troop.memory, troop.rng) for troop in crowd.troops), strict=True)
    return FastLane(floor, experiment.traders, crowd.kind, memories, streams)


def _hold(experiment: Experiment, floor: Floor, crowd: Crowd, rng: np.random.Generator) -> int:
    """Hold a period; return the number of quotes asked for."""
    rational = all(strategy.keeps_limit for strategy in experiment.traders)
    protocol = PROTOCOLS[experiment.protocol]
    quotes = 0
    for _ in range(experiment.activations):
        pits = floor.going(rational=rational)
        if not pits.size:
            break
        quotes += protocol(floor, crowd, pits, floor.pick(pits, rng, idle=experiment.idle_polls), rng)
    return quotes


def _measure(floor: Floor, market: Market, kind: IntArray, kinds: int) -> list[FloatArray]:
    """Return the figures of the period that has ended, in the order of `Outcome`."""
    profit = floor.profit.reshape(floor.copies, -1)
    count = floor.trades.astype(np.float64)
    some = np.where(count > 0, count, np.nan)
    square = (floor.squares - 2 * market.price * floor.sums) / some + market.price**2
    shares = [
        np.where(kind == each, floor.profit, 0.0).reshape(floor.copies, -1).sum(axis=1)
        / (kind == each).reshape(floor.copies, -1).sum(axis=1)
        for each in range(kinds)
    ]
    return [
        profit.sum(axis=1) / (market.surplus or np.nan),
        np.sqrt(np.maximum(square, 0.0)) / market.price,
        floor.sums / some,
        count,
        np.sqrt(np.mean((profit - market.equilibrium_profit) ** 2, axis=1)),
        np.stack(shares),
    ]
