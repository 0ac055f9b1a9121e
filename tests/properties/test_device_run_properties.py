"""Laws of devices in whole runs: nobody knows the future, no car is in two places, no energy comes from nowhere."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.community.build import build_community
from sunshare_sim.community.series import ProfileSeries
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.device_report import device_columns
from sunshare_sim.simulation.session import Simulation

SLOTS, DAY = 60, 24
LATER = 30  # slots from which on the future is another
energies = st.lists(st.floats(0, 3), min_size=SLOTS, max_size=SLOTS)
policies = st.sampled_from(["self_consumption", "rule", "price_threshold", "market_aware", "day_ahead"])
controls = st.sampled_from(["comfort", "price_following", "solar_following"])
chargings = st.sampled_from(["on_arrival", "spread", "delayed", "price_following", "v2g"])


@st.composite
def scenarios(draw):
    """Draw a community with every kind of device, over 60 hours."""
    homes = {
        "name": "homes", "count": 3,
        "demand": {"source": "values", "kwh": draw(energies)},
        "solar": {"source": "values", "kwh": draw(energies)},
        "battery": {
            "capacity_kwh": 6.0, "power_kw": 3.0, "dispatch": draw(policies), "charge_below": 0.2,
            "discharge_above": 0.4, "wear_per_kwh": draw(st.floats(0, 0.05)), "standby_w": draw(st.floats(0, 50)),
        },
        "ev": {
            "sessions_per_week": 10.0, "charging": draw(chargings), "wear_per_kwh": 0.01,
            "away": {"at": "works", "place": draw(st.sampled_from(["work", "public"])), "days_per_week": 5.0},
        },
        "heat_pump": {"source": "house", "control": draw(controls)},
        "appliances": [{"runs_per_week": 7.0, "start": draw(st.sampled_from(["at_once", "cheapest", "solar"]))}],
    }  # fmt: skip
    works = {
        "name": "works", "kind": "enterprise", "count": 1, "demand": {"source": "values", "kwh": [1.0]},
        "charge_points": {"count": 1, "charging": draw(st.sampled_from(["on_arrival", "spread", "price_following"]))},
    }  # fmt: skip
    return Scenario.model_validate({
        "seed": draw(st.integers(0, 1000)),
        "time": {"slots": SLOTS, "slot_minutes": 60, "start": "2025-03-03"},
        "place": {"timezone": "Europe/Berlin", "weather": {"source": "clear_sky"}},
        "feeder": {"source": "inline", "lines": [
            {"from_bus": "substation", "to_bus": bus, "r_ohm": 0.1, "x_ohm": 0.1} for bus in "abcd"
        ]},
        "tariff": {"periods": [{"from_hour": 0, "to_hour": 6, "supply_per_kwh": 0.02}]},
        "households": {"groups": [homes, works]},
    })  # fmt: skip


def physics(scenario, community):
    """Return what every home's meter registers in each slot, shape [slots, registers, homes]."""
    simulation, seen = Simulation(scenario, community=community), []
    while not simulation.clock.finished:
        simulation.step()
        flows = simulation.state.flows
        seen.append(np.stack([*flows, simulation.state.soc_kwh]))
    return np.array(seen)


@given(scenarios(), st.integers(0, 10**6))
@settings(max_examples=12)
def test_nothing_a_device_does_depends_on_what_is_not_yet_known(scenario, seed):
    community = build_community(scenario)
    order = np.arange(SLOTS)
    order[LATER:] = np.random.default_rng(seed).permutation(order[LATER:])

    def shuffled(series):
        homes = series.block(0, SLOTS).shape[1]
        return ProfileSeries(series.block(0, SLOTS)[order], np.arange(homes), np.ones(homes))

    prices = community.prices
    known = LATER + DAY  # prices are published a day ahead
    tail = np.random.default_rng(seed).permutation(prices.retail_micro[known:])
    sessions = community.fleet.sessions
    before = sessions.arrival_slot < LATER
    other = replace(
        community,
        load=shuffled(community.load),
        solar=shuffled(community.solar),
        prices=prices._replace(retail_micro=np.concatenate([prices.retail_micro[:known], tail])),
        fleet=replace(community.fleet, sessions=type(sessions)(*(column[before] for column in sessions))),
    )
    mine, theirs = physics(scenario, community), physics(scenario, other)
    assert np.array_equal(mine[:LATER], theirs[:LATER])


