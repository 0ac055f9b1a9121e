"""Bills by hand: one home of each kind, every number worked out beside it."""

import numpy as np
import pytest

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.account import Account
from sunshare_sim.ledger.billing import (
    LIMIT,
    Accumulators,
    RetailParts,
    Settled,
    bill_losses,
    bill_slot,
    counterparties,
    make_bills,
)
from sunshare_sim.ledger.settlement import NO_MONEY, SETTLED, Trades
from sunshare_sim.ledger.terms import Terms, parse_terms

KWH = MONEY = 10**6
PRICES = (400_000, 80_000)  # 0.40 and 0.08 currency/kWh
PARTS = RetailParts(network_micro=100_000, levies_micro=50_000, vat_ppm=250_000, standing_micro=5 * MONEY)


def ints(*values):
    return np.array(values, dtype=np.int64)


def one_trade(energy, price, charge=0):
    return Trades(ints(0), ints(1), ints(energy), ints(price), ints(charge))


NONE = Trades(*(ints() for _ in range(5)))


def test_a_slot_by_hand():
    """Home 0 lacks 3 kWh and buys 2 at 0.20 + 0.01; home 1 has 5 kWh over; home 2 is even."""
    sums = Accumulators.zeros(3)
    net = ints(3 * KWH, -5 * KWH, 0)
    settled = bill_slot(sums, net, one_trade(2 * KWH, 200_000, 10_000), ints(SETTLED), PRICES)
    assert settled == Settled(energy=2 * KWH, trades=1, failed=0, value=400_000, wheeling=20_000)
    bills = make_bills(sums, PARTS)
    assert bills.import_energy.tolist() == [KWH, 0, 0]
    assert bills.export_energy.tolist() == [0, 3 * KWH, 0]
    assert bills.bought_energy.tolist() == [2 * KWH, 0, 0]
    assert bills.sold_energy.tolist() == [0, 2 * KWH, 0]
    assert bills.tax.tolist() == [80_000, 0, 0]  # 0.40 holds 25 % on 0.32
    assert bills.network.tolist() == [100_000, 0, 0]
    assert bills.levies.tolist() == [50_000, 0, 0]
    assert bills.supply.tolist() == [170_000, 0, 0]
    assert bills.standing.tolist() == [5 * MONEY] * 3
    assert bills.feed_in.tolist() == [0, -240_000, 0]
    assert bills.purchases.tolist() == [400_000, 0, 0]
    assert bills.sales.tolist() == [0, -400_000, 0]
    assert bills.wheeling.tolist() == [20_000, 0, 0]
    assert bills.total.tolist() == [5_820_000, 4_360_000, 5_000_000]
    assert bills.counterfactual_total.tolist() == [6_200_000, 4_600_000, 5_000_000]
    assert bills.counterfactual_network.tolist() == [300_000, 0, 0]
    assert bills.saving.tolist() == [380_000, 240_000, 0]
    # The standing charges of 15 hold 3 of VAT.
    received = counterparties(bills, PARTS.vat_ppm)
    assert received == {
        "operator": 100_000 + 20_000,
        "retailer": 170_000 + 12 * MONEY - 240_000,
        "state": 50_000 + 80_000 + 3 * MONEY,
    }


def test_a_failed_trade_leaves_its_energy_to_the_grid():
    sums = Accumulators.zeros(2)
    settled = bill_slot(sums, ints(KWH, -KWH), one_trade(KWH, 200_000), ints(NO_MONEY), PRICES)
    assert settled == Settled(energy=0, trades=0, failed=1, value=0, wheeling=0)
    bills = make_bills(sums, PARTS)
    assert bills.total.tolist() == bills.counterfactual_total.tolist() == [5_400_000, 4_920_000]


def test_without_trades_bills_are_retail_and_feed_in():
    sums = Accumulators.zeros(2)
    for _ in range(3):
        bill_slot(sums, ints(1, -7), NONE, ints(), PRICES)
    # A third of a unit is lost in each payment of a slot: 0.4 rounds down to 0, 0.56 too.
    assert (sums.retail.tolist(), sums.feed_in.tolist()) == ([0, 0], [0, 0])
    assert (sums.import_energy.tolist(), sums.export_energy.tolist()) == ([3, 0], [0, 21])
    assert not make_bills(sums, PARTS).saving.any()


def test_prices_change_with_the_slot():
    sums = Accumulators.zeros(1)
    for price in (300_000, 500_000):
        bill_slot(sums, ints(KWH), NONE, ints(), (price, 0))
    assert sums.retail.tolist() == sums.retail_alone.tolist() == [800_000]


