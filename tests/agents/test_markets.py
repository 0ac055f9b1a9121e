"""Where no trade crosses, each market is what it would be alone: its orders, its trades, what its homes hear."""

import numpy as np
import pytest

from sunshare_sim.agents.markets import Markets
from sunshare_sim.agents.rounds import Ground, publish, trade_in_rounds
from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.rowstreams import rows_of
from sunshare_sim.simulation.state import Desk
from sunshare_sim.streams import stream

HOMES, SLOTS, CAP, TICK = 24, 6, 60, 5_000
POOL = np.arange(HOMES) % 4
OF_POOL = np.array([0, 1, 0, 1])
APART = np.where(OF_POOL[:, None] == OF_POOL, 2, -1)


def traded(strategy, rows, markets=None):
    """Return fills and orders, by number of the home in the whole, of the homes in `rows` trading by themselves."""
    pools, pool = np.unique(POOL[rows], return_inverse=True)
    charges = APART[np.ix_(pools, pools)].astype(np.int64)
    book = OrderBook(charges, price_levels=CAP + 1)
    groups = [rows] if markets is None else [np.flatnonzero(OF_POOL[POOL] == each) for each in range(2)]
    seats = []
    for own in groups:
        rng = rows_of(stream(1, "s"), own, HOMES)
        memory = strategy.start(own.size, rows_of(stream(1, "s", "start"), own, HOMES))
        seats.append(Desk("all", np.searchsorted(rows, own), strategy, rng, memory))
    meters, arrival, last, found = (
        stream(2, "meters"),
        stream(3, "arrival"),
        (0.2, publish(*nothing(), TICK)),
        [],
    )
    for slot in range(SLOTS):
        net = meters.integers(-2_000_000, 2_000_000, HOMES)[rows]
        ground = Ground(slot, 1.0, net, np.zeros(rows.size), pool, charges, 300_000, 100_000, TICK, CAP, 1)

        def order():
            return np.searchsorted(rows, [home for home in arrival.permutation(HOMES) if home in rows])

        result = trade_in_rounds(book, ground, seats, order, rounds=4, last=markets or last)
        last = result.last_price, result.tape
        found.append((result.fills, result.orders))
    return [
        (rows[fills.buyer], rows[fills.seller], fills.quantity, fills.price, rows[orders.owner], orders.price)
        for fills, orders in found
    ]


def nothing():
    return Orders(*np.empty((5, 0), dtype=np.int64)), Fills.empty()


@pytest.mark.parametrize("name", ["zip", "zi_c", "gd", "mgd", "roth_erev"])
def test_each_of_two_markets_is_what_it_is_alone(name):
    strategy = make_strategy(name)
    markets = Markets.opened(OF_POOL, POOL, (0, 1), 0.2)
    together = traded(strategy, np.arange(HOMES), markets)
    for market in range(2):
        rows = np.flatnonzero(OF_POOL[POOL] == market)
        alone = traded(strategy, rows)
        for mine, theirs in zip(alone, together, strict=True):
            sold = np.isin(theirs[0], rows)
            sent = np.isin(theirs[4], rows)
            kept = (*(column[sold] for column in theirs[:4]), *(column[sent] for column in theirs[4:]))
            assert all(np.array_equal(*pair) for pair in zip(mine, kept, strict=True))
    assert sum(slot[0].size for slot in together) > 20


def test_taker_names_a_row_of_the_slots_orders():
    """Each fill's taker is an order of its buyer or seller, in whatever round it was sent."""
    strategy = make_strategy("zi_c")
    charges = np.zeros((1, 1), dtype=np.int64)
    book, rng = OrderBook(charges, price_levels=CAP + 1), stream(1, "s")
    seat = Desk("all", slice(0, HOMES), strategy, rng)
    net = stream(2, "meters").integers(-2_000_000, 2_000_000, HOMES)
    zeros = np.zeros(HOMES, dtype=np.int64)
    ground = Ground(0, 1.0, net, zeros * 1.0, zeros, charges, 300_000, 100_000, TICK, CAP, 1)
    result = trade_in_rounds(book, ground, [seat], lambda: np.arange(HOMES), rounds=6)
    taker = result.orders.owner[result.fills.taker]
    assert np.all((taker == result.fills.buyer) | (taker == result.fills.seller))
    assert np.all(np.diff(result.fills.taker) >= 0)
    assert result.fills.taker.max() >= HOMES  # some in later rounds
