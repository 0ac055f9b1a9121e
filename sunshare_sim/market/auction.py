"""Call auctions: all orders of a slot are cleared at once, for the highest welfare net of charges.

Conventions, the same for both price rules:

* The allocation maximises the sum of bid - charge - ask; among those the energy traded (units that gain
  nothing trade); among those the charges are lowest.
* Orders at the marginal price of their pool are served pro rata; the units of 1e-6 kWh that rounding leaves
  go by draw when a generator is given, else by the owner's number.
* Accepted orders are paired by merit order within a pair of pools, ties by draw when a generator is given,
  else by arrival.
* Nobody trades with oneself. Where accepted orders of one owner can only meet each other, the ask is
  withdrawn to that extent and the call is repeated; so the highest welfare is claimed for owners on one side.
"""

from typing import ClassVar

import numpy as np

from sunshare_sim.errors import OrderError, describe
from sunshare_sim.market._auction import FAR, clear_call
from sunshare_sim.market.batch import check_orders, drawn_arrival, sorted_rows, take, with_rows
from sunshare_sim.market.mechanism import Claim, Clearing, MarketRules, ReferencePrices, mechanism
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.units import IntArray


class CallAuction:
    """Clear a slot at once; a subclass says what is paid."""

    pay_as_bid: ClassVar[bool]

    def __init__(self, rules: MarketRules) -> None:
        rules.refuse_capacity("a call auction")
        k = rules.k_ratio
        self._k = (k.numerator, k.denominator)
        self._use(rules)

    def set_charges(self, charges: IntArray) -> None:
        """Take the charges from the next `clear` on."""
        rules = self._rules.with_charges(charges)
        if rules is not self._rules:
            self._use(rules)

    def _use(self, rules: MarketRules) -> None:
        # A charge that no bid can bear is as good as forbidden.
        charges = np.where(rules.charges < rules.price_levels, rules.charges, -1)
        highest = max(0, int(charges.max(initial=0)))
        if 8 * rules.pools * (highest + 1) * (highest + rules.price_levels) >= FAR:
            got = f"{rules.pools} pools, charges to {highest} ticks, {rules.price_levels} price levels"
            raise OrderError(
                describe("too much to weigh exactly", where="market", got=got, hint="use a larger tick")
            )
        self._rules = rules
        self._charges = charges
        self._one = MarketRules(1, charges[:1, :1].copy(), rules.price_levels)
        self._is_one = bool((charges == charges[0, 0]).all() and charges[0, 0] >= 0)

    def clear(
        self,
        orders: Orders,
        reference: ReferencePrices,  # noqa: ARG002 - part of the contract
        rng: np.random.Generator | None = None,
    ) -> Clearing:
        """Clear all orders at once; ties go by draw when `rng` is given, else by arrival."""
        check_orders(orders, self._rules)
        rules, charges = self._rules, self._charges
        if self._is_one:  # equal charges everywhere: pools make no difference
            rules, charges = self._one, self._one.charges
            orders = orders._replace(pool=np.zeros_like(orders.pool))
        if rng is None:
            return Clearing(self._call(orders, orders.owner, rules, charges))
        label = rng.permutation(rules.pools)  # pools that are equally good must not win by their number
        original = np.argsort(label)
        rows = drawn_arrival(orders, rng)
        drawn = take(orders, rows)
        drawn = drawn._replace(pool=label[drawn.pool])
        turn = np.arange(len(rows))
        return Clearing(with_rows(self._call(drawn, turn, rules, charges[np.ix_(original, original)]), rows))

    def _call(self, orders: Orders, turn: IntArray, rules: MarketRules, charges: IntArray) -> Fills:
        """Clear, and clear again without what could only trade with its own owner."""
        while True:
            rows = sorted_rows(orders, rules)
            table, own = clear_call(rows, orders, turn, charges, self._k, self.pay_as_bid)
            fills = Fills(*table)
            if not own:
                return fills
            fills, withdrawn = part_owners(fills, orders)
            if not withdrawn.any():
                return (
                    fills._replace(price=orders.price[fills.bid_id] - fills.charge)
                    if self.pay_as_bid
                    else fills
                )
            orders = orders._replace(quantity=orders.quantity - withdrawn)


def part_owners(fills: Fills, orders: Orders) -> tuple[Fills, IntArray]:
    """Swap partners within a pair of pools until nobody trades with oneself.

    Returns
    -------
    fills : Fills
        The same energy in other pairs, at the prices of their pair of pools.
    withdrawn : IntArray
        What each ask could sell to no one but its owner; shape [orders].
    """
    owner, pool = orders.owner.tolist(), orders.pool.tolist()
    columns = (fills.bid_id, fills.ask_id, fills.quantity, fills.price, fills.charge)
    amounts: dict[tuple[int, int], int] = {}
    terms: dict[tuple[int, int], tuple[int, int]] = {}  # price and charge of a pair of pools
    for bid, ask, amount, price, charge in zip(*(column.tolist() for column in columns), strict=True):
        amounts[bid, ask] = amount
        terms[pool[bid], pool[ask]] = (price, charge)
    withdrawn = np.zeros(len(owner), dtype=np.int64)
    for bid, ask in [(bid, ask) for bid, ask in amounts if owner[bid] == owner[ask]]:
        for other_bid, other_ask in list(amounts):
            same_pools = pool[other_bid] == pool[bid] and pool[other_ask] == pool[ask]
            if not same_pools or owner[bid] in {owner[other_bid], owner[other_ask]}:
                continue
            move = min(amounts[bid, ask], amounts[other_bid, other_ask])
            for pair in ((bid, ask), (other_bid, other_ask)):
                amounts[pair] -= move
            for pair in ((bid, other_ask), (other_bid, ask)):
                amounts[pair] = amounts.get(pair, 0) + move
        withdrawn[ask] += amounts[bid, ask]
    rows = [
        (bid, ask, owner[bid], owner[ask], amount, *terms[pool[bid], pool[ask]], -1)
        for (bid, ask), amount in amounts.items()
        if amount > 0
    ]
    return Fills(*np.array(rows, dtype=np.int64).reshape(-1, len(Fills._fields)).T.copy()), withdrawn


@mechanism("uniform_price")
class UniformPriceAuction(CallAuction):
    """Pay every seller of a pool one price; its buyers pay that plus the charge.

    The k-double auction (Wilson 1985, Econometrica 53, 1101-1115; Satterthwaite and Williams 1989): the price
    stands at k between the lowest and the highest price at which nobody would rather trade another amount.
    With pools and charges, lowest and highest are the two extreme vectors of the dual prices: buyer price <=
    seller price + charge, equal where energy flows; k lies between them pool by pool, rounded down to a tick.
    Budget balanced, individually rational, welfare-maximal; not strategy-proof. Nobody keeps a spread: gains
    are shared by k.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset(Claim)
    pay_as_bid: ClassVar[bool] = False


@mechanism("pay_as_bid")
class PayAsBidAuction(CallAuction):
    """Match by merit order, the highest bid with the lowest ask; every buyer pays its bid.

    The allocation is that of the uniform price; a seller gets its buyer's bid less the charge, so that
    sellers keep the whole gain. Discriminatory pricing as in Nicolaisen, Petrov and Tesfatsion (2001, IEEE
    Trans. Evol. Comput. 5, 504-523), with their mid-point moved to the bid. Budget balanced, individually
    rational, welfare-maximal for the limits given; buyers gain by bidding low.
    """

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]] = frozenset(Claim) - {Claim.ONE_PRICE}
    pay_as_bid: ClassVar[bool] = True
