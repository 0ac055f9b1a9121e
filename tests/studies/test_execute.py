"""Studies that run: the same files whoever does the work, failures that stay apart, folders that are refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import sunshare_sim
from sunshare_sim.errors import ResultError, ScenarioError, SunShareWarning
from sunshare_sim.studies.execute import run_study
from sunshare_sim.studies.study import Study

CRASHES = """\
import os, signal
from dataclasses import dataclass
from pathlib import Path
from sunshare_sim import Quotes, Strategy, strategy


@strategy("crasher")
@dataclass(frozen=True)
class Crasher(Strategy):
    \"\"\"Kill the process as often as there are files left to remove.\"\"\"
    lives: int = 0

    def quote(self, view):
        for path in sorted(Path(os.environ["LIVES"]).glob("*"))[:1]:
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return Quotes(view.limit_price, abs(view.net_kwh))


@strategy("fails")
@dataclass(frozen=True)
class Fails(Strategy):
    \"\"\"Fail.\"\"\"

    def quote(self, view):
        print("what a strategy prints does no harm")
        raise ZeroDivisionError("of a strategy")
"""
BROKEN = """\
base: tiny.yaml
modules: [own_strategies]
variants:
  bad: {set: {"households.groups[0].strategy": {name: %s}}}
  dear: {set: {network.charges.within_zone_per_kwh: 0.05}}
