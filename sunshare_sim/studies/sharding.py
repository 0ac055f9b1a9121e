"""One community, a substation at a time: each is a task of its own, and the runs are joined into one.

No trade crosses substations then. Where none could, the joined run is the run of the whole; where some would, what
was lost is told.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np

from sunshare_sim.community.draws import group_sizes, place_homes
from sunshare_sim.community.part import substations
from sunshare_sim.community.place import place_feeder, wheeling_charges
from sunshare_sim.errors import ResultError, ScenarioError, describe
from sunshare_sim.feeder.charges import scale_charges
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import MANIFEST, refuse_foreign
from sunshare_sim.scenario.households import Group
from sunshare_sim.scenario.load import scenario_hash
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.run import RESULTS
from sunshare_sim.studies.cluster import run_on_cluster
from sunshare_sim.studies.joining import Whole, join, read_shard
from sunshare_sim.studies.task import Outcome, Task
from sunshare_sim.studies.workers import default_workers, run_locally
from sunshare_sim.units import IntArray

EXACT_MARKETS: Final = ("cda", "none")
ONE: Final = "only one substation"


class Progress(Protocol):
    """Be told how far the shards have come."""

    def stage(self, text: str) -> None:
        """Take note of what is being done."""

    def runs(self, done: int, total: int, failed: int) -> None:
        """Take note of how many shards are done."""


class Silence:
    """Tell nobody."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def runs(self, done: int, total: int, failed: int) -> None:
        """Say nothing."""


class Shards(NamedTuple):
    """Hold how a community is cut.

    Attributes
    ----------
    numbers : tuple of int
        Substations with homes.
    homes : IntArray
        Number of homes of each, shape [shards].
    whole : Whole
        What they are parts of.
    """

    numbers: tuple[int, ...]
    homes: IntArray
    whole: Whole


def plan_shards(scenario: Scenario) -> Shards:
    """Return how a scenario's community is cut into substations.

    Raises
    ------
    ScenarioError
        When there is one substation only, or something joins the substations that cannot be cut.
    """
    for key, what, hint in joined_by(scenario):
        raise ScenarioError(
            describe(f"substations cannot be simulated one by one: {what}", where=key, hint=hint)
        )
    placed = place_feeder(scenario, priced=False)
    sizes = group_sizes(scenario.households, placed.load_buses.size)
    groups: list[tuple[Group, int]] = list(zip(scenario.households.groups, sizes, strict=True))
    bus = place_homes(groups, placed.load_buses, placed.feeder.bus_names, scenario.seed)
    of_bus = substations(placed.feeder)
    homes = np.bincount(of_bus[bus])
    numbers = np.flatnonzero(homes)
    if numbers.size < 2:
        hint = "set `feeder.copies`, or run it as one with `sunshare run`"
        raise ScenarioError(describe(ONE, where="feeder", expected="two or more with homes", hint=hint))
    charges = wheeling_charges(scenario, placed.feeder, placed.load_buses)
    zone, first = np.unique(placed.feeder.zone_of_bus[bus], return_index=True)
    of_zone = of_bus[bus][first]
    crosses = of_zone[:, None] != of_zone
    ticks = []
    for factor in (1.0, *(period.factor for period in scenario.network.charges.periods)):
        between = scale_charges(charges, factor)[np.ix_(zone, zone)][crosses]
        ticks.append(int(between[between >= 0].min(initial=np.iinfo(np.int64).max)))
    open_ = bool((charges[np.ix_(zone, zone)][crosses] >= 0).any()) and scenario.market.mechanism != "none"
    crossing = np.array(ticks) if open_ else None
    notes = tuple(_notes(scenario, trade_crosses=open_))
    whole = Whole(scenario, placed.feeder, bus, crossing, notes)
    return Shards(tuple(numbers.tolist()), homes[numbers], whole)


def joined_by(scenario: Scenario) -> list[tuple[str, str, str]]:
    """Return what joins a scenario's substations, each with its key, in words, and what to do about it."""
    found = []
    if scenario.events:
        found.append(("events", "events are of the whole community", "remove them"))
    if scenario.settlement.certificates.enabled:
        hint = "set `settlement.certificates.enabled: false`"
        found.append(("settlement.certificates", "certificates are pooled over all homes", hint))
    if scenario.network.phases != "balanced":
        hint = "set `network.phases: balanced`"
        found.append(("network.phases", "phases are given to homes in order of the whole", hint))
    if isinstance(scenario.market.pair_capacity_kwh, tuple):
        hint = "give one number"
        found.append(("market.pair_capacity_kwh", "the matrix is of all zones", hint))
    for number, group in enumerate(scenario.households.groups):
        where = f"households.groups[{number}]"
        if group.ev and (group.ev.away or group.ev.sessions_file):
            what = "cars charge away from home" if group.ev.away else "a file numbers the cars of the whole"
            found.append((f"{where}.ev", what, "remove `away` and `sessions_file`"))
    return found


