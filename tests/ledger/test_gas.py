"""Gas: the line drawn through three measurements meets the others, and bad questions are refused."""

import json

import pytest

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.gas import batch_gas, operation_gas, price_list


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
