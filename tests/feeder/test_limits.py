import numpy as np
import pytest

from sunshare_sim.errors import NetworkError
from sunshare_sim.feeder import limits as lim
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.limits import (
    Envelopes,
    admit,
    bus_prices,
    curtail,
    feeder_limits,
    operating_envelopes,
    share_cut,
    shared_path_pu,
    update_prices,
)
from sunshare_sim.feeder.powerflow import power_flow, radial_model
from sunshare_sim.inputs.grids import load_grid


@pytest.fixture(scope="module")
def village():
    tables = load_grid("pandapower", "kerber_dorfnetz")
    return radial_model(build_feeder(tables.buses, tables.lines, tables.transformers))


def line_of(r_ohm=(0.1, 0.1), rating=(400.0, 400.0)):
    """Return a substation with two buses in a row: s - a - b."""
    table = {
        "from_bus": ["s", "a"],
        "to_bus": ["a", "b"],
        "r_ohm": list(r_ohm),
        "x_ohm": [0.0, 0.0],
        "rating_a": list(rating),
    }
    return radial_model(build_feeder({"bus": ["s", "a", "b"]}, table, {"lv_bus": ["s"], "sn_kva": [100.0]}))


def violations(model, limits, p, q=0.0):
    flow = power_flow(model, p, q)
    return (
        np.max(flow.voltage_pu - limits.v_max),
        np.max(limits.v_min - flow.voltage_pu),
        np.max(flow.current_a / limits.rating_a) - 1,
    )


def test_nothing_is_cut_when_nothing_is_exceeded(village):
    p = np.full((3, len(village.feeder.bus_names)), 0.5)
    cuts = curtail(village, feeder_limits(village.feeder), (p, 0.0), cuttable=(0.0, p))
    assert cuts.within.all()
    assert not cuts.injection_kw.any()
    assert not cuts.demand_kw.any()


@pytest.mark.parametrize("sharing", ["equal", "effect"])
def test_no_slot_exceeds_a_limit_afterwards(village, sharing):
    rng = np.random.default_rng(1)
    p = rng.normal(0.0, 5.0, (40, len(village.feeder.bus_names))) + rng.normal(0, 6, (40, 1))
    p *= village.feeder.vn_kv < 1
    limits = feeder_limits(village.feeder, v_min_pu=0.94, v_max_pu=1.05, loading=0.8)
    before = violations(village, limits, p)
    assert min(before) > 1e-3, "the case has to exceed each limit"
    cuts = curtail(village, limits, (p, 0.0), cuttable=(np.maximum(-p, 0), np.maximum(p, 0)), sharing=sharing)
    assert cuts.within.all()
    assert max(violations(village, limits, p + cuts.injection_kw - cuts.demand_kw)) <= 1e-6
    assert cuts.injection_kw.sum() > 0
    assert cuts.demand_kw.sum() > 0
    assert np.all(cuts.injection_kw <= np.maximum(-p, 0) + 1e-12)
    total = np.abs(cuts.by_bus_kw).sum(axis=1) + np.abs(cuts.by_branch_kw).sum(axis=1)
    assert total == pytest.approx(cuts.injection_kw.sum(axis=1) + cuts.demand_kw.sum(axis=1))


def test_cut_is_not_much_more_than_needed():
    # v_b of s - b with 40 kW fed in at r = 0.2 ohm; the largest injection within 1.02: p = v (v - 1) / r
    model = line_of()
    cuts = curtail(model, feeder_limits(model.feeder, v_max_pu=1.02), ([[0.0, 0.0, -40.0]], 0.0))
    allowed = 1.02 * 0.02 / (0.2 / 160)
    assert cuts.injection_kw[0, 2] == pytest.approx(40 - allowed, abs=1e-3)
    assert cuts.by_bus_kw[0, 2] == pytest.approx(-cuts.injection_kw[0, 2])


