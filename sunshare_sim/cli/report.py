"""`sunshare report`: a run or a study as one page."""

from pathlib import Path

import click

from sunshare_sim.cli.commands import main


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; else report.html in the folder."
)
@click.option("--pdf", is_flag=True, help="Write PDF/UA (extra `pdf`) in place of HTML.")
def report(folder: Path, output: Path | None, *, pdf: bool) -> None:
    """Write the report of a run or a study: one file, no network, no script needed."""
    from sunshare_sim.report.make import write_report

    file = output or folder.with_name(f"{folder.name}-report.{'pdf' if pdf else 'html'}")
    click.echo(write_report(folder, file, pdf=pdf))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="SVG, PNG or PDF file; else NAME.svg.")
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the figure, e.g. --set slot=48.",
)
def figure(folder: Path, name: str, output: Path | None, options: tuple[str, ...]) -> None:
    """Draw a figure of a run or a study, such as energy-balance, heat-map or differences."""
    from sunshare_sim.report.make import draw

    given = dict(option.partition("=")[::2] for option in options)
    click.echo(draw(folder, name, output or Path(f"{name}.svg"), given))
