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
def _start(tree: Tree, out_start: FloatArray) -> None:
    """Write the voltage of each row without any load, for a source of 1."""
    for row in range(out_start.size):
        parent = tree.parent[row]
        out_start[row] = 1.0 if parent < 0 else out_start[parent] / tree.ratio[row]


@kernel
def _draw(power: ComplexArray, voltage: ComplexArray, out_current: ComplexArray) -> bool:
    """Write the current conj(s / v) of each load, given conj(s); return whether no voltage has collapsed."""
    for row in range(power.size):
        v = voltage[row]
        square = v.real * v.real + v.imag * v.imag
        if not square > COLLAPSED:  # also catches NaN
            return False
        out_current[row] = power[row] * v / square
    return True


@kernel
def _sum_up(tree: Tree, current: ComplexArray) -> None:
    """Add the current of each row to that of the row above, from the ends inward."""
    for row in range(tree.bus.size - 1, -1, -1):
        if tree.parent[row] >= 0:
            current[tree.parent[row]] += current[row] / tree.ratio[row]


@kernel
def _move_down(
    tree: Tree, z: ComplexArray, source: float, current: ComplexArray, voltage: ComplexArray
) -> float:
    """Recompute voltages from the roots outward in place; return the largest change."""
    change = 0.0
    for row in range(tree.bus.size):
        parent = tree.parent[row]
        above = complex(source, 0.0) if parent < 0 else voltage[parent] / tree.ratio[row]
        moved = above - z[row] * current[row]
        change = max(change, abs(moved.real - voltage[row].real), abs(moved.imag - voltage[row].imag))
        voltage[row] = moved
    return change


@kernel
def _write(tree: Tree, voltage: ComplexArray, current: ComplexArray, slot: int, out: Flow) -> None:
    """Write a slot's result; NaN where it did not converge."""
    factor = 1.0 if out.sweeps[slot] != DIVERGED else np.nan
    lowest, root = np.inf, 0
    for row in range(tree.bus.size):
        bus, branch = tree.bus[row], tree.branch[row]
        v, i = voltage[row], current[row]
        size = abs(v)
        if not size >= lowest:
            lowest = size
            out.worst_bus[slot] = bus
        through = v * i.conjugate() * factor
        out.voltage_pu[slot, bus] = size * factor
        if branch >= 0:
            out.current_a[slot, branch] = abs(i) * tree.amperes[row] * factor
            out.power_kw[slot, branch] = through.real
            out.power_kvar[slot, branch] = through.imag
            out.losses_kw[slot, branch] = tree.r_pu[row] * (i.real * i.real + i.imag * i.imag) * factor
        else:
            out.slack_kw[slot, root] = through.real
            out.slack_kvar[slot, root] = through.imag
            root += 1


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
    start = np.empty(rows)
    voltage, current = np.empty(rows, np.complex128), np.empty(rows, np.complex128)
    z, power = np.empty(rows, np.complex128), np.empty(rows, np.complex128)
    _start(tree, start)
    for row in range(rows):
        z[row] = complex(tree.r_pu[row], tree.x_pu[row])
    for slot in range(p_kw.shape[0]):
        for row in range(rows):
            bus = tree.bus[row]
            power[row] = complex(p_kw[slot, bus], -q_kvar[slot, bus])
            voltage[row] = complex(source_pu[slot] * start[row], 0.0)
        out.sweeps[slot] = DIVERGED
        for sweep in range(most):
            if not _draw(power, voltage, current):
                break
            _sum_up(tree, current)
            if _move_down(tree, z, source_pu[slot], current, voltage) <= tolerance:
                out.sweeps[slot] = sweep + 1
                break
        _write(tree, voltage, current, slot, out)


@kernel
def _draw_phases(power: ComplexArray, voltage: ComplexArray, out_current: ComplexArray) -> bool:
    """Do as `_draw` by phase; powers are per unit on a third of 1 kVA, a phase without load draws nothing."""
    for row in range(power.shape[0]):
        for phase in range(3):
            s, v = power[row, phase], voltage[row, phase]
            square = v.real * v.real + v.imag * v.imag
            if s == 0.0:
                out_current[row, phase] = 0.0
            elif square > COLLAPSED:
                out_current[row, phase] = s * v / square
            else:
                return False
    return True


@kernel
def _sum_up_phases(tree: Tree, current: ComplexArray) -> None:
    """Do as `_sum_up` by phase; a delta winding keeps the third that all phases share."""
    for row in range(tree.bus.size - 1, -1, -1):
        parent = tree.parent[row]
        if parent < 0:
            continue
        kept = 0.0j
        if tree.blocks_zero[row]:
            kept = (current[row, 0] + current[row, 1] + current[row, 2]) / 3.0
        for phase in range(3):
            current[parent, phase] += (current[row, phase] - kept) / tree.ratio[row]


