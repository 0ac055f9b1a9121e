"""A whole run: the same bytes from the same seed, paired draws, exact balances, and nothing lost on the way."""

import gc
import weakref

import numpy as np
import pandas as pd
import pytest

import sunshare_sim as ss
from sunshare_sim.community.build import build_community
from sunshare_sim.errors import ResultError
from sunshare_sim.simulation.run import run
from sunshare_sim.simulation.session import Simulation


def data_files(folder):
    """Return the bytes of every file that must not depend on where and when a run was made."""
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if name.name != "manifest.json"}


def manifest_of(result):
    return {key: value for key, value in result.manifest.items() if key != "environment"}


def micro(values):
    return np.rint(np.asarray(values) * 1e6).astype(np.int64)


def test_same_seed_same_bytes_another_seed_other_bytes(make_small, tmp_path):
    first = run(make_small(homes=20), out=tmp_path / "a")
    again = run(make_small(homes=20), out=tmp_path / "b")
    other = run(make_small(homes=20, seed=2), out=tmp_path / "c")
    assert data_files(first.folder) == data_files(again.folder)
    assert manifest_of(first) == manifest_of(again)
    assert first.equals(again)
    assert not first.trades.equals(other.trades)
    assert len(first.trades) > 10


def test_steps_of_the_mesa_model_give_the_same_bytes_as_run(make_small, tmp_path):
    scenario = make_small(homes=12, results__panels=["net_kwh", "soc_kwh"], results__orders=True)
    whole = run(scenario, out=tmp_path / "run")
    model = ss.CommunityModel(scenario, out=tmp_path / "model")
    while model.running:
        model.step()
    assert data_files(whole.folder) == data_files(model.result.folder)
    assert manifest_of(whole) == manifest_of(model.result)
    with pytest.raises(ResultError, match="the run is over"):
        model.step()
    model.close()


COMPARED = [
    {"market__mechanism": "none"},
    {"market__pricing": "midpoint"},
    {"tariff__supply_per_kwh": 0.3},
    {"strategy": "tariff_bound"},
    {"network__charges": {"rule": "none"}},
]


@pytest.mark.parametrize("change", COMPARED, ids=lambda change: next(iter(change)))
def test_market_tariff_and_strategy_leave_every_draw_as_it_is(make_small, change):
    """Common random numbers: compared scenarios are paired draw by draw."""
    groups = [
        {"name": "homes", "count": 30, "solar": {"share": 0.5}, "battery": {"share": 0.3}, "ev": {"share": 0.4},
         "demand": {"source": "values", "kwh": [0.4]}},
    ]  # fmt: skip
    common = {
        "households": {"groups": groups}, "place__weather": {"source": "clear_sky"}, "slots": 96,
        "time__slot_minutes": 15,
    }  # fmt: skip
    base, other = (build_community(make_small(**common)), None)
    strategy = change.get("strategy")
    if strategy:
        groups = [{**groups[0], "strategy": {"name": strategy}}]
        other = build_community(make_small(**{**common, "households": {"groups": groups}}))
    else:
        other = build_community(make_small(**common, **change))
    assert np.array_equal(base.load.block(0, 96), other.load.block(0, 96))
    assert np.array_equal(base.solar.block(0, 96), other.solar.block(0, 96))
    assert base.solar.block(0, 96).sum() > 10
    for mine, theirs in zip(base.fleet.sessions, other.fleet.sessions, strict=True):
        assert np.array_equal(mine, theirs)
    assert base.fleet.sessions.car.size > 0
    assert np.array_equal(base.fleet.home, other.fleet.home)
    for mine, theirs in zip(base.batteries, other.batteries, strict=True):
        assert np.array_equal(mine, theirs)
    assert np.array_equal(base.households.bus, other.households.bus)


def test_the_order_of_arrival_does_not_depend_on_market_or_strategy(make_small):
    arrivals = [Simulation(make_small(**change)).state.arrivals for change in ({}, *COMPARED)]
    orders = [[arrival(slot).tolist() for slot in range(3)] for arrival in arrivals]
    assert all(order == orders[0] for order in orders)


def test_without_a_market_bills_are_retail_and_feed_in_exactly(make_small, tmp_path):
    result = run(
        make_small(homes=10, market__mechanism="none", results__panels=["net_kwh"]), out=tmp_path / "none"
    )
    net = micro(result.panel("net_kwh").to_numpy())
    retail = micro(result.slots["retail_per_kwh"])[:, np.newaxis]
    feed_in = micro(result.slots["feed_in_per_kwh"])[:, np.newaxis]
    due = (np.maximum(net, 0) * retail // 10**6).sum(axis=0) - (np.maximum(-net, 0) * feed_in // 10**6).sum(
        axis=0
    )
    assert micro(result.bills["total"]).tolist() == due.tolist()
    assert result.bills["saving"].eq(0).all()
    assert result.trades.empty


def test_nobody_trades_more_than_the_meter_says(make_small, tmp_path):
    result = run(make_small(homes=30, slots=24, results__panels=["net_kwh"]), out=tmp_path / "run")
    net = pd.DataFrame(micro(result.panel("net_kwh").to_numpy()))
    for side, metered in (("buyer", net.clip(lower=0)), ("seller", (-net).clip(lower=0))):
        traded = (
            result.trades.assign(energy=micro(result.trades["energy_kwh"]))
            .groupby(["slot", side])["energy"]
            .sum()
        )
        assert len(traded) > 20
        assert all(energy <= metered.iloc[slot, home] for (slot, home), energy in traded.items())


