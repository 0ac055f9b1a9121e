"""Time what a battery and a car cost a slot, beside a plain copy of the memory they touch.

    python benchmarks/bench_devices.py             # 100, 10 000 and 1 000 000 devices
    python benchmarks/bench_devices.py --repeat 9

Each figure is the median of `--repeat` runs, CPU time of one thread, in nanoseconds a device and slot. The copy moves
72 bytes a device, what the battery's kernel reads and writes. Part load and plans are numpy and HiGHS, not kernels:
they are paid only by scenarios that ask for them.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from sunshare_sim.devices.battery import follow, make_batteries, self_consumption
from sunshare_sim.devices.dispatch import Horizon, schedule
from sunshare_sim.devices.ev import Chargers, EvState, charge_evs
from sunshare_sim.devices.heat_pump import Houses, heat_houses
from sunshare_sim.devices.part_load import at_part_load, make_curves
from sunshare_sim.devices.v2g import CarState, cheapest_slots_wish, exchange, make_cars

SIZES = (100, 10_000, 1_000_000)
HOURS = 0.25


def nanoseconds(work: Callable[[], object], devices: int, repeat: int) -> float:
    work()
    calls = max(1, 200_000 // devices)
    times = []
    for _ in range(repeat):
        start = time.thread_time_ns()
        for _ in range(calls):
            work()
        times.append((time.thread_time_ns() - start) / calls / devices)
    return statistics.median(times)


def works(size: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(1)
    batteries = make_batteries(rng.uniform(5, 12, size), rng.uniform(2.5, 5, size))
    curves = make_curves([[(0.05, 0.7), (0.5, 0.95), (1.0, 0.94)]], np.zeros(size, dtype=np.int64))
    net, soc, taken, out = rng.normal(0, 1, size), batteries.capacity_kwh / 2, np.zeros(size), np.zeros(size)
    cars = make_cars(np.full(size, 60.0), np.full(size, 11.0))
    chargers = Chargers(cars.charge_kw, cars.charge_efficiency, rng.random(size) < 0.5)
    plugs = EvState.empty(size)
    plugs.need_kwh[:], plugs.departure_slot[:] = rng.uniform(0, 1e6, size), 2**40
    state = CarState.empty(size)
    state.soc_kwh[:], state.target_kwh[:], state.departure_slot[:] = rng.uniform(10, 50, size), 54.0, 96
    price, wish = rng.uniform(0.1, 0.4, 96), np.zeros(size)
    one = np.ones(size)
    houses = Houses(5 * one, 10 * one, 4 * one, 20 * one, 22 * one)
    weather, warm, heat = (0.0, 0.4 * one, 3 * one), 20 * one, (np.zeros(size), np.zeros(size))
    source = np.zeros(9 * size)
    return {
        "copy of 72 bytes": partial(np.copyto, np.empty_like(source), source),
        "battery, self-consumption": partial(self_consumption, net, batteries, soc, HOURS, taken, out),
        "battery, following a wish": partial(follow, net, batteries, soc, HOURS, taken, out),
        "battery, part load (numpy)": partial(at_part_load, batteries, curves, net, HOURS),
        "car, on arrival and spread": partial(charge_evs, plugs, chargers, 0, HOURS),
        "car, at will or V2G": partial(exchange, state, cars, net, 0, HOURS),
        "car, cheapest of 8 h": partial(cheapest_slots_wish, state, cars, price, 64, HOURS, wish),
        "heat pump": partial(heat_houses, houses, weather, one, warm, HOURS, heat),
    }


def plan(repeat: int) -> list[float]:
    """Return the milliseconds of a day's and a week's optimum."""
    rng = np.random.default_rng(1)
    battery = make_batteries([10.0], [5.0])
    found = []
    for slots in (96, 672):
        horizon = Horizon(
            rng.normal(0, 0.5, slots), rng.uniform(0.2, 0.4, slots), np.full(slots, 0.08), HOURS, 0.02
        )
        times = []
        for _ in range(repeat):
            start = time.thread_time_ns()
            schedule(horizon, battery, 0, 5.0)
            times.append((time.thread_time_ns() - start) / 1e6)
        found.append(statistics.median(times))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    by_size = [works(size) for size in SIZES]
    print("ns a device and slot".ljust(28), *(f"{size:>12,}" for size in SIZES))
    for name in by_size[0]:
        row = [nanoseconds(work[name], size, repeat) for size, work in zip(SIZES, by_size, strict=True)]
        print(name.ljust(28), *(f"{value:12.1f}" for value in row))
    day, week = plan(repeat)
    print(f"optimum by HiGHS, a battery: a day {day:.0f} ms, a week {week:.0f} ms")


if __name__ == "__main__":
    main()
