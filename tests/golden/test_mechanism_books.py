"""Mechanisms on books with known answers: mechanism-books.yaml, and the worked numbers of the sharing rules."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from sunshare_sim.market.mechanism import MarketRules, ReferencePrices, make_mechanism
from sunshare_sim.market.orders import Orders
from sunshare_sim.units import ASK, BID, MICRO

CASES = yaml.safe_load((Path(__file__).parent / "mechanism-books.yaml").read_text())
LEVELS = 1_000_000
# retail 0.30 and feed-in 0.08 in ticks of 1e-6
GRID = ReferencePrices(retail=300_000, feed_in=80_000)


def orders_of(bids, asks, scale=1):
    rows = [*bids, *asks]
    owners = [row[2] if len(row) > 2 else number for number, row in enumerate(rows)]
    columns = (
        owners,
        [BID] * len(bids) + [ASK] * len(asks),
        [0] * len(rows),
        [round(row[1] * scale) for row in rows],
        [round(row[0] * MICRO) for row in rows],
    )
    return Orders(*(np.array(column, dtype=np.int64) for column in columns))


def market(name, charge=0, k=0.5):
    return make_mechanism(name, MarketRules(1, np.array([[charge]], dtype=np.int64), LEVELS, k=k))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_book(case):
    bids = case.get("bids") or [[1, price] for price in case["unit_bids"]]
    asks = case.get("asks") or [[1, price] for price in case["unit_asks"]]
    scale = case.get("scale", 1)
    orders = orders_of(bids, asks, scale)
    charge = round(case.get("charge", 0) * scale)
    fills = market(case["mechanism"], charge, case.get("k", 0.5)).clear(orders, GRID).fills
    assert fills.quantity.sum() == round(case["energy"] * MICRO)
    if "price" in case:
        prices = case["price"] if isinstance(case["price"], list) else [case["price"]] * fills.count
        assert fills.price.tolist() == [round(price * scale) for price in prices]
    if "fills" in case:
        expected = [[bid, len(bids) + ask, round(amount * MICRO)] for bid, ask, amount in case["fills"]]
        assert np.column_stack([fills.bid_id, fills.ask_id, fills.quantity]).tolist() == expected
    if "welfare" in case:
        gains = orders.price[fills.bid_id] - orders.price[fills.ask_id]
        assert gains @ fills.quantity == round(case["welfare"] * scale * MICRO)


def mean_prices(name, demand, generation):
    """Return what a kWh costs buyers and earns sellers, local energy and grid together, in currency/kWh."""
    bids = [[part * demand, GRID.retail] for part in (0.5, 0.3, 0.2)]
    asks = [[part * generation, GRID.feed_in] for part in (0.75, 0.25)]
    fills = market(name).clear(orders_of(bids, asks), GRID).fills
    local = int(fills.quantity.sum())
    traded = int(fills.price @ fills.quantity)
    cost = traded + (round(demand * MICRO) - local) * GRID.retail
    income = traded + (round(generation * MICRO) - local) * GRID.feed_in
    return cost / (demand * MICRO * MICRO), income / (generation * MICRO * MICRO)


@pytest.mark.parametrize(
    ("name", "demand", "generation", "buy", "sell"),
    [
        ("mid_market_rate", 6, 10, 0.19, 0.146),
        ("mid_market_rate", 10, 4, 0.256, 0.19),
        ("supply_demand_ratio", 10, 4, 0.237143, 0.142857),
        ("supply_demand_ratio", 10, 2.5, 0.269444, 0.177778),
        ("supply_demand_ratio", 10, 5, 0.213158, 0.126316),
        ("supply_demand_ratio", 10, 7.5, 0.148469, 0.097959),
        ("supply_demand_ratio", 10, 10, 0.08, 0.08),
        ("supply_demand_ratio", 6, 10, 0.08, 0.08),
    ],
)
def test_sharing_rules(name, demand, generation, buy, sell):
    assert mean_prices(name, demand, generation) == pytest.approx((buy, sell), abs=1e-6)


def test_bill_sharing_splits_the_bill_with_the_grid():
    """Its sellers ask for nothing here: the rule gives local energy away."""
    assert mean_prices("bill_sharing", 10, 4) == pytest.approx((0.18, 0))
    assert mean_prices("bill_sharing", 6, 10) == pytest.approx((0, 0.032))


def test_a_ratio_of_zero_is_the_retail_price():
    assert market("supply_demand_ratio").price(10 * MICRO, 0, GRID) == GRID.retail


def test_the_budget_of_the_ratio():
    """Buyers pay 2.371429 = sellers 0.571429 + import 1.8."""
    buy, sell = mean_prices("supply_demand_ratio", 10, 4)
    assert 10 * buy == pytest.approx(2.371429, abs=5e-6)
    assert 4 * sell == pytest.approx(0.571429, abs=5e-6)
    assert 10 * buy - 4 * sell == pytest.approx(6 * 0.30)


def test_every_home_gets_the_same_mean_price():
    """Ten homes short of energy: each gets the same part of its demand locally."""
    bids = [[quantity, 300_000] for quantity in (1, 2, 3, 4)]
    fills = market("mid_market_rate").clear(orders_of(bids, [[4, 80_000]]), GRID).fills
    got = np.bincount(fills.bid_id, fills.quantity, 4)
    assert got.tolist() == [400_000, 800_000, 1_200_000, 1_600_000]
