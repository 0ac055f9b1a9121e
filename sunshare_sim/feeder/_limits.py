"""Kernels that keep a feeder within its limits: cut powers until the exact flow fits, admit trades one by one.

Rows, units and signs as in `_powerflow`. Cuts are steered by LinDistFlow sensitivities (Baran and Wu 1989,
doi:10.1109/61.25627) and judged by the exact flow alone.
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.feeder._powerflow import Flow, Tree, sweep_balanced
from sunshare_sim.kernels import kernel
from sunshare_sim.units import BoolArray, FloatArray, IntArray

FREE, VOLTAGE_HIGH, VOLTAGE_LOW, LOADING, NO_SOLUTION = 0, 1, 2, 3, 4
MOST_ROUNDS: Final = 500
INSIDE: Final = 2e-7  # aim this far inside a limit [p.u.], so that a few rounds end there
VOLTAGE_WEIGHT: Final = (
    10.0  # 1 % of voltage weighs as much as 10 % of loading when the worst limit is sought
)
DIVERGED_STEP: Final = 0.2  # share of all powers that is cut while there is no solution at all


class Limits(NamedTuple):
    """Hold what the feeder must not exceed.

    Attributes
    ----------
    v_min, v_max : FloatArray
        Lowest and highest voltage of each bus [p.u.], shape [buses].
    rating_a : FloatArray
        Highest current of each branch [A], shape [branches].
    """

    v_min: FloatArray
    v_max: FloatArray
    rating_a: FloatArray


class Cuts(NamedTuple):
    """Hold what was taken away so that no limit is exceeded.

    Attributes
    ----------
    injection_kw, demand_kw : FloatArray
        Cut of what each bus feeds in and of what it draws, >= 0, shape [slots, buses].
    by_bus_kw : FloatArray
        Cut because of the voltage at each bus, shape [slots, buses]: > 0 demand (too low), < 0 injection (too high).
    by_branch_kw : FloatArray
        Cut because of the current in each branch, shape [slots, branches]: > 0 demand, < 0 injection.
    within : BoolArray
        Whether the slot ends within all limits, shape [slots].
    limit, where : IntArray
        What took most from each bus in one go: `FREE`, `VOLTAGE_HIGH`, `VOLTAGE_LOW`, `LOADING` or `NO_SOLUTION`,
        and its bus, or branch for a loading, -1 for none; shape [slots, buses].
    """

    injection_kw: FloatArray
    demand_kw: FloatArray
    by_bus_kw: FloatArray
    by_branch_kw: FloatArray
    within: BoolArray
    limit: IntArray
    where: IntArray


@kernel
def shared_resistance(tree: Tree, row: int, out: FloatArray) -> None:
    """Write the resistance that each row's path to the root shares with that of `row` [p.u.], shape [rows]."""
    out[:] = 0.0
    on_path = np.zeros(out.size, np.bool_)
    step = row
    while step >= 0:
        on_path[step] = True
        step = tree.parent[step]
    for other in range(out.size):
        above = 0.0 if tree.parent[other] < 0 else out[tree.parent[other]]
        out[other] = above + tree.r_pu[other] if on_path[other] else above


@kernel
def below(tree: Tree, row: int, out: FloatArray) -> None:
    """Write 1 for each row fed through the branch of `row`, else 0, shape [rows]."""
    for other in range(out.size):
        parent = tree.parent[other]
        out[other] = 1.0 if other == row or (parent >= 0 and out[parent] > 0.0) else 0.0


