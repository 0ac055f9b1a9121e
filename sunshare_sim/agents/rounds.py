"""A slot's auction in rounds: every round all homes quote again what they have left, in a new random order.

An order rests through the slot: a new price replaces the old one and keeps what is left of the quantity, a wish for
nothing withdraws it. Live market and experiments call the same function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from sunshare_sim.agents._messages import compose, take_off
from sunshare_sim.agents.markets import Markets, mean_price
from sunshare_sim.agents.strategy import NO_TAPE, Each, Quotes, Strategy, Tape, View, check_quotes
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.orders import CANCEL, GTC, NEVER, SUBMIT, Events, Fills, Orders
from sunshare_sim.units import MICRO, FloatArray, IntArray, from_micro, limit_ticks, to_micro


class Seat(Protocol):
    """Stand for a cohort at the market: its rows, its strategy, what it has learned, its random stream."""

    name: str
    strategy: Strategy
    rng: np.random.Generator
    memory: Any

    @property
    def members(self) -> slice | IntArray:
        """Return the cohort's rows."""


class Ground(NamedTuple):
    """Hold what a slot gives the market: meters, places, prices.

    Attributes
    ----------
    slot, hour : int, float
        Number of the slot; local time of day at its start [h].
    net : IntArray
        Metered net of each home [1e-6 kWh], > 0 a deficit; shape [homes].
    soc_kwh : FloatArray
        Energy in each home's battery [kWh], shape [homes].
    pool : IntArray
        Pool each home lies in, shape [homes].
    charges : IntArray
        Charge of each pair of pools [ticks], negative = forbidden; shape [buyer pools, seller pools].
    retail_micro, feed_in_micro : int
        The grid's prices [1e-6 currency/kWh].
    tick_micro, cap_ticks, lot : int
        Price step [1e-6 currency/kWh], highest price [ticks], step of quantities [1e-6 kWh].
    weekday : int
        Local day of the week, Monday = 0.
    """

    slot: int
    hour: float
    net: IntArray
    soc_kwh: FloatArray
    pool: IntArray
    charges: IntArray
    retail_micro: int
    feed_in_micro: int
    tick_micro: int
    cap_ticks: int
    lot: int
    weekday: int = 0


class Result(NamedTuple):
    """Hold what the rounds came to.

    Attributes
    ----------
    fills : Fills
        All trades in order of time; `taker` is a row of `orders`.
    orders : Orders
        All quotes that reached the book in order of time, replacements included; quantity as they arrived.
    tape : Tape
        What the last round made public.
    last_price : float
        Mean price of the last round that had trades, else as it was [currency/kWh].
    """

    fills: Fills
    orders: Orders
    tape: Tape
    last_price: float


@dataclass
class _Floor:
    """The state of a slot's auction; arrays have shape [homes], energy in 1e-6 kWh, but `cost` as the charges."""

    book: OrderBook
    ground: Ground
    side: IntArray
    met: IntArray
    left: IntArray
    allowed: IntArray
    resting: IntArray
    order_id: IntArray
    refused: IntArray
    cost: FloatArray
    messages: IntArray
    good: IntArray
    never: IntArray
    orders: int = 0


