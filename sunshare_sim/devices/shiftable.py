"""Appliances whose start can wait: each run has a window, and is put where its energy is cheapest.

The price may be any forecast of what a kWh is worth to the home, so that "wait for my own sun" and "wait for the cheap
hours" are the same thing.
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import InputError, describe
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray, IntArray

POLICIES: Final = ("at_once", "cheapest")


class Runs(NamedTuple):
    """Hold runs of appliances, one row a run.

    Attributes
    ----------
    home : IntArray
        Home of each run, shape [runs].
    earliest_slot : IntArray
        First slot in which it may start, shape [runs].
    end_slot : IntArray
        First slot in which it must be over, shape [runs].
    energy_kwh : FloatArray
        Energy of each slot from the start on [kWh], 0 once it is over, shape [runs, longest].
    length : IntArray
        Slots it takes, shape [runs].
    """

    home: IntArray
    earliest_slot: IntArray
    end_slot: IntArray
    energy_kwh: FloatArray
    length: IntArray


def check_runs(runs: Runs, slots: int) -> None:
    """Raise when a run does not fit its window or the horizon.

    Raises
    ------
    InputError
        Names the first such run.
    """
    fits = (runs.length >= 1) & (runs.earliest_slot >= 0) & (runs.end_slot <= slots)
    fits &= (runs.earliest_slot + runs.length <= runs.end_slot) & (runs.length <= runs.energy_kwh.shape[1])
    for run in np.flatnonzero(~fits)[:1]:
        raise InputError(
            describe(
                "a run that does not fit its window",
                where=f"appliance run {run} of home {runs.home[run]}",
                got=f"{runs.length[run]} slots in {runs.earliest_slot[run]} to {runs.end_slot[run]}",
                expected=f"a window within 0 to {slots} that is long enough",
            )
        )


@kernel
def cheapest_starts(runs: Runs, price: FloatArray, out_start: IntArray) -> None:
    """Write the start at which each run costs least, the earliest of equals.

    Parameters
    ----------
    runs : Runs
        The runs, checked by `check_runs`.
    price : FloatArray
        Worth of a kWh, as forecast [currency/kWh], shape [slots, homes].
    out_start : IntArray
        Receives the first slot of each run, shape [runs].
    """
    for run in range(runs.home.size):
        home, least = runs.home[run], np.inf
        for start in range(runs.earliest_slot[run], runs.end_slot[run] - runs.length[run] + 1):
            cost = 0.0
            for slot in range(runs.length[run]):
                cost += runs.energy_kwh[run, slot] * price[start + slot, home]
            if cost < least - 1e-12:
                least = cost
                out_start[run] = start


@kernel
def appliance_load(runs: Runs, start: IntArray, first: int, out_kwh: FloatArray) -> None:
    """Write what the runs draw in a block of slots.

    Parameters
    ----------
    runs : Runs
        The runs.
    start : IntArray
        First slot of each run, shape [runs].
    first : int
        First slot of the block.
    out_kwh : FloatArray
        Receives the energy [kWh], shape [slots, homes]; overwritten.
    """
    out_kwh[:] = 0.0
    for run in range(runs.home.size):
        for slot in range(runs.length[run]):
            row = start[run] + slot - first
            if 0 <= row < out_kwh.shape[0]:
                out_kwh[row, runs.home[run]] += runs.energy_kwh[run, slot]
