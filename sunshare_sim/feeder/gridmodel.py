"""The power flow by power-grid-model: an independent engine on the same impedances, to check the own sweep against.

It also takes over where the sweep is not wanted: Newton converges on feeders loaded close to collapse.
"""

from typing import Any, Literal, NamedTuple

import numpy as np

from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.feeder.powerflow import RadialModel
from sunshare_sim.units import FloatArray

STIFF_VA = 1e20  # short-circuit power that stands for an infinite one
CLOCK_DYN = 11
Method = Literal["newton_raphson", "iterative_current"]


class GridModelFlow(NamedTuple):
    """Hold voltages [p.u.], shape of the powers given, and the losses of all branches [kW], shape [slots]."""

    voltage_pu: FloatArray
    losses_kw: FloatArray


def grid_model_flow(
    model: RadialModel,
    p_kw: FloatArray,
    q_kvar: FloatArray,
    *,
    source_pu: float = 1.0,
    method: Method = "newton_raphson",
) -> GridModelFlow:
    """Return voltages and losses by power-grid-model (Xiang et al. 2023, doi:10.1049/icp.2023.0633).

    Parameters
    ----------
    model : RadialModel
        The feeder, with its taps and the grid above.
    p_kw, q_kvar : FloatArray
        Power drawn at each bus, shape [slots, buses], or [slots, buses, 3] by phase.
    source_pu : float
        Voltage of the grid above.
    method : {"newton_raphson", "iterative_current"}
        How it solves.

    Raises
    ------
    NetworkError
        When a slot has no solution.
    """
    import power_grid_model as pgm

    is_phases = p_kw.ndim == 3
    slots, buses = p_kw.shape[:2]
    kind = "asym_load" if is_phases else "sym_load"
    load = pgm.initialize_array("input", kind, buses)
    load["id"], load["node"], load["status"], load["type"] = (
        3 * buses + np.arange(buses),
        np.arange(buses),
        1,
        0,
    )
    load["p_specified"] = load["q_specified"] = 0.0
    update = pgm.initialize_array("update", kind, (slots, buses))
    update["id"] = load["id"]
    update["p_specified"], update["q_specified"] = p_kw * 1e3, q_kvar * 1e3
    tables = {**_network(model, source_pu), kind: load}
    try:
        result = pgm.PowerGridModel(tables, system_frequency=50.0).calculate_power_flow(
            symmetric=not is_phases,
            update_data={kind: update},
            error_tolerance=1e-11,
            max_iterations=100,
            calculation_method=getattr(pgm.CalculationMethod, method),
            output_component_types=["node", "line", "transformer"],
        )
    except pgm.errors.PowerGridBatchError as error:
        raise NetworkError(
            describe(
                "the power flow has no solution", where="power-grid-model", got=str(error).splitlines()[0]
            )
        ) from error
    axes = (1, 2) if is_phases else (1,)
    parts = [part for part in ("line", "transformer") if part in result]
    lost = sum((result[part]["p_from"] + result[part]["p_to"]).sum(axis=axes) for part in parts)
    return GridModelFlow(np.asarray(result["node"]["u_pu"]), np.asarray(lost) / 1e3)


def _network(model: RadialModel, source_pu: float) -> dict[str, Any]:
    """Return the tables of the wires; ids: n buses, branches by the bus they feed + n, loads + 3 n, sources + 4 n."""
    import power_grid_model as pgm

    tree, feeder, branches = model.tree, model.feeder, model.feeder.branches
    buses = tree.bus.size
    node = pgm.initialize_array("input", "node", buses)
    node["id"], node["u_rated"] = np.arange(buses), feeder.vn_kv * 1e3
    ohm = np.empty((4, buses))
    per_unit = np.array([tree.r_pu, tree.x_pu, tree.r0_pu, tree.x0_pu])
    ohm[:, tree.bus] = per_unit * feeder.vn_kv[tree.bus] ** 2 * 1e3
    lines = np.flatnonzero(~branches.is_transformer)
    line = pgm.initialize_array("input", "line", lines.size)
    below = branches.to_bus[lines]
    line["id"], line["from_node"], line["to_node"] = buses + below, branches.from_bus[lines], below
    line["from_status"] = line["to_status"] = 1
    line["r1"], line["x1"], line["r0"], line["x0"] = ohm[:, below]
    line["c1"] = line["c0"] = line["tan1"] = line["tan0"] = 0.0
    roots = np.flatnonzero(tree.parent < 0)
    source = pgm.initialize_array("input", "source", roots.size)
    source["id"], source["node"], source["status"] = 4 * buses + np.arange(roots.size), tree.bus[roots], 1
    z_above = np.hypot(tree.r_pu[roots], tree.x_pu[roots])
    source["sk"] = np.where(z_above > 0, 1e3 / np.maximum(z_above, 1e-300), STIFF_VA)
    source["rx_ratio"] = np.where(z_above > 0, tree.r_pu[roots] / np.maximum(tree.x_pu[roots], 1e-300), 0.1)
    source["u_ref"], source["z01_ratio"] = source_pu, 1.0
    return {"node": node, "line": line, "transformer": _transformers(model, ohm), "source": source}


def _transformers(model: RadialModel, ohm: FloatArray) -> Any:
    import power_grid_model as pgm

    tree, feeder, branches = model.tree, model.feeder, model.feeder.branches
    rows = np.flatnonzero(branches.is_transformer)
    above, below = branches.from_bus[rows], branches.to_bus[rows]
    ratio = np.ones(tree.bus.size)
    ratio[tree.bus] = tree.ratio
    low_kv = feeder.vn_kv[below]
    sn_va = branches.rating_a[rows] * np.sqrt(3) * low_kv * 1e3
    base_ohm = (low_kv * 1e3) ** 2 / sn_va
    trafo = pgm.initialize_array("input", "transformer", rows.size)
    trafo["id"], trafo["from_node"], trafo["to_node"] = tree.bus.size + below, above, below
    trafo["from_status"] = trafo["to_status"] = 1
    trafo["u1"], trafo["u2"], trafo["sn"] = feeder.vn_kv[above] * 1e3 * ratio[below], low_kv * 1e3, sn_va
    trafo["uk"] = np.hypot(ohm[0, below], ohm[1, below]) / base_ohm
    trafo["pk"] = ohm[0, below] / base_ohm * sn_va
    trafo["i0"] = trafo["p0"] = 0.0
    trafo["winding_from"], trafo["winding_to"] = pgm.WindingType.delta, pgm.WindingType.wye_n
    trafo["clock"], trafo["tap_side"], trafo["tap_size"] = CLOCK_DYN, 0, 0.0
    trafo["tap_pos"] = trafo["tap_min"] = trafo["tap_max"] = trafo["tap_nom"] = 0
    return trafo
