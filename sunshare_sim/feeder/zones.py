"""Zones of a feeder: the pools of the market."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from sunshare_sim.errors import NetworkError, describe, did_you_mean
from sunshare_sim.feeder.tree import NONE, Stations, Tree, some
from sunshare_sim.units import IntArray

Zones = Literal["feeder", "transformer"] | Mapping[str, str]


def zones_of(
    zones: Zones, tree: Tree, stations: Stations, names: tuple[str, ...]
) -> tuple[IntArray, tuple[str, ...]]:
    """Return the zone of each bus, shape [buses], and the names of the zones."""
    if zones == "transformer":
        return np.maximum(tree.transformer, 0), stations.names
    if zones == "feeder":
        return _feeder_zones(tree, stations)
    if isinstance(zones, Mapping):
        return _given_zones(zones, tree, stations, names)
    raise NetworkError(
        describe(
            "unknown zones", where="feeder.zones", got=zones, expected="feeder, transformer, or bus: zone"
        )
    )


def _feeder_zones(tree: Tree, stations: Stations) -> tuple[IntArray, tuple[str, ...]]:
    """Give all buses behind one line that leaves a busbar the same zone."""
    busbars = set(stations.lv_bus.tolist())
    zone = np.full(tree.parent.size, NONE, dtype=np.int64)
    outgoing = [0] * stations.lv_bus.size
    zone_names: list[str] = []
    for bus in tree.order:
        parent = int(tree.parent[bus])
        if bus in busbars or parent == NONE:
            continue
        if parent in busbars:
            station = int(tree.transformer[bus])
            outgoing[station] += 1
            zone[bus] = len(zone_names)
            prefix = f"{stations.names[station]} " if stations.lv_bus.size > 1 else ""
            zone_names.append(f"{prefix}feeder {outgoing[station]}")
        else:
            zone[bus] = zone[parent]
    for bus in reversed(tree.order):  # busbars, and buses above them, take the first zone below
        if zone[bus] == NONE:
            below = zone[tree.parent == bus]
            if below.size == 0 or below.max() == NONE:
                zone[bus] = len(zone_names)
                zone_names.append(f"{stations.names[max(int(tree.transformer[bus]), 0)]} busbar")
            else:
                zone[bus] = below[below != NONE].min()
    return zone, tuple(zone_names)


def _given_zones(
    given: Mapping[str, str], tree: Tree, stations: Stations, names: tuple[str, ...]
) -> tuple[IntArray, tuple[str, ...]]:
    for name in given:
        if name not in names:
            hint = did_you_mean(name, names)
            raise NetworkError(
                describe(
                    "unknown bus", where="feeder.zones", got=name, expected="a bus of the feeder", hint=hint
                )
            )
    zone_names = tuple(dict.fromkeys(given.values()))
    zone = np.full(tree.parent.size, NONE, dtype=np.int64)
    for bus in tree.order:
        parent = int(tree.parent[bus])
        if names[bus] in given:
            zone[bus] = zone_names.index(given[names[bus]])
        elif parent != NONE:
            zone[bus] = zone[parent]
    upper = np.isin(np.arange(zone.size), stations.lv_bus) | (tree.transformer == NONE)
    zone[upper & (zone == NONE)] = 0 if zone_names else NONE
    left = np.flatnonzero(zone == NONE)
    if left.size:
        raise NetworkError(
            describe(
                f"{left.size} buses have no zone",
                where="feeder.zones",
                got=some(names[bus] for bus in left),
                hint="name the zone of the first bus behind each line that leaves the busbar",
            )
        )
    return zone, zone_names


def transformers_of_zones(zone_of_bus: IntArray, transformer_of_bus: IntArray, zones: int) -> IntArray:
    """Return the transformer that feeds each zone, -1 for a zone with several, shape [zones]."""
    feeding = [set(transformer_of_bus[zone_of_bus == zone].tolist()) - {NONE} for zone in range(zones)]
    return np.array([each.pop() if len(each) == 1 else NONE for each in feeding], dtype=np.int64)
