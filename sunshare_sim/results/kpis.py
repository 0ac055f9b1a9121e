"""Key figures of a run: tables in, numbers out, each with its formula.

Net import of a slot is deficit minus surplus, summed over the homes: what flows at the head of the feeder whether
or not a market is held. So a key figure of energy does not depend on who trades with whom, only on what homes do.
The usual definitions of self-consumption and self-sufficiency are those of Luthander et al. 2015
(doi:10.1016/j.apenergy.2014.12.028), taken here for the community as a whole and for its homes alone.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd


class Columns(Protocol):
    """Promise the columns of a table as a `Run` shows them: a DataFrame, or a dict of arrays."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return a column by name."""


class Kpi(NamedTuple):
    """Hold one key figure: its name, value, unit and what it says."""

    name: str
    value: float
    unit: str
    description: str


def net_import_kwh(slots: Columns) -> FloatArray:
    """Return what flows into the community at the feeder's head in each slot [kWh]; negative = out of it."""
    net: FloatArray = _array(slots, "deficit_kwh") - _array(slots, "surplus_kwh")
    return net


def self_sufficiency(slots: Columns) -> float:
    """Return the share of consumption that needs no energy from outside the community.

    1 - sum(max(0, net import)) / sum(load + ev). Charging a battery from outside counts when it happens; a
    battery that ends fuller than it began lowers the figure, so long runs are compared best.
    """
    return _one_minus(np.maximum(net_import_kwh(slots), 0.0).sum(), consumption_kwh(slots))


def self_consumption(slots: Columns) -> float:
    """Return the share of solar energy that stays in the community: 1 - sum(max(0, net export)) / sum(solar)."""
    return _one_minus(np.maximum(-net_import_kwh(slots), 0.0).sum(), _sum(slots, "solar_kwh"))


def home_self_sufficiency(slots: Columns) -> float:
    """Return the same share with every home on its own: 1 - sum(deficit) / sum(load + ev)."""
    return _one_minus(_sum(slots, "deficit_kwh"), consumption_kwh(slots))


def home_self_consumption(slots: Columns) -> float:
    """Return the share of solar energy used behind the meter it was made at: 1 - sum(surplus) / sum(solar)."""
    return _one_minus(_sum(slots, "surplus_kwh"), _sum(slots, "solar_kwh"))


def consumption_kwh(slots: Columns) -> float:
    """Return the energy used in homes and charged into EVs [kWh]: sum(load + ev)."""
    return _sum(slots, "load_kwh") + _sum(slots, "ev_kwh")


def local_share(slots: Columns) -> float:
    """Return the share of what homes had to buy that neighbours sold them: sum(traded) / sum(deficit)."""
    return ratio(_sum(slots, "traded_kwh"), _sum(slots, "deficit_kwh"))


def mean_local_price(slots: Columns) -> float:
    """Return what sellers got for a kWh, weighted by volume: sum(trade_value) / sum(traded)."""
    return ratio(_sum(slots, "trade_value"), _sum(slots, "traded_kwh"))


def mean_local_price_paid(slots: Columns) -> float:
    """Return what buyers paid for a kWh with wheeling: sum(trade_value + wheeling) / sum(traded)."""
    return ratio(_sum(slots, "trade_value") + _sum(slots, "wheeling"), _sum(slots, "traded_kwh"))


def peak_import_kw(slots: Columns, *, hours: float) -> float:
    """Return the highest mean power into the community in a slot [kW]: max(0, max(net import)) / hours."""
    return float(np.max(net_import_kwh(slots), initial=0.0)) / hours


def peak_export_kw(slots: Columns, *, hours: float) -> float:
    """Return the highest mean power out of the community in a slot [kW]: max(0, max(net export)) / hours."""
    return float(np.max(-net_import_kwh(slots), initial=0.0)) / hours


def operator_revenue(bills: Columns) -> float:
    """Return what the network operator gets, before tax: sum(network + wheeling)."""
    return _sum(bills, "network") + _sum(bills, "wheeling")


