"""The folder of a study: whose it is, which runs it has, what failed; one writer at a time, or many shards.

study.json, environment.json    what was asked and is known; where and how long it ran
study.yaml                      the study file as given
<table>.parquet, <table>.csv    runs, kpis, differences
runs/<variant>/<seed>/          a run each, whole or not there
failures/<variant>/<seed>.json  error and traceback of a run that failed
"""

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.results.store import FORMAT_VERSION as RUN_FORMAT
from sunshare_sim.results.store import MANIFEST
from sunshare_sim.scenario.canonical import scenario_hash
from sunshare_sim.studies.task import Outcome, Task

FORMAT_VERSION: Final = 1
RECORD: Final = "study.json"
RUNS: Final = "runs"
FAILURES: Final = "failures"
LOCK: Final = ".lock"
GO_ON: Final = "finished runs stay: run the same command again to go on from there"


class StudyFolder:
    """Hold a study's folder while it is worked on.

    Parameters
    ----------
    path : Path
        The folder; made if it is not there.
    study_hash : str
        What is run in it. A folder of another study is refused.
    shared : bool
        Whether other processes may work on it as well: the shards of one study.

    Raises
    ------
    ResultError
        When the folder is another study's, no study's at all, cannot be written, or is being worked on.
    """

    def __init__(self, path: Path, study_hash: str, *, shared: bool = False) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None
        if path.exists():
            _refuse_other(path, study_hash)
        with guarded(path):
            (path / RUNS).mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path, shared=shared)
            if not (path / RECORD).exists():
                self.write_json(
                    RECORD, {"format_version": FORMAT_VERSION, "study_hash": study_hash, "state": "begun"}
                )
            if not shared:
                self.sweep()

    def __enter__(self) -> Self:
        """Return the folder."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others work on it."""
        if self._lock is not None:
            self._lock.close()

    def sweep(self) -> None:
        """Remove what killed processes left half written; nobody else is at work."""
        for left in [*self.path.glob(f"{RUNS}/*/.*.tmp"), *self.path.glob(f"{RUNS}/*/.*.old")]:
            shutil.rmtree(left, ignore_errors=True)
        for file in self.path.rglob(".*.new"):
            file.unlink(missing_ok=True)

    def note(self, outcome: Outcome) -> None:
        """Keep the error of a run that failed, or forget the one it had before."""
        file = failure_file(self.path, outcome.variant, outcome.seed)
        with guarded(self.path):
            if not outcome.error:
                file.unlink(missing_ok=True)
                return
            content = {
                "variant": outcome.variant,
                "seed": outcome.seed,
                "error": outcome.error,
                "traceback": outcome.trace,
            }
            self.write_json(file.relative_to(self.path).as_posix(), content)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file, whole or not at all."""
        self.write_text(name, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, whole or not at all."""
        with self.beside(name) as new:
            new.write_text(text, encoding="utf-8", newline="\n")

    @contextmanager
    def beside(self, name: str) -> Iterator[Path]:
        """Give a path to write to, and move what is written there to its place."""
        place = self.path / name
        new = place.with_name(f".{place.name}.{secrets.token_hex(4)}.new")
        with guarded(self.path):
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield new
                new.replace(place)
            finally:
                with suppress(OSError):
                    new.unlink(missing_ok=True)


def run_folder(study: Path, variant: str, seed: int) -> Path:
    """Return where a run of a study lies."""
    return study / RUNS / variant / str(seed)


def failure_file(study: Path, variant: str, seed: int) -> Path:
    """Return where the error of a run is kept."""
    return study / FAILURES / variant / f"{seed}.json"


def is_finished(task: Task) -> bool:
    """Return whether the run is there and whole; one that was cut short is not.

    Raises
    ------
    ResultError
        When it was written by a version with another format, or is the run of another scenario.
    """
    try:
        manifest = json.loads((task.folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = manifest["format_version"], manifest["files"]
        sizes = {name: entry["bytes"] for name, entry in files.items()}
        found = manifest["scenario_hash"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    if version != RUN_FORMAT:
        hint = "go on with the version of sunshare-sim that began it, or take another folder with --out"
        what = "a run of this study was written in another format"
        where = str(task.folder)
        raise ResultError(describe(what, where=where, got=version, expected=RUN_FORMAT, hint=hint))
    if found != scenario_hash(task.scenario):
        hint = "take another folder with --out, or move this run away"
        raise ResultError(describe("the run of another scenario", where=str(task.folder), hint=hint))
    return manifest.get("state") == "complete" and all(
        _size(task.folder / name) == size for name, size in sizes.items()
    )


def read_record(path: Path) -> dict[str, Any]:
    """Return what a study's folder says of itself.

    Raises
    ------
    ResultError
        When there is no study, or its format is another.
    """
    file = path / RECORD
    if not file.is_file():
        what = "there is no study here" if path.is_dir() else "no such folder"
        raise ResultError(describe(what, where=str(path), expected=f"a folder with {RECORD}"))
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        version = record["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(describe("not a study's record, or damaged", where=str(file))) from error
    if version != FORMAT_VERSION:
        hint = (
            "read it with the version of sunshare-sim that wrote it, or run the study again in another folder"
        )
        what = "a study written in another format"
        raise ResultError(describe(what, where=str(file), got=version, expected=FORMAT_VERSION, hint=hint))
    return record


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into an error that says so."""
    try:
        yield
    except OSError as error:
        what = f"cannot write the study's folder ({error.strerror or error})"
        raise ResultError(
            describe(what, where=str(path), hint=f"free some space or use --out; {GO_ON}")
        ) from error


def _refuse_other(path: Path, study_hash: str) -> None:
    if not path.is_dir() or (not (path / RECORD).is_file() and _holds_something(path)):
        hint = "choose another folder with --out, or move it away"
        raise ResultError(describe("exists and is not a study", where=str(path), hint=hint))
    if (path / RECORD).is_file() and read_record(path).get("study_hash") != study_hash:
        what = "holds a study of other scenarios, so this one cannot go on there"
        hint = "choose another folder with --out, or move it away; nothing in it was changed"
        raise ResultError(describe(what, where=str(path), hint=hint))


def _holds_something(path: Path) -> bool:
    """Return whether there is more than what a study that was killed at once leaves."""
    own = {LOCK, RUNS}
    return any(entry.name not in own and not entry.name.endswith(".new") for entry in path.iterdir()) or any(
        (path / RUNS).glob("*")
    )


def _locked(path: Path, *, shared: bool) -> IO[bytes] | None:
    """Return the open lock file; the system frees the lock when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two commands on one folder only do the same work twice there
        return None
    file = (path / LOCK).open("ab")
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        hint = "wait until it has finished; to share the work use --shard"
        raise ResultError(
            describe("another process is at work on this study", where=str(path), hint=hint)
        ) from error
    except OSError:  # a network file system without locks
        pass
    return file


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
