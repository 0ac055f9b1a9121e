"""A community run a substation at a time is the community run as one, wherever no trade crosses substations."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from sunshare_sim.cli import main
from sunshare_sim.errors import LedgerError, ResultError, ScenarioError
from sunshare_sim.results.run import Run
from sunshare_sim.scenario.load import load_scenario
from sunshare_sim.simulation.run import run
from sunshare_sim.studies.joined_ledger import place_of, verify_joined
from sunshare_sim.studies.sharding import Means, plan_shards, run_sharded

VILLAGE = """
name: shards
seed: 3
time: {start: 2025-06-16, days: 1}
feeder: {source: pandapower, name: kerber_dorfnetz, copies: 3}
households:
  count: 60
  groups:
    - {name: roofs, share: 0.5, solar: {share: 0.7}, battery: {share: 0.5}, strategy: {name: STRATEGY}}
    - name: cars
      ev: {share: 0.5, charging: price_following}
      appliances: [{name: washer, share: 0.6}]
      heat_pump: {source: house, share: 0.4}
      strategy: {name: STRATEGY}
network: {charges: {rule: zonal, within_zone_per_kwh: 0.01, between_zones_per_kwh: 0.02}}
results: {figures: false, panels: [net_kwh], orders: true, quotes: true}
"""
PAIR = """
name: pair
time: {start: 2025-06-16, slots: 4}
feeder:
  source: inline
  copies: 2
  lines: [{from_bus: substation, to_bus: house, r_ohm: 0.1, x_ohm: 0.05}]
households:
  groups:
    - {name: sun, count: 1, buses: [house], demand: {source: values, kwh: [0.0]},
       solar: {source: values, kwh: [1.0, 0.5, 0.0, 2.0]}}
    - {name: none, count: 1, buses: ["house#2"], demand: {source: values, kwh: [0.4, 0.4, 0.4, 3.0]}}
