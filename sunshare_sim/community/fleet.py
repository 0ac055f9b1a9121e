"""The cars of all groups and the charge points they visit; a car's trips hang on its home's number alone."""

from typing import NamedTuple

import numpy as np

from sunshare_sim.community import draws
from sunshare_sim.community.energy import Inputs
from sunshare_sim.community.households import CHARGING, Fleet, Flexible
from sunshare_sim.community.owned import Owned
from sunshare_sim.devices.ev import Chargers
from sunshare_sim.devices.part_load import Curves, make_curves
from sunshare_sim.devices.v2g import Cars
from sunshare_sim.errors import InputError, describe
from sunshare_sim.inputs.habits import PLACES
from sunshare_sim.inputs.mobility import Sessions, draw_stays, ev_sessions, no_sessions, sessions_file
from sunshare_sim.inputs.visits import Points, Visits, at_free_points, no_visits, visit
from sunshare_sim.rowstreams import RowsOf
from sunshare_sim.scenario.devices import Away, ChargePoints, ElectricVehicle
from sunshare_sim.scenario.households import Group
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

Groups = list[tuple[Group, int]]
WORKDAYS = (0, 1, 2, 3, 4)
ANY_DAY = (0, 1, 2, 3, 4, 5, 6)


class Owners(NamedTuple):
    """Hold the cars of one group.

    Attributes
    ----------
    name : str
        Name of the group.
    section : ElectricVehicle
        What the scenario says of them.
    home, power_kw : FloatArray
        Home of each charger, and its power [kW], shape [chargers].
    first : int
        Row of its first charger in the fleet.
    car_of_home : IntArray
        Row in the fleet of the car of each of the group's homes, -1 for none.
    """

    name: str
    section: ElectricVehicle
    home: IntArray
    power_kw: FloatArray
    first: int
    car_of_home: IntArray


class Site(NamedTuple):
    """Hold the charge points of one group; as `Owners`."""

    name: str
    section: ChargePoints
    home: IntArray
    power_kw: FloatArray
    first: int


def build_fleet(groups: Groups, owned: list[Owned], inputs: Inputs) -> Fleet:
    """Return all chargers: those of cars at home, group by group, then the charge points.

    Raises
    ------
    InputError
        When a file of sessions cannot be used.
    """
    grid, seed, kept = inputs.grid, inputs.scenario.seed, inputs.kept
    cars = _cars(groups, owned)
    sites = _charge_points(groups, sum(part.home.size for part in cars))
    parts: list[Owners | Site] = [*cars, *sites]
    if not parts:
        nobody = np.empty(0, dtype=np.int64)
        return Fleet(nobody, Chargers(np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_)), no_sessions())
    sessions = _merged([no_sessions(), *(_stays(part, grid, seed, kept[part.name].of) for part in cars)])
    found = [no_visits()]
    for site in sites:
        visitors = [part for part in cars if part.section.away and part.section.away.at == site.name]
        sessions, visits = _visits(site, visitors, sessions, grid, seed)
        found.append(visits)
    visits = Visits(*(np.concatenate(column) for column in zip(*found, strict=True)))
    if visits.car.size:
        there = Sessions(visits.point, visits.arrival_slot, visits.departure_slot, visits.energy_kwh)
        sessions = _merged([sessions, there])
    policy = np.concatenate(
        [np.full(part.home.size, CHARGING.index(part.section.charging)) for part in parts]
    )
    chargers = Chargers(
        np.concatenate([part.power_kw for part in parts]),
        np.concatenate([np.full(part.home.size, part.section.efficiency) for part in parts]),
        policy == CHARGING.index("spread"),
    )
    return Fleet(
        home=np.concatenate([part.home for part in parts]),
        chargers=chargers,
        sessions=sessions,
        flexible=_flexible(parts, chargers, sessions, policy, inputs),
        curves=_curves(cars, policy.size),
        visits=visits,
    )


