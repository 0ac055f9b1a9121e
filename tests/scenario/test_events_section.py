"""The section `events`: a list or a file, and every mistake at its place."""

import re
from pathlib import Path

import pytest

from sunshare_sim.errors import InputError, ScenarioError
from sunshare_sim.inputs.events import read_events
from sunshare_sim.scenario.events import Event, EventFile
from sunshare_sim.scenario.load import dump, load_scenario, scenario_hash
from sunshare_sim.simulation.run import names


def written(tmp_path, text, name="case.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_and_a_file_load_and_dump(tmp_path):
    path = written(
        tmp_path, "events:\n  - {kind: island, start: 3, end: 2025-06-02 12:00, priority: {homes: 1}}\n"
    )
    scenario = load_scenario(path)
    assert scenario.events == (Event(kind="island", start=3, end="2025-06-02 12:00", priority={"homes": 1}),)
    assert load_scenario(written(tmp_path, dump(scenario), "again.yaml")) == scenario
    assert load_scenario(written(tmp_path, "name: a\n", "none.yaml")).events == ()

    csv = written(tmp_path, "kind,start,end,homes\noutage,3,4,a\n", "events.csv")
    scenario = load_scenario(written(tmp_path, "events: {file: events.csv}\n"))
    assert scenario.events == EventFile(file=csv.as_posix())
    before = scenario_hash(scenario)
    written(tmp_path, "kind,start,end,homes\noutage,3,5,a\n", "events.csv")
    assert scenario_hash(scenario) != before


def test_a_file_says_what_a_list_says(tmp_path):
    path = written(
        tmp_path,
        "kind,start,end,transformers,zones,priority,rest_price,homes,irradiance,warmer_k\n"
        "island,2025-06-02T10:00,20,,z 1; z 2,shops=1;homes=2,retail,,,\n"
        "outage,3,4,,,,,a;b,,\n"
        "weather,5,7,,,,,,0.25,-3.5\n",
        "events.csv",
    )
    assert read_events(path) == (
        Event(kind="island", start="2025-06-02T10:00", end=20, zones=("z 1", "z 2"),
              priority={"shops": 1, "homes": 2}, rest_price="retail"),
        Event(kind="outage", start=3, end=4, homes=("a", "b")),
        Event(kind="weather", start=5, end=7, irradiance=0.25, warmer_k=-3.5),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("{kind: islnd, start: 1, end: 3}", ("events[0].kind", "did you mean 'island'?")),
        ("{kind: island, start: 5, end: 3}", ("events[0].end", "ends before it begins", "after 5")),
        ("{kind: island, start: 5, end: 5}", ("ends before it begins",)),
        ("{kind: island, start: 2025-06-02 12:00, end: 2025-06-02 11:00}", ("ends before it begins",)),
        ("{kind: island, start: -1, end: 5}", ("events[0].start", "no slot")),
        ("{kind: island, start: noon, end: 5}", ("events[0].start", "not a time", "2025-06-03T14:00")),
        ("{kind: island, start: '2025-06-02T12:00+02:00', end: 99}", ("not a time", "place's own")),
        ("{kind: island, start: 1}", ("events[0].end", "missing key")),
        ("{kind: island, start: 1, end: 2, transformers: [a], zones: [b]}", ("transformers or zones",)),
        ("{kind: island, start: 1, end: 2, irradiance: 0.5}", ("events[0].irradiance", "has no such key")),
        ("{kind: weather, start: 1, end: 2, homes: [a]}", ("events[0].homes", "has no such key")),
        ("{kind: weather, start: 1, end: 2}", ("changes nothing",)),
        ("{kind: weather, start: 1, end: 2, irradiance: 1.5}", ("events[0].irradiance", "out of range")),
        ("{kind: outage, start: 1, end: 2}", ("an outage of nothing", "buses")),
        ("{kind: outage, start: 1, end: 2, bus: [a]}", ("events[0].bus", "did you mean 'buses'?")),
        (
            "{kind: island, start: 1, end: 2, priority: {homes: high}}",
            ("events[0].priority.homes", "whole number"),
        ),
        ("{kind: island, start: 1, end: 2, rest_price: mid}", ("events[0].rest_price", "mid_market")),
    ],
)
def test_mistakes_in_a_list_are_found_at_their_line(tmp_path, event, words):
    path = written(tmp_path, f"name: a\nevents:\n  - {event}\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    text = str(caught.value)
    assert all(word in text for word in (*words, f"{path}:3:"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind,start,finish\nisland,1,2\n", ("line 1", "unknown column", "finish")),
        ("kind,start,end\nisland,1,2\nislnd,1,2\n", ("line 3, kind", "'island'")),
        ("kind,start,end\nisland,3,2\n", ("line 2, end", "ends before it begins")),
        ("kind,start,end\nisland,1\n", ("line 2", "another number of cells", "3")),
        ("kind,start,end\nisland,1,2,3\n", ("line 2", "another number of cells")),
        ("kind,start,end,irradiance\nweather,1,2,dark\n", ("line 2", "'dark'")),
        ("kind,start,end,priority\nisland,1,2,homes\n", ("line 2",)),
    ],
)
def test_mistakes_in_a_file_are_found_at_their_line(tmp_path, text, words):
    path = written(tmp_path, text, "events.csv")
    with pytest.raises(InputError) as caught:
        read_events(path)
    assert all(word in str(caught.value) for word in (*words, str(path)))
    with pytest.raises(InputError):
        read_events(tmp_path / "none.csv")


@pytest.mark.parametrize("page", ["events.md", "certificates.md"])
def test_what_the_pages_show_can_be_loaded(tmp_path, page):
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        load_scenario(written(tmp_path, block), names=names())
