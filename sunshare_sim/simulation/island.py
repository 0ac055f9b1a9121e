"""Life without the grid: homes without supply, islands that balance themselves, and how both are settled.

An island is balanced in the meter's own units (1e-6 kWh), so that the sum of its homes' nets is exactly zero; its
market may not trade with the outside, and what the market leaves is shared through a pool at a stated price. Frequency,
voltage and the inverter that forms the island's grid are not modelled, and neither is a black start.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.community.households import CHARGING, Community
from sunshare_sim.devices.battery import Batteries, stand_by
from sunshare_sim.devices.part_load import at_part_load
from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.ledger.parts import parts_of
from sunshare_sim.ledger.settlement import Trades
from sunshare_sim.simulation.events import WITH_GRID, Course
from sunshare_sim.simulation.plant import Plant
from sunshare_sim.simulation.state import State
from sunshare_sim.units import MICRO, BoolArray, FloatArray, IntArray, from_micro, to_micro

FORBIDDEN: Final = -1


class Registers(NamedTuple):
    """Hold what meters would count in a slot [1e-6 kWh], never negative but `battery`.

    Attributes
    ----------
    load, solar : IntArray
        Of each home, shape [homes].
    battery : IntArray
        Taken (> 0) or given (< 0) by each home's battery, shape [homes].
    taken, given : IntArray
        Of each car, shape [cars].
    """

    load: IntArray
    solar: IntArray
    battery: IntArray
    taken: IntArray
    given: IntArray


class Limits(NamedTuple):
    """Hold the most that storage can do in a slot [1e-6 kWh]: batteries, shape [homes]; cars, shape [cars]."""

    charge: IntArray
    discharge: IntArray
    take: IntArray
    give: IntArray


def balance(registers: Registers, limits: Limits, tier: IntArray) -> IntArray:
    """Bring one island to balance and return what load was shed [1e-6 kWh], shape [homes].

    When short: cars wait with charging, batteries charge less and discharge more, cars give; load is shed, lowest tier
    first, within a tier the same part of everyone's. When long: cars give less, batteries discharge less and charge
    more, cars charge more, and the sun that nobody can take is curtailed. Each step is shared in proportion to what
    everyone can contribute to it.

    Parameters
    ----------
    registers : Registers
        Of the island's homes and cars; changed in place. Afterwards they sum to zero.
    limits : Limits
        Of its batteries and cars.
    tier : IntArray
        Order of shedding, lowest first, shape [homes].
    """
    load, solar, battery, taken, given = registers
    shed = np.zeros_like(load)
    missing = int(load.sum() + taken.sum() + battery.sum() - solar.sum() - given.sum())
    if missing > 0:
        missing -= _move(missing, taken, taken.copy(), -1)
        missing -= _move(missing, battery, battery + limits.discharge, -1)
        # A car gives only once no car takes any more, so the two never meet in one car.
        missing -= _move(missing, given, limits.give - given, 1)
        for each in np.unique(tier):
            part = parts_of(min(missing, int(load[tier == each].sum())), np.where(tier == each, load, 0))
            shed += part
            missing -= int(part.sum())
        load -= shed
    else:
        spare = -missing
        spare -= _move(spare, given, given.copy(), -1)
        spare -= _move(spare, battery, limits.charge - battery, 1)
        spare -= _move(spare, taken, limits.take - taken, 1)
        _move(spare, solar, solar.copy(), -1)
    return shed


def _move(amount: int, values: IntArray, room: IntArray, sign: int) -> int:
    """Move values up or down by at most their room and `amount` in all; return by how much in all."""
    open_room = np.maximum(room, 0)
    part = parts_of(min(amount, int(open_room.sum())), open_room)
    values += sign * part
    return int(part.sum())


# --- phases of a slot ---------------------------------------------------------------------------------------------


def switch(state: State) -> None:
    """Open and close breakers at the start of a slot, and remember what the batteries hold before it."""
    course = state.course
    if course is None:
        return
    if course.charges is not None:
        state.charges, course.charges = course.charges, None
    course.now, course.unserved_now = course.at(state.slot), 0
    if course.now is not None:
        course.soc_kwh[:] = state.soc_kwh


def supply(state: State) -> None:
    """Cut off homes without supply and balance each island, after the devices and before the meters."""
    course = state.course
    if course is None or course.now is None:
        return
    now, plant = course.now, state.plant
    touched = now.out | (now.island != WITH_GRID)
    home = state.community.fleet.home
    cars = Cars.of(plant, state.slot, now.until[home])
    before = _registers(state, cars)
    after = Registers(*(column.copy() for column in before))
    limits = _limits(state, cars, course)
    # What was dispatched may be a fraction of a unit beyond what the battery holds.
    np.clip(after.battery, -limits.discharge, limits.charge, out=after.battery)
    shed = np.zeros_like(before.load)
    for number in range(len(now.rest_price)):
        rows, parked = now.island == number, now.island[home] == number
        inside = Registers(*(column[rows] for column in after[:3]), *(column[parked] for column in after[3:]))
        reach = Limits(*(column[rows] for column in limits[:2]), *(column[parked] for column in limits[2:]))
        shed[rows] = balance(inside, reach, now.tier[rows])
        for column, part in zip(after[:3], inside[:3], strict=True):
            column[rows] = part
        for column, part in zip(after[3:], inside[3:], strict=True):
            column[parked] = part
    shed[now.out] = before.load[now.out]
    for column in after[:3]:
        column[now.out] = 0
    for column in after[3:]:
        column[now.out[home]] = 0
    _carry_out(state, cars, (before, after), touched)
    _count(course, before, (after.solar, shed), state)


def isolate(state: State) -> None:
    """Forbid trade across open breakers, after whoever else sets the slot's charges and before the market."""
    course = state.course
    if course is None or course.now is None:
        return
    zones = np.full(len(state.charges), WITH_GRID)
    # The highest: a home without supply trades nothing, so it says nothing about its zone.
    np.maximum.at(zones, state.community.households.zone, course.now.island)
    course.charges = state.charges
    apart = zones[:, np.newaxis] != zones[np.newaxis, :]
    state.charges = np.where(apart, FORBIDDEN, state.charges)


