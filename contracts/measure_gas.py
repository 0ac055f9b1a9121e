"""Measure what each operation costs in gas on py-evm and write the price list of the ledger.

    python contracts/measure_gas.py            # writes sunshare_sim/ledger/gas.json
    python contracts/measure_gas.py --check    # exit 1 when the committed list is another

Needs an environment of its own (the pins of py-evm are old): `pip install py-evm==0.12.1b1 pycryptodome`. py-evm resets
what is warm with every transaction, as a chain does; the EVM of the differential test does not, so its gas is useless.
It takes some minutes. Random batches by which the ledger's model of gas is tested go to `tests/ledger/gas_cases.json`.
"""

# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204, D102, D103, E501, INP001, PLR0915

import argparse
import json
import sys
from pathlib import Path

from eth import constants
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun import CancunVM
from eth_keys import keys
from eth_utils import keccak
from measure_batches import Market, code_gas, random_batches

HERE = Path(__file__).parent
PLACE = HERE.parent / "sunshare_sim" / "ledger" / "gas.json"
CASES = HERE.parent / "tests" / "ledger" / "gas_cases.json"
BLOCK = 20  # transactions: py-evm takes ever longer for one more
ETHER = 10**18
KWH = 10**6
LATER = 2**34  # an expiry far away [s]


def word(value):
    return int(value).to_bytes(32, "big")


def artifact(name):
    return json.loads((HERE / "artifacts" / f"{name}.json").read_text(encoding="utf-8"))


def call(signature, *arguments):
    """Encode a call; a list of tuples is an array of structs of words."""
    head, tail = [], b""
    for argument in arguments:
        if isinstance(argument, list):
            head.append(word(32 * len(arguments) + len(tail)))
            tail += word(len(argument)) + b"".join(word(v) for each in argument for v in each)
        else:
            head.append(word(argument))
    return keccak(text=signature)[:4] + b"".join(head) + tail


class Chain:
    """A chain of one block after the other, with the contracts on it and people who pay."""

    def __init__(self, people):
        self.keys = [keys.PrivateKey(keccak(text=f"gas/{number}")) for number in range(people)]
        account = {"balance": 10**6 * ETHER, "nonce": 0, "code": b"", "storage": {}}
        state = {key.public_key.to_canonical_address(): account for key in self.keys}
        header = {"difficulty": 0, "gas_limit": 10**9, "timestamp": 1, "coinbase": constants.ZERO_ADDRESS}
        kind = MiningChain.configure("Measured", vm_configuration=((0, CancunVM),), chain_id=1)
        self.chain = kind.from_genesis(AtomicDB(), header, state)
        self.nonces = [0] * people
        self.spent = 0

    def address(self, who):
        return int.from_bytes(self.keys[who].public_key.to_canonical_address(), "big")

    def send(self, who, to, data):
        """Send a transaction and return the gas it used; one that fails is an error."""
        vm = self.chain.get_vm()
        unsigned = vm.create_unsigned_transaction(
            nonce=self.nonces[who], gas_price=10**10, gas=30_000_000, to=to, value=0, data=data
        )
        self.nonces[who] += 1
        signed = unsigned.as_signed_transaction(self.keys[who], chain_id=1)
        before = self.spent
        block, _, computation = self.chain.apply_transaction(signed)
        computation.raise_if_error()
        self.created, self.spent = computation.msg.storage_address, block.header.gas_used
        spent = self.spent - before
        if len(block.transactions) == BLOCK:
            self.chain.mine_block()
            self.spent = 0
        return spent

    def deploy(self, who, name, *arguments):
        code = bytes.fromhex(artifact(name)["bytecode"][2:])
        gas = self.send(who, b"", code + b"".join(map(word, arguments)))
        return self.created, gas


ADMIN, ORACLE, OPERATOR, FIRST = 0, 1, 2, 3
TRADE = "(address,address,uint256,uint256,uint256)[]"


