# ruff: noqa: C901, FBT001, PLR0912, PLR0913, PLR0915, PLR0917 -- a compiled loop over many arrays
"""A period of the laboratory in one compiled loop: the live market's matching, the strategies' own quoting kernels."""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.agents.shaver import shaved
from sunshare_sim.agents.zero_intelligence import even_price
from sunshare_sim.agents.zip import ZipMemory, hear, shout_price
from sunshare_sim.kernels import kernel, lent, part
from sunshare_sim.market._book import (
    run_part,
)  # the kernel itself: a call of the book a quote would cost ten times more
from sunshare_sim.market._layout import FILLS, NOTHING, ORDER_FIELDS, PRICE_LEVELS, SHIFT, USED, Queues
from sunshare_sim.market._upkeep import compact
from sunshare_sim.market.orders import CANCEL, GTC, IOC, SUBMIT
from sunshare_sim.units import BoolArray, FloatArray, IntArray

TRUTHFUL: Final = 0
CONSTRAINED: Final = 1
UNCONSTRAINED: Final = 2
SHAVER: Final = 3
ZIP: Final = 4
STANDING_QUOTES: Final = 1
FULL_BOOK: Final = 2
OPEN_OUTCRY: Final = 3
MOST_EVENTS: Final = 3  # messages of one activation

Generators = tuple[np.random.Generator, ...]


class Books(NamedTuple):
    """Hold the order books of all pits: the arrays of an `OrderBook`, the first five with one row a pit.

    `messages` is what one activation sends, one column an event as in `orders.Events`; quantity and expiry are given.
    """

    state: IntArray
    orders: IntArray
    queues: Queues
    bits: IntArray
    tops: IntArray
    charges: IntArray
    room: IntArray
    sent: IntArray
    family: IntArray
    fills: IntArray
    messages: IntArray


class Pits(NamedTuple):
    """Hold what a floor knows: of traders, shape [pits * traders], then of pits, shape [pits]."""

    side: FloatArray
    limit: FloatArray
    low: FloatArray
    high: FloatArray
    kind: IntArray
    active: BoolArray
    profit: FloatArray
    order_id: IntArray
    last_price: FloatArray
    best_bid: FloatArray
    best_ask: FloatArray
    trades: IntArray
    sums: FloatArray
    squares: FloatArray
    failures: IntArray
    possible: BoolArray


class Kinds(NamedTuple):
    """Hold the kinds of traders: what each does (shape [kinds]), its two numbers (shape [kinds, 2]), what ZIP knows."""

    code: IntArray
    numbers: FloatArray
    memory: ZipMemory


class Rules(NamedTuple):
    """Hold what is the same for all pits."""

    protocol: int
    activations: int
    failures: int
    idle_polls: bool
    rational: bool
    ties: bool
    cap: float


@part
def _whole(price: float, side: float, cap: float) -> int:
    """Return a wish as a limit price, as `units.limit_ticks` does, within 1 and the cap."""
    slack = 1e-9 * max(1.0, abs(price))
    ticks = np.floor(price + slack) if side == 1.0 else np.ceil(price - slack)
    return int(min(max(ticks, 1.0), cap))


@part
def _price(row: int, pit: int, pits: Pits, kinds: Kinds, cap: float, rng: Generators) -> int:
    """Return the limit price a trader quotes [ticks]."""
    kind = pits.kind[row]
    code, side, limit = kinds.code[kind], pits.side[row], pits.limit[row]
    if code == CONSTRAINED:
        price = even_price(rng[kind].random(), pits.low[row], pits.high[row], 1.0)
    elif code == UNCONSTRAINED:
        price = even_price(rng[kind].random(), 1.0, cap, 1.0)
    elif code == SHAVER:
        step = kinds.numbers[kind, 0]
        low, high = pits.low[row], pits.high[row]
        if kinds.numbers[kind, 1] == 0.0:
            low, high = pits.last_price[pit] + step, pits.last_price[pit] - step
        best = pits.best_bid[pit], pits.best_ask[pit]
        price = shaved(side > 0, limit, best, (low, high), (step, cap))
    elif code == ZIP:
        price = shout_price(row, side, limit, (cap, 1.0), kinds.memory.start, kinds.memory.distance)
    else:
        price = limit
    return _whole(price, side, cap)


