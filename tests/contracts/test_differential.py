"""The twins are the contracts: random operations give the same answers, events, reverts and storage in a real EVM."""

import random
from collections import Counter

import pytest

from sunshare_sim.ledger.contract import ADMIN_ROLE, PAUSER_ROLE
from tests.contracts import operations as ops
from tests.contracts.differential import Mismatch, World, run_sequence
from tests.contracts.evm import Chain, address, call_data, encode, error_entry, revert_data, selector
from tests.contracts.mutate import MUTANTS, ROOT
from tests.reference.ledger import replay

LENGTH = 500
# What must have happened often enough for the comparison to mean something.
SUCCEED = {function: 25 for _, function in ops.KINDS} | {"matchOrders": 200, "settleTrade": 400}
FAIL = {
    ("settleTrade", "Unauthorized: Only SunShare Engine can execute"), ("settleTrade", "Insufficient fiat balance"),
    ("settleTrade", "Insufficient energy credits"), ("settleTrade", "EnforcedPause"), ("settleBatch", "TradeFailed"),
    ("registerInjection", "ReadingAlreadyRegistered"), ("registerInjection", "Panic"), ("fund", "Panic"),
    ("deliver", "Panic"), ("createOrder", "Panic"), ("createOrder", "InvalidExpiry"), ("mint", "OnlySettlement"),
    ("mint", "Panic"), ("matchOrders", "OrderIsExpired"), ("matchOrders", "AmountMismatch"),
    ("matchOrders", "PriceMismatch"), ("matchOrders", "SelfTradingNotAllowed"), ("matchOrders", "InvalidOrder"),
    ("expireOrder", "OrderNotExpired"), ("cancelOrder", "NotOrderOwner"), ("unpause", "ExpectedPause"),
    ("setOracle", "AccessControlUnauthorizedAccount"), ("renounceRole", "AccessControlBadConfirmation"),
}  # fmt: skip


def test_twenty_thousand_operations_are_equal():
    counts = Counter()
    for number in range(42):
        run_sequence(f"ci/{number}", LENGTH, counts)
    assert counts.total() >= 20_000
    succeeded = {function: counts[function, ""] for function in SUCCEED}
    assert not {f: n for f, n in succeeded.items() if n < SUCCEED[f]}
    assert not {case for case in FAIL if counts[case] < 3}


@pytest.mark.long
def test_a_million_operations_are_equal():
    for number in range(2000):
        run_sequence(f"long/{number}", LENGTH)


def test_a_difference_is_found_and_shrunk(monkeypatch):
    original = World.run

    def forgetful(self, operation):
        reason = original(self, operation)
        if operation.function == "registerInjection" and not reason:
            self.storage["energyCredits", operation.arguments[1]] -= 1
            self.storage.keep()
        return reason

    monkeypatch.setattr(World, "run", forgetful)
    with pytest.raises(Mismatch, match=r"shortest history \([123] calls\)"):
        run_sequence("ci/0", 100)


def test_every_mutant_still_changes_something():
    assert len(MUTANTS) >= 20
    for mutant in MUTANTS:
        source = (ROOT / "sunshare_sim" / "ledger" / f"{mutant.module}.py").read_text(encoding="utf-8")
        assert mutant.old in source, mutant.name


def test_events_alone_give_the_state():
    """Whoever holds the events of a sequence needs nothing else to know every balance."""
    for seed in range(6):
        world, events = World(), []
        take = world.storage.take_events

        def taken(take=take, events=events):
            new = take()
            events.extend(new)
            return new

        world.storage.take_events = taken
        generator = ops.Generator(random.Random(f"replay/{seed}"), world)  # noqa: S311
        steps = world.prepare()
        for _ in range(LENGTH):
            world.run(next(steps, None) or generator.draw())
        cash, credits_, tokens = replay(events, ops.OPERATOR)
        for who in ops.PEOPLE:
            assert cash[who] == world.settlement.cash(who)
            assert credits_[who] == world.settlement.credits(who)
            assert tokens[who] == world.token.balance_of(who)


