"""`sunshare shard`: run a community a substation at a time, on several processes, and join the runs into one."""

from pathlib import Path

import click

from sunshare_sim.cli.commands import JSON, SET, main
from sunshare_sim.cli.study import Shard, _progress


@main.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--workers", type=click.IntRange(min=0), help="Worker processes; 0: none.  [default: one a core]"
)
@click.option(
    "--scheduler", default="", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler."
)
@click.option("--shard", type=Shard(), help="Do the i-th of n parts of the substations only (job arrays).")
@click.option("--module", "modules", multiple=True, help="Import this module first (your own strategies).")
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Use another seed than the scenario's."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the results.  [default: results/<name>-<seed>]"
)
@SET
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@JSON
@click.option("--no-figures", is_flag=True, help="Draw no figures.")
def shard(  # noqa: PLR0913 - one parameter an option
    *,
    scenario: Path,
    workers: int | None,
    scheduler: str,
    shard: tuple[int, int] | None,
    modules: tuple[str, ...],
    seed: int | None,
    out: Path | None,
    overrides: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    no_figures: bool,
) -> None:
    """Run SCENARIO a substation at a time and join the runs: for communities larger than one machine.

    No trade crosses substations then; where the charges would let one, what that costs is among the key figures.
    """
    from sunshare_sim.cli.summary import as_object, summary
    from sunshare_sim.scenario.load import load_scenario
    from sunshare_sim.simulation.run import names
    from sunshare_sim.studies.sharding import Means, run_sharded
    from sunshare_sim.studies.task import import_modules

    import_modules(modules)
    changes = [*overrides, *([] if seed is None else [f"seed={seed}"])]
    changes += ["results.figures=false"] if no_figures else []
    loaded = load_scenario(scenario, overrides=changes, names=names())
    means = Means(workers, scheduler, shard, modules)
    with _progress(quiet=quiet) as progress:
        finished = run_sharded(loaded, source=scenario, out=out, means=means, progress=progress)
    if finished is None:
        click.echo("done; when all parts are, run the command without --shard to join them")
        return
    click.echo(as_object(finished) if as_json else summary(finished))
    for note in finished.manifest["sharding"]["notes"]:
        click.echo(f"note: {note}", err=True)
