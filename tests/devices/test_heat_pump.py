import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.devices.heat_pump import (
    Houses,
    coefficient_of_performance,
    heat_houses,
    supply_temperature,
)
from sunshare_sim.errors import InputError


def house(power_kw=3.0):
    values = (5.0, 8.0, power_kw, 20.0, 23.0)  # 200 W/K, 8 kWh/K: 40 h time constant
    return Houses(*(np.array([value]) for value in values))


def heat(temperature, outdoor, gains, aim, hours, *, power_kw=3.0):
    inside, out = np.array([temperature]), (np.zeros(1), np.zeros(1))
    weather = (outdoor, np.array([gains]), np.array([3.0]))
    heat_houses(house(power_kw), weather, np.array([aim]), inside, hours, out)
    return inside[0], out[0][0], out[1][0]


@given(
    st.floats(15, 25),
    st.floats(-20, 30),
    st.floats(0, 2),
    st.floats(0, 1),
    st.sampled_from([0.25, 1.0]),
    st.sampled_from([0.0, 1.0, 4.0]),
)
def test_a_slot_is_what_small_steps_give(start, outdoor, gains, aim, hours, power):
    end, electric, cold = heat(start, outdoor, gains, aim, hours, power_kw=power)
    inside = start
    for _ in range(100):  # midpoint rule
        dt = hours / 100

        def slope(value):
            return (electric * 3.0 / hours + gains - (value - outdoor) / 5.0) / 8.0

        middle = inside + slope(inside) * dt / 2
        inside += slope(middle) * dt
    assert end == pytest.approx(inside, abs=1e-6)
    assert 0 <= electric <= power * hours + 1e-12
    assert cold == pytest.approx(max(20.0 - end, 0) * hours)


def test_it_reaches_its_aim_when_it_can():
    assert heat(20.0, 0.0, 0.2, 0.0, 0.25)[0] == pytest.approx(20.0)
    assert heat(20.0, 0.0, 0.2, 0.05, 0.25)[0] == pytest.approx(20.15)
    end, electric, _ = heat(20.0, 0.0, 0.2, 1.0, 0.25)
    assert electric == pytest.approx(0.75), "full power"
    assert 20 < end < 23


def test_holding_costs_what_is_lost():
    # 20 K over 5 K/kW is 4 kW of heat, 0.4 from gains, a third of the rest electric
    _, electric, _ = heat(20.0, 0.0, 0.4, 0.0, 1.0)
    assert electric == pytest.approx(3.6 / 3)


def test_cold_is_counted_and_heat_is_not_removed():
    end, electric, cold = heat(20.0, -15.0, 0.0, 0.0, 1.0, power_kw=0.0)
    assert end < 20
    assert cold == pytest.approx(20 - end)
    assert heat(24.0, 30.0, 1.0, 0.0, 1.0)[1] == 0.0
    assert electric == 0.0


def test_coefficient_of_performance():
    # Staffell et al. 2012: air source at 35 K lift: 6.81 - 4.235 + 0.77175
    assert coefficient_of_performance(0.0, 35.0) == pytest.approx(3.34675)
    assert coefficient_of_performance(10.0, 45.0, source="ground") == pytest.approx(8.77 - 5.25 + 0.89915)
    lifts = coefficient_of_performance(0.0, np.arange(0.0, 120.0))
    assert np.all(np.diff(lifts) <= 0)
    with pytest.raises(InputError, match="did you mean 'ground'"):
        coefficient_of_performance(0.0, 35.0, source="grund")


def test_heating_curve():
    assert supply_temperature([-10.0, 20.0, 30.0, -20.0]).tolist() == [50.0, 20.0, 20.0, 50.0]
    assert supply_temperature(5.0, design_supply_c=35.0) == pytest.approx(27.5)
