import multiprocessing

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import InputError
from sunshare_sim.inputs.cache import cache_folder, cached_array, cached_arrays, cached_tables


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_folder_is_the_users_own_unless_chosen(folder, monkeypatch):
    assert cache_folder() == folder
    monkeypatch.delenv("SUNSHARE_CACHE")
    assert cache_folder().name == "sunshare-sim"
    assert not folder.exists(), "asking where the cache is does not make it"


def test_arrays_are_built_once_and_come_back_equal(folder):
    built, told = [], []

    def build():
        built.append(1)
        return {"a": np.arange(5), "b": np.linspace(0, 1, 7, dtype=np.float32).reshape(7, 1)}

    first = cached_arrays("things", "1.2", build, notice=told.append, doing="making things")
    second = cached_arrays("things", "1.2", build, notice=told.append)
    assert built == [1]
    assert told == ["making things"]
    assert [path.name for path in folder.iterdir()] == ["things-1.2.npz"], "name and version, and no leftover"
    for name in ("a", "b"):
        np.testing.assert_array_equal(first[name], second[name])
        assert first[name].dtype == second[name].dtype


def test_another_version_is_another_file(folder):
    for release in ("1", "2"):
        assert cached_arrays("x", release, lambda r=release: {"v": np.array([int(r)])})["v"][0] == int(
            release
        )
    assert len(list(folder.iterdir())) == 2


def test_names_from_outside_stay_in_the_folder(folder):
    cached_arrays("../grid a/b", "1", lambda: {"v": np.zeros(1)})
    assert [path.parent for path in folder.iterdir()] == [folder]


def test_one_big_array_is_mapped_read_only(folder):
    array = cached_array("big", "1", lambda: np.arange(10.0))
    again = cached_array("big", "1", lambda: pytest.fail("built twice"))
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(array, again)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 1


def test_tables_keep_numbers_to_the_last_bit(folder):
    table = pd.DataFrame({"n": [1, 2], "v": [0.1 + 0.2, np.nan], "s": ["ä", ""]})
    cached_tables("t", "1", lambda: {"t": table})
    pd.testing.assert_frame_equal(cached_tables("t", "1", lambda: pytest.fail("built twice"))["t"], table)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04nonsense", None], ids=["empty", "nonsense", "cut short"])
@pytest.mark.parametrize("form", ["arrays", "array", "tables"])
def test_a_damaged_file_is_made_anew(folder, damage, form):
    value = np.arange(1000.0)
    get = {
        "arrays": lambda notice: cached_arrays("d", "1", lambda: {"v": value}, notice=notice)["v"],
        "array": lambda notice: cached_array("d", "1", lambda: value, notice=notice),
        "tables": lambda notice: cached_tables(
            "d", "1", lambda: {"t": pd.DataFrame({"v": value})}, notice=notice
        )["t"]["v"],
    }[form]
    get(None)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-30] if damage is None else damage)
    told = []
    np.testing.assert_array_equal(get(told.append), value)
    assert "could not be read" in told[0]
    np.testing.assert_array_equal(get(lambda _: pytest.fail("still damaged")), value)


def test_a_failed_build_leaves_nothing(folder):
    def fail():
        raise InputError("no data")

    with pytest.raises(InputError, match="no data"):
        cached_arrays("f", "1", fail)
    assert not folder.exists()


def test_a_failed_write_leaves_nothing(folder):
    with pytest.raises(TypeError):
        cached_tables("f", "1", lambda: {"t": pd.DataFrame({"v": [object()]})})
    assert list(folder.iterdir()) == []


def test_no_permission_names_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"cache cannot be written.*set SUNSHARE_CACHE"):
        cached_arrays("x", "1", lambda: {"v": np.zeros(1)})


def _build_slowly(barrier, results):
    def build():
        barrier.wait(timeout=60)  # both processes are building at the same time
        return {"v": np.full(200_000, 7.0)}

    results.put(float(cached_arrays("race", "1", build)["v"].sum()))


def test_two_processes_racing_do_no_harm(folder):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_build_slowly, args=(barrier, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [1_400_000.0] * 2
    for worker in workers:
        worker.join()
    assert [path.name for path in folder.iterdir()] == ["race-1.npz"]
