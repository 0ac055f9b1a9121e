"""Events on slots and homes: times, names, overlaps; outages and weather; all of it through YAML."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from sunshare_sim.errors import InputError, ScenarioError
from sunshare_sim.scenario.load import load_scenario
from sunshare_sim.simulation.events import make_course
from sunshare_sim.simulation.run import run_scenario
from sunshare_sim.simulation.session import Simulation


def with_events(make_small, tmp_path, events, **changes):
    """Return the path of a YAML file of the small case with these events."""
    data = make_small(**changes).model_dump(mode="json")
    data["events"] = events
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def ran(make_small, tmp_path, events, **changes):
    return run_scenario(with_events(make_small, tmp_path, events, **changes), out=tmp_path / "run")


def test_local_times_and_slots_mean_the_same(make_small, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    by_slot = ran(make_small, tmp_path / "a", [{"kind": "island", "start": 4, "end": 6}])
    event = {"kind": "island", "start": "2025-06-02 04:00", "end": "2025-06-02T06:00"}
    by_time = ran(make_small, tmp_path / "b", [event])
    assert by_slot.slots.equals(by_time.slots)
    assert by_time.slots.islanded.to_list() == [0, 0, 0, 0, 6, 6, 0, 0]


def test_events_from_a_file_run_as_from_a_list(make_small, tmp_path):
    event = {"kind": "island", "start": 4, "end": 6, "priority": {"buyers": 1}}
    for name in ("list", "file"):
        (tmp_path / name).mkdir()
    listed = ran(make_small, tmp_path / "list", [event])
    (tmp_path / "file" / "e.csv").write_text(
        "kind,start,end,priority\nisland,4,6,buyers=1\n", encoding="utf-8"
    )
    read = ran(make_small, tmp_path / "file", {"file": "e.csv"})
    assert listed.slots.equals(read.slots)
    assert listed.table("events").equals(read.table("events"))
    (tmp_path / "file" / "e.csv").write_text("kind,start,end\nisland,4,60\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"e.csv, event 1.end: outside of the run; got .60 "):
        run_scenario(tmp_path / "file" / "case.yaml", out=tmp_path / "none")
    (tmp_path / "file" / "e.csv").write_text("kind,start\nisland,4\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        run_scenario(tmp_path / "file" / "case.yaml", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([{"kind": "island", "start": 8, "end": 9}], ("events[0].start", "outside of the run", "slot 0 to 7")),
        ([{"kind": "island", "start": 4, "end": 9}], ("events[0].end", "outside of the run", "slot 5 to 8")),
        ([{"kind": "island", "start": "2025-06-01 23:00", "end": 3}], ("events[0].start", "slot -1")),
        ([{"kind": "island", "start": 4, "end": "2025-06-02 03:00"}], ("events[0].end", "ends before it begins")),
        ([{"kind": "island", "start": "2025-06-02 01:30", "end": 4}], ("no slot begins then", "60 min")),
        (
            [{"kind": "island", "start": 1, "end": 2, "transformers": ["transformer 2"]}],
            ("events[0].transformers", "unknown transformer", "did you mean 'transformer 1'?"),
        ),
        (
            [{"kind": "island", "start": 1, "end": 2, "zones": ["feeder1"]}],
            ("events[0].zones", "unknown zone", "did you mean 'feeder 1'?"),
        ),
        (
            [{"kind": "island", "start": 1, "end": 2, "priority": {"buyer": 1}}],
            ("events[0].priority", "unknown group", "did you mean 'buyers'?"),
        ),
        ([{"kind": "outage", "start": 1, "end": 2, "buses": ["d"]}], ("events[0].buses", "unknown bus")),
        (
            [{"kind": "outage", "start": 1, "end": 2, "lines": ["line 9"]}],
            ("events[0].lines", "unknown line", "did you mean 'line 3'?"),
        ),
        (
            [{"kind": "outage", "start": 1, "end": 2, "homes": ["seller-0"]}],
            ("events[0].homes", "unknown home", "did you mean 'sellers-0'?"),
        ),
        (
            [{"kind": "island", "start": 1, "end": 4}, {"kind": "island", "start": 3, "end": 5, "zones": ["feeder 2"]}],
            ("events[1]", "overlap", "slots 3 to 4", "slots 1 to 3", "number 1"),
        ),
        (
            [{"kind": "weather", "start": 1, "end": 4, "irradiance": 0.5},
             {"kind": "weather", "start": 0, "end": 2, "warmer_k": 1.0}],
            ("events[1]", "overlap"),
        ),
    ],
)  # fmt: skip
def test_events_that_cannot_be_meant_are_refused(make_small, tmp_path, events, words):
    path = with_events(make_small, tmp_path, events)
    with pytest.raises(ScenarioError) as caught:
        run_scenario(path, out=tmp_path / "run")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert not (tmp_path / "run").exists()


def test_events_side_by_side_do_not_overlap(make_small, tmp_path):
    events = [
        {"kind": "island", "start": 1, "end": 4, "zones": ["feeder 1"]},
        {"kind": "island", "start": 3, "end": 5, "zones": ["feeder 2"]},
        {"kind": "island", "start": 5, "end": 6},
        {"kind": "outage", "start": 1, "end": 6, "homes": ["buyers-0"]},
    ]
    run = ran(make_small, tmp_path, events)
    islanded = run.slots.islanded.to_list()
    assert islanded[0] == islanded[6] == 0
    assert islanded[3] == islanded[5] == 5
    assert islanded[1] + islanded[4] == islanded[3]
    told = run.events.text.str.extract(r"([\d.]+) kWh not served")[0].dropna().astype(float)
    assert len(told) == 4
    assert told.sum() == pytest.approx(run.slots.unserved_kwh.sum(), abs=0.003)


def test_an_island_may_not_cut_through_a_zone(make_small, tmp_path):
    zones = {"a": "west", "b": "east", "c": "west"}
    island = {"kind": "island", "start": 1, "end": 2, "zones": ["west"]}
    with Simulation(
        load_scenario(with_events(make_small, tmp_path, [island], feeder__zones=zones))
    ) as simulation:
        simulation.step()
        simulation.step()
        assert simulation.state.course.now.island.max() == 0
    community = simulation.community
    two = replace(
        community.feeder,
        transformer_names=("one", "two"),
        transformer_of_bus=(np.arange(len(community.feeder.bus_names)) == 1).astype(np.int64),
    )
    scenario = make_small(feeder__zones=zones, events=[{**island, "zones": (), "transformers": ("two",)}])
    with pytest.raises(ScenarioError, match=r"cuts through a zone of the market; got .west"):
        make_course(scenario, replace(community, feeder=two))


def test_an_outage_leaves_its_homes_without_anything(make_small, tmp_path):
    names = {"lines": ["line 3"], "buses": ["c"], "zones": ["feeder 2"]}
    seen = {}
    for key, value in names.items():
        (tmp_path / key).mkdir()
        run = ran(make_small, tmp_path / key, [{"kind": "outage", "start": 2, "end": 4, key: value}],
                  results__panels=("load_kwh", "solar_kwh", "charge_kwh", "discharge_kwh", "net_kwh"))  # fmt: skip
        dark = run.households.bus.map(run.buses.name) == "c"
        for panel in ("load_kwh", "solar_kwh", "charge_kwh", "discharge_kwh", "net_kwh"):
            assert not run.panel(panel).to_numpy()[2:4, dark].any()
            assert panel == "net_kwh" or run.panel(panel).to_numpy()[2:4, ~dark].any() or "charge" in panel
        homes = run.households
        assert (homes.interruption_h[dark] == 2.0).all()
        assert not homes.unserved_kwh[~dark].any()
        # Values in the case: sellers use 0.4 and 0.1, buyers 0.3 and 0.9 kWh in slots 2 and 3.
        expected = np.where(homes.group[dark] == "sellers", 0.5, 1.2)
        assert homes.unserved_kwh[dark].to_numpy() == pytest.approx(expected)
        assert run.slots.islanded.sum() == 0
        seen[key] = run.slots
    assert seen["lines"].equals(seen["buses"])
    assert seen["lines"].equals(seen["zones"])


def test_a_cut_upstream_darkens_everything_behind_it(make_small, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    all_of_it = ran(make_small, tmp_path / "a", [{"kind": "outage", "start": 1, "end": 2, "buses": ["a"]}])
    behind = all_of_it.households.bus.map(all_of_it.buses.name).isin(["a", "b"])
    assert (all_of_it.households.interruption_h > 0).equals(behind)
    whole = ran(
        make_small,
        tmp_path / "b",
        [{"kind": "outage", "start": 1, "end": 2, "transformers": ["transformer 1"]}],
    )
    assert (whole.households.interruption_h == 1.0).all()
    row = whole.slots.iloc[1]
    assert row.load_kwh == row.import_kwh == row.traded_kwh == 0
    assert row.unserved_kwh == pytest.approx(3 * 0.2 + 3 * 0.7)


def test_without_load_an_outage_is_still_an_interruption(make_small, tmp_path):
    path = with_events(
        make_small, tmp_path, [{"kind": "outage", "start": 2, "end": 5, "homes": ["buyers-1"]}]
    )
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["households"]["groups"][1]["demand"]["kwh"] = [0.0]
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    homes = run_scenario(path, out=tmp_path / "run").households.set_index("name")
    assert homes.interruption_h.to_dict() == {name: 3.0 * (name == "buyers-1") for name in homes.index}
    assert not homes.unserved_kwh.any()


def test_weather_darkens_the_sun(make_small, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    plain = ran(make_small, tmp_path / "a", [])
    dark = ran(make_small, tmp_path / "b", [{"kind": "weather", "start": 2, "end": 6, "irradiance": 0.25}])
    factor = np.where((dark.slots.slot >= 2) & (dark.slots.slot < 6), 0.25, 1.0)
    assert dark.slots.solar_kwh.to_numpy() == pytest.approx(
        plain.slots.solar_kwh.to_numpy() * factor, abs=1e-5
    )
    assert dark.table("events").kind.to_list() == ["weather", "weather ends"]
    assert "25 %" in dark.table("events").text[0]


def test_weather_warms_heated_houses(make_small, tmp_path):
    def heated(folder, events):
        (tmp_path / folder).mkdir()
        path = with_events(make_small, tmp_path / folder, events)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        data["time"] = {"start": "2025-01-10", "slots": 48, "slot_minutes": 60}
        data["place"]["weather"] = {"source": "clear_sky"}
        data["households"]["groups"][1]["heat_pump"] = {"source": "house"}
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return run_scenario(path, out=tmp_path / folder / "run")

    cold = heated("a", [])
    warm = heated("b", [{"kind": "weather", "start": 12, "end": 36, "warmer_k": 10.0}])
    assert warm.slots.load_kwh[:12].equals(cold.slots.load_kwh[:12])
    assert warm.slots.load_kwh[12:36].sum() < 0.8 * cold.slots.load_kwh[12:36].sum()
    colder = heated("c", [{"kind": "weather", "start": 12, "end": 36, "warmer_k": -5.0}])
    assert colder.slots.load_kwh[12:36].sum() > cold.slots.load_kwh[12:36].sum()


def test_the_table_tells_beginning_and_end(make_small, tmp_path):
    run = ran(make_small, tmp_path, [{"kind": "island", "start": 2, "end": 5}])
    events = run.table("events")
    assert events.slot.to_list() == [2, 4]
    assert events.kind.to_list() == ["island", "island ends"]
    assert events.text[0] == "transformer 1 on its own: 6 homes"
    unserved = run.slots.unserved_kwh.sum()
    assert events.text[1].startswith(f"transformer 1 on its own: {unserved:.3f} kWh not served, ")
