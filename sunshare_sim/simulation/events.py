"""Events of a scenario laid on slots and homes: who is cut off when, who is without supply, what the sky does.

Names and times are looked up once, before the first slot; what cannot be meant is refused there, with the nearest name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from sunshare_sim.community.households import Community
from sunshare_sim.errors import ScenarioError, describe, did_you_mean
from sunshare_sim.inputs.events import read_events
from sunshare_sim.scenario.events import Event, EventFile
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import MICRO, BoolArray, FloatArray, IntArray

WITH_GRID: Final = -1
LAST_TIER: Final = 2**31  # groups that no priority names are shed last


@dataclass(frozen=True)
class Span:
    """Hold an event: first slot, the slot after its last, and what to call it."""

    first: int
    last: int
    text: str


@dataclass(frozen=True)
class Island(Span):
    """Hold an island event: `of_home` numbers the islands, -1 with the grid; `tier` orders shedding; shape [homes]."""

    of_home: IntArray
    tier: IntArray
    rest_price: str

    @property
    def homes(self) -> BoolArray:
        """Return which homes it is about, shape [homes]."""
        return np.asarray(self.of_home != WITH_GRID)


@dataclass(frozen=True)
class Outage(Span):
    """Hold an outage: the homes without supply, shape [homes]."""

    homes: BoolArray


class Now(NamedTuple):
    """Hold what a slot's events mean for the homes, shape [homes], and for the zones.

    Attributes
    ----------
    island : IntArray
        Island of each home, -1 with the grid.
    tier : IntArray
        Order of shedding; lower first.
    rest_price : list of str
        How each island prices what its market leaves.
    out : BoolArray
        Homes without supply.
    until : IntArray
        First slot in which each home has the grid again.
    """

    island: IntArray
    tier: IntArray
    rest_price: list[str]
    out: BoolArray
    until: IntArray


@dataclass
class Course:
    """Hold the events of a run and what they have come to so far.

    Attributes
    ----------
    islands, outages, skies : tuple of Span
        The events.
    unserved, curtailed : IntArray
        Energy homes did not get, and sun they could not use [1e-6 kWh], shape [homes].
    interruption_h : FloatArray
        Hours without supply; a slot in which part of a home's load is shed counts by that part; shape [homes].
    now : Now, optional
        What holds in this slot; None when all is as usual.
    soc_kwh : FloatArray
        Energy in the batteries before the slot [kWh], shape [homes].
    unserved_now : int
        What was not served in this slot [1e-6 kWh].
    charges : IntArray, optional
        The charges that a slot's islands have overlaid.
    tally : IntArray
        What each event kept from homes, and what sun it wasted [1e-6 kWh], islands before outages; shape [events, 2].
    """

    islands: tuple[Island, ...]
    outages: tuple[Outage, ...]
    skies: tuple[Span, ...]
    unserved: IntArray
    curtailed: IntArray
    interruption_h: FloatArray
    soc_kwh: FloatArray
    tally: IntArray
    now: Now | None = None
    unserved_now: int = 0
    charges: IntArray | None = None

    def at(self, slot: int) -> Now | None:
        """Return what holds in a slot, None when all is as usual."""
        islands = [each for each in self.islands if each.first <= slot < each.last]
        outages = [each for each in self.outages if each.first <= slot < each.last]
        if not islands and not outages:
            return None
        homes = self.unserved.size
        island, tier = np.full(homes, WITH_GRID), np.full(homes, LAST_TIER)
        rest_price: list[str] = []
        until = np.full(homes, slot)
        for each in islands:
            inside = each.homes
            island[inside] = each.of_home[inside] + len(rest_price)
            tier[inside] = each.tier[inside]
            until[inside] = each.last
            rest_price += [each.rest_price] * (int(each.of_home.max()) + 1)
        out = np.zeros(homes, dtype=bool)
        for cut in outages:
            out |= cut.homes
            until[cut.homes] = np.maximum(until[cut.homes], cut.last)
        island[out] = WITH_GRID  # nobody without supply is part of an island
        return Now(island, tier, rest_price, out, until)

    @property
    def _cuts(self) -> list[Island | Outage]:
        return [*self.islands, *self.outages]

    def note(self, slot: int, shed: IntArray, lost: IntArray) -> None:
        """Add what a slot's homes did not get and could not use [1e-6 kWh] to the events that hold, shape [homes]."""
        for number, each in enumerate(self._cuts):
            if each.first <= slot < each.last:
                # What a home loses without supply is the outage's, not that of the island around it.
                out = np.zeros_like(each.homes) if self.now is None else self.now.out
                who = each.homes & ~out if isinstance(each, Island) else each.homes
                self.tally[number] += int(shed[who].sum()), int(lost[who].sum())

    def columns(self, grid: TimeGrid, slots: int) -> dict[str, Any]:
        """Return the table `events` of a run of `slots` slots: a row for each beginning, and each end with its sums."""
        rows: list[tuple[int, str, str]] = []
        for event, (shed, lost) in zip(self._cuts, self.tally.tolist(), strict=True):
            kind = type(event).__name__.lower()
            rows.append((event.first, kind, f"{event.text}: {np.count_nonzero(event.homes)} homes"))
            sums = f"{shed / MICRO:.3f} kWh not served, {lost / MICRO:.3f} kWh of sun curtailed"
            rows.append((event.last - 1, f"{kind} ends", f"{event.text}: {sums}"))
        rows += [(each.first, "weather", each.text) for each in self.skies]
        rows += [(each.last - 1, "weather ends", each.text) for each in self.skies]
        rows = sorted(row for row in rows if row[0] < slots)
        at = np.array([row[0] for row in rows], dtype=np.int64)
        return {
            "slot": at,
            "time": grid.starts[at],
            "kind": [row[1] for row in rows],
            "household": np.full(at.size, -1),
            "text": [row[2] for row in rows],
        }