def _notes(scenario: Scenario, *, trade_crosses: bool) -> list[str]:
    """Return in what the joined run may differ from a run of the whole."""
    market, notes = scenario.market, []
    if trade_crosses:
        notes.append("trades between substations, which the charges allow, are not made")
    if market.mechanism not in EXACT_MARKETS:
        notes.append(f"{market.mechanism} clears each substation by itself, with ties and prices of its own")
    if scenario.network.power_flow != "off":
        notes.append("losses are shared within each substation")
    if any(each.battery and each.battery.dispatch == "market_aware" for each in scenario.households.groups):
        notes.append("market_aware batteries go by their own substation's price")
    if scenario.settlement.block_trades:
        notes.append("settlement.block_trades holds for the blocks of each substation")
    return notes


@dataclass(frozen=True)
class Means:
    """Say by what means substations are run.

    Attributes
    ----------
    workers : int, optional
        Number of processes, one a core if nothing is said; 0 for none but this.
    scheduler : str
        Address of a Dask scheduler, whose workers do the work.
    shard : (int, int), optional
        Do the i-th of n parts of the substations only, and join nothing.
    modules : tuple of str
        Modules to import first, such as those of one's own strategies.
    """

    workers: int | None = None
    scheduler: str = ""
    shard: tuple[int, int] | None = None
    modules: tuple[str, ...] = ()


def run_sharded(
    scenario: Scenario,
    *,
    source: Path | None = None,
    out: Path | None = None,
    means: Means | None = None,
    progress: Progress | None = None,
) -> Run | None:
    """Run each substation of a community by itself and return the joined run.

    Finished substations are not repeated: the same call goes on where it stopped.

    Parameters
    ----------
    scenario : Scenario
        What to run.
    source : Path, optional
        The scenario file, kept in the run's folder as it was given.
    out : Path, optional
        Folder of the joined run; by default ``results/<name>-<seed>``. Until it is there, the runs of the substations
        lie in ``<out>.shards``, afterwards in its folder ``shards``.
    means : Means, optional
        By what means.
    progress : Progress, optional
        Is told what is being done.

    Returns
    -------
    Run or None
        The joined run; None for a part of the substations (`means.shard`).

    Raises
    ------
    ScenarioError
        When the scenario cannot be cut.
    ResultError
        When a substation's run fails; those that were finished stay.
    """
    means, progress = means or Means(), progress or Silence()
    progress.stage("cutting the community at its substations")
    shards = plan_shards(scenario)
    out = out if out is not None else RESULTS / f"{scenario.name}-{scenario.seed}"
    refuse_foreign(out)
    folder = out.with_name(f"{out.name}.shards")
    tasks = _tasks(scenario, shards, folder, means.modules)
    for task in tasks:
        _refuse_other(task)
    _run_missing(_own(tasks, means.shard), means, progress)
    if means.shard is not None:  # two jobs that end at once must not both join
        return None
    progress.stage("joining")
    text = None if source is None else source.read_text(encoding="utf-8")
    joined = join(shards.whole, [read_shard(task.folder) for task in tasks], out, source=text)
    shutil.rmtree(folder, ignore_errors=True)
    return joined


def _tasks(scenario: Scenario, shards: Shards, folder: Path, modules: tuple[str, ...]) -> list[Task]:
    """Return a task for each substation, in their order."""
    results = scenario.results.model_copy(update={"figures": False})
    quiet = scenario.model_copy(update={"results": results})
    return [
        Task(f"substation {number}", scenario.seed, quiet, folder / str(number), modules, number)
        for number in shards.numbers
    ]


def _own(tasks: list[Task], shard: tuple[int, int] | None) -> list[Task]:
    if shard is None:
        return tasks
    number, parts = shard
    return tasks[number - 1 :: parts]


def _run_missing(tasks: list[Task], means: Means, progress: Progress) -> None:
    """Run the substations that are not finished, and raise when one fails."""
    missing = [task for task in tasks if not _is_finished(task)]
    progress.stage("running the substations")
    failed: list[Outcome] = []
    count = default_workers() if means.workers is None else means.workers
    outcomes = (
        run_on_cluster(missing, means.scheduler)
        if means.scheduler
        else run_locally(missing, min(count, len(missing)))
    )
    for done, outcome in enumerate(outcomes, len(tasks) - len(missing) + 1):
        failed += [outcome] if outcome.error else []
        progress.runs(done, len(tasks), len(failed))
    if failed:
        first = min(failed, key=lambda each: int(each.variant.rpartition(" ")[2]))
        what = f"{len(failed)} of {len(tasks)} substations failed, the first: {first.error}"
        hint = "the finished ones are kept; run the same command again"
        raise ResultError(describe(what, where=first.variant, hint=hint))


def _is_finished(task: Task) -> bool:
    return (task.folder / MANIFEST).is_file()


def _refuse_other(task: Task) -> None:
    """Raise when a task's folder holds a part of another scenario."""
    if not _is_finished(task):
        return
    manifest = Run.load(task.folder).manifest
    found = f"{manifest.get('scenario_hash')}/{manifest.get('seed')}"
    expected = f"{scenario_hash(task.scenario)}#{task.part}/{task.seed}"
    if found != expected:
        hint = "choose another --out, or remove this folder"
        what = "holds a part of another scenario"
        raise ResultError(describe(what, where=str(task.folder), got=found, expected=expected, hint=hint))
