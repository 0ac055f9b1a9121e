"""Time the order book, beside plain Python and the packages that are installed, all in one run.

    python benchmarks/bench_matching.py [--messages 1000000] [--repeat 5]

Seconds are CPU seconds of one thread, the median of `--repeat` runs; ratios are taken within the run, so that machines
can be compared. Other engines get a tenth of the stream. Streams are seeded; the checksums of their tapes are printed.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from _bare import bare_ladder
from _peers import ENGINES, Message
from _streams import DEEP, LEVELS, STEADY, checksum, general_charges, record, tree_charges

from sunshare_sim.market import ASK, BID, Events, OrderBook
from sunshare_sim.market.orders import CANCEL, GTC, NEVER, SUBMIT
from sunshare_sim.streams import stream
from sunshare_sim.units import IntArray


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Return the median CPU seconds of the work; the first time, which may compile, is not counted."""
    work()
    times = []
    for _ in range(repeat):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return statistics.median(times)


def show(name: str, per_message: float, note: str = "") -> None:
    print(f"{name:<44}{1e9 * per_message:>10.1f} ns{1e-6 / per_message:>10.2f} M/s  {note}")


def batch(name: str, events: Events, charges: IntArray, repeat: int) -> float:
    """Time a recorded stream in one call."""
    book = OrderBook(charges, price_levels=LEVELS)

    def work() -> None:
        book.clear()
        book.process(events)

    per_message = seconds(work, repeat) / len(events.kind)
    book.clear()
    fills = book.process(events)
    show(name, per_message, f"{fills.count} fills, {len(book)} at rest, tape {checksum(*fills)}")
    return per_message


def ruler(events: Events, repeat: int, ours: float) -> None:
    """Time the bare ladder on the whole stream: what this machine can do at most."""
    book = OrderBook(price_levels=LEVELS)
    book.process(events)
    wanted, resting = sum(order.quantity for order in book.orders()), bare_ladder(events, LEVELS)
    note = "" if resting == wanted else f"OTHER RESULT: {resting}, not {wanted}; "
    bare = seconds(lambda: bare_ladder(events, LEVELS), repeat) / len(events.kind)
    show("S, 1 pool, bare compiled ladder", bare, f"{note}our book runs at {bare / ours:.2f} of its speed")


def one_by_one(events: Events, repeat: int) -> None:
    """Time `submit` and `cancel`, one call from Python a message."""
    columns = events.kind, events.order_id, events.owner, events.side, events.price, events.quantity
    messages = list(zip(*(column[: len(column) // 5].tolist() for column in columns), strict=True))
    book = OrderBook(price_levels=LEVELS)

    def work() -> None:
        book.clear()
        submit, cancel = book.submit, book.cancel
        for kind, order_id, owner, side, price, quantity in messages:
            if kind == SUBMIT:
                submit(owner, side, 0, price, quantity)
            else:
                cancel(order_id)

    show("submit and cancel one by one", seconds(work, repeat) / len(messages))


def slots(repeat: int) -> None:
    """Time what the simulation does once a slot: forget all, then one batch."""
    for count in (100, 1_000, 10_000, 100_000):
        for pools in (1, 16, 64):
            rng = stream(3, "slot", count, pools)
            side = rng.choice([BID, ASK], count)
            price = np.clip(np.rint(MIDDLE_OF_SLOT + rng.normal(0, 250, count)), 1, 4095).astype(np.int64)
            orders = (
                np.arange(count),
                side,
                rng.integers(0, pools, count),
                price,
                rng.integers(1, 10**6, count),
            )
            book = OrderBook(general_charges(pools))

            def work(book: OrderBook = book, orders: tuple[IntArray, ...] = orders) -> None:
                book.clear()
                book.submit_many(*orders)

            show(f"a slot of {count} orders, {pools} pools", seconds(work, 5 * repeat) / count, "an order")


def growth(repeat: int, messages: int = 200_000) -> None:
    """Time one mix, a third each of passive orders, taking orders and cancels, on books of different depth."""
    cost = {}
    for resting in (10_000, 100_000, 1_000_000):
        rng = stream(4, "growth")
        side = np.repeat([BID, ASK], resting // 2)
        away = np.abs(rng.normal(0, 150, resting)).astype(np.int64) + 1
        ones = np.ones(resting, dtype=np.int64)
        first = Events(
            ones * SUBMIT,
            ones,
            np.arange(resting),
            side,
            ones * 0,
            MIDDLE - side * away,
            ones * 5,
            ones * GTC,
            ones * NEVER,
        )
        kinds = rng.choice([SUBMIT, SUBMIT, CANCEL], messages)
        new_side = rng.choice([BID, ASK], messages)
        takes = rng.random(messages) < 0.5
        behind = np.abs(rng.normal(0, 150, messages)).astype(np.int64) + 1
        price = MIDDLE - new_side * np.where(takes, -60, behind)
        some = np.ones(messages, dtype=np.int64)
        then = Events(
            kinds,
            rng.permutation(max(resting, messages))[:messages] % resting,
            some * -1,
            new_side,
            some * 0,
            price,
            some * 5,
            some * GTC,
            some * NEVER,
        )
        book = OrderBook(price_levels=LEVELS)
        times = []
        for _ in range(repeat + 1):
            book.clear()
            book.process(first)
            start = time.thread_time()
            book.process(then)
            times.append(time.thread_time() - start)
        cost[resting] = statistics.median(times[1:]) / messages
        show(f"a message on {resting} resting orders", cost[resting])
    print(f"growth from 1e4 to 1e6 resting orders: {cost[1_000_000] / cost[10_000]:.2f} times")


def peers(events: Events, repeat: int, ours: float) -> None:
    """Time the other engines on a tenth of the stream; what rests at the end must be ours."""
    part = Events(*(column[: len(column) // 10] for column in events))
    book = OrderBook(price_levels=LEVELS)
    book.process(part)
    wanted = sum(order.quantity for order in book.orders())
    columns = part.kind, part.order_id, part.owner, part.side, part.price, part.quantity
    messages: list[Message] = list(zip(*(column.tolist() for column in columns), strict=True))
    for name, (engine, module) in ENGINES.items():
        if module is not None and find_spec(module) is None:
            print(f"{name:<44}not installed")
            continue
        resting = engine(messages, LEVELS)
        note = "" if resting == wanted else f"OTHER RESULT: {resting}, not {wanted}; "
        per_message = seconds(lambda run=engine: run(messages, LEVELS), repeat) / len(messages)
        show(name, per_message, f"{note}{per_message / ours:.0f} times ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    free = np.zeros((1, 1), dtype=np.int64)
    steady = record(STEADY, options.messages, free)
    ours = batch("S, 1 pool", steady, free, options.repeat)
    ruler(steady, options.repeat, ours)
    batch("D, 1 pool", record(DEEP, options.messages, free), free, options.repeat)
    for pools in (4, 16, 64, 256):
        charges = general_charges(pools)
        batch(
            f"S, {pools} pools, any charges",
            record(STEADY, options.messages, charges),
            charges,
            options.repeat,
        )
    for pools in (16, 64, 256, 1024):
        charges = tree_charges(pools)
        batch(
            f"S, {pools} pools, tree tariff",
            record(STEADY, options.messages, charges),
            charges,
            options.repeat,
        )
    one_by_one(steady, options.repeat)
    slots(options.repeat)
    growth(options.repeat)
    peers(steady, options.repeat, ours)


MIDDLE = LEVELS // 2
MIDDLE_OF_SLOT = 2048

if __name__ == "__main__":
    main()