def trade_in_rounds(
    book: OrderBook,
    ground: Ground,
    seats: Sequence[Seat],
    arrivals: Callable[[], IntArray],
    *,
    rounds: int,
    last: tuple[float, Tape] | Markets = (0.0, NO_TAPE),
) -> Result:
    """Hold a slot's auction in rounds.

    Parameters
    ----------
    book : OrderBook
        The market's book; it is emptied first.
    ground : Ground
        The slot's meters, places and prices.
    seats : sequence of Seat
        The cohorts; their memories change.
    arrivals : callable
        Gives the order in which homes quote in a round: rows, drawn anew each time.
    rounds : int
        Number of rounds, at least 1. The first wish of a home bounds what it trades in the slot.
    last : (float, Tape) or Markets
        Last price [currency/kWh] and what was last made public, before the slot; or both for each of several markets,
        which take in what happens.

    Raises
    ------
    StrategyError
        When a strategy breaks its contract.
    """
    book.clear()
    homes = ground.net.size
    floor = _Floor(
        book,
        ground,
        side=np.sign(ground.net),
        met=np.abs(ground.net),
        left=np.abs(ground.net),
        allowed=np.zeros(homes, dtype=np.int64),
        resting=np.zeros(homes, dtype=np.int64),
        order_id=np.full(homes, -1),
        refused=np.zeros(homes, dtype=np.int64),
        cost=np.where(ground.charges >= 0, ground.charges, np.inf),
        messages=np.empty((8, homes), dtype=np.int64),
        good=np.full(homes, GTC),
        never=np.full(homes, NEVER),
    )
    markets = last if isinstance(last, Markets) else None
    price, tape = (0.0, NO_TAPE) if isinstance(last, Markets) else last
    learning = [type(seat.strategy).learn is not Strategy.learn for seat in seats]
    fills: list[Fills] = []
    orders: list[Orders] = []
    for turn in range(rounds):
        best = _best(floor, markets)
        wish_price, wish_quantity = np.zeros((2, homes), dtype=np.int64)
        for number, seat in enumerate(seats):
            rows = seat.members
            heard = (price, tape) if markets is None else markets.seen_from(number, rows, tape)
            view = _view(floor, seat, (turn, *heard), best)
            quotes = seat.strategy.quote(view)
            quotes = check_quotes(quotes, view, cohort=seat.name, strategy=seat.strategy)
            wish_price[rows], wish_quantity[rows] = _to_orders(quotes, floor, rows)
        some, sent = _send(floor, arrivals(), wish_price, wish_quantity)
        public = _taken_in(floor, sent, some)
        tape = publish(*public, ground.tick_micro)
        if some.count:
            price = mean_price(some.price, some.quantity) * ground.tick_micro / MICRO
        if markets is not None:
            markets.hear(*public, ground.tick_micro, publish)
            markets.hear_prices(some, ground.tick_micro)
        if any(learning):
            gain = gains(some, (ground.retail_micro, ground.feed_in_micro, ground.tick_micro), homes)
        for number, seat in enumerate(seats):
            if learning[number]:
                heard = (price, tape) if markets is None else markets.seen_from(number, seat.members, tape)
                view = _view(floor, seat, (turn, *heard), _best(floor, markets), gain)
                seat.strategy.learn(view, heard[1])
        fills.append(some._replace(taker=some.taker + sum(each.owner.size for each in orders)))
        orders.append(sent)
    return Result(_joined(fills), Orders(*map(np.concatenate, zip(*orders, strict=True))), tape, price)


def _joined(parts: Sequence[Fills]) -> Fills:
    return Fills(*map(np.concatenate, zip(*parts, strict=True)))


def _best(floor: _Floor, markets: Markets | None) -> tuple[FloatArray, FloatArray]:
    """Return the best bid and ask each home sees [currency/kWh], NaN for none; shape [homes].

    Of the other side with the charges to the home's pool; of its own side, its rivals, as they were quoted: a home
    that had to beat a rival's quote less charges would never raise its own.
    """
    quotes = floor.book.best_quotes()
    bids, asks = np.where(quotes[0] > 0, quotes[0], -np.inf), np.where(quotes[1] > 0, quotes[1], np.inf)
    bid = (bids[:, None] - floor.cost).max(axis=0)
    ask = (asks + floor.cost).min(axis=1)
    tick = floor.ground.tick_micro / MICRO
    pool, side = floor.ground.pool, floor.side
    if markets is None:
        rival_bid, rival_ask = bids.max(), asks.min()
    else:
        rival_bid, rival_ask = (
            markets.rivals(best, pool, highest=highest) for best, highest in ((bids, True), (asks, False))
        )
    seen_bid = np.where(side > 0, rival_bid, bid[pool])
    seen_ask = np.where(side < 0, rival_ask, ask[pool])
    return np.where(seen_bid > 0, seen_bid, np.nan) * tick, np.where(
        np.isfinite(seen_ask), seen_ask, np.nan
    ) * tick


def _view(
    floor: _Floor,
    seat: Seat,
    now: tuple[int, Each, Tape],
    best: tuple[FloatArray, FloatArray],
    gain: FloatArray | None = None,
) -> View:
    """Return what a cohort may know in this round."""
    ground, rows = floor.ground, seat.members
    turn, price, tape = now
    return View(
        slot=ground.slot,
        net_kwh=from_micro(floor.left[rows] * floor.side[rows]),
        side=floor.side[rows].astype(np.float64),
        soc_kwh=ground.soc_kwh[rows],
        retail_price=ground.retail_micro / MICRO,
        feed_in_price=ground.feed_in_micro / MICRO,
        last_price=price,
        cap_price=ground.cap_ticks * ground.tick_micro / MICRO,
        rng=seat.rng,
        best_bid=best[0][rows],
        best_ask=best[1][rows],
        tape=tape,
        memory=seat.memory,
        tick=ground.tick_micro / MICRO,
        round=turn,
        hour=ground.hour,
        weekday=ground.weekday,
        gain=0.0 if gain is None else gain[rows],
    )


