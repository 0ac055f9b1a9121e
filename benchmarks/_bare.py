# ruff: noqa: C901, PLR0912, PLR1714 -- an engine in one piece, which is its fastest form
"""The bare ladder: the least that a compiled order book of one pool can do, as a ruler for the machine.

Queues at prices and an identity for cancels; no owners, pools, charges, expiry, checks or tape beyond four numbers a
fill. What our book costs beyond it is the price of its rules.
"""

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.market.orders import Events
from sunshare_sim.units import IntArray


@kernel
def _bare(
    kinds: IntArray, ids: IntArray, sides: IntArray, prices: IntArray, quantities: IntArray, levels: int
) -> int:
    count = kinds.size
    left = np.zeros(count, dtype=np.int64)
    after = np.full(count, -1, dtype=np.int64)
    head = np.full(2 * (levels + 1), -1, dtype=np.int64)
    tail = np.full(2 * (levels + 1), -1, dtype=np.int64)
    fills = np.empty((count, 4), dtype=np.int64)
    bid, ask, new, done = 0, levels, 0, 0
    for row in range(count):
        if kinds[row] != 0:
            left[ids[row]] = 0
            continue
        quantity, price = quantities[row], prices[row]
        is_bid = sides[row] > 0
        while quantity > 0:
            best = ask if is_bid else bid
            if (is_bid and best > price) or (not is_bid and best < price) or best == 0 or best == levels:
                break
            place = 2 * best + (0 if is_bid else 1)
            maker = head[place]
            while maker >= 0 and quantity > 0:
                traded = min(quantity, left[maker])
                if traded > 0:
                    fills[done, 0], fills[done, 1], fills[done, 2], fills[done, 3] = maker, new, best, traded
                    done += 1
                    left[maker] -= traded
                    quantity -= traded
                if left[maker] == 0:
                    maker = after[maker]
            head[place] = maker
            if maker < 0:
                if is_bid:
                    ask += 1
                else:
                    bid -= 1
        if quantity > 0:
            place = 2 * price + (1 if is_bid else 0)
            left[new] = quantity
            if head[place] < 0:
                head[place] = new
            else:
                after[tail[place]] = new
            tail[place] = new
            if is_bid:
                bid = max(bid, price)
            else:
                ask = min(ask, price)
        new += 1
    return left.sum()


def bare_ladder(events: Events, levels: int) -> int:
    """Return the quantity at rest after a stream of one pool without self-trades."""
    return int(_bare(events.kind, events.order_id, events.side, events.price, events.quantity, levels))
