"""Every key figure on a case that can be worked out on paper.

Three half-hour slots of two homes: A has solar, B has none.

| slot | load | ev | solar | deficit | surplus | traded | net import |
|------|------|----|-------|---------|---------|--------|------------|
| 0    | 1.0  | 0  | 0     | 1.0     | 0       | 0      | +1.0       |
| 1    | 1.0  | 0  | 4.0   | 0.5     | 3.5     | 0.5    | -3.0       |
| 2    | 2.0  | 1  | 2.0   | 1.5     | 0.5     | 0.25   | +1.0       |
"""

import math
from pathlib import Path

import numpy as np
import pytest

from sunshare_sim.results import kpis

SLOTS = {
    "load_kwh": np.array([1.0, 1.0, 2.0]),
    "ev_kwh": np.array([0.0, 0.0, 1.0]),
    "solar_kwh": np.array([0.0, 4.0, 2.0]),
    "deficit_kwh": np.array([1.0, 0.5, 1.5]),
    "surplus_kwh": np.array([0.0, 3.5, 0.5]),
    "traded_kwh": np.array([0.0, 0.5, 0.25]),
    "trades": np.array([0, 1, 1]),
    "failed": np.array([0, 0, 2]),
    "trade_value": np.array([0.0, 0.05, 0.05]),  # 0.10 and 0.20 a kWh
    "wheeling": np.array([0.0, 0.01, 0.005]),  # 0.02 a kWh
    "largest_surplus_kwh": np.array([0.0, 3.5, 0.5]),  # A alone has any
    "retail_per_kwh": np.array([0.30, 0.30, 0.40]),
    "feed_in_per_kwh": np.array([0.10, 0.10, 0.10]),
    "losses_kwh": np.zeros(3),
    "unserved_kwh": np.array([0.0, 0.25, 0.0]),
    "curtailed_kwh": np.array([0.0, 1.5, 0.5]),
    "curtailment_cost": np.array([0.0, 0.15, 0.05]),
    "deferred_kwh": np.array([0.0, 0.0, 0.125]),
    "refused_kwh": np.array([0.0, 0.0625, 0.0]),
}
BUSES = {  # the substation, A's and B's
    "households": np.array([0, 1, 1]),
    "voltage_min_pu": np.array([1.0, 0.97, 0.88]),
    "voltage_max_pu": np.array([1.0, 1.12, 1.01]),
    "share_outside": np.array([0.0, 1 / 3, 2 / 3]),
    "weeks_failed": np.array([0.0, 1.0, 1.0]),
}
LINES = {
    "kind": np.array(["line", "switch", "transformer"]),
    "loading_max": np.array([0.75, np.nan, 1.25]),  # a switch has no rating
    "hours_above_100": np.array([0.0, np.nan, 0.5]),
}
GRID_KG = np.array([0.4, 0.3, 0.2])  # of a kWh from outside, slot by slot
BILLS = {
    "total": np.array([-1.0, 4.0, 10.0, 0.0, 1.0]),
    "saving": np.array([3.0, -1.0, 0.0, 2.0, 1.0]),
    "network": np.array([0.0, 1.0, 2.0, 0.0, 0.5]),
    "wheeling": np.array([0.0, 0.25, 0.0, 0.0, 0.25]),
    "counterfactual_network": np.array([0.0, 2.0, 2.0, 0.0, 1.0]),
    "bought_kwh": np.array([0.0, 3.0, 0.0, 0.0, 1.0]),
    "sold_kwh": np.array([4.0, 0.0, 0.0, 0.0, 0.0]),
}
QUOTES = {
    "best_bid_per_kwh": np.array([0.10, np.nan, 0.12]),
    "best_ask_per_kwh": np.array([0.14, 0.20, 0.18]),
}
HOMES = {"ev_shortfall_kwh": np.array([0.0, 0.125, 0.0, 0.0, 0.0])}
TABLES = {
    "slots": SLOTS,
    "bills": BILLS,
    "households": HOMES,
    "quotes": QUOTES,
    "buses": BUSES,
    "lines": LINES,
}
EXPECTED = {
    "consumption_kwh": 5.0,
    "solar_kwh": 6.0,
    "traded_kwh": 0.75,
    "trades": 2,
    "failed_trades": 2,
    "self_sufficiency": 1 - (1 + 1) / 5,
    "self_consumption": 1 - 3 / 6,
    "home_self_sufficiency": 1 - 3 / 5,
    "home_self_consumption": 1 - 4 / 6,
    "local_share": 0.75 / 3,
    "peak_import_kw": 1 / 0.5,
    "peak_export_kw": 3 / 0.5,
    "ev_shortfall_kwh": 0.125,
    "unserved_kwh": 0.25,
    "emissions_kg": 1.0 * 0.4 + 1.0 * 0.2,  # nothing flows in in slot 1
    "losses_kwh": 0.0,
    "loss_share": 0.0,
    "curtailed_kwh": 2.0,
    "curtailed_share": 2 / (6 + 2),
    "curtailment_cost": 0.2,
    "deferred_kwh": 0.125,
    "refused_kwh": 0.0625,
    "voltage_min_pu": 0.88,
    "voltage_max_pu": 1.12,
    "voltage_violation_share": 2 / 3,
    "buses_failed": 2,
    "line_loading_max": 0.75,
    "transformer_loading_max": 1.25,
    "overloaded_hours": 0.5,
    "mean_local_price": 0.10 / 0.75,
    "mean_local_price_paid": 0.115 / 0.75,
    "total_bill": 14.0,
    "total_saving": 5.0,
    "saving_mean": 1.0,
    "saving_median": 1.0,
    "saving_p10": -0.6,  # sorted -1, 0, 1, 2, 3: position 0.4
    "saving_p90": 2.6,
    "losing_share": 0.2,
    "operator_revenue": 4.0,
    "bill_mean": 14 / 5,
    # Bills -1, 0, 1, 4, 10 in order: differences of all pairs 1+2+5+11 + 1+4+10 + 3+9 + 6 = 52, over 5 * 16
    "gini_bill": 52 / 80,
    # Savings -1, 0, 1, 2, 3: 1+2+3+4 + 1+2+3 + 1+2 + 1 = 20, over 5 * 7
    "gini_saving": 20 / 35,
    "jain_saving": 25 / (5 * 15),
    "cost_recovery": 4 / 5,
    # 5 - 4 = 1 is missing; of the 4 that are paid, 2 come from the two homes that do not trade
    "cross_subsidy": 0.5,
    "traded_slots": 2 / 3,
    "local_price_p10": 0.11,
    "local_price_p90": 0.19,
    "price_volatility": 0.05,
    # Made: half a kWh worth 0.2 each and a quarter worth 0.3; to make: half and half
    "allocative_efficiency": 0.7,
    "hhi_sellers": 1.0,
    "hhi_buyers": (9 + 1) / 16,
    "pivotal_share": 1.0,
    "depth_kwh": 0.5,
    "spread": 0.05,
}