@kernel
def worst_violation(tree: Tree, limits: Limits, flow: Flow, tolerance: float) -> tuple[int, int]:
    """Return kind and row of the limit exceeded most in the flow's only slot; kind 0 if none is."""
    worst, kind, where = 0.0, FREE, -1
    for row in range(tree.bus.size):
        bus, branch = tree.bus[row], tree.branch[row]
        v = flow.voltage_pu[0, bus]
        high, low = v - limits.v_max[bus], limits.v_min[bus] - v
        if high > tolerance and high * VOLTAGE_WEIGHT > worst:
            worst, kind, where = high * VOLTAGE_WEIGHT, VOLTAGE_HIGH, row
        if low > tolerance and low * VOLTAGE_WEIGHT > worst:
            worst, kind, where = low * VOLTAGE_WEIGHT, VOLTAGE_LOW, row
        if branch >= 0:
            over = flow.current_a[0, branch] / limits.rating_a[branch] - 1.0
            if over > tolerance and over > worst:
                worst, kind, where = over, LOADING, row
    return kind, where


@kernel
def needed_cut(tree: Tree, limits: Limits, flow: Flow, kind: int, row: int) -> tuple[float, bool]:
    """Return what a violated limit needs, and whether injection (else demand) has to give it.

    Of a voltage: p.u. at its bus. Of a current: kW through its branch.
    """
    bus, branch = tree.bus[row], tree.branch[row]
    if kind == VOLTAGE_HIGH:
        return flow.voltage_pu[0, bus] - limits.v_max[bus] + INSIDE, True
    if kind == VOLTAGE_LOW:
        return limits.v_min[bus] - flow.voltage_pu[0, bus] + INSIDE, False
    p, q = flow.power_kw[0, branch], flow.power_kvar[0, branch]
    v = flow.voltage_pu[0, bus]
    current = limits.rating_a[branch] * (1.0 - INSIDE) / tree.amperes[row]
    over = abs(p) - np.sqrt(max(current * current * v * v - q * q, 0.0))
    # The cut moves the voltage too, and with it the power that the rating lets through.
    path, step = 0.0, row
    while step >= 0:
        path += tree.r_pu[step]
        step = tree.parent[step]
    moved = np.divide(current * path, v)
    return over / (1.0 + moved if p > 0.0 else max(1.0 - moved, 0.5)), p < 0.0


@kernel
def _effects(tree: Tree, flow: Flow, kind: int, row: int, out_effect: FloatArray) -> None:
    """Write how much a kW less at each row helps a limit: kW through its branch, or p.u. of its voltage."""
    if kind == LOADING:
        below(tree, row, out_effect)
    else:
        shared_resistance(tree, row, out_effect)
        out_effect /= flow.voltage_pu[0, tree.bus[row]]


@kernel
def _cut_all(
    tree: Tree, p: FloatArray, left_in: FloatArray, left_out: FloatArray, change: FloatArray
) -> float:
    """Cut a share of everything where there is no solution at all; return what was cut [kW], by bus in `change`."""
    given = 0.0
    for row in range(tree.bus.size):
        bus = tree.bus[row]
        less_in, less_out = left_in[bus] * DIVERGED_STEP, left_out[bus] * DIVERGED_STEP
        left_in[bus] -= less_in
        left_out[bus] -= less_out
        p[0, bus] += less_in - less_out
        change[row] = less_in + less_out
        given += change[row]
    return given


@kernel
def _cut_for(
    tree: Tree,
    effect: FloatArray,
    need: float,
    by_effect: bool,  # noqa: FBT001 - kernels take no keywords
    left: FloatArray,
    change: FloatArray,
) -> float:
    """Take what a limit needs from what is left at the buses that help it; return the sum [kW].

    Every such bus gives the same share of what it has left, or one in proportion to its effect. Changes `left`; writes
    what each row's bus gave into `change`.
    """
    strongest, helps, most_weight = effect.max(), 0.0, 0.0
    for row in range(effect.size):
        bus = tree.bus[row]
        has = left[bus] > 1e-12 and effect[row] > 1e-6 * strongest
        weight = 0.0
        if has:
            weight = np.divide(effect[row], strongest) if by_effect else 1.0
        change[row] = weight
        helps += effect[row] * weight * left[bus]
        most_weight = max(most_weight, weight)
    if helps <= 0.0:
        change[:] = 0.0
        return 0.0
    share = min(np.divide(need, helps), np.divide(1.0, most_weight))
    for row in range(effect.size):
        bus = tree.bus[row]
        change[row] *= share * left[bus]
        left[bus] -= change[row]
    return float(change.sum())