replications: 2
"""


@pytest.fixture
def own_strategies(tmp_path, monkeypatch):
    (tmp_path / "own_strategies.py").write_text(CRASHES)
    lives = tmp_path / "lives"
    lives.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LIVES", str(lives))
    return lives


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the study file and the folder of a study run in this process."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("study_texts", __file__.replace("test_execute", "conftest"))
    texts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(texts)
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(texts.BASE)
    (folder / "study.yaml").write_text(texts.STUDY)
    run_study(folder / "study.yaml", out=folder / "out", workers=0)
    return folder


def test_the_same_bytes_on_any_number_of_workers(finished, tmp_path, content):
    expected = content(finished / "out")
    assert len(expected) > 9 * 10
    for workers in (1, 2):
        run_study(finished / "study.yaml", out=tmp_path / str(workers), workers=workers)
        assert content(tmp_path / str(workers)) == expected


def test_tables(finished):
    study = Study.load(finished / "out")
    assert list(study.runs.columns) == ["variant", "seed", "state", "folder", "error"]
    assert list(study.runs["variant"]) == ["base"] * 3 + ["none"] * 3 + ["dear"] * 3
    assert list(study.runs["seed"]) == [1, 2, 3] * 3
    assert set(study.runs["state"]) == {"finished"}
    assert list(study.variants["variant"]) == ["base", "none", "dear"]
    assert list(study.variants["market.mechanism"]) == ["cda", "none", "cda"]
    kpis = study.run("dear", 2).kpis
    mine = study.kpis.query("variant == 'dear' and seed == 2")
    assert list(mine["kpi"]) == list(kpis["name"])
    pd.testing.assert_series_equal(
        mine["value"].reset_index(drop=True), kpis["value"].astype(float), check_names=False
    )
    assert list(study.differences["kpi"]) == ["total_bill", "total_bill", "traded_kwh", "traded_kwh"]
    row = study.differences.query("kpi == 'traded_kwh' and variant == 'none'").iloc[0]
    assert row["mean"] == 0
    assert row["difference"] == -row["base_mean"] < 0
    assert len(study.bills) == 9 * 3
    assert study.bills.query("variant == 'none' and seed == 1")["total"].sum() == pytest.approx(
        study.run("none", 1).bills["total"].sum()
    )


def test_common_random_numbers(finished):
    """Weather, load and arrival are the same draws: what no variant touches is the same to the last bit."""
    study = Study.load(finished / "out")
    for seed in (1, 2, 3):
        slots = study.run("base", seed).exact("slots")
        for variant in ("none", "dear"):
            other = study.run(variant, seed).exact("slots")
            for column in ("load_micro_kwh", "solar_micro_kwh", "soc_kwh", "surplus_micro_kwh"):
                assert slots[column].equals(other[column])
    traded = study.kpis.query("kpi == 'mean_local_price' and variant == 'base'")["value"]
    assert traded.nunique(dropna=False) == 3


def test_a_finished_study_is_not_run_again(finished, content):
    before = {path: path.stat().st_mtime_ns for path in (finished / "out" / "runs").rglob("*")}
    expected = content(finished / "out")
    run_study(finished / "study.yaml", out=finished / "out", workers=2)
    assert {path: path.stat().st_mtime_ns for path in (finished / "out" / "runs").rglob("*")} == before
    assert content(finished / "out") == expected


def test_what_is_half_written_is_made_again(finished, tmp_path, content):
    expected = content(finished / "out")
    out = tmp_path / "out"
    shutil.copytree(finished / "out", out)
    (out / "runs/base/2/slots.parquet").write_bytes(b"PAR1")
    (out / "runs/none/1/manifest.json").write_text('{"format_version"')
    shutil.rmtree(out / "runs/dear/3")
    (out / "runs/dear/.3.abcd1234.tmp/ledger").mkdir(parents=True)
    (out / "kpis.parquet").unlink()
    (out / ".kpis.parquet.abcd1234.new").write_bytes(b"PA")
    run_study(finished / "study.yaml", out=out, workers=0)
    assert content(out) == expected


def test_a_study_can_be_extended(finished, tmp_path, content):
    out = tmp_path / "out"
    shutil.copytree(finished / "out", out)
    before = (out / "runs/base/1/manifest.json").stat().st_mtime_ns
    text = (finished / "study.yaml").read_text().replace("replications: 3", "replications: 4")
    (finished / "more.yaml").write_text(text)
    study = run_study(finished / "more.yaml", out=out, workers=0)
    assert study.seeds == (1, 2, 3, 4)
    assert len(study.runs) == 12
    assert (out / "runs/base/1/manifest.json").stat().st_mtime_ns == before


def test_shards_make_the_same_study(finished, tmp_path, content):
    expected = content(finished / "out")
    out = tmp_path / "out"
    for shard in ((2, 3), (1, 3)):
        part = run_study(finished / "study.yaml", out=out, workers=0, shard=shard)
    assert part.runs["state"].value_counts().to_dict() == {"finished": 6, "missing": 3}
    assert not (out / "kpis.parquet").exists()
    joined = run_study(finished / "study.yaml", out=out, join=True)
    assert joined.record["state"] == "incomplete"
    with pytest.warns(SunShareWarning, match="incomplete: 6 finished, 3 missing"):
        Study.load(out)
    run_study(finished / "study.yaml", out=out, workers=0, shard=(3, 3))
    run_study(finished / "study.yaml", out=out, join=True)
    assert content(out) == expected


def test_a_failing_run_does_not_stop_the_others(write, own_strategies, tmp_path):
    file = write(BROKEN % "fails")
    study = run_study(file, out=tmp_path / "out", workers=2)
    assert study.runs.set_index(["variant", "seed"])["state"].to_dict() == {
        ("base", 1): "finished", ("base", 2): "finished", ("bad", 1): "failed", ("bad", 2): "failed",
        ("dear", 1): "finished", ("dear", 2): "finished",
    }  # fmt: skip
    errors = study.runs.query("variant == 'bad'")["error"]
    assert list(errors) == ["ZeroDivisionError: of a strategy"] * 2
    assert "own_strategies.py" in study.traceback("bad", 1)
    assert study.traceback("base", 1) == ""
    assert set(study.differences["variant"]) == {"dear"}
    with pytest.raises(ResultError, match=r"this run is failed.*of a strategy"):
        study.run("bad", 1)
    # the strategy is mended: what failed is tried again
    text = CRASHES.replace(
        'raise ZeroDivisionError("of a strategy")', "return Quotes(view.limit_price, abs(view.net_kwh))"
    )
    (tmp_path / "own_strategies.py").write_text(text)
    study = run_study(file, out=tmp_path / "out", workers=1)
    assert set(study.runs["state"]) == {"finished"}
    assert not list((tmp_path / "out" / "failures").rglob("*.json"))


@pytest.mark.parametrize(("deaths", "state"), [(3, "finished"), (9, "failed")])
def test_a_run_whose_worker_dies_is_requeued_three_times(write, own_strategies, tmp_path, deaths, state):
    for number in range(deaths):
        (own_strategies / str(number)).touch()
    text = (BROKEN % "crasher").replace("replications: 2", "replications: 1")
    study = run_study(write(text), out=tmp_path / "out", workers=1)
    states = study.runs.set_index("variant")["state"].to_dict()
    assert states == {"base": "finished", "bad": state, "dear": "finished"}
    assert len(list(own_strategies.glob("*"))) == max(0, deaths - 4)
    if state == "failed":
        assert "the worker process died (signal 9), 4 times in a row" in study.runs["error"].max()


def test_a_module_of_the_user_reaches_the_workers(write, own_strategies, tmp_path):
    study = run_study(write(BROKEN % "crasher"), out=tmp_path / "out", workers=1)
    assert set(study.runs["state"]) == {"finished"}


def test_replications_are_added_until_it_is_enough(write, tmp_path):
    text = "base: tiny.yaml\nvariants: {dear: {set: {network.charges.within_zone_per_kwh: 0.05}}}\nreplications: 5\n"
    wide = run_study(write(text), out=tmp_path / "a", workers=0)
    row = wide.differences.query("kpi == 'mean_local_price'").iloc[0]
    half = (row["high"] - row["low"]) / 2
    assert half > 0
    text += f"until: {{kpi: mean_local_price, half_width: {half * 0.6:.9f}, max_replications: 40}}\n"
    study = run_study(write(text), out=tmp_path / "a", workers=0)
    row = study.differences.query("kpi == 'mean_local_price'").iloc[0]
    assert 5 < row["n"] < 40
    assert row["n"] % 5 == 0
    assert (row["high"] - row["low"]) / 2 <= half * 0.6


def test_there_is_an_end_to_adding(write, tmp_path):
    text = "base: tiny.yaml\nreplications: 5\n"
    text += "until: {kpi: mean_local_price, half_width: 1.0e-9, max_replications: 12}\n"
    study = run_study(write(text), out=tmp_path / "out", workers=0)
    assert study.seeds == tuple(range(1, 13))
    assert study.differences.empty


def test_seeds_that_change_nothing_are_noted(write, tmp_path):
    text = "base: tiny.yaml\nvariants: {a: {set: {tariff.vat: 0.1}}}\nreplications: 2\n"
    study = run_study(write(text), out=tmp_path / "out", workers=0, overrides={"market.mechanism": "none"})
    assert "the seed changes nothing" in study.record["notes"][0]


def test_a_folder_of_another_study_is_left_alone(finished, write, tmp_path, content):
    out = tmp_path / "out"
    shutil.copytree(finished / "out", out)
    before = content(out)
    with pytest.raises(ResultError, match="holds a study of other scenarios"):
        run_study(finished / "study.yaml", out=out, overrides={"tariff.vat": 0.01}, workers=0)
    with pytest.raises(ResultError, match="the folder is there already"):
        run_study(finished / "study.yaml", out=out, resume=False, workers=0)
    assert content(out) == before
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.docx").touch()
    with pytest.raises(ResultError, match="exists and is not a study"):
        run_study(finished / "study.yaml", out=tmp_path / "foreign", workers=0)
    with pytest.raises(ResultError, match="exists and is not a study"):
        run_study(finished / "study.yaml", out=write(), workers=0)


def change_json(file, **values):
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_older_formats_are_refused_and_stay(finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished / "out", out)
    change_json(out / "runs/dear/3/manifest.json", format_version=0)
    (out / "runs/base/1/manifest.json").unlink()
    with pytest.raises(
        ResultError, match=r"a run of this study was written in another format; got 0; expected 2"
    ):
        run_study(finished / "study.yaml", out=out, workers=0)
    assert not (out / "runs/base/1/manifest.json").exists(), "found before any run"
    assert (out / "runs/dear/3/slots.parquet").exists()
    change_json(out / "study.json", format_version=0)
    with pytest.raises(ResultError, match="a study written in another format"):
        run_study(finished / "study.yaml", out=out, workers=0)
    with pytest.raises(ResultError, match="a study written in another format"):
        Study.load(out)


def test_the_run_of_another_scenario_is_refused(finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished / "out", out)
    change_json(out / "runs/dear/3/manifest.json", scenario_hash="0" * 64)
    with pytest.raises(ResultError, match="the run of another scenario"):
        run_study(finished / "study.yaml", out=out, workers=0)


def test_a_full_disk_stops_the_study_and_keeps_what_is_finished(finished, tmp_path, monkeypatch, content):
    calls, real = [], shutil.disk_usage

    def filling(path):
        calls.append(path)
        return real(path)._replace(free=1000) if len(calls) > 4 else real(path)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("sunshare_sim.results.store.shutil.disk_usage", filling)
        with pytest.raises(
            ResultError, match=r"the disk is full.*finished runs stay: run the same command again"
        ):
            run_study(finished / "study.yaml", out=out, workers=0)
    assert len(calls) == 5
    assert len(list(out.glob("runs/*/*/manifest.json"))) == 4
    with pytest.raises(ResultError, match="the study has not been finished"):
        Study.load(out)
    run_study(finished / "study.yaml", out=out, workers=0)
    assert content(out) == content(finished / "out")


def test_a_folder_that_cannot_be_written(finished, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"cannot write the study's folder|exists and is not a study"):
        run_study(finished / "study.yaml", out=tmp_path / "file" / "out", workers=0)
    with pytest.raises(ResultError, match="cannot write the study's folder"):
        run_study(finished / "study.yaml", out="/proc/no-study-here", workers=0)


@pytest.mark.parametrize(
    ("means", "message"),
    [
        ({"workers": -1}, "not a number of workers"),
        ({"shard": (3, 2)}, "no such shard; got '3/2'"),
    ],
)
def test_means_that_make_no_sense(finished, tmp_path, means, message):
    with pytest.raises(ResultError, match=message):
        run_study(finished / "study.yaml", out=tmp_path / "out", **means)


def test_a_shard_cannot_decide_when_it_is_enough(write, tmp_path):
    file = write("base: tiny.yaml\nuntil: {kpi: total_bill, half_width: 1}\n")
    with pytest.raises(ResultError, match="a shard sees its own runs only"):
        run_study(file, out=tmp_path / "out", shard=(1, 2))


def test_mistakes_come_before_any_folder(write, tmp_path):
    with pytest.raises(ScenarioError):
        run_study(write("base: tiny.yaml\nkpis: [x]\n"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def start(file, out, *options):
    """Start the command in a session of its own."""
    code = "import sys; sys.argv[0] = 'sunshare'; from sunshare_sim.cli import main; main()"
    root = Path(sunshare_sim.__file__).parents[1]
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", code, "study", str(file), "--out", str(out), "-q", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip


def test_two_commands_on_one_folder(finished, tmp_path):
    out = tmp_path / "out"
    text = (finished / "study.yaml").read_text().replace("replications: 3", "replications: 200")
    (finished / "long.yaml").write_text(text)
    process = start(finished / "long.yaml", out, "--workers", "1")
    try:
        while not list(out.glob("runs/*/*/manifest.json")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        with pytest.raises(ResultError, match="another process is at work on this study"):
            run_study(finished / "long.yaml", out=out, workers=0)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert b"interrupted; what there is lies in" in said
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert not list(out.rglob("*.tmp"))
    assert not list(out.rglob("*.partial"))


@pytest.mark.parametrize("kills", [5, pytest.param(25, marks=pytest.mark.long)])
def test_kill_minus_nine_at_random_moments(finished, tmp_path, content, kills):
    """Killed again and again, each time after some more runs and a random while, a study ends with the same bytes."""
    from sunshare_sim.streams import stream

    rng = stream(kills, "kill")
    each = 4
    replications = 3 + kills * each // 3
    text = (finished / "study.yaml").read_text().replace("replications: 3", f"replications: {replications}")
    (finished / "killed.yaml").write_text(text)
    out, total = tmp_path / "killed", 3 * replications
    killed = 0
    for number in range(kills):
        before = len(list(out.glob("runs/*/*/manifest.json")))
        process = start(finished / "killed.yaml", out, "--workers", "2")
        # Some die while they start, most in the middle of their runs.
        target = before + int(rng.integers(0, each + 1)) if number % 5 else -1
        while process.poll() is None and len(list(out.glob("runs/*/*/manifest.json"))) <= target < total:
            time.sleep(0.005)
        time.sleep(float(rng.uniform(0, 0.15 if number % 5 else 1.5)))
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed == kills
    assert 0 < len(list(out.glob("runs/*/*/manifest.json"))) < total, "killed in the middle, not at the end"
    run_study(finished / "killed.yaml", out=out, workers=0)
    run_study(finished / "killed.yaml", out=tmp_path / "whole", workers=0)
    assert content(out) == content(tmp_path / "whole")
