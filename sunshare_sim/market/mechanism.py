"""What a market mechanism is: the rules it may know, the call that clears a slot, what it claims, and how it is found.

A mechanism sees pools, a matrix of charges and orders, all integers; no grid and no people. It is chosen by
name, and other packages add theirs under the entry point group `sunshare_sim.mechanisms`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self, TypeVar, cast, runtime_checkable

import numpy as np

from sunshare_sim.errors import OrderError, describe, did_you_mean
from sunshare_sim.market._checks import is_number, is_whole
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.registry import enter, gather, require_known
from sunshare_sim.units import IntArray

ENTRY_POINTS: Final = "sunshare_sim.mechanisms"
HIGHEST_LEVELS: Final = 1 << 24
PRICINGS: Final = ("ask", "resting", "midpoint")
_BUILT_IN: Final = ("auction", "continuous", "posted", "sharing")


class Claim(StrEnum):
    """Name a property a mechanism may claim; `check_mechanism` holds it to those it does claim.

    What every mechanism must keep needs no claim: no order beyond its size, no trade over a forbidden pair or
    with oneself, no empty fills, buyers pay what sellers, network and operator get, and the same result from
    the same seed.
    """

    # No allocation has higher gains from trade, net of charges.
    WELFARE_OPTIMAL = "welfare_optimal"
    # The most energy among the allocations of highest welfare.
    VOLUME_OPTIMAL = "volume_optimal"
    # Nobody trades beyond a limit price.
    INDIVIDUALLY_RATIONAL = "individually_rational"
    # Given a generator, the order of submission changes no one's energy or money.
    ORDER_INDEPENDENT = "order_independent"
    # All sellers of a pool get one price, all its buyers pay one.
    ONE_PRICE = "one_price"


class ReferencePrices(NamedTuple):
    """Give the grid's prices in a slot [ticks]: what it charges and what it pays for energy."""

    retail: int
    feed_in: int


class Clearing(NamedTuple):
    """Hold what a mechanism made of a slot's orders.

    Attributes
    ----------
    fills : Fills
        The trades; `bid_id` and `ask_id` are rows of the slot's orders. A fill's charge is that of its pair
        of pools, plus the operator's part where the mechanism keeps one.
    operator_surplus : int
        What the fills' charges hold above the matrix of charges, stated by the mechanism [ticks x 1e-6 kWh].
    """

    fills: Fills
    operator_surplus: int = 0


@dataclass(frozen=True, eq=False)
class MarketRules:
    """Hold what a mechanism may know of its market; only the charges may change between slots.

    Parameters
    ----------
    pools : int
        Number of pools.
    charges : IntArray
        Charge from seller pool to buyer pool [ticks], negative = forbidden; shape [buyer pools, seller pools].
    price_levels : int
        Limit prices are 1 to price_levels - 1 ticks.
    pricing : str
        What a seller gets in continuous trading: "ask", "resting" or "midpoint".
    k : float or Fraction
        Where a call auction sets its price between the lowest (0) and the highest (1) clearing price. A float
        is read as the nearest fraction with a denominator up to 1000, so that the price is exact.
    capacity : IntArray, optional
        Most that each pair of pools may trade in a slot [1e-6 kWh], negative = unlimited; shape [buyer pools,
        seller pools]. A mechanism that cannot hold it refuses it.
    lifetime : int, optional
        Slots that an order may stand in a continuous market; None = until it is filled or cancelled.
    """

    pools: int
    charges: IntArray
    price_levels: int
    pricing: str = "ask"
    k: float | Fraction = Fraction(1, 2)
    capacity: IntArray | None = None
    lifetime: int | None = 1

    def __post_init__(self) -> None:
        where = "market rules"
        for name, matrix in (("charges", self.charges), ("capacities", self.capacity)):
            if matrix is None:
                continue
            if self.pools < 1 or matrix.shape != (self.pools, self.pools) or matrix.dtype != np.int64:
                got = f"{matrix.dtype} {matrix.shape}"
                expected = f"int64 ({self.pools}, {self.pools})"
                raise OrderError(describe(f"not a matrix of {name}", where=where, got=got, expected=expected))
        if self.charges.max(initial=0) >= HIGHEST_LEVELS:
            got, expected = str(self.charges.max()), f"below {HIGHEST_LEVELS} ticks"
            raise OrderError(describe("charge too high", where=where, got=got, expected=expected))
        if not is_whole(self.price_levels) or not 2 <= self.price_levels <= HIGHEST_LEVELS:
            expected = f"2 to {HIGHEST_LEVELS}"
            raise OrderError(
                describe("price_levels out of range", where=where, got=self.price_levels, expected=expected)
            )
        if str(self.pricing) not in PRICINGS:
            expected, hint = " or ".join(PRICINGS), did_you_mean(str(self.pricing), PRICINGS)
            raise OrderError(
                describe("unknown pricing", where=where, got=self.pricing, expected=expected, hint=hint)
            )
        if not (is_number(self.k) and 0 <= self.k <= 1):
            raise OrderError(describe("k out of range", where=where, got=self.k, expected="0 to 1"))
        if self.lifetime is not None and (not is_whole(self.lifetime) or self.lifetime < 1):
            expected = "1 or more slots, or None"
            raise OrderError(
                describe("lifetime out of range", where=where, got=self.lifetime, expected=expected)
            )

    def with_charges(self, charges: IntArray) -> Self:
        """Return the rules with other charges; the same object where they are not other."""
        return self if np.array_equal(charges, self.charges) else replace(self, charges=charges.copy())

    def refuse_capacity(self, name: str) -> None:
        """Raise when pairs of pools have a capacity, which the mechanism `name` cannot hold."""
        if self.capacity is not None:
            raise OrderError(
                describe(
                    f"{name} knows no capacities between pools",
                    where="market rules",
                    expected="a mechanism on the order book: cda, posted_seller, posted_buyer",
                    hint="forbid a pair by a negative charge instead",
                )
            )

    @property
    def k_ratio(self) -> Fraction:
        """Return k as an exact fraction."""
        return Fraction(self.k).limit_denominator(1000)


