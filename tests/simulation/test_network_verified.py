"""Who pays for losses is sealed with the readings, so that a bill with them can be proved from the folder alone."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from sunshare_sim.ledger.files import READINGS, read_genesis
from sunshare_sim.ledger.verify import household_bill, verify
from sunshare_sim.simulation.run import run


@pytest.mark.parametrize("rule", ["socialised", "proportional", "marginal"])
def test_losses_on_the_bills_are_proved(make_small, tmp_path, rule):
    scenario = make_small(network__power_flow="post", network__losses={"rule": rule})
    result = run(scenario, out=tmp_path / "run")
    proved = verify(result.folder)
    assert np.array_equal(proved.bills.losses, result.exact("bills")["losses_micro"])
    assert proved.bills.losses.sum() > 0
    for home in (0, len(result.households) - 1):
        lines = household_bill(result.folder, home)
        assert sum(line.losses for line in lines) == proved.bills.losses[home]


@pytest.mark.parametrize("applied_to", ["injections", "trades"])
def test_a_run_with_limits_is_proved(make_small, tmp_path, applied_to):
    limits = {"v_max_pu": 1.0003, "applied_to": applied_to}
    result = run(
        make_small(homes=12, network__power_flow="enforce", network__limits=limits), out=tmp_path / "run"
    )
    assert result.slots["curtailed_kwh"].sum() > 0
    assert verify(result.folder).failed == 0


def test_readings_say_nothing_of_losses_without_power_flow(make_small, tmp_path):
    columns = {}
    for mode in ("off", "post"):
        folder = run(make_small(network__power_flow=mode), out=tmp_path / mode).folder / "ledger"
        assert ("losses" in read_genesis(folder).text()) == (mode == "post")
        columns[mode] = pq.read_schema(folder / READINGS).names
    assert columns == {"off": ["net_micro_kwh"], "post": ["net_micro_kwh", "losses_micro_kwh"]}


def test_losses_cost_nothing_while_the_price_is_below_zero(make_small, tmp_path):
    path = tmp_path / "prices.csv"
    rows = [
        f"2025-06-0{day}T{hour:02}:00:00Z,{-0.9 if hour < 12 else 0.1}"
        for day in (1, 2, 3)
        for hour in range(24)
    ]
    path.write_text("time,price\n" + "\n".join(rows) + "\n", "utf-8")
    scenario = make_small(
        slots=24, network__power_flow="post", tariff__series={"path": str(path), "supply": "price"}
    )
    result = run(scenario, out=tmp_path / "run")
    assert verify(result.folder).bills.losses.sum() == result.exact("bills")["losses_micro"].sum()
    price = result.slots["retail_per_kwh"]
    assert (price < 0).any()
    paid = (result.slots["losses_kwh"] * price.clip(lower=0)).sum()
    assert result.bills["losses"].sum() == pytest.approx(paid, abs=1e-3)
