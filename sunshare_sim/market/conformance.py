"""Hold any market mechanism, ours or a third party's, to what it must keep and what it claims, on random books."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from sunshare_sim.errors import OrderError, describe, did_you_mean
from sunshare_sim.market._checks import whole
from sunshare_sim.market._random_books import PRICE_LEVELS, optimum, random_book, random_rules
from sunshare_sim.market.mechanism import (
    Claim,
    Clearing,
    MarketRules,
    Mechanism,
    ReferencePrices,
    make_mechanism,
    mechanism_class,
)
from sunshare_sim.market.orders import NEVER, Fills, Orders
from sunshare_sim.streams import stream
from sunshare_sim.units import ASK, BID, IntArray

BOOKS_A_MARKET: Final = 10
MOST_POOLS: Final = 256


class Case(NamedTuple):
    """Hold one book and what the mechanism made of it.

    A twin cleared the same orders with the same seed, a third member the orders shuffled. `told` is what a fourth
    made of them that was told the charges between slots; None where the mechanism cannot be told. `unit` divides
    all quantities.
    """

    rules: MarketRules
    orders: Orders
    unit: int
    clearing: Clearing
    twin: Clearing
    shuffled: Orders
    shuffled_clearing: Clearing
    told: Clearing | None


@dataclass(frozen=True)
class Check:
    """Tell how a mechanism did in one property."""

    name: str
    claimed: bool
    failures: int
    example: str

    @property
    def passed(self) -> bool:
        """Return whether the property held, or was not claimed."""
        return not self.claimed or self.failures == 0


@dataclass(frozen=True, repr=False)
class ConformanceReport:
    """Tell how a mechanism did on a number of random books, property by property."""

    mechanism: str
    books: int
    seed: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Return whether every property that is required or claimed held on every book."""
        return all(check.passed for check in self.checks)

    def __repr__(self) -> str:
        """Return one line a property."""
        lines = [
            f"{self.mechanism}: {'passed' if self.passed else 'FAILED'}, {self.books} books, seed {self.seed}"
        ]
        for check in self.checks:
            if not check.claimed:
                lines.append(f"  -     {check.name}: not claimed")
            elif check.passed:
                lines.append(f"  ok    {check.name}")
            else:
                lines.append(f"  FAIL  {check.name}: {check.failures} books; first: {check.example}")
        return "\n".join(lines)

    def raise_on_failure(self) -> None:
        """Raise when a property did not hold.

        Raises
        ------
        OrderError
            Holding the whole report.
        """
        if not self.passed:
            raise OrderError(f"mechanism does not conform\n{self!r}")


def check_mechanism(
    mechanism: str | type[Mechanism], *, books: int = 300, seed: int = 0, most_pools: int = 6, **options: Any
) -> ConformanceReport:
    """Check a mechanism on random books: ties, pools, forbidden pairs, shared owners, tiny and huge orders.

    Parameters
    ----------
    mechanism : str or class
        A registered name, or a class that takes `MarketRules`. Where it has `set_charges`, that is checked too.
    books : int
        Number of random books.
    seed : int
        Seed of the books and of the mechanism's own draws.
    most_pools : int
        Markets have up to so many pools, with charges; 1 for a mechanism that knows neither.
    **options
        The mechanism's own options.

    Returns
    -------
    ConformanceReport
        Printed, it shows one line a property; `passed` sums it up; `raise_on_failure` raises.

    Examples
    --------
    >>> check_mechanism("none", books=20).passed
    True
    """
    whole("books", books, 1, NEVER)
    whole("seed", seed, 0, NEVER)
    whole("most_pools", most_pools, 1, MOST_POOLS)
    cls: object = mechanism_class(mechanism) if isinstance(mechanism, str) else mechanism
    if not isinstance(cls, type):
        expected = "a registered name, or a class"
        raise OrderError(describe("no mechanism", where="check_mechanism", got=cls, expected=expected))
    name = mechanism if isinstance(mechanism, str) else getattr(cls, "name", cls.__name__)
    claims = frozenset(getattr(cls, "claims", ()))
    for unknown in claims - frozenset(Claim):
        where, expected = f"claims of {name}", ", ".join(Claim)
        hint = did_you_mean(str(unknown), [claim.value for claim in Claim])
        raise OrderError(describe("unknown claim", where=where, got=unknown, expected=expected, hint=hint))

    def make(rules: MarketRules) -> Mechanism:
        if isinstance(mechanism, str):
            return make_mechanism(mechanism, rules, **options)
        return mechanism(rules, **options)  # type: ignore[call-arg]  # a protocol has no constructor

    problems: dict[str, list[str]] = defaultdict(list)
    for book, case in enumerate(_cases(make, books, seed, most_pools)):
        for check_name, problem in _problems(case, claims):
            problems[check_name].append(f"book {book}: {problem}")
    checks = [("clears every book", None), *((name, claim) for name, (claim, _) in PROPERTIES.items())]
    return ConformanceReport(
        mechanism=name,
        books=books,
        seed=seed,
        checks=tuple(
            Check(
                name=check_name,
                claimed=claim is None or claim in claims,
                failures=len(problems[check_name]),
                example=next(iter(problems[check_name]), ""),
            )
            for check_name, claim in checks
        ),
    )


