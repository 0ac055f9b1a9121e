"""The ledger's part of a slot: hand what was agreed to settlement, which goes on while trading does.

`settle` only sends; `make_block` settles, whenever the clock says that a block is due. A trade that fails there leaves
its energy to the grid: the buyer's import and the seller's export.
"""

import time
from dataclasses import dataclass, field

from sunshare_sim.ledger._settlement import worth
from sunshare_sim.ledger.queue import NOTHING, SlotTrades
from sunshare_sim.simulation.state import State


def settle(state: State) -> None:
    """Send the slot's trades to settlement, with its readings; trading does not wait for them."""
    grid, slot, prices = state.community.grid, state.slot, state.community.prices
    agreed = SlotTrades(
        slot=slot,
        traded_ms=1000 * (int(grid.start.timestamp()) + (slot + 1) * grid.seconds),
        net=state.net.copy(),
        prices=(int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot])),
        trades=state.trades,
        losses=state.wiring.losses_by_home,
    )
    state.queue.put(agreed, last=slot + 1 == grid.slots)
    state.status = agreed.status  # written as the trades are settled
    state.settled, state.agreed = NOTHING, worth(state.trades)


@dataclass(frozen=True)
class Settlement:
    """Make the blocks of a run, and tell state and recorder what became of the trades.

    Attributes
    ----------
    state : State
        The run's state.
    seconds : dict
        CPU time by phase; blocks add theirs under ``seal`` if there is such a name.
    """

    state: State
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Return whether there is something to make a block of."""
        return self.state.queue.busy

    def next_block_ms(self, now_ms: int) -> int:
        """Return when the next block after `now_ms` can be made [ms since 1970-01-01 UTC]."""
        return self.state.queue.next_block_ms(now_ms)

    def make_block(self, time_ms: int) -> None:
        """Settle what is due at `time_ms`."""
        state, start = self.state, time.thread_time()
        made = state.queue.make_block(time_ms)
        if made is not None:
            for each in made.finished:
                if each.slot == state.slot:
                    state.settled = each.settled
            state.recorder.block(state, made)
        if "seal" in self.seconds:
            self.seconds["seal"] += time.thread_time() - start
