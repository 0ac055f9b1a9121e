import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.devices.battery import make_batteries, self_consumption
from sunshare_sim.devices.dispatch import (
    Horizon,
    Schedule,
    cost_of,
    follow,
    foresight_gap,
    market_aware_wish,
    minimum_soc_wish,
    planned_wish,
    price_threshold_wish,
    schedule,
    value_later,
)
from sunshare_sim.errors import InputError

ONE = make_batteries([10.0], [5.0], round_trip_efficiency=0.81, min_soc=0.1)


def run(policy, horizon, soc=5.0, batteries=ONE):
    """Run one battery through the horizon; returns its charge, discharge and last state."""
    state, charge, discharge = np.array([soc]), np.zeros(1), np.zeros(1)
    course = []
    for slot in range(horizon.net_kwh.size):
        wish = policy(slot, horizon.net_kwh[slot : slot + 1], state)
        follow(wish, batteries, state, horizon.hours, charge, discharge)
        course.append((charge[0], discharge[0]))
    taken, given_out = np.array(course).T
    return taken, given_out, state[0]


def policies(horizon):
    later = np.array([np.quantile(horizon.buy, 0.7)])
    return {
        "self_consumption": lambda _, net, __: -net,
        "minimum_soc": lambda _, net, soc: minimum_soc_wish(net, ONE, soc, 0.4),
        "price_threshold": lambda slot, net, _: price_threshold_wish(
            net, ONE, horizon.buy[slot], tuple(np.quantile(horizon.buy, [0.3, 0.7])), horizon.hours
        ),
        "market_aware": lambda slot, net, _: market_aware_wish(
            net,
            ONE,
            (horizon.buy[slot : slot + 1], horizon.sell[slot : slot + 1], later),
            horizon.wear_per_kwh,
            horizon.hours,
        ),
        "idle": lambda _, net, __: 0 * net,
    }


@given(st.integers(0, 10**6), st.floats(0, 0.05), st.floats(0, 0.3))
@settings(max_examples=40)
def test_no_policy_beats_perfect_foresight(seed, wear, end_value):
    rng = np.random.default_rng(seed)
    sell = rng.uniform(0.0, 0.2, 48)
    horizon = Horizon(rng.normal(0, 2, 48), sell + rng.uniform(0, 0.3, 48), sell, 0.5, wear, end_value)
    best = schedule(horizon, ONE, 0, 5.0)
    for name, policy in policies(horizon).items():
        assert cost_of(horizon, *run(policy, horizon)) >= best.cost - 1e-7, name


def test_the_optimum_can_be_carried_out():
    rng = np.random.default_rng(1)
    horizon = Horizon(rng.normal(0, 2, 96), rng.uniform(0.2, 0.4, 96), np.full(96, 0.08), 0.25, 0.01, 0.2)
    best = schedule(horizon, ONE, 0, 5.0)
    wish = best.charge_kwh - best.discharge_kwh
    course = run(lambda slot, *_: wish[slot : slot + 1], horizon)
    assert cost_of(horizon, *course) == pytest.approx(best.cost, abs=1e-6)
    assert course[2] == pytest.approx(best.soc_kwh[-1], abs=1e-6)


def test_optimum_by_hand():
    # buy 1 kWh at 0.1 or 0.5: 0.9 a way. A need of 0.81 kWh at 0.5 is served by 1 kWh bought at 0.1.
    horizon = Horizon(np.array([0.0, 0.81]), np.array([0.1, 0.5]), np.zeros(2), 1.0)
    best = schedule(horizon, ONE, 0, 1.0)
    assert best.cost == pytest.approx(0.1)
    assert best.charge_kwh == pytest.approx([1.0, 0.0])
    assert best.discharge_kwh == pytest.approx([0.0, 0.81])


