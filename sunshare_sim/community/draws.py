"""How a scenario's groups become rows: sizes, places on the feeder, who owns what, and how much of it.

Every draw is made for all homes of a group, needed or not, from a stream of its own: raising the share of solar adds
systems to more homes and leaves the ones that had one as they were.
"""

import numpy as np

from sunshare_sim.errors import ScenarioError, describe, did_you_mean
from sunshare_sim.scenario.base import Lognormal, Uniform
from sunshare_sim.scenario.households import Group, Households
from sunshare_sim.streams import stream
from sunshare_sim.units import BoolArray, FloatArray, IntArray


def group_sizes(households: Households, feeder_loads: int) -> list[int]:
    """Return the number of homes in each group.

    Groups with a `count` get it; those with a `share` get that part of the total by largest remainder; a group with
    neither takes what is left. Without a total there is one home for each load of the feeder.

    Raises
    ------
    ScenarioError
        When the groups do not add up to the total.
    """
    groups, total = households.groups, households.count
    if total is None:
        counted = all(group.count is not None for group in groups)
        total = sum(group.count or 0 for group in groups) if counted else feeder_loads
    open_groups = [i for i, group in enumerate(groups) if group.count is None and group.share is None]
    sizes = [group.count or 0 for group in groups]
    exact = np.array([(group.share or 0.0) * total for group in groups])
    floors = np.floor(exact + 1e-9).astype(int)
    missing = round(exact.sum() - floors.sum())
    for i in np.argsort(-(exact - floors), kind="stable")[:missing]:
        floors[i] += 1
    sizes = [size + int(part) for size, part in zip(sizes, floors, strict=True)]
    left = total - sum(sizes)
    if open_groups and left >= len(open_groups):
        for i, part in zip(open_groups, np.array_split(np.arange(left), len(open_groups)), strict=True):
            sizes[i] = part.size
        left = 0
    if left or not all(sizes):
        raise ScenarioError(
            describe(
                "the groups do not add up",
                where="households.groups",
                got=", ".join(f"{group.name}: {size}" for group, size in zip(groups, sizes, strict=True)),
                expected=f"{total} homes in all and at least one in each group",
                hint="set `count` or `share` of the groups, or `households.count`",
            )
        )
    return sizes


def sub_seed(seed: int, *names: str) -> int:
    """Return the seed of a part of the run, such as one group's cars, for inputs that name their own streams."""
    return int(stream(seed, *names).integers(2**62))


def draw(law: float | Uniform | Lognormal, count: int, rng: np.random.Generator) -> FloatArray:
    """Return one value a home; a fixed number draws nothing."""
    if isinstance(law, Uniform):
        return rng.uniform(law.min, law.max, count)
    if isinstance(law, Lognormal):
        return law.median * np.exp(law.sigma * rng.standard_normal(count))
    return np.full(count, float(law))


def owners(share: float, rank: IntArray) -> BoolArray:
    """Return who owns a device: the share's number of homes, lowest rank first, shape [homes]."""
    return rank < round(share * rank.size)


def ranks(count: int, rng: np.random.Generator, *, first: BoolArray | None = None) -> IntArray:
    """Return a random rank for each home, those in `first` before the others, shape [homes]."""
    order = rng.permutation(count)
    if first is not None:
        order = order[np.argsort(~first[order], kind="stable")]
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return rank


def place_homes(
    groups: list[tuple[Group, int]], load_buses: IntArray, bus_names: tuple[str, ...], seed: int
) -> IntArray:
    """Return the bus of each home: as the group says, else one load of the feeder after another in drawn order.

    Raises
    ------
    ScenarioError
        When a bus is unknown, or a group does not name one bus a home.
    """
    index = {name: i for i, name in enumerate(bus_names)}
    shuffled = stream(seed, "households", "placement").permutation(load_buses)
    placed: list[int] = []
    free = 0
    for number, (group, size) in enumerate(groups):
        where = f"households.groups[{number}].buses"
        if not group.buses:
            placed += shuffled[(free + np.arange(size)) % shuffled.size].tolist()
            free += size
            continue
        if len(group.buses) != size:
            raise ScenarioError(
                describe("not one bus a home", where=where, got=len(group.buses), expected=f"{size} buses")
            )
        for name in group.buses:
            if name not in index:
                raise ScenarioError(
                    describe(
                        "unknown bus",
                        where=where,
                        got=name,
                        expected="a bus of the feeder",
                        hint=did_you_mean(name, index),
                    )
                )
            placed.append(index[name])
    return np.array(placed, dtype=np.int64)
