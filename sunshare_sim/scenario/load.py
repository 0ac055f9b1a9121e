"""Read a scenario file: bases and overrides merged, every mistake at once with file and line, paths made absolute.

A scenario that was loaded can be written out with every default (`dump`), and has one hash (`scenario_hash`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.canonical import dump, json_schema, scenario_hash
from sunshare_sim.scenario.diagnose import diagnose
from sunshare_sim.scenario.keys import ITEM, all_keys, is_file
from sunshare_sim.scenario.overrides import apply_overrides
from sunshare_sim.scenario.problems import KeyPath, Problem, refuse, shown
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.scenario.yamlmarks import Node, read_yaml

__all__ = ["dump", "json_schema", "load_scenario", "scenario_hash"]

EXTENDS: Final = "extends"


def load_scenario(
    path: str | Path, *, overrides: Sequence[str] | Mapping[str, Any] = (), names: Names | None = None
) -> Scenario:
    """Return the scenario of a file.

    Parameters
    ----------
    path : str or Path
        The scenario file.
    overrides : sequence of str or mapping
        Changes, as ``["market.tick=0.001"]`` or ``{"market.tick": 0.001}``.
    names : Names, optional
        Names of mechanisms and strategies; without them any name will do here.

    Raises
    ------
    ScenarioError
        When there is anything wrong; one line a mistake, with file, line and column.
    """
    problems: list[Problem] = []
    tree = read_tree(Path(path), problems)
    if tree is None:
        raise refuse(problems)
    tree = apply_overrides(tree, overrides, problems)
    scenario = scenario_of(tree, names or Names(), problems)
    if scenario is None or problems:
        raise refuse(problems)
    return scenario


def read_tree(file: Path, problems: list[Problem]) -> Node | None:
    """Return the tree of a scenario file with its bases merged in; None if any of them cannot be read."""
    return _read(file, (), problems)


def extended(tree: Node, file: Path, problems: list[Problem]) -> Node | None:
    """Return a scenario's tree that was written inside another `file`, with its bases merged in, like `read_tree`."""
    return _with_bases(tree, file, (), problems)


def scenario_of(tree: Node, names: Names, problems: list[Problem]) -> Scenario | None:
    """Return the scenario of a tree, or None; what is wrong is added to `problems`."""
    tree = _resolve_files(tree, problems)
    try:
        return Scenario.model_validate(tree.plain(), context=names)
    except ValidationError as error:
        problems += diagnose(error.errors(include_url=False), tree)
        return None


def slug(text: str) -> str:
    """Return a text as a scenario's name: lower-case letters, digits, ``-`` and ``_``.

    >>> slug("My Village (2)")
    'my-village-2'
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_") or "scenario"


def _read(file: Path, open_files: tuple[Path, ...], problems: list[Problem]) -> Node | None:
    """Return the tree of a file with its bases merged in; None if any of them cannot be read."""
    tree = read_yaml(file, problems)
    return None if tree is None else _with_bases(tree, file, open_files, problems)


def _with_bases(tree: Node, file: Path, open_files: tuple[Path, ...], problems: list[Problem]) -> Node | None:
    keys = dict(tree.value)
    extends = keys.pop(EXTENDS, None)
    base = _read_base(extends, file, (*open_files, file.resolve()), problems) if extends else None
    # A variant that inherited its base's name would overwrite the base's results.
    named = keys if "name" in keys else {**keys, "name": Node(slug(file.stem), tree.place, tree.place)}
    if extends and base is None:
        return None
    own = tree._replace(value=named)
    return merge(base, own) if base else own


def _read_base(extends: Node, file: Path, chain: tuple[Path, ...], problems: list[Problem]) -> Node | None:
    if not isinstance(extends.value, str) or not extends.value:
        got = shown(extends.plain())
        problems.append(
            Problem(extends.place, (EXTENDS,), "wrong type", got, "the path of one scenario file")
        )
        return None
    base = file.parent / extends.value
    if base.resolve() in chain:
        circle = " -> ".join(f.name for f in (*chain[chain.index(base.resolve()) :], base))
        problems.append(Problem(extends.place, (EXTENDS,), f"files extend each other: {circle}"))
        return None
    if not base.is_file():
        expected = "a scenario file, relative to this one"
        problems.append(Problem(extends.place, (EXTENDS,), "no such file", extends.value, expected))
        return None
    return _read(base, chain, problems)


def merge(base: Node, over: Node) -> Node:
    """Return `base` with the keys of `over`: sections merge, everything else is replaced.

    A section that names another `source` is another thing, and replaces the one before as a whole.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    sources = [node.value["source"].value for node in (base, over) if "source" in node.value]
    if len(sources) == 2 and sources[0] != sources[1]:
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return over._replace(value=merged)


def _resolve_files(tree: Node, problems: list[Problem]) -> Node:
    """Return the tree with the paths of data files made absolute, each from the file it was written in."""
    patterns = dict.fromkeys(key.path for key in all_keys() if is_file(key.field))
    for pattern in patterns:
        for path, node in _matches(tree, pattern, ()):
            if isinstance(node.value, str):
                absolute = (node.place.folder / node.value).absolute()
                if not absolute.is_file():
                    what = "this is a folder" if absolute.is_dir() else "no such file"
                    expected = f"a file, relative to {str(node.place.folder)!r}"
                    problems.append(Problem(node.place, path, what, node.value, expected))
                tree = _replace(tree, path, node._replace(value=absolute.as_posix()))
    return tree


def _matches(node: Node, pattern: tuple[str, ...], path: KeyPath) -> Iterator[tuple[KeyPath, Node]]:
    if not pattern:
        yield path, node
    elif pattern[0] == ITEM and isinstance(node.value, list):
        for number, item in enumerate(node.value):
            yield from _matches(item, pattern[1:], (*path, number))
    elif isinstance(node.value, dict) and pattern[0] in node.value:
        yield from _matches(node.value[pattern[0]], pattern[1:], (*path, pattern[0]))


def _replace(tree: Node, path: KeyPath, leaf: Node) -> Node:
    if not path:
        return leaf
    part: Any = path[0]
    value = list(tree.value) if isinstance(tree.value, list) else dict(tree.value)
    value[part] = _replace(tree.value[part], path[1:], leaf)
    return tree._replace(value=value)