@kernel
def _note(
    tree: Tree, change: FloatArray, why: tuple[int, int], most: FloatArray, out: tuple[IntArray, IntArray]
) -> None:
    """Write down the limit `why` (kind and place) at the buses from which nothing took more so far."""
    limit, where = out
    for row in range(change.size):
        if change[row] > most[row]:
            most[row] = change[row]
            limit[tree.bus[row]], where[tree.bus[row]] = why


@kernel
def _cut_slot(
    tree: Tree,
    limits: Limits,
    powers: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    options: tuple[float, float, int, bool],
    flow: Flow,
    out: tuple[FloatArray, FloatArray, IntArray, IntArray],
) -> bool:
    """Cut one slot's power, and what is left to cut, until the flow fits; return whether it does.

    `powers` as in `cut_to_limits`, of one slot and changed in place; adds to `out` what each bus and branch cut, and
    writes which limit took from each bus.
    """
    p, q, left_in, left_out, source = powers
    by_bus, by_branch, limit, where = out
    tolerance, flow_tolerance, most_sweeps, by_effect = options
    effect, change, most = np.empty(tree.bus.size), np.empty(tree.bus.size), np.zeros(tree.bus.size)
    for _ in range(MOST_ROUNDS):
        sweep_balanced(tree, p, q, source, (flow_tolerance, most_sweeps), flow)
        if flow.sweeps[0] < 0:
            if _cut_all(tree, p, left_in, left_out, change) < 1e-9:
                return False
            _note(tree, change, (NO_SOLUTION, flow.worst_bus[0]), most, (limit, where))
            continue
        kind, row = worst_violation(tree, limits, flow, tolerance)
        if kind == FREE:
            return True
        need, from_injection = needed_cut(tree, limits, flow, kind, row)
        _effects(tree, flow, kind, row, effect)
        total = _cut_for(tree, effect, need, by_effect, left_in if from_injection else left_out, change)
        if total <= 0.0:
            return False  # nothing is left that could help
        sign = -1.0 if from_injection else 1.0
        for each in range(tree.bus.size):
            p[0, tree.bus[each]] -= sign * change[each]
        if kind == LOADING:
            by_branch[tree.branch[row]] += sign * total
        else:
            by_bus[tree.bus[row]] += sign * total
        place = tree.branch[row] if kind == LOADING else tree.bus[row]
        _note(tree, change, (kind, place), most, (limit, where))
    return False


@kernel
def cut_to_limits(
    tree: Tree,
    limits: Limits,
    powers: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    options: tuple[float, float, int, bool],
    flow: Flow,
    out: Cuts,
) -> None:
    """Cut injections and demand, slot by slot, until the exact flow is within all limits.

    Again and again the worst limit is sought, and the buses that can help it give up what it needs by linear
    sensitivity, in proportion to what they have (or to that times its effect); then the exact flow is computed anew.

    Parameters
    ----------
    tree, limits : Tree, Limits
        The feeder, or one of several side by side; only its buses and branches are written.
    powers : tuple of FloatArray
        Drawn power p and q, what may be cut of injection and of demand, each shape [slots, buses], and the voltage
        above, shape [slots].
    options : tuple
        Tolerance of a limit [p.u.] and of the flow, most sweeps, and whether effect steers the cut.
    flow : Flow
        Room for one slot.
    out : Cuts
        Receives the cuts.
    """
    p_kw, q_kvar, may_inject, may_draw, source_pu = powers
    for slot in range(p_kw.shape[0]):
        p = p_kw[slot : slot + 1].copy()
        left_in, left_out = may_inject[slot].copy(), may_draw[slot].copy()
        one = (p, q_kvar[slot : slot + 1], left_in, left_out, source_pu[slot : slot + 1])
        cut_by = (out.by_bus_kw[slot], out.by_branch_kw[slot], out.limit[slot], out.where[slot])
        out.within[slot] &= _cut_slot(tree, limits, one, options, flow, cut_by)
        for row in range(tree.bus.size):
            bus = tree.bus[row]
            out.injection_kw[slot, bus] = may_inject[slot, bus] - left_in[bus]
            out.demand_kw[slot, bus] = may_draw[slot, bus] - left_out[bus]


