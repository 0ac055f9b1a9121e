"""What the wires can carry: cut what is too much, admit trades, set envelopes, and price what is scarce.

Everything is judged by the exact power flow; linear sensitivities only say where and how much to cut. Pure functions on
arrays: nothing here knows a market, a home or a slot's phases.
"""

from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.feeder import _limits
from sunshare_sim.feeder._limits import FREE, LOADING, NO_SOLUTION, VOLTAGE_HIGH, VOLTAGE_LOW, Cuts, Limits
from sunshare_sim.feeder._powerflow import Flow
from sunshare_sim.feeder.graph import NONE, Feeder
from sunshare_sim.feeder.powerflow import MOST_SWEEPS, TOLERANCE_PU, RadialModel, empty_flow, power_flow
from sunshare_sim.units import FloatArray, IntArray

LIMIT_TOLERANCE_PU: Final = 1e-6
CUT_TOLERANCE_PU: Final = (
    5e-7  # what is cut is metered in whole 1e-6 kWh, which may move a voltage by some 1e-8
)
LIMIT_NAMES: Final = ("", "voltage too high", "voltage too low", "loading", "no solution")
ADMIT_TOLERANCE_PU: Final = 2.5e-7  # less than that of a cut, so that what is not sold can be cut beside it
MOST_CHECKS: Final = 50

Sharing = Literal["equal", "effect"]


class Admission(NamedTuple):
    """Hold what was granted to each trade, and which limit cut it.

    Attributes
    ----------
    granted_kw : FloatArray
        Power admitted, shape [trades].
    limit : IntArray
        `FREE`, `VOLTAGE_HIGH`, `VOLTAGE_LOW` or `LOADING`; `LIMIT_NAMES` names them; shape [trades].
    where : IntArray
        Bus of the voltage limit or branch of the loading limit, -1 if none, shape [trades].
    flow : Flow
        Exact flow with what was granted.
    """

    granted_kw: FloatArray
    limit: IntArray
    where: IntArray
    flow: Flow


class Envelopes(NamedTuple):
    """Hold what each bus may feed in and draw at most [kW], both >= 0, shape [buses]."""

    injection_kw: FloatArray
    demand_kw: FloatArray


def feeder_limits(
    feeder: Feeder, *, v_min_pu: float = 0.9, v_max_pu: float = 1.1, loading: float = 1.0
) -> Limits:
    """Return the limits of a feeder: a band of voltage, and a share of every branch's rating.

    The default band is that of EN 50160:2010, 4.2.2, for low voltage.

    Raises
    ------
    NetworkError
        When the band is empty or the loading is not positive.
    """
    if not 0 < v_min_pu < v_max_pu or loading <= 0:
        raise NetworkError(
            describe(
                "limits that nothing can meet",
                where="network.limits",
                got=f"{v_min_pu:g} to {v_max_pu:g} p.u., loading {loading:g}",
                expected="0 < v_min < v_max and loading > 0",
            )
        )
    buses = len(feeder.bus_names)
    return Limits(np.full(buses, v_min_pu), np.full(buses, v_max_pu), feeder.branches.rating_a * loading)


