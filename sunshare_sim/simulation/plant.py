"""What the devices of a run remember from slot to slot, and what they do in one: appliances, heat, cars, batteries.

Everything but the batteries depends on the scenario, the weather and published prices alone, never on the market: so it
can be run ahead of the run, which is how perfect foresight knows its future (`net_ahead`).
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.community.households import CHARGING, STARTS, BatteryControl, Community, Flexible, Heating
from sunshare_sim.devices.ageing import capacity_loss
from sunshare_sim.devices.battery import Batteries, follow, self_consumption, stand_by
from sunshare_sim.devices.dispatch import (
    Horizon,
    Schedule,
    market_aware_wish,
    minimum_soc_wish,
    planned_wish,
    price_threshold_wish,
    schedule,
    value_later,
)
from sunshare_sim.devices.ev import Chargers, EvState, arrive, charge_evs, start_evs
from sunshare_sim.devices.heat_pump import heat_houses
from sunshare_sim.devices.part_load import at_part_load, drawn, given
from sunshare_sim.devices.shiftable import Runs, cheapest_starts
from sunshare_sim.devices.v2g import (
    CarState,
    cheapest_ahead,
    cheapest_slots_wish,
    exchange,
    plug_in,
    start_cars,
    vehicle_to_home_wish,
)
from sunshare_sim.units import MICRO, BoolArray, FloatArray

PRICE_FOLLOWING: Final = CHARGING.index("price_following")
V2G: Final = CHARGING.index("v2g")
LEFT_OVER: Final = (
    0.9  # what is left in a battery at a plan's end counts this part of the least it would save
)


class Drawn(NamedTuple):
    """Hold what homes do in a slot without their batteries [kWh], shape [homes].

    Attributes
    ----------
    load : FloatArray
        Demand, heat pumps and appliances.
    ev, given : FloatArray
        Taken and given by cars.
    """

    load: FloatArray
    ev: FloatArray
    given: FloatArray


@dataclass
class Plant:
    """Hold the state of all devices but the batteries' energy and the plugs, which lie in `State`.

    Arrays have shape [homes] where nothing else is said.
    """

    community: Community
    ev: EvState
    retail: FloatArray
    feed_in: FloatArray
    batteries: Batteries
    plain: bool
    cars: CarState | None
    idle: Chargers
    temperature_c: list[FloatArray]
    discomfort_kh: FloatArray
    queue: FloatArray
    past_net: FloatArray
    past_price: FloatArray
    given_kwh: FloatArray
    charged_kwh: FloatArray
    discharged_kwh: FloatArray
    ask_floor: FloatArray
    plans: dict[int, tuple[int, Schedule, FloatArray]] = field(default_factory=dict)
    next_run: int = 0
    soc_course: list[FloatArray] | None = None
    course: list[FloatArray] | None = None


def make_plant(community: Community, ev: EvState | None = None, *, foresight: bool = False) -> Plant:
    """Return the devices as they are before the first slot.

    Parameters
    ----------
    community : Community
        Who has what.
    ev : EvState, optional
        The plugs; made anew where none are given.
    foresight : bool
        Whether the run's end will be asked for `foresight_gaps`.
    """
    grid, fleet, equipment = community.grid, community.fleet, community.equipment
    homes = len(community.households)
    flexible = fleet.flexible
    power = (
        fleet.chargers.power_kw
        if flexible is None
        else np.where(_at_will(flexible), 0.0, fleet.chargers.power_kw)
    )
    ahead = 0 if equipment.runs is None else equipment.runs.energy_kwh.shape[1] + grid.slots_per_day
    sections = [control.section for control in equipment.controls]
    remembers = equipment.runs is not None or any(section.dispatch == "day_ahead" for section in sections)
    return Plant(
        community=community,
        ev=ev if ev is not None else start_evs(fleet.chargers, fleet.sessions, grid.hours),
        retail=community.prices.retail_micro / MICRO,
        feed_in=community.prices.feed_in_micro / MICRO,
        batteries=Batteries(*(column.copy() for column in community.batteries)),
        plain=equipment.curves is None
        and equipment.standby_kw is None
        and all(section.dispatch == "self_consumption" for section in sections),
        cars=None if flexible is None else start_cars(flexible.cars, fleet.sessions, grid.hours),
        idle=fleet.chargers._replace(power_kw=power),
        temperature_c=[heating.houses.lowest_c.copy() for heating in equipment.heating],
        discomfort_kh=np.zeros(homes),
        queue=np.zeros((ahead, homes)),
        past_net=np.zeros((grid.slots_per_day if remembers else 0, homes)),
        past_price=np.full(grid.slots_per_day, np.nan),
        given_kwh=np.zeros(homes),
        charged_kwh=np.zeros(homes),
        discharged_kwh=np.zeros(homes),
        ask_floor=np.zeros(homes),
        soc_course=[] if any(section.ageing for section in sections) else None,
        course=[] if foresight else None,
    )


def _at_will(flexible: Flexible) -> BoolArray:
    return np.asarray(flexible.policy > CHARGING.index("spread"))


def serve(plant: Plant, slot: int, load: FloatArray, solar: FloatArray) -> Drawn:
    """Run appliances, heat pumps and cars for a slot.

    Parameters
    ----------
    plant : Plant
        The devices; changed in place.
    slot : int
        The slot.
    load, solar : FloatArray
        Demand and generation [kWh], shape [homes].
    """
    if plant.queue.size:
        _choose_starts(plant, slot)
        row = plant.queue[slot % len(plant.queue)]
        load = load + row
        row[:] = 0.0
    for heating, temperature in zip(plant.community.equipment.heating, plant.temperature_c, strict=True):
        load = load + _heat(plant, heating, temperature, slot, solar - load)
    ev, given_back = _charge(plant, slot, load - solar)
    return Drawn(load, ev, given_back)


def _choose_starts(plant: Plant, slot: int) -> None:
    """Put the runs that are loaded in this slot where they cost least by what is known now, and queue their energy."""
    runs, start = plant.community.equipment.runs, plant.community.equipment.start
    first, ready = plant.next_run, runs.earliest_slot if runs is not None else np.empty(0, dtype=np.int64)
    if runs is None or first == ready.size or ready[first] > slot:
        return
    last = int(np.searchsorted(ready, slot, side="right"))
    plant.next_run = last
    rows = slice(first, last)
    mine = Runs(
        runs.home[rows],
        runs.earliest_slot[rows],
        runs.end_slot[rows],
        runs.energy_kwh[rows],
        runs.length[rows],
    )
    begins = ready[rows].copy()
    waits = start[rows] > STARTS.index("at_once")
    if waits.any():
        found, worth = np.zeros_like(begins), _worth(plant, slot, int(mine.end_slot.max()) - slot)
        solar = start[rows] == STARTS.index("solar")
        # at one price for all homes the window alone decides; a home that waits for its sun looks at its own worth
        for chosen, price in ((waits & ~solar, worth[0]), (solar, worth[1])):
            window = mine._replace(earliest_slot=mine.earliest_slot - slot, end_slot=mine.end_slot - slot)
            cheapest_starts(window, price, found)
            begins[chosen] = found[chosen] + slot
    for home, begin, energy in zip(mine.home, begins, mine.energy_kwh, strict=True):
        plant.queue[(begin + np.arange(energy.size)) % len(plant.queue), home] += energy


def _worth(plant: Plant, slot: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    """Return what a kWh is worth ahead [currency/kWh], as published and with yesterday's sun, shape [slots, homes]."""
    slots = np.arange(slot, slot + ahead)
    known = np.minimum(slots, plant.retail.size - 1)
    retail, feed_in = plant.retail[known][:, None], plant.feed_in[known][:, None]
    surplus = plant.past_net[slots % len(plant.past_net)] < 0
    return np.repeat(retail, surplus.shape[1], axis=1), np.where(surplus, feed_in, retail)


