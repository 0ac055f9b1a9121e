"""Who gains and who pays: indices of how bills and savings are spread over homes, and over groups of homes."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sunshare_sim.errors import ResultError, describe, did_you_mean
from sunshare_sim.results.columns import Columns, array, ratio, total
from sunshare_sim.units import FloatArray

if TYPE_CHECKING:
    import pandas as pd

GROUPINGS: Final = ("group", "kind", "income", "strategy", "zone")
OPERATORS: Final = ("network", "network_fixed", "capacity", "export_charge", "wheeling")


def gini(values: FloatArray) -> float:
    """Return the Gini index of inequality, 0 (all alike) to 1, also where some values are negative.

    sum_ij |x_i - x_j| / (2 n^2 mean|x|), the mean difference over its largest possible value.

    References
    ----------
    Raffinetti, E., Siletti, E. and Vernizzi, A. (2015), On the Gini coefficient normalization when attributes with
    negative values are considered, Statistical Methods & Applications 24(3), 507-521.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    n = x.size
    # Half the sum of all pairs' differences: the i-th smallest is added i times and taken off n - 1 - i times.
    half = float((x * (2.0 * np.arange(n) - n + 1.0)).sum())
    return ratio(half, n * float(np.abs(x).sum()))


def jain(values: FloatArray) -> float:
    """Return Jain's index of fairness, 1/n (one gets all) to 1 (all get the same): sum(x)^2 / (n sum(x^2)).

    References
    ----------
    Jain, R., Chiu, D. and Hawe, W. (1984), A quantitative measure of fairness and discrimination for resource
    allocation in shared computer systems, DEC Research Report TR-301 (arXiv:cs/9809099).
    """
    x = np.asarray(values, dtype=np.float64)
    return ratio(float(x.sum()) ** 2, x.size * float((x**2).sum()))


def paid_to_operator(bills: Columns) -> FloatArray:
    """Return what each home pays the network operator, before tax [currency], shape [homes].

    network + network_fixed + capacity + export_charge + wheeling; a run of an earlier version has only the first and
    the last.
    """
    paid: FloatArray = np.sum(
        [array(bills, name) for name in OPERATORS if name in bills], axis=0, dtype=np.float64
    )
    return paid


def operator_revenue(bills: Columns) -> float:
    """Return what the network operator gets from all homes, before tax."""
    return sum((total(bills, name) for name in OPERATORS if name in bills), 0.0)


def cost_recovery(bills: Columns) -> float:
    """Return what the network operator gets over what it would get without local market.

    sum(paid to the operator) / sum(counterfactual_network). The cost of the wires does not fall because neighbours
    trade, so what is missing to 1 is missing in the operator's allowed revenue.
    """
    return ratio(operator_revenue(bills), total(bills, "counterfactual_network"))


def cross_subsidy(bills: Columns) -> float:
    """Return what homes that do not trade would have to pay for those that do [currency].

    The operator's missing revenue, counterfactual_network less what it gets, spread over all homes in proportion
    to the network charges they still pay, times the share of those who neither bought nor sold. Negative: they gain.

    References
    ----------
    Simshauser, P. (2016), Distribution network prices and solar PV: resolving rate instability and wealth transfers
    through demand tariffs, Energy Economics 54, 108-122, doi:10.1016/j.eneco.2015.11.011.
    """
    paid = paid_to_operator(bills)
    missing = total(bills, "counterfactual_network") - float(paid.sum())
    outside = (array(bills, "bought_kwh") == 0) & (array(bills, "sold_kwh") == 0)
    return missing * ratio(float(paid[outside].sum()), float(paid.sum()))


def bills_by(bills: "pd.DataFrame", households: "pd.DataFrame", by: str) -> "pd.DataFrame":
    """Return how the bills of groups of homes fare, one row a group.

    Parameters
    ----------
    bills, households : DataFrame
        Tables of a run.
    by : str
        Column of `households` that names the groups: group, kind, income, strategy or zone.

    Returns
    -------
    DataFrame
        homes; bill and saving of a home: mean and quantiles [currency]; losing_share: share that pays more than
        without the local market.

    Raises
    ------
    ResultError
        When homes are not grouped so.
    """
    import pandas as pd

    if by not in GROUPINGS or by not in households:
        raise ResultError(
            describe(
                "homes are not grouped so",
                where="bills_by",
                got=by,
                expected=", ".join(name for name in GROUPINGS if name in households),
                hint=did_you_mean(by, GROUPINGS),
            )
        )
    rows: dict[Any, dict[str, float]] = {}
    for name, part in bills.groupby(households[by].to_numpy(), sort=True):
        saving = part["saving"].to_numpy()
        rows[name] = {
            "homes": len(part),
            "bill_mean": float(part["total"].mean()),
            "counterfactual_mean": float(part["counterfactual_total"].mean()),
            "saving_mean": float(saving.mean()),
            **{f"saving_p{q}": float(np.quantile(saving, q / 100)) for q in (10, 50, 90)},
            "losing_share": float(np.mean(saving < 0)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
