"""Twin of `contracts/SunShareSettlement.sol` without its orders (those are in `escrow`), on 256-bit words.

This is the scalar truth, with addresses as integers; `settlement.Ledger` is the fast path for whole slots on int64
arrays. Both are tested against each other, and this one against the compiled contract.
"""

from typing import Final, NamedTuple

from sunshare_sim.ledger._settlement import NO_CREDITS, NO_MONEY, SETTLED
from sunshare_sim.ledger.erc20 import NOBODY, EnergyToken, Erc20
from sunshare_sim.ledger.words import Reverted, add, transaction

ADMIN_ROLE: Final = 0
PAUSER_ROLE: Final = (
    0x65D7A28E3265B37A6474929F336521B332C1681B933F6CB9F3376673440D862A  # keccak-256 of its name
)
UNAUTHORIZED: Final = "Unauthorized: Only SunShare Engine can execute"
REASONS: Final = ("", "Insufficient fiat balance", "Insufficient energy credits")  # by status of a trade
NAME: Final = "SunShareSettlement"


class TradeCall(NamedTuple):
    """Say what one trade of a batch moves [1e-6 kWh, 1e-6 currency]; `wheeling` goes to the grid operator on top."""

    buyer: int
    seller: int
    energy: int
    cost: int
    wheeling: int


class Parties(NamedTuple):
    """Name the addresses a settlement contract is made with: itself, who deployed it, the oracle, the operator."""

    contract: int
    admin: int
    oracle: int
    grid_operator: int


