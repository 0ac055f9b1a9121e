"""One substation's share of a community, to be simulated by itself: wires, homes, and their rows in the whole.

A part makes the draws of the whole and keeps its rows, so its homes own, use and generate what they would in the whole.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from sunshare_sim.errors import ScenarioError, describe
from sunshare_sim.feeder.graph import Branches, Feeder
from sunshare_sim.feeder.tree import NONE
from sunshare_sim.rowstreams import rows_of
from sunshare_sim.units import IntArray

NO_HOMES: Final = "a substation without homes"


class Kept(NamedTuple):
    """Say which of a group's homes are built, shape [homes], and how many the group has."""

    rows: IntArray
    size: int

    def of(self, rng: np.random.Generator) -> np.random.Generator:
        """Return the group's stream for the homes that are built."""
        return rows_of(rng, self.rows, self.size)


@dataclass(frozen=True)
class Part:
    """Say which part of a community this is.

    Attributes
    ----------
    number, count : int
        Number of the part, from 0, and how many there are.
    homes : IntArray
        Rows of its homes in the whole, rising, shape [homes].
    size : int
        Number of homes of the whole.
    kept : dict of str to Kept
        Its homes by group; groups without one are left out.
    buses, lines, zones : IntArray
        Rows of its buses and branches and numbers of its zones in the whole.
    """

    number: int
    count: int
    homes: IntArray
    size: int
    kept: dict[str, Kept]
    buses: IntArray
    lines: IntArray
    zones: IntArray


def substations(feeder: Feeder) -> IntArray:
    """Return the substation of each bus, numbered from 0 in the order of the feeder's buses; shape [buses].

    A substation is a bus that no other feeds, with all that hangs on it: nothing electrical joins two of them.
    """
    above = np.where(feeder.parent_of_bus == NONE, np.arange(feeder.parent_of_bus.size), feeder.parent_of_bus)
    while not np.array_equal(above, above[above]):
        above = above[above]
    return np.unique(above, return_inverse=True)[1].astype(np.int64)


def cut_feeder(feeder: Feeder, number: int) -> tuple[Feeder, IntArray, IntArray, IntArray]:
    """Return the feeder of one substation, and its buses, branches and zones as rows of the whole.

    Raises
    ------
    ScenarioError
        When a zone lies on more than one substation.
    """
    here = substations(feeder) == number
    buses, stations = np.flatnonzero(here), np.flatnonzero(here[feeder.substation])
    lines = np.flatnonzero(here[feeder.branches.to_bus])
    zones = np.unique(feeder.zone_of_bus[buses])
    for zone in np.intersect1d(zones, feeder.zone_of_bus[~here])[:1]:
        raise ScenarioError(
            describe(
                "a zone lies on several substations, so they cannot be simulated one by one",
                where="feeder.zones",
                got=feeder.zone_names[zone],
                hint="give each substation zones of its own, such as `zones: transformer`",
            )
        )

    def renumbered(values: IntArray, kept: IntArray, size: int) -> IntArray:
        new = np.full(size + 1, NONE, dtype=np.int64)  # the last for NONE itself
        new[kept] = np.arange(kept.size)
        return new[values]

    every, own = len(feeder.bus_names), feeder.transformer_kva.size
    branches = feeder.branches
    columns: dict[str, Any] = {
        name: tuple(column[row] for row in lines) if isinstance(column, tuple) else column[lines]
        for name, column in branches._asdict().items()
    }
    columns["from_bus"] = renumbered(columns["from_bus"], buses, every)
    columns["to_bus"] = renumbered(columns["to_bus"], buses, every)
    cut = replace(
        feeder,
        bus_names=tuple(feeder.bus_names[bus] for bus in buses),
        vn_kv=feeder.vn_kv[buses],
        x=feeder.x[buses],
        y=feeder.y[buses],
        parent_of_bus=renumbered(feeder.parent_of_bus[buses], buses, every),
        transformer_of_bus=renumbered(feeder.transformer_of_bus[buses], stations, own),
        zone_of_bus=renumbered(feeder.zone_of_bus[buses], zones, len(feeder.zone_names)),
        zone_names=tuple(feeder.zone_names[zone] for zone in zones),
        transformer_of_zone=renumbered(feeder.transformer_of_zone[zones], stations, own),
        substation=renumbered(feeder.substation[stations], buses, every),
        transformer_kva=feeder.transformer_kva[stations],
        transformer_names=tuple(feeder.transformer_names[station] for station in stations),
        branches=Branches(**columns),
    )
    return cut, buses, lines, zones


def cut_part(feeder: Feeder, bus: IntArray, sizes: dict[str, int], number: int) -> tuple[Part, Feeder]:
    """Return one substation's part of a community and its feeder.

    Parameters
    ----------
    feeder : Feeder
        The whole.
    bus : IntArray
        Bus of each home, shape [homes].
    sizes : dict of str to int
        Number of homes of each group, in order.
    number : int
        Number of the substation.

    Raises
    ------
    ScenarioError
        When there is no such substation, or nobody lives there, or it cannot be cut off.
    """
    substation = substations(feeder)
    count = int(substation.max()) + 1
    homes = np.flatnonzero(substation[bus] == number)
    if not 0 <= number < count or not homes.size:
        what = NO_HOMES if 0 <= number < count else "no such substation"
        raise ScenarioError(describe(what, where="feeder", got=number, expected=f"0 to {count - 1}"))
    kept, first = {}, 0
    for name, size in sizes.items():
        rows = homes[(homes >= first) & (homes < first + size)] - first
        if rows.size:
            kept[name] = Kept(rows, size)
        first += size
    cut, buses, lines, zones = cut_feeder(feeder, number)
    return Part(number, count, homes, bus.size, kept, buses, lines, zones), cut
