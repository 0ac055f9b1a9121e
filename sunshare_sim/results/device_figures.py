"""A day of one home's battery, and of one home's (or site's) cars, slot by slot; drawn from a run's panels."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.results import style
from sunshare_sim.results.shown import Shown
from sunshare_sim.results.style import blank, headline, look
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGE: dict[str, Any] = {"step": "post", "linewidth": 0}


class WithPanels(Shown, Protocol):
    """Promise the home-by-slot quantities too; `Run` keeps it."""

    @property
    def panels(self) -> tuple[str, ...]:
        """Return the names of the panels that were kept."""

    def panel(self, name: str) -> "pd.DataFrame":
        """Return one home-by-slot quantity."""


def battery_day(run: WithPanels, home: int | None = None, day: int | None = None) -> "Figure":
    """Draw what one home's battery does in a day: where its energy comes from and goes to, and what it holds.

    Parameters
    ----------
    run : Run
        A run with the panels of load, solar, cars, charge, discharge and state of charge.
    home : int, optional
        Row of the home; by default the one whose battery moves most.
    day : int, optional
        Local day of the run, from 0; by default the one on which it moves most.

    Raises
    ------
    ResultError
        When the panels were not kept, no home has a battery, or the run has no such home or day.
    """
    names = ("load_kwh", "solar_kwh", "ev_kwh", "charge_kwh", "discharge_kwh", "soc_kwh")
    panels = _panels(run, names)
    moved = panels["charge_kwh"] + panels["discharge_kwh"]
    owners = run.households["battery_kwh"].to_numpy() > 0
    home, rows = _chosen(moved.loc[:, owners], home, day, "battery")
    hours = run.scenario.time.slot_minutes / 60
    power = {name: _steps(panel[home].to_numpy()[rows] / hours) for name, panel in panels.items()}
    times = _edges(panels["soc_kwh"], rows)
    gives = float(run.households["ev_given_kwh"].iloc[home]) > 0
    out = "given by battery and car" if gives else "discharge"
    with look():
        figure, (upper, lower) = blank(4.8, 2, sharex=True, height_ratios=[1.6, 1])
        use = power["load_kwh"] + power["ev_kwh"]
        upper.step(times, power["solar_kwh"], where="post", color=style.ORANGE, label="solar")
        upper.step(times, use, where="post", color=style.BLACK, label="load and car")
        upper.fill_between(times, power["charge_kwh"], color=style.GREEN, alpha=0.6, label="charge", **EDGE)
        upper.fill_between(times, -power["discharge_kwh"], color=style.BLUE, alpha=0.6, label=out, **EDGE)
        upper.axhline(0, color=style.BLACK, linewidth=0.6)
        upper.set_ylabel("power [kW]")
        lower.fill_between(times, power["soc_kwh"] * hours, color=style.SKY, **EDGE)
        lower.set_ylim(0, float(run.households["battery_kwh"].iloc[home]) * 1.05)
        lower.set_ylabel("in the battery [kWh]")
        taken, given = (hours * power[name][:-1].sum() for name in ("charge_kwh", "discharge_kwh"))
        name = run.households["name"].iloc[home]
        headline(
            upper,
            f"A day of the battery of {name}: {taken:.1f} kWh in, {given:.1f} kWh {'given' if gives else 'out'}",
        )
        _clock(lower, times)
    return figure


def ev_day(run: WithPanels, home: int | None = None, day: int | None = None) -> "Figure":
    """Draw when one home's cars (or a site's charge points) take and give energy in a day, beside the retail price.

    Parameters
    ----------
    run, home, day
        As in `battery_day`; panels of cars and discharge are needed.

    Raises
    ------
    ResultError
        When the panels were not kept, no home has a car, or the run has no such home or day.
    """
    panels = _panels(run, ("ev_kwh", "discharge_kwh"))
    owners = run.households["ev_kw"].to_numpy() > 0
    home, rows = _chosen(panels["ev_kwh"].loc[:, owners], home, day, "car")
    hours = run.scenario.time.slot_minutes / 60
    times = _edges(panels["ev_kwh"], rows)
    taken = _steps(panels["ev_kwh"][home].to_numpy()[rows] / hours)
    gives = float(run.households["ev_given_kwh"].iloc[home]) > 0
    with look():
        figure, (upper, lower) = blank(4.4, 2, sharex=True, height_ratios=[1.8, 1])
        upper.fill_between(times, taken, color=style.GREEN, label="taken", **EDGE)
        if gives:
            given = _steps(panels["discharge_kwh"][home].to_numpy()[rows] / hours)
            text = "given by car and battery" if run.households["battery_kwh"].iloc[home] > 0 else "given"
            upper.fill_between(times, -given, color=style.BLUE, label=text, **EDGE)
        upper.axhline(0, color=style.BLACK, linewidth=0.6)
        upper.set_ylabel("power [kW]")
        price = _steps(run.slots["retail_per_kwh"].to_numpy()[rows])
        lower.step(times, price, where="post", color=style.RED)
        lower.set_ylim(bottom=min(0.0, float(price.min())))
        lower.set_ylabel(f"retail [{run.scenario.tariff.currency}/kWh]")
        name = run.households["name"].iloc[home]
        headline(upper, f"A day of the cars at {name}: {hours * taken[:-1].sum():.1f} kWh charged")
        _clock(lower, times)
    return figure


def _panels(run: WithPanels, names: tuple[str, ...]) -> "dict[str, pd.DataFrame]":
    """Return panels in the place's local time."""
    missing = [name for name in names if name not in run.panels]
    if missing:
        raise ResultError(
            describe(
                "the figure needs panels that the run did not keep",
                got=", ".join(run.panels) or "no panel",
                expected=", ".join(names),
                hint=f"set results.panels: [{', '.join(names)}] and run again",
            )
        )
    zone = run.scenario.place.timezone
    return {name: run.panel(name).tz_convert(zone) for name in names}


