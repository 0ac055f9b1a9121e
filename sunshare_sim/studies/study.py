"""A study that was run, read from its folder: what varied, what came out, what differs and how surely."""

import json
import warnings
from collections.abc import Mapping
from functools import cached_property
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from sunshare_sim.errors import ResultError, SunShareWarning, describe, did_you_mean
from sunshare_sim.results.run import Run, format_value
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.studies.folder import failure_file, read_record, run_folder
from sunshare_sim.studies.naming import BASE
from sunshare_sim.studies.schema import StudyFile

if TYPE_CHECKING:
    import pandas as pd

TABLES: Final = ("runs", "kpis", "differences")
CARD_ROWS: Final = 12


class Study:
    """Show one study; tables are tidy DataFrames.

    Attributes
    ----------
    folder : Path
        Where it lies.
    record : mapping
        What made it: name, question, study hash, variants, seeds, state, notes.
    file : StudyFile
        The study file, in its quick form where that was run.
    runs, kpis, differences : DataFrame
        One row a run; a key figure of a run; a variant and key figure.

    Examples
    --------
    >>> study = Study.load("results/tariffs")  # doctest: +SKIP
    >>> study.differences.query("kpi == 'total_bill'")  # doctest: +SKIP
    """

    def __init__(self, folder: Path, record: Mapping[str, Any], tables: "Mapping[str, pd.DataFrame]") -> None:
        self.folder = folder
        self.record = record
        self.runs, self.kpis, self.differences = (tables[name] for name in TABLES)
        self.file = StudyFile.model_validate_json(json.dumps(record["file"]))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open the study in the folder `path`.

        Raises
        ------
        ResultError
            When there is no study, its format is another, or it was killed before its tables were made.

        Warns
        -----
        SunShareWarning
            When runs failed or are missing.
        """
        import pandas as pd

        folder = Path(path)
        record = read_record(folder)
        files = {name: folder / f"{name}.parquet" for name in TABLES}
        if record["state"] == "begun" or not all(file.is_file() for file in files.values()):
            hint = "run `sunshare study` again to finish it, or with --join to see what there is"
            raise ResultError(describe("the study has not been finished", where=str(folder), hint=hint))
        study = cls(folder, record, {name: pd.read_parquet(file) for name, file in files.items()})
        if record["state"] != "complete":
            counts = ", ".join(f"{n} {state}" for state, n in study.runs["state"].value_counts().items())
            warnings.warn(
                describe(f"the study is incomplete: {counts}", where=str(folder)),
                SunShareWarning,
                stacklevel=2,
            )
        return study

    @property
    def name(self) -> str:
        """Return the name of the study."""
        return self.file.name

    @property
    def question(self) -> str:
        """Return what the study is to answer."""
        return self.file.question

    @cached_property
    def variants(self) -> "pd.DataFrame":
        """Return one row a variant: its description, and a column for each key that any of them changes.

        Where a variant leaves a key alone, the base's value is shown.
        """
        import pandas as pd

        listed = self.record["variants"]
        keys = list(dict.fromkeys(key for variant in listed for key in variant["changes"]))
        base = {key: self.record["base_values"].get(key) for key in keys}
        rows = [
            {"variant": variant["name"], "description": variant["description"], **base, **variant["changes"]}
            for variant in listed
        ]
        return pd.DataFrame(rows, columns=["variant", "description", *keys])

    @cached_property
    def bills(self) -> "pd.DataFrame":
        """Return one row a home of a run: variant, seed, and the columns of the run's `bills`."""
        import pandas as pd

        parts = []
        for variant, seed in self._finished():
            bills = self.run(variant, seed).bills
            parts.append(bills.assign(variant=variant, seed=seed)[["variant", "seed", *bills.columns]])
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["variant", "seed"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds that were run."""
        return tuple(self.record["seeds"])

    def run(self, variant: str = BASE, seed: int | None = None) -> Run:
        """Return a run of the study; without a seed that of the first.

        Raises
        ------
        ResultError
            When there is no such run, or it failed.
        """
        names = list(dict.fromkeys(self.runs["variant"]))
        if variant not in names:
            hint = did_you_mean(variant, names)
            raise ResultError(describe("unknown variant", got=variant, expected=", ".join(names), hint=hint))
        seed = self.seeds[0] if seed is None else int(seed)
        if seed not in self.seeds:
            raise ResultError(describe("no such seed in this study", got=seed, expected=str(self.seeds)))
        row = self.runs[(self.runs["variant"] == variant) & (self.runs["seed"] == seed)].iloc[0]
        if row["state"] != "finished":
            where = f"{variant}, seed {seed}"
            raise ResultError(describe(f"this run is {row['state']}", where=where, hint=str(row["error"])))
        return Run.load(run_folder(self.folder, variant, seed))

    def scenario(self, variant: str = BASE) -> Scenario:
        """Return the scenario of a variant, with the seed of its first finished run."""
        seeds = [seed for name, seed in self._finished() if name == variant]
        return self.run(variant, seeds[0] if seeds else None).scenario

    def traceback(self, variant: str, seed: int) -> str:
        """Return the traceback of a run that failed; empty when it did not."""
        file = failure_file(self.folder, variant, seed)
        if not file.is_file():
            return ""
        return str(json.loads(file.read_text(encoding="utf-8"))["traceback"])

    @property
    def plot(self) -> Any:
        """Return the study's figures: ``study.plot.<name>()``."""
        try:
            figures = import_module("sunshare_sim.studies.figures")
        except ModuleNotFoundError as error:
            raise ResultError(describe("figures of a study are not installed", where="plot")) from error
        return figures.StudyFigures(self)

    def _finished(self) -> list[tuple[str, int]]:
        rows = self.runs[self.runs["state"] == "finished"]
        return [
            (str(variant), int(seed)) for variant, seed in zip(rows["variant"], rows["seed"], strict=True)
        ]

    def __repr__(self) -> str:
        """Return name and size on one line."""
        finished = len(self._finished())
        variants = len(self.record["variants"])
        return (
            f"<Study {self.name!r}: {variants} variants, {len(self.seeds)} seeds, "
            f"{finished} of {len(self.runs)} runs finished>"
        )

    def _repr_html_(self) -> str:
        caption = f"<caption>{escape(repr(self)[1:-1])}</caption>"
        head = "".join(
            f'<th scope="col">{text}</th>'
            for text in (
                "variant",
                "key figure",
                "base",
                "difference",
                f"{self.file.confidence:.0%} interval",
            )
        )
        rows = "".join(self._html_row(row) for row in self.differences.head(CARD_ROWS).to_dict("records"))
        more = len(self.differences) - CARD_ROWS
        note = f"<p>{more} more rows in <code>differences</code></p>" if more > 0 else ""
        question = f"<p>{escape(self.question)}</p>" if self.question else ""
        table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        where = escape(f"study hash {self.record['study_hash']}, folder {self.folder}")
        return f'<section aria-label="Study">{question}{table}{note}<p><small>{where}</small></p></section>'

    def _html_row(self, row: Mapping[Any, Any]) -> str:
        currency, unit = self.record["currency"], str(row["unit"])
        shown = [
            format_value(float(row[name]), unit, currency)
            for name in ("base_mean", "difference", "low", "high")
        ]
        cells = (row["kpi"], shown[0], shown[1], f"{shown[2]} to {shown[3]}")
        return (
            f'<tr><th scope="row" style="text-align:left">{escape(str(row["variant"]))}</th>'
            + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
            + "</tr>"
        )
