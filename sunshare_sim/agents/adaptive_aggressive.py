# ruff: noqa: FBT001, PLR0913, PLR0917 -- compiled kernels: sequential work on many arrays
"""AA: traders that estimate the equilibrium price and learn how eagerly to trade around it."""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, Tape, View, require, strategy
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray

WINDOW: Final = 5  # trades from which the equilibrium price is estimated
DECAY: Final = 0.9  # weight of a trade relative to the one after it


class AggressiveMemory(NamedTuple):
    """Hold what each home has learned; column 0 as a buyer, column 1 as a seller.

    Attributes
    ----------
    eagerness : FloatArray
        Degree of aggressiveness, -1 (waits for the best price) to 1 (pays its limit), shape [homes, 2].
    bend : FloatArray
        Theta, the bend of the curve from aggressiveness to price, shape [homes].
    prices : FloatArray
        Prices of the last trades, newest first, NaN before [currency/kWh]; shape [homes, WINDOW].
    spread : FloatArray
        Lowest and highest relative deviation of trade prices seen so far, shape [homes, 2].
    """

    eagerness: FloatArray
    bend: FloatArray
    prices: FloatArray
    spread: FloatArray


@strategy("aa")
@dataclass(frozen=True)
class AdaptiveAggressive(Strategy):
    """Aim at a price between the estimated equilibrium and the own limit, as far as competition asks for it.

    Vytelingum, Cliff & Jennings (2008, Strategic bidding in continuous double auctions, Artificial Intelligence 172,
    1700-1729, doi:10.1016/j.artint.2008.06.001). The aggressiveness follows each shout, theta the volatility of
    prices; where sources differ, theta* = theta_min + (theta_max - theta_min) (1 - a) exp(gamma (a - 1)), which
    spans the whole range.

    Attributes
    ----------
    eta : float
        Part of the way from the best quote to the target is 1 / eta.
    absolute, relative : float
        Least steps of the aggressiveness, lambda_a and lambda_r.
    rate, bend_rate : float
        Learning rates of aggressiveness and theta, beta_1 and beta_2.
    gamma : float
        Bend of theta's dependence on volatility.
    hears : int
        Most shouts of a round a home reacts to, evenly spaced up to the last.
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 32

    eta: float = 3.0
    absolute: float = 0.01
    relative: float = 0.02
    rate: float = 0.4
    bend_rate: float = 0.4
    gamma: float = 2.0
    hears: int = 4

    def __post_init__(self) -> None:
        require(self, "eta", 1.0)
        for name in ("absolute", "relative", "rate", "bend_rate"):
            require(self, name, 0.0, 1.0)
        for name in ("gamma", "hears"):
            require(self, name, 0.0)

    def start(self, homes: int, rng: np.random.Generator) -> AggressiveMemory:  # noqa: ARG002 - the contract
        """Start neutral: aggressiveness 0, so that the first target is the equilibrium price."""
        return AggressiveMemory(
            eagerness=np.zeros((homes, 2)),
            bend=np.full(homes, -4.0),
            prices=np.full((homes, WINDOW), np.nan),
            spread=np.tile([np.inf, -np.inf], (homes, 1)),
        )

    def quote(self, view: View) -> Quotes:
        """Return a price part of the way to the target, or the other side's best quote when that is good enough."""
        homes = view.net_kwh.size
        price = np.empty(homes)
        best = [
            np.broadcast_to(np.asarray(each, dtype=np.float64), homes)
            for each in (view.best_bid, view.best_ask)
        ]
        rules = (view.cap_price, view.tick, self.eta, self.relative)
        _quote(view.side, view.limit_price, best[0], best[1], rules, view.memory, price)
        return Quotes(price, np.where(np.isnan(price), 0.0, np.abs(view.net_kwh)))._replace(
            price=np.where(np.isnan(price), view.limit_price, price)
        )

    def learn(self, view: View, tape: Tape) -> None:
        """React to the round's shouts one after another."""
        shouts = tape.shouts(self.hears, view.net_kwh.size)
        rules = np.array([self.absolute, self.relative, self.rate, self.bend_rate, self.gamma])
        _learn(view.side, view.limit_price, (view.cap_price, view.tick), shouts, rules, view.memory)


@kernel
def _equilibrium(prices: FloatArray) -> float:
    """Return the weighted mean of the last trade prices, NaN before the first."""
    total, weights, weight = 0.0, 0.0, 1.0
    for price in prices:
        if np.isnan(price):
            break
        total += weight * price
        weights += weight
        weight *= DECAY
    return total / weights if weights > 0 else np.nan


@kernel
def _bent(share: float, bend: float) -> float:
    """Return (e^(share bend) - 1) / (e^bend - 1), `share` itself where that is 0 / 0."""
    if abs(bend) < 1e-6:
        return share
    bent: float = np.expm1(share * bend) / np.expm1(bend)
    return bent


@kernel
def _unbent(value: float, bend: float) -> float:
    """Return the share whose bent value it is."""
    if abs(bend) < 1e-6:
        return value
    share: float = np.log1p(value * np.expm1(bend)) / bend
    return share


