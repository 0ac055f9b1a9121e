import numpy as np
import pytest

from sunshare_sim.devices.ev import Chargers, EvState, arrive, charge_evs, start_evs
from sunshare_sim.inputs.mobility import Sessions
from tests.reference.devices import Stay, charge_all


def make_sessions(*stays):
    rows = sorted(stays, key=lambda stay: (stay[1], stay[0]))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Sessions(*(column.astype(np.int64) for column in columns[:3]), columns[3].astype(float))


def make_chargers(power=(4.0,), efficiency=0.9, spread=False):
    power = np.array(power)
    return Chargers(power, np.full(power.size, efficiency), np.broadcast_to(spread, power.shape).copy())


def run(chargers, sessions, slots, hours=0.25):
    state = start_evs(chargers, sessions, hours)
    drawn = np.empty((slots, chargers.power_kw.size))
    for slot in range(slots):
        arrive(state, sessions, slot)
        charge_evs(state, chargers, slot, hours)
        drawn[slot] = state.charged_kwh
    return drawn, state


def test_on_arrival_charges_at_full_power_until_the_need_is_met():
    drawn, state = run(make_chargers(), make_sessions((0, 2, 20, 2.0)), 24)
    assert drawn[:2].sum() == 0
    assert drawn[2:4, 0].tolist() == [1.0, 1.0]
    assert drawn[4, 0] == pytest.approx(2 / 0.9 - 2)
    assert drawn[5:].sum() == 0
    assert state.shortfall_kwh[0] == 0


def test_spread_is_even_until_departure():
    drawn, state = run(make_chargers(spread=True), make_sessions((0, 2, 12, 2.0)), 24)
    np.testing.assert_allclose(drawn[2:12, 0], 0.2 / 0.9)
    assert drawn[12:].sum() == 0
    assert state.need_kwh[0] == pytest.approx(0, abs=1e-12)
    assert state.shortfall_kwh[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("spread", [False, True])
def test_what_cannot_be_charged_in_time_is_a_shortfall(spread):
    drawn, state = run(make_chargers(spread=spread), make_sessions((0, 2, 6, 10.0)), 24)
    np.testing.assert_allclose(drawn[2:6, 0], 1.0)
    assert state.shortfall_kwh[0] == pytest.approx(10 - 4 * 0.9)
    assert state.need_kwh[0] == 0


def test_shortfalls_add_up_over_sessions():
    sessions = make_sessions((0, 0, 1, 1.0), (0, 4, 5, 2.0))
    _, state = run(make_chargers(), sessions, 8)
    assert state.shortfall_kwh[0] == pytest.approx(3 - 2 * 0.9)


def test_a_car_may_leave_and_arrive_in_one_slot():
    sessions = make_sessions((0, 0, 3, 0.9), (0, 3, 6, 1.8))
    drawn, state = run(make_chargers(), sessions, 8)
    np.testing.assert_allclose(drawn[:, 0], [1, 0, 0, 1, 1, 0, 0, 0], atol=1e-12)
    assert state.shortfall_kwh[0] == pytest.approx(0, abs=1e-12)


def test_cars_that_came_before_the_run_have_charged_since():
    sessions = make_sessions((0, -2, 10, 2.7), (1, -40, -10, 50.0))
    drawn, state = run(make_chargers((4.0, 4.0)), sessions, 12)
    np.testing.assert_allclose(drawn[:, 0], [1] + [0] * 11, atol=1e-12)
    assert drawn[:, 1].sum() == 0
    assert state.shortfall_kwh.tolist() == [0, 0]  # what went wrong before the run is not the run's


def test_a_car_still_there_at_the_end_has_no_shortfall_yet():
    _, state = run(make_chargers(), make_sessions((0, 6, 30, 9.0)), 8)
    assert state.need_kwh[0] == pytest.approx(9 - 2 * 0.9)
    assert state.shortfall_kwh[0] == 0


@pytest.mark.parametrize("spread", [False, True])
def test_constant_power_gives_the_same_state_in_slots_of_15_and_5_minutes(spread):
    coarse, at_15 = run(make_chargers(spread=spread), make_sessions((0, 4, 16, 8.0)), 12, 0.25)
    fine, at_5 = run(make_chargers(spread=spread), make_sessions((0, 12, 48, 8.0)), 36, 1 / 12)
    np.testing.assert_allclose(at_15.need_kwh, at_5.need_kwh, rtol=1e-12)
    np.testing.assert_allclose(coarse[:, 0], fine[:, 0].reshape(-1, 3).sum(axis=1), rtol=1e-12)


def test_many_cars_equal_the_slow_twin():
    rng = np.random.default_rng(3)
    cars, slots = 6, 300
    stays = []
    for car in range(cars):
        edges = np.sort(rng.choice(np.arange(-40, slots + 40), 16, replace=False))
        stays += [
            (car, int(a), int(b), rng.uniform(0, 15)) for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
    chargers = Chargers(rng.uniform(2, 11, cars), rng.uniform(0.8, 1, cars), np.arange(cars) % 2 == 0)
    drawn, state = run(chargers, make_sessions(*stays), slots)
    expected, shortfall = charge_all([Stay(*stay) for stay in stays], *chargers, slots, 0.25)
    np.testing.assert_allclose(drawn, expected, atol=1e-12)
    np.testing.assert_allclose(state.shortfall_kwh, shortfall, atol=1e-9)


def test_no_cars_is_no_trouble():
    sessions = Sessions(*(np.zeros(0, dtype=np.int64),) * 3, np.zeros(0))
    drawn, _ = run(make_chargers(()), sessions, 3)
    assert drawn.shape == (3, 0)


def test_an_empty_state_has_nobody_plugged_in():
    state = EvState.empty(2)
    charge_evs(state, make_chargers((4.0, 4.0)), -500, 0.25)
    assert state.charged_kwh.tolist() == [0, 0]
