"""Keep the generated part of the manual in step with the schemas: ``python -m sunshare_sim.results.manual``."""

from pathlib import Path
from typing import Final

from sunshare_sim.results.tables import TABLES, Column

BEGIN: Final = "<!-- tables: generated from sunshare_sim/results/tables.py -->\n"
END: Final = "<!-- end of tables -->"


def markdown() -> str:
    """Return the manual of all tables, a Markdown table each."""
    parts = []
    for schema in TABLES.values():
        rows = [_markdown_row(name, column) for name, column in schema.stored()]
        head = "| column | type | unit | meaning |\n|---|---|---|---|\n"
        parts.append(f"### {schema.name}\n\n{schema.text}\n\n{head}" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _markdown_row(name: str, column: Column) -> str:
    exact = column.kind == "micro"
    unit = f"1e-6 {column.unit}" if exact else column.unit
    kind = {"micro": "int64", "time": "timestamp[ms, UTC]", "choice": "text"}.get(column.kind, column.kind)
    text = f"{column.text}: {' or '.join(column.choices)}" if column.choices else column.text
    return f"| `{name}` | {kind} | {unit} | {text}{', exact' if exact else ''} |"


def renew(page: Path) -> None:
    """Replace what stands between the two marks of `page` by the tables as they are."""
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{markdown()}\n{END}{tail}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    renew(Path(__file__).parents[2] / "docs" / "results.md")
