"""A run's figures as a report shows them: what was found, the drawing, and the numbers it was drawn from."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sunshare_sim.report.drawing import svg_of
from sunshare_sim.report.model import Chart, Table, sentence, table_of
from sunshare_sim.results.kpis import net_import_kwh
from sunshare_sim.results.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST_DAYS: Final = 31  # rows of a table of days; longer runs are shown by month
MOST_SLOTS: Final = 14 * 96  # rows of a CSV file of slots; of longer runs it holds days, as the figures do
MOST_WORST: Final = 10  # buses and lines in a table of the worst
MOST_LISTED: Final = 300  # of them in a CSV file; of a smaller feeder it holds all
MOST_HOMES: Final = 1000  # rows of a CSV file of homes; of more it holds every hundredth part
SHARES: Final = np.arange(0, 101, 10)


class Drawn(NamedTuple):
    """Say how one figure of a report is made: its method of `run.plot` with its options, and its table."""

    plot: str
    table: Callable[[Run], Table]
    options: tuple[str, ...] = ()


def chart(run: Run, name: str) -> Chart:
    """Return one of `CHARTS` of a run, or one of `WIRES` of a run with power flow."""
    made = CHARTS.get(name) or WIRES[name]
    figure: Figure = getattr(run.plot, made.plot)(*made.options)
    finding = "; ".join(axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left"))
    return Chart(name, sentence(finding), svg_of(figure, name), made.table(run))


def by_period(run: Run) -> "pd.DataFrame":
    """Return the slots' energies and money by local day, or month where there are many days."""
    slots = run.slots
    local = slots["time"].dt.tz_convert(run.scenario.place.timezone).dt.tz_localize(None)
    days = local.dt.strftime("%Y-%m-%d")
    label = days if days.nunique() <= MOST_DAYS else local.dt.strftime("%Y-%m")
    sums = slots.drop(columns=["slot", "time"]).groupby(label.to_numpy()).sum()
    sums.index.name = "day" if label is days else "month"
    return sums


def by_slot(run: Run, columns: list[str]) -> "pd.DataFrame":
    """Return columns of the slots, by local day where there are many."""
    slots = run.slots
    if len(slots) <= MOST_SLOTS:
        return slots.set_index("time")[columns]
    local = slots["time"].dt.tz_convert(run.scenario.place.timezone)
    means = {name: "mean" if name.endswith("_per_kwh") else "sum" for name in columns}
    return slots.groupby(local.dt.strftime("%Y-%m-%d").to_numpy()).agg(means).rename_axis("day")


def by_home(run: Run, columns: list[str]) -> "pd.DataFrame":
    """Return columns of the bills, at every hundredth of the homes where there are many."""
    import pandas as pd

    bills = run.bills
    if len(bills) <= MOST_HOMES:
        return bills.set_index("household")[columns]
    shares = np.arange(101)
    values = {column: np.quantile(bills[column], shares / 100) for column in columns}
    return pd.DataFrame(values, index=pd.Index(shares, name="share of homes [%]"))


def _energy(run: Run) -> Table:
    wanted = [
        "load_kwh",
        "ev_kwh",
        "solar_kwh",
        "charge_kwh",
        "discharge_kwh",
        "traded_kwh",
        "import_kwh",
        "export_kwh",
    ]
    table, full = by_period(run)[wanted], by_slot(run, wanted)
    heads = (str(table.index.name), *(f"{name.removesuffix('_kwh')} [kWh]" for name in wanted))
    return table_of(
        table, "energy-balance", "Energy by period, summed over all homes.", heads=heads, digits=1, full=full
    )


