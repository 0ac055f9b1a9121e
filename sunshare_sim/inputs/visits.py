"""Cars away from home: which stays at a workplace or in public come about, at which point, and what they save at home.

A car is in one place at a time: stays at home are what they are, a visit fills the gap between two of them. What it
takes there it need not take at the next stay at home, so that its need is the same in all, wherever it charges.
"""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from sunshare_sim.inputs.mobility import Sessions
from sunshare_sim.units import FloatArray, IntArray


class Points(NamedTuple):
    """Describe the charge points of an enterprise's sites.

    Attributes
    ----------
    sites, per_site : int
        Number of sites, and of points at each; point ``site * per_site + i``. A car always goes to the same site.
    power_kw, efficiency : float
        Largest power of a point, AC side [kW], and share of it that reaches the battery.
    """

    sites: int
    per_site: int
    power_kw: float
    efficiency: float


class Visits(NamedTuple):
    """Hold visits, sorted by slot of arrival; all arrays have shape [visits].

    Attributes
    ----------
    car, point : IntArray
        Row of the car, and the point it charges at.
    arrival_slot, departure_slot : IntArray
        First slot there, and first slot in which it is gone.
    energy_kwh : FloatArray
        Energy its battery takes there [kWh].
    """

    car: IntArray
    point: IntArray
    arrival_slot: IntArray
    departure_slot: IntArray
    energy_kwh: FloatArray


def no_visits() -> Visits:
    """Return an empty set of visits."""
    nothing = np.zeros(0, dtype=np.int64)
    return Visits(nothing, nothing, nothing, nothing, np.zeros(0))


def at_free_points(stays: Sessions, points: Points) -> IntArray:
    """Return the point each stay gets, first come, first served, -1 where none is free, shape [stays].

    Parameters
    ----------
    stays : Sessions
        Stays in order of arrival.
    points : Points
        The points.
    """
    until = _empty(points)
    stay = zip(stays.car, stays.arrival_slot, stays.departure_slot, strict=True)
    return np.array([_free_point(until, points, *each) for each in stay], dtype=np.int64)


def visit(home: Sessions, wishes: Sessions, points: Points, hours: float) -> tuple[FloatArray, Visits]:
    """Return what each stay at home still needs [kWh], and the visits that come about.

    A visit begins when the car has left home and ends when it is back; there is none without a free point, or where
    the next stay at home needs nothing. It takes what was drawn, at most what the point can give in the time and what
    the next stay at home needs.

    Parameters
    ----------
    home : Sessions
        Stays at home in order of arrival.
    wishes : Sessions
        Visits as drawn, no two of a car at a time; energy as metered [kWh].
    points : Points
        Where they charge.
    hours : float
        Length of a slot [h].
    """
    rows = _rows_of_cars(home)
    possible = []
    for car, first, last, energy in zip(*wishes, strict=True):
        own = rows.get(int(car), [])
        after = bisect_right(own, first, key=lambda row: home.arrival_slot[row])
        if after == len(own):
            continue  # no stay at home afterwards that it could save energy
        start = max(first, home.departure_slot[own[after - 1]]) if after else first
        end = min(last, home.arrival_slot[own[after]])
        if end > start:
            possible.append((start, int(car), end, energy * points.efficiency, own[after]))
    possible.sort()
    need, until, visits = home.energy_kwh.copy(), _empty(points), []
    for start, car, end, energy, later in possible:
        taken = min(energy, need[later], points.power_kw * (end - start) * hours * points.efficiency)
        point = _free_point(until, points, car, start, end) if taken > 0 else -1
        if point >= 0:
            need[later] -= taken
            visits.append((car, point, start, end, taken))
    if not visits:
        return need, no_visits()
    car_of, point_of, first_of, last_of = np.array([each[:4] for each in visits], dtype=np.int64).T
    return need, Visits(car_of, point_of, first_of, last_of, np.array([each[4] for each in visits]))


def _empty(points: Points) -> IntArray:
    """Return until when each point is taken, before anybody came, shape [sites, per_site]."""
    return np.full((points.sites, points.per_site), -(2**62), dtype=np.int64)


def _free_point(until: IntArray, points: Points, car: int, first: int, last: int) -> int:
    """Return the point a car gets at its site from slot `first` on and take it until `last`; -1 where none is free."""
    site = car % points.sites
    free = np.flatnonzero(until[site] <= first)
    if not free.size:
        return -1
    until[site, free[0]] = last
    return int(site * points.per_site + free[0])


def _rows_of_cars(stays: Sessions) -> dict[int, list[int]]:
    """Return the rows of each car's stays, in order of arrival."""
    rows: dict[int, list[int]] = {}
    for row, car in enumerate(stays.car.tolist()):
        rows.setdefault(car, []).append(row)
    return rows
