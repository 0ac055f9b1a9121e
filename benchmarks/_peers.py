# ruff: noqa: C901, PLR0912 -- an engine's loop is written in one piece, which is its fastest form
"""The order books that ours is timed beside: two written here in plain Python, and packages where they are installed.

Every engine takes the same stream and returns the quantity at rest at the end, which must agree; all have one pool.
"""

from collections import deque
from collections.abc import Callable
from importlib import import_module
from itertools import count

from sunshare_sim.market import BID
from sunshare_sim.market.orders import CANCEL

Message = tuple[int, int, int, int, int, int]  # kind, order id, owner, side, price, quantity
Engine = Callable[[list[Message], int], int]


def integer_ladder(messages: list[Message], levels: int) -> int:
    """Match on a list of queues, one a price, the best price followed step by step: plain Python at its best."""
    queues: list[deque[list[int]]] = [deque() for _ in range(levels + 1)]
    places: dict[int, tuple[int, list[int]]] = {}
    best_bid, best_ask = 0, levels
    ids = count()
    for kind, order_id, _, side, price, quantity in messages:
        if kind == CANCEL:
            place = places.pop(order_id, None)
            if place is not None and place[1][1]:
                place[1][1] = 0
            continue
        new, left = next(ids), quantity
        step = 1 if side == BID else -1
        best = best_ask if side == BID else best_bid
        while left and 0 < best < levels and step * best <= step * price:
            queue = queues[best]
            while queue and left:
                resting = queue[0]
                amount = min(left, resting[1])
                resting[1] -= amount
                left -= amount
                if not resting[1]:
                    queue.popleft()
            if not queue:
                best += step
        if side == BID:
            best_ask = best
        else:
            best_bid = best
        if left:
            order = [new, left]
            queues[price].append(order)
            places[new] = price, order
            if side == BID:
                best_bid = max(best_bid, price)
            else:
                best_ask = min(best_ask, price)
    return sum(order[1] for queue in queues for order in queue)


def sorted_containers(messages: list[Message], _levels: int) -> int:
    """Match on `sortedcontainers.SortedDict` of prices, as most pure-Python books do."""
    sorted_dict = import_module("sortedcontainers").SortedDict
    books = {1: sorted_dict(), -1: sorted_dict()}  # key = side-signed price, the best is first
    places: dict[int, tuple[int, int]] = {}
    ids = count()
    for kind, order_id, _, side, price, quantity in messages:
        if kind == CANCEL:
            place = places.pop(order_id, None)
            if place is not None:
                level = books[place[0]][place[1]]
                del level[order_id]
                if not level:
                    del books[place[0]][place[1]]
            continue
        new, left = next(ids), quantity
        against = books[-side]
        while left and against:
            key, level = against.peekitem(0)
            if key > side * price:
                break
            while level and left:
                resting, stock = next(iter(level.items()))
                amount = min(left, stock)
                left -= amount
                if amount == stock:
                    del level[resting], places[resting]
                else:
                    level[resting] = stock - amount
            if not level:
                del against[key]
        if left:
            books[side].setdefault(-side * price, {})[new] = left
            places[new] = side, -side * price
    return sum(sum(level.values()) for book in books.values() for level in book.values())


def limit_order_book(messages: list[Message], _levels: int) -> int:
    """Drive the package of that name (C++ behind ctypes); it shows no trades."""
    book = import_module("limit_order_book").LimitOrderBook()
    ids = count()
    for kind, order_id, _, side, price, quantity in messages:
        if kind == CANCEL:
            book.cancel(order_id)
        else:
            book.limit(side == BID, next(ids), quantity, price)
    return int(book.volume())


def lightmatchingengine(messages: list[Message], _levels: int) -> int:
    """Drive the package of that name (Python)."""
    engine = import_module("lightmatchingengine.lightmatchingengine").LightMatchingEngine()
    orders = []
    for kind, order_id, _, side, price, quantity in messages:
        if kind == CANCEL:
            engine.cancel_order(orders[order_id], "kWh")
        else:
            order, _trades = engine.add_order("kWh", price, quantity, 1 if side == BID else 2)
            orders.append(order.order_id)
    book = engine.order_books["kWh"]
    return sum(
        order.leaves_qty for side in (book.bids, book.asks) for level in side.values() for order in level
    )


def order_book(messages: list[Message], _levels: int) -> int:
    """Match in Python on the package of that name, a C container of price levels."""
    book = import_module("order_book").OrderBook()
    places: dict[int, tuple[int, int]] = {}
    sides = {1: book.bids, -1: book.asks}
    ids = count()
    for kind, order_id, _, side, price, quantity in messages:
        if kind == CANCEL:
            place = places.pop(order_id, None)
            if place is not None:
                level = sides[place[0]][place[1]]
                del level[order_id]
                if not level:
                    del sides[place[0]][place[1]]
            continue
        new, left = next(ids), quantity
        against = sides[-side]
        while left and len(against):
            best, level = against.index(0)
            if side * best > side * price:
                break
            while level and left:
                resting, stock = next(iter(level.items()))
                amount = min(left, stock)
                left -= amount
                if amount == stock:
                    del level[resting], places[resting]
                else:
                    level[resting] = stock - amount
            if not level:
                del against[best]
        if left:
            own = sides[side]
            if price in own:
                own[price][new] = left
            else:
                own[price] = {new: left}
            places[new] = side, price
    return sum(sum(level.values()) for half in sides.values() for level in half.to_dict().values())


ENGINES: dict[str, tuple[Engine, str | None]] = {
    "plain Python, integer ladder": (integer_ladder, None),
    "sortedcontainers, matched in Python": (sorted_containers, "sortedcontainers"),
    "limit-order-book": (limit_order_book, "limit_order_book"),
    "order-book, matched in Python": (order_book, "order_book"),
    "lightmatchingengine": (lightmatchingengine, "lightmatchingengine"),
}
