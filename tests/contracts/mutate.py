"""Test the differential test: change the twins in small ways, one at a time, and see whether each change is noticed.

    python -m tests.contracts.mutate [--operations 20000] [--seed 100]

The unchanged twins must pass with the same seed first. Only an explicit mismatch counts as caught; a crash does not.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    """One change: where, what it was, what it becomes."""

    name: str
    module: str
    old: str
    new: str


C, E, T, W = "contract", "escrow", "erc20", "words"
MONEY_CHECK = '        self._check_held("accountBalances", buyer, cost)\n'
CREDIT_CHECK = '        self._check_held("energyCredits", seller, energy)\n'
ORACLE_FIRST = "        self._check_oracle(sender)\n        self._check_running()\n"
PAUSE_FIRST = "        self._check_running()\n        self._check_oracle(sender)\n"
REGISTER = (
    'int) -> None:\n        """Create credits for what a verified meter injected; a reading counts once."""\n'
)
# ruff: noqa: E501, Q000 -- a table of pieces of code
MUTANTS = (
    Mutant("settle: credits before money", C, MONEY_CHECK + CREDIT_CHECK, CREDIT_CHECK + MONEY_CHECK),
    Mutant("settle: money not checked", C, MONEY_CHECK, ""),
    Mutant("settle: credits not checked", C, CREDIT_CHECK, ""),
    Mutant("held: one more than needed", C, "if held < amount:", "if held <= amount:"),
    Mutant("register: pause before oracle", C, REGISTER + ORACLE_FIRST, REGISTER + PAUSE_FIRST),
    Mutant("register: reading not remembered", C, 'self.storage["readingRegistered", reading] = 1', "pass"),
    Mutant("register: reading checked before amount", C,
           """        if energy == 0:
            raise Reverted("InvalidAmount")
        if self.storage["readingRegistered", reading]:
            raise Reverted("ReadingAlreadyRegistered", reading)
""",
           """        if self.storage["readingRegistered", reading]:
            raise Reverted("ReadingAlreadyRegistered", reading)
        if energy == 0:
            raise Reverted("InvalidAmount")
"""),
    Mutant("register: total wraps", C, 'add(self.storage["totalInjected"], energy)',
           '(self.storage["totalInjected"] + energy) % 2**256'),
    Mutant("deliver: total not raised", C, '        self.storage["totalDelivered"] += amount\n', ""),
    Mutant("deliver: fed in not burnt", C, "amount = add(consumed, fed_in)", "amount = consumed"),
    Mutant("batch: wheeling not checked", C, "< trade.cost + trade.wheeling", "< trade.cost"),
    Mutant("batch: wheeling sum wraps", C, "trade.cost + trade.wheeling:", "(trade.cost + trade.wheeling) % 2**256:"),
    Mutant("batch: wheeling kept", C, 'self._change("accountBalances", self.grid_operator, trade.wheeling)', "pass"),
    Mutant("batch: event of a free trade's wheeling", C, "if trade.wheeling:", "if True:"),
    Mutant("batch: skipped without event", C, '                self._emit("TradeSkipped", index, status)\n',
           "                pass\n"),
    Mutant("batch: skips all after a failure", C, "            statuses.append(status)",
           "            statuses.append(status)\n            if status:\n                break"),
    Mutant("batch: failure named by the next index", C, '"TradeFailed", index,', '"TradeFailed", index + 1,'),
    Mutant("fund: event without payer", C, '"Funded", account, sender, amount', '"Funded", account, account, amount'),
    Mutant("fund: coins moved before the sum is checked", C,
           """        self._change("accountBalances", account, amount)
        self.coin.move_for(self.address, sender, self.address, amount)
""",
           """        self.coin.move_for(self.address, sender, self.address, amount)
        self._change("accountBalances", account, amount)
