"""The contract between a strategy and the market: what it sees (`View`), what it says (`Quotes`), how it is found.

A strategy acts on a cohort, all homes that share it, as arrays; it never sees the simulation's state. Its parameters
are a frozen dataclass; what it learns lies in arrays with one row a home, made by `start`, kept by the desk (or the
laboratory) and handed in as `view.memory`. So a strategy pickles, and one home alone gets what it gets in a cohort.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Final, NamedTuple, TypeVar, cast

import numpy as np

from sunshare_sim.agents.blame import raise_in
from sunshare_sim.errors import StrategyError, describe
from sunshare_sim.registry import enter, gather, require_known
from sunshare_sim.units import FloatArray, IntArray

ENTRY_POINTS: Final = "sunshare_sim.strategies"
_BUILT_IN: Final = (
    "adaptive_aggressive",
    "basic",
    "enterprise",
    "gjerstad_dickhaut",
    "predictive",
    "roth_erev",
    "rules",
    "set_and_forget",
    "shaver",
    "zero_intelligence",
    "zip",
)
NOTHING: Final = np.empty(0)
NOTHING.setflags(write=False)
NO_SIDES: Final = np.empty(0, dtype=np.int64)
NO_SIDES.setflags(write=False)

Each = float | FloatArray  # one value for all homes, or one for each


class Tape(NamedTuple):
    """Hold what a market made public over a slot or round: orders and trades in time order, without names.

    In the laboratory, where many markets run side by side, the arrays have a second axis: each home sees the tape
    of its own market, and a place where that market had nothing holds NaN.

    Attributes
    ----------
    side, order_price, order_quantity
        Of each order [+1 bid or -1 ask; currency/kWh; kWh], shape [orders] or [orders, homes].
    price, quantity
        Of each trade, price to the seller [currency/kWh; kWh], shape [trades] or [trades, homes].
    taken_at
        Of each order, the price to the seller at which it traded as it arrived [currency/kWh], NaN when it did not;
        shape as `order_price`.
    """

    side: IntArray
    order_price: FloatArray
    order_quantity: FloatArray
    price: FloatArray
    quantity: FloatArray
    taken_at: FloatArray = NOTHING

    def shouts(self, count: int, homes: int) -> FloatArray:
        """Return side, price and `taken_at` of up to `count` orders, evenly spaced up to the last one.

        Returns
        -------
        FloatArray
            Read-only, shape [3, orders, homes], oldest first.
        """
        last = len(self.order_price) - 1
        rows = _evenly(last, count) if last >= count else slice(None)
        price = self.order_price[rows]
        columns = np.empty((3, *price.shape))
        columns[0], columns[1] = self.side[rows], price
        columns[2] = self.taken_at[rows] if self.taken_at.size else np.nan
        if columns.ndim == 2:
            columns = columns[:, :, None]
        return np.broadcast_to(columns, (*columns.shape[:2], homes))


def _evenly(last: int, count: int) -> IntArray:
    """Return `count` whole numbers evenly spaced up to `last`, which is at least `count`; rising, from 0."""
    if count < 2:
        return np.array([last] * count, dtype=np.int64)
    steps: IntArray = (np.arange(count) * (-last / (count - 1)) + last).astype(np.int64)
    steps[-1] = 0
    return steps[::-1]


NO_TAPE: Final = Tape(NO_SIDES, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class View:
    """Show a cohort what its homes may know when they quote: own meters, public prices, nothing else.

    Attributes
    ----------
    slot : int
        Number of the slot.
    net_kwh : FloatArray
        What each home has still to trade [kWh]: its metered net, less what it has traded in the slot's earlier
        rounds; > 0 is a deficit, < 0 a surplus; shape [homes].
    side : FloatArray
        +1 where the home's meter shows a deficit, -1 a surplus, 0 neither; the same in all rounds of a slot; shape
        [homes].
    soc_kwh : FloatArray
        Energy in each home's own battery [kWh]; shape [homes].
    retail_price, feed_in_price : float or FloatArray
        The grid's published prices in this slot [currency/kWh]. They are the outside option: in the laboratory
        a buyer's retail price is its own value, a seller's feed-in price its own cost, each shape [homes].
    last_price : float or FloatArray
        Mean price of the last slot that had local trades, before that the mean of retail and feed-in [currency/kWh].
    cap_price : float
        Highest price the market takes [currency/kWh]; the lowest is one tick.
    rng : numpy.random.Generator
        The cohort's own stream. Draw for every home, needed or not, so that runs stay paired; one draw of shape
        [homes, ...] a call, so that homes asked one by one get the same numbers.
    best_bid, best_ask : float or FloatArray
        The best standing orders [currency/kWh], NaN where there is none: of the other side, what the best bid would
        leave it after charges or the best ask cost it with charges; of its own side, what its rivals quote.
    tape : Tape
        What the market made public last: the round before this one.
    memory : Any
        What `Strategy.start` returned, a NamedTuple of arrays with one row a home; change it in place.
    tick : float
        Step of the market's prices [currency/kWh]; 0 where it does not matter.
    round : int
        Number of the round in the slot.
    hour : float
        Local time of day at the start of the slot [h].
    weekday : int
        Local day of the week, Monday = 0.
    gain : float or FloatArray
        In `learn`: what each home's own trades of the round saved or earned it against the grid [currency].
    """

    slot: int
    net_kwh: FloatArray
    side: FloatArray
    soc_kwh: FloatArray
    retail_price: Each
    feed_in_price: Each
    last_price: Each
    cap_price: float
    rng: np.random.Generator
    best_bid: Each = np.nan
    best_ask: Each = np.nan
    tape: Tape = NO_TAPE
    memory: Any = None
    tick: float = 0.0
    round: int = 0
    hour: float = 0.0
    weekday: int = 0
    gain: Each = 0.0

    @property
    def limit_price(self) -> FloatArray:
        """Return what the grid would charge each buyer or pay each seller [currency/kWh]: its rational limit."""
        return np.where(self.side > 0, self.retail_price, self.feed_in_price)

    def of(self, rows: slice | IntArray) -> "View":
        """Return the view of some of the homes; with a slice, its memory is theirs too, not a copy."""
        own: dict[str, Any] = {name: _rows(getattr(self, name), rows) for name in _PER_HOME}
        tape = self.tape
        if tape.order_price.ndim > 1:
            columns: list[Any] = [column[:, rows] if column.ndim > 1 else column for column in tape]
            tape = Tape(*columns)
        memory = None if self.memory is None else type(self.memory)(*(each[rows] for each in self.memory))
        return replace(self, tape=tape, memory=memory, **own)


_PER_HOME: Final = (
    "net_kwh",
    "side",
    "soc_kwh",
    "retail_price",
    "feed_in_price",
    "last_price",
    "best_bid",
    "best_ask",
    "gain",
)


def _rows(value: Each, rows: slice | IntArray) -> Each:
    """Return some rows of what is given for each home; one value for all stays as it is."""
    return cast("Each", value[rows]) if isinstance(value, np.ndarray) else value


class Quotes(NamedTuple):
    """Say what the homes of a cohort wish: a limit price and a quantity each.

    Attributes
    ----------
    price : FloatArray
        Limit price [currency/kWh]: the most a bid pays, all charges included; the least an ask gets; shape [homes].
    quantity : FloatArray
        Energy [kWh], at most the metered deficit or surplus; 0 for no order; shape [homes].
    """

    price: FloatArray
    quantity: FloatArray


class Strategy:
    """Base of every strategy: a frozen dataclass of its parameters with one method, `quote`.

    Those that learn also have `start`, which makes the memory of a cohort, and `learn`. A strategy object itself never
    changes.

    Attributes
    ----------
    keeps_limit : bool
        Whether it claims never to bid above a home's retail price or to ask below its feed-in price.
    history : int
        How many orders back it looks in `view.tape`.
    rounds : int
        Rounds of a slot after which the energy it trades has settled (docs/validation.md), used where a scenario does
        not say `market.rounds`; 1 for one that quotes the same however often it is asked.
    """

    keeps_limit: ClassVar[bool] = False
    history: ClassVar[int] = 0
    rounds: ClassVar[int] = 16

    def start(self, homes: int, rng: np.random.Generator) -> Any:  # noqa: ARG002 - the contract
        """Return the memory of a cohort: a NamedTuple of arrays with one row a home; None without memory."""
        return None

    def quote(self, view: View) -> Quotes:  # noqa: ARG002 - the contract
        """Return the cohort's quotes.

        Raises
        ------
        StrategyError
            When the strategy does not define it.
        """
        raise StrategyError(describe("a strategy must define quote(view)", where=type(self).__name__))

    def learn(self, view: View, tape: Tape) -> None:
        """Take in what a round made public, `view` being what the homes know after it; by default nothing."""


S = TypeVar("S", bound=type[Strategy])
_REGISTRY: dict[str, type[Strategy]] = {}


def strategy(name: str) -> Callable[[S], S]:
    """Register a strategy class under the name that scenarios use.

    Raises
    ------
    StrategyError
        When another class already has the name.
    """

    def register(cls: S) -> S:
        enter(_REGISTRY, name, cls, where=f"strategy({name!r})", error=StrategyError)
        return cls

    return register


def strategies() -> Mapping[str, type[Strategy]]:
    """Return all registered strategies by name, those of other installed packages included."""
    built_in = [f"sunshare_sim.agents.{module}" for module in _BUILT_IN]
    return gather(_REGISTRY, built_in, entry_points(group=ENTRY_POINTS), _loaded)


def _loaded(entry: EntryPoint) -> type[Strategy]:
    """Return the strategy of another package."""
    where = f"entry point {entry.name} = {entry.value} of the group {ENTRY_POINTS}"
    try:
        found = entry.load()
    except Exception as error:
        raise StrategyError(describe("strategy cannot be loaded", where=where, got=repr(error))) from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise StrategyError(
            describe("not a strategy", where=where, got=found, expected="a subclass of sunshare_sim.Strategy")
        )
    return found


def make_strategy(
    name: str, parameters: Mapping[str, Any] | None = None, *, where: str = "strategy"
) -> Strategy:
    """Return the strategy `name` with its parameters set.

    Raises
    ------
    StrategyError
        When the name or a parameter is unknown; the message names the nearest valid one.
    """
    known = strategies()
    require_known(name, known, what="strategy", where=where, error=StrategyError)
    cls = known[name]
    valid: list[str] = [field.name for field in fields(cls) if field.init] if is_dataclass(cls) else []
    for key in parameters or {}:
        require_known(key, valid, what=f"parameter of {name}", where=where, error=StrategyError)
    return cls(**(parameters or {}))


def check_quotes(quotes: Quotes, view: View, *, cohort: str, strategy: Strategy | None = None) -> Quotes:
    """Hold a strategy to its contract: shapes, finite numbers, prices and quantities within what is allowed.

    Parameters
    ----------
    quotes : Quotes
        What the strategy returned.
    view : View
        What it was shown.
    cohort : str
        Name of the cohort, for the message.
    strategy : Strategy, optional
        Who returned it: the traceback then ends in its `quote`.

    Returns
    -------
    Quotes
        The same as arrays of numbers.

    Raises
    ------
    StrategyError
        Naming cohort, slot, home (its row in the cohort) and value.
    """
    where = f"cohort {cohort}, slot {view.slot}"
    try:
        checked = _as_arrays(quotes, view, where)
        _check_bounds(checked, view, where)
    except StrategyError as error:
        if strategy is None:
            raise
        raise_in(type(strategy).quote, error.with_traceback(None))
    return checked


def _as_arrays(quotes: Any, view: View, where: str) -> Quotes:
    """Return what a strategy returned as two arrays of numbers, one a home."""
    if not isinstance(quotes, Quotes):
        expected = "Quotes(price, quantity)"
        raise StrategyError(
            describe("quote must return Quotes", where=where, got=type(quotes).__name__, expected=expected)
        )
    arrays = []
    for name, values in zip(Quotes._fields, quotes, strict=True):
        try:
            array = np.asarray(values)
        except ValueError as error:  # rows of different lengths
            raise StrategyError(describe(f"{name} is no array: {error}", where=where)) from error
        if array.shape != view.net_kwh.shape:
            shape = str(view.net_kwh.shape)
            raise StrategyError(
                describe(f"{name} has the wrong shape", where=where, got=array.shape, expected=shape)
            )
        if array.dtype.kind not in "biuf":
            raise StrategyError(
                describe(f"{name} is not made of numbers", where=where, got=array.dtype, expected="float64")
            )
        arrays.append(array)
    return Quotes(*arrays)


def _check_bounds(quotes: Quotes, view: View, where: str) -> None:
    """Raise when a price or a quantity is not allowed."""
    metered = np.abs(view.net_kwh)
    # One pass when all is well: comparisons with NaN are false, so a NaN ends up among the bad ones.
    price_ok = (quotes.price >= 0.0) & (quotes.price <= view.cap_price + 1e-9)
    quantity_ok = (quotes.quantity >= 0.0) & (quotes.quantity <= metered + 5e-7)
    idle = quotes.quantity == 0.0
    good = (price_ok & quantity_ok) | (idle & np.isfinite(quotes.price))
    if good.all():
        return
    row = int(np.argmin(good))
    name, value, bounds = (
        ("quantity", quotes.quantity[row], f"0 to the metered {metered[row]:.6f} kWh")
        if price_ok[row]
        else ("price", quotes.price[row], f"0 to {view.cap_price:g} currency/kWh")
    )
    raise StrategyError(
        describe(f"{name} not allowed", where=f"{where}, home {row}", got=float(value), expected=bounds)
    )


def require(strategy: Strategy, name: str, low: float, high: float = np.inf) -> None:
    """Hold a parameter of a strategy to its range; for use in `__post_init__`.

    Parameters
    ----------
    strategy : Strategy
        Whose parameter it is.
    name : str
        The parameter.
    low, high : float
        The range, both ends allowed.

    Raises
    ------
    StrategyError
        When the value is no number, NaN or out of range.
    """
    value = getattr(strategy, name)
    if isinstance(value, int | float | np.number) and low <= value <= high:
        return
    expected = f"{low:g} or more" if high == np.inf else f"{low:g} to {high:g}"
    where = f"{type(strategy).__name__}.{name}"
    raise StrategyError(describe("out of range", where=where, got=value, expected=expected))