def share_rest(state: State) -> None:
    """Share what an island's market left, through a pool at one price and without charge: all its energy is settled.

    The sum of an island's nets is zero and its trades stay inside: what buyers still need is what sellers still have.
    """
    course = state.course
    if course is None or course.now is None or not course.now.rest_price:
        return
    trades, now = state.trades, course.now
    rest = state.net.copy()
    np.subtract.at(rest, trades.buyer, trades.energy)
    np.add.at(rest, trades.seller, trades.energy)
    prices, slot = state.community.prices, state.slot
    retail, feed_in = int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot])
    pools = [trades]
    for number, rule in enumerate(now.rest_price):
        price = max({"mid_market": (retail + feed_in) // 2, "feed_in": feed_in, "retail": retail}[rule], 0)
        inside = np.where(now.island == number, rest, 0)
        if inside.sum():
            raise NetworkError(
                describe(
                    "energy crossed an open breaker",
                    where=f"slot {slot}, island {number}",
                    got=f"{int(inside.sum())} (1e-6 kWh) missing after the market",
                    expected="a mechanism that keeps to forbidden pairs of pools",
                )
            )
        pools.append(pooled(inside, price))
    state.trades = Trades(*(np.concatenate(columns) for columns in zip(*pools, strict=True)))


def pooled(rest: IntArray, price_micro: int) -> Trades:
    """Return trades that carry every surplus to a deficit, in order of rows; `rest` sums to zero.

    Parameters
    ----------
    rest : IntArray
        Deficit (> 0) or surplus (< 0) of each home [1e-6 kWh], shape [homes].
    price_micro : int
        Price of the pool [1e-6 currency/kWh].

    >>> trades = pooled(np.array([3, -2, 1, -2]), 100)
    >>> trades.buyer.tolist(), trades.seller.tolist(), trades.energy.tolist()
    ([0, 0, 2], [1, 3, 3], [2, 1, 1])
    """
    needs, has = np.flatnonzero(rest > 0), np.flatnonzero(rest < 0)
    bought, sold = np.cumsum(rest[needs]), np.cumsum(-rest[has])
    # Lay both on one line: a trade ends wherever a buyer's or a seller's stretch does.
    ends = np.union1d(bought, sold)
    energy = np.diff(ends, prepend=np.int64(0))
    return Trades(
        buyer=needs[np.searchsorted(bought, ends)],
        seller=has[np.searchsorted(sold, ends)],
        energy=energy,
        price_micro=np.full_like(energy, price_micro),
        charge_micro=np.zeros_like(energy),
    )


# --- between the meter's units and the devices' ---------------------------------------------------------------------


@dataclass
class Cars:
    """Show all cars alike, whether they charge at will or not; arrays of shape [cars], energies AC [kWh].

    Attributes
    ----------
    plant : Plant
        Whose cars they are.
    slot : int
        The slot.
    taken, given : FloatArray
        What they do in the slot.
    take, give : FloatArray
        The most they could take and give.
    """

    plant: Plant
    slot: int
    taken: FloatArray
    given: FloatArray
    take: FloatArray
    give: FloatArray

    @classmethod
    def of(cls, plant: Plant, slot: int, until: IntArray) -> "Cars":
        """Return the cars as the slot's dispatch left them; each has the grid again from slot `until`, shape [cars].

        A car gives no more than its driver's reserve allows and the grid can put back before it leaves.
        """
        fleet, ev, hours = plant.community.fleet, plant.ev, plant.community.grid.hours
        taken = ev.charged_kwh.copy()
        rated = fleet.chargers.power_kw * hours
        # What a car still needs is known after the slot's charging: it can take that on top.
        more = np.minimum(rated - taken, ev.need_kwh / fleet.chargers.efficiency)
        take = taken + np.where(ev.departure_slot > slot, np.maximum(more, 0.0), 0.0)
        given, give = np.zeros_like(taken), np.zeros_like(taken)
        state, flexible = plant.cars, fleet.flexible
        if state is not None and flexible is not None:
            will, cars = _at_will(plant), flexible.cars
            given[will] = state.discharged_kwh[will]
            start = _soc_before(plant)
            left = state.departure_slot - slot
            rate = cars.charge_kw * hours * cars.charge_efficiency
            room = np.minimum(rate, np.maximum(cars.capacity_kwh - start, 0.0)) / cars.charge_efficiency
            back = np.maximum(state.departure_slot - np.maximum(until, slot + 1), 0) * rate
            least = np.maximum(state.target_kwh - back, np.minimum(cars.reserve_kwh, start))
            spare = np.maximum(start - least, 0.0) * cars.discharge_efficiency
            here = left > 0
            take[will] = np.where(here, np.maximum(room, taken), taken)[will]
            most = np.minimum(spare, cars.discharge_kw * hours)
            give[will] = np.where(here, np.maximum(most, given), given)[will]
        return cls(plant, slot, taken, given, take, give)

    def move(self, taken: FloatArray, given: FloatArray, rows: BoolArray) -> None:
        """Let cars take and give these amounts instead [kWh], and tell plugs and car batteries, where `rows`."""
        plant, slot = self.plant, self.slot
        ev, fleet, state = plant.ev, plant.community.fleet, plant.cars
        leaves = ev.departure_slot == slot + 1
        stored = (taken - self.taken) * fleet.chargers.efficiency
        plain = rows.copy()
        if state is not None and fleet.flexible is not None:
            cars, will = fleet.flexible.cars, rows & _at_will(plant)
            plain &= ~will
            end = _soc_before(plant) + taken * cars.charge_efficiency - given / cars.discharge_efficiency
            lacked = np.maximum(state.target_kwh - state.soc_kwh, 0.0)
            lacks = np.maximum(state.target_kwh - end, 0.0)
            late = will & leaves
            state.shortfall_kwh[late] += (lacks - lacked)[late]
            state.soc_kwh[will] = end[will]
            state.charged_kwh[will], state.discharged_kwh[will] = taken[will], given[will]
            ev.need_kwh[will] = np.where(leaves, 0.0, lacks)[will]
            ev.shortfall_kwh[will] = state.shortfall_kwh[will]
            home = fleet.home[will]
            np.add.at(plant.given_kwh, home, (given - self.given)[will])
        late = plain & leaves
        ev.shortfall_kwh[late] = np.maximum(ev.shortfall_kwh - stored, 0.0)[late]
        stays = plain & ~leaves
        ev.need_kwh[stays] = np.maximum(ev.need_kwh - stored, 0.0)[stays]
        ev.charged_kwh[rows] = taken[rows]


def _at_will(plant: Plant) -> BoolArray:
    fleet = plant.community.fleet
    if fleet.flexible is None:
        return np.zeros(fleet.home.size, dtype=bool)
    return np.asarray(fleet.flexible.policy > CHARGING.index("spread"))


def _soc_before(plant: Plant) -> FloatArray:
    """Return what the batteries of cars that charge at will held before the slot [kWh], shape [cars]."""
    state, flexible = plant.cars, plant.community.fleet.flexible
    if state is None or flexible is None:
        return np.zeros(0)
    cars = flexible.cars
    return np.asarray(
        state.soc_kwh
        - state.charged_kwh * cars.charge_efficiency
        + state.discharged_kwh / cars.discharge_efficiency
    )


def _registers(state: State, cars: Cars) -> Registers:
    """Return what the meters would count if nothing were done."""
    flows, fleet, homes = state.flows, state.community.fleet, state.net.size
    given = np.bincount(fleet.home, cars.given, minlength=homes) if fleet.home.size else np.zeros(homes)
    return Registers(
        load=to_micro(flows.load),
        solar=to_micro(flows.solar),
        battery=to_micro(flows.charge) - to_micro(np.maximum(flows.discharge - given, 0.0)),
        taken=to_micro(cars.taken),
        given=to_micro(cars.given),
    )


def _limits(state: State, cars: Cars, course: Course) -> Limits:
    """Return what batteries and cars can do in the slot, in whole units and never beyond."""
    hours, soc = state.community.grid.hours, course.soc_kwh
    batteries = _rated(state.community, state.plant.batteries)
    power = batteries.power_kw * hours
    # fmin, fmax: homes without a battery may hold NaN, and have no power.
    charge = np.fmin(power, np.maximum(batteries.max_soc_kwh - soc, 0.0) / batteries.charge_efficiency)
    spare = np.maximum(soc - batteries.min_soc_kwh, 0.0)
    discharge = np.fmin(power, spare * batteries.discharge_efficiency)
    return Limits(*(_floor(each) for each in (charge, discharge, cars.take, cars.give)))


def _rated(community: Community, batteries: Batteries) -> Batteries:
    """Return the batteries at rated power: one that an island calls on runs at that until it has done its part."""
    curves, hours = community.equipment.curves, community.grid.hours
    return batteries if curves is None else at_part_load(batteries, curves, batteries.power_kw * hours, hours)


def _floor(kwh: FloatArray) -> IntArray:
    return np.floor(kwh * MICRO).astype(np.int64)


def _carry_out(state: State, cars: Cars, registers: tuple[Registers, Registers], rows: BoolArray) -> None:
    """Let flows, batteries and cars of the homes concerned do what the registers say."""
    before, after = registers
    flows, plant, fleet = state.flows, state.plant, state.community.fleet
    changed = (after.taken != before.taken) | (after.given != before.given)
    cars.move(from_micro(after.taken), from_micro(after.given), changed & rows[fleet.home])
    homes = rows.size
    ev, given = np.zeros((2, homes), dtype=np.int64)
    np.add.at(ev, fleet.home, after.taken)
    np.add.at(given, fleet.home, after.given)
    charge, discharge = np.maximum(after.battery, 0), np.maximum(-after.battery, 0)
    _recharge(state, from_micro(charge), from_micro(discharge), rows)
    plant.charged_kwh[rows] += from_micro(charge - np.maximum(before.battery, 0))[rows]
    plant.discharged_kwh[rows] += from_micro(discharge - np.maximum(-before.battery, 0))[rows]
    new = (after.load, after.solar, ev, charge, discharge + given)
    state.flows = type(flows)(
        *(np.where(rows, from_micro(units), old) for units, old in zip(new, flows, strict=True))
    )


def _recharge(state: State, charge: FloatArray, discharge: FloatArray, rows: BoolArray) -> None:
    """Set what the batteries of some homes hold after a slot in which they took and gave these amounts [kWh]."""
    plant, community = state.plant, state.community
    batteries, soc = _rated(community, plant.batteries), state.soc_kwh
    course = state.course
    start = soc if course is None else course.soc_kwh
    end = start + charge * batteries.charge_efficiency - discharge / batteries.discharge_efficiency
    # Both bounds of a battery that is already beyond them, such as a faded one, are where it is.
    low, high = np.fmin(batteries.min_soc_kwh, start), np.fmax(batteries.max_soc_kwh, start)
    soc[rows] = np.clip(end, low, high)[rows]
    standby = community.equipment.standby_kw
    if standby is not None:
        own = soc[rows]
        stand_by(Batteries(*(column[rows] for column in batteries)), standby[rows], own, community.grid.hours)
        soc[rows] = own
    if plant.soc_course:
        plant.soc_course[-1][rows] = soc[rows]
    if plant.course:
        plant.course[-1][1:, rows] = np.stack([charge, discharge])[:, rows]


def _count(course: Course, before: Registers, after: tuple[IntArray, IntArray], state: State) -> None:
    """Add up what was not served, what was curtailed, and for how long."""
    solar, shed = after
    lost = before.solar - solar
    course.unserved += shed
    course.curtailed += lost
    course.unserved_now = int(shed.sum())
    hours = state.community.grid.hours
    part = np.divide(shed, before.load, out=np.zeros(shed.size), where=before.load > 0)
    course.interruption_h += hours * (part if course.now is None else np.where(course.now.out, 1.0, part))
    course.note(state.slot, shed, lost)
