"""Every bill of `tests/golden/tariffs`, worked by hand, to the unit; and each can be proved from its ledger alone."""

from pathlib import Path

import numpy as np
import pytest
import yaml

import sunshare_sim as ss
from sunshare_sim.ledger.verify import verify
from sunshare_sim.scenario.presets import PRESETS

CASES = Path(__file__).parent / "tariffs"
NAMES = sorted(path.parent.name for path in CASES.glob("*/bill.yaml"))
HOMES = ("taker", "giver", "both")
PARTS = ("supply", "network", "network_fixed", "capacity", "export_charge", "levies", "tax", "standing", "feed_in",
         "premium", "purchases", "sales", "wheeling", "losses")  # fmt: skip


def micro(table, column):
    return np.rint(table[column].to_numpy() * 1e6).astype(int).tolist()


def test_every_preset_has_its_bill():
    assert set(PRESETS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_bill_is_the_one_worked_by_hand(name, tmp_path):
    expected = yaml.safe_load((CASES / name / "bill.yaml").read_text("utf-8"))
    run = ss.run(CASES / name / "scenario.yaml", out=tmp_path / "run")
    for row, home in enumerate(HOMES):
        for part in (*PARTS, "total"):
            assert micro(run.bills, part)[row] == expected[home].get(part, 0), (home, part)
        # Where nobody trades the bill without a market is the bill.
        alone = expected[home].get("counterfactual_total", expected[home]["total"])
        assert micro(run.bills, "counterfactual_total")[row] == alone, home
    accounts = run.accounts.set_index("name")
    for party, money in expected["accounts"].items():
        assert micro(accounts.loc[[party]], "cash") == [money], party
    assert sum(micro(run.accounts, "cash")) == sum(micro(run.accounts, "funded"))
    proved = verify(tmp_path / "run")
    assert proved.bills.total.tolist() == micro(run.bills, "total")
