"""The two ends of the scale: continuous trading on the order book, and no local market at all."""

from typing import ClassVar

import numpy as np

from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import Claim, Clearing, MarketRules, ReferencePrices, mechanism
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.market.standing import StandingOrders
from sunshare_sim.units import IntArray


@mechanism("cda")
class ContinuousDoubleAuction:
    """Match each order as it arrives, on an `OrderBook`.

    The book starts each slot empty, or with the orders that stand where `MarketRules.lifetime` says so.

    The institution of Smith (1962, Journal of Political Economy 70, 111-137) with a standing book; matching
    is the book's. Sellers get the ask (default), the earlier order's price or the midpoint, so that the
    spread goes to the buyer, to whoever came second, or to both.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset({Claim.INDIVIDUALLY_RATIONAL})

    def __init__(self, rules: MarketRules) -> None:
        self._book = OrderBook(
            rules.charges, pricing=rules.pricing, price_levels=rules.price_levels, capacity=rules.capacity
        )
        self._rules = self._told = rules
        self._standing = None if rules.lifetime == 1 else StandingOrders(self._book, rules)

    def set_charges(self, charges: IntArray) -> None:
        """Take the charges from the next `clear` on."""
        self._told = self._rules.with_charges(charges)

    def clear(
        self,
        orders: Orders,
        reference: ReferencePrices,  # noqa: ARG002 - part of the contract
        rng: np.random.Generator | None = None,  # noqa: ARG002 - part of the contract
    ) -> Clearing:
        """Submit the orders one after another, to an empty book or to what stands in it."""
        charges = None if self._told is self._rules else self._told.charges
        self._rules = self._told
        if self._standing is not None:
            return Clearing(self._standing.clear(orders, charges))
        self._book.clear()
        if charges is not None:
            self._book.set_charges(charges)
        return Clearing(self._book.submit_many(*orders))


@mechanism("none")
class NoMarket:
    """Trade nothing locally: the grid serves every deficit and takes every surplus."""

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset(
        {Claim.INDIVIDUALLY_RATIONAL, Claim.ORDER_INDEPENDENT, Claim.ONE_PRICE}
    )

    def __init__(self, rules: MarketRules) -> None:
        """Take the rules, of which nothing is needed."""

    def set_charges(self, charges: IntArray) -> None:
        """Take the charges, of which nothing is needed."""

    def clear(
        self,
        orders: Orders,  # noqa: ARG002 - part of the contract
        reference: ReferencePrices,  # noqa: ARG002 - part of the contract
        rng: np.random.Generator | None = None,  # noqa: ARG002 - part of the contract
    ) -> Clearing:
        """Return no fills."""
        return Clearing(Fills.empty())
