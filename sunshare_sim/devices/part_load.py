"""Converters away from their rated power: efficiency by load, for batteries and chargers alike.

A curve is given at a few loads and interpolated between them; at no load its lowest point holds. A home system loses
some 5 % each way at rated power and about half at the few watts of a night (HTW Berlin, Stromspeicher-Inspektion 2025).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.devices.battery import Batteries
from sunshare_sim.units import FloatArray, IntArray

STEPS: Final = 200  # a curve is tabulated at this many equal steps of load


class Curves(NamedTuple):
    """Hold efficiency curves and who follows them.

    Attributes
    ----------
    efficiency : FloatArray
        One-way efficiency at equal steps of load from 0 to 1, AC side, shape [curves, STEPS + 1].
    load_of_stored : FloatArray
        AC load at equal steps of the power that is stored, as a share of what is stored at full load; same shape.
    of : IntArray
        Curve of each device, -1 for none, shape [devices].
    """

    efficiency: FloatArray
    load_of_stored: FloatArray
    of: IntArray


def make_curves(points: Sequence[Sequence[tuple[float, float]]], of: IntArray) -> Curves:
    """Return curves through ``(load, efficiency)`` points, one sequence a curve, each in rising order of load."""
    steps = np.linspace(0.0, 1.0, STEPS + 1)
    efficiency = np.array([np.interp(steps, *np.array(curve).T) for curve in points]).reshape(-1, STEPS + 1)
    stored = efficiency * steps
    inverse = np.array([np.interp(steps, row / row[-1], steps) for row in stored]).reshape(-1, STEPS + 1)
    return Curves(efficiency, inverse, of)


def look_up(table: FloatArray, curves: Curves, share: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Return each device's value of a table at its share of full power, `otherwise` where it has no curve."""
    place = np.clip(share, 0.0, 1.0) * STEPS
    low = np.minimum(place.astype(np.int64), STEPS - 1)
    row = np.maximum(curves.of, 0)
    below, above = table[row, low], table[row, low + 1]
    return np.where(curves.of >= 0, below + (place - low) * (above - below), otherwise)


def at_part_load(batteries: Batteries, curves: Curves, wish_kwh: FloatArray, hours: float) -> Batteries:
    """Return the batteries with the efficiencies that hold at the power wished.

    A battery that is full or empty before the slot ends has run at that power until then.

    Parameters
    ----------
    batteries : Batteries
        The batteries at their nominal efficiency.
    curves : Curves
        Efficiency by load, one row a home.
    wish_kwh : FloatArray
        AC energy to take in (> 0) or to give (< 0) [kWh], shape [homes].
    hours : float
        Length of the slot [h].
    """
    rated = np.maximum(batteries.power_kw * hours, 1e-12)
    found = look_up(curves.efficiency, curves, np.abs(wish_kwh) / rated, batteries.charge_efficiency)
    return batteries._replace(charge_efficiency=found, discharge_efficiency=found)


def drawn(curves: Curves, ac_kwh: FloatArray, rated_kwh: FloatArray) -> FloatArray:
    """Return the AC energy a charger draws to store what it would store from `ac_kwh` at the efficiency of full load.

    Parameters
    ----------
    curves : Curves
        Efficiency by load, one row a charger.
    ac_kwh, rated_kwh : FloatArray
        AC energy at the efficiency of full load, and the most in a slot [kWh], shape [chargers].
    """
    rated = np.maximum(rated_kwh, 1e-12)
    return look_up(curves.load_of_stored, curves, ac_kwh / rated, ac_kwh / rated) * rated


def given(curves: Curves, ac_kwh: FloatArray, rated_kwh: FloatArray) -> FloatArray:
    """Return the AC energy that comes out where `ac_kwh` would at the efficiency of full load; shapes as in `drawn`."""
    none = np.ones(ac_kwh.size)
    full = look_up(curves.efficiency, curves, none, none)
    return ac_kwh * look_up(curves.efficiency, curves, ac_kwh / np.maximum(rated_kwh, 1e-12), none) / full
