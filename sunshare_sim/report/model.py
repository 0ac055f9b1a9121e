"""What a report consists of, whatever it is written as: sections of paragraphs, tables and figures."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MINUS: Final = "\N{MINUS SIGN}"
NONE: Final = "\N{EN DASH}"
NUMBER: Final = re.compile(rf"{NONE}|{MINUS}?[\d,]+(\.\d+)?")


@dataclass(frozen=True)
class Paragraph:
    """Hold a paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Points:
    """Hold a list of short texts."""

    points: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Hold a table as it is shown, and as it is to be had in full.

    Attributes
    ----------
    name : str
        Name of its CSV file, without ending.
    caption : str
        What it shows, in a sentence.
    header : tuple of str
        Heads of the columns, with units.
    rows : tuple of tuple of str
        Cells; the first of each row names it. A row of one cell alone names the rows below it.
    csv : str
        The same and, where there are more, all rows, with all digits.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    csv: str

    @property
    def words(self) -> tuple[bool, ...]:
        """Return which columns hold words, not numbers; the first always does."""
        cells = list(zip(*(row for row in self.rows if len(row) > 1), strict=True)) or [()] * len(self.header)
        return (True, *(not all(NUMBER.fullmatch(cell) for cell in column) for column in cells[1:]))


@dataclass(frozen=True)
class Chart:
    """Hold a figure as SVG, what it says in words, and the numbers it was drawn from.

    Attributes
    ----------
    name : str
        Name of the figure, one of its kind in a report.
    finding : str
        What it shows: its caption, and its text for those who do not see it.
    svg : str
        The drawing; its text is text.
    table : Table
        Its numbers.
    """

    name: str
    finding: str
    svg: str
    table: Table


Block = Paragraph | Points | Table | Chart


@dataclass(frozen=True)
class Section:
    """Hold a part of a report under one heading."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        """Return the section's place in the page."""
        return "".join(char if char.isalnum() else "-" for char in self.title.lower())


@dataclass(frozen=True)
class Report:
    """Hold a whole report.

    Attributes
    ----------
    title, question : str
        What it is about.
    sections : tuple of Section
        Its parts in order.
    provenance : str
        One line that names what it was made from, for the foot of the page.
    """

    title: str
    question: str
    sections: tuple[Section, ...]
    provenance: str


def number(value: Any, digits: int = 2) -> str:
    """Return a number as a reader expects it: grouped thousands, a real minus, a dash for none.

    >>> number(-1234.5), number(float("nan"))
    ('\N{MINUS SIGN}1,234.50', '\N{EN DASH}')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}".replace("-", MINUS)
    if not np.isfinite(value):
        return NONE
    text = f"{value:,.{digits}f}"
    is_nothing = not text.strip("-0.,")
    return text.lstrip("-") if is_nothing else text.replace("-", MINUS)


def sentence(text: str) -> str:
    r"""Return a figure's title as a sentence on one line.

    >>> sentence("Voltage:\n0.98 to 1.02 p.u.")
    'Voltage: 0.98 to 1.02 p.u.'
    """
    return " ".join(text.split()).removesuffix(".") + "."


def figure_text(value: float, unit: str) -> str:
    """Return a key figure as a reader expects it: counts whole, voltages with four decimals, all else with three.

    >>> figure_text(12.0, "1"), figure_text(0.25, "1"), figure_text(1.02, "p.u.")
    ('12', '0.250', '1.0200')
    """
    if unit == "1" and np.isfinite(value) and value == round(value):
        return number(int(value))
    return number(value, 4 if unit == "p.u." else 3)


def table_of(
    frame: "pd.DataFrame",
    name: str,
    caption: str,
    *,
    heads: Iterable[str] | None = None,
    digits: int | Callable[[str], int] = 2,
    full: "pd.DataFrame | None" = None,
) -> Table:
    """Return a table of a frame, its index as first column.

    Parameters
    ----------
    frame : DataFrame
        What is shown.
    name, caption : str
        As in `Table`.
    heads : iterable of str, optional
        Heads of the columns, the index first; else their names.
    digits : int or callable
        Decimals of a column, by its name.
    full : DataFrame, optional
        What the CSV file holds, if more than what is shown.
    """
    places = [digits(str(column)) if callable(digits) else digits for column in frame.columns]
    rows = tuple(
        (str(label), *(number(value, place) for value, place in zip(values, places, strict=True)))
        for label, values in zip(frame.index, frame.itertuples(index=False), strict=True)
    )
    header = tuple(heads) if heads is not None else (str(frame.index.name or ""), *map(str, frame.columns))
    return Table(name, caption, header, rows, as_csv(frame if full is None else full))


def as_csv(frame: "pd.DataFrame") -> str:
    """Return a frame with its index as CSV (RFC 4180), shortest digits that give the same number again."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([frame.index.name or "", *frame.columns])
    for label, values in zip(frame.index, frame.itertuples(index=False), strict=True):
        writer.writerow([label, *(repr(float(v)) if isinstance(v, float) else v for v in values)])
    return out.getvalue()
