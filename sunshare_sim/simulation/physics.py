"""The physical phases of a slot: what homes use and generate, what their devices do, what the meters read."""

from typing import Final

import numpy as np

from sunshare_sim.devices.battery import self_consumption
from sunshare_sim.devices.ev import arrive, charge_evs
from sunshare_sim.simulation.state import State
from sunshare_sim.telemetry.meters import Totals, read_meters

PREFETCH_VALUES: Final = (
    1 << 19
)  # home-slots of load and solar made at once: some 4 MB each, whatever the run's size


def observe(state: State) -> None:
    """Look up what homes use and generate in this slot, made some hundred thousand home-slots at a time."""
    community, slot = state.community, state.slot
    if state.prefetched is None or not state.prefetched[0] <= slot < state.prefetched[1]:
        ahead = max(1, min(community.grid.slots_per_day, PREFETCH_VALUES // len(community.households)))
        last = min(slot + ahead, community.grid.slots)
        state.prefetched = (slot, last, community.load.block(slot, last), community.solar.block(slot, last))
    first, _, load, solar = state.prefetched
    state.flows = state.flows._replace(load=load[slot - first], solar=solar[slot - first])


def dispatch(state: State) -> None:
    """Charge the cars, then let each battery serve its own home."""
    community, flows = state.community, state.flows
    if community.fleet.home.size:
        arrive(state.ev, community.fleet.sessions, state.slot)
        charge_evs(state.ev, community.fleet.chargers, state.slot, community.grid.hours)
        flows.ev[:] = np.bincount(community.fleet.home, state.ev.charged_kwh, minlength=flows.ev.size)
    self_consumption(
        flows.load + flows.ev - flows.solar,
        community.batteries,
        state.soc_kwh,
        community.grid.hours,
        flows.charge,
        flows.discharge,
    )


def meter(state: State) -> None:
    """Read the meters: from here on, energy is an integer; surplus is minted as energy credits."""
    state.totals = Totals(*read_meters(state.flows, state.net))
    state.ledger.register_injections(state.slot, np.maximum(-state.net, 0))
