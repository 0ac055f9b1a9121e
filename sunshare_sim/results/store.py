"""The folder of a run: tables, panels, texts, and a manifest with a hash of each.

A run is written into a hidden folder beside its place and moved there when it is whole: a folder that exists
under its name is complete. What failed leaves nothing; what was interrupted is kept, readable, as
``<name>.partial``.
"""

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.results.tables import TABLES, Array, schema_of
from sunshare_sim.results.writers import PanelWriter, TableWriter

FORMAT_VERSION: Final = 2  # 2: tables of wires, tariffs, events and settlement; 1 was read by 0.1 before
MANIFEST: Final = "manifest.json"
PANELS: Final = "panels"
LEAST_FREE_BYTES: Final = 32_000_000  # a week of 100 homes takes 2 MB; below this a disk is as good as full
HINT: Final = "choose a folder you may write to with --out, or free some space"


class RunWriter:
    """Write one run; nothing is seen under its name before it is whole.

    Parameters
    ----------
    out : Path
        Folder of the run. A run that is already there is replaced when this one is complete; any other folder
        or file is left alone and refused.

    Raises
    ------
    ResultError
        At once when the folder cannot be made, and from any method when the disk gives out; the temporary
        folder is then removed.

    Examples
    --------
    >>> with RunWriter(Path("results/demo-1")) as writer:  # doctest: +SKIP
    ...     writer.append("trades", {"slot": 0, "buyer": buyers, ...})
    ...     writer.finish({"seed": 1, "environment": {"seconds": 0.1}})
    """

    def __init__(self, out: Path) -> None:
        self.out = Path(out)
        self._tables: dict[str, TableWriter] = {}
        self._panels: dict[str, PanelWriter] = {}
        refuse_foreign(self.out)
        self.folder = self.out.parent / f".{self.out.name}.{secrets.token_hex(4)}.tmp"
        with self._guarded():
            self.folder.mkdir(parents=True)
            free = shutil.disk_usage(self.folder).free
        if free < LEAST_FREE_BYTES:
            self.discard()
            got, want = f"{free / 1e6:.0f} MB free", f"at least {LEAST_FREE_BYTES / 1e6:.0f} MB"
            where = str(self.out.parent)
            raise ResultError(describe("the disk is full", where=where, got=got, expected=want, hint=HINT))

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was not finished or abandoned."""
        self.discard()

    def append(self, table: str, columns: Mapping[str, Any]) -> None:
        """Add rows to `table`.

        Parameters
        ----------
        table : str
            Name of the table, one of `TABLES`.
        columns : mapping of str to array
            Every column under its stored name (exact ones as int64, ``energy_micro_kwh``), all of one length;
            a scalar stands for all rows. Arrays are copied and may be used again.
        """
        writer = self._tables.get(table)
        if writer is None:
            writer = self._tables[table] = self._new_table(table)
        with self._guarded():
            writer.append(columns)

    def write(self, table: str, columns: Mapping[str, Any]) -> None:
        """Write the whole of a table at once: a mapping of columns as in `append`, or a DataFrame of them."""
        if table in self._tables:
            raise ResultError(describe("table is already written", where=table))
        self.append(table, {name: columns[name] for name in columns})

    def panel(self, name: str, block: Array) -> None:
        """Add the next slots to the panel `name`, shape [slots, homes]; kept as float32."""
        with self._guarded():
            if name not in self._panels:
                path = self.folder / PANELS / f"{name}.npy"
                path.parent.mkdir(exist_ok=True)
                self._panels[name] = PanelWriter(path, block.shape[-1])
            self._panels[name].append(block)

    def text(self, name: str, text: str) -> None:
        """Write a text file such as ``scenario.yaml``, UTF-8 with bare line feeds."""
        with self._guarded():
            (self.folder / name).write_text(text, encoding="utf-8", newline="\n")

    def finish(self, manifest: Mapping[str, Any]) -> Path:
        """Close all files, write the manifest and move the run to its place, which is returned.

        Parameters
        ----------
        manifest : mapping
            Whatever describes the run. What may differ between two runs of the same scenario and seed
            (versions, timings, host) belongs under ``environment``.
        """
        return self._complete({"state": "complete"}, manifest, self.out)

    def abandon(self, manifest: Mapping[str, Any], reason: str) -> Path:
        """Do the same with what there is, marked partial, and return its place: ``<out>.partial``."""
        place = self.out.with_name(f"{self.out.name}.partial")
        refuse_foreign(place)
        return self._complete({"state": "partial", "reason": reason}, manifest, place)

    def discard(self) -> None:
        """Remove the temporary folder, if the run has not been moved to its place."""
        for writer in self._writers():
            with suppress(OSError):  # a full disk refuses the end of a file too; the file goes anyway
                writer.abort()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _writers(self) -> list[TableWriter | PanelWriter]:
        return [*self._tables.values(), *self._panels.values()]

    def _new_table(self, table: str) -> TableWriter:
        return TableWriter(self.folder / f"{table}.parquet", schema_of(table))

    def _complete(self, state: dict[str, Any], manifest: Mapping[str, Any], place: Path) -> Path:
        with self._guarded():
            for name, schema in TABLES.items():
                if name not in self._tables and not schema.optional:
                    self._tables[name] = self._new_table(name)
            for writer in self._writers():
                writer.close()
            head: dict[str, Any] = {"format_version": FORMAT_VERSION, **state}
            content = head | dict(manifest) | head
            content["files"] = _inventory(
                self.folder, {writer.path: writer.rows for writer in self._writers()}
            )
            content["environment"] = content.pop("environment", {})  # last: all above it repeats exactly
            text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
            (self.folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
            _replace(self.folder, place)
        return place

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.discard()
            what = f"cannot write the run's folder ({error.strerror or error})"
            raise ResultError(describe(what, where=str(self.out), hint=HINT)) from error


def refuse_foreign(place: Path) -> None:
    """Raise when `place` holds something that is not a run: it is never overwritten."""
    holds_files = place.is_dir() and any(place.iterdir())
    if place.is_file() or (holds_files and not (place / MANIFEST).is_file()):
        what, hint = (
            "exists and is not a run, so it is not replaced",
            "choose another folder, or move it away",
        )
        raise ResultError(describe(what, where=str(place), hint=hint))


def _inventory(folder: Path, rows: Mapping[Path, int]) -> dict[str, dict[str, Any]]:
    """Return SHA-256, size and rows of every file in `folder`, by relative path."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        entry: dict[str, Any] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        if path in rows:
            entry["rows"] = rows[path]
        files[path.relative_to(folder).as_posix()] = entry
    return files


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _replace(folder: Path, place: Path) -> None:
    """Move `folder` to `place`; an older run there is moved aside first and deleted last."""
    old = place.with_name(f".{place.name}.{secrets.token_hex(4)}.old")
    if place.exists():
        place.rename(old)
    try:
        folder.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)