def _problems(case: Case | Exception, claims: frozenset[Claim]) -> Iterator[tuple[str, str]]:
    """Yield the properties that do not hold, each with what is wrong."""
    if isinstance(case, Exception):
        yield "clears every book", f"{type(case).__name__}: {case}"
        return
    problem = _misreferenced(case)
    if problem:  # nothing else can be judged
        yield REFERENCES, problem
        return
    for name, (claim, find) in PROPERTIES.items():
        if claim is None or claim in claims:
            problem = find(case)
            if problem:
                yield name, problem


# Books


def _cases(
    make: Callable[[MarketRules], Mechanism], books: int, seed: int, most_pools: int
) -> Iterator[Case | Exception]:
    """Yield random books with what the mechanism makes of them; an exception where it fails."""
    rng = stream(seed, "conformance", "books")
    for first in range(0, books, BOOKS_A_MARKET):
        rules = random_rules(rng, most_pools)
        market: list[Mechanism] = []
        for book in range(first, min(first + BOOKS_A_MARKET, books)):
            orders, unit = random_book(rng, rules.pools, book % BOOKS_A_MARKET)
            shuffled = Orders(*(np.array(orders)[:, rng.permutation(len(orders.owner))]))
            retail, feed_in = sorted(int(p) for p in rng.integers(1, PRICE_LEVELS, 2))[::-1]
            reference = ReferencePrices(retail, feed_in)
            batches = (orders, orders, shuffled, orders)
            try:
                others = stream(seed, "conformance", "charges", first).integers(0, 9, rules.charges.shape)
                market = market or _members(make, rules, others)
                if book == first:
                    _clear_nothing(make(replace(rules, charges=rules.charges.copy())), reference)
                clearings = [
                    _cleared(member, batch, reference, stream(seed, "conformance", "ties", book))
                    for member, batch in zip(market, batches[: len(market)], strict=True)
                ]
            except Exception as error:  # noqa: BLE001 - whatever a third party raises is a finding
                yield error
            else:
                told = clearings[3] if len(market) > 3 else None
                yield Case(rules, orders, unit, clearings[0], clearings[1], shuffled, clearings[2], told)


def _members(
    make: Callable[[MarketRules], Mechanism], rules: MarketRules, others: IntArray
) -> list[Mechanism]:
    """Return three of the mechanism, and a fourth that had other charges first where it can be told."""

    def own(charges: IntArray) -> MarketRules:  # nobody can change what we compare with
        return replace(rules, charges=charges.copy())

    market = [make(own(rules.charges)) for _ in range(3)]
    fourth: Any = make(own(others))
    if hasattr(fourth, "set_charges"):
        fourth.set_charges(rules.charges.copy())
        market.append(fourth)
    return market


def _clear_nothing(member: Mechanism, reference: ReferencePrices) -> None:
    """Raise when a mechanism cannot clear an empty book, or clears one without a generator, or trades in it."""
    nothing = Orders(*np.empty((len(Orders._fields), 0), dtype=np.int64))
    clearing = _cleared(member, nothing, reference, None)
    if clearing.fills.count or clearing.operator_surplus:
        raise OrderError(describe("trades without orders", where="clear", got=clearing.fills.count))


