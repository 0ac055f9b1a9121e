"""The studies that come with the program: whole, each with a question, and each runs from end to end."""

import subprocess
import sys
from pathlib import Path

import pytest

import sunshare_sim as ss
from sunshare_sim.community.build import time_grid
from sunshare_sim.inputs.tariffs import slot_prices
from sunshare_sim.report.make import make_report
from sunshare_sim.studies.plan import make_plan

FOLDER = Path(__file__).parents[2] / "scenarios" / "studies"
FILES = sorted(FOLDER.glob("*.yaml"))
OWN_MECHANISMS = {
    "bill_sharing", "cda", "mid_market_rate", "none", "pay_as_bid", "posted_buyer", "posted_seller",
    "supply_demand_ratio", "uniform_price",
}  # fmt: skip
SMALL = {"households.groups[0].count": 12}


def test_all_that_were_promised():
    assert {"retail-tariffs", "wheeling-charges", "penetration", "mechanisms", "ev-v2g"} <= {
        f.stem for f in FILES
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestEach:
    def test_is_a_whole_study(self, file):
        plan = make_plan(file)
        assert plan.file.name == file.stem
        assert plan.file.question.endswith("?")
        assert plan.file.question.count(".") + plan.file.question.count("?") == 1
        assert len(plan.variants) > 3
        assert len(plan.seeds) >= 10
        assert plan.variants[0].scenario.time.days == 365
        assert all(variant.description for variant in plan.variants)
        assert file.read_text(encoding="utf-8").startswith(
            "# yaml-language-server: $schema=../study.schema.json\n"
        )

    def test_its_quick_form_is_small(self, file):
        quick, full = make_plan(file, quick=True), make_plan(file)
        assert [v.name for v in quick.variants] == [v.name for v in full.variants]
        assert quick.variants[0].scenario.time.days * len(quick.variants) * len(quick.seeds) <= 100

    def test_runs_from_end_to_end(self, file, tmp_path):
        study = ss.study(shrunk(file, tmp_path), out=tmp_path / "study", overrides=SMALL, workers=0)
        assert (study.runs["state"] == "finished").all(), study.runs["error"].unique()
        assert study.differences["difference"].abs().max() > 0
        assert make_report(study).question == study.question

    @pytest.mark.long
    def test_quick_form(self, file, tmp_path):
        study = ss.study(file, out=tmp_path / "study", quick=True)
        assert (study.runs["state"] == "finished").all(), study.runs["error"].unique()


def shrunk(file, folder):
    """Write the study with one day and one seed, and return the file."""
    text, _, _ = file.read_text(encoding="utf-8").partition("quick:")
    for old, new in (
        ("../quickstart.yaml", (FOLDER.parent / "quickstart.yaml").as_posix()),
        ("day-ahead.csv", (FOLDER / "day-ahead.csv").as_posix()),
        ("{start: 2025-01-01, days: 365}", "{start: 2025-06-02, days: 1}"),
        ("replications: 10", "replications: 1"),
        ("[0.1, 0.25, 0.4, 0.7, 1.0]", "[0.1, 0.4]"),
    ):
        text = text.replace(old, new)
    small = folder / file.name
    small.write_text(text, encoding="utf-8")
    return small


def test_all_mechanisms_are_compared():
    plan = make_plan(FOLDER / "mechanisms.yaml")
    assert {variant.scenario.market.mechanism for variant in plan.variants} >= OWN_MECHANISMS


def test_tariffs_cost_the_same_in_an_hour_of_the_year_on_average():
    """Time of use and dynamic prices have the mean of the flat supply price, so that they move bills between hours."""
    plan = make_plan(FOLDER / "retail-tariffs.yaml")
    flat = plan.variants[0].scenario.tariff.supply_per_kwh
    grid = time_grid(plan.variants[0].scenario)
    for variant in plan.variants[1:]:
        assert slot_prices(variant.scenario.tariff, grid).supply.mean() == pytest.approx(flat, abs=1e-4)


def test_the_price_series_is_what_its_script_draws(tmp_path):
    script = FOLDER.parents[1] / "examples" / "draw_day_ahead.py"
    command = [sys.executable, script, "2025", "Europe/Berlin", tmp_path / "prices.csv"]
    subprocess.run(command, check=True)  # noqa: S603 - our own script
    assert (tmp_path / "prices.csv").read_bytes() == (FOLDER / "day-ahead.csv").read_bytes()
