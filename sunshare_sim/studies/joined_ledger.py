"""Prove a joined run: the ledger of each substation, and that the joined tables say what these say together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sunshare_sim.community.build import time_grid
from sunshare_sim.errors import LedgerError, ResultError, describe
from sunshare_sim.ledger.verify import Verified, verify
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import MANIFEST, sha256_of
from sunshare_sim.results.stream import SlotStream
from sunshare_sim.studies.joining import (
    HOMES,
    LONG,
    SHARDS,
    Shard,
    by_home,
    join_slots,
    joined_head,
    merged,
    read_shard,
)
from sunshare_sim.units import MICRO


class Proved(NamedTuple):
    """Say what was proved of each substation, by its number, and the hash that stands for all chains."""

    by_substation: dict[int, Verified]
    head: str

    def total(self, name: str) -> int:
        """Return the sum of a count over the substations."""
        return sum(int(getattr(each, name)) for each in self.by_substation.values())


def is_joined(run: Path) -> bool:
    """Return whether a folder holds a joined run."""
    return (run / SHARDS).is_dir()


def verify_joined(run: Path, *, head: str | None = None) -> Proved:
    """Recompute the ledgers of all substations of a joined run, and what the joined tables make of them.

    Parameters
    ----------
    run : Path
        Folder of the joined run.
    head : str, optional
        The joined run's `chain_head` as published elsewhere.

    Raises
    ------
    LedgerError
        Naming the first thing that is wrong.
    """
    try:
        joined = Run.load(run)
        for name, entry in joined.manifest["files"].items():
            if sha256_of(run / name) != entry["sha256"]:
                raise wrong(f"is not the file that {MANIFEST} lists", name)
        shards = [read_shard(run / SHARDS / str(each)) for each in joined.manifest["sharding"]["substations"]]
    except (ResultError, OSError, KeyError, TypeError) as error:
        raise LedgerError(str(error)) from error
    proved = {shard.number: verify(shard.run.folder) for shard in shards}
    found = joined_head([each.head for each in proved.values()])
    for what, expected in ((MANIFEST, joined.manifest["chain_head"]), ("published head", head)):
        if expected is not None and expected != found:
            raise wrong("the chains end elsewhere", what, found, expected)
    homes = np.sort(np.concatenate([shard.rows[HOMES] for shard in shards]))
    if not np.array_equal(homes, np.arange(joined.manifest["households"])):
        raise wrong("the substations' homes are not those of the joined run", MANIFEST)
    _compare("slots", _exact(joined, "slots"), join_slots(shards)[0])
    _compare("bills", _exact(joined, "bills"), by_home(shards, "bills"))
    grid, stream = time_grid(joined.scenario), SlotStream(joined, "trades")
    for rows in merged(shards, "trades", LONG["trades"], grid):
        day = -(-(int(rows["slot"][-1]) + 1) // grid.slots_per_day)
        _compare("trades", stream.before(day * grid.slots_per_day), rows)
    if stream.before(grid.slots)["slot"].size:
        raise wrong("has trades that no substation has", "trades.parquet")
    return Proved(proved, found)


def place_of(run: Path, household: int) -> tuple[Path, int, int]:
    """Return where a home's ledger lies: the folder of its substation, its row and the substation's number there.

    Raises
    ------
    LedgerError
        When there is no such home.
    """
    shards: list[Shard] = [read_shard(folder) for folder in sorted((run / SHARDS).iterdir())]
    for shard in shards:
        row = int(np.searchsorted(shard.rows[HOMES], household))
        if row < shard.rows[HOMES].size and shard.rows[HOMES][row] == household:
            return shard.run.folder, row, shard.number
    count = sum(shard.rows[HOMES].size for shard in shards)
    raise LedgerError(
        describe("no such household", where=str(run), got=household, expected=f"0 to {count - 1}")
    )


def verdict(run: Path, head: str | None) -> str:
    """Return in words what was proved of a joined run.

    Raises
    ------
    LedgerError
        Naming the first thing that is wrong.
    """
    proved = verify_joined(run, head=head)
    energy = {name: proved.total(name) / MICRO for name in ("minted", "consumed", "fed_in", "money")}
    return f"""{run}: holds, joined of {len(proved.by_substation)} substations, each with a chain of its own
  {proved.total("blocks")} blocks, {proved.total("trades")} trades, {proved.total("failed")} of them failed
  energy: {energy["minted"]:,.6f} kWh from meters = {energy["consumed"]:,.6f} used by buyers + \
{energy["fed_in"]:,.6f} fed into the grid
  money in all accounts: {energy["money"]:,.6f}, as funded
  head of all chains {proved.head}"""


def wrong(what: str, where: str, got: object = None, expected: object = None) -> LedgerError:
    """Return the error that names what does not hold."""
    return LedgerError(
        describe(what, where=where, got=got, expected="" if expected is None else str(expected))
    )


def _exact(run: Run, table: str) -> dict[str, Any]:
    return {str(name): values.to_numpy() for name, values in run.exact(table).items()}


def _compare(table: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise when a joined table is not what the substations' tables make."""
    for name, values in expected.items():
        own = found[name]
        same = own.shape == values.shape and (
            np.array_equal(own, values, equal_nan=True)
            if values.dtype.kind == "f"
            else np.array_equal(own, values)
        )
        if not same:
            raise wrong("is not what the substations' tables make", f"{table}.parquet, column {name}")
