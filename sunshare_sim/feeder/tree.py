"""The radial check: branches turned away from the substation, or an error that names the loop or the lost buses."""

from collections.abc import Iterable
from typing import Final, NamedTuple, NoReturn

import networkx as nx
import numpy as np

from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.units import BoolArray, FloatArray, IntArray

NAMED_IN_MESSAGE: Final = 8
NONE: Final = -1


class Branches(NamedTuple):
    """Hold lines and transformers, each pointing away from the substation; all have shape [branches].

    Attributes
    ----------
    from_bus, to_bus : IntArray
        Bus nearer to the substation, and the one it feeds.
    r_ohm, x_ohm : FloatArray
        Series resistance and reactance [ohm]; of a transformer on its low-voltage side.
    length_km, rating_a : FloatArray
        Length [km], 0 for a transformer, and thermal rating [A], on the low-voltage side.
    is_transformer : BoolArray
        True for a transformer, False for a line.
    ratio : FloatArray
        Off-nominal voltage ratio, upper to lower side, such as that of a tap; 1 for a line.
    r0_ohm, x0_ohm : FloatArray
        Zero-sequence resistance and reactance [ohm]; NaN if unknown.
    name : tuple of str
        Name of each branch.
    """

    from_bus: IntArray
    to_bus: IntArray
    r_ohm: FloatArray
    x_ohm: FloatArray
    length_km: FloatArray
    rating_a: FloatArray
    is_transformer: BoolArray
    ratio: FloatArray
    r0_ohm: FloatArray
    x0_ohm: FloatArray
    name: tuple[str, ...]


class Stations(NamedTuple):
    """Transformers by bus number; `hv_bus` is -1 where the network begins at the busbar."""

    hv_bus: IntArray
    lv_bus: IntArray
    sn_kva: FloatArray
    names: tuple[str, ...]


class Tree(NamedTuple):
    """Buses from the roots outward: `order`, with the parent, the transformer and the feeding branch of each bus."""

    order: list[int]
    parent: IntArray
    transformer: IntArray
    branches: Branches


def rooted(branches: Branches, stations: Stations, names: tuple[str, ...], vn_kv: FloatArray) -> Tree:
    """Turn every branch away from the roots, the uppermost bus of each part; raise if there is more than one path.

    Where transformers hang on a network of lines that another transformer feeds, the part's supply is the bus with the
    highest nominal voltage, `vn_kv`.
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(len(names)))
    for number, (a, b) in enumerate(zip(branches.from_bus.tolist(), branches.to_bus.tolist(), strict=True)):
        if a == b or graph.has_edge(a, b):
            _raise_meshed([names[a], names[b]])
        graph.add_edge(a, b, number=number)
    roots = _roots(graph, stations, names, vn_kv)
    parent = np.full(len(names), NONE, dtype=np.int64)
    transformer = np.full(len(names), NONE, dtype=np.int64)
    begins = stations.hv_bus == NONE
    transformer[stations.lv_bus[begins]] = np.flatnonzero(begins)
    feeds = {int(bus): t for t, bus in enumerate(stations.lv_bus)}
    order, turned = list(roots), np.zeros(branches.from_bus.size, dtype=np.bool_)
    for root in roots:
        for a, b in nx.bfs_edges(graph, root):
            number = graph.edges[a, b]["number"]
            turned[number] = branches.from_bus[number] != a
            parent[b] = a
            transformer[b] = feeds[b] if branches.is_transformer[number] else transformer[a]
            order.append(b)
    from_bus = np.where(turned, branches.to_bus, branches.from_bus)
    to_bus = np.where(turned, branches.from_bus, branches.to_bus)
    return Tree(order, parent, transformer, branches._replace(from_bus=from_bus, to_bus=to_bus))


def _roots(graph: nx.Graph, stations: Stations, names: tuple[str, ...], vn_kv: FloatArray) -> list[int]:
    """Return the uppermost bus of each connected part, after checking that each is a tree with one supply."""
    tops: dict[int, None] = {}  # a set that keeps its order
    fed = set(stations.lv_bus.tolist())
    for high, low in zip(stations.hv_bus.tolist(), stations.lv_bus.tolist(), strict=True):
        if high == NONE:
            tops[low] = None
        elif high not in fed:
            tops[high] = None
    roots = []
    unsupplied: list[int] = []
    for part in nx.connected_components(graph):
        inside = [top for top in tops if top in part]
        if graph.subgraph(part).number_of_edges() >= len(part):
            cycle = nx.find_cycle(graph.subgraph(part), source=inside[0] if inside else None)
            _raise_meshed([names[a] for a, _ in cycle])
        if not inside:
            unsupplied += sorted(part)
            continue
        highest = max(vn_kv[top] for top in inside)
        inside = [top for top in inside if vn_kv[top] == highest]
        if len(inside) > 1:
            raise_fed_twice([names[top] for top in inside])
        roots.append(inside[0])
    if unsupplied:
        raise NetworkError(
            describe(
                f"disconnected: {len(unsupplied)} buses have no path to a transformer",
                where="feeder",
                got=some(names[bus] for bus in unsupplied),
                hint="add the missing lines, close the open switch, or remove these buses",
            )
        )
    return sorted(roots)


def _raise_meshed(loop: list[str]) -> NoReturn:
    raise NetworkError(
        describe(
            f"meshed: {len(loop)} buses form a loop",
            where="feeder",
            got=some(loop),
            expected="one path from every bus to its transformer",
            hint="open one line of the loop, or merge parallel lines into one with their joint impedance",
        )
    )


def raise_fed_twice(supplies: list[str]) -> NoReturn:
    """Raise for a part of the network with more than one supply."""
    raise NetworkError(
        describe(
            "meshed through the grid above: a part of the network has two supplies",
            where="feeder",
            got=some(supplies),
            expected="one path from every bus to its transformer",
            hint="open the line that joins the two parts, or merge parallel transformers into one",
        )
    )


def some(names: Iterable[str]) -> str:
    """Return the first names in words, and how many there are beside them."""
    listed = list(names)
    more = len(listed) - NAMED_IN_MESSAGE
    return ", ".join(listed[:NAMED_IN_MESSAGE]) + (f" and {more} more" if more > 0 else "")