def test_sharing_decides_who_gives():
    model = line_of()
    limits = feeder_limits(model.feeder, v_max_pu=1.02)
    equal = curtail(model, limits, ([[0.0, -20.0, -20.0]], 0.0)).injection_kw[0]
    effect = curtail(model, limits, ([[0.0, -20.0, -20.0]], 0.0), sharing="effect").injection_kw[0]
    assert equal[1] == pytest.approx(equal[2])
    assert effect[1] == pytest.approx(effect[2] / 2, rel=0.01)
    assert effect.sum() < equal.sum()


def test_limits_that_cannot_be_met_are_said_so():
    model = line_of()
    cuts = curtail(model, feeder_limits(model.feeder, v_min_pu=0.99), ([[0.0, 0.0, 80.0]], 0.0))
    assert not cuts.within[0]


def test_collapse_is_shed_until_there_is_a_solution():
    model = line_of()
    limits = feeder_limits(model.feeder)
    p = np.array([[0.0, 0.0, 500.0]])
    cuts = curtail(model, limits, (p, 0.0), cuttable=(0.0, p))
    assert cuts.within[0]
    assert max(violations(model, limits, p - cuts.demand_kw)) <= 1e-6


@pytest.mark.parametrize("options", [{"v_min_pu": 1.1, "v_max_pu": 0.9}, {"loading": 0.0}])
def test_impossible_limits(options):
    with pytest.raises(NetworkError, match="nothing can meet"):
        feeder_limits(line_of().feeder, **options)


def test_a_buss_cut_is_shared_among_its_homes():
    cut = np.array([0.0, 3.0, 1.0])
    part = share_cut(cut, np.array([1, 1, 2, 0]), np.array([4.0, 2.0, 1.0, 5.0]))
    assert part == pytest.approx([2.0, 1.0, 1.0, 0.0])


def test_matrices_are_shared_paths():
    r, _ = shared_path_pu(line_of(r_ohm=(0.1, 0.3)))
    assert r * 160 == pytest.approx(np.array([[0, 0, 0], [0, 0.1, 0.1], [0, 0.1, 0.4]]))


def test_matrices_predict_small_changes(village):
    r, x = shared_path_pu(village)
    rng = np.random.default_rng(2)
    p = rng.normal(0, 0.2, (4, r.shape[0]))
    p[:, village.roots] = 0
    linear = np.sqrt(1 - 2 * (p @ r + 0.3 * p @ x))
    assert np.abs(linear - power_flow(village, p, 0.3 * p).voltage_pu).max() < 2e-6


def trades_of(village, count, seed, kw=4.0):
    rng = np.random.default_rng(seed)
    low = np.flatnonzero(village.feeder.vn_kv < 1)
    return rng.choice(low, count), rng.choice(low, count), rng.uniform(0.5, kw, count)


@pytest.mark.parametrize("whole", [False, True])
def test_admitted_trades_keep_the_limits(village, whole):
    limits = feeder_limits(village.feeder, v_min_pu=0.97, v_max_pu=1.03, loading=0.6)
    p = np.zeros(len(village.feeder.bus_names))
    seller, buyer, kw = trades_of(village, 400, 3, kw=20.0)
    wish = p + np.bincount(buyer, kw, p.size) - np.bincount(seller, kw, p.size)
    assert max(violations(village, limits, wish[None])) > 1e-3
    result = admit(village, limits, (p, p), (seller, buyer, kw), whole=whole)
    drawn = p + np.bincount(buyer, result.granted_kw, p.size) - np.bincount(seller, result.granted_kw, p.size)
    assert max(violations(village, limits, drawn[None])) <= 1e-6
    cut = result.granted_kw < kw
    assert 0 < cut.sum() < 400
    assert np.array_equal(result.limit != lim.FREE, cut), "each refused trade names its limit"
    if whole:
        assert np.all((result.granted_kw == 0) | (result.granted_kw == kw))


def test_trades_that_fit_are_granted_untouched(village):
    p = np.zeros(len(village.feeder.bus_names))
    trades = trades_of(village, 50, 4, kw=0.5)
    result = admit(village, feeder_limits(village.feeder), (p, p), trades)
    assert np.array_equal(result.granted_kw, trades[2])
    assert np.all(result.where == -1)


