"""One slot, phase by phase: observe -> dispatch -> meter -> quote -> match -> settle -> learn -> record.

Timing is `ex_post`: orders are placed when the slot's meters have been read, so only metered surplus is sold and every
trade is delivered.
"""

from collections.abc import Callable
from typing import Final

from sunshare_sim.simulation.island import isolate, share_rest, supply, switch
from sunshare_sim.simulation.money import settle
from sunshare_sim.simulation.network import admit, carry, constrain, price_wires
from sunshare_sim.simulation.physics import dispatch, meter, observe
from sunshare_sim.simulation.state import State
from sunshare_sim.simulation.trading import learn, match, quote


def certify(state: State) -> None:
    """Count the slot's renewable energy for certificates, where the scenario makes them."""
    if state.certifier is not None:
        state.certifier.count(state.slot, state.flows.solar, state.net)


def record(state: State) -> None:
    """Hand the finished slot to the recorder."""
    state.recorder.slot(state)


Phase = Callable[[State], None]
PHASES: Final[tuple[Phase, ...]] = (
    switch, observe, dispatch, supply, constrain, meter, price_wires, isolate, quote, match, share_rest, admit, carry,
    settle, certify, learn, record,
)  # fmt: skip
