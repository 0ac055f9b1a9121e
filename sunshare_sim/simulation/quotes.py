"""What a slot's market showed: the best quotes of each pool, and which order made which trades."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sunshare_sim.simulation.state import State
from sunshare_sim.units import ASK, BID, MICRO, FloatArray, IntArray

Columns = dict[str, npt.NDArray[Any]]


def trades_on_arrival(state: State) -> IntArray:
    """Return how many trades each of the slot's orders made as it arrived; none where all are cleared at once."""
    taker = state.fills.taker
    return np.bincount(taker[taker >= 0], minlength=state.orders.owner.size)


def best_quotes(state: State) -> Columns:
    """Return the slot's rows of the table `quotes`: of all orders sent, and of those left in the end."""
    orders, pools = state.orders, len(state.charges)
    sent = _best(state, np.ones(orders.owner.size, dtype=bool))
    if state.book is None:
        left = orders.quantity.copy()
        for rows in (state.fills.bid_id, state.fills.ask_id):
            np.subtract.at(left, rows, state.fills.quantity)
        bid, ask = _best(state, left > 0)
    else:
        book = state.book
        bid, ask = (
            np.array([price(pool) or np.nan for pool in range(pools)]) * state.tick_micro / MICRO
            for price in (book.best_bid, book.best_ask)
        )
    return {
        "slot": np.full(pools, state.slot),
        "pool": np.arange(pools),
        "highest_bid_per_kwh": sent[0],
        "lowest_ask_per_kwh": sent[1],
        "best_bid_per_kwh": bid,
        "best_ask_per_kwh": ask,
    }


def _best(state: State, shown: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return the highest bid and the lowest ask of each pool [currency/kWh], NaN for none; shape [pools]."""
    orders, found = state.orders, []
    for side in (BID, ASK):
        rows = shown & (orders.side == side)
        best = np.full(len(state.charges), -np.inf)
        np.maximum.at(
            best, orders.pool[rows], (side * orders.price[rows] * state.tick_micro).astype(np.float64)
        )
        found.append(np.where(np.isfinite(best), side * best / MICRO, np.nan))
    return found[0], found[1]
