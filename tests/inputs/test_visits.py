import numpy as np

from sunshare_sim.inputs.mobility import Sessions
from sunshare_sim.inputs.visits import Points, at_free_points, visit


def stays(*rows):
    rows = sorted(rows, key=lambda row: (row[1], row[0]))
    car, first, last, energy = zip(*rows, strict=True) if rows else ((), (), (), ())
    ints = (np.array(column, dtype=np.int64) for column in (car, first, last))
    return Sessions(*ints, np.array(energy, dtype=float))


HOME = stays((0, 0, 10, 5.0), (0, 30, 40, 12.0), (1, 0, 12, 5.0), (1, 28, 40, 3.0))


def test_a_visit_fills_the_gap_and_saves_the_next_stay_at_home():
    need, visits = visit(HOME, stays((0, 8, 35, 10.0)), Points(1, 1, 1.0, 0.5), 1.0)
    assert visits.arrival_slot.tolist() == [10]
    assert visits.departure_slot.tolist() == [30]
    assert visits.energy_kwh.tolist() == [5.0], "half of the 10 kWh metered"
    assert need.tolist() == [5.0, 5.0, 3.0, 7.0], "stays in order of arrival: 0, 1, 1, 0"


def test_it_takes_no_more_than_the_point_gives_or_home_will_need():
    _, short = visit(HOME, stays((0, 14, 16, 90.0)), Points(1, 1, 2.0, 1.0), 0.5)
    assert short.energy_kwh.tolist() == [2.0]
    need, little = visit(HOME, stays((1, 14, 20, 90.0)), Points(1, 1, 11.0, 1.0), 1.0)
    assert little.energy_kwh.tolist() == [3.0]
    assert need.sum() == 22.0


def test_first_come_first_served():
    wishes = stays((0, 14, 20, 4.0), (1, 15, 22, 4.0))
    need, visits = visit(HOME, wishes, Points(1, 1, 11.0, 1.0), 1.0)
    assert visits.car.tolist() == [0]
    assert need.sum() == 25.0 - 4.0, "who finds no point charges at home"
    _, both = visit(HOME, wishes, Points(1, 2, 11.0, 1.0), 1.0)
    assert both.point.tolist() == [0, 1]
    _, sites = visit(HOME, wishes, Points(2, 1, 11.0, 1.0), 1.0)
    assert sites.point.tolist() == [0, 1], "each car at its own site"


def test_no_visit_without_a_gap_or_a_later_stay():
    _, none = visit(HOME, stays((0, 2, 8, 4.0), (1, 45, 50, 4.0)), Points(1, 1, 11.0, 1.0), 1.0)
    assert none.car.size == 0


def test_points_are_given_out_in_order():
    found = at_free_points(
        stays((0, 0, 4, 1.0), (1, 2, 6, 1.0), (2, 4, 5, 1.0), (3, 5, 8, 1.0)), Points(1, 2, 1.0, 1.0)
    )
    assert found.tolist() == [0, 1, 0, 0]
    assert at_free_points(stays((0, 0, 4, 1.0), (1, 3, 6, 1.0)), Points(1, 1, 1.0, 1.0)).tolist() == [0, -1]
