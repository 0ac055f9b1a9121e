"""`sunshare study`: run a study file, or finish one that was begun, and say what differs."""

import json
import math
import os
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import click

from sunshare_sim.cli.commands import JSON, SET, main
from sunshare_sim.cli.progress import Drawing

if TYPE_CHECKING:
    from sunshare_sim.studies.study import Study

FAILED: Final = 3
EVERY_SECONDS: Final = 5.0
SHOWN_ERRORS: Final = 10
SHOWN_ROWS: Final = 40


class Shard(click.ParamType):  # type: ignore[type-arg]
    """Read ``i/n``."""

    name = "i/n"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return the number of the shard and how many there are."""
        number, _, parts = str(value).partition("/")
        if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
            self.fail(f"{value!r} is not i/n, such as 1/4 for the first of four parts", param, ctx)
        return int(number), int(parts)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--workers", type=click.IntRange(min=0), help="Worker processes; 0: none.  [default: one a core]"
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the study.  [default: results/<name>]"
)
@click.option("--quick", is_flag=True, help="Run the small form of the study.")
@SET
@click.option(
    "--resume/--no-resume", default=True, show_default=True, help="Go on where an earlier run of it stopped."
)
@click.option("--shard", type=Shard(), help="Do the i-th of n parts of the runs only (job arrays).")
@click.option("--join", is_flag=True, help="Run nothing; make the tables of the runs that are there.")
@click.option(
    "--scheduler", default="", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler."
)
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@JSON
@click.pass_context
def study(  # noqa: PLR0913 - one parameter an option
    ctx: click.Context,
    /,
    *,
    file: Path,
    out: Path | None,
    overrides: tuple[str, ...],
    quick: bool,
    quiet: bool,
    as_json: bool,
    **means: Any,
) -> None:
    """Run the study FILE: every variant under every seed, each compared with the base.

    Finished runs are never repeated: the same command goes on where it stopped. Exit code 0 when all runs
    are there, 3 when some failed.
    """
    from sunshare_sim.studies.execute import run_study

    with _progress(quiet=quiet) as progress:
        found = run_study(file, out=out, overrides=overrides, quick=quick, progress=progress, **means)
    click.echo(as_object(found) if as_json else summary(found))
    _say_what_failed(found)
    if (found.runs["state"] == "failed").any():
        ctx.exit(FAILED)


def show(folder: Path, *, as_json: bool) -> str:
    """Return what `sunshare show` says of a study's folder."""
    from sunshare_sim.studies.study import Study

    found = Study.load(folder)
    return as_object(found) if as_json else summary(found)


def summary(found: "Study") -> str:
    """Return what differs from the base, and where it lies."""
    from sunshare_sim.cli.summary import columns

    rows = found.differences.to_dict("records")
    head = (
        f"{found.file.confidence:.0%} interval of the paired difference",
        "base",
        "difference",
        "low",
        "high",
        "n",
    )
    lines = [f"{'':<44} " + " ".join(f"{text:>12}" for text in head[1:])] if rows else []
    lines += [_row(row) for row in rows[:SHOWN_ROWS]]
    if rows:
        lines.append(
            f"low, high: {head[0]}, by Student's t; p-values by Holm's method are in differences.csv"
        )
    if len(rows) > SHOWN_ROWS:
        lines.append(f"{len(rows) - SHOWN_ROWS} more rows in differences.csv")
    states = found.runs["state"].value_counts()
    facts = [("question", found.question)] if found.question else []
    facts += [("runs", ", ".join(f"{count} {state}" for state, count in states.items()))]
    facts += [("seeds", _seeds(found.seeds)), *(("note", note) for note in found.record["notes"])]
    return "\n".join([*lines, "", *columns([*facts, ("results", found.folder)])])


def as_object(found: "Study") -> str:
    """Return folder, states and differences as one JSON object; a figure that does not exist is null."""
    rows = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in found.differences.to_dict("records")
    ]
    states = {str(state): int(count) for state, count in found.runs["state"].value_counts().items()}
    content = {"folder": str(found.folder), "runs": states, "seeds": list(found.seeds), "differences": rows}
    return json.dumps(content, ensure_ascii=False)


def _row(row: dict[Any, Any]) -> str:
    name = f"{row['kpi']}: {row['variant']}"
    numbers = " ".join(f"{row[key]:12.4g}" for key in ("base_mean", "difference", "low", "high"))
    unit = row["unit"] if row["unit"] != "1" else ""
    return f"{name:<44} {numbers} {row['n']:12d}  {unit}".rstrip()


def _seeds(seeds: tuple[int, ...]) -> str:
    whole = seeds == tuple(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if whole and len(seeds) > 1 else ", ".join(map(str, seeds))


def _say_what_failed(found: "Study") -> None:
    failed = found.runs[found.runs["state"] == "failed"].to_dict("records")
    for row in failed[:SHOWN_ERRORS]:
        click.echo(f"failed: variant {row['variant']}, seed {row['seed']}: {row['error']}", err=True)
    if failed:
        more = f"{len(failed) - SHOWN_ERRORS} more; " if len(failed) > SHOWN_ERRORS else ""
        click.echo(f"{more}tracebacks: {found.folder / 'failures'}", err=True)


class Quiet(AbstractContextManager["Quiet"]):
    """Say nothing."""

    def __enter__(self) -> Self:
        """Return the progress."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def stage(self, text: str) -> None:
        """Take note of what is being done."""

    def runs(self, done: int, total: int, failed: int) -> None:
        """Take note of how many runs are done."""


class Lines(Quiet):
    """Write plain lines, for logs and pipes: one every few seconds."""

    def __init__(self) -> None:
        self._started = self._said = time.perf_counter()
        self._first: int | None = None

    def stage(self, text: str) -> None:
        """Write what is being done."""
        click.echo(text, err=True)
        self._started = time.perf_counter()

    def runs(self, done: int, total: int, failed: int) -> None:
        """Write how many runs are done and what time is left."""
        now = time.perf_counter()
        if self._first is None:
            self._first = done - 1
        if now - self._said < EVERY_SECONDS and done < total:
            return
        self._said = now
        left = (now - self._started) / (done - self._first) * (total - done)
        ends = f", {left:.0f} s left" if done < total else ""
        bad = f", {failed} failed" if failed else ""
        click.echo(f"{done:,} of {total:,} runs{bad}{ends}", err=True)


class Bar(Drawing, Quiet):
    """Draw a bar with rich: runs done, runs failed, time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        text = TextColumn("{task.description}")
        super().__init__(text, BarColumn(), MofNCompleteColumn(), TextColumn("runs"), TimeRemainingColumn())

    def runs(self, done: int, total: int, failed: int) -> None:
        """Move the bar."""
        text = f"simulating, {failed} failed" if failed else "simulating"
        self._bar.update(self._task, completed=done, total=total, description=text)


def _progress(*, quiet: bool) -> Quiet:
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()
