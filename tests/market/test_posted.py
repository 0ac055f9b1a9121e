"""Posted offers against an obvious loop: one side posts, the other takes in order of arrival."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.market.mechanism import MarketRules, ReferencePrices, make_mechanism
from sunshare_sim.market.orders import Orders
from sunshare_sim.units import ASK, BID

GRID = ReferencePrices(30, 8)


def obvious(orders, charges, posting):
    """Return fills as (bid row, ask row, quantity, price), taker by taker."""
    left = orders.quantity.tolist()
    fills = []
    for taker in np.flatnonzero(orders.side != posting).tolist():
        while left[taker]:
            offers = []
            for offer in np.flatnonzero(orders.side == posting).tolist():
                bid, ask = (taker, offer) if posting == ASK else (offer, taker)
                charge = charges[orders.pool[bid], orders.pool[ask]]
                if left[offer] and charge >= 0 and orders.price[bid] - charge >= orders.price[ask]:
                    price = orders.price[ask] if posting == ASK else orders.price[bid] - charge
                    cost = price + charge if posting == ASK else -price
                    offers.append((cost, charge, offer, bid, ask, price))
            if not offers:
                break
            _, _, offer, bid, ask, price = min(offers)
            amount = min(left[taker], left[offer])
            fills.append((bid, ask, amount, int(price)))
            left[taker] -= amount
            left[offer] -= amount
    return fills


@pytest.mark.parametrize(("name", "posting"), [("posted_seller", ASK), ("posted_buyer", BID)])
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([BID, ASK]), st.integers(0, 1), st.integers(10, 14), st.integers(1, 5)),
        min_size=1,
        max_size=15,
    ),
    st.lists(st.integers(-1, 2), min_size=4, max_size=4),
)
def test_takers_take_the_best_offers_in_order_of_arrival(name, posting, rows, charges):
    orders = Orders(np.arange(len(rows)), *np.array(rows, dtype=np.int64).T.copy())
    matrix = np.array(charges, dtype=np.int64).reshape(2, 2)
    fills = make_mechanism(name, MarketRules(2, matrix, 64)).clear(orders, GRID).fills
    columns = (fills.bid_id, fills.ask_id, fills.quantity, fills.price)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == obvious(
        orders, matrix, posting
    )
    takers = fills.bid_id if posting == ASK else fills.ask_id
    assert fills.taker.tolist() == takers.tolist()
