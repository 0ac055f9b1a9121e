"""The kernel that gathers demand from a few shapes: nothing is stored by home and slot."""

import numpy as np
import numpy.typing as npt

from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray, IntArray

QUARTERS_PER_DAY = 96


@kernel
def gather(
    table: npt.NDArray[np.float32],
    homes: tuple[FloatArray, IntArray],
    days: tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]],
    day_of_slot: IntArray,
    minute_of_slot: IntArray,
    slot_minutes: int,
) -> FloatArray:
    """Return energy by slot and home [kWh], shape [slots, homes].

    Power is constant within a quarter hour of a shape. A slot takes from each quarter hour it overlaps the part that it
    overlaps; which ones these are is the same for all homes, because homes are shifted by whole quarter hours.

    Parameters
    ----------
    table : float32 array
        Energy of each quarter hour for 1 kWh a year [kWh], shape [shapes, days of the year, 96].
    homes : tuple of FloatArray, IntArray
        Annual demand [kWh] and shape of each home, shape [homes].
    days : tuple of int16 array, int8 array
        Donor day and shift later [quarter hours] by day of the run and home, shape [days, homes].
    day_of_slot, minute_of_slot : IntArray
        Day of the run and local minute of the day at each slot's start, shape [slots].
    slot_minutes : int
        Length of a slot [min], at most 60.
    """
    annual_kwh, shape_of_home = homes
    donor, shift = days
    slots, count = day_of_slot.size, annual_kwh.size
    energy = np.empty((slots, count))
    for slot in range(slots):
        day = day_of_slot[slot]
        begin, end = minute_of_slot[slot], minute_of_slot[slot] + slot_minutes
        first, last = begin // 15, (end - 1) // 15
        first_part = (min(end, 15 * first + 15) - begin) / 15.0
        for home in range(count):
            shape, donor_day, later = shape_of_home[home], donor[day, home], shift[day, home]
            total = first_part * table[shape, donor_day, _on_ring(first - later)]
            for quarter in range(first + 1, last + 1):
                part = min(1.0, (end - 15 * quarter) / 15.0)
                total += part * table[shape, donor_day, _on_ring(quarter - later)]
            energy[slot, home] = annual_kwh[home] * total
    return energy


@kernel
def _on_ring(quarter: int) -> int:
    """Close a shifted day to a ring; two branches are cheaper here than a remainder."""
    if quarter < 0:
        return quarter + QUARTERS_PER_DAY
    if quarter >= QUARTERS_PER_DAY:
        return quarter - QUARTERS_PER_DAY
    return quarter