def _cars(groups: Groups, owned: list[Owned]) -> list[Owners]:
    parts: list[Owners] = []
    first_home = first = 0
    for (group, size), part in zip(groups, owned, strict=True):
        has = part.ev_kw > 0
        rows = np.flatnonzero(has)
        if group.ev and rows.size:
            car_of_home = np.where(has, first + np.cumsum(has) - 1, -1)
            parts.append(Owners(group.name, group.ev, first_home + rows, part.ev_kw, first, car_of_home))
            first += rows.size
        first_home += size
    return [part._replace(power_kw=part.power_kw[part.power_kw > 0]) for part in parts]


def _charge_points(groups: Groups, first: int) -> list[Site]:
    parts: list[Site] = []
    first_home = 0
    for group, size in groups:
        if group.charge_points:
            home = np.repeat(first_home + np.arange(size), group.charge_points.count)
            power = np.full(home.size, group.charge_points.power_kw)
            parts.append(Site(group.name, group.charge_points, home, power, first))
            first += home.size
        first_home += size
    return parts


def _stays(part: Owners, grid: TimeGrid, seed: int, of: RowsOf) -> Sessions:
    """Return the stays at home of a group's cars, drawn for every home and kept for owners."""
    if part.section.sessions_file is not None:
        if part.section.away is None:
            _refuse_away(part.section.sessions_file, part.home.size, grid)
        stays = sessions_file(part.section.sessions_file, part.home.size, grid)
        return stays._replace(car=stays.car + part.first)
    power = np.zeros(part.car_of_home.size)
    power[part.car_of_home >= 0] = part.power_kw
    drawn = ev_sessions(
        power.size,
        grid,
        draws.sub_seed(seed, "ev", part.name),
        per_week=part.section.sessions_per_week,
        power_kw=power,
        efficiency=part.section.efficiency,
        of=of,
    )
    return _of_owners(drawn, part.car_of_home)


def _refuse_away(path: str, cars: int, grid: TimeGrid) -> None:
    if sessions_file(path, cars, grid, place="away").car.size:
        raise InputError(
            describe(
                "cars have nowhere to charge away from home",
                where=path,
                got="sessions at the place `away`",
                hint="set `ev.away.at`",
            )
        )


def _of_owners(drawn: Sessions, car_of_home: IntArray) -> Sessions:
    """Return the sessions of the homes that have a car, by row of the car."""
    kept = car_of_home[drawn.car] >= 0
    return Sessions(
        car_of_home[drawn.car[kept]],
        drawn.arrival_slot[kept],
        drawn.departure_slot[kept],
        drawn.energy_kwh[kept],
    )


