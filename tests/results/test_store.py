import json
import resource
import shutil
import signal
from hashlib import sha256

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.errors import ResultError
from sunshare_sim.results import store, writers
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import RunWriter
from sunshare_sim.results.tables import TABLES

INTEGERS = ("buyer", "seller", "buyer_pool", "seller_pool", "energy_micro_kwh", "price_micro_per_kwh")
T0 = np.datetime64("2025-06-01T22:00:00", "s")
NOISE = np.random.default_rng(1).integers(0, 2**62, 4096)


def trades(count, slot=0, **changed):
    columns = {name: np.arange(count, dtype=np.int64) % 100 for name in (*INTEGERS, "charge_micro_per_kwh")}
    columns |= dict.fromkeys(("status", "reason"), np.zeros(count, dtype=np.int8))
    columns |= dict.fromkeys(("block", "latency_ms"), np.arange(count, dtype=np.int64))
    return {"slot": slot, "time": T0, **columns, **changed}


def parquet_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_same_rows_give_same_bytes_however_they_come(write, tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "ROW_GROUP", 256)
    whole = write(tmp_path / "whole", slots=96)
    pieces = write(tmp_path / "pieces", slots=96, chunk=17)
    assert parquet_bytes(whole) == parquet_bytes(pieces)
    groups = pq.ParquetFile(whole / "trades.parquet").metadata
    assert groups.num_row_groups > 2
    assert {groups.row_group(i).num_rows for i in range(groups.num_row_groups - 1)} == {256}
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (whole, pieces)]
    assert manifests[0] == manifests[1]


def test_files_hold_no_trace_of_pandas_or_clock(write, tmp_path):
    schema = pq.read_schema(write(tmp_path / "run", slots=96) / "slots.parquet")
    assert schema.metadata is None or b"pandas" not in schema.metadata


def test_integers_survive_beyond_the_precision_of_floats(tmp_path):
    big = np.array([2**53 + 1, 2**62 + 1, -(2**62) - 1])
    with RunWriter(tmp_path / "run") as writer:
        writer.append("trades", trades(3, energy_micro_kwh=big))
        folder = writer.finish({})
    assert Run.load(folder).exact("trades").energy_micro_kwh.tolist() == big.tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12), st.integers(0, 2**32))
def test_whatever_is_appended_is_read_back(tmp_path_factory, sizes, seed):
    rng = np.random.default_rng(seed)
    parts = [
        trades(n, slot=slot, **{name: rng.integers(0, 30_000, n) for name in INTEGERS})
        for slot, n in enumerate(sizes)
    ]
    with pytest.MonkeyPatch.context() as patch, RunWriter(tmp_path_factory.mktemp("p") / "run") as writer:
        patch.setattr(writers, "ROW_GROUP", 32)
        for part in parts:
            writer.append("trades", part)
        folder = writer.finish({})
    back = Run.load(folder).exact("trades")
    assert len(back) == sum(sizes)
    assert back.slot.tolist() == [slot for slot, n in enumerate(sizes) for _ in range(n)]
    for name in INTEGERS:
        assert back[name].tolist() == [value for part in parts for value in part[name].tolist()]


def test_appended_arrays_may_be_used_again(tmp_path):
    with RunWriter(tmp_path / "run") as writer:
        columns = trades(4)
        writer.append("trades", columns)
        columns["buyer"][:] = 99
        folder = writer.finish({})
    assert Run.load(folder).trades.buyer.tolist() == [0, 1, 2, 3]


def test_tables_without_rows_are_there_and_optional_ones_are_not(tmp_path):
    with RunWriter(tmp_path / "run") as writer:
        folder = writer.finish({"seed": 1})
    run = Run.load(folder)
    assert len(run.trades) == 0
    assert list(run.bills.columns) == [column.name for column in TABLES["bills"].columns]
    with pytest.raises(ResultError, match=r"results\.orders: true"):
        _ = run.orders


def test_manifest_knows_every_file(write, tmp_path):
    folder = write(tmp_path / "run", slots=96)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert list(manifest)[:2] == ["format_version", "state"]
    assert list(manifest)[-1] == "environment"
    assert manifest["state"] == "complete"
    assert manifest["files"]["slots.parquet"]["rows"] == 96
    assert manifest["files"]["panels/soc_kwh.npy"]["rows"] == 96
    on_disk = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"manifest.json"}
    assert on_disk == set(manifest["files"])
    for file, entry in manifest["files"].items():
        assert sha256((folder / file).read_bytes()).hexdigest() == entry["sha256"]


def test_a_manifest_cannot_pass_a_partial_run_for_complete(tmp_path):
    with RunWriter(tmp_path / "run") as writer:
        folder = writer.abandon({"state": "complete", "format_version": 7}, "interrupted")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["state"], manifest["format_version"]) == ("partial", store.FORMAT_VERSION)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (trades(3, energy_micro_kwh=np.array([0.1, 0.2, 0.3])), "energy_micro_kwh.*float64.*expected int64"),
        (trades(3, time=np.arange(3)), "time.*wrong type"),
        (trades(3, buyer=np.arange(2)), "buyer.*different length|seller.*different length"),
        ({k: v for k, v in trades(3).items() if k != "buyer"}, "missing columns.*buyer"),
        ({**trades(3), "energy_kwh": np.ones(3)}, "unknown columns.*energy_kwh"),
    ],
)
def test_wrong_columns_are_refused(tmp_path, columns, message):
    with RunWriter(tmp_path / "run") as writer, pytest.raises(ResultError, match=message):
        writer.append("trades", columns)
    assert listing(tmp_path) == []


