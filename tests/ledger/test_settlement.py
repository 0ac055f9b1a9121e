"""The ledger is the contract: same checks, same order, same words; what fails leaves no trace."""

import numpy as np
import pytest

from sunshare_sim.errors import LedgerError, SunShareError
from sunshare_sim.ledger import _settlement
from sunshare_sim.ledger.settlement import (
    NO_CREDITS,
    NO_MONEY,
    REASONS,
    SETTLED,
    Accounts,
    Ledger,
    Reverted,
    TradeExecuted,
    Trades,
    payment,
)

KWH = MONEY = 10**6
MAX = 2**63 - 1


def column(*values):
    return np.array(values, dtype=np.int64)


def trades(*rows):
    return Trades(*np.array(rows, dtype=np.int64).reshape(-1, 5).T.copy())


def snapshot(ledger):
    counters = (ledger.funded, ledger.withdrawn, ledger.minted, ledger.consumed, ledger.fed_in)
    return ledger.cash.tobytes(), ledger.credits.tobytes(), counters, frozenset(ledger._registered)


@pytest.fixture
def ledger():
    """Three homes with 100 each; home 0 has injected 12 kWh."""
    made = Ledger(3)
    for home in range(3):
        made.fund(home, 100 * MONEY)
    made.register_injections(0, column(12 * KWH, 0, 0))
    return made


def test_accounts_are_numbered_after_the_households():
    accounts = Accounts(5)
    assert (accounts.operator, accounts.retailer, accounts.escrow, accounts.oracle) == (5, 6, 7, 9)
    assert len(accounts) == 9
    names = [accounts.name(i) for i in (0, 4, 5, 6, 7, 8, 9)]
    assert names == ["household 0", "household 4", "operator", "retailer", "escrow", "treasury", "oracle"]


def test_worked_example_of_the_second_source(ledger):
    """GridTokenX: A has 12 kWh, B 100 GRX; 10 kWh at 3 GRX/kWh leave A 2 kWh and +30, B 10 kWh and 70."""
    cost = payment(10 * KWH, 3 * MONEY)
    event = ledger.settle_trade(ledger.oracle, 1, 0, 10 * KWH, cost)
    assert event == TradeExecuted(buyer=1, seller=0, energy=10_000_000, cost=30_000_000, wheeling=0)
    assert ledger.credits.tolist() == [2 * KWH, 10 * KWH, 0, 0, 0, 0, 0]
    assert ledger.cash.tolist() == [130 * MONEY, 70 * MONEY, 100 * MONEY, 0, 0, 0, 0]


def test_wheeling_goes_to_the_operator_in_the_same_step(ledger):
    ledger.settle_trade(ledger.oracle, 1, 0, KWH, 30 * MONEY, wheeling=2 * MONEY)
    assert ledger.cash.tolist() == [130 * MONEY, 68 * MONEY, 100 * MONEY, 2 * MONEY, 0, 0, 0]
    ledger.check_conservation()


@pytest.mark.parametrize(
    ("sender", "energy", "cost", "reason"),
    [
        # All three checks fail, then two, then one: the first in the source's order speaks.
        ("buyer", 13 * KWH, 101 * MONEY, "Unauthorized: Only SunShare Engine can execute"),
        ("oracle", 13 * KWH, 101 * MONEY, "Insufficient fiat balance"),
        ("oracle", 13 * KWH, 100 * MONEY, "Insufficient energy credits"),
    ],
)
def test_checks_come_in_the_sources_order_with_its_words(ledger, sender, energy, cost, reason):
    before = snapshot(ledger)
    who = {"buyer": 1, "oracle": ledger.oracle}[sender]
    with pytest.raises(Reverted, match=reason) as caught:
        ledger.settle_trade(who, 1, 0, energy, cost)
    assert caught.value.reason == reason
    assert snapshot(ledger) == before


def test_balances_may_be_used_to_the_last_unit(ledger):
    ledger.settle_trade(ledger.oracle, 1, 0, 12 * KWH, 99 * MONEY, wheeling=MONEY)
    assert ledger.credits[0] == ledger.cash[1] == 0


def test_money_check_covers_the_wheeling(ledger):
    with pytest.raises(Reverted, match="Insufficient fiat balance"):
        ledger.settle_trade(ledger.oracle, 1, 0, KWH, 100 * MONEY, wheeling=1)


@pytest.mark.parametrize("sender", [0, 3, 4, 5, 6, 8, -1])
def test_nobody_but_the_oracle_settles_a_batch(ledger, sender):
    before = snapshot(ledger)
    with pytest.raises(Reverted, match="Unauthorized: Only SunShare Engine can execute"):
        ledger.settle_batch(sender, trades((1, 0, KWH, MONEY, 0)))
    assert snapshot(ledger) == before


