"""Runs of substations, joined into one run: rows renumbered as in the whole, slots added up in whole units."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import numpy as np

from sunshare_sim.community.build import time_grid
from sunshare_sim.errors import ResultError, describe
from sunshare_sim.feeder.graph import Feeder
from sunshare_sim.ledger.billing import Bills
from sunshare_sim.results.figures import save_figures
from sunshare_sim.results.kpis import kpi_table
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import PANELS, RunWriter
from sunshare_sim.results.stream import SlotStream
from sunshare_sim.results.tables import as_frame
from sunshare_sim.scenario.load import dump, scenario_hash
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation import tables
from sunshare_sim.simulation.certificates import grid_emissions
from sunshare_sim.simulation.provenance import PART, describe_environment
from sunshare_sim.simulation.start import funding
from sunshare_sim.simulation.wiring import charge_periods
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import MICRO, IntArray, to_micro

SHARDS: Final = "shards"
Columns = dict[str, Any]
# How a slot's figures of the substations make one; all others are added up.
ALIKE: Final = ("slot", "time", "retail_micro_per_kwh", "feed_in_micro_per_kwh")
LARGEST: Final = ("largest_surplus_micro_kwh", "voltage_max_pu", "loading_max")
SMALLEST: Final = ("voltage_min_pu",)
# Tables that grow with the run, and which of their columns number what.
HOMES, ZONES, BUSES, LINES = "homes", "zones", "buses", "lines"
LONG: Final = {
    "trades": {"buyer": HOMES, "seller": HOMES, "buyer_pool": ZONES, "seller_pool": ZONES},
    "orders": {"household": HOMES, "pool": ZONES},
    "quotes": {"pool": ZONES},
    "refusals": {"household": HOMES, "buyer": HOMES, "bus": BUSES, "line": LINES},
    "events": {"household": HOMES},
}


class Whole(NamedTuple):
    """Hold what the substations are parts of.

    Attributes
    ----------
    scenario : Scenario
        The scenario.
    feeder : Feeder
        The wires of all.
    bus : IntArray
        Bus of each home, shape [homes].
    crossing_ticks : IntArray or None
        Least charge of a trade between two substations [ticks], by period of the charges; None where none is allowed.
    notes : tuple of str
        In what the joined run may differ from a run of the whole.
    """

    scenario: Scenario
    feeder: Feeder
    bus: IntArray
    crossing_ticks: IntArray | None
    notes: tuple[str, ...]


class Shard(NamedTuple):
    """Hold the run of a substation, and its rows in the whole, by kind."""

    number: int
    run: Run
    rows: dict[str, IntArray]

    def renumbered(self, columns: Columns, kinds: dict[str, str]) -> Columns:
        """Return columns with the numbers of the whole; -1 stays."""
        changed = {
            name: np.append(self.rows[kind], -1)[columns[name].astype(np.int64)]
            for name, kind in kinds.items()
        }
        return columns | changed


class Crossing(NamedTuple):
    """Say what trades between substations would have made: energy [kWh], and gains [currency]."""

    kwh: float
    gains: float


def read_shard(folder: Path) -> Shard:
    """Return the run of a substation.

    Raises
    ------
    ResultError
        When the run is not one of a substation.
    """
    run = Run.load(folder)
    path = folder / PART
    try:
        part = json.loads(path.read_text(encoding="utf-8"))
        rows = {kind: np.array(part[kind], dtype=np.int64) for kind in (HOMES, ZONES, BUSES, LINES)}
        return Shard(int(part["number"]), run, rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            describe("not the run of a substation", where=str(path), got=repr(error))
        ) from error


def join(whole: Whole, shards: Sequence[Shard], out: Path, *, source: str | None = None) -> Run:
    """Write the joined run, with the runs of the substations in its folder `shards`, and return it.

    Parameters
    ----------
    whole : Whole
        What they are parts of.
    shards : sequence of Shard
        The runs, one for each substation with homes.
    out : Path
        Folder of the joined run.
    source : str, optional
        The scenario file as it was given.
    """
    scenario, grid = whole.scenario, time_grid(whole.scenario)
    with RunWriter(out) as writer:
        slots, within = join_slots(shards)
        writer.append("slots", slots)
        bills = by_home(shards, "bills")
        tables_: dict[str, Any] = {
            "households": by_home(shards, "households"),
            "bills": bills,
            "accounts": _accounts(scenario, shards[0].run, bills),
            **_wires(whole, shards),
        }
        crossing = forgone(whole, slots, within, grid)
        for name, columns in tables_.items():
            writer.write(name, columns)
        for name, kinds in LONG.items():
            for columns in merged(shards, name, kinds, grid):
                writer.append(name, columns)
        for shard in shards:
            writer.append("blocks", _columns(shard.run, "blocks"))
        writer.write("kpis", _kpis(scenario, tables_ | {"slots": slots}, shards, crossing))
        _join_panels(writer, shards, grid)
        writer.text("resolved.yaml", dump(scenario))
        if source is not None:
            writer.text("scenario.yaml", source)
        for shard in shards:
            shutil.copytree(shard.run.folder, writer.folder / SHARDS / str(shard.number), copy_function=_link)
        finished = Run.load(writer.finish(_manifest(whole, shards, crossing)))
    if scenario.results.figures:
        save_figures(finished, finished.folder / "figures")
    return finished


def join_slots(shards: Sequence[Shard]) -> tuple[Columns, IntArray]:
    """Return the joined table `slots`, and what could be traded within the substations [1e-6 kWh], shape [slots]."""
    joined: Columns = {}
    within: IntArray = np.zeros(0, dtype=np.int64)
    for shard in shards:
        columns = _columns(shard.run, "slots")
        matched = np.minimum(columns["surplus_micro_kwh"], columns["deficit_micro_kwh"])
        if not joined:
            joined, within = columns, matched
            continue
        within = within + matched
        for name, values in columns.items():
            if name in ALIKE:
                continue
            how = np.fmax if name in LARGEST else np.fmin if name in SMALLEST else np.add
            joined[name] = how(joined[name], values)
    return joined, within


def by_home(shards: Sequence[Shard], table: str) -> Columns:
    """Return a table with one row a home, in the order of the whole."""
    kinds = {"zone": ZONES, "bus": BUSES} if table == "households" else {}
    parts = [shard.renumbered(_columns(shard.run, table), kinds | {"household": HOMES}) for shard in shards]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(joined["household"], kind="stable")
    return {name: values[order] for name, values in joined.items()}


def merged(shards: Sequence[Shard], table: str, kinds: dict[str, str], grid: TimeGrid) -> Iterator[Columns]:
    """Yield a long table a day at a time: by slot, then by substation, each in its own order of time."""
    kept = [shard for shard in shards if f"{table}.parquet" in shard.run.manifest["files"]]
    streams = [(shard, SlotStream(shard.run, table)) for shard in kept]
    for _, last in grid.blocks(grid.slots_per_day) if streams else ():
        parts = [(shard, rows) for shard, stream in streams if (rows := stream.before(last))["slot"].size]
        if not parts:
            continue
        named = [shard.renumbered(rows, kinds) for shard, rows in parts]
        joined = {name: np.concatenate([part[name] for part in named]) for name in named[0]}
        order = np.argsort(joined["slot"], kind="stable")
        yield {name: values[order] for name, values in joined.items()}


def forgone(whole: Whole, slots: Columns, within: IntArray, grid: TimeGrid) -> Crossing | None:
    """Return what trades between substations would have made at best; None where none is allowed.

    In each slot, what all homes together could have traded and the substations by themselves could not, at the
    difference between retail and feed-in price less the least charge between two substations (`allocative_efficiency`
    counts gains in the same way): the optimum of the whole less that of its parts where that charge is the same for
    all, and no less than it elsewhere.
    """
    if whole.crossing_ticks is None:
        return None
    possible = np.minimum(slots["surplus_micro_kwh"], slots["deficit_micro_kwh"])
    period = charge_periods(whole.scenario.network.charges.periods, grid)
    ticks = whole.crossing_ticks[period] if period.size else whole.crossing_ticks[0]
    charge = ticks * float(to_micro(whole.scenario.market.tick))
    gain = slots["retail_micro_per_kwh"] - slots["feed_in_micro_per_kwh"] - charge
    kwh = np.where(gain > 0, possible - within, 0) / MICRO
    return Crossing(float(kwh.sum()), float(kwh @ gain) / MICRO)


def _columns(run: Run, table: str) -> Columns:
    return {str(name): values.to_numpy() for name, values in run.exact(table).items()}


def _accounts(scenario: Scenario, run: Run, bills: Columns) -> Columns:
    """Return the table `accounts` of all homes and those they pay."""
    names = {name: f"{name.removesuffix('_energy')}_micro{'_kwh' if name.endswith('_energy') else ''}"
             for name in Bills._fields}  # fmt: skip
    joined = Bills(**{field: bills[name] for field, name in names.items()})
    vat_ppm = round(scenario.tariff.vat * MICRO)
    columns = tables.account_columns(funding(scenario), joined, vat_ppm)
    assert columns["name"][-3:] == run.exact("accounts")["name"].tolist()[-3:]  # noqa: S101
    return columns


def _wires(whole: Whole, shards: Sequence[Shard]) -> dict[str, Columns]:
    """Return the tables `buses` and `lines` of the whole feeder, with what the runs say of voltages and loadings."""
    community: Any = SimpleNamespace(feeder=whole.feeder, households=SimpleNamespace(bus=whole.bus))
    buses, lines = tables.bus_columns(community), tables.line_columns(whole.feeder)
    for shard in shards:
        for columns, kind, told in ((buses, BUSES, tables.VOLTAGES), (lines, LINES, tables.LOADINGS)):
            own = shard.run.exact(kind, told)
            for name in told:
                columns[name][shard.rows[kind]] = own[name].to_numpy()
    return {"buses": buses, "lines": lines}


def _kpis(
    scenario: Scenario, joined: dict[str, Columns], shards: Sequence[Shard], crossing: Crossing | None
) -> Any:
    """Return the table `kpis` of the joined tables, and what was lost where trade would have crossed."""
    import pandas as pd

    grid = time_grid(scenario)
    shown = {name: as_frame(name, columns) for name, columns in joined.items()}
    if scenario.results.quotes:
        quotes = list(merged(shards, "quotes", LONG["quotes"], grid))
        columns = {name: np.concatenate([part[name] for part in quotes]) for name in quotes[0]}
        shown["quotes"] = as_frame("quotes", columns)
    stand_in: Any = SimpleNamespace(grid=grid)
    emitted = grid_emissions(scenario.settlement.certificates, stand_in)
    found = kpi_table(shown, hours=grid.hours, grid_kg_per_kwh=emitted / MICRO)
    if crossing is None:
        return found
    lost = [
        (
            "sharding_loss",
            crossing.gains,
            "currency",
            "gains from trades between substations not made, at most",
        ),
        (
            "sharding_forgone_kwh",
            crossing.kwh,
            "kWh",
            "energy of trades between substations not made, at most",
        ),
    ]
    return pd.concat([found, pd.DataFrame(lost, columns=list(found.columns))], ignore_index=True)


def _join_panels(writer: RunWriter, shards: Sequence[Shard], grid: TimeGrid) -> None:
    homes = np.concatenate([shard.rows[HOMES] for shard in shards])
    for name in shards[0].run.panels:
        parts = [np.load(shard.run.folder / PANELS / f"{name}.npy", mmap_mode="r") for shard in shards]
        for first, last in grid.blocks(grid.slots_per_day):
            block = np.empty((last - first, homes.size), dtype=np.float32)
            block[:, homes] = np.concatenate([part[first:last] for part in parts], axis=1)
            writer.panel(name, block)


def _manifest(whole: Whole, shards: Sequence[Shard], crossing: Crossing | None) -> dict[str, Any]:
    first = shards[0].run.manifest
    heads = [str(shard.run.manifest["chain_head"]) for shard in shards]
    content = {name: first[name] for name in ("scenario", "seed", "start", "slots", "slot_minutes")}
    return {
        **content,
        "scenario_hash": scenario_hash(whole.scenario),
        "households": whole.bus.size,
        "sources": list(dict.fromkeys(each for shard in shards for each in shard.run.manifest["sources"])),
        "chain_head": joined_head(heads),
        "warnings": list(dict.fromkeys(each for shard in shards for each in shard.run.manifest["warnings"])),
        "sharding": {
            "substations": [shard.number for shard in shards],
            "chain_heads": heads,
            "notes": list(whole.notes),
            **({} if crossing is None else {"forgone_kwh": crossing.kwh, "loss": crossing.gains}),
        },
        "environment": {
            **describe_environment(),
            "seconds": [shard.run.manifest["environment"]["seconds"] for shard in shards],
        },
    }


def joined_head(heads: Sequence[str]) -> str:
    """Return one hash that stands for the chains of all substations: SHA-256 of their heads in order."""
    return sha256(b"".join(bytes.fromhex(head) for head in heads)).hexdigest() if all(heads) else ""


def _link(source: str, target: str) -> str:
    """Give a file a second place; copy it where the disk knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        return str(shutil.copy2(source, target))
    return target
