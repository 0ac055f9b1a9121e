"""The four standard figures of a run, each a function of the run; their titles say what they show."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from sunshare_sim.results import style
from sunshare_sim.results.columns import ratio
from sunshare_sim.results.device_figures import WithPanels, battery_day, ev_day
from sunshare_sim.results.event_figures import WithEvents, island_event
from sunshare_sim.results.feeder_map import feeder_map
from sunshare_sim.results.kpis import (
    consumption_kwh,
    home_self_consumption,
    home_self_sufficiency,
    mean_local_price,
)
from sunshare_sim.results.market_figures import best_left, depth, quotes
from sunshare_sim.results.network_figures import loading_duration
from sunshare_sim.results.shape_figures import bills, duration, heat_map
from sunshare_sim.results.shown import Shown
from sunshare_sim.results.style import blank, calendar, headline, look
from sunshare_sim.units import MICRO, FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


EDGE: Final[dict[str, Any]] = {"edgecolor": style.BLACK, "linewidth": 0.25}
MOST_BARS: Final = 250  # homes; beyond, the white gaps between bars would hide the bars
CLASSES: Final = (
    ("enterprise", style.PINK),
    ("solar and battery", style.GREEN),
    ("solar", style.ORANGE),
    ("no solar", style.BLUE),
)


def energy_balance(run: Shown) -> "Figure":
    """Draw where the energy the homes use comes from, and where the sun's energy goes, in every slot."""
    power = _power(run)
    with look():
        figure, (upper, lower) = blank(5.2, 2, sharex=True)
        _stack(
            upper,
            power.index,
            (power.load_kwh + power.ev_kwh - power.deficit_kwh, "own solar and battery", style.ORANGE),
            (power.traded_kwh, "neighbours", style.GREEN),
            (power.import_kwh, "grid", style.PALE),
        )
        _stack(
            lower,
            power.index,
            (power.solar_kwh - power.surplus_kwh, "used or stored at home", style.ORANGE),
            (power.traded_kwh, "sold to neighbours", style.GREEN),
            (power.export_kwh, "grid", style.PALE),
        )
        if power.soc_kwh.max() > 0:
            _battery_line(lower, power.soc_kwh)
        slots = run.slots
        own, kept = _percent(home_self_sufficiency(slots)), _percent(home_self_consumption(slots))
        bought = _percent(ratio(slots.traded_kwh.sum(), consumption_kwh(slots)))
        sold = _percent(ratio(slots.traded_kwh.sum(), slots.solar_kwh.sum()))
        headline(upper, f"Where the homes' energy comes from: {own} own, {bought} from neighbours")
        headline(lower, f"Where solar energy goes: {kept} stays at home, {sold} goes to neighbours")
        for axes in (upper, lower):
            axes.set_ylabel("power [kW]")
            calendar(axes, power.index)
    return figure


def price_path(run: Shown) -> "Figure":
    """Draw what local energy costs between the grid's two prices, and how much of it changes hands.

    Of a run that kept its quotes (`results.quotes`), with the best bid and ask left after each slot.
    """
    prices, currency = _prices(run), run.scenario.tariff.currency
    with look():
        figure, (upper, lower) = blank(4.6, 2, sharex=True, height_ratios=[3, 1.2])
        _between_tariffs(upper, prices)
        if run.scenario.results.quotes and not _is_long(run):
            best_left(upper, run, prices.index)
        upper.set_ylabel(f"price [{currency}/kWh]")
        upper.set_ylim(bottom=0)
        mean = mean_local_price(run.slots)
        verdict = (
            "nothing was traded" if np.isnan(mean) else f"sellers get {mean:.3f} {currency}/kWh on average"
        )
        headline(upper, f"Price of local energy: {verdict}")
        lower.fill_between(prices.index, prices.power_kw.fillna(0.0), step="post", color=style.GREEN)
        lower.set_ylabel("traded [kW]")
        lower.set_ylim(bottom=0)
        for axes in (upper, lower):
            calendar(axes, prices.index)
    return figure


