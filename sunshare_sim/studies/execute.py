"""Run a study: finish what is missing, on this machine or a cluster, and write its tables in the plan's order."""

import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.scenario.overrides import parse_path
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.provenance import describe_environment
from sunshare_sim.studies.cluster import run_on_cluster
from sunshare_sim.studies.folder import FORMAT_VERSION, GO_ON, RECORD, StudyFolder, is_finished, run_folder
from sunshare_sim.studies.plan import Overrides, Plan, make_plan
from sunshare_sim.studies.schema import LEAST_BATCH
from sunshare_sim.studies.statistics import reaches
from sunshare_sim.studies.study import Study
from sunshare_sim.studies.tables import (
    KpiRows,
    differences_table,
    kpis_table,
    read_kpis,
    runs_table,
    values_of,
)
from sunshare_sim.studies.task import Outcome, Task
from sunshare_sim.studies.workers import default_workers, run_locally

RESULTS: Final = Path("results")


class Progress(Protocol):
    """Be told how far a study has come."""

    def stage(self, text: str) -> None:
        """Take note of what is being done."""

    def runs(self, done: int, total: int, failed: int) -> None:
        """Take note of how many runs are done, and how many of them failed."""


class Silence:
    """Tell nobody."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def runs(self, done: int, total: int, failed: int) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Means:
    """Say by what means a study is run; none of it changes what comes out.

    Attributes
    ----------
    workers : int, optional
        Number of worker processes; by default what the file says, else one a core. 0: in this process.
    scheduler : str
        Address of a Dask scheduler, whose workers do the work.
    shard : tuple of int, optional
        ``(i, n)``: do the i-th of n parts of the runs only, i counted from 1.
    join : bool
        Run nothing: make the tables of what there is.
    resume : bool
        Whether a folder in which this study was begun may be used.
    progress : Progress
        Is told how far it has come.
    """

    workers: int | None = None
    scheduler: str = ""
    shard: tuple[int, int] | None = None
    join: bool = False
    resume: bool = True
    progress: Progress = field(default_factory=Silence)


def run_study(
    source: str | Path | Mapping[str, Any],
    *,
    out: str | Path | None = None,
    overrides: Overrides = (),
    quick: bool = False,
    **means: Any,
) -> Study:
    """Run a study, or finish one that was begun, and return it.

    Parameters
    ----------
    source : str, Path or mapping
        The study file, or what it would say.
    out : str or Path, optional
        Folder of the study; by default ``results/<name>``, and ``results/<name>-quick`` for the quick form.
    overrides : sequence of str or mapping, optional
        Changes of the base, and so of every variant, such as ``{"time.days": 7}``.
    quick : bool
        Whether to run the small form that the file gives under `quick`.
    **means
        `workers`, `scheduler`, `shard`, `join`, `resume`, `progress`: see `Means`.

    Returns
    -------
    Study
        The study; runs that failed are listed in ``study.runs`` with their error.

    Raises
    ------
    ScenarioError
        When anything is wrong with file, base or a variant; before any run.
    ResultError
        When the folder cannot be used, or the disk gives out; finished runs stay.
    """
    how = Means(**means)
    how.progress.stage("reading the study")
    plan = make_plan(source, overrides=overrides, quick=quick)
    return execute(plan, Path(out) if out is not None else default_folder(plan), how)


def default_folder(plan: Plan) -> Path:
    """Return where a study goes when nothing is said."""
    return RESULTS / (f"{plan.file.name}-quick" if plan.quick else plan.file.name)


def execute(plan: Plan, folder: Path, how: Means) -> Study:
    """Run what is missing of a plan in `folder` and return the study."""
    _check_means(plan, folder, how)
    started = time.perf_counter()
    with StudyFolder(folder, plan.hash, shared=how.shard is not None) as place:
        work = _Work(plan, place, how)
        try:
            seeds = work.run()
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(f"{folder}; {GO_ON}") from interrupt
        finally:
            if how.shard is None:
                place.sweep()
        tables = work.tables(seeds)
        record = _record(plan, seeds, (*repeated(tables["kpis"]), *lacking(plan, tables["kpis"])))
        record["state"] = "complete" if (tables["runs"]["state"] == "finished").all() else "incomplete"
        if how.shard is None:
            how.progress.stage("writing the study's tables")
            _write(place, plan, record, tables)
            place.write_json("environment.json", _environment(work, how, time.perf_counter() - started))
    return Study(folder, record, tables)


def _check_means(plan: Plan, folder: Path, how: Means) -> None:
    if how.workers is not None and how.workers < 0:
        raise ResultError(
            describe("not a number of workers", where="workers", got=how.workers, expected="0 or more")
        )
    if how.shard is not None:
        number, parts = how.shard
        if not 1 <= number <= parts:
            raise ResultError(
                describe("no such shard", where="shard", got=f"{number}/{parts}", expected="1/n to n/n")
            )
        if plan.file.until is not None:
            hint = "give `replications` alone, run the shards, then the study with `until` again"
            what = "a shard sees its own runs only, and so cannot decide when it is enough"
            raise ResultError(describe(what, where="until", hint=hint))
    if not how.resume and folder.exists() and any(folder.iterdir()):
        hint = "leave --no-resume out to go on with it, or choose another folder with --out"
        raise ResultError(describe("the folder is there already", where=str(folder), hint=hint))


class _Work:
    """Keep what is finished while a study runs."""

    def __init__(self, plan: Plan, place: StudyFolder, how: Means) -> None:
        self.plan, self.place, self.how = plan, place, how
        self.finished: dict[tuple[str, int], KpiRows] = {}
        self.failed: set[tuple[str, int]] = set()
        self.made: list[Outcome] = []

    def run(self) -> tuple[int, ...]:
        """Run batch after batch, until it is enough; return the seeds."""
        seeds = self.plan.seeds
        while True:
            self._batch(seeds)
            if self._is_enough(seeds):
                return seeds
            assert self.plan.file.until is not None  # noqa: S101 - else one batch is enough
            number = min(len(seeds) + self.plan.file.replications, self.plan.file.until.max_replications)
            seeds = self.plan.more_seeds(number)

    def tables(self, seeds: Sequence[int]) -> dict[str, Any]:
        """Return the study's tables."""
        pairs = [(variant.name, seed) for variant in self.plan.variants for seed in seeds]
        kpis = kpis_table(pairs, self.finished)
        return {
            "runs": runs_table(self.place.path, pairs, self.finished),
            "kpis": kpis,
            "differences": differences_table(kpis, self.plan.file.kpis, self.plan.file.confidence),
        }

    def _batch(self, seeds: Sequence[int]) -> None:
        tasks = list(self._tasks(seeds))
        missing = []
        for task in tasks:
            if (task.variant, task.seed) in self.finished:
                continue
            if is_finished(task):
                self._keep(task.variant, task.seed)
            else:
                missing.append(task)
        if self.how.shard is not None:
            number, parts = self.how.shard
            mine = {(task.variant, task.seed) for task in tasks[number - 1 :: parts]}
            missing = [task for task in missing if (task.variant, task.seed) in mine]
        if missing and not self.how.join:
            self._perform(missing, len(tasks))

    def _tasks(self, seeds: Iterable[int]) -> Iterator[Task]:
        """Yield all tasks, seed by seed: an interrupted study has whole pairs."""
        for seed in seeds:
            for variant in self.plan.variants:
                scenario = variant.scenario.model_copy(update={"seed": seed})
                folder = run_folder(self.place.path.absolute(), variant.name, seed)
                yield Task(variant.name, seed, scenario, folder, self.plan.file.modules)

    def _perform(self, tasks: list[Task], total: int) -> None:
        workers = self.how.workers if self.how.workers is not None else self.plan.file.workers
        number = min(default_workers() if workers is None else workers, len(tasks))
        done = total - len(tasks)
        text = f"on {self.how.scheduler}" if self.how.scheduler else f"on {number} workers"
        self.how.progress.stage(f"running {len(tasks)} of {total} runs {text}")
        outcomes = (
            run_on_cluster(tasks, self.how.scheduler) if self.how.scheduler else run_locally(tasks, number)
        )
        with closing(outcomes):
            for outcome in outcomes:
                self._take(outcome)
                done += 1
                self.how.progress.runs(done, total, len(self.failed))

    def _take(self, outcome: Outcome) -> None:
        self.made.append(outcome)
        if outcome.stops:
            raise ResultError(f"{outcome.error.removeprefix('ResultError: ')}; {GO_ON}")
        self.place.note(outcome)
        if outcome.error:
            self.failed.add((outcome.variant, outcome.seed))
        else:
            self._keep(outcome.variant, outcome.seed)

    def _keep(self, variant: str, seed: int) -> None:
        self.finished[variant, seed] = read_kpis(run_folder(self.place.path, variant, seed))

    def _is_enough(self, seeds: Sequence[int]) -> bool:
        until, file = self.plan.file.until, self.plan.file
        if until is None or self.how.join or len(seeds) >= until.max_replications:
            return True
        base, *others = (
            values_of(until.kpi, variant.name, seeds, self.finished) for variant in self.plan.variants
        )
        series = [other - base for other in others] or [base]
        if all(np.isnan(each).all() for each in series):
            hint = "some key figures need more to be kept: see `results` in the scenario"
            what = "no run has this key figure"
            raise ResultError(describe(what, where="until.kpi", got=until.kpi, hint=hint))
        return all(reaches(each, file.confidence, until.half_width, least=LEAST_BATCH) for each in series)