# ---- by hand


def test_public_values_of_the_contract_are_the_twins():
    world = World()
    call = lambda name, *args: world.chain.call(ops.ROGUE, ops.SETTLEMENT, name, args)[1]  # noqa: E731
    assert int.from_bytes(call("PAUSER_ROLE"), "big") == PAUSER_ROLE
    assert int.from_bytes(call("DEFAULT_ADMIN_ROLE"), "big") == ADMIN_ROLE
    assert int.from_bytes(call("platformOracle"), "big") == ops.ORACLE
    decimals = world.chain.call(ops.ROGUE, ops.TOKEN, "decimals", ())[1]
    assert int.from_bytes(decimals, "big") == 6


def test_the_worked_example_of_an_escrowed_order():
    """A has 12 kWh and asks 3 a kWh for 10; B has 100 and takes them: A ends with 30 and 2 kWh, B with 70 and 10."""
    world, kwh = World(), 10**6
    a, b = ops.HOMES[:2]

    def run(contract, function, sender, *arguments, now=ops.START):
        assert world.run(ops.Operation(contract, function, sender, arguments, now)) == ""

    run(ops.COIN, "mint", ops.ADMIN, b, 100 * kwh)
    run(ops.COIN, "approve", b, world.settlement.address, 100 * kwh)
    run(ops.SETTLEMENT, "fund", b, b, 100 * kwh)
    run(ops.SETTLEMENT, "registerInjection", ops.ORACLE, 1, a, 12 * kwh)
    run(ops.SETTLEMENT, "createOrder", a, 0, 10 * kwh, 3 * kwh, ops.START + 10)
    assert world.settlement.credits(a) == 2 * kwh
    run(ops.SETTLEMENT, "createOrder", b, 1, 10 * kwh, 4 * kwh, ops.START + 10)
    assert world.settlement.cash(b) == 60 * kwh
    run(ops.SETTLEMENT, "matchOrders", ops.ORACLE, 1, 0, 10 * kwh, now=ops.START + 9)
    s = world.settlement
    assert (s.cash(a), s.credits(a), s.cash(b), s.credits(b)) == (30 * kwh, 2 * kwh, 70 * kwh, 10 * kwh)


def test_a_coin_that_calls_back_is_stopped():
    chain = Chain(ops.ADMIN, ops.ORACLE, ops.OPERATOR, coin="ReentrantCoin")
    home, settlement = ops.HOMES[0], chain.account(ops.SETTLEMENT)

    def coin(function, *arguments):
        assert chain.call(home, "ReentrantCoin", function, arguments)[0]

    coin("mint", home, 1000)
    coin("approve", settlement, 1000)
    assert chain.call(home, ops.SETTLEMENT, "fund", (home, 500))[0]
    attack = call_data(ops.SETTLEMENT, "withdraw", (1,))
    raw = selector("ReentrantCoin", "arm") + encode((32, len(attack))) + attack.ljust(64, b"\0")
    chain.evm.message_call(address(home), chain.addresses["ReentrantCoin"], raw)
    guard = error_entry("ReentrancyGuardReentrantCall")[0]
    for function, arguments in (("withdraw", (5,)), ("fund", (home, 5))):
        assert chain.call(home, ops.SETTLEMENT, function, arguments) == (False, guard, [])
    assert chain.stored(("accountBalances", home)) == 500


def test_nobody_is_neither_oracle_nor_operator():
    from sunshare_sim.ledger.contract import Parties
    from sunshare_sim.ledger.erc20 import TestCoin
    from sunshare_sim.ledger.escrow import SettlementContract
    from sunshare_sim.ledger.words import Reverted, Storage

    for oracle, operator in ((0, 9), (9, 0)):
        with pytest.raises(Reverted, match="InvalidAccount") as failure:
            SettlementContract(Parties(1, 2, oracle, operator), TestCoin(ops.COIN, Storage()))
        with pytest.raises(RuntimeError, match=revert_data(failure.value).hex()):
            Chain(ops.ADMIN, oracle, operator)