"""),
    Mutant("withdraw: stopped by a pause", C, '        """Pay the sender\'s money out; a pause does not stop it."""\n',
           "        self._check_running()\n"),
    Mutant("tokenize: credits stay", C,
           '        self._change("energyCredits", sender, -amount)\n        self.token.create', "        self.token.create"),
    Mutant("redeem: pause ignored", C,
           '        """Turn the sender\'s tokens back into credits, one to one."""\n        self._check_running()\n', ""),
    Mutant("oracle: anyone rotates", C,
           '        self._check_role(sender, ADMIN_ROLE)\n        if oracle == NOBODY', "        if oracle == NOBODY"),
    Mutant("unpause: while running", C, '        if not self.storage["_paused"]:\n            raise Reverted("ExpectedPause")\n',
           ""),
    Mutant("roles: granted twice, told twice", C, "        if not self.has_role(role, account):\n            self.storage",
           "        if True:\n            self.storage"),
    Mutant("create: expiry may be now", E, "if expiry <= self.now", "if expiry < self.now"),
    Mutant("create: expiry before amount", E,
           """        if energy == 0 or price == 0:
            raise Reverted("InvalidAmount")
        if expiry <= self.now:
            raise Reverted("InvalidExpiry", expiry)
""",
           """        if expiry <= self.now:
            raise Reverted("InvalidExpiry", expiry)
        if energy == 0 or price == 0:
            raise Reverted("InvalidAmount")
"""),
    Mutant("create: lock rounded up", E, "money = times(energy, price) // MICRO", "money = -(-times(energy, price) // MICRO)"),
    Mutant("create: product unbounded", E, "money = times(energy, price) // MICRO", "money = energy * price // MICRO"),
    Mutant("match: live at its expiry", E, "if self.now >= self", "if self.now > self"),
    Mutant("match: at the bid's price", E, 'cost = times(energy, self._order(ask, "price"))',
           'cost = times(energy, self._order(bid, "price"))'),
    Mutant("match: cost rounded up", E, 'cost = times(energy, self._order(ask, "price")) // MICRO',
           'cost = -(-times(energy, self._order(ask, "price")) // MICRO)'),
    Mutant("match: equal prices refused", E, 'if self._order(bid, "price") <', 'if self._order(bid, "price") <='),
    Mutant("match: self-trade allowed", E, "if buyer == seller:", "if False:"),
    Mutant("match: ask checked first", E, "        self._check_live(bid, BID)\n        self._check_live(ask, ASK)\n",
           "        self._check_live(ask, ASK)\n        self._check_live(bid, BID)\n"),
    Mutant("match: full fill refused", E, "if energy > available", "if energy >= available"),
    Mutant("match: filled ask stays open", E, "for order in (bid, ask):", "for order in (bid,):"),
    Mutant("match: events swapped", E,
           """        self._emit("OrdersMatched", bid, ask, energy, cost)
        self._emit("TradeExecuted", buyer, seller, energy, cost)
""",
           """        self._emit("TradeExecuted", buyer, seller, energy, cost)
        self._emit("OrdersMatched", bid, ask, energy, cost)
"""),
    Mutant("cancel: anyone may", E, "if sender != self._order", "if False and sender != self._order"),
    Mutant("expire: one second early", E, "if self.now < self", "if self.now + 1 < self"),
    Mutant("expire: one second late", E, "if self.now < self", "if self.now <= self"),
    Mutant("close: money kept", E, '        self._change("accountBalances", owner, money)\n', ""),
    Mutant("close: escrow counted twice", E, '        self.storage["orders", order, "money"] = 0\n', ""),
    Mutant("close: bids give energy back", E, 'if self._order(order, "side") == ASK:', "if True:"),
    Mutant("token: endless allowance is spent", T, "if allowed == LARGEST_WORD:", "if False:"),
    Mutant("token: supply wraps", T, "add(storage[supply], amount)", "(storage[supply] + amount) % 2**256"),
    Mutant("token: anyone mints", T, "if sender != self.settlement:", "if False:"),
    Mutant("token: no transfer event", T, '        storage.emit(self.name, "Transfer", owner, to, amount)\n', ""),
    Mutant("world: nothing is undone", W, "            self.words[key] = value\n        del", "            pass\n        del"),
    Mutant("world: events of failed calls stay", W, "        del self.events[self._kept_events :]\n", ""),
    Mutant("world: undone in the wrong order", W, "in reversed(self._before)", "in self._before"),
    Mutant("world: sums may be 2**256", W, "if value > LARGEST_WORD:", "if value > LARGEST_WORD + 1:"),
)  # fmt: skip


def outcome(place, options):
    """Run the differential test in `place`; return passed, caught or crashed."""
    command = [sys.executable, "-m", "tests.contracts.differential", "--no-shrink",
               "--operations", str(options.operations), "--seed", str(options.seed)]  # fmt: skip
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        return "passed"
    return "caught" if "Mismatch: seed" in done.stderr else "crashed"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--seed", default="100")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        shutil.copytree(
            ROOT / "sunshare_sim", place / "sunshare_sim", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copytree(ROOT / "tests" / "contracts", place / "tests" / "contracts")
        shutil.copytree(ROOT / "contracts" / "artifacts", place / "contracts" / "artifacts")
        if outcome(place, options) != "passed":
            sys.exit("the unchanged twins do not pass: nothing can be said")
        found = {}
        for mutant in MUTANTS:
            path = place / "sunshare_sim" / "ledger" / f"{mutant.module}.py"
            source = path.read_text(encoding="utf-8")
            if mutant.old not in source:
                sys.exit(f"{mutant.name}: the code it changes is gone")
            path.write_text(source.replace(mutant.old, mutant.new, 1), encoding="utf-8")
            found[mutant.name] = outcome(place, options)
            path.write_text(source, encoding="utf-8")
            sys.stdout.write(f"{found[mutant.name]:8s} {mutant.name}\n")
            sys.stdout.flush()
    caught = sum(result == "caught" for result in found.values())
    sys.stdout.write(f"{caught} of {len(found)} caught\n")


if __name__ == "__main__":
    main()
