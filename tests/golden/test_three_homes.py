"""Every number of docs/three-homes.md, to the unit."""

from pathlib import Path

import numpy as np
import pytest

import sunshare_sim as ss

SCENARIO = Path(__file__).parents[2] / "scenarios" / "three-homes.yaml"
ANNA, BEN, CARL = 0, 1, 2


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ss.run(SCENARIO, out=tmp_path_factory.mktemp("golden") / "three-homes")


def micro(values):
    return np.rint(np.asarray(values, dtype=float) * 1e6).astype(int).tolist()


def test_every_trade(run):
    trades = run.trades
    assert trades["slot"].tolist() == [1, 1, 2, 2]
    assert trades["buyer"].tolist() == [BEN, CARL, BEN, CARL]
    assert trades["seller"].tolist() == [ANNA] * 4
    assert micro(trades["energy_kwh"]) == [400_000, 100_000, 1_000_000, 1_000_000]
    assert micro(trades["price_per_kwh"]) == [100_000] * 4
    assert micro(trades["charge_per_kwh"]) == [10_000, 30_000, 10_000, 30_000]
    assert trades["buyer_pool"].tolist() == [trades["seller_pool"][0], trades["buyer_pool"][1]] * 2
    assert trades["status"].tolist() == ["settled"] * 4


def test_every_meter_and_the_battery(run):
    net = run.panel("net_kwh").to_numpy()
    assert micro(net[:, ANNA]) == [500_000, -500_000, -2_388_889, 0]
    assert micro(net[:, BEN]) == [1_000_000, 400_000, 1_000_000, 1_000_000]
    assert micro(net[:, CARL]) == [1_000_000] * 4
    assert run.panel("soc_kwh").to_numpy()[:, ANNA] == pytest.approx([0, 0.9, 1.0, 0.444444], abs=1e-6)


def test_every_slot(run):
    slots = run.slots
    assert micro(slots["traded_kwh"]) == [0, 500_000, 2_000_000, 0]
    assert micro(slots["import_kwh"]) == [2_500_000, 900_000, 0, 2_000_000]
    assert micro(slots["export_kwh"]) == [0, 0, 388_889, 0]
    assert micro(slots["charge_kwh"]) == [0, 1_000_000, 111_111, 0]
    assert micro(slots["discharge_kwh"]) == [0, 0, 0, 500_000]


def test_every_bill(run):
    bills = run.bills
    assert micro(bills["purchases"]) == [0, 140_000, 110_000]
    assert micro(bills["wheeling"]) == [0, 14_000, 33_000]
    assert micro(bills["sales"]) == [-250_000, 0, 0]
    assert micro(bills["feed_in"]) == [-31_111, 0, 0]
    assert micro(bills["import_kwh"]) == [500_000, 2_000_000, 2_900_000]
    assert micro(bills["network"]) == [25_000, 100_000, 145_000]
    assert micro(bills["total"]) == [-101_111, 874_000, 1_187_000]
    assert micro(bills["counterfactual_total"]) == [-51_111, 1_224_000, 1_440_000]
    assert micro(bills["saving"]) == [50_000, 350_000, 253_000]


def test_the_operator_gets_wheeling_and_network_charge(run):
    accounts = run.accounts.set_index("name")
    assert micro([accounts.loc["operator", "cash"]]) == [47_000 + 270_000]
