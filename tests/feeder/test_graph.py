from itertools import pairwise

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import NetworkError
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.inputs.grids import PANDAPOWER_GRIDS, load_grid

STATION = {"lv_bus": ["s"], "sn_kva": [100.0]}


def lines(*pairs, **columns):
    ends = {"from_bus": [a for a, _ in pairs], "to_bus": [b for _, b in pairs]}
    size = len(pairs)
    return {**ends, "r_ohm": [0.1] * size, "x_ohm": [0.05] * size, "rating_a": [200.0] * size, **columns}


def buses(names):
    return {"bus": list(names)}


def zones_by_name(feeder):
    return {
        name: feeder.zone_names[zone] for name, zone in zip(feeder.bus_names, feeder.zone_of_bus, strict=True)
    }


def test_zones_are_the_lines_that_leave_the_busbar():
    feeder = build_feeder(buses("sabcd"), lines(("s", "a"), ("c", "b"), ("b", "s"), ("a", "d")), STATION)
    expected = {"s": "feeder 1", "a": "feeder 1", "d": "feeder 1", "b": "feeder 2", "c": "feeder 2"}
    assert zones_by_name(feeder) == expected
    assert feeder.transformer_of_zone.tolist() == [0, 0]
    assert feeder.substation.tolist() == [0]


def test_branches_point_away_from_the_substation():
    feeder = build_feeder(buses("sabc"), lines(("a", "s"), ("c", "b"), ("b", "s")), STATION)
    assert feeder.parent_of_bus.tolist() == [-1, 0, 0, 2]
    ends = list(zip(feeder.branches.from_bus.tolist(), feeder.branches.to_bus.tolist(), strict=True))
    assert ends == [(0, 1), (2, 3), (0, 2)]


def test_transformer_becomes_a_branch_with_its_impedance():
    stations = {
        "hv_bus": ["m"],
        "lv_bus": ["s"],
        "sn_kva": [400.0],
        "vk_percent": [6.0],
        "vkr_percent": [1.2],
        "name": ["T"],
    }
    table = {"bus": list("msa"), "vn_kv": [20.0, 0.4, 0.4]}
    feeder = build_feeder(table, lines(("s", "a")), stations)
    edge = feeder.graph.edges[0, 1]
    assert (edge["kind"], edge["name"]) == ("transformer", "T")
    # 0.4 kV squared over 0.4 MVA is 0.4 ohm: z 24 mohm, r 4.8 mohm; 400 kVA at 0.4 kV is 577.35 A
    assert edge["r_ohm"] == pytest.approx(0.0048)
    assert np.hypot(edge["r_ohm"], edge["x_ohm"]) == pytest.approx(0.024)
    assert edge["rating_a"] == pytest.approx(577.350269)
    assert feeder.graph.edges[1, 2]["kind"] == "line"
    assert feeder.transformer_of_bus.tolist() == [-1, 0, 0]


def two_stations():
    stations = {"hv_bus": ["m", "m"], "lv_bus": ["s", "t"], "sn_kva": [100, 160], "name": ["S", "T"]}
    table = {"bus": list("msatb"), "vn_kv": [20, 0.4, 0.4, 0.4, 0.4]}
    return table, lines(("s", "a"), ("t", "b")), stations


def test_zones_by_transformer_and_by_feeder():
    feeder = build_feeder(*two_stations(), zones="transformer")
    assert feeder.zone_names == ("S", "T")
    assert feeder.zone_of_bus.tolist() == [0, 0, 0, 1, 1]
    feeder = build_feeder(*two_stations())
    assert feeder.zone_names == ("S feeder 1", "T feeder 1")
    assert feeder.transformer_of_zone.tolist() == [0, 1]


def test_given_zones_are_inherited_downstream():
    table = lines(("s", "a"), ("a", "b"), ("b", "c"), ("s", "d"))
    feeder = build_feeder(buses("sabcd"), table, STATION, zones={"a": "north", "b": "far", "d": "north"})
    assert zones_by_name(feeder) == {"s": "north", "a": "north", "b": "far", "c": "far", "d": "north"}
    assert feeder.transformer_of_zone.tolist() == [0, 0]


def test_a_given_zone_over_two_transformers_has_none():
    feeder = build_feeder(*two_stations(), zones={"s": "all", "t": "all"})
    assert feeder.zone_names == ("all",)
    assert feeder.transformer_of_zone.tolist() == [-1]


def test_copies_stand_side_by_side():
    one = build_feeder(*two_stations())
    three = build_feeder(*two_stations(), copies=3)
    assert len(three.bus_names) == len(set(three.bus_names)) == 15
    assert three.bus_names[5:10] == ("m#2", "s#2", "a#2", "t#2", "b#2")
    assert three.zone_names == tuple(f"{t} feeder 1{copy}" for copy in ("", "#2", "#3") for t in "ST")
    assert three.zone_of_bus.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5]
    assert three.transformer_of_zone.tolist() == [0, 1, 2, 3, 4, 5]
    assert three.parent_of_bus[5:10].tolist() == [-1, 5, 6, 5, 8]
    assert three.substation.tolist() == [1, 3, 6, 8, 11, 13]
    parts = list(nx.connected_components(three.graph))
    assert [len(part) for part in parts] == [5, 5, 5]
    assert nx.is_isomorphic(three.graph.subgraph(parts[2]), one.graph)