@kernel
def _target(seller: bool, limit: float, fair: float, cap: float, eagerness: float, bend: float) -> float:
    """Return the price a home aims at, given the equilibrium price it believes in."""
    worst = cap if seller else 0.0  # the price it would like best and is least likely to get
    gains = fair > limit if seller else fair < limit
    pivot = fair if gains else limit
    if eagerness > 0:
        return pivot + (limit - pivot) * _bent(eagerness, bend)
    return pivot + (worst - pivot) * _bent(-eagerness, bend)


@kernel
def _eagerness_of(seller: bool, limit: float, fair: float, cap: float, price: float, bend: float) -> float:
    """Return the aggressiveness at which the target would be `price`."""
    worst = cap if seller else 0.0
    gains = fair > limit if seller else fair < limit
    pivot = fair if gains else limit
    eager = price < pivot if seller else price > pivot
    end = limit if eager else worst
    if end == pivot:
        return 0.0
    share = _unbent(min(max((price - pivot) / (end - pivot), 0.0), 1.0), bend)
    return share if eager else -share


@kernel
def _quote(
    side: FloatArray,
    limit: FloatArray,
    best_bid: FloatArray,
    best_ask: FloatArray,
    rules: tuple[float, float, float, float],
    memory: AggressiveMemory,
    price: FloatArray,
) -> None:
    """Write each home's price into `price`, NaN where it has no chance within its limit.

    Before the first trade a home aims a little beyond the best quote of the other side.
    """
    cap, tick, eta, relative = rules
    for home in range(side.size):
        seller = side[home] <= 0
        own = limit[home]
        bid = 0.0 if np.isnan(best_bid[home]) else best_bid[home]
        ask = cap if np.isnan(best_ask[home]) else best_ask[home]
        if (seller and own >= ask and own < cap) or (not seller and own <= bid):
            price[home] = np.nan
            continue
        fair = _equilibrium(memory.prices[home])
        if np.isnan(fair):
            beyond = (1.0 - relative) * bid - tick if seller else (1.0 + relative) * ask + tick
            target = max(beyond, own) if seller else min(beyond, own)
        else:
            role = 1 if seller else 0
            target = _target(seller, own, fair, cap, memory.eagerness[home, role], memory.bend[home])
            if (seller and bid >= target) or (not seller and ask <= target):
                price[home] = max(bid, own) if seller else min(ask, own)
                continue
        # At least one tick: rounded away from the target, a smaller step would end the competition before it
        gap = ask - target if seller else target - bid
        step = min(max(gap / eta, tick), gap)
        wish = ask - step if seller else bid + step
        price[home] = min(max(wish, own), cap) if seller else min(max(wish, 0.0), own)


@kernel
def _learn_trade(home: int, price: float, rules: FloatArray, memory: AggressiveMemory) -> None:
    """Take in a trade: the equilibrium estimate, and theta from the volatility of the last prices."""
    prices = memory.prices[home]
    for i in range(WINDOW - 1, 0, -1):
        prices[i] = prices[i - 1]
    prices[0] = price
    fair = _equilibrium(prices)
    squares, count = 0.0, 0
    for each in prices:
        if not np.isnan(each):
            squares += (each - fair) ** 2
            count += 1
    alpha = np.sqrt(squares / count) / fair if fair > 0 else 0.0
    lowest = min(memory.spread[home, 0], alpha)
    highest = max(memory.spread[home, 1], alpha)
    memory.spread[home, 0], memory.spread[home, 1] = lowest, highest
    share = (alpha - lowest) / (highest - lowest) if highest > lowest else 0.5
    wanted = -8.0 + 10.0 * (1.0 - share) * np.exp(rules[4] * (share - 1.0))
    memory.bend[home] += rules[3] * (wanted - memory.bend[home])


@kernel
def _learn(
    side: FloatArray,
    limit: FloatArray,
    prices: tuple[float, float],
    shouts: FloatArray,
    rules: FloatArray,
    memory: AggressiveMemory,
) -> None:
    """Move every home's aggressiveness and theta by the shouts, oldest first.

    After a trade a home becomes more eager when its target would not have made it, else less; after a shout in vain by
    its own side it becomes more eager when its target is, to a tick, no better than that shout.
    """
    cap, tick = prices
    for home in range(side.size):
        seller = side[home] <= 0
        role = 1 if seller else 0
        sign = 1.0 if seller else -1.0
        for event in range(shouts.shape[1]):
            if np.isnan(shouts[1, event, home]):
                continue
            taken = not np.isnan(shouts[2, event, home])
            q = shouts[2, event, home] if taken else shouts[1, event, home]
            if taken:
                _learn_trade(home, q, rules, memory)
            fair = _equilibrium(memory.prices[home])
            if np.isnan(fair) or side[home] == 0:
                continue
            r, bend = memory.eagerness[home, role], memory.bend[home]
            hopes = (_target(seller, limit[home], fair, cap, r, bend) - q) * sign  # > 0: for more than that
            in_vain = shouts[0, event, home] * sign < 0 and hopes > -max(tick, 1e-9)
            at_shout = _eagerness_of(seller, limit[home], fair, cap, q, bend)
            if (taken and hopes > 0) or (not taken and in_vain):
                wanted = at_shout + rules[1] * abs(at_shout) + rules[0]
            elif taken:
                wanted = at_shout - rules[1] * abs(at_shout) - rules[0]
            else:
                continue
            memory.eagerness[home, role] = min(max(r + rules[2] * (wanted - r), -1.0), 1.0)
