"""From a scenario to a community: read the inputs, make the draws, cast once. Nothing else turns config into arrays."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from sunshare_sim.community import draws
from sunshare_sim.community.energy import Inputs
from sunshare_sim.community.equipment import build_equipment
from sunshare_sim.community.fleet import build_fleet
from sunshare_sim.community.households import Cohort, Community, Households
from sunshare_sim.community.owned import Owned, draw_group
from sunshare_sim.community.part import Kept, Part, cut_part
from sunshare_sim.community.place import Placed, place_feeder, warn_if_overloaded, wheeling_charges
from sunshare_sim.community.terms import build_terms
from sunshare_sim.devices.battery import Batteries, make_batteries
from sunshare_sim.inputs.tariffs import grid_prices
from sunshare_sim.scenario.households import Battery, Group
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


def build_community(
    scenario: Scenario, *, notice: Notice | None = None, part: int | None = None
) -> Community:
    """Build the community of a scenario: the same scenario gives the same arrays, whatever its market and tariff.

    Parameters
    ----------
    scenario : Scenario
        What to build.
    notice : callable, optional
        Is told what is being read or computed when it takes more than a moment.
    part : int, optional
        Build one substation's homes only, as they are in the whole: the number of the substation.

    Raises
    ------
    ScenarioError, InputError, NetworkError
        When the groups do not add up, an input cannot be used, or the feeder is not radial.
    """
    grid = time_grid(scenario)
    placed = place_feeder(scenario, notice=notice, priced=part is None)
    sizes = draws.group_sizes(scenario.households, placed.load_buses.size)
    groups = list(zip(scenario.households.groups, sizes, strict=True))
    owned = [draw_group(group, size, scenario.seed) for group, size in groups]
    bus = draws.place_homes(groups, placed.load_buses, placed.feeder.bus_names, scenario.seed)
    warn_if_overloaded(placed.feeder, _together(owned))
    cut = None
    if part is not None:
        cut, placed, bus = _cut(scenario, placed, bus, groups, part)
        groups, owned = _cut_groups(groups, owned, cut.kept)
    kept = cut.kept if cut else {group.name: Kept(np.arange(size), size) for group, size in groups}
    together = _together(owned)
    inputs = Inputs(scenario, grid, kept, notice=notice)
    load, solar = inputs.load(groups, together), inputs.solar(groups, together)
    batteries, initial_soc_kwh = _batteries(groups, together)
    equipment = build_equipment(groups, owned, inputs)
    households = _households(groups, together, bus, placed.feeder.zone_of_bus[bus], kept)
    return Community(
        grid=grid,
        households=households,
        cohorts=_cohorts(groups),
        feeder=placed.feeder,
        load=load,
        solar=solar,
        batteries=batteries,
        initial_soc_kwh=initial_soc_kwh,
        fleet=build_fleet(groups, owned, inputs),
        prices=grid_prices(scenario.tariff, grid),
        charges=placed.charges,
        sources=(placed.source, *inputs.sources),
        equipment=equipment,
        terms=build_terms(scenario.tariff, grid, placed.feeder, households),
        part=cut,
    )


def _together(owned: Iterable[Owned]) -> Owned:
    columns: list[Any] = [np.concatenate(column) for column in zip(*owned, strict=True)]
    return Owned(*columns)


def _cut(
    scenario: Scenario, placed: Placed, bus: IntArray, groups: Groups, number: int
) -> tuple[Part, Placed, IntArray]:
    """Return which part of the community a substation's is, its feeder, and the bus there of each of its homes."""
    sizes = {group.name: size for group, size in groups}
    part, feeder = cut_part(placed.feeder, bus, sizes, number)
    load_buses = np.searchsorted(part.buses, placed.load_buses[np.isin(placed.load_buses, part.buses)])
    charges = wheeling_charges(scenario, feeder, load_buses)
    return (
        part,
        Placed(feeder, load_buses, charges, placed.source),
        np.searchsorted(part.buses, bus[part.homes]),
    )


def _cut_groups(groups: Groups, owned: list[Owned], kept: dict[str, Kept]) -> tuple[Groups, list[Owned]]:
    """Return the groups with as many homes as are built, and what these own."""
    rows = [(each, group, kept[group.name].rows) for each, (group, _) in zip(owned, groups, strict=True)
            if group.name in kept]  # fmt: skip
    return [(group, here.size) for _, group, here in rows], [_rows(each, here) for each, _, here in rows]


def _rows(owned: Owned, here: IntArray) -> Owned:
    columns: list[Any] = [column[here] for column in owned]
    return Owned(*columns)


def _households(
    groups: Groups, owned: Owned, bus: IntArray, zone: IntArray, kept: dict[str, Kept]
) -> Households:
    return Households(
        name=tuple(
            f"{group.name}-{i}" if kept[group.name].size > 1 else group.name
            for group, _ in groups
            for i in kept[group.name].rows.tolist()
        ),
        group=tuple(group.name for group, size in groups for _ in range(size)),
        kind=owned.kind,
        bus=bus,
        zone=zone,
        annual_kwh=owned.annual_kwh,
        # what a heat pump uses that follows its house is not known before the run
        heat_pump_kwh=np.where(owned.heat_pump_kw > 0, np.nan, owned.heat_pump_kwh),
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
        round_trip_efficiency=by_home("nominal_round_trip"),
        min_soc=by_home("min_soc"),
        max_soc=by_home("max_soc"),
    )
    return batteries, owned.battery_kwh * by_home("initial_soc")
