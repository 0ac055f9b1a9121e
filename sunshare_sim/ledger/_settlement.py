"""Kernels of the ledger: sequential loops over int64 balances that never wrap.

They rely on one invariant, which `Ledger.fund` and `Ledger.register_injections` keep: no balance is negative and the
sum of all balances fits int64. What one account receives therefore always fits; only products can be too large.
"""

from typing import Final, NamedTuple

from sunshare_sim.kernels import kernel
from sunshare_sim.units import MICRO, IntArray

SETTLED: Final = 0
NO_MONEY: Final = 1  # "Insufficient fiat balance"
NO_CREDITS: Final = 2  # "Insufficient energy credits"

BEYOND: Final = -1  # stands for an amount above int64, which no account can hold
LARGEST: Final = 2**63 - 1
_SAFE: Final = 2**31  # factors below this have a product that fits


class Trades(NamedTuple):
    """Hold the trades of a slot in time order, as int64 arrays of shape [trades].

    Attributes
    ----------
    buyer, seller : IntArray
        Accounts (rows of households).
    energy : IntArray
        Energy [1e-6 kWh], at least 1.
    price_micro : IntArray
        What the seller gets [1e-6 currency/kWh], not negative.
    charge_micro : IntArray
        Wheeling charge the buyer pays on top, to the operator [1e-6 currency/kWh], not negative.
    """

    buyer: IntArray
    seller: IntArray
    energy: IntArray
    price_micro: IntArray
    charge_micro: IntArray


@kernel
def payment(energy: int, price_micro: int) -> int:
    """Return ``energy * price // 10**6`` [1e-6 currency], or `BEYOND` when that does not fit int64.

    The one place where a payment is computed. Neither argument may be negative. The product is taken apart into whole
    and remaining units, so that only the result has to fit, not the product.
    """
    if energy < _SAFE and price_micro < _SAFE:
        return energy * price_micro // MICRO
    units, rest = energy // MICRO, energy % MICRO
    if units and price_micro > LARGEST // units:
        return BEYOND
    # The rest is less than a million units, and at a million its payment would be the price, which fits.
    first = units * price_micro
    second = rest * (price_micro // MICRO) + rest * (price_micro % MICRO) // MICRO
    return BEYOND if first > LARGEST - second else first + second


@kernel
def first_malformed(trades: Trades, operator: int) -> int:
    """Return the row of the first trade that the contract could not even be called with, or -1."""
    for i in range(trades.buyer.size):
        known = 0 <= trades.buyer[i] < operator and 0 <= trades.seller[i] < operator
        if not known or trades.energy[i] < 1 or trades.price_micro[i] < 0 or trades.charge_micro[i] < 0:
            return i
    return -1


@kernel
def settle(cash: IntArray, credits_: IntArray, trades: Trades, operator: int, status: IntArray) -> None:
    """Settle `trades`, none malformed, one after the other and write each one's status; skip those that fail.

    Parameters
    ----------
    cash, credits_ : IntArray
        Balances [1e-6 currency] and [1e-6 kWh], shape [accounts]; changed in place.
    trades : Trades
        The trades; households are the accounts below `operator`.
    operator : int
        Account that receives the wheeling charges.
    status : IntArray
        Out: `SETTLED`, `NO_MONEY` or `NO_CREDITS`, shape [trades].
    """
    for i in range(trades.buyer.size):
        buyer, seller, energy = trades.buyer[i], trades.seller[i], trades.energy[i]
        cost = payment(energy, trades.price_micro[i])
        wheeling = payment(energy, trades.charge_micro[i])
        # Written without a sum, which could wrap. An amount beyond int64 is more than anyone holds.
        if cost < 0 or wheeling < 0 or cash[buyer] < cost or cash[buyer] - cost < wheeling:
            status[i] = NO_MONEY
        elif credits_[seller] < energy:
            status[i] = NO_CREDITS
        else:
            cash[buyer] -= cost + wheeling
            cash[seller] += cost
            cash[operator] += wheeling
            credits_[seller] -= energy
            credits_[buyer] += energy
            status[i] = SETTLED


@kernel
def worth(trades: Trades) -> tuple[int, int]:
    """Return energy [1e-6 kWh] and value [1e-6 currency] of trades, whether they can settle or not.

    What is worth more than int64 counts as nothing: nobody can pay it.
    """
    energy, value = 0, 0
    for i in range(trades.energy.size):
        cost = payment(trades.energy[i], trades.price_micro[i])
        if cost >= 0:
            energy += trades.energy[i]
            value += cost
    return energy, value


@kernel
def total(values: IntArray) -> int:
    """Return the sum of `values`, or `BEYOND` when one is negative or the sum does not fit int64."""
    result = 0
    for i in range(values.size):
        if values[i] < 0 or result > LARGEST - values[i]:
            return BEYOND
        result += values[i]
    return result


@kernel
def burn(credits_: IntArray, net: IntArray) -> tuple[int, int]:
    """Empty every household's credits and return what was consumed and what was fed into the grid [1e-6 kWh].

    A home consumes up to its metered deficit (``net > 0``); the rest of its credits is fed in. Shape of `net` [homes].
    """
    consumed, fed_in = 0, 0
    for home in range(net.size):
        used = min(credits_[home], max(net[home], 0))
        consumed += used
        fed_in += credits_[home] - used
        credits_[home] = 0
    return consumed, fed_in
