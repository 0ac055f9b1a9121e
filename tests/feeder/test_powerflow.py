import numpy as np
import pytest

from sunshare_sim.errors import NetworkError
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.gridmodel import grid_model_flow
from sunshare_sim.feeder.powerflow import power_flow, radial_model
from sunshare_sim.inputs.grids import from_pandapower, load_grid

# pandapower 3.5 warns of its own bundled snapshots, which it saved before tap tables existed
of_old_snapshots = pytest.mark.filterwarnings("ignore:tap_dependency_table:DeprecationWarning")
GRIDS = (
    ("simbench", "1-LV-rural3--0-sw"),
    ("simbench", "1-LV-semiurb4--0-sw"),
    ("pandapower", "cigre_lv"),
    ("pandapower", "kerber_dorfnetz"),
    ("pandapower", "kerber_vorstadtnetz_kabel_1"),
)


def feeder_of(tables, **options):
    return build_feeder(tables.buses, tables.lines, tables.transformers, **options)


def powers(feeder, slots, seed, kw=1.5):
    rng = np.random.default_rng(seed)
    lv = feeder.vn_kv < 1
    p = rng.normal(0.5, 1.0, (slots, lv.size)) * kw * lv
    return p, 0.2 * p * rng.uniform(0, 1, p.shape)


def two_bus(r_ohm=0.1, x_ohm=0.0):
    table = {"from_bus": ["s"], "to_bus": ["a"], "r_ohm": [r_ohm], "x_ohm": [x_ohm], "rating_a": [100.0]}
    return radial_model(build_feeder({"bus": ["s", "a"]}, table, {"lv_bus": ["s"], "sn_kva": [100.0]}))


def test_two_buses_by_hand():
    # v = (1 + sqrt(1 - 4 r p)) / 2 with r = 0.1 ohm / 160 ohm per kVA and p = 80 kW: 4 r p = 0.2
    flow = power_flow(two_bus(), [[0.0, 80.0]])
    volts = (1 + np.sqrt(0.8)) / 2
    assert flow.voltage_pu[0] == pytest.approx([1.0, volts], abs=1e-10)
    assert flow.current_a[0, 0] == pytest.approx(80 / volts / (np.sqrt(3) * 0.4))
    assert flow.power_kw[0, 0] == pytest.approx(80.0)
    assert flow.losses_kw[0, 0] == pytest.approx((80 / volts) ** 2 * 0.1 / 160)


def test_reverse_flow_raises_the_voltage():
    flow = power_flow(two_bus(), [[0.0, -80.0]])
    assert flow.voltage_pu[0, 1] == pytest.approx((1 + np.sqrt(1.2)) / 2)
    assert flow.power_kw[0, 0] == pytest.approx(-80.0)
    assert flow.slack_kw[0, 0] == pytest.approx(flow.losses_kw[0, 0] - 80.0)


@pytest.mark.parametrize(("source", "name"), GRIDS)
def test_sweep_agrees_with_power_grid_model(source, name):
    model = radial_model(feeder_of(load_grid(source, name)))
    p, q = powers(model.feeder, 20, 1)
    flow, other = power_flow(model, p, q, source_pu=1.02), grid_model_flow(model, p, q, source_pu=1.02)
    assert np.abs(flow.voltage_pu - other.voltage_pu).max() < 1e-9
    assert flow.losses_kw.sum(axis=1) == pytest.approx(other.losses_kw, abs=1e-6)


@pytest.mark.parametrize(("source", "name"), GRIDS)
def test_losses_are_what_the_slack_gives_beyond_the_loads(source, name):
    model = radial_model(feeder_of(load_grid(source, name)))
    p, q = powers(model.feeder, 20, 2)
    flow = power_flow(model, p, q)
    missing = flow.slack_kw.sum(axis=1) - p.sum(axis=1) - flow.losses_kw.sum(axis=1)
    assert np.abs(missing).max() < 1e-9 * np.abs(p).sum(axis=1).max()


def test_taps_and_a_soft_grid_agree_with_power_grid_model():
    feeder = feeder_of(load_grid("simbench", "1-LV-rural3--0-sw"))
    ratio = np.where(feeder.branches.is_transformer, 1.025, 1.0)
    model = radial_model(feeder, ratio=ratio, short_circuit_kva=20_000, short_circuit_r_over_x=0.3)
    p, q = powers(feeder, 10, 3)
    flow, other = power_flow(model, p, q), grid_model_flow(model, p, q)
    assert np.abs(flow.voltage_pu - other.voltage_pu).max() < 1e-9
    assert flow.voltage_pu.mean() < 0.99


@pytest.mark.parametrize("name", ["cigre_lv", "kerber_dorfnetz"])
def test_three_phases_agree_with_power_grid_model(name):
    model = radial_model(feeder_of(load_grid("pandapower", name)))
    rng = np.random.default_rng(4)
    p = rng.normal(0.4, 1.0, (10, len(model.feeder.bus_names), 3)) * (model.feeder.vn_kv < 1)[:, None]
    flow, other = power_flow(model, p, 0.1 * p), grid_model_flow(model, p, 0.1 * p)
    low = model.feeder.vn_kv < 1
    assert np.abs(flow.voltage_pu - other.voltage_pu)[:, low].max() < 1e-8
    assert flow.losses_kw.sum(axis=1) == pytest.approx(other.losses_kw, rel=1e-6)
    assert flow.slack_kw.sum(axis=1) == pytest.approx(
        p.sum(axis=(1, 2)) + flow.losses_kw.sum(axis=1), abs=1e-7
    )


