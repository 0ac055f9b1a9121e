"""From a folder of results to a report's file."""

from collections.abc import Mapping
from contextlib import suppress
from inspect import signature
from pathlib import Path

from sunshare_sim.errors import ResultError, describe, did_you_mean
from sunshare_sim.report.model import Report
from sunshare_sim.report.page import html
from sunshare_sim.report.pdf import pdf as as_pdf
from sunshare_sim.report.run_report import run_report
from sunshare_sim.report.study_report import study_report
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import MANIFEST
from sunshare_sim.results.style import look
from sunshare_sim.studies.folder import RECORD
from sunshare_sim.studies.study import Study


def make_report(source: Run | Study | Path) -> Report:
    """Return the report of a run or a study, or of the folder of one.

    Raises
    ------
    ResultError
        When the folder holds neither.
    """
    if isinstance(source, Run):
        return run_report(source)
    if isinstance(source, Study):
        return study_report(source)
    return make_report(_load(source))


def write_report(source: Run | Study | Path, file: Path, *, pdf: bool = False) -> Path:
    """Write a report to `file`, whole or not at all, and return the file.

    Raises
    ------
    ResultError
        When there is nothing to report on, or the file cannot be written.
    """
    made = make_report(source)
    content = as_pdf(made) if pdf else html(made).encode()
    draft = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise ResultError(describe(f"cannot write the report: {error.strerror}", where=str(file))) from error
    return file


def draw(folder: Path, name: str, file: Path, options: Mapping[str, str]) -> Path:
    """Draw one figure of the run or study in `folder` to `file`, whose ending says the format; return the file.

    Raises
    ------
    ResultError
        When there is no such figure, an option does not fit, or the file cannot be written.
    """
    shown = _load(folder)
    plot = shown.plot
    names = [each for each in dir(plot) if not each.startswith("_")]
    method = name.replace("-", "_")
    if method not in names:
        hint = did_you_mean(method, names)
        raise ResultError(describe("no such figure", got=name, expected=", ".join(names), hint=hint))
    known = signature(getattr(plot, method)).parameters
    if wrong := set(options) - set(known):
        expected = ", ".join(known) or "none"
        raise ResultError(
            describe("no such option", where=name, got=", ".join(sorted(wrong)), expected=expected)
        )
    values = {key: int(value) if value.lstrip("-").isdigit() else value for key, value in options.items()}
    made = getattr(plot, method)(**values)
    try:
        with look():
            made.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    except (OSError, ValueError) as error:
        raise ResultError(describe(f"cannot write the figure: {error}", where=str(file))) from error
    return file


def _load(folder: Path) -> Run | Study:
    if (folder / MANIFEST).is_file():
        return Run.load(folder)
    if (folder / RECORD).is_file():
        return Study.load(folder)
    expected = f"a folder with {MANIFEST} or {RECORD}"
    raise ResultError(describe("neither a run nor a study", where=str(folder), expected=expected))
