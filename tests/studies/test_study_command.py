"""`sunshare study`, and what other commands know of studies."""

import json

import pytest
from click.testing import CliRunner

from sunshare_sim.cli import main


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def _run(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return _run


def test_a_study_from_the_command_line(write, run, tmp_path):
    found = run("study", write(), "--workers", "0")
    assert found.exit_code == 0
    assert "9 of 9 runs" in found.stderr
    assert "traded_kwh: none" in found.stdout
    assert "question  What does it cost to trade?" in found.stdout
    assert f"results   {'results/tiny-study'}" in found.stdout
    assert (
        (tmp_path / "results/tiny-study/differences.csv")
        .read_text()
        .startswith("variant,kpi,unit,n,base_mean")
    )
    shown = run("show", "results/tiny-study")
    assert shown.stdout == found.stdout
    again = run("study", write(), "--json", "-q", "--workers", "0")
    assert again.stderr == ""
    content = json.loads(again.stdout)
    assert content["runs"] == {"finished": 9}
    assert {row["variant"] for row in content["differences"]} == {"none", "dear"}
    assert json.loads(run("show", "results/tiny-study", "--json").stdout) == content


def test_the_quick_form_and_overrides(write, run, tmp_path):
    found = run("study", write(), "--quick", "--workers", "0", "--set", "time.slots=2", "--json", "-q")
    assert json.loads(found.stdout)["seeds"] == [1, 2]
    assert (tmp_path / "results/tiny-study-quick/study.json").is_file()


def test_failed_runs_give_exit_code_3(write, run):
    text = "base: tiny.yaml\nvariants: {bad: {set: {feeder.lines: [{from_bus: x, to_bus: y, r_ohm: 1, x_ohm: 1}]}}}\n"
    found = run("study", write(text + "replications: 1\n"), "--workers", "0", "-q")
    assert found.exit_code == 3
    assert "failed: variant bad, seed 1: " in found.stderr
    assert "1 finished, 1 failed" in found.stdout
    assert "Traceback" not in found.output


def test_shards_and_join(write, run):
    file = write()
    for shard in ("1/2", "2/2"):
        assert run("study", file, "--shard", shard, "--workers", "0", "-q").exit_code == 0
    found = run("study", file, "--join", "-q")
    assert found.exit_code == 0
    assert "9 finished" in found.stdout
    assert run("study", file, "--shard", "3/2").exit_code == 2


def test_check_knows_a_study(write, run):
    assert run("check", write()).stdout.endswith("study.yaml: fine\n")
    found = run("check", write("base: tiny.yaml\nkpis: [nope]\nvariants: {a: {set: {b.c: 1}}}\n"))
    assert found.exit_code == 2
    assert found.stderr.endswith("2 mistakes\n")


def test_the_published_schema_knows_keys_and_key_figures(run):
    schema = json.loads(run("schema", "--study").stdout)
    assert set(schema["properties"]) >= {
        "base",
        "question",
        "variants",
        "grid",
        "sample",
        "until",
        "kpis",
        "quick",
    }
    assert "total_bill" in schema["properties"]["kpis"]["items"]["enum"]
    keys = schema["$defs"]["ScenarioKeys"]["properties"]
    assert keys["market.tick"]["description"].startswith("smallest")
    assert "households.groups[0].strategy.name" in keys
    assert "title" not in schema["properties"]["base"]


def test_every_reference_of_the_published_schema_leads_somewhere(run):
    text = run("schema", "--study").stdout
    schema = json.loads(text)
    for part in text.split('"$ref": "')[1:]:
        name = part.split('"')[0].removeprefix("#/$defs/")
        assert name in schema["$defs"]
