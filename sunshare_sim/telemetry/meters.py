"""The meter: where physics (float kWh) becomes what is traded and paid (integer 1e-6 kWh).

Each device of a home has its own register, and the home's net is their integer sum, so that every home and every
slot balances exactly: net = load + ev + charge - solar - discharge.
"""

from typing import NamedTuple

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.units import MICRO, FloatArray, IntArray


class Flows(NamedTuple):
    """Hold a slot's energy at each home, AC side [kWh], never negative, shape [homes] each."""

    load: FloatArray
    solar: FloatArray
    ev: FloatArray
    charge: FloatArray
    discharge: FloatArray


class Totals(NamedTuple):
    """Hold a slot's registers summed over the community [1e-6 kWh]."""

    load: int
    solar: int
    ev: int
    charge: int
    discharge: int
    deficit: int
    surplus: int


@kernel
def read_meters(flows: Flows, out_net: IntArray) -> tuple[int, int, int, int, int, int, int]:
    """Read all meters of a slot: write each home's net into `out_net`, return the sums of the registers.

    Parameters
    ----------
    flows : Flows
        Energy of the slot by device [kWh].
    out_net : IntArray
        Receives each home's net [1e-6 kWh]; > 0 is a deficit, < 0 a surplus; shape [homes].

    Returns
    -------
    tuple of int
        In the order of `Totals`.
    """
    load = solar = ev = charge = discharge = deficit = surplus = 0
    for home in range(out_net.size):
        # Half to even, as `units.to_micro`; each register is rounded once and only here.
        used = int(np.rint(flows.load[home] * MICRO))
        made = int(np.rint(flows.solar[home] * MICRO))
        driven = int(np.rint(flows.ev[home] * MICRO))
        stored = int(np.rint(flows.charge[home] * MICRO))
        released = int(np.rint(flows.discharge[home] * MICRO))
        net = used + driven + stored - made - released
        out_net[home] = net
        load += used
        solar += made
        ev += driven
        charge += stored
        discharge += released
        if net > 0:
            deficit += net
        else:
            surplus -= net
    return load, solar, ev, charge, discharge, deficit, surplus
