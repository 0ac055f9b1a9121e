"""The converted feeders carry the same voltages as pandapower's own power flow of the originals."""

import numpy as np
import pytest

from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.inputs.grids import PANDAPOWER_GRIDS, from_pandapower


def sweep_voltages(feeder, power_kva, source_pu):
    """Return bus voltages [p.u.] by backward-forward sweep (Shirmohammadi et al. 1988), written for one snapshot."""
    depth = np.zeros(len(feeder.bus_names), dtype=int)
    for _ in depth:
        depth = np.where(feeder.parent_of_bus < 0, 0, depth[feeder.parent_of_bus] + 1)
    order = np.argsort(depth[feeder.branches.to_bus])
    start, end = feeder.branches.from_bus[order], feeder.branches.to_bus[order]
    base_ohm = feeder.vn_kv[end] ** 2 * 1000  # of 1 kVA
    impedance = (feeder.branches.r_ohm + 1j * feeder.branches.x_ohm)[order] / base_ohm
    voltage = np.full(depth.size, source_pu, dtype=complex)
    for _ in range(30):
        current = np.conj(power_kva / voltage)
        for a, b in zip(start[::-1], end[::-1], strict=True):
            current[a] += current[b]
        for a, b, z in zip(start, end, impedance, strict=True):
            voltage[b] = voltage[a] - z * current[b]
    return np.abs(voltage)


@pytest.mark.parametrize(
    "name", ["cigre_lv", "kerber_dorfnetz", "kerber_vorstadtnetz_kabel_1", "1-LV-semiurb4--0-sw"]
)
def test_voltages_are_pandapowers(name):
    import pandapower
    import simbench
    from pandapower import networks

    is_simbench = name.startswith("1-LV")
    net = simbench.get_simbench_net(name) if is_simbench else getattr(networks, PANDAPOWER_GRIDS[name])()
    net.sgen.in_service = False
    pandapower.runpp(net, numba=False)
    tables = from_pandapower(net)
    feeder = build_feeder(tables["buses"], tables["lines"], tables["transformers"])
    power = np.zeros(len(feeder.bus_names), dtype=complex)
    reactive_kvar = (net.load.q_mvar * net.load.scaling * 1000).to_numpy()
    np.add.at(power, tables["loads"].bus.to_numpy(), tables["loads"].p_kw.to_numpy() + 1j * reactive_kvar)
    voltage = sweep_voltages(feeder, power, net.ext_grid.vm_pu.iloc[0])
    theirs = net.res_bus.vm_pu.groupby(net.bus.name).first()
    # What is left is pandapower's line capacitance and no-load current, which the tables leave out
    np.testing.assert_allclose(voltage, theirs[list(feeder.bus_names)], atol=3e-5)
    assert voltage.max() - voltage.min() > 0.01, "there is a drop to compare"
