"""The report of a study: what each variant changes against the base, for whom, and how surely."""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sunshare_sim.report.compared import (
    by_group,
    convergence_chart,
    differences_chart,
    differences_table,
    percent,
    spread_chart,
    winners_chart,
)
from sunshare_sim.report.model import Paragraph, Points, Report, Section, number, table_of
from sunshare_sim.report.run_report import ENERGY, FAIRNESS, GRID, MARKET, OPERATOR, ledger_verdict, method
from sunshare_sim.report.words import counted, numbers_text, sentences
from sunshare_sim.results.run import Run
from sunshare_sim.studies.figures import compared_variants, differences_of
from sunshare_sim.studies.naming import BASE
from sunshare_sim.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd

HEADLINES: Final = (
    "total_bill", "losing_share", "operator_revenue", "peak_import_kw", "local_share", "self_sufficiency",
)  # fmt: skip
TOPICS: Final = (
    ("Network operator", OPERATOR, "What the operator gets, against the base."),
    ("Fairness", FAIRNESS, "How bills and savings are spread, against the base."),
    ("Grid", GRID, "Peaks and limits, against the base."),
    ("Energy", ENERGY, "Energy and shares, against the base."),
    ("Market", MARKET, "How the market worked, against the base."),
)
MOST_SENTENCES: Final = 8
MOST_VERIFIED: Final = 20  # runs whose ledgers are computed again for the report
CHANCE: Final = (
    "Intervals are Student's, of the differences paired by seed: both sides share weather, demand, trips and order of "
    "arrival. p-values are adjusted by Holm's method for the number of variants compared in one key figure."
)