def test_batch_skips_what_fails_and_goes_on(ledger):
    batch = trades(
        (1, 0, 10 * KWH, 3 * MONEY, MONEY // 2),  # 30 and 5: settled
        (1, 0, 3 * KWH, MONEY, 0),  # only 2 kWh left
        (1, 2, KWH, 66 * MONEY, 0),  # 65 left; the money is looked at first
        (2, 1, 10 * KWH, 0, 0),  # credits just bought may be passed on
        (2, 0, 2 * KWH, 50 * MONEY, 1),  # 100 and two units of wheeling: one too few
        (2, 0, 2 * KWH, 50 * MONEY, 0),
    )
    status = ledger.settle_batch(ledger.oracle, batch)
    assert status.tolist() == [SETTLED, NO_CREDITS, NO_MONEY, SETTLED, NO_MONEY, SETTLED]
    assert [REASONS[s] for s in status[1:3]] == ["Insufficient energy credits", "Insufficient fiat balance"]
    assert ledger.cash.tolist() == [230 * MONEY, 65 * MONEY, 0, 5 * MONEY, 0, 0, 0]
    assert ledger.credits.tolist() == [0, 0, 12 * KWH, 0, 0, 0, 0]


def test_empty_batch_is_no_trade(ledger):
    before = snapshot(ledger)
    assert ledger.settle_batch(ledger.oracle, trades()).size == 0
    assert snapshot(ledger) == before


@pytest.mark.parametrize(
    "bad",
    [(3, 0, 1, 1, 0), (-1, 0, 1, 1, 0), (1, 3, 1, 1, 0), (1, -1, 1, 1, 0), (1, 0, 0, 1, 0), (1, 0, -1, 1, 0),
     (1, 0, 1, -1, 0), (1, 0, 1, 1, -1)],
)  # fmt: skip
def test_malformed_trade_is_named_and_nothing_happens(ledger, bad):
    before = snapshot(ledger)
    with pytest.raises(LedgerError, match="row 1: not a trade"):
        ledger.settle_batch(ledger.oracle, trades((1, 0, KWH, MONEY, 0), bad))
    assert snapshot(ledger) == before
    buyer, seller, energy, price, charge = bad
    with pytest.raises(LedgerError, match=r"unknown household|not an amount"):
        ledger.settle_trade(ledger.oracle, buyer, seller, energy, price, wheeling=charge)
    assert snapshot(ledger) == before


def test_columns_must_be_integers_of_one_length(ledger):
    good = trades((1, 0, KWH, MONEY, 0))
    for bad in (
        good._replace(energy=np.array([1.0])),
        good._replace(seller=np.array([0], dtype=np.int32)),
        good._replace(charge_micro=column()),
        good._replace(price_micro=column(1, 2)),
        Trades(*(values.reshape(1, 1) for values in good)),
    ):
        with pytest.raises(LedgerError, match="not one integer a trade"):
            ledger.settle_batch(ledger.oracle, bad)


def test_readings_of_a_slot_are_minted_once(ledger):
    before = snapshot(ledger)
    with pytest.raises(
        LedgerError, match=r"register_injections\(slot 0\): readings of this slot are already"
    ):
        ledger.register_injections(0, column(0, 1, 0))
    assert snapshot(ledger) == before
    ledger.register_injections(1, column(0, 1, 0))
    assert ledger.minted == 12 * KWH + 1


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        (column(5, -1, 0), "negative injection; got -1"),
        (column(MAX, 1, 0), f"more energy than int64 counts; got {MAX + 1}"),
        (column(MAX - 12 * KWH + 1, 0, 0), "more energy than int64 counts"),
        (column(1, 2), "not one integer a household"),
        (np.zeros(3), "not one integer a household"),
    ],
)
def test_impossible_injections_are_refused(ledger, energy, message):
    before = snapshot(ledger)
    with pytest.raises(LedgerError, match=message):
        ledger.register_injections(1, energy)
    assert snapshot(ledger) == before


def test_injections_may_fill_int64_to_the_last_unit(ledger):
    ledger.register_injections(1, column(MAX - 12 * KWH, 0, 0))
    ledger.check_conservation()
    assert ledger.credits[0] == MAX


def test_delivery_burns_all_credits(ledger):
    ledger.settle_batch(ledger.oracle, trades((1, 0, 5 * KWH, MONEY, 0), (2, 0, 4 * KWH, MONEY, 0)))
    ledger.deliver(column(-12 * KWH, 6 * KWH, 3 * KWH))
    # Home 1 uses all it bought; home 2 needs 3 of its 4 kWh; home 0's unsold 3 kWh and that one go to the grid.
    assert (ledger.consumed, ledger.fed_in) == (8 * KWH, 4 * KWH)
    assert not ledger.credits.any()
    ledger.check_conservation()
    with pytest.raises(LedgerError, match="deliver: not one integer a household"):
        ledger.deliver(column(0, 0))


