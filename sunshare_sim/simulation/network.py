"""The wires' phases of a slot: price them, hold back what they cannot carry, carry the rest, share the losses.

Energy that the limits refuse is cut before it counts: what is settled was fed in and drawn, and stays as it is.
"""

from typing import Any

import numpy as np

from sunshare_sim.feeder.limits import FREE
from sunshare_sim.feeder.wires import HomeCuts, TradeCuts
from sunshare_sim.ledger.billing import bill_losses
from sunshare_sim.ledger.settlement import Trades
from sunshare_sim.market.orders import Fills
from sunshare_sim.simulation.holding import hold_back
from sunshare_sim.simulation.physics import meter
from sunshare_sim.simulation.state import State
from sunshare_sim.simulation.tables import bus_columns, line_columns
from sunshare_sim.simulation.wiring import Refusals
from sunshare_sim.units import MICRO, FloatArray, IntArray


def constrain(state: State) -> None:
    """Cut what the wires cannot carry before it is metered: what is fed in, and demand where that is allowed.

    Where limits are on trades, only demand is cut here; `admit` follows when the trades are known.
    """
    wiring = state.wiring
    wiring.refusals.clear()
    wires, limits = wiring.enforced, wiring.rules.limits
    if wires is None or _has_island(state) or (wiring.limits_trades and not limits.shed_load):
        return
    net, surplus = _net(state)
    demand = np.maximum(net, 0.0) if limits.shed_load else None
    if wiring.limits_trades:
        net, surplus = np.maximum(net, 0.0), np.zeros_like(surplus)
    cuts = wires.keep_limits(net, surplus, demand, slot=state.slot)
    _apply(state, cuts)


def price_wires(state: State) -> None:
    """Set the slot's charges: the rule's, by time of day, with the prices of congestion and of losses."""
    wiring = state.wiring
    if not wiring.changes_charges:
        return
    charges = wiring.base[wiring.period[state.slot] if wiring.period.size else 0]
    if wiring.wires is not None:
        charges = wiring.wires.charges(charges, state.tick)
    state.charges = charges


def admit(state: State) -> None:
    """Cut or refuse trades that the wires cannot carry, then surplus that is not sold, and read the meters again."""
    wiring, wires = state.wiring, state.wiring.enforced
    if wires is None or not wiring.limits_trades or _has_island(state):
        return
    wish = state.trades.energy
    cuts = wires.admit_trades(
        state.net / MICRO,
        state.trades.seller,
        wish / MICRO,
        whole=wiring.rules.limits.whole_trades,
        slot=state.slot,
    )
    granted = _whole_units(cuts, wish)
    refused = wish - granted
    rows = np.flatnonzero(refused)
    none = np.zeros(rows.size, dtype=np.int64)
    if rows.size:
        wiring.refusals.append(
            Refusals(
                household=state.trades.seller[rows],
                buyer=state.trades.buyer[rows],
                curtailed=none,
                deferred=none,
                unserved=none,
                refused=refused[rows],
                limit=cuts.limit[rows],
                where=cuts.where[rows],
            )
        )
        kept = granted > 0
        state.trades = Trades(*(column[kept] for column in state.trades._replace(energy=granted)))
        state.fills = Fills(*(column[kept] for column in state.fills._replace(quantity=granted)))
    _apply(state, cuts.unsold)
    meter(state)


def carry(state: State) -> None:
    """Compute the feeder's flow of what was metered, its losses and who pays for them."""
    wiring = state.wiring
    if wiring.wires is None:
        return
    carried = wiring.wires.carry(state.net / MICRO, slot=state.slot)
    wiring.losses, wiring.extremes = carried.losses, carried.extremes
    wiring.losses_by_home = carried.losses_by_home
    if carried.trouble:
        wiring.noted.append((state.slot, carried.trouble))
    # where the grid pays for what it delivers, what is lost on the way costs nothing
    price = max(int(state.community.prices.retail_micro[state.slot]), 0)
    bill_losses(state.bills, carried.losses_by_home, price)
    wiring.soc_before[:] = state.soc_kwh


def _has_island(state: State) -> bool:
    """Return whether homes balance themselves in this slot: nothing can be cut there without breaking the balance."""
    now = None if state.course is None else state.course.now
    return now is not None and bool(now.rest_price)


def _net(state: State) -> tuple[FloatArray, FloatArray]:
    """Return each home's deficit (> 0) or surplus (< 0), and its surplus [kWh], shape [homes]."""
    flows = state.flows
    net = flows.load + flows.ev + flows.charge - flows.solar - flows.discharge
    return net, np.maximum(-net, 0.0)


def _apply(state: State, cuts: HomeCuts) -> None:
    """Hold the homes back by what was cut, and write down who, how much and why."""
    wiring = state.wiring
    if cuts.trouble:
        wiring.noted.append((state.slot, cuts.trouble))
    if not (cuts.curtailed_kwh.any() or cuts.unserved_kwh.any()):
        return
    held = hold_back(state, cuts.curtailed_kwh, cuts.unserved_kwh)
    wiring.unserved += held.unserved
    rows = np.flatnonzero(held.curtailed + held.deferred + held.unserved)
    none = np.zeros(rows.size, dtype=np.int64)
    wiring.refusals.append(
        Refusals(
            household=rows,
            buyer=none - 1,
            curtailed=held.curtailed[rows],
            deferred=held.deferred[rows],
            unserved=held.unserved[rows],
            refused=none,
            limit=cuts.limit[rows],
            where=cuts.where[rows],
        )
    )


def _whole_units(cuts: TradeCuts, wish: IntArray) -> IntArray:
    """Return what was granted in whole 1e-6 kWh, never more than admitted; all of it where no limit cut."""
    granted = np.floor(cuts.granted_kwh * MICRO).astype(np.int64)
    return np.where(cuts.limit == FREE, wish, np.minimum(granted, wish))


def network_tables(state: State) -> dict[str, dict[str, Any]]:
    """Return the tables `buses` and `lines` at the end of a run."""
    community, wires = state.community, state.wiring.wires
    voltages, loadings = (None, None) if wires is None else wires.report()
    losses = None if wires is None else wires.watch.losses_kwh
    return {
        "buses": bus_columns(community, voltages),
        "lines": line_columns(community.feeder, loadings, losses),
    }


def trouble_columns(state: State) -> dict[str, Any]:
    """Return rows of the table `events` for the slots that went wrong in a run that went on."""
    slots = np.array([slot for slot, _ in state.wiring.noted])
    return {
        "slot": slots,
        "time": state.community.grid.starts[slots],
        "kind": ["network"] * slots.size,
        "household": np.full(slots.size, -1),
        "text": [text for _, text in state.wiring.noted],
    }
