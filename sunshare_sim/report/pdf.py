"""A report as PDF/UA-1: tagged, in a stated language, every figure with its text; written by Typst (extra `pdf`)."""

from typing import Any, Final

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.report.model import Block, Chart, Paragraph, Points, Report, Table

HEAD: Final = """\
#set document(title: {title}, author: "sunshare-sim", date: none)
#set page(paper: "a4", margin: 2.2cm, numbering: "1",
  footer: context [#text(size: 7pt, fill: luma(77), {provenance}) #h(1fr) #counter(page).display()])
#set text(lang: "en", size: 10pt, font: ("Libertinus Serif",))
#set par(justify: false)
#show heading.where(level: 1): it => {{ set text(size: 13pt); v(1em); it; v(.3em) }}
#show table: set text(size: 8pt)
#show figure.where(kind: table): set block(breakable: true)
#show figure.where(kind: table): set figure.caption(position: top)
#show figure.caption: set block(sticky: true)
#text(size: 18pt, weight: "bold", {title})

#text(size: 11pt, fill: luma(77), {question})
"""


def pdf(report: Report) -> bytes:
    """Return a report as PDF; the same report gives the same bytes.

    Raises
    ------
    ResultError
        When Typst is not installed.
    """
    try:
        import typst
    except ImportError as error:
        raise ResultError(
            describe(
                "PDF needs Typst",
                where="report",
                hint='pip install "sunshare-sim[pdf]", or print the HTML page',
            )
        ) from error
    files = {"main.typ": source(report).encode()}
    for chart in _charts(report):
        files[f"{chart.name}.svg"] = chart.svg.encode()
    compiler: Any = typst.compile  # its stubs do not know of files by name
    return bytes(compiler(files, format="pdf", pdf_standards=["ua-1"], timestamp=0, ignore_system_fonts=True))


def source(report: Report) -> str:
    """Return a report as Typst markup."""
    head = HEAD.format(
        title=_text(report.title), question=_text(report.question), provenance=_text(report.provenance)
    )
    parts = [head]
    for section in report.sections:
        parts.append(f"#heading(level: 1, {_text(section.title)})\n")
        parts += [_block(block) for block in section.blocks]
    return "\n".join(parts)


def _charts(report: Report) -> list[Chart]:
    return [block for section in report.sections for block in section.blocks if isinstance(block, Chart)]


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"#par({_text(block.text)})\n"
    if isinstance(block, Points):
        return f"#list({', '.join(map(_text, block.points))})\n"
    if isinstance(block, Table):
        return _table(block)
    picture = f'image("{block.name}.svg", width: 100%, alt: {_text(block.finding)})'
    return f"#figure({picture}, caption: {_text(block.finding)})\n{_table(block.table)}"


def _table(table: Table) -> str:
    count = len(table.header)
    sides = ", ".join("left" if word else "right" for word in table.words)
    columns = ", ".join(["auto", *["auto" if count > 3 else "1fr"] * (count - 1)])
    head = ", ".join(f"strong({_text(cell)})" for cell in table.header)
    body = ",\n  ".join(_row(row, count) for row in table.rows)
    return (
        f"#figure(table(columns: ({columns},), align: ({sides},), "
        f"stroke: (x, y) => (bottom: .4pt + luma(200)), inset: 3pt,\n  table.header({head}),\n  {body}\n), "
        f"caption: {_text(table.caption)})\n"
    )


def _row(cells: tuple[str, ...], count: int) -> str:
    """Return a row's cells; a lone one goes across all columns and stays with the next row."""
    if len(cells) == 1 < count:
        return f"table.cell(colspan: {count}, breakable: false, strong({_text(cells[0])}))"
    return ", ".join(map(_text, cells))


def _text(text: str) -> str:
    """Return text as a Typst string: nothing in it is markup."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
