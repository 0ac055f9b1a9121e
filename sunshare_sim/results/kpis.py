"""Key figures of a run: tables in, numbers out, each with its formula.

Net import of a slot is deficit minus surplus, summed over the homes, and losses: what flows at the head of the
feeder whether or not a market is held. So a key figure of energy does not depend on who trades with whom, only on what
homes do.
The usual definitions of self-consumption and self-sufficiency are those of Luthander et al. 2015
(doi:10.1016/j.apenergy.2014.12.028), taken here for the community as a whole and for its homes alone.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sunshare_sim.results import fairness, markets, wires
from sunshare_sim.results.columns import Columns, array, ratio, total
from sunshare_sim.results.emissions import emissions_kg
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd


class Kpi(NamedTuple):
    """Hold one key figure: its name, value, unit and what it says."""

    name: str
    value: float
    unit: str
    description: str


def net_import_kwh(slots: Columns) -> FloatArray:
    """Return what flows into the community at the feeder's head in each slot [kWh]; negative = out of it."""
    net: FloatArray = array(slots, "deficit_kwh") - array(slots, "surplus_kwh") + array(slots, "losses_kwh")
    return net


def self_sufficiency(slots: Columns) -> float:
    """Return the share of consumption that needs no energy from outside the community.

    1 - sum(max(0, net import)) / sum(load + ev). Charging a battery from outside counts when it happens; a
    battery that ends fuller than it began lowers the figure, so long runs are compared best.
    """
    return _one_minus(np.maximum(net_import_kwh(slots), 0.0).sum(), consumption_kwh(slots))


def self_consumption(slots: Columns) -> float:
    """Return the share of solar energy that stays in the community: 1 - sum(max(0, net export)) / sum(solar)."""
    return _one_minus(np.maximum(-net_import_kwh(slots), 0.0).sum(), total(slots, "solar_kwh"))


def home_self_sufficiency(slots: Columns) -> float:
    """Return the same share with every home on its own: 1 - sum(deficit) / sum(load + ev)."""
    return _one_minus(total(slots, "deficit_kwh"), consumption_kwh(slots))


def home_self_consumption(slots: Columns) -> float:
    """Return the share of solar energy used behind the meter it was made at: 1 - sum(surplus) / sum(solar)."""
    return _one_minus(total(slots, "surplus_kwh"), total(slots, "solar_kwh"))


def consumption_kwh(slots: Columns) -> float:
    """Return the energy used in homes and charged into EVs [kWh]: sum(load + ev)."""
    return total(slots, "load_kwh") + total(slots, "ev_kwh")


def local_share(slots: Columns) -> float:
    """Return the share of what homes had to buy that neighbours sold them: sum(traded) / sum(deficit)."""
    return ratio(total(slots, "traded_kwh"), total(slots, "deficit_kwh"))


def mean_local_price(slots: Columns) -> float:
    """Return what sellers got for a kWh, weighted by volume: sum(trade_value) / sum(traded)."""
    return ratio(total(slots, "trade_value"), total(slots, "traded_kwh"))


def mean_local_price_paid(slots: Columns) -> float:
    """Return what buyers paid for a kWh with wheeling: sum(trade_value + wheeling) / sum(traded)."""
    return ratio(total(slots, "trade_value") + total(slots, "wheeling"), total(slots, "traded_kwh"))


def peak_import_kw(slots: Columns, *, hours: float) -> float:
    """Return the highest mean power into the community in a slot [kW]: max(0, max(net import)) / hours."""
    return float(np.max(net_import_kwh(slots), initial=0.0)) / hours


def peak_export_kw(slots: Columns, *, hours: float) -> float:
    """Return the highest mean power out of the community in a slot [kW]: max(0, max(net export)) / hours."""
    return float(np.max(-net_import_kwh(slots), initial=0.0)) / hours


def operator_revenue(bills: Columns) -> float:
    """Return what the network operator gets, before tax.

    sum(network + network_fixed + capacity + export_charge + wheeling).
    """
    return fairness.operator_revenue(bills)


def total_saving(bills: Columns) -> float:
    """Return what all homes together save by the local market: sum(saving)."""
    return total(bills, "saving")


def losing_share(bills: Columns) -> float:
    """Return the share of homes that pay more than without the local market: mean(saving < 0)."""
    saving = array(bills, "saving")
    return ratio(float(np.count_nonzero(saving < 0)), len(saving))


def saving_quantile(bills: Columns, q: float) -> float:
    """Return the saving that a share `q` of the homes does not reach, interpolated linearly."""
    saving = array(bills, "saving")
    return float(np.quantile(saving, q)) if len(saving) else float("nan")


