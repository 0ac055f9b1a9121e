"""What holds in every slot of a community drawn at random: balances, limits, and that a home's number means nothing."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.community.build import build_community
from sunshare_sim.community.series import ProfileSeries
from sunshare_sim.devices.battery import Batteries
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.session import Simulation

SLOTS = 5
energies = st.lists(st.floats(0, 3), min_size=1, max_size=SLOTS)
shares = st.sampled_from([0.0, 0.3, 1.0])


@st.composite
def groups(draw, number):
    group = {
        "name": f"g{number}", "count": draw(st.integers(1, 6)),
        "demand": {"source": "values", "kwh": draw(energies)},
        "solar": {"source": "values", "kwh": draw(energies), "share": draw(shares)},
        "strategy": {"name": draw(st.sampled_from(["tariff_bound", "fixed_limit", "zi_c"]))},
    }  # fmt: skip
    if draw(st.booleans()):
        group["battery"] = {
            "share": draw(shares), "capacity_kwh": draw(st.floats(0.1, 5)), "power_kw": draw(st.floats(0.1, 5)),
            "round_trip_efficiency": draw(st.floats(0.5, 1)), "min_soc": 0.1, "max_soc": 0.9,
            "initial_soc": draw(st.floats(0.1, 0.9)),
        }  # fmt: skip
    if draw(st.booleans()):
        charging = draw(st.sampled_from(["on_arrival", "spread"]))
        group["ev"] = {"share": draw(shares), "sessions_per_week": 14.0, "charging": charging}
    return group


@st.composite
def scenarios(draw):
    buses = [f"b{i}" for i in range(draw(st.integers(1, 4)))]
    lines = [{"from_bus": "substation", "to_bus": bus, "r_ohm": 0.1, "x_ohm": 0.1} for bus in buses]
    between = draw(st.floats(0, 0.5))
    rule = draw(st.sampled_from(["none", "flat", "zonal"]))
    return Scenario.model_validate({
        "seed": draw(st.integers(0, 1000)),
        "time": {"slots": SLOTS, "slot_minutes": draw(st.sampled_from([15, 60]))},
        "feeder": {"source": "inline", "lines": lines},
        "households": {"groups": [draw(groups(i)) for i in range(draw(st.integers(1, 3)))]},
        "market": {
            "mechanism": draw(st.sampled_from(["cda", "none"])), "tick": draw(st.sampled_from([0.0001, 0.01])),
            "pricing": draw(st.sampled_from(["ask", "resting", "midpoint"])),
            "lot_kwh": draw(st.sampled_from([0.000001, 0.001, 0.1])),
        },
        "network": {"charges": {"rule": rule, "within_zone_per_kwh": 0.01, "between_zones_per_kwh": between}},
        "settlement": {"initial_balance": draw(st.sampled_from([0.0, 0.1, 100.0]))},
    })  # fmt: skip


@given(scenarios())
@settings(max_examples=60)
def test_energy_and_money_balance_in_every_slot_to_the_last_unit(scenario):
    simulation = Simulation(scenario)
    state = simulation.state
    funded = state.ledger.funded
    while not simulation.clock.finished:
        soc_before, minted_before = state.soc_kwh.copy(), state.ledger.minted
        simulation.step()
        totals, settled, trades, ok = state.totals, state.settled, state.trades, state.status == 0
        imports, exports = totals.deficit - settled.energy, totals.surplus - settled.energy
        assert totals.solar + imports + totals.discharge == totals.load + totals.ev + exports + totals.charge
        assert imports >= 0
        assert exports >= 0
        assert settled.energy == trades.energy[ok].sum()
        assert (state.wishes.quantity % state.lot == 0).all()
        assert not (state.orders.quantity % state.lot).any()
        assert state.ledger.minted - minted_before == totals.surplus
        bought = np.bincount(trades.buyer[ok], trades.energy[ok], minlength=state.net.size)
        sold = np.bincount(trades.seller[ok], trades.energy[ok], minlength=state.net.size)
        assert (bought <= np.maximum(state.net, 0)).all()
        assert (sold <= np.maximum(-state.net, 0)).all()
        assert state.ledger.cash.sum() == funded
        assert state.ledger.cash.min() >= 0
        assert not state.ledger.credits.any()
        stored = (
            state.flows.charge * state.community.batteries.charge_efficiency
            - state.flows.discharge / state.community.batteries.discharge_efficiency
        )
        assert np.allclose(state.soc_kwh - soc_before, stored, atol=1e-9)
        own_net = state.flows.load + state.flows.ev - state.flows.solar
        assert (state.flows.charge <= np.maximum(-own_net, 0) + 1e-9).all()
        assert (state.flows.discharge <= np.maximum(own_net, 0) + 1e-9).all()
        if ok.all():
            assert state.agreed == (settled.energy, settled.value)
        if state.agreed[0]:
            assert state.last_price == state.agreed[1] / state.agreed[0]
    assert state.bills.purchases.sum() == state.bills.sales.sum()
    assert (state.bills.bought_energy + state.bills.import_energy).sum() >= state.bills.bought_energy.sum()
    assert np.abs(state.ledger.cash[: state.net.size] - scenario_balance(scenario) - moved(state)).max() == 0


def scenario_balance(scenario):
    return round(scenario.settlement.initial_balance * 1e6)


def moved(state):
    return state.bills.sales - state.bills.purchases - state.bills.wheeling


def permuted(community, order):
    """Return the community with its homes in another order; row `i` is the former row `order[i]`."""
    homes, slots = community.households, community.grid.slots

    def series(original):
        return ProfileSeries(original.block(0, slots), order, np.ones(order.size))

    arrays = {name: getattr(homes, name)[order] for name in (
        "kind", "bus", "zone", "annual_kwh", "heat_pump_kwh", "solar_kwp", "tilt_deg", "azimuth_deg")}  # fmt: skip
    return replace(
        community,
        households=replace(homes, **arrays),
        load=series(community.load),
        solar=series(community.solar),
        batteries=Batteries(*(column[order] for column in community.batteries)),
        initial_soc_kwh=community.initial_soc_kwh[order],
        fleet=replace(community.fleet, home=np.argsort(order)[community.fleet.home]),
    )


@given(groups(0), st.integers(0, 10), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_homes_number_means_nothing(group, seed, random):
    """With a given order of arrival, homes relabelled are results relabelled."""
    group = {**group, "count": 7, "strategy": {"name": "tariff_bound"}}
    scenario = Scenario.model_validate({
        "seed": seed, "time": {"slots": SLOTS, "slot_minutes": 60}, "households": {"groups": [group]},
        "feeder": {"source": "inline", "lines": [
            {"from_bus": "substation", "to_bus": name, "r_ohm": 0.1, "x_ohm": 0.1} for name in "abc"]},
        "network": {"charges": {"rule": "zonal", "between_zones_per_kwh": 0.05}},
    })  # fmt: skip
    community = build_community(scenario)
    arrivals = [random.sample(range(7), 7) for _ in range(SLOTS)]
    order = np.array(random.sample(range(7), 7))
    place = np.argsort(order)  # where each former row now stands
    plain = Simulation(scenario, community=community, arrivals=lambda slot: np.array(arrivals[slot]))
    renamed = Simulation(
        scenario, community=permuted(community, order), arrivals=lambda slot: place[np.array(arrivals[slot])]
    )
    while not plain.clock.finished:
        plain.step()
        renamed.step()
        for field in ("buyer", "seller"):
            assert (
                place[getattr(plain.state.trades, field)].tolist()
                == getattr(renamed.state.trades, field).tolist()
            )
        assert plain.state.trades.energy.tolist() == renamed.state.trades.energy.tolist()
    for before, after in zip(plain.state.bills, renamed.state.bills, strict=True):
        assert before[order].tolist() == after.tolist()
