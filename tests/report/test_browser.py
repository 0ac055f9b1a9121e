"""A real browser opens the report: offline, without a message, readable by aids, and prints. Run with ``-m long``.

Needs Playwright with a Chromium (`CHROMIUM` names one that is installed apart from it). The accessibility check needs
axe-core as well: `AXE_CORE` names its `axe.min.js`, or npm has put it into `node_modules` here.
"""

import os
import shutil
from pathlib import Path

import pytest

from sunshare_sim.report.make import write_report

pytestmark = [pytest.mark.long, pytest.mark.enable_socket]
ROOT = Path(__file__).parents[2]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    installed = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as started:
        try:
            opened = started.chromium.launch(
                executable_path=installed, args=["--no-sandbox", "--disable-gpu"]
            )
        except playwright.Error as error:
            pytest.skip(f"no Chromium that starts: {error}")
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=["run", "study"])
def file(request, tmp_path_factory):
    source = request.getfixturevalue(request.param)
    return write_report(source, tmp_path_factory.mktemp("page") / f"{request.param}.html")


@pytest.fixture
def page(browser, file):
    """Return the opened page and everything that the browser said or asked for meanwhile."""
    context = browser.new_context(offline=True)
    opened = context.new_page()
    said = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    opened.on(
        "request", lambda asked: said.append(asked.url) if asked.url.startswith(("http", "ws")) else None
    )
    opened.goto(file.as_uri())
    yield opened, said
    context.close()


def axe_core():
    places = [os.environ.get("AXE_CORE", ""), ROOT / "node_modules" / "axe-core" / "axe.min.js"]
    found = next((place for place in places if place and Path(place).is_file()), None)
    return found or pytest.skip("axe-core is not here: set AXE_CORE, or `npm install axe-core`")


def test_opens_offline_without_a_word(page):
    opened, said = page
    assert opened.title().endswith(("one run", "a study"))
    assert said == []
    assert opened.evaluate("document.fonts.status") == "loaded"


def test_every_figure_is_drawn_and_every_link_leads_somewhere(page):
    opened, _ = page
    boxes = opened.eval_on_selector_all(
        "figure svg[role=img]", "all => all.map(each => [each.clientWidth, each.clientHeight])"
    )
    assert boxes
    assert all(width > 300 and height > 100 for width, height in boxes)
    lost = opened.eval_on_selector_all(
        "a[href^='#']", "all => all.filter(each => !document.querySelector(each.hash)).map(each => each.href)"
    )
    assert lost == []


def test_nothing_is_wider_than_a_telephone(page):
    opened, _ = page
    opened.set_viewport_size({"width": 360, "height": 740})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_table_downloads(page, tmp_path):
    opened, _ = page
    with opened.expect_download() as waiting:
        opened.locator("a[download]").first.click()
    waiting.value.save_as(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().count("\n") > 1


def test_is_accessible(page):
    opened, _ = page
    opened.add_script_tag(path=str(axe_core()))
    found = opened.evaluate(f"async () => await axe.run({{runOnly: {RULES}}})")
    assert [(each["id"], len(each["nodes"])) for each in found["violations"]] == []


def test_prints(page):
    opened, _ = page
    assert opened.pdf(format="A4").startswith(b"%PDF-")
