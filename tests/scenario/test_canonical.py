"""Written out and read back: the same scenario, the same hash, on any machine."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.errors import InputError
from sunshare_sim.scenario.load import dump, load_scenario, scenario_hash
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.scenario.template import TEMPLATES, template_text

TRICKY = [
    "no",
    "12:30",
    "1e-4",
    ".5",
    "0x1F",
    "2025-06-02",
    "null",
    "~",
    "a: b",
    "# x",
    "",
    " x ",
    "ä\n\tb",
    "[",
    "'\"",
    "1_0",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_survive_the_round_trip(tmp_path, template):
    file = tmp_path / "a.yaml"
    file.write_text(template_text(template, "a"), encoding="utf-8")
    scenario = load_scenario(file)
    file.write_text(dump(scenario), encoding="utf-8")
    again = load_scenario(file)
    assert again == scenario
    assert (dump(again), scenario_hash(again)) == (dump(scenario), scenario_hash(scenario))


@given(
    text=st.sampled_from(TRICKY) | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=20),
    tick=st.floats(1e-6, 1.0),
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=5),
    parameter=st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
    | st.sampled_from(TRICKY),
)  # fmt: skip
def test_any_scenario_survives_the_round_trip(tmp_path_factory, text, tick, values, parameter):
    strategy = {"name": "x", "parameters": {"p": parameter}}
    group = {"demand": {"source": "values", "kwh": values}, "buses": [text], "strategy": strategy}
    scenario = Scenario.model_validate(
        {"description": text, "market": {"tick": tick}, "households": {"groups": [group]}}
    )
    file = tmp_path_factory.mktemp("round") / "scenario.yaml"
    file.write_text(dump(scenario), encoding="utf-8")
    again = load_scenario(file)
    assert again == scenario
    assert type(again.households.groups[0].strategy.parameters["p"]) is type(parameter)
    assert scenario_hash(again) == scenario_hash(scenario)
    # Other readers of YAML, which follow its older rules, see the same.
    assert yaml.safe_load(dump(scenario))["description"] == text


def test_every_default_is_written_out():
    content = yaml.safe_load(dump(Scenario()))
    assert content["households"]["groups"][0]["demand"]["annual_kwh"] == {"median": 3000.0, "sigma": 0.45}
    assert content["time"]["slot_minutes"] == 15
    assert set(content) == set(Scenario.model_fields)


def test_the_hash_sees_values_not_their_writing(tmp_path):
    for number, text in enumerate(
        ["market: {tick: 0.001}\nseed: 2", "seed: 2\nmarket:\n  tick: 1e-3 # small\n"]
    ):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.yaml").write_text(text)
    first, second = (load_scenario(tmp_path / name / "a.yaml") for name in "01")
    assert scenario_hash(first) == scenario_hash(second)
    assert scenario_hash(first) != scenario_hash(
        load_scenario(tmp_path / "0" / "a.yaml", overrides=["seed=3"])
    )
    assert len(scenario_hash(first)) == 64


def test_the_hash_of_the_default_scenario_is_stable_within_a_process():
    assert scenario_hash(Scenario()) == scenario_hash(Scenario())


def test_data_files_count_with_their_content_not_their_folder(tmp_path):
    text = (
        "place: {weather: {source: file, path: sky.csv}}\n"
        "households: {groups: [{name: a}, {name: b, ev: {sessions_file: ev.csv}}]}"
    )
    hashes = {}
    for folder, content in [("x", "1"), ("y", "1"), ("z", "2")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sky.csv").write_text("sky")
        (tmp_path / folder / "ev.csv").write_text(content)
        (tmp_path / folder / "a.yaml").write_text(text)
        hashes[folder] = scenario_hash(load_scenario(tmp_path / folder / "a.yaml"))
    assert hashes["x"] == hashes["y"] != hashes["z"]
    gone = load_scenario(tmp_path / "x" / "a.yaml")
    (tmp_path / "x" / "ev.csv").unlink()
    with pytest.raises(InputError, match=r"ev\.csv: the data file cannot be read: no such file"):
        scenario_hash(gone)


def test_what_is_written_does_not_change_the_hash_but_the_market_does():
    plain = Scenario()
    assert scenario_hash(Scenario.model_validate({"results": {"figures": False}})) == scenario_hash(plain)
    assert scenario_hash(Scenario.model_validate({"market": {"mechanism": "none"}})) != scenario_hash(plain)