def test_a_trade_within_a_bus_uses_no_wires():
    model = line_of(rating=(1.0, 1.0))
    trade = (np.array([2]), np.array([2]), np.array([50.0]))
    result = admit(model, feeder_limits(model.feeder), (np.zeros(3), np.zeros(3)), trade)
    assert result.granted_kw[0] == 50.0


def test_first_come_first_served():
    model = line_of(rating=(400.0, 20.0))  # 20 A at 0.4 kV: 13.86 kVA
    trade = (np.array([1, 1]), np.array([2, 2]), np.array([10.0, 10.0]))
    result = admit(model, feeder_limits(model.feeder), (np.zeros(3), np.zeros(3)), trade)
    assert result.granted_kw[0] == 10.0
    assert result.granted_kw.sum() == pytest.approx(20 * 0.4 * np.sqrt(3), rel=0.02)
    assert (result.limit[1], result.where[1]) == (lim.LOADING, 1)


def test_a_base_beyond_its_limit_admits_only_what_helps():
    model = line_of(rating=(400.0, 20.0))
    base = (np.array([0.0, 0.0, 20.0]), np.zeros(3))
    trade = (np.array([1, 2]), np.array([2, 1]), np.array([1.0, 1.0]))
    result = admit(model, feeder_limits(model.feeder), base, trade)
    assert result.granted_kw.tolist() == [0.0, 1.0]


def test_everything_within_the_envelopes_is_within_the_limits(village):
    limits = feeder_limits(village.feeder, v_min_pu=0.95, v_max_pu=1.04, loading=0.7)
    low = (village.feeder.vn_kv < 1).astype(float)
    wish = Envelopes(12.0 * low, 9.0 * low)
    within = operating_envelopes(village, limits, wish)
    assert np.all(within.injection_kw <= wish.injection_kw)
    assert within.injection_kw.sum() < wish.injection_kw.sum()
    assert within.demand_kw.sum() < wish.demand_kw.sum()
    rng = np.random.default_rng(5)
    mix = rng.uniform(0, 1, (200, low.size)) < rng.uniform(0, 1, (200, 1))
    p = np.where(mix, -within.injection_kw, within.demand_kw)
    assert max(violations(village, limits, p)) <= 2e-6


def test_envelopes_of_a_source_beyond_the_limits(village):
    zero = np.zeros(len(village.feeder.bus_names))
    with pytest.raises(NetworkError, match="cannot be met"):
        operating_envelopes(village, feeder_limits(village.feeder), Envelopes(zero, zero), source_pu=1.2)


def test_prices_rise_where_a_limit_cuts_and_fade_where_not():
    price = update_prices(np.array([0.0, 0.1, 0.1]), np.array([-2.0, 4.0, 0.0]), 2.0, step=0.01, decay=0.5)
    assert price == pytest.approx([-0.01, 0.12, 0.05])


def test_congestion_is_paid_by_the_direction_that_congests():
    model = line_of()
    towards = bus_prices(
        model, np.array([0.0, -0.05]), np.zeros(3)
    )  # the line a - b is full towards the substation
    assert towards == pytest.approx([0.0, 0.0, -0.05])
    assert towards[1] - towards[2] == pytest.approx(0.05), "b sells to a and pays"
    high = bus_prices(model, np.zeros(2), np.array([0.0, 0.0, -0.05]))
    assert high == pytest.approx([0.0, -0.025, -0.05]), "a shares half the path with b"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_loading_limit_says_which_way_it_cut(sign):
    model = line_of(rating=(400.0, 20.0))
    p = np.array([[0.0, 0.0, 30.0 * sign]])
    cuts = curtail(
        model, feeder_limits(model.feeder), (p, 0.0), cuttable=(np.maximum(-p, 0), np.maximum(p, 0))
    )
    # 20 A are i = 13.856 p.u. of 1 kVA; the voltage there is 1 -+ r i with r = 0.2 ohm / 160 ohm
    i = 20 * 0.4 * np.sqrt(3)
    carried = i * (1 - sign * i * 0.2 / 160)
    assert cuts.by_branch_kw[0] == pytest.approx([0.0, sign * (30 - carried)], abs=0.02)
    assert not cuts.by_bus_kw.any()