def _prices(run: Run) -> Table:
    sums, currency = by_period(run), run.scenario.tariff.currency
    traded = sums["traded_kwh"].where(sums["traded_kwh"] > 0)
    table = sums[["trades", "traded_kwh"]].assign(
        sellers_get=sums["trade_value"] / traded, buyers_pay=(sums["trade_value"] + sums["wheeling"]) / traded
    )
    heads = (
        str(table.index.name),
        "trades",
        "traded [kWh]",
        f"sellers get [{currency}/kWh]",
        f"buyers pay [{currency}/kWh]",
    )
    wanted = ["trades", "traded_kwh", "trade_value", "wheeling", "retail_per_kwh", "feed_in_per_kwh"]
    full = by_slot(run, wanted)
    places = {"traded_kwh": 1, "sellers_get": 4, "buyers_pay": 4}
    return table_of(
        table,
        "price-path",
        "Local trade by period, prices weighted by energy.",
        heads=heads,
        digits=lambda c: places.get(c, 0),
        full=full,
    )


def _quantiles(run: Run, name: str, caption: str, columns: tuple[str, ...]) -> Table:
    """Return columns of the bills at every tenth of the homes; in full, every home's."""
    import pandas as pd

    bills, currency = run.bills, run.scenario.tariff.currency
    values = {column: np.quantile(bills[column], SHARES / 100) for column in columns}
    table = pd.DataFrame(values, index=pd.Index(SHARES, name="share of homes [%]"))
    heads = ("share of homes [%]", *(f"{column.replace('_', ' ')} [{currency}]" for column in columns))
    return table_of(table, name, caption, heads=heads, full=by_home(run, list(columns)))


def _duration(run: Run) -> Table:
    import pandas as pd

    hours = run.scenario.time.slot_minutes / 60
    slots = run.slots
    series = {
        "community": net_import_kwh(slots) / hours,
        "imports of homes": slots["deficit_kwh"].to_numpy() / hours,
        "exports of homes": -slots["surplus_kwh"].to_numpy() / hours,
    }
    values = {name: np.quantile(power, 1 - SHARES / 100) for name, power in series.items()}
    table = pd.DataFrame(values, index=pd.Index(SHARES, name="share of slots [%]"))
    percent = np.arange(101)
    every = {name: np.quantile(power, 1 - percent / 100) for name, power in series.items()}
    full = pd.DataFrame(every, index=pd.Index(percent, name="share of slots [%]"))
    heads = ("share of slots [%]", *(f"{name} [kW]" for name in series))
    return table_of(
        table, "duration", "Power that is reached in at least this share of slots.", heads=heads, full=full
    )


def _heat(run: Run) -> Table:
    import pandas as pd

    slots = run.slots
    local = slots["time"].dt.tz_convert(run.scenario.place.timezone)
    power = pd.Series(net_import_kwh(slots) / (run.scenario.time.slot_minutes / 60))
    hours = power.groupby(local.dt.hour.to_numpy()).agg(["min", "mean", "max"]).rename_axis("local hour")
    named = power.to_frame("kw").assign(day=local.dt.strftime("%Y-%m-%d"), hour=local.dt.hour)
    by_day = named.pivot_table(index="day", columns="hour", values="kw").round(3)
    full = by_day.rename_axis("day; mean net import [kW] by local hour")
    heads = ("local hour", "lowest [kW]", "mean [kW]", "highest [kW]")
    return table_of(
        hours, "heat-map", "Net import of the community by hour of the day.", heads=heads, full=full
    )


def _feeder(run: Run) -> Table:
    zones = run.buses.groupby("zone").agg(buses=("bus", "size"), homes=("households", "sum"))
    devices = run.households.groupby("zone").agg(
        solar_kwp=("solar_kwp", "sum"), battery_kwh=("battery_kwh", "sum"), ev_kw=("ev_kw", "sum")
    )
    table = zones.join(devices).fillna(0.0)
    heads = ("zone", "buses", "homes", "solar [kWp]", "batteries [kWh]", "chargers [kW]")
    return table_of(
        table,
        "feeder-map",
        "Homes and devices by zone of the feeder.",
        heads=heads,
        digits=1,
        full=run.buses.set_index("bus") if len(run.buses) <= MOST_HOMES else None,
    )


