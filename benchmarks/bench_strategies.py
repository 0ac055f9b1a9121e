"""Time what a strategy costs a home and slot, and how many quotes a second the laboratory makes.

    python benchmarks/bench_strategies.py             # 100, 10 000 and 1 000 000 homes
    python benchmarks/bench_strategies.py --repeat 9

Each figure is the median of `--repeat` runs, CPU time of one thread, quote and learn of one round together. Beside it
the time of a numpy copy of 24 bytes a home (what a quote reads and writes), so that machines can be compared.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from sunshare_sim.agents.strategy import Strategy, Tape, View, make_strategy, strategies
from sunshare_sim.streams import stream
from sunshare_sim.validation.laboratory import Experiment, conduct
from sunshare_sim.validation.markets import SYMMETRIC

SIZES = (100, 10_000, 1_000_000)
# Quotes a second of unmodified sessions with 22 traders (snapshot of April 2025): the fastest of 24,000 to 47,000
# measured once on an AMD EPYC (Zen 5 class); not measured anew here.
BSE_QUOTES = 47_000


def view_and_tape(homes: int, strategy: Strategy) -> tuple[View, Tape]:
    rng = stream(1, "bench")
    net = rng.normal(0.0, 1.0, homes)
    price = rng.uniform(0.1, 0.3, 100)
    taken = np.where(rng.random(100) < 0.3, price, np.nan)
    tape = Tape(rng.choice([1, -1], 100), price, np.ones(100), price[~np.isnan(taken)], np.ones(30), taken)
    tape = tape._replace(quantity=np.ones(tape.price.size))
    view = View(
        slot=0,
        net_kwh=net,
        side=np.sign(net),
        soc_kwh=np.zeros(homes),
        retail_price=0.4,
        feed_in_price=0.08,
        last_price=0.2,
        cap_price=0.4,
        rng=rng,
        best_bid=np.full(homes, 0.18),
        best_ask=np.full(homes, 0.22),
        tape=tape,
        memory=strategy.start(homes, rng),
        tick=0.0001,
    )
    return view, tape


def nanoseconds(work: Callable[[], object], homes: int, repeat: int) -> float:
    work()
    calls = max(1, 20_000 // homes)
    times = []
    for _ in range(repeat):
        start = time.thread_time_ns()
        for _ in range(calls):
            work()
        times.append((time.thread_time_ns() - start) / calls / homes)
    return statistics.median(times)


def turn(strategy: Strategy, view: View, tape: Tape) -> None:
    strategy.quote(view)
    strategy.learn(view, tape)


def bench_homes(repeat: int) -> None:
    print("ns a home, slot and round".ljust(28), *(f"{homes:>12,}" for homes in SIZES))
    for name in ("copy of 24 bytes", *strategies()):
        row = []
        for homes in SIZES:
            if name == "copy of 24 bytes":
                source = np.zeros(3 * homes)
                target = np.empty_like(source)
                row.append(nanoseconds(partial(np.copyto, target, source), homes, repeat))
                continue
            strategy = make_strategy(name)
            view, tape = view_and_tape(homes, strategy)
            row.append(nanoseconds(partial(turn, strategy, view, tape), homes, repeat))
        print(name.ljust(28), *(f"{value:>12.1f}" for value in row))


def bench_laboratory(repeat: int) -> None:
    print(
        f"\nlaboratory, whole periods of market A, quotes/s; Bristol Stock Exchange {BSE_QUOTES:,} (see source)"
    )
    for compiled in (True, False):
        for name, protocol in (
            ("zi_c", "P2"),
            ("zi_c", "P3"),
            ("shaver", "P2"),
            ("zip", "P2"),
            ("zip", "P3"),
        ):
            parameters = {"from_worst": True} if name == "shaver" else {}
            experiment = Experiment(SYMMETRIC, (make_strategy(name, parameters),), protocol, sessions=512)
            if not compiled:
                experiment = replace(
                    experiment, activations=500
                )  # the end of a period, with few pits left, is slow
            rate = quotes_a_second(experiment, repeat, compiled=compiled)
            way = "compiled" if compiled else "uncompiled"
            print(f"{way:<10} {name:<7} {protocol}  {rate:>12,.0f}  {rate / BSE_QUOTES:6.1f} times")


def quotes_a_second(experiment: Experiment, repeat: int, *, compiled: bool) -> float:
    conduct(experiment, compiled=compiled)
    rates = []
    for _ in range(repeat):
        start = time.thread_time()
        outcome = conduct(experiment, compiled=compiled)
        rates.append(outcome.quotes / (time.thread_time() - start))
    return statistics.median(rates)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    bench_homes(repeat)
    bench_laboratory(repeat)