tariff: {supply_per_kwh: 0.2, network_per_kwh: 0.0, levies_per_kwh: 0.0, vat: 0.0, feed_in_per_kwh: 0.05}
network: {charges: {rule: zonal, beyond_per_kwh: 0.03}}
results: {figures: false}
"""
AWAY = (
    "households.groups[0].kind=enterprise & households.groups[0].charge_points={count: 2}"
    " & households.groups[1].ev.away={at: roofs}"
)
SHORT = ("households", "bills", "buses", "lines", "accounts", "kpis", "quotes", "events")


def scenario_of(tmp_path, text, *overrides, strategy="zip"):
    file = tmp_path / "village.yaml"
    file.write_text(text.replace("STRATEGY", strategy), encoding="utf-8")
    return load_scenario(file, overrides=overrides)


def in_order(run, table, home):
    """Return a long table of the unsharded run by slot, then substation, then time."""
    frame = run.exact(table)
    substation = run.households.bus.to_numpy() // (len(run.buses) // 3)
    rows = np.lexsort((np.arange(len(frame)), substation[frame[home]], frame["slot"]))
    return frame.iloc[rows].reset_index(drop=True)


def check_equal(whole, joined):
    for name in SHORT:
        assert whole.exact(name).equals(joined.exact(name)), name
    mine, theirs = whole.exact("slots"), joined.exact("slots")
    exact = [name for name in mine if mine[name].dtype.kind != "f"]
    assert mine[exact].equals(theirs[exact])
    assert np.allclose(mine["soc_kwh"], theirs["soc_kwh"], rtol=1e-12)
    assert in_order(whole, "trades", "buyer").equals(joined.exact("trades"))
    assert in_order(whole, "orders", "household").equals(joined.exact("orders"))
    assert whole.panel("net_kwh").equals(joined.panel("net_kwh"))


@pytest.mark.parametrize("strategy", ["tariff_bound", "zi_c", "zip", "gd", "predictive"])
def test_joined_run_is_the_run_of_the_whole(tmp_path, strategy):
    scenario = scenario_of(tmp_path, VILLAGE, strategy=strategy)
    whole = run(scenario, out=tmp_path / "whole")
    joined = run_sharded(scenario, out=tmp_path / "joined", means=Means(workers=0))
    assert len(whole.trades) > 500
    assert (whole.households.ev_kw > 0).any()
    assert (whole.households.battery_kwh > 0).any()
    check_equal(whole, joined)
    assert joined.manifest["sharding"]["notes"] == []


@pytest.mark.parametrize(
    "override",
    [
        "market.rounds=1",
        "market.order_lifetime=3",
        "market.arrival=fixed",
        "market.orders_per_slot=2",
        "network.charges.rule=islands",
        "market.mechanism=none",
        "settlement.initial_balance=0.5",
        "feeder.zones=transformer",
    ],
)
def test_equal_whatever_the_market_rules(tmp_path, override):
    small = ("households.count=24", "time.days=1", "results.panels=[net_kwh]")
    scenario = scenario_of(tmp_path, VILLAGE, override, *small)
    whole = run(scenario, out=tmp_path / "whole")
    check_equal(whole, run_sharded(scenario, out=tmp_path / "joined", means=Means(workers=0)))


def test_workers_and_parts_make_no_difference(tmp_path):
    scenario = scenario_of(tmp_path, VILLAGE)
    one = run_sharded(scenario, out=tmp_path / "one", means=Means(workers=1))
    two = run_sharded(scenario, out=tmp_path / "two", means=Means(workers=2))
    for part in (2, 1):
        assert run_sharded(scenario, out=tmp_path / "array", means=Means(workers=0, shard=(part, 2))) is None
    array = run_sharded(scenario, out=tmp_path / "array")
    for other in (two, array):
        mine, theirs = one.manifest["files"], other.manifest["files"]
        own = [name for name in mine if not name.endswith("manifest.json")]  # which tell the time of day
        assert {name: mine[name] for name in own} == {name: theirs[name] for name in own}
    assert not (tmp_path / "array.shards").exists()


def test_goes_on_where_it_stopped_and_refuses_another_scenario(tmp_path):
    scenario = scenario_of(tmp_path, VILLAGE, strategy="tariff_bound")
    run_sharded(scenario, out=tmp_path / "out", means=Means(workers=0, shard=(1, 3)))
    before = (tmp_path / "out.shards" / "0" / "manifest.json").read_bytes()
    other = scenario_of(tmp_path, VILLAGE, "seed=4", strategy="tariff_bound")
    with pytest.raises(ResultError, match="another scenario"):
        run_sharded(other, out=tmp_path / "out", means=Means(workers=0))
    joined = run_sharded(scenario, out=tmp_path / "out", means=Means(workers=0))
    assert (joined.folder / "shards" / "0" / "manifest.json").read_bytes() == before


def test_a_substation_that_fails_is_named_and_the_others_stay(tmp_path, monkeypatch):
    from sunshare_sim.studies import workers
    from sunshare_sim.studies.task import Outcome, perform

    def fails(task):
        return Outcome(task.variant, task.seed, "StrategyError: no") if task.part == 1 else perform(task)

    monkeypatch.setattr(workers, "perform", fails)
    scenario = scenario_of(tmp_path, VILLAGE, "households.count=24", strategy="tariff_bound")
    with pytest.raises(ResultError, match=r"substation 1: 1 of 3 substations failed.*StrategyError: no"):
        run_sharded(scenario, out=tmp_path / "out", means=Means(workers=0))
    assert sorted(path.name for path in (tmp_path / "out.shards").iterdir()) == ["0", "2"]
    assert not (tmp_path / "out").exists()


def test_a_foreign_folder_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("mine")
    with pytest.raises(ResultError, match="not a run"):
        run_sharded(scenario_of(tmp_path, VILLAGE), out=tmp_path / "out", means=Means(workers=0))
    assert not (tmp_path / "out.shards").exists()


def test_loss_of_welfare_by_hand(tmp_path):
    """Slots: surplus 1, 0.5, 0, 2; deficit 0.4, 0.4, 0.4, 3; each crossing kWh gains 0.20 - 0.05 - 0.03."""
    scenario = scenario_of(tmp_path, PAIR)
    joined = run_sharded(scenario, out=tmp_path / "joined", means=Means(workers=0))
    kpis = joined.kpis.set_index("name").value
    assert kpis.sharding_forgone_kwh == pytest.approx(0.4 + 0.4 + 0.0 + 2.0)
    assert kpis.sharding_loss == pytest.approx(2.8 * 0.12)
    assert joined.manifest["sharding"]["loss"] == kpis.sharding_loss
    assert "between substations" in joined.manifest["sharding"]["notes"][0]
    whole = run(scenario, out=tmp_path / "whole")
    assert whole.kpis.set_index("name").value.traded_kwh == pytest.approx(2.8)
    assert joined.kpis.set_index("name").value.traded_kwh == 0


def test_what_a_substation_trades_by_itself_is_not_lost(tmp_path):
    """With a neighbour beside the sun who needs 0.3 kWh a slot, that much less is left for the other substation."""
    text = PAIR.replace(
        "  groups:\n",
        "  groups:\n    - {name: near, count: 1, buses: [house], demand: {source: values, kwh: [0.3]}}\n",
    )
    joined = run_sharded(scenario_of(tmp_path, text), out=tmp_path / "joined", means=Means(workers=0))
    kpis = joined.kpis.set_index("name").value
    assert kpis.traded_kwh == pytest.approx(0.3 * 3)
    assert kpis.sharding_forgone_kwh == pytest.approx(0.4 + 0.2 + 0.0 + 1.7)
    assert kpis.sharding_loss == pytest.approx(2.3 * 0.12)


def test_loss_counts_no_trade_dearer_than_the_grid(tmp_path):
    scenario = scenario_of(tmp_path, PAIR, "network.charges.beyond_per_kwh=0.16")
    joined = run_sharded(scenario, out=tmp_path / "joined", means=Means(workers=0))
    assert joined.kpis.set_index("name").value.sharding_loss == 0


def test_loss_follows_charges_by_time_of_day(tmp_path):
    free = "network.charges.periods=[{from_hour: 0, to_hour: 24, factor: 0}]"
    scenario = scenario_of(tmp_path, PAIR, free)
    joined = run_sharded(scenario, out=tmp_path / "joined", means=Means(workers=0))
    assert joined.kpis.set_index("name").value.sharding_loss == pytest.approx(2.8 * 0.15)


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    place = tmp_path_factory.mktemp("joined")
    scenario = scenario_of(place, VILLAGE, strategy="zi_c")
    return run_sharded(scenario, out=place / "run", means=Means(workers=0))


def test_joined_run_is_proved_shard_by_shard(joined):
    proved = verify_joined(joined.folder)
    assert proved.total("trades") == len(joined.trades)
    assert proved.head == joined.manifest["chain_head"]
    verify_joined(joined.folder, head=proved.head)
    with pytest.raises(LedgerError, match="published head"):
        verify_joined(joined.folder, head="00" * 32)


def test_a_changed_bill_is_found(joined, tmp_path):
    """Whoever changes a joined table and its hash in the manifest is still found out."""
    import shutil

    import pyarrow.parquet as pq

    from sunshare_sim.results.store import sha256_of

    place = tmp_path / "run"
    shutil.copytree(joined.folder, place)
    table = pq.read_table(place / "bills.parquet").to_pandas()
    table.loc[4, "total_micro"] += 1
    table.to_parquet(place / "bills.parquet")
    manifest = json.loads((place / "manifest.json").read_text())
    with pytest.raises(LedgerError, match=r"cut short|is not the file"):
        verify_joined(place)
    entry = manifest["files"]["bills.parquet"]
    entry["sha256"] = sha256_of(place / "bills.parquet")
    entry["bytes"] = (place / "bills.parquet").stat().st_size
    (place / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LedgerError, match=r"bills.parquet, column total_micro"):
        verify_joined(place)


def test_each_home_is_found_in_its_substation(joined):
    names = joined.households.name
    for home in (0, 17, 59):
        folder, row, _ = place_of(joined.folder, home)
        assert Run.load(folder).households.name[row] == names[home]
    with pytest.raises(LedgerError, match="no such household"):
        place_of(joined.folder, 60)


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("feeder.copies=1", "only one substation"),
        (
            "events=[{kind: weather, start: 2025-06-16T10:00, end: 2025-06-16T12:00, irradiance: 0.5}]",
            "events are of",
        ),
        ("settlement.certificates.enabled=true", "pooled over all homes"),
        (AWAY, "charge away from home"),
    ],
)
def test_what_joins_substations_is_refused(tmp_path, override, where):
    with pytest.raises(ScenarioError, match=where):
        plan_shards(scenario_of(tmp_path, VILLAGE, *override.split(" & ")))


def test_notes_say_where_the_whole_would_differ(tmp_path):
    changed = scenario_of(tmp_path, VILLAGE, "market.mechanism=uniform_price", "network.power_flow=post")
    notes = " ".join(plan_shards(changed).whole.notes)
    assert "uniform_price clears each substation by itself" in notes
    assert "losses are shared within each substation" in notes


def test_power_flow_runs_by_substation(tmp_path):
    scenario = scenario_of(tmp_path, VILLAGE, "network.power_flow=post", "results.orders=false")
    joined = run_sharded(scenario, out=tmp_path / "joined", means=Means(workers=0))
    whole = run(scenario, out=tmp_path / "whole")
    assert np.allclose(joined.buses.voltage_min_pu, whole.buses.voltage_min_pu, rtol=1e-6)
    assert np.allclose(joined.slots.losses_kwh, whole.slots.losses_kwh, atol=1e-5)
    assert np.allclose(joined.lines.losses_kwh, whole.lines.losses_kwh, atol=1e-4)
    assert joined.exact("trades").equals(in_order(whole, "trades", "buyer"))


def test_substations_without_homes_stay_in_the_tables(tmp_path):
    scenario = scenario_of(tmp_path, PAIR, "feeder.copies=4", "network.charges.beyond_per_kwh=null")
    joined = run_sharded(scenario, out=tmp_path / "joined", means=Means(workers=0))
    whole = run(scenario, out=tmp_path / "whole")
    assert joined.exact("buses").equals(whole.exact("buses"))
    assert joined.manifest["sharding"]["substations"] == [0, 1]


def test_command(tmp_path):
    scenario_of(tmp_path, PAIR)
    out = tmp_path / "out"
    options = ["shard", str(tmp_path / "village.yaml"), "--out", str(out), "--workers", "0", "-q"]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 0, done.output
    assert "note: trades between substations" in done.output
    proved = CliRunner().invoke(main, ["verify", str(out), "--household", "1"])
    assert proved.exit_code == 0
    assert "2 substations" in proved.output
    assert "home 1 is home 0 of substation 1" in proved.output
    bad = CliRunner().invoke(main, [*options, "--set", "feeder.copies=1"])
    assert bad.exit_code == 2