def test_money_comes_in_and_goes_out(ledger):
    ledger.withdraw(0, 40 * MONEY)
    assert (ledger.funded, ledger.withdrawn, ledger.cash[0]) == (300 * MONEY, 40 * MONEY, 60 * MONEY)
    ledger.check_conservation()
    before = snapshot(ledger)
    with pytest.raises(Reverted, match="Insufficient fiat balance"):
        ledger.withdraw(0, 60 * MONEY + 1)
    for call in (ledger.fund, ledger.withdraw):
        for account, amount, message in ((7, 1, "unknown account"), (-1, 1, "unknown account"), (0, 0, "not an amount"),
                                         (0, -5, "not an amount")):  # fmt: skip
            with pytest.raises(LedgerError, match=message):
                call(account, amount)
    with pytest.raises(LedgerError, match="more money than int64 counts"):
        ledger.fund(0, MAX - 260 * MONEY + 1)
    assert snapshot(ledger) == before
    ledger.withdraw(1, 100 * MONEY)
    assert ledger.cash[1] == 0
    ledger.fund(0, MAX - 160 * MONEY)
    ledger.check_conservation()


@pytest.mark.parametrize("what", ["cash", "credits"])
@pytest.mark.parametrize("change", [{0: 1}, {5: -1}, {0: -(10**9), 1: 10**9}])
def test_conservation_notices_a_unit_too_many_and_a_debt(ledger, what, change):
    ledger.check_conservation()
    for account, amount in change.items():
        getattr(ledger, what)[account] += amount
    with pytest.raises(
        LedgerError, match={"cash": "money", "credits": "energy credits"}[what] + " not conserved"
    ):
        ledger.check_conservation()


def test_conservation_is_not_fooled_by_sums_that_wrap():
    ledger = Ledger(3)
    ledger.cash[:5] = [MAX, MAX, 2, 0, 0]  # 2**64 in all, which is 0 in int64
    with pytest.raises(LedgerError, match="money not conserved"):
        ledger.check_conservation()


def test_what_is_no_integer_is_refused_not_cut(ledger):
    before = snapshot(ledger)
    for call in (
        lambda: ledger.fund(0, 1.5),
        lambda: ledger.withdraw(0, 0.5),
        lambda: ledger.fund(0.0, 5),
        lambda: ledger.fund(0, "5"),
        lambda: ledger.settle_trade(ledger.oracle, 1, 0, 2.5, 1),
        lambda: ledger.settle_trade(ledger.oracle, 1, 0, 2, None),
    ):
        with pytest.raises(LedgerError, match="not an integer"):
            call()
    assert snapshot(ledger) == before
    ledger.fund(np.int64(0), np.int64(5))


def test_all_or_nothing_names_the_first_that_fails_and_changes_nothing(ledger):
    before = snapshot(ledger)
    with pytest.raises(Reverted, match=r"TradeFailed\(1, Insufficient energy credits\)") as caught:
        ledger.settle_all(ledger.oracle, trades((1, 0, 10 * KWH, MONEY, 0), (2, 0, 3 * KWH, MONEY, 0)))
    assert caught.value.arguments == (1, "Insufficient energy credits")
    assert snapshot(ledger) == before
    with pytest.raises(LedgerError, match="settle_all, row 1: not a trade"):
        ledger.settle_all(ledger.oracle, trades((1, 0, KWH, MONEY, 0), (9, 0, 1, 1, 0)))
    with pytest.raises(Reverted, match="Unauthorized"):
        ledger.settle_all(0, trades((1, 0, KWH, MONEY, 0)))
    assert snapshot(ledger) == before
    ledger.settle_all(ledger.oracle, trades((1, 0, 10 * KWH, MONEY, 0), (2, 0, 2 * KWH, MONEY, 0)))
    assert ledger.cash.tolist()[:3] == [112 * MONEY, 90 * MONEY, 98 * MONEY]


def test_a_pause_stops_all_but_withdrawing(ledger):
    admin = ledger.accounts.admin
    for sender in (0, ledger.oracle):
        with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
            ledger.pause(sender)
        with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
            ledger.set_oracle(sender, 1)
    with pytest.raises(Reverted, match="ExpectedPause"):
        ledger.unpause(admin)
    ledger.pause(admin)
    before = snapshot(ledger)
    batch = trades((1, 0, KWH, MONEY, 0))
    for call in (
        lambda: ledger.fund(0, 1),
        lambda: ledger.register_injections(1, column(1, 0, 0)),
        lambda: ledger.settle_trade(ledger.oracle, 1, 0, 1, 1),
        lambda: ledger.settle_batch(ledger.oracle, batch),
        lambda: ledger.settle_all(ledger.oracle, batch),
        lambda: ledger.deliver(column(0, 0, 0)),
        lambda: ledger.pause(admin),
    ):
        with pytest.raises(Reverted, match="EnforcedPause"):
            call()
    with pytest.raises(Reverted, match="Unauthorized"):  # the sender is looked at first
        ledger.settle_batch(0, batch)
    assert snapshot(ledger) == before
    ledger.withdraw(0, MONEY)
    ledger.unpause(admin)
    assert ledger.settle_batch(ledger.oracle, batch).tolist() == [SETTLED]


