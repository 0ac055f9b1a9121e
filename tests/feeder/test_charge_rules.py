from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.errors import InputError
from sunshare_sim.feeder.charges import (
    add_charges,
    community_charges,
    distance_charges,
    loss_charges,
    path_ohm,
    price_difference_charges,
    scale_charges,
    zone_mean,
)
from sunshare_sim.feeder.graph import build_feeder


@st.composite
def radial_feeders(draw):
    """Draw a random tree of at most 15 buses with whole milliohm, in one or two copies."""
    size = draw(st.integers(2, 15))
    parents = [draw(st.integers(0, bus - 1)) for bus in range(1, size)]
    r_ohm = [draw(st.integers(1, 500)) / 1000 for _ in parents]
    lines = {
        "from_bus": parents,
        "to_bus": list(range(1, size)),
        "r_ohm": r_ohm,
        "x_ohm": [0.0] * len(parents),
        "rating_a": [100.0] * len(parents),
    }
    stations = {"lv_bus": [0], "sn_kva": [100.0]}
    return build_feeder({"bus": list(range(size))}, lines, stations, copies=draw(st.integers(1, 2)))


@given(radial_feeders())
@settings(max_examples=60)
def test_path_is_the_symmetric_difference_of_root_paths(feeder):
    distance, graph = path_ohm(feeder), feeder.graph
    roots = np.flatnonzero(feeder.parent_of_bus < 0)

    def root_path(bus):
        root = next(root for root in roots if nx.has_path(graph, root, bus))
        walk = nx.shortest_path(graph, root, bus)
        return {frozenset(pair) for pair in pairwise(walk)}

    paths = [root_path(bus) for bus in range(len(feeder.bus_names))]
    for a, path_a in enumerate(paths):
        for b, path_b in enumerate(paths):
            r = sum(graph.edges[tuple(edge)]["r_ohm"] for edge in path_a ^ path_b)
            assert distance[a, b] == pytest.approx(r, abs=1e-9)


@given(radial_feeders())
@settings(max_examples=60)
def test_path_is_a_metric(feeder):
    d = path_ohm(feeder)
    assert np.all(np.diag(d) == 0)
    assert np.array_equal(d, d.T)
    assert np.all(d[:, None, :] <= d[:, :, None] + d[None, :, :] + 1e-9)


def two_zones(copies=1):
    lines = {
        "from_bus": ["s", "s", "b"],
        "to_bus": ["a", "b", "c"],
        "r_ohm": [0.1, 0.2, 0.1],
        "x_ohm": [0.0] * 3,
        "rating_a": [100.0] * 3,
    }
    station = {"lv_bus": ["s"], "sn_kva": [100.0]}
    return build_feeder({"bus": list("sabc")}, lines, station, copies=copies)


def test_distance_charges_by_hand():
    # homes at a (zone 1) and at b and c (zone 2): a-b 0.3, a-c 0.4 ohm; within zone 2 the mean of 0, 0.1, 0.1, 0
    charges = distance_charges(
        two_zones(), tick=0.001, per_kwh_and_ohm=0.1, base_per_kwh=0.01, buses=np.array([1, 2, 3])
    )
    assert charges.tolist() == [[10, 45], [45, 15]]


def test_zone_mean_counts_each_home():
    d = path_ohm(two_zones())
    mean = zone_mean(two_zones(), d, np.array([1, 2, 2, 2, 3]))
    assert mean[0, 1] == pytest.approx((3 * 0.3 + 0.4) / 4)


def test_austrian_discounts():
    # Vienna 2026: 6.98 ct network, 1.5 ct levies; local 43 %, regional 72 %, no levies
    charges = community_charges(
        "at-2026", two_zones(copies=2), tick=0.0001, network_per_kwh=0.0698, levies_per_kwh=0.015
    )
    assert charges[0].tolist() == [301, 301, 503, 503]


def test_without_a_rule_a_shared_kwh_pays_all():
    charges = community_charges("none", two_zones(), tick=0.0001, network_per_kwh=0.07, levies_per_kwh=0.01)
    assert charges.tolist() == [[800, 800], [800, 800]]
    with pytest.raises(InputError, match="did you mean 'at-2026'"):
        community_charges("at-2025", two_zones(), tick=0.0001, network_per_kwh=0.07)


def test_only_the_direction_that_loads_the_wires_pays():
    price = np.array([0.0, 0.02, -0.01, -0.01])
    charges = price_difference_charges(two_zones(), price, tick=0.001, buses=np.array([1, 2, 3]))
    assert charges.tolist() == [[0, 30], [0, 0]], "[buyer, seller]"
    assert loss_charges(
        two_zones(), price, tick=0.001, energy_per_kwh=0.5, buses=np.array([1, 2, 3])
    ).tolist() == [[0, 15], [0, 0]]


def test_sums_and_factors_keep_what_is_forbidden():
    charges = np.array([[10, -1], [3, 0]])
    assert add_charges(charges, np.array([[1, 1], [-1, 2]])).tolist() == [[11, -1], [-1, 2]]
    assert scale_charges(charges, 0.5).tolist() == [[5, -1], [2, 0]]
