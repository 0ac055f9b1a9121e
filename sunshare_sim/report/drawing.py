"""Figures as parts of a page: SVG with its text kept, names that clash with no other figure's, the same bytes."""

import io
import re
from typing import TYPE_CHECKING, Final

from sunshare_sim.results.style import look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES: Final = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
HEAD: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
METADATA: Final = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
PATHS: Final = re.compile(r'\bd="[^"]*"')
DIGITS: Final = re.compile(r"(\.\d\d)\d+")  # hundredths of a point are less than a printer's dot


def svg_of(figure: "Figure", name: str) -> str:
    """Return a figure as an SVG element, its inner names begun with `name`."""
    out = io.StringIO()
    with look():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = METADATA.sub("", HEAD.sub("", out.getvalue()), count=1)
    text = PATHS.sub(lambda path: DIGITS.sub(r"\1", path.group()).replace(" \n", " "), text)
    return NAMES.sub(rf"\g<1>{name}-\g<2>", text).strip()
