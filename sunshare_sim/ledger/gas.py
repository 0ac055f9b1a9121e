"""What settlement costs on a chain: gas as measured on the compiled contracts, so that a study can price it.

The list `gas.json` is written by `contracts/measure_gas.py` (py-evm, Cancun rules; see there). `settled_gas` is exact
for a batch whose balances are known; `batch_gas` estimates one from its size: linear in its trades and in the accounts
it touches, whose storage is paid for once a transaction.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from sunshare_sim.errors import LedgerError, describe, did_you_mean
from sunshare_sim.ledger._gas import Code, batch
from sunshare_sim.ledger._settlement import Trades
from sunshare_sim.units import IntArray

_FITTED: Final = (
    (10, 20),
    (100, 200),
    (100, 20),
)  # trades and accounts of the measurements the line goes through


@cache
def price_list() -> dict[str, Any]:
    """Return the committed measurements."""
    return dict(json.loads(files("sunshare_sim.ledger").joinpath("gas.json").read_text(encoding="utf-8")))


def operation_gas(operation: str) -> int:
    """Return the gas of one operation, with balances that were there before.

    >>> operation_gas("settleTrade") > 21_000
    True
    """
    known = price_list()["operations"]
    if operation not in known:
        hint, expected = did_you_mean(operation, known), ", ".join(known)
        raise LedgerError(
            describe("unknown operation", where="gas", got=operation, expected=expected, hint=hint)
        )
    return int(known[operation])


def settled_gas(
    balances: tuple[IntArray, IntArray],
    trades: Trades,
    status: IntArray,
    *,
    function: str = "settleBatchSkipping",
) -> int:
    """Return the gas of a batch, to the unit, as measured on the compiled contract; 0 for none.

    Parameters
    ----------
    balances : (IntArray, IntArray)
        Money and energy credits before the batch, shape [accounts] each, numbered by `settlement.Accounts`.
    trades, status : Trades, IntArray
        The batch, and what became of each trade, shape [trades].
    function : str
        ``settleBatchSkipping`` or ``settleBatch``.

    Notes
    -----
    Accounts here are numbers; on a chain they are addresses of 20 bytes, of which none is taken to be zero. A zero
    byte, which one address in thirteen has, saves 12 gas.
    """
    if not status.size:
        return 0
    return batch(*balances, trades, status, _code(function))


@cache
def _code(function: str) -> Code:
    return Code(**price_list()["code"][function])


def metering_gas(injections: int, deliveries: int) -> int:
    """Return the gas of registering homes' injections and delivering homes' whole credits, one call each.

    Calls as measured: bytes of their numbers may differ by some dozens of gas; the very first of all costs 17 100 more.
    """
    minted = operation_gas("registerInjection, first of a household")
    return injections * minted + deliveries * operation_gas("deliver, all of a household's credits")


def batch_gas(trades: int, accounts: int, *, function: str = "settleBatchSkipping") -> int:
    """Return the gas of settling `trades` between `accounts` in one batch; 0 for none.

    Trades carry wheeling, and no account is new: the first time costs it up to 17 100 gas more for each balance.
    """
    if trades < 0 or not (2 <= accounts <= 2 * trades or trades == accounts == 0):
        got = {"trades": trades, "accounts": accounts}
        raise LedgerError(
            describe("not a batch", where="batch_gas", got=got, expected="2 to 2 accounts a trade")
        )
    if not trades:
        return 0
    fixed, per_trade, per_account = _line(function)
    return round(fixed + per_trade * trades + per_account * accounts)


@cache
def _line(function: str) -> tuple[float, float, float]:
    rows = {(row["trades"], row["accounts"]): row["gas"] for row in price_list()["batches"][function]}
    known = np.array([[1, *case] for case in _FITTED])
    fixed, per_trade, per_account = np.linalg.solve(known, [rows[case] for case in _FITTED]).tolist()
    return fixed, per_trade, per_account