def test_buying_more_than_needed_is_an_export():
    sums = Accumulators.zeros(2)
    bill_slot(sums, ints(KWH, -3 * KWH), one_trade(2 * KWH, 200_000), ints(SETTLED), PRICES)
    assert sums.export_energy.tolist() == [KWH, KWH]
    assert sums.import_energy.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("net", "trades", "prices"),
    [
        (ints(0, LIMIT), NONE, (0, 0)),
        (ints(0, -LIMIT), NONE, (0, 0)),
        (ints(0, -(2**63)), NONE, (0, 0)),
        (ints(0, LIMIT // 2), NONE, (2 * MONEY, 0)),
        (ints(0, -(LIMIT // 2)), NONE, (0, 2 * MONEY)),
        (ints(LIMIT // 2, -LIMIT // 2), one_trade(LIMIT // 2, 0), (0, 0)),
        (ints(2, -2), one_trade(LIMIT, 0), (0, 0)),
        (ints(2, -2), one_trade(1, LIMIT * MONEY), (0, 0)),
        (ints(2, -2), one_trade(1, 0, LIMIT * MONEY), (0, 0)),
        (ints(2, -2), one_trade(2 * KWH, 2**63 - 1), (0, 0)),
        (ints(2, -2), one_trade(2 * KWH, 0, 2**63 - 1), (0, 0)),
    ],
)
def test_amounts_that_could_leave_int64_in_time_are_refused(net, trades, prices):
    sums = Accumulators.zeros(2)
    with pytest.raises(LedgerError, match=r"household [01]: more energy or money in one slot"):
        bill_slot(sums, net, trades, np.zeros(trades.buyer.size, dtype=np.int64), prices)
    assert not any(column.any() for column in sums[2:])


def test_amounts_just_below_the_limit_are_exact():
    sums = Accumulators.zeros(2)
    bill_slot(sums, ints(LIMIT - 1, -(LIMIT // 2) + 1), NONE, ints(), (MONEY, 0))
    bill_slot(sums, ints(LIMIT // 2 - 1, 0), NONE, ints(), (2 * MONEY, 0))
    assert sums.retail.tolist() == [LIMIT - 1 + 2 * (LIMIT // 2 - 1), 0]


def test_below_zero_money_flows_the_other_way():
    sums = Accumulators.zeros(2)
    bill_slot(sums, ints(3 * KWH, -5 * KWH), NONE, ints(), (-100_000, -20_000))
    bills = make_bills(sums, RetailParts(0, 0, 0, 0))
    assert bills.supply.tolist() == [-300_000, 0]
    assert bills.feed_in.tolist() == [0, 100_000]
    assert bills.total.tolist() == bills.counterfactual_total.tolist() == [-300_000, 100_000]
    sums = Accumulators.zeros(2)  # amounts below a unit vanish, whichever way they would flow
    bill_slot(sums, ints(1, -1), NONE, ints(), (-400_000, -400_000))
    assert (sums.retail.tolist(), sums.feed_in.tolist()) == ([0, 0], [0, 0])


def test_losses_stand_on_both_bills_and_move_no_saving():
    """Home 0 pays for 0.5 kWh at 0.40 = 0.20, home 1 for 0.25 kWh: 0.10; of both a fifth is VAT of 25 %."""
    sums = Accumulators.zeros(3)
    bill_slot(sums, ints(3 * KWH, -5 * KWH, 0), one_trade(2 * KWH, 200_000), ints(SETTLED), PRICES)
    before = make_bills(sums, PARTS)
    assert bill_losses(sums, ints(KWH // 2, KWH // 4, 0), 400_000) == 300_000
    bills = make_bills(sums, PARTS)
    assert bills.losses.tolist() == [200_000, 100_000, 0]
    assert (bills.total - before.total).tolist() == [200_000, 100_000, 0]
    assert bills.saving.tolist() == before.saving.tolist()
    received, had = counterparties(bills, PARTS.vat_ppm), counterparties(before, PARTS.vat_ppm)
    assert {name: received[name] - had[name] for name in had} == {
        "operator": 0,
        "retailer": 240_000,
        "state": 60_000,
    }
    assert bill_losses(sums, ints(0, 0, 3), 400_000) == 1  # 1.2 units, rounded down


def test_a_home_that_relieves_the_wires_is_credited_and_below_zero_all_turns_round():
    for price, paid in ((400_000, [200_000, -100_000, -1]), (-400_000, [-200_000, 100_000, 1])):
        sums = Accumulators.zeros(3)
        assert bill_losses(sums, ints(KWH // 2, -KWH // 4, -3), price) == sum(paid)
        assert sums.losses.tolist() == paid


def test_losses_that_cannot_be_billed_are_refused():
    sums = Accumulators.zeros(2)
    for losses, price, what in (
        (ints(1, -LIMIT), 1, "household 1: a share of losses"),
        (ints(LIMIT, 0), 1, "household 0: a share of losses"),
        (ints(2, 0), LIMIT * MONEY, "household 0: a share of losses"),
        (ints(2, 0), -LIMIT * MONEY, "household 0: a share of losses"),
        (ints(1), 1, "not one share a home"),
    ):
        with pytest.raises(LedgerError, match=what):
            bill_losses(sums, losses, price)
    assert not sums.losses.any()


def month_terms(**changes):
    """One billing period of four slots of an hour, all flat, unless it is said otherwise."""
    flat = {"slot_minutes": 60, "periods": ((4, 4),), "network": ((4, 100_000),), "levies": ((4, 50_000),)}
    return Terms(**{**flat, "vat_ppm": (250_000,) * 3, **changes})


def billed(terms, *nets, prices=PRICES, parts=PARTS):
    """Return the bills of homes that have each slot's nets [kWh] and trade nothing."""
    sums, account = Accumulators.zeros(len(nets[0])), Account(terms, len(nets[0]))
    for net in nets:
        energy = ints(*(round(kwh * KWH) for kwh in net))
        bill_slot(sums, energy, NONE, ints(), prices)
        account.take(sums, energy, NONE, ints())
    return make_bills(sums, parts, account)


def test_terms_of_a_flat_tariff_change_nothing():
    nets = [(3.0, -5.0), (0.5, 1.25), (-1.0, 2.0), (4.0, 0.0)]
    sums = Accumulators.zeros(2)
    for net in nets:
        bill_slot(sums, ints(*(round(kwh * KWH) for kwh in net)), NONE, ints(), PRICES)
    plain, by_terms = make_bills(sums, PARTS), billed(month_terms(), *nets)
    assert [column.tolist() for column in plain] == [column.tolist() for column in by_terms]


def test_blocks_are_of_the_billing_period():
    """Above 2 kWh a period supply costs 0.10 more, of which VAT 25 %; two periods of two slots, 3 kWh and 1 kWh."""
    terms = month_terms(periods=((2, 2), (2, 2)), tiers=((0, 2 * KWH, 100_000),))
    bills = billed(terms, (2.0,), (1.0,), (0.5,), (0.5,))
    flat = billed(month_terms(), (2.0,), (1.0,), (0.5,), (0.5,))
    assert (bills.supply - flat.supply).tolist() == [100_000]
    assert (bills.tax - flat.tax).tolist() == [25_000]
    assert (bills.total - flat.total).tolist() == [125_000]


def test_the_peak_is_the_highest_import_of_each_period():
    """A quarter of an hour with 1 kWh is 4 kW: at 2 a kW 8; the second period has 0.5 kWh: 4; exports are no peak."""
    terms = month_terms(slot_minutes=15, periods=((2, 2), (2, 2)), capacity_micro=2 * MONEY)
    bills = billed(terms, (1.0,), (0.25,), (-9.0,), (0.5,))
    assert bills.capacity.tolist() == [12 * MONEY]


def test_credits_wait_for_the_settlement_and_then_end():
    """1.00 earned, nothing due; then twice 0.30 due: 0.40 is left after three periods, 0.70 after two, 1.00 after 1."""
    nets = [(-10.0,), (0.0,), (0.75,), (0.75,)]  # a kWh costs 0.40 and earns 0.10
    for periods, lost in ((3, 400_000), (1, 1_000_000), (2, 700_000)):
        terms = month_terms(
            periods=((2, 2), (1, 1), (1, 1)),
            credit_against="retail",
            settlement_periods=periods,
            excess_ppm=0,
        )
        bills = billed(terms, *nets, prices=(400_000, 100_000))
        assert bills.feed_in.tolist() == [lost - MONEY], periods
    half = terms._replace(excess_ppm=500_000, settlement_periods=1)
    assert billed(half, *nets, prices=(400_000, 100_000)).feed_in.tolist() == [-500_000]


def test_credits_against_supply_pay_no_network_charge():
    """Of 4 kWh at 0.40 supply is 0.17 with 25 % VAT 0.2125 a kWh: credits of 1.00 pay 0.85, the rest is lost."""
    terms = month_terms(credit_against="supply", excess_ppm=0)
    bills = billed(terms, (4.0,), (-10.0,), (0.0,), (0.0,), prices=(400_000, 100_000))
    assert bills.feed_in.tolist() == [-850_000]


def test_surplus_in_the_window_is_charged_beyond_what_is_free():
    """4 kWh fall in the window of the two middle slots, 1 is free: 3 at 0.02 and VAT 25 %."""
    window = ((1, 0), (2, 1), (1, 0))
    terms = month_terms(export_window=window, export_charge_micro=20_000, export_free_micro=KWH)
    bills = billed(terms, (-5.0,), (-3.0,), (-1.0,), (-5.0,))
    assert bills.export_charge.tolist() == [60_000]
    assert bills.tax.tolist() == [15_000]


def test_a_period_cut_short_counts_in_proportion():
    """Half a period: blocks, free surplus and the price of the peak are halved."""
    whole = month_terms(tiers=((0, 4 * KWH, 100_000),), capacity_micro=2 * MONEY, export_charge_micro=10_000,
                        export_free_micro=2 * KWH, export_window=((4, 1),))  # fmt: skip
    half = whole._replace(periods=((4, 8),))
    nets = [(3.0, -3.0), (3.0, 0.0), (0.0, 0.0), (0.0, 0.0)]
    assert billed(whole, *nets).capacity.tolist() == [6 * MONEY, 0]
    assert billed(half, *nets).capacity.tolist() == [3 * MONEY, 0]
    assert (billed(half, *nets).supply - billed(whole, *nets).supply).tolist() == [200_000, 0]
    assert billed(whole, *nets).export_charge.tolist() == [0, 10_000]
    assert billed(half, *nets).export_charge.tolist() == [0, 20_000]


def test_a_run_that_was_stopped_is_billed_to_where_it_came():
    terms = month_terms(capacity_micro=2 * MONEY)
    assert billed(terms, (3.0,), (1.0,)).capacity.tolist() == [6 * MONEY]
    assert billed(terms, (3.0,), (1.0,), (0.0,), (0.0,)).capacity.tolist() == [6 * MONEY]
    sums, account = Accumulators.zeros(1), Account(terms, 1)
    assert make_bills(sums, PARTS, account).capacity.tolist() == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": ((3, 1),)},
        {"levies": ()},
        {"vat_ppm": (1, 2)},
        {"periods": ((3, 3),)},
        {"periods": ((4, 3),)},
        {"slot_minutes": 0},
        {"tiers": ((3, 1, 1),)},
        {"credit_against": "all"},
        {"settlement_periods": 0},
        {"zones": (0,)},
        {"zones": (0, 1), "near": ((1,),)},
        {"zones": (0, 0), "near": ()},
        {"zones": (), "premium_micro": 1},
        {"near": ((1, 0),)},
        {"capacity_micro": 1.5},
        {"capacity_micro": 2**62},
        {"capacity_micro": True},
    ],
)
def test_terms_that_do_not_fit_are_refused(wrong):
    name = next(iter(wrong))
    with pytest.raises(LedgerError, match=rf"genesis\.json, terms\.{name}"):
        parse_terms({**month_terms()._asdict(), **wrong}, slots=4, households=2)


def test_terms_come_back():
    terms = month_terms(premium_micro=3, zones=(0, 1), near=((1, 0), (0, 1)), credit_against="supply")
    assert parse_terms(terms._asdict(), slots=4, households=2) == terms


def test_arrays_of_another_size_are_refused():
    for net, status in ((ints(0, 0), ints(0)), (ints(0), ints())):
        with pytest.raises(LedgerError, match="net or status of another size"):
            bill_slot(Accumulators.zeros(1), net, one_trade(1, 1), status, PRICES)


def test_parts_of_a_huge_bill_do_not_wrap():
    sums = Accumulators.zeros(1)
    sums.import_energy[0], sums.retail[0] = 10**18, 4 * 10**17
    bills = make_bills(sums, PARTS)
    assert bills.network.tolist() == [10**17]
    assert bills.tax.tolist() == [4 * 10**17 * 250_000 // 1_250_000]
    assert counterparties(bills, PARTS.vat_ppm)["operator"] == 10**17


def test_bills_stay_what_they_were():
    sums = Accumulators.zeros(2)
    slot = ints(3 * KWH, -3 * KWH), one_trade(KWH, 200_000, 10_000), ints(SETTLED), PRICES
    bill_slot(sums, *slot)
    bills = make_bills(sums, PARTS)
    before = [column.tolist() for column in bills]
    bill_slot(sums, *slot)
    assert [column.tolist() for column in bills] == before
