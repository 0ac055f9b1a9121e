"""Events of a run from a file: one row each, read strictly, what is wrong named with its line."""

import csv
from pathlib import Path

from pydantic import ValidationError

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.scenario.events import Event, event_of_row


def read_events(path: str | Path) -> tuple[Event, ...]:
    """Read events from a CSV file whose columns are the keys of an event.

    Raises
    ------
    InputError
        When the file cannot be read, a column is unknown, or a row is no event; names file and line.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            columns = tuple(name.strip() for name in table.fieldnames or ())
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            describe(f"cannot be read: {error}", where=str(path), expected="a CSV file")
        ) from error
    valid = tuple(Event.model_fields)
    for name in columns:
        if name not in valid:
            hint = did_you_mean(name, valid)
            raise InputError(
                describe(
                    "unknown column", where=f"{path}, line 1", got=name, expected=", ".join(valid), hint=hint
                )
            )
    return tuple(_event(path, line, row, columns) for line, row in rows)


def _event(path: Path, line: int, row: dict[str, str], columns: tuple[str, ...]) -> Event:
    where = f"{path}, line {line}"
    cells = list(row.values())
    if None in row or None in cells:
        raise InputError(
            describe("another number of cells", where=where, expected=f"{len(columns)}, as in line 1")
        )
    try:
        return event_of_row(dict(zip(columns, cells, strict=True)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in columns)
        key = key or str(first.get("ctx", {}).get("key", ""))
        raise InputError(describe(first["msg"], where=f"{where}, {key}" if key else where)) from error
    except ValueError as error:
        raise InputError(
            describe(str(error), where=where, expected="numbers where the key takes numbers")
        ) from error