def curtail(
    model: RadialModel,
    limits: Limits,
    power: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    cuttable: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    source_pu: npt.ArrayLike = 1.0,
    sharing: Sharing = "equal",
) -> Cuts:
    """Return the cuts of injection and demand after which the exact flow is within all limits, slot by slot.

    Too high a voltage, or a branch overloaded towards the substation, is cured by cutting injection; too low a voltage,
    or an overload away from it, by shedding demand. A slot whose limits cannot be met with what may be cut comes back
    with ``within == False`` and everything that helps cut.

    Parameters
    ----------
    model : RadialModel
        The feeder.
    limits : Limits
        What it must not exceed; met within 1e-6 p.u. of voltage and 1e-6 of a rating.
    power : tuple of array_like
        Power drawn at each bus [kW] and [kvar], < 0 for a surplus, shape [slots, buses].
    cuttable : tuple of array_like, optional
        What each bus feeds in and may be told not to, and what it draws and may be shed [kW], >= 0; if not given, its
        surplus, and no demand.
    source_pu : array_like
        Voltage of the grid above, one value or shape [slots].
    sharing : {"equal", "effect"}
        Who gives how much: all buses that can help the same share of what they have, or each in proportion to its
        effect on the limit as well (less is cut in all, and those at the far end lose most).
    """
    p = np.ascontiguousarray(power[0], dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != model.tree.bus.size:
        raise NetworkError(describe("powers of the wrong shape", where="curtail", got=p.shape))
    may_inject, may_draw = cuttable if cuttable is not None else (np.maximum(-p, 0.0), 0.0)
    powers = (
        p,
        _like(power[1], p.shape),
        _like(may_inject, p.shape),
        _like(may_draw, p.shape),
        _like(source_pu, p.shape[:1]),
    )
    size, count = p.shape, p.shape[0]
    cuts = Cuts(
        injection_kw=np.empty(size),
        demand_kw=np.empty(size),
        by_bus_kw=np.zeros(size),
        by_branch_kw=np.zeros((count, limits.rating_a.size)),
        within=np.ones(count, dtype=np.bool_),
        limit=np.zeros(size, dtype=np.int64),
        where=np.full(size, NONE, dtype=np.int64),
    )
    options = (CUT_TOLERANCE_PU, TOLERANCE_PU, MOST_SWEEPS, sharing == "effect")
    flow = empty_flow(model, (1, size[1]))
    for tree in model.parts:  # what one feeder cuts is no business of those beside it
        _limits.cut_to_limits(tree, limits, powers, options, flow, cuts)
    return cuts


def _like(values: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=np.float64), shape))


def share_cut(cut_kw: FloatArray, bus_of_home: IntArray, amount_kw: FloatArray) -> FloatArray:
    """Return each home's part of its bus's cut, in proportion to what it feeds in (or draws), shape [homes].

    Parameters
    ----------
    cut_kw : FloatArray
        Cut of each bus, shape [buses].
    bus_of_home : IntArray
        Bus of each home, shape [homes].
    amount_kw : FloatArray
        What each home feeds in or draws and may be cut, >= 0, shape [homes].
    """
    at_bus = np.bincount(bus_of_home, amount_kw, minlength=cut_kw.size)
    share = np.divide(cut_kw, at_bus, out=np.zeros_like(cut_kw), where=at_bus > 0)
    return np.minimum(amount_kw * np.minimum(share, 1.0)[bus_of_home], amount_kw)


def admit(
    model: RadialModel,
    limits: Limits,
    base: tuple[FloatArray, FloatArray],
    trades: tuple[IntArray, IntArray, FloatArray],
    *,
    source_pu: float = 1.0,
    whole: bool = False,
) -> Admission:
    """Grant trades in their order what the wires leave, and prove it by the exact flow.

    A trade adds its power to what the seller's bus feeds in and to what the buyer's bus draws. Linear sensitivities cut
    it (as Guerrero et al. 2019, doi:10.1109/TSG.2018.2878445, block whole trades); if the exact flow
    then exceeds a limit by more than 2.5e-7, that limit is drawn tighter and all are granted anew. A limit that the
    base alone exceeds admits no trade that makes it worse. A trade with a root is one with the grid above.

    Parameters
    ----------
    model, limits : RadialModel, Limits
        The feeder.
    base : tuple of FloatArray
        Power drawn at each bus without the trades [kW] and [kvar], shape [buses].
    trades : tuple
        Seller's bus, buyer's bus and power [kW], in order of priority, shape [trades].
    source_pu : float
        Voltage of the grid above.
    whole : bool
        Refuse what does not fit whole, instead of cutting it.

    Raises
    ------
    NetworkError
        When the base has no solution, or no admission was found that the exact flow confirms.
    """
    p, q = base
    seller, buyer, wish = trades
    row_of_bus = np.argsort(model.tree.bus)
    turn = (row_of_bus[seller], row_of_bus[buyer], np.ascontiguousarray(wish, dtype=np.float64))
    start = power_flow(model, p[None], q[None], source_pu=source_pu)
    allowed = _widened(limits, start)
    tight = Limits(*(bound.copy() for bound in limits))
    out = (np.zeros(wish.size), np.zeros(wish.size, dtype=np.int64), np.full(wish.size, NONE))
    for _ in range(MOST_CHECKS):
        _limits.admit_in_turn(model.tree, tight, start, turn, whole, out)
        drawn = p + np.bincount(buyer, out[0], p.size) - np.bincount(seller, out[0], p.size)
        flow = power_flow(model, drawn[None], q[None], source_pu=source_pu, on_divergence="mark")
        if not _tighten(tight, allowed, flow):
            return Admission(out[0], out[1], _places(model, out[1], out[2]), flow)
    raise NetworkError(
        describe("no admission that the power flow confirms", where="admit", got=f"{wish.size} trades")
    )


