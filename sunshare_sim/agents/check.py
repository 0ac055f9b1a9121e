"""Conformance checks for strategies: what each must keep, tried in a short made-up market, told in plain words."""

import pickle
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, Tape, View, check_quotes
from sunshare_sim.errors import StrategyError, describe
from sunshare_sim.streams import stream
from sunshare_sim.units import FloatArray, IntArray

HOMES: Final = 7
TICK: Final = 0.001
CAP: Final = 0.42


@dataclass(frozen=True)
class Verdict:
    """Hold what one check found: an empty `problem` is a pass."""

    check: str
    problem: str


@dataclass(frozen=True)
class Report:
    """Show all verdicts on a strategy; its text and its notebook table say what failed and how.

    Attributes
    ----------
    strategy : str
        What was checked.
    verdicts : tuple of Verdict
        One a check.
    """

    strategy: str
    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Return whether every check passed."""
        return not any(verdict.problem for verdict in self.verdicts)

    def __repr__(self) -> str:
        width = max(len(verdict.check) for verdict in self.verdicts)
        lines = [f"{v.check:<{width}}  {v.problem or 'ok'}" for v in self.verdicts]
        return f"{self.strategy}: {'keeps its contract' if self.ok else 'BREAKS its contract'}\n" + "\n".join(
            lines
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(v.check)}</td><td>{escape(v.problem) or 'ok'}</td></tr>" for v in self.verdicts
        )
        return f"<p><b>{escape(self.strategy)}</b></p><table>{rows}</table>"

    def require(self) -> None:
        """Raise when a check failed.

        Raises
        ------
        StrategyError
            With the report as its text.
        """
        if not self.ok:
            raise StrategyError(repr(self))


def check_strategy(strategy: Strategy, *, seed: int = 1) -> Report:
    """Run every contract test on a strategy and report what failed.

    Parameters
    ----------
    strategy : Strategy
        What to check, with its parameters set.
    seed : int
        Seed of the made-up market and of the strategy's stream.

    Raises
    ------
    StrategyError
        When it is no strategy but, say, a class.

    >>> from sunshare_sim.agents.basic import TariffBound
    >>> check_strategy(TariffBound()).ok
    True
    """
    given: Any = strategy
    if not isinstance(given, Strategy):
        hint = f"check_strategy({given.__name__}())" if isinstance(given, type) else ""
        raise StrategyError(
            describe("not a strategy", where="check_strategy", got=given, expected="an instance", hint=hint)
        )
    verdicts = []
    for title, check in _CHECKS:
        try:
            problem = check(strategy, seed)
        except StrategyError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - a user's strategy may fail in any way; the report says how
            problem = f"{type(error).__name__}: {error}"
        verdicts.append(Verdict(title, problem))
    return Report(repr(strategy), tuple(verdicts))


def _scenes(seed: int, homes: int = HOMES) -> Iterator[tuple[View, Tape]]:
    """Make up some slots of two rounds with deficits, surpluses and idle homes, and the tape after each round."""
    rng = stream(seed, "check", "scenes")
    none = Tape(*np.empty((6, 0)))
    tape = none._replace(side=np.empty(0, dtype=np.int64))
    for slot in range(6):
        net = np.round(rng.normal(0.0, 1.0, homes), 6) * (rng.random(homes) < 0.8)
        soc = rng.random(homes) * 5.0
        retail, feed_in = 0.3 + 0.1 * (slot % 2), 0.08 * (slot != 3)
        for turn in range(2):
            bid, ask = np.round(np.sort(rng.uniform(0.1, 0.3, 2)), 3)
            quoted = slot > 0 or turn > 0
            yield (
                View(
                    slot=slot,
                    net_kwh=net * (0.5 if turn else 1.0),
                    side=np.sign(net),
                    soc_kwh=soc,
                    retail_price=retail,
                    feed_in_price=feed_in,
                    last_price=0.2,
                    cap_price=CAP,
                    rng=rng,
                    best_bid=float(bid) if quoted else np.nan,
                    best_ask=float(ask) if quoted else np.nan,
                    tape=tape,
                    tick=TICK,
                    round=turn,
                    hour=4.0 * slot,
                    weekday=slot + 1,
                    gain=0.05 * np.abs(net) * (turn > 0),
                ),
                tape := _made_up_tape(rng),
            )


def _made_up_tape(rng: np.random.Generator) -> Tape:
    """Return some random public orders, a third of them taken."""
    count = int(rng.integers(0, 9))
    price = np.round(rng.uniform(0.05, 0.4, count), 3)
    taken = rng.random(count) < 0.35
    return Tape(
        side=rng.choice(np.array([1, -1]), count),
        order_price=price,
        order_quantity=np.ones(count),
        price=price[taken],
        quantity=np.ones(int(taken.sum())),
        taken_at=np.where(taken, price, np.nan),
    )


Change = Callable[[View], View]


def _play(strategy: Strategy, seed: int, change: Change | None = None) -> list[Quotes]:
    """Let a fresh cohort quote and learn through all scenes; return its quotes."""
    rng = stream(seed, "check", "cohort")
    memory = strategy.start(HOMES, rng)
    quotes = []
    for scene, tape in _scenes(seed):
        view = replace(scene, rng=rng, memory=memory)
        if change is not None:
            view = change(view)
        quotes.append(strategy.quote(view))
        strategy.learn(view, tape)
    return quotes


def _play_one_by_one(strategy: Strategy, seed: int) -> list[Quotes]:
    """Do the same with views of one home each."""
    rng = stream(seed, "check", "cohort")
    memory = strategy.start(HOMES, rng)
    rows = [slice(home, home + 1) for home in range(HOMES)]
    quotes = []
    for scene, tape in _scenes(seed):
        view = replace(scene, rng=rng, memory=memory)
        single = [strategy.quote(view.of(row)) for row in rows]
        quotes.append(Quotes(*(np.concatenate(each) for each in zip(*single, strict=True))))
        for row in rows:
            strategy.learn(view.of(row), tape)
    return quotes


def _difference(one: list[Quotes], other: list[Quotes], rows: slice | IntArray = slice(None)) -> str:
    """Say where two sequences of quotes differ first; empty when they do not."""
    for turn, (a, b) in enumerate(zip(one, other, strict=True)):
        for name, left, right in zip(Quotes._fields, a, b, strict=True):
            same = np.isclose(
                np.asarray(left)[rows], np.asarray(right)[rows], rtol=1e-12, atol=1e-12, equal_nan=True
            )
            if not same.all():
                home = int(np.argmin(same))
                values = f"{np.asarray(left)[rows][home]!r} and {np.asarray(right)[rows][home]!r}"
                return f"{name} of home {home} differs in quote {turn}: {values}"
    return ""


def _bounds(strategy: Strategy, seed: int) -> str:
    for quotes, (view, _) in zip(_play(strategy, seed), _scenes(seed), strict=True):
        check_quotes(quotes, view, cohort=type(strategy).__name__)
    return ""


def _limits(strategy: Strategy, seed: int) -> str:
    if not strategy.keeps_limit:
        return ""
    for quotes, (view, _) in zip(_play(strategy, seed), _scenes(seed), strict=True):
        worse = (quotes.price - view.limit_price) * view.side
        worse = np.where(quotes.quantity > 0, worse, 0.0)
        if worse.max(initial=0.0) > TICK + 1e-9:
            home = int(np.argmax(worse))
            return describe(
                "price beyond the home's own limit",
                where=f"slot {view.slot}, home {home}",
                got=float(quotes.price[home]),
                expected=f"a limit of {view.limit_price[home]:g}, or `keeps_limit = False`",
            )
    return ""


def _seeded(strategy: Strategy, seed: int) -> str:
    python, legacy = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    problem = _difference(_play(strategy, seed), _play(strategy, seed))
    if problem:
        return f"same seed, other quotes: {problem}"
    if random.getstate() != python or np.random.get_state()[1].tolist() != legacy:  # type: ignore[index]
        return "draws from a global random generator; use view.rng"
    return ""


def _private(strategy: Strategy, seed: int) -> str:
    def meddle(view: View) -> View:
        """Change the meters and batteries of all homes but the first."""
        factor = np.concatenate([[1.0], np.full(HOMES - 1, 3.0)])
        return replace(view, net_kwh=view.net_kwh * factor, soc_kwh=view.soc_kwh * factor)

    problem = _difference(_play(strategy, seed), _play(strategy, seed, meddle), slice(0, 1))
    return f"looks at other homes' meters or batteries: {problem}" if problem else ""


def _one_by_one(strategy: Strategy, seed: int) -> str:
    problem = _difference(_play(strategy, seed), _play_one_by_one(strategy, seed))
    return f"cohort and single homes disagree: {problem}" if problem else ""


def _any_order(strategy: Strategy, seed: int) -> str:
    """Turn the homes round; only for strategies that draw nothing when they quote or learn."""
    probe = stream(seed, "check", "cohort")
    strategy.start(HOMES, probe)
    before = probe.bit_generator.state
    rng, memory = probe, strategy.start(HOMES, stream(seed, "check", "cohort"))
    other = strategy.start(HOMES, stream(seed, "check", "cohort"))
    turned = np.arange(HOMES)[::-1]
    if other is not None:
        other = type(other)(*(np.ascontiguousarray(each[turned]) for each in other))
    straight, backward = [], []
    for scene, tape in _scenes(seed):
        view = replace(scene, rng=rng, memory=memory)
        straight.append(strategy.quote(view))
        strategy.learn(view, tape)
        mirror = replace(replace(scene, rng=rng).of(turned), memory=other)
        backward.append(Quotes(*(np.asarray(each)[turned] for each in strategy.quote(mirror))))
        strategy.learn(mirror, tape)
    if rng.bit_generator.state != before:
        return ""
    problem = _difference(straight, backward)
    return f"depends on the order of the homes: {problem}" if problem else ""


def _pickles(strategy: Strategy, seed: int) -> str:
    copy = pickle.loads(pickle.dumps(strategy))  # noqa: S301 - our own bytes
    problem = _difference(_play(strategy, seed), _play(copy, seed))
    return f"another strategy after pickling: {problem}" if problem else ""


def _leaves_alone(strategy: Strategy, seed: int) -> str:
    before = pickle.dumps(strategy)

    def lock(view: View) -> View:
        for name in ("net_kwh", "side", "soc_kwh"):
            own: FloatArray = getattr(view, name)
            own.setflags(write=False)
        return view

    _play(strategy, seed, lock)
    return (
        ""
        if pickle.dumps(strategy) == before
        else "the strategy object changes; keep what is learned in view.memory"
    )


def _remembers(strategy: Strategy, seed: int) -> str:
    memory: Any = strategy.start(HOMES, stream(seed, "check", "cohort"))
    if memory is None:
        return ""
    if not (isinstance(memory, tuple) and hasattr(memory, "_fields")):
        return f"memory is a {type(memory).__name__}; expected a NamedTuple of arrays"
    for name, each in zip(memory._fields, memory, strict=True):
        if np.shape(each)[:1] != (HOMES,):
            return f"memory.{name} has shape {np.shape(each)}; expected one row for each of {HOMES} homes"
    return ""


_CHECKS: Final[tuple[tuple[str, Callable[[Strategy, int], str]], ...]] = (
    ("quotes have shape, numbers and bounds", _bounds),
    ("keeps its homes' own limits, if it claims to", _limits),
    ("same seed, same quotes; no global randomness", _seeded),
    ("sees no other home's meter or battery", _private),
    ("memory has one row a home", _remembers),
    ("one home at a time gives the same", _one_by_one),
    ("order of the homes does not matter", _any_order),
    ("pickles", _pickles),
    ("leaves view and itself unchanged", _leaves_alone),
)
