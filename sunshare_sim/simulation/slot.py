"""One slot, phase by phase: observe -> dispatch -> meter -> quote -> match -> settle -> seal -> learn -> record.

Timing is `ex_post`: orders are placed when the slot's meters have been read, so only metered surplus is sold and every
trade is delivered.
"""

from collections.abc import Callable
from typing import Final

from sunshare_sim.simulation.money import seal, settle
from sunshare_sim.simulation.physics import dispatch, meter, observe
from sunshare_sim.simulation.state import State
from sunshare_sim.simulation.trading import learn, match, quote


def record(state: State) -> None:
    """Hand the finished slot to the recorder."""
    state.recorder.slot(state)


Phase = Callable[[State], None]
PHASES: Final[tuple[Phase, ...]] = (observe, dispatch, meter, quote, match, settle, seal, learn, record)
