"""A feeder as a rooted tree: its buses, the branches between them, and the zones that become pools of the market.

The arrays are the truth; `Feeder.graph` shows them as a networkx graph. Only radial feeders are taken: every bus has
one path to its transformer, so that what a trade uses of the wires is exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import networkx as nx
import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import NetworkError, describe, did_you_mean
from sunshare_sim.feeder.tree import NONE, Branches, Stations, raise_fed_twice, rooted, some
from sunshare_sim.feeder.zones import Zones, transformers_of_zones, zones_of
from sunshare_sim.units import BoolArray, FloatArray, IntArray

__all__ = ["NONE", "Branches", "Feeder", "Table", "Zones", "build_feeder"]


class Table(Protocol):
    """Promise named columns: a pandas DataFrame or a mapping of names to sequences."""

    def __getitem__(self, column: str, /) -> Any:
        """Return a column."""

    def __contains__(self, column: object, /) -> bool:
        """Tell whether there is a column of that name."""


@dataclass(frozen=True)
class Feeder:
    """Hold a radial feeder, or several side by side.

    Attributes
    ----------
    bus_names : tuple of str
        Name of each bus; they differ.
    vn_kv, x, y : FloatArray
        Nominal voltage [kV] and place on the map (NaN if unknown), shape [buses].
    parent_of_bus : IntArray
        Bus that feeds each bus, -1 for the uppermost, shape [buses].
    transformer_of_bus : IntArray
        Transformer that feeds each bus, -1 above all transformers, shape [buses].
    zone_of_bus : IntArray
        Zone of each bus, shape [buses].
    zone_names : tuple of str
        Name of each zone.
    transformer_of_zone : IntArray
        Transformer that feeds each zone, -1 for a zone with several, shape [zones].
    substation : IntArray
        Low-voltage busbar of each transformer, shape [transformers].
    transformer_kva : FloatArray
        Rating of each transformer [kVA], shape [transformers].
    transformer_names : tuple of str
        Name of each transformer.
    branches : Branches
        Lines and transformers.
    """

    bus_names: tuple[str, ...]
    vn_kv: FloatArray
    x: FloatArray
    y: FloatArray
    parent_of_bus: IntArray
    transformer_of_bus: IntArray
    zone_of_bus: IntArray
    zone_names: tuple[str, ...]
    transformer_of_zone: IntArray
    substation: IntArray
    transformer_kva: FloatArray
    transformer_names: tuple[str, ...]
    branches: Branches

    @cached_property
    def graph(self) -> nx.Graph:
        """Return the feeder as a networkx graph, made on first use.

        Nodes are bus numbers with `name`, `vn_kv`, `x`, `y`, `zone`; edges have `kind` ("line" or "transformer"),
        `name`, `r_ohm`, `x_ohm`, `length_km`, `rating_a`.
        """
        graph = nx.Graph()
        nodes = zip(self.bus_names, self.vn_kv, self.x, self.y, self.zone_of_bus, strict=True)
        for bus, (name, vn_kv, x, y, zone) in enumerate(nodes):
            graph.add_node(bus, name=name, vn_kv=float(vn_kv), x=float(x), y=float(y), zone=int(zone))
        for branch in zip(*self.branches, strict=True):
            edge = dict(zip(Branches._fields, branch, strict=True))
            values = {key: float(edge[key]) for key in ("r_ohm", "x_ohm", "length_km", "rating_a")}
            kind = "transformer" if edge["is_transformer"] else "line"
            graph.add_edge(int(edge["from_bus"]), int(edge["to_bus"]), kind=kind, name=edge["name"], **values)
        return graph


def build_feeder(
    buses: Table, lines: Table, transformers: Table, *, zones: Zones = "feeder", copies: int = 1
) -> Feeder:
    """Build a feeder from its tables, check that it is radial, and divide it into zones.

    Parameters
    ----------
    buses : table
        `bus` (any identifier), and if known `name`, `vn_kv` (0.4), `x`, `y`.
    lines : table
        `from_bus`, `to_bus`, `r_ohm`, `x_ohm`, `rating_a`, and if known `length_km` (0), `name`, `r0_ohm`, `x0_ohm`.
    transformers : table
        `lv_bus`, `sn_kva`, and if known `name`, `hv_bus`, `vk_percent`, `vkr_percent`, `ratio` (1). Without `hv_bus`
        (column absent, or None) the low-voltage busbar is where the modelled network begins.
    zones : "feeder", "transformer" or mapping of bus name to zone name
        "feeder": one zone behind each line that leaves a low-voltage busbar; the busbar and what lies above count to
        its first. "transformer": one zone for each. A mapping: a bus it does not name has the zone of the bus that
        feeds it.
    copies : int
        Number of copies side by side; names in the second one end in ``#2``, and so on.

    Raises
    ------
    NetworkError
        When the network is meshed or disconnected, or a table contradicts itself; names the buses and the remedy.
    """
    names = tuple(str(name) for name in (buses["name"] if "name" in buses else buses["bus"]))
    index = _numbered(buses["bus"], names)
    branches, stations = _branches(index, names, buses, lines, transformers)
    vn_kv = _floats(buses, "vn_kv", 0.4)
    tree = rooted(branches, stations, names, vn_kv)
    zone_of_bus, zone_names = zones_of(zones, tree, stations, names)
    one = Feeder(
        bus_names=names,
        vn_kv=vn_kv,
        x=_floats(buses, "x", np.nan),
        y=_floats(buses, "y", np.nan),
        parent_of_bus=tree.parent,
        transformer_of_bus=tree.transformer,
        zone_of_bus=zone_of_bus,
        zone_names=zone_names,
        transformer_of_zone=transformers_of_zones(zone_of_bus, tree.transformer, len(zone_names)),
        substation=stations.lv_bus,
        transformer_kva=stations.sn_kva,
        transformer_names=stations.names,
        branches=tree.branches,
    )
    return _repeated(one, copies)


def _numbered(identifiers: Iterable[Any], names: tuple[str, ...]) -> dict[Any, int]:
    index = {identifier: number for number, identifier in enumerate(identifiers)}
    if len(index) < len(names) or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1}) or ["an identifier"]
        raise NetworkError(describe("two buses have the same name", where="feeder", got=some(twice)))
    return index


def _floats(table: Table, column: str, default: float) -> FloatArray:
    if column in table:
        return np.array(table[column], dtype=np.float64)
    first = "bus" if "bus" in table else "lv_bus" if "lv_bus" in table else "from_bus"
    return np.full(len(table[first]), default)


def _bus_numbers(index: dict[Any, int], column: Iterable[Any], where: str) -> IntArray:
    numbers = []
    for identifier in column:
        if identifier not in index:
            hint = did_you_mean(str(identifier), map(str, index))
            raise NetworkError(
                describe("unknown bus", where=where, got=identifier, expected="a bus", hint=hint)
            )
        numbers.append(index[identifier])
    return np.array(numbers, dtype=np.int64)


def _labels(table: Table, kind: str, size: int) -> tuple[str, ...]:
    return (
        tuple(map(str, table["name"])) if "name" in table else tuple(f"{kind} {i + 1}" for i in range(size))
    )


def _branches(
    index: dict[Any, int], names: tuple[str, ...], buses: Table, lines: Table, transformers: Table
) -> tuple[Branches, Stations]:
    start = _bus_numbers(index, lines["from_bus"], "feeder lines")
    stations = _stations(index, transformers)
    above = stations.hv_bus != NONE
    r_ohm, x_ohm, rating_a = _transformer_values(stations, transformers, _floats(buses, "vn_kv", 0.4))
    is_transformer = np.arange(start.size + np.count_nonzero(above)) >= start.size
    branches = Branches(
        from_bus=np.concatenate([start, stations.hv_bus[above]]),
        to_bus=np.concatenate([_bus_numbers(index, lines["to_bus"], "feeder lines"), stations.lv_bus[above]]),
        r_ohm=np.concatenate([_floats(lines, "r_ohm", np.nan), r_ohm[above]]),
        x_ohm=np.concatenate([_floats(lines, "x_ohm", np.nan), x_ohm[above]]),
        length_km=np.concatenate([_floats(lines, "length_km", 0.0), np.zeros(np.count_nonzero(above))]),
        rating_a=np.concatenate([_floats(lines, "rating_a", np.nan), rating_a[above]]),
        is_transformer=is_transformer,
        ratio=np.concatenate([np.ones(start.size), _floats(transformers, "ratio", 1.0)[above]]),
        r0_ohm=np.concatenate([_floats(lines, "r0_ohm", np.nan), np.full(np.count_nonzero(above), np.nan)]),
        x0_ohm=np.concatenate([_floats(lines, "x0_ohm", np.nan), np.full(np.count_nonzero(above), np.nan)]),
        name=_labels(lines, "line", start.size)
        + tuple(name for name, has in zip(stations.names, above, strict=True) if has),
    )
    _check_values(branches, names)
    return branches, stations


def _stations(index: dict[Any, int], transformers: Table) -> Stations:
    lv_bus = _bus_numbers(index, transformers["lv_bus"], "feeder transformers")
    if lv_bus.size == 0:
        raise NetworkError(
            describe("no transformer", where="feeder", hint="give the busbar that feeds the lines")
        )
    if np.unique(lv_bus).size < lv_bus.size:
        low = list(transformers["lv_bus"])
        raise_fed_twice(sorted({str(bus) for bus in low if low.count(bus) > 1}))
    high = list(transformers["hv_bus"]) if "hv_bus" in transformers else [None] * lv_bus.size
    has_high = ~_missing(high)
    hv_bus = np.full(lv_bus.size, NONE, dtype=np.int64)
    known = [bus for bus, has in zip(high, has_high, strict=True) if has]
    hv_bus[has_high] = _bus_numbers(index, known, "feeder transformers")
    sn_kva = _floats(transformers, "sn_kva", np.nan)
    if not np.all(sn_kva > 0):
        raise NetworkError(
            describe("not a rating", where="feeder transformers", got=sn_kva.tolist(), expected="kVA")
        )
    return Stations(hv_bus, lv_bus, sn_kva, _labels(transformers, "transformer", lv_bus.size))


def _missing(values: list[Any]) -> BoolArray:
    """Tell which values are gaps of a table: None or NaN."""
    return np.array([value is None or (isinstance(value, float) and np.isnan(value)) for value in values])


def _transformer_values(
    stations: Stations, transformers: Table, vn_kv: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return series r and x [ohm] on the low-voltage side and the rated current there [A]; IEC 60909-0, 6.3.1."""
    low_kv = vn_kv[stations.lv_bus]
    base_ohm = low_kv**2 / (stations.sn_kva / 1000)
    z_ohm = _floats(transformers, "vk_percent", 0.0) / 100 * base_ohm
    r_ohm = _floats(transformers, "vkr_percent", 0.0) / 100 * base_ohm
    return r_ohm, np.sqrt(np.maximum(z_ohm**2 - r_ohm**2, 0.0)), stations.sn_kva / (np.sqrt(3) * low_kv)