@part
def _nth(eligible: BoolArray, first: int, size: int, draw: float) -> int:
    """Return an evenly drawn eligible trader of a pit."""
    count = 0
    for row in range(first, first + size):
        count += eligible[row]
    wanted = int(draw * count)
    for row in range(first, first + size):
        if eligible[row]:
            if wanted == 0:
                return row
            wanted -= 1
    return first


@part
def _is_possible(pits: Pits, first: int, size: int, rational: bool) -> bool:
    """Return whether a trade is still possible: for rational traders, at a price both accept."""
    highest, lowest = -np.inf, np.inf
    for row in range(first, first + size):
        if pits.active[row]:
            if pits.side[row] > 0:
                highest = max(highest, pits.limit[row])
            else:
                lowest = min(lowest, pits.limit[row])
    return highest >= lowest if rational else highest > -np.inf and lowest < np.inf


@part
def _teach(
    pit: int,
    size: int,
    shout: tuple[float, float, float],
    pits: Pits,
    kinds: Kinds,
    cap: float,
    rng: Generators,
) -> None:
    """Tell the traders of a pit that learn of its shout; NaN is none, but the draws are made all the same."""
    for row in range(pit * size, pit * size + size):
        kind = pits.kind[row]
        if kinds.code[kind] == ZIP:
            draws = rng[kind].random(), rng[kind].random()
            if not np.isnan(shout[1]):
                side = pits.side[row]
                who = side, side if pits.active[row] else 0.0, pits.limit[row]
                rules = cap, 1.0, kinds.numbers[kind, 0], kinds.numbers[kind, 1]
                hear(row, who, shout, draws, rules, kinds.memory)


@part
def _book_trade(buyer: int, seller: int, price: float, pit: int, pits: Pits) -> None:
    for row in (buyer, seller):
        pits.active[row] = False
        pits.order_id[row] = -1
        pits.profit[row] = (pits.limit[row] - price) * pits.side[row]
    pits.trades[pit] += 1
    pits.sums[pit] += price
    pits.squares[pit] += price**2
    pits.last_price[pit] = price


