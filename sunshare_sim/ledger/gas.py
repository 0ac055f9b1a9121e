"""What settlement costs on a chain: gas as measured on the compiled contracts, so that a study can price it.

The list `gas.json` is written by `contracts/measure_gas.py` (py-evm, Cancun rules; see there). Gas of a batch is linear
in its trades and in the accounts it touches, whose storage is paid for once a transaction.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from sunshare_sim.errors import LedgerError, describe, did_you_mean

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