def _visits(
    site: Site, visitors: list[Owners], at_home: Sessions, grid: TimeGrid, seed: int
) -> tuple[Sessions, Visits]:
    """Return what the stays at home are with the visits to a group's charge points, and the visits."""
    section = site.section
    points = Points(site.home.size // section.count, section.count, section.power_kw, section.efficiency)
    drawn = [
        _wishes(part, part.section.away, grid, seed)
        for part in visitors
        if part.section.sessions_file is None
    ]
    written = [
        _written(part, part.section.sessions_file, grid) for part in visitors if part.section.sessions_file
    ]
    if drawn and written:
        raise InputError(
            describe(
                "cars with drawn and with written sessions at the same charge points",
                where=f"charge_points of group {site.name}",
                expected="one of the two",
            )
        )
    if written:
        return at_home, _file_visits(site, _merged(written), points)
    need, visits = visit(at_home, _merged([no_sessions(), *drawn]), points, grid.hours)
    return at_home._replace(energy_kwh=need), visits._replace(point=visits.point + site.first)


def _wishes(part: Owners, away: Away | None, grid: TimeGrid, seed: int) -> Sessions:
    """Return the visits that a group's cars would make, drawn for every home; energy as metered."""
    away = away or Away(at="")
    name = draws.sub_seed(seed, "ev", part.name, "away")
    days = WORKDAYS if away.place == "work" else ANY_DAY
    homes = part.car_of_home.size
    drawn = draw_stays(homes, grid, name, min(away.days_per_week, len(days)), PLACES[away.place], days=days)
    goes = draws.owners(away.share, draws.ranks(homes, stream(seed, "ev", part.name, "away", "goes")))
    return _of_owners(drawn, np.where(goes, part.car_of_home, -1))


def _written(part: Owners, path: str, grid: TimeGrid) -> Sessions:
    stays = sessions_file(path, part.home.size, grid, place="away")
    return stays._replace(car=stays.car + part.first)


def _file_visits(site: Site, stays: Sessions, points: Points) -> Visits:
    point = at_free_points(stays, points)
    for row in np.flatnonzero(point < 0)[:1]:
        raise InputError(
            describe(
                "no charge point is free",
                where=f"charge_points of group {site.name}",
                got=f"car {stays.car[row]} in slot {stays.arrival_slot[row]}",
                expected=f"at most {points.per_site} cars at a time",
                hint="raise `charge_points.count`",
            )
        )
    return Visits(stays.car, point + site.first, stays.arrival_slot, stays.departure_slot, stays.energy_kwh)


def _flexible(
    parts: list[Owners | Site], chargers: Chargers, sessions: Sessions, policy: IntArray, inputs: Inputs
) -> Flexible | None:
    """Return what cars that charge at will need; a battery holds what its largest session needs, at least."""
    if not (policy > CHARGING.index("spread")).any():
        return None
    capacity, reserve, leave, wear = np.zeros((4, policy.size))
    for part in parts:
        rows = slice(part.first, part.first + part.home.size)
        leave[rows] = 1.0
        if isinstance(part, Owners):
            rng = stream(inputs.scenario.seed, "households", part.name, "ev_battery_kwh")
            rng = inputs.kept[part.name].of(rng)
            drawn = draws.draw(part.section.battery_kwh, part.car_of_home.size, rng)
            capacity[rows] = drawn[part.car_of_home >= 0]
            reserve[rows], leave[rows] = part.section.reserve, part.section.leave
            wear[rows] = part.section.wear_per_kwh
    largest = np.zeros(policy.size)
    np.maximum.at(largest, sessions.car, sessions.energy_kwh)
    capacity = np.maximum(np.maximum(capacity, largest / leave), 1.0)
    gives = policy == CHARGING.index("v2g")
    cars = Cars(
        capacity_kwh=capacity,
        charge_kw=chargers.power_kw,
        discharge_kw=chargers.power_kw * gives,
        charge_efficiency=chargers.efficiency,
        discharge_efficiency=chargers.efficiency,
        reserve_kwh=capacity * reserve,
        leave_kwh=capacity * leave,
    )
    return Flexible(policy, cars, wear)


def _curves(cars: list[Owners], chargers: int) -> Curves | None:
    """Return the efficiency by load of chargers that have a curve, scaled to their efficiency at the highest load."""
    curves: list[list[tuple[float, float]]] = []
    of = np.full(chargers, -1, dtype=np.int64)
    for part in cars:
        points = part.section.efficiency_curve
        if points:
            of[part.first : part.first + part.home.size] = len(curves)
            scale = part.section.efficiency / points[-1].efficiency
            curves.append([(point.load, point.efficiency * scale) for point in points])
    return make_curves(curves, of) if curves else None


def _merged(parts: list[Sessions]) -> Sessions:
    """Return all sessions in order of arrival."""
    order = np.argsort(np.concatenate([part.arrival_slot for part in parts]), kind="stable")
    return Sessions(
        car=np.concatenate([part.car for part in parts])[order],
        arrival_slot=np.concatenate([part.arrival_slot for part in parts])[order],
        departure_slot=np.concatenate([part.departure_slot for part in parts])[order],
        energy_kwh=np.concatenate([part.energy_kwh for part in parts])[order],
    )