def test_a_home_that_cannot_pay_falls_back_to_the_grid(make_small, tmp_path):
    result = run(make_small(homes=10, slots=24, settlement__initial_balance=0.05), out=tmp_path / "poor")
    failed = result.trades[result.trades["status"] == "failed"]
    assert len(failed) > 0
    assert result.slots["failed"].sum() == len(failed)
    slots = result.slots
    settled = result.trades[result.trades["status"] == "settled"]
    assert micro(slots["traded_kwh"]).sum() == micro(settled["energy_kwh"]).sum()
    assert (micro(slots["import_kwh"]) == micro(slots["deficit_kwh"]) - micro(slots["traded_kwh"])).all()


def test_the_money_of_all_parties_stays_what_was_paid_in(make_small, tmp_path):
    accounts = run(make_small(homes=30, slots=24), out=tmp_path / "run").accounts
    assert micro(accounts["cash"]).sum() == micro(accounts["funded"]).sum() > 0


def test_a_run_ends_in_one_chain_of_blocks(make_small, tmp_path):
    result = run(make_small(slots=10, settlement__block_slots=4), out=tmp_path / "run")
    blocks = result.blocks
    assert blocks["slot"].tolist() == [3, 7, 9]
    assert blocks["trades"].sum() == len(result.trades)
    assert blocks["previous_hash"].tolist()[1:] == blocks["header_hash"].tolist()[:-1]
    assert result.manifest["chain_head"] == blocks["header_hash"].iloc[-1]


class Stop:
    """Interrupt a run in the middle."""

    def stage(self, text):
        pass

    def slots(self, done, total):
        if done >= total // 2:
            raise KeyboardInterrupt


def test_an_interrupted_run_is_kept_readable_and_marked_partial(make_small, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(make_small(slots=100), out=tmp_path / "run", progress=Stop())
    assert [path.name for path in tmp_path.iterdir()] == ["run.partial"]
    with pytest.warns(match="only a part of its scenario"):
        partial = ss.Run.load(tmp_path / "run.partial")
    assert 50 <= len(partial.slots) < 60
    assert partial.manifest["state"] == "partial"


def test_what_fails_leaves_nothing_behind(make_small, tmp_path):
    from sunshare_sim.errors import NetworkError

    loop = [("substation", "a"), ("a", "b"), ("b", "substation")]
    lines = [{"from_bus": a, "to_bus": b, "r_ohm": 0.1, "x_ohm": 0.1} for a, b in loop]
    with pytest.raises(NetworkError, match="meshed"):
        run(make_small(feeder={"source": "inline", "lines": lines}), out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("interval_ms", [400, 45 * 60_000])
def test_a_finished_run_leaves_nothing_for_the_garbage_collector(make_small, tmp_path, interval_ms):
    scenario = make_small(settlement__block_interval_ms=interval_ms)
    gc.disable()
    try:
        simulation = Simulation(scenario, out=tmp_path / "run")
        while not simulation.clock.finished:
            simulation.step()
        simulation.finish()
        kept = [weakref.ref(each) for each in (simulation, simulation.clock, simulation.state)]
        del simulation
        assert [each() for each in kept] == [None] * 3
    finally:
        gc.enable()


def test_a_bid_below_one_tick_stays_away_and_an_ask_below_it_takes_the_tick(make_small):
    groups = [
        {"name": name, "count": 1,
         "demand": {"source": "values", "kwh": [need]}, "solar": {"source": "values", "kwh": [sun]},
         "strategy": {"name": "fixed_limit", "parameters": {"sell_at": 0.001, "buy_up_to": limit}}}
        for name, need, sun, limit in [("seller", 0.0, 2.0, 0.0), ("shy", 1.0, 0.0, 0.005), ("buyer", 1.0, 0.0, 0.3)]
    ]  # fmt: skip
    scenario = make_small(
        slots=1,
        households={"groups": groups},
        market__tick=0.01,
        market__arrival="fixed",
        network={"charges": {"rule": "none"}},
    )
    simulation = Simulation(scenario)
    simulation.step()
    state = simulation.state
    assert state.wishes.quantity.tolist() == [2_000_000, 0, 1_000_000]
    assert state.trades.buyer.tolist() == [2]
    assert state.trades.price_micro.tolist() == [10_000]


def test_the_battery_stands_behind_the_car(make_small):
    group = {
        "name": "homes", "count": 5, "demand": {"source": "values", "kwh": [0.2]},
        "solar": {"source": "values", "kwh": [1.0]}, "ev": {"sessions_per_week": 14.0},
        "battery": {"capacity_kwh": 500.0, "power_kw": 5.0, "initial_soc": 0.5},
    }  # fmt: skip
    simulation = Simulation(make_small(slots=48, households={"groups": [group]}))
    driven = 0.0
    while not simulation.clock.finished:
        simulation.step()
        flows = simulation.state.flows
        net = flows.load + flows.ev - flows.solar
        assert np.allclose(flows.charge, np.minimum(np.maximum(-net, 0), 5.0))
        assert np.allclose(flows.discharge, np.minimum(np.maximum(net, 0), 5.0))
        driven += flows.ev.sum()
    assert driven > 50
