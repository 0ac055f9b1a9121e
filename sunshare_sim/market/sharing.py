"""Benchmarks without an auction: one rule sets the price from the grid's prices and the community's balance.

All energy that can be matched changes hands at that price; buyers pay the charge on top. On the long side
everybody gets the same part, and what is left goes to the grid, so that a home's mean price over local energy
and grid is the one the literature gives. Nearest first: pairs of pools share in the order of their charges,
pro rata within. Rounding to whole ticks and units moves no money away: what a buyer pays is what its seller
and the network get.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from sunshare_sim.market._sharing import share
from sunshare_sim.market.auction import part_owners
from sunshare_sim.market.batch import check_orders, drawn_arrival, sorted_rows, take, with_rows
from sunshare_sim.market.mechanism import Claim, Clearing, MarketRules, ReferencePrices, mechanism
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.units import ASK, BID, IntArray


class Sharing(ABC):
    """Share a slot's energy at one price; a subclass says at which."""

    limits_bind: ClassVar[bool] = True

    def __init__(self, rules: MarketRules) -> None:
        rules.refuse_capacity("a rule that shares")
        self._use(rules)

    def set_charges(self, charges: IntArray) -> None:
        """Take the charges from the next `clear` on."""
        rules = self._rules.with_charges(charges)
        if rules is not self._rules:
            self._use(rules)

    def _use(self, rules: MarketRules) -> None:
        self._rules = rules
        allowed = np.argwhere(rules.charges >= 0)
        charge = rules.charges[allowed[:, 0], allowed[:, 1]]
        self._cells = allowed[np.argsort(charge, kind="stable")]
        level, cells = np.unique(charge, return_counts=True)
        self._levels = np.column_stack([level, np.cumsum(cells)])

    @abstractmethod
    def price(self, demand: int, supply: int, reference: ReferencePrices) -> int:
        """Return the price to sellers [ticks] for the slot's demand and supply [1e-6 kWh]."""

    def clear(
        self, orders: Orders, reference: ReferencePrices, rng: np.random.Generator | None = None
    ) -> Clearing:
        """Share at the rule's price; units left by rounding go by draw when `rng` is given, else by owner."""
        check_orders(orders, self._rules)
        demand = int(orders.quantity[orders.side == BID].sum())
        supply = int(orders.quantity[orders.side == ASK].sum())
        if not demand or not supply:
            return Clearing(Fills.empty())
        price = self.price(demand, supply, reference)
        if rng is None:
            return Clearing(self._share(orders, orders.owner, price))
        rows = drawn_arrival(orders, rng)
        return Clearing(with_rows(self._share(take(orders, rows), np.arange(len(rows)), price), rows))

    def _share(self, orders: Orders, turn: IntArray, price: int) -> Fills:
        """Share, and share again without what could only trade with its own owner."""
        while True:
            rows = sorted_rows(orders, self._rules)
            bid, ask, amount, charge = share(
                rows, orders, turn, self._rules.pools, self._cells, self._levels, price, self.limits_bind
            ).T.copy()
            fills = Fills(
                bid_id=bid,
                ask_id=ask,
                buyer=orders.owner[bid],
                seller=orders.owner[ask],
                quantity=amount,
                price=np.full_like(amount, price),
                charge=charge,
                taker=np.full_like(amount, -1),
            )
            if not (fills.buyer == fills.seller).any():
                return fills
            fills, withdrawn = part_owners(fills, orders)
            if not withdrawn.any():
                return fills
            orders = orders._replace(quantity=orders.quantity - withdrawn)


@mechanism("mid_market_rate")
class MidMarketRate(Sharing):
    """Trade at the middle of the grid's two prices.

    Long, Wu, Zhang, Thomas, Cheng and Jenkins (2017, IEEE PES General Meeting, "Peer-to-peer energy trading
    in a community microgrid"). Half a tick goes to the buyer. Budget balanced; limits are vetoes, so
    individually rational. Buyer and seller share the grid's spread evenly; the long side dilutes its half
    with the grid's price.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset({Claim.INDIVIDUALLY_RATIONAL, Claim.ORDER_INDEPENDENT})

    def price(self, demand: int, supply: int, reference: ReferencePrices) -> int:  # noqa: ARG002
        """Return the mean of retail and feed-in price, at least one tick."""
        return max(1, (reference.retail + reference.feed_in) // 2)


@mechanism("supply_demand_ratio")
class SupplyDemandRatio(Sharing):
    """Let the price fall from retail to feed-in as supply grows from nothing to demand.

    Liu, Yu, Wang, Li, Ma and Lei (2017, IEEE Trans. Power Systems 32, 3569-3583, DOI
    10.1109/TPWRS.2017.2676356) gave the rule; the formula here reproduces worked numbers, its text was not at
    hand: seller price = retail * feed_in / ((retail - feed_in) * ratio + feed_in) with ratio = supply /
    demand, up to 1. The price is rounded to the nearest tick, half a tick to the seller. Demand and supply
    are those of all orders; limits are vetoes, so individually rational. Budget balanced. Scarce sellers get
    the spread, scarce buyers keep it.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset({Claim.INDIVIDUALLY_RATIONAL, Claim.ORDER_INDEPENDENT})

    def price(self, demand: int, supply: int, reference: ReferencePrices) -> int:
        """Return the price of the ratio, at least one tick."""
        retail, feed_in = reference
        supply = min(supply, demand)
        top = retail * feed_in * demand
        bottom = (retail - feed_in) * supply + feed_in * demand
        return max(1, (2 * top + bottom) // (2 * bottom)) if bottom > 0 else 1


@mechanism("bill_sharing")
class BillSharing(Sharing):
    """Give local energy away: members share the community's bill with the grid, not a price.

    Bill sharing as compared by Zhou, Wu and Long (2018, Applied Energy 222, 993-1022), slot by slot:
    importers share the cost of what the community imports, exporters the income of what it exports, both by
    energy. Local energy costs nothing but the charge. Budget balanced; limit prices are ignored, so NOT
    individually rational: a seller gives away what is used locally. The whole spread stays with the buyers.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset({Claim.ORDER_INDEPENDENT})
    limits_bind: ClassVar[bool] = False

    def price(self, demand: int, supply: int, reference: ReferencePrices) -> int:  # noqa: ARG002
        """Return zero."""
        return 0
