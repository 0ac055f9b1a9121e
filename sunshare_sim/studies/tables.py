"""The tables of a study, made from its runs in the order of the plan, whoever finished first."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sunshare_sim.results.run import Run
from sunshare_sim.studies.folder import RUNS, failure_file
from sunshare_sim.studies.naming import BASE
from sunshare_sim.studies.statistics import Comparison, compare, holm
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd

RUN_COLUMNS: Final = ("variant", "seed", "state", "folder", "error")
KPI_COLUMNS: Final = ("variant", "seed", "kpi", "value", "unit")
DIFFERENCE_COLUMNS: Final = (
    "variant", "kpi", "unit", "n", "base_mean", "mean", "difference", "low", "high", "low_bootstrap",
    "high_bootstrap", "p_value", "p_adjusted", "variance_reduction",
)  # fmt: skip

KpiRows = Sequence[tuple[str, float, str]]
"""Name, value and unit of each key figure of a run."""
Finished = Mapping[tuple[str, int], KpiRows]
"""Key figures of the runs that are there, by variant and seed."""


def read_kpis(folder: Path) -> KpiRows:
    """Return the key figures of a run."""
    kpis = Run.load(folder).kpis
    return list(zip(kpis["name"], kpis["value"].astype(float), kpis["unit"], strict=True))


def runs_table(study: Path, pairs: Iterable[tuple[str, int]], finished: Finished) -> "pd.DataFrame":
    """Return one row a run: whether it is finished, failed or missing, and where it lies."""
    import pandas as pd

    rows = []
    for variant, seed in pairs:
        error = "" if (variant, seed) in finished else _error(study, variant, seed)
        state = "finished" if (variant, seed) in finished else "failed" if error else "missing"
        rows.append((variant, seed, state, f"{RUNS}/{variant}/{seed}", error))
    return pd.DataFrame(rows, columns=list(RUN_COLUMNS))


def kpis_table(pairs: Iterable[tuple[str, int]], finished: Finished) -> "pd.DataFrame":
    """Return one row a key figure of a run."""
    import pandas as pd

    rows = [(*pair, *row) for pair in pairs for row in finished.get(pair, ())]
    return pd.DataFrame(rows, columns=list(KPI_COLUMNS))


def values_of(kpi: str, variant: str, seeds: Sequence[int], finished: Finished) -> FloatArray:
    """Return a key figure of a variant, one value a seed, NaN where there is none."""
    found = (
        next((value for name, value, _ in finished.get((variant, seed), ()) if name == kpi), np.nan)
        for seed in seeds
    )
    return np.array(list(found), dtype=float)


def differences_table(kpis: "pd.DataFrame", wanted: Sequence[str], confidence: float) -> "pd.DataFrame":
    """Return one row a variant and key figure: its paired difference to the base, and how sure it is.

    p-values are adjusted by Holm's method for the number of variants compared with the base in one key figure.

    Parameters
    ----------
    kpis : DataFrame
        The study's key figures.
    wanted : sequence of str
        Key figures to compare; none given: all.
    confidence : float
        Level of the intervals.
    """
    import pandas as pd

    units = dict(zip(kpis["kpi"], kpis["unit"], strict=True))
    variants = [name for name in dict.fromkeys(kpis["variant"]) if name != BASE]
    series = _series(kpis)
    rows: list[tuple[Any, ...]] = []
    for kpi in wanted or list(units):
        here = [name for name in variants if (kpi, name) in series and (kpi, BASE) in series]
        found = [compare(series[kpi, BASE], series[kpi, name], confidence, kpi, name) for name in here]
        adjusted = holm([each.p_value for each in found])
        rows += [
            _difference(name, kpi, units[kpi], each, p)
            for name, each, p in zip(here, found, adjusted, strict=True)
        ]
    return pd.DataFrame(rows, columns=list(DIFFERENCE_COLUMNS))


def _series(kpis: "pd.DataFrame") -> dict[tuple[str, str], FloatArray]:
    """Return each key figure of each variant, one value a seed, NaN where a run has none."""
    if kpis.empty:
        return {}
    wide = kpis.pivot_table("value", ["kpi", "variant"], "seed", dropna=False, sort=False)
    return dict(zip(wide.index, wide.to_numpy(float), strict=True))


def _difference(variant: str, kpi: str, unit: str, found: Comparison, p_adjusted: float) -> tuple[Any, ...]:
    *numbers, reduction = found
    return (variant, kpi, unit, *numbers, p_adjusted, reduction)


def _error(study: Path, variant: str, seed: int) -> str:
    file = failure_file(study, variant, seed)
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["error"])
    except FileNotFoundError:
        return ""