def repeated(kpis: Any) -> tuple[str, ...]:
    """Return a note if the seeds change nothing: then their number is no measure of how sure a figure is."""
    values = kpis.groupby(["variant", "kpi"])["value"]
    if not len(kpis) or values.size().max() < 2 or values.nunique().max() > 1:
        return ()
    return (
        "the seed changes nothing in these runs, so replications repeat each other and intervals have no width",
    )


def lacking(plan: Plan, kpis: Any) -> tuple[str, ...]:
    """Return a note for key figures that were asked for and that no run has."""
    names = [name for name in plan.file.kpis if name not in set(kpis["kpi"])]
    return (
        (f"no run has: {', '.join(names)} (see `results` in the scenario for what is kept)",) if names else ()
    )


def _record(plan: Plan, seeds: Sequence[int], notes: tuple[str, ...]) -> dict[str, Any]:
    base = plan.variants[0].scenario
    keys = {key for variant in plan.variants for key in variant.changes}
    return {
        "format_version": FORMAT_VERSION,
        "state": "begun",
        "name": plan.file.name,
        "question": plan.file.question,
        "study_hash": plan.hash,
        "quick": plan.quick,
        "seeds": list(seeds),
        "variants": [
            {"name": variant.name, "description": variant.description, "changes": dict(variant.changes)}
            for variant in plan.variants
        ],
        "base_values": {key: _value_at(base, key) for key in sorted(keys)},
        "currency": base.tariff.currency,
        "notes": [*plan.notes, *notes],
        "file": plan.file.model_dump(mode="json", exclude_unset=True),
    }