@kernel
def _move_down_phases(
    tree: Tree,
    impedances: tuple[ComplexArray, ComplexArray],
    source: ComplexArray,
    current: ComplexArray,
    voltage: ComplexArray,
) -> float:
    """Do as `_move_down` by phase; `impedances` are that of a phase alone and what the summed current adds."""
    z, coupling = impedances
    change = 0.0
    for row in range(tree.bus.size):
        parent = tree.parent[row]
        summed = coupling[row] * (current[row, 0] + current[row, 1] + current[row, 2])
        kept = 0.0j
        if tree.blocks_zero[row]:
            kept = (voltage[parent, 0] + voltage[parent, 1] + voltage[parent, 2]) / 3.0
        for phase in range(3):
            above = source[phase] if parent < 0 else (voltage[parent, phase] - kept) / tree.ratio[row]
            moved = above - z[row] * current[row, phase] - summed
            old = voltage[row, phase]
            change = max(change, abs(moved.real - old.real), abs(moved.imag - old.imag))
            voltage[row, phase] = moved
    return change


@kernel
def _write_phases(
    tree: Tree,
    impedances: tuple[ComplexArray, ComplexArray],
    voltage: ComplexArray,
    current: ComplexArray,
    slot: int,
    out: Flow,
) -> None:
    """Write a slot's result by phase; NaN where it did not converge."""
    z, coupling = impedances
    factor = 1.0 if out.sweeps[slot] != DIVERGED else np.nan
    lowest, root = np.inf, 0
    for row in range(tree.bus.size):
        bus, branch = tree.bus[row], tree.branch[row]
        v, i = voltage[row], current[row]
        summed = i[0] + i[1] + i[2]
        power, lost, highest = 0.0j, 0.0, 0.0
        for phase in range(3):
            size = abs(v[phase])
            if not size >= lowest:
                lowest = size
                out.worst_bus[slot] = bus
            out.voltage_pu[slot, bus, phase] = size * factor
            power += v[phase] * i[phase].conjugate() / 3.0
            lost += ((z[row] * i[phase] + coupling[row] * summed) * i[phase].conjugate()).real / 3.0
            highest = max(highest, abs(i[phase]))
        one = abs(v[0] + TURN * v[1] + TURN.conjugate() * v[2])
        two = abs(v[0] + TURN.conjugate() * v[1] + TURN * v[2])
        out.unbalance[slot, bus] = np.divide(two, one) * factor
        if branch >= 0:
            out.current_a[slot, branch] = highest * tree.amperes[row] * factor
            out.neutral_a[slot, branch] = abs(summed) * tree.amperes[row] * factor
            out.power_kw[slot, branch] = power.real * factor
            out.power_kvar[slot, branch] = power.imag * factor
            out.losses_kw[slot, branch] = lost * factor
        else:
            out.slack_kw[slot, root] = power.real * factor
            out.slack_kvar[slot, root] = power.imag * factor
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

    Cheng and Shirmohammadi 1995, IEEE Trans. Power Systems 10(2), 671, for lines whose phases are alike
    (transposed), so that a phase sees the positive-sequence impedance and all share (z0 - z1) / 3 of the summed
    current. A delta winding passes neither zero-sequence current up nor zero-sequence voltage down; its turn of the
    phases is left out, which renames the phases above it and leaves those below as they are. Parameters as in
    `sweep_balanced`, with loads of shape [slots, buses, 3] for each phase. Writes into `out`.
    """
    rows = tree.bus.size
    tolerance, most = stop
    start, source = np.empty(rows), np.empty(3, np.complex128)
    voltage, current = np.empty((rows, 3), np.complex128), np.empty((rows, 3), np.complex128)
    z, coupling = np.empty(rows, np.complex128), np.empty(rows, np.complex128)
    power = np.empty((rows, 3), np.complex128)
    _start(tree, start)
    for row in range(rows):
        z[row] = complex(tree.r_pu[row], tree.x_pu[row])
        coupling[row] = (complex(tree.r0_pu[row], tree.x0_pu[row]) - z[row]) / 3.0
    for slot in range(p_kw.shape[0]):
        source[0] = source_pu[slot]
        source[1], source[2] = source[0] * TURN.conjugate(), source[0] * TURN
        for row in range(rows):
            bus = tree.bus[row]
            for phase in range(3):
                power[row, phase] = 3.0 * complex(p_kw[slot, bus, phase], -q_kvar[slot, bus, phase])
                voltage[row, phase] = start[row] * source[phase]
        out.sweeps[slot] = DIVERGED
        for sweep in range(most):
            if not _draw_phases(power, voltage, current):
                break
            _sum_up_phases(tree, current)
            if _move_down_phases(tree, (z, coupling), source, current, voltage) <= tolerance:
                out.sweeps[slot] = sweep + 1
                break
        _write_phases(tree, (z, coupling), voltage, current, slot, out)


@kernel
def marginal_losses(tree: Tree, voltage_pu: FloatArray, power_kw: FloatArray, out: FloatArray) -> None:
    """Write how much more is lost for one more kW at each bus: ``2 r P / V**2`` summed along the path to the root.

    Parameters
    ----------
    tree : Tree
        The feeder.
    voltage_pu, power_kw : FloatArray
        Voltages, shape [slots, buses], and power through the branches, shape [slots, branches].
    out : FloatArray
        Receives the derivative, shape [slots, buses].
    """
    for slot in range(out.shape[0]):
        for row in range(tree.bus.size):
            parent, bus = tree.parent[row], tree.bus[row]
            if parent < 0:
                out[slot, bus] = 0.0
                continue
            v = voltage_pu[slot, bus]
            own = 2.0 * tree.r_pu[row] * np.divide(power_kw[slot, tree.branch[row]], v * v)
            out[slot, bus] = out[slot, tree.bus[parent]] + own
