"""The report of a study: true to its tables, the same bytes, whole where runs failed or nothing can be compared."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.report import compared
from sunshare_sim.report.model import Chart, Paragraph, Points, Table, number
from sunshare_sim.report.page import html
from sunshare_sim.report.pdf import pdf, source
from sunshare_sim.report.study_report import study_report
from sunshare_sim.studies.study import Study
from sunshare_sim.studies.tables import differences_table

THREE_HOMES = Path(__file__).parents[2] / "scenarios" / "three-homes.yaml"


def tables(report):
    blocks = [block for section in report.sections for block in section.blocks]
    found = [block.table if isinstance(block, Chart) else block for block in blocks]
    return {block.name: block for block in found if isinstance(block, Table)}


def charts(report):
    return {b.name: b for section in report.sections for b in section.blocks if isinstance(b, Chart)}


def text(report):
    lines = []
    for section in report.sections:
        for block in section.blocks:
            lines += [block.text] if isinstance(block, Paragraph) else []
            lines += block.points if isinstance(block, Points) else []
    return "\n".join(lines)


def rows_of(table):
    return list(csv.DictReader(io.StringIO(table.csv)))


@pytest.fixture(scope="module")
def report(study):
    return study_report(study)


def test_same_study_same_bytes(study, report):
    page = html(report)
    assert html(study_report(Study.load(study.folder))) == page
    assert len(page.encode()) < 1_500_000
    assert pdf(report) == pdf(report)


def test_a_question_is_text(report):
    page = html(report)
    assert "&lt;b&gt;charges&lt;/b&gt; &amp; &#34;quotes&#34;" in page
    assert "<b>" not in page
    assert '\\"quotes\\"' in source(report)


def test_parts_come_in_the_order_in_which_they_are_asked(report):
    assert [section.title for section in report.sections] == [
        "Summary", "Variants", "Who wins and who loses", "Network operator", "Fairness", "Grid", "Energy", "Market",
        "Sensitivity", "Uncertainty", "Method, data and provenance",
    ]  # fmt: skip


def test_tables_say_what_the_differences_say(study, report):
    table = tables(report)["headline"]
    known = study.differences.set_index(["kpi", "variant"])
    said = dict(zip(study.run().kpis["description"], study.run().kpis["name"], strict=True))
    kpi, seen = "", 0
    for row in table.rows:
        if len(row) == 1:
            kpi = said[row[0].partition(" [")[0]]
            continue
        line = known.loc[(kpi, row[0])]
        wanted = [line[name] for name in ("base_mean", "difference", "low", "high", "p_adjusted")]
        assert list(row[1:]) == [number(value, 3) for value in wanted]
        seen += 1
    assert seen >= 4
    for row in rows_of(table):
        line = known.loc[(row["kpi"], row["variant"])]
        assert float(row["difference"]) == line["difference"]


def test_money_is_in_the_currency_of_the_study(report):
    assert any("[EUR]" in row[0] for row in tables(report)["headline"].rows)
    assert "currency" not in text(report)
    assert " EUR" in text(report)


def test_every_figure_is_drawn_from_the_numbers_below_it(study, report):
    found = charts(report)
    lines = {line.get_label().partition(":")[0]: line for line in study.plot.winners().axes[0].get_lines()}
    for row in rows_of(found["winners"].table):
        change = lines[row.pop("variant")].get_xdata()
        shares = [int(share.removesuffix(" %")) for share in row]
        assert np.allclose(
            [float(value) for value in row.values()], np.quantile(change, np.array(shares) / 100)
        )
    kpi = "total_bill"
    points = study.plot.differences(kpi).axes[0].get_lines()[0].get_xdata()
    assert [float(row["difference"]) for row in rows_of(found["differences"].table)] == list(points)
    single = [line for line in study.plot.spread(kpi).axes[0].get_lines() if line.get_marker() == "o"]
    values = [
        [float(v) for name, v in row.items() if name != "variant"] for row in rows_of(found["spread"].table)
    ]
    assert [list(line.get_xdata()) for line in single] == values
    curves = {line.get_label(): line for line in study.plot.convergence(kpi).axes[0].get_lines()}
    for row in rows_of(found["convergence"].table):
        assert list(curves[row.pop("variant")].get_ydata()) == [float(value) for value in row.values()]


def test_homes_are_compared_with_themselves(study, report):
    by = tables(report)["by-group"]
    bills = study.bills.merge(study.run().households[["household", "group"]], on="household")
    mean = bills.groupby(["variant", "group"])["total"].mean()
    for row in rows_of(by):
        for group in ("sun", "shade"):
            assert float(row[group]) == pytest.approx(mean[row["variant"], group] - mean["base", group])


def test_ledgers_are_verified_again(report):
    assert "Ledgers verified again for this report: 9 of 9 looked at, of 9 runs." in text(report)


def test_one_seed_gives_no_interval(make_study):
    made = make_study(replications=1)
    report = study_report(made)
    assert "one seed gives no interval" in text(report)
    assert "Too few seeds" in text(report)
    assert "convergence" not in charts(report)
    assert pdf(report)


def test_seeds_that_change_nothing_are_said_to(make_study):
    made = make_study(base=str(THREE_HOMES))
    assert "Note: the seed changes nothing" in text(study_report(made))


def test_base_alone(make_study):
    made = make_study(variants={})
    report = study_report(made)
    assert "nothing to compare" in text(report)
    assert set(charts(report)) == {"spread"}
    assert html(report)


def spoilt(study, tmp_path, *, variant=None):
    """Return a copy of the study in which the runs of a variant (or all) have failed."""
    copy = tmp_path / "copy"
    shutil.copytree(study.folder, copy)
    gone = [variant] if variant else list(dict.fromkeys(study.runs["variant"]))
    runs = study.runs.copy()
    wrong = runs["variant"].isin(gone)
    runs.loc[wrong, "state"] = "failed"
    runs.loc[wrong, "error"] = 'StrategyError: <home 3> said "no"'
    kpis = study.kpis[~study.kpis["variant"].isin(gone)]
    differences = (
        study.differences[~study.differences["variant"].isin(gone)]
        if "base" not in gone
        else study.differences[:0]
    )
    made = {"runs": runs, "kpis": kpis, "differences": differences}
    return Study(copy, study.record, made)


@pytest.mark.parametrize("variant", ["dear", "base", None])
def test_runs_that_failed(study, tmp_path, variant):
    report = study_report(spoilt(study, tmp_path, variant=variant))
    page = html(report)
    assert "&lt;home 3&gt; said" in page
    assert pdf(report)
    if variant == "dear":
        assert "6 of 9 runs finished" in page
        assert len(rows_of(charts(report)["winners"].table)) == 1
    else:
        assert "nothing to compare" in page


def many(study, count=30, seeds=100):
    """Return a study with many variants of long names, made of the tiny one's tables."""
    rng = np.random.default_rng(1)
    names = [
        "base",
        *(f"households.solar.share={each / 30:.3f},households.battery.share={each}" for each in range(count)),
    ]
    kpis = []
    for kpi, unit in (("total_bill", "currency"), ("losing_share", "1"), ("peak_import_kw", "kW")):
        values = rng.normal(10, 1, (len(names), seeds)) + np.arange(len(names))[:, None]
        values = values if kpi != "losing_share" else np.full_like(values, np.nan)
        for name, row in zip(names, values, strict=True):
            kpis += [(name, seed, kpi, value, unit) for seed, value in enumerate(row, 1)]
    table = pd.DataFrame(kpis, columns=["variant", "seed", "kpi", "value", "unit"])
    differences = differences_table(table, (), 0.9)
    bills = pd.concat(
        study.bills[study.bills.variant == "base"].assign(
            variant=name, total=lambda b, k=k: b.total * (1 + 0.1 * k)
        )
        for k, name in enumerate(names)
    )
    record = json.loads(json.dumps(study.record))
    record["variants"] = [
        {"name": name, "description": "a point of the grid", "changes": {}} for name in names
    ]
    record["seeds"] = list(range(1, seeds + 1))
    record["file"]["confidence"] = 0.9
    made = Study(study.folder, record, {"runs": study.runs, "kpis": table, "differences": differences})
    made.__dict__["bills"] = bills
    return made


