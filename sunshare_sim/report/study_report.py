"""The report of a study: what each variant changes against the base, for whom, and how surely."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sunshare_sim.report.drawing import svg_of
from sunshare_sim.report.model import Chart, Paragraph, Points, Report, Section, Table, number, table_of
from sunshare_sim.report.run_report import ENERGY, FAIRNESS, GRID, MARKET, OPERATOR, ledger_verdict, method
from sunshare_sim.report.words import counted, sentences
from sunshare_sim.studies.figures import changes_by_home, differences_of, half_widths
from sunshare_sim.studies.naming import BASE
from sunshare_sim.studies.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADLINES: Final = ("total_bill", "losing_share", "operator_revenue", "peak_import_kw", "local_share")
SHARES: Final = np.arange(0, 101, 10)
MOST_VERIFIED: Final = 20  # runs whose ledgers are computed again for the report
CHANCE: Final = (
    "Intervals are Student's, of the differences paired by seed: both sides share weather, demand, trips and order of "
    "arrival. "
    "p-values are adjusted by Holm's method for the number of variants compared in one key figure."
)


def study_report(study: Study) -> Report:
    """Return the report of a study."""
    main = _main_kpi(study)
    topics = (
        ("Network operator", OPERATOR, "What the operator gets, against the base."),
        ("Fairness", FAIRNESS, "How bills and savings are spread, against the base."),
        ("Grid", GRID, "Peaks and limits, against the base."),
        ("Energy", ENERGY, "Energy and shares, against the base."),
        ("Market", MARKET, "How the market worked, against the base."),
    )
    return Report(
        title=f"{study.name}: report of a study",
        question=study.question or "What do the variants change against the base?",
        sections=(
            Section("Summary", tuple(_summary(study, main))),
            Section(
                "Variants", (_variants(study), Points(tuple(sentences(study.scenario(), _homes(study)))))
            ),
            Section("Who wins and who loses", tuple(_winners(study))),
            *(
                Section(title, (table,))
                for title, names, caption in topics
                if (table := _differences(study, names, title.lower().replace(" ", "-"), caption)) is not None
            ),
            Section("Sensitivity", (_difference_chart(study, main), _spread_chart(study, main))),
            Section("Uncertainty", tuple(_uncertainty(study, main))),
            Section("Method, data and provenance", tuple(_method(study))),
        ),
        provenance=f"study {study.record['study_hash']}, seeds {', '.join(map(str, study.seeds))}",
    )


def _main_kpi(study: Study) -> str:
    """Return the figure the study is about: the first it names, else the sum of bills."""
    known = list(dict.fromkeys(study.differences["kpi"]))
    return next((kpi for kpi in (*study.file.kpis, *HEADLINES) if kpi in known), known[0])


def _homes(study: Study) -> int:
    return int(study.bills["household"].max()) + 1


def _summary(study: Study, main: str) -> Iterator[Any]:
    finished = int((study.runs["state"] == "finished").sum())
    yield Paragraph(
        f"{counted(len(study.record['variants']), 'variant')} of one scenario, {counted(len(study.seeds), 'seed')}, "
        f"{finished} of {counted(len(study.runs), 'run')} finished. "
        "Every figure below is a paired difference to the base."
    )
    failed = study.runs[study.runs["state"] != "finished"]
    if len(failed):
        yield Points(
            tuple(f"{row.variant}, seed {row.seed}: {row.state} {row.error}" for row in failed.itertuples())
        )
    yield Points(
        tuple(_sentence(row) for row in differences_of(study, main).reset_index().to_dict("records"))
    )
    table = _differences(
        study, tuple(dict.fromkeys((main, *HEADLINES))), "headline", "Headline figures, against the base."
    )
    if table is not None:
        yield table
    yield Paragraph(CHANCE)


def _sentence(row: Any) -> str:
    what = f"{row['variant']}: {row['kpi'].replace('_', ' ')} changes by {number(row['difference'], 3)} {row['unit']}"
    if not np.isfinite(row["low"]):
        return f"{what}; one seed gives no interval."
    sure = "beyond chance" if row["low"] > 0 or row["high"] < 0 else "within what chance would give"
    return f"{what} (95 % interval {number(row['low'], 3)} to {number(row['high'], 3)}), {sure}."


def _variants(study: Study) -> Table:
    frame = study.variants.set_index("variant").astype(str)
    return table_of(frame, "variants", "What each variant sets; all else is the base's.")


def _winners(study: Study) -> Iterator[Any]:
    import pandas as pd

    names = [name for name in dict.fromkeys(study.bills["variant"]) if name != BASE]
    changes = {name: changes_by_home(study, name) for name in names}
    table = pd.DataFrame(
        {name: np.quantile(change, SHARES / 100) for name, change in changes.items()},
        index=pd.Index(SHARES, name="share of homes [%]"),
    )
    shown = table_of(
        table, "winners", "Change of a home's bill against the base, by share of homes; positive: pays more."
    )
    yield _chart(study.plot.winners(), "winners", shown)
    yield from _by_group(study, names)


def _by_group(study: Study, names: list[str]) -> Iterator[Table]:
    """Yield the mean change of bills by group of homes."""
    homes = study.run().households
    bills = study.bills
    mean = bills.pivot_table(index="household", columns="variant", values="total")
    for by in ("group", "kind", "income"):
        if by in homes and len(homes[by].unique()) > 1:
            change = mean[names].sub(mean[BASE], axis=0)
            labels = homes.set_index("household").loc[change.index, by].to_numpy()
            table = change.groupby(labels).mean().rename_axis(by)
            table.insert(0, "homes", change.groupby(labels).size().to_numpy())
            yield table_of(
                table,
                f"by-{by}",
                f"Mean change of a home's bill against the base, by {by}; positive: pays more.",
            )


def _differences(study: Study, names: tuple[str, ...], name: str, caption: str) -> Table | None:
    rows = study.differences[study.differences["kpi"].isin(names)]
    if rows.empty:
        return None
    order = {kpi: place for place, kpi in enumerate(names)}
    rows = rows.sort_values("kpi", key=lambda kpis: kpis.map(order), kind="stable")
    cells = tuple(
        (
            f"{row['variant']}: {row['kpi'].replace('_', ' ')}",
            *(number(row[each], 3) for each in ("base_mean", "difference", "low", "high", "p_adjusted")),
            str(row["unit"]).replace("currency", study.record["currency"]),
        )
        for row in rows.to_dict("records")
    )
    heads = ("variant: key figure", "base", "difference", "95 % from", "to", "p, adjusted", "unit")
    full = table_of(rows.set_index("variant"), name, caption)
    return Table(name, caption, heads, cells, full.csv)


def _chart(figure: "Figure", name: str, table: Table) -> Chart:
    return Chart(name, figure.axes[0].get_title(loc="left") + ".", svg_of(figure, name), table)


def _difference_chart(study: Study, kpi: str) -> Chart:
    frame = differences_of(study, kpi)[["base_mean", "mean", "difference", "low", "high"]]
    heads = ("variant", "base", "variant's mean", "difference", "95 % from", "to")
    table = table_of(
        frame, "differences", f"{kpi.replace('_', ' ').capitalize()} against the base.", heads=heads, digits=3
    )
    return _chart(study.plot.differences(kpi), "differences", table)


def _spread_chart(study: Study, kpi: str) -> Chart:
    rows = study.kpis[study.kpis["kpi"] == kpi]
    frame = rows.groupby("variant", sort=False)["value"].agg(["min", "mean", "max", "std"])
    heads = ("variant", "lowest", "mean", "highest", "standard deviation")
    full = rows.pivot_table(index="variant", columns="seed", values="value", sort=False)
    table = table_of(
        frame,
        "spread",
        f"{kpi.replace('_', ' ').capitalize()} over the seeds.",
        heads=heads,
        digits=3,
        full=full,
    )
    return _chart(study.plot.spread(kpi), "spread", table)


def _uncertainty(study: Study, kpi: str) -> Iterator[Any]:
    import pandas as pd

    if len(study.seeds) < 3:
        yield Paragraph("Too few seeds to show how intervals narrow; ask for more replications.")
        return
    names = [name for name in dict.fromkeys(study.kpis["variant"]) if name != BASE]
    frame: pd.DataFrame = pd.DataFrame({name: half_widths(study, kpi, name) for name in names}).rename_axis(
        "seeds"
    )
    table = table_of(frame, "convergence", "Half width of the interval after so many seeds.", digits=3)
    yield _chart(study.plot.convergence(kpi), "convergence", table)
    saved = differences_of(study, kpi)["variance_reduction"]
    yield Paragraph(
        f"Pairing by seed removes {number(100 * float(saved.median()), 1)} % of the variance that independent "
        "runs would have (median over the variants)."
    )


def _method(study: Study) -> Iterator[Any]:
    base = study.run()
    yield from method(base)
    pairs = [
        (str(row.variant), int(str(row.seed))) for row in study.runs.itertuples() if row.state == "finished"
    ]
    checked = pairs[:: max(1, -(-len(pairs) // MOST_VERIFIED))]
    verdicts = [(name, seed, ledger_verdict(study.run(name, seed))) for name, seed in checked]
    wrong = [f"{name}, seed {seed}: {text}" for name, seed, text in verdicts if "NOT" in text]
    held = f"{len(verdicts) - len(wrong)} of {len(verdicts)} looked at, of {counted(len(pairs), 'run')}"
    yield Points(
        (
            f"Ledgers verified again for this report: {held}.",
            *wrong,
            "Repeat it: sunshare study, with the file as kept in study.json; same study, same bytes.",
        )
    )