def _chosen(moved: "pd.DataFrame", home: int | None, day: int | None, what: str) -> tuple[int, slice]:
    """Return the home and the slots of the day: those asked for, else those in which most energy moves."""
    homes = [int(name) for name in moved.columns.tolist()]
    if not homes:
        raise ResultError(describe(f"no home of the run has a {what}", where="figure"))
    if home is not None and home not in homes:
        raise ResultError(
            describe(f"this home has no {what}", where="figure", got=home, expected=f"one of {homes}")
        )
    chosen = homes[int(moved.sum().to_numpy().argmax())] if home is None else home
    days = _local_times(moved).normalize()
    by_day = moved[chosen].groupby(days).sum()
    if day is not None and not 0 <= day < len(by_day):
        raise ResultError(
            describe("the run has no such day", where="figure", got=day, expected=f"0 to {len(by_day) - 1}")
        )
    rows = np.flatnonzero(days == (by_day.idxmax() if day is None else by_day.index[day]))
    return chosen, slice(int(rows[0]), int(rows[-1]) + 1)


def _local_times(panel: "pd.DataFrame") -> "pd.DatetimeIndex":
    import pandas as pd

    return pd.DatetimeIndex(panel.index)


def _edges(panel: "pd.DataFrame", rows: slice) -> "pd.DatetimeIndex":
    """Return the starts of a day's slots and the end of the last."""
    times = _local_times(panel)
    step = times[1] - times[0] if len(times) > 1 else 0 * (times[0] - times[0])
    edges: pd.DatetimeIndex = times[rows].union(times[rows][-1:] + step)
    return edges


def _steps(values: FloatArray) -> FloatArray:
    """Return a value for each edge of the slots, so that the last slot is drawn as wide as the others."""
    return np.append(values, values[-1])


def _clock(axes: "Axes", times: Any) -> None:
    """Mark every third hour of the day, which the axis names."""
    from importlib import import_module

    dates: Any = import_module("matplotlib.dates")
    axes.xaxis.set_major_locator(dates.HourLocator(byhour=range(0, 24, 3), tz=times.tz))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=times.tz))
    axes.set_xlabel(f"{times[0]:%A, %d %B %Y}, local time")
    axes.set_xlim(times[0], times[-1])
