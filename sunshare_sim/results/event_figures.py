"""An island from before it begins until after it ends: what is served, what is shed, and what the batteries hold."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.results import style
from sunshare_sim.results.shown import Shown
from sunshare_sim.results.style import blank, headline, look
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MARGIN_HOURS = 3.0  # shown before and after
KINDS = ("island", "outage")


class WithEvents(Shown, Protocol):
    """Promise the table of events too; `Run` keeps it."""

    @property
    def events(self) -> "pd.DataFrame":
        """Return one row an event."""


def island_event(run: WithEvents, number: int = 0) -> "Figure":
    """Draw one island (or outage): the community's load served and not, its sources, and its batteries, slot by slot.

    Parameters
    ----------
    run : Run
        A run whose scenario has such an event.
    number : int
        Which one, in order of their beginning, from 0.

    Raises
    ------
    ResultError
        When the run has no such event.
    """
    first, last, title = _chosen(run, number)
    hours = run.scenario.time.slot_minutes / 60
    margin = int(np.ceil(MARGIN_HOURS / hours))
    rows = slice(max(first - margin, 0), min(last + margin, len(run.slots)))
    slots = run.slots.iloc[rows]
    times = _edges(run, slots)
    served = _steps(slots.load_kwh + slots.ev_kwh) / hours
    unserved = _steps(slots.unserved_kwh) / hours
    with look():
        figure, (upper, lower) = blank(4.8, 2, sharex=True, height_ratios=[1.8, 1])
        edge: dict[str, Any] = {"step": "post", "linewidth": 0}
        upper.fill_between(times, served, color=style.SKY, alpha=0.7, label="served", **edge)
        upper.fill_between(
            times, served, served + unserved, color=style.RED, alpha=0.7, label="not served", **edge
        )
        upper.step(
            times, _steps(slots.solar_kwh) / hours, where="post", color=style.ORANGE, label="solar used"
        )
        given, grid = _steps(slots.discharge_kwh) / hours, _steps(slots.import_kwh) / hours
        upper.step(times, given, where="post", color=style.BLUE, label="batteries and cars")
        upper.step(times, grid, where="post", color=style.BLACK, linewidth=0.9, label="from the grid")
        upper.set_ylabel("power [kW]")
        upper.set_ylim(bottom=0)
        lower.fill_between(times, _steps(slots.soc_kwh), color=style.GREEN, alpha=0.6, **edge)
        lower.set_ylabel("in batteries [kWh]")
        lower.set_ylim(bottom=0)
        for axes in (upper, lower):
            axes.axvspan(*_span(run, (first, last)), color=style.PALE, alpha=0.5, zorder=0, linewidth=0)
        inside = run.slots.iloc[first:last]
        lost, wanted = inside.unserved_kwh.sum(), (inside.unserved_kwh + inside.load_kwh).sum()
        part = f"{100 * (1 - lost / wanted):.0f} % of the load served" if wanted else "no load"
        headline(upper, f"{title}: {part}, {lost:.1f} kWh not served", legend_rows=2)
        _clock(lower, times)
    return figure


def _chosen(run: WithEvents, number: int) -> tuple[int, int, str]:
    """Return first slot, slot after the last, and text of an event."""
    events = run.events
    starts = events[events.kind.isin(KINDS)].reset_index(drop=True)
    if not 0 <= number < len(starts):
        what = "the run has no such event" if len(starts) else "the run has no island and no outage"
        expected = f"0 to {len(starts) - 1}" if len(starts) else "a scenario with `events`"
        raise ResultError(describe(what, where="figure", got=number, expected=expected))
    row: Any = starts.loc[number]
    text = str(row.text).rsplit(":", 1)[0]
    ends = events[(events.kind == f"{row.kind} ends") & (events.slot >= row.slot)]
    ends = ends[[str(each).startswith(f"{text}:") for each in ends.text]]
    last = int(ends.slot.iloc[0]) + 1 if len(ends) else len(run.slots)
    return int(row.slot), last, text[0].upper() + text[1:]


def _edges(run: WithEvents, slots: "pd.DataFrame") -> "pd.DatetimeIndex":
    """Return the local starts of slots and the end of the last."""
    import pandas as pd

    step = pd.Timedelta(minutes=run.scenario.time.slot_minutes)
    starts = pd.DatetimeIndex(slots.time)
    edges: pd.DatetimeIndex = starts.union(starts[-1:] + step).tz_convert(run.scenario.place.timezone)
    return edges


def _span(run: WithEvents, slots: tuple[int, int]) -> tuple[Any, Any]:
    edges = _edges(run, run.slots.iloc[slots[0] : slots[1]])
    return edges[0], edges[-1]


def _steps(values: Any) -> FloatArray:
    """Return a value for each edge of the slots, so that the last slot is drawn as wide as the others."""
    column = np.asarray(values, dtype=np.float64)
    return np.append(column, column[-1])


def _clock(axes: Any, times: "pd.DatetimeIndex") -> None:
    """Mark hours, as many as there is room for, and name the days."""
    from importlib import import_module

    dates: Any = import_module("matplotlib.dates")
    locator = dates.AutoDateLocator(tz=times.tz, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=times.tz))
    axes.set_xlabel("local time")
    axes.set_xlim(times[0], times[-1])
