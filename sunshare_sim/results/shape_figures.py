"""Figures of how much and when: duration curves of power, hours of the day against days, the spread of bills."""

from typing import TYPE_CHECKING, Final

import numpy as np

from sunshare_sim.errors import ResultError, describe, did_you_mean
from sunshare_sim.results import style
from sunshare_sim.results.kpis import net_import_kwh
from sunshare_sim.results.shown import Shown
from sunshare_sim.results.style import blank, headline, look
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOURS: Final = range(0, 25, 6)


def duration(run: Shown) -> "Figure":
    """Draw for how long the power at the head of the feeder is above each value, with and without the homes' trades.

    Trades among neighbours change no flow at the head; the two curves show what homes import and export by their own
    meters, and what is left of it for the community as a whole.
    """
    hours = run.scenario.time.slot_minutes / 60
    slots = run.slots
    community = _falling(net_import_kwh(slots) / hours)
    imports = _falling(slots["deficit_kwh"].to_numpy() / hours)
    exports = _falling(-slots["surplus_kwh"].to_numpy() / hours)
    share = 100 * (np.arange(community.size) + 0.5) / community.size
    with look():
        figure, axes = blank(3.6)
        axes.plot(share, community, color=style.BLACK, label="community as a whole")
        axes.plot(share, imports, color=style.RED, linestyle=(0, (4, 1.5)), label="sum of homes' imports")
        axes.plot(share, exports, color=style.BLUE, linestyle=(0, (1, 1)), label="sum of homes' exports")
        axes.axhline(0, color=style.BLACK, linewidth=0.8)
        axes.set_xlabel("share of slots with at least this power [%]")
        axes.set_ylabel("power [kW]")
        axes.set_xlim(0, 100)
        high, low = max(float(community.max()), 0.0), max(float(-community.min()), 0.0)
        headline(axes, f"Power at the feeder's head: up to {high:.0f} kW in, {low:.0f} kW out")
    return figure


def heat_map(run: Shown, column: str = "net_import_kwh") -> "Figure":
    """Draw one of the slots' energies by day and local hour, as mean power.

    Parameters
    ----------
    column : str
        A column of the table `slots` that ends in ``_kwh``, or ``net_import_kwh``.

    Raises
    ------
    ResultError
        When there is no such column.
    """
    slots = run.slots
    known = [
        "net_import_kwh",
        *(name for name in slots.columns if name.endswith("_kwh") and name[0:4] != "soc_"),
    ]
    if column not in known:
        hint = did_you_mean(column, known)
        raise ResultError(
            describe("no such energy", where="heat_map", got=column, expected=", ".join(known), hint=hint)
        )
    energy = net_import_kwh(slots) if column == "net_import_kwh" else slots[column].to_numpy()
    power = _by_day_and_time(run, energy / (run.scenario.time.slot_minutes / 60))
    ends = {"vmin": -float(np.nanmax(np.abs(power))), "vmax": float(np.nanmax(np.abs(power)))}
    is_signed = bool(np.nanmin(power) < 0)
    with look():
        figure, axes = blank(3.6)
        image = axes.imshow(
            power.T,
            aspect="auto",
            origin="lower",
            extent=(0, len(power), 0, 24),
            cmap="RdBu_r" if is_signed else "cividis",
            interpolation="none",
            **(ends if is_signed else {"vmin": 0.0}),
        )
        figure.colorbar(image, ax=axes, label="power [kW]")
        axes.grid(visible=False)
        axes.set_yticks(list(HOURS))
        axes.set_ylabel("local hour")
        axes.set_xlabel("day of the run")
        headline(axes, f"{column.removesuffix('_kwh').replace('_', ' ').capitalize()} by day and hour")
    return figure


def bills(run: Shown) -> "Figure":
    """Draw how bills are spread over the homes, with the local market and without."""
    table, currency = run.bills, run.scenario.tariff.currency
    homes = 100 * (np.arange(len(table)) + 0.5) / len(table)
    with look():
        figure, axes = blank(3.6)
        for name, text, colour, dash in (
            ("counterfactual_total", "without local market", style.GREY, "--"),
            ("total", "with local market", style.BLUE, "-"),
        ):
            axes.step(
                np.sort(table[name].to_numpy()), homes, where="mid", color=colour, linestyle=dash, label=text
            )
        axes.axvline(0, color=style.BLACK, linewidth=0.8)
        axes.set_ylabel("share of homes with at most this bill [%]")
        axes.set_ylim(0, 100)
        axes.set_xlabel(f"bill over the run [{currency}]")
        before, after = table["counterfactual_total"].median(), table["total"].median()
        headline(
            axes, f"Bills: median {after:,.2f} {currency}, without local market {before:,.2f} {currency}"
        )
    return figure


def _falling(values: FloatArray) -> FloatArray:
    """Return values from the largest to the smallest."""
    return np.sort(np.asarray(values))[::-1]


def _by_day_and_time(run: Shown, values: FloatArray) -> FloatArray:
    """Return values by local day and slot of the day, NaN where a day has no such slot, shape [days, slots a day]."""
    minutes = run.scenario.time.slot_minutes
    local = run.slots["time"].dt.tz_convert(run.scenario.place.timezone)
    day = (
        local.dt.normalize().dt.tz_localize(None) - local.dt.normalize().dt.tz_localize(None).iloc[0]
    ).dt.days
    place = (local.dt.hour * 60 + local.dt.minute) // minutes
    # The hour that comes twice when clocks go back is shown as its mean.
    shape = int(day.iloc[-1]) + 1, 1440 // minutes
    flat = day.to_numpy() * shape[1] + place.to_numpy()
    count = np.bincount(flat, minlength=shape[0] * shape[1])
    summed = np.bincount(flat, values, minlength=shape[0] * shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        grid: FloatArray = (summed / count).reshape(shape)
    return grid
