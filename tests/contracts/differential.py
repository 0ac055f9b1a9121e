"""Run the same operations on the compiled contracts and on their twins, and compare all there is to see after each.

    python -m tests.contracts.differential --operations 1000000 --seed 7

Compared after every operation: success, answer, exact revert data, every log (address, topics, data), every word of
storage that the twin wrote, and all balances, supplies and switches; at the end of a sequence every word ever written.
"""

import argparse
import random
import sys
import time
from collections import Counter

from sunshare_sim.ledger.contract import PAUSER_ROLE, Parties
from sunshare_sim.ledger.erc20 import TestCoin
from sunshare_sim.ledger.escrow import SettlementContract
from sunshare_sim.ledger.words import Reverted, Storage
from tests.contracts import operations as ops
from tests.contracts.evm import Chain, encode, event_log, revert_data


class Mismatch(AssertionError):  # noqa: N818 -- what the test says
    """The contract and its twin differ."""


class WatchedStorage(Storage):
    """A storage that remembers which words were written."""

    def __init__(self):
        super().__init__()
        self.touched = set()

    def __setitem__(self, key, value):
        self.touched.add(key)
        super().__setitem__(key, value)


class World:
    """The contracts on a chain and their twins beside them."""

    def __init__(self):
        self.chain = Chain(ops.ADMIN, ops.ORACLE, ops.OPERATOR)
        self.storage = WatchedStorage()
        self.coin = TestCoin(ops.COIN, self.storage)
        parties = Parties(self.chain.account(ops.SETTLEMENT), ops.ADMIN, ops.ORACLE, ops.OPERATOR)
        self.settlement = SettlementContract(parties, self.coin)
        self.token = self.settlement.token
        self.twins = {ops.SETTLEMENT: self.settlement, ops.TOKEN: self.token, ops.COIN: self.coin}
        holders = (*ops.PEOPLE, self.settlement.address)
        self.watched = [
            "platformOracle", "_paused", "orderCount", "totalInjected", "totalDelivered",
            *((name, "_totalSupply") for name in (ops.TOKEN, ops.COIN)),
            *((name, who) for name in ("accountBalances", "energyCredits") for who in holders),
            *((name, "_balances", who) for name in (ops.TOKEN, ops.COIN) for who in holders),
            *(("_roles", role, who) for role in (0, PAUSER_ROLE) for who in ops.PEOPLE),
        ]  # fmt: skip
        self.storage.take_events()

    def prepare(self):
        """Give the homes coins and an allowance, which the settlement contract may use."""
        for home in ops.HOMES:
            yield ops.Operation(ops.COIN, "mint", ops.ADMIN, (home, 10**12), ops.START)
            yield ops.Operation(ops.COIN, "approve", home, (self.settlement.address, 10**11), ops.START)

    def run(self, operation):
        """Run one operation on both sides; return the reason for failing, or an empty string."""
        contract, function, sender, arguments, now = operation
        self.chain.at(now)
        done, answer, logs = self.chain.call(sender, contract, function, arguments)
        self.settlement.now = now
        self.storage.touched.clear()
        reason = ""
        try:
            result = getattr(self.twins[contract], ops.TWINS[contract, function][0])(sender, *arguments)
        except Reverted as failure:
            expected, reason = (False, revert_data(failure), []), failure.reason
        else:
            data = b"" if result is None else encode([result])
            expected = (True, data, [self.log(event) for event in self.storage.take_events()])
        if (done, answer, logs) != expected:
            raise Mismatch(f"{operation}: contract {(done, answer, logs)}, twin {expected}")
        self.compare((*self.watched, *self.storage.touched), operation)
        if self.storage.events:
            raise Mismatch(f"{operation}: events of a failed call are left")
        return reason

    def log(self, event):
        return (self.chain.addresses[event.contract], *event_log(event))

    def compare(self, keys, operation):
        for key in keys:
            if self.chain.stored(key) != self.storage[key]:
                got, want = self.chain.stored(key), self.storage[key]
                raise Mismatch(f"{operation}: storage {key}: contract {got}, twin {want}")

    def check_conservation(self):
        """Check that all energy is injected less delivered less burnt, and that all money is coins held."""
        s, orders = self.settlement, range(self.storage["orderCount"])
        locked = sum(self.storage["orders", n, "remaining"] for n in orders
                     if not self.storage["orders", n, "side"] and self.storage["orders", n, "status"] == 1)  # fmt: skip
        money = sum(self.storage["orders", n, "money"] for n in orders)
        words = self.storage.words
        held = sum(v for k, v in words.items() if k[0] == "energyCredits")
        cash = sum(v for k, v in words.items() if k[0] == "accountBalances")
        burnt = self.burnt
        injected, delivered = self.storage["totalInjected"], self.storage["totalDelivered"]
        if held + locked + self.token.total_supply != injected - delivered - burnt:
            raise Mismatch("energy is not conserved")
        if cash + money > self.coin.balance_of(s.address):
            raise Mismatch("there is more money in accounts and escrow than the contract holds coins")

    burnt = 0


def run_sequence(seed, length, counts=None, *, shrinking=True):
    """Run one random sequence; return its operations. A mismatch is raised with the shortest history found."""
    world, done = World(), []
    generator = ops.Generator(random.Random(seed), world)  # noqa: S311
    steps = world.prepare()
    try:
        for _ in range(length):
            operation = next(steps, None) or generator.draw()
            done.append(operation)
            before = world.token.total_supply
            reason = world.run(operation)
            if operation.contract == ops.TOKEN and operation.function in ("burn", "burnFrom"):
                world.burnt += before - world.token.total_supply
            if counts is not None:
                counts[operation.function, reason] += 1
        world.compare(world.storage.words, "end of the sequence")
        world.check_conservation()
    except Mismatch as mismatch:
        shortest = shrink(done) if shrinking else done[-1:]
        lines = "\n".join(map(str, shortest))
        raise Mismatch(
            f"seed {seed}: {mismatch}\nshortest history ({len(shortest)} calls):\n{lines}"
        ) from None
    return done


def fails(history):
    world = World()
    try:
        for operation in history:
            world.run(operation)
    except Mismatch:
        return True
    return False


def shrink(history):
    """Leave out what is not needed for the mismatch, in ever smaller pieces."""
    piece = len(history) // 2
    while piece:
        start = 0
        while start < len(history):
            shorter = history[:start] + history[start + piece :]
            if fails(shorter):
                history = shorter
            else:
                start += piece
        piece //= 2
    return history


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=500)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--no-shrink", action="store_true", help="show the last call only")
    options = parser.parse_args()
    counts, start = Counter(), time.process_time()
    for number in range(-(-options.operations // options.length)):
        run_sequence(f"{options.seed}/{number}", options.length, counts, shrinking=not options.no_shrink)
    spent = time.process_time() - start
    for (function, reason), count in sorted(counts.items()):
        sys.stdout.write(f"{function:22s} {reason or 'ok':50s} {count:9d}\n")
    sys.stdout.write(
        f"{counts.total()} operations, 0 mismatches, {counts.total() / spent:.0f} per CPU-second\n"
    )


if __name__ == "__main__":
    main()
