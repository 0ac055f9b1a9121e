import random
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest

from sunshare_sim.agents.check import check_strategy
from sunshare_sim.agents.strategy import Quotes, Strategy, make_strategy, strategies
from sunshare_sim.errors import StrategyError

BUILT_IN = [name for name, cls in strategies().items() if cls.__module__.startswith("sunshare_sim")]


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_strategy_keeps_its_contract(name, seed):
    report = check_strategy(make_strategy(name), seed=seed)
    assert report.ok, repr(report)


@dataclass(frozen=True)
class Base(Strategy):
    def quote(self, view):
        return Quotes(view.limit_price, np.abs(view.net_kwh))


@dataclass(frozen=True)
class Nan(Base):
    def quote(self, view):
        return Quotes(view.limit_price + np.where(view.slot == 4, np.nan, 0.0), np.abs(view.net_kwh))


@dataclass(frozen=True)
class Greedy(Base):
    def quote(self, view):
        return Quotes(view.limit_price, np.abs(view.net_kwh) * 2)


@dataclass(frozen=True)
class Spender(Base):
    keeps_limit = True

    def quote(self, view):
        return Quotes(np.full(view.net_kwh.size, 0.41), np.abs(view.net_kwh))


@dataclass(frozen=True)
class Unseeded(Base):
    def quote(self, view):
        draw = random.random()  # noqa: S311 - the breach to be found
        return Quotes(view.limit_price * (1 - 0.1 * draw * view.side), np.abs(view.net_kwh))


@dataclass(frozen=True)
class Spy(Base):
    def quote(self, view):
        return Quotes(view.limit_price, np.abs(view.net_kwh) * (view.net_kwh.sum() > 0))


@dataclass(frozen=True)
class Neighbour(Base):
    def quote(self, view):
        return Quotes(np.roll(view.limit_price, 1), np.abs(view.net_kwh))


@dataclass(frozen=True)
class Hoarder(Base):
    seen: list = field(default_factory=list)

    def quote(self, view):
        self.seen.append(view.slot)
        return super().quote(view)


@dataclass(frozen=True)
class Meddler(Base):
    def quote(self, view):
        view.net_kwh[:] = 0
        return super().quote(view)


class Short(NamedTuple):
    numbers: np.ndarray


@dataclass(frozen=True)
class WrongMemory(Base):
    def start(self, homes, rng):
        return Short(np.zeros(3))


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Nan, "quotes have shape", "slot 4, home 0: price not allowed; got nan"),
        (Greedy, "quotes have shape", "quantity not allowed"),
        (Spender, "keeps its homes' own limits", "price beyond the home's own limit"),
        (Unseeded, "same seed", "other quotes"),
        (Spy, "sees no other home", "other homes' meters"),
        (Spy, "one home at a time", "disagree"),
        (Neighbour, "one home at a time", "disagree"),
        (Neighbour, "order of the homes", "depends on the order"),
        (Hoarder, "leaves view and itself", "keep what is learned in view.memory"),
        (Meddler, "leaves view and itself", "read-only"),
        (WrongMemory, "memory has one row", r"memory.numbers has shape (3,)"),
    ],
)
def test_each_breach_is_found_by_its_check(cls, check, words):
    report = check_strategy(cls())
    assert not report.ok
    (verdict,) = [each for each in report.verdicts if each.check.startswith(check)]
    assert words in verdict.problem
    assert words in repr(report)
    assert "<table>" in report._repr_html_()
    with pytest.raises(StrategyError, match="BREAKS its contract"):
        report.require()


def test_a_strategy_that_cannot_be_pickled_is_found():
    @dataclass(frozen=True)
    class Local(Base):
        pass

    report = check_strategy(Local())
    assert [v.check for v in report.verdicts if v.problem] == ["pickles", "leaves view and itself unchanged"]


def test_a_class_is_no_strategy_and_the_message_says_what_to_write():
    with pytest.raises(StrategyError, match=r"not a strategy; .*check_strategy\(Base\(\)\)"):
        check_strategy(Base)


def test_a_good_report_is_short():
    report = check_strategy(Base())
    assert report.ok
    report.require()
    assert repr(report).startswith("Base(): keeps its contract\n")