def saving_mean(bills: Columns) -> float:
    """Return the mean saving of a home: sum(saving) / homes."""
    return ratio(total_saving(bills), len(array(bills, "saving")))


def key_figures(
    tables: Mapping[str, Columns], *, hours: float, grid_kg_per_kwh: FloatArray | float = np.nan
) -> Iterator[Kpi]:
    """Yield every key figure of a run, in the order of the report.

    Parameters
    ----------
    tables : mapping of str to table
        slots, bills, households, buses and lines as a `Run` shows them; quotes where they were kept.
    hours : float
        Length of a slot [h].
    grid_kg_per_kwh : array or float
        Emissions of a kWh from the grid [kg CO2], one or one a slot.
    """
    slots, bills = tables["slots"], tables["bills"]
    yield from _energy_figures(slots, tables["households"], hours)
    emitted = emissions_kg(net_import_kwh(slots), grid_kg_per_kwh)
    yield Kpi("emissions_kg", emitted, "kg", "CO2 of the energy that came from outside the community")
    if wires.was_computed(tables["lines"]):
        yield from _wire_figures(slots, tables["buses"], tables["lines"])
    yield from _money_figures(slots, bills)
    yield from _fairness_figures(bills)
    yield from _market_figures(slots, bills, tables.get("quotes"))


def _energy_figures(slots: Columns, households: Columns, hours: float) -> Iterator[Kpi]:
    yield Kpi("consumption_kwh", consumption_kwh(slots), "kWh", "energy used in homes and charged into EVs")
    yield Kpi("solar_kwh", total(slots, "solar_kwh"), "kWh", "solar energy generated")
    yield Kpi("traded_kwh", total(slots, "traded_kwh"), "kWh", "energy traded between homes")
    yield Kpi("trades", total(slots, "trades"), "1", "settled trades")
    yield Kpi("failed_trades", total(slots, "failed"), "1", "trades that settlement refused")
    yield Kpi(
        "self_sufficiency", self_sufficiency(slots), "1", "share of consumption met from within the community"
    )
    yield Kpi(
        "self_consumption",
        self_consumption(slots),
        "1",
        "share of solar energy that stays within the community",
    )
    alone = home_self_sufficiency(slots), home_self_consumption(slots)
    yield Kpi("home_self_sufficiency", alone[0], "1", "share of consumption met from within the same home")
    yield Kpi("home_self_consumption", alone[1], "1", "share of solar energy that stays within its home")
    yield Kpi("local_share", local_share(slots), "1", "share of homes' deficits that neighbours covered")
    yield Kpi("peak_import_kw", peak_import_kw(slots, hours=hours), "kW", "highest mean power in, one slot")
    yield Kpi("peak_export_kw", peak_export_kw(slots, hours=hours), "kW", "highest mean power out, one slot")
    shortfall = total(households, "ev_shortfall_kwh")
    yield Kpi("ev_shortfall_kwh", shortfall, "kWh", "energy EVs asked for but left without")
    unserved = total(slots, "unserved_kwh")
    yield Kpi("unserved_kwh", unserved, "kWh", "load that was shed or left without supply")


def _wire_figures(slots: Columns, buses: Columns, lines: Columns) -> Iterator[Kpi]:
    yield Kpi("losses_kwh", total(slots, "losses_kwh"), "kWh", "energy lost in the wires")
    yield Kpi("loss_share", wires.loss_share(slots), "1", "energy lost in the wires over energy used")
    yield Kpi(
        "curtailed_kwh", total(slots, "curtailed_kwh"), "kWh", "solar energy that the wires' limits cut"
    )
    yield Kpi("curtailed_share", wires.curtailed_share(slots), "1", "share of solar energy that was cut")
    cost = total(slots, "curtailment_cost")
    yield Kpi("curtailment_cost", cost, "currency", "curtailed energy at the feed-in price")
    yield Kpi("deferred_kwh", total(slots, "deferred_kwh"), "kWh", "moves of batteries and cars held back")
    yield Kpi("refused_kwh", total(slots, "refused_kwh"), "kWh", "trades that the wires' limits refused")
    yield Kpi("voltage_min_pu", wires.voltage_min_pu(buses), "p.u.", "lowest voltage of all buses and slots")
    yield Kpi("voltage_max_pu", wires.voltage_max_pu(buses), "p.u.", "highest voltage of all buses and slots")
    outside, failed = wires.voltage_violation_share(buses), wires.buses_failed(buses)
    yield Kpi("voltage_violation_share", outside, "1", "share of slots beyond +-10 % at the worst bus")
    yield Kpi("buses_failed", failed, "1", "buses that do not keep to EN 50160 in some week")
    yield Kpi(
        "line_loading_max", wires.line_loading_max(lines), "1", "highest current of a line over its rating"
    )
    transformer = wires.transformer_loading_max(lines)
    yield Kpi("transformer_loading_max", transformer, "1", "highest current of a transformer over its rating")
    yield Kpi(
        "overloaded_hours", wires.overloaded_hours(lines), "h", "time above rating, worst line or transformer"
    )


