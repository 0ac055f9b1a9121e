"""Tables and figures of a study: variants in rows, so that thirty of them still fit the page."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from sunshare_sim.report.drawing import svg_of
from sunshare_sim.report.model import Chart, Paragraph, Table, number, sentence, table_of
from sunshare_sim.report.words import counted
from sunshare_sim.results.run import Run
from sunshare_sim.studies.figures import (
    changes_by_home,
    compared_variants,
    differences_of,
    half_widths,
    words,
)
from sunshare_sim.studies.naming import BASE
from sunshare_sim.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TENTHS: Final = np.arange(0, 101, 10)
HUNDREDTHS: Final = np.arange(101)
MOST_SHOWN: Final = 12  # variants of one key figure in a table of many
MOST_COUNTS: Final = 10  # columns of a table by number of seeds


def percent(study: Study) -> str:
    """Return the level of the study's intervals: 95 %."""
    return f"{100 * study.file.confidence:g} %"


def differences_table(
    study: Study, names: tuple[str, ...], said: Mapping[str, str], *, name: str, caption: str
) -> Iterator[Table | Paragraph]:
    """Yield a table of the differences in some key figures, and a sentence on those that no variant changes.

    Parameters
    ----------
    study : Study
        The study.
    names : tuple of str
        Key figures, in this order.
    said : mapping
        What each key figure says, by name.
    name, caption : str
        As in `Table`.
    """
    every = study.differences[study.differences["kpi"].isin(names)].dropna(subset="difference")
    groups = {str(kpi): rows for kpi, rows in every.groupby("kpi", sort=False)}
    moved = {kpi: groups[kpi] for kpi in names if kpi in groups and groups[kpi]["difference"].any()}
    still = [said.get(kpi, kpi) for kpi in names if kpi in groups and kpi not in moved]
    if moved:
        shown = {kpi: _largest(rows) for kpi, rows in moved.items()}
        cells = tuple(cell for kpi, rows in shown.items() for cell in _cells(study, said.get(kpi, kpi), rows))
        heads = ("variant", "base", "difference", f"{percent(study)} from", "to", "p, adjusted")
        left_out = any(len(shown[kpi]) < len(rows) for kpi, rows in moved.items())
        more = f" The {MOST_SHOWN} variants that differ most; the file has all." if left_out else ""
        full = table_of(every.set_index("variant"), name, caption)
        yield Table(name, caption + more, heads, cells, full.csv)
    if still:
        yield Paragraph(f"The same in every variant: {'; '.join(still)}.")


def _largest(rows: "pd.DataFrame") -> "pd.DataFrame":
    order = rows["difference"].abs().rank(method="first", ascending=False)
    return rows[(order <= MOST_SHOWN).to_numpy()]


def _cells(study: Study, said: str, rows: "pd.DataFrame") -> Iterator[tuple[str, ...]]:
    """Yield a row that names the key figure, then one a variant."""
    unit = str(rows["unit"].iloc[0]).replace("currency", study.record["currency"])
    yield (said if unit == "1" else f"{said} [{unit}]",)
    for row in rows.to_dict("records"):
        digits = 4 if unit == "p.u." else 3
        numbers = (
            number(row[each], digits) for each in ("base_mean", "difference", "low", "high", "p_adjusted")
        )
        yield (str(row["variant"]), *numbers)


def winners_chart(study: Study) -> Chart:
    """Return who pays more and who less in each variant: the figure, and the changes by tenth of the homes."""
    import pandas as pd

    changes = {name: changes_by_home(study, name) for name in compared_variants(study)}
    more = [100 * float(np.mean(change > 0)) for change in changes.values()]
    shown, full = (
        pd.DataFrame(
            [np.quantile(change, shares / 100) for change in changes.values()],
            index=pd.Index(list(changes), name="variant"),
            columns=[f"{share} %" for share in shares],
        )
        for shares in (TENTHS, HUNDREDTHS)
    )
    shown.insert(0, "pay more [%]", more)
    currency = study.record["currency"]
    caption = (
        f"Change of a home's bill against the base [{currency}], mean over the seeds; positive: pays more. "
        "0 %: the home that gains most, 50 %: the median home, 100 %: the one that loses most."
    )
    return _chart(study.plot.winners(), table_of(shown, "winners", caption, full=full))


def by_group(study: Study, example: Run | None) -> Iterator[Table]:
    """Yield the mean change of bills by group of homes: variants in rows, groups in columns."""
    if example is None:
        return
    homes, names, currency = example.households, compared_variants(study), study.record["currency"]
    mean = study.bills.pivot_table(index="household", columns="variant", values="total")
    change = mean[names].sub(mean[BASE], axis=0)
    for by in ("group", "kind", "income"):
        labels = homes.set_index("household").loc[change.index, by].to_numpy() if by in homes else np.zeros(0)
        if len(set(labels)) < 2:
            continue
        table = change.groupby(labels).mean().T.rename_axis("variant")
        sizes = change.groupby(labels).size()
        counts = [f"{label or 'not given'} ({counted(sizes[label], 'home')})" for label in table.columns]
        heads = ("variant", *(f"{head} [{currency}]" for head in counts))
        caption = f"Mean change of a home's bill against the base, by {by}; positive: pays more."
        yield table_of(table, f"by-{by}", caption, heads=heads)


def differences_chart(study: Study, kpi: str) -> Chart:
    """Return a key figure's differences to the base with their intervals."""
    frame = differences_of(study, kpi)[["base_mean", "mean", "difference", "low", "high"]]
    heads = ("variant", "base", "variant's mean", "difference", f"{percent(study)} from", "to")
    caption = f"{words(kpi).capitalize()} against the base."
    return _chart(study.plot.differences(kpi), table_of(frame, "differences", caption, heads=heads, digits=3))


def spread_chart(study: Study, kpi: str) -> Chart:
    """Return a key figure of every run."""
    rows = study.kpis[study.kpis["kpi"] == kpi].dropna(subset="value")
    frame = rows.groupby("variant", sort=False)["value"].agg(["min", "mean", "max", "std"])
    heads = ("variant", "lowest", "mean", "highest", "standard deviation")
    full = rows.pivot_table(index="variant", columns="seed", values="value", sort=False)
    caption = f"{words(kpi).capitalize()} over the seeds."
    return _chart(
        study.plot.spread(kpi), table_of(frame, "spread", caption, heads=heads, digits=3, full=full)
    )


def convergence_chart(study: Study, kpi: str) -> Chart:
    """Return how the intervals narrow as seeds are added."""
    import pandas as pd

    names = [str(name) for name in dict.fromkeys(study.kpis["variant"]) if name != BASE]
    full = pd.DataFrame({name: half_widths(study, kpi, name, study.file.confidence) for name in names}).T
    full = full.dropna(how="all").rename_axis("variant")
    chosen = np.unique(np.linspace(0, full.shape[1] - 1, MOST_COUNTS).round().astype(int))
    shown = full.iloc[:, chosen].rename(columns=lambda count: f"{count} seeds")
    caption = f"Half width of the {percent(study)} interval after so many seeds."
    return _chart(study.plot.convergence(kpi), table_of(shown, "convergence", caption, digits=3, full=full))


def _chart(figure: "Figure", table: Table) -> Chart:
    finding = sentence(figure.axes[0].get_title(loc="left"))
    return Chart(table.name, finding, svg_of(figure, table.name), table)
