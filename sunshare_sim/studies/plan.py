"""Read a study file and make its plan: every variant as a whole scenario, checked before anything runs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.canonical import scenario_hash
from sunshare_sim.scenario.diagnose import diagnose
from sunshare_sim.scenario.load import extended, read_tree, scenario_of, slug
from sunshare_sim.scenario.overrides import apply_overrides, as_node
from sunshare_sim.scenario.problems import Place, Problem, refuse
from sunshare_sim.scenario.yamlmarks import Node, read_yaml
from sunshare_sim.studies.asked import check_kpis
from sunshare_sim.studies.schema import StudyFile
from sunshare_sim.studies.task import import_modules
from sunshare_sim.studies.variants import Start, Variant, make_variants, nodes_at, with_values

Overrides = Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """Hold a study that is ready to run.

    Attributes
    ----------
    file : StudyFile
        What was asked, in its quick form where that was chosen.
    source : str
        The study file as it was given.
    variants : tuple of Variant
        The base first.
    notes : tuple of str
        What was left out, because it would be run twice.
    quick : bool
        Whether this is the quick form.
    """

    file: StudyFile
    source: str
    variants: tuple[Variant, ...]
    notes: tuple[str, ...]
    quick: bool

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds of the study, of its first batch where it decides by itself how many it needs."""
        return self.more_seeds(self.file.replications)

    def more_seeds(self, number: int) -> tuple[int, ...]:
        """Return the first `number` seeds: those of the file, or counted up from the base's."""
        if self.file.seeds is not None:
            return tuple(self.file.seeds)
        first = self.variants[0].scenario.seed
        return tuple(range(first, first + number))

    @property
    def hash(self) -> str:
        """Return the SHA-256 of what is run under each name: scenarios with their data files, and what is written.

        The number of replications, the key figures and the question are left out: a study can be extended and asked
        again without repeating what it has.
        """
        content = [
            (variant.name, scenario_hash(variant.scenario), variant.scenario.results.model_dump(mode="json"))
            for variant in self.variants
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def make_plan(
    source: str | Path | Mapping[str, Any], *, overrides: Overrides = (), quick: bool = False
) -> Plan:
    """Return the plan of a study.

    Parameters
    ----------
    source : str, Path or mapping
        The study file, or what it would say.
    overrides : sequence of str or mapping
        Changes of the base, and so of every variant, as in `load_scenario`.
    quick : bool
        Whether to plan the small form of the study.

    Raises
    ------
    ScenarioError
        When there is anything wrong with file, base or any variant; one line a mistake, with file, line and column.
    """
    problems: list[Problem] = []
    tree = _study_tree(source, problems)
    file = _validated(tree, problems) if tree is not None else None
    if tree is None or file is None or problems:
        raise refuse(problems)
    _import_modules(file, tree, problems)
    names = _names()
    base = _base_tree(tree, _path_of(source), problems)
    if base is None:
        raise refuse(problems)
    base = apply_overrides(base, overrides, problems)
    base = apply_overrides(base, {"results.figures": False}, problems)
    if quick:
        base = with_values(base, nodes_at(tree, "quick", "set"), problems)
        file = _quick_form(file)
    scenario = scenario_of(base, names, problems)
    if scenario is None or problems:
        raise refuse(problems)
    check_kpis(tree, file, problems)
    found = make_variants(tree, file, Start(base, scenario, names), problems)
    if problems:
        raise refuse(problems)
    return Plan(file, _text(source), found.variants, found.notes, quick)


def is_study(file: Path) -> bool:
    """Return whether a file is a study: a scenario has no `base`."""
    tree = read_yaml(file, [])
    return tree is not None and "base" in tree.value


def _path_of(source: str | Path | Mapping[str, Any]) -> Path:
    return Path("study") if isinstance(source, Mapping) else Path(source)


def _text(source: str | Path | Mapping[str, Any]) -> str:
    if isinstance(source, Mapping):
        return json.dumps(source, indent=2, ensure_ascii=False, default=str) + "\n"
    return Path(source).read_text(encoding="utf-8-sig")


def _study_tree(source: str | Path | Mapping[str, Any], problems: list[Problem]) -> Node | None:
    if isinstance(source, Mapping):
        return as_node(source, Place("study"))
    file = Path(source)
    tree = read_yaml(file, problems)
    if tree is None or "name" in tree.value:
        return tree
    return tree._replace(value={**tree.value, "name": Node(slug(file.stem), tree.place, tree.place)})


def _validated(tree: Node, problems: list[Problem]) -> StudyFile | None:
    try:
        return StudyFile.model_validate(tree.plain())
    except ValidationError as error:
        problems += diagnose(error.errors(include_url=False), tree, StudyFile)
        return None


def _quick_form(file: StudyFile) -> StudyFile:
    """Return the file with fewer replications; how long to go on is not asked of a quick look."""
    seeds = file.seeds[: file.quick.replications] if file.seeds is not None else None
    return file.model_copy(update={"replications": file.quick.replications, "seeds": seeds, "until": None})


def _import_modules(file: StudyFile, tree: Node, problems: list[Problem]) -> None:
    try:
        import_modules(file.modules)
    except ImportError as error:
        node, _ = tree.find(("modules",))
        problems.append(Problem(node.place, ("modules",), f"cannot be imported: {error}", error.name))


def _names() -> Names:
    from sunshare_sim.simulation.run import names

    return names()


def _base_tree(tree: Node, file: Path, problems: list[Problem]) -> Node | None:
    node = tree.value["base"]
    if isinstance(node.value, dict):
        return extended(node, file, problems)
    path = node.place.folder / node.value
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "no such file"
        expected = "a scenario file, relative to this one"
        problems.append(Problem(node.place, ("base",), what, node.value, expected))
        return None
    return read_tree(path, problems)