class Mechanism(Protocol):
    """Clear the orders of one slot after another; made once for a run by `make_mechanism`."""

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]]

    def clear(
        self, orders: Orders, reference: ReferencePrices, rng: np.random.Generator | None = None
    ) -> Clearing:
        """Match one slot's orders; what is left unmatched is dropped, unless `MarketRules.lifetime` lets it stand.

        Parameters
        ----------
        orders : Orders
            The slot's orders in order of arrival; limits are all-in for bids, net for asks.
        reference : ReferencePrices
            The grid's prices in this slot.
        rng : numpy.random.Generator, optional
            Source of the draws that break ties; without it ties go by arrival, or by a rule the mechanism states.
        """
        ...


@runtime_checkable
class TakesCharges(Protocol):
    """A mechanism whose charges may change between slots: tariffs by the hour, congestion, islands."""

    def set_charges(self, charges: IntArray) -> None:
        """Take the charges that hold from the next `clear` on [ticks]; shape [buyer pools, seller pools].

        What these make matchable among standing orders is part of what the next `clear` returns.
        """
        ...


def tell_charges(mechanism: Mechanism, charges: IntArray, first: IntArray) -> None:
    """Tell a mechanism the slot's charges; it was made with `first`.

    Raises
    ------
    OrderError
        When they are other than the first and the mechanism has no `set_charges`.
    """
    set_charges = getattr(mechanism, "set_charges", None)  # isinstance of a protocol takes 17 us
    if set_charges is not None:
        set_charges(charges)
    elif charges is not first and not np.array_equal(charges, first):
        raise OrderError(
            describe(
                "charges that change between slots",
                where=f"mechanism {getattr(mechanism, 'name', type(mechanism).__name__)!r}",
                expected="a mechanism with the method set_charges(charges)",
                hint="add it; `self.rules = self.rules.with_charges(charges)` is often all",
            )
        )


M = TypeVar("M", bound=type[Any])
_REGISTRY: dict[str, type[Any]] = {}


def mechanism(name: str) -> Callable[[M], M]:
    """Register a mechanism class under the name that scenarios use.

    The class is made with the market's rules as its only positional argument; keyword arguments are its options.

    Raises
    ------
    OrderError
        When another class already has the name.
    """

    def register(cls: M) -> M:
        enter(_REGISTRY, name, cls, where=f"mechanism({name!r})", error=OrderError)
        cls.name = name
        return cls

    return register


def mechanisms() -> Mapping[str, type[Mechanism]]:
    """Return all registered mechanisms by name, those of other installed packages included."""
    built_in = [f"sunshare_sim.market.{module}" for module in _BUILT_IN]
    return gather(_REGISTRY, built_in, entry_points(group=ENTRY_POINTS), _loaded)


def _loaded(entry: EntryPoint) -> type[Mechanism]:
    """Return the mechanism of another package."""
    where = f"entry point {entry.name} = {entry.value} of the group {ENTRY_POINTS}"
    try:
        found = entry.load()
    except Exception as error:
        raise OrderError(describe("mechanism cannot be loaded", where=where, got=repr(error))) from error
    if not (isinstance(found, type) and callable(getattr(found, "clear", None))):
        raise OrderError(
            describe("not a mechanism", where=where, got=found, expected="a class with the method clear")
        )
    return mechanism(entry.name)(found)


def mechanism_names() -> tuple[str, ...]:
    """Return the names a scenario may choose from, in alphabetical order."""
    return tuple(mechanisms())


def mechanism_class(name: str) -> type[Mechanism]:
    """Return the class registered under `name`.

    Raises
    ------
    OrderError
        When there is none; the message names the nearest valid name.
    """
    known = mechanisms()
    require_known(name, known, what="mechanism", where="market.mechanism", error=OrderError)
    return known[name]


def make_mechanism(name: str, rules: MarketRules, /, **options: Any) -> Mechanism:
    """Return the mechanism `name` for a market with these rules.

    Raises
    ------
    OrderError
        When the name or an option is unknown; the message names the nearest valid one.
    """
    make = cast("Callable[..., Mechanism]", mechanism_class(name))
    valid = list(signature(make).parameters)[1:]
    for option in options:
        require_known(option, valid, what=f"option of {name}", where="market.parameters", error=OrderError)
    return make(rules, **options)
