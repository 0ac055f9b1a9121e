"""Write the page of validation figures: `python -m sunshare_sim.validation`."""

import sys
from pathlib import Path

import click

from sunshare_sim.validation.convergence import draw, section, study
from sunshare_sim.validation.report import everything, page


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("docs/validation.md"),
    help="The page; its figure goes to figures/rounds.svg beside it.",
)
@click.option("--scale", type=float, default=1.0, help="Share of the full number of sessions.")
@click.option("--seed", type=int, default=1, help="Seed of all experiments.")
@click.option(
    "--only", type=click.Choice(["all", "rounds"]), default="all", help="rounds: draw the figure alone."
)
def main(out: Path, scale: float, seed: int, only: str) -> None:
    """Run the classical experiments and write their figures beside the published ones.

    The exit code is 1 when a figure is missed.
    """

    def notice(title: str) -> None:
        click.echo(title, err=True)

    findings = everything(scale, seed, notice) if only == "all" else []
    rows = study(notice=notice)
    draw(rows, out.parent / "figures" / "rounds.svg")
    if only == "all":
        out.write_text(page(findings) + "\n" + section(rows), encoding="utf-8")
    sys.exit(0 if all(finding.holds for finding in findings) else 1)


if __name__ == "__main__":
    main()