def _widened(limits: Limits, flow: Flow) -> Limits:
    """Return the limits, moved to where the flow already is beyond them."""
    return Limits(
        np.minimum(limits.v_min, flow.voltage_pu[0]),
        np.maximum(limits.v_max, flow.voltage_pu[0]),
        np.maximum(limits.rating_a, flow.current_a[0]),
    )


def _tighten(tight: Limits, allowed: Limits, flow: Flow) -> bool:
    """Move the bounds in `tight` by what the flow exceeds `allowed`; return whether it does."""
    if flow.sweeps[0] < 0:
        tight.v_min[:] += 0.02
        tight.v_max[:] -= 0.02
        tight.rating_a[:] *= 0.9
        return True
    low = allowed.v_min - flow.voltage_pu[0]
    high = flow.voltage_pu[0] - allowed.v_max
    over = flow.current_a[0] / allowed.rating_a - 1
    exceeded = False
    for excess, bound, step in ((low, tight.v_min, 1.0), (high, tight.v_max, -1.0)):
        beyond = excess > ADMIT_TOLERANCE_PU
        bound[beyond] += step * 1.05 * excess[beyond]
        exceeded |= bool(beyond.any())
    beyond = over > ADMIT_TOLERANCE_PU
    tight.rating_a[beyond] -= 1.05 * over[beyond] * allowed.rating_a[beyond]
    return exceeded or bool(beyond.any())


def _places(model: RadialModel, limit: IntArray, row: IntArray) -> IntArray:
    bus, branch = model.tree.bus[row], model.tree.branch[row]
    return np.where(limit == FREE, NONE, np.where(limit == LOADING, branch, bus))


def operating_envelopes(
    model: RadialModel,
    limits: Limits,
    wish: Envelopes,
    q_kvar: npt.ArrayLike = 0.0,
    *,
    source_pu: float = 1.0,
    sharing: Sharing = "equal",
) -> Envelopes:
    """Return what each bus may feed in and draw while all others do what they like within theirs.

    The envelope is what is left of the wish in the two worst cases, all feeding in and all drawing: in a radial feeder
    voltages and flows lie between these (dynamic operating limits; Petrou et al. 2021,
    IEEE Trans. Smart Grid 12(5)).

    Parameters
    ----------
    model, limits : RadialModel, Limits
        The feeder.
    wish : Envelopes
        The most each bus could feed in and draw [kW].
    q_kvar : array_like
        Reactive power drawn in both cases, one value or shape [buses].
    source_pu : float
        Voltage of the grid above.
    sharing : {"equal", "effect"}
        As in `curtail`.

    Raises
    ------
    NetworkError
        When the limits cannot be met even with nothing fed in or drawn.
    """
    cuts = worst_case_cuts(model, limits, wish, q_kvar, source_pu=source_pu, sharing=sharing)
    if not cuts.within.all():
        raise NetworkError(
            describe(
                "limits that cannot be met even when nothing is fed in or drawn",
                where="operating envelopes",
                got=f"source {source_pu:g} p.u.",
            )
        )
    return Envelopes(wish.injection_kw - cuts.injection_kw[0], wish.demand_kw - cuts.demand_kw[1])


