"""The command as people and scripts meet it: words, streams, exit codes."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner

from sunshare_sim.cli import main
from sunshare_sim.cli.progress import Bar, Lines, Quiet, make_progress
from sunshare_sim.cli.summary import as_object
from sunshare_sim.errors import InputError, SunShareWarning
from sunshare_sim.scenario.load import load_scenario
from sunshare_sim.simulation import run as composition

ROOT = Path(__file__).parents[1]
THREE = str(ROOT / "scenarios" / "three-homes.yaml")


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def _call(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return _call


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a real run of three homes."""
    out = tmp_path_factory.mktemp("cli") / "run"
    result = CliRunner().invoke(main, ["run", THREE, "--out", str(out), "--no-figures"])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def replace_run(monkeypatch):
    """Let `sunshare run` call something else than the simulation."""

    def _replace(function):
        monkeypatch.setattr(composition, "run", function)

    return _replace


def test_run_leaves_a_folder_and_says_where(call):
    result = call("run", THREE, "--no-figures", "--quiet")
    assert result.exit_code == 0
    assert "energy traded between homes" in result.stdout
    assert "2.50 kWh" in result.stdout
    assert f"results: {Path('results') / 'three-homes-1'}" in result.stdout
    assert Path("results/three-homes-1/manifest.json").is_file()
    assert result.stderr == ""


def test_progress_goes_to_stderr_as_plain_lines(call, tmp_path):
    result = call("run", THREE, "--no-figures", "--json", "--out", tmp_path / "r")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["folder"] == str(tmp_path / "r")
    lines = result.stderr.splitlines()
    assert lines[0] == "reading the scenario"
    assert any(line.startswith("100 %: 4 of 4 slots, ") for line in lines)
    assert "\x1b" not in result.stderr


def test_json_is_one_object_with_kpis_and_manifest(call, folder):
    result = call("show", folder, "--json")
    shown = json.loads(result.stdout)
    assert shown["kpis"]["traded_kwh"] == pytest.approx(2.5)
    assert shown["manifest"]["seed"] == 1
    assert len(shown["manifest"]["scenario_hash"]) == 64
    assert all(value is None or isinstance(value, float) for value in shown["kpis"].values())


def test_a_figure_that_does_not_exist_is_null():
    kpis = pd.DataFrame({"name": ["mean_local_price", "traded_kwh"], "value": [float("nan"), 1.0]})
    run = SimpleNamespace(folder=Path("r"), kpis=kpis, manifest={"seed": 1, "files": {"a": {}}})
    shown = json.loads(as_object(run), parse_constant=pytest.fail)
    assert shown == {
        "folder": "r", "kpis": {"mean_local_price": None, "traded_kwh": 1.0}, "manifest": {"seed": 1},
    }  # fmt: skip


def test_seed_and_overrides_reach_the_scenario(call, replace_run):
    seen = []

    def fake(scenario, **others):
        seen.append((scenario, others))
        raise InputError("enough")

    replace_run(fake)
    result = call(
        "run", THREE, "--seed", 7, "--set", "market.tick=0.02", "--no-figures", "--out", "x", "--profile"
    )
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "error: enough")
    scenario, others = seen[0]
    assert (scenario.seed, scenario.market.tick, scenario.results.figures) == (7, 0.02, False)
    assert (others["source"], others["out"], others["profile"]) == (Path(THREE), Path("x"), True)


def test_profile_shows_the_phases(call):
    result = call("run", THREE, "--no-figures", "--quiet", "--profile", "--out", "p")
    assert "time by phase" in result.stdout
    assert "match" in result.stdout


def test_show_says_what_made_the_run_and_where_it_lies(call, folder):
    result = call("show", folder)
    assert result.exit_code == 0
    for text in ("scenario hash", "seed", "complete", "trades.parquet", "files in", "share of consumption"):
        assert text in result.stdout


def test_show_without_a_run(call, tmp_path):
    result = call("show", tmp_path)
    assert result.exit_code == 2
    assert "there is no run here" in result.stderr
    assert "Traceback" not in result.output