@pytest.fixture(scope="module")
def large(study):
    return many(study)


def test_thirty_variants_fit_the_page(large):
    report = study_report(large)
    page = html(report)
    assert len(page.encode()) < 1_500_000
    assert "90 % interval" in page
    assert "95 %" not in page
    found = tables(report)
    assert max(len(table.header) for table in found.values()) <= 14
    assert len(rows_of(found["headline"])) == 60  # all are in the file
    shown = [row for row in found["headline"].rows if len(row) > 1]
    assert len(shown) == 2 * compared.MOST_SHOWN
    assert "The other 22 variants change it less." in text(report)
    assert "seeds 1 to 100" in report.provenance
    widths = {row["variant"]: float(row["100"]) for row in rows_of(found["convergence"])}
    name = next(iter(widths))
    line = large.differences.query("kpi == 'total_bill' and variant == @name").iloc[0]
    assert widths[name] == pytest.approx((line["high"] - line["low"]) / 2)
    assert pdf(report)


def test_a_figure_that_no_run_has_is_left_out(large):
    report = study_report(large)
    assert "losing" not in " ".join(row[0] for row in tables(report)["headline"].rows)
    with pytest.raises(ResultError, match="no run has this key figure"):
        large.plot.spread("losing_share")


def test_names_of_a_page_are_its_own(large):
    page = html(study_report(large))
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)) <= {(n, "") for n in names} | {
        ("", n) for n in names
    }
