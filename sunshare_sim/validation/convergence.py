"""How many rounds a slot: market outcomes against the number of rounds, as a table and as a figure."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.results import style
from sunshare_sim.validation.neighbourhood import Neighbourhood, try_out

ROUNDS: Final = (1, 2, 4, 8, 16, 32, 64)
STRATEGIES: Final = ("tariff_bound", "zi_c", "zip", "aa", "gd", "mgd", "shaver", "predictive", "roth_erev")
SETTLED: Final = 16
SHARE: Final = 0.5  # percentage points within which the energy traded counts as that of the finest cut
COLOURS: Final = (
    style.BLACK,
    style.ORANGE,
    style.SKY,
    style.GREEN,
    style.YELLOW,
    style.PINK,
    style.GREY,
    style.BLUE,
    style.RED,
)
SECTION: Final = """## How many rounds a slot

60 homes, every second one with solar, 48 slots; outcomes of the last 24, mean and 95 % confidence interval over 6
seeds. Meters are the same for all strategies and rounds; the order of activation is drawn anew each round. Settled:
from that number of rounds on, the energy traded stays within 0.5 percentage points of that at 64 rounds, or the two
differ by no more than chance.

Where a scenario does not say `market.rounds`, a slot has as many rounds as any of its strategies needs by this table:
one for truthful, shaving, MGD and predictive traders, whose trade is settled at once; 4 for ZI-C, who would trade four
fifths in one round; 8 for ZIP; 2 for GD; 32 for AA, which closes in on a price by a third of the gap at a time; 64 for
Roth-Erev, who learn after each round and so drift with their number, by a percentage point at most; 16 for strategies
of others, unless they say so themselves (`Strategy.rounds`). Prices of ZI-C, ZIP, MGD, shavers
and predictive traders have settled by 16 as well; those of AA, GD and Roth-Erev depend on the path of learning and
spread over seeds at any number of rounds.

![Energy traded and mean price against rounds](figures/rounds.svg)
"""


class Row(NamedTuple):
    """Hold the outcomes of one strategy at one number of rounds, one a seed.

    Attributes
    ----------
    strategy : str
        Its name.
    rounds : int
        Rounds a slot.
    shares : tuple of float
        Energy traded, of what could be [%].
    prices : tuple of float
        Mean price [ct/kWh], of the seeds that traded.
    """

    strategy: str
    rounds: int
    shares: tuple[float, ...]
    prices: tuple[float, ...]


def study(
    strategies: Sequence[str] = STRATEGIES,
    rounds: Sequence[int] = ROUNDS,
    *,
    seeds: int = 6,
    notice: Callable[[str], None] | None = None,
) -> list[Row]:
    """Let the neighbourhood trade with each strategy and number of rounds.

    Parameters
    ----------
    strategies : sequence of str
        Names of registered strategies.
    rounds : sequence of int
        Numbers of rounds a slot, rising.
    seeds : int
        Independent repetitions.
    notice : callable, optional
        Told of each strategy before its turn.
    """
    rows = []
    for name in strategies:
        if notice is not None:
            notice(f"rounds: {name}")
        for count in rounds:
            trials = [
                try_out(Neighbourhood(rounds=count), make_strategy(name), seed)
                for seed in range(1, seeds + 1)
            ]
            # Where nothing was traded there is no price
            prices = tuple(100.0 * trial.price for trial in trials if trial.share > 0)
            rows.append(Row(name, count, tuple(100.0 * trial.share for trial in trials), prices))
    return rows


def settled_from(rows: Sequence[Row]) -> dict[str, int]:
    """Return from how many rounds on each strategy's traded energy stays as at the most rounds."""
    settled: dict[str, int] = {}
    for name in dict.fromkeys(row.strategy for row in rows):
        mine = [row for row in rows if row.strategy == name]
        finest = mine[-1]
        settled[name] = finest.rounds
        for row in reversed(mine):
            gap = np.subtract(row.shares, finest.shares)
            error = float(np.std(gap, ddof=1)) / np.sqrt(gap.size) if gap.size > 1 else 0.0
            if abs(float(gap.mean())) > max(SHARE, 1.96 * error):
                break
            settled[name] = row.rounds
    return settled


def section(rows: Sequence[Row]) -> str:
    """Return the outcomes as a section of Markdown."""
    settled = settled_from(rows)
    lines = ["| Strategy | Energy settled from rounds |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in settled.items()]
    lines += [
        "",
        "| Strategy | Rounds | Energy traded, of what could be [%] | Mean price [ct/kWh] |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row.strategy} | {row.rounds} | {_interval(row.shares)} | {_interval(row.prices)} |"
        for row in rows
    ]
    return f"{SECTION}\n" + "\n".join(lines) + "\n"


def draw(rows: Sequence[Row], place: Path) -> None:
    """Draw energy traded and mean price against rounds and save the figure.

    Parameters
    ----------
    rows : sequence of Row
        What `study` returned.
    place : Path
        File to write.
    """
    names = list(dict.fromkeys(row.strategy for row in rows))
    with style.look():
        figure, (upper, lower) = style.blank(6.2, rows=2, sharex=True)
        for name, colour in zip(names, COLOURS, strict=False):
            mine = [row for row in rows if row.strategy == name]
            _line(upper, mine, [row.shares for row in mine], colour, name)
            _line(lower, mine, [row.prices for row in mine], colour, name)
        style.headline(upper, "Energy traded, of what could be [%]", legend_rows=2)
        lower.set_title("Mean price [ct/kWh]")
        lower.set_xscale("log", base=2)
        ticks = sorted({row.rounds for row in rows})
        lower.set_xticks(ticks, [str(tick) for tick in ticks])
        lower.set_xlabel("rounds a slot; bars: 95 % confidence interval over seeds")
        for axes in (upper, lower):
            axes.axvline(SETTLED, color=style.PALE, zorder=0)
        place.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(place, metadata={"Date": None, "Creator": "sunshare-sim"})


def _line(axes: Any, rows: Sequence[Row], samples: Sequence[Sequence[float]], colour: str, name: str) -> None:
    """Draw one strategy's means with their confidence intervals, where there are at least two values."""
    some = [
        (row.rounds, *_mean_and_half(values))
        for row, values in zip(rows, samples, strict=True)
        if len(values) > 1
    ]
    if some:
        count, mean, half = zip(*some, strict=True)
        axes.errorbar(count, mean, yerr=half, color=colour, label=name, marker="o", markersize=3.5, capsize=2)


def _mean_and_half(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and half the 95 % confidence interval."""
    return float(np.mean(values)), float(1.96 * np.std(values, ddof=1) / np.sqrt(len(values)))


def _interval(values: Sequence[float]) -> str:
    """Return mean and 95 % confidence interval as text, a dash for fewer than two values."""
    if len(values) < 2:
        return "-"
    return "{:.2f} ± {:.2f}".format(*_mean_and_half(values))
