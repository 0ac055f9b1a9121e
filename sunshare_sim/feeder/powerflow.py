"""Power flow of a feeder: powers at its buses in, voltages, currents, loadings and losses out, for a block of slots.

The way used in a run is the own sweep over the tree, in which one slot costs microseconds; power-grid-model solves the
same model by Newton or iterative current, and stands beside it as the independent engine.
"""

from dataclasses import dataclass
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

    def loading(self, flow: Flow) -> FloatArray:
        """Return the current of each branch over its rating, shape [slots, branches]."""
        return flow.current_a / self.feeder.branches.rating_a


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
        Off-nominal voltage ratio of each branch, upper to lower side; 1 if not given. A tap on the upper side at
        +2.5 % has 1.025. Shape [branches].
    zero_sequence_ohm : tuple of FloatArray, optional
        Zero-sequence resistance and reactance of each branch [ohm], shape [branches]; only three-phase flow needs it.
        If not given, 4 r and 3.5 x of a line, and that of the positive sequence for a transformer.
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
        return np.where(is_root, at_root, ohm[branch] / ohm_per_pu)

    r0_ohm, x0_ohm = zero_sequence_ohm or (
        branches.r_ohm * np.where(branches.is_transformer, 1.0, R0_OVER_R1),
        branches.x_ohm * np.where(branches.is_transformer, 1.0, X0_OVER_X1),
    )
    tree = Tree(
        bus=bus,
        parent=np.where(is_root, NONE, row_of_bus[above]),
        branch=branch,
        r_pu=per_unit(branches.r_ohm, x_source * short_circuit_r_over_x),
        x_pu=per_unit(branches.x_ohm, x_source),
        r0_pu=per_unit(r0_ohm, x_source * short_circuit_r_over_x),
        x0_pu=per_unit(x0_ohm, x_source),
        ratio=np.ones(buses) if ratio is None else np.where(is_root, 1.0, ratio[branch]),
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
    flow = _empty(model, p.shape)
    sweep = sweep_balanced if p.ndim == 2 else sweep_phases
    sweep(model.tree, p, q, source, (tolerance_pu, MOST_SWEEPS), flow)
    if on_divergence == "raise" and np.any(flow.sweeps == DIVERGED):
        _raise_diverged(model, flow, p)
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


def _empty(model: RadialModel, shape: tuple[int, ...]) -> Flow:
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


def _raise_diverged(model: RadialModel, flow: Flow, p: FloatArray) -> None:
    failed = np.flatnonzero(flow.sweeps == DIVERGED)
    slot, bus = int(failed[0]), int(flow.worst_bus[failed[0]])
    station = int(model.feeder.transformer_of_bus[bus])
    names = model.feeder.transformer_names
    raise NetworkError(
        describe(
            f"the power flow has no solution in {failed.size} slots: the voltage collapses",
            where=f"slot {slot}, {names[station] if station != NONE else 'above the transformers'}, "
            f"bus {model.feeder.bus_names[bus]}",
            got=f"{p[slot].sum():.6g} kW at {np.count_nonzero(p[slot])} loads",
            hint="fewer or smaller loads, a stronger feeder, or on_divergence='mark' to go on without these slots",
        )
    )


def independent_flow(
    model: RadialModel,
    p_kw: FloatArray,
    q_kvar: FloatArray,
    *,
    source_pu: float = 1.0,
    method: Literal["newton_raphson", "iterative_current"] = "newton_raphson",
) -> tuple[FloatArray, FloatArray]:
    """Return voltages and losses by power-grid-model, on the same impedances (Xiang et al. 2023).

    Stands beside `power_flow` as an independent engine: doi:10.1049/icp.2023.0633. Powers and voltages are as there;
    taps and a soft grid above are not passed on.

    Parameters
    ----------
    model : RadialModel
        The feeder.
    p_kw, q_kvar : FloatArray
        Power drawn at each bus, shape [slots, buses] or [slots, buses, 3].
    source_pu : float
        Voltage of the grid above.
    method : {"newton_raphson", "iterative_current"}
        How it solves.

    Returns
    -------
    tuple of FloatArray
        Voltages [p.u.], shape of `p_kw`, and losses of all branches [kW], shape [slots].
    """
    import power_grid_model as pgm

    is_phases = p_kw.ndim == 3
    grid = pgm.PowerGridModel(_grid_model_input(model, source_pu), system_frequency=50.0)
    slots, buses = p_kw.shape[:2]
    kind = "asym_load" if is_phases else "sym_load"
    update = pgm.initialize_array("update", kind, (slots, buses))
    update["id"] = 2 * buses + model.tree.bus.size + np.arange(buses)
    update["p_specified"], update["q_specified"] = p_kw * 1e3, q_kvar * 1e3
    result = grid.calculate_power_flow(
        symmetric=not is_phases,
        update_data={kind: update},
        error_tolerance=1e-12,
        max_iterations=100,
        calculation_method=getattr(pgm.CalculationMethod, method),
        output_component_types=["node", "line", "transformer", "source"],
    )
    axes = (1, 2) if is_phases else (1,)
    lost = sum(
        (result[part]["p_from"] + result[part]["p_to"]).sum(axis=axes)
        for part in ("line", "transformer")
        if part in result
    )
    return result["node"]["u_pu"], np.asarray(lost) / 1e3


def _grid_model_input(model: RadialModel, source_pu: float) -> dict[str, Any]:
    """Return power-grid-model's tables; ids: buses, then branches by the bus they feed, then loads, then sources."""
    import power_grid_model as pgm

    tree, feeder, branches = model.tree, model.feeder, model.feeder.branches
    buses = tree.bus.size
    node = pgm.initialize_array("input", "node", buses)
    node["id"], node["u_rated"] = np.arange(buses), feeder.vn_kv * 1e3
    ohm = np.empty((4, buses))
    ohm[:, tree.bus] = np.array([tree.r_pu, tree.x_pu, tree.r0_pu, tree.x0_pu]) * (
        feeder.vn_kv[tree.bus] ** 2 * 1e3
    )
    lines = np.flatnonzero(~branches.is_transformer)
    line = pgm.initialize_array("input", "line", lines.size)
    below = branches.to_bus[lines]
    line["id"] = buses + below
    line["from_node"], line["to_node"] = branches.from_bus[lines], below
    line["from_status"] = line["to_status"] = 1
    line["r1"], line["x1"], line["r0"], line["x0"] = ohm[:, below]
    line["c1"] = line["c0"] = line["tan1"] = line["tan0"] = 0.0
    load: dict[str, Any] = {}
    for kind in ("sym_load", "asym_load"):
        load[kind] = pgm.initialize_array("input", kind, buses)
        load[kind]["id"] = (3 if kind == "sym_load" else 3) * buses + np.arange(buses)
        load[kind]["node"], load[kind]["status"], load[kind]["type"] = np.arange(buses), 1, 0
        load[kind]["p_specified"] = load[kind]["q_specified"] = 0.0
    source = pgm.initialize_array("input", "source", model.roots.size)
    source["id"], source["node"], source["status"] = (
        4 * buses + np.arange(source.size),
        model.roots,
        1,
    )
    source["u_ref"], source["sk"] = source_pu, 1e20
    return {
        "node": node,
        "line": line,
        "transformer": _grid_model_transformers(model, ohm),
        "source": source,
        **load,
    }
