import numpy as np
import pytest

from sunshare_sim.devices.ageing import (
    SECONDS_OF_YEAR,
    Cycles,
    Duty,
    capacity_loss,
    count_cycles,
    duty_of,
    naumann_loss,
    repeated,
    wear_price,
    xu_loss,
    years_to,
)
from sunshare_sim.errors import InputError

NO_CYCLES = Cycles(np.empty(0), np.empty(0), np.empty(0))


def a_year(soc=0.5, celsius=25.0, cycles=0, depth=0.6):
    counted = Cycles(np.array([depth]), np.array([0.5]), np.array([float(cycles)])) if cycles else NO_CYCLES
    return Duty(SECONDS_OF_YEAR, soc, celsius, counted)


# computed independently from the paper's equations, in percent after 1, 5 and 10 years, and years to 80 %
TABLE = (
    (a_year(), (5.8, 11.7, 17.3), 12.6),
    (a_year(celsius=15.0), (3.7, 8.6, 11.6), 25.8),
    (a_year(soc=0.9), (7.1, 14.6, 22.7), 8.3),
    (a_year(celsius=20.0, cycles=250), (5.6, 11.3, 16.6), 13.5),
    (a_year(cycles=365, depth=0.8), (7.7, 16.4, 25.8), 6.9),
)


@pytest.mark.parametrize(("duty", "percent", "years"), TABLE)
def test_xu_reproduces_the_table(duty, percent, years):
    for after, expected in zip((1, 5, 10), percent, strict=True):
        assert 100 * xu_loss(repeated(duty, after)) == pytest.approx(expected, abs=0.06)
    # the table's years are those of the first tenth of a year in which the loss is reached
    assert np.ceil(years_to(0.2, "xu-lmo", duty) * 10) / 10 == pytest.approx(years)


@pytest.mark.parametrize(("depth", "stress"), [(1.0, 5.9e-5), (0.8, 3.0e-5), (0.5, 1.3e-5), (0.1, 3.1e-6)])
def test_stress_of_a_cycle(depth, stress):
    # small losses are the stress times the weight of its two exponentials
    once = Duty(0.0, 0.5, 25.0, Cycles(np.array([depth]), np.array([0.5]), np.array([1e-3])))
    slope = 0.0575 * 121 + 1 - 0.0575
    assert xu_loss(once) / slope * 1e3 == pytest.approx(stress, rel=0.025)  # two digits


def test_naumann_calendar_by_hand():
    # a year at 25 °C and half charge: 1.2571e-5 * 0.60225 * sqrt(31 536 000 s)
    assert naumann_loss(a_year()) == pytest.approx(0.04252, abs=1e-5)
    assert naumann_loss(a_year(celsius=40)) > naumann_loss(a_year())
    assert naumann_loss(repeated(a_year(), 4)) == pytest.approx(2 * naumann_loss(a_year()))


def test_naumann_cycles_by_hand():
    # 10 000 full cycles of depth 1 at 1C: (0.063 + 0.0971) * (4.0253 * 0.4**3 + 1.0923) * 100 %
    duty = Duty(0.0, 0.5, 25.0, Cycles(np.array([1.0]), np.array([0.5]), np.array([1e4])), c_rate=1.0)
    assert naumann_loss(duty) == pytest.approx(0.1601 * 1.349919, rel=1e-4)


def test_rainflow_counts_nested_cycles():
    # 0.2 - 0.8 - 0.2 with a small cycle 0.6 - 0.5 inside the way up
    counted = count_cycles(np.array([0.2, 0.6, 0.5, 0.8, 0.2]))
    full = {round(depth, 6): count for depth, count in zip(counted.depth, counted.weight, strict=True)}
    assert full[0.1] == 1.0
    assert counted.depth @ counted.weight == pytest.approx((0.4 + 0.1 + 0.3 + 0.6) / 2), (
        "all energy is counted"
    )


def test_a_resting_battery_only_ages_by_time():
    duty = duty_of(np.full(96, 0.5), 900.0)
    assert duty.cycles.weight.size == 0
    assert duty.seconds == 86_400


@pytest.mark.parametrize("cell", ["xu-lmo", "naumann-lfp"])
def test_deeper_cycles_cost_more(cell):
    x = np.sin(np.linspace(0, 60 * np.pi, 3000))
    shallow, deep = (capacity_loss(cell, 0.5 + size * x, 900.0) for size in (0.1, 0.45))
    assert 0 < shallow < deep < 0.2


def test_bad_input():
    with pytest.raises(InputError, match="did you mean 'xu-lmo'"):
        capacity_loss("xu-lm", np.ones(3), 900.0)
    with pytest.raises(InputError, match="not a state of charge"):
        capacity_loss("xu-lmo", np.array([0.0, 12.0]), 900.0)
    with pytest.raises(InputError, match="impossible wear"):
        wear_price(500, 0)


def test_wear_price():
    assert wear_price(500, 6000) == pytest.approx(0.0417, abs=1e-4)
