"""The commands: options in, one call of the library, words out."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from sunshare_sim.errors import (
    LedgerError,
    ResultError,
    ScenarioError,
    SunShareError,
    SunShareWarning,
    describe,
)

if TYPE_CHECKING:
    from sunshare_sim.scenario.schema import Scenario

INVALID: Final = 2
MISMATCH: Final = 4
INTERRUPTED: Final = 130
FAULT: Final = (
    "This is a fault of the program, not of your scenario. Please report it together with the lines above."
)


class House(click.Group):
    """Turn errors into exit codes, for all commands alike."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a user's error is a message, a fault of ours keeps its traceback."""
        try:
            with _warnings_on_stderr():
                return super().invoke(ctx)
        except SunShareError as error:
            _say(_message(error))
            ctx.exit(INVALID)
        except KeyboardInterrupt as interrupt:
            kept = f"; what there is lies in {interrupt}" if str(interrupt) else ""
            _say(f"interrupted{kept}")
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as fault:
            fault.add_note(FAULT)
            raise


@click.group(cls=House, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sunshare-sim", prog_name="sunshare")
def main() -> None:
    """Simulate neighbourhoods that trade their own solar power.

    \b
    sunshare new village                    write a scenario to start from
    sunshare check village.yaml             find every mistake in it
    sunshare run village.yaml               run it; results lie in results/village-1/
    sunshare show results/village-1         show what came out
    sunshare study tariffs.yaml             run variants and seeds; compare them
    sunshare verify results/village-1       prove it from its files alone
    """  # noqa: D301 - click takes the backspace for "keep these lines as they are"


SET = click.option(
    "overrides",
    "--set",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a value, e.g. --set market.tick=0.001.",
)
JSON = click.option("as_json", "--json", is_flag=True, help="Print one JSON object instead of the table.")


@main.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Use another seed than the scenario's."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the results.  [default: results/<name>-<seed>]"
)
@SET
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@JSON
@click.option("--profile", is_flag=True, help="Show the time spent in each phase of the slots.")
@click.option("--no-figures", is_flag=True, help="Draw no figures.")
def run(  # noqa: PLR0913 - one parameter an option
    *,
    scenario: Path,
    seed: int | None,
    out: Path | None,
    overrides: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    profile: bool,
    no_figures: bool,
) -> None:
    """Run SCENARIO and leave tables, figures and a manifest in a folder."""
    from sunshare_sim.cli.progress import make_progress
    from sunshare_sim.cli.summary import as_object, phase_table, summary

    changes = list(overrides)
    if seed is not None:
        changes.append(f"seed={seed}")
    if no_figures:
        changes.append("results.figures=false")
    with make_progress(quiet=quiet) as progress:
        progress.stage("reading the scenario")
        loaded = _load(scenario, changes)
        progress.stage("loading the simulation")
        from sunshare_sim.simulation.run import run as run_scenario

        finished = run_scenario(loaded, source=scenario, out=out, progress=progress, profile=profile)
    if as_json:
        click.echo(as_object(finished))
        return
    click.echo(summary(finished))
    if profile:
        click.echo(phase_table(finished))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@SET
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], overrides: tuple[str, ...]) -> None:
    """Find every mistake of scenario and study files, each with its line."""
    failed = False
    for file in files:
        try:
            _check(file, overrides)
        except ScenarioError as error:
            failed = True
            _say(_message(error))
        else:
            click.echo(f"{file}: fine")
    if failed:
        ctx.exit(INVALID)


@main.command()
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Write to this file.  [default: stdout]"
)
@click.option("--markdown", is_flag=True, help="Write the reference of all keys for people instead.")
@click.option("--study", is_flag=True, help="Write the schema of the study file instead.")
def schema(output: Path | None, *, markdown: bool, study: bool) -> None:
    """Print the JSON Schema of the scenario file (or of the study file), for editors."""
    from sunshare_sim.scenario.reference import reference
    from sunshare_sim.scenario.template import schema_text, write_text

    if study:
        from sunshare_sim.studies.published import study_schema_text

        text = study_schema_text(_names())
    else:
        text = reference() if markdown else schema_text(_names())
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        click.echo(f"{output}: written")


@main.command()
@click.argument("name", type=click.Path(path_type=Path))
@click.option(
    "template",
    "--from",
    type=click.Choice(["quickstart", "three-homes"]),
    default="quickstart",
    show_default=True,
    help="Scenario to start from.",
)
def new(name: Path, template: str) -> None:
    """Write a commented scenario file NAME.yaml to start from; no file is overwritten."""
    from sunshare_sim.scenario.template import new_scenario

    file, schema_file = new_scenario(name, template, _names())
    click.echo(f"{file}: written; {schema_file.name} beside it gives your editor completion and checks")
    click.echo(f"next: sunshare run {file}")


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@JSON
def show(run_folder: Path, *, as_json: bool) -> None:
    """Show the key figures of RUN (or STUDY), what made it, and where its files lie."""
    if (run_folder / "study.json").is_file():
        from sunshare_sim.cli import study

        click.echo(study.show(run_folder, as_json=as_json))
        return
    from sunshare_sim.cli.summary import as_object, full_report
    from sunshare_sim.results.run import Run

    found = Run.load(run_folder)
    click.echo(as_object(found) if as_json else full_report(found))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--household", type=int, metavar="ID", help="Print this home's bill line by line.")
@click.option(
    "--proof",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a proof of each of the home's trades, which SHA-256 alone can check.",
)
@click.option("--head", metavar="HASH", help="The chain's last hash, as published elsewhere.")
@click.pass_context
def verify(
    ctx: click.Context, run_folder: Path, household: int | None, proof: Path | None, head: str | None
) -> None:
    """Recompute the ledger of RUN from its files alone: hashes, signatures, every balance, every bill.

    Exit code 0 when all of it holds, 4 with the first thing that is wrong.
    """
    from sunshare_sim.cli.audit import proof_text, verdict

    if proof is not None and household is None:
        raise click.UsageError("--proof needs --household")
    try:
        text = verdict(run_folder, head, household)
        proofs = proof_text(run_folder, household) if household is not None and proof is not None else ""
    except LedgerError as error:
        _say(_message(error))
        ctx.exit(MISMATCH)
    click.echo(text)
    if proof is not None:
        try:
            proof.write_text(proofs, encoding="utf-8", newline="\n")
        except OSError as error:
            raise ResultError(describe(f"cannot be written ({error.strerror})", where=str(proof))) from error
        click.echo(f"{proof}: written")


def _load(file: Path, overrides: list[str] | tuple[str, ...]) -> "Scenario":
    from sunshare_sim.scenario.load import load_scenario

    return load_scenario(file, overrides=overrides, names=_names())


def _check(file: Path, overrides: tuple[str, ...]) -> None:
    from sunshare_sim.studies.plan import is_study, make_plan

    if is_study(file):
        make_plan(file, overrides=overrides)
    else:
        _load(file, overrides)


def _names() -> Any:
    from sunshare_sim.simulation.run import names

    return names()


def _message(error: SunShareError) -> str:
    text = str(error)
    mistakes = text.count("\n") + 1
    # A scenario's mistakes begin with file:line:column, which terminals and editors can follow.
    if not isinstance(error, ScenarioError):
        return f"error: {text}"
    return text if mistakes == 1 else f"{text}\n{mistakes} mistakes"


def _say(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """Show our own warnings on one line each; others as Python does."""
    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.simplefilter("always", SunShareWarning)

        def show_warning(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, SunShareWarning):
                _say(f"warning: {' '.join(str(message).split())}")
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show_warning
        yield
