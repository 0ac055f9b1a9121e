"""The feeder of a scenario: read, divided into zones, priced, and compared with what it has to carry."""

import warnings
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from sunshare_sim.community.owned import Owned
from sunshare_sim.community.terms import local_zones, sharing_charges
from sunshare_sim.errors import SunShareWarning
from sunshare_sim.feeder.charges import (
    community_charges,
    distance_charges,
    price_substations,
    zone_charges,
)
from sunshare_sim.feeder.graph import Feeder, build_feeder
from sunshare_sim.inputs.grids import load_grid
from sunshare_sim.scenario.feeders import InlineFeeder, PandapowerFeeder, SimbenchFeeder
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.units import IntArray

Notice = Callable[[str], None]
HOURS_OF_YEAR: Final = 8760
PEAK_TO_MEAN: Final = (
    2.9  # of 100 homes together: SimBench shapes by day-block bootstrap, peak 1.13 kW at 3 400 kWh/a
)
EV_PEAK_KW: Final = 1.5  # diversified peak of a car at a 7 kW charger, Electric Nation trial 2019
HEAT_PUMP_PEAK_TO_MEAN: Final = 3.5  # SimBench heat-pump shapes, which peak together
SOLAR_PEAK: Final = 0.8  # highest AC power of a neighbourhood's mixed roofs over its kWp


class Placed(NamedTuple):
    """Hold a feeder, the buses that loads stand on (a bus twice for two loads), the zones' charges, and the source."""

    feeder: Feeder
    load_buses: IntArray
    charges: IntArray
    source: str


def place_feeder(scenario: Scenario, *, notice: Notice | None = None, priced: bool = True) -> Placed:
    """Read the scenario's feeder and compute what trades between its zones are charged, unless `priced` is false.

    Raises
    ------
    InputError, NetworkError
        When the grid is unknown or cannot be read, or is not radial.
    """
    tables, loads, source = _tables(scenario, notice)
    section = scenario.feeder
    feeder = build_feeder(*tables, zones=section.zones, copies=section.copies)
    buses = list(tables[0]["bus"])
    once = np.array([buses.index(bus) for bus in loads], dtype=np.int64)
    load_buses = (once + len(buses) * np.arange(section.copies)[:, np.newaxis]).ravel()
    charges = wheeling_charges(scenario, feeder, load_buses) if priced else np.empty((0, 0), dtype=np.int64)
    return Placed(feeder, load_buses, charges, source)


def wheeling_charges(scenario: Scenario, feeder: Feeder, load_buses: IntArray) -> IntArray:
    """Compute what trades between two zones are charged by the scenario's rule [ticks], shape [zones, zones].

    Parameters
    ----------
    scenario : Scenario
        Its rule; for some rules its tariff.
    feeder : Feeder
        The feeder with its zones.
    load_buses : IntArray
        Buses of the loads, for the mean distance between zones, shape [loads].
    """
    rule, tariff, tick = scenario.network.charges, scenario.tariff, scenario.market.tick
    if rule.rule == "community" and rule.community == "tariff":
        return sharing_charges(tariff, local_zones(tariff.sharing, feeder, load_buses), tick=tick)
    if rule.rule == "community":
        return community_charges(
            rule.community,
            feeder,
            tick=tick,
            network_per_kwh=tariff.network_per_kwh,
            levies_per_kwh=tariff.levies_per_kwh,
        )
    if rule.rule == "distance":
        return distance_charges(
            feeder,
            tick=tick,
            per_kwh_and_ohm=rule.distance_price,
            base_per_kwh=rule.within_zone_per_kwh,
            buses=load_buses,
        )
    stamp = rule.rule == "postage_stamp"
    charges = zone_charges(
        "flat" if stamp else rule.rule,
        feeder.transformer_of_zone,
        tick=tick,
        within_zone_per_kwh=rule.within_zone_per_kwh,
        between_zones_per_kwh=tariff.network_per_kwh if stamp else rule.between_zones_per_kwh,
        beyond_per_kwh=rule.beyond_per_kwh,
    )
    if rule.rule == "zonal" and rule.same_substation_per_kwh is not None:
        charges = price_substations(charges, feeder, rule.same_substation_per_kwh, tick)
    return charges


def _tables(scenario: Scenario, notice: Notice | None) -> tuple[tuple[Any, Any, Any], list[Any], str]:
    section = scenario.feeder
    if isinstance(section, InlineFeeder):
        return _inline(section, with_transformer=scenario.network.power_flow != "off")
    if isinstance(section, SimbenchFeeder):
        name = section.code
    elif isinstance(section, PandapowerFeeder):
        name = section.name
    else:
        name = section.path
    grid = load_grid(section.source, name, notice=notice)
    source = f"{grid.source} {grid.version} ({grid.licence})"
    return (grid.buses, grid.lines, grid.transformers), list(grid.loads["bus"]), source


def _inline(section: InlineFeeder, *, with_transformer: bool) -> tuple[tuple[Any, Any, Any], list[Any], str]:
    """Return the tables of a feeder that is written out; its transformer is a branch only where its load matters.

    Nothing is said of its impedance, so it has none.
    """
    names = dict.fromkeys(
        [section.substation, *(bus for line in section.lines for bus in (line.from_bus, line.to_bus))]
    )
    buses = {"bus": list(names), "vn_kv": [section.voltage_kv] * len(names)}
    columns = ("from_bus", "to_bus", "r_ohm", "x_ohm", "length_km", "rating_a")
    lines = {column: [getattr(line, column) for line in section.lines] for column in columns}
    transformers: dict[str, list[Any]] = {"lv_bus": [section.substation], "sn_kva": [section.transformer_kva]}
    loads = [name for name in names if name != section.substation]
    if with_transformer:  # behind all other buses, so that they keep their numbers
        above = f"above {section.substation}"
        buses = {"bus": [*names, above], "vn_kv": [section.voltage_kv] * (len(names) + 1)}
        transformers["hv_bus"] = [above]
    return (buses, lines, transformers), loads, "feeder written out in the scenario"


def warn_if_overloaded(feeder: Feeder, owned: Owned) -> None:
    """Warn, with numbers, when the homes' expected peaks are beyond what the feeder's transformers are rated for.

    An estimate from annual energy and rated power, made before anything is simulated; demand that is
    given slot by slot is not in it.

    Warns
    -----
    SunShareWarning
        When demand or feed-in is expected to exceed the rating.
    """
    rating = float(feeder.transformer_kva.sum())
    households = np.nansum(owned.annual_kwh) / HOURS_OF_YEAR * PEAK_TO_MEAN
    heat_pumps = owned.heat_pump_kwh.sum() / HOURS_OF_YEAR * HEAT_PUMP_PEAK_TO_MEAN
    cars = np.count_nonzero(owned.ev_kw) * EV_PEAK_KW
    expected = {"demand": households + heat_pumps + cars, "feed-in": owned.solar_kwp.sum() * SOLAR_PEAK}
    for what, kw in expected.items():
        if kw > rating:
            warnings.warn(
                f"expected peak {what} of {owned.kind.size} homes is {kw:.0f} kW, the feeder's transformers are rated"
                f" {rating:.0f} kVA; use fewer homes, another feeder, or more `feeder.copies`",
                SunShareWarning,
                stacklevel=2,
            )