def measure():
    """Return gas by operation."""
    homes = 202
    chain = Chain(FIRST + homes)
    address, gas = chain.address, {}
    coin, _ = chain.deploy(ADMIN, "TestCoin")
    made = (int.from_bytes(coin, "big"), address(ORACLE), address(OPERATOR))
    market, gas["deploy"] = chain.deploy(ADMIN, "SunShareSettlement", *made)
    number = int.from_bytes(market, "big")
    readings = iter(range(1, 10**6))

    def do(name, who, signature, *arguments):
        spent = chain.send(who, market, call(signature, *arguments))
        if name:
            gas[name] = spent

    def register(name, home, energy):
        do(name, ORACLE, "registerInjection(bytes32,address,uint256)", int.from_bytes(keccak(word(next(readings))), "big"),
           address(home), energy)  # fmt: skip

    chain.send(ADMIN, coin, call("mint(address,uint256)", address(ADMIN), 10**15))
    chain.send(ADMIN, coin, call("approve(address,uint256)", number, 2**256 - 1))
    a, b = FIRST, FIRST + 1
    fund = "fund(address,uint256)"
    do("", ADMIN, fund, address(OPERATOR), 50 * KWH)
    do("fund, first of an account", ADMIN, fund, address(a), 900 * KWH)
    do("fund", ADMIN, fund, address(a), 50 * KWH)
    do("", a, "withdraw(uint256)", 10 * KWH)
    do("withdraw", a, "withdraw(uint256)", 10 * KWH)
    register("", a, 20 * KWH)
    register("registerInjection, first of a household", b, 500 * KWH)
    register("registerInjection", b, 50 * KWH)
    do("", ORACLE, "deliver(address,uint256,uint256)", address(b), KWH, KWH)
    do("deliver", ORACLE, "deliver(address,uint256,uint256)", address(b), KWH, KWH)
    register("", FIRST + 2, 654_321)
    do(
        "deliver, all of a household's credits",
        ORACLE,
        "deliver(address,uint256,uint256)",
        address(FIRST + 2),
        123_456,
        530_865,
    )
    trade = "settleTrade(address,address,uint256,uint256)"
    do("settleTrade, first sale of the seller", ORACLE, trade, address(a), address(b), 5 * KWH, 5 * KWH)
    do("settleTrade", ORACLE, trade, address(a), address(b), 5 * KWH, 5 * KWH)
    do("tokenize, first of an account", b, "tokenize(uint256)", 5 * KWH)
    do("tokenize", b, "tokenize(uint256)", 5 * KWH)
    do("redeem", b, "redeem(uint256)", KWH)
    create = "createOrder(uint8,uint256,uint256,uint256)"
    match = "matchOrders(uint256,uint256,uint256)"
    do("createOrder, ask", b, create, 0, 5 * KWH, KWH, LATER)
    do("createOrder, bid", a, create, 1, 5 * KWH, KWH, LATER)
    do("matchOrders, partial", ORACLE, match, 1, 0, 2 * KWH)
    do("matchOrders, both filled", ORACLE, match, 1, 0, 3 * KWH)
    do("", b, create, 0, 5 * KWH, KWH, LATER)
    do("cancelOrder", b, "cancelOrder(uint256)", 2)
    do("pause", ADMIN, "pause()")
    do("unpause", ADMIN, "unpause()")
    do("setOracle", ADMIN, "setOracle(address)", address(ORACLE))
    for home in range(FIRST, FIRST + homes):  # from here on no balance is zero
        do("", ADMIN, fund, address(home), 1000 * KWH)
        register("", home, 1000 * KWH)
    batches = {}
    for accounts, count in ((2, 1), (20, 10), (200, 100), (20, 100), (200, 200), (50, 73)):
        trades = [
            (
                address(FIRST + 2 * i % accounts),
                address(FIRST + (2 * i + 1) % accounts),
                654_321 + i,
                123_456 + i,
                4_321,
            )
            for i in range(count)
        ]
        for name in ("settleBatch", "settleBatchSkipping"):
            spent = chain.send(ORACLE, market, call(f"{name}({TRADE})", trades))
            batches.setdefault(name, []).append({"trades": count, "accounts": accounts, "gas": spent})
    return {"evm": "py-evm 0.12.1b1, Cancun", "compiler": artifact("SunShareSettlement")["compiler"],
            "operations": gas, "code": code_of_batches(), "batches": batches}  # fmt: skip


def fresh_market(homes):
    """Return a new contract on a new chain, with coins for whoever wants to fund."""
    chain = Chain(FIRST + homes)
    coin, _ = chain.deploy(ADMIN, "TestCoin")
    made = (int.from_bytes(coin, "big"), chain.address(ORACLE), chain.address(OPERATOR))
    market, _ = chain.deploy(ADMIN, "SunShareSettlement", *made)
    chain.send(ADMIN, coin, call("mint(address,uint256)", chain.address(ADMIN), 10**15))
    chain.send(ADMIN, coin, call("approve(address,uint256)", int.from_bytes(market, "big"), 2**256 - 1))
    return Market(chain, range(FIRST, FIRST + homes), market, call)


def code_of_batches():
    """Return what the code of a batch costs apart from storage, memory and bytes of the call."""
    market = fresh_market(2)
    for row in range(3):
        market.fund(ADMIN, row, 10**6, OPERATOR)
    for row in range(2):
        market.register(ORACLE, row, 10**6)
    return code_gas(market, ORACLE, TRADE)


def batch_cases(count=60, homes=12):
    """Return random batches with their gas."""
    return random_batches(fresh_market(homes), ORACLE, ADMIN, OPERATOR, TRADE, count)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    cases = ",\n".join(json.dumps(case) for case in batch_cases())
    for place, text in ((PLACE, json.dumps(measure(), indent=1) + "\n"), (CASES, f"[\n{cases}\n]\n")):
        if not check:
            place.write_text(text, encoding="utf-8")
        elif place.read_text(encoding="utf-8") != text:
            sys.exit(f"{place.name} is not what was measured")


if __name__ == "__main__":
    main()
