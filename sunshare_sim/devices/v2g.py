"""Electric vehicles that may give back: charging at will between arrival and departure, the trip always guaranteed.

One rule holds them all: a wish is carried out unless the energy needed at departure would no longer be reachable. To
wish for full power is uncontrolled charging, for nothing delayed charging, for the home's surplus and against its
deficit vehicle-to-home.
"""

from typing import NamedTuple

import numpy as np

from sunshare_sim.devices.ev import Stays
from sunshare_sim.errors import InputError, describe
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray, IntArray


class Cars(NamedTuple):
    """Describe each car and its charger; all arrays have shape [cars].

    Attributes
    ----------
    capacity_kwh : FloatArray
        Usable capacity of the car's battery [kWh].
    charge_kw, discharge_kw : FloatArray
        Largest power in and out, AC side [kW]; no power out for a car that only charges.
    charge_efficiency, discharge_efficiency : FloatArray
        Share of AC energy that is stored, and of stored energy that comes out as AC, in (0, 1].
    reserve_kwh : FloatArray
        Energy the car never gives from [kWh].
    leave_kwh : FloatArray
        Energy the driver usually leaves with [kWh]; what a stay needs is taken to be missing from it on arrival.
    """

    capacity_kwh: FloatArray
    charge_kw: FloatArray
    discharge_kw: FloatArray
    charge_efficiency: FloatArray
    discharge_efficiency: FloatArray
    reserve_kwh: FloatArray
    leave_kwh: FloatArray


class CarState(NamedTuple):
    """Hold what changes as cars come, charge, give and go; kernels write into the arrays; shape [cars].

    Attributes
    ----------
    soc_kwh, target_kwh : FloatArray
        Energy in the car's battery, and what it must hold at departure [kWh].
    departure_slot : IntArray
        First slot in which the car is gone; it is plugged in while ``slot < departure_slot``.
    charged_kwh, discharged_kwh : FloatArray
        AC energy taken and given in the last slot [kWh].
    shortfall_kwh : FloatArray
        Energy that was missing at departure, summed over the run [kWh in the battery].
    """

    soc_kwh: FloatArray
    target_kwh: FloatArray
    departure_slot: IntArray
    charged_kwh: FloatArray
    discharged_kwh: FloatArray
    shortfall_kwh: FloatArray

    @classmethod
    def empty(cls, cars: int) -> "CarState":
        """Return the state in which no car is plugged in."""
        gone = np.full(cars, -(2**62), dtype=np.int64)
        return cls(np.zeros(cars), np.zeros(cars), gone, np.zeros(cars), np.zeros(cars), np.zeros(cars))


def make_cars(
    capacity_kwh: FloatArray,
    power_kw: FloatArray,
    *,
    v2g: bool = True,
    one_way_efficiency: float = 0.89,
    reserve: float = 0.3,
    leave: float = 0.9,
) -> Cars:
    """Return cars with equal power both ways, or none out.

    The default efficiency is that of AC charging above half power, 0.88 to 0.90 one way (EPA and ADAC tests of current
    cars: 84 to 88 % from socket to battery including the car's own use).

    Parameters
    ----------
    capacity_kwh, power_kw : FloatArray
        Usable capacity [kWh] and charger power, AC side [kW], shape [cars].
    v2g : bool
        Whether they give back.
    one_way_efficiency : float
        In (0, 1].
    reserve, leave : float
        Shares of the capacity: never given from, and usually left with.

    Raises
    ------
    InputError
        When a value is impossible.
    """
    possible = 0 < one_way_efficiency <= 1 and 0 <= reserve <= leave <= 1
    if not (possible and np.all(capacity_kwh > 0) and np.all(power_kw > 0)):
        raise InputError(
            describe(
                "an impossible car",
                where="ev",
                got=f"efficiency {one_way_efficiency:g}, reserve {reserve:g}, leave {leave:g}",
                expected="capacity and power > 0, efficiency in (0, 1], reserve <= leave <= 1",
            )
        )
    one = np.ones(capacity_kwh.size)
    return Cars(
        capacity_kwh=capacity_kwh,
        charge_kw=power_kw,
        discharge_kw=power_kw * v2g,
        charge_efficiency=one * one_way_efficiency,
        discharge_efficiency=one * one_way_efficiency,
        reserve_kwh=capacity_kwh * reserve,
        leave_kwh=capacity_kwh * leave,
    )


@kernel
def plug_in(state: CarState, cars: Cars, sessions: Stays, slot: int) -> None:
    """Plug in the cars that arrive in `slot`; changes `state` in place.

    A car arrives with what it usually leaves with less what the stay needs, and with nothing if it needs more.
    """
    row = np.searchsorted(sessions.arrival_slot, slot)
    while row < sessions.arrival_slot.size and sessions.arrival_slot[row] == slot:
        car = sessions.car[row]
        state.soc_kwh[car] = max(cars.leave_kwh[car] - sessions.energy_kwh[row], 0.0)
        state.target_kwh[car] = state.soc_kwh[car] + sessions.energy_kwh[row]
        state.departure_slot[car] = sessions.departure_slot[row]
        row += 1


