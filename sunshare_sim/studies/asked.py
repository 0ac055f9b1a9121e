"""Key figures that a study may ask for, known before any run."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from sunshare_sim.errors import did_you_mean
from sunshare_sim.results.tables import TABLES
from sunshare_sim.scenario.problems import KeyPath, Problem
from sunshare_sim.scenario.yamlmarks import Node
from sunshare_sim.studies.schema import StudyFile


class Nothing:
    """Be a table of one row that has whatever column is asked for, and a nought in it."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return the column."""
        return np.zeros(1)

    def __contains__(self, name: Any, /) -> bool:
        """Return that there is such a column."""
        return True


def known_kpis() -> tuple[str, ...]:
    """Return the names of all key figures: those of a run of one row a table, in which nothing happened."""
    from sunshare_sim.results.kpis import key_figures

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of shares of nothing
        return tuple(kpi.name for kpi in key_figures(dict.fromkeys(TABLES, Nothing()), hours=1.0))


def check_kpis(tree: Node, file: StudyFile, problems: list[Problem]) -> None:
    """Add a problem for every key figure that does not exist."""
    known = known_kpis()
    for path, name in _asked(file):
        if name not in known:
            node, _ = tree.find(path)
            hint = did_you_mean(name, known)
            problems.append(Problem(node.place, path, "unknown key figure", name, ", ".join(known), hint))


def _asked(file: StudyFile) -> Iterator[tuple[KeyPath, str]]:
    for i, name in enumerate(file.kpis):
        yield ("kpis", i), name
    if file.until is not None:
        yield ("until", "kpi"), file.until.kpi