class SettlementCore:
    """Hold money and energy credits, and swap them.

    Parameters
    ----------
    parties : Parties
        Addresses.
    coin : Erc20
        The stablecoin; its storage becomes the contract's too.

    Notes
    -----
    Every call takes its sender first, raises `Reverted` where the contract reverts, and then leaves no trace.
    """

    def __init__(self, parties: Parties, coin: Erc20) -> None:
        for account in (parties.oracle, parties.grid_operator):
            if account == NOBODY:
                raise Reverted("InvalidAccount", account)
        self.address = parties.contract
        self.coin = coin
        self.storage = coin.storage
        self.token = EnergyToken("EnergyToken", self.storage, self.address)
        self.grid_operator = parties.grid_operator
        self.storage["platformOracle"] = parties.oracle
        self._grant(parties.admin, ADMIN_ROLE, parties.admin)
        self._grant(parties.admin, PAUSER_ROLE, parties.admin)
        self.storage.keep()

    def cash(self, account: int) -> int:
        """Return an account's money."""
        return self.storage["accountBalances", account]

    def credits(self, account: int) -> int:
        """Return an account's energy credits."""
        return self.storage["energyCredits", account]

    # ---- who may do what

    def has_role(self, role: int, account: int) -> bool:
        """Return whether an account has a role."""
        return bool(self.storage["_roles", role, account])

    @transaction
    def grant_role(self, sender: int, role: int, account: int) -> None:
        """Give a role; administrators only."""
        self._check_role(sender, ADMIN_ROLE)
        self._grant(sender, role, account)

    @transaction
    def revoke_role(self, sender: int, role: int, account: int) -> None:
        """Take a role away; administrators only."""
        self._check_role(sender, ADMIN_ROLE)
        self._revoke(sender, role, account)

    @transaction
    def renounce_role(self, sender: int, role: int, confirmation: int) -> None:
        """Give up one's own role."""
        if confirmation != sender:
            raise Reverted("AccessControlBadConfirmation")
        self._revoke(sender, role, confirmation)

    @transaction
    def set_oracle(self, sender: int, oracle: int) -> None:
        """Let another sender settle from now on; administrators only."""
        self._check_role(sender, ADMIN_ROLE)
        if oracle == NOBODY:
            raise Reverted("InvalidAccount", oracle)
        self._emit("OracleRotated", self.storage["platformOracle"], oracle)
        self.storage["platformOracle"] = oracle

    @transaction
    def pause(self, sender: int) -> None:
        """Stop everything but what gives people back their own."""
        self._check_role(sender, PAUSER_ROLE)
        self._check_running()
        self.storage["_paused"] = 1
        self._emit("Paused", sender)

    @transaction
    def unpause(self, sender: int) -> None:
        """Go on."""
        self._check_role(sender, PAUSER_ROLE)
        if not self.storage["_paused"]:
            raise Reverted("ExpectedPause")
        self.storage["_paused"] = 0
        self._emit("Unpaused", sender)

    # ---- money in and out

    @transaction
    def fund(self, sender: int, account: int, amount: int) -> None:
        """Pay the sender's coins into an account."""
        self._check_running()
        if account == NOBODY:
            raise Reverted("InvalidAccount", account)
        if amount == 0:
            raise Reverted("InvalidAmount")
        self._change("accountBalances", account, amount)
        self.coin.move_for(self.address, sender, self.address, amount)
        self._emit("Funded", account, sender, amount)

    @transaction
    def withdraw(self, sender: int, amount: int) -> None:
        """Pay the sender's money out; a pause does not stop it."""
        if amount == 0:
            raise Reverted("InvalidAmount")
        self._check_held("accountBalances", sender, amount)
        self._change("accountBalances", sender, -amount)
        self.coin.move(self.address, sender, amount)
        self._emit("Withdrawn", sender, amount)

    # ---- energy in and out

    @transaction
    def register_injection(self, sender: int, reading: int, household: int, energy: int) -> None:
        """Create credits for what a verified meter injected; a reading counts once."""
        self._check_oracle(sender)
        self._check_running()
        if household == NOBODY:
            raise Reverted("InvalidAccount", household)
        if energy == 0:
            raise Reverted("InvalidAmount")
        if self.storage["readingRegistered", reading]:
            raise Reverted("ReadingAlreadyRegistered", reading)
        self.storage["readingRegistered", reading] = 1
        self.storage["totalInjected"] = add(self.storage["totalInjected"], energy)
        self._change("energyCredits", household, energy)
        self._emit("InjectionRegistered", reading, household, energy)

    @transaction
    def deliver(self, sender: int, household: int, consumed: int, fed_in: int) -> None:
        """Destroy credits whose energy was used or fed into the grid."""
        self._check_oracle(sender)
        self._check_running()
        amount = add(consumed, fed_in)
        if amount == 0:
            raise Reverted("InvalidAmount")
        self._check_held("energyCredits", household, amount)
        self._change("energyCredits", household, -amount)
        self.storage["totalDelivered"] += amount
        self._emit("EnergyDelivered", household, consumed, fed_in)

    @transaction
    def tokenize(self, sender: int, amount: int) -> None:
        """Turn the sender's credits into tokens, one to one."""
        self._check_running()
        if amount == 0:
            raise Reverted("InvalidAmount")
        self._check_held("energyCredits", sender, amount)
        self._change("energyCredits", sender, -amount)
        self.token.create(sender, amount)
        self._emit("CreditsTokenized", sender, amount)

    @transaction
    def redeem(self, sender: int, amount: int) -> None:
        """Turn the sender's tokens back into credits, one to one."""
        self._check_running()
        if amount == 0:
            raise Reverted("InvalidAmount")
        self.token.destroy(sender, amount)
        self._change("energyCredits", sender, amount)
        self._emit("TokensRedeemed", sender, amount)

    # ---- trades

    @transaction
    def settle_trade(self, sender: int, buyer: int, seller: int, energy: int, cost: int) -> None:
        """Swap energy credits and money: the source's function."""
        self._check_oracle(sender)
        self._check_running()
        self._check_held("accountBalances", buyer, cost)
        self._check_held("energyCredits", seller, energy)
        self._swap(buyer, seller, energy, cost)

    @transaction
    def settle_batch(self, sender: int, trades: tuple[TradeCall, ...]) -> None:
        """Settle all trades in order, or none."""
        self._check_oracle(sender)
        self._check_running()
        for index, trade in enumerate(trades):
            if status := self._settle(trade):
                raise Reverted("TradeFailed", index, REASONS[status])

    @transaction
    def settle_batch_skipping(self, sender: int, trades: tuple[TradeCall, ...]) -> list[int]:
        """Settle trades in order, skip those that fail, and return each one's status."""
        self._check_oracle(sender)
        self._check_running()
        statuses = []
        for index, trade in enumerate(trades):
            if status := self._settle(trade):
                self._emit("TradeSkipped", index, status)
            statuses.append(status)
        return statuses

    def _settle(self, trade: TradeCall) -> int:
        if self.cash(trade.buyer) < trade.cost + trade.wheeling:  # unbounded, so it cannot overflow
            return NO_MONEY
        if self.credits(trade.seller) < trade.energy:
            return NO_CREDITS
        if trade.wheeling:
            self._change("accountBalances", trade.buyer, -trade.wheeling)
            self._change("accountBalances", self.grid_operator, trade.wheeling)
            self._emit("WheelingPaid", trade.buyer, trade.wheeling)
        self._swap(trade.buyer, trade.seller, trade.energy, trade.cost)
        return SETTLED

    def _swap(self, buyer: int, seller: int, energy: int, cost: int) -> None:
        self._change("accountBalances", buyer, -cost)
        self._change("accountBalances", seller, cost)
        self._change("energyCredits", seller, -energy)
        self._change("energyCredits", buyer, energy)
        self._emit("TradeExecuted", buyer, seller, energy, cost)

    # ---- parts

    def _check_oracle(self, sender: int) -> None:
        if sender != self.storage["platformOracle"]:
            raise Reverted(UNAUTHORIZED, where=NAME, got=sender)

    def _check_running(self) -> None:
        if self.storage["_paused"]:
            raise Reverted("EnforcedPause")

    def _check_role(self, sender: int, role: int) -> None:
        if not self.has_role(role, sender):
            raise Reverted("AccessControlUnauthorizedAccount", sender, role)

    def _check_held(self, what: str, account: int, amount: int) -> None:
        held = self.storage[what, account]
        if held < amount:
            reason = REASONS[NO_MONEY if what == "accountBalances" else NO_CREDITS]
            raise Reverted(reason, where=f"account {account:#x}", got=held, expected=f"at least {amount}")

    def _change(self, what: str, account: int, amount: int) -> None:
        """Add to a balance; what is taken away has been checked to be there."""
        self.storage[what, account] = add(self.storage[what, account], amount)

    def _grant(self, sender: int, role: int, account: int) -> None:
        if not self.has_role(role, account):
            self.storage["_roles", role, account] = 1
            self._emit("RoleGranted", role, account, sender)

    def _revoke(self, sender: int, role: int, account: int) -> None:
        if self.has_role(role, account):
            self.storage["_roles", role, account] = 0
            self._emit("RoleRevoked", role, account, sender)

    def _emit(self, name: str, *arguments: object) -> None:
        self.storage.emit(NAME, name, *arguments)
