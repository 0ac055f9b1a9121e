"""What the laboratory is held to: figures of independent implementations under stated rules, and identities of theory.

Two sources. "rules": a separate implementation of the same rules, written for this project and sharing no code with
it (3 000 periods, ZIP 300 sessions). "BSE": the unmodified traders of the Bristol Stock Exchange (Cliff 2012,
github.com/davecliff/BristolStockExchange, snapshot of April 2025; AA: its fork of Snashall & Cliff 2019), sessions of
10 periods with 1 320 activations. No figure is quoted from a paper that was not itself read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.units import FloatArray
from sunshare_sim.validation.laboratory import Experiment, Outcome
from sunshare_sim.validation.markets import FLAT_DEMAND, MARKETS, SYMMETRIC, Market

BSE_MARKET: Final = replace(SYMMETRIC, highest=500)
PERCENT: Final = ("efficiency", "alpha")


@dataclass(frozen=True)
class Target:
    """Hold one figure to reproduce.

    Attributes
    ----------
    measure : str
        Field of `Outcome`, or "lead": how much more a trader of the first kind earns than one of the second.
    reference : float
        The figure [% for efficiency and alpha, else ticks or trades].
    sample : int
        Number of periods, or sessions where the mean over days counts, behind it; 0 for an identity.
    allowed : float
        Half the last digit of the reference, which may differ beyond chance.
    day : int or None
        Which day, from 0; None for the mean over all days.
    source : str
        Where it comes from.
    at_least : bool
        Whether more than `reference` is as good.
    clearly : bool
        With `at_least`: whether it must be more by the whole tolerance.
    """

    measure: str
    reference: float
    sample: int
    allowed: float = 0.0
    day: int | None = None
    source: str = "rules"
    at_least: bool = False
    clearly: bool = False


@dataclass(frozen=True)
class Check:
    """Join an experiment and the figures it must give."""

    title: str
    experiment: Experiment
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Finding:
    """Hold what came of one target.

    Attributes
    ----------
    mean, half_width : float
        Our figure and half its 95 % confidence interval.
    tolerance : float
        Three standard errors of the difference, both samples counted, and what is allowed beyond.
    """

    check: Check
    target: Target
    mean: float
    half_width: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Return whether the figure lies within the tolerance."""
        difference = self.mean - self.target.reference
        if self.target.clearly:
            return difference >= self.tolerance
        return (
            difference >= -self.tolerance
            if self.target.at_least
            else abs(difference) <= self.tolerance + 1e-9
        )


def judge(check: Check, outcome: Outcome) -> Iterator[Finding]:
    """Hold an outcome to the targets of its check."""
    for target in check.targets:
        values = column(outcome, target)
        values = values[np.isfinite(values)]
        error = float(np.std(values, ddof=1)) if values.size > 1 else 0.0
        both = np.sqrt(1.0 / values.size + (1.0 / target.sample if target.sample else 0.0))
        yield Finding(
            check,
            target,
            mean=float(np.mean(values)),
            half_width=1.96 * error / float(np.sqrt(values.size)),
            tolerance=3.0 * error * float(both) + target.allowed,
        )


def column(outcome: Outcome, target: Target) -> FloatArray:
    """Return one value a session of the measure, in the target's unit."""
    values: FloatArray = (
        outcome.profit[0] - outcome.profit[1]
        if target.measure == "lead"
        else getattr(outcome, target.measure)
    )
    if target.measure in PERCENT:
        values = 100.0 * values
    # Days without trades have no price
    each: FloatArray = np.nanmean(values, axis=0) if target.day is None else values[target.day]
    return each


def checks(*, scale: float = 1.0, seed: int = 1) -> list[Check]:
    """Return all experiments with their targets.

    Parameters
    ----------
    scale : float
        Share of the full number of sessions (3 072 for zero-intelligence traders).
    seed : int
        Seed of all experiments.
    """
    families = (_zero_intelligence, _identities, _budgets, _zip, _exchange, _learners, _mixed)
    all_checks = [check for family in families for check in family()]
    return [
        replace(
            check,
            experiment=replace(
                check.experiment, seed=seed, sessions=max(8, int(check.experiment.sessions * scale))
            ),
        )
        for check in all_checks
    ]


def _experiment(market: Market, name: str, protocol: str, sessions: int, days: int = 1) -> Experiment:
    parameters = {"from_worst": True} if name == "shaver" else {}  # as in the exchange it is compared with
    return Experiment(market, (make_strategy(name, parameters),), protocol, sessions=sessions, days=days)


def _zero_intelligence() -> Iterator[Check]:
    figures = {  # efficiency, alpha [%] and mean price [ticks] by protocol
        "A": ((96.31, 19.9, 200.1), (96.28, 18.9, 200.3), (92.97, 24.3, 200.1)),
        "B": ((100.0, 11.5, 215.2), (100.0, 12.6, 219.9), (98.54, 19.8, 232.4)),
        "E": ((100.0, 21.0, 252.9), (100.0, 21.0, 249.4), (99.71, 25.0, 240.6)),
    }
    for name, market in MARKETS.items():
        for protocol, (efficiency, alpha, price) in zip(("P1", "P2", "P3"), figures[name], strict=True):
            digits = 0.5 if name == "E" else 0.05
            experiment = _experiment(market, "zi_c", protocol, 3072)
            targets = (
                Target("efficiency", efficiency, 3000, 0.005),
                Target("alpha", alpha, 3000, digits),
                Target("mean_price", price, 3000, 0.05),
            )
            yield Check(f"ZI-C, market {name}, {protocol}", experiment, targets)
            if protocol == "P3":
                title = f"ZI-C, market {name}, P3, equal prices refused"
                yield Check(title, replace(experiment, ties=False), targets)


