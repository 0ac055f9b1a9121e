"""Time the whole pipeline of a run: dispatch, quotes, matching, settlement, recording.

    python benchmarks/bench_run.py            # 1 000 homes for a year, 10 000 and 100 000 homes for some days
    python benchmarks/bench_run.py --full     # 10 000 homes for a year as well (minutes)

Each figure stands beside a numpy copy of the same number of bytes as the run's own arrays, timed in the same run, so
that machines can be compared. CPU seconds of one thread; medians of `--repeat` runs. Trades are streamed to Parquet;
the hashing of receipts is shown apart. Real inputs: SimBench household series, a German test reference year, pvlib.
"""

import argparse
import resource
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from sunshare_sim.community.build import build_community
from sunshare_sim.community.households import Community
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.session import Simulation

BYTES_A_HOME_SLOT = 8 * 24  # what the slot's phases read and write for one home


def scenario_of(homes: int, days: int, rounds: int = 1) -> Scenario:
    """Return `homes` homes on copies of SimBench's rural feeder: 40 % solar, 25 % batteries, 20 % cars.

    One quote a home and slot, as in the table of the README; left to itself a market of these traders has four.
    """
    group = {
        "name": "homes",
        "count": homes,
        "solar": {"share": 0.4},
        "battery": {"share": 0.25},
        "ev": {"share": 0.2},
        "strategy": {"name": "zi_c"},
    }
    return Scenario.model_validate(
        {
            "name": f"bench-{homes}",
            "time": {"days": days},
            "feeder": {"source": "simbench", "copies": max(1, round(homes / 118))},
            "households": {"groups": [group]},
            "market": {"rounds": rounds},
            "results": {"figures": False},
        }
    )


def with_pools(community: Community, pools: int) -> Community:
    """Return the community spread over `pools` pools with a charge between them."""
    homes = community.households
    charges = (
        np.where(np.eye(pools, dtype=bool), 50, 200).astype(np.int64)
        if pools > 1
        else np.zeros((1, 1), np.int64)
    )
    zone = np.arange(len(homes)) % pools
    return replace(community, households=replace(homes, zone=zone), charges=charges)


def cpu_seconds(
    homes: int, days: int, pools: int, rounds: int = 1
) -> tuple[float, float, int, dict[str, float]]:
    """Return CPU seconds of a run's slots and of its hashing, its trades, and the CPU seconds by phase."""
    scenario = scenario_of(homes, days, rounds)
    community = with_pools(build_community(scenario), pools)
    with tempfile.TemporaryDirectory() as folder:
        simulation = Simulation(scenario, community=community, out=Path(folder) / "run")
        simulation.profile()
        hashing = timed(simulation.state.queue.chain, "append")
        trades = 0
        start = time.process_time()
        while not simulation.clock.finished:
            simulation.step()
            trades += simulation.state.settled.trades
        seconds = time.process_time() - start
        simulation.discard()
    return seconds, hashing[0], trades, simulation.seconds


def timed(owner: object, name: str) -> list[float]:
    """Count the CPU seconds spent in a method of one object, in the list that is returned."""
    spent, method = [0.0], getattr(owner, name)

    def counted(*args: object, **kwargs: object) -> object:
        start = time.thread_time()
        try:
            return method(*args, **kwargs)
        finally:
            spent[0] += time.thread_time() - start

    setattr(owner, name, counted)
    return spent


def copy_rate() -> float:
    """Return how many bytes a second numpy copies, for arrays beyond the caches."""
    source = np.ones(8_000_000)
    target = np.empty_like(source)
    times = []
    for _ in range(7):
        start = time.process_time()
        np.copyto(target, source)
        times.append(time.process_time() - start)
    return source.nbytes / statistics.median(times)


def main() -> None:
    """Print one row a case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="10 000 homes for a year")
    parser.add_argument("--rounds", type=int, default=1, help="rounds of a slot")
    parser.add_argument("--phases", action="store_true", help="print the time in each phase")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    cases = [
        (1_000, 365, 1),
        (1_000, 365, 16),
        (10_000, 365 if arguments.full else 28, 1),
        (10_000, 28, 16),
        (100_000, 3, 1),
        (100_000, 3, 16),
    ]
    cpu_seconds(1_000, 1, 16)  # compile
    base: dict[int, float] = {}
    print(
        f"{'homes':>8} {'days':>5} {'pools':>5} {'home-slots':>12} {'trades':>11} {'CPU s':>8} {'M home-slots/s':>15}"
        f" {'no hashing':>11}"
        f" {'ns/home-slot':>13} {'to 1 000':>9} {'hashing':>8} {'copies':>7} {'peak MB':>8}"
    )
    for homes, days, pools in cases:
        runs = sorted(
            (cpu_seconds(homes, days, pools, arguments.rounds) for _ in range(arguments.repeat)),
            key=lambda run: run[0],
        )
        seconds, hashing, trades, phases = runs[len(runs) // 2]
        slots = homes * days * 96
        cost = seconds / slots * 1e9
        base.setdefault(pools, cost)
        copies = seconds / (slots * BYTES_A_HOME_SLOT / copy_rate())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{homes:>8} {days:>5} {pools:>5} {slots:>12} {trades:>11} {seconds:>8.2f} {slots / seconds / 1e6:>15.2f}"
            f" {slots / (seconds - hashing) / 1e6:>11.2f}"
            f" {cost:>13.0f} {cost / base[pools]:>9.2f} {hashing / seconds:>8.1%} {copies:>7.1f} {peak:>8.0f}"
        )
        if arguments.phases:
            parts = (f"{name} {share / slots * 1e9:.0f}" for name, share in phases.items())
            print("          " + "  ".join(parts), "ns/home-slot")


if __name__ == "__main__":
    main()
