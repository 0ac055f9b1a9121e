"""A study's figures: how variants differ from the base and how surely, who wins, and when enough seeds were run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from sunshare_sim.errors import ResultError, describe, did_you_mean
from sunshare_sim.results import style
from sunshare_sim.results.style import blank, headline, look
from sunshare_sim.studies.naming import BASE
from sunshare_sim.studies.statistics import t_interval
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_IN: Final = 0.28  # height of a row of names
MOST_ROWS: Final = 40  # variants in one figure; of more those are drawn that differ most
MOST_LINES: Final = 7  # curves that can be told apart
MOST_POINTS: Final = 1500  # of single runs; of more their range is drawn
LONGEST_NAME: Final = 36
TITLE_LENGTH: Final = 82  # letters of a title and a row's name that fit side by side
COLOURS: Final = (style.BLUE, style.ORANGE, style.GREEN, style.PINK, style.RED, style.SKY, style.GREY)
DASHES: Final = ("-", "--", ":", "-.")


class Compared(Protocol):
    """Promise what the figures need of a study."""

    @property
    def record(self) -> Mapping[str, Any]:
        """Return what made the study."""

    @property
    def kpis(self) -> "pd.DataFrame":
        """Return one row a key figure of a run."""

    @property
    def differences(self) -> "pd.DataFrame":
        """Return one row a variant and key figure."""

    @property
    def bills(self) -> "pd.DataFrame":
        """Return one row a home of a run."""


def differences_of(study: Compared, kpi: str) -> "pd.DataFrame":
    """Return the differences of one key figure, indexed by variant.

    Raises
    ------
    ResultError
        When the study has none for it.
    """
    known = list(dict.fromkeys(study.differences["kpi"]))
    if kpi not in known:
        hint = did_you_mean(kpi, known)
        raise ResultError(describe("no such key figure", got=kpi, expected=", ".join(known), hint=hint))
    table: pd.DataFrame = study.differences[study.differences["kpi"] == kpi].set_index("variant")
    return table


def changes_by_home(study: Compared, variant: str) -> FloatArray:
    """Return what each home's bill changes from the base to a variant, mean over the seeds [currency], sorted.

    A home is the same in both: same devices, same weather, same use. Positive: it pays more.

    Raises
    ------
    ResultError
        When there is no such variant, or none of its runs is finished.
    """
    bills = study.bills
    both = bills[bills["variant"].isin([BASE, variant])]
    wide = both.pivot_table(index=["household", "seed"], columns="variant", values="total")
    if variant not in wide or BASE not in wide:
        names = list(dict.fromkeys(bills["variant"]))
        hint = did_you_mean(variant, names)
        raise ResultError(describe("no such variant", got=variant, expected=", ".join(names), hint=hint))
    change = (wide[variant] - wide[BASE]).groupby("household").mean()
    values: FloatArray = np.sort(change.dropna().to_numpy())
    return values


def compared_variants(study: Compared) -> list[str]:
    """Return the variants of which a home's bill can be compared with the base, in their order."""
    bills = study.bills
    of_base = set(bills.loc[bills["variant"] == BASE, "seed"])
    seeds = bills.groupby("variant", sort=False)["seed"]
    return [str(name) for name, own in seeds if name != BASE and of_base & set(own)]


def half_widths(study: Compared, kpi: str, variant: str, confidence: float = 0.95) -> "pd.Series[float]":
    """Return the half width of the paired interval after 2, 3, ... seeds, in the order in which they were run."""
    import pandas as pd

    rows = study.kpis[(study.kpis["kpi"] == kpi) & study.kpis["variant"].isin([BASE, variant])]
    wide = rows.pivot_table(index="seed", columns="variant", values="value", sort=False)
    wide = wide.reindex(columns=[BASE, variant])
    paired = (wide[variant] - wide[BASE]).dropna().to_numpy()
    counts = np.arange(2, paired.size + 1)
    widths = [t_interval(paired[:count], confidence).half_width for count in counts]
    return pd.Series(widths, index=pd.Index(counts, name="seeds"), name="half_width", dtype=float)


def differences(study: Compared, kpi: str = "total_bill") -> "Figure":
    """Draw each variant's paired difference to the base with its interval."""
    whole, unit = differences_of(study, kpi).dropna(subset="difference"), _unit(study, kpi)
    table = _most(whole, whole["difference"])
    rows = np.arange(len(table))[::-1]
    with look():
        figure, axes = blank(1.4 + ROW_IN * max(len(table), 1))
        reach = np.abs([table["difference"] - table["low"], table["high"] - table["difference"]])
        known = np.nan_to_num(reach)  # one seed gives no interval
        dots: dict[str, Any] = {"fmt": "o", "color": style.BLUE, "capsize": 3, "markersize": 5}
        axes.errorbar(table["difference"], rows, xerr=known, **dots)
        axes.axvline(0, color=style.BLACK, linewidth=0.8)
        _name_rows(axes, list(table.index))
        axes.set_xlabel(f"{words(kpi)}: variant less base [{unit}]")
        _headline(axes, _surely(whole) + _left_out(whole, table), table.index)
    return figure


