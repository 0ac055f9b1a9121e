# ruff: noqa: C901, PLR0913, PLR0917 -- compiled kernels: sequential work on many arrays
"""GD: traders that form a belief of what will be accepted, and shout the price of the highest expected gain."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from sunshare_sim.agents.strategy import Each, Quotes, Strategy, View, strategy
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray

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
    history: ClassVar[int] = 128

    trades: int = 5

    def quote(self, view: View) -> Quotes:
        """Return the price of the highest expected gain; homes that can expect none stay away."""
        homes = view.net_kwh.size
        price = np.empty(homes)
        shouts = view.tape.shouts(self.history, homes)
        rules = self.trades, view.tape.order_price.ndim == 1
        best = _for_each(view.best_bid, homes), _for_each(view.best_ask, homes)
        _quote(view.side, view.limit_price, view.cap_price, best, shouts, rules, price)
        none = np.isnan(price)
        return Quotes(np.where(none, view.limit_price, price), np.where(none, 0.0, np.abs(view.net_kwh)))


def _for_each(value: Each, homes: int) -> FloatArray:
    """Return one value a home, read-only."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), homes)


@kernel
def _quote(
    side: FloatArray,
    limit: FloatArray,
    cap: float,
    best: tuple[FloatArray, FloatArray],
    shouts: FloatArray,
    rules: tuple[int, bool],
    price: FloatArray,
) -> None:
    """Write each home's price into `price`, NaN where no price promises a gain.

    Buyers are sellers in a mirror at the cap. Homes that read one tape and know the same, as
    neighbours with the same tariff do, are answered once.
    """
    events = shouts.shape[1]
    trades, one_tape = rules
    seen = np.empty((events, 3))
    asked = np.full((2, 3), np.nan)  # what the last buyer and the last seller knew, and what they were told
    told = np.full(2, np.nan)
    for home in range(side.size):
        role = 0 if side[home] > 0 else 1
        bid = 0.0 if np.isnan(best[0][home]) else best[0][home]
        ask = cap if np.isnan(best[1][home]) else best[1][home]
        knows = (limit[home], bid, ask)
        same = one_tape
        for i in range(3):
            same = same and asked[role, i] == knows[i]
        if not same:
            for event in range(events):
                seen[event, 0] = shouts[0, event, home] if role else -shouts[0, event, home]
                for column in range(1, 3):
                    value = shouts[column, event, home]
                    seen[event, column] = value if role else cap - value
            if role:
                told[role] = _best_ask(limit[home], bid, ask, seen, trades)
            else:
                told[role] = cap - _best_ask(cap - limit[home], cap - ask, cap - bid, seen, trades)
            for i in range(3):
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
def _best_ask(limit: float, bid: float, ask: float, seen: FloatArray, trades: int) -> float:
    """Return the ask with the highest expected gain, NaN when none promises any."""
    first = _first_counted(seen, trades)
    knots = np.empty(seen.shape[0] - first + 2)
    beliefs = np.empty(knots.size)
    taken = np.zeros(seen.shape[0])  # 1 where an ask was taken later, by a bid at its price
    count = 1
    knots[0] = bid
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
    best, best_gain = np.nan, 0.0
    if bid > limit:
        best, best_gain = bid, bid - limit
    for i in range(count - 1):
        low, width = knots[i], knots[i + 1] - knots[i]
        if width == 0.0 or knots[i + 1] <= limit:
            continue
        for point in range(1, POINTS + 1):
            x = point / POINTS
            belief = beliefs[i] + (beliefs[i + 1] - beliefs[i]) * x * x * (3.0 - 2.0 * x)
            gain = (low + x * width - limit) * belief
            if gain > best_gain:
                best, best_gain = low + x * width, gain
    return best


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
