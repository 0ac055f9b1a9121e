"""Taps, zero sequence and medium voltage come with the grid's tables and reach the power flow."""

import numpy as np
import pytest

from sunshare_sim.errors import NetworkError
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.powerflow import power_flow, radial_model
from sunshare_sim.inputs.grids import from_pandapower, load_grid


@pytest.mark.parametrize("side", ["hv", "lv"])
@pytest.mark.parametrize("position", [-2, 2])
def test_a_tap_is_that_of_pandapower(side, position):
    import pandapower
    from pandapower import networks

    net = networks.create_kerber_dorfnetz()
    net.trafo["tap_side"], net.trafo["tap_pos"] = side, position
    net.trafo["i0_percent"] = net.trafo["pfe_kw"] = 0.0
    net.line["c_nf_per_km"] = 0.0
    pandapower.runpp(net, numba=False, tolerance_mva=1e-10)
    tables = from_pandapower(net)
    feeder = build_feeder(tables["buses"], tables["lines"], tables["transformers"])
    assert feeder.branches.ratio.max() != 1.0 or feeder.branches.ratio.min() != 1.0
    p, q = np.zeros((2, 1, len(feeder.bus_names)))
    np.add.at(p[0], tables["loads"]["bus"].to_numpy(), tables["loads"]["p_kw"].to_numpy())
    np.add.at(q[0], tables["loads"]["bus"].to_numpy(), (net.load.q_mvar * net.load.scaling * 1e3).to_numpy())
    flow = power_flow(radial_model(feeder), p, q, source_pu=float(net.ext_grid.vm_pu.iloc[0]))
    theirs = net.res_bus.vm_pu.groupby(net.bus.name).first()[list(feeder.bus_names)]
    # A tap below also scales the transformer's impedance there, which the tables leave at the bus's voltage.
    np.testing.assert_allclose(flow.voltage_pu[0], theirs, atol=1e-6 if side == "hv" else 2e-3)


def test_zero_sequence_comes_with_the_grid_where_it_is_known():
    known, unknown = (load_grid("pandapower", name) for name in ("ieee_european_lv", "kerber_dorfnetz"))
    ieee = build_feeder(known.buses, known.lines, known.transformers)
    lines = ~ieee.branches.is_transformer
    assert np.isfinite(ieee.branches.r0_ohm[lines]).all()
    model = radial_model(ieee)
    row = np.argsort(model.tree.bus)[ieee.branches.to_bus[lines]]
    assert model.tree.r0_pu[row] / model.tree.r_pu[row] == pytest.approx(
        ieee.branches.r0_ohm[lines] / ieee.branches.r_ohm[lines]
    )
    kerber = build_feeder(unknown.buses, unknown.lines, unknown.transformers)
    assert np.isnan(kerber.branches.r0_ohm).all()
    tree = radial_model(kerber).tree
    assert (tree.r0_pu / np.maximum(tree.r_pu, 1e-30)).max() == pytest.approx(4.0)


def town(*, with_feed):
    """Return two villages on one medium-voltage line, with or without the transformer that feeds it."""
    buses = {"bus": ["hv", "mv1", "mv2", "a", "b"], "vn_kv": [110.0, 20.0, 20.0, 0.4, 0.4]}
    lines = {"from_bus": ["mv1"], "to_bus": ["mv2"], "r_ohm": [0.5], "x_ohm": [0.4], "rating_a": [300.0]}
    stations = {
        "lv_bus": ["mv1", "a", "b"],
        "hv_bus": ["hv", "mv1", "mv2"],
        "sn_kva": [25_000.0, 400.0, 400.0],
        "vk_percent": [12.0, 6.0, 6.0],
        "vkr_percent": [0.4, 1.2, 1.2],
    }
    if not with_feed:
        stations = {name: column[1:] for name, column in stations.items()}
        buses = {name: column[1:] for name, column in buses.items()}
    return buses, lines, stations


def test_transformers_on_a_medium_voltage_line_are_one_network():
    feeder = build_feeder(*town(with_feed=True))
    names = list(feeder.bus_names)
    assert feeder.parent_of_bus.tolist() == [-1, 0, 1, 1, 2]
    assert feeder.transformer_of_bus[[names.index("a"), names.index("b")]].tolist() == [1, 2]
    p = np.zeros((1, 5))
    p[0, 3:] = 100.0
    flow = power_flow(radial_model(feeder), p)
    assert flow.voltage_pu[0, 4] < flow.voltage_pu[0, 3] < 1.0
    assert flow.slack_kw.sum() == pytest.approx(200.0 + flow.losses_kw.sum())


def test_a_medium_voltage_line_that_nothing_feeds_is_refused():
    with pytest.raises(NetworkError, match="two supplies"):
        build_feeder(*town(with_feed=False))