def _cleared(
    member: Mechanism, orders: Orders, reference: ReferencePrices, rng: np.random.Generator | None
) -> Clearing:
    """Return what a mechanism makes of a copy of the orders, as long as it is a clearing at all."""
    given = Orders(*(column.copy() for column in orders))
    clearing = member.clear(given, reference, rng)
    if not all(np.array_equal(a, b) for a, b in zip(given, orders, strict=True)):
        raise OrderError(describe("the orders given were changed", where="clear"))
    made: Any = clearing  # a third party may return anything
    fills: Any = getattr(made, "fills", None)
    if not isinstance(made, Clearing) or not isinstance(fills, Fills):
        expected = "a Clearing with Fills"
        raise OrderError(describe("not a clearing", where="clear", got=repr(made), expected=expected))
    if not all(hasattr(column, "dtype") for column in tuple(fills)):
        raise OrderError(describe("not columns of numbers", where="clear", expected="arrays of int64"))
    if isinstance(made.operator_surplus, bool) or not isinstance(made.operator_surplus, int | np.integer):
        got = repr(made.operator_surplus)
        raise OrderError(describe("surplus is no whole number", where="clear", got=got, expected="an int"))
    return clearing


# Properties


def _misreferenced(case: Case) -> str:
    """Find fills that do not point at a bid and an ask of the batch and their owners."""
    orders, count = case.orders, len(case.orders.owner)
    for clearing, batch in (
        (case.clearing, orders),
        (case.twin, orders),
        (case.shuffled_clearing, case.shuffled),
    ):
        fills = clearing.fills
        size = (fills.quantity.size,)
        if any(column.dtype != np.int64 or column.shape != size for column in fills):
            return "columns of the fills are not int64 of one length"
        if ((fills.taker < -1) | (fills.taker >= count)).any():
            return "a fill's taker is no row of the orders"
        for rows, side, owner in ((fills.bid_id, BID, fills.buyer), (fills.ask_id, ASK, fills.seller)):
            if ((rows < 0) | (rows >= count)).any():
                return "a fill names a row that is no order"
            if (batch.side[rows] != side).any() or (batch.owner[rows] != owner).any():
                return "a fill names an order of the other side or another owner"
    return ""


def _overfilled(case: Case) -> str:
    """Find orders filled beyond their size."""
    fills, filled = case.clearing.fills, [0] * len(case.orders.owner)
    for bid, ask, amount in _triples(fills):
        filled[bid] += amount
        filled[ask] += amount
    for row, (amount, quantity) in enumerate(zip(filled, case.orders.quantity.tolist(), strict=True)):
        if amount > quantity:
            return f"order {row} of {quantity} filled {amount}"
    return ""


def _dusty(case: Case) -> str:
    """Find fills of nothing, and pairs of orders that were filled in more pieces than one."""
    fills = case.clearing.fills
    if (fills.quantity < 1).any():
        return f"a fill of quantity {fills.quantity.min()}"
    pairs = Counter((bid, ask) for bid, ask, _ in _triples(fills))
    (pair, times), *_ = pairs.most_common(1) or [((0, 0), 0)]
    return f"orders {pair} filled against each other {times} times" if times > 1 else ""


def _forbidden(case: Case) -> str:
    """Find trades over a forbidden pair of pools."""
    return "a fill over a forbidden pair of pools" if (_matrix_charge(case) < 0).any() else ""


def _self_traded(case: Case) -> str:
    """Find owners that trade with themselves."""
    return (
        "an owner trades with itself"
        if (case.clearing.fills.buyer == case.clearing.fills.seller).any()
        else ""
    )


def _unbalanced(case: Case) -> str:
    """Compare what buyers pay with what sellers, network and operator get."""
    fills = case.clearing.fills
    charged, due = fills.charge.tolist(), _matrix_charge(case).tolist()
    above = sum(
        amount * (charge - own)
        for amount, charge, own in zip(fills.quantity.tolist(), charged, due, strict=True)
    )
    stated = case.clearing.operator_surplus
    if above != stated:
        return f"buyers pay {above} above prices and charges, the operator states {stated}"
    if any(charge < own for charge, own in zip(charged, due, strict=True)):
        return "a fill carries less than its charge, so that someone else pays for the network"
    return ""


def _underpriced(case: Case) -> str:
    """Find negative prices."""
    return "a negative price" if (case.clearing.fills.price < 0).any() else ""


def _irrational(case: Case) -> str:
    """Find orders that trade beyond their limit."""
    fills, limit = case.clearing.fills, case.orders.price
    if (limit[fills.bid_id] < fills.price + fills.charge).any():
        return "a buyer pays more than its limit"
    return "a seller gets less than its limit" if (limit[fills.ask_id] > fills.price).any() else ""


def _unseeded(case: Case) -> str:
    """Compare the clearing with that of a twin that got the same orders and seeds."""
    same = all(np.array_equal(a, b) for a, b in zip(case.clearing.fills, case.twin.fills, strict=True))
    return "" if same else "same orders and seed, other fills"


