"""Laws of the devices, for any battery, car and slot."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.devices.battery import Batteries, self_consumption
from sunshare_sim.devices.ev import Chargers, arrive, charge_evs, start_evs
from sunshare_sim.inputs.mobility import Sessions

share = st.floats(0, 1)
efficiency = st.floats(0.3, 1)
HOURS = st.sampled_from([1 / 60, 1 / 12, 0.25, 0.5, 1.0])


@st.composite
def a_battery(draw):
    capacity = draw(st.one_of(st.just(0.0), st.floats(0.1, 1000)))
    low, start, high = sorted(draw(share) for _ in range(3))
    columns = (
        capacity,
        draw(st.floats(0, 500)),
        draw(efficiency),
        draw(efficiency),
        low * capacity,
        high * capacity,
    )
    return Batteries(*(np.array([value]) for value in columns)), start * capacity


@given(a_battery(), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), HOURS)
def test_a_battery_keeps_its_limits_and_its_balance(battery, nets, hours):
    limits, start = battery
    soc, charge, discharge = np.array([start]), np.empty(1), np.empty(1)
    low, high = limits.min_soc_kwh[0], limits.max_soc_kwh[0]
    for net in nets:
        before = soc[0]
        self_consumption(np.array([net]), limits, soc, hours, charge, discharge)
        assert low <= soc[0] <= high
        most = limits.power_kw[0] * hours
        assert 0 <= charge[0] <= min(max(-net, 0), most)
        assert 0 <= discharge[0] <= min(max(net, 0), most)
        moved = charge[0] * limits.charge_efficiency[0] - discharge[0] / limits.discharge_efficiency[0]
        assert abs(soc[0] - before - moved) <= 1e-9 * max(1.0, limits.capacity_kwh[0])
        idle = charge[0] == 0 and discharge[0] == 0
        assert not idle or net == 0 or limits.capacity_kwh[0] == 0 or most == 0 or soc[0] in {low, high}


@st.composite
def a_fleet(draw):
    cars = draw(st.integers(1, 4))
    stays = []
    for car in range(cars):
        edges = sorted(draw(st.sets(st.integers(-8, 24), max_size=8)))
        for arrival, departure in zip(edges[::2], edges[1::2], strict=False):
            stays.append((arrival, car, departure, draw(st.floats(0, 60))))
    stays.sort()
    columns = list(zip(*stays, strict=True)) or [(), (), (), ()]
    arrival, car, departure = (np.array(column, dtype=np.int64) for column in columns[:3])
    sessions = Sessions(car, arrival, departure, np.array(columns[3], dtype=np.float64))
    arrays = [np.array([draw(values) for _ in range(cars)]) for values in (st.floats(1, 50), efficiency)]
    return Chargers(*arrays, np.array([draw(st.booleans()) for _ in range(cars)])), sessions


@given(a_fleet(), HOURS)
def test_a_car_leaves_with_its_need_whenever_the_charger_can_give_it(fleet, hours):
    chargers, sessions = fleet
    slots = 26
    state = start_evs(chargers, sessions, hours)
    stored = np.zeros(chargers.power_kw.size)
    met = np.zeros_like(stored)
    waiting = state.need_kwh.copy()
    for slot in range(slots):
        arrive(state, sessions, slot)
        charge_evs(state, chargers, slot, hours)
        assert (state.charged_kwh >= 0).all()
        assert (state.charged_kwh <= chargers.power_kw * hours * (1 + 1e-12)).all()
        assert (state.charged_kwh[slot >= state.departure_slot] == 0).all()
        stored += state.charged_kwh * chargers.efficiency
    in_run = sessions.arrival_slot >= 0
    np.add.at(met, sessions.car[in_run], sessions.energy_kwh[in_run])
    # Everything that was needed is stored or missed, for every car.
    np.testing.assert_allclose(stored + state.shortfall_kwh, met + waiting, atol=1e-9)

    most = (chargers.power_kw * chargers.efficiency)[sessions.car] * hours
    missed = np.maximum(sessions.energy_kwh - most * (sessions.departure_slot - sessions.arrival_slot), 0)
    expected = np.zeros_like(stored)
    np.add.at(expected, sessions.car, np.where(sessions.departure_slot > 0, missed, 0))
    np.testing.assert_allclose(state.shortfall_kwh, expected, atol=1e-9)