CHARTS: Final[dict[str, Drawn]] = {
    "energy-balance": Drawn("energy_balance", _energy),
    "price-path": Drawn("price_path", _prices),
    "savings": Drawn(
        "savings",
        lambda run: _quantiles(
            run, "savings", "Saving of a home by the local market, by share of homes.", ("saving",)
        ),
    ),
    "bills": Drawn(
        "bills",
        lambda run: _quantiles(run, "bills", "Bills by share of homes.", ("counterfactual_total", "total")),
    ),
    "duration": Drawn("duration", _duration),
    "heat-map": Drawn("heat_map", _heat),
    "feeder-map": Drawn("feeder_map", _feeder),
}


def _voltages(run: Run) -> Table:
    wanted = ["name", "households", "voltage_min_pu", "voltage_max_pu", "deviation_p95_pu", "share_outside"]
    buses = run.buses.set_index("bus")
    worst = buses[["voltage_min_pu", "voltage_max_pu"]].sub(1.0).abs().max(axis=1).nlargest(MOST_LISTED).index
    table = buses.loc[worst[:MOST_WORST], wanted]
    heads = (
        "bus",
        "name",
        "homes",
        "lowest [p.u.]",
        "highest [p.u.]",
        "95 % within [p.u.]",
        "outside 10 % [share]",
    )
    caption = (
        f"The {len(table)} buses whose voltage was furthest from nominal; 95 % of a week's slots, worst week."
    )
    return table_of(table, "voltage-map", caption, heads=heads, digits=4, full=_worst_first(buses, worst))


def _loadings(run: Run) -> Table:
    wanted = [
        "kind",
        "from_bus",
        "to_bus",
        "rating_a",
        "loading_max",
        "loading_p95",
        "hours_above_100",
        "losses_kwh",
    ]
    lines = run.lines.set_index("line")
    worst = lines["loading_max"].nlargest(MOST_LISTED).index
    table = lines.loc[worst[:MOST_WORST], wanted].assign(
        loading_max=lambda part: 100 * part["loading_max"], loading_p95=lambda part: 100 * part["loading_p95"]
    )
    heads = ("line", "kind", "from bus", "to bus", "rating [A]", "highest [%]", "95 % within [%]", "above rating [h]",
             "losses [kWh]")  # fmt: skip
    caption = f"The {len(table)} lines and transformers with the highest loading; 95 % of a week's slots, worst week."
    return table_of(table, "loading-map", caption, heads=heads, digits=1, full=_worst_first(lines, worst))


def _worst_first(table: "pd.DataFrame", worst: "pd.Index[int]") -> "pd.DataFrame":
    """Return the whole table, of a large one the rows that are worst."""
    return table if len(table) <= MOST_LISTED else table.loc[worst]


def _loading_duration(run: Run) -> Table:
    import pandas as pd

    slots = run.slots[["loading_max", "voltage_max_pu", "voltage_min_pu"]].dropna()
    shown, full = (
        pd.DataFrame(
            {name: np.quantile(slots[name], 1 - shares / 100) for name in slots},
            index=pd.Index(shares, name="share of slots [%]"),
        )
        for shares in (SHARES, np.arange(101))
    )
    shown["loading_max"] *= 100
    heads = ("share of slots [%]", "loading [%]", "highest voltage [p.u.]", "lowest voltage [p.u.]")
    caption = (
        "Loading and voltages that are reached in at least this share of slots, over all lines and buses."
    )
    places = {"loading_max": 1}
    return table_of(
        shown, "loading-duration", caption, heads=heads, digits=lambda c: places.get(c, 4), full=full
    )


WIRES: Final[dict[str, Drawn]] = {
    "voltage-map": Drawn("feeder_map", _voltages, ("voltage",)),
    "loading-map": Drawn("feeder_map", _loadings, ("loading",)),
    "loading-duration": Drawn("loading_duration", _loading_duration),
}
