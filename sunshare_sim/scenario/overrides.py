"""Change single values of a scenario from outside its file: `--set market.tick=0.001`, or a mapping in Python."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sunshare_sim.scenario.problems import KeyPath, Place, Problem, dotted, shown
from sunshare_sim.scenario.yamlmarks import Node, read_value

NO_LIST: Final = "a list in the file"
PATH: Final = re.compile(r"[^.\[\]\s=]+(\[\d+\])*(\.[^.\[\]\s=]+(\[\d+\])*)*")


def apply_overrides(
    tree: Node, overrides: Sequence[str] | Mapping[str, Any], problems: list[Problem]
) -> Node:
    """Return the tree with all overrides set, in their order.

    A value that is set replaces what was there, as a whole. Setting `source` to another form of a section drops the
    keys of the form that was there.
    """
    if isinstance(overrides, str):
        overrides = [overrides]
    given = overrides.items() if isinstance(overrides, Mapping) else [(text, None) for text in overrides]
    for name, value in given:
        from_python = isinstance(overrides, Mapping)
        place = Place(f"override {name}" if from_python else f"--set {name}", folder=Path())
        key, separator, text = (name, "=", "") if from_python else name.partition("=")
        if not separator or not PATH.fullmatch(key.strip()):
            expected = "a dotted path, such as market.tick or households.groups[0].solar.share"
            problems.append(
                Problem(place, (), "not a path and a value", key, f"KEY=VALUE, KEY being {expected}")
            )
            continue
        path = parse_path(key.strip())
        node = as_node(value, place) if from_python else read_value(text, place, path, problems)
        if node is not None:
            tree = set_value(tree, path, node, problems)
    return tree


def set_value(tree: Node, path: KeyPath, value: Node, problems: list[Problem]) -> Node:
    """Return the tree with `value` at `path`; if there is no such place, a problem more and the tree as it is."""
    return _set(tree, path, value, path, problems)


def parse_path(text: str) -> KeyPath:
    """Return a dotted path as its parts.

    >>> parse_path("households.groups[0].name")
    ('households', 'groups', 0, 'name')
    """
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", text)
    return tuple(int(index) if index else name for index, name in parts)


def _set(tree: Node, path: KeyPath, value: Node, whole: KeyPath, problems: list[Problem]) -> Node:
    if not path:
        return value
    part, rest = path[0], path[1:]
    here = whole[: len(whole) - len(path)]
    if isinstance(part, int):
        items = tree.value
        if not isinstance(items, list) or part >= len(items):
            expected = f"[0] to [{len(items) - 1}]" if isinstance(items, list) and items else NO_LIST
            problems.append(Problem(value.place, (*here, part), "no such item", None, expected))
            return tree
        changed = _set(items[part], rest, value, whole, problems)
        return tree._replace(value=[*items[:part], changed, *items[part + 1 :]])
    held = {} if tree.value is None else tree.value
    if not isinstance(held, dict):
        got = shown(tree.plain())
        problems.append(Problem(value.place, (*here, part), f"{dotted(here)} has no keys", got, "a section"))
        return tree
    if part == "source" and not rest and "source" in held and held["source"].value != value.value:
        held = {}
    if part not in held and rest and isinstance(rest[0], int):
        problems.append(Problem(value.place, (*here, *path[:2]), "no such item", None, NO_LIST))
        return tree
    inner = held.get(part, Node({} if rest else None, value.key, value.key))
    return tree._replace(value={**held, part: _set(inner, rest, value, whole, problems)})


def as_node(value: Any, place: Place) -> Node:
    """Return a Python value as a tree; numpy's scalars and arrays become Python's."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, Mapping):
        value = {str(key): as_node(item, place) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        value = [as_node(item, place) for item in value]
    return Node(value, place, place)
