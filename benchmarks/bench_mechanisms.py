"""Time one clearing of every mechanism, by orders and pools, beside a numpy sort and HiGHS on the same book.

    python benchmarks/bench_mechanisms.py

CPU microseconds of one thread for one call of `clear`, checks included; medians of `--repeat` runs. Half the orders
are bids, prices overlap so that about half of the energy trades, 50 ticks are charged within a pool and 200 between
pools. HiGHS solves the call auction's allocation as a linear program of orders and flows between pools.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from sunshare_sim.market.mechanism import MarketRules, ReferencePrices, make_mechanism, mechanism_names
from sunshare_sim.market.orders import Orders
from sunshare_sim.streams import stream

LEVELS = 4096
GRID = ReferencePrices(retail=3000, feed_in=800)
SIZES = (100, 1_000, 10_000)
POOLS = (1, 4, 16, 64)


def random_book(count: int, pools: int) -> Orders:
    """Return `count` orders, half of them bids."""
    rng = stream(1, "bench", "mechanisms", count, pools)
    return Orders(
        owner=np.arange(count),
        side=rng.permutation(np.repeat([-1, 1], count // 2)),
        pool=rng.integers(0, pools, count),
        price=rng.integers(800, 3000, count),
        quantity=rng.integers(1, 1_000_000, count),
    )


def random_rules(pools: int) -> MarketRules:
    """Return a market with 50 ticks of charge within a pool and 200 between pools."""
    charges = np.where(np.eye(pools, dtype=bool), 50, 200)
    return MarketRules(pools, charges.astype(np.int64), LEVELS)


def solve_highs(orders: Orders, rules: MarketRules) -> float:
    """Return the welfare of the book, from a linear program with one variable an order and one a pair of pools."""
    count, pools = len(orders.owner), rules.pools
    buyer_pool, seller_pool = np.divmod(np.arange(pools * pools), pools)
    flows = count + np.arange(pools * pools)
    is_bid = orders.side == 1
    rows = np.concatenate(
        [np.where(is_bid, orders.pool, pools + orders.pool), buyer_pool, pools + seller_pool]
    )
    columns = np.concatenate([np.arange(count), flows, flows])
    balance = coo_array((np.r_[np.ones(count), -np.ones(2 * pools * pools)], (rows, columns))).tocsr()
    cost = np.r_[-orders.side * orders.price, rules.charges.ravel()]
    bounds = np.column_stack([np.zeros(cost.size), np.r_[orders.quantity, np.full(pools * pools, np.inf)]])
    return -linprog(cost, A_eq=balance, b_eq=np.zeros(2 * pools), bounds=bounds, method="highs-ds").fun


def cpu_us(call: Callable[[], object], repeat: int, at_least: float = 0.02) -> float:
    """Return the median CPU time of a call [us]; calls are bundled to last `at_least` seconds."""
    call()
    start = time.process_time()
    call()
    bundle = max(1, int(at_least / max(time.process_time() - start, 1e-6)))
    times = []
    for _ in range(repeat):
        start = time.process_time()
        for _ in range(bundle):
            call()
        times.append((time.process_time() - start) / bundle * 1e6)
    return statistics.median(times)


def main() -> None:
    """Print one table: a row a mechanism, a column for each number of orders and pools."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    cases = [(count, pools) for count in SIZES for pools in POOLS]
    print("orders".ljust(22) + "".join(f"{count:>10}" for count, _ in cases))
    print("pools".ljust(22) + "".join(f"{pools:>10}" for _, pools in cases))
    books = {case: random_book(*case) for case in cases}
    for name in mechanism_names():
        row = []
        for case in cases:
            made = make_mechanism(name, random_rules(case[1]))
            row.append(cpu_us(lambda made=made, case=case: made.clear(books[case], GRID), repeat))
        print(name.ljust(22) + "".join(f"{value:10.1f}" for value in row), flush=True)
    sort = [cpu_us(lambda case=case: np.argsort(books[case].price), repeat) for case in cases]
    print("numpy argsort".ljust(22) + "".join(f"{value:10.1f}" for value in sort))
    highs = [
        cpu_us(lambda case=case: solve_highs(books[case], random_rules(case[1])), repeat) for case in cases
    ]
    print("HiGHS (allocation)".ljust(22) + "".join(f"{value:10.0f}" for value in highs))


if __name__ == "__main__":
    main()
