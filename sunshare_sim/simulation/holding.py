"""What devices do when the wires hold a home back: solar is cut, batteries and cars do less of what they would.

A home gives up first what costs least: of what it feeds in, generation before what is stored; of what it draws,
charging before everything else.
"""

from typing import NamedTuple

import numpy as np

from sunshare_sim.simulation.island import Cars
from sunshare_sim.simulation.state import State
from sunshare_sim.units import FloatArray, IntArray, to_micro


class Held(NamedTuple):
    """Hold what homes gave up [1e-6 kWh], shape [homes]: generation, moves of batteries and cars, and demand."""

    curtailed: IntArray
    deferred: IntArray
    unserved: IntArray


def hold_back(state: State, injection_kwh: FloatArray, demand_kwh: FloatArray) -> Held:
    """Take from the slot's flows what homes may not feed in and are not served, and undo what stores did.

    Parameters
    ----------
    state : State
        Its flows, batteries and cars are changed.
    injection_kwh, demand_kwh : FloatArray
        Energy to give up [kWh], shape [homes], not above what each home feeds in and draws.
    """
    flows, plant, fleet = state.flows, state.plant, state.community.fleet
    cars = Cars.of(plant, state.slot, np.zeros(fleet.home.size, dtype=np.int64))
    given = _by_home(state, cars.given)
    before = tuple(to_micro(column) for column in flows)
    solar = np.minimum(injection_kwh, flows.solar)
    own = np.maximum(flows.discharge - given, 0.0)
    battery = np.minimum(injection_kwh - solar, own)
    from_cars = np.minimum(injection_kwh - solar - battery, given)
    charge = np.minimum(demand_kwh, flows.charge)
    ev = np.minimum(demand_kwh - charge, flows.ev)
    load = np.minimum(demand_kwh - charge - ev, flows.load)
    _hold_batteries(state, charge, battery, own)
    if ev.any() or from_cars.any():
        # Each of a home's cars gives up the same share.
        left = 1.0 - _share(ev, flows.ev)[fleet.home], 1.0 - _share(from_cars, given)[fleet.home]
        cars.move(cars.taken * left[0], cars.given * left[1], (left[0] < 1) | (left[1] < 1))
    state.flows = flows._replace(
        load=flows.load - load,
        solar=flows.solar - solar,
        ev=flows.ev - ev,
        charge=flows.charge - charge,
        discharge=flows.discharge - battery - from_cars,
    )
    gone = [old - to_micro(new) for old, new in zip(before, state.flows, strict=True)]
    lost = dict(zip(flows._fields, gone, strict=True))
    return Held(lost["solar"], lost["ev"] + lost["charge"] + lost["discharge"], lost["load"])


def _by_home(state: State, values: FloatArray) -> FloatArray:
    """Sum a value of each car over the homes, shape [homes]."""
    summed = np.zeros(state.net.size)
    np.add.at(summed, state.community.fleet.home, values)
    return summed


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _hold_batteries(state: State, charge: FloatArray, discharge: FloatArray, own: FloatArray) -> None:
    """Undo the part of what batteries did that was not allowed: their energy goes back by the same share.

    `own` is what they gave, without cars [kWh], shape [homes]; a battery takes or gives, never both.
    """
    soc, before, plant = state.soc_kwh, state.wiring.soc_before, state.plant
    soc += (_share(charge, state.flows.charge) + _share(discharge, own)) * (before - soc)
    plant.charged_kwh -= charge
    plant.discharged_kwh -= discharge
    if plant.soc_course:
        plant.soc_course[-1][:] = soc
    if plant.course:
        plant.course[-1][1] -= charge
        plant.course[-1][2] -= discharge