@kernel
def exchange(state: CarState, cars: Cars, wish_kwh: FloatArray, slot: int, hours: float) -> None:
    """Let each plugged-in car take or give for one slot; changes `state` in place.

    The wish is followed within power, capacity and reserve, as long as full power in the slots left still reaches what
    is needed at departure; else the car charges what it must. What is missing at departure is added to the shortfall.

    Parameters
    ----------
    state : CarState
        The cars; energies of the slot are overwritten.
    cars : Cars
        What they can do.
    wish_kwh : FloatArray
        AC energy to take (> 0) or to give (< 0) [kWh], shape [cars].
    slot : int
        The slot.
    hours : float
        Length of the slot [h].
    """
    for car in range(wish_kwh.size):
        left = state.departure_slot[car] - slot
        state.charged_kwh[car] = state.discharged_kwh[car] = 0.0
        if left <= 0:
            continue
        soc, target = state.soc_kwh[car], state.target_kwh[car]
        inward, outward = cars.charge_efficiency[car], cars.discharge_efficiency[car]
        rate = cars.charge_kw[car] * hours * inward
        most = min(soc + rate, max(cars.capacity_kwh[car], soc))
        deepest = soc - np.divide(cars.discharge_kw[car] * hours, outward)
        # needed now, so that full power afterwards still arrives; and the reserve, unless already below it
        least = max(target - (left - 1) * rate, min(cars.reserve_kwh[car], soc), deepest)
        wish = wish_kwh[car]
        moved = soc + (wish * inward if wish > 0 else np.divide(wish, outward))
        end = min(max(moved, least), most)
        if end > soc:
            state.charged_kwh[car] = np.divide(end - soc, inward)
        else:
            state.discharged_kwh[car] = (soc - end) * outward
        state.soc_kwh[car] = end
        if left == 1:
            state.shortfall_kwh[car] += max(target - end, 0.0)


@kernel
def cheapest_slots_wish(
    state: CarState, cars: Cars, price: FloatArray, slot: int, hours: float, out_wish: FloatArray
) -> None:
    """Write the wish to charge at full power in the cheapest slots until departure, as many as the need takes.

    Parameters
    ----------
    state : CarState
        The cars.
    cars : Cars
        What they can do.
    price : FloatArray
        Price of each slot of the run, as published or forecast [currency/kWh], shape [slots].
    slot : int
        The slot.
    hours : float
        Length of the slot [h].
    out_wish : FloatArray
        Receives the AC energy wished [kWh], shape [cars].
    """
    for car in range(out_wish.size):
        out_wish[car] = 0.0
        rate = cars.charge_kw[car] * hours * cars.charge_efficiency[car]
        need = min(state.target_kwh[car], cars.capacity_kwh[car]) - state.soc_kwh[car]
        last = min(state.departure_slot[car], price.size)
        if slot >= last or need <= 0.0:
            continue
        cheaper = 0
        for other in range(slot + 1, last):
            cheaper += price[other] < price[slot]
        if cheaper * rate < need:  # the cheaper slots alone do not do
            out_wish[car] = np.divide(min(need - cheaper * rate, rate), cars.charge_efficiency[car])


def start_cars(cars: Cars, sessions: Stays, hours: float) -> CarState:
    """Return the state at the start of slot 0: cars that came before it have charged at full power since they came.

    Shortfalls of departures before the run are not the run's: they are left out.
    """
    state = CarState.empty(cars.capacity_kwh.size)
    first = int(sessions.arrival_slot[0]) if sessions.arrival_slot.size else 0
    for slot in range(first, 0):
        plug_in(state, cars, sessions, slot)
        exchange(
            state,
            cars,
            np.maximum(state.target_kwh - state.soc_kwh, 0.0) / cars.charge_efficiency,
            slot,
            hours,
        )
    state.charged_kwh[:] = 0.0
    state.discharged_kwh[:] = 0.0
    state.shortfall_kwh[:] = 0.0
    return state


def cheapest_ahead(price: FloatArray, slot: int, departure_slot: IntArray) -> FloatArray:
    """Return the lowest price of the slots between this one and each departure, infinite where there is none, [cars].

    Parameters
    ----------
    price : FloatArray
        Price of each slot as far as it is known [currency/kWh], shape [slots].
    slot : int
        The slot.
    departure_slot : IntArray
        First slot in which each car is gone, shape [cars].
    """
    lowest = np.minimum.accumulate(np.append(np.inf, price[slot + 1 :]))
    return lowest[np.clip(departure_slot - slot - 1, 0, lowest.size - 1)]


def vehicle_to_home_wish(
    state: CarState,
    cars: Cars,
    net_kwh: FloatArray,
    prices: tuple[float, FloatArray],
    cheapest_wish: FloatArray,
) -> FloatArray:
    """Return the wish to store the home's surplus and to serve its deficit where that pays, shape [cars].

    A kWh given saves the price of now. It costs its wear and, unless the car has more than it needs, what refills it
    until departure, with the losses of both ways. Apart from that the car charges in the cheapest slots.

    Parameters
    ----------
    state : CarState
        The cars.
    cars : Cars
        What they can do.
    net_kwh : FloatArray
        Deficit (> 0) or surplus (< 0) of each car's home that this car answers [kWh], shape [cars].
    prices : tuple
        Price of a kWh now; and wear of a kWh given above `cheapest_ahead` [currency/kWh], shape [2, cars].
    cheapest_wish : FloatArray
        What `cheapest_slots_wish` found [kWh], shape [cars].
    """
    now, (wear, refill) = prices
    losses = cars.charge_efficiency * cars.discharge_efficiency
    spare = state.soc_kwh > state.target_kwh
    pays = now > wear + np.where(spare, 0.0, refill / losses)
    serve = np.where(pays & (net_kwh > 0) & (cheapest_wish <= 0), -net_kwh, cheapest_wish)
    return np.where(net_kwh < 0, np.maximum(-net_kwh, cheapest_wish), serve)
