"""The market's phases of a slot: ask the cohorts, let the orders arrive, clear them, let the learners learn."""

from dataclasses import replace

import numpy as np

from sunshare_sim.agents.rounds import Ground, gains, publish, trade_in_rounds
from sunshare_sim.agents.strategy import Each, Tape, View, check_quotes
from sunshare_sim.ledger._settlement import worth
from sunshare_sim.ledger.settlement import Trades
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import ReferencePrices, tell_charges
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.simulation.state import State
from sunshare_sim.units import MICRO, IntArray, from_micro, limit_ticks, to_micro


def quote(state: State) -> None:
    """Ask each cohort what it wishes, hold it to its contract, and round its wishes to orders.

    A market in rounds asks by itself, in `match`.
    """
    if state.book is not None:
        return
    prices, slot = state.community.prices, state.slot
    retail, feed_in = prices.quoted(slot)
    side = np.sign(state.net)
    net_kwh = state.net / MICRO
    floored = state.plant.ask_floor.any()
    for number, desk in enumerate(state.desks):
        rows = desk.members
        last_price, tape = seen_from(state, number, rows)
        desk.view = View(
            slot=slot,
            net_kwh=net_kwh[rows],
            side=side[rows].astype(np.float64),
            soc_kwh=state.soc_kwh[rows],
            retail_price=retail / MICRO,
            feed_in_price=feed_in / MICRO,
            last_price=last_price,
            cap_price=state.cap_ticks * state.tick,
            rng=desk.rng,
            tape=tape,
            memory=desk.memory,
            tick=state.tick,
            hour=float(state.community.grid.local_hour[slot]),
            weekday=int(state.community.grid.local_weekday[slot]),
        )
        quotes = desk.strategy.quote(desk.view)
        quotes = check_quotes(quotes, desk.view, cohort=desk.name, strategy=desk.strategy)
        # Energy out of a battery is not sold below what it wears, whatever the strategy says of solar energy.
        price = quotes.price
        if floored:
            price = np.maximum(price, np.where(side[rows] < 0, state.plant.ask_floor[rows], 0.0))
        # A price below one tick cannot be booked: an ask takes the lowest price there is, a bid stays away.
        ticks = limit_ticks(price, side[rows], state.tick)
        quantity = np.minimum(to_micro(quotes.quantity), np.abs(state.net[rows])) // state.lot * state.lot
        state.wishes.quantity[rows] = np.where((ticks < 1) & (side[rows] > 0), 0, quantity)
        state.wishes.price[rows] = np.minimum(np.maximum(ticks, 1), state.cap_ticks)
    state.wishes.side[:] = side


def seen_from(state: State, desk: int, rows: slice | IntArray) -> tuple[Each, Tape]:
    """Return last price [currency/kWh] and tape as a desk knows them: of the market its homes are in."""
    if state.markets is None:
        return state.last_price, state.tape
    return state.markets.seen_from(desk, rows, state.tape)


def match(state: State) -> None:
    """Let the orders arrive in the slot's order and the mechanism clear them, or hold the auction in rounds."""
    fills = clear_once(state) if state.book is None else clear_in_rounds(state, state.book)
    state.fills = fills
    state.trades = Trades(
        buyer=fills.buyer,
        seller=fills.seller,
        energy=fills.quantity,
        price_micro=fills.price * state.tick_micro,
        charge_micro=fills.charge * state.tick_micro,
    )