def make_course(scenario: Scenario, community: Community) -> Course | None:
    """Return the scenario's events on the community's slots and homes; None where there are none.

    Raises
    ------
    ScenarioError, InputError
        When an event lies outside the run, names what does not exist, overlaps another one, or cuts through a zone.
    """
    given = events_of(scenario)
    if not given:
        return None
    homes = len(community.households)
    islands: list[Island] = []
    outages: list[Outage] = []
    skies: list[Span] = []
    for where, event in given:
        span = span_of(event, community.grid, where)
        if event.kind == "island":
            islands.append(_island(event, span, community, where))
            _refuse_overlap(where, islands, [each.homes for each in islands])
        elif event.kind == "outage":
            outages.append(_outage(event, span, community, where))
            _refuse_overlap(where, outages, [each.homes for each in outages])
        else:
            text = f"sun at {100 * event.irradiance:g} %, {event.warmer_k:+g} K"
            skies.append(Span(*span, text))
            _refuse_overlap(where, skies, [np.ones(1, dtype=bool)] * len(skies))
    return Course(
        islands=tuple(islands),
        outages=tuple(outages),
        skies=tuple(skies),
        unserved=np.zeros(homes, dtype=np.int64),
        curtailed=np.zeros(homes, dtype=np.int64),
        interruption_h=np.zeros(homes),
        soc_kwh=community.initial_soc_kwh.copy(),
        tally=np.zeros((len(islands) + len(outages), 2), dtype=np.int64),
    )


def events_of(scenario: Scenario) -> list[tuple[str, Event]]:
    """Return the events, each with its place for messages."""
    events = scenario.events
    if isinstance(events, EventFile):
        return [
            (f"{events.file}, event {i}", event) for i, event in enumerate(read_events(events.file), start=1)
        ]
    return [(f"events[{i}]", event) for i, event in enumerate(events)]


def span_of(event: Event, grid: TimeGrid, where: str) -> tuple[int, int]:
    """Return the first slot of an event and the slot after its last.

    Raises
    ------
    ScenarioError
        When it is not within the run, or begins between two slots.
    """
    first, last = (_slot_of(getattr(event, key), grid, f"{where}.{key}") for key in ("start", "end"))
    for key, slot, low, high in (("start", first, 0, grid.slots - 1), ("end", last, first + 1, grid.slots)):
        if not low <= slot <= high:
            what = (
                "the event ends before it begins" if key == "end" and slot <= first else "outside of the run"
            )
            got = f"{getattr(event, key)} (slot {slot})"
            raise ScenarioError(
                describe(what, where=f"{where}.{key}", got=got, expected=f"slot {low} to {high}")
            )
    return first, last


def _slot_of(value: int | str, grid: TimeGrid, where: str) -> int:
    """Return the slot that begins at a local time, or the number itself."""
    if isinstance(value, int):
        return value
    moment = datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(grid.timezone))
    slot, rest = divmod(moment.astimezone(grid.start.tzinfo) - grid.start, timedelta(seconds=grid.seconds))
    if rest:
        expected = f"a multiple of the slot, {grid.slot_minutes} min"
        raise ScenarioError(describe("no slot begins then", where=where, got=value, expected=expected))
    return slot