def test_numbers_that_do_not_fit_are_refused_not_wrapped(tmp_path):
    with RunWriter(tmp_path / "run") as writer:
        writer.append("trades", trades(3, buyer_pool=np.full(3, 40_000)))
        with pytest.raises(ResultError, match=r"trades\.buyer_pool.*40000"):
            writer.finish({})
    assert listing(tmp_path) == []


def test_missing_text_is_refused(tmp_path):
    row = {"name": ["a", None], "value": [1.0, 2.0], "unit": ["", ""], "description": ["", ""]}
    with RunWriter(tmp_path / "run") as writer:
        writer.write("kpis", row)
        with pytest.raises(ResultError, match=r"kpis\.name.*missing"):
            writer.finish({})


def test_a_table_is_written_once(tmp_path):
    row = {"name": ["a"], "value": [1.0], "unit": [""], "description": [""]}
    with RunWriter(tmp_path / "run") as writer:
        writer.write("kpis", row)
        with pytest.raises(ResultError, match="already written"):
            writer.write("kpis", row)


def test_panel_of_another_shape_is_refused(tmp_path):
    with RunWriter(tmp_path / "run") as writer:
        writer.panel("soc_kwh", np.zeros((2, 3)))
        with pytest.raises(ResultError, match="panel soc_kwh: wrong shape"):
            writer.panel("soc_kwh", np.zeros((2, 4)))


def test_an_older_run_is_replaced_only_when_the_new_one_is_whole(write, tmp_path):
    out = write(tmp_path / "run", slots=96, manifest={"seed": 1})
    writer = RunWriter(out)
    writer.append("trades", trades(3))
    assert Run.load(out).manifest["seed"] == 1
    writer.discard()
    assert Run.load(out).manifest["seed"] == 1
    write(out, slots=96, manifest={"seed": 2})
    assert Run.load(out).manifest["seed"] == 2
    assert listing(tmp_path) == ["run"]


def fail():
    raise RuntimeError("boom")


def test_a_fault_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="boom"), RunWriter(tmp_path / "run"):
        fail()
    assert listing(tmp_path) == []


def test_an_interrupted_run_is_kept_beside_the_complete_one(write, tmp_path):
    out = write(tmp_path / "run", slots=96)
    with RunWriter(out) as writer:
        writer.append("trades", trades(3))
        place = writer.abandon({"seed": 1}, "interrupted by the user")
    assert place == tmp_path / "run.partial"
    assert Run.load(out).manifest["state"] == "complete"
    assert listing(tmp_path) == ["run", "run.partial"]


def test_failing_replacement_puts_the_older_run_back(write, tmp_path, monkeypatch):
    out = write(tmp_path / "run", slots=96, manifest={"seed": 1})
    rename = type(out).rename

    def refuse(self, target):
        if self.name.endswith(".tmp"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(type(out), "rename", refuse)
    with pytest.raises(ResultError, match="Permission denied"):
        write(out, slots=96, manifest={"seed": 2})
    monkeypatch.undo()
    assert Run.load(out).manifest["seed"] == 1
    assert listing(tmp_path) == ["run"]


def test_foreign_folders_and_files_are_never_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name in ("thesis", "file"):
        with pytest.raises(ResultError, match="not a run, so it is not replaced"):
            RunWriter(tmp_path / name)
    assert listing(tmp_path) == ["file", "thesis"]


def test_an_empty_folder_is_as_good_as_none(write, tmp_path):
    (tmp_path / "run").mkdir()
    assert Run.load(write(tmp_path / "run", slots=96)).manifest["state"] == "complete"


def test_parent_that_is_a_file(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(ResultError, match=r"cannot write the run's folder \(Not a directory\).*--out"):
        RunWriter(tmp_path / "results" / "run")


def test_parent_without_permission(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "mkdir", refuse)
    with pytest.raises(ResultError, match=r"\(Permission denied\).*choose a folder you may write to"):
        RunWriter(tmp_path / "run")


def test_full_disk_is_told_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1_000_000))
    with pytest.raises(ResultError, match="the disk is full; got '1 MB free'"):
        RunWriter(tmp_path / "run")
    assert listing(tmp_path) == []


def fill_by_append(writer):
    writer.append("trades", trades(4096, energy_micro_kwh=NOISE))


def fill_by_panel(writer):
    writer.panel("soc_kwh", np.zeros((100, 100)))


def fill_by_finish(writer):
    writer.append("trades", trades(4000, energy_micro_kwh=NOISE[:4000]))
    writer.finish({})


@pytest.mark.parametrize("fill", [fill_by_append, fill_by_panel, fill_by_finish])
def test_disk_that_fills_up_leaves_nothing(tmp_path, monkeypatch, fill):
    """A real refusal by the kernel: no file of this process may grow beyond 20 kB."""
    monkeypatch.setattr(writers, "ROW_GROUP", 4096)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = RunWriter(tmp_path / "run")
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(ResultError, match=r"cannot write the run's folder.*free some space"):
            fill(writer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert listing(tmp_path) == []
