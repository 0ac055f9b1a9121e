"""Devices that only some scenarios have: how batteries are run, heat pumps of houses, appliances that can wait."""

import numpy as np

from sunshare_sim.community import draws
from sunshare_sim.community.energy import Inputs
from sunshare_sim.community.households import STARTS, BatteryControl, Equipment, Heating
from sunshare_sim.community.owned import Owned
from sunshare_sim.devices.ageing import SECONDS_OF_YEAR, Cycles, Duty, years_to
from sunshare_sim.devices.heat_pump import Houses, coefficient_of_performance, supply_temperature
from sunshare_sim.devices.part_load import make_curves
from sunshare_sim.devices.shiftable import Runs
from sunshare_sim.inputs.mobility import midnight_of
from sunshare_sim.scenario.devices import Appliance, Battery, HouseHeatPump
from sunshare_sim.scenario.households import Group
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

Groups = list[tuple[Group, int]]
GROUND_C = 10.0  # the ground some metres down keeps about the year's mean temperature
WORN = 0.2  # share of capacity at whose loss a battery counts as worn out
USUAL_DEPTH = 0.8  # depth of the cycle a day from which a cell's life in cycles is computed


def build_equipment(groups: Groups, owned: list[Owned], inputs: Inputs) -> Equipment:
    """Return the equipment of all groups; empty where the scenario names none."""
    rows, first = [], 0
    for _, size in groups:
        rows.append(slice(first, first + size))
        first += size
    batteries = [
        (group.battery, members) for (group, _), members in zip(groups, rows, strict=True) if group.battery
    ]
    runs, start = _runs(groups, rows, inputs)
    return Equipment(
        controls=tuple(BatteryControl(members, section, wear_of(section)) for section, members in batteries),
        curves=None
        if not any(b.efficiency_curve for b, _ in batteries)
        else make_curves(
            [
                [(point.load, point.efficiency) for point in b.efficiency_curve]
                for b, _ in batteries
                if b.efficiency_curve
            ],
            _curve_of_home(batteries, first),
        ),
        standby_kw=_standby(batteries, first) if any(b.standby_w for b, _ in batteries) else None,
        heating=tuple(
            _heating(group.heat_pump, group.name, part, members.start, inputs)
            for (group, _), part, members in zip(groups, owned, rows, strict=True)
            if isinstance(group.heat_pump, HouseHeatPump)
        ),
        runs=runs,
        start=start,
    )


def wear_of(battery: Battery) -> float:
    """Return the wear of a kWh in or out [currency/kWh], with the life of its cell where nothing else says it."""
    if battery.wear_per_kwh is not None or battery.cycle_life is not None or battery.ageing is None:
        return battery.wear
    daily = Cycles(np.array([USUAL_DEPTH]), np.array([0.5]), np.array([365.0]))
    duty = Duty(SECONDS_OF_YEAR, 0.5, battery.ageing.temperature_c, daily)
    cycles = 365 * USUAL_DEPTH * years_to(WORN, battery.ageing.cell, duty)
    return battery.replacement_per_kwh / (2 * cycles)


def _curve_of_home(batteries: list[tuple[Battery, slice]], homes: int) -> IntArray:
    of = np.full(homes, -1, dtype=np.int64)
    for number, members in enumerate(members for battery, members in batteries if battery.efficiency_curve):
        of[members] = number
    return of


def _standby(batteries: list[tuple[Battery, slice]], homes: int) -> FloatArray:
    standby = np.zeros(homes)
    for battery, members in batteries:
        standby[members] = battery.standby_w / 1000
    return standby