def _check_values(branches: Branches, names: tuple[str, ...]) -> None:
    positive = (branches.r_ohm >= 0) & np.isfinite(branches.x_ohm) & (branches.rating_a > 0)
    for wrong in np.flatnonzero(~positive)[:1]:
        raise NetworkError(
            describe(
                "a branch with impossible values",
                where=f"{branches.name[wrong]} ({names[branches.from_bus[wrong]]} - {names[branches.to_bus[wrong]]})",
                got=f"r {branches.r_ohm[wrong]:g} ohm, x {branches.x_ohm[wrong]:g} ohm, "
                f"rating {branches.rating_a[wrong]:g} A",
                expected="r >= 0, a known x, rating > 0",
            )
        )


def _repeated(one: Feeder, copies: int) -> Feeder:
    if copies < 1:
        raise NetworkError(
            describe("not a number of copies", where="feeder.copies", got=copies, expected=">= 1")
        )
    if copies == 1:
        return one

    def names(values: tuple[str, ...]) -> tuple[str, ...]:
        return values + tuple(f"{value}#{copy}" for copy in range(2, copies + 1) for value in values)

    def tiled(values: npt.NDArray[Any]) -> Any:
        return np.tile(values, copies)

    def shifted(values: IntArray, size: int) -> IntArray:
        shift = np.repeat(np.arange(copies, dtype=np.int64) * size, values.size)
        repeated = np.tile(values, copies)
        return np.where(repeated == NONE, NONE, repeated + shift)

    buses, stations, branches = len(one.bus_names), one.transformer_kva.size, one.branches
    return Feeder(
        bus_names=names(one.bus_names),
        vn_kv=tiled(one.vn_kv),
        x=tiled(one.x),
        y=tiled(one.y),
        parent_of_bus=shifted(one.parent_of_bus, buses),
        transformer_of_bus=shifted(one.transformer_of_bus, stations),
        zone_of_bus=shifted(one.zone_of_bus, len(one.zone_names)),
        zone_names=names(one.zone_names),
        transformer_of_zone=shifted(one.transformer_of_zone, stations),
        substation=shifted(one.substation, buses),
        transformer_kva=tiled(one.transformer_kva),
        transformer_names=names(one.transformer_names),
        branches=Branches(
            from_bus=shifted(branches.from_bus, buses),
            to_bus=shifted(branches.to_bus, buses),
            r_ohm=tiled(branches.r_ohm),
            x_ohm=tiled(branches.x_ohm),
            length_km=tiled(branches.length_km),
            rating_a=tiled(branches.rating_a),
            is_transformer=tiled(branches.is_transformer),
            ratio=tiled(branches.ratio),
            r0_ohm=tiled(branches.r0_ohm),
            x0_ohm=tiled(branches.x0_ohm),
            name=names(branches.name),
        ),
    )
