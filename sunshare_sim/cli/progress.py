"""Say on stderr how far a run has come: a bar on a terminal, a line every 10 % elsewhere, nothing when quiet."""

import os
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import click

if TYPE_CHECKING:
    from rich.progress import ProgressColumn
    from rich.text import Text

EVERY_PERCENT: Final = 10


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

    def slots(self, done: int, total: int) -> None:
        """Take note of how many slots are done."""


class Lines(Quiet):
    """Write plain lines, for logs and pipes."""

    def __init__(self) -> None:
        self._said = 0
        self._started: float | None = None

    def stage(self, text: str) -> None:
        """Write what is being done, and start the clock of the slots that may follow."""
        click.echo(text, err=True)
        self._started = time.perf_counter()

    def slots(self, done: int, total: int) -> None:
        """Write a line whenever another 10 % are done."""
        percent = 100 * done // total
        if percent // EVERY_PERCENT <= self._said:
            return
        self._said = percent // EVERY_PERCENT
        seconds = max(time.perf_counter() - (self._started or 0.0), 1e-9)
        rate = done / seconds
        left = f", {(total - done) / rate:.0f} s left" if done < total else ""
        click.echo(f"{percent} %: {done:,} of {total:,} slots, {rate:,.0f} slots/s{left}", err=True)


class Drawing:
    """Hold a bar of rich's columns on stderr for as long as something runs."""

    def __init__(self, *columns: "ProgressColumn") -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing and clear the bar."""
        self._bar.stop()

    def stage(self, text: str) -> None:
        """Show what is being done; how long it takes is not known."""
        self._bar.reset(self._task, total=None, description=text)


class Bar(Drawing, Quiet):
    """Draw a bar with rich: stage, slots per second, time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, TextColumn, TimeRemainingColumn

        class Rate(ProgressColumn):
            def render(self, task: Any) -> "Text":
                return _rate(task.speed)

        percent = TextColumn("{task.percentage:>3.0f} %")
        text = TextColumn("{task.description}")
        super().__init__(SpinnerColumn(), text, BarColumn(), percent, Rate(), TimeRemainingColumn())

    def slots(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, total=total, description="simulating")


def _rate(speed: float | None) -> "Text":
    from rich.text import Text

    return Text(f"{speed:,.0f} slots/s" if speed else "")


def make_progress(*, quiet: bool) -> Quiet:
    """Return the progress that suits where stderr goes."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()
