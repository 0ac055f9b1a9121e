"""What a slot leaves behind: rows of the run's tables, handed to the writer as arrays."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.chain import Block
from sunshare_sim.ledger.files import FOLDER, Genesis, LedgerWriter
from sunshare_sim.ledger.gas import batch_gas
from sunshare_sim.ledger.settlement import Trades
from sunshare_sim.results.store import RunWriter
from sunshare_sim.simulation.state import State
from sunshare_sim.units import MICRO, FloatArray, IntArray

Array = npt.NDArray[Any]

BUFFERED_SLOTS: Final = 96
BUFFERED_TRADES: Final = 1 << 17
SLOT_COLUMNS: Final = (
    "slot", "load_micro_kwh", "solar_micro_kwh", "ev_micro_kwh", "charge_micro_kwh", "discharge_micro_kwh",
    "surplus_micro_kwh", "deficit_micro_kwh", "traded_micro_kwh", "import_micro_kwh", "export_micro_kwh",
    "trades", "failed", "trade_value_micro", "wheeling_micro", "retail_micro_per_kwh", "feed_in_micro_per_kwh",
)  # fmt: skip


class RunRecorder:
    """Write each finished slot to a run folder; memory does not grow with time.

    Parameters
    ----------
    writer : RunWriter
        Where the tables go.
    panels : tuple of str
        Home-by-slot quantities to keep, by column name such as ``soc_kwh``.
    orders : bool
        Whether to keep every order.
    """

    def __init__(self, writer: RunWriter, panels: tuple[str, ...] = (), *, orders: bool = False) -> None:
        self.writer = writer
        self.orders = orders
        self._panels: dict[str, list[FloatArray]] = {name: [] for name in panels}
        self._rows: list[tuple[int, ...]] = []
        self._soc: list[float] = []
        self._slots: list[dict[str, Array]] = []
        self._trades: list[tuple[int, Trades, IntArray]] = []
        self._pending = 0
        self._blocks: list[tuple[Block, int, int]] = []
        self._ledger: LedgerWriter | None = None

    def open_ledger(self, genesis: Genesis, authorities: Authorities | None) -> None:
        """Begin the folder from which the run can be verified."""
        self._ledger = LedgerWriter(self.writer.folder / FOLDER, genesis, authorities)

    def close_ledger(self, *, seal: bool = True) -> None:
        """Close that folder, sealed unless the run is thrown away."""
        if self._ledger is not None:
            if seal:
                self._ledger.finish()
            else:
                self._ledger.close()
            self._ledger = None

    def slot(self, state: State) -> None:
        """Add the slot's rows."""
        self._rows.append(slot_row(state))
        self._soc.append(float(state.soc_kwh.sum()))
        if state.trades.energy.size:
            self._trades.append((state.slot, state.trades, state.status))
            self._pending += state.trades.energy.size
        if self.orders:
            self._add_orders(state)
        for name, rows in self._panels.items():
            rows.append(panel_row(state, name))
        self._add_blocks(state)
        if len(self._rows) == BUFFERED_SLOTS or self._pending > BUFFERED_TRADES:
            self.flush(state)

    def _add_blocks(self, state: State) -> None:
        """Add the slot to the ledger's folder, and the blocks it made, with what they cost and how late they are."""
        grid, prices, slot = state.community.grid, state.community.prices, state.slot
        if self._ledger is not None:
            at = int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot])
            self._ledger.slot(state.net, at, state.receipts)
            for block in state.blocks:
                self._ledger.block(block)
        end_ms, homes = 1000 * (int(grid.start.timestamp()) + (slot + 1) * grid.seconds), len(state.net)
        for block in state.blocks:
            gas = batch_gas(block.trades, min(2 * block.trades, homes)) if block.trades else 0
            self._blocks.append((block, block.time_ms - end_ms, gas))

    def flush(self, state: State) -> None:
        """Hand the buffered rows to the writer."""
        if not self._rows:
            return
        rows = dict(zip(SLOT_COLUMNS, np.array(self._rows, dtype=np.int64).T, strict=True))
        columns = {
            **rows,
            "time": state.community.grid.starts[rows["slot"]],
            "soc_kwh": np.array(self._soc),
            "losses_kwh": np.zeros(len(self._soc)),
        }
        self.writer.append("slots", columns)
        if self._trades:
            self._write_trades(state)
        if self._blocks:
            self._write_blocks()
        self._slots.append(columns)
        self._rows.clear()
        self._soc.clear()
        for name, panel in self._panels.items():
            self.writer.panel(name, np.array(panel))
            panel.clear()

    def slots(self, state: State) -> dict[str, Array]:
        """Return all slots so far as columns of the table `slots`: some 150 bytes a slot, however many homes."""
        self.flush(state)
        return {name: np.concatenate([part[name] for part in self._slots]) for name in self._slots[0]}

    def _write_blocks(self) -> None:
        blocks = [block for block, _, _ in self._blocks]
        self.writer.append(
            "blocks",
            {
                "number": np.array([block.number for block in blocks]),
                "slot": np.array([block.slot for block in blocks]),
                "time": np.array([block.time_s for block in blocks]).astype("datetime64[s]"),
                "trades": np.array([block.trades for block in blocks]),
                "previous_hash": [block.previous_hash.hex() for block in blocks],
                "receipts_hash": [block.receipts_hash.hex() for block in blocks],
                "header_hash": [block.header_hash.hex() for block in blocks],
                "latency_ms": np.array([latency for _, latency, _ in self._blocks]),
                "gas": np.array([gas for _, _, gas in self._blocks]),
            },
        )
        self._blocks.clear()

    def _write_trades(self, state: State) -> None:
        grid, zone = state.community.grid, state.community.households.zone
        slots, kept, status = zip(*self._trades, strict=True)
        trades = Trades(*(np.concatenate(column) for column in zip(*kept, strict=True)))
        slot = np.repeat(slots, [part.energy.size for part in kept])
        self.writer.append(
            "trades",
            {
                "slot": slot,
                "time": grid.starts[slot],
                "buyer": trades.buyer,
                "seller": trades.seller,
                "buyer_pool": zone[trades.buyer],
                "seller_pool": zone[trades.seller],
                "energy_micro_kwh": trades.energy,
                "price_micro_per_kwh": trades.price_micro,
                "charge_micro_per_kwh": trades.charge_micro,
                "status": np.minimum(np.concatenate(status), 1),
            },
        )
        self._trades.clear()
        self._pending = 0

    def _add_orders(self, state: State) -> None:
        orders = state.orders
        if orders.owner.size:
            self.writer.append(
                "orders",
                {
                    "slot": np.int64(state.slot),
                    "household": orders.owner,
                    "side": (orders.side + 1) // 2,
                    "pool": orders.pool,
                    "price_micro_per_kwh": orders.price * state.tick_micro,
                    "quantity_micro_kwh": orders.quantity,
                },
            )


def slot_row(state: State) -> tuple[int, ...]:
    """Return the slot's figures in the order of `SLOT_COLUMNS`."""
    totals, settled, prices, slot = state.totals, state.settled, state.community.prices, state.slot
    imported, exported = totals.deficit - settled.energy, totals.surplus - settled.energy
    return (
        slot, totals.load, totals.solar, totals.ev, totals.charge, totals.discharge,
        totals.surplus, totals.deficit, settled.energy, imported, exported,
        settled.trades, settled.failed, settled.value, settled.wheeling,
        int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot]),
    )  # fmt: skip


def panel_row(state: State, name: str) -> FloatArray:
    """Return one home-by-slot quantity of the slot [kWh], shape [homes]."""
    if name == "soc_kwh":
        return state.soc_kwh.copy()
    if name == "net_kwh":
        return state.net / MICRO
    return np.array(getattr(state.flows, name.removesuffix("_kwh")))
