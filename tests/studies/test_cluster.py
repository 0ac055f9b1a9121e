"""The same study on a Dask cluster of local processes, and what a wrong address says."""

import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.studies.execute import run_study

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed (extra `dask`)")


@pytest.fixture(scope="module")
def cluster():
    """Start a scheduler and two worker processes of one thread each, on this machine only."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as found:
        yield found


def test_the_same_bytes_as_on_one_worker(write, tmp_path, content, cluster):
    file = write()
    run_study(file, out=tmp_path / "one", workers=1)
    study = run_study(file, out=tmp_path / "cluster", scheduler=cluster.scheduler_address)
    assert set(study.runs["state"]) == {"finished"}
    assert content(tmp_path / "cluster") == content(tmp_path / "one")


def test_a_failing_run_on_the_cluster(write, tmp_path, cluster):
    text = "base: tiny.yaml\nvariants: {bad: {set: {feeder.lines: [{from_bus: x, to_bus: y, r_ohm: 1, x_ohm: 1}]}}}\n"
    study = run_study(
        write(text + "replications: 1\n"), out=tmp_path / "out", scheduler=cluster.scheduler_address
    )
    assert list(study.runs["state"]) == ["finished", "failed"]
    assert "Error" in study.runs["error"].iloc[1]
    assert "Traceback" in study.traceback("bad", 1)


def test_workers_with_several_threads_are_refused(write, tmp_path):
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as threads,
        pytest.raises(ResultError, match="a worker of the cluster has several threads"),
    ):
        run_study(write(), out=tmp_path / "out", scheduler=threads.scheduler_address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://"])
def test_nobody_answers(write, tmp_path, monkeypatch, address):
    monkeypatch.setattr("sunshare_sim.studies.cluster.TIMEOUT", "300ms")
    with pytest.raises(ResultError, match="no Dask scheduler answers"):
        run_study(write(), out=tmp_path / "out", scheduler=address)


def test_without_the_extra(write, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(
        ResultError, match=r"dask.distributed is not installed; pip install \"sunshare-sim\[dask\]\""
    ):
        run_study(write(), out=tmp_path / "out", scheduler="tcp://127.0.0.1:9")
