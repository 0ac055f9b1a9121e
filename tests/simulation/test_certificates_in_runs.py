"""Certificates in a run, through YAML: what the meters counted, at the stated factor, sold at the stated price."""

import numpy as np
import pytest
import yaml

from sunshare_sim.errors import InputError, LedgerError, ResultError, ScenarioError
from sunshare_sim.scenario.load import load_scenario
from sunshare_sim.simulation.run import run_scenario
from sunshare_sim.simulation.session import Simulation

PANELS = ("solar_kwh", "net_kwh")


def case(make_small, tmp_path, certificates, shop="household"):
    data = make_small(6, 24, results__panels=PANELS).model_dump(mode="json")
    data["settlement"]["certificates"] = certificates
    data["households"]["groups"].append({"name": "shop", "kind": shop, "count": 1,
                                         "demand": {"source": "values", "kwh": [0.1]}})  # fmt: skip
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def ran(make_small, tmp_path, shop="household", **certificates):
    path = case(make_small, tmp_path, {"enabled": True, **certificates}, shop)
    return run_scenario(path, out=tmp_path / "run")


def test_off_by_default(make_small, tmp_path):
    run = run_scenario(case(make_small, tmp_path, {}), out=tmp_path / "run")
    assert not (run.folder / "certificates.parquet").exists()
    with pytest.raises(ResultError, match=r"settlement\.certificates\.enabled: true"):
        _ = run.certificates


@pytest.mark.parametrize("basis", ["injection", "generation"])
def test_metered_sun_becomes_certificates(make_small, tmp_path, basis):
    run = ran(make_small, tmp_path, basis=basis, factor_g_per_kwh=400.0, size_kg=0.5, price_per_kg=0.1)
    solar, net = (run.panel(name).to_numpy().astype(float) for name in PANELS)
    counted = solar if basis == "generation" else np.minimum(solar, np.maximum(-net, 0))
    table = run.certificates
    assert table.household.to_list() == [*range(7), -1]
    homes = table[table.household >= 0]
    assert homes.certified_kwh.to_numpy() == pytest.approx(counted.sum(axis=0), abs=1e-4)
    assert homes.avoided_kg.to_numpy() == pytest.approx(0.4 * homes.certified_kwh.to_numpy(), abs=1e-4)
    exact = run.exact("certificates")
    micro = {name: exact[name].to_numpy() for name in exact.columns}
    assert (micro["avoided_kg_micro"] == micro["pooled_kg_micro"] + micro["minted_kg_micro"]).all()
    assert micro["minted_kg_micro"].sum() % 500_000 == 0
    assert micro["pooled_kg_micro"].sum() < 500_000
    assert (micro["retired_kg_micro"] == micro["sold_kg_micro"]).all()
    assert (
        micro["revenue_micro"].sum() == micro["paid_micro"].sum() == micro["minted_kg_micro"].sum() // 10 > 0
    )
    assert table.paid.iloc[-1] == table.paid.sum()


def test_bills_and_accounts_are_as_without(make_small, tmp_path):
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    having = ran(make_small, tmp_path / "with", size_kg=0.1)
    lacking = run_scenario(case(make_small, tmp_path / "without", {}), out=tmp_path / "without" / "run")
    for table in ("slots", "trades", "bills", "accounts", "households"):
        assert having.table(table).equals(lacking.table(table))


def test_an_enterprise_buys_as_far_as_its_budget_goes(make_small, tmp_path):
    run = ran(make_small, tmp_path, shop="enterprise", buyer="shop", size_kg=0.1, price_per_kg=1.0, budget=0.35,
              retire=False)  # fmt: skip
    table = run.certificates.set_index("household")
    assert -1 not in table.index
    assert table.paid[6] == table.paid.sum() == pytest.approx(0.3)
    assert table.revenue.sum() == pytest.approx(0.3)
    assert table.sold_kg.sum() == pytest.approx(0.3)
    assert table.minted_kg.sum() > 0.3
    assert not table.retired_kg.any()


def test_the_factor_may_follow_a_file(make_small, tmp_path):
    hours = np.arange(25)
    rows = [f"2025-06-0{1 + (22 + h) // 24}T{(22 + h) % 24:02d}:00Z,{0.1 + 0.01 * h:.3f}" for h in hours]
    (tmp_path / "mix.csv").write_text("time,kg_per_kwh\n" + "\n".join(rows) + "\n", encoding="utf-8")
    run = ran(make_small, tmp_path, factor_file="mix.csv", basis="generation")
    solar = run.panel("solar_kwh").to_numpy().astype(float)
    expected = ((0.1 + 0.01 * np.arange(24))[:, None] * solar).sum(axis=0)
    assert run.certificates.avoided_kg[:7].to_numpy() == pytest.approx(expected, abs=1e-4)

    (tmp_path / "mix.csv").write_text("time,kg_per_kwh\n" + "\n".join(rows[:9]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mix\.csv"):
        run_scenario(tmp_path / "case.yaml", out=tmp_path / "none")
    (tmp_path / "mix.csv").write_text("time,kg_per_kwh\n" + "\n".join(row.replace(",0", ",40") for row in rows),
                                      encoding="utf-8")  # fmt: skip
    with pytest.raises(ScenarioError, match="not a grid's emissions; got 40"):
        run_scenario(tmp_path / "case.yaml", out=tmp_path / "none")


def test_what_a_battery_feeds_in_is_not_certified(make_small):
    scenario = make_small(4, 4, settlement__certificates={"enabled": True})
    with Simulation(scenario) as simulation:
        certifier = simulation.state.certifier
        solar = np.array([0.0, 0.5, 2.0, 2.0])
        certifier.count(0, solar, np.array([-1_000_000, -1_000_000, -1_000_000, 1_000_000]))
        assert certifier.registry.holdings.certified.tolist() == [0, 500_000, 1_000_000, 0]
        with pytest.raises(LedgerError, match="minted certificates already"):
            certifier.count(0, solar, np.zeros(4, dtype=np.int64))


@pytest.mark.parametrize(
    ("certificates", "words"),
    [
        ({"buyer": "shp"}, ("settlement.certificates.buyer", "no such buyer", "did you mean 'shop'?")),
        ({"buyer": "sellers-0"}, ("no such buyer", "fund, shop")),
        ({"size_kg": 0.0}, ("settlement.certificates.size_kg", "out of range")),
        ({"price": 1.0}, ("settlement.certificates.price", "unknown key")),
        ({"factor_file": "none.csv"}, ("settlement.certificates.factor_file", "no such file")),
    ],
)
def test_mistakes_are_told(make_small, tmp_path, certificates, words):
    path = case(make_small, tmp_path, {"enabled": True, **certificates}, "enterprise")
    with pytest.raises(ScenarioError) as caught, Simulation(load_scenario(path)):
        pass
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_one_factor_not_two(make_small, tmp_path):
    (tmp_path / "mix.csv").write_text("time,kg_per_kwh\n", encoding="utf-8")
    path = case(make_small, tmp_path, {"factor_g_per_kwh": 200.0, "factor_file": "mix.csv"})
    with pytest.raises(ScenarioError, match="two factors"):
        load_scenario(path)
