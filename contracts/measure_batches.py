"""Measure what the code of a batch costs apart from storage, and random batches by which the ledger's model is checked.

`measure_gas.py` calls this; both need the environment described there.
"""

# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204, D102, INP001, S311

import random

KWH = 10**6
COLD, UNCHANGED, CHANGED, NEW, CLEARED = 2000, 100, 2900, 20_000, 4800
NAMES = ("settleBatch", "settleBatchSkipping")


class Storage:
    """The words of balances, and what the EVM charges for using them in one call (EIP-2200, 2929, 3529)."""

    def __init__(self, cash, stock):
        self.first = {("cash", k): v for k, v in enumerate(cash)} | {
            ("stock", k): v for k, v in enumerate(stock)
        }
        self.now, self.warm, self.gas, self.back = dict(self.first), set(), 0, 0

    def load(self, key):
        self.gas += 0 if key in self.warm else COLD
        self.warm.add(key)
        return self.now[key]

    def add(self, key, change):
        value, first, now = self.load(key) + change, self.first[key], self.now[key]
        self.now[key] = value
        if value == now:
            self.gas += UNCHANGED
            return
        if now == first:
            self.gas += CHANGED if first else NEW
        else:
            self.gas += UNCHANGED
            if first and not now:
                self.back -= CLEARED
            if value == first:
                self.back += (CHANGED if first else NEW) - UNCHANGED
        if first and not value:
            self.back += CLEARED


def settle(storage, operator, trades):
    """Settle trades on `storage` and return each one's status, as the contract does."""
    statuses = []
    for buyer, seller, energy, cost, wheeling in trades:
        if storage.load(("cash", buyer)) < cost + wheeling:
            statuses.append(1)
            continue
        if storage.load(("stock", seller)) < energy:
            statuses.append(2)
            continue
        if wheeling:
            storage.add(("cash", buyer), -wheeling)
            storage.add(("cash", operator), wheeling)
        for key, change in ((("cash", buyer), -cost), (("cash", seller), cost),
                            (("stock", seller), -energy), (("stock", buyer), energy)):  # fmt: skip
            storage.add(key, change)
        statuses.append(0)
    return statuses


class Market:
    """The contract on a chain, and its balances beside it, so that a call's use of storage is known."""

    def __init__(self, chain, homes, market, encode):
        self.chain, self.market, self.encode = chain, market, encode
        self.homes, self.cash, self.stock = homes, [0] * (len(homes) + 1), [0] * len(homes)
        self.readings = iter(range(10**9, 2 * 10**9))

    def fund(self, admin, row, amount, operator):
        who = operator if row == len(self.homes) else self.homes[row]
        self.chain.send(
            admin, self.market, self.encode("fund(address,uint256)", self.chain.address(who), amount)
        )
        self.cash[row] += amount

    def register(self, oracle, row, energy):
        call = self.encode("registerInjection(bytes32,address,uint256)", next(self.readings),
                           self.chain.address(self.homes[row]), energy)  # fmt: skip
        self.chain.send(oracle, self.market, call)
        self.stock[row] += energy

    def batch(self, oracle, name, kind, trades):
        """Settle trades; return the gas without storage and bytes of the call, all the gas, and the statuses."""
        rows = [
            (self.chain.address(self.homes[b]), self.chain.address(self.homes[s]), *rest)
            for b, s, *rest in trades
        ]
        data = self.encode(f"{name}({kind})", rows)
        storage = Storage(self.cash, self.stock)
        status = settle(storage, len(self.homes), trades)
        gas = self.chain.send(oracle, self.market, data)
        self.cash = [storage.now["cash", k] for k in range(len(self.cash))]
        self.stock = [storage.now["stock", k] for k in range(len(self.stock))]
        bytes_ = sum(16 if byte else 4 for byte in data)
        # Of all that comes back only a fifth of the gas is paid out; such batches say nothing about the code.
        whole = storage.back <= (gas + storage.back) // 5
        return (gas + storage.back - storage.gas - bytes_ if whole else None), gas, status


def code_gas(market, oracle, kind):
    """Return the figures of `ledger._gas.Code` for both functions: each kind of trade alone and after another."""
    found, rich, poor = {}, 0, 1
    settled, wheeled = (rich, poor, 5, 5, 0), (rich, poor, 5, 5, 3)
    cases = {
        "no_money": (rich, poor, 5, 10**15, 0), "no_wheeling": (rich, poor, 5, 5, 10**15),
        "no_credits": (rich, poor, 10**15, 5, 0),
    }  # fmt: skip
    for name in NAMES:

        def gas(*trades, name=name):
            return market.batch(oracle, name, kind, trades)[0]

        empty, one, two = gas(), gas(settled), gas(settled, settled)
        code = {"call": empty, "any": one - empty - (two - one), "settled": two - one}
        code["wheeling"] = gas(settled, wheeled) - two
        for case, trade in cases.items():
            code[case] = gas(settled, trade) - one if name == "settleBatchSkipping" else 0
        each = cases["no_credits"] if code["no_credits"] else settled
        cost = code["no_credits"] or code["settled"]
        grown = {
            count: gas(*[each] * count) - code["call"] - code["any"] - count * cost
            for count in (40, 150, 300)
        }
        shapes = [(words, by) for by in range(5) for words in range(64)
                  if all((words + by * count) ** 2 // 512 == more for count, more in grown.items())]  # fmt: skip
        if not shapes:
            raise SystemExit(f"{name}: memory does not grow as supposed: {grown}")
        code["words"], code["words_a_trade"] = shapes[0]
        found[name] = code
    return found


def random_batches(market, oracle, admin, operator, kind, count):
    """Return random batches on random balances with the gas that was measured; energy is below 1 kWh."""
    draw, cases, homes = random.Random(11), [], len(market.homes)
    for number in range(count):
        for row in range(homes):
            if draw.random() < 0.3:
                market.register(oracle, row, draw.randint(1, KWH))
            if draw.random() < 0.2:
                market.fund(admin, row, draw.randint(1, KWH), operator)
        trades = []
        for _ in range(draw.choice([0, 1, 1, 2, 3, 5, 8, 20]) if number % 20 else 120):
            buyer, seller = draw.randrange(homes), draw.randrange(homes)
            energy = draw.choice([1, 256 * draw.randint(1, 900), draw.randint(1, 10**5),
                                  min(market.stock[seller] or 1, KWH - 1)])  # fmt: skip
            cost = draw.choice([0, draw.randint(0, 10**5), market.cash[buyer]])
            trades.append((buyer, seller, energy, cost, draw.choice([0, 0, draw.randint(0, 10**4)])))
        if number % 7 == 3:  # all of it back again: more is returned than may be paid out
            trades += [
                (seller, buyer, energy, cost, 0) for buyer, seller, energy, cost, _ in reversed(trades)
            ]
        cash, stock = list(market.cash), list(market.stock)
        name = "settleBatchSkipping"
        if draw.random() < 0.3:
            tried = Storage(cash, stock)
            kept = [t for t, failed in zip(trades, settle(tried, homes, trades), strict=True) if not failed]
            name, trades = "settleBatch", kept
        _, gas, status = market.batch(oracle, name, kind, trades)
        cases.append(
            {"function": name, "cash": cash, "credits": stock, "trades": trades, "status": status, "gas": gas}
        )
    return cases
