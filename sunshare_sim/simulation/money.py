"""The ledger's phases of a slot: settle the trades, bill what the grid took and gave, seal the blocks."""

import numpy as np

from sunshare_sim.ledger.billing import bill_slot
from sunshare_sim.ledger.chain import readings_bytes, receipts_array, schedule_blocks
from sunshare_sim.simulation.state import State


def settle(state: State) -> None:
    """Settle every trade on the ledger, bill what the grid supplied and took, check that nothing was lost.

    A trade that reverts leaves its energy to the grid: the buyer's import and the seller's export.
    """
    ledger, slot, prices = state.ledger, state.slot, state.community.prices
    state.status = ledger.settle_batch(ledger.oracle, state.trades)
    grid_prices = (int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot]))
    state.settled = bill_slot(state.bills, state.net, state.trades, state.status, grid_prices)
    ledger.deliver(state.net)
    ledger.check_conservation()


def seal(state: State) -> None:
    """Put the receipts and readings of the slots since the last block into the next ones; trading does not wait."""
    grid, slot, prices, producer = state.community.grid, state.slot, state.community.prices, state.producer
    state.receipts = receipts_array(slot, state.trades, state.status)
    readings = readings_bytes(state.net, int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot]))
    state.waiting.append((state.receipts, readings))
    state.blocks = []
    if (slot + 1) % producer.slots and slot + 1 != grid.slots:
        return
    receipts = np.concatenate([rows for rows, _ in state.waiting])
    readings = b"".join(each for _, each in state.waiting)
    state.waiting.clear()
    end_ms = 1000 * (int(grid.start.timestamp()) + (slot + 1) * grid.seconds)
    batches = schedule_blocks(
        end_ms, len(receipts), interval_ms=producer.interval_ms, most_trades=producer.trades
    )
    for batch in batches:
        time_s, extra_ms = divmod(batch.time_ms, 1000)
        rows = receipts[batch.first : batch.last]
        state.blocks.append(state.chain.append(time_s, slot, rows, readings=readings, extra_ms=extra_ms))
        readings = b""
