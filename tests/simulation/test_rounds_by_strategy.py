"""How many rounds a slot has where the scenario does not say: as many as its strategies need."""

import re
from pathlib import Path

import pytest

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.simulation.session import Simulation

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"


def rounds(scenario):
    state = Simulation(scenario).state
    assert (state.book is None) == (state.rounds == 1)
    return state.rounds


@pytest.mark.parametrize(("strategy", "expected"), [("tariff_bound", 1), ("zi_c", 4), ("zip", 8), ("aa", 32)])
def test_the_strategies_decide(make_small, strategy, expected):
    assert rounds(make_small(strategy=strategy)) == expected
    assert rounds(make_small(strategy=strategy, market__rounds=3)) == 3


def test_other_markets_ask_once(make_small):
    assert rounds(make_small(strategy="zip", market__mechanism="uniform_price")) == 1
    assert rounds(make_small(strategy="zip", market__order_lifetime=4)) == 1


def test_they_are_those_of_the_study():
    """The page is generated; what it says settles must be what is used, or less."""
    table = (
        PAGE.read_text(encoding="utf-8").partition("| Energy settled from rounds |")[2].partition("\n\n")[0]
    )
    settled = {name: int(count) for name, count in re.findall(r"\| (\w+) \| (\d+) \|", table)}
    assert len(settled) >= 9
    for name, count in settled.items():
        assert make_strategy(name, {}, where="test").rounds >= count
