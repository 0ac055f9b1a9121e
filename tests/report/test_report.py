"""The report: whole in itself, the same bytes, readable by machines and by people who hear it, and true to the run."""

import base64
import csv
import io
import re
import shutil
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.report.assumptions import differing
from sunshare_sim.report.figures import CHARTS, chart
from sunshare_sim.report.make import draw, make_report, write_report
from sunshare_sim.report.model import Chart, Table, number
from sunshare_sim.report.page import html
from sunshare_sim.report.pdf import pdf, source
from sunshare_sim.report.run_report import run_report
from sunshare_sim.results.run import Run
from sunshare_sim.scenario.schema import Scenario


class Page(HTMLParser):
    """Collect what the tests ask of a page: its tags with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._inside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside.append(tag)

    def handle_data(self, data):
        self.words.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def report(run):
    return run_report(run)


@pytest.fixture(scope="module")
def page(report):
    return html(report)


def csv_of(link):
    assert link.startswith("data:text/csv;charset=utf-8;base64,")
    return list(csv.reader(io.StringIO(base64.b64decode(link.partition(",")[2]).decode())))


def tables(report):
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield block
            elif isinstance(block, Chart):
                yield block.table


def test_same_run_same_bytes(run, page):
    assert html(run_report(Run.load(run.folder))) == page


def test_needs_nothing_else(page):
    assert len(page.encode()) < 1_500_000
    found = Page(page)
    assert not found.all("script")
    for _, attributes in found.tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_is_readable_by_ear(page):
    found = Page(page)
    assert found.all("html")[0]["lang"] == "en"
    assert len(found.all("h1")) == 1
    assert len(found.all("main")) == 1
    assert found.all("a")[0]["href"] == "#content"  # the skip link comes first
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(cell.get("scope") in {"col", "row"} for cell in found.all("th"))
    drawings = [svg for svg in found.all("svg") if svg.get("role") == "img"]
    assert len(drawings) == len(found.all("figure")) == len(CHARTS)
    assert all(len(svg["aria-label"]) > 10 for svg in drawings)


def test_no_name_is_given_twice_and_none_is_missing(page):
    names = Counter(attributes["id"] for _, attributes in Page(page).tags if "id" in attributes)
    assert max(names.values()) == 1
    wanted = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)|aria-labelledby="([^"]+)"', page))
    assert {name for group in wanted for name in group if name} <= set(names)


def test_every_table_comes_with_its_file(report, page):
    links = {a["download"]: csv_of(a["href"]) for a in Page(page).all("a") if "download" in a}
    for table in tables(report):
        rows = links[f"{table.name}.csv"]
        assert len(rows) > 1
        assert len({len(row) for row in rows}) == 1
        assert all(len(row) == len(table.header) for row in table.rows)


def test_tables_say_what_the_run_says(run, report):
    shown = {table.name: table for table in tables(report)}
    headline = dict(row[:2] for row in shown["headline"].rows)
    kpis = run.kpis.set_index("name")
    assert headline["sum of all homes' bills"] == number(kpis.value["total_bill"], 3)
    components = {row[0]: row[1] for row in shown["components"].rows}
    assert components["total"] == number(run.bills["total"].sum())
    parts = [name for name in components if name not in {"total", "counterfactual total", "saving"}]
    sums = run.bills[[name.replace(" ", "_") for name in parts]].sum().sum()
    assert sums == pytest.approx(run.bills["total"].sum(), abs=1e-9)


def test_figures_are_drawn_from_the_numbers_below_them(run):
    line = {each.get_label(): each for each in run.plot.bills().axes[0].get_lines()}
    rows = list(csv.DictReader(io.StringIO(chart(run, "bills").table.csv)))
    for label, column in (("with local market", "total"), ("without local market", "counterfactual_total")):
        drawn = np.asarray(line[label].get_xdata())
        assert np.allclose(drawn, np.sort([float(row[column]) for row in rows]), atol=1e-12)
    bars = [patch.get_height() for patch in run.plot.savings().axes[0].patches]
    rows = list(csv.DictReader(io.StringIO(chart(run, "savings").table.csv)))
    assert np.allclose(np.sort(bars), np.sort([float(row["saving"]) for row in rows]))
    power = next(
        each for each in run.plot.duration().axes[0].get_lines() if each.get_label() == "community as a whole"
    )
    rows = list(csv.DictReader(io.StringIO(chart(run, "duration").table.csv)))
    assert float(rows[0]["community"]) == pytest.approx(max(power.get_ydata()))
    assert float(rows[-1]["community"]) == pytest.approx(min(power.get_ydata()))


def test_says_whether_the_ledger_holds(run, report, tmp_path):
    assert "verified again" in source(report)
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    trades = next(file for file in (copy / "ledger").iterdir() if file.suffix not in {".json", ".pem"})
    content = bytearray(trades.read_bytes())
    content[len(content) // 2] ^= 1
    trades.write_bytes(bytes(content))
    assert "DOES NOT HOLD" in source(run_report(Run.load(copy)))


def test_pdf_is_tagged_and_the_same_each_time(report):
    made = pdf(report)
    assert made.startswith(b"%PDF-")
    assert b"pdfuaid" in made
    assert pdf(report) == made


def test_assumptions_are_what_differs(run):
    rows = {key: value for key, value, _ in differing(run.scenario)}
    assert rows["time.slots"] == str(run.scenario.time.slots)
    assert not any(key.startswith(("results", "name")) for key in rows)
    assert list(differing(Scenario())) == []


def test_numbers():
    assert number(1234567.891) == "1,234,567.89"
    assert number(-0.5, 1) == "\N{MINUS SIGN}0.5"
    assert number(-0.0001) == "0.00"
    assert number(float("nan")) == "\N{EN DASH}"
    assert number(12) == "12"


def test_bad_requests(run, tmp_path):
    with pytest.raises(ResultError, match=r"neither a run nor a study"):
        make_report(tmp_path)
    with pytest.raises(ResultError, match=r"did you mean 'heat_map'"):
        draw(run.folder, "heatmap", tmp_path / "x.svg", {})
    with pytest.raises(ResultError, match=r"expected column"):
        draw(run.folder, "heat-map", tmp_path / "x.svg", {"colum": "load_kwh"})
    file = tmp_path / "file.txt"
    file.touch()
    with pytest.raises(ResultError, match=r"cannot write"):
        write_report(run, file / "report.html")
    assert (
        draw(run.folder, "heat-map", tmp_path / "x.svg", {"column": "load_kwh"})
        .read_text()
        .startswith("<?xml")
    )
