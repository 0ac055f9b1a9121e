"""Message streams for the order book's benchmarks: seeded, checksummed, the same for every engine.

S (steady): both sides normal around one price, cancels of random living orders hold about 1 100 orders at rest.
D (deep): the same arrivals spread wider and cancelled rarely, so that the book grows through the run.
"""

import zlib
from typing import NamedTuple

import numpy as np

from sunshare_sim.market import ASK, BID, Events, OrderBook
from sunshare_sim.market.orders import CANCEL, GTC, NEVER, SUBMIT
from sunshare_sim.streams import stream
from sunshare_sim.units import IntArray

LEVELS = 2048
MIDDLE = 1024


class Shape(NamedTuple):
    """How a stream looks: spread of the prices, gap between the sides, cancels at 1 000 orders at rest."""

    spread: float
    gap: float
    cancels: float
    grows: bool


STEADY = Shape(spread=12.0, gap=0.0, cancels=0.15, grows=False)
DEEP = Shape(spread=80.0, gap=40.0, cancels=0.05, grows=True)


def tree_charges(pools: int, branches: int = 4) -> IntArray:
    """Charges of a tree tariff: nothing at home, then 4 ticks for each level two pools are apart."""
    number = np.arange(pools)
    charges = np.zeros((pools, pools), dtype=np.int64)
    group = number
    while group.any():
        charges += 4 * (group[:, None] != group[None, :])
        group = group // branches
    return charges


def general_charges(pools: int, seed: int = 1) -> IntArray:
    """Charges without structure: 1 to 24 ticks between any two pools, nothing at home."""
    charges = stream(seed, "charges", pools).integers(1, 25, (pools, pools))
    np.fill_diagonal(charges, 0)
    return charges


def record(shape: Shape, messages: int, charges: IntArray, seed: int = 1) -> Events:
    """Draw a stream; a cancel names an order that is at rest at that moment."""
    rng = stream(seed, "messages", shape.spread, len(charges))
    side = rng.choice([BID, ASK], messages)
    offset = rng.normal(0.0, shape.spread, messages) - side * shape.gap
    price = np.clip(np.rint(MIDDLE + offset), 1, LEVELS - 1).astype(np.int64)
    quantity = rng.integers(1, 11, messages)
    pool = rng.integers(0, len(charges), messages)
    chance, pick = rng.random(messages), rng.random(messages)
    owner = np.arange(messages, dtype=np.int64)  # everybody is somebody else: no self-trades
    kind = np.full(messages, SUBMIT)
    order_id = np.full(messages, -1)

    book = OrderBook(charges, price_levels=LEVELS)
    living, place, left = [], {}, {}  # a list to draw from, each order's place in it, its open quantity
    for row, columns in enumerate(
        zip(side.tolist(), pool.tolist(), price.tolist(), quantity.tolist(), strict=True)
    ):
        load = 1.0 if shape.grows else len(living) / 1000
        if living and chance[row] < shape.cancels * load:
            gone = living[int(pick[row] * len(living))]
            kind[row], order_id[row] = CANCEL, gone
            book.cancel(gone)
            _forget(gone, living, place)
            continue
        new, fills = book.submit(row, *columns)
        left[new] = columns[-1]
        for fill in fills:
            for one in (fill.bid_id, fill.ask_id):
                left[one] -= fill.quantity
                if left[one] == 0 and one != new:
                    _forget(one, living, place)
        if left[new]:
            place[new] = len(living)
            living.append(new)
    everywhere = np.full(messages, GTC), np.full(messages, NEVER)
    return Events(kind, order_id, owner, side, pool, price, quantity, *everywhere)


def _forget(order_id: int, living: list[int], place: dict[int, int]) -> None:
    """Drop an order from the list that cancels are drawn from."""
    last = living.pop()
    spot = place.pop(order_id)
    if last != order_id:
        living[spot] = last
        place[last] = spot


def checksum(*columns: IntArray) -> str:
    """Return eight hexadecimal digits that stand for the columns."""
    code = 0
    for column in columns:
        code = zlib.crc32(np.ascontiguousarray(column, dtype=np.int64).tobytes(), code)
    return f"{code:08x}"
