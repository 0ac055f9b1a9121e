"""Gas: the line drawn through three measurements meets the others, and bad questions are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.gas import batch_gas, metering_gas, operation_gas, price_list, settled_gas
from sunshare_sim.ledger.settlement import Ledger, Trades, payment
from sunshare_sim.units import MICRO


@pytest.mark.parametrize("function", ["settleBatch", "settleBatchSkipping"])
def test_the_line_meets_the_measurements_it_was_not_drawn_through(function):
    for row in price_list()["batches"][function]:
        assert batch_gas(row["trades"], row["accounts"], function=function) == pytest.approx(
            row["gas"], rel=0.01
        )


def test_a_batch_is_cheaper_than_its_trades_one_by_one():
    assert batch_gas(100, 20) < 100 * operation_gas("settleTrade") / 3
    assert batch_gas(0, 0) == 0


def test_prices_belong_to_the_committed_contracts():
    from tests.contracts.evm import artifact

    assert price_list()["compiler"] == json.loads(json.dumps(artifact("SunShareSettlement")["compiler"]))


@pytest.mark.parametrize(("trades", "accounts"), [(-1, 2), (1, 1), (1, 3), (0, 2)])
def test_no_batch_no_price(trades, accounts):
    with pytest.raises(LedgerError, match="not a batch"):
        batch_gas(trades, accounts)


def test_an_unknown_operation_is_named():
    with pytest.raises(LedgerError, match="did you mean 'settleTrade'"):
        operation_gas("setleTrade")


CASES = json.loads((Path(__file__).parent / "gas_cases.json").read_text(encoding="utf-8"))


def as_batch(case):
    """Return balances and trades of a measured batch; energy is below 1 kWh, so that a price gives any cost."""
    rows = np.array(case["trades"], dtype=np.int64).reshape(-1, 5)
    prices = -(-rows[:, 3:] * MICRO // np.maximum(rows[:, 2:3], 1))
    trades = Trades(*(np.ascontiguousarray(column) for column in (*rows[:, :3].T, *prices.T)))
    for price, paid in zip(prices.T, rows[:, 3:].T, strict=True):
        assert [
            payment(e, p) for e, p in zip(rows[:, 2].tolist(), price.tolist(), strict=True)
        ] == paid.tolist()
    cash = np.array(case["cash"] + [0, 0, 0], dtype=np.int64)
    stock = np.array(case["credits"] + [0, 0, 0, 0], dtype=np.int64)
    return (cash, stock), trades, np.array(case["status"], dtype=np.int64)


def test_the_gas_of_a_batch_is_what_was_measured_to_the_unit():
    assert len(CASES) >= 50
    assert {status for case in CASES for status in case["status"]} == {0, 1, 2}
    for case in CASES:
        balances, trades, status = as_batch(case)
        if status.size:
            assert settled_gas(balances, trades, status, function=case["function"]) == case["gas"]


def test_the_measured_statuses_are_the_ledgers():
    for case in CASES:
        (cash, stock), trades, status = as_batch(case)
        ledger = Ledger(stock.size - 4)
        ledger.cash[:], ledger.credits[:] = cash, stock
        assert ledger.settle_batch(ledger.oracle, trades).tolist() == status.tolist()


def test_known_batches_cost_what_the_line_says_roughly():
    """Of 100 trades among 20 homes that had traded before, the exact gas is near the measured batch of that shape."""
    homes, count = 20, 100
    balances = tuple(np.full(homes + 4, 10**9) for _ in range(2))
    i = np.arange(count)
    trades = Trades(
        2 * i % homes, (2 * i + 1) % homes, 654_321 + i, np.full(count, 188_678), np.full(count, 6_600)
    )
    exact = settled_gas(balances, trades, np.zeros(count, dtype=np.int64))
    assert exact == pytest.approx(batch_gas(count, homes), rel=0.01)
    assert settled_gas(balances, Trades(*(c[:0] for c in trades)), np.empty(0, dtype=np.int64)) == 0


def test_metering_is_a_call_a_home():
    assert metering_gas(0, 0) == 0
    assert metering_gas(2, 3) == 2 * 76_498 + 3 * 32_016