def winners(study: Compared) -> "Figure":
    """Draw how bills change from the base to each variant, home by home; of many variants the spread of each."""
    changes = {name: changes_by_home(study, name) for name in compared_variants(study)}
    currency = _unit(study, "total_bill")
    with look():
        draw = _winner_lines if len(changes) <= MOST_LINES else _winner_rows
        return draw(changes, currency)


def _winner_lines(changes: Mapping[str, FloatArray], currency: str) -> "Figure":
    legend_rows = -(-len(changes) // 2)
    figure, axes = blank(3.4 + 0.2 * legend_rows)
    for (name, change), line in zip(changes.items(), _lines(), strict=False):
        share = 100 * (np.arange(change.size) + 0.5) / change.size
        more = 100 * float(np.mean(change > 0))
        axes.plot(change, share, label=f"{shortened(name)}: {more:.0f} % pay more", **line)
    axes.axvline(0, color=style.BLACK, linewidth=0.8)
    axes.set_ylim(0, 100)
    axes.set_ylabel("share of homes with at most this change [%]")
    axes.set_xlabel(f"change of the bill [{currency}]; right of the line: pays more")
    headline(axes, WINNERS, legend_rows=legend_rows)
    return figure


def _winner_rows(changes: Mapping[str, FloatArray], currency: str) -> "Figure":
    import pandas as pd

    whole = pd.Series(changes)
    shown = _most(whole, whole.map(np.median))
    rows = np.arange(len(shown))[::-1]
    figure, axes = blank(1.4 + ROW_IN * len(shown))
    quantiles = np.array([np.quantile(change, [0.01, 0.1, 0.5, 0.9, 0.99]) for change in shown])
    axes.hlines(
        rows, quantiles[:, 0], quantiles[:, 4], color=style.GREY, linewidth=1, label="98 % of the homes"
    )
    axes.hlines(rows, quantiles[:, 1], quantiles[:, 3], color=style.BLUE, linewidth=4, label="80 %")
    axes.plot(quantiles[:, 2], rows, "o", color=style.BLACK, markersize=4, label="median home")
    axes.axvline(0, color=style.BLACK, linewidth=0.8)
    _name_rows(axes, [str(name) for name in shown.index])
    axes.set_xlabel(f"change of the bill [{currency}]; right of the line: pays more")
    _headline(axes, WINNERS + _left_out(whole, shown), shown.index)
    return figure


WINNERS: Final = "Who pays more and who pays less than in the base"


def spread(study: Compared, kpi: str = "total_bill") -> "Figure":
    """Draw a key figure of every run, by variant; of many runs their range."""
    whole = _values(study, kpi)
    base = np.nanmean(whole[BASE]) if BASE in whole else 0.0
    table = _most(whole, whole.map(np.nanmean) - base)
    rows = np.arange(len(table))[::-1]
    with look():
        figure, axes = blank(1.4 + ROW_IN * max(len(table), 1))
        single = sum(values.size for values in table) <= MOST_POINTS
        for row, values in zip(rows, table, strict=True):
            if single:
                axes.plot(values, np.full(values.size, row), "o", color=style.BLUE, alpha=0.5, markersize=4)
            else:
                axes.plot([values.min(), values.max()], [row, row], color=style.BLUE, linewidth=3, alpha=0.5)
            axes.plot([values.mean()] * 2, [row - 0.3, row + 0.3], color=style.BLACK)
        _name_rows(axes, [str(name) for name in table.index])
        what = "a point a seed" if single else "from the lowest to the highest seed"
        axes.set_xlabel(f"{words(kpi)} [{_unit(study, kpi)}]; {what}, line: mean")
        title = f"{words(kpi).capitalize()} by variant and seed" + _left_out(whole, table)
        _headline(axes, title, table.index)
    return figure


def convergence(study: Compared, kpi: str = "total_bill") -> "Figure":
    """Draw how the interval of each paired difference narrows as seeds are added; of many, the widest are named."""
    names = [str(name) for name in dict.fromkeys(study.kpis["variant"]) if name != BASE]
    level = float(study.record.get("file", {}).get("confidence", 0.95))
    widths = {name: half_widths(study, kpi, name, level) for name in names}
    known = {name: each for name, each in widths.items() if each.notna().any()}
    widest = sorted(known, key=lambda name: -float(known[name].iloc[-1]))[:MOST_LINES]
    named = [name for name in known if name in widest]
    with look():
        legend_rows = -(-len(named) // 2)
        figure, axes = blank(3.0 + 0.2 * legend_rows)
        for name in known.keys() - set(named):
            axes.plot(known[name].index, known[name], color=style.GREY, linewidth=0.6, alpha=0.6)
        for name, line in zip(named, _lines(), strict=False):
            axes.plot(known[name].index, known[name], label=shortened(name), marker="o", markersize=3, **line)
        axes.set_ylim(bottom=0)
        axes.set_xlim(1.7, max((each.index.max() for each in known.values()), default=2) + 0.3)
        _whole_ticks(axes)
        axes.set_xlabel("seeds")
        axes.set_ylabel(f"half width of the interval [{_unit(study, kpi)}]")
        more = f"; grey: {len(known) - len(named)} more" if len(known) > len(named) else ""
        headline(axes, f"How sure the differences in {words(kpi)} are{more}", legend_rows=legend_rows)
    return figure


class StudyFigures:
    """Offer a study's figures by name: ``study.plot.differences("peak_import_kw")`` returns a matplotlib Figure."""

    def __init__(self, study: Compared) -> None:
        self._study = study

    def differences(self, kpi: str = "total_bill") -> "Figure":
        """Return each variant's paired difference to the base with its interval."""
        return differences(self._study, kpi)

    def winners(self) -> "Figure":
        """Return how bills change from the base to each variant, home by home."""
        return winners(self._study)

    def spread(self, kpi: str = "total_bill") -> "Figure":
        """Return a key figure of every run, by variant."""
        return spread(self._study, kpi)

    def convergence(self, kpi: str = "total_bill") -> "Figure":
        """Return how the intervals narrow as seeds are added."""
        return convergence(self._study, kpi)


def words(kpi: str) -> str:
    """Return a key figure's name as words, without the unit it ends with.

    >>> words("peak_import_kw"), words("total_bill")
    ('peak import', 'total bill')
    """
    *parts, last = kpi.split("_")
    return " ".join(parts if parts and last in {"kw", "kwh", "kg", "pu"} else [*parts, last])


def shortened(name: str) -> str:
    """Return a name that fits beside a figure: of a long one its two ends.

    >>> shortened("x" * 20 + "y" * 40)
    'xxxxxxxxxxxxxxxxx…yyyyyyyyyyyyyyyyyy'
    """
    if len(name) <= LONGEST_NAME:
        return name
    half = LONGEST_NAME // 2
    return f"{name[: half - 1]}…{name[-half:]}"


def _values(study: Compared, kpi: str) -> "pd.Series[Any]":
    """Return the values of a key figure by variant, as far as runs have it.

    Raises
    ------
    ResultError
        When no run has it.
    """
    rows = study.kpis[study.kpis["kpi"] == kpi].dropna(subset="value")
    if rows.empty:
        known = list(dict.fromkeys(study.kpis["kpi"]))
        hint = did_you_mean(kpi, known) if kpi not in known else ""
        raise ResultError(
            describe("no run has this key figure", got=kpi, expected=", ".join(known), hint=hint)
        )
    return rows.groupby("variant", sort=False)["value"].apply(np.array)


def _most(table: Any, effect: "pd.Series[float]") -> Any:
    """Return the rows in their order, of too many those with the largest effects."""
    if len(table) <= MOST_ROWS:
        return table
    return table[effect.abs().rank(method="first", ascending=False).to_numpy() <= MOST_ROWS]


def _left_out(whole: Sized, shown: Sized) -> str:
    return f"; {len(shown)} of {len(whole)} shown, those that differ most" if len(shown) < len(whole) else ""


def _surely(table: "pd.DataFrame") -> str:
    """Return in a sentence how many variants differ."""
    if table.empty:
        return "No variant has this key figure"
    if table["low"].isna().all():
        return "Differences to the base; one seed gives no interval"
    sure = int(np.count_nonzero((table["low"] > 0) | (table["high"] < 0)))
    return f"{sure} of {len(table)} variants differ from the base beyond chance, paired by seed"


def _name_rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(np.arange(len(names))[::-1], [shortened(name) for name in names])
    axes.grid(visible=True, axis="x")
    axes.set_ylim(-0.6, max(len(names), 1) - 0.4)


def _headline(axes: "Axes", title: str, names: Iterable[str]) -> None:
    """Set the title in lines that fit beside the rows' names."""
    longest = max((len(shortened(name)) for name in names), default=0)
    headline(axes, "\n".join(wrap(title, TITLE_LENGTH - longest)))


def _whole_ticks(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _lines() -> Iterator[dict[str, Any]]:
    """Yield styles of lines that differ by more than their colour."""
    for number, colour in enumerate(COLOURS):
        yield {"color": colour, "linestyle": DASHES[number % len(DASHES)]}


def _unit(study: Compared, kpi: str) -> str:
    """Return the unit of a key figure, in the study's currency."""
    units = study.kpis.loc[study.kpis["kpi"] == kpi, "unit"]
    text = str(units.iloc[0]) if len(units) else "1"
    return text.replace("currency", str(study.record.get("currency", "currency")))
