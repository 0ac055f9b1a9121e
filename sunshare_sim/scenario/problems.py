"""What is wrong with a scenario, one record a mistake, so that all of them can be shown at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from sunshare_sim.errors import ScenarioError, describe

LONGEST: Final = 60

KeyPath = tuple[str | int, ...]
"""Where a value stands in a scenario, such as ``("households", "groups", 0, "name")``."""


class Place(NamedTuple):
    """Say where a value was written.

    Attributes
    ----------
    source : str
        Path of the file as the user gave it, or the override.
    line, column : int
        Counted from 1; 0 where there is none.
    folder : Path
        What relative paths written here are relative to.
    """

    source: str
    line: int = 0
    column: int = 0
    folder: Path = Path()

    def __str__(self) -> str:
        """Return ``file:line:column``, as editors and terminals take it."""
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Shown(str):
    """A text that shows itself without quotes in a message."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the text as it is."""
        return str(self)


class Problem(NamedTuple):
    """Hold one mistake: where it was written, the key it concerns, and what would have been right."""

    place: Place
    path: KeyPath
    what: str
    got: object = None
    expected: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        """Return the mistake on one line."""
        where = ": ".join(part for part in (str(self.place), dotted(self.path)) if part)
        text = describe(self.what, where=where, got=self.got, expected=self.expected, hint=self.hint)
        # One mistake is one line, whatever a key contains.
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def dotted(path: KeyPath) -> str:
    """Return a path as users write it.

    >>> dotted(("households", "groups", 0, "name"))
    'households.groups[0].name'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def shown(value: Any) -> Shown:
    """Return a value as a message shows it: short, and in YAML's words."""
    if value is None or isinstance(value, bool):
        return Shown("null" if value is None else str(value).lower())
    text = repr(value)
    return Shown(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


def refuse(problems: Iterable[Problem]) -> ScenarioError:
    """Return the error that reports all problems: file by file, line by line, overrides last."""
    found = list(dict.fromkeys(problems))
    sources = list(dict.fromkeys(p.place.source for p in found if p.place.line))
    sources += dict.fromkeys(p.place.source for p in found if not p.place.line)
    found.sort(key=lambda p: (sources.index(p.place.source), p.place.line, p.place.column))
    return ScenarioError("\n".join(str(problem) for problem in found))
