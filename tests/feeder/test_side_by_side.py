"""Feeders side by side have nothing to do with each other: what limits one cuts nothing of the others."""

import numpy as np
import pytest

from sunshare_sim.feeder.charges import path_ohm, zone_mean, zone_path_ohm
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.limits import LIMIT_NAMES, curtail, feeder_limits
from sunshare_sim.feeder.powerflow import radial_model
from sunshare_sim.inputs.grids import load_grid

COPIES = 12


def kerber(copies):
    tables = load_grid("pandapower", "kerber_dorfnetz")
    model = radial_model(build_feeder(tables.buses, tables.lines, tables.transformers, copies=copies))
    return model, tables.loads["bus"].to_numpy()


@pytest.mark.parametrize("sharing", ["equal", "effect"])
def test_cuts_are_those_of_each_feeder_alone(sharing):
    one, loads = kerber(1)
    many, _ = kerber(COPIES)
    size = one.tree.bus.size
    rng = np.random.default_rng(4)
    p = np.zeros((COPIES, size))
    p[:, loads] = rng.normal(0, 5, (COPIES, 1)) + rng.normal(0, 3, (COPIES, loads.size))
    may = np.maximum(-p, 0), np.maximum(p, 0)
    bounds = {"v_min_pu": 0.97, "v_max_pu": 1.03, "loading": 0.8}
    alone = curtail(one, feeder_limits(one.feeder, **bounds), (p, 0.0), cuttable=may, sharing=sharing)
    together = curtail(
        many,
        feeder_limits(many.feeder, **bounds),
        (p.reshape(1, -1), 0.0),
        cuttable=tuple(part.reshape(1, -1) for part in may),
        sharing=sharing,
    )
    assert together.within.all()
    assert together.injection_kw.reshape(COPIES, size) == pytest.approx(alone.injection_kw, abs=1e-9)
    assert together.demand_kw.reshape(COPIES, size) == pytest.approx(alone.demand_kw, abs=1e-9)
    assert np.array_equal(together.limit.reshape(COPIES, size), alone.limit)
    assert alone.injection_kw.sum() > 10 < alone.demand_kw.sum()


def test_every_cut_names_its_limit():
    model, loads = kerber(1)
    p = np.zeros((2, model.tree.bus.size))
    p[0, loads], p[1, loads] = -9.0, 9.0
    limits = feeder_limits(model.feeder, v_max_pu=1.02, v_min_pu=0.98)
    cuts = curtail(model, limits, (p, 0.0), cuttable=(np.maximum(-p, 0), np.maximum(p, 0)))
    cut = cuts.injection_kw + cuts.demand_kw > 0
    assert ((cuts.limit > 0) == cut).all()
    assert ((cuts.where >= 0) == cut).all()
    assert {LIMIT_NAMES[limit] for limit in cuts.limit[0][cut[0]]} <= {"voltage too high", "loading"}
    assert {LIMIT_NAMES[limit] for limit in cuts.limit[1][cut[1]]} <= {"voltage too low", "loading"}


def test_the_distance_of_zones_is_the_mean_over_their_homes():
    model, loads = kerber(2)
    fast, slow = zone_path_ohm(model.feeder, loads), zone_mean(model.feeder, path_ohm(model.feeder), loads)
    assert fast == pytest.approx(slow, abs=1e-12)
    assert np.array_equal(fast, fast.T)