def test_balanced_phases_are_the_balanced_flow():
    model = radial_model(feeder_of(load_grid("pandapower", "kerber_dorfnetz")))
    p, q = powers(model.feeder, 5, 5)
    one, three = (
        power_flow(model, p, q),
        power_flow(model, np.repeat(p[..., None] / 3, 3, -1), q[..., None] / 3),
    )
    for phase in range(3):
        assert np.abs(three.voltage_pu[..., phase] - one.voltage_pu).max() < 1e-10
    assert three.losses_kw == pytest.approx(one.losses_kw, abs=1e-9)
    assert three.current_a == pytest.approx(one.current_a, abs=1e-6)
    assert three.unbalance.max() < 1e-10
    assert three.neutral_a.max() < 1e-7


def pandapower_net(source, name):
    if source == "simbench":
        import simbench

        return simbench.get_simbench_net(name)
    from pandapower import networks

    return getattr(networks, {"cigre_lv": "create_cigre_network_lv"}.get(name, f"create_{name}"))()


def same_model(net):
    """Leave out of a pandapower network what the sweep does not represent: shunts, magnetising current, taps."""
    net.line["c_nf_per_km"] = 0.0
    net.trafo["i0_percent"] = net.trafo["pfe_kw"] = 0.0
    net.trafo["tap_pos"] = net.trafo["tap_neutral"]
    return net


def against_pandapower(net):
    """Return the largest difference of a voltage, and the model and flow."""
    import pandapower as pp

    from sunshare_sim.inputs.grids import _fused

    pp.runpp(net, tolerance_mva=1e-10, numba=False)
    tables = from_pandapower(net)
    model = radial_model(build_feeder(tables["buses"], tables["lines"], tables["transformers"]))
    row = _fused(net).row
    p, q = np.zeros((2, 1, len(tables["buses"])))
    for table, sign in ((net.load, 1), (net.sgen, -1), (net.storage, 1)):
        rows = table[table.in_service]
        for bus, mw, mvar, scale in zip(rows.bus, rows.p_mw, rows.q_mvar, rows.scaling, strict=True):
            p[0, row[bus]] += sign * mw * scale * 1000
            q[0, row[bus]] += sign * mvar * scale * 1000
    flow = power_flow(model, p, q, source_pu=net.ext_grid.vm_pu.iloc[0])
    known = np.array([net.res_bus.vm_pu[bus] for bus in row])
    return np.abs(flow.voltage_pu[0, list(row.values())] - known).max(), flow, net


@pytest.mark.parametrize(("source", "name"), GRIDS)
def test_same_model_agrees_with_pandapower(source, name):
    error, flow, net = against_pandapower(same_model(pandapower_net(source, name)))
    assert error < 1e-6
    lost = (net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()) * 1000
    assert flow.losses_kw.sum() == pytest.approx(lost, rel=1e-6)


@pytest.mark.parametrize(("source", "name"), GRIDS)
def test_shunts_left_out_move_a_voltage_little(source, name):
    net = pandapower_net(source, name)
    net.trafo["tap_pos"] = net.trafo["tap_neutral"]
    error, _, _ = against_pandapower(net)
    assert error < 5e-5


def transformer_zero_sequence(trafo, branches):
    """Return pandapower's T model of a Dyn transformer: the magnetising branch beside nine tenths of the leakage."""
    leakage = branches.r_ohm[-1] + 1j * branches.x_ohm[-1]
    above = trafo.si0_hv_partial[0] * leakage
    magnetising = 1j * abs(leakage) * trafo.mag0_percent[0] / 100
    z0 = leakage - above + above * magnetising / (above + magnetising)
    return z0.real, z0.imag


def european_lv(time):
    """Return the IEEE European low-voltage feeder at a snapshot and, as pandapower has it, the same without shunts."""
    import pandapower as pp
    from pandapower import networks

    net = networks.ieee_european_lv_asymmetric(time)
    net.line["c_nf_per_km"] = net.line["c0_nf_per_km"] = 0.0
    net.trafo["i0_percent"] = net.trafo["pfe_kw"] = 0.0
    pp.runpp_3ph(net, tolerance_mva=1e-10, numba=False)
    tables = from_pandapower(net)
    feeder = build_feeder(tables["buses"], tables["lines"], tables["transformers"])
    station = feeder.branches.is_transformer
    zero = [
        np.where(
            station, of_station, [*np.asarray(net.line[f"{part}0_ohm_per_km"] * net.line.length_km), np.nan]
        )
        for part, of_station in zip("rx", transformer_zero_sequence(net.trafo, feeder.branches), strict=True)
    ]
    model = radial_model(
        feeder,
        zero_sequence_ohm=tuple(zero),
        short_circuit_kva=net.ext_grid.s_sc_max_mva.iloc[0] * 1000,
        short_circuit_r_over_x=net.ext_grid.rx_max.iloc[0],
    )
    p, q = np.zeros((2, 1, len(feeder.bus_names), 3))
    for phase, letter in enumerate("abc"):
        np.add.at(p[0, :, phase], net.asymmetric_load.bus, net.asymmetric_load[f"p_{letter}_mw"] * 1000)
        np.add.at(q[0, :, phase], net.asymmetric_load.bus, net.asymmetric_load[f"q_{letter}_mvar"] * 1000)
    return net, model, power_flow(model, p, q, source_pu=net.ext_grid.vm_pu.iloc[0])


