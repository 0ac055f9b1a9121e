"""The three protocols of the laboratory, each one step of all markets on a floor, matched by the order book."""

from collections.abc import Callable
from functools import cached_property
from typing import Final, Protocol

import numpy as np

from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.orders import CANCEL, GTC, IOC, NEVER, SUBMIT, Events, Fills
from sunshare_sim.units import BoolArray, FloatArray, IntArray
from sunshare_sim.validation.markets import Market

NOBODY: Final = np.empty(0, dtype=np.int64)
NOBODY.setflags(write=False)
FAILURES: Final = 200  # shouts in a row that nobody takes end an open outcry


class Traders(Protocol):
    """Give quotes and hear shouts; the laboratory's crowd does."""

    listens: bool

    def quote(self, rows: IntArray) -> IntArray:
        """Return the limit price of each trader in `rows` [ticks], 0 where it stays away."""
        ...

    def hear(self, pits: IntArray, side: FloatArray, price: FloatArray, taken_at: FloatArray) -> None:
        """Take in the one shout of each of `pits`."""
        ...


class Floor:
    """Keep copies of a market side by side: who has still to trade, whose order rests, what was traded.

    A trader's row is `pit * size + place`, its owner number in the book; a pit is a pool. Arrays of traders have shape
    [copies * size], those of pits [copies].

    Parameters
    ----------
    market : Market
        Schedule of limit prices.
    copies : int
        Number of pits, each a closed pool of one book.
    ties : bool
        Whether in open outcry a listener takes a shout equal to its own price.
    """

    def __init__(self, market: Market, copies: int, *, ties: bool = True) -> None:
        self.ties = ties
        self.copies, self.size, self.levels = copies, market.traders, market.highest + 1
        self.cap = float(market.highest)
        self.side = np.tile(market.side, copies)
        self.limit = np.tile(market.limit, copies)
        self.whole_side = self.side.astype(np.int64)
        self.buys = self.side > 0
        self.retail = np.where(self.buys, self.limit, self.cap)
        self.feed_in = np.where(self.buys, 1.0, self.limit)
        self.last_price = np.full(copies, (self.cap + 1.0) / 2.0)
        self.open()

    def open(self) -> None:
        """Begin a period: everybody has a unit to trade, nothing rests; the last price stays."""
        if "book" in vars(self):
            self.book.clear()
        self.orders = 0
        self.active = np.ones(self.side.size, dtype=np.bool_)
        self.standing = np.zeros(self.side.size, dtype=np.int64)
        self.order_id = np.full(self.side.size, -1)
        self.profit = np.zeros(self.side.size)
        self.best_bid, self.best_ask = np.full((2, self.copies), np.nan)
        self.trades = np.zeros(self.copies, dtype=np.int64)
        self.sums, self.squares = np.zeros((2, self.copies))
        self.failures = np.zeros(self.copies, dtype=np.int64)
        self.possible = np.ones(self.copies, dtype=np.bool_)
        self.changed = True

    @cached_property
    def book(self) -> OrderBook:
        """Return the pits' order book, made when a protocol first sends to it."""
        closed = np.where(np.eye(self.copies, dtype=bool), 0, -1)
        return OrderBook(closed, pricing="resting", price_levels=self.levels)

    def going(self, *, rational: bool) -> IntArray:
        """Return the pits where a trade is still possible: for rational traders, at a price both accept."""
        if self.changed:
            active, buys = self.active.reshape(self.copies, -1), self.buys.reshape(self.copies, -1)
            limit = self.limit.reshape(self.copies, -1)
            highest = np.where(active & buys, limit, -np.inf).max(axis=1)
            lowest = np.where(active & ~buys, limit, np.inf).min(axis=1)
            self.possible = highest >= lowest if rational else np.isfinite(highest) & np.isfinite(lowest)
            self.changed = False
        return np.flatnonzero(self.possible & (self.failures < FAILURES))

    def pick(self, pits: IntArray, rng: np.random.Generator, *, idle: bool) -> IntArray:
        """Return a random trader in each of `pits`, among all or among those that have still to trade."""
        draw = rng.random(self.copies)[pits]
        if idle:
            return pits * self.size + (draw * self.size).astype(np.int64)
        return pits * self.size + one_of(self.active.reshape(self.copies, -1)[pits], draw)

    def send(self, rows: IntArray, price: IntArray, *, gone: IntArray = NOBODY, tif: int = GTC) -> Fills:
        """Cancel the resting orders of the traders in `gone`, then submit one of one unit for each in `rows`."""
        cancels, n = gone.size, rows.size
        owner = np.concatenate([gone, rows])
        column = np.ones(owner.size, dtype=np.int64)
        events = Events(
            kind=np.repeat([CANCEL, SUBMIT], [cancels, n]),
            order_id=self.order_id[owner],
            owner=owner,
            side=self.whole_side[owner],
            pool=owner // self.size,
            price=np.concatenate([column[:cancels], price]),
            quantity=column,
            tif=column * tif,
            expiry=column * NEVER,
        )
        fills = self.book.process(events)
        self.standing[gone] = 0
        self.order_id[gone] = -1
        self.order_id[rows] = np.arange(self.orders, self.orders + n)
        self.orders += n
        if tif == GTC:
            self.standing[rows] = price
        self._book_trades(fills)
        return fills

    def _book_trades(self, fills: Fills) -> None:
        if not fills.count:
            return
        self.changed = True
        pit, price = fills.buyer // self.size, fills.price.astype(np.float64)
        for rows in (fills.buyer, fills.seller):
            self.active[rows], self.standing[rows], self.order_id[rows] = False, 0, -1
            self.profit[rows] = (self.limit[rows] - price) * self.side[rows]
        # No pit trades twice in one call: each of its traders has one unit, and one of them is active
        self.trades[pit] += 1
        self.sums[pit] += price
        self.squares[pit] += price**2
        self.last_price[pit] = price

    def look(self, pits: IntArray) -> None:
        """Find the best standing quotes of `pits`."""
        standing = self.standing.reshape(self.copies, -1)[pits]
        bid = np.max(standing, axis=1, where=self.buys[: self.size], initial=0)
        ask = np.min(standing, axis=1, where=~self.buys[: self.size] & (standing > 0), initial=NEVER)
        self.best_bid[pits] = np.where(bid > 0, bid, np.nan)
        self.best_ask[pits] = np.where(ask < NEVER, ask, np.nan)