@pytest.fixture(scope="module")
def table():
    return kpis.kpi_table(TABLES, hours=0.5, grid_kg_per_kwh=GRID_KG).set_index("name")


def test_all_key_figures_are_expected_here(table):
    assert list(table.index) == list(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_by_hand(table, name):
    assert table.value[name] == pytest.approx(EXPECTED[name], abs=1e-12)


def test_each_has_a_unit_and_a_line(table):
    assert set(table.unit) == {"kWh", "1", "kW", "currency", "currency/kWh", "kg", "p.u.", "h"}
    assert table.description.str.len().min() > 10
    assert table.description.is_unique


def test_energy_figures_do_not_depend_on_who_trades(table):
    tables = {**TABLES, "slots": {**SLOTS, "traded_kwh": np.zeros(3)}}
    other = kpis.kpi_table(tables, hours=0.5).set_index("name")
    for name in ("self_sufficiency", "self_consumption", "peak_import_kw", "peak_export_kw"):
        assert other.value[name] == table.value[name]


def test_shares_of_nothing_have_no_value():
    nothing = {name: np.zeros(2) for name in SLOTS}
    homes = {name: np.zeros(0) for name in BILLS}
    lines = {"loading_max": np.full(2, np.nan)}  # no power flow
    tables = {"slots": nothing, "bills": homes, "households": {"ev_shortfall_kwh": np.zeros(0)}}
    tables |= {"buses": {}, "lines": lines}
    table = kpis.kpi_table(tables, hours=0.25).set_index("name")
    without = {name for name, value in table.value.items() if math.isnan(value)}
    assert without == {
        "emissions_kg",
        "self_sufficiency",
        "self_consumption",
        "home_self_sufficiency",
        "home_self_consumption",
        "local_share",
        "mean_local_price",
        "mean_local_price_paid",
        "saving_mean",
        "saving_median",
        "saving_p10",
        "saving_p90",
        "losing_share",
        "bill_mean",
        "gini_bill",
        "gini_saving",
        "jain_saving",
        "cost_recovery",
        "cross_subsidy",
        "local_price_p10",
        "local_price_p90",
        "price_volatility",
        "allocative_efficiency",
        "hhi_sellers",
        "hhi_buyers",
        "pivotal_share",
        "depth_kwh",
    }
    assert table.value["peak_import_kw"] == 0.0


def test_a_community_that_only_exports_has_no_import_peak():
    slots = {**SLOTS, "deficit_kwh": np.zeros(3), "surplus_kwh": np.ones(3)}
    assert kpis.peak_import_kw(slots, hours=0.5) == 0.0
    assert kpis.self_sufficiency(slots) == 1.0


def test_losses_come_from_outside():
    """Half a kWh is lost in slot 2: 1.5 kWh flow in instead of 1, and 0.3 kWh in slot 1 takes from what flows out."""
    slots = {**SLOTS, "losses_kwh": np.array([0.0, 0.3, 0.5])}
    found = kpis.kpi_table({**TABLES, "slots": slots}, hours=0.5, grid_kg_per_kwh=0.5).set_index("name").value
    assert found["losses_kwh"] == pytest.approx(0.8)
    assert found["loss_share"] == pytest.approx(0.8 / 5)
    assert found["self_sufficiency"] == pytest.approx(1 - 2.5 / 5)
    assert found["self_consumption"] == pytest.approx(1 - 2.7 / 6)
    assert found["peak_import_kw"] == pytest.approx(1.5 / 0.5)
    assert found["emissions_kg"] == pytest.approx(2.5 * 0.5)


def test_without_power_flow_there_are_no_figures_of_wires(table):
    off = {**TABLES, "lines": {**LINES, "loading_max": np.full(3, np.nan)}}
    found = kpis.kpi_table(off, hours=0.5).set_index("name")
    assert set(table.index) - set(found.index) == {
        name
        for name in EXPECTED
        if list(EXPECTED).index("losses_kwh")
        <= list(EXPECTED).index(name)
        < list(EXPECTED).index("mean_local_price")
    }


def test_all_are_in_the_manual():
    manual = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    _, _, figures = manual.partition("## Key figures")
    assert [name for name in EXPECTED if f"`{name}`" not in figures] == []
