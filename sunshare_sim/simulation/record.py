"""What a slot leaves behind: rows of the run's tables, handed to the writer as arrays."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.feeder.limits import LOADING
from sunshare_sim.feeder.watch import SlotExtremes
from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.billing import Settled
from sunshare_sim.ledger.files import FOLDER, Genesis, LedgerWriter
from sunshare_sim.ledger.queue import Made, SlotTrades
from sunshare_sim.ledger.settlement import Trades
from sunshare_sim.results.store import RunWriter
from sunshare_sim.simulation.events import WITH_GRID
from sunshare_sim.simulation.quotes import best_quotes, trades_on_arrival
from sunshare_sim.simulation.state import State
from sunshare_sim.simulation.wiring import Refusals
from sunshare_sim.units import MICRO, FloatArray

Array = npt.NDArray[Any]

BUFFERED_SLOTS: Final = 96
BUFFERED_TRADES: Final = 1 << 17
SLOT_COLUMNS: Final = (
    "slot", "load_micro_kwh", "solar_micro_kwh", "ev_micro_kwh", "charge_micro_kwh", "discharge_micro_kwh",
    "surplus_micro_kwh", "deficit_micro_kwh", "traded_micro_kwh", "import_micro_kwh", "export_micro_kwh",
    "trades", "failed", "trade_value_micro", "wheeling_micro", "retail_micro_per_kwh", "feed_in_micro_per_kwh",
    "rejected", "largest_surplus_micro_kwh", "unserved_micro_kwh", "islanded",
    "losses_micro_kwh", "curtailed_micro_kwh", "deferred_micro_kwh", "refused_micro_kwh", "curtailment_cost_micro",
)  # fmt: skip
EXTREMES: Final = ("voltage_min_pu", "voltage_max_pu", "loading_max")


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
    quotes : bool
        Whether to keep each slot's best quotes.
    """

    def __init__(
        self, writer: RunWriter, panels: tuple[str, ...] = (), *, orders: bool = False, quotes: bool = False
    ) -> None:
        self.writer = writer
        self.orders = orders
        self.quotes = quotes
        self._panels: dict[str, list[FloatArray]] = {name: [] for name in panels}
        self._rows: list[tuple[int, ...]] = []
        self._soc: list[float] = []
        self._extremes: list[SlotExtremes] = []
        self._slots: list[dict[str, Array]] = []
        self._quotes: list[dict[str, Array]] = []
        self._settled: list[Settled] = []  # of the first of the rows: the others wait for settlement
        self._trades: list[SlotTrades] = []
        self._pending = 0
        self._blocks: list[Made] = []
        self._ledger: LedgerWriter | None = None
        self.gas_price_micro = 0  # of a million gas [1e-6 currency]

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
        """Add the slot's rows; what settlement makes of its trades comes with a block."""
        self._rows.append(slot_row(state))
        self._soc.append(float(state.soc_kwh.sum()))
        self._extremes.append(state.wiring.extremes)
        for each in state.wiring.refusals:
            self.writer.append("refusals", refusal_columns(state.slot, each))
        if self.orders:
            self._add_orders(state)
        if self.quotes:
            self._quotes.append(best_quotes(state))
            self.writer.append("quotes", self._quotes[-1])
        for name, rows in self._panels.items():
            rows.append(panel_row(state, name))
        if self._ledger is not None:
            prices, slot = state.community.prices, state.slot
            at = int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot])
            self._ledger.slot(state.net, at, state.wiring.losses_by_home)

    def block(self, state: State, made: Made) -> None:
        """Add a block, and the slots it settled the last trades of."""
        if self._ledger is not None:
            self._ledger.block(made.block, made.receipts)
        self._blocks.append(made)
        self.leave(made.finished)
        if len(self._settled) >= BUFFERED_SLOTS or self._pending > BUFFERED_TRADES:
            self.flush(state)

    def leave(self, slots: Iterable[SlotTrades]) -> None:
        """Add the trades of slots as they are: settled or, where a run stops early, pending."""
        for each in slots:
            self._settled.append(each.settled)
            if each.status.size:
                self._trades.append(each)
                self._pending += each.status.size

    def flush(self, state: State) -> None:
        """Hand what is settled of the buffered rows to the writer."""
        count = len(self._settled)
        if not count:
            return
        rows = dict(zip(SLOT_COLUMNS, np.array(self._rows[:count], dtype=np.int64).T, strict=True))
        settled = Settled(*np.array(self._settled, dtype=np.int64).T)
        for name, values in settled_columns(settled).items():
            rows[name] = rows[name] + values
        columns = {
            **rows,
            "time": state.community.grid.starts[rows["slot"]],
            "soc_kwh": np.array(self._soc[:count]),
            **dict(zip(EXTREMES, np.array(self._extremes[:count]).T, strict=True)),
        }
        self.writer.append("slots", columns)
        if self._trades:
            self._write_trades(state)
        if self._blocks:
            self._write_blocks()
        self._slots.append(columns)
        del self._rows[:count], self._soc[:count], self._extremes[:count]
        self._settled.clear()
        for name, panel in self._panels.items():
            self.writer.panel(name, np.array(panel))
            panel.clear()

    def slots(self, state: State) -> dict[str, Array]:
        """Return all slots so far as columns of the table `slots`: some 150 bytes a slot, however many homes."""
        self.flush(state)
        return {name: np.concatenate([part[name] for part in self._slots]) for name in self._slots[0]}

    def kept_quotes(self) -> dict[str, dict[str, Array]]:
        """Return all best quotes so far as the table `quotes`; nothing where they are not kept."""
        if not self._quotes:
            return {}
        names = self._quotes[0]
        return {"quotes": {name: np.concatenate([part[name] for part in self._quotes]) for name in names}}

    def _write_blocks(self) -> None:
        blocks = [made.block for made in self._blocks]
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
                "latency_ms": np.array([made.latency_ms for made in self._blocks]),
                "gas": np.array([made.gas for made in self._blocks]),
                "metering_gas": np.array([made.metering_gas for made in self._blocks]),
                "gas_cost_micro": np.array(
                    [(made.gas + made.metering_gas) * self.gas_price_micro // MICRO for made in self._blocks]
                ),
            },
        )
        self._blocks.clear()

    def _write_trades(self, state: State) -> None:
        grid, zone = state.community.grid, state.community.households.zone
        kept = self._trades
        trades = Trades(
            *(np.concatenate(column) for column in zip(*(each.trades for each in kept), strict=True))
        )
        slot = np.repeat([each.slot for each in kept], [each.status.size for each in kept])
        status = np.concatenate([each.status for each in kept])
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
                "status": np.where(status < 0, 2, np.minimum(status, 1)),
                "reason": np.maximum(status, 0),
                "block": np.concatenate([each.block for each in kept]),
                "latency_ms": np.concatenate([each.latency_ms for each in kept]),
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
                    "trades": trades_on_arrival(state),
                },
            )


