"""Posted offers: one side posts its prices, then the other comes, one after another, and takes or leaves.

The two methods of the GridTokenX design (source system 2); the institution is the posted-offer market of
Plott and Smith (1978, Review of Economic Studies 45, 133-153).
"""

from typing import ClassVar

import numpy as np

from sunshare_sim.market.batch import check_orders, take, with_rows
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import Claim, Clearing, MarketRules, ReferencePrices, mechanism
from sunshare_sim.market.orders import Orders
from sunshare_sim.units import ASK, BID, IntArray


class PostedOffers:
    """Post one side on an empty book, then let the other side come in order of arrival."""

    posting: ClassVar[int]

    def __init__(self, rules: MarketRules) -> None:
        self._book = OrderBook(
            rules.charges, pricing="resting", price_levels=rules.price_levels, capacity=rules.capacity
        )
        self._rules = rules

    def set_charges(self, charges: IntArray) -> None:
        """Take the charges from the next `clear` on."""
        rules = self._rules.with_charges(charges)
        if rules is not self._rules:
            self._rules = rules
            self._book.clear()
            self._book.set_charges(charges)

    def clear(
        self,
        orders: Orders,
        reference: ReferencePrices,  # noqa: ARG002 - part of the contract
        rng: np.random.Generator | None = None,  # noqa: ARG002 - part of the contract
    ) -> Clearing:
        """Submit those who post, then those who take; a taker takes the best offers until it is served."""
        check_orders(orders, self._rules)
        rows = np.argsort(orders.side != self.posting, kind="stable")
        self._book.clear()
        fills = with_rows(self._book.submit_many(*take(orders, rows)), rows)
        return Clearing(fills._replace(taker=rows[fills.taker]))


@mechanism("posted_seller")
class PostedBySeller(PostedOffers):
    """Sellers post, buyers take the cheapest landed offer (GridTokenX method 1): the price is the seller's.

    Budget balanced, individually rational; buyers keep the spread, early ones the most. Not welfare-optimal:
    an early buyer may take what a later one values more.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset({Claim.INDIVIDUALLY_RATIONAL})
    posting: ClassVar[int] = ASK


@mechanism("posted_buyer")
class PostedByBuyer(PostedOffers):
    """Buyers post, sellers take the bid that leaves them most (GridTokenX method 2): the buyer pays its own price.

    Budget balanced, individually rational; sellers keep the spread, early ones the most. Not welfare-optimal.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset({Claim.INDIVIDUALLY_RATIONAL})
    posting: ClassVar[int] = BID