def test_following_the_net_is_self_consumption():
    rng = np.random.default_rng(2)
    batteries = make_batteries(rng.uniform(0, 15, 50), rng.uniform(1, 5, 50), min_soc=0.05)
    soc = batteries.capacity_kwh * rng.uniform(0, 1, 50)
    one, other = soc.copy(), soc.copy()
    out = np.zeros((4, 50))
    for _ in range(30):
        net = rng.normal(0, 1.5, 50)
        self_consumption(net, batteries, one, 0.25, out[0], out[1])
        follow(-net, batteries, other, 0.25, out[2], out[3])
        assert np.array_equal(one, other)
        assert np.array_equal(out[:2], out[2:])


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=60), st.floats(0, 1), st.floats(0.5, 1))
def test_energy_is_conserved_whatever_is_wished(wishes, start, efficiency):
    battery = make_batteries([8.0], [4.0], round_trip_efficiency=efficiency, min_soc=0.1, max_soc=0.95)
    soc, charge, discharge = np.array([8.0 * start]), np.zeros(1), np.zeros(1)
    way = np.sqrt(efficiency)
    for wish in wishes:
        before = soc[0]
        follow(np.array([wish]), battery, soc, 0.5, charge, discharge)
        assert soc[0] - before == pytest.approx(charge[0] * way - discharge[0] / way, abs=1e-9)
        assert 0 <= charge[0] <= 2.0
        assert 0 <= discharge[0] <= 2.0
        assert min(0.8, 8.0 * start) - 1e-12 <= soc[0] <= max(7.6, 8.0 * start) + 1e-12
        assert charge[0] == 0 or discharge[0] == 0


def test_reserve_is_kept():
    wish = minimum_soc_wish(np.array([2.0]), ONE, np.array([5.0]), 0.4)
    assert wish[0] == pytest.approx(-0.9), "1 kWh above the reserve comes out as 0.9"
    assert minimum_soc_wish(np.array([2.0]), ONE, np.array([3.0]), 0.4)[0] == 0
    assert minimum_soc_wish(np.array([-2.0]), ONE, np.array([3.0]), 0.4)[0] == 2


def test_thresholds():
    def wish(net, price):
        return price_threshold_wish(np.array([net]), ONE, price, (0.1, 0.3), 0.25)[0]

    assert wish(1.0, 0.1) == 1.25
    assert wish(1.0, 0.2) == 0
    assert wish(-1.0, 0.2) == 1
    assert wish(1.0, 0.3) == -1


def test_market_aware_weighs_now_against_later():
    def wish(net, buy, sell, later, wear=0.02):
        prices = tuple(np.array([x]) for x in (buy, sell, later))
        return market_aware_wish(np.array([net]), ONE, prices, wear, 1.0)[0]

    # a stored kWh is worth 0.81 * (0.30 - 0.02) - 0.02 = 0.2068 when taken in
    assert wish(-1.0, 0.40, 0.20, 0.30) == 1.0
    assert wish(-1.0, 0.40, 0.21, 0.30) == 0.0
    assert wish(-1.0, 0.20, 0.05, 0.30) == 5.0
    assert wish(2.0, 0.31, 0.05, 0.30) == -2.0
    assert wish(2.0, 0.29, 0.05, 0.30) == 0.0
    assert wish(2.0, 0.40, 0.35, 0.30) == -5.0


def test_gap():
    assert foresight_gap(8.0, 6.0, 10.0) == 0.5
    assert foresight_gap(6.0, 6.0, 6.0) == 0.0


def test_empty_horizon():
    with pytest.raises(InputError, match="empty horizon"):
        schedule(Horizon(*np.empty((3, 0)), 1.0), ONE, 0, 1.0)


def test_value_later_is_the_last_of_the_dearest_slots():
    prices = np.array([0.1, 0.5, 0.3, 0.4, 0.2])
    assert [value_later(prices, slots) for slots in (1, 2, 3, 9)] == [0.5, 0.4, 0.3, 0.1]
    assert value_later(np.empty(0), 4) == 0.0


def test_a_plan_is_carried_out_by_what_it_meant():
    charge, discharge = (
        np.array([1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        np.array([0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0]),
    )
    plan = Schedule(charge, discharge, np.array([5.0, 7.0, 5.0, 3.0, 9.0, 1.0, 5.0]), 0.0)

    def wish(slot, net, forecast):
        return planned_wish(plan, slot, net, (1.0, 9.0), forecast)

    assert wish(0, -3.0, -1.5) == 3.0, "it meant to store surplus"
    assert wish(0, 0.5, -1.5) == 0.0
    assert wish(1, -3.0, -1.5) == 2.0, "it meant to buy as well"
    assert wish(2, 0.4, 1.5) == -0.4, "it meant to serve the home"
    assert wish(3, 0.4, 1.5) == -2.0, "it meant to sell as well"
    assert wish(4, -0.4, 1.0) == 0.4, "at rest because full: one that is not takes surplus"
    assert wish(4, 0.4, 1.0) == 0.0
    assert wish(5, 0.4, 1.0) == -0.4, "at rest because empty: one that is not serves"
    assert wish(6, 0.4, 1.0) == 0.0, "it meant to keep"
