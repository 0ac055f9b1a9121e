"""The fast path on int64 arrays and the scalar twin of the contract give the same bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.chain import receipts_array, receipts_bytes
from sunshare_sim.ledger.contract import Parties, TradeCall
from sunshare_sim.ledger.erc20 import TestCoin
from sunshare_sim.ledger.escrow import ASK, BID, SettlementContract
from sunshare_sim.ledger.settlement import Accounts, Ledger, Trades, payment
from sunshare_sim.ledger.words import LARGEST_WORD, Reverted, Storage
from tests.reference.ledger import pay

HOMES = 4
ORACLE, ADMIN, OPERATOR, CONTRACT = 100, 101, HOMES + 1, 103
MAX = 2**63 - 1
home = st.integers(0, HOMES - 1)
energy = st.one_of(st.integers(1, 9), st.integers(1, 3 * 10**6), st.integers(1, MAX))
price = st.one_of(st.integers(0, 9), st.integers(0, 2 * 10**6), st.integers(0, MAX))
trade = st.tuples(home, home, energy, price, price)
balances = st.lists(
    st.one_of(st.integers(0, 5 * 10**6), st.integers(0, MAX // HOMES)), min_size=HOMES, max_size=HOMES
)


def account(row):
    """Return the address of a row: no one has address 0."""
    return row + 1


def contract_with(cash, stock):
    coin = TestCoin("TestCoin", Storage())
    made = SettlementContract(Parties(CONTRACT, ADMIN, ORACLE, OPERATOR), coin)
    coin.mint(ADMIN, ADMIN, LARGEST_WORD)
    coin.approve(ADMIN, CONTRACT, LARGEST_WORD)
    for row, (money, energy_) in enumerate(zip(cash, stock, strict=True)):
        if money:
            made.fund(ADMIN, account(row), money)
        if energy_:
            made.register_injection(ORACLE, row, account(row), energy_)
    return made


@given(balances, balances, st.lists(trade, max_size=30))
def test_the_kernel_gives_the_same_bytes_as_the_contract(cash, stock, rows):
    fast, exact = Ledger(HOMES), contract_with(cash, stock)
    for row, money in enumerate(cash):
        if money:
            fast.fund(row, money)
    fast.register_injections(0, np.array(stock))
    trades = Trades(*np.array(rows, dtype=np.int64).reshape(-1, 5).T.copy())
    calls = tuple(TradeCall(account(b), account(s), e, pay(e, p), pay(e, c)) for b, s, e, p, c in rows)
    status = fast.settle_batch(fast.oracle, trades)
    expected = np.array(exact.settle_batch_skipping(ORACLE, calls), dtype=np.int64)
    assert receipts_bytes(receipts_array(0, trades, status)) == receipts_bytes(
        receipts_array(0, trades, expected)
    )
    for row in range(HOMES + 1):
        assert fast.cash[row] == exact.cash(account(row))
        assert fast.credits[row] == exact.credits(account(row))


@given(balances, balances, st.lists(trade, max_size=6))
def test_all_or_nothing_leaves_all_or_nothing(cash, stock, rows):
    whole, single = contract_with(cash, stock), contract_with(cash, stock)
    calls = tuple(TradeCall(account(b), account(s), e, pay(e, p), 0) for b, s, e, p, _ in rows)
    before, events = {k: v for k, v in whole.storage.words.items() if v}, list(whole.storage.events)
    try:
        whole.settle_batch(ORACLE, calls)
    except Reverted as failure:
        index, reason = failure.arguments
        for call in calls[:index]:
            single.settle_trade(ORACLE, *call[:4])
        with pytest.raises(Reverted, match=reason):
            single.settle_trade(ORACLE, *calls[index][:4])
        assert {k: v for k, v in whole.storage.words.items() if v} == before
        assert whole.storage.events == events
    else:
        for call in calls:
            single.settle_trade(ORACLE, *call[:4])
        assert whole.storage.words == single.storage.words
        assert whole.storage.events == single.storage.events


pairs = st.lists(trade, min_size=1, max_size=3)
calls = st.one_of(
    st.tuples(st.sampled_from(["skipping", "all"]), st.sampled_from([ORACLE, ADMIN, 7]), pairs),
    st.tuples(st.sampled_from(["pause", "unpause"]), st.sampled_from([ORACLE, ADMIN]), st.none()),
    st.tuples(st.just("oracle"), st.sampled_from([ORACLE, ADMIN]), st.sampled_from([ORACLE, 7])),
    st.tuples(
        st.sampled_from(["fund", "withdraw"]), home, st.one_of(st.integers(1, 9), st.integers(1, 10**7))
    ),
)


def on_contract(contract, kind, sender, argument):
    if kind in ("skipping", "all"):
        rows = tuple(TradeCall(account(b), account(s), e, pay(e, p), pay(e, c)) for b, s, e, p, c in argument)
        call = contract.settle_batch_skipping if kind == "skipping" else contract.settle_batch
        return call(sender, rows)
    if kind == "fund":
        return contract.fund(ADMIN, account(sender), argument)
    if kind == "withdraw":
        return contract.withdraw(account(sender), argument)
    return contract.set_oracle(sender, argument) if kind == "oracle" else getattr(contract, kind)(sender)


def on_arrays(ledger, kind, sender, argument):
    if kind in ("skipping", "all"):
        trades = Trades(*np.array(argument, dtype=np.int64).T.copy())
        if kind == "skipping":
            return ledger.settle_batch(sender, trades).tolist()
        return ledger.settle_all(sender, trades)
    if kind in ("fund", "withdraw"):
        return getattr(ledger, kind)(sender, argument)
    return ledger.set_oracle(sender, argument) if kind == "oracle" else getattr(ledger, kind)(sender)


@given(balances, balances, st.lists(calls, max_size=12))
def test_both_paths_agree_call_by_call_paused_rotated_or_whole(cash, stock, history):
    """Same answer, or same revert with the same arguments and no trace, after every call of a random history."""
    fast, exact = Ledger(HOMES), contract_with(cash, stock)
    fast.accounts = Named(HOMES)
    fast.oracle = ORACLE
    for row, money in enumerate(cash):
        if money:
            fast.fund(row, money)
    fast.register_injections(0, np.array(stock))
    for call in history:
        outcomes = []
        for side, path in ((exact, on_contract), (fast, on_arrays)):
            try:
                outcomes.append(("ok", path(side, *call)))
            except Reverted as failure:
                outcomes.append((failure.reason, failure.arguments))
        assert outcomes[0] == outcomes[1], call
        assert [fast.cash[row] for row in range(HOMES + 1)] == [
            exact.cash(account(r)) for r in range(HOMES + 1)
        ]
        assert [fast.credits[r] for r in range(HOMES + 1)] == [
            exact.credits(account(r)) for r in range(HOMES + 1)
        ]
        fast.check_conservation()


class Named(Accounts):
    """Accounts whose administrator has the contract's address."""

    admin = ADMIN


