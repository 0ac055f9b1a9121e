"""A neighbourhood small enough to reason about: how a slot's auction behaves with rounds, solar, charges and twins."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sunshare_sim.agents.rounds import Ground, trade_in_rounds
from sunshare_sim.agents.strategy import NO_TAPE, Strategy
from sunshare_sim.market.book import OrderBook
from sunshare_sim.streams import stream
from sunshare_sim.units import MICRO, FloatArray, IntArray, to_micro

RETAIL, FEED_IN, TICK, CAP = 400_000, 80_000, 100, 4000  # 0.40, 0.08, 0.0001 currency/kWh; cap 0.40


@dataclass(frozen=True)
class Neighbourhood:
    """State everything a trial depends on.

    Attributes
    ----------
    homes, slots, rounds : int
        Homes, slots one after another, rounds a slot.
    solar : float
        Mean surplus of the homes that generate, every second one [kWh a slot]; all use 1 kWh on average.
    zones, charge : int
        Zones the homes lie in by turns; charge between any two of them [ticks].
    """

    homes: int = 60
    slots: int = 48
    rounds: int = 16
    solar: float = 2.0
    zones: int = 1
    charge: int = 0


class Trial(NamedTuple):
    """Hold what came of a trial's second half, when those who learn have learned.

    Attributes
    ----------
    share : float
        Energy traded, as a share of the most that could be.
    price : float
        Mean price to the seller [currency/kWh], weighted by energy.
    across : float
        Share of the energy traded that crosses zones.
    gain : FloatArray
        Each home's gain over the grid [currency], shape [homes].
    """

    share: float
    price: float
    across: float
    gain: FloatArray


@dataclass
class Bench:
    """Seat all homes as one cohort."""

    name: str
    members: slice
    strategy: Strategy
    rng: np.random.Generator
    memory: Any


def try_out(place: Neighbourhood, strategy: Strategy, seed: int = 1) -> Trial:
    """Let a neighbourhood trade for some slots; meters do not depend on strategy, rounds or charges."""
    homes = place.homes
    charges = np.where(np.eye(place.zones, dtype=bool), 0, place.charge).astype(np.int64)
    book = OrderBook(charges, price_levels=CAP + 1)
    rng = stream(seed, "neighbourhood", "strategy")
    seat = Bench("all", slice(0, homes), strategy, rng, strategy.start(homes, rng))
    meters, arrival = stream(seed, "neighbourhood", "meters"), stream(seed, "neighbourhood", "arrival")
    pool = np.arange(homes) // 2 % place.zones
    last = ((RETAIL + FEED_IN) / 2 / MICRO, NO_TAPE)
    possible, sums, gain = 0, np.zeros(3), np.zeros(homes)
    for slot in range(place.slots):
        net = _net(meters, place)
        ground = Ground(slot, slot % 24.0, net, np.zeros(homes), pool, charges, RETAIL, FEED_IN, TICK, CAP, 1)
        result = trade_in_rounds(
            book, ground, [seat], lambda: arrival.permutation(homes), rounds=place.rounds, last=last
        )
        last = result.last_price, result.tape
        if slot >= place.slots // 2:
            fills = result.fills
            possible += int(min(net[net > 0].sum(), -net[net < 0].sum()))
            crossing = fills.quantity @ (pool[fills.buyer] != pool[fills.seller])
            sums += [fills.quantity.sum(), fills.quantity @ (fills.price * TICK / MICRO), crossing]
            paid = (RETAIL - (fills.price + fills.charge) * TICK) / MICRO * fills.quantity / MICRO
            got = (fills.price * TICK - FEED_IN) / MICRO * fills.quantity / MICRO
            np.add.at(gain, fills.buyer, paid)
            np.add.at(gain, fills.seller, got)
    traded = max(sums[0], 1.0)
    return Trial(sums[0] / max(possible, 1), sums[1] / traded, sums[2] / traded, gain)


def _net(rng: np.random.Generator, place: Neighbourhood) -> IntArray:
    """Draw the homes' meters: gamma distributed load, and sun that shines on all panels alike."""
    load = rng.gamma(4.0, 0.25, place.homes)
    sun = rng.uniform(0.5, 1.5)
    panels = np.where(np.arange(place.homes) % 2 == 0, place.solar, 0.0)
    return to_micro(load - sun * panels * rng.uniform(0.9, 1.1, place.homes))