def worst_case_cuts(
    model: RadialModel,
    limits: Limits,
    wish: Envelopes,
    q_kvar: npt.ArrayLike = 0.0,
    *,
    source_pu: float = 1.0,
    sharing: Sharing = "equal",
) -> Cuts:
    """Return the cuts of two cases: first all feed in what they wish and none draws, then the other way round.

    Parameters as in `operating_envelopes`; `q_kvar` may have shape [2, buses].
    """
    p = np.stack([-wish.injection_kw, wish.demand_kw])
    cuttable = np.maximum(-p, 0.0), np.maximum(p, 0.0)
    return curtail(model, limits, (p, q_kvar), cuttable=cuttable, source_pu=source_pu, sharing=sharing)


def shared_path_pu(model: RadialModel) -> tuple[FloatArray, FloatArray]:
    """Return the LinDistFlow matrices: resistance and reactance that two buses' root paths share [p.u. on 1 kVA].

    Squared voltages fall by twice ``R @ p + X @ q`` (Baran and Wu 1989, doi:10.1109/61.25627), so that
    ``dV / dP`` is about ``-R / V``. Shape [buses, buses] each.
    """
    tree, size = model.tree, model.tree.bus.size
    matrices = []
    for value in (tree.r_pu, tree.x_pu):
        shared = np.zeros((size, size))
        for row in range(size):
            parent = tree.parent[row]
            if parent >= 0:  # what lies above is shared as the parent shares it
                shared[row, :row] = shared[:row, row] = shared[parent, :row]
            shared[row, row] = value[row] + (shared[parent, parent] if parent >= 0 else 0.0)
        by_bus = np.empty_like(shared)
        by_bus[np.ix_(tree.bus, tree.bus)] = shared
        matrices.append(by_bus)
    return matrices[0], matrices[1]


def update_prices(
    price: FloatArray, cut_kw: FloatArray, scale_kw: FloatArray | float, *, step: float, decay: float = 0.9
) -> FloatArray:
    """Return next slot's price of each limit [currency/kWh], a step of dual ascent; signs as those of `Cuts`.

    A limit that cut something becomes dearer in proportion, in the direction in which it cut; one that did not
    becomes cheaper. The price of a limit for power away from the substation is > 0, towards it < 0.

    Parameters
    ----------
    price : FloatArray
        Price of each limit, shape [limits].
    cut_kw : FloatArray
        What it cut in the last slot, > 0 demand, < 0 injection (`Cuts.by_branch_kw`, `Cuts.by_bus_kw`).
    scale_kw : FloatArray or float
        Cut that raises the price by `step`.
    step : float
        Size of a step [currency/kWh].
    decay : float
        What is left of a price after a slot in which its limit did not bind, in [0, 1).
    """
    return np.where(cut_kw != 0, price + step * cut_kw / scale_kw, decay * price)


def bus_prices(model: RadialModel, price_of_branch: FloatArray, price_of_bus: FloatArray) -> FloatArray:
    """Return what a kWh drawn at each bus costs in congestion [currency/kWh], shape [buses].

    A trade pays the price at the buyer less that at the seller. A voltage limit is priced at its own bus, and
    elsewhere by the share of its path that is used (as in prices by LinDistFlow duals; Papavasiliou 2018,
    doi:10.1109/TSG.2017.2673860).

    Parameters
    ----------
    model : RadialModel
        The feeder.
    price_of_branch : FloatArray
        Price of each loading limit, > 0 away from the substation, < 0 towards it, shape [branches].
    price_of_bus : FloatArray
        Price of each voltage limit, > 0 too low, < 0 too high, shape [buses].
    """
    tree = model.tree
    by_row = np.zeros(tree.bus.size)
    for row in range(tree.bus.size):
        if tree.parent[row] >= 0:
            by_row[row] = by_row[tree.parent[row]] + price_of_branch[tree.branch[row]]
    shared = np.empty(tree.bus.size)
    row_of_bus = np.argsort(tree.bus)
    for bus in np.flatnonzero(price_of_bus):
        row = int(row_of_bus[bus])
        _limits.shared_resistance(tree, row, shared)
        if shared[row] > 0:
            by_row += price_of_bus[bus] * shared / shared[row]
    by_bus = np.empty_like(by_row)
    by_bus[tree.bus] = by_row
    return by_bus


__all__ = ["FREE", "LOADING", "NO_SOLUTION", "VOLTAGE_HIGH", "VOLTAGE_LOW", "Cuts", "Limits"]
