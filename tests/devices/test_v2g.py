import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.devices.v2g import CarState, cheapest_slots_wish, exchange, make_cars, plug_in
from sunshare_sim.errors import InputError
from sunshare_sim.inputs.mobility import Sessions

HOURS = 0.25


def stay(energy, arrival, departure):
    ints = (np.array([value], dtype=np.int64) for value in (0, arrival, departure))
    return Sessions(*ints, np.array([energy]))


def one_car(**options):
    return make_cars(np.array([60.0]), np.array([11.0]), **options)


def drive(cars, sessions, wishes):
    """Return states of charge, AC in and AC out of one car, slot by slot, and its state."""
    state = CarState.empty(1)
    course = []
    for slot, wish in enumerate(wishes):
        plug_in(state, cars, sessions, slot)
        exchange(state, cars, np.array([float(wish)]), slot, HOURS)
        course.append((state.soc_kwh[0], state.charged_kwh[0], state.discharged_kwh[0]))
    return np.array(course).T, state


@given(
    st.floats(0.1, 80),
    st.integers(1, 40),
    st.lists(st.floats(-5, 5), min_size=40, max_size=40),
    st.booleans(),
)
def test_the_needed_energy_is_there_whenever_it_can_be(energy, departure, wishes, v2g):
    cars = one_car(v2g=v2g)
    (soc, charged, given_out), state = drive(cars, stay(energy, 0, departure), wishes)
    start = max(54.0 - energy, 0.0)
    reachable = min(start + departure * 11 * HOURS * 0.89, 60.0)
    missing = max(start + energy - reachable, 0.0)
    assert state.shortfall_kwh[0] == pytest.approx(missing, abs=1e-9)
    assert np.all(charged[departure:] == 0), "a car that is gone neither takes nor gives"
    before = np.concatenate([[start], soc[:-1]])
    stored = charged * 0.89 - given_out / 0.89
    assert (soc - before)[:departure] == pytest.approx(stored[:departure], abs=1e-9)
    assert soc.max() <= 60 + 1e-9
    assert charged.max() <= 11 * HOURS + 1e-9
    assert given_out.max() <= (11 * HOURS if v2g else 0) + 1e-9
    giving = given_out > 0
    assert np.all(soc[giving] >= 18 - 1e-9), "never from the reserve"


def test_uncontrolled_and_delayed():
    cars = one_car()
    (early, *_), _ = drive(cars, stay(4.895, 0, 10), np.full(10, 99.0))
    (_, late, _), _ = drive(cars, stay(4.895, 0, 10), np.zeros(10))
    assert early[1] == pytest.approx(54.0)
    assert early[-1] == pytest.approx(60.0), "an unlimited wish fills the car"
    assert late == pytest.approx([0] * 8 + [2.75, 2.75])


def test_it_gives_and_is_full_again_in_time():
    (soc, _, given_out), state = drive(one_car(), stay(4.0, 0, 40), np.full(40, -2.0))
    assert given_out.sum() > 10
    assert soc.min() >= 18 - 1e-9
    assert soc[-1] == pytest.approx(54.0)
    assert state.shortfall_kwh[0] == pytest.approx(0.0, abs=1e-9)


def test_cheapest_slots():
    cars, state, wish = one_car(), CarState.empty(1), np.zeros(1)
    price = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 0.0])  # the last one is after departure
    charged = []
    for slot in range(5):
        plug_in(state, cars, stay(6.0, 0, 5), slot)
        cheapest_slots_wish(state, cars, price, slot, HOURS, wish)
        exchange(state, cars, wish, slot, HOURS)
        charged.append(state.charged_kwh[0])
    need = 6.0 / 0.89
    assert charged == pytest.approx([0, 2.75, 0, 2.75, need - 5.5])


def test_impossible_cars():
    with pytest.raises(InputError, match="impossible car"):
        one_car(one_way_efficiency=1.2)
    with pytest.raises(InputError, match="impossible car"):
        make_cars(np.array([0.0]), np.array([11.0]))
