import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.devices.battery import follow, make_batteries, stand_by
from sunshare_sim.devices.part_load import at_part_load, drawn, look_up, make_curves
from sunshare_sim.devices.part_load import given as gives

CURVE = [(0.1, 0.7), (0.5, 0.9), (1.0, 0.85)]


def of(*rows):
    return make_curves([CURVE], np.array(rows))


def test_a_curve_goes_through_its_points_and_is_level_below_the_first():
    curves = of(*[0] * 5)
    found = look_up(curves.efficiency, curves, np.array([0.0, 0.1, 0.3, 0.5, 1.0]), np.zeros(5))
    assert found == pytest.approx([0.7, 0.7, 0.8, 0.9, 0.85])


def test_who_has_no_curve_keeps_its_own():
    curves = of(-1, 0)
    assert look_up(curves.efficiency, curves, np.array([0.5, 0.5]), np.array([0.6, 0.6])).tolist() == [
        0.6,
        0.9,
    ]


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=40), st.floats(0, 1))
def test_energy_is_conserved_at_any_load(wishes, start):
    battery, curves = make_batteries([6.0], [4.0], min_soc=0.1), of(0)
    soc, charge, discharge = np.array([6.0 * start]), np.zeros(1), np.zeros(1)
    for wish in wishes:
        before = soc[0]
        follow(
            np.array([wish]),
            at_part_load(battery, curves, np.array([wish]), 0.5),
            soc,
            0.5,
            charge,
            discharge,
        )
        share = min(abs(wish) / 2.0, 1.0)
        eta = np.interp(share, *np.array(CURVE).T)
        moved = charge[0] * eta - discharge[0] / eta
        assert abs(soc[0] - before - moved) < 1e-9
        taken = stand_by(battery, np.array([0.02]), soc, 0.5)
        assert 0 <= taken[0] <= 0.01 + 1e-15


def test_standby_stops_at_the_lowest_charge():
    battery, soc = make_batteries([10.0], [4.0], min_soc=0.1), np.array([1.005])
    assert stand_by(battery, np.array([0.01]), soc, 1.0)[0] == pytest.approx(0.005)
    assert soc[0] == 1.0
    assert stand_by(battery, np.array([0.01]), soc, 1.0)[0] == 0.0
    low = np.array([0.5])  # a battery that starts below its window is left alone
    assert stand_by(battery, np.array([0.01]), low, 1.0)[0] == 0.0
    assert low[0] == 0.5


@given(st.floats(0.01, 1.0))
def test_a_charger_draws_what_stores_as_much(load):
    """What is drawn at part load stores what the kernel stored at the efficiency of full load."""
    curves, rated = of(0), np.array([11.0])
    stored = load * np.interp(load, *np.array(CURVE).T) * 11.0
    found = drawn(curves, np.array([stored / 0.85]), rated)[0]
    assert found == pytest.approx(load * 11.0, rel=2e-3, abs=2e-3)


def test_less_comes_out_at_part_load():
    assert gives(of(0), np.array([1.1]), np.array([11.0]))[0] == pytest.approx(1.1 * 0.7 / 0.85)
    assert gives(of(0), np.array([11.0]), np.array([11.0]))[0] == pytest.approx(11.0)