def one_of(eligible: BoolArray, draw: FloatArray) -> IntArray:
    """Return the column of an evenly drawn eligible place in each row; the last column where there is none."""
    places = np.cumsum(eligible, axis=1)
    wanted = (draw * places[:, -1]).astype(np.int64)[:, None]
    column: IntArray = np.argmax(places > wanted, axis=1)
    return column


def standing_quotes(
    floor: Floor,
    crowd: Traders,
    pits: IntArray,
    rows: IntArray,
    rng: np.random.Generator,  # noqa: ARG001
) -> int:
    """P1: take a quote that improves on the standing one of its side; a trade clears both."""
    rows, price, asked = _ask(floor, crowd, rows)
    pit, buys = rows // floor.size, floor.buys[rows]
    best = np.where(buys, floor.best_bid[pit], floor.best_ask[pit])
    improves = np.isnan(best) | ((price - best) * floor.side[rows] > 0)
    sent = rows[improves & (price > 0)]
    fills = Fills.empty()
    if sent.size:
        resting = np.flatnonzero(floor.standing)
        beaten = np.zeros((floor.copies, 2), dtype=np.bool_)
        beaten[sent // floor.size, floor.buys[sent].astype(np.int64)] = True
        gone = resting[beaten[resting // floor.size, floor.buys[resting].astype(np.int64)]]
        fills = floor.send(sent, price[improves & (price > 0)], gone=gone)
    _publish(floor, crowd, pits, rows, price, fills)
    return asked


def full_book(
    floor: Floor,
    crowd: Traders,
    pits: IntArray,
    rows: IntArray,
    rng: np.random.Generator,  # noqa: ARG001
) -> int:
    """P2: let a trader's new order replace its old one in a full order book; trades at the resting price."""
    rows, price, asked = _ask(floor, crowd, rows)
    sent = price > 0
    old = rows[sent & (floor.order_id[rows] >= 0)]
    fills = floor.send(rows[sent], price[sent], gone=old)
    _publish(floor, crowd, pits, rows, price, fills)
    return asked


def open_outcry(
    floor: Floor, crowd: Traders, pits: IntArray, rows: IntArray, rng: np.random.Generator
) -> int:
    """P3: let a random trader that is willing take the shout; else it vanishes."""
    draw = rng.random(floor.copies)
    rows, price, asked = _ask(floor, crowd, rows)
    loud, shouted = rows[price > 0], price[price > 0]
    pit = loud // floor.size
    listeners = (pit[:, None] * floor.size + np.arange(floor.size)).ravel()
    shout = np.repeat(shouted, floor.size)
    side = np.repeat(floor.side[loud], floor.size)
    able = floor.active[listeners] & (floor.side[listeners] == -side)
    answer = np.zeros(listeners.size, dtype=np.int64)
    answer[able] = crowd.quote(listeners[able])
    better = (shout - answer) * side
    accepts = (better > 0) | ((better == 0) & floor.ties)
    willing = (able & (answer > 0) & accepts).reshape(-1, floor.size)
    floor.send(loud, shouted)
    some = willing.any(axis=1)
    taker = pit[some] * floor.size + one_of(willing[some], draw[pit[some]])
    answers = answer.reshape(-1, floor.size)[some, taker % floor.size]
    fills = floor.send(taker, answers, tif=IOC)
    floor.send(NOBODY, NOBODY, gone=loud[floor.standing[loud] > 0])
    floor.failures[pits] += 1
    floor.failures[fills.buyer // floor.size] = 0
    _publish(floor, crowd, pits, rows, price, fills)
    return asked + int(able.sum())


def _ask(floor: Floor, crowd: Traders, rows: IntArray) -> tuple[IntArray, IntArray, int]:
    """Return the activated traders that have still to trade, their quotes, and how many were asked."""
    rows = rows[floor.active[rows]]
    return rows, crowd.quote(rows), rows.size


def _publish(
    floor: Floor, crowd: Traders, pits: IntArray, rows: IntArray, price: IntArray, fills: Fills
) -> None:
    """Tell every pit of its shout, taken or not."""
    floor.look(pits)
    if not crowd.listens:
        return
    shout, taken_at, side = np.full((3, floor.copies), np.nan)
    shout[rows // floor.size] = np.where(price > 0, price, np.nan)
    side[rows // floor.size] = floor.side[rows]
    taken_at[fills.buyer // floor.size] = fills.price
    crowd.hear(pits, np.nan_to_num(side[pits]), shout[pits], taken_at[pits])


Step = Callable[[Floor, Traders, IntArray, IntArray, np.random.Generator], int]
PROTOCOLS: Final[dict[str, Step]] = {"P1": standing_quotes, "P2": full_book, "P3": open_outcry}
