"""The look of every figure: a palette all eyes can tell apart, type sizes that survive half size, local calendars.

Colours are those of Okabe and Ito 2008 ("Color Universal Design", jfly.uni-koeln.de/color); orange and sky blue
have too little contrast to white, so areas get a dark edge.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from datetime import datetime

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK: Final = "#000000"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
RED: Final = "#D55E00"
PINK: Final = "#CC79A7"
GREY: Final = "#6E6E6E"
PALE: Final = "#C8C8C8"

WIDTH_IN: Final = 7.2  # a text column and a half; at half size the type is still 5 pt
DAYS_IN_SLOTS: Final = 14  # longer runs are drawn as daily means

LOOK: Final[dict[str, Any]] = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 1.2,
    "legend.handleheight": 0.9,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.1,
    "hatch.linewidth": 0.5,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "lines.linewidth": 1.6,
    "figure.dpi": 130,
    "savefig.dpi": 130,
    "svg.fonttype": "none",  # text stays text: searchable, and read aloud
    "svg.hashsalt": "sunshare-sim",  # same figure, same bytes
    "path.simplify": True,
}


@contextmanager
def look() -> Iterator[None]:
    """Hold the house's look while a figure is drawn or saved, and leave matplotlib's settings as they were."""
    import matplotlib as mpl

    settings: Any = LOOK
    with mpl.rc_context(settings):
        yield


def blank(height_in: float, rows: int = 1, **options: Any) -> "tuple[Figure, Any]":
    """Return a figure without pyplot's global state, and its axes below each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.subplots(rows, 1, **options)


def headline(axes: "Axes", title: str, *, legend_rows: int = 1) -> None:
    """Set the title, and the legend in rows between it and the plot, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = -(-len(handles) // legend_rows)
        axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns)
    axes.set_title(title, pad=9 + 16 * legend_rows if handles else None)


def calendar(axes: "Axes", times: Any) -> None:
    """Mark local midnights and name the days between them; months where the run is long.

    Parameters
    ----------
    axes : Axes
        Where time runs to the right.
    times : pandas.DatetimeIndex
        Start of each slot, in the place's time zone.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    dates: Any = import_module("matplotlib.dates")
    zone, days = times.tz, (times[-1] - times[0]).days + 1
    slot = times[-1] - times[-2] if len(times) > 1 else np.timedelta64(1, "h")
    axes.set_xlim(times[0], times[-1] + slot)
    if days > DAYS_IN_SLOTS:
        locator = dates.AutoDateLocator(tz=zone)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
        return
    axes.xaxis.set_major_locator(dates.DayLocator(tz=zone))
    axes.xaxis.set_major_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(dates.HourLocator(byhour=12, tz=zone))
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda x, _: _day(dates.num2date(x, tz=zone), short=days > 8))
    )
    axes.tick_params(axis="x", which="minor", length=0)
    axes.grid(visible=True, axis="x", which="major")


def _day(moment: "datetime", *, short: bool) -> str:
    return f"{moment.day}" if short else f"{moment:%a} {moment.day} {moment:%b}"
