"""Any tariff, any flows: parts add up to the bill, accounts to nothing, and a clerk comes to the same numbers."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.ledger.account import Account
from sunshare_sim.ledger.billing import (
    Accumulators,
    Bills,
    RetailParts,
    bill_slot,
    counterparties,
    make_bills,
)
from sunshare_sim.ledger.settlement import NO_MONEY, SETTLED, Trades
from sunshare_sim.ledger.terms import Terms, parse_terms, runs_of
from tests.reference import tariffs as clerk

GRID_SIDE = (
    "supply",
    "network",
    "network_fixed",
    "capacity",
    "export_charge",
    "levies",
    "tax",
    "standing",
    "feed_in",
)
MONEY = (*GRID_SIDE, "premium", "purchases", "sales", "wheeling", "losses")
SMALL = st.integers(0, 400_000)
PPM = st.sampled_from([0, 50_000, 190_000, 1_000_000])
KWH = st.integers(0, 6_000_000)


@st.composite
def tariffs(draw):
    covered = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    slots = sum(covered)
    prices = [draw(st.lists(SMALL, min_size=slots, max_size=slots)) for _ in range(2)]
    window = draw(st.lists(st.booleans(), min_size=slots, max_size=slots))
    return Terms(
        slot_minutes=draw(st.sampled_from([15, 60])),
        periods=tuple((n, n + draw(st.integers(0, 3))) for n in covered),
        network=runs_of(np.array(prices[0])),
        levies=runs_of(np.array(prices[1])),
        vat_ppm=(draw(PPM), draw(PPM), draw(PPM)),
        tiers=tuple(
            draw(st.lists(st.tuples(st.integers(0, 2), KWH, st.integers(-100_000, 300_000)), max_size=3))
        ),
        network_fixed_micro=draw(SMALL),
        capacity_micro=draw(SMALL),
        export_charge_micro=draw(SMALL),
        export_free_micro=draw(KWH),
        export_window=runs_of(np.array(window, dtype=np.int64)),
        credit_against=draw(st.sampled_from(["", "retail", "supply"])),
        settlement_periods=draw(st.integers(1, 3)),
        excess_ppm=draw(PPM),
        premium_micro=draw(st.sampled_from([0, 110_000])),
        zones=(0, 0, 1),
        near=((1, 0), (0, 1)),
    ), [list(each) for each in zip(*prices, window, strict=True)]


@given(tariffs(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_clerk_comes_to_the_same_bill(tariff, data):
    terms, prices = tariff
    parts = RetailParts(1, 1, 190_000, data.draw(SMALL))
    sums, account = Accumulators.zeros(3), Account(terms, 3)
    with_market, alone = [[[] for _ in range(3)] for _ in range(2)]
    premium = [0, 0, 0]
    for network, levies, window in prices:
        net = np.array(data.draw(st.lists(st.integers(-2_000_000, 2_000_000), min_size=3, max_size=3)))
        grid = data.draw(st.integers(-50_000, 500_000)), data.draw(st.integers(-50_000, 300_000))
        rows = data.draw(
            st.lists(
                st.tuples(
                    st.sampled_from([(0, 1), (1, 2), (2, 0)]), st.integers(1, 900_000), SMALL, st.booleans()
                ),
                max_size=3,
            )
        )
        columns = [[pair[0] for pair, *_ in rows], [pair[1] for pair, *_ in rows], [r[1] for r in rows],
                   [r[2] for r in rows], [7] * len(rows)]  # fmt: skip
        trades = Trades(*(np.array(column, dtype=np.int64) for column in columns))
        status = np.array([SETTLED if row[3] else NO_MONEY for row in rows], dtype=np.int64)
        bill_slot(sums, net, trades, status, grid)
        account.take(sums, net, trades, status)
        for home in range(3):
            rest = int(net[home]) - int(sums.bought[home]) + int(sums.sold[home])
            for book, flow in ((with_market, rest), (alone, int(net[home]))):
                book[home].append((max(flow, 0), max(-flow, 0), *grid, network, levies, window))
        for (buyer, seller), energy, _, settled in rows:
            if settled and terms.near[terms.zones[buyer]][terms.zones[seller]]:
                premium[seller] += energy * terms.premium_micro // 10**6
    bills = make_bills(sums, parts, account)
    for home in range(3):
        expected = clerk.bill(with_market[home], terms, parts.standing_micro)
        for name in GRID_SIDE:
            assert int(getattr(bills, name)[home]) == expected[name], name
        without = clerk.bill(alone[home], terms, parts.standing_micro)
        assert int(bills.counterfactual_total[home]) == sum(without.values())
        networks = ("network", "network_fixed", "capacity", "export_charge")
        assert int(bills.counterfactual_network[home]) == sum(without[name] for name in networks)
        assert int(bills.premium[home]) == -premium[home]
    check_sums(bills, parts.vat_ppm)


def check_sums(bills: Bills, vat_ppm):
    assert (sum(getattr(bills, name) for name in MONEY) == bills.total).all()
    assert sum(counterparties(bills, vat_ppm).values()) == int(bills.total.sum())


@given(tariffs())
def test_terms_come_back_from_json(tariff):
    terms = tariff[0]
    told = json.loads(json.dumps(terms._asdict()))
    assert parse_terms(told, slots=terms.slots, households=3) == terms
