"""The contract between a strategy and the market: what it sees (`View`), what it says (`Quotes`), how it is found.

A strategy acts on a cohort, all homes that share it, as arrays; it never sees the simulation's state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from sunshare_sim.errors import StrategyError, describe, did_you_mean
from sunshare_sim.units import FloatArray, IntArray

ENTRY_POINTS: Final = "sunshare_sim.strategies"
_BUILT_IN: Final = ("basic", "zero_intelligence")


@dataclass(frozen=True, slots=True)
class View:
    """Show a cohort what its homes may know when they quote: own meters, public prices, nothing else.

    Attributes
    ----------
    slot : int
        Number of the slot.
    net_kwh : FloatArray
        Metered net of each home [kWh]; > 0 is a deficit, < 0 a surplus; shape [homes].
    side : FloatArray
        +1 where the home would bid, -1 where it would ask, 0 where it has nothing to trade; shape [homes].
    soc_kwh : FloatArray
        Energy in each home's own battery [kWh]; shape [homes].
    retail_price, feed_in_price : float
        The grid's published prices in this slot [currency/kWh].
    last_price : float
        Mean price of the last slot that had local trades, before that the mean of retail and feed-in [currency/kWh].
    cap_price : float
        Highest price the market takes [currency/kWh]; the lowest is one tick.
    rng : numpy.random.Generator
        The cohort's own stream. Draw for every home, needed or not, so that runs stay paired.
    """

    slot: int
    net_kwh: FloatArray
    side: FloatArray
    soc_kwh: FloatArray
    retail_price: float
    feed_in_price: float
    last_price: float
    cap_price: float
    rng: np.random.Generator


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


class Tape(NamedTuple):
    """Hold what a slot's market made public: orders and trades in time order, without names.

    Attributes
    ----------
    side, order_price, order_quantity
        Of each order [+1 bid or -1 ask; currency/kWh; kWh], shape [orders].
    price, quantity
        Of each trade, price to the seller [currency/kWh; kWh], shape [trades].
    """

    side: IntArray
    order_price: FloatArray
    order_quantity: FloatArray
    price: FloatArray
    quantity: FloatArray


class Strategy:
    """Base of every strategy: a frozen dataclass of its parameters with one method, `quote`."""

    def quote(self, view: View) -> Quotes:  # noqa: ARG002 - the contract
        """Return the cohort's quotes for this slot."""
        raise StrategyError(describe("a strategy must define quote(view)", where=type(self).__name__))

    def learn(self, view: View, tape: Tape) -> None:
        """Take in what the slot's market made public; strategies that do not learn leave it as it is."""


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
        known = _REGISTRY.setdefault(name, cls)
        # A notebook cell that is run again defines its class again: same name, same home, newer text.
        if known is not cls:
            if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                raise StrategyError(
                    describe(
                        "name already taken",
                        where=f"strategy({name!r})",
                        got=cls.__qualname__,
                        expected=f"a name other than that of {known.__module__}.{known.__qualname__}",
                    )
                )
            _REGISTRY[name] = cls
        return cls

    return register


def strategies() -> Mapping[str, type[Strategy]]:
    """Return all registered strategies by name, those of other installed packages included."""
    for module in _BUILT_IN:
        import_module(f"sunshare_sim.agents.{module}")
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name not in _REGISTRY:
            _REGISTRY[entry.name] = entry.load()
    return dict(sorted(_REGISTRY.items()))


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
    if name not in known:
        raise StrategyError(
            describe(
                "unknown strategy",
                where=where,
                got=name,
                expected="one of " + ", ".join(known),
                hint=did_you_mean(name, known),
            )
        )
    cls = known[name]
    valid: list[str] = [field.name for field in fields(cls) if field.init] if is_dataclass(cls) else []
    for key in parameters or {}:
        if key not in valid:
            raise StrategyError(
                describe(
                    f"unknown parameter of {name}",
                    where=where,
                    got=key,
                    expected="one of " + (", ".join(valid) or "none at all"),
                    hint=did_you_mean(key, valid),
                )
            )
    return cls(**(parameters or {}))


def check_quotes(quotes: Quotes, view: View, *, cohort: str) -> None:
    """Hold a strategy to its contract: shapes, finite numbers, prices and quantities within what is allowed.

    Raises
    ------
    StrategyError
        Naming cohort, slot, home (its row in the cohort) and value.
    """
    where = f"cohort {cohort}, slot {view.slot}"
    for name, values in zip(Quotes._fields, quotes, strict=True):
        if np.shape(values) != view.net_kwh.shape:
            raise StrategyError(
                describe(
                    f"{name} has the wrong shape",
                    where=where,
                    got=np.shape(values),
                    expected=str(view.net_kwh.shape),
                )
            )
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