def total_saving(bills: Columns) -> float:
    """Return what all homes together save by the local market: sum(saving)."""
    return _sum(bills, "saving")


def losing_share(bills: Columns) -> float:
    """Return the share of homes that pay more than without the local market: mean(saving < 0)."""
    saving = _array(bills, "saving")
    return ratio(float(np.count_nonzero(saving < 0)), len(saving))


def saving_quantile(bills: Columns, q: float) -> float:
    """Return the saving that a share `q` of the homes does not reach, interpolated linearly."""
    saving = _array(bills, "saving")
    return float(np.quantile(saving, q)) if len(saving) else float("nan")


def saving_mean(bills: Columns) -> float:
    """Return the mean saving of a home: sum(saving) / homes."""
    return ratio(total_saving(bills), len(_array(bills, "saving")))


def key_figures(slots: Columns, bills: Columns, households: Columns, *, hours: float) -> Iterator[Kpi]:
    """Yield every key figure of a run, in the order of the report.

    Parameters
    ----------
    slots, bills, households : mapping of str to array
        Tables as a `Run` shows them.
    hours : float
        Length of a slot [h].
    """
    yield from _energy_figures(slots, households, hours)
    yield from _money_figures(slots, bills)


def _energy_figures(slots: Columns, households: Columns, hours: float) -> Iterator[Kpi]:
    yield Kpi("consumption_kwh", consumption_kwh(slots), "kWh", "energy used in homes and charged into EVs")
    yield Kpi("solar_kwh", _sum(slots, "solar_kwh"), "kWh", "solar energy generated")
    yield Kpi("traded_kwh", _sum(slots, "traded_kwh"), "kWh", "energy traded between homes")
    yield Kpi("trades", _sum(slots, "trades"), "1", "settled trades")
    yield Kpi("failed_trades", _sum(slots, "failed"), "1", "trades that settlement refused")
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
    shortfall = _sum(households, "ev_shortfall_kwh")
    yield Kpi("ev_shortfall_kwh", shortfall, "kWh", "energy EVs asked for but left without")


def _money_figures(slots: Columns, bills: Columns) -> Iterator[Kpi]:
    paid, price, money = mean_local_price_paid(slots), "currency/kWh", "currency"
    yield Kpi("mean_local_price", mean_local_price(slots), price, "what sellers got, weighted by volume")
    yield Kpi("mean_local_price_paid", paid, price, "what buyers paid with wheeling, weighted by volume")
    yield Kpi("total_bill", _sum(bills, "total"), money, "sum of all homes' bills")
    yield Kpi("total_saving", total_saving(bills), money, "saving of all homes by the local market")
    yield Kpi("saving_mean", saving_mean(bills), money, "saving of a home, mean")
    yield Kpi("saving_median", saving_quantile(bills, 0.5), money, "saving of a home, median")
    yield Kpi("saving_p10", saving_quantile(bills, 0.1), money, "saving that 10 % of the homes do not reach")
    yield Kpi("saving_p90", saving_quantile(bills, 0.9), money, "saving that 90 % of the homes do not reach")
    yield Kpi("losing_share", losing_share(bills), "1", "share of homes that pay more than without market")
    yield Kpi("operator_revenue", operator_revenue(bills), money, "network charges and wheeling, before tax")


def kpi_table(slots: Columns, bills: Columns, households: Columns, *, hours: float) -> "pd.DataFrame":
    """Return all key figures as the table `kpis`; parameters as in `key_figures`."""
    import pandas as pd

    return pd.DataFrame(key_figures(slots, bills, households, hours=hours), columns=list(Kpi._fields))


def _array(columns: Columns, name: str) -> npt.NDArray[Any]:
    return np.asarray(columns[name])


def _sum(columns: Columns, name: str) -> float:
    return float(_array(columns, name).sum())


def ratio(part: float, whole: float) -> float:
    """Return part / whole, NaN where there is no whole: a share of nothing has no value."""
    return part / whole if whole > 0 else float("nan")


def _one_minus(part: float, whole: float) -> float:
    return 1.0 - ratio(part, whole)
