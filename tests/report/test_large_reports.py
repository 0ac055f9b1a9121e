"""The report of unusual runs: a year long, of ten thousand homes, without trade, without ledger, with power flow."""

import importlib.util
import re
from pathlib import Path

import pytest

import sunshare_sim as ss
from sunshare_sim.report.make import draw
from sunshare_sim.report.model import Chart, Paragraph, Points, Table
from sunshare_sim.report.page import html
from sunshare_sim.report.pdf import pdf
from sunshare_sim.report.run_report import run_report
from sunshare_sim.results.run import Run

ROOT = Path(__file__).parents[2]
LIMIT = 1_500_000


def made_up_run():
    """Return `write_run` of the results' conftest, which tests cannot import by name."""
    spec = importlib.util.spec_from_file_location("made_up_run", ROOT / "tests" / "results" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_run


def blocks(report):
    return [block for section in report.sections for block in section.blocks]


def text(report):
    found = []
    for block in blocks(report):
        found += [block.text] if isinstance(block, Paragraph) else []
        found += block.points if isinstance(block, Points) else []
    return "\n".join(found)


def tables(report):
    both = [block.table if isinstance(block, Chart) else block for block in blocks(report)]
    return {block.name: block for block in both if isinstance(block, Table)}


@pytest.mark.parametrize(("slots", "homes", "days"), [(35_040, 5, 365), (96, 10_000, 1)])
def test_a_page_stays_small(tmp_path, slots, homes, days):
    folder = made_up_run()(tmp_path / "run", slots=slots, homes=homes, days=days, coordinates=False)
    report = run_report(Run.load(folder))
    page = html(report)
    assert len(page.encode()) < LIMIT
    assert "without local market" in page


def tiny(tmp_path, **overrides):
    base = ROOT / "scenarios" / "three-homes.yaml"
    given = {
        re.sub(r"\.(\d+)\.", r"[\1].", key.replace("__", ".")): value for key, value in overrides.items()
    }
    overrides = {"results.figures": False} | given
    return ss.run(base, out=tmp_path / "run", overrides=overrides)


def test_without_trade(tmp_path):
    report = run_report(tiny(tmp_path, market__mechanism="none"))
    assert html(report)
    assert pdf(report)
    market = {row[0]: row[1] for row in tables(report)["market"].rows}
    assert market["settled trades"] == "0"


def test_without_ledger(tmp_path):
    report = run_report(tiny(tmp_path, settlement__audit="none"))
    assert "Ledger: this run kept none." in text(report)
    assert pdf(report)


def test_text_of_the_scenario_is_text(tmp_path):
    said = 'Who <script>alert("pays")</script> & \\ #strong[why] $x$?'
    report = run_report(
        tiny(tmp_path, description=said, place__name='<i>Ö & "P"</i>', tariff__currency="CHF")
    )
    page = html(report)
    assert "<script" not in page
    assert "<i>" not in page
    assert "&lt;i&gt;Ö &amp; &#34;P&#34;&lt;/i&gt;" in page
    assert " CHF" in page
    assert page.count("EUR") == 1  # the default of the currency
    assert pdf(report)


def test_a_run_of_one_slot(tmp_path):
    report = run_report(tiny(tmp_path, time__slots=1))
    assert html(report)
    assert pdf(report)


def test_wires_show_where_they_were_computed(tmp_path):
    run = tiny(tmp_path, network__power_flow="post")
    report = run_report(run)
    grid = {row[0]: row[1] for row in tables(report)["grid"].rows}
    assert float(grid["lowest voltage of all buses and slots"]) == pytest.approx(
        run.buses["voltage_min_pu"].min(), abs=1e-4
    )
    names = {block.name for block in blocks(report) if isinstance(block, Chart)}
    assert {"voltage-map", "loading-map", "loading-duration"} <= names
    lines = tables(report)["loading-map"]
    assert len(lines.rows) <= 10
    assert "No power flow" not in text(report)
    for by in ("voltage", "loading"):
        file = draw(run.folder, "feeder-map", tmp_path / f"{by}.svg", {"by": by})
        assert b"<svg" in file.read_bytes()


def test_wires_are_said_to_be_left_out(tmp_path):
    report = run_report(tiny(tmp_path))
    assert "No power flow was computed" in text(report)
    assert "lowest voltage" not in html(report)


def test_bills_are_shown_by_income_where_it_is_given(tmp_path):
    run = tiny(tmp_path, households__groups__0__income="low", households__groups__1__income="high")
    table = tables(run_report(run))["by-income"]
    assert [row[0] for row in table.rows] == ["not given", "high", "low"]
    assert float(table.rows[2][4]) == pytest.approx(
        run.bills_by("income").loc["low", "saving_mean"], abs=0.005
    )
    assert "by-income" not in tables(run_report(tiny(tmp_path)))