@pytest.mark.parametrize("amount", [-1, 2**256])
def test_what_is_no_word_is_refused(amount):
    contract = contract_with([5] * HOMES, [5] * HOMES)
    for call in (
        lambda: contract.settle_trade(ORACLE, 1, 2, amount, 0),
        lambda: contract.withdraw(1, amount),
        lambda: contract.settle_batch(ORACLE, (TradeCall(1, 2, 0, amount, 0),)),
        lambda: contract.create_order(1, ASK, 1, amount, 10),
    ):
        with pytest.raises(LedgerError, match="not a word") as failure:
            call()
        assert not isinstance(failure.value, Reverted)


def test_amounts_beyond_int64_are_exact():
    contract = contract_with([2**200, 0, 0, 0], [0, 2**200, 0, 0])
    contract.settle_trade(ORACLE, 1, 2, 2**199 + 1, 2**100 + 1)
    assert (contract.cash(1), contract.cash(2)) == (2**200 - 2**100 - 1, 2**100 + 1)
    assert contract.credits(1) == 2**199 + 1


def test_of_a_filled_bid_the_rest_comes_back():
    """A bid of 3 units at 0.999999 locks 2; three fills of one unit cost 0 each."""
    contract = contract_with([10, 0, 0, 0], [0, 10, 0, 0])
    bid = contract.create_order(1, BID, 3, 999_999, 50)
    ask = contract.create_order(2, ASK, 10, 999_999, 50)
    assert contract.cash(1) == 8
    for _ in range(3):
        contract.match_orders(ORACLE, bid, ask, 1)
    assert (contract.cash(1), contract.cash(2), contract.credits(1)) == (10, 0, 3)
    contract.now = 50
    contract.expire_order(99, ask)
    assert contract.credits(2) == 7


def test_a_payment_is_the_contracts_own():
    assert payment(3, 999_999) == 3 * 999_999 // 10**6 == 2


def test_the_message_of_a_revert_says_who_and_how_much():
    contract = contract_with([5, 0, 0, 0], [0, 0, 0, 0])
    with pytest.raises(Reverted, match="account 0x1: Insufficient fiat balance; got 5; expected at least 6"):
        contract.withdraw(1, 6)
    contract.register_injection(ORACLE, 7, 1, 1)
    with pytest.raises(Reverted, match=r"ReadingAlreadyRegistered\(7\)"):
        contract.register_injection(ORACLE, 7, 1, 1)