def settled_columns(settled: Settled) -> dict[str, Array]:
    """Return what settlement adds to slots, columns of shape [slots]: local trade replaces import and export."""
    return {
        "traded_micro_kwh": np.asarray(settled.energy),
        "import_micro_kwh": -np.asarray(settled.energy),
        "export_micro_kwh": -np.asarray(settled.energy),
        "trades": np.asarray(settled.trades),
        "failed": np.asarray(settled.failed),
        "trade_value_micro": np.asarray(settled.value),
        "wheeling_micro": np.asarray(settled.wheeling),
    }


def slot_row(state: State) -> tuple[int, ...]:
    """Return the slot's figures in the order of `SLOT_COLUMNS`, as if no trade were settled."""
    totals, prices, slot = state.totals, state.community.prices, state.slot
    return (
        slot, totals.load, totals.solar, totals.ev, totals.charge, totals.discharge,
        totals.surplus, totals.deficit, 0, totals.deficit + state.wiring.losses, totals.surplus,
        0, 0, 0, 0,
        int(prices.retail_micro[slot]), int(prices.feed_in_micro[slot]),
        state.rejected_now, max(0, -int(state.net.min())), *cut_off(state),
        state.wiring.losses, *held_back(state),
    )  # fmt: skip


def cut_off(state: State) -> tuple[int, int]:
    """Return what was not served in the slot [1e-6 kWh], and how many homes were part of an island."""
    course, cut = state.course, refused_sum(state, "unserved")
    if course is None or course.now is None:
        return cut, 0
    return course.unserved_now + cut, int(np.count_nonzero(course.now.island != WITH_GRID))


def held_back(state: State) -> tuple[int, int, int, int]:
    """Return what the limits curtailed, deferred and refused [1e-6 kWh], and the first's cost [1e-6 currency]."""
    curtailed = refused_sum(state, "curtailed")
    cost = curtailed * max(int(state.community.prices.feed_in_micro[state.slot]), 0) // MICRO
    return curtailed, refused_sum(state, "deferred"), refused_sum(state, "refused"), cost


def refused_sum(state: State, name: str) -> int:
    """Return the slot's sum of one column of `Refusals` [1e-6 kWh]."""
    return sum(int(getattr(each, name).sum()) for each in state.wiring.refusals)


def refusal_columns(slot: int, refusals: Refusals) -> dict[str, Array]:
    """Return rows of the table `refusals`."""
    loading = refusals.limit == LOADING
    return {
        "slot": np.full(refusals.household.size, slot),
        "household": refusals.household,
        "buyer": refusals.buyer,
        "curtailed_micro_kwh": refusals.curtailed,
        "deferred_micro_kwh": refusals.deferred,
        "unserved_micro_kwh": refusals.unserved,
        "refused_micro_kwh": refusals.refused,
        "limit": refusals.limit,
        "bus": np.where(loading, -1, refusals.where),
        "line": np.where(loading, refusals.where, -1),
    }


def panel_row(state: State, name: str) -> FloatArray:
    """Return one home-by-slot quantity of the slot [kWh], shape [homes]."""
    if name == "soc_kwh":
        return state.soc_kwh.copy()
    if name == "net_kwh":
        return state.net / MICRO
    return np.array(getattr(state.flows, name.removesuffix("_kwh")))
