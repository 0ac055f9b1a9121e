"""One run of a study as a task: what it needs goes in by value, what became of it comes back; it knows no other."""

import ctypes
import gc
import time
import traceback
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sunshare_sim.errors import ResultError, SunShareWarning
from sunshare_sim.scenario.schema import Scenario


@dataclass(frozen=True)
class Task:
    """Hold one run to be made: the whole scenario with its seed, and where the run goes."""

    variant: str
    seed: int
    scenario: Scenario
    folder: Path
    modules: tuple[str, ...] = ()
    part: int | None = None  # one substation of the community, by number


@dataclass(frozen=True)
class Outcome:
    """Say what became of a task.

    Attributes
    ----------
    variant, seed
        Which task.
    error : str
        What went wrong, on one line; empty when the run is finished.
    trace : str
        The traceback.
    stops : bool
        Whether every other task would fail as well: the folder cannot be written.
    seconds, cpu_seconds : float
        Time the run took.
    """

    variant: str
    seed: int
    error: str = ""
    trace: str = ""
    stops: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def perform(task: Task) -> Outcome:
    """Make a run and return what became of it; whatever goes wrong is reported and not raised."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        _run(task)
    except Exception as error:  # noqa: BLE001 - one failing run must not stop the others, whatever the reason
        text = " ".join(f"{type(error).__name__}: {error}".split())
        stops = isinstance(error, ResultError)
        return Outcome(task.variant, task.seed, text, traceback.format_exc(), stops)
    finally:
        _give_back_memory()
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return Outcome(task.variant, task.seed, seconds=seconds, cpu_seconds=cpu_seconds)


def import_modules(modules: Iterable[str]) -> None:
    """Import the user's modules, so that their strategies are known by name."""
    for module in modules:
        import_module(module)


def _give_back_memory() -> None:
    """Free a run's arrays and return them to the system, or a worker would grow by 3 to 20 MB a run.

    A finished run is held by cycles (its clock's processes know it) that Python would look for too seldom, because they
    are few objects, if large; and glibc keeps what is freed in pieces that later runs do not fit into.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # other systems have no such call, and no need of it
        ctypes.CDLL(None).malloc_trim(0)


def _run(task: Task) -> None:
    from sunshare_sim.simulation.run import run

    import_modules(task.modules)
    with warnings.catch_warnings():
        # The run keeps its warnings in its manifest.
        warnings.simplefilter("ignore", SunShareWarning)
        run(task.scenario, out=task.folder, part=task.part)
