"""The fast path of the settlement contract: int64 balances of accounts by number, and the only ways to change them.

Rules of the source (SunShare system document, ``SunShareSettlement``, Solidity ^0.8.19): only the oracle settles; then
the buyer's money is checked, then the seller's energy credits; then both change hands in one step. A call that fails
changes nothing. Energy is in 1e-6 kWh (the token's six decimals), money in 1e-6 of the currency.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger import _settlement
from sunshare_sim.ledger._settlement import LARGEST, NO_CREDITS, NO_MONEY, SETTLED, Trades, payment
from sunshare_sim.ledger.contract import ADMIN_ROLE, PAUSER_ROLE, REASONS, UNAUTHORIZED
from sunshare_sim.ledger.words import Reverted
from sunshare_sim.units import IntArray

__all__ = [
    "NO_CREDITS",
    "NO_MONEY",
    "REASONS",
    "SETTLED",
    "UNAUTHORIZED",
    "Accounts",
    "Ledger",
    "Reverted",
    "TradeExecuted",
    "Trades",
    "payment",
]


@dataclass(frozen=True)
class Accounts:
    """Number the accounts: households first, then those who serve them.

    >>> accounts = Accounts(3)
    >>> accounts.operator, accounts.retailer, accounts.escrow, len(accounts)
    (3, 4, 5, 7)
    """

    households: int

    def __len__(self) -> int:
        return self.households + 4

    @property
    def operator(self) -> int:
        """Return the account of the network operator, who receives wheeling charges."""
        return self.households

    @property
    def retailer(self) -> int:
        """Return the account of the retailer."""
        return self.households + 1

    @property
    def escrow(self) -> int:
        """Return the account that holds what is locked."""
        return self.households + 2

    @property
    def treasury(self) -> int:
        """Return the account of the community itself."""
        return self.households + 3

    @property
    def oracle(self) -> int:
        """Return the number the matching engine signs with; it only sends calls and has no balance."""
        return self.households + 4

    @property
    def admin(self) -> int:
        """Return the number of who deployed the contract; it only sends calls and has no balance."""
        return self.households + 5

    def name(self, account: int) -> str:
        """Return what an account is called in messages and tables."""
        if account < self.households:
            return f"household {account}"
        return ("operator", "retailer", "escrow", "treasury", "oracle", "admin")[account - self.households]


class TradeExecuted(NamedTuple):
    """Tell of a settled trade: the contract's event, with the wheeling paid beside it [1e-6 kWh, 1e-6 currency]."""

    buyer: int
    seller: int
    energy: int
    cost: int
    wheeling: int


