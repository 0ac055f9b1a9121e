"""Read YAML into a tree that remembers where each value was written.

The rules for plain scalars are those of YAML 1.2's core schema, as in editors: ``1e-4`` is a number, ``no`` and
``12:30`` are texts. Keys that occur twice and values that are missing are mistakes here: YAML would pass over them.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from sunshare_sim.errors import did_you_mean
from sunshare_sim.scenario.problems import KeyPath, Place, Problem, shown

MOST_VALUES: Final = 1_000_000
DEEPEST: Final = 50
MERGE: Final = "<<"
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

PLAIN: Final[tuple[tuple[re.Pattern[str], Callable[[str], object]], ...]] = (
    (re.compile(r"[-+]?[0-9]{1,400}"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"null|Null|NULL|~"), lambda _: None),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)


class Node(NamedTuple):
    """Hold a value and where it, and the key that names it, were written."""

    value: Any
    place: Place
    key: Place

    def plain(self) -> Any:
        """Return the value as YAML means it, without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def find(self, path: KeyPath) -> "tuple[Node, int]":
        """Return the deepest node on the way to `path`, and how many steps led to it."""
        node = self
        for steps, part in enumerate(path):
            held = isinstance(node.value, dict) and part in node.value
            if not held and not (
                isinstance(node.value, list) and isinstance(part, int) and 0 <= part < len(node.value)
            ):
                return node, steps
            node = node.value[part]
        return node, len(path)


def read_yaml(file: Path, problems: list[Problem]) -> Node | None:
    """Return the tree of a YAML file, or None if it cannot be used; what is wrong is added to `problems`."""
    place = Place(str(file), folder=file.parent)
    text = _read_text(file, place, problems)
    if text is None:
        return None
    try:
        root = _compose(text)
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(error, place, text))
        return None
    if not isinstance(root, yaml.MappingNode):
        what = "the file is empty" if root is None else "the file is no mapping of keys to values"
        problems.append(Problem(place, (), what, expected="keys such as `name:` and `households:`"))
        return None
    reader = _Reader(place, problems)
    tree = reader.node(root, (), _mark(place, root.start_mark))
    return tree if reader.values <= MOST_VALUES else None


