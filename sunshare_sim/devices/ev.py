"""Electric vehicles at their home charger: what each draws in a slot, at once or spread until departure.

The car's battery is not modelled beyond the energy it needs before it leaves; driving happens elsewhere.
"""

from typing import NamedTuple, Protocol

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.units import BoolArray, FloatArray, IntArray


class Stays(Protocol):
    """Promise stays at the charger in order of arrival; `inputs.mobility.Sessions` is one; shape [sessions]."""

    @property
    def car(self) -> IntArray:
        """Return the row of the car."""

    @property
    def arrival_slot(self) -> IntArray:
        """Return the slot in which the car plugs in, never falling; below 0 before the run's start."""

    @property
    def departure_slot(self) -> IntArray:
        """Return the first slot in which the car is gone."""

    @property
    def energy_kwh(self) -> FloatArray:
        """Return the energy the car's battery needs before departure [kWh]."""


class Chargers(NamedTuple):
    """Describe the charger of each car; all arrays have shape [cars].

    Attributes
    ----------
    power_kw : FloatArray
        Largest charging power, AC side [kW].
    efficiency : FloatArray
        Share of the AC energy that reaches the car's battery, in (0, 1].
    spread : BoolArray
        True: evenly until departure; False: at full power on arrival.
    """

    power_kw: FloatArray
    efficiency: FloatArray
    spread: BoolArray


class EvState(NamedTuple):
    """Hold what changes as cars come, charge and go; kernels write into the arrays; shape [cars].

    Attributes
    ----------
    need_kwh : FloatArray
        Energy the car's battery still needs before departure [kWh]; 0 when there is no car.
    departure_slot : IntArray
        First slot in which the car is gone; the car is plugged in while ``slot < departure_slot``.
    charged_kwh : FloatArray
        AC energy drawn in the last slot [kWh].
    shortfall_kwh : FloatArray
        Energy that was needed but not there at departure, summed over the run [kWh in the battery].
    """

    need_kwh: FloatArray
    departure_slot: IntArray
    charged_kwh: FloatArray
    shortfall_kwh: FloatArray

    @classmethod
    def empty(cls, cars: int) -> "EvState":
        """Return the state in which no car is plugged in."""
        return cls(np.zeros(cars), np.full(cars, -(2**62)), np.zeros(cars), np.zeros(cars))


def start_evs(chargers: Chargers, sessions: Stays, hours: float) -> EvState:
    """Return the state at the start of slot 0: cars that came before it have charged since they came.

    Shortfalls of departures before the run are not the run's: they are left out.
    """
    state = EvState.empty(chargers.power_kw.size)
    first = int(sessions.arrival_slot[0]) if sessions.arrival_slot.size else 0
    for slot in range(first, 0):
        arrive(state, sessions, slot)
        charge_evs(state, chargers, slot, hours)
    state.charged_kwh[:] = 0.0
    state.shortfall_kwh[:] = 0.0
    return state


@kernel
def arrive(state: EvState, sessions: Stays, slot: int) -> None:
    """Plug in the cars that arrive in `slot`; changes `state` in place.

    Parameters
    ----------
    state : EvState
        The cars.
    sessions : Stays
        All stays, in order of arrival.
    slot : int
        The slot that begins.
    """
    row = np.searchsorted(sessions.arrival_slot, slot)
    while row < sessions.arrival_slot.size and sessions.arrival_slot[row] == slot:
        car = sessions.car[row]
        state.need_kwh[car] = sessions.energy_kwh[row]
        state.departure_slot[car] = sessions.departure_slot[row]
        row += 1


@kernel
def charge_evs(state: EvState, chargers: Chargers, slot: int, hours: float) -> None:
    """Charge each plugged-in car for one slot; changes `state` in place.

    On arrival: at full power until the need is met. Spread: the need that is left, divided by the slots that are left,
    so that power is equal until departure. Neither exceeds the charger. What is missing when a car's last slot is over
    is added to `state.shortfall_kwh`.

    Parameters
    ----------
    state : EvState
        The cars; `charged_kwh` is overwritten.
    chargers : Chargers
        The chargers, one row a car.
    slot : int
        The slot in which they charge.
    hours : float
        Length of the slot [h].
    """
    for car in range(state.need_kwh.size):
        need, efficiency = state.need_kwh[car], chargers.efficiency[car]
        left = state.departure_slot[car] - slot
        present = left > 0
        # No branch, and np.divide, which does not look for a zero below: so the loop runs on several cars at once.
        wish = np.divide(need, float(max(left, 1))) if chargers.spread[car] else need
        stored = min(wish, chargers.power_kw[car] * hours * efficiency) if present else 0.0
        missing = need - stored
        state.charged_kwh[car] = np.divide(stored, efficiency)
        state.need_kwh[car] = 0.0 if left == 1 else missing
        state.shortfall_kwh[car] += missing if left == 1 else 0.0
