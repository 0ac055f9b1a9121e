"""Slow, obvious twin of the power flow: nodal admittances and Newton's method on a dense system, by scipy."""

import numpy as np
from scipy.optimize import fsolve


def solve(feeder, p_kw, q_kvar, source_pu=1.0):
    """Return complex voltages [p.u.] of one slot; each root holds the source's voltage.

    In per unit on 1 kVA, every branch is an admittance between its buses, and what flows into each bus must be what is
    drawn there: conj(v) * (Y v) = -(p - j q).
    """
    buses = len(feeder.bus_names)
    y = np.zeros((buses, buses), complex)
    for a, b, r, x, *_ in zip(*feeder.branches, strict=True):
        admittance = feeder.vn_kv[b] ** 2 * 1000 / complex(r, x)
        y[[a, b], [a, b]] += admittance
        y[[a, b], [b, a]] -= admittance
    free = feeder.parent_of_bus >= 0

    def voltages(unknown):
        v = np.full(buses, complex(source_pu))
        v[free] = unknown[: free.sum()] + 1j * unknown[free.sum() :]
        return v

    def mismatch(unknown):
        v = voltages(unknown)
        wrong = (v.conj() * (y @ v) + (p_kw - 1j * q_kvar))[free]
        return np.concatenate([wrong.real, wrong.imag])

    start = np.concatenate([np.full(free.sum(), source_pu), np.zeros(free.sum())])
    found, _, status, message = fsolve(mismatch, start, xtol=1e-13, full_output=True)
    assert status == 1 or np.abs(mismatch(found)).max() < 1e-6, message
    return voltages(found)