def _heating(section: HouseHeatPump, name: str, owned: Owned, first: int, inputs: Inputs) -> Heating:
    """Return the houses of a group that have a heat pump; drawn for all."""
    seed, size = inputs.scenario.seed, owned.kind.size

    def drawn(law: str) -> FloatArray:
        rng = stream(seed, "households", name, f"house_{law}")
        return draws.draw(getattr(section, law), size, inputs.kept[name].of(rng))

    has = owned.heat_pump_kw > 0
    one = np.ones(np.count_nonzero(has))
    outdoor = inputs.weather.temp_air.astype(np.float64)
    source = outdoor if section.heat_from == "air" else np.full(outdoor.size, GROUND_C)
    supply = supply_temperature(outdoor, design_supply_c=section.supply_c)
    return Heating(
        home=first + np.flatnonzero(has),
        houses=Houses(
            resistance_k_per_kw=1000 / drawn("loss_w_per_k")[has],
            capacity_kwh_per_k=drawn("capacity_kwh_per_k")[has],
            power_kw=owned.heat_pump_kw[has],
            lowest_c=one * section.lowest_c,
            highest_c=one * section.highest_c,
        ),
        control=section.control,
        gains_kw=section.gains_kw,
        outdoor_c=outdoor,
        cop=coefficient_of_performance(source, supply, source=section.heat_from),
    )


def _runs(groups: Groups, rows: list[slice], inputs: Inputs) -> tuple[Runs | None, IntArray]:
    """Return all runs of appliances in order of the slot from which they may start, and how that is chosen."""
    columns: list[tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray]] = []
    grid = inputs.grid
    for (group, _), members in zip(groups, rows, strict=True):
        for appliance in group.appliances:
            home, ready, end, energy = _drawn_runs(appliance, group.name, inputs)
            length = np.full(home.size, _slots_of(appliance, grid))
            start = np.full(home.size, STARTS.index(appliance.start))
            columns.append((members.start + home, ready, end, length, energy, start))
    if not columns:
        return None, np.empty(0, dtype=np.int64)
    home, ready, end, length, energy, start = (
        np.concatenate(column) for column in zip(*columns, strict=True)
    )
    order = np.lexsort((home, ready))
    longest = int(length.max(initial=1))
    each = np.where(np.arange(longest) < length[order, None], (energy / length)[order, None], 0.0)
    return Runs(home[order], ready[order], end[order], each, length[order]), start[order]


def _slots_of(appliance: Appliance, grid: TimeGrid) -> int:
    return max(1, int(np.ceil(appliance.duration_hours / grid.hours - 1e-9)))


def _drawn_runs(
    appliance: Appliance, group: str, inputs: Inputs
) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Draw the runs of one appliance: home, first and last slot, energy [kWh]; for all homes, kept for owners.

    On each local day it runs with equal chance, and is loaded at a time drawn evenly from those that leave it enough.
    """
    grid, kept = inputs.grid, inputs.kept[group]
    size = kept.rows.size

    def rng(*names: str | int) -> np.random.Generator:
        return stream(inputs.scenario.seed, "households", group, "appliance", appliance.name, *names)

    owns = draws.owners(appliance.share, draws.ranks(kept.size, rng("owners")))[kept.rows]
    energy = draws.draw(appliance.energy_kwh, size, kept.of(rng("energy_kwh")))
    length = _slots_of(appliance, grid)
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    for day in range(int(grid.local_day[0]), int(grid.local_day[-1]) + 1):
        begins, when = kept.of(rng("day", day)).random((size, 2)).T
        home = np.flatnonzero(owns & (begins < appliance.runs_per_week / 7))
        spare = appliance.latest_hour - appliance.duration_hours - appliance.earliest_hour
        hour = appliance.earliest_hour + when[home] * spare
        ready = np.floor((midnight_of(day, grid) + 60 * hour) / grid.slot_minutes).astype(np.int64)
        end = np.floor((midnight_of(day, grid) + 60 * appliance.latest_hour) / grid.slot_minutes)
        last = np.maximum(np.int64(end), ready + length)
        within = (ready >= 0) & (last <= grid.slots)
        found.append((home[within], ready[within], last[within]))
    home, ready, last = (np.concatenate(column) for column in zip(*found, strict=True))
    return home, ready, last, energy[home]
