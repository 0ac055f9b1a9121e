"""Every key figure on a case that can be worked out on paper.

Three half-hour slots of two homes: A has solar, B has none.

| slot | load | ev | solar | deficit | surplus | traded | net import |
|------|------|----|-------|---------|---------|--------|------------|
| 0    | 1.0  | 0  | 0     | 1.0     | 0       | 0      | +1.0       |
| 1    | 1.0  | 0  | 4.0   | 0.5     | 3.5     | 0.5    | -3.0       |
| 2    | 2.0  | 1  | 2.0   | 1.5     | 0.5     | 0.25   | +1.0       |
"""

import math

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
}
BILLS = {
    "total": np.array([-1.0, 4.0, 10.0, 0.0, 1.0]),
    "saving": np.array([3.0, -1.0, 0.0, 2.0, 1.0]),
    "network": np.array([0.0, 1.0, 2.0, 0.0, 0.5]),
    "wheeling": np.array([0.0, 0.25, 0.0, 0.0, 0.25]),
}
HOMES = {"ev_shortfall_kwh": np.array([0.0, 0.125, 0.0, 0.0, 0.0])}
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
}


@pytest.fixture(scope="module")
def table():
    return kpis.kpi_table(SLOTS, BILLS, HOMES, hours=0.5).set_index("name")


def test_all_key_figures_are_expected_here(table):
    assert list(table.index) == list(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_by_hand(table, name):
    assert table.value[name] == pytest.approx(EXPECTED[name], abs=1e-12)


def test_each_has_a_unit_and_a_line(table):
    assert set(table.unit) == {"kWh", "1", "kW", "currency", "currency/kWh"}
    assert table.description.str.len().min() > 10
    assert table.description.is_unique


def test_energy_figures_do_not_depend_on_who_trades(table):
    other = kpis.kpi_table({**SLOTS, "traded_kwh": np.zeros(3)}, BILLS, HOMES, hours=0.5).set_index("name")
    for name in ("self_sufficiency", "self_consumption", "peak_import_kw", "peak_export_kw"):
        assert other.value[name] == table.value[name]


def test_shares_of_nothing_have_no_value():
    nothing = {name: np.zeros(2) for name in SLOTS}
    homes = {name: np.zeros(0) for name in BILLS}
    table = kpis.kpi_table(nothing, homes, {"ev_shortfall_kwh": np.zeros(0)}, hours=0.25).set_index("name")
    without = {name for name, value in table.value.items() if math.isnan(value)}
    assert without == {
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
    }
    assert table.value["peak_import_kw"] == 0.0


def test_a_community_that_only_exports_has_no_import_peak():
    slots = {**SLOTS, "deficit_kwh": np.zeros(3), "surplus_kwh": np.ones(3)}
    assert kpis.peak_import_kw(slots, hours=0.5) == 0.0
    assert kpis.self_sufficiency(slots) == 1.0
