"""A report as one HTML page that needs nothing else: no network, no script, the same bytes each time."""

import base64
from html import escape
from pathlib import Path
from typing import Final

from sunshare_sim.report.model import Chart, Report

TEMPLATE: Final = "page.html.jinja"


def html(report: Report) -> str:
    """Return a report as a page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["data_link"] = data_link
    environment.filters["drawing"] = lambda chart: Markup(drawing(chart))  # noqa: S704 -- our own SVG
    return environment.get_template(TEMPLATE).render(report=report)


def data_link(csv: str) -> str:
    """Return a link that holds a CSV file itself."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(csv.encode()).decode("ascii")


def drawing(chart: Chart) -> str:
    """Return a figure as an image with its finding as text, for those who hear the page."""
    return chart.svg.replace("<svg ", f'<svg role="img" aria-label="{escape(chart.finding)}" ', 1)