def _value_at(scenario: Scenario, key: str) -> Any:
    """Return the base's value of a key; None where it has none."""
    value: Any = scenario.model_dump(mode="json")
    for part in parse_path(key):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _write(place: StudyFolder, plan: Plan, record: Mapping[str, Any], tables: Mapping[str, Any]) -> None:
    place.write_text("study.yaml", plan.source)
    for name, table in tables.items():
        with place.beside(f"{name}.parquet") as file:
            table.to_parquet(file, index=False)
        with place.beside(f"{name}.csv") as file:
            table.to_csv(file, index=False, lineterminator="\n")
    place.write_json(RECORD, record)


def _environment(work: _Work, how: Means, seconds: float) -> dict[str, Any]:
    """Return where and how long it ran this time; it must not matter for the numbers."""
    made = work.made
    return {
        **describe_environment(),
        "machine": platform.node(),
        "workers": how.workers,
        "scheduler": how.scheduler,
        "runs_made": len(made),
        "seconds": round(seconds, 3),
        "seconds_in_runs": round(sum(each.seconds for each in made), 3),
        "cpu_seconds_in_runs": round(sum(each.cpu_seconds for each in made), 3),
        "median_run_seconds": round(float(np.median([each.seconds for each in made])), 3) if made else None,
    }