def _deaf(case: Case) -> str:
    """Compare with the clearing of a member that was told the charges between slots."""
    if case.told is None:
        return ""
    same = all(np.array_equal(a, b) for a, b in zip(case.clearing.fills, case.told.fills, strict=True))
    return "" if same else "charges set between slots, other fills than with these charges from the start"


def _order_dependent(case: Case) -> str:
    """Compare everybody's energy and money with those of the shuffled batch."""
    before, after = _accounts(case.clearing.fills), _accounts(case.shuffled_clearing.fills)
    return "" if before == after else "orders shuffled, same seed: someone gets other energy or money"


def _several_prices(case: Case) -> str:
    """Find pools whose sellers, or whose buyers, do not all have one price."""
    fills, pool = case.clearing.fills, case.orders.pool
    for rows, price in ((fills.ask_id, fills.price), (fills.bid_id, fills.price + fills.charge)):
        if len(set(zip(pool[rows].tolist(), price.tolist(), strict=True))) > len(set(pool[rows].tolist())):
            return "two prices on one side of a pool"
    return ""


def _not_best(case: Case) -> str:
    """Compare the gains from trade with the highest there are."""
    if _has_shared_owners(case.orders):
        return ""
    best, _ = optimum(case.orders, case.rules, case.unit)
    gains = _gains(case)
    return "" if gains == best else f"gains from trade {gains}, possible {best}"


def _not_most(case: Case) -> str:
    """Compare the energy traded with the most at the highest gains."""
    if _has_shared_owners(case.orders):
        return ""
    _, most = optimum(case.orders, case.rules, case.unit)
    volume = sum(case.clearing.fills.quantity.tolist())
    return "" if volume == most else f"energy traded {volume}, expected {most}"


REFERENCES: Final = "fills name a bid, an ask and their owners"
PROPERTIES: Final[dict[str, tuple[Claim | None, Callable[[Case], str]]]] = {
    REFERENCES: (None, _misreferenced),
    "no order is filled beyond its size": (None, _overfilled),
    "no empty or split fills": (None, _dusty),
    "no trade over a forbidden pair": (None, _forbidden),
    "no trade with oneself": (None, _self_traded),
    "buyers pay = sellers get + charges + stated operator surplus": (None, _unbalanced),
    "no negative price": (None, _underpriced),
    "same seed, same fills": (None, _unseeded),
    "charges set between slots hold from then on": (None, _deaf),
    "nobody trades beyond a limit": (Claim.INDIVIDUALLY_RATIONAL, _irrational),
    "highest welfare": (Claim.WELFARE_OPTIMAL, _not_best),
    "most energy at that welfare": (Claim.VOLUME_OPTIMAL, _not_most),
    "order of submission is irrelevant": (Claim.ORDER_INDEPENDENT, _order_dependent),
    "one price a pool and side": (Claim.ONE_PRICE, _several_prices),
}


# Arithmetic in Python's integers, so that nothing overflows and nothing of the code under test is used


def _triples(fills: Fills) -> Iterator[tuple[int, int, int]]:
    return zip(fills.bid_id.tolist(), fills.ask_id.tolist(), fills.quantity.tolist(), strict=True)


def _matrix_charge(case: Case) -> IntArray:
    fills, pool = case.clearing.fills, case.orders.pool
    charge: IntArray = case.rules.charges[pool[fills.bid_id], pool[fills.ask_id]]
    return charge


def _gains(case: Case) -> int:
    price = case.orders.price.tolist()
    due = _matrix_charge(case).tolist()
    return sum(
        amount * (price[bid] - charge - price[ask])
        for (bid, ask, amount), charge in zip(_triples(case.clearing.fills), due, strict=True)
    )


def _accounts(fills: Fills) -> dict[tuple[int, str], int]:
    accounts: dict[tuple[int, str], int] = defaultdict(int)
    columns = (fills.buyer, fills.seller, fills.quantity, fills.price, fills.charge)
    for buyer, seller, amount, price, charge in zip(*(column.tolist() for column in columns), strict=True):
        accounts[buyer, "bought"] += amount
        accounts[buyer, "paid"] += amount * (price + charge)
        accounts[seller, "sold"] += amount
        accounts[seller, "earned"] += amount * price
    return dict(accounts)


def _has_shared_owners(orders: Orders) -> bool:
    return bool(np.intersect1d(orders.owner[orders.side == BID], orders.owner[orders.side == ASK]).size)
