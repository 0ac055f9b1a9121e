"""Every error of the package, in one small tree.

    SunShareError
    ├── ScenarioError   a scenario file or an override is wrong
    ├── InputError      a data file or bundled data set is missing, malformed or implausible
    ├── OrderError      an order the book cannot take
    ├── StrategyError   a strategy returned something it must not
    ├── NetworkError    a feeder that is meshed, disconnected or overloaded
    ├── LedgerError     a settlement call that reverts, or a balance that does not hold
    └── ResultError     a run folder that cannot be written or read

A message says what is wrong, where, what was got, what was expected, and the nearest valid name.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class SunShareError(Exception):
    """Base of every error the package raises on purpose."""


class ScenarioError(SunShareError):
    """Report every mistake of a scenario at once, one line each."""


class InputError(SunShareError):
    """Report an input file or data set that cannot be used as it is."""


class OrderError(SunShareError, ValueError):
    """Report an order the book refuses; the book is unchanged."""


class StrategyError(SunShareError):
    """Report a strategy that broke its contract: cohort, slot, home and value."""


class NetworkError(SunShareError):
    """Report a feeder that cannot carry what is asked of it."""


class LedgerError(SunShareError):
    """Report a reverted ledger call or a broken conservation law; nothing was changed."""


class ResultError(SunShareError):
    """Report a run folder that cannot be written, read or trusted."""


class SunShareWarning(UserWarning):
    """Warn of something legal but implausible, with the numbers that make it so."""


def describe(
    what: str, *, where: str = "", got: object = None, expected: object = None, hint: str = ""
) -> str:
    """Compose an error message in the house's order: where, what, got, expected, hint.

    >>> describe("unknown mechanism", where="market.mechanism", got="cdaa", expected="cda or none")
    "market.mechanism: unknown mechanism; got 'cdaa'; expected cda or none"
    """
    parts = [f"{where}: {what}" if where else what]
    if got is not None:
        parts.append(f"got {got!r}")
    if expected is not None:
        parts.append(f"expected {expected}")
    if hint:
        parts.append(hint)
    return "; ".join(parts)


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Suggest the valid name nearest to `name`, or return an empty string.

    >>> did_you_mean("solr", ["solar", "battery"])
    "did you mean 'solar'?"
    """
    close = get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""
