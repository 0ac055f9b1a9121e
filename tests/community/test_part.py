"""A part of a community is what it is within the whole: homes, devices, draws, wires."""

import numpy as np
import pytest

from sunshare_sim.community.build import build_community
from sunshare_sim.community.part import cut_feeder, substations
from sunshare_sim.errors import ScenarioError
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.scenario.load import load_scenario

TEXT = """
time: {start: 2025-06-16, days: 2}
feeder: {source: pandapower, name: kerber_dorfnetz, copies: 3}
households:
  count: 70
  groups:
    - name: roofs
      share: 0.5
      demand: {source: simbench, annual_kwh: {median: 3500, sigma: 0.4}}
      solar: {share: 0.7}
      battery: {share: 0.5}
    - name: cars
      share: 0.4
      ev: {share: 0.6, charging: v2g}
      appliances: [{name: washer, share: 0.6, energy_kwh: {min: 0.5, max: 2.0}}]
      heat_pump: {source: house, share: 0.4, loss_w_per_k: {min: 100, max: 200}}
    - {name: shop, kind: enterprise, demand: {source: bdew, profile: g0, annual_kwh: 9000}}
network: {charges: {rule: distance, distance_price: 0.01}}
"""


@pytest.fixture(scope="module")
def communities(tmp_path_factory):
    file = tmp_path_factory.mktemp("part") / "scenario.yaml"
    file.write_text(TEXT, encoding="utf-8")
    scenario = load_scenario(file)
    return build_community(scenario), [build_community(scenario, part=number) for number in range(3)]


def test_every_home_is_in_one_part(communities):
    whole, parts = communities
    homes = np.concatenate([each.part.homes for each in parts])
    assert np.array_equal(np.sort(homes), np.arange(len(whole.households)))


def test_homes_are_those_of_the_whole(communities):
    whole, parts = communities
    for each in parts:
        rows = each.part.homes
        for name in ("kind", "annual_kwh", "heat_pump_kwh", "solar_kwp", "tilt_deg", "azimuth_deg"):
            mine, theirs = getattr(each.households, name), getattr(whole.households, name)[rows]
            assert np.array_equal(mine, theirs, equal_nan=True), name
        assert each.households.name == tuple(whole.households.name[row] for row in rows)
        assert np.array_equal(each.part.buses[each.households.bus], whole.households.bus[rows])
        assert np.array_equal(each.part.zones[each.households.zone], whole.households.zone[rows])
        for mine, theirs in zip(each.batteries, whole.batteries, strict=True):
            assert np.array_equal(mine, theirs[rows])
        assert np.array_equal(each.load.block(0, 192), whole.load.block(0, 192)[:, rows])
        assert np.array_equal(each.solar.block(0, 192), whole.solar.block(0, 192)[:, rows])


def test_cars_and_appliances_are_those_of_the_whole(communities):
    whole, parts = communities
    for each in parts:
        mine, theirs = each.fleet, whole.fleet
        cars = np.flatnonzero(np.isin(theirs.home, each.part.homes))
        assert cars.size > 0
        assert np.array_equal(each.part.homes[mine.home], theirs.home[cars])
        assert np.array_equal(mine.flexible.cars.capacity_kwh, theirs.flexible.cars.capacity_kwh[cars])
        kept = np.isin(theirs.sessions.car, cars)
        for name in ("arrival_slot", "departure_slot", "energy_kwh"):
            assert np.array_equal(getattr(mine.sessions, name), getattr(theirs.sessions, name)[kept])
        runs, all_runs = each.equipment.runs, whole.equipment.runs
        kept = np.isin(all_runs.home, each.part.homes)
        assert np.array_equal(each.part.homes[runs.home], all_runs.home[kept])
        assert np.array_equal(runs.energy_kwh, all_runs.energy_kwh[kept])
        (heat,), (all_heat,) = each.equipment.heating, whole.equipment.heating
        kept = np.isin(all_heat.home, each.part.homes)
        assert np.array_equal(each.part.homes[heat.home], all_heat.home[kept])
        assert np.array_equal(heat.houses.resistance_k_per_kw, all_heat.houses.resistance_k_per_kw[kept])


def test_wires_and_charges_are_those_of_the_whole(communities):
    whole, parts = communities
    for each in parts:
        part, feeder = each.part, each.feeder
        assert np.array_equal(each.charges, whole.charges[np.ix_(part.zones, part.zones)])
        assert feeder.bus_names == tuple(whole.feeder.bus_names[bus] for bus in part.buses)
        assert np.array_equal(part.buses[feeder.branches.to_bus], whole.feeder.branches.to_bus[part.lines])
        assert feeder.branches.name == tuple(whole.feeder.branches.name[line] for line in part.lines)


def test_no_such_substation(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(TEXT, encoding="utf-8")
    with pytest.raises(ScenarioError, match="no such substation"):
        build_community(load_scenario(file), part=3)


def two_roots(**zones):
    """Return two networks side by side, one with two transformers under one root."""
    buses = {"bus": list("rabst")}
    lines = {"from_bus": ["s"], "to_bus": ["t"], "r_ohm": [0.1], "x_ohm": [0.1], "rating_a": [100.0]}
    stations = {"lv_bus": ["a", "b", "s"], "hv_bus": ["r", "r", None], "sn_kva": [100.0, 100.0, 50.0]}
    return build_feeder(buses, lines, stations, **zones)


def test_a_substation_is_all_that_hangs_on_one_root():
    feeder = two_roots(zones="transformer")
    assert substations(feeder).tolist() == [0, 0, 0, 1, 1]
    cut, buses, lines, _ = cut_feeder(feeder, 1)
    assert (buses.tolist(), lines.tolist()) == ([3, 4], [0])
    assert cut.parent_of_bus.tolist() == [-1, 0]
    assert cut.transformer_kva.tolist() == [50.0]


def test_a_zone_on_two_substations_cannot_be_cut():
    zones = dict.fromkeys("rabst", "one")
    with pytest.raises(ScenarioError, match="several substations"):
        cut_feeder(two_roots(zones=zones), 0)
