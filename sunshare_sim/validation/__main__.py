"""Write the page of validation figures: `python -m sunshare_sim.validation`."""

import sys
from pathlib import Path

import click

from sunshare_sim.validation.neighbourhood import section
from sunshare_sim.validation.report import everything, page


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/validation.md"))
@click.option("--scale", type=float, default=1.0, help="Share of the full number of sessions.")
@click.option("--seed", type=int, default=1, help="Seed of all experiments.")
def main(out: Path, scale: float, seed: int) -> None:
    """Run the classical experiments and write their figures beside the published ones."""

    def notice(title: str) -> None:
        click.echo(title, err=True)

    findings = everything(scale, seed, notice)
    out.write_text(page(findings) + "\n" + section(notice=notice), encoding="utf-8")
    sys.exit(0 if all(finding.holds for finding in findings) else 1)


if __name__ == "__main__":
    main()
