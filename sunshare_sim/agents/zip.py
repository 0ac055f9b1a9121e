# ruff: noqa: FBT001, PLR0913, PLR0917 -- compiled kernels: sequential work on many arrays
"""ZIP: the simplest trader that learns a price from what others shout."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, Tape, View, require, strategy
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray


class ZipMemory(NamedTuple):
    """Hold what each home has drawn and learned; column 0 as a buyer, column 1 as a seller.

    Attributes
    ----------
    rate, inertia : FloatArray
        Learning rate and momentum of each home, shape [homes].
    start : FloatArray
        Margin it starts with, a share of its limit price, shape [homes].
    distance : FloatArray
        Shout price less limit price [currency/kWh], NaN before the first quote; shape [homes, 2].
    trend : FloatArray
        Running mean of the price's corrections [currency/kWh], shape [homes, 2].
    """

    rate: FloatArray
    inertia: FloatArray
    start: FloatArray
    distance: FloatArray
    trend: FloatArray


@strategy("zip")
@dataclass(frozen=True)
class Zip(Strategy):
    """Keep a margin and move it towards slightly better than the last price, or slightly more competitive than it.

    Cliff & Bruten (1997, Minimal-intelligence agents for bargaining behaviours in market-based environments, HP
    Laboratories report HPL-97-91), with their rules of when to raise and when to lower it, Widrow-Hoff learning with
    momentum, and their parameters. The margin is kept as a difference and not as a ratio of the limit price: the same
    while the limit stays, but defined where the feed-in price is zero.

    Attributes
    ----------
    absolute : float
        Largest absolute step of the target, as a share of the highest price (theirs: 0.05 of 4.00).
    relative : float
        Largest relative step of the target.
    hears : int
        Most shouts of a round a home reacts to, evenly spaced up to the last.
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 8

    absolute: float = 0.0125
    relative: float = 0.05
    hears: int = 4

    def __post_init__(self) -> None:
        for name, high in (("absolute", 1.0), ("relative", 1.0), ("hears", np.inf)):
            require(self, name, 0.0, high)

    def start(self, homes: int, rng: np.random.Generator) -> ZipMemory:
        """Draw learning rate from U(0.1, 0.5), momentum from U(0, 0.1), margin from U(0.05, 0.35)."""
        rate, inertia, margin = rng.random((homes, 3)).T
        return ZipMemory(
            rate=0.1 + 0.4 * rate,
            inertia=0.1 * inertia,
            start=0.05 + 0.3 * margin,
            distance=np.full((homes, 2), np.nan),
            trend=np.zeros((homes, 2)),
        )

    def quote(self, view: View) -> Quotes:
        """Return the limit price and the learned margin."""
        price = np.empty(view.net_kwh.size)
        rules = (view.cap_price, view.tick)
        _quote(view.side, view.limit_price, rules, view.memory.start, view.memory.distance, price)
        return Quotes(price, np.abs(view.net_kwh))

    def learn(self, view: View, tape: Tape) -> None:
        """React to the round's shouts one after another."""
        homes = view.net_kwh.size
        shouts = tape.shouts(self.hears, homes)
        draws = view.rng.random((homes, shouts.shape[1], 2))
        rules = (view.cap_price, view.tick, self.relative, self.absolute * view.cap_price)
        _learn(view.side, view.net_kwh, view.limit_price, shouts, draws, rules, view.memory)


@kernel
def _shown(wish: float, limit: float, seller: bool, cap: float, tick: float) -> float:
    """Return the price a home shouts: its wish within its limit, on the market's ticks, never beyond the wish.

    Comparing what was shouted with the unrounded wish instead would leave a home, whose shouts are in vain, content.
    """
    price = min(max(wish, limit), cap) if seller else min(max(wish, 0.0), limit)
    if tick == 0.0:
        return price
    steps = price / tick
    whole: float = np.ceil(steps - 1e-6) if seller else np.floor(steps + 1e-6)
    return whole * tick


@kernel
def shout_price(
    home: int, side: float, limit: float, rules: tuple[float, float], start: FloatArray, distance: FloatArray
) -> float:
    """Return a home's shout price; open its margin when it quotes for the first time."""
    cap, tick = rules
    role = 0 if side > 0 else 1
    if np.isnan(distance[home, role]):
        distance[home, role] = limit * (start[home] if role else -start[home])
    return min(_shown(limit + distance[home, role], limit, role == 1, cap, tick), cap)


@kernel
def _quote(
    side: FloatArray,
    limit: FloatArray,
    rules: tuple[float, float],
    start: FloatArray,
    distance: FloatArray,
    price: FloatArray,
) -> None:
    """Write each home's shout price into `price`."""
    for home in range(side.size):
        price[home] = shout_price(home, side[home], limit[home], rules, start, distance)


@kernel
def hear(
    home: int,
    who: tuple[float, float, float],
    shout: tuple[float, float, float],
    draws: tuple[float, float],
    rules: tuple[float, float, float, float],
    memory: ZipMemory,
) -> None:
    """Move a home's margin by one shout.

    A home raises its margin when a trade shows that it could have had a better price. It lowers it, while it has
    something left to trade, when its own price would not have made the trade that others made, or when its own side
    shouted in vain a price as good as its own.

    Parameters
    ----------
    home : int
        Its row in the memory.
    who : (float, float, float)
        Its side, what it has left to trade, its limit price.
    shout : (float, float, float)
        Side and price of the shout, and the price at which it was taken or NaN.
    draws : (float, float)
        Even draws from 0 to 1 for the relative and the absolute step of the target.
    rules : (float, float, float, float)
        Highest price, tick, largest relative and largest absolute step.
    memory : ZipMemory
        What the homes have learned; changed.
    """
    cap, tick, relative, absolute = rules
    side, left, limit = who
    role = 0 if side > 0 else 1
    sign = -1.0 if role == 0 else 1.0  # direction in which a price is better for the home
    if np.isnan(memory.distance[home, role]):
        memory.distance[home, role] = sign * limit * memory.start[home]
    taken = not np.isnan(shout[2])
    q = shout[2] if taken else shout[1]
    price = limit + memory.distance[home, role]
    better = (q - _shown(price, limit, role == 1, cap, tick)) * sign  # the market's than its own
    own_side = shout[0] * sign < 0
    if taken and better >= 0:
        direction = sign
    elif left != 0 and better <= 0 and taken != own_side:
        direction = -sign
    else:
        return
    target = q * (1.0 + direction * relative * draws[0])
    target += direction * absolute * draws[1]
    inertia = memory.inertia[home]
    step = inertia * memory.trend[home, role]
    step += (1.0 - inertia) * memory.rate[home] * (target - price)
    memory.trend[home, role] = step
    wish = price + step
    wish = min(max(wish, limit), cap) if role else min(max(wish, 0.0), limit)
    memory.distance[home, role] = wish - limit


@kernel
def _learn(
    side: FloatArray,
    left: FloatArray,
    limit: FloatArray,
    shouts: FloatArray,
    draws: FloatArray,
    rules: tuple[float, float, float, float],
    memory: ZipMemory,
) -> None:
    """Move every home's margin by the shouts, oldest first."""
    for home in range(side.size):
        if side[home] == 0:
            continue
        who = side[home], left[home], limit[home]
        for event in range(shouts.shape[1]):
            if np.isnan(shouts[1, event, home]):
                continue
            shout = shouts[0, event, home], shouts[1, event, home], shouts[2, event, home]
            hear(home, who, shout, (draws[home, event, 0], draws[home, event, 1]), rules, memory)