def test_another_oracle_settles_from_now_on(ledger):
    old = ledger.oracle
    ledger.set_oracle(ledger.accounts.admin, 77)
    with pytest.raises(Reverted, match="Unauthorized"):
        ledger.settle_batch(old, trades((1, 0, KWH, MONEY, 0)))
    assert ledger.settle_batch(77, trades((1, 0, KWH, MONEY, 0))).tolist() == [SETTLED]
    with pytest.raises(Reverted, match="InvalidAccount"):
        ledger.set_oracle(ledger.accounts.admin, -1)


def test_ledger_needs_a_household():
    with pytest.raises(SunShareError, match="no households"):
        Ledger(0)


@pytest.mark.parametrize(
    ("energy", "price"),
    [(2**32, 2**32), (2**33 - 1, 2**33 - 1),
     (1, 1), (999_999, 1), (10**6, 1), (3, 333_333), (3, 333_334), (2**31 - 1, 2**31 - 1), (2**31, 2**31),
     (2**31 - 1, 2**31), (MAX, 10**6), (10**6, MAX), (MAX, 10**6 + 1), (10**6 + 1, MAX), (10**6 - 1, MAX), (MAX, 1),
     (1, MAX), (MAX, 0), (MAX, MAX), (10**12 + 7, 9_223_372_036_854), (2 * 10**6, MAX // 2), (2 * 10**6, MAX // 2 + 1),
     (MAX - 1, 10**6), (1_999_999, MAX // 2), (3_037_000_499_976, 3_037_000_499_976), (10**15, 9_223_372_036)],
)  # fmt: skip
def test_payment_is_exact_or_refused(energy, price):
    exact = energy * price // 10**6
    assert payment(energy, price) == (exact if exact <= MAX else -1)


def test_amounts_beyond_int64_are_more_than_anyone_has():
    ledger = Ledger(2)
    ledger.fund(0, MAX)
    ledger.register_injections(0, column(0, MAX))
    before = snapshot(ledger)
    batch = trades(
        (0, 1, MAX, MAX, 0),  # cost beyond int64
        (0, 1, MAX, 0, MAX),  # wheeling beyond int64
        (0, 1, MAX, 10**6, 1),  # cost is all there is, wheeling on top
        (0, 1, 10**6, MAX, 1),  # their sum would wrap to a negative amount
    )
    assert ledger.settle_batch(ledger.oracle, batch).tolist() == [NO_MONEY] * 4
    assert snapshot(ledger) == before
    assert ledger.settle_batch(ledger.oracle, trades((0, 1, MAX, 10**6, 0))).tolist() == [SETTLED]
    assert (ledger.cash[1], ledger.credits[0]) == (MAX, MAX)
    ledger.check_conservation()


@pytest.mark.parametrize("cash", [1, 100 * MONEY, MAX])
def test_a_price_beyond_int64_never_passes_for_a_small_one(cash):
    ledger = Ledger(2)
    ledger.fund(0, cash)
    ledger.register_injections(0, column(0, MAX))
    batch = trades((0, 1, 2 * KWH, MAX, 0), (0, 1, 2 * KWH, 0, MAX), (0, 1, 2 * KWH, MAX, MAX))
    assert ledger.settle_batch(ledger.oracle, batch).tolist() == [NO_MONEY] * 3


def test_scalar_call_takes_amounts_beyond_int64(ledger):
    with pytest.raises(Reverted, match="Insufficient fiat balance"):
        ledger.settle_trade(ledger.oracle, 1, 0, KWH, 2**200)
    with pytest.raises(Reverted, match="Insufficient energy credits"):
        ledger.settle_trade(ledger.oracle, 1, 0, 2**200, 0)


def test_what_nobody_can_pay_is_worth_nothing():
    batch = trades((0, 1, 3 * KWH, 2 * MONEY, 0), (0, 1, 2 * KWH, MAX, 0), (1, 0, KWH, 1, 0))
    assert _settlement.worth(batch) == (4 * KWH, 6 * MONEY + 1)


def test_total_refuses_negative_and_too_large():
    assert _settlement.total(column()) == 0
    assert _settlement.total(column(MAX - 1, 1)) == MAX
    assert _settlement.total(column(MAX, 1)) == -1
    assert _settlement.total(column(2, -1)) == -1