def _heat(
    plant: Plant, heating: Heating, temperature: FloatArray, slot: int, surplus_kwh: FloatArray
) -> FloatArray:
    """Heat a group's houses and return what their pumps draw [kWh], shape [homes]."""
    hours, pumps = plant.community.grid.hours, heating.home.size
    cop = np.full(pumps, heating.cop[slot])
    weather = (float(heating.outdoor_c[slot]), np.full(pumps, heating.gains_kw), cop)
    out = np.zeros(pumps), np.zeros(pumps)
    aim, houses = np.zeros(pumps), heating.houses
    if heating.control == "price_following":
        ahead = plant.retail[slot + 1 : slot + plant.community.grid.slots_per_day]
        aim[:] = np.mean(ahead > plant.retail[slot]) if ahead.size else 0.0
    elif heating.control == "solar_following":
        trial = temperature.copy()
        heat_houses(houses, weather, aim, trial, hours, out)
        # as much as comfort needs, and beyond it as much as the sun gives
        limit = np.maximum(out[0], np.minimum(surplus_kwh[heating.home], houses.power_kw * hours))
        houses, aim = houses._replace(power_kw=limit / hours), np.ones(pumps)
    heat_houses(houses, weather, aim, temperature, hours, out)
    plant.discomfort_kh[heating.home] += out[1]
    drawn_kwh = np.zeros(surplus_kwh.size)
    drawn_kwh[heating.home] = out[0]
    return drawn_kwh


