import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sunshare_sim.errors import NetworkError
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.losses import RULES, allocate_losses, loss_factors, share_exactly
from sunshare_sim.feeder.powerflow import power_flow, radial_model
from sunshare_sim.inputs.grids import load_grid


@given(
    st.sampled_from(RULES),
    st.integers(0, 10**12),
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(
            arrays(float, n, elements=st.floats(-50, 50)), arrays(float, n, elements=st.floats(-0.2, 0.2))
        )
    ),
)
def test_parts_sum_to_the_losses_exactly(rule, losses, homes):
    net, factor = homes
    parts = allocate_losses(rule, losses, net, factor)
    assert parts.dtype == np.int64
    assert int(parts.sum()) == losses
    if rule != "marginal":
        assert parts.min() >= 0


def test_rules_by_hand():
    net, factor = np.array([3.0, -1.0, 0.0]), np.array([0.02, 0.01, 0.01])
    assert allocate_losses("socialised", 10, net).tolist() == [4, 3, 3]
    assert allocate_losses("proportional", 100, net).tolist() == [75, 25, 0]
    # 0.02 * 3 = 0.06 and 0.01 * -1 = -0.01: the surplus relieves the wires and is credited
    assert allocate_losses("marginal", 100, net, factor).tolist() == [120, -20, 0]


def test_nobody_uses_the_wires():
    assert allocate_losses("proportional", 4, np.zeros(2)).tolist() == [2, 2]
    assert allocate_losses("marginal", 4, np.zeros(2), np.ones(2)).tolist() == [2, 2]


def test_largest_remainder():
    assert share_exactly(1, np.array([1.0, 1.0, 1.0])).tolist() == [1, 0, 0]
    assert share_exactly(2, np.array([1.0, 3.0])).tolist() == [1, 1]


@pytest.mark.parametrize("rule", ["margnal", "marginal"])
def test_unknown_rule(rule):
    with pytest.raises(NetworkError, match=r"network\.losses\.rule"):
        allocate_losses(rule, 1, np.ones(2))


def test_factors_are_the_derivative_of_the_losses():
    tables = load_grid("pandapower", "kerber_dorfnetz")
    model = radial_model(build_feeder(tables.buses, tables.lines, tables.transformers))
    p = np.random.default_rng(1).normal(0.5, 1.5, (1, len(model.feeder.bus_names))) * (model.feeder.vn_kv < 1)
    factor = loss_factors(model, power_flow(model, p))[0]
    for bus in np.flatnonzero(p[0])[::9]:
        more, less = p.copy(), p.copy()
        more[0, bus] += 0.01
        less[0, bus] -= 0.01
        slope = (power_flow(model, more).losses_kw.sum() - power_flow(model, less).losses_kw.sum()) / 0.02
        assert factor[bus] == pytest.approx(slope, rel=0.06, abs=1e-4)


def test_marginal_parts_collect_about_twice_the_losses():
    tables = load_grid("simbench", "1-LV-rural3--0-sw")
    model = radial_model(build_feeder(tables.buses, tables.lines, tables.transformers))
    p = np.full((1, len(model.feeder.bus_names)), 1.0)
    flow = power_flow(model, p)
    collected = float(loss_factors(model, flow)[0] @ p[0])
    assert collected / flow.losses_kw.sum() == pytest.approx(2.0, rel=0.1)