def _compose(text: str) -> yaml.Node | None:
    """Return the nodes of a text, refusing what is nested so deep that libyaml would crash."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem="nested too deep", problem_mark=mark)
    return yaml.compose(text, Loader=Loader)


def _read_text(file: Path, place: Place, problems: list[Problem]) -> str | None:
    hint, expected = "", "a scenario file"
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        what, hint = "no such file", _similar(file)
    except IsADirectoryError:
        what = "this is a folder"
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        place = place._replace(line=line, column=column)
        what, expected, hint = "the file is not UTF-8", "text in UTF-8", "save it again as UTF-8"
    except OSError as error:
        what = f"cannot be read: {(error.strerror or str(error)).lower()}"
    problems.append(Problem(place, (), what, expected=expected, hint=hint))
    return None


def _similar(file: Path) -> str:
    try:
        return did_you_mean(
            file.name, sorted(p.name for p in file.parent.iterdir() if p.suffix in {".yaml", ".yml"})
        )
    except OSError:
        return f"there is no folder {str(file.parent)!r}"


def read_value(text: str, place: Place, path: KeyPath, problems: list[Problem]) -> Node | None:
    """Return the tree of a value written on the command line; nothing written is no value."""
    try:
        root = _compose(text)
    except yaml.YAMLError as error:
        found = _syntax_problem(error, place, text)
        problems.append(found._replace(place=place, path=path))
        return None
    if root is None or _is_empty(root):
        problems.append(
            Problem(place, path, "no value given", expected="KEY=VALUE", hint="write `null` for none")
        )
        return None
    return _Reader(place, problems, marks=False).node(root, path, place)


def _syntax_problem(error: yaml.YAMLError, place: Place, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        # The reader of libyaml knows the position of a forbidden character only.
        position = getattr(error, "position", 0)
        before = text[:position] if isinstance(position, int) else ""
        line, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
        what = f"not valid YAML: {getattr(error, 'reason', error)}"
        return Problem(place._replace(line=line + 1, column=column + 1), (), what)
    where = place._replace(line=mark.line + 1, column=mark.column + 1)
    lines = text.splitlines()
    line_text = lines[mark.line] if mark.line < len(lines) else ""
    problem, context = getattr(error, "problem", None), getattr(error, "context", None)
    if "another document" in str(problem):
        return Problem(
            where,
            (),
            "the file holds more than one document",
            expected="one scenario a file",
            hint="remove the line `---` or what follows it",
        )
    hint = "indent with spaces: YAML does not take tabs" if "\t" in line_text[: mark.column + 1] else ""
    what = "not valid YAML: " + ", ".join(str(part) for part in (context, problem) if part)
    begun = getattr(error, "context_mark", None)
    if not hint and begun is not None and begun.line != mark.line:
        hint = f"what is not closed begins in line {begun.line + 1}"
    if not hint and "mapping values" in what:
        hint = "check the indentation, and put texts that contain `: ` in quotes"
    return Problem(where, (), what, hint=hint)


def _mark(place: Place, mark: Any) -> Place:
    return Place(place.source, mark.line + 1, mark.column + 1, place.folder)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style and ":null" in node.tag


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == MERGE and not key.style


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    return ((key, value) for key, value in node.value if not _is_merge(key))


class _Reader:
    """Turn nodes of PyYAML into ours, and collect what YAML itself would let pass."""

    def __init__(self, place: Place, problems: list[Problem], *, marks: bool = True) -> None:
        self.place, self.problems, self.marks = place, problems, marks
        self.open: set[int] = set()
        self.values = 0

    def at(self, node: yaml.Node) -> Place:
        return _mark(self.place, node.start_mark) if self.marks else self.place

    def node(self, node: yaml.Node, path: KeyPath, key: Place) -> Node:
        place = self.at(node)
        self.values += 1
        if self.values == MOST_VALUES + 1:
            self.problems.append(
                Problem(
                    place,
                    path,
                    "too many values",
                    expected=f"at most {MOST_VALUES:,}",
                    hint="put series into a CSV or Parquet file",
                )
            )
        if id(node) in self.open:
            self.problems.append(Problem(place, path, "an alias that contains itself", expected="a value"))
        if self.values > MOST_VALUES or id(node) in self.open:
            return Node(None, place, key)
        self.open.add(id(node))
        value = self._content(node, path, place)
        self.open.discard(id(node))
        return Node(value, place, key)

    def _content(self, node: yaml.Node, path: KeyPath, place: Place) -> object:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.node(item, (*path, i), self.at(item)) for i, item in enumerate(node.value)]
        return self._scalar(node, path, place) if isinstance(node, yaml.ScalarNode) else None

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath, place: Place) -> object:
        if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.endswith(":binary"):
            self.problems.append(Problem(place, path, "a tag that a scenario does not know", got=node.tag))
        if node.style or node.tag == "!":
            return node.value
        for pattern, make in PLAIN:
            if pattern.fullmatch(node.value):
                return make(node.value)
        return node.value or None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[object, Node]:
        found: dict[object, Node] = {}
        for key_node, value in _pairs(node):
            key, place = self._key(key_node, path), self.at(key_node)
            here = (*path, key if isinstance(key, int) else str(key))
            if key in found:
                first = found[key].key
                hint = f"it stands in line {first.line} already" if first.line else "it is given twice"
                self.problems.append(Problem(place, here, "the same key twice", hint=hint))
            elif _is_empty(value):
                hint = f"write `{key}: {{}}` for defaults, `{key}: null` for none, or remove the key"
                self.problems.append(Problem(place, here, "a key without a value", hint=hint))
            else:
                found[key] = self.node(value, here, place)
        return self._merged(node, path, found)

    def _key(self, node: yaml.Node, path: KeyPath) -> object:
        if not isinstance(node, yaml.ScalarNode):
            self.problems.append(Problem(self.at(node), path, "a key that is no text", expected="a text"))
            return str(node.start_mark)
        return node.value

    def _merged(self, node: yaml.MappingNode, path: KeyPath, own: dict[object, Node]) -> dict[object, Node]:
        """Add what `<<: *alias` brings in; own keys go first."""
        for key, value in node.value:
            if not _is_merge(key):
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                brought = self.node(source, path, self.at(key)).value
                if isinstance(brought, dict):
                    own = {**brought, **own}
                else:
                    self.problems.append(
                        Problem(self.at(key), path, "`<<` takes a mapping", got=shown(brought))
                    )
        return own
