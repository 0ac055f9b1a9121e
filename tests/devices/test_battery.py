import numpy as np
import pytest

from sunshare_sim.devices.battery import Batteries, make_batteries, self_consumption
from tests.reference.devices import Battery


def run(batteries, nets, soc, hours=0.25):
    soc = np.array(soc, dtype=float)
    charge, discharge = np.empty_like(soc), np.empty_like(soc)
    flows = []
    for net in nets:
        self_consumption(np.array(net, dtype=float), batteries, soc, hours, charge, discharge)
        flows.append((charge.copy(), discharge.copy()))
    return soc, flows


def test_surplus_charges_with_the_one_way_loss():
    batteries = make_batteries([10.0], [4.0], round_trip_efficiency=0.81)
    soc, [(charge, discharge)] = run(batteries, [[-0.5]], [5.0])
    assert (charge[0], discharge[0]) == (0.5, 0.0)
    assert soc[0] == pytest.approx(5.45)


def test_deficit_discharges_with_the_one_way_loss():
    batteries = make_batteries([10.0], [4.0], round_trip_efficiency=0.81)
    soc, [(charge, discharge)] = run(batteries, [[0.5]], [5.0])
    assert (charge[0], discharge[0]) == (0.0, 0.5)
    assert soc[0] == pytest.approx(5 - 0.5 / 0.9)


def test_power_bounds_both_ways():
    batteries = make_batteries([10.0, 10.0], [4.0, 4.0])
    _, [(charge, discharge)] = run(batteries, [[-3.0, 3.0]], [5.0, 5.0])
    assert charge.tolist() == [1.0, 0.0]
    assert discharge.tolist() == [0.0, 1.0]


def test_a_full_battery_is_exactly_full_and_an_empty_one_exactly_empty():
    batteries = make_batteries(
        [10.0, 10.0], [40.0, 40.0], round_trip_efficiency=0.87, min_soc=0.1, max_soc=0.9
    )
    soc, [(charge, discharge)] = run(batteries, [[-9.0, 9.0]], [8.7, 1.3])
    assert soc.tolist() == [9.0, 1.0]
    assert charge[0] == pytest.approx(0.3 / np.sqrt(0.87))
    assert discharge[1] == pytest.approx(0.3 * np.sqrt(0.87))


def test_a_home_without_battery_keeps_its_net():
    batteries = make_batteries([0.0, 5.0], [4.0, 4.0])
    soc, [(charge, discharge)] = run(batteries, [[-1.0, -1.0]], [0.0, 0.0])
    assert charge.tolist() == [0.0, 1.0]
    assert discharge.tolist() == [0.0, 0.0]
    assert soc[0] == 0.0
    assert batteries.power_kw.tolist() == [0.0, 4.0]


def test_outputs_of_the_slot_before_are_overwritten():
    batteries = make_batteries([5.0], [4.0])
    _, flows = run(batteries, [[-1.0], [0.0], [0.2]], [2.0])
    assert [(c[0], d[0]) for c, d in flows] == [(1.0, 0.0), (0.0, 0.0), (0.0, 0.2)]


def test_constant_power_gives_the_same_state_in_slots_of_15_and_5_minutes():
    batteries = make_batteries([10.0, 10.0, 2.0], [2.0, 2.0, 2.0])
    power = np.array([-1.7, 1.3, -3.0])
    coarse, coarse_flows = run(batteries, [power * 0.25] * 8, [3.0, 6.0, 0.5], 0.25)
    fine, fine_flows = run(batteries, [power / 12] * 24, [3.0, 6.0, 0.5], 1 / 12)
    np.testing.assert_allclose(coarse, fine, rtol=1e-12)
    for side in (0, 1):
        total = [sum(flow[side] for flow in flows) for flows in (coarse_flows, fine_flows)]
        np.testing.assert_allclose(*total, rtol=1e-12)


def test_a_year_equals_the_slow_twin():
    rng = np.random.default_rng(5)
    homes = 7
    batteries = make_batteries(
        rng.choice([0.0, 4.0, 9.0], homes), rng.uniform(1, 5, homes), round_trip_efficiency=0.9, min_soc=0.05
    )
    nets = rng.normal(0, 0.6, (2000, homes))
    start = batteries.min_soc_kwh + 0.3
    start[batteries.capacity_kwh == 0] = 0.0
    soc, flows = run(batteries, nets, start)
    for home in range(homes):
        twin = Battery(*(column[home] for column in batteries), soc_kwh=start[home])
        expected = [twin.serve(net, 0.25) for net in nets[:, home]]
        np.testing.assert_allclose([(c[home], d[home]) for c, d in flows], expected, atol=1e-12)
        assert soc[home] == pytest.approx(twin.soc_kwh, abs=1e-9)


def test_batteries_are_one_row_a_home_in_float64():
    batteries = make_batteries([5, 0], [2, 2], min_soc=0.1)
    assert isinstance(batteries, Batteries)
    assert all(column.dtype == np.float64 and column.shape == (2,) for column in batteries)
    assert batteries.min_soc_kwh.tolist() == [0.5, 0.0]
    assert batteries.charge_efficiency[0] * batteries.discharge_efficiency[0] == pytest.approx(0.9)
