"""Power flow of a feeder: powers at its buses in, voltages, currents, loadings and losses out, for a block of slots.

An own sweep over the tree, in which one slot costs microseconds, so that it may stand in the market's loop;
`gridmodel` solves the same model by an independent engine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.feeder._powerflow import DIVERGED, Flow, Tree, sweep_balanced, sweep_phases
from sunshare_sim.feeder.graph import NONE, Feeder
from sunshare_sim.units import FloatArray, IntArray

TOLERANCE_PU: Final = 1e-10
MOST_SWEEPS: Final = 200
# A buried four-core cable returns by its own neutral: four times the loop resistance, some 3.5 times the reactance;
# used where the data say nothing (values of the public low-voltage test feeders lie around them).
R0_OVER_R1: Final = 4.0
X0_OVER_X1: Final = 3.5

Divergence = Literal["raise", "mark"]


@dataclass(frozen=True)
class RadialModel:
    """Hold a feeder beside the rows the kernels take.

    Attributes
    ----------
    feeder : Feeder
        The feeder.
    tree : Tree
        Its buses from the roots outward, with impedances per unit.
    """

    feeder: Feeder
    tree: Tree

    @property
    def roots(self) -> IntArray:
        """Return the buses at which power enters, in the order of `Flow.slack_kw`, shape [roots]."""
        return self.tree.bus[self.tree.parent < 0]

    @cached_property
    def parts(self) -> tuple[Tree, ...]:
        """Return the trees of feeders that stand side by side, one a root; buses and branches keep their numbers."""
        tree = self.tree
        count = int(np.count_nonzero(tree.parent < 0))
        if count == 1:
            return (tree,)
        root = self.root_of_bus[tree.bus]
        return tuple(_rows_of(tree, np.flatnonzero(root == top)) for top in self.roots)

    @cached_property
    def root_of_bus(self) -> IntArray:
        """Return the root above each bus, itself for a root, shape [buses]."""
        root = np.arange(self.tree.bus.size)
        for row, parent in enumerate(self.tree.parent.tolist()):
            if parent >= 0:  # which stands before the row
                root[row] = root[parent]
        by_bus = np.empty_like(root)
        by_bus[self.tree.bus] = self.tree.bus[root]
        return by_bus

    def loading(self, flow: Flow) -> FloatArray:
        """Return the current of each branch over its rating, shape [slots, branches]."""
        return flow.current_a / self.feeder.branches.rating_a


def _rows_of(tree: Tree, rows: IntArray) -> Tree:
    """Return the part of a tree that has these rows, none of which hangs on another row."""
    new = np.full(tree.bus.size, NONE, dtype=np.int64)
    new[rows] = np.arange(rows.size)
    columns: Iterable[Any] = (np.ascontiguousarray(column[rows]) for column in tree)
    part = Tree(*columns)
    return part._replace(parent=np.where(part.parent >= 0, new[part.parent], NONE))


def radial_model(
    feeder: Feeder,
    *,
    ratio: FloatArray | None = None,
    zero_sequence_ohm: tuple[FloatArray, FloatArray] | None = None,
    short_circuit_kva: float = np.inf,
    short_circuit_r_over_x: float = 0.1,
) -> RadialModel:
    """Return the model that the power flow takes, made once for a run.

    Parameters
    ----------
    feeder : Feeder
        The feeder, or several side by side.
    ratio : FloatArray, optional
        Off-nominal voltage ratio of each branch, upper to lower side; the feeder's own if not given. A tap on the upper
        side at +2.5 % has 1.025. Shape [branches].
    zero_sequence_ohm : tuple of FloatArray, optional
        Zero-sequence resistance and reactance of each branch [ohm], shape [branches]; only three-phase flow needs it.
        If not given, the feeder's own; where that is unknown, 4 r and 3.5 x of a line, that of the positive sequence
        for a transformer.
    short_circuit_kva : float
        Short-circuit power of the grid above each root [kVA]; infinite for a stiff one.
    short_circuit_r_over_x : float
        Its resistance over its reactance.
    """
    branches, buses = feeder.branches, len(feeder.bus_names)
    fed_by = np.full(buses, NONE, dtype=np.int64)
    fed_by[branches.to_bus] = np.arange(branches.to_bus.size)
    bus = _from_the_roots(feeder.parent_of_bus)
    row_of_bus = np.empty(buses, dtype=np.int64)
    row_of_bus[bus] = np.arange(buses)
    above, branch = feeder.parent_of_bus[bus], fed_by[bus]
    is_root = above == NONE
    ohm_per_pu = feeder.vn_kv[bus] ** 2 * 1000  # base of 1 kVA

    x_source = 1 / short_circuit_kva / np.hypot(1.0, short_circuit_r_over_x)

    def per_unit(ohm: FloatArray, at_root: float) -> FloatArray:
        return np.where(is_root, at_root, np.asarray(ohm, dtype=np.float64)[branch] / ohm_per_pu)

    r0_ohm, x0_ohm = zero_sequence_ohm or (
        np.where(np.isnan(own), assumed * np.where(branches.is_transformer, 1.0, over), own)
        for own, assumed, over in (
            (branches.r0_ohm, branches.r_ohm, R0_OVER_R1),
            (branches.x0_ohm, branches.x_ohm, X0_OVER_X1),
        )
    )
    ratio = branches.ratio if ratio is None else ratio
    tree = Tree(
        bus=bus,
        parent=np.where(is_root, NONE, row_of_bus[above]),
        branch=branch,
        r_pu=per_unit(branches.r_ohm, x_source * short_circuit_r_over_x),
        x_pu=per_unit(branches.x_ohm, x_source),
        r0_pu=per_unit(r0_ohm, x_source * short_circuit_r_over_x),
        x0_pu=per_unit(x0_ohm, x_source),
        ratio=np.where(is_root, 1.0, np.append(ratio, 1.0)[branch]),
        blocks_zero=~is_root & branches.is_transformer[branch],
        amperes=1 / (np.sqrt(3) * feeder.vn_kv[bus]),
    )
    return RadialModel(feeder, tree)


def _from_the_roots(parent_of_bus: IntArray) -> IntArray:
    """Return the buses in an order in which each comes after its parent, nearest to the roots first."""
    depth = np.zeros(parent_of_bus.size, dtype=np.int64)
    above = parent_of_bus.copy()
    while np.any(above != NONE):
        depth += above != NONE
        above = np.where(above == NONE, NONE, parent_of_bus[above])
    return np.argsort(depth, kind="stable")


def power_flow(
    model: RadialModel,
    p_kw: npt.ArrayLike,
    q_kvar: npt.ArrayLike = 0.0,
    *,
    source_pu: npt.ArrayLike = 1.0,
    tolerance_pu: float = TOLERANCE_PU,
    on_divergence: Divergence = "raise",
) -> Flow:
    """Return the state of the feeder in each slot, for constant powers at its buses.

    Shunt capacitance and magnetising currents are left out (on the bundled low-voltage networks they move a voltage by
    less than 2e-5 p.u.).

    Parameters
    ----------
    model : RadialModel
        The feeder.
    p_kw, q_kvar : array_like
        Power drawn at each bus, < 0 for a surplus; shape [slots, buses] balanced, [slots, buses, 3] by phase.
    source_pu : array_like
        Voltage of the grid above, one value or shape [slots].
    tolerance_pu : float
        Largest change of a voltage between two sweeps that ends them.
    on_divergence : {"raise", "mark"}
        What to do with a slot that has no solution: raise, or mark it with NaN and ``sweeps == -1``.

    Raises
    ------
    NetworkError
        When a slot has no solution: names the slot, the transformer and the bus that collapses.
    """
    p = np.ascontiguousarray(p_kw, dtype=np.float64)
    q = np.ascontiguousarray(np.broadcast_to(np.asarray(q_kvar, dtype=np.float64), p.shape))
    _check_shape(model, p)
    source = np.ascontiguousarray(np.broadcast_to(np.asarray(source_pu, dtype=np.float64), p.shape[:1]))
    flow = empty_flow(model, p.shape)
    sweep = sweep_balanced if p.ndim == 2 else sweep_phases
    sweep(model.tree, p, q, source, (tolerance_pu, MOST_SWEEPS), flow)
    if on_divergence == "raise" and np.any(flow.sweeps == DIVERGED):
        raise_diverged(model, flow, p)
    return flow


def _check_shape(model: RadialModel, p: FloatArray) -> None:
    buses = model.tree.bus.size
    if p.ndim not in {2, 3} or p.shape[1] != buses or (p.ndim == 3 and p.shape[2] != 3):
        raise NetworkError(
            describe(
                "powers of the wrong shape",
                where="power flow",
                got=p.shape,
                expected=f"[slots, {buses} buses], and 3 phases if unbalanced",
            )
        )


def empty_flow(model: RadialModel, shape: tuple[int, ...]) -> Flow:
    """Return room for the flow of powers of that shape."""
    slots, buses, branches = shape[0], shape[1], model.feeder.branches.to_bus.size
    roots, is_phases = model.roots.size, len(shape) == 3
    return Flow(
        voltage_pu=np.empty(shape),
        current_a=np.empty((slots, branches)),
        power_kw=np.empty((slots, branches)),
        power_kvar=np.empty((slots, branches)),
        losses_kw=np.empty((slots, branches)),
        slack_kw=np.empty((slots, roots)),
        slack_kvar=np.empty((slots, roots)),
        sweeps=np.empty(slots, dtype=np.int64),
        worst_bus=np.empty(slots, dtype=np.int64),
        unbalance=np.empty((slots, buses if is_phases else 0)),
        neutral_a=np.empty((slots, branches if is_phases else 0)),
    )


def place_name(feeder: Feeder, bus: int) -> str:
    """Return the feeder (transformer) and the name of a bus, for messages."""
    station = int(feeder.transformer_of_bus[bus])
    above = feeder.transformer_names[station] if station != NONE else "above the transformers"
    return f"{above}, bus {feeder.bus_names[bus]}"


def raise_diverged(model: RadialModel, flow: Flow, p: FloatArray, first_slot: int = 0) -> None:
    """Raise a `NetworkError` that names the first slot without a solution, its feeder and its worst bus."""
    failed = np.flatnonzero(flow.sweeps == DIVERGED)
    slot, bus = int(failed[0]), int(flow.worst_bus[failed[0]])
    many = f" in {failed.size} slots" if len(p) > 1 else ""
    raise NetworkError(
        describe(
            f"the power flow has no solution{many}: the voltage collapses",
            where=f"slot {first_slot + slot}, {place_name(model.feeder, bus)}",
            got=f"{p[slot].sum():.6g} kW at {np.count_nonzero(p[slot])} loads",
            hint="fewer or smaller loads, a stronger feeder, or `on_divergence: mark` to go on without these slots",
        )
    )