@kernel
def _path_difference(tree: Tree, seller: int, buyer: int, out_through: FloatArray) -> None:
    """Write how a kW from seller to buyer changes the power through each row's branch: +1, 0 or -1."""
    out_through[:] = 0.0
    step = buyer
    while step >= 0:
        out_through[step] += 1.0
        step = tree.parent[step]
    step = seller
    while step >= 0:
        out_through[step] -= 1.0
        step = tree.parent[step]


@kernel
def _room(
    tree: Tree,
    limits: Limits,
    state: tuple[FloatArray, FloatArray, FloatArray],
    through: FloatArray,
    rise: FloatArray,
    wish: float,
) -> tuple[float, int, int]:
    """Return the power that the linearised limits leave to a trade, and kind and row of the limit that cuts it.

    Writes the rise of each row's voltage by 1 kW into `rise`.
    """
    v, p, q = state
    room, kind, where = wish, FREE, -1
    for row in range(v.size):
        parent, bus, branch = tree.parent[row], tree.bus[row], tree.branch[row]
        above = 0.0 if parent < 0 else rise[parent]
        rise[row] = above - np.divide(tree.r_pu[row] * through[row], v[row])
        if rise[row] != 0.0:
            bound = limits.v_max[bus] if rise[row] > 0.0 else limits.v_min[bus]
            spare = np.divide(bound - v[row], rise[row])
            if spare < room:
                room, kind, where = spare, VOLTAGE_HIGH if rise[row] > 0.0 else VOLTAGE_LOW, row
        if branch >= 0 and through[row] != 0.0:
            most = limits.rating_a[branch] / tree.amperes[row] * v[row]
            spare = np.sqrt(max(most * most - q[row] * q[row], 0.0)) - p[row] * through[row]
            if spare < room:
                room, kind, where = spare, LOADING, row
    return max(room, 0.0), kind, where


@kernel
def admit_in_turn(
    tree: Tree,
    limits: Limits,
    flow: Flow,
    trades: tuple[IntArray, IntArray, FloatArray],
    whole: bool,  # noqa: FBT001 - kernels take no keywords
    out: tuple[FloatArray, IntArray, IntArray],
) -> None:
    """Grant each trade in turn what the linearised limits leave, given those before it.

    Parameters
    ----------
    tree, limits : Tree, Limits
        The feeder, by bus and branch.
    flow : Flow
        Exact flow without the trades; its first slot is the point of linearisation.
    trades : tuple
        Row of the seller's bus, row of the buyer's, and power [kW], shape [trades].
    whole : bool
        Refuse what cannot be admitted whole, instead of cutting it.
    out : tuple
        Receives the power granted [kW], the kind of the limit that cut (0 if none) and its row, shape [trades].
    """
    rows = tree.bus.size
    v, p, q = np.empty(rows), np.zeros(rows), np.zeros(rows)
    for row in range(rows):
        v[row] = flow.voltage_pu[0, tree.bus[row]]
        if tree.branch[row] >= 0:
            p[row], q[row] = flow.power_kw[0, tree.branch[row]], flow.power_kvar[0, tree.branch[row]]
    through, rise = np.empty(rows), np.empty(rows)
    seller, buyer, wish = trades
    granted, kind, where = out
    for trade in range(wish.size):
        _path_difference(tree, seller[trade], buyer[trade], through)
        room, kind[trade], where[trade] = _room(tree, limits, (v, p, q), through, rise, wish[trade])
        if whole and room < wish[trade]:
            room = 0.0
        granted[trade] = room
        for row in range(rows):
            v[row] += rise[row] * room
            p[row] += through[row] * room
