"""Figures of the wires over time: duration curves of loading and voltage."""

from typing import TYPE_CHECKING

import numpy as np

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.results import style
from sunshare_sim.results.shown import Shown
from sunshare_sim.results.style import blank, headline, look
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATING, HIGH = 100.0, 120.0  # [%]


def loading_duration(run: Shown) -> "Figure":
    """Draw for how long the most loaded line or transformer is above each loading, and how voltages spread.

    Each curve sorts the slots on its own: the highest loading, and the lowest and the highest voltage of all buses.

    Raises
    ------
    ResultError
        When the run had no power flow.
    """
    slots = run.slots
    needs_power_flow(np.asarray(slots["loading_max"]), "loading_duration")
    loading = 100 * _falling(slots["loading_max"].to_numpy())
    high, low = (_falling(slots[f"voltage_{end}_pu"].to_numpy()) for end in ("max", "min"))
    share = 100 * (np.arange(loading.size) + 0.5) / loading.size
    with look():
        figure, (upper, lower) = blank(5.0, 2, sharex=True)
        upper.plot(share, loading, color=style.BLACK, label="most loaded line or transformer")
        upper.axhline(RATING, color=style.RED, linewidth=0.8, linestyle=(0, (4, 1.5)), label="rating")
        upper.set_ylabel("loading [%]")
        upper.set_ylim(0, max(HIGH, 1.05 * float(loading[0])))
        over = 100 * float(np.mean(loading > RATING))
        headline(upper, f"Loading: up to {loading[0]:.0f} %, above the rating in {over:.1f} % of slots")
        lower.plot(share, high, color=style.RED, label="highest")
        lower.plot(share, low, color=style.BLUE, linestyle=(0, (4, 1.5)), label="lowest of all buses")
        lower.axhline(1.0, color=style.BLACK, linewidth=0.8)
        lower.set_ylabel("voltage [p.u.]")
        lower.set_xlabel("share of slots with at least this value [%]")
        lower.set_xlim(0, 100)
        headline(lower, f"Voltage: {low[-1]:.3f} to {high[0]:.3f} p.u.")
    return figure


def needs_power_flow(values: FloatArray, figure: str) -> None:
    """Raise when a figure's values were never computed.

    Raises
    ------
    ResultError
        Naming the key of the scenario that computes them.
    """
    if not np.isfinite(values).any():
        raise ResultError(
            describe(
                "the run had no power flow",
                where=figure,
                hint="run it with `network.power_flow: post` or `enforce`",
            )
        )


def _falling(values: FloatArray) -> FloatArray:
    """Return the values of solved slots, from the largest to the smallest."""
    known = np.asarray(values)[np.isfinite(values)]
    return np.sort(known)[::-1]
