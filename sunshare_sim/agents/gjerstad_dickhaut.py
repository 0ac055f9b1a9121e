# ruff: noqa: C901, PLR0912, PLR0913, PLR0917 -- compiled kernels: sequential work on many arrays
"""GD and MGD: traders that form a belief of what will be accepted, and shout the price of the highest expected gain."""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

import numpy as np

from sunshare_sim.agents.strategy import Each, Quotes, Strategy, Tape, View, require, strategy
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray, IntArray

POINTS: Final = 8  # prices tried between two prices seen


@strategy("gd")
@dataclass(frozen=True)
class GjerstadDickhaut(Strategy):
    """Maximise gain times the belief that a price is accepted, judged from the shouts since the last few trades.

    Gjerstad & Dickhaut (1998, Price formation in double auctions, Games and Economic Behavior 22, 1-29,
    doi:10.1006/game.1997.0576). A seller believes in an ask `a` by (TA + B) / (TA + B + RA): asks taken at `a` or
    above, bids at `a` or above, asks rejected at `a` or below; buyers in mirror image; between prices seen the belief
    is a cubic with level ends. A standing quote of the other side is sure; one of the own side must be beaten. The
    paper's timing of shouts is left to the market's order of activation.

    Attributes
    ----------
    trades : int
        How many trades back the shouts count (theirs: L, here 5).
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 2
    history: ClassVar[int] = 128

    trades: int = 5

    def __post_init__(self) -> None:
        require(self, "trades", 1)

    def quote(self, view: View) -> Quotes:
        """Return the price of the highest expected gain; homes that can expect none stay away."""
        nowhere = np.broadcast_to(np.nan, view.net_kwh.size)
        return self._quote_within(view, (nowhere, nowhere))

    def _quote_within(self, view: View, bounds: tuple[FloatArray, FloatArray]) -> Quotes:
        """Quote, sure of trading up to the first of two prices [currency/kWh] and never beyond the second."""
        homes = view.net_kwh.size
        price = np.empty(homes)
        shouts = view.tape.shouts(self.history, homes)
        rules = self.trades, view.tape.order_price.ndim == 1
        best = _for_each(view.best_bid, homes), _for_each(view.best_ask, homes)
        _quote(view.side, view.limit_price, view.cap_price, best, bounds, shouts, rules, price)
        none = np.isnan(price)
        return Quotes(np.where(none, view.limit_price, price), np.where(none, 0.0, np.abs(view.net_kwh)))


class PricesTraded(NamedTuple):
    """Hold the prices each home has heard trades at [currency/kWh], NaN for none.

    Attributes
    ----------
    before, now : FloatArray
        Lowest and highest of the last period with trades, and of the period that goes on; shape [homes, 2].
    period : IntArray
        The slot `now` belongs to, shape [homes].
    """

    before: FloatArray
    now: FloatArray
    period: IntArray


@strategy("mgd")
@dataclass(frozen=True)
class ModifiedGjerstadDickhaut(GjerstadDickhaut):
    """Trade as GD, with beliefs bounded by the last period: sure below its lowest price, none above its highest.

    Tesauro & Das (2001, High-performance bidding agents for the continuous double auction, Proceedings of the 3rd ACM
    Conference on Electronic Commerce, 206-209, doi:10.1145/501158.501183): a seller believes that an ask above the
    highest trade price of the previous trading period is never taken, and one below the lowest always is; buyers in
    mirror image. It keeps beliefs drawn from few shouts from carrying the price away. A period is a slot;
    one without trades is passed over. The rule is taken from secondary accounts, the paper was not read;
    its grace period for orders in a queue is not modelled: an order counts as rejected until its price is taken.
    """

    def start(self, homes: int, rng: np.random.Generator) -> PricesTraded:  # noqa: ARG002 - the contract
        """Start without any price."""
        return PricesTraded(
            np.full((homes, 2), np.nan), np.full((homes, 2), np.nan), np.zeros(homes, dtype=np.int64)
        )

    def quote(self, view: View) -> Quotes:
        """Return the price of the highest expected gain within last period's prices."""
        memory: PricesTraded = view.memory
        over = (memory.period != view.slot) & ~np.isnan(memory.now[:, 0])
        memory.before[over] = memory.now[over]
        memory.now[over] = np.nan
        memory.period[:] = view.slot
        low, high = memory.before[:, 0], memory.before[:, 1]
        sells = view.side <= 0
        bounds = np.where(sells, low - view.tick, low), np.where(sells, high, high + view.tick)
        return self._quote_within(view, bounds)

    def learn(self, view: View, tape: Tape) -> None:
        """Remember the lowest and the highest price of the round's trades."""
        memory: PricesTraded = view.memory
        price = tape.price if tape.price.ndim > 1 else tape.price[:, None]
        if not price.size:
            return
        memory.now[:, 0] = np.fmin(memory.now[:, 0], np.fmin.reduce(price, axis=0))
        memory.now[:, 1] = np.fmax(memory.now[:, 1], np.fmax.reduce(price, axis=0))


