"""Random books that are hard on a market mechanism, and the best that can be made of a book."""

from typing import Final

import numpy as np

from sunshare_sim.market.mechanism import PRICINGS, MarketRules
from sunshare_sim.market.orders import Orders
from sunshare_sim.units import ASK, BID

PRICE_LEVELS: Final = 64


def random_rules(rng: np.random.Generator, most_pools: int) -> MarketRules:
    """Return a market of some pools with charges of which some are equal and some forbidden; one pool alone is free."""
    pools = int(rng.integers(1, most_pools + 1))
    charges = rng.choice([0, 1, 2, 5, 9, 14], size=(pools, pools))
    charges[
        rng.random((pools, pools)) < rng.choice([0.1, 0.6])
    ] = -1  # scarce pairs make long chains of pools
    if most_pools == 1:
        charges[:] = 0
    pricing = PRICINGS[int(rng.integers(3))]
    return MarketRules(
        pools, charges.astype(np.int64), PRICE_LEVELS, pricing, float(rng.choice([0, 0.3, 0.5, 1]))
    )


def random_book(rng: np.random.Generator, pools: int, kind: int) -> tuple[Orders, int]:
    """Return a book of one of ten kinds, and a unit that divides all its quantities."""
    bids, asks = (int(n) for n in rng.integers(2, 31 if kind in {8, 9} else 11, 2))
    if kind == 0:  # at times nothing, one order, or one side only
        bids, asks = (int(n) for n in rng.integers(0, 2, 2) * rng.integers(1, 4, 2))
    count = bids + asks
    lowest, highest = (
        (20, 24) if kind in {1, 2, 5, 6} else (1, PRICE_LEVELS)
    )  # few prices: ties at the margin
    unit = (100_000, 100_000, 1, 1, 100_000, 1, 1_000_000, 10**13, 100_000, 1)[kind]
    most = (20, 9, 2, 1, 50, 1000, 9, 100, 1, 100_000)[kind]
    owners = count if kind not in {4, 5} else max(2, count // 3)
    owner = rng.permutation(count) if owners == count else rng.integers(0, owners, count)
    side = rng.permutation(np.repeat([BID, ASK], [bids, asks]))
    return Orders(
        owner=owner.astype(np.int64),
        side=side.astype(np.int64),
        pool=rng.integers(0, pools, count),
        price=rng.integers(lowest, highest, count),
        quantity=rng.integers(1, most + 1, count) * unit,
    ), unit


def optimum(orders: Orders, rules: MarketRules, unit: int = 1) -> tuple[int, int]:
    """Return the highest welfare of a book and the most energy traded at it.

    A linear program over all pairs of orders, solved by HiGHS (Huangfu and Hall 2018, Math. Prog. Comp. 10,
    119-142). Half a tick is added to every gain: too little to make a losing unit trade, since cycles of the
    flow network cost whole ticks, and enough for those that gain nothing.

    Parameters
    ----------
    orders : Orders
        The book.
    rules : MarketRules
        For the charges.
    unit : int
        Divides all quantities; keeps the program's numbers small.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    bids, asks = np.flatnonzero(orders.side == BID), np.flatnonzero(orders.side == ASK)
    charge = rules.charges[np.ix_(orders.pool[bids], orders.pool[asks])]
    gain = orders.price[bids][:, None] - charge - orders.price[asks][None, :]
    bid, ask = np.nonzero((charge >= 0) & (gain >= 0))
    if not bid.size:
        return 0, 0
    pairs = np.arange(bid.size)
    rows = np.concatenate([bid, len(bids) + ask])
    matrix = coo_array((np.ones(2 * bid.size), (rows, np.concatenate([pairs, pairs]))))
    size = orders.quantity[np.concatenate([bids, asks])] // unit
    best = linprog(
        -(gain[bid, ask] + 0.5), A_ub=matrix.tocsr(), b_ub=size[: matrix.shape[0]], method="highs-ds"
    )
    amounts = np.rint(best.x).astype(np.int64).tolist()
    welfare = sum(g * x for g, x in zip(gain[bid, ask].tolist(), amounts, strict=True))
    return welfare * unit, sum(amounts) * unit
