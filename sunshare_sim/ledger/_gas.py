"""Gas of a batch, trade by trade: what the EVM charges for storage depends on what stood there before.

Storage: EIP-2200 with the access lists of EIP-2929 and the refunds of EIP-3529; bytes of a call: EIP-2028; memory: Wood
(2014), Ethereum yellow paper, appendix H. The code between is measured on the compiled contract
(`contracts/measure_gas.py`).
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.kernels import kernel, part
from sunshare_sim.ledger._settlement import NO_CREDITS, NO_MONEY, Trades, payment
from sunshare_sim.units import IntArray

COLD: Final = 2000  # what the first look at a word costs more than the next
UNCHANGED, CHANGED, NEW = 100, 2900, 20_000
CLEARED: Final = 4800
ZERO_BYTE, BYTE, WORD_BYTES, ADDRESS_BYTES = 4, 16, 32, 20
MEMORY_SQUARE, REFUND_PART = 512, 5
BYTES_OF_CALL: Final = 4 * BYTE + BYTE + 31 * ZERO_BYTE  # which function, and where the list begins


class Code(NamedTuple):
    """Say what the contract's code costs beside storage, memory growth and the bytes of the call.

    Attributes
    ----------
    call, any : int
        The transaction, the function and its checks; and what the first trade costs more than the next.
    settled, wheeling : int
        A trade that settles, and its wheeling on top of it.
    no_money, no_wheeling, no_credits : int
        A trade that fails: the buyer's money covers not even the cost, covers that alone, or the energy is not there.
    words, words_a_trade : int
        Memory in use at the end [32 bytes]; what grows with its square is not in the figures above.
    """

    call: int
    any: int
    settled: int
    wheeling: int
    no_money: int
    no_wheeling: int
    no_credits: int
    words: int
    words_a_trade: int


@part
def _bytes(value: int) -> int:
    """Return the gas of a word of the call."""
    used = 0
    zero = WORD_BYTES
    while value > 0:
        if value & 255:
            used += 1
            zero -= 1
        value >>= 8
    return BYTE * used + ZERO_BYTE * zero


@part
def _load(cold: IntArray, word: int) -> int:
    if cold[word]:
        cold[word] = 0
        return COLD
    return 0


@part
def _store(words: tuple[IntArray, IntArray], at: int, value: int) -> tuple[int, int]:
    """Write a word; return what it costs, and what of it comes back at the end."""
    first, now = words
    old, new = first[at], value
    current = now[at]
    now[at] = new
    if new == current:
        return UNCHANGED, 0
    if current == old:
        if old == 0:
            return NEW, 0
        return CHANGED, CLEARED if new == 0 else 0
    back = 0
    if old != 0:
        if current == 0:
            back -= CLEARED
        elif new == 0:
            back += CLEARED
    if new == old:
        back += (NEW if old == 0 else CHANGED) - UNCHANGED
    return UNCHANGED, back


@kernel
def batch(cash: IntArray, credits_: IntArray, trades: Trades, status: IntArray, code: Code) -> int:
    """Return the gas of one batch.

    Parameters
    ----------
    cash, credits_ : IntArray
        Balances before the batch, shape [accounts]; the operator is the fourth from the end.
    trades, status : Trades, IntArray
        The batch and what became of each trade, shape [trades].
    code : Code
        What was measured of the function.
    """
    accounts, count = cash.size, status.size
    operator = accounts - 4
    # One row of words: money, then credits.
    first = np.concatenate((cash, credits_))
    words = (first, first.copy())
    now = words[1]
    cold = np.ones(2 * accounts, dtype=np.int64)
    # Function, offset and length of the list; then five words a trade, two of them addresses without a zero byte.
    gas = code.call + BYTES_OF_CALL + _bytes(count) + (code.any if count else 0)
    back = 0
    address = BYTE * ADDRESS_BYTES + ZERO_BYTE * (WORD_BYTES - ADDRESS_BYTES)
    for i in range(count):
        energy, buyer, seller = trades.energy[i], trades.buyer[i], trades.seller[i]
        cost, wheeling = payment(energy, trades.price_micro[i]), payment(energy, trades.charge_micro[i])
        gas += 2 * address + _bytes(energy) + _bytes(max(cost, 0)) + _bytes(max(wheeling, 0))
        gas += _load(cold, buyer)
        if status[i] == NO_MONEY:
            gas += code.no_money if cost < 0 or now[buyer] < cost else code.no_wheeling
            continue
        gas += _load(cold, accounts + seller)
        if status[i] == NO_CREDITS:
            gas += code.no_credits
            continue
        gas += code.settled
        if wheeling > 0:
            gas += code.wheeling + _load(cold, operator)
            for at, change in ((buyer, -wheeling), (operator, wheeling)):
                spent, returned = _store(words, at, now[at] + change)
                gas, back = gas + spent, back + returned
        gas += _load(cold, seller) + _load(cold, accounts + buyer)
        for at, change in (
            (buyer, -cost),
            (seller, cost),
            (accounts + seller, -energy),
            (accounts + buyer, energy),
        ):
            spent, returned = _store(words, at, now[at] + change)
            gas, back = gas + spent, back + returned
    memory = code.words + code.words_a_trade * count
    gas += memory * memory // MEMORY_SQUARE
    return gas - min(back, gas // REFUND_PART)
