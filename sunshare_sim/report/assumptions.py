"""The assumptions table: every key of a scenario that differs from its default, and how to run it again."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sunshare_sim.scenario.schema import Scenario

OWN: Final = ("name", "description", "results")


def differing(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """Yield key, value and default of all that a scenario sets otherwise; defaults follow the section's own form."""
    given, base = scenario.model_dump(mode="json"), Scenario().model_dump(mode="json")
    for key in given:
        if key not in OWN:
            yield from _differing(given[key], base.get(key), key)


def _differing(given: Any, base: Any, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(given, Mapping) and isinstance(base, Mapping):
        for key, value in given.items():
            yield from _differing(value, base.get(key), f"{path}.{key}")
    elif isinstance(given, list) and any(isinstance(each, Mapping) for each in given):
        for row, value in enumerate(given):
            before = base[row] if isinstance(base, list) and row < len(base) else None
            yield from _differing(value, before, f"{path}[{row}]")
    elif isinstance(given, Mapping):
        for key, value in given.items():
            yield from _differing(value, None, f"{path}.{key}")
    elif given != base:
        yield path, _shown(given), _shown(base)


def _shown(value: Any) -> str:
    if value is None or value in ([], ""):
        return "\N{EN DASH}"
    if isinstance(value, list):
        text = ", ".join(map(str, value))
        return text if len(text) <= 120 else f"{text[:117]}..."
    return str(value)
