"""Time what a study costs beyond its runs: overhead a run, gain of a second worker, memory of a worker over 500 runs.

    python benchmarks/bench_study.py              # all three
    python benchmarks/bench_study.py --runs 100   # fewer runs for overhead and memory

Overhead: wall and CPU seconds of this process and its workers for a study of many tiny runs, less those of one of a
few, less what the runs took by themselves. Gain: the same study of runs of about a second on one and on two workers; on
a machine with other work the CPU seconds say what it would be on an idle one. Memory: resident set of the one worker
after 20 runs and at the end.
"""

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

from sunshare_sim.studies.execute import run_study
from sunshare_sim.studies.workers import default_workers

HOME = {"source": "values", "kwh": [0.5, 0.9, 0.2, 1.0]}
TINY = {
    "time": {"slots": 4, "slot_minutes": 60},
    "feeder": {
        "source": "inline",
        "lines": [{"from_bus": "substation", "to_bus": "north", "r_ohm": 0.05, "x_ohm": 0.02}],
    },
    "households": {
        "groups": [
            {
                "name": "sun",
                "count": 3,
                "demand": HOME,
                "solar": {"source": "values", "kwp": 5.0, "kwh": [0.0, 2.0, 3.0, 0.0]},
                "strategy": {"name": "zi_c"},
            },
            {"name": "shade", "count": 5, "demand": HOME, "strategy": {"name": "zi_c"}},
        ]
    },
}
SECOND = {
    "time": {"days": 60},
    "feeder": {"source": "simbench", "copies": 2},
    "households": {
        "groups": [
            {
                "name": "homes",
                "count": 200,
                "solar": {"share": 0.4},
                "battery": {"share": 0.25},
                "strategy": {"name": "zi_c"},
            }
        ]
    },
}


def study_of(base: dict[str, object], replications: int) -> dict[str, object]:
    """Return a study of two variants."""
    variants = {"dear": {"set": {"tariff.vat": 0.1}}}
    return {"base": base, "variants": variants, "replications": replications, "kpis": ["total_bill"]}


def timed(study: dict[str, object], workers: int) -> tuple[float, float, dict[str, float]]:
    """Return wall and CPU seconds of a study (this process and its workers), and its own account of its runs."""
    import json

    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), cpu_seconds()
        run_study(study, out=Path(folder) / "study", workers=workers)
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        own = json.loads((Path(folder) / "study" / "environment.json").read_text())
    return wall, cpu, own


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its workers that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def overhead(runs: int) -> None:
    """Print what a run costs in a study beyond the run itself."""
    few, many = 10, max(runs // 2, 20)
    wall_few, cpu_few, own_few = timed(study_of(TINY, few), 1)
    wall_many, cpu_many, own_many = timed(study_of(TINY, many), 1)
    more = 2 * (many - few)
    wall = (wall_many - wall_few) - (own_many["seconds_in_runs"] - own_few["seconds_in_runs"])
    cpu = (cpu_many - cpu_few) - (own_many["cpu_seconds_in_runs"] - own_few["cpu_seconds_in_runs"])
    print(
        f"overhead a run beyond the run itself: {1000 * wall / more:.1f} ms wall, {1000 * cpu / more:.1f} ms CPU"
    )
    print(f"  a tiny run itself: {1000 * own_many['cpu_seconds_in_runs'] / (2 * many):.1f} ms CPU")
    idle = wall_few - own_few["seconds_in_runs"]
    print(f"  once a study (imports, plan, start of a worker, tables): {idle:.1f} s wall")


def gain(repeat: int) -> None:
    """Print what a second worker gains."""
    timed(study_of(SECOND, 1), 1)  # fills the cache of inputs
    ratios, cpu_ratios = [], []
    for _ in range(repeat):
        one, cpu_one, own_one = timed(study_of(SECOND, 8), 1)
        two, cpu_two, own_two = timed(study_of(SECOND, 8), 2)
        ratios.append(one / two)
        # Two workers at once take more CPU a run (caches, memory); what is done once is not shared out.
        cpu_ratios.append(cpu_one / (cpu_two - own_two["cpu_seconds_in_runs"] / 2))
        own = own_one["cpu_seconds_in_runs"] / 16
        print(f"  16 runs of {own:.2f} s CPU: one worker {one:.1f} s ({cpu_one:.1f} CPU),", end=" ")
        print(f"two {two:.1f} s ({cpu_two:.1f} CPU)")
    print(f"gain of a second worker: {statistics.median(ratios):.2f} times (wall, machine as it is)")
    print(f"  by CPU seconds, on two idle cores: {statistics.median(cpu_ratios):.2f} times")


def memory(runs: int) -> None:
    """Print how the resident set of a worker grows."""
    sizes: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        out, over = Path(folder) / "study", Event()
        watch = Thread(target=watch_worker, args=(out, sizes, over))
        watch.start()
        run_study(study_of(TINY, runs // 2), out=out, workers=1)
        over.set()
        watch.join()
    early = next(size for done, size in sizes if done >= 20)
    done, late = sizes[-1]
    print(
        f"memory of a worker: {early / 1024:.0f} MB after 20 runs, {late / 1024:.0f} MB after {done}:",
        end=" ",
    )
    print(f"{100 * (late / early - 1):+.1f} %")


def watch_worker(out: Path, sizes: list[tuple[int, int]], over: Event) -> None:
    """Note runs done and the worker's resident set [kB], again and again."""
    while not over.wait(0.05):
        done = sum(1 for _ in out.glob("runs/*/*/manifest.json"))
        try:
            size = max(resident_kb(pid) for pid in children())
        except (OSError, ValueError):
            continue
        if size and done:
            sizes.append((done, size))


def children() -> list[int]:
    """Return the child processes of this one (Linux)."""
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]


def resident_kb(pid: int) -> int:
    """Return the resident set of a process [kB] (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{default_workers()} cores")
    overhead(min(arguments.runs, 200))
    memory(arguments.runs)
    gain(arguments.repeat)


if __name__ == "__main__":
    main()
