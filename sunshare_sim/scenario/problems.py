"""What is wrong with a scenario, one record a mistake, so that all of them can be shown at once."""

from collections.abc import Iterable
from pathlib import Path
from reprlib import Repr
from typing import Any, Final, NamedTuple

from sunshare_sim.errors import ScenarioError, describe

SHORT: Final = Repr(maxstring=60, maxother=60, maxlist=4, maxdict=3, maxlevel=2)

Path_ = tuple[str | int, ...]
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
    path: Path_
    what: str
    got: object = None
    expected: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        """Return the mistake on one line."""
        where = ": ".join(part for part in (str(self.place), dotted(self.path)) if part)
        return describe(self.what, where=where, got=self.got, expected=self.expected, hint=self.hint)


def dotted(path: Path_) -> str:
    """Return a path as users write it.

    >>> dotted(("households", "groups", 0, "name"))
    'households.groups[0].name'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def shown(value: Any) -> Shown:
    """Return a value as a message shows it: short, and in YAML's words."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return Shown(words[value])
    return Shown(SHORT.repr(value))


def refuse(problems: Iterable[Problem]) -> ScenarioError:
    """Return the error that reports all problems: files in the order of reading, lines in that of the file."""
    found = list(dict.fromkeys(problems))
    sources = list(dict.fromkeys(problem.place.source for problem in found))
    found.sort(key=lambda p: (sources.index(p.place.source), p.place.line, p.place.column))
    return ScenarioError("\n".join(str(problem) for problem in found))