def _identities() -> Iterator[Check]:
    for market, efficiency in ((SYMMETRIC, 0.0), (FLAT_DEMAND, 97.0 + 7.0 / 9.0)):
        yield Check(
            f"ZI-U, market {market.name}, P2, until all have traded",
            _experiment(market, "zi_u", "P2", 256),
            (Target("efficiency", efficiency, 0, source="identity (sum of values - sum of costs) / S*"),),
        )


def _budgets() -> Iterator[Check]:
    budgets = {50: (47.4, 48.4), 100: (71.3, 71.1), 200: (88.8, 86.9), 500: (95.5, 94.1), 1000: (96.2, 95.3)}
    for activations, pair in budgets.items():
        for protocol, efficiency in zip(("P1", "P2"), pair, strict=True):
            experiment = _experiment(SYMMETRIC, "zi_c", protocol, 3072)
            yield Check(
                f"ZI-C, market A, {protocol}, {activations} activations",
                replace(experiment, activations=activations, idle_polls=True),
                (Target("efficiency", efficiency, 3000, 0.05),),
            )


def _zip() -> Iterator[Check]:
    days = (0, 1, 2, 4, 9, 14)
    alphas = {
        "A": (16.2, 5.7, 3.1, 1.4, 1.2, 1.2),
        "B": (13.4, 3.5, 1.4, 0.8, 0.8, 0.8),
        "E": (23.3, 10.5, 5.3, 1.5, 1.1, 1.2),
    }
    for name, market in MARKETS.items():
        targets = [
            Target("alpha", alpha, 300, 0.05, day) for day, alpha in zip(days, alphas[name], strict=True)
        ]
        if name == "A":
            shares = (95.0, 99.0, 99.8, 100.0, 100.0, 100.0)
            targets += [
                Target("efficiency", share, 300, 0.05, day) for day, share in zip(days, shares, strict=True)
            ]
        yield Check(f"ZIP, market {name}, P3", _experiment(market, "zip", "P3", 384, 15), tuple(targets))


def _exchange() -> Iterator[Check]:
    figures = {
        "zi_c": ("ZIC", 95.51, 5.79, 20.75, 206.7),
        "shaver": ("SHVR", 94.93, 5.94, 11.22, 219.8),
        "tariff_bound": ("GVWY", 66.18, 8.18, 30.26, 198.3),
    }
    for name, (label, efficiency, trades, alpha, price) in figures.items():
        yield Check(
            f"{name} against {label} of the Bristol Stock Exchange, P2",
            replace(_experiment(BSE_MARKET, name, "P2", 128, 10), activations=1320, idle_polls=True),
            (
                Target("efficiency", efficiency, 30, source="BSE"),
                Target("trades", trades, 30, source="BSE"),
                Target("alpha", alpha, 30, source="BSE"),
                Target("mean_price", price, 30, source="BSE"),
            ),
        )


def _learners() -> Iterator[Check]:
    aa = _experiment(BSE_MARKET, "aa", "P2", 128, 10)
    yield Check(
        "AA on the Bristol Stock Exchange's schedule, P2: at least ZI-C",
        replace(aa, activations=1320, idle_polls=True),
        (Target("efficiency", 95.51, 30, source="BSE (ZIC)", at_least=True),),
    )
    source = "Gjerstad & Dickhaut 1998 (criterion)"
    for name in ("gd", "mgd"):
        for market, protocol in (
            *((each, "P3") for each in MARKETS.values()),
            (SYMMETRIC, "P1"),
            (SYMMETRIC, "P2"),
        ):
            experiment = replace(_experiment(market, name, protocol, 128, 6), activations=2000)
            yield Check(
                f"{name.upper()}, market {market.name}, {protocol}: efficiency at least 98 %",
                experiment,
                (Target("efficiency", 98.0, 0, source=source, at_least=True),),
            )


def _mixed() -> Iterator[Check]:
    """Return who must earn more than whom when both trade in one market, half of each side each."""
    ranks = (
        ("aa", "zi_c", "P2", "Vytelingum et al. 2008 (rank)"),
        ("zip", "zi_c", "P2", "Tesauro & Das 2001 (rank)"),
        ("zip", "zi_c", "P3", "Tesauro & Das 2001 (rank)"),
        ("mgd", "zi_c", "P2", "Tesauro & Das 2001 (rank)"),
        ("mgd", "zip", "P2", "Tesauro & Das 2001 (rank)"),
        ("mgd", "zip", "P3", "Tesauro & Das 2001 (rank)"),
    )
    for better, worse, protocol, source in ranks:
        traders = make_strategy(better), make_strategy(worse)
        yield Check(
            f"{better} among {worse}, market A, {protocol}: earns more",
            Experiment(SYMMETRIC, traders, protocol, sessions=256, days=6, activations=1000),
            (Target("lead", 0.0, 0, source=source, at_least=True, clearly=True),),
        )
