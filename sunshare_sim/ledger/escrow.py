"""Twin of the orders of `contracts/SunShareSettlement.sol`: what an order needs is locked until it is closed.

An order is live while ``now < expiry``. A match moves energy and money in one step at the ask's price; of a bid that is
filled, what better prices and rounding left goes back to its owner.
"""

from enum import IntEnum
from typing import Final

from sunshare_sim.ledger.contract import Parties, SettlementCore
from sunshare_sim.ledger.erc20 import Erc20
from sunshare_sim.ledger.words import Reverted, times, transaction
from sunshare_sim.units import MICRO

ASK: Final = 0
BID: Final = 1


class OrderStatus(IntEnum):
    """Say what became of an order."""

    NONE = 0
    ACTIVE = 1
    FILLED = 2
    CANCELLED = 3
    EXPIRED = 4


class SettlementContract(SettlementCore):
    """The whole settlement contract.

    Parameters
    ----------
    parties : Parties
        Addresses.
    coin : Erc20
        The stablecoin; its storage becomes the contract's too.
    now : int
        Time [s]; set it anew as time passes.

    Examples
    --------
    >>> from sunshare_sim.ledger.erc20 import TestCoin
    >>> from sunshare_sim.ledger.words import Storage
    >>> coin = TestCoin("TestCoin", Storage())
    >>> contract = SettlementContract(Parties(contract=9, admin=1, oracle=2, grid_operator=3), coin)
    >>> contract.register_injection(2, 77, 5, 12_000_000)
    >>> contract.create_order(5, ASK, 10_000_000, 3_000_000, 3600)
    0
    >>> contract.credits(5)
    2000000
    """

    def __init__(self, parties: Parties, coin: Erc20, *, now: int = 0) -> None:
        super().__init__(parties, coin)
        self.now = now

    @transaction
    def create_order(self, sender: int, side: int, energy: int, price: int, expiry: int) -> int:
        """Place an order and lock what it needs, an ask its energy, a bid its money; return its number."""
        self._check_running()
        if energy == 0 or price == 0:
            raise Reverted("InvalidAmount")
        if expiry <= self.now:
            raise Reverted("InvalidExpiry", expiry)
        money = 0
        if side == ASK:
            self._check_held("energyCredits", sender, energy)
            self._change("energyCredits", sender, -energy)
        else:
            money = times(energy, price) // MICRO
            self._check_held("accountBalances", sender, money)
            self._change("accountBalances", sender, -money)
        order = self.storage["orderCount"]
        self.storage["orderCount"] = order + 1
        values = {"owner": sender, "side": side, "status": OrderStatus.ACTIVE, "price": price, "remaining": energy,
                  "money": money, "expiry": expiry}  # fmt: skip
        for field, value in values.items():
            self.storage["orders", order, field] = int(value)
        self._emit("OrderCreated", order, sender, side, energy, price, expiry)
        return order

    @transaction
    def match_orders(self, sender: int, bid: int, ask: int, energy: int) -> None:
        """Match a bid with an ask at the ask's price; what is left stays in the order."""
        self._check_oracle(sender)
        self._check_running()
        self._check_live(bid, BID)
        self._check_live(ask, ASK)
        buyer, seller = self._order(bid, "owner"), self._order(ask, "owner")
        if buyer == seller:
            raise Reverted("SelfTradingNotAllowed", buyer)
        if energy == 0:
            raise Reverted("InvalidAmount")
        available = min(self._order(bid, "remaining"), self._order(ask, "remaining"))
        if energy > available:
            raise Reverted("AmountMismatch", energy, available)
        if self._order(bid, "price") < self._order(ask, "price"):
            raise Reverted("PriceMismatch", self._order(bid, "price"), self._order(ask, "price"))
        cost = times(energy, self._order(ask, "price")) // MICRO
        self.storage["orders", bid, "remaining"] -= energy
        self.storage["orders", bid, "money"] -= cost
        self.storage["orders", ask, "remaining"] -= energy
        self._change("accountBalances", seller, cost)
        self._change("energyCredits", buyer, energy)
        for order in (bid, ask):
            if self._order(order, "remaining") == 0:
                self._close(order, OrderStatus.FILLED)
        self._emit("OrdersMatched", bid, ask, energy, cost)
        self._emit("TradeExecuted", buyer, seller, energy, cost)

    @transaction
    def cancel_order(self, sender: int, order: int) -> None:
        """Take an own order back; a pause does not stop it."""
        self._check_active(order)
        if sender != self._order(order, "owner"):
            raise Reverted("NotOrderOwner", sender)
        self._emit("OrderCancelled", order, self._order(order, "remaining"))
        self._close(order, OrderStatus.CANCELLED)

    @transaction
    def expire_order(self, sender: int, order: int) -> None:  # noqa: ARG002 -- anyone may
        """Close an order whose time is over; a pause does not stop it."""
        self._check_active(order)
        if self.now < self._order(order, "expiry"):
            raise Reverted("OrderNotExpired", order)
        self._emit("OrderExpired", order, self._order(order, "remaining"))
        self._close(order, OrderStatus.EXPIRED)

    def _order(self, order: int, field: str) -> int:
        return self.storage["orders", order, field]

    def _check_active(self, order: int) -> None:
        if self._order(order, "status") != OrderStatus.ACTIVE:
            raise Reverted("InvalidOrder", order)

    def _check_live(self, order: int, side: int) -> None:
        self._check_active(order)
        if self._order(order, "side") != side:
            raise Reverted("InvalidOrder", order)
        if self.now >= self._order(order, "expiry"):
            raise Reverted("OrderIsExpired", order)

    def _close(self, order: int, status: OrderStatus) -> None:
        """Give the owner back what is still locked."""
        owner, money = self._order(order, "owner"), self._order(order, "money")
        self.storage["orders", order, "status"] = int(status)
        self.storage["orders", order, "money"] = 0
        self._change("accountBalances", owner, money)
        if self._order(order, "side") == ASK:
            self._change("energyCredits", owner, self._order(order, "remaining"))
