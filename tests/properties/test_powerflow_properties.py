import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.limits import curtail, feeder_limits
from sunshare_sim.feeder.powerflow import power_flow, radial_model
from tests.reference.powerflow import solve


@st.composite
def loaded_feeders(draw):
    """Draw a random tree of cables with loads and injections, far from collapse."""
    size = draw(st.integers(2, 12))
    parents = [draw(st.integers(0, bus - 1)) for bus in range(1, size)]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    lines = {
        "from_bus": parents,
        "to_bus": list(range(1, size)),
        "r_ohm": rng.uniform(0.001, 0.1, size - 1),
        "x_ohm": rng.uniform(0.001, 0.05, size - 1),
        "rating_a": rng.uniform(20, 200, size - 1),
    }
    feeder = build_feeder({"bus": list(range(size))}, lines, {"lv_bus": [0], "sn_kva": [100.0]})
    scale = draw(st.sampled_from([0.1, 3.0, 8.0]))
    return feeder, rng.normal(0, scale, size), rng.normal(0, 0.3 * scale, size)


@given(loaded_feeders(), st.floats(0.95, 1.05))
@settings(max_examples=80)
def test_the_sweep_is_its_slow_twin(case, source):
    feeder, p, q = case
    slow = solve(feeder, p, q, source)
    fast = power_flow(radial_model(feeder), p[None], q[None], source_pu=source)
    assert np.abs(fast.voltage_pu[0] - np.abs(slow)).max() < 1e-8


@given(loaded_feeders())
@settings(max_examples=80)
def test_power_is_conserved(case):
    feeder, p, q = case
    flow = power_flow(radial_model(feeder), p[None], q[None])
    assert flow.slack_kw.sum() == pytest.approx(p.sum() + flow.losses_kw.sum(), abs=1e-7)
    assert np.all(flow.losses_kw >= 0)


@given(loaded_feeders(), st.floats(0.01, 0.08), st.sampled_from(["equal", "effect"]))
@settings(max_examples=80)
def test_limits_can_always_be_met_by_cutting_enough(case, band, sharing):
    feeder, p, q = case
    p, q = 4 * p, 0 * q
    model, limits = radial_model(feeder), feeder_limits(feeder, v_min_pu=1 - band, v_max_pu=1 + band)
    cuttable = (np.maximum(-p, 0)[None], np.maximum(p, 0)[None])
    cuts = curtail(model, limits, (p[None], q[None]), cuttable=cuttable, sharing=sharing)
    assert cuts.within[0]
    flow = power_flow(model, p[None] + cuts.injection_kw - cuts.demand_kw, q[None])
    assert np.abs(flow.voltage_pu - 1).max() <= band + 1e-6
    assert (flow.current_a / limits.rating_a).max() <= 1 + 1e-6
    assert np.all(cuts.injection_kw <= cuttable[0] + 1e-9)
    assert np.all(cuts.demand_kw <= cuttable[1] + 1e-9)
