"""From a scenario to a community: read the inputs, make the draws, cast once. Nothing else turns config into arrays."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sunshare_sim.community import draws
from sunshare_sim.community.energy import Inputs
from sunshare_sim.community.households import Cohort, Community, Fleet, Households
from sunshare_sim.community.owned import Owned, draw_group
from sunshare_sim.community.place import place_feeder, warn_if_overloaded
from sunshare_sim.devices.battery import Batteries, make_batteries
from sunshare_sim.devices.ev import Chargers
from sunshare_sim.inputs.mobility import Sessions, ev_sessions, no_sessions, sessions_file
from sunshare_sim.inputs.tariffs import grid_prices
from sunshare_sim.scenario.households import Battery, ElectricVehicle, Group
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

Notice = Callable[[str], None]
Groups = list[tuple[Group, int]]


def time_grid(scenario: Scenario) -> TimeGrid:
    """Return the slots of a scenario."""
    time = scenario.time
    grid = TimeGrid.of_days(time.start, time.days, time.slot_minutes, scenario.place.timezone)
    return grid if time.slots is None else replace(grid, slots=time.slots)


def build_community(scenario: Scenario, *, notice: Notice | None = None) -> Community:
    """Build the community of a scenario: the same scenario gives the same arrays, whatever its market and tariff.

    Parameters
    ----------
    scenario : Scenario
        What to build.
    notice : callable, optional
        Is told what is being read or computed when it takes more than a moment.

    Raises
    ------
    ScenarioError, InputError, NetworkError
        When the groups do not add up, an input cannot be used, or the feeder is not radial.
    """
    grid = time_grid(scenario)
    placed = place_feeder(scenario, notice=notice)
    sizes = draws.group_sizes(scenario.households, placed.load_buses.size)
    groups = list(zip(scenario.households.groups, sizes, strict=True))
    owned = [draw_group(group, size, scenario.seed) for group, size in groups]
    together = Owned(*(np.concatenate(columns) for columns in zip(*owned, strict=True)))
    bus = draws.place_homes(groups, placed.load_buses, placed.feeder.bus_names, scenario.seed)
    inputs = Inputs(scenario, grid, notice=notice)
    load, solar = inputs.load(groups, together), inputs.solar(groups, together)
    warn_if_overloaded(placed.feeder, together)
    batteries, initial_soc_kwh = _batteries(groups, together)
    return Community(
        grid=grid,
        households=_households(groups, together, bus, placed.feeder.zone_of_bus[bus]),
        cohorts=_cohorts(groups),
        feeder=placed.feeder,
        load=load,
        solar=solar,
        batteries=batteries,
        initial_soc_kwh=initial_soc_kwh,
        fleet=_fleet(groups, owned, grid, scenario.seed),
        prices=grid_prices(scenario.tariff, grid),
        charges=placed.charges,
        sources=(placed.source, *inputs.sources),
    )


def _households(groups: Groups, owned: Owned, bus: IntArray, zone: IntArray) -> Households:
    return Households(
        name=tuple(
            f"{group.name}-{i}" if size > 1 else group.name for group, size in groups for i in range(size)
        ),
        group=tuple(group.name for group, size in groups for _ in range(size)),
        kind=owned.kind,
        bus=bus,
        zone=zone,
        annual_kwh=owned.annual_kwh,
        heat_pump_kwh=owned.heat_pump_kwh,
        solar_kwp=owned.solar_kwp,
        tilt_deg=owned.tilt_deg,
        azimuth_deg=owned.azimuth_deg,
    )


def _cohorts(groups: Groups) -> tuple[Cohort, ...]:
    last = np.cumsum([size for _, size in groups]).tolist()
    return tuple(
        Cohort(group.name, end - size, end, group.strategy.name, dict(group.strategy.parameters))
        for (group, size), end in zip(groups, last, strict=True)
    )


def _batteries(groups: Groups, owned: Owned) -> tuple[Batteries, FloatArray]:
    def by_home(name: str) -> FloatArray:
        # A group without batteries has capacity 0; what the defaults say about it does not matter.
        values = [getattr(group.battery or Battery(), name) for group, _ in groups]
        return np.repeat(np.array(values, dtype=np.float64), [size for _, size in groups])

    batteries = make_batteries(
        owned.battery_kwh,
        owned.battery_kw,
        round_trip_efficiency=by_home("round_trip_efficiency"),
        min_soc=by_home("min_soc"),
        max_soc=by_home("max_soc"),
    )
    return batteries, owned.battery_kwh * by_home("initial_soc")


def _fleet(groups: Groups, owned: list[Owned], grid: TimeGrid, seed: int) -> Fleet:
    """Return the cars of all groups; a car's trips hang on its home's number, not on who else has one."""
    homes, power, efficiency, spread, sessions = [], [], [], [], [no_sessions()]
    first_home = first_car = 0
    for (group, size), part in zip(groups, owned, strict=True):
        rows = np.flatnonzero(part.ev_kw)
        if group.ev and rows.size:
            homes.append(first_home + rows)
            power.append(part.ev_kw[rows])
            efficiency.append(np.full(rows.size, group.ev.efficiency))
            spread.append(np.full(rows.size, group.ev.charging == "spread"))
            stays = _sessions(group.ev, part.ev_kw, grid, draws.sub_seed(seed, "ev", group.name))
            sessions.append(stays._replace(car=stays.car + first_car))
            first_car += rows.size
        first_home += size
    if not homes:
        nobody = np.empty(0, dtype=np.int64)
        return Fleet(nobody, Chargers(np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_)), no_sessions())
    return Fleet(
        home=np.concatenate(homes),
        chargers=Chargers(np.concatenate(power), np.concatenate(efficiency), np.concatenate(spread)),
        sessions=_merged(sessions),
    )


def _sessions(ev: ElectricVehicle, ev_kw: FloatArray, grid: TimeGrid, seed: int) -> Sessions:
    """Return the stays of a group's cars, drawn for every home (`ev_kw` 0: no car) and kept for owners, by car."""
    car_of_home = np.where(ev_kw > 0, np.cumsum(ev_kw > 0) - 1, -1)
    if ev.sessions_file is not None:
        return sessions_file(ev.sessions_file, int(car_of_home.max()) + 1, grid)
    drawn = ev_sessions(
        ev_kw.size, grid, seed, per_week=ev.sessions_per_week, power_kw=ev_kw, efficiency=ev.efficiency
    )
    kept = car_of_home[drawn.car] >= 0
    return Sessions(
        car_of_home[drawn.car[kept]],
        drawn.arrival_slot[kept],
        drawn.departure_slot[kept],
        drawn.energy_kwh[kept],
    )


def _merged(parts: list[Sessions]) -> Sessions:
    order = np.argsort(np.concatenate([part.arrival_slot for part in parts]), kind="stable")
    return Sessions(
        car=np.concatenate([part.car for part in parts])[order],
        arrival_slot=np.concatenate([part.arrival_slot for part in parts])[order],
        departure_slot=np.concatenate([part.departure_slot for part in parts])[order],
        energy_kwh=np.concatenate([part.energy_kwh for part in parts])[order],
    )
