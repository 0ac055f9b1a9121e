"""Files in, scenarios out: bases, overrides, names, paths."""

from datetime import date

import numpy as np
import pytest

from sunshare_sim.errors import ScenarioError
from sunshare_sim.scenario.base import Lognormal, Names, Uniform
from sunshare_sim.scenario.feeders import PandapowerFeeder, SimbenchFeeder
from sunshare_sim.scenario.load import dump, load_scenario, slug
from sunshare_sim.scenario.schema import Scenario


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def _write(text, name="s.yaml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return name

    return _write


def test_a_file_with_one_key_has_every_default(write):
    assert load_scenario(write("seed: 7")) == Scenario(seed=7, name="s")


@pytest.mark.parametrize(
    ("stem", "name"),
    [("My Village (2)", "my-village-2"), ("a_b", "a_b"), ("ÄÖ", "scenario"), ("2025", "2025")],
)
def test_the_name_follows_the_file(write, stem, name):
    assert load_scenario(write("seed: 1", f"{stem}.yaml")).name == name == slug(stem)


def test_plain_values_follow_yaml_1_2(write):
    scenario = load_scenario(
        write(
            "time: {start: 2025-01-31}\nmarket: {tick: 1e-4}\ndescription: no\nplace: {name: 12:30}\n"
            "results: {orders: True}\nhouseholds: {groups: [{battery: ~, solar: null, strategy: "
            "{parameters: {a: 1, b: 1.0, c: '1', d: 010, e: false}}}]}"
        )
    )
    assert scenario.time.start == date(2025, 1, 31)
    assert scenario.market.tick == 1e-4
    assert (scenario.description, scenario.place.name, scenario.results.orders) == ("no", "12:30", True)
    parameters = scenario.households.groups[0].strategy.parameters
    assert [type(value) for value in parameters.values()] == [int, float, str, int, bool]
    assert parameters["d"] == 10


def test_quotes_around_a_date_do_not_matter(write):
    assert load_scenario(write("time: {start: '2025-01-31'}")).time.start == date(2025, 1, 31)


def test_byte_order_mark_anchors_and_merge_keys(write):
    scenario = load_scenario(
        write(
            "\ufeffhouseholds:\n  groups:\n    - &first {name: a, count: 2, battery: {share: 0.5}}\n"
            "    - {<<: *first, name: b}\n"
        )
    )
    first, second = scenario.households.groups
    assert (second.name, second.count, second.battery) == ("b", 2, first.battery)


def test_draws_take_three_forms(write):
    groups = load_scenario(
        write(
            "households: {groups: [{name: a, solar: {kwp: 5}}, {name: b, solar: {kwp: {min: 1, max: 2}}},"
            " {name: c, solar: {kwp: {median: 3, sigma: 0.1}}}]}"
        )
    ).households.groups
    assert [group.solar.kwp for group in groups] == [
        5.0,
        Uniform(min=1, max=2),
        Lognormal(median=3, sigma=0.1),
    ]


def test_extends_merges_sections_and_replaces_lists(write):
    write("name: root\nseed: 3\nmarket: {tick: 0.01, pricing: midpoint}", "root.yaml")
    write(
        "extends: ../root.yaml\nmarket: {tick: 0.02}\nhouseholds: {count: 9, groups: [{name: a}, {name: b}]}",
        "sub/base.yaml",
    )
    scenario = load_scenario(
        write("extends: sub/base.yaml\nhouseholds: {groups: [{name: c}]}", "variant.yaml")
    )
    assert (scenario.name, scenario.seed) == ("variant", 3)
    assert (scenario.market.tick, scenario.market.pricing) == (0.02, "midpoint")
    assert (scenario.households.count, [group.name for group in scenario.households.groups]) == (9, ["c"])


def test_another_source_replaces_the_section(write):
    write("feeder: {source: simbench, code: x, copies: 4}", "base.yaml")
    other = load_scenario(write("extends: base.yaml\nfeeder: {source: pandapower}", "other.yaml"))
    same = load_scenario(
        write("extends: base.yaml\nfeeder: {source: simbench, zones: transformer}", "same.yaml")
    )
    assert other.feeder == PandapowerFeeder()
    assert same.feeder == SimbenchFeeder(code="x", copies=4, zones="transformer")


def test_overrides_replace_single_values_in_order(write):
    file = write("seed: 1\nhouseholds: {groups: [{name: a, solar: {kwp: {min: 1, max: 2}}}, {name: b}]}")
    scenario = load_scenario(
        file,
        overrides=[
            "market.tick=0.001", "market.tick=1e-3", "households.groups[0].solar.share=0.5",
            "households.groups[0].solar.kwp={median: 3, sigma: 0.1}", "households.groups[1].battery={}",
            "description=a = b: c, [d]".replace(": ", " "), "results.panels=[soc_kwh]", "seed=2",
        ],
    )  # fmt: skip
    first, second = scenario.households.groups
    assert (scenario.market.tick, scenario.seed, scenario.results.panels) == (0.001, 2, ("soc_kwh",))
    assert (first.solar.share, first.solar.kwp) == (0.5, Lognormal(median=3, sigma=0.1))
    assert second.battery is not None
    assert scenario.description == "a = b c, [d]"


def test_setting_a_source_drops_the_keys_of_the_form_before(write):
    file = write("feeder: {source: simbench, code: x}")
    scenario = load_scenario(file, overrides=["feeder.source=pandapower", "feeder.name=cigre_lv"])
    assert scenario.feeder == PandapowerFeeder(name="cigre_lv")
    assert load_scenario(file, overrides=["feeder.source=simbench"]).feeder == SimbenchFeeder(code="x")


def test_overrides_from_python(write):
    scenario = load_scenario(
        write("households: {groups: [{name: a}]}"),
        overrides={
            "market.tick": np.float64(0.5), "seed": np.int64(4), "time.start": date(2025, 3, 1),
            "households.groups[0].demand": {"source": "values", "kwh": np.array([1.0, 2.0])},
            "results.panels": ("soc_kwh",),
        },
    )  # fmt: skip
    assert (scenario.market.tick, scenario.seed, scenario.time.start) == (0.5, 4, date(2025, 3, 1))
    assert scenario.households.groups[0].demand.kwh == (1.0, 2.0)


def test_data_files_are_relative_to_the_file_that_names_them(write, tmp_path):
    for name in ("sub/sky.csv", "load.csv", "trips.csv"):
        write("x", name)
    write("place: {weather: {source: file, path: sky.csv}}", "sub/base.yaml")
    file = write(
        "extends: sub/base.yaml\nhouseholds: {groups: [{demand: {source: file, path: load.csv, unit: kW},"
        " ev: {sessions_file: trips.csv}}]}"
    )
    scenario = load_scenario(file)
    group = scenario.households.groups[0]
    found = (scenario.place.weather.path, group.demand.path, group.ev.sessions_file)
    assert found == tuple((tmp_path / name).as_posix() for name in ("sub/sky.csv", "load.csv", "trips.csv"))
    other = load_scenario(file, overrides=["place.weather.path=load.csv"])
    assert other.place.weather.path == (tmp_path / "load.csv").as_posix()
    resolved = write(dump(scenario), "elsewhere/resolved.yaml")
    assert load_scenario(resolved) == scenario


def test_names_are_checked_only_when_known(write):
    file = write("market: {mechanism: mine}\nhouseholds: {groups: [{strategy: {name: ours}}]}")
    assert load_scenario(file).market.mechanism == "mine"
    assert load_scenario(file, names=Names(["mine"], ["ours"])).households.groups[0].strategy.name == "ours"
    with pytest.raises(ScenarioError):
        load_scenario(file, names=Names(["mine"], ["theirs"]))