def clear_once(state: State) -> Fills:
    """Let every home's order arrive once and the mechanism clear them."""
    wishes, slot, prices = state.wishes, state.slot, state.community.prices
    arrival = state.arrivals(slot)
    owner = arrival[wishes.quantity[arrival] > 0]
    state.orders, _ = hold_to_rate(
        state,
        Orders(
            owner=owner,
            side=wishes.side[owner],
            pool=state.community.households.zone[owner],
            price=wishes.price[owner],
            quantity=wishes.quantity[owner],
        ),
    )
    retail, feed_in = prices.quoted(slot)
    reference = ReferencePrices(
        retail=retail // state.tick_micro,
        feed_in=-(-feed_in // state.tick_micro),
    )
    tell_charges(state.mechanism, state.charges, state.community.charges)
    fills = state.mechanism.clear(state.orders, reference, state.market_rng).fills
    state.tape = publish(state.orders, fills, state.tick_micro)
    if state.markets is not None:
        state.markets.hear(state.orders, fills, state.tick_micro, publish)
    return fills


def clear_in_rounds(state: State, book: OrderBook) -> Fills:
    """Let every home quote what it has left, round after round; learners learn after each."""
    community, slot = state.community, state.slot
    if not np.array_equal(book.charges, state.charges):
        book.clear()
        book.set_charges(state.charges)
    retail, feed_in = community.prices.quoted(slot)
    ground = Ground(
        slot=slot,
        hour=float(community.grid.local_hour[slot]),
        weekday=int(community.grid.local_weekday[slot]),
        net=state.net,
        soc_kwh=state.soc_kwh,
        pool=community.households.zone,
        charges=state.charges,
        retail_micro=retail,
        feed_in_micro=feed_in,
        tick_micro=state.tick_micro,
        cap_ticks=state.cap_ticks,
        lot=state.lot,
    )
    result = trade_in_rounds(
        book,
        ground,
        state.desks,
        lambda: state.arrivals(slot),
        rounds=state.rounds,
        last=state.markets or (state.last_price, state.tape),
    )
    state.tape = result.tape
    state.orders, place = hold_to_rate(state, result.orders)
    return result.fills._replace(taker=place[result.fills.taker])


def hold_to_rate(state: State, orders: Orders) -> tuple[Orders, IntArray]:
    """Drop the orders, in order of time, by which a home exceeds its rate, and count them.

    Returns
    -------
    orders : Orders
        Those within the rate.
    place : IntArray
        Row of each given order among them; what is dropped has no fills to name it; shape [orders].
    """
    count, most = orders.owner.size, state.orders_per_slot
    state.rejected_now = 0
    if most is None:
        return orders, np.arange(count)
    by_owner = np.argsort(orders.owner, kind="stable")
    owner = orders.owner[by_owner]
    first = np.searchsorted(owner, owner)
    allowed = np.empty(count, dtype=bool)
    allowed[by_owner] = np.arange(count) - first < most
    state.rejected_now = int(np.count_nonzero(~allowed))
    np.add.at(state.rejected, orders.owner[~allowed], 1)
    return Orders(*(column[allowed] for column in orders)), np.cumsum(allowed) - 1


def learn(state: State) -> None:
    """Publish the slot's tape and let learning strategies take it in; remember the mean local price."""
    energy, value = state.agreed
    if energy:
        state.last_price = value / energy
    if state.markets is not None:
        hear_prices(state)
    if state.book is not None or not any(desk.learns for desk in state.desks):
        return
    prices, traded = state.community.prices, np.zeros(state.net.size, dtype=np.int64)
    for homes in (state.fills.buyer, state.fills.seller):
        np.add.at(traded, homes, state.fills.quantity)
    left = from_micro((np.abs(state.net) - traded) * np.sign(state.net))
    grid = (*prices.quoted(state.slot), state.tick_micro)
    gain = gains(state.fills, grid, state.net.size)
    for number, desk in enumerate(state.desks):
        if desk.learns and desk.view is not None:
            rows = desk.members
            tape = seen_from(state, number, rows)[1]
            desk.strategy.learn(replace(desk.view, net_kwh=left[rows], gain=gain[rows]), tape)


def hear_prices(state: State) -> None:
    """Remember the mean price of the slot's trades in each market that had some."""
    markets = state.markets
    if markets is None:
        return
    of_trade = markets.of_home[state.trades.buyer]
    for market in np.unique(of_trade).tolist():
        energy, value = worth(Trades(*(column[of_trade == market] for column in state.trades)))
        if energy:
            markets.price[market] = value / energy