@given(scenarios())
@settings(max_examples=25)
def test_a_car_is_in_one_place_and_needs_the_same_wherever_it_charges(scenario):
    community = build_community(scenario)
    fleet = community.fleet
    group = scenario.households.groups[0]
    at_home_only = group.model_copy(update={"ev": group.ev.model_copy(update={"away": None})})
    changed = scenario.households.model_copy(update={"groups": (at_home_only, scenario.households.groups[1])})
    alone = build_community(scenario.model_copy(update={"households": changed})).fleet.sessions
    cars = np.flatnonzero(fleet.home < 3)
    for car in cars:
        home = fleet.sessions.car == car
        away = fleet.visits.car == car
        stays = sorted([
            *zip(fleet.sessions.arrival_slot[home], fleet.sessions.departure_slot[home], strict=True),
            *zip(fleet.visits.arrival_slot[away], fleet.visits.departure_slot[away], strict=True),
        ])  # fmt: skip
        for (_, leaves), (arrives, _) in pairwise(stays):
            assert leaves <= arrives
        taken = fleet.sessions.energy_kwh[home].sum() + fleet.visits.energy_kwh[away].sum()
        assert abs(taken - alone.energy_kwh[alone.car == car].sum()) < 1e-9
    for point in np.flatnonzero(fleet.home == 3):
        there = fleet.visits.point == point
        order = np.argsort(fleet.visits.arrival_slot[there])
        first, last = (
            column[there][order] for column in (fleet.visits.arrival_slot, fleet.visits.departure_slot)
        )
        assert (last[:-1] <= first[1:]).all(), "one car at a point"
    assert (fleet.sessions.energy_kwh >= 0).all()


@given(scenarios())
@settings(max_examples=25)
def test_cars_get_what_they_need_and_plugs_stay_within_their_power(scenario):
    simulation = Simulation(scenario)
    fleet = simulation.community.fleet
    stored = np.zeros(fleet.home.size)
    start = simulation.state.ev.need_kwh.copy()
    given_before = np.zeros(4)
    while not simulation.clock.finished:
        simulation.step()
        state = simulation.state
        gone = state.slot >= state.ev.departure_slot
        assert (state.ev.charged_kwh[gone] == 0).all()
        assert (state.ev.charged_kwh <= fleet.chargers.power_kw * (1 + 1e-9)).all()
        stored += state.ev.charged_kwh * fleet.chargers.efficiency
        gave = state.plant.given_kwh - given_before
        given_before = state.plant.given_kwh.copy()
        assert (gave[:3] <= 11.0 + 1e-9).all()
        assert gave[3] == 0, "an enterprise's points only charge"
    if scenario.households.groups[0].ev.charging == "v2g":
        return
    in_run = fleet.sessions.arrival_slot >= 0
    need = start.copy()
    np.add.at(need, fleet.sessions.car[in_run], fleet.sessions.energy_kwh[in_run])
    left = simulation.state.ev.need_kwh
    assert np.abs(need - stored - left - simulation.state.ev.shortfall_kwh).max() < 1e-6
    assert simulation.state.ev.shortfall_kwh.max() < 1e-6


@given(scenarios())
@settings(max_examples=25)
def test_no_policy_beats_the_optimum_with_perfect_foresight(scenario):
    results = scenario.results.model_copy(update={"foresight": True})
    simulation = Simulation(scenario.model_copy(update={"results": results}))
    while not simulation.clock.finished:
        simulation.step()
    state = simulation.state
    gap = device_columns(state.plant, state.soc_kwh)["foresight_gap"]
    assert (gap[:3] >= -1e-5).all()
    assert np.isnan(gap[3])
