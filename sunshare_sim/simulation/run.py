"""From a scenario to a finished run: what `sunshare run` and `sunshare_sim.run` call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from sunshare_sim.errors import ScenarioError, describe
from sunshare_sim.results.run import Run
from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.load import load_scenario
from sunshare_sim.scenario.schema import Scenario

RESULTS: Final = Path("results")


class Progress(Protocol):
    """Be told how far a run has come."""

    def stage(self, text: str) -> None:
        """Take note of what is being done."""

    def slots(self, done: int, total: int) -> None:
        """Take note of how many slots are done."""


class Silence:
    """Tell nobody."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def slots(self, done: int, total: int) -> None:
        """Say nothing."""


def names() -> Names:
    """Return the names of mechanisms and strategies that a scenario may use."""
    from sunshare_sim.agents.strategy import strategies
    from sunshare_sim.market.mechanism import mechanism_names

    return Names(mechanisms=tuple(mechanism_names()), strategies=tuple(strategies()))


def run(
    scenario: Scenario,
    *,
    source: Path | None = None,
    out: Path | None = None,
    progress: Progress | None = None,
    profile: bool = False,
    part: int | None = None,
) -> Run:
    """Run a scenario and write its folder.

    Parameters
    ----------
    scenario : Scenario
        What to run.
    source : Path, optional
        The scenario file, kept in the run's folder as it was given.
    out : Path, optional
        Folder of the run; by default ``results/<name>-<seed>``. A run that is there is replaced when this one is
        complete.
    progress : Progress, optional
        Is told what is being done, and the slots as they pass.
    profile : bool
        Whether to measure the time in each phase of the slots (`run.manifest`, under ``environment``).
    part : int, optional
        Run one substation of the community by itself, by number.

    Raises
    ------
    SunShareError
        When the scenario, an input or the folder cannot be used; nothing is left behind.
    KeyboardInterrupt
        When interrupted; what there is then lies in ``<out>.partial``, readable.
    """
    from sunshare_sim.results.figures import save_figures
    from sunshare_sim.simulation.session import Simulation

    progress = progress or Silence()
    out = out if out is not None else RESULTS / f"{scenario.name}-{scenario.seed}"
    with Simulation(scenario, out=out, notice=progress.stage, part=part) as simulation:
        if source is not None:
            simulation.recorder.writer.text("scenario.yaml", source.read_text(encoding="utf-8"))
        if profile:
            simulation.profile()
        total = simulation.community.grid.slots
        every = max(1, min(total // 200, simulation.community.grid.slots_per_day))
        progress.stage("first slot (compiles kernels once)")
        try:
            while not simulation.clock.finished:
                simulation.step()
                if simulation.clock.slot % every == 0 or simulation.clock.finished:
                    progress.slots(simulation.clock.slot, total)
        except KeyboardInterrupt as interrupt:
            place = simulation.abandon("interrupted")
            raise KeyboardInterrupt(str(place)) from interrupt
        progress.stage("writing tables and figures")
        finished = simulation.finish()
    if scenario.results.figures:
        save_figures(finished, finished.folder / "figures")
    return finished


def run_scenario(
    scenario: Scenario | str | Path,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | Sequence[str] | None = None,
) -> Run:
    """Run a scenario, given as such or as a file, and return the run.

    Parameters
    ----------
    scenario : Scenario, str or Path
        The scenario, or the path of its file.
    seed : int, optional
        Another seed than the scenario's.
    out : str or Path, optional
        Folder of the run; by default ``results/<name>-<seed>``.
    overrides : mapping or sequence of str, optional
        Changes by dotted path, such as ``{"market.mechanism": "none"}``; for a file only.

    Returns
    -------
    Run
        The finished run; its tables are pandas DataFrames.
    """
    source = None
    if not isinstance(scenario, Scenario):
        source = Path(scenario)
        scenario = load_scenario(source, overrides=overrides or (), names=names())
    elif overrides:
        raise ScenarioError(
            describe(
                "overrides change a scenario file, not a Scenario",
                where="run",
                got=type(overrides).__name__,
                hint="pass the path of the file, or scenario.model_copy(update=...)",
            )
        )
    if seed is not None:
        scenario = Scenario.model_validate({**scenario.model_dump(), "seed": seed})
    return run(scenario, source=source, out=Path(out) if out is not None else None)