class Ledger:
    """Hold everyone's money and energy credits.

    Parameters
    ----------
    households : int
        Number of homes; accounts are numbered by `Accounts`.

    Attributes
    ----------
    cash : IntArray
        Money [1e-6 currency], the contract's ``accountBalances``; shape [accounts].
    credits : IntArray
        Energy credits [1e-6 kWh], the contract's ``energyCredits``; shape [accounts].
    funded, withdrawn : int
        Money that came in and went out since the start.
    minted, consumed, fed_in : int
        Energy that was verified as injected; that buyers used; that no one bought and the grid took.
    oracle : int
        The one sender that may settle; see `set_oracle`.
    paused : bool
        Whether everything but `withdraw` is stopped; see `pause`.

    Notes
    -----
    All balances together fit int64 at any time (`fund` and `register_injections` refuse what would break that), so
    that no transfer between accounts can overflow.

    Examples
    --------
    >>> ledger = Ledger(households=2)
    >>> ledger.fund(0, 5_000_000)
    >>> ledger.register_injections(0, np.array([0, 2_000_000]))
    >>> ledger.settle_trade(ledger.oracle, 0, 1, 1_500_000, 300_000)
    TradeExecuted(buyer=0, seller=1, energy=1500000, cost=300000, wheeling=0)
    >>> ledger.cash[:2].tolist(), ledger.credits[:2].tolist()
    ([4700000, 300000], [1500000, 500000])
    """

    def __init__(self, households: int) -> None:
        if households < 1:
            raise LedgerError(
                describe("no households", where="Ledger", got=households, expected="at least 1")
            )
        self.accounts = Accounts(households)
        self.cash: IntArray = np.zeros(len(self.accounts), dtype=np.int64)
        self.credits: IntArray = np.zeros(len(self.accounts), dtype=np.int64)
        self.funded = self.withdrawn = 0
        self.minted = self.consumed = self.fed_in = 0
        self._registered: set[int] = set()
        self.oracle = self.accounts.oracle
        self.paused = False

    @property
    def burnt(self) -> int:
        """Return the energy credits that no longer exist because their energy was delivered [1e-6 kWh]."""
        return self.consumed + self.fed_in

    def set_oracle(self, sender: int, oracle: int) -> None:
        """Let another sender settle from now on; the administrator only."""
        self._check_admin(sender, ADMIN_ROLE, "set_oracle")
        if oracle < 0:
            raise Reverted("InvalidAccount", oracle, where="set_oracle")
        self.oracle = oracle

    def pause(self, sender: int) -> None:
        """Stop everything but `withdraw`, which gives people back their own; the administrator only."""
        self._check_admin(sender, PAUSER_ROLE, "pause")
        self._check_running("pause")
        self.paused = True

    def unpause(self, sender: int) -> None:
        """Go on; the administrator only."""
        self._check_admin(sender, PAUSER_ROLE, "unpause")
        if not self.paused:
            raise Reverted("ExpectedPause", where="unpause")
        self.paused = False

    def fund(self, account: int, amount: int) -> None:
        """Credit an account with money [1e-6 currency] from outside."""
        self._check_running("fund")
        self._check_amount("fund", account, amount)
        room = LARGEST - (self.funded - self.withdrawn)
        if amount > room:
            raise LedgerError(
                describe("more money than int64 counts", where="fund", got=amount, expected=f"at most {room}")
            )
        self.cash[account] += amount
        self.funded += int(amount)

    def withdraw(self, account: int, amount: int) -> None:
        """Pay an account's money [1e-6 currency] out."""
        self._check_amount("withdraw", account, amount)
        held = int(self.cash[account])
        if held < amount:
            raise Reverted(REASONS[NO_MONEY], where=f"withdraw({account})", got=held, expected=amount)
        self.cash[account] -= amount
        self.withdrawn += int(amount)

    def register_injections(self, slot: int, energy: IntArray) -> None:
        """Mint energy credits for what the homes' verified meters injected in a slot; a slot counts once.

        Parameters
        ----------
        slot : int
            The slot of the readings.
        energy : IntArray
            Metered surplus [1e-6 kWh], not negative, shape [households].
        """
        where = f"register_injections(slot {slot})"
        self._check_running(where)
        self._check_homes(where, energy)
        if slot in self._registered:
            raise LedgerError(describe("readings of this slot are already registered", where=where))
        amount = _settlement.total(energy)
        room = LARGEST - (self.minted - self.burnt)
        if amount < 0 or amount > room:
            low = int(energy.min())
            what = "negative injection" if low < 0 else "more energy than int64 counts"
            got = low if low < 0 else sum(energy.tolist())
            raise LedgerError(describe(what, where=where, got=got, expected=f"0..{room} in all"))
        self._registered.add(slot)
        self.credits[: energy.size] += energy
        self.minted += amount

    def settle_trade(
        self, sender: int, buyer: int, seller: int, energy: int, cost: int, *, wheeling: int = 0
    ) -> TradeExecuted:
        """Swap `energy` against `cost` atomically; the buyer pays `wheeling` to the operator in the same step.

        Parameters
        ----------
        sender : int
            Who calls; must be `oracle`.
        buyer, seller : int
            Households.
        energy : int
            Energy credits that go to the buyer [1e-6 kWh].
        cost, wheeling : int
            Money that goes to the seller and to the operator [1e-6 currency]; see `payment`.

        Raises
        ------
        Reverted
            With the contract's reason, in the contract's order of checks; nothing was changed.
        LedgerError
            When an argument is not one the contract can be called with; nothing was changed.
        """
        where = f"settle_trade({buyer} buys of {seller})"
        self._check_sender(sender, where)
        self._check_running(where)
        _check_whole(where, buyer, seller, energy, cost, wheeling)
        for home in (buyer, seller):
            if not 0 <= home < self.accounts.households:
                raise LedgerError(
                    describe("unknown household", where=where, got=home, expected=self._households())
                )
        if energy < 1 or cost < 0 or wheeling < 0:
            got = (energy, cost, wheeling)
            raise LedgerError(
                describe("not an amount", where=where, got=got, expected="energy >= 1, money >= 0")
            )
        money, stock = int(self.cash[buyer]), int(self.credits[seller])
        if money < cost + wheeling:
            raise Reverted(REASONS[NO_MONEY], where=where, got=money, expected=cost + wheeling)
        if stock < energy:
            raise Reverted(REASONS[NO_CREDITS], where=where, got=stock, expected=energy)
        self.cash[buyer] -= cost + wheeling
        self.cash[seller] += cost
        self.cash[self.accounts.operator] += wheeling
        self.credits[seller] -= energy
        self.credits[buyer] += energy
        return TradeExecuted(buyer, seller, energy, cost, wheeling)

    def settle_batch(self, sender: int, trades: Trades) -> IntArray:
        """Settle many trades in order and skip those that fail; the same as `settle_trade` one by one.

        Parameters
        ----------
        sender : int
            Who calls; must be `oracle`.
        trades : Trades
            What was agreed. Cost and wheeling of a trade follow from `payment`.

        Returns
        -------
        IntArray
            `SETTLED`, `NO_MONEY` or `NO_CREDITS`, shape [trades].

        Raises
        ------
        Reverted
            When the sender is not the oracle; nothing was changed.
        LedgerError
            When a trade is malformed, with its row; nothing was changed.
        """
        self._check_sender(sender, "settle_batch")
        self._check_running("settle_batch")
        status = np.empty(len(trades.buyer), dtype=np.int64)
        self._check_trades("settle_batch", trades)
        _settlement.settle(self.cash, self.credits, trades, self.accounts.operator, status)
        return status

    def settle_all(self, sender: int, trades: Trades) -> None:
        """Settle all trades in order, or none: the contract's ``settleBatch``.

        Raises
        ------
        Reverted
            ``TradeFailed`` with the row of the first trade that fails and its reason, or as `settle_batch`; nothing was
            changed.
        LedgerError
            As `settle_batch`; nothing was changed.
        """
        self._check_sender(sender, "settle_all")
        self._check_running("settle_all")
        self._check_trades("settle_all", trades)
        cash, stock = self.cash.copy(), self.credits.copy()
        status = np.empty(trades.buyer.size, dtype=np.int64)
        _settlement.settle(cash, stock, trades, self.accounts.operator, status)
        failed = np.flatnonzero(status)
        if failed.size:
            row = int(failed[0])
            raise Reverted("TradeFailed", row, REASONS[status[row]], where="settle_all")
        self.cash[:], self.credits[:] = cash, stock

    def _check_trades(self, where: str, trades: Trades) -> None:
        _check_columns(where, trades)
        wrong = _settlement.first_malformed(trades, self.accounts.operator)
        if wrong >= 0:
            row = {name: int(column[wrong]) for name, column in zip(trades._fields, trades, strict=True)}
            raise LedgerError(
                describe(
                    "not a trade",
                    where=f"{where}, row {wrong}",
                    got=row,
                    expected=f"households {self._households()}, energy >= 1, price and charge >= 0",
                )
            )

    def deliver(self, net: IntArray) -> None:
        """End a slot: burn all households' credits, as consumed or as fed into the grid.

        Parameters
        ----------
        net : IntArray
            Metered net of the slot [1e-6 kWh], deficit positive, shape [households]. A home uses its credits up to its
            deficit; what is left of them is energy that physically went to the grid, which pays the feed-in price.
        """
        self._check_running("deliver")
        self._check_homes("deliver", net)
        consumed, fed_in = _settlement.burn(self.credits, net)
        self.consumed += consumed
        self.fed_in += fed_in

    def check_conservation(self) -> None:
        """Check that no money and no energy appeared or vanished.

        Raises
        ------
        LedgerError
            When a balance is negative, or the balances do not sum to what came in less what went out.
        """
        for what, values, expected in (
            ("money", self.cash, self.funded - self.withdrawn),
            ("energy credits", self.credits, self.minted - self.burnt),
        ):
            if _settlement.total(values) != expected:
                raise LedgerError(
                    describe(
                        f"{what} not conserved",
                        where="check_conservation",
                        got={"sum": sum(values.tolist()), "lowest": int(values.min())},
                        expected=f"sum {expected}, none negative",
                    )
                )

    def _households(self) -> str:
        return f"0..{self.accounts.households - 1}"

    def _check_sender(self, sender: int, where: str) -> None:
        if sender != self.oracle:
            raise Reverted(UNAUTHORIZED, where=where, got=sender, expected=self.oracle)

    def _check_admin(self, sender: int, role: int, where: str) -> None:
        if sender != self.accounts.admin:
            raise Reverted("AccessControlUnauthorizedAccount", sender, role, where=where)

    def _check_running(self, where: str) -> None:
        if self.paused:
            raise Reverted("EnforcedPause", where=where)

    def _check_amount(self, where: str, account: int, amount: int) -> None:
        _check_whole(where, account, amount)
        if not 0 <= account < len(self.accounts):
            expected = f"0..{len(self.accounts) - 1}"
            raise LedgerError(describe("unknown account", where=where, got=account, expected=expected))
        if amount < 1:
            raise LedgerError(describe("not an amount", where=where, got=amount, expected=">= 1"))

    def _check_homes(self, where: str, values: IntArray) -> None:
        if values.shape != (self.accounts.households,) or values.dtype != np.int64:
            raise LedgerError(
                describe(
                    "not one integer a household",
                    where=where,
                    got=(values.shape, str(values.dtype)),
                    expected=f"shape ({self.accounts.households},) of int64",
                )
            )


def _check_whole(where: str, *values: object) -> None:
    """Refuse what is no integer, which would be cut to one."""
    for value in values:
        if not isinstance(value, Integral):
            raise LedgerError(describe("not an integer", where=where, got=value))


def _check_columns(where: str, trades: Trades) -> None:
    """Refuse floats and columns of different length, which the kernel would read past their end."""
    size = len(trades.buyer)
    for name, column in zip(trades._fields, trades, strict=True):
        if column.dtype != np.int64 or column.shape != (size,):
            raise LedgerError(
                describe(
                    "not one integer a trade",
                    where=f"{where}, {name}",
                    got=(column.shape, str(column.dtype)),
                    expected=f"shape ({size},) of int64",
                )
            )
