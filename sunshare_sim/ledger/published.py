"""The tables of a run's folder beside its ledger: they must say what follows from the chain, to the last digit."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger import files
from sunshare_sim.ledger.billing import Bills, Settled
from sunshare_sim.ledger.files import Genesis, Sealed
from sunshare_sim.ledger.settlement import REASONS
from sunshare_sim.units import IntArray

MANIFEST: Final = "manifest.json"
TRADES, BLOCKS, SLOTS, BILLS = "trades.parquet", "blocks.parquet", "slots.parquet", "bills.parquet"
# Columns of a table, and the columns of `chain.RECEIPT` (or of the block) that they repeat.
TRADE_COLUMNS: Final = (
    "slot", "buyer", "seller", "energy_micro_kwh", "price_micro_per_kwh", "charge_micro_per_kwh", "status", "reason",
    "block",
)  # fmt: skip
TRADE_CODES: Final = {"status": ("settled", "failed"), "reason": REASONS}
BLOCK_COLUMNS: Final = ("number", "slot", "trades")
SLOT_COLUMNS: Final = ("traded_micro_kwh", "trades", "failed", "trade_value_micro", "wheeling_micro")


def check_manifest(run: Path, genesis: Genesis) -> str | None:
    """Check that the run's files are those its manifest lists; return the chain's head as the manifest has it.

    A folder without manifest is not refused: `ledger/` alone is proof enough.
    """
    path = run / MANIFEST
    if not path.exists():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        listed = {str(name): str(entry["sha256"]) for name, entry in manifest["files"].items()}
        told = {
            name: manifest[name] for name in ("scenario_hash", "seed", "slots", "households", "chain_head")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise files.unreadable(path, repr(error)) from error
    scenario_hash, _, seed = genesis.run.rpartition("/")
    true: dict[str, object] = {
        "slots": genesis.slots,
        "households": genesis.households,
        "scenario_hash": scenario_hash,
        "seed": int(seed) if seed.isdecimal() else seed,
    }
    for name, value in true.items():
        if told[name] != value:
            raise wrong(f"{name} is not that of the ledger", MANIFEST, told[name], value)
    for name, expected in listed.items():
        try:
            found = files.hash_of(run / name)
        except OSError as error:
            raise files.unreadable(run / name, error) from error
        if found != expected:
            raise wrong(f"is not the file that {MANIFEST} lists", name, found, expected)
    return str(told["chain_head"])


class Published:
    """Compare the tables of trades, blocks, slots and bills, where they are, with what the chain holds.

    Parameters
    ----------
    run : Path
        Folder of the run.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._trades = _table(run / TRADES, TRADE_COLUMNS, TRADE_CODES)
        self._blocks = _table(run / BLOCKS, BLOCK_COLUMNS)

    def check_block(self, sealed: Sealed) -> None:
        """Compare a block and its trades."""
        block = sealed.block
        if self._blocks is not None:
            found, held = self._blocks.take(1).tolist(), [[block.number, block.slot, block.trades]]
            if found != held:
                raise wrong("differs from the chain", f"{BLOCKS}, block {block.number}", found, held)
        if self._trades is None:
            return
        rows, receipts = self._trades.take(len(sealed.receipts)), sealed.receipts
        status = receipts[:, 7:8]
        number = np.full_like(status, block.number)
        expected = np.hstack([receipts[:, [0, 2, 3, 4, 5, 6]], np.minimum(status, 1), status, number])
        where = f"{TRADES}, trades of block {block.number}"
        if rows.shape != expected.shape:
            raise wrong("differs from the receipts", where, f"{len(rows)} trades", len(expected))
        if (rows != expected).any():
            row, column = (int(at[0]) for at in np.nonzero(rows != expected))
            where = f"{where}, the {row + 1}. of them, {TRADE_COLUMNS[column]}"
            raise wrong(
                "differs from the receipts", where, int(rows[row, column]), int(expected[row, column])
            )

    def check_end(self, settled: Sequence[Settled], bills: Bills) -> None:
        """Check that nothing is left over, and compare slots and bills."""
        for name, table in ((TRADES, self._trades), (BLOCKS, self._blocks)):
            if table is not None and len(table.take(1)):
                what = "more trades than receipts" if name == TRADES else "more blocks than the chain"
                raise wrong(what, name, None, None)
        slots = _table(self._run / SLOTS, SLOT_COLUMNS)
        if slots is not None:
            _check_columns(slots, dict(zip(SLOT_COLUMNS, np.array(settled).T, strict=True)), SLOTS, "slot")
        columns = {f"{name.removesuffix('_energy')}_micro_kwh" if name.endswith("_energy") else f"{name}_micro": values
                   for name, values in bills._asdict().items()}  # fmt: skip
        table = _table(self._run / BILLS, tuple(columns))
        if table is not None:
            _check_columns(table, columns, BILLS, "household")


def _table(
    path: Path, columns: tuple[str, ...], codes: dict[str, tuple[str, ...]] | None = None
) -> files.Rows | None:
    return files.Rows(path, columns, codes) if path.exists() else None


def _check_columns(table: files.Rows, columns: dict[str, IntArray], name: str, what: str) -> None:
    count = len(next(iter(columns.values())))
    rows = table.take(count + 1)
    if len(rows) != count:
        raise wrong(f"not one row a {what}", name, len(rows), count)
    for at, (column, values) in enumerate(columns.items()):
        differs = np.flatnonzero(rows[:, at] != values)
        if differs.size:
            row = int(differs[0])
            where = f"{name}, {what} {row}, {column}"
            raise wrong("does not follow from the chain", where, int(rows[row, at]), int(values[row]))


def wrong(what: str, where: str, got: object, expected: object) -> LedgerError:
    """Return the error that names what is wrong, and where."""
    return LedgerError(describe(what, where=where, got=got, expected=expected))