@of_old_snapshots
@pytest.mark.parametrize("time", ["on_peak_566", "off_peak_1", "off_peak_1440"])
def test_ieee_european_feeder_agrees_with_pandapower(time):
    net, _, flow = european_lv(time)
    known = net.res_bus_3ph[["vm_a_pu", "vm_b_pu", "vm_c_pu"]].to_numpy()
    low = net.bus.vn_kv.to_numpy() < 1
    assert np.abs(flow.voltage_pu[0] - known)[low].max() < 5e-6


@of_old_snapshots
def test_ieee_european_feeder_on_peak():
    _, _, flow = european_lv("on_peak_566")
    low = flow.voltage_pu[0]
    assert low.min() == pytest.approx(0.996, abs=1e-3)
    assert low.max() == pytest.approx(1.068, abs=1e-3)
    assert flow.unbalance.max() == pytest.approx(0.0073, abs=1e-4)


def test_copies_are_solved_side_by_side():
    tables = load_grid("pandapower", "kerber_dorfnetz")
    one, two = radial_model(feeder_of(tables)), radial_model(feeder_of(tables, copies=2))
    p, q = powers(one.feeder, 3, 6)
    single, double = power_flow(one, p, q), power_flow(two, np.hstack([p, 0.5 * p]), np.hstack([q, 0.5 * q]))
    assert double.voltage_pu[:, : p.shape[1]] == pytest.approx(single.voltage_pu, abs=1e-12)
    assert double.slack_kw.shape == (3, 2)
    assert double.slack_kw[:, 0] == pytest.approx(single.slack_kw[:, 0])


def test_a_slot_alone_is_the_slot_in_a_block():
    model = radial_model(feeder_of(load_grid("pandapower", "kerber_dorfnetz")))
    p, q = powers(model.feeder, 4, 7)
    block = power_flow(model, p, q)
    for slot in range(4):
        alone = power_flow(model, p[slot : slot + 1], q[slot : slot + 1])
        assert np.array_equal(alone.voltage_pu[0], block.voltage_pu[slot])


@pytest.mark.parametrize("phases", [1, 3])
def test_collapse_names_slot_and_bus(phases):
    model = two_bus()
    p = np.array([[0.0, 1.0], [0.0, 500.0]])  # 4 r p = 1.25: no solution
    if phases == 3:
        p = np.repeat(p[..., None] / 3, 3, -1)
    with pytest.raises(NetworkError, match=r"slot 1, transformer 1, bus a"):
        power_flow(model, p)
    flow = power_flow(model, p, on_divergence="mark")
    assert flow.sweeps[0] > 0
    assert flow.sweeps[1] == -1
    assert np.isnan(flow.voltage_pu[1]).all()
    assert np.isfinite(flow.voltage_pu[0]).all()


def test_wrong_shape():
    with pytest.raises(NetworkError, match="wrong shape"):
        power_flow(two_bus(), np.zeros((4, 3)))


def test_a_delta_winding_passes_no_zero_sequence():
    # loads of one phase above and below the transformer; its turn moves the parts of the phases against each
    # other, but not their sequences: the sum of squares and the unbalance below stay what they are
    stations = {
        "hv_bus": ["h", "m"],
        "lv_bus": ["m", "s"],
        "sn_kva": [4000.0, 400.0],
        "vk_percent": [10.0, 6.0],
        "vkr_percent": [1.0, 1.2],
    }
    table = {"from_bus": ["s"], "to_bus": ["a"], "r_ohm": [0.1], "x_ohm": [0.05], "rating_a": [200.0]}
    buses = {"bus": list("hmsa"), "vn_kv": [110.0, 20.0, 0.4, 0.4]}
    model = radial_model(build_feeder(buses, table, stations))
    for above, below in ((300.0, 0.0), (0.0, 8.0)):
        p = np.zeros((1, 4, 3))
        p[0, 1, 0], p[0, 3, 1] = above, below
        own, other = power_flow(model, p, 0 * p), grid_model_flow(model, p, 0 * p)
        squares = (own.voltage_pu[0, 2:] ** 2).sum(axis=1)
        assert squares == pytest.approx((other.voltage_pu[0, 2:] ** 2).sum(axis=1), abs=1e-8)
        assert own.losses_kw.sum() == pytest.approx(other.losses_kw[0], rel=1e-7)
