"""The compiled lane against the uncompiled laboratory: every fill, every memory, every figure the same."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.agents.zero_intelligence import ZeroIntelligenceConstrained
from sunshare_sim.agents.zip import Zip
from sunshare_sim.validation import laboratory, protocols
from sunshare_sim.validation.compiled import suits
from sunshare_sim.validation.laboratory import Experiment, conduct
from sunshare_sim.validation.markets import FLAT_DEMAND, FLAT_SUPPLY, SYMMETRIC, Market

POPULATIONS = [
    ("zi_c",),
    ("zi_u",),
    ("zip",),
    ("shaver",),
    ("tariff_bound",),
    ("zi_c", "zip"),
    ("shaver", "zip", "zi_u", "tariff_bound"),
]
ODD = (
    Market("one buyer", (300.0,), (100.0, 310.0)),
    Market("no overlap", (100.0, 90.0), (101.0, 150.0)),
    Market("all the same", (200.0,) * 4, (200.0,) * 3),
    Market("at the edges", (1.0, 60.0, 30.5), (1.0, 60.0), highest=60),
)


def traders(*names):
    return tuple(make_strategy(name) for name in names)


def watched(monkeypatch, experiment, *, compiled):
    """Return the outcome, and what every trader gained in every period, in which order the pits' prices came."""
    seen = []
    measure = laboratory._measure

    def spy(floor, *rest):
        seen.append([np.copy(each) for each in (floor.profit, floor.active, floor.last_price, floor.trades)])
        return measure(floor, *rest)

    monkeypatch.setattr(laboratory, "_measure", spy)
    outcome = conduct(experiment, compiled=compiled)
    monkeypatch.undo()
    return outcome, seen


def assert_same(monkeypatch, experiment):
    assert suits(experiment.traders)
    fast, fills = watched(monkeypatch, experiment, compiled=True)
    slow, others = watched(monkeypatch, experiment, compiled=False)
    for name, one, two in zip(fast._fields, fast, slow, strict=True):
        assert np.array_equal(one, two, equal_nan=True), name
    # A trader has one unit a period: its profit is its fill
    assert all(
        np.array_equal(a, b)
        for one, two in zip(fills, others, strict=True)
        for a, b in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("names", POPULATIONS, ids="+".join)
@pytest.mark.parametrize("protocol", ["P1", "P2", "P3"])
@pytest.mark.parametrize("idle_polls", [False, True])
def test_compiled_periods_are_the_uncompiled_ones_fill_by_fill(monkeypatch, names, protocol, idle_polls):
    experiment = Experiment(
        SYMMETRIC, traders(*names), protocol, sessions=9, days=3, activations=260, idle_polls=idle_polls
    )
    assert_same(monkeypatch, experiment)


@pytest.mark.parametrize("market", [FLAT_SUPPLY, FLAT_DEMAND, *ODD], ids=lambda market: market.name)
@pytest.mark.parametrize("protocol", ["P1", "P2", "P3"])
def test_other_schedules_too(monkeypatch, market, protocol):
    experiment = Experiment(
        market, traders("zi_c", "zip"), protocol, sessions=7, days=2, activations=150, seed=3
    )
    assert_same(monkeypatch, experiment)
    assert_same(monkeypatch, replace(experiment, ties=False))


def test_two_kinds_of_zip_keep_their_own_parameters(monkeypatch):
    experiment = Experiment(SYMMETRIC, (Zip(), Zip(relative=0.2)), "P2", sessions=6, days=3, activations=300)
    assert_same(monkeypatch, experiment)
    same = conduct(replace(experiment, traders=(Zip(), Zip())))
    assert not np.array_equal(conduct(experiment).mean_price, same.mean_price, equal_nan=True)


def test_more_sessions_than_stand_side_by_side_are_the_same(monkeypatch):
    monkeypatch.setattr(laboratory, "SIDE_BY_SIDE", 8)
    experiment = Experiment(SYMMETRIC, traders("zi_c"), "P2", sessions=19, activations=200)
    fast, slow = (conduct(experiment, compiled=each) for each in (True, False))
    assert np.array_equal(fast.mean_price, slow.mean_price, equal_nan=True)


def test_the_compiled_lane_is_taken_where_it_can_be(monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(protocols.Floor, "send", never)
    conduct(Experiment(SYMMETRIC, traders("zi_c", "zip"), sessions=2, activations=100))
    with pytest.raises(AssertionError):
        conduct(Experiment(SYMMETRIC, traders("aa"), sessions=2, activations=100))


def test_a_subclass_may_do_anything_so_it_is_not_compiled():
    @dataclass(frozen=True)
    class Bolder(ZeroIntelligenceConstrained):
        pass

    assert suits((ZeroIntelligenceConstrained(),))
    assert not suits((Bolder(),))
    assert not suits(traders("zi_c", "aa"))
    assert not suits((Zip(hears=0),))
    assert not suits(traders("zi_c", "zi_u", "zip", "shaver", "tariff_bound"))


def test_a_book_that_fills_up_is_compacted_without_a_trace(monkeypatch):
    """A pit's book has room for 64 orders; hundreds come before the one possible trade."""
    experiment = Experiment(
        Market("idle", (100.0,) * 30, (300.0,) * 30 + (95.0,)), traders("zi_c"), "P2", sessions=3
    )
    assert_same(monkeypatch, replace(experiment, activations=3000))
