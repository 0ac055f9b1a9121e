"""Twin of an ERC-20 token as OpenZeppelin's contracts 5.7 make it: same checks, same order, same events.

Stands for the energy token (`contracts/EnergyToken.sol`) and for the stablecoin beside it. ERC-20: Vogelsteller and
Buterin, EIP-20 (2015).
"""

from typing import Final

from sunshare_sim.ledger.words import LARGEST_WORD, Reverted, Storage, add, transaction

NOBODY: Final = 0  # the zero address


class Erc20:
    """A token whose holders move it.

    Parameters
    ----------
    name : str
        Name of the contract, which its events carry.
    storage : Storage
        The world it shares with other contracts.
    """

    def __init__(self, name: str, storage: Storage) -> None:
        self.name = name
        self.storage = storage

    @property
    def total_supply(self) -> int:
        """Return how many units there are."""
        return self.storage[self.name, "_totalSupply"]

    def balance_of(self, account: int) -> int:
        """Return what an account holds."""
        return self.storage[self.name, "_balances", account]

    def allowance(self, owner: int, spender: int) -> int:
        """Return how much `spender` may move for `owner`."""
        return self.storage[self.name, "_allowances", owner, spender]

    @transaction
    def approve(self, sender: int, spender: int, amount: int) -> bool:
        """Let `spender` move up to `amount` of the sender's tokens."""
        self._approve(sender, spender, amount)
        self.storage.emit(self.name, "Approval", sender, spender, amount)
        return True

    @transaction
    def transfer(self, sender: int, to: int, amount: int) -> bool:
        """Move the sender's tokens."""
        self.move(sender, to, amount)
        return True

    @transaction
    def transfer_from(self, sender: int, owner: int, to: int, amount: int) -> bool:
        """Move another's tokens, out of what it allowed the sender."""
        self.move_for(sender, owner, to, amount)
        return True

    @transaction
    def burn(self, sender: int, amount: int) -> None:
        """Destroy the sender's tokens: the energy was used."""
        self.destroy(sender, amount)

    @transaction
    def burn_from(self, sender: int, owner: int, amount: int) -> None:
        """Destroy another's tokens, out of what it allowed the sender."""
        self._spend(owner, sender, amount)
        self.destroy(owner, amount)

    # Parts of transactions: what other contracts call, and what the calls above are made of.

    def create(self, account: int, amount: int) -> None:
        """Mint tokens."""
        if account == NOBODY:
            raise Reverted("ERC20InvalidReceiver", NOBODY)
        self._update(NOBODY, account, amount)

    def destroy(self, account: int, amount: int) -> None:
        """Burn tokens."""
        if account == NOBODY:
            raise Reverted("ERC20InvalidSender", NOBODY)
        self._update(account, NOBODY, amount)

    def move(self, owner: int, to: int, amount: int) -> None:
        """Move tokens."""
        if owner == NOBODY:
            raise Reverted("ERC20InvalidSender", NOBODY)
        if to == NOBODY:
            raise Reverted("ERC20InvalidReceiver", NOBODY)
        self._update(owner, to, amount)

    def move_for(self, spender: int, owner: int, to: int, amount: int) -> None:
        """Move tokens out of an allowance."""
        self._spend(owner, spender, amount)
        self.move(owner, to, amount)

    def _approve(self, owner: int, spender: int, amount: int) -> None:
        if owner == NOBODY:
            raise Reverted("ERC20InvalidApprover", NOBODY)
        if spender == NOBODY:
            raise Reverted("ERC20InvalidSpender", NOBODY)
        self.storage[self.name, "_allowances", owner, spender] = amount

    def _spend(self, owner: int, spender: int, amount: int) -> None:
        allowed = self.allowance(owner, spender)
        if allowed == LARGEST_WORD:  # an allowance without end stays one
            return
        if allowed < amount:
            raise Reverted("ERC20InsufficientAllowance", spender, allowed, amount)
        self._approve(owner, spender, allowed - amount)

    def _update(self, owner: int, to: int, amount: int) -> None:
        """Take from `owner`, give to `to`; nobody stands for tokens that appear or vanish."""
        storage, supply, balances = self.storage, (self.name, "_totalSupply"), (self.name, "_balances")
        if owner == NOBODY:
            storage[supply] = add(storage[supply], amount)
        else:
            held = storage[*balances, owner]
            if held < amount:
                raise Reverted("ERC20InsufficientBalance", owner, held, amount)
            storage[*balances, owner] = held - amount
        if to == NOBODY:
            storage[supply] -= amount
        else:
            # All balances together are the supply, which is a word: no check, as in the source.
            storage[*balances, to] += amount
        storage.emit(self.name, "Transfer", owner, to, amount)


class EnergyToken(Erc20):
    """The energy token: one is 1 kWh that a verified meter injected; only the settlement contract makes them."""

    def __init__(self, name: str, storage: Storage, settlement: int) -> None:
        super().__init__(name, storage)
        self.settlement = settlement

    @transaction
    def mint(self, sender: int, account: int, amount: int) -> None:
        """Turn credits, which the sender has just destroyed, into tokens."""
        self._only_settlement(sender)
        self.create(account, amount)

    @transaction
    def redeem(self, sender: int, account: int, amount: int) -> None:
        """Destroy tokens, which the sender is about to turn into credits."""
        self._only_settlement(sender)
        self.destroy(account, amount)

    def _only_settlement(self, sender: int) -> None:
        if sender != self.settlement:
            raise Reverted("OnlySettlement", sender)


class TestCoin(Erc20):
    """The stablecoin of the tests: anyone may mint it."""

    __test__ = False  # not a test, whatever its name

    @transaction
    def mint(self, sender: int, account: int, amount: int) -> None:  # noqa: ARG002 -- whoever it is
        """Make coins."""
        self.create(account, amount)