def _money_figures(slots: Columns, bills: Columns) -> Iterator[Kpi]:
    paid, price, money = mean_local_price_paid(slots), "currency/kWh", "currency"
    yield Kpi("mean_local_price", mean_local_price(slots), price, "what sellers got, weighted by volume")
    yield Kpi("mean_local_price_paid", paid, price, "what buyers paid with wheeling, weighted by volume")
    yield Kpi("total_bill", total(bills, "total"), money, "sum of all homes' bills")
    yield Kpi("total_saving", total_saving(bills), money, "saving of all homes by the local market")
    yield Kpi("saving_mean", saving_mean(bills), money, "saving of a home, mean")
    yield Kpi("saving_median", saving_quantile(bills, 0.5), money, "saving of a home, median")
    yield Kpi("saving_p10", saving_quantile(bills, 0.1), money, "saving that 10 % of the homes do not reach")
    yield Kpi("saving_p90", saving_quantile(bills, 0.9), money, "saving that 90 % of the homes do not reach")
    yield Kpi("losing_share", losing_share(bills), "1", "share of homes that pay more than without market")
    yield Kpi("operator_revenue", operator_revenue(bills), money, "network charges and wheeling, before tax")


def _fairness_figures(bills: Columns) -> Iterator[Kpi]:
    bill, saving = array(bills, "total"), array(bills, "saving")
    yield Kpi("bill_mean", ratio(float(bill.sum()), bill.size), "currency", "bill of a home, mean")
    yield Kpi("gini_bill", fairness.gini(bill), "1", "inequality of bills, 0 = all alike")
    yield Kpi("gini_saving", fairness.gini(saving), "1", "inequality of savings, 0 = all alike")
    yield Kpi("jain_saving", fairness.jain(saving), "1", "fairness of savings, 1 = all alike")
    if "counterfactual_network" not in bills:  # runs of an earlier format
        return
    recovered, moved = fairness.cost_recovery(bills), fairness.cross_subsidy(bills)
    yield Kpi("cost_recovery", recovered, "1", "operator's revenue over that without local market")
    yield Kpi("cross_subsidy", moved, "currency", "missing network revenue borne by homes that do not trade")


def _market_figures(slots: Columns, bills: Columns, quotes: Columns | None) -> Iterator[Kpi]:
    price = "currency/kWh"
    yield Kpi("traded_slots", markets.traded_slots(slots), "1", "share of slots with trades")
    yield Kpi(
        "local_price_p10", markets.price_quantile(slots, 0.1), price, "price that 10 % of slots do not reach"
    )
    yield Kpi(
        "local_price_p90", markets.price_quantile(slots, 0.9), price, "price that 90 % of slots do not reach"
    )
    yield Kpi(
        "price_volatility", markets.price_volatility(slots), price, "standard deviation of slots' prices"
    )
    efficiency = markets.allocative_efficiency(slots)
    yield Kpi("allocative_efficiency", efficiency, "1", "gains from trade made, over all there were to make")
    yield Kpi(
        "hhi_sellers", markets.concentration(array(bills, "sold_kwh")), "1", "concentration of local sales"
    )
    yield Kpi(
        "hhi_buyers",
        markets.concentration(array(bills, "bought_kwh")),
        "1",
        "concentration of local purchases",
    )
    yield Kpi(
        "pivotal_share", markets.pivotal_share(slots), "1", "share of slots that needed their largest seller"
    )
    yield Kpi(
        "depth_kwh", markets.mean_depth_kwh(slots), "kWh", "energy that a slot's market could match, mean"
    )
    if quotes is not None:
        yield Kpi("spread", markets.mean_spread(quotes), price, "best ask - best bid left in the book, mean")


def kpi_table(
    tables: Mapping[str, Columns], *, hours: float, grid_kg_per_kwh: FloatArray | float = np.nan
) -> "pd.DataFrame":
    """Return all key figures as the table `kpis`; parameters as in `key_figures`."""
    import pandas as pd

    figures = key_figures(tables, hours=hours, grid_kg_per_kwh=grid_kg_per_kwh)
    return pd.DataFrame(figures, columns=list(Kpi._fields))


def _one_minus(part: float, whole: float) -> float:
    return 1.0 - ratio(part, whole)