@kernel
def hold(
    rules: Rules, pits: Pits, books: Books, kinds: Kinds, rng: Generators, chance: np.random.Generator
) -> int:
    """Hold a period in all pits; return the number of quotes asked for.

    Parameters
    ----------
    rules : Rules
        Protocol and limits of the period.
    pits, books, kinds
        Changed as the period goes on.
    rng : tuple of Generator
        The stream of each kind of trader.
    chance : Generator
        The stream of activations.
    """
    pits = Pits(
        lent(pits.side),
        lent(pits.limit),
        lent(pits.low),
        lent(pits.high),
        lent(pits.kind),
        lent(pits.active),
        lent(pits.profit),
        lent(pits.order_id),
        lent(pits.last_price),
        lent(pits.best_bid),
        lent(pits.best_ask),
        lent(pits.trades),
        lent(pits.sums),
        lent(pits.squares),
        lent(pits.failures),
        lent(pits.possible),
    )
    books = Books(
        lent(books.state),
        lent(books.orders),
        lent(books.queues),
        lent(books.bits),
        lent(books.tops),
        lent(books.charges),
        lent(books.room),
        lent(books.sent),
        lent(books.family),
        lent(books.fills),
        lent(books.messages),
    )
    memory = kinds.memory
    kinds = Kinds(
        lent(kinds.code),
        lent(kinds.numbers),
        ZipMemory(
            lent(memory.rate),
            lent(memory.inertia),
            lent(memory.start),
            lent(memory.distance),
            lent(memory.trend),
        ),
    )
    copies = pits.trades.size
    size = pits.side.size // copies
    cap = rules.cap
    learning = False
    for code in kinds.code:
        learning = learning or code == ZIP
    row_of, price_of = np.full(copies, -1), np.zeros(copies, dtype=np.int64)
    taker_draw = np.zeros(copies)
    answer = np.zeros(size, dtype=np.int64)
    willing = np.zeros(size, dtype=np.bool_)
    standing = np.full(
        (copies, 2), -1
    )  # P1: whose bid and whose ask came last; a trade clears it from `order_id`
    kind_, id_, owner, side_, pool = (
        books.messages[0],
        books.messages[1],
        books.messages[2],
        books.messages[3],
        books.messages[4],
    )
    price_, one, tif, never = books.messages[5], books.messages[6], books.messages[7], books.messages[8]
    shift, levels = books.state[0, SHIFT], books.state[0, PRICE_LEVELS]
    next_id = np.zeros(copies, dtype=np.int64)
    fills = books.fills
    asked = 0
    for _ in range(rules.activations):
        going = 0
        for pit in range(copies):
            going += pits.possible[pit] and pits.failures[pit] < rules.failures
        if going == 0:
            break
        for pit in range(copies):
            draw = chance.random()
            row_of[pit] = -1
            if pits.possible[pit] and pits.failures[pit] < rules.failures:
                if rules.idle_polls:
                    row_of[pit] = pit * size + int(draw * size)
                else:
                    row_of[pit] = _nth(pits.active, pit * size, size, draw)
        if rules.protocol == OPEN_OUTCRY:
            for pit in range(copies):
                taker_draw[pit] = chance.random()
        for pit in range(copies):
            row = row_of[pit]
            price_of[pit] = 0
            if row >= 0 and pits.active[row]:
                price_of[pit] = _price(row, pit, pits, kinds, cap, rng)
                asked += 1
        for pit in range(copies):
            row, price = row_of[pit], price_of[pit]
            if row < 0:
                continue
            side = pits.side[row]
            sent = price > 0
            count = 0
            if sent and rules.protocol == STANDING_QUOTES:
                best = pits.best_bid[pit] if side > 0 else pits.best_ask[pit]
                sent = np.isnan(best) or (price - best) * side > 0
            if sent:
                if rules.protocol == STANDING_QUOTES:
                    mine = 0 if side > 0 else 1
                    before = standing[pit, mine]
                    standing[pit, mine] = row
                else:
                    before = row
                if before >= 0 and pits.order_id[before] >= 0:
                    kind_[count], id_[count] = CANCEL, pits.order_id[before]
                    pits.order_id[before] = -1
                    count += 1
                kind_[count], owner[count], side_[count] = SUBMIT, row, int(side)
                price_[count], tif[count] = price, GTC
                pits.order_id[row] = next_id[pit]
                next_id[pit] += 1
                count += 1
            if sent and rules.protocol == OPEN_OUTCRY:
                first = pit * size
                for place in range(size):
                    willing[place] = False
                    if pits.active[first + place] and pits.side[first + place] == -side:
                        answer[place] = _price(first + place, pit, pits, kinds, cap, rng)
                        asked += 1
                        better = (price - answer[place]) * side
                        willing[place] = better > 0 or (rules.ties and better == 0)
                if willing.any():
                    taker = _nth(willing, 0, size, taker_draw[pit])
                    kind_[count], owner[count], side_[count] = SUBMIT, first + taker, -int(side)
                    price_[count], tif[count] = answer[taker], IOC
                    next_id[pit] += 1
                    count += 1
                kind_[count], id_[count] = CANCEL, pits.order_id[row]
                pits.order_id[row] = -1
                count += 1
            taken_at = np.nan
            if count:
                state, orders = books.state[pit], books.orders[pit]
                if state[USED] + count * ORDER_FIELDS > orders.size:
                    compact(state, orders, books.queues[pit], books.bits[pit], books.tops[pit], orders)
                state[FILLS] = 0
                ladders = (state, orders, books.queues[pit], books.bits[pit], books.tops[pit])
                rest = (books.charges, books.room, books.sent, books.family, fills)
                run_part(
                    1, 0, *ladders, *rest, kind_, id_, owner, side_, pool, price_, one, tif, never, 0, count
                )
                if state[FILLS]:
                    taken_at = float(fills[0, 5])
                    _book_trade(fills[0, 2], fills[0, 3], taken_at, pit, pits)
                    pits.possible[pit] = _is_possible(pits, pit * size, size, rules.rational)
                bid, ask = books.tops[pit, 0], books.tops[pit, 1]
                pits.best_bid[pit] = np.nan if bid == NOTHING else float(levels - (bid >> shift))
                pits.best_ask[pit] = np.nan if ask == NOTHING else float(ask >> shift)
            if rules.protocol == OPEN_OUTCRY:
                pits.failures[pit] = pits.failures[pit] + 1 if np.isnan(taken_at) else 0
            if learning:
                shouted = float(price) if price > 0 else np.nan
                _teach(pit, size, (side if price > 0 else 0.0, shouted, taken_at), pits, kinds, cap, rng)
    return asked
