"""Kernels of the power flow on a radial feeder: backward-forward sweeps, balanced and three-phase.

Quantities are per unit on 1 kVA (three-phase) and the nominal voltage of each bus, so that a power in kW is its own
per-unit value. Rows run from the roots outward: a row's parent always stands before it.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sunshare_sim.kernels import kernel
from sunshare_sim.units import BoolArray, FloatArray, IntArray

ComplexArray = npt.NDArray[np.complex128]

COLLAPSED: Final = 0.01  # squared voltage [p.u.] below which a constant-power load has no solution nearby
DIVERGED: Final = -1
TURN: Final = complex(-0.5, 3**0.5 / 2)  # a third of a turn


class Tree(NamedTuple):
    """Hold a feeder as the kernels take it; all arrays have shape [buses], one row a bus.

    Attributes
    ----------
    bus : IntArray
        Bus of each row.
    parent : IntArray
        Row that feeds each row, -1 for a root.
    branch : IntArray
        Branch that feeds each row, -1 for a root.
    r_pu, x_pu, r0_pu, x0_pu : FloatArray
        Positive- and zero-sequence impedance of that branch; of a root, the impedance of the grid above.
    ratio : FloatArray
        Off-nominal voltage ratio of that branch, upper to lower side; 1 without taps.
    blocks_zero : BoolArray
        True where no zero-sequence current passes: a transformer with a delta winding above.
    amperes : FloatArray
        Current of 1 kVA at the row's nominal voltage [A].
    """

    bus: IntArray
    parent: IntArray
    branch: IntArray
    r_pu: FloatArray
    x_pu: FloatArray
    r0_pu: FloatArray
    x0_pu: FloatArray
    ratio: FloatArray
    blocks_zero: BoolArray
    amperes: FloatArray


class Flow(NamedTuple):
    """Hold the state of a feeder, slot by slot.

    Attributes
    ----------
    voltage_pu : FloatArray
        Voltage at each bus, shape [slots, buses], or [slots, buses, 3] for three phases.
    current_a : FloatArray
        Current in each branch, of the highest phase [A], shape [slots, branches].
    power_kw, power_kvar : FloatArray
        Power that leaves each branch at its lower end, > 0 away from the substation, shape [slots, branches].
    losses_kw : FloatArray
        Power lost in each branch, shape [slots, branches].
    slack_kw, slack_kvar : FloatArray
        Power that enters at each root, in the order of the rows of the tree, shape [slots, roots].
    sweeps : IntArray
        Sweeps until it converged, -1 where it did not, shape [slots].
    worst_bus : IntArray
        Bus with the lowest voltage, shape [slots].
    unbalance : FloatArray
        Negative- over positive-sequence voltage at each bus, shape [slots, buses]; empty if balanced.
    neutral_a : FloatArray
        Current in the neutral of each branch [A], shape [slots, branches]; empty if balanced.
    """

    voltage_pu: FloatArray
    current_a: FloatArray
    power_kw: FloatArray
    power_kvar: FloatArray
    losses_kw: FloatArray
    slack_kw: FloatArray
    slack_kvar: FloatArray
    sweeps: IntArray
    worst_bus: IntArray
    unbalance: FloatArray
    neutral_a: FloatArray


@kernel
def sweep_balanced(
    tree: Tree,
    p_kw: FloatArray,
    q_kvar: FloatArray,
    source_pu: FloatArray,
    stop: tuple[float, int],
    out: Flow,
) -> None:
    """Solve each slot by backward-forward sweeps of a balanced feeder with constant-power loads.

    Shirmohammadi, Hong, Semlyen and Luo 1988, doi:10.1109/59.192932. Writes into `out`.

    Parameters
    ----------
    tree : Tree
        The feeder.
    p_kw, q_kvar : FloatArray
        Power drawn at each bus, < 0 for a surplus, shape [slots, buses].
    source_pu : FloatArray
        Voltage of the grid above, shape [slots].
    stop : tuple of float and int
        Largest change of a voltage between sweeps that ends them [p.u.], and most sweeps.
    out : Flow
        Receives the result.
    """
    rows = tree.bus.size
    tolerance, most = stop
    voltage, current, start = (
        np.empty(rows, np.complex128),
        np.empty(rows, np.complex128),
        np.empty(rows, np.float64),
    )
    z, demand = np.empty(rows, np.complex128), np.empty(rows, np.complex128)
    for row in range(rows):
        parent = tree.parent[row]
        start[row] = 1.0 if parent < 0 else start[parent] / tree.ratio[row]
        z[row] = complex(tree.r_pu[row], tree.x_pu[row])
    for slot in range(p_kw.shape[0]):
        source = source_pu[slot]
        for row in range(rows):
            bus = tree.bus[row]
            demand[row] = complex(p_kw[slot, bus], -q_kvar[slot, bus])
            voltage[row] = complex(source * start[row], 0.0)
        sweeps, change = 0, np.inf
        while change > tolerance and sweeps < most:
            for row in range(rows):
                v = voltage[row]
                square = v.real * v.real + v.imag * v.imag
                if not square > COLLAPSED:  # also catches NaN
                    sweeps = most
                    break
                current[row] = demand[row] * v / square  # conj(s / v)
            if sweeps == most:
                change = np.inf
                break
            for row in range(rows - 1, -1, -1):
                if tree.parent[row] >= 0:
                    current[tree.parent[row]] += current[row] / tree.ratio[row]
            change = 0.0
            for row in range(rows):
                parent = tree.parent[row]
                above = complex(source, 0.0) if parent < 0 else voltage[parent] / tree.ratio[row]
                moved = above - z[row] * current[row]
                change = max(change, abs(moved.real - voltage[row].real), abs(moved.imag - voltage[row].imag))
                voltage[row] = moved
            sweeps += 1
        converged = change <= tolerance
        out.sweeps[slot] = sweeps if converged else DIVERGED
        lowest, root = np.inf, 0
        for row in range(rows):
            bus, branch = tree.bus[row], tree.branch[row]
            v, i = voltage[row], current[row]
            size = abs(v)
            if not size >= lowest:
                lowest = size
                out.worst_bus[slot] = bus
            through = v * i.conjugate()
            lost = tree.r_pu[row] * (i.real * i.real + i.imag * i.imag)
            out.voltage_pu[slot, bus] = size if converged else np.nan
            if branch >= 0:
                out.current_a[slot, branch] = abs(i) * tree.amperes[row] if converged else np.nan
                out.power_kw[slot, branch] = through.real if converged else np.nan
                out.power_kvar[slot, branch] = through.imag if converged else np.nan
                out.losses_kw[slot, branch] = lost if converged else np.nan
            else:
                out.slack_kw[slot, root] = through.real if converged else np.nan
                out.slack_kvar[slot, root] = through.imag if converged else np.nan
                root += 1


@kernel
def sweep_phases(
    tree: Tree,
    p_kw: FloatArray,
    q_kvar: FloatArray,
    source_pu: FloatArray,
    stop: tuple[float, int],
    out: Flow,
) -> None:
    """Solve each slot by backward-forward sweeps of three coupled phases with single-phase loads to neutral.

    Cheng and Shirmohammadi 1995, doi:10.1109/59.466541, for lines whose phases are alike (transposed), so that a phase
    sees the positive-sequence impedance and all share (z0 - z1) / 3 of the summed current. A delta winding passes
    neither zero-sequence current up nor zero-sequence voltage down; its turn of the phases is left out, which renames
    the phases above it and leaves those below as they are. Parameters as in `sweep_balanced`, with loads of shape
    [slots, buses, 3] for each phase. Writes into `out`.
    """
    rows = tree.bus.size
    tolerance, most = stop
    voltage, current = np.empty((rows, 3), np.complex128), np.empty((rows, 3), np.complex128)
    start, turns = np.empty(rows, np.float64), np.empty(3, np.complex128)
    z, coupling = np.empty(rows, np.complex128), np.empty(rows, np.complex128)
    turns[0], turns[1], turns[2] = 1.0, TURN.conjugate(), TURN
    for row in range(rows):
        parent = tree.parent[row]
        start[row] = 1.0 if parent < 0 else start[parent] / tree.ratio[row]
        z[row] = complex(tree.r_pu[row], tree.x_pu[row])
        coupling[row] = (complex(tree.r0_pu[row], tree.x0_pu[row]) - z[row]) / 3.0
    for slot in range(p_kw.shape[0]):
        source = source_pu[slot]
        for row in range(rows):
            for phase in range(3):
                voltage[row, phase] = source * start[row] * turns[phase]
        sweeps, change = 0, np.inf
        while change > tolerance and sweeps < most:
            for row in range(rows):
                bus = tree.bus[row]
                for phase in range(3):
                    p, q = p_kw[slot, bus, phase], q_kvar[slot, bus, phase]
                    if p == 0.0 and q == 0.0:
                        current[row, phase] = 0.0
                        continue
                    v = voltage[row, phase]
                    square = v.real * v.real + v.imag * v.imag
                    if not square > COLLAPSED:
                        sweeps = most
                        break
                    current[row, phase] = complex(3.0 * p, -3.0 * q) * v / square
            if sweeps == most:
                change = np.inf
                break
            for row in range(rows - 1, -1, -1):
                parent = tree.parent[row]
                if parent < 0:
                    continue
                third = (current[row, 0] + current[row, 1] + current[row, 2]) / 3.0
                kept = third if tree.blocks_zero[row] else 0.0j
                for phase in range(3):
                    current[parent, phase] += (current[row, phase] - kept) / tree.ratio[row]
            change = 0.0
            for row in range(rows):
                parent = tree.parent[row]
                summed = coupling[row] * (current[row, 0] + current[row, 1] + current[row, 2])
                kept = 0.0j
                if parent >= 0 and tree.blocks_zero[row]:
                    kept = (voltage[parent, 0] + voltage[parent, 1] + voltage[parent, 2]) / 3.0
                for phase in range(3):
                    above = source * turns[phase]
                    if parent >= 0:
                        above = (voltage[parent, phase] - kept) / tree.ratio[row]
                    moved = above - z[row] * current[row, phase] - summed
                    old = voltage[row, phase]
                    change = max(change, abs(moved.real - old.real), abs(moved.imag - old.imag))
                    voltage[row, phase] = moved
            sweeps += 1
        converged = change <= tolerance
        out.sweeps[slot] = sweeps if converged else DIVERGED
        lowest, root = np.inf, 0
        for row in range(rows):
            bus, branch = tree.bus[row], tree.branch[row]
            summed = current[row, 0] + current[row, 1] + current[row, 2]
            power, lost, highest = 0.0j, 0.0, 0.0
            for phase in range(3):
                v, i = voltage[row, phase], current[row, phase]
                size = abs(v)
                if not size >= lowest:
                    lowest = size
                    out.worst_bus[slot] = bus
                out.voltage_pu[slot, bus, phase] = size if converged else np.nan
                power += v * i.conjugate() / 3.0
                drop = z[row] * i + coupling[row] * summed
                lost += (drop.real * i.real + drop.imag * i.imag) / 3.0
                highest = max(highest, abs(i))
            one = abs(voltage[row, 0] + TURN * voltage[row, 1] + TURN.conjugate() * voltage[row, 2])
            two = abs(voltage[row, 0] + TURN.conjugate() * voltage[row, 1] + TURN * voltage[row, 2])
            out.unbalance[slot, bus] = two / one if converged else np.nan
            if branch >= 0:
                out.current_a[slot, branch] = highest * tree.amperes[row] if converged else np.nan
                out.neutral_a[slot, branch] = abs(summed) * tree.amperes[row] if converged else np.nan
                out.power_kw[slot, branch] = power.real if converged else np.nan
                out.power_kvar[slot, branch] = power.imag if converged else np.nan
                out.losses_kw[slot, branch] = lost if converged else np.nan
            else:
                out.slack_kw[slot, root] = power.real if converged else np.nan
                out.slack_kvar[slot, root] = power.imag if converged else np.nan
                root += 1