def savings(run: Shown) -> "Figure":
    """Draw what each home saves by the local market, sorted within its class."""
    saving, currency = run.bills["saving"].to_numpy(), run.scenario.tariff.currency
    losing = int(np.count_nonzero(saving < 0))
    with look():
        figure, axes = blank(3.8)
        gap = max(1, len(saving) // 25)
        edge = 0.4 if len(saving) <= MOST_BARS else 0.0
        first = max(2, len(saving) // 20)
        for (name, colour), members in zip(CLASSES, _classes(run), strict=True):
            if members.any():
                values = np.sort(saving[members])[::-1]
                bars = {"label": f"{name} ({len(values)})", "color": colour, "linewidth": edge}
                first = _bars(axes, first, values, **bars) + gap
        axes.axhline(0, color=style.BLACK, linewidth=0.8)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(0, first)
        axes.margins(y=0.12)
        axes.set_ylabel(f"saving over the run [{currency}]")
        axes.set_xlabel("homes, sorted within each class; black line: median")
        verdict = "none pays" if not losing else "one pays" if losing == 1 else f"{losing} pay"
        together = f"{len(saving)} homes save {saving.sum():,.0f} {currency} together"
        headline(axes, f"{together}; {verdict} more than without the market", legend_rows=2)
    return figure


FIGURES: Final[dict[str, Callable[[Shown], "Figure"]]] = {
    "energy-balance": energy_balance,
    "price-path": price_path,
    "savings": savings,
    "feeder-map": feeder_map,
}


class Figures:
    """Offer a run's figures by name: ``run.plot.energy_balance()`` returns a matplotlib Figure."""

    def __init__(self, run: Shown) -> None:
        self._run = run

    def energy_balance(self) -> "Figure":
        """Return where energy comes from and goes to, slot by slot."""
        return energy_balance(self._run)

    def price_path(self) -> "Figure":
        """Return local prices between the grid's, and the traded volume."""
        return price_path(self._run)

    def savings(self) -> "Figure":
        """Return each home's saving, sorted within its class."""
        return savings(self._run)

    def feeder_map(self, by: str = "zone") -> "Figure":
        """Return the feeder with its homes and devices, coloured by "zone", "voltage" or "loading"."""
        return feeder_map(self._run, by)

    def loading_duration(self) -> "Figure":
        """Return for how long loadings and voltages are above each value; needs `network.power_flow`."""
        return loading_duration(self._run)

    def bills(self) -> "Figure":
        """Return how bills are spread over the homes, with the local market and without."""
        return bills(self._run)

    def duration(self) -> "Figure":
        """Return for how long the power at the feeder's head is above each value."""
        return duration(self._run)

    def heat_map(self, column: str = "net_import_kwh") -> "Figure":
        """Return one of the slots' energies by day and local hour."""
        return heat_map(self._run, column)

    def depth(self, slot: int | None = None) -> "Figure":
        """Return what a slot's orders bid and asked for at every price; needs `results.orders`."""
        return depth(self._run, slot)

    def quotes(self) -> "Figure":
        """Return the best bid and ask left in each slot beside the trades' prices; needs `results.quotes`."""
        return quotes(self._run)

    def battery_day(self, home: int | None = None, day: int | None = None) -> "Figure":
        """Return what one home's battery does in a day; needs panels."""
        return battery_day(cast("WithPanels", self._run), home, day)

    def ev_day(self, home: int | None = None, day: int | None = None) -> "Figure":
        """Return when one home's cars charge and give in a day; needs panels."""
        return ev_day(cast("WithPanels", self._run), home, day)

    def island_event(self, number: int = 0) -> "Figure":
        """Return what an island (or outage) served and shed, and what its batteries held; needs `events`."""
        return island_event(cast("WithEvents", self._run), number)


def save_figures(run: Shown, folder: Path) -> list[Path]:
    """Write all figures of `run` as PNG and SVG into `folder` and return the files; same run, same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, draw in FIGURES.items():
        figure = draw(run)
        title = {"Title": figure.axes[0].get_title(loc="left")}
        png, svg = folder / f"{name}.png", folder / f"{name}.svg"
        with look():
            figure.savefig(png, metadata={**title, "Software": None}, pil_kwargs={"optimize": True})
            figure.savefig(svg, metadata={**title, "Date": None, "Creator": "sunshare-sim"})
        files += [png, svg]
    return files


def _local(run: Shown) -> "pd.DataFrame":
    """Return the slots, indexed by local time."""
    slots = run.slots.set_index("time")
    return slots.set_index(slots.index.tz_convert(run.scenario.place.timezone))  # type: ignore[attr-defined]


def _power(run: Shown) -> "pd.DataFrame":
    """Return the slots' energies as mean power [kW], daily where the run is long; soc stays [kWh]."""
    slots = _local(run)
    energies = [name for name in slots.columns if name.endswith("_kwh") and name != "soc_kwh"]
    slots[energies] /= run.scenario.time.slot_minutes / 60
    return slots.resample("D").mean() if _is_long(run) else slots


def _is_long(run: Shown) -> bool:
    return run.scenario.time.days > style.DAYS_IN_SLOTS


def _stack(axes: "Axes", times: Any, *layers: tuple[Any, str, str]) -> None:
    values = [np.clip(np.asarray(layer, dtype=float), 0, None) for layer, _, _ in layers]
    labels, colours = [label for _, label, _ in layers], [colour for _, _, colour in layers]
    axes.stackplot(times, *values, labels=labels, colors=colours, step="post", **EDGE)


def _battery_line(axes: "Axes", stored: "pd.Series[float]") -> None:
    right = axes.twinx()
    right.plot(stored.index, stored, color=style.BLUE, linewidth=1.2, linestyle=(0, (4, 1.5)))
    right.set_ylim(0, stored.max() * 1.05)
    right.set_ylabel("in batteries [kWh]", color=style.BLUE)
    right.spines["right"].set_visible(True)
    right.grid(visible=False)


def _prices(run: Shown) -> "pd.DataFrame":
    """Return per slot (or day): grid prices, lowest, highest and mean trade prices, and volume.

    Means weigh the trades' prices by energy. What was paid, divided by energy, would not do: a payment is rounded
    down to 1e-6, and where a slot holds only trades of a few 1e-6 kWh nothing is left of it.
    """
    import pandas as pd

    trades = run.exact(
        "trades", ["slot", "energy_micro_kwh", "price_micro_per_kwh", "charge_micro_per_kwh", "status"]
    )
    slot, energy, price, charge, status = (trades[name].to_numpy() for name in trades)
    if status.any():
        slot, energy, price, charge = (values[status == 0] for values in (slot, energy, price, charge))
    first = np.flatnonzero(np.diff(slot, prepend=-1))  # trades are in order of time
    columns = {
        "low": np.minimum.reduceat(price, first) / MICRO,
        "high": np.maximum.reduceat(price, first) / MICRO,
        "value": np.add.reduceat(energy * price, first) / MICRO**2,
        "paid": np.add.reduceat(energy * (price + charge), first) / MICRO**2,
        "kwh": np.add.reduceat(energy, first) / MICRO,
    }
    slots = _local(run)[["retail_per_kwh", "feed_in_per_kwh"]]
    table = slots.join(pd.DataFrame(columns, index=slots.index[slot[first]]))
    table = table.assign(hours=run.scenario.time.slot_minutes / 60)
    if _is_long(run):
        means = dict.fromkeys(["retail_per_kwh", "feed_in_per_kwh"], "mean")
        sums = dict.fromkeys(["value", "paid", "kwh", "hours"], "sum")
        table = table.resample("D").agg({"low": "min", "high": "max", **means, **sums})
    volume = table["kwh"].where(table["kwh"] > 0)
    return table.assign(
        mean=table["value"] / volume, mean_paid=table["paid"] / volume, power_kw=volume / table["hours"]
    )


def _between_tariffs(axes: "Axes", prices: "pd.DataFrame") -> None:
    times = prices.index
    above: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
    for name, text, colour in (
        ("retail_per_kwh", "retail", style.RED),
        ("feed_in_per_kwh", "feed-in", style.BLUE),
    ):
        axes.step(times, prices[name], where="post", color=colour)
        axes.annotate(text, (times[-1], prices[name].iloc[-1]), color=colour, annotation_clip=False, **above)
    band: dict[str, Any] = {"facecolor": style.SKY, "alpha": 0.55, "linewidth": 0}
    axes.fill_between(times, prices.low, prices.high, step="post", label="lowest to highest trade", **band)
    if (prices.paid > prices.value).any():
        paid: dict[str, Any] = {"color": style.GREEN, "linewidth": 1.1, "label": "mean paid, with wheeling"}
        axes.step(times, prices.mean_paid, where="post", **paid)
    axes.step(times, prices["mean"], where="post", color=style.BLACK, linewidth=1.1, label="mean to sellers")


def _classes(run: Shown) -> tuple[Any, ...]:
    """Return which homes belong to each of `CLASSES`."""
    homes = run.households
    enterprise = (homes["kind"] == "Enterprise").to_numpy()
    solar = ~enterprise & (homes["solar_kwp"] > 0).to_numpy()
    battery = (homes["battery_kwh"] > 0).to_numpy()
    return enterprise, solar & battery, solar & ~battery, ~enterprise & ~solar


def _bars(axes: "Axes", first: int, values: FloatArray, **bars: Any) -> int:
    """Draw one class of homes from position `first` on and return the position after it."""
    last = first + len(values)
    if bars["linewidth"]:
        axes.bar(np.arange(first, last) + 0.5, values, width=1.0, edgecolor="white", **bars)
    else:
        axes.stairs(values, np.arange(first, last + 1), fill=True, **bars)
    median = float(np.median(values))
    axes.plot([first, last], [median, median], color=style.BLACK, linewidth=1.6)
    shift: dict[str, Any] = {"xytext": (0, 3), "textcoords": "offset points", "va": "bottom"}
    at, side = (last, "right") if len(values) > 3 else ((first + last) / 2, "center")
    axes.annotate(f"{median:.2f}", (at, median), ha=side, **shift)
    return last


def _percent(share: float) -> str:
    return "nothing" if np.isnan(share) else f"{100 * share:.0f} %"
