"""The variants of a study: each the base with what it sets and nothing else, every mistake at its line."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.load import scenario_of
from sunshare_sim.scenario.overrides import PATH, as_node, parse_path, set_value
from sunshare_sim.scenario.problems import Place, Problem
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.scenario.yamlmarks import Node
from sunshare_sim.studies.design import grid_names, grid_points, sample_names, sample_points
from sunshare_sim.studies.naming import ALLOWED, BASE, LONGEST
from sunshare_sim.studies.schema import StudyFile

SILENT: Final = ("name", "description", "seed", "results")
"""Keys of a scenario that change nothing of what happens in a run, given its seed."""
SHOWN: Final = 3


@dataclass(frozen=True)
class Variant:
    """Hold one variant: what it changes, and the scenario that follows."""

    name: str
    description: str
    changes: Mapping[str, Any]
    scenario: Scenario


class Variants(NamedTuple):
    """Hold all variants, the base first, and notes on points that were left out."""

    variants: tuple[Variant, ...]
    notes: tuple[str, ...]


class Start(NamedTuple):
    """Hold what variants start from: the base as a tree and as a scenario, and the names it may use."""

    tree: Node
    scenario: Scenario
    names: Names


class Change(NamedTuple):
    """Hold what a variant sets, with the places where it was written; `origin` is its section of the study file."""

    origin: str
    name: str
    description: str
    values: Mapping[str, Node]
    key: Place


def make_variants(study: Node, file: StudyFile, start: Start, problems: list[Problem]) -> Variants:
    """Return the base and all variants; what is wrong with them is added to `problems`.

    A named variant must change something, and not what another changes in the same way. Points of the grid or the
    sample may be the base, or equal each other: they are left out, and a note says so.
    """
    names = {BASE: ""}
    variants = [Variant(BASE, "the base", {}, start.scenario)]
    seen = {_content(start.scenario): BASE}
    twins: dict[str, list[tuple[Change, str]]] = {"variants": [], "grid": [], "sample": []}
    for change in _changes(study, file, start.scenario.seed):
        if what := _name_problem(change.name, names):
            problems.append(Problem(change.key, (change.origin, change.name), what, change.name))
        names.setdefault(change.name.casefold(), change.name)
        scenario = _scenario(change, start, problems)
        if scenario is None:
            continue
        twin = seen.setdefault(_content(scenario), change.name)
        if twin != change.name:
            twins[change.origin].append((change, twin))
            continue
        values = {key: node.plain() for key, node in change.values.items()}
        variants.append(Variant(change.name, change.description, values, scenario))
    problems += [_no_change(change, twin) for change, twin in twins["variants"]]
    notes = []
    for origin in ("grid", "sample"):
        points = twins[origin]
        made = sum(variant.description == DESCRIPTIONS[origin] for variant in variants)
        if points and not made and not problems:
            problems.append(_no_change(*points[0]))
        notes += [_note(origin, points)] if points else []
    return Variants(tuple(variants), tuple(notes))


DESCRIPTIONS: Final = {"grid": "a point of the grid", "sample": "a point of the sample"}


def nodes_at(tree: Node, *path: str) -> dict[str, Node]:
    """Return the values of a mapping in the study file; empty where it is not given."""
    node, steps = tree.find(path)
    return dict(node.value) if steps == len(path) and isinstance(node.value, dict) else {}


def with_values(tree: Node, values: Mapping[str, Node], problems: list[Problem]) -> Node:
    """Return a scenario's tree with values set by dotted path, each keeping the place where it was written."""
    for key, node in values.items():
        if not PATH.fullmatch(key):
            expected = "a dotted path, such as market.tick or households.groups[0].solar.share"
            problems.append(Problem(node.key, (), "not a scenario key", key, expected))
            continue
        path = parse_path(key)
        if path == ("seed",):
            hint = "use `replications` or `seeds`: base and variants share them, so that they can be paired"
            problems.append(Problem(node.key, path, "a variant does not change the seed", None, None, hint))
            continue
        tree = set_value(tree, path, node, problems)
    return tree


def _changes(study: Node, file: StudyFile, seed: int) -> Iterator[Change]:
    """Yield named variants, then points of the grid, then points of the sample."""
    for name, node in nodes_at(study, "variants").items():
        yield Change("variants", name, file.variants[name].description, nodes_at(node, "set"), node.key)
    taken = [BASE, *file.variants]
    if file.grid:
        key = study.value["grid"].key
        points = grid_points(
            {
                name: [item._replace(key=node.key) for item in node.value]
                for name, node in nodes_at(study, "grid").items()
            }
        )
        names = grid_names(file.grid, taken)
        taken += names
        for name, point in zip(names, points, strict=True):
            yield Change("grid", name, DESCRIPTIONS["grid"], point, key)
    if file.sample is not None:
        key, nodes = study.value["sample"].key, nodes_at(study, "sample", "keys")
        drawn = sample_points(file.sample, seed)
        for name, values in zip(sample_names(file.sample, taken), drawn, strict=True):
            point = {
                name: as_node(value, nodes[name].place)._replace(key=nodes[name].key)
                for name, value in values.items()
            }
            yield Change("sample", name, DESCRIPTIONS["sample"], point, key)


def _scenario(change: Change, start: Start, problems: list[Problem]) -> Scenario | None:
    found: list[Problem] = []
    tree = with_values(start.tree, change.values, found)
    scenario = scenario_of(tree, start.names, found) if not found else None
    here = {node.place for node in change.values.values()} | {node.key for node in change.values.values()}
    for problem in found:
        # A mistake that shows in the base's file is made by the variant all the same: say which.
        what = problem.what if problem.place in here else f"{problem.what} (in variant {change.name!r})"
        problems.append(problem._replace(what=what))
    return None if found else scenario


def _content(scenario: Scenario) -> str:
    return scenario.model_dump_json(exclude=set(SILENT))


def _name_problem(name: str, taken: Mapping[str, str]) -> str:
    if name.casefold() == BASE:
        return "the base has this name already"
    if name.casefold() in taken:
        return f"differs from variant {taken[name.casefold()]!r} in capitals only"
    if not name or ALLOWED.search(name.replace(",", "")) or len(name) > LONGEST + 9 or name[0] in ".-":
        return "not a name for a variant: letters, digits and . , _ = + -, neither dot nor dash first"
    return ""


def _no_change(change: Change, twin: str) -> Problem:
    what = "changes nothing of the base" if twin == BASE else f"changes the same as variant {twin!r}"
    keys = ", ".join(change.values)
    hint = (
        f"`{'`, `'.join(SILENT)}` do not count"
        if set(SILENT) & {key.split(".")[0] for key in change.values}
        else ""
    )
    path = (change.origin, change.name) if change.origin == "variants" else (change.origin,)
    return Problem(change.key, path, what, f"{keys} as it is", "another value", hint)


def _note(origin: str, points: Iterable[tuple[Change, str]]) -> str:
    texts = [f"{change.name} is {'the base' if twin == BASE else twin}" for change, twin in points]
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return f"points of the {origin} that are not run twice: {'; '.join(texts[:SHOWN])}{more}"
