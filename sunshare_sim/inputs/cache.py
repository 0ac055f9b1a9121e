"""Data made once and kept in the user's cache folder, never in the project; a file's name tells source and version.

A cached run needs none of the heavy packages that made the data. Files appear whole or not at all (written beside
their place, then renamed), so that a second process racing with the first does harmless double work, and a file that
cannot be read is made anew.
"""

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from sunshare_sim.errors import InputError, describe

if TYPE_CHECKING:
    import pandas as pd

FOLDER_VARIABLE: Final = "SUNSHARE_CACHE"

Notice = Callable[[str], None]
Array = np.ndarray[Any, Any]
T = TypeVar("T")


def cache_folder() -> Path:
    """Return the folder of cached data: ``SUNSHARE_CACHE`` if set, else the user's cache folder. It may not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("sunshare-sim")


def cached_arrays(
    name: str,
    version: str,
    build: Callable[[], Mapping[str, Array]],
    *,
    notice: Notice | None = None,
    doing: str = "",
) -> dict[str, Array]:
    """Return named arrays from the cache; build and keep them the first time.

    Parameters
    ----------
    name : str
        What the arrays are, and from which source, such as ``"simbench-shapes"``.
    version : str
        Version of the source and of the form the arrays are kept in; another version is another file.
    build : callable
        Makes the arrays; called only when there is no readable file.
    notice : callable, optional
        Told in words what is being made, only if something is.
    doing : str, optional
        Those words; by default name and version.
    """

    def load(path: Path) -> dict[str, Array]:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)

    def save(path: Path, arrays: dict[str, Array]) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    return _cached(
        _place(name, version, ".npz"),
        lambda: dict(build()),
        (load, save),
        notice,
        doing or f"{name} {version}",
    )


def cached_array(
    name: str, version: str, build: Callable[[], Array], *, notice: Notice | None = None, doing: str = ""
) -> Array:
    """Return one big array from the cache, mapped into memory read-only, so that only what is touched is read.

    Parameters are those of `cached_arrays`; `build` returns a single array.
    """
    path = _place(name, version, ".npy")

    def load(path: Path) -> Array:
        return np.lib.format.open_memmap(path, mode="r")

    def save(path: Path, array: Array) -> None:
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)

    _cached(path, build, (load, save), notice, doing or f"{name} {version}")
    return load(path)


def cached_tables(
    name: str,
    version: str,
    build: Callable[[], Mapping[str, "pd.DataFrame"]],
    *,
    notice: Notice | None = None,
    doing: str = "",
) -> dict[str, "pd.DataFrame"]:
    """Return small named tables from the cache, numbers to the last bit; parameters are those of `cached_arrays`."""
    import pandas as pd

    def load(path: Path) -> dict[str, pd.DataFrame]:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {table: pd.DataFrame(columns) for table, columns in stored.items()}

    def save(path: Path, tables: dict[str, pd.DataFrame]) -> None:
        plain = {table: frame.to_dict("list") for table, frame in tables.items()}
        path.write_text(json.dumps(plain), encoding="utf-8")

    return _cached(
        _place(name, version, ".json"),
        lambda: dict(build()),
        (load, save),
        notice,
        doing or f"{name} {version}",
    )


def _place(name: str, version: str, suffix: str) -> Path:
    return cache_folder() / re.sub(r"[^A-Za-z0-9._+-]+", "_", f"{name}-{version}{suffix}")


def _cached(
    path: Path,
    build: Callable[[], T],
    form: tuple[Callable[[Path], T], Callable[[Path, T], None]],
    notice: Notice | None,
    doing: str,
) -> T:
    load, save = form
    if path.exists():
        try:
            return load(path)
        except (OSError, ValueError, KeyError, AttributeError, TypeError, EOFError, zipfile.BadZipFile):
            doing += " (the cached file could not be read)"
    if notice is not None:
        notice(doing)
    made = build()
    _write_whole(path, lambda beside: save(beside, made))
    return made


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        write(Path(beside))
        Path(beside).replace(path)
        beside = None
    except OSError as error:
        raise InputError(
            describe(
                "the cache cannot be written",
                where=str(path.parent),
                got=error.strerror or str(error),
                hint=f"set {FOLDER_VARIABLE} to a folder you may write to",
            )
        ) from error
    finally:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
