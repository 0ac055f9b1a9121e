"""Time the ledger: settlement, bills, receipts, hashing, verification.

    python benchmarks/bench_ledger.py [--repeat 7] [--days 28]

Each figure stands beside its target and a numpy copy of the same bytes, timed in the same run, so that machines can be
compared; hashing beside SHA-256 of the same bytes in one call. CPU seconds of one thread, median of `--repeat` runs.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.billing import Accumulators, RetailParts, bill_slot
from sunshare_sim.ledger.chain import Audit, Chain, readings_bytes, receipts_array, receipts_bytes
from sunshare_sim.ledger.files import Genesis, LedgerWriter
from sunshare_sim.ledger.settlement import Ledger, Trades
from sunshare_sim.ledger.verify import verify
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.session import Simulation

HOMES, SLOT_TRADES, SLOTS, MANY = 1000, 300, 2000, 1_000_000
PRICES = (396_000, 78_600)
# What is asked for [M trades/s of a core], and how many times longer a run may take with a ledger than without.
KERNEL, BY_TRADE, BY_BLOCK, VERIFY, TIMES_LONGER = 50.0, 0.8, 20.0, 0.5, 2.0


def held(found: float, target: float) -> str:
    """Return a target and whether it is reached."""
    return f"(target {target:g}: {'reached' if found >= target else 'MISSED'})"


def seconds(work: Callable[[], object], repeat: int, calls: int = 1) -> float:
    """Return the median CPU seconds of one call; the first call, which may compile, is not counted."""
    work()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        for _ in range(calls):
            work()
        times.append((time.process_time() - start) / calls)
    return statistics.median(times)


def copying(size: int, repeat: int, calls: int = 1) -> float:
    """Return the CPU seconds of a numpy copy of `size` bytes."""
    source = np.ones(size, dtype=np.uint8)
    target = np.empty_like(source)
    return seconds(lambda: np.copyto(target, source), repeat, calls)


def make_trades(count: int, net: np.ndarray, rng: np.random.Generator) -> Trades:
    """Return random trades between homes in deficit and homes in surplus, small enough that all can settle."""
    buyers, sellers = np.flatnonzero(net > 0), np.flatnonzero(net < 0)
    return Trades(
        buyer=rng.choice(buyers, count),
        seller=rng.choice(sellers, count),
        energy=rng.integers(1, 100_000, count),
        price_micro=rng.integers(80_000, 390_000, count),
        charge_micro=rng.integers(0, 20_000, count),
    )


def make_ledger() -> Ledger:
    """Return a ledger whose homes have money and energy credits without end."""
    ledger = Ledger(HOMES)
    for home in range(HOMES):
        ledger.fund(home, 10**15)
    ledger.register_injections(0, np.full(HOMES, 10**15))
    return ledger


def settlement(rng: np.random.Generator, net: np.ndarray, repeat: int) -> None:
    """Print the rate of the kernel on a long batch."""
    ledger, trades = make_ledger(), make_trades(MANY, net, rng)
    status = ledger.settle_batch(ledger.oracle, trades)
    spent = seconds(lambda: ledger.settle_batch(ledger.oracle, trades), repeat)
    copied = copying(sum(column.nbytes for column in trades) + status.nbytes, repeat)
    settled = (status == 0).mean()
    print(f"settle_batch, {MANY:,} trades ({settled:.0%} settle): {MANY / spent / 1e6:6.1f} M trades/s"
          f" {held(MANY / spent / 1e6, KERNEL)}, {spent / copied:5.1f} x a copy of the same bytes")  # fmt: skip


def slot(rng: np.random.Generator, net: np.ndarray, repeat: int) -> None:
    """Print the time of a slot, step by step."""
    ledger, sums, surplus = make_ledger(), Accumulators.zeros(HOMES), np.maximum(-net, 0)
    trades = make_trades(SLOT_TRADES, net, rng)
    status = np.zeros(SLOT_TRADES, dtype=np.int64)
    numbers = iter(range(1, 10**9))

    def whole() -> None:
        ledger.register_injections(next(numbers), surplus)
        done = ledger.settle_batch(ledger.oracle, trades)
        bill_slot(sums, net, trades, done, PRICES)
        ledger.deliver(net)
        ledger.check_conservation()

    steps = {
        "settle_batch": lambda: ledger.settle_batch(ledger.oracle, trades),
        "bill_slot": lambda: bill_slot(sums, net, trades, status, PRICES),
        "deliver": lambda: ledger.deliver(net),
        "check_conservation": ledger.check_conservation,
        "whole slot": whole,
    }
    size = sum(column.nbytes for column in (*trades, status, net, *sums, ledger.cash, ledger.credits))
    copied = copying(size, repeat, 1000)
    print(
        f"a slot of {HOMES:,} homes and {SLOT_TRADES} trades (a copy of its {size / 1e3:.0f} kB: {copied * 1e6:.1f} us)"
    )
    for name, step in steps.items():
        print(f"  {name:20s} {seconds(step, repeat, 1000) * 1e6:6.1f} us")


def hashing(rng: np.random.Generator, net: np.ndarray, repeat: int) -> None:
    """Print the rates of receipts, blocks and verification beside the limits of SHA-256 in the same run."""
    trades, status = make_trades(SLOT_TRADES, net, rng), np.zeros(SLOT_TRADES, dtype=np.int64)
    rows = receipts_array(1, trades, status)
    data, count = receipts_bytes(rows), 300
    signers = Authorities.from_seed(1)
    tree, signed = Chain("bench"), Chain("bench", authorities=signers)
    digest, blob = Chain("bench", audit="block"), data * count
    messages = [bytes(65) for _ in range(SLOT_TRADES)]
    rates = {
        "receipts_array + bytes": (lambda: receipts_bytes(receipts_array(1, trades, status)), SLOT_TRADES, 1000, 0.0),
        "block, audit: trade": (lambda: tree.append(0, 1, data), SLOT_TRADES, 100, BY_TRADE),
        "  with Ed25519": (lambda: signed.append(0, 1, data), SLOT_TRADES, 100, BY_TRADE),
        "  limit: 2 calls of SHA-256": (
            lambda: [sha256(m).digest() for m in messages + messages], SLOT_TRADES, 100, 0.0
        ),
        "block, audit: block": (lambda: digest.append(0, 1, data), SLOT_TRADES, 1000, BY_BLOCK),
        f"  a block of {SLOT_TRADES * count:,}": (lambda: digest.append(0, 1, blob), SLOT_TRADES * count, 1, BY_BLOCK),
        "  limit: SHA-256, one call": (lambda: sha256(blob).digest(), SLOT_TRADES * count, 1, 0.0),
    }  # fmt: skip
    print(f"hashing, blocks of {SLOT_TRADES} receipts of 64 bytes")
    for name, (work, made, calls, target) in rates.items():
        rate = made / seconds(work, repeat, calls) / 1e6
        print(
            f"  {name:28s} {rate:6.2f} M trades/s  {64 * rate:7.0f} MB/s",
            held(rate, target) if target else "",
        )


def auditing(rng: np.random.Generator, repeat: int) -> None:
    """Print the rate of writing and of verifying a whole ledger folder."""
    for audit in ("trade", "block"):
        with tempfile.TemporaryDirectory() as place:
            run = Path(place)
            start = time.process_time()
            count = write_run(run, rng, audit)
            wrote = time.process_time() - start
            spent = seconds(lambda run=run: verify(run), min(repeat, 3))
            size = sum(path.stat().st_size for path in (run / "ledger").iterdir())
        what = f"a folder of {SLOTS} slots, {HOMES:,} homes, {count:,} trades, audit: {audit}"
        made, checked = count / wrote / 1e6, count / spent / 1e6
        print(
            f"{what}: {size / count:.0f} bytes a trade, made at {made:.2f},"
            f" verified at {checked:.2f} M trades/s {held(checked, VERIFY)}"
        )


def write_run(run: Path, rng: np.random.Generator, audit: Audit) -> int:
    """Write a ledger folder of many slots and return how many trades it has."""
    signers, parts = Authorities.from_seed(1), RetailParts(100_000, 50_000, 190_000, 0)
    keys = tuple(key.hex() for key in signers.public_keys)
    genesis = Genesis("bench", HOMES, SLOTS, 10**12, parts, audit, "ed25519", keys)
    writer, ledger = LedgerWriter(run / "ledger", genesis, signers), Ledger(HOMES)
    chain = Chain(genesis.text(), audit=audit, authorities=signers)
    for home in range(HOMES):
        ledger.fund(home, 10**12)
    count = 0
    for number in range(SLOTS):
        net = rng.integers(-1_000_000, 1_000_000, HOMES)
        trades = make_trades(SLOT_TRADES, net, rng)
        ledger.register_injections(number, np.maximum(-net, 0))
        status = ledger.settle_batch(ledger.oracle, trades)
        ledger.deliver(net)
        rows = receipts_array(number, trades, status)
        writer.slot(net, PRICES)
        writer.block(chain.append(number, number, rows, readings=readings_bytes(net, *PRICES)), rows)
        count += SLOT_TRADES
    writer.finish()
    return count


def run_seconds(days: int, audit: str) -> tuple[float, int]:
    """Return the CPU seconds of the slots of a run of 1 000 homes, its folder written, and its trades."""
    group = {"name": "homes", "count": HOMES, "solar": {"share": 0.4}, "battery": {"share": 0.25},
             "ev": {"share": 0.2}, "strategy": {"name": "zi_c"}}  # fmt: skip
    scenario = Scenario.model_validate(
        {
            "name": "bench-ledger",
            "time": {"days": days},
            "feeder": {"source": "simbench", "copies": 8},
            "households": {"groups": [group]},
            "market": {"rounds": 1},  # the cheapest market: settlement weighs most
            "settlement": {"audit": audit},
            "results": {"figures": False},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        simulation, trades = Simulation(scenario, out=Path(folder) / "run"), 0
        start = time.process_time()
        while not simulation.clock.finished:
            simulation.step()
            trades += simulation.state.settled.trades
        simulation.finish()
        return time.process_time() - start, trades


def whole_runs(days: int, repeat: int) -> None:
    """Print how much longer a run takes with a ledger than with `audit: none`, which seals nothing."""
    run_seconds(1, "trade")
    found: dict[str, list[float]] = {"none": [], "trade": [], "block": []}
    for _ in range(repeat):
        for audit, times in found.items():
            spent, trades = run_seconds(days, audit)
            times.append(spent)
    middle = {audit: statistics.median(times) for audit, times in found.items()}
    print(f"{days} days of {HOMES:,} homes, {trades:,} trades, without a ledger: {middle['none']:.2f} s")
    for audit in ("trade", "block"):
        ratio = middle[audit] / middle["none"]
        target = f"(target {TIMES_LONGER:g}: {'reached' if ratio <= TIMES_LONGER else 'MISSED'})"
        print(f"  audit: {audit:6s} {middle[audit]:6.2f} s, {ratio:.2f} times as long {target}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--days", type=int, default=28, help="length of the whole runs; 0 for none")
    arguments = parser.parse_args()
    repeat = arguments.repeat
    pa.set_cpu_count(1)  # CPU time counts all threads
    pa.set_io_thread_count(1)
    rng = np.random.default_rng(1)
    net = rng.integers(-1_000_000, 1_000_000, HOMES)
    settlement(rng, net, repeat)
    slot(rng, net, repeat)
    hashing(rng, net, repeat)
    auditing(rng, repeat)
    if arguments.days:
        whole_runs(arguments.days, min(repeat, 3))


if __name__ == "__main__":
    main()
