"""Figures of the market itself: how deep a slot's book was, and the best quotes beside the prices paid."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.results import style
from sunshare_sim.results.shown import Shown
from sunshare_sim.results.style import blank, calendar, headline, look
from sunshare_sim.units import from_micro

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def depth(run: Shown, slot: int | None = None) -> "Figure":
    """Draw what all orders of a slot bid and asked for at every price, before any of it traded.

    Parameters
    ----------
    run : Shown
        A run that kept its orders (`results.orders`).
    slot : int, optional
        Number of the slot; by default the one in which most energy was traded.

    Raises
    ------
    ResultError
        When the run has no such slot.
    """
    slots, currency = run.slots, run.scenario.tariff.currency
    if slot is None:
        slot = int(slots["traded_kwh"].to_numpy().argmax())
    if not isinstance(slot, int | np.integer) or not 0 <= slot < len(slots):
        expected = f"0 to {len(slots) - 1}"
        raise ResultError(describe("no such slot", where="plot.depth", got=slot, expected=expected))
    book = depth_of(run, slot)
    traded = float(slots["traded_kwh"].iloc[slot])
    with look():
        figure, axes = blank(3.8)
        for side, colour, label in (("bid", style.BLUE, "bids at"), ("ask", style.ORANGE, "asks at")):
            part = book[book.side == side]
            which = "this price or above" if side == "bid" else "this price or below"
            _curve(axes, part, is_bid=side == "bid", color=colour, label=f"{label} {which}")
        axes.axhline(traded, color=style.GREEN, linewidth=1.1, linestyle=(0, (4, 1.5)), label="traded")
        axes.set_xlabel(f"limit price [{currency}/kWh]")
        axes.set_ylabel("energy [kWh]")
        axes.set_ylim(bottom=0)
        local = slots["time"].iloc[slot].tz_convert(run.scenario.place.timezone)
        headline(axes, f"The book of slot {slot}, {local:%d %b %H:%M}: {traded:.1f} kWh of it traded")
    return figure


def depth_of(run: Shown, slot: int) -> "pd.DataFrame":
    """Return a slot's orders by side and price, best first: `side, price_per_kwh, quantity_kwh, orders`.

    Over all zones and before anything traded. Of a home that quoted more than once its last quote counts.
    """
    orders = run.exact("orders")
    mine = orders[orders["slot"] == slot].drop_duplicates("household", keep="first")
    is_bid = mine["side"].to_numpy() == 1
    table = mine.assign(side=np.where(is_bid, "bid", "ask"))
    groups = table.groupby(["side", "price_micro_per_kwh"], as_index=False)
    found = groups.agg(quantity_kwh=("quantity_micro_kwh", "sum"), orders=("household", "size"))
    found["price_per_kwh"] = from_micro(found.pop("price_micro_per_kwh"))
    found["quantity_kwh"] = from_micro(found["quantity_kwh"])
    rank = np.where(found["side"] == "bid", -found["price_per_kwh"], found["price_per_kwh"])
    ordered = found.assign(rank=rank).sort_values(
        ["side", "rank"], ascending=[False, True], ignore_index=True
    )
    return ordered[["side", "price_per_kwh", "quantity_kwh", "orders"]]


def quotes(run: Shown) -> "Figure":
    """Draw each slot's best bid and ask left in the book, over all zones, and the trades' prices between them.

    Raises
    ------
    ResultError
        When the run did not keep its quotes (`results.quotes`).
    """
    times = run.slots.set_index("time").index.tz_convert(run.scenario.place.timezone)  # type: ignore[attr-defined]
    currency = run.scenario.tariff.currency
    with look():
        figure, axes = blank(3.8)
        _trade_prices(axes, run, times)
        best_left(axes, run, times)
        axes.set_ylabel(f"price [{currency}/kWh]")
        axes.set_ylim(bottom=0)
        calendar(axes, times)
        headline(axes, "Best quotes left after each slot, over all zones, and what trades paid the sellers")
    return figure


def best_left(axes: "Axes", run: Shown, times: Any) -> None:
    """Draw the best bid and ask left after each slot, over all zones, of a run that kept its quotes."""
    groups = run.exact("quotes").groupby("slot")
    bid = groups["best_bid_per_kwh"].max().reindex(range(len(times))).to_numpy()
    ask = groups["best_ask_per_kwh"].min().reindex(range(len(times))).to_numpy()
    steps: dict[str, Any] = {"where": "post", "linewidth": 1.2}
    axes.step(times, ask, color=style.RED, label="lowest ask left", **steps)
    axes.step(times, bid, color=style.BLUE, label="highest bid left", **steps)


def _curve(axes: "Axes", part: "pd.DataFrame", *, is_bid: bool, **line: Any) -> None:
    """Draw the energy at a price or better; `part` is sorted best first."""
    price, energy = part["price_per_kwh"].to_numpy(), part["quantity_kwh"].to_numpy().cumsum()
    if not price.size:
        axes.plot([], [], **line)
        return
    if is_bid:  # what is bid at a price holds down to the next lower one
        price, energy = price[::-1], energy[::-1]
        price, energy = np.append(price, price[-1]), np.append(energy, 0.0)
    else:
        price, energy = np.append(price[0], price), np.append(0.0, energy)
    step: Any = "pre" if is_bid else "post"
    axes.step(price, energy, where=step, **line)
    axes.fill_between(price, energy, step=step, color=line["color"], alpha=0.15, linewidth=0)


def _trade_prices(axes: "Axes", run: Shown, times: Any) -> None:
    trades = run.exact("trades", ["slot", "price_micro_per_kwh"])
    if len(trades):
        price = from_micro(trades["price_micro_per_kwh"].to_numpy())
        dots: dict[str, Any] = {
            "color": style.GREEN,
            "s": 5,
            "alpha": 0.5,
            "linewidths": 0,
            "label": "trades",
        }
        axes.scatter(times[trades["slot"].to_numpy()], price, **dots)
