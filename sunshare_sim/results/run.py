"""A finished run, read from its folder: tables, panels, scenario, manifest, figures."""

import json
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sunshare_sim.errors import ResultError, SunShareWarning, describe, did_you_mean
from sunshare_sim.results.fairness import bills_by
from sunshare_sim.results.store import FORMAT_VERSION, MANIFEST, PANELS, sha256_of
from sunshare_sim.results.tables import TABLES, Column, as_frame, schema_of
from sunshare_sim.results.tape import tape
from sunshare_sim.scenario.schema import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from sunshare_sim.results.figures import Figures

CARD = (
    "self_sufficiency",
    "self_consumption",
    "local_share",
    "traded_kwh",
    "mean_local_price",
    "total_saving",
    "losing_share",
    "peak_import_kw",
)


class Run:
    """Show one run; every table is a tidy DataFrame, read when it is first asked for.

    Attributes
    ----------
    folder : Path
        Where the run lies.
    manifest : mapping
        What made it: scenario hash, seed, state, hashes of all files; versions and timings under ``environment``.

    Examples
    --------
    >>> run = Run.load("results/quickstart-1")  # doctest: +SKIP
    >>> run.bills.saving.describe()  # doctest: +SKIP
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._tables: dict[str, pd.DataFrame] = {}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open the run in the folder `path`.

        Raises
        ------
        ResultError
            When there is no run, its format is another, or a file is missing or cut short. A file whose content was
            changed is found out when it is read.

        Warns
        -----
        SunShareWarning
            When the run was interrupted and is only a part of what its scenario says.
        """
        folder = Path(path)
        manifest = _read_manifest(folder)
        _check_files(folder, manifest["files"])
        if manifest.get("state") != "complete":
            reason = manifest.get("reason", "unknown")
            what = f"this run is only a part of its scenario (reason: {reason})"
            warnings.warn(describe(what, where=str(folder)), SunShareWarning, stacklevel=2)
        return cls(folder, manifest)

    def table(self, name: str) -> "pd.DataFrame":
        """Return the table `name` for reading and drawing: money and energy as float64, units in ``attrs``."""
        if name not in self._tables:
            self._tables[name] = as_frame(name, self._stored(name))
        return self._tables[name]

    def exact(self, name: str, columns: Iterable[str] | None = None) -> "pd.DataFrame":
        """Return the table `name` as it is kept: money and traded energy in whole 1e-6 units, int64.

        Parameters
        ----------
        name : str
            Name of the table.
        columns : iterable of str, optional
            Read these columns only, by stored name: a year of trades is large.
        """
        import pandas as pd

        return pd.DataFrame(dict(self._stored(name, columns)), copy=False)

    def panel(self, name: str) -> "pd.DataFrame":
        """Return the home-by-slot quantity `name`: rows = start of the slot (UTC), columns = household."""
        import pandas as pd

        if name not in self.panels:
            hint = did_you_mean(name, self.panels) or "list it under results.panels and run again"
            expected = ", ".join(self.panels) or "no panel: none was kept"
            raise ResultError(describe("unknown panel", got=name, expected=expected, hint=hint))
        values = np.load(self._verified(f"{PANELS}/{name}.npy"), mmap_mode="r")
        return pd.DataFrame(values, index=pd.Index(self.slots["time"][: len(values)], name="time"))

    @property
    def panels(self) -> tuple[str, ...]:
        """Return the names of the panels that were kept."""
        return tuple(Path(file).stem for file in self.manifest["files"] if file.startswith(f"{PANELS}/"))

    def bills_by(self, by: str = "group") -> "pd.DataFrame":
        """Return bills and savings of groups of homes, one row a group: by group, kind, income, strategy or zone."""
        return bills_by(self.bills, self.households, by)

    @property
    def slots(self) -> "pd.DataFrame":
        """Return one row a slot: the community as a whole."""
        return self.table("slots")

    @property
    def trades(self) -> "pd.DataFrame":
        """Return one row a trade."""
        return self.table("trades")

    @property
    def orders(self) -> "pd.DataFrame":
        """Return one row an order, where the scenario asked for them."""
        return self.table("orders")

    @property
    def quotes(self) -> "pd.DataFrame":
        """Return one row a slot and pool: its best quotes, where the scenario asked for them."""
        return self.table("quotes")

    def tape(self) -> "pd.DataFrame":
        """Return the market's quotes and trades in order of time; the run must have kept its orders."""
        return tape(self)

    @property
    def bills(self) -> "pd.DataFrame":
        """Return one row a home: its energy and money."""
        return self.table("bills")

    @property
    def households(self) -> "pd.DataFrame":
        """Return one row a home: what it is and has."""
        return self.table("households")

    @property
    def buses(self) -> "pd.DataFrame":
        """Return one row a bus of the feeder."""
        return self.table("buses")

    @property
    def lines(self) -> "pd.DataFrame":
        """Return one row a line of the feeder."""
        return self.table("lines")

    @property
    def blocks(self) -> "pd.DataFrame":
        """Return one row a block of the ledger."""
        return self.table("blocks")

    @property
    def events(self) -> "pd.DataFrame":
        """Return one row an event worth a note."""
        return self.table("events")

    @property
    def certificates(self) -> "pd.DataFrame":
        """Return one row a home: its certificates; kept if `settlement.certificates.enabled` is set."""
        return self.table("certificates")

    @property
    def accounts(self) -> "pd.DataFrame":
        """Return one row an account of the ledger."""
        return self.table("accounts")

    @property
    def kpis(self) -> "pd.DataFrame":
        """Return one row a key figure."""
        return self.table("kpis")

    @cached_property
    def scenario(self) -> Scenario:
        """Return the scenario with every default filled in."""
        import yaml

        path = self._verified("resolved.yaml")
        # By way of JSON, because a strict model takes dates and tuples from JSON's strings and lists only.
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Scenario.model_validate_json(json.dumps(content, default=str))

    @property
    def plot(self) -> "Figures":
        """Return the run's figures: ``run.plot.energy_balance()`` and so on."""
        from sunshare_sim.results.figures import Figures

        return Figures(self)

    def equals(self, other: "Run") -> bool:
        """Return whether both runs hold the same scenario, tables and panels; environments may differ."""
        mine, theirs = _without_environment(self.manifest), _without_environment(other.manifest)
        if mine == theirs:
            return True
        # Another version of the Parquet writer gives other bytes for the same numbers.
        if {**mine, "files": None} != {**theirs, "files": None} or mine["files"].keys() != theirs[
            "files"
        ].keys():
            return False
        tables = (name for name in TABLES if f"{name}.parquet" in mine["files"])
        same_tables = all(self.exact(name).equals(other.exact(name)) for name in tables)
        return same_tables and all(self.panel(name).equals(other.panel(name)) for name in self.panels)

    def _stored(self, name: str, only: Iterable[str] | None = None) -> Mapping[str, Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, file = schema_of(name), f"{name}.parquet"
        if schema.optional and file not in self.manifest["files"]:
            asked_by = schema.asked_by or f"results.{name}"
            what, hint = "this run did not keep the table", f"set {asked_by}: true and run again"
            raise ResultError(describe(what, where=name, hint=hint))
        columns = {column.stored_name: column for column in schema.columns}
        wanted = list(columns) if only is None else list(only)
        for unknown in (column for column in wanted if column not in columns):
            hint = did_you_mean(unknown, columns)
            raise ResultError(describe("unknown column", where=name, got=unknown, hint=hint))
        path = self._verified(file)
        try:
            table = pq.read_table(path, columns=wanted)
            return {column: _values(columns[column], table.column(column)) for column in wanted}
        except (pa.ArrowException, KeyError) as error:
            raise ResultError(
                describe(f"cannot be read as table {name!r}: {error}", where=str(path))
            ) from error

    def _verified(self, file: str) -> Path:
        path = self.folder / file
        if file not in self.manifest["files"]:
            raise ResultError(describe("the run has no such file", where=str(path)))
        if not path.is_file() or sha256_of(path) != self.manifest["files"][file]["sha256"]:
            hint = "restore the file, or run the scenario again"
            raise ResultError(
                describe("missing, or changed since the run wrote it", where=str(path), hint=hint)
            )
        return path

    def __getattr__(self, name: str) -> Any:
        """Raise with the nearest valid name: a misspelt table must not pass for an empty one."""
        valid = [known for known in dir(type(self)) if not known.startswith("_")]
        raise AttributeError(
            describe("a Run has no such attribute", got=name, hint=did_you_mean(name, valid))
        )

    def __repr__(self) -> str:
        """Return name, state and size on one line."""
        rows = {Path(file).stem: entry.get("rows") for file, entry in self.manifest["files"].items()}
        name, state = self.folder.name, self.manifest.get("state")
        return f"<Run {name!r}: {rows['households']} homes, {rows['slots']} slots, {rows['trades']} trades, {state}>"

    def _repr_html_(self) -> str:
        caption = f"<caption>{escape(repr(self)[1:-1])}</caption>"
        kpis = self.kpis.set_index("name")
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(str(kpis.description[name]))}</th>'
            f"<td>{escape(text)}</td></tr>"
            for name in CARD
            if name in kpis.index and (text := self._formatted(kpis.value[name], str(kpis.unit[name])))
        )
        notes = "".join(f"<p>Warning: {escape(str(note))}</p>" for note in self.manifest.get("warnings", ()))
        table = f"<table>{caption}<tbody>{rows}</tbody></table>"
        return f'<section aria-label="Run">{table}{notes}<p><small>{self._provenance()}</small></p></section>'

    def _formatted(self, value: float, unit: str) -> str:
        return format_value(value, unit, self.scenario.tariff.currency)

    def _provenance(self) -> str:
        facts = {"seed": self.scenario.seed, "folder": self.folder}
        facts |= {key: self.manifest[key] for key in ("scenario_hash", "version") if key in self.manifest}
        return escape(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items()))


