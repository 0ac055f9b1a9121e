"""The physical phases of a slot: what homes use and generate, what their devices do, what the meters read."""

from typing import Final

import numpy as np

from sunshare_sim.simulation.plant import hear, run_batteries, serve
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
    """Run appliances, heat pumps and cars, then let each battery do what its policy says."""
    plant, flows = state.plant, state.flows
    if state.slot:
        energy, value = state.agreed
        hear(plant, state.slot - 1, value / energy if energy else np.nan)
    load, ev, given = serve(plant, state.slot, flows.load, flows.solar)
    flows.ev[:] = ev
    net = load + ev - flows.solar
    if plant.cars is not None:
        net -= given
    run_batteries(plant, state.slot, net, state.soc_kwh, (flows.charge, flows.discharge))
    if plant.cars is not None:
        flows.discharge[:] += given  # on the meter a car that gives is one battery more
    state.flows = flows._replace(load=load)


def meter(state: State) -> None:
    """Read the meters: from here on, energy is an integer."""
    state.totals = Totals(*read_meters(state.flows, state.net))