def _charge(plant: Plant, slot: int, net_kwh: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Charge the cars; return what each home's cars took and gave [kWh], shape [homes]."""
    fleet, hours, nothing = plant.community.fleet, plant.community.grid.hours, np.zeros(net_kwh.size)
    if not fleet.home.size:
        return nothing, nothing
    arrive(plant.ev, fleet.sessions, slot)
    charge_evs(plant.ev, plant.idle, slot, hours)
    back = None
    if plant.cars is not None and fleet.flexible is not None:
        back = _charge_at_will(plant, plant.cars, fleet.flexible, slot, net_kwh)
    if fleet.curves is not None:
        rated = fleet.chargers.power_kw * hours
        plant.ev.charged_kwh[:] = drawn(fleet.curves, plant.ev.charged_kwh, rated)
        back = None if back is None else given(fleet.curves, back, rated)
    taken = _by_home(plant, plant.ev.charged_kwh)
    if back is None:
        return taken, nothing
    returned = _by_home(plant, back)
    plant.given_kwh += returned
    return taken, returned


def _by_home(plant: Plant, values: FloatArray) -> FloatArray:
    """Return the sum over the chargers of each home, shape [homes]."""
    sums = np.bincount(plant.community.fleet.home, values, minlength=plant.discomfort_kh.size)
    return np.asarray(sums, dtype=np.float64)


def _charge_at_will(
    plant: Plant, state: CarState, flexible: Flexible, slot: int, net_kwh: FloatArray
) -> FloatArray:
    """Let cars charge at will, show it in the plugs, and return what they give [kWh], shape [cars]."""
    fleet, grid, cars = plant.community.fleet, plant.community.grid, flexible.cars
    plug_in(state, cars, fleet.sessions, slot)
    known = plant.retail[: slot + grid.slots_per_day]  # published a day ahead
    cheapest = np.zeros(fleet.home.size)
    cheapest_slots_wish(state, cars, known, slot, grid.hours, cheapest)
    gives = flexible.policy == V2G
    wish = np.where(gives | (flexible.policy == PRICE_FOLLOWING), cheapest, 0.0)
    if gives.any():
        at_home = gives & (state.departure_slot > slot)
        share = np.maximum(_by_home(plant, at_home.astype(np.float64)), 1.0)
        costs = np.stack([flexible.wear_per_kwh, cheapest_ahead(known, slot, state.departure_slot)])
        home_wish = vehicle_to_home_wish(
            state, cars, (net_kwh / share)[fleet.home], (plant.retail[slot], costs), cheapest
        )
        wish = np.where(gives, home_wish, wish)
    exchange(state, cars, wish, slot, grid.hours)
    rows = np.flatnonzero(_at_will(flexible))
    there = state.departure_slot[rows] > slot + 1
    plant.ev.charged_kwh[rows] = state.charged_kwh[rows]
    plant.ev.need_kwh[rows] = np.where(
        there, np.maximum(state.target_kwh[rows] - state.soc_kwh[rows], 0.0), 0.0
    )
    plant.ev.shortfall_kwh[rows] = state.shortfall_kwh[rows]
    back = np.zeros(fleet.home.size)
    back[rows] = state.discharged_kwh[rows]
    return back


def run_batteries(
    plant: Plant, slot: int, net_kwh: FloatArray, soc_kwh: FloatArray, out: tuple[FloatArray, FloatArray]
) -> None:
    """Let each battery do what its policy says, within its limits.

    Parameters
    ----------
    plant : Plant
        The devices; changed in place.
    slot : int
        The slot.
    net_kwh : FloatArray
        Deficit (> 0) or surplus (< 0) before the batteries [kWh], shape [homes].
    soc_kwh : FloatArray
        Energy in each battery [kWh], shape [homes]; changed in place.
    out : tuple of FloatArray
        Receives AC energy taken in and given [kWh], shape [homes].
    """
    equipment, hours = plant.community.equipment, plant.community.grid.hours
    if plant.plain:
        self_consumption(net_kwh, plant.batteries, soc_kwh, hours, *out)
    else:
        wish = -net_kwh
        for control in equipment.controls:
            if control.section.dispatch != "self_consumption":
                rows = control.members
                wish[rows] = _wish(plant, control, slot, net_kwh[rows], soc_kwh[rows])
        batteries = plant.batteries
        if equipment.curves is not None:
            batteries = at_part_load(batteries, equipment.curves, wish, hours)
        follow(wish, batteries, soc_kwh, hours, *out)
        if equipment.standby_kw is not None:
            stand_by(batteries, equipment.standby_kw, soc_kwh, hours)
    plant.charged_kwh += out[0]
    plant.discharged_kwh += out[1]
    _remember(plant, slot, net_kwh, soc_kwh, out)


def _wish(plant: Plant, control: BatteryControl, slot: int, net: FloatArray, soc: FloatArray) -> FloatArray:
    """Return what the batteries of a group are told to do [kWh], shape [homes of the group]."""
    section, rows, grid = control.section, control.members, plant.community.grid
    batteries = Batteries(*(column[rows] for column in plant.batteries))
    if section.dispatch == "rule":
        return minimum_soc_wish(net, batteries, soc, section.reserve)
    if section.dispatch == "price_threshold":
        low, high = section.charge_below or 0.0, section.discharge_above or 0.0
        return price_threshold_wish(net, batteries, float(plant.retail[slot]), (low, high), grid.hours)
    if section.dispatch == "market_aware":
        buy, sell = expected_prices(plant, slot, slot + 1)
        later = value_later(expected_prices(plant, slot + 1, slot + grid.slots_per_day)[0],
                            int(np.ceil(section.value_hours / grid.hours)))  # fmt: skip
        one = np.ones(net.size)
        wish = market_aware_wish(
            net, batteries, (one * buy, one * sell, one * later), control.wear_per_kwh, grid.hours
        )
        # What goes beyond the home's own need is not sold for less than it is worth kept, and for its wear at least.
        plant.ask_floor[rows] = np.where(-wish > np.maximum(net, 0.0), max(later, control.wear_per_kwh), 0.0)
        return wish
    if section.dispatch == "day_ahead" and slot < grid.slots_per_day:
        return -net  # nothing to foretell from yet
    return _planned(plant, control, slot, net, soc)


def expected_prices(plant: Plant, first: int, last: int) -> tuple[FloatArray, FloatArray]:
    """Return at what price homes expect to buy and to sell in slots `first` to `last` [currency/kWh].

    The grid's published prices, and the local price of the same time a day before where there was trade then. Beyond
    the run's end, where nothing is published, the grid's prices are those of a day before.
    """
    slots, day = np.arange(first, last), plant.past_price.size
    seen = plant.past_price[slots % day]
    known = np.clip(np.where(slots < plant.retail.size, slots, slots - day), 0, plant.retail.size - 1)
    return np.fmin(plant.retail[known], seen), np.fmax(plant.feed_in[known], seen)


def _planned(
    plant: Plant, control: BatteryControl, slot: int, net: FloatArray, soc: FloatArray
) -> FloatArray:
    """Return the wishes of optimal plans, made anew each day on a forecast, or once on the truth."""
    rows, wish = control.members, np.zeros(net.size)
    foretold = control.section.dispatch == "day_ahead"
    if (foretold and slot % plant.community.grid.slots_per_day == 0) or not plant.plans.keys() & set(
        range(rows.start, rows.stop)
    ):
        _make_plans(plant, control, slot, soc)
    for i, home in enumerate(range(rows.start, rows.stop)):
        if home not in plant.plans:
            continue
        start, plan, forecast = plant.plans[home]
        step = slot - start
        if not foretold:
            wish[i] = plan.charge_kwh[step] - plan.discharge_kwh[step]
            continue
        window = plant.batteries.min_soc_kwh[home], plant.batteries.max_soc_kwh[home]
        wish[i] = planned_wish(plan, step, float(net[i]), window, float(forecast[step]))
    return wish


def _make_plans(plant: Plant, control: BatteryControl, slot: int, soc: FloatArray) -> None:
    """Plan each battery of a group: the day ahead as yesterday was, or the whole run as it will be."""
    grid, rows = plant.community.grid, control.members
    owners = [home for home in range(rows.start, rows.stop) if plant.batteries.capacity_kwh[home] > 0]
    net = plant.past_net[: grid.slots - slot]
    if control.section.dispatch == "perfect_foresight" and owners:
        net = net_ahead(plant.community)[slot:]
    # The grid's prices are published; what neighbours will sell, and how much, is not.
    prices = plant.retail[slot : slot + len(net)], plant.feed_in[slot : slot + len(net)]
    for home in owners:
        forecast = net[:, home].copy()
        horizon = horizon_of(plant.community, home, forecast, prices, control.wear_per_kwh)
        plan = schedule(horizon, plant.batteries, home, float(soc[home - rows.start]))
        plant.plans[home] = slot, plan, forecast


def horizon_of(
    community: Community,
    home: int,
    net_kwh: FloatArray,
    prices: tuple[FloatArray, FloatArray],
    wear_per_kwh: float,
) -> Horizon:
    """Return what a battery is planned for; what is left at the end counts `LEFT_OVER` of the least it would save."""
    buy, sell = prices
    end = LEFT_OVER * community.batteries.discharge_efficiency[home] * max(float(buy.min()), 0.0)
    return Horizon(net_kwh, buy, sell, community.grid.hours, wear_per_kwh, end)


def net_ahead(community: Community) -> FloatArray:
    """Return what each home will draw (> 0) or give (< 0) without its battery [kWh], shape [slots, homes]."""
    grid, plant = community.grid, make_plant(community)
    net = np.empty((grid.slots, len(community.households)))
    for first, last in grid.blocks(grid.slots_per_day):
        load, solar = community.load.block(first, last), community.solar.block(first, last)
        for slot in range(first, last):
            done = serve(plant, slot, load[slot - first], solar[slot - first])
            net[slot] = done.load + done.ev - done.given - solar[slot - first]
            if plant.past_net.size:
                plant.past_net[slot % len(plant.past_net)] = net[slot]
    return net


def _remember(
    plant: Plant, slot: int, net_kwh: FloatArray, soc_kwh: FloatArray, out: tuple[FloatArray, FloatArray]
) -> None:
    """Keep what forecasts, ageing and the yardstick need."""
    if plant.past_net.size:
        plant.past_net[slot % len(plant.past_net)] = net_kwh
    if plant.soc_course is not None:
        plant.soc_course.append(soc_kwh.astype(np.float32))
        _fade(plant, slot)
    if plant.course is not None:
        plant.course.append(np.stack([net_kwh, *out]))


def _fade(plant: Plant, slot: int) -> None:
    """Take what was lost so far off the capacity of batteries that fade, at the end of each interval."""
    for control in plant.community.equipment.controls:
        ageing = control.section.ageing
        days = ageing.fade_days if ageing else None
        if days is None or (slot + 1) % (days * plant.community.grid.slots_per_day):
            continue
        kept = np.nan_to_num(1.0 - lost(plant, control))  # homes without a battery have none to lose of
        rows, new = control.members, plant.community.batteries
        for column, original in (
            (plant.batteries.capacity_kwh, new.capacity_kwh),
            (plant.batteries.max_soc_kwh, new.max_soc_kwh),
        ):
            column[rows] = original[rows] * kept


def lost(plant: Plant, control: BatteryControl) -> FloatArray:
    """Return the share of capacity each battery of a group has lost so far, NaN without ageing; shape [homes]."""
    rows, ageing = control.members, control.section.ageing
    capacity = plant.community.batteries.capacity_kwh[rows]
    share = np.full(capacity.size, np.nan)
    if ageing is None or not plant.soc_course:
        return share
    course = np.array([row[rows] for row in plant.soc_course], dtype=np.float64)
    seconds = plant.community.grid.seconds
    for i in np.flatnonzero(capacity > 0):
        soc = np.clip(course[:, i] / capacity[i], 0.0, 1.0)
        share[i] = capacity_loss(ageing.cell, soc, seconds, temperature_c=ageing.temperature_c)
    return share


def hear(plant: Plant, slot: int, price: float) -> None:
    """Remember the mean local price of a finished slot, NaN where nothing was traded [currency/kWh]."""
    plant.past_price[slot % plant.past_price.size] = price