def format_value(value: float, unit: str, currency: str) -> str:
    """Return a key figure as people read it.

    >>> format_value(0.4567, "1", "EUR"), format_value(1234.5, "currency", "EUR")
    ('0.457', '1,234.50 EUR')
    """
    if np.isnan(value):
        return "none"
    if unit == "1":
        return f"{value:,.0f}" if value == round(value) else f"{value:.3f}"
    digits = 4 if "/" in unit or unit == "p.u." else 2
    return f"{value:,.{digits}f} {unit.replace('currency', currency)}"


def _values(column: Column, chunks: Any) -> Any:
    if column.kind != "choice":
        return chunks.to_numpy()
    array = chunks.unify_dictionaries().combine_chunks()
    # Parquet promises the words, not their order in its dictionary.
    positions = [column.choices.index(choice) for choice in array.dictionary.to_pylist()]
    return np.array(positions, dtype=np.int8)[array.indices.to_numpy()]


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        runs = [file.parent.name for file in folder.parent.glob(f"*/{MANIFEST}")]
        what = "there is no run here" if folder.is_dir() else "no such folder"
        hint = did_you_mean(folder.name, runs)
        raise ResultError(describe(what, where=str(folder), expected=f"a folder with {MANIFEST}", hint=hint))
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        hint = "restore the file, or run the scenario again"
        raise ResultError(describe("not a run's manifest, or damaged", where=str(path), hint=hint)) from error
    if version != FORMAT_VERSION:
        hint = "read it with the version of sunshare-sim that wrote it, or run the scenario again"
        what = "written in another format"
        raise ResultError(describe(what, where=str(path), got=version, expected=FORMAT_VERSION, hint=hint))
    return manifest


def _check_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise when a file is missing or has another size than the manifest says."""
    wrong = [f for f, entry in files.items() if _size(folder / f) != entry["bytes"]]
    if wrong:
        hint = "copy the whole folder again, or run the scenario again"
        raise ResultError(describe(f"missing or cut short: {', '.join(wrong)}", where=str(folder), hint=hint))


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _without_environment(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if key != "environment"}
