"""Bills by hand: one home of each kind, every number worked out beside it."""

import numpy as np
import pytest

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.billing import (
    LIMIT,
    Accumulators,
    RetailParts,
    Settled,
    bill_slot,
    counterparties,
    make_bills,
)
from sunshare_sim.ledger.settlement import NO_MONEY, SETTLED, Trades

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


def test_negative_prices_are_refused():
    for prices in ((-1, 0), (0, -1)):
        with pytest.raises(LedgerError, match="negative price"):
            bill_slot(Accumulators.zeros(1), ints(0), NONE, ints(), prices)


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
