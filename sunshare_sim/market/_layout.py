"""The order book's kernel: the whole matching of a batch of messages, compiled, on flat integer arrays.

A price becomes a *rung*: the ask's price itself, or `price_levels - price` of a bid, so that on both sides the best
order has the lowest rung and one code serves both. An order that may reach up to rung r of the other side takes from
pool o while rung[o] + charge[o] <= r. A *ladder* is one side of one pool; its rungs hold queues, bitmaps find the next
rung in use. The best rung of every ladder and every charge are stored as `value << shift`, the charge also in the low
bits: the smallest sum over the pools is the lowest landed price and, among those, the lowest charge.

An order is known by the index of its first field in one flat array, 64 bytes or one line of the processor's cache each.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Queues = npt.NDArray[np.int32]

# Fields of an order; the orders stand in order of id, and one with quantity 0 is dead
QUANTITY: Final = 0
TIME: Final = 1
OWNER: Final = 2
RUNG: Final = 3  # ladder << shift | rung
NEXT: Final = 4  # who stands behind; in the upper half who stands some places further, as a hint or 0
PREVIOUS: Final = 5
ID: Final = 6
EXPIRY: Final = 7
ORDER_BITS: Final = 3
ORDER_FIELDS: Final = 1 << ORDER_BITS
NOBODY: Final = (
    0  # the first order is none: it ends every queue, and what is written to its neighbours goes there
)

# Scalars of the book, kept in one array between calls
PRICE_LEVELS: Final = 0
SHIFT: Final = 1
POOLS: Final = 2
PRICING: Final = 3
RATE: Final = 4  # orders an owner may send in a slot; 0 = any number
CAPPED: Final = 5  # 1 when pairs have a capacity
TREED: Final = 6  # 1 when the charges are a tree
FAR: Final = 7  # orders at rest, above which the neighbours in a queue are far from each other in memory
USED: Final = 8  # where the next order would go
OLD: Final = 9  # where the orders end that the last compaction moved together
OLD_ID: Final = 10  # id of the first order after them
NEXT_ID: Final = 11
CLOCK: Final = 12
LIVE: Final = 13  # orders at rest
OPEN: Final = 14  # sum of their quantities
FIRST_EXPIRY: Final = 15  # no resting order expires before this
REJECTED: Final = 16
FILLS: Final = 17  # fills in the buffer
REMOVED: Final = 18  # orders removed by the last cancel or expiry
STATE_FIELDS: Final = 19

# Fields of a node of the tree of pools: first the pool with the best bid (0) and ask (1) in it, or -1
PARENT: Final = 2
CHILD: Final = 3  # the first one
SIBLING: Final = 4  # the next child of the same parent
STEP: Final = 5  # the charge inside the node, as in `charges`
GROUP: Final = 6  # the parent without the helpers between, which have the same charge
FAMILY_FIELDS: Final = 7

EVENT_FIELDS: Final = 9  # as in orders.Events
FILL_FIELDS: Final = 8  # as in orders.Fills
NOTHING: Final = 1 << 60  # best rung of an empty ladder; charge of a forbidden pair
WORD: Final = 5  # a word of the bitmaps holds 2**5 rungs, so that plain Python's integers never overflow
NEVER: Final = 2**63 - 1
MOST_ORDERS: Final = (1 << 26) - 256  # at rest: four times as many must be counted in an int32
LOW: Final = (1 << 32) - 1
FAR_FROM: Final = 1 << 15
AHEAD: Final = 16  # events
MOST_OWNERS: Final = 1 << 24  # with a rate limit, which keeps a count for every owner

PRICE_ASK: Final = 0
PRICE_RESTING: Final = 1
PRICE_MIDPOINT: Final = 2
