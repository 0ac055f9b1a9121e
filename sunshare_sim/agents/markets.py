"""What is known in each of several markets between which nothing can be traded: the last price, and the last tape.

Homes hear of the market they trade in. So a market that no trade leaves runs as it would alone.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from sunshare_sim.agents.strategy import NO_TAPE, Each, Tape
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.units import MICRO, FloatArray, IntArray

ALL: Final = -1


class Publish(Protocol):
    """Promise to make a tape of orders and trades."""

    def __call__(self, sent: Orders, fills: Fills, tick_micro: int, /) -> Tape:
        """Return what they make public."""


@dataclass
class Markets:
    """Hold what is known in each market.

    Attributes
    ----------
    of_pool : IntArray
        Market of each pool, shape [pools].
    of_home : IntArray
        Market of each home, shape [homes].
    of_seat : tuple of int
        Market of each cohort's seat; `ALL` for a cohort that listens to no tape, which has one seat for all its homes.
    price : FloatArray
        Last price in each market [currency/kWh], shape [markets].
    tape : dict of int to Tape
        What each market that is listened to made public last.
    """

    of_pool: IntArray
    of_home: IntArray
    of_seat: tuple[int, ...]
    price: FloatArray
    tape: dict[int, Tape]

    @classmethod
    def opened(
        cls, of_pool: IntArray, pool_of_home: IntArray, of_seat: tuple[int, ...], price: float
    ) -> "Markets":
        """Return markets in which nothing has happened yet."""
        prices = np.full(int(of_pool.max()) + 1, price)
        listened = {market: NO_TAPE for market in of_seat if market != ALL}
        return cls(of_pool, of_pool[pool_of_home], of_seat, prices, listened)

    def seen_from(self, seat: int, rows: slice | IntArray, everywhere: Tape) -> tuple[Each, Tape]:
        """Return last price and tape as a seat knows them; one price a home, and the tape `everywhere`, for `ALL`."""
        market = self.of_seat[seat]
        if market == ALL:
            return self.price[self.of_home[rows]], everywhere
        return float(self.price[market]), self.tape[market]

    def hear(self, sent: Orders, fills: Fills, tick_micro: int, publish: Publish) -> None:
        """Take in what was sent and traded, each market its own."""
        if not self.tape:
            return
        of_order = self.of_pool[sent.pool]
        row_there = np.empty(of_order.size, dtype=np.int64)
        for market in self.tape:
            own = of_order == market
            row_there[own] = np.arange(np.count_nonzero(own))
        of_fill = (
            of_order[np.where(fills.taker < 0, fills.bid_id, fills.taker)] if fills.count else fills.taker
        )
        for market in self.tape:
            orders = Orders(*(column[of_order == market] for column in sent))
            trades = Fills(*(column[of_fill == market] for column in fills))
            self.tape[market] = publish(orders, _renumbered(trades, row_there), tick_micro)

    def hear_prices(self, fills: Fills, tick_micro: int) -> None:
        """Take in the mean price of a round's trades, each market its own."""
        of_fill = self.of_home[fills.buyer]
        for market in np.unique(of_fill).tolist():
            own = of_fill == market
            self.price[market] = mean_price(fills.price[own], fills.quantity[own]) * tick_micro / MICRO

    def rivals(self, best: FloatArray, pool: IntArray, *, highest: bool) -> FloatArray:
        """Return the best of all quotes in each home's market, infinite for none; shape [homes].

        Parameters
        ----------
        best : FloatArray
            Best quote of each pool [ticks], infinite for none, shape [pools].
        pool : IntArray
            Pool of each home, shape [homes].
        highest : bool
            Whether the highest is the best: bids.
        """
        found = np.full(self.price.size, -np.inf if highest else np.inf)
        extreme = np.maximum if highest else np.minimum
        extreme.at(found, self.of_pool, best)
        return np.asarray(found[self.of_pool[pool]])


def mean_price(price: IntArray, quantity: IntArray) -> float:
    """Return the mean price of some trades, weighted by energy; they are not none."""
    return float(price @ (quantity / quantity.sum()))


def _renumbered(fills: Fills, row_there: IntArray) -> Fills:
    """Return fills that name the orders of their own market, where they name rows of orders at all."""
    if not fills.count:
        return fills
    met = fills.taker < 0
    last = row_there.size - 1
    return fills._replace(
        taker=np.where(met, fills.taker, row_there[np.maximum(fills.taker, 0)]),
        bid_id=np.where(met, row_there[np.clip(fills.bid_id, 0, last)], fills.bid_id),
        ask_id=np.where(met, row_there[np.clip(fills.ask_id, 0, last)], fills.ask_id),
    )