def test_a_loop_is_named():
    ring = lines(("s", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("s", "d"))
    with pytest.raises(
        NetworkError, match=r"meshed: 3 buses form a loop; got '[abc], [abc], [abc]'.*open one line"
    ):
        build_feeder(buses("sabcd"), ring, STATION)


def test_parallel_lines_are_a_loop():
    with pytest.raises(NetworkError, match=r"2 buses form a loop.*merge parallel lines"):
        build_feeder(buses("sa"), lines(("s", "a"), ("a", "s")), STATION)


def test_a_line_to_itself_is_a_loop():
    with pytest.raises(NetworkError, match=r"loop"):
        build_feeder(buses("sa"), lines(("s", "a"), ("a", "a")), STATION)


def test_unreachable_buses_are_named():
    names = [f"b{i}" for i in range(12)]
    table = lines(("s", "a"), *pairwise(names))
    with pytest.raises(
        NetworkError, match=r"12 buses have no path to a transformer; got 'b0, .*b7 and 4 more'.*add"
    ):
        build_feeder(buses(["s", "a", *names]), table, STATION)


def test_two_supplies_of_one_part_are_refused():
    stations = {"lv_bus": ["s", "t"], "sn_kva": [100, 100]}
    with pytest.raises(NetworkError, match=r"two supplies; got 's, t'.*open the line"):
        build_feeder(buses("sat"), lines(("s", "a"), ("a", "t")), stations)
    with pytest.raises(NetworkError, match=r"two supplies.*merge parallel transformers"):
        build_feeder(buses("sa"), lines(("s", "a")), {"lv_bus": ["s", "s"], "sn_kva": [100, 100]})


def test_a_tie_between_two_busbars_of_one_grid_is_a_loop():
    table, wires, stations = two_stations()
    tie = lines(("s", "a"), ("t", "b"), ("a", "b"))
    with pytest.raises(NetworkError, match=r"5 buses form a loop"):
        build_feeder(table, tie, stations)
    del wires


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to_bus": ["x"]}, "unknown bus"),
        ({"r_ohm": [-0.1]}, r"line 1 \(s - a\): a branch with impossible values"),
        ({"rating_a": [0.0]}, "impossible values"),
        ({"x_ohm": [float("nan")]}, "impossible values"),
    ],
)
def test_impossible_lines(change, message):
    with pytest.raises(NetworkError, match=message):
        build_feeder(buses("sa"), lines(("s", "a"), **change), STATION)


def test_other_contradictions():
    good = lines(("s", "a"))
    with pytest.raises(NetworkError, match=r"same name; got 'a'"):
        build_feeder({"bus": [0, 1, 2], "name": ["s", "a", "a"]}, good, {"lv_bus": [0], "sn_kva": [1]})
    with pytest.raises(NetworkError, match=r"no transformer"):
        build_feeder(buses("sa"), good, {"lv_bus": [], "sn_kva": []})
    with pytest.raises(NetworkError, match=r"not a rating"):
        build_feeder(buses("sa"), good, {"lv_bus": ["s"], "sn_kva": [0.0]})
    with pytest.raises(NetworkError, match=r"number of copies"):
        build_feeder(buses("sa"), good, STATION, copies=0)
    with pytest.raises(NetworkError, match=r"unknown zones"):
        build_feeder(buses("sa"), good, STATION, zones="street")
    with pytest.raises(NetworkError, match=r"unknown bus; got 'bus_a'.*did you mean 'bus a'"):
        build_feeder(buses(["s", "bus a"]), lines(("s", "bus a")), STATION, zones={"bus_a": "z"})
    with pytest.raises(NetworkError, match=r"1 buses have no zone; got 'c'"):
        build_feeder(buses("sac"), lines(("s", "a"), ("s", "c")), STATION, zones={"a": "z"})


def test_a_gap_in_the_column_of_upper_buses_means_none():
    stations = pd.DataFrame({"hv_bus": [float("nan"), None], "lv_bus": ["s", "t"], "sn_kva": [100, 100]})
    feeder = build_feeder(buses("sat"), lines(("s", "a")), stations)
    assert feeder.branches.is_transformer.tolist() == [False]
    assert feeder.zone_names == ("transformer 1 feeder 1", "transformer 2 busbar")


REAL = [("simbench", "1-LV-rural3--0-sw"), ("simbench", "1-LV-semiurb4--0-sw")]
REAL += [("pandapower", name) for name in PANDAPOWER_GRIDS]


@pytest.mark.parametrize(("source", "name"), REAL)
def test_real_grids_are_radial_and_zoned(source, name):
    grid = load_grid(source, name)
    feeder = build_feeder(grid.buses, grid.lines, grid.transformers)
    assert nx.is_tree(feeder.graph)
    assert feeder.graph.number_of_edges() == len(grid.lines) + len(grid.transformers)
    # Independently of how zones are found: cut the busbars out, and what hangs together is a zone
    cut = feeder.graph.subgraph(np.flatnonzero(feeder.transformer_of_bus >= 0)).copy()
    cut.remove_nodes_from(feeder.substation.tolist())
    parts = {frozenset(part) for part in nx.connected_components(cut)}
    inside = {
        frozenset(set(np.flatnonzero(feeder.zone_of_bus == zone).tolist()) & set(cut))
        for zone in range(len(feeder.zone_names))
    }
    assert parts == inside
    distance = nx.single_source_shortest_path_length(
        feeder.graph, int(np.flatnonzero(feeder.parent_of_bus < 0)[0])
    )
    for a, b in zip(feeder.branches.from_bus.tolist(), feeder.branches.to_bus.tolist(), strict=True):
        assert distance[b] == distance[a] + 1