def _refuse_overlap(where: str, events: Sequence[Span], members: Sequence[BoolArray]) -> None:
    """Refuse the last event when one of its kind before it holds at the same time for the same home."""
    new = events[-1]
    for number, (each, who) in enumerate(zip(events[:-1], members[:-1], strict=True)):
        if each.first < new.last and new.first < each.last and (who & members[-1]).any():
            raise ScenarioError(
                describe(
                    "two events of one kind overlap",
                    where=where,
                    got=f"slots {new.first} to {new.last - 1}: {new.text}",
                    expected=f"none of slots {each.first} to {each.last - 1} (number {number + 1}: {each.text})",
                )
            )


def _numbers(wanted: Iterable[str], names: Sequence[str], what: str, where: str) -> list[int]:
    """Return the positions of names, or say which was meant."""
    found: list[int] = []
    for name in wanted:
        if name not in names:
            hint = did_you_mean(name, names)
            expected = ", ".join(names) if len(names) <= 12 else f"one of {len(names)}, such as {names[0]}"
            raise ScenarioError(
                describe(f"unknown {what}", where=where, got=name, expected=expected, hint=hint)
            )
        found += [i for i, known in enumerate(names) if known == name]
    return found


def _island(event: Event, span: tuple[int, int], community: Community, where: str) -> Island:
    homes, feeder = community.households, community.feeder
    if event.zones:
        cut = _numbers(event.zones, feeder.zone_names, "zone", f"{where}.zones")
        part, names = homes.zone, feeder.zone_names
    else:
        wanted = event.transformers or feeder.transformer_names
        cut = _numbers(wanted, feeder.transformer_names, "transformer", f"{where}.transformers")
        part, names = feeder.transformer_of_bus[homes.bus], feeder.transformer_names
    of_home = np.full(len(homes), WITH_GRID)
    for number, each in enumerate(dict.fromkeys(cut)):
        of_home[part == each] = number
    if not (of_home != WITH_GRID).any():
        got = ", ".join(names[each] for each in cut)
        raise ScenarioError(describe("an island without homes", where=where, got=got))
    _refuse_cut_zones(of_home, community, where)
    text = ", ".join(names[each] for each in dict.fromkeys(cut))
    return Island(*span, f"{text} on its own", of_home, _tiers(event, community, where), event.rest_price)


def _refuse_cut_zones(of_home: IntArray, community: Community, where: str) -> None:
    """Refuse a cut through a zone: a pool of the market is on one side of the breaker."""
    zone = community.households.zone
    for each in np.unique(zone):
        if np.unique(of_home[zone == each]).size > 1:
            raise ScenarioError(
                describe(
                    "an island that cuts through a zone of the market",
                    where=where,
                    got=community.feeder.zone_names[each],
                    expected="each zone inside one island or outside of all",
                    hint="choose other `feeder.zones`",
                )
            )


def _tiers(event: Event, community: Community, where: str) -> IntArray:
    groups = community.households.group
    known = tuple(dict.fromkeys(groups))
    _numbers(event.priority, known, "group", f"{where}.priority")
    tiers = np.array([event.priority.get(group, LAST_TIER) for group in groups], dtype=np.int64)
    return np.minimum(tiers, LAST_TIER)


def _outage(event: Event, span: tuple[int, int], community: Community, where: str) -> Outage:
    homes, feeder = community.households, community.feeder
    branches = feeder.branches
    parts: list[str] = []
    cut = np.zeros(len(feeder.bus_names), dtype=bool)
    for key, names, what in (
        ("transformers", feeder.transformer_names, "transformer"),
        ("zones", feeder.zone_names, "zone"),
        ("lines", branches.name, "line"),
        ("buses", feeder.bus_names, "bus"),
    ):
        wanted: tuple[str, ...] = getattr(event, key)
        numbers = _numbers(wanted, names, what, f"{where}.{key}")
        parts += wanted
        if key == "transformers":
            cut |= np.isin(feeder.transformer_of_bus, numbers)
        elif key == "zones":
            cut |= np.isin(feeder.zone_of_bus, numbers)
        else:
            cut[branches.to_bus[numbers] if key == "lines" else numbers] = True
    dark = _behind(cut, feeder.parent_of_bus)[homes.bus]
    dark[_numbers(event.homes, homes.name, "home", f"{where}.homes")] = True
    parts += event.homes
    if not dark.any():
        raise ScenarioError(describe("an outage without homes", where=where, got=", ".join(parts)))
    return Outage(*span, f"{', '.join(parts)} without supply", dark)


def _behind(cut: BoolArray, parent: IntArray) -> BoolArray:
    """Return which buses lie at or behind the cut ones, shape [buses]."""
    dark = cut.copy()
    while True:
        more = dark | ((parent >= 0) & dark[np.maximum(parent, 0)])
        if np.array_equal(more, dark):
            return dark
        dark = more