def _for_each(value: Each, homes: int) -> FloatArray:
    """Return one value a home, read-only."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), homes)


@kernel
def _quote(
    side: FloatArray,
    limit: FloatArray,
    cap: float,
    best: tuple[FloatArray, FloatArray],
    bounds: tuple[FloatArray, FloatArray],
    shouts: FloatArray,
    rules: tuple[int, bool],
    price: FloatArray,
) -> None:
    """Write each home's price into `price`, NaN where no price promises a gain.

    `bounds` are a low and a high price of each home, NaN for none: a seller is sure of asks up to the low one and
    expects nothing above the high one. Buyers are sellers in a mirror at the cap. Homes that read one tape and know
    the same, as neighbours with the same tariff do, are answered once.
    """
    events = shouts.shape[1]
    trades, one_tape = rules
    seen = np.empty((events, 3))
    asked = np.full((2, 5), -1.0)  # what the last buyer and the last seller knew, and what they were told
    told = np.full(2, np.nan)
    for home in range(side.size):
        role = 0 if side[home] > 0 else 1
        bid = 0.0 if np.isnan(best[0][home]) else best[0][home]
        ask = cap if np.isnan(best[1][home]) else best[1][home]
        low = 0.0 if np.isnan(bounds[0][home]) else bounds[0][home]
        high = cap if np.isnan(bounds[1][home]) else bounds[1][home]
        knows = (limit[home], bid, ask, low, high)
        same = one_tape
        for i in range(5):
            same = same and asked[role, i] == knows[i]
        if not same:
            for event in range(events):
                seen[event, 0] = shouts[0, event, home] if role else -shouts[0, event, home]
                for column in range(1, 3):
                    value = shouts[column, event, home]
                    seen[event, column] = value if role else cap - value
            if role:
                told[role] = _best_ask(limit[home], (bid, ask), (low, high), seen, trades)
            else:
                mirrored = (cap - ask, cap - bid)
                told[role] = cap - _best_ask(
                    cap - limit[home], mirrored, (cap - high, cap - low), seen, trades
                )
            for i in range(5):
                asked[role, i] = knows[i]
        price[home] = told[role]


@kernel
def _first_counted(seen: FloatArray, trades: int) -> int:
    """Return the first shout after the trade before the last `trades` ones."""
    count = 0
    for event in range(seen.shape[0] - 1, -1, -1):
        if not np.isnan(seen[event, 2]):
            count += 1
            if count > trades:
                return event + 1
    return 0


@kernel
def _best_ask(
    limit: float, best: tuple[float, float], bounds: tuple[float, float], seen: FloatArray, trades: int
) -> float:
    """Return the ask with the highest expected gain, NaN when none promises any."""
    first = _first_counted(seen, trades)
    bid, ask = best
    knots = np.empty(seen.shape[0] - first + 4)
    beliefs = np.empty(knots.size)
    taken = np.zeros(seen.shape[0])  # 1 where an ask was taken later, by a bid at its price
    count = 1
    knots[0] = bid
    for bound in bounds:
        if bid < bound < ask:
            knots[count] = bound
            count += 1
    for event in range(first, seen.shape[0]):
        if np.isnan(seen[event, 1]):
            continue
        price = seen[event, 1] if np.isnan(seen[event, 2]) else seen[event, 2]
        if bid < price < ask:
            knots[count] = price
            count += 1
        if seen[event, 0] > 0 and not np.isnan(seen[event, 2]):
            for earlier in range(event - 1, first - 1, -1):
                rested = seen[earlier, 0] < 0 and np.isnan(seen[earlier, 2]) and taken[earlier] == 0
                if rested and seen[earlier, 1] == seen[event, 2]:
                    taken[earlier] = 1
                    break
    knots[count] = ask
    count += 1
    knots[:count].sort()
    beliefs[0], beliefs[count - 1] = 1.0, 0.0
    for i in range(1, count - 1):
        beliefs[i] = _belief(knots[i], first, seen, taken)
    chosen, best_gain = np.nan, 0.0
    if bid > limit:
        chosen, best_gain = bid, bid - limit
    for i in range(count - 1):
        low, width = knots[i], knots[i + 1] - knots[i]
        if width == 0.0 or knots[i + 1] <= limit:
            continue
        for point in range(1, POINTS + 1):
            x = point / POINTS
            price = low + x * width
            belief = beliefs[i] + (beliefs[i + 1] - beliefs[i]) * x * x * (3.0 - 2.0 * x)
            if price <= bounds[0] + 1e-9 and price < ask:
                belief = 1.0
            elif price > bounds[1] + 1e-9:
                belief = 0.0
            gain = (price - limit) * belief
            if gain > best_gain:
                chosen, best_gain = price, gain
    return chosen


@kernel
def _belief(ask: float, first: int, seen: FloatArray, taken: FloatArray) -> float:
    """Return the belief that an ask will be taken."""
    for_it, against = 0, 0
    for event in range(first, seen.shape[0]):
        if np.isnan(seen[event, 1]):
            continue
        accepted = not np.isnan(seen[event, 2])
        price = seen[event, 2] if accepted else seen[event, 1]
        if seen[event, 0] > 0 or accepted or taken[event] > 0:
            for_it += price >= ask
        else:
            against += price <= ask
    total = for_it + against
    return for_it / total if total > 0 else 0.5