def _to_orders(quotes: Quotes, floor: _Floor, rows: slice | IntArray) -> tuple[IntArray, IntArray]:
    """Round a cohort's wishes to limit prices [ticks] and quantities [1e-6 kWh], 0 for no order."""
    ground, side = floor.ground, floor.side[rows]
    ticks = limit_ticks(quotes.price, side, ground.tick_micro / MICRO)
    quantity = np.minimum(to_micro(quotes.quantity), floor.left[rows]) // ground.lot * ground.lot
    # A price below one tick cannot be booked: an ask takes the lowest price there is, a bid stays away.
    quantity = np.where((ticks < 1) & (side > 0), 0, quantity)
    return np.clip(ticks, 1, ground.cap_ticks), quantity


def _send(floor: _Floor, arrival: IntArray, price: IntArray, quantity: IntArray) -> tuple[Fills, Orders]:
    """Let the wishes reach the book in order of arrival; return the fills and what was sent."""
    ground, room = floor.ground, floor.messages
    mine = floor.met, floor.left, floor.allowed, floor.resting, floor.order_id
    count = compose(arrival, price, quantity, floor.side, ground.pool, *mine, floor.orders, room)
    messages, told = room[:-1, :count], room[0, :count] != CANCEL
    floor.orders += int(np.count_nonzero(messages[0] == SUBMIT))
    fills = floor.book.process(Events._make((*messages, floor.good[:count], floor.never[:count])))
    for homes in (fills.buyer, fills.seller):
        take_off(homes, fills.quantity, floor.left, floor.resting)
    _, _, owner, side, pool, limit, _, size = room.take(np.flatnonzero(told), axis=1)
    place = np.cumsum(told) - 1  # an event's row among the orders sent
    return fills._replace(taker=place[fills.taker]), Orders(owner, side, pool, limit, size)


def _taken_in(floor: _Floor, sent: Orders, fills: Fills) -> tuple[Orders, Fills]:
    """Return the round's orders and fills without the orders that the book refused, as their homes sent too many."""
    if not floor.book.rejected:
        return sent, fills
    before, floor.refused = floor.refused, np.zeros_like(floor.refused)
    refused = floor.book.rejected_by_owner
    floor.refused[list(refused)] = list(refused.values())
    kept = floor.refused[sent.owner] == before[sent.owner]
    return Orders(*(column[kept] for column in sent)), fills._replace(
        taker=(np.cumsum(kept) - 1)[fills.taker]
    )


def publish(sent: Orders, fills: Fills, tick_micro: int) -> Tape:
    """Return what a round, or a slot of one round, makes public.

    Parameters
    ----------
    sent : Orders
        The orders in order of time.
    fills : Fills
        The trades; `taker` is a row of `sent`, or negative where orders met at once; then `bid_id` and `ask_id`
        are.
    tick_micro : int
        Price step [1e-6 currency/kWh].
    """
    trade_price = from_micro(fills.price * tick_micro)
    taken_at = np.full(sent.price.size, np.nan)
    met = fills.taker < 0
    # Written backwards, so that the first fill of an order stays
    for rows, which in ((fills.taker, ~met), (fills.bid_id, met), (fills.ask_id, met)):
        taken_at[rows[which][::-1]] = trade_price[which][::-1]
    return Tape(
        side=sent.side,
        order_price=from_micro(sent.price * tick_micro),
        order_quantity=from_micro(sent.quantity),
        price=trade_price,
        quantity=from_micro(fills.quantity),
        taken_at=taken_at,
    )


def gains(fills: Fills, prices: tuple[int, int, int], homes: int) -> FloatArray:
    """Return what each home's trades gain it against the grid [currency], shape [homes].

    Parameters
    ----------
    fills : Fills
        The trades.
    prices : (int, int, int)
        Retail price, feed-in price and price step [1e-6 currency/kWh].
    homes : int
        Number of homes.
    """
    retail, feed_in, tick = prices
    kwh = from_micro(fills.quantity)
    saved = from_micro(retail - (fills.price + fills.charge) * tick) * kwh
    earned = from_micro(fills.price * tick - feed_in) * kwh
    buyers = np.bincount(fills.buyer, saved, minlength=homes)
    return (buyers + np.bincount(fills.seller, earned, minlength=homes)).astype(np.float64)