def test_check_reports_all_files_and_goes_on(call):
    Path("good.yaml").write_text("seed: 1")
    Path("bad.yaml").write_text("sead: 1\nmarket: {mechanism: cdaa}\n")
    Path("worse.yaml").write_text("households: {groups: [{strategy: {name: zic}}]}\n")
    result = call("check", "bad.yaml", "good.yaml", "worse.yaml", "none.yaml")
    assert result.exit_code == 2
    assert result.stdout == "good.yaml: fine\n"
    lines = result.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "bad.yaml:1:1", "bad.yaml:2:21", "2 mistakes", "worse.yaml:1:41", "none.yaml",
    ]  # fmt: skip
    assert "did you mean 'cda'?" in lines[1]
    assert "did you mean 'zi_c'?" in lines[3]
    assert "Traceback" not in result.output


def test_check_takes_overrides(call):
    assert call("check", THREE, "--set", "market.mechanism=none").exit_code == 0
    result = call("check", THREE, "--set", "market.mechanism=nine")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "--set market.mechanism=nine: market.mechanism: unknown mechanism; got 'nine'"
    )


def test_a_bad_scenario_leaves_nothing_behind(call):
    Path("bad.yaml").write_text("seed: -1")
    result = call("run", "bad.yaml", "--quiet")
    assert result.exit_code == 2
    assert result.stderr.startswith("bad.yaml:1:7: seed: out of range; got -1;")
    assert not Path("results").exists()


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", THREE, "--sed", "1"], ["check"], ["rum"], ["run", THREE, "--seed", "-1"]]
)
def test_usage_errors_exit_with_2(call, arguments):
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_interrupted_says_where_the_part_lies(call, replace_run):
    def interrupted(*_, **__):
        raise KeyboardInterrupt("results/x.partial")

    replace_run(interrupted)
    result = call("run", THREE, "--quiet")
    assert result.exit_code == 130
    assert result.stderr == "interrupted; what there is lies in results/x.partial\n"


def test_an_interrupted_run_is_kept_and_readable(call, monkeypatch):
    def stop(_self, done, _total):
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Quiet, "slots", stop)
    result = call("run", THREE, "--quiet", "--no-figures", "--out", "r")
    assert result.exit_code == 130
    place = result.stderr.split(" lies in ")[1].strip()
    shown = call("show", place)
    assert shown.exit_code == 0
    assert shown.stderr.startswith(f"warning: {place}: this run is only a part of its scenario")
    assert not Path("r").exists()


def test_a_fault_of_ours_keeps_its_traceback(call, replace_run):
    def broken(*_, **__):
        raise ZeroDivisionError("ours")

    replace_run(broken)
    result = call("run", THREE, "--quiet")
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)
    assert "fault of the program" in result.exception.__notes__[0]


def test_our_warnings_are_one_line(call, replace_run):
    def warned(*_, **__):
        warnings.warn("111 homes\n  on 100 kVA", SunShareWarning, stacklevel=1)
        raise InputError("enough")

    replace_run(warned)
    assert call("run", THREE, "--quiet").stderr == "warning: 111 homes on 100 kVA\nerror: enough\n"


@pytest.mark.parametrize("template", ["quickstart", "three-homes"])
def test_new_writes_a_scenario_that_is_fine(call, template):
    result = call("new", "My Village", "--from", template)
    assert result.exit_code == 0
    text = Path("My Village.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=scenario.schema.json\n")
    assert "name: my-village\n" in text
    assert (
        json.loads(Path("scenario.schema.json").read_text(encoding="utf-8"))["title"] == "SunShare scenario"
    )
    assert load_scenario("My Village.yaml").name == "my-village"
    assert call("check", "My Village.yaml").exit_code == 0


