"""Indices of fairness and concentration at their ends, and groups of homes on a case worked by hand."""

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.results.fairness import bills_by, gini, jain
from sunshare_sim.results.markets import concentration


def test_ends_of_the_indices():
    alike, one = np.full(10, 3.0), np.eye(10)[0]
    assert gini(alike) == pytest.approx(0.0)
    assert gini(one) == pytest.approx(0.9)
    assert jain(alike) == pytest.approx(1.0)
    assert jain(one) == pytest.approx(0.1)
    assert concentration(alike) == pytest.approx(0.1)
    assert concentration(one) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(5))
def test_gini_is_the_mean_difference_of_all_pairs(seed):
    x = np.random.default_rng(seed).normal(1.0, 2.0, 37)  # with negative values
    assert gini(x) == pytest.approx(np.abs(x[:, None] - x).sum() / (2 * x.size**2 * np.abs(x).mean()))
    assert 0 <= gini(x) <= 1
    assert gini(7 * x) == pytest.approx(gini(x))


def test_groups_by_hand():
    bills = pd.DataFrame(
        {"total": [1.0, 3.0, 10.0], "counterfactual_total": [2.0, 2.0, 14.0], "saving": [1.0, -1.0, 4.0]}
    )
    homes = pd.DataFrame({"group": ["b", "b", "a"]})
    table = bills_by(bills, homes, "group")
    assert list(table.index) == ["a", "b"]
    assert table.index.name == "group"
    assert table.loc["b"].to_dict() == pytest.approx(
        {
            "homes": 2,
            "bill_mean": 2.0,
            "counterfactual_mean": 2.0,
            "saving_mean": 0.0,
            "saving_p10": -0.8,
            "saving_p50": 0.0,
            "saving_p90": 0.8,
            "losing_share": 0.5,
        }
    )


def test_unknown_grouping_names_the_nearest():
    with pytest.raises(ResultError, match=r"group"):
        bills_by(pd.DataFrame(), pd.DataFrame({"group": []}), "groups")