class Told:
    """Hold what the parts of a study's report are made of, read once.

    Parameters
    ----------
    study : Study
        The study.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.currency = str(study.record["currency"])

    @cached_property
    def example(self) -> Run | None:
        """Return the first finished run, of the base if it has one."""
        done = self.study.runs[self.study.runs["state"] == "finished"]
        if done.empty:
            return None
        first = done.sort_values("variant", key=lambda names: names != BASE, kind="stable").iloc[0]
        return self.study.run(str(first["variant"]), int(first["seed"]))

    @cached_property
    def said(self) -> dict[str, str]:
        """Return what each key figure says, by its name."""
        if self.example is None:
            return {}
        kpis = self.example.kpis
        return dict(zip(kpis["name"], kpis["description"], strict=True))

    @cached_property
    def main(self) -> str:
        """Return the figure the study is about: the first it names that runs have, else the sum of bills; or none."""
        known = list(dict.fromkeys(self.study.kpis.dropna(subset="value")["kpi"]))
        return next((kpi for kpi in (*self.study.file.kpis, *HEADLINES, *known) if kpi in known), "")

    @cached_property
    def compares(self) -> bool:
        """Return whether any variant can be compared with the base in that figure."""
        table = self.study.differences
        return bool((table["kpi"] == self.main).any()) and bool(
            table.loc[table["kpi"] == self.main, "difference"].notna().any()
        )

    def unit(self, unit: str) -> str:
        """Return a unit as a reader knows it."""
        return "" if unit == "1" else f" {unit.replace('currency', self.currency)}"


def study_report(study: Study) -> Report:
    """Return the report of a study, also of one of which no run or no comparison is there."""
    told = Told(study)
    return Report(
        title=f"{study.name}: report of a study",
        question=study.question or "What do the variants change against the base?",
        sections=tuple(Section(title, blocks) for title, blocks in _sections(told) if blocks),
        provenance=f"study {study.record['study_hash']}, seeds {numbers_text(study.seeds)}",
    )


def _sections(told: Told) -> Iterator[tuple[str, tuple[Any, ...]]]:
    study = told.study
    yield "Summary", tuple(_summary(told))
    yield "Variants", tuple(_variants(told))
    if told.compares:
        if compared_variants(study):
            yield "Who wins and who loses", (winners_chart(study), *by_group(study, told.example))
        for title, names, caption in TOPICS:
            anchor = title.lower().replace(" ", "-")
            yield title, tuple(differences_table(study, names, told.said, name=anchor, caption=caption))
    if told.main:
        charts = (differences_chart(study, told.main),) if told.compares else ()
        yield "Sensitivity", (*charts, spread_chart(study, told.main))
        yield "Uncertainty", tuple(_uncertainty(told))
    yield "Method, data and provenance", tuple(_method(told))


def _summary(told: Told) -> Iterator[Any]:
    study = told.study
    finished = int((study.runs["state"] == "finished").sum())
    yield Paragraph(
        f"{counted(len(study.record['variants']), 'variant')} of one scenario, {counted(len(study.seeds), 'seed')}, "
        f"{finished} of {counted(len(study.runs), 'run')} finished."
        + (" Every figure below is a paired difference to the base." if told.compares else "")
    )
    failed = study.runs[study.runs["state"] != "finished"]
    if len(failed):
        shown = [f"{row.variant}, seed {row.seed}: {row.state} {row.error}" for row in failed.itertuples()]
        more = [f"and {len(shown) - MOST_SENTENCES} more"] if len(shown) > MOST_SENTENCES else []
        yield Points((*shown[:MOST_SENTENCES], *more))
    for note in study.record.get("notes", ()):
        yield Paragraph(f"Note: {note}.")
    if not told.compares:
        yield Paragraph(
            "There is nothing to compare: no variant and the base have finished runs of one seed."
        )
        return
    rows = differences_of(study, told.main).dropna(subset="difference")
    base = f"{number(rows['base_mean'].iloc[0], 3)}{told.unit(str(rows['unit'].iloc[0]))}"
    yield Paragraph(f"First of all: {told.said.get(told.main, told.main)}, in the base {base}.")
    yield Points(tuple(_sentences(told)))
    wanted = tuple(dict.fromkeys((told.main, *HEADLINES)))
    caption = "Headline figures, against the base."
    yield from differences_table(study, wanted, told.said, name="headline", caption=caption)
    yield Paragraph(CHANCE)


def _sentences(told: Told) -> Iterator[str]:
    """Yield what the main figure changes in each variant; of many, in those that differ most."""
    table = differences_of(told.study, told.main).dropna(subset="difference")
    order = table["difference"].abs().rank(method="first", ascending=False)
    shown = table[(order <= MOST_SENTENCES).to_numpy()]
    for name, row in shown.iterrows():
        yield _sentence(told, str(name), row)
    if len(shown) < len(table):
        yield f"The other {len(table) - len(shown)} variants change it less."


def _sentence(told: Told, variant: str, row: "pd.Series[Any]") -> str:
    unit = told.unit(str(row["unit"]))
    what = f"{variant}: {number(row['mean'], 3)}{unit}, a difference of {number(row['difference'], 3)}{unit}"
    if not np.isfinite(row["low"]):
        return f"{what}; one seed gives no interval."
    sure = "beyond chance" if row["low"] > 0 or row["high"] < 0 else "within what chance would give"
    between = f"{number(row['low'], 3)} to {number(row['high'], 3)}"
    return f"{what} ({percent(told.study)} interval {between}), {sure}."


def _variants(told: Told) -> Iterator[Any]:
    frame = told.study.variants.set_index("variant")
    keys = [name for name in frame.columns if name != "description"]
    frame = frame.rename(columns={key: key.replace("households.groups", "groups") for key in keys}).map(
        _plain
    )
    yield table_of(frame, "variants", "What each variant sets; all else is the base's.")
    if told.example is not None:
        homes = len(told.example.households)
        scenario = told.example.scenario
        yield Points(tuple(sentences(scenario, homes)))


def _plain(value: Any) -> str:
    """Return a value of a key as a reader reads it."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _uncertainty(told: Told) -> Iterator[Any]:
    study, kpi = told.study, told.main
    if len(study.seeds) < 3 or not told.compares:
        yield Paragraph("Too few seeds to show how intervals narrow; ask for more replications.")
        return
    yield convergence_chart(study, kpi)
    saved = differences_of(study, kpi)["variance_reduction"].dropna().to_numpy()
    if saved.size:
        yield Paragraph(
            f"Pairing by seed removes {number(100 * float(np.median(saved)), 1)} % of the variance that independent "
            "runs would have (median over the variants)."
        )


def _method(told: Told) -> Iterator[Any]:
    study = told.study
    if told.example is None:
        yield Paragraph("No run is finished.")
        return
    yield from method(told.example)
    done = study.runs[study.runs["state"] == "finished"]
    pairs = list(zip(done["variant"].astype(str), done["seed"].astype(int), strict=True))
    checked = pairs[:: max(1, -(-len(pairs) // MOST_VERIFIED))]
    verdicts = [(name, seed, ledger_verdict(study.run(name, seed))) for name, seed in checked]
    held = f"{sum('verified' in text for *_, text in verdicts)} of {len(verdicts)}"
    other = [f"{name}, seed {seed}: {text}" for name, seed, text in verdicts if "verified" not in text]
    yield Points(
        (
            f"Ledgers verified again for this report: {held} looked at, of {counted(len(pairs), 'run')}.",
            *other[:MOST_SENTENCES],
            "Repeat it: sunshare study study.yaml, the file as kept in the study's folder; same study, same bytes.",
        )
    )