def test_new_never_overwrites(call):
    Path("a.yaml").write_text("mine")
    Path("scenario.schema.json").write_text("mine too")
    result = call("new", "a")
    assert (result.exit_code, result.stderr.startswith("a.yaml: there is such a file already")) == (2, True)
    assert call("new", "b.yaml").exit_code == 0
    assert Path("a.yaml").read_text() == "mine"
    assert Path("scenario.schema.json").read_text() == "mine too"
    result = call("new", "no/such/folder/c")
    assert (result.exit_code, "cannot be written: no such file" in result.stderr) == (2, True)


def test_schema_to_stdout_or_file(call):
    result = call("schema")
    assert "zi_c" in json.loads(result.stdout)["$defs"]["StrategySpec"]["properties"]["name"]["enum"]
    assert call("schema", "-o", "s.json").exit_code == 0
    assert Path("s.json").read_text(encoding="utf-8") == result.stdout
    assert call("schema", "--markdown").stdout.startswith("# The scenario file")
    assert call("schema", "-o", "no/s.json").exit_code == 2


def test_progress_suits_where_it_goes(monkeypatch):
    assert type(make_progress(quiet=True)) is Quiet
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_progress(quiet=False), Bar)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_progress(quiet=False), Lines)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert isinstance(make_progress(quiet=False), Lines)


def test_lines_come_every_ten_percent(capsys):
    with Lines() as progress:
        progress.stage("simulating")
        for done in range(1, 1001):
            progress.slots(done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "simulating"
    assert [line.split(" %")[0] for line in lines[1:]] == [str(percent) for percent in range(10, 101, 10)]
    assert all("slots/s" in line for line in lines[1:])
    assert "left" in lines[1]
    assert "left" not in lines[-1]


@pytest.mark.parametrize("no_color", [True, False])
def test_the_bar_shows_stage_rate_and_time_left(monkeypatch, capsys, no_color):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    with Bar() as bar:
        bar.stage("building the feeder")
        bar._bar.refresh()
        for done in range(0, 100, 10):
            bar.slots(done, 100)
        bar._bar.refresh()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "building the feeder" in captured.err
    assert "simulating" in captured.err
    assert "slots/s" in captured.err
    assert ("\x1b[38;5" in captured.err or "\x1b[3" in captured.err) is not no_color


def python(code, *arguments):
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_help_and_reading_a_scenario_import_nothing_heavy():
    code = (
        "import sys\nfrom sunshare_sim.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'pydantic', 'numpy', 'pandas', 'numba', 'rich', 'yaml', 'matplotlib'} & set(sys.modules)))"
    )
    assert python(code).stdout.splitlines()[-1] == "[]"
    code = (
        "import sys\nfrom sunshare_sim.scenario.load import load_scenario\nload_scenario(sys.argv[1])\n"
        "print(sorted({'numpy', 'pandas', 'numba', 'rich', 'click', 'matplotlib'} & set(sys.modules)))"
    )
    assert python(code, THREE).stdout.splitlines()[-1] == "[]"


def test_check_imports_no_tables_and_no_figures():
    code = (
        "import sys\nfrom sunshare_sim.cli import main\ntry: main(['check', sys.argv[1]])\nexcept SystemExit: pass\n"
        "print(sorted({'pandas', 'pyarrow', 'matplotlib', 'pvlib', 'pandapower', 'mesa', 'rich'} & set(sys.modules)))"
    )
    assert python(code, THREE).stdout.splitlines()[-1] == "[]"


def test_the_installed_command_exits_as_promised(tmp_path):
    code = "import sys; from sunshare_sim.cli import main; main(sys.argv[1:])"
    good = python(code, "check", THREE)
    assert (good.returncode, good.stdout) == (0, f"{THREE}: fine\n")
    bad = python(code, "run", str(tmp_path / "none.yaml"))
    assert bad.returncode == 2
    assert "no such file" in bad.stderr
    assert "Traceback" not in bad.stderr
    fault = python(
        "import sunshare_sim.cli.commands as c\ndef broken(): raise ZeroDivisionError('ours')\n"
        "c._names = broken\nc.main(['check', 'x'])"
    )
    assert fault.returncode == 1
    assert "Traceback" in fault.stderr
    assert "Please report it" in fault.stderr
