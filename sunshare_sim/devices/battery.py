"""Home batteries: how much each takes in or gives in a slot, and never beyond its limits."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray


class Batteries(NamedTuple):
    """Describe the battery of each home; all arrays have shape [homes].

    A home without one has capacity, power and both limits 0, and efficiencies above 0 all the same.

    A tuple and not a dataclass, because kernels take it as it is.

    Attributes
    ----------
    capacity_kwh : FloatArray
        Usable capacity [kWh].
    power_kw : FloatArray
        Largest charging and discharging power, AC side [kW].
    charge_efficiency, discharge_efficiency : FloatArray
        Share of AC energy that is stored, and share of stored energy that comes out as AC, in (0, 1].
    min_soc_kwh, max_soc_kwh : FloatArray
        Lowest and highest energy in the battery [kWh].
    """

    capacity_kwh: FloatArray
    power_kw: FloatArray
    charge_efficiency: FloatArray
    discharge_efficiency: FloatArray
    min_soc_kwh: FloatArray
    max_soc_kwh: FloatArray


def make_batteries(
    capacity_kwh: npt.ArrayLike,
    power_kw: npt.ArrayLike,
    *,
    round_trip_efficiency: npt.ArrayLike = 0.90,
    min_soc: npt.ArrayLike = 0.0,
    max_soc: npt.ArrayLike = 1.0,
) -> Batteries:
    """Return batteries with the same loss each way.

    The default round trip, AC to AC, lies within what is measured on home systems: conversion of 92 to 98 % each way
    and a battery efficiency of 88 to 98 % (HTW Berlin, Stromspeicher-Inspektion 2024 and 2025).

    Parameters
    ----------
    capacity_kwh, power_kw : array_like
        Usable capacity [kWh], 0 for none, and largest AC power [kW], shape [homes].
    round_trip_efficiency : array_like
        AC energy out over AC energy in, in (0, 1]; one value or shape [homes].
    min_soc, max_soc : array_like
        Bounds of the state of charge as shares of the capacity; one value or shape [homes].
    """
    capacity = np.array(capacity_kwh, dtype=np.float64)
    one_way = np.broadcast_to(np.sqrt(np.asarray(round_trip_efficiency, dtype=np.float64)), capacity.shape)
    return Batteries(
        capacity_kwh=capacity,
        power_kw=np.where(capacity > 0, np.asarray(power_kw, dtype=np.float64), 0.0),
        charge_efficiency=one_way.copy(),
        discharge_efficiency=one_way.copy(),
        min_soc_kwh=capacity * np.asarray(min_soc, dtype=np.float64),
        max_soc_kwh=capacity * np.asarray(max_soc, dtype=np.float64),
    )


@kernel
def _moved(
    wish: float, soc: float, batteries: Batteries, home: int, hours: float
) -> tuple[float, float, float]:
    """Return the energy in one battery after a slot, and what it took in and gave, as wished within its limits."""
    limit = batteries.power_kw[home] * hours
    inward, outward = batteries.charge_efficiency[home], batteries.discharge_efficiency[home]
    full = max(batteries.max_soc_kwh[home], soc)
    empty = min(batteries.min_soc_kwh[home], soc)
    # No branch, and np.divide, which does not look for a zero below: so the loop runs on several homes at once.
    charge = min(max(wish, 0.0), limit, np.divide(full - soc, inward))
    discharge = min(max(-wish, 0.0), limit, (soc - empty) * outward)
    # Full and empty mean exactly so: no rounding error may carry the state beyond its limits.
    moved = soc + charge * inward - np.divide(discharge, outward)
    return min(max(moved, empty), full), charge, discharge


@kernel
def follow(
    wish_kwh: FloatArray,
    batteries: Batteries,
    soc_kwh: FloatArray,
    hours: float,
    out_charge: FloatArray,
    out_discharge: FloatArray,
) -> None:
    """Charge or discharge each battery as wished, within its power and energy; changes `soc_kwh` in place.

    Parameters
    ----------
    wish_kwh : FloatArray
        AC energy to take in (> 0) or to give (< 0) [kWh], shape [homes].
    batteries : Batteries
        The batteries, one row a home.
    soc_kwh : FloatArray
        Energy in each battery [kWh], shape [homes]; changed in place.
    hours : float
        Length of the slot [h].
    out_charge, out_discharge : FloatArray
        AC energy taken in and given [kWh], >= 0, shape [homes]; overwritten.
    """
    for home in range(wish_kwh.size):
        soc_kwh[home], out_charge[home], out_discharge[home] = _moved(
            wish_kwh[home], soc_kwh[home], batteries, home, hours
        )


@kernel
def self_consumption(
    net_kwh: FloatArray,
    batteries: Batteries,
    soc_kwh: FloatArray,
    hours: float,
    out_charge: FloatArray,
    out_discharge: FloatArray,
) -> None:
    """Charge each battery from its home's surplus and discharge it into its home's deficit.

    The greedy rule of self-consumption (Luthander et al. 2015, doi:10.1016/j.apenergy.2014.12.028): take in or give as
    much as power, energy and the home's own net allow. No battery trades with the grid.

    Parameters
    ----------
    net_kwh : FloatArray
        Deficit (> 0) or surplus (< 0) of each home before its battery [kWh], shape [homes].
    batteries : Batteries
        The batteries, one row a home.
    soc_kwh : FloatArray
        Energy in each battery [kWh], shape [homes]; changed in place.
    hours : float
        Length of the slot [h].
    out_charge, out_discharge : FloatArray
        AC energy taken in and given [kWh], >= 0, shape [homes]; overwritten.
    """
    for home in range(net_kwh.size):
        soc_kwh[home], out_charge[home], out_discharge[home] = _moved(
            -net_kwh[home], soc_kwh[home], batteries, home, hours
        )


def stand_by(batteries: Batteries, standby_kw: FloatArray, soc_kwh: FloatArray, hours: float) -> FloatArray:
    """Take the electronics' own use from each battery until it is at its lowest; return what was taken [kWh], [homes].

    Parameters
    ----------
    batteries : Batteries
        The batteries.
    standby_kw : FloatArray
        Own use, DC side [kW], shape [homes].
    soc_kwh : FloatArray
        Energy in each battery [kWh], shape [homes]; changed in place.
    hours : float
        Length of the slot [h].
    """
    taken = np.clip(soc_kwh - batteries.min_soc_kwh, 0.0, standby_kw * hours)
    soc_kwh -= taken
    return taken
