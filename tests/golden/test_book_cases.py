"""The order book on cases worked out by hand, and on the examples of the source systems."""

from pathlib import Path

import pytest
import yaml

from sunshare_sim.market import ASK, BID, OrderBook
from tests.reference.book import ReferenceBook

CASES = yaml.safe_load((Path(__file__).parent / "book-cases" / "cases.yaml").read_text())
SIDES = {"bid": BID, "ask": ASK}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("kind", [OrderBook, ReferenceBook])
def test_case(case, kind):
    book = kind(case.get("charges", [[0]]), pricing=case.get("pricing", "ask"))
    fills = []
    for owner, side, *rest in case["orders"]:
        fills += book.submit(owner, SIDES[side], *rest)[1]
    assert [list(fill) for fill in fills] == case["fills"]
    orders = book.orders() if kind is OrderBook else book.orders
    assert sorted([order.id, order.quantity] for order in orders) == case["rest"]
