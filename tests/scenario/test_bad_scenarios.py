"""Every mistake: at its line and column, in the user's words, with the nearest valid name; all of them at once."""

import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.errors import ScenarioError
from sunshare_sim.scenario import yamlmarks
from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.load import load_scenario

NAMES = Names(mechanisms=("cda", "none"), strategies=("zi_c", "fixed_limit", "tariff_bound"))


@pytest.fixture
def complain(tmp_path, monkeypatch):
    """Return the lines of the error that a scenario text leads to."""
    monkeypatch.chdir(tmp_path)

    def _complain(text, *, overrides=(), **others):
        for stem, content in {"s": text, **others}.items():
            data = content if isinstance(content, bytes) else dedent(content).encode()
            (tmp_path / f"{stem}.yaml").write_bytes(data)
        with pytest.raises(ScenarioError) as caught:
            load_scenario("s.yaml", overrides=overrides, names=NAMES)
        return str(caught.value).splitlines()

    return _complain


GROUP = "households: {groups: [{%s}]}"
ONE_LINERS = [  # the mark § stands before what the message must point at
    ("§sead: 1", "sead: unknown key; got 'sead'; expected one of schema_version,", "did you mean 'seed'?"),
    ("time: {§dys: 1}", "time.dys: unknown key; got 'dys'; expected one of start,", "did you mean 'days'?"),
    ("place: {weather: {source: tmy, §stat: x}}",
     "place.weather.stat: unknown key",
     "did you mean 'station'?"),
    (GROUP % "§batery: {}", "households.groups[0].batery: unknown key", "did you mean 'battery'?"),
    (GROUP % "battery: {§capacity_kw: 3}",
     "households.groups[0].battery.capacity_kw: unknown key",
     "did you mean 'capacity_kwh'?"),
    (GROUP % "battery: {§capacity: 3}",
     "households.groups[0].battery.capacity: unknown key",
     "did you mean 'capacity_kwh'?"),
    (GROUP % "battery: {§power_w: 3}",
     "households.groups[0].battery.power_w: unknown key",
     "did you mean 'power_kw'?"),
    (GROUP % "solar: {§kw: 3}", "households.groups[0].solar.kw: unknown key", "did you mean 'kwp'?"),
    (GROUP % "solar: {kwp: {min: 1, max: 2, §mean: 3}}",
     "households.groups[0].solar.kwp.mean: unknown key",
     "expected one of min, max"),
    ("§tick: 1", "tick: unknown key", "did you mean 'market.tick'?"),
    ("market: {§charger_kw: 1}",
     "market.charger_kw: unknown key",
     "did you mean 'households.groups[].ev.charger_kw'?"),
    ("tariff: {periods: [{from_hour: 1, to_hour: 2, supply_per_kwh: 0.1, §day: all}]}",
     "tariff.periods[0].day: unknown key",
     "did you mean 'days'?"),
    ("§zzz: 1", "zzz: unknown key; got 'zzz'", ""),
    ("§2: 1", "2: unknown key; got '2'", ""),
    ("seed: §1.5", "seed: wrong type; got 1.5; expected a whole number, 0 to below 2^63", ""),
    ("seed: §'1'", "seed: wrong type; got '1'; expected a whole number", ""),
    ("seed: §null", "seed: wrong type; got null; expected a whole number", ""),
    ("name: §3", "name: wrong type; got 3; expected a text", ""),
    ("results: {orders: §yes}", "results.orders: wrong type; got 'yes'; expected true or false", ""),
    ("market: §3", "market: wrong type; got 3; expected a section, with keys mechanism,", ""),
    ("market: §[cda]", "market: wrong type; got ['cda']; expected a section", ""),
    ("households: {groups: §{a: 1}}",
     "households.groups: wrong type; got {'a': 1}; expected a list, each a section",
     ""),
    ("households: {groups: [§3]}", "households.groups[0]: wrong type; got 3; expected a section", ""),
    ("time: {start: §2025-02-30}", "time.start: wrong type; got '2025-02-30'; expected a date such as", ""),
    ("time: {start: §20250602}", "time.start: wrong type; got 20250602; expected a date such as", ""),
    ("time: {slot_minutes: §15 min}",
     "time.slot_minutes: not one of the choices; got '15 min'; expected 1, 2,",
     ""),
    ("market: {tick: §1 ct}",
     "market.tick: wrong type; got '1 ct'; expected a number in currency/kWh, 0.000001 to 1",
     ""),
    ("place: {altitude_m: §81 m}",
     "place.altitude_m: wrong type; got '81 m'; expected a number in m, -430 to 6,000",
     ""),
    (GROUP % "battery: {capacity_kwh: §10 kWh}",
     "households.groups[0].battery.capacity_kwh: wrong type; got '10 kWh'; expected a number in kWh,",
     ""),
    (GROUP % "battery: {capacity_kwh: {min: §1 kWh, max: 2}}",
     "households.groups[0].battery.capacity_kwh.min: wrong type; got '1 kWh'; expected a number in kWh",
     ""),
    (GROUP % "demand: {source: values, kwh: [1, §a]}",
     "households.groups[0].demand.kwh[1]: wrong type; got 'a'; expected a number in kWh",
     ""),
    (GROUP % "strategy: {parameters: {a: §[1]}}",
     "households.groups[0].strategy.parameters.a: wrong type; got [1]",
     ""),
    ("feeder: {source: simbench, zones: §5}",
     "feeder.zones: wrong type; got 5; expected feeder or transformer or a",
     ""),
    ("feeder: {source: simbench, zones: {b1: §5}}",
     "feeder.zones.b1: wrong type; got 5; expected a text",
     ""),
    ("seed: §-1", "seed: out of range; got -1; expected a whole number, 0 to below 2^63", ""),
    ("time: {days: §0}", "time.days: out of range; got 0; expected a whole number in d, 1 to 3,660", ""),
    ("place: {latitude: §90}",
     "place.latitude: out of range; got 90; expected a number in deg, -66 to 66",
     ""),
    ("market: {tick: §.nan}", "market.tick: out of range; got nan; expected a number in currency/kWh", ""),
    ("market: {tick: §.inf}", "market.tick: out of range; got inf", ""),
    (GROUP % "solar: {share: §2}",
     "households.groups[0].solar.share: out of range; got 2; expected a number, 0 to 1",
     ""),
    (GROUP % "battery: {round_trip_efficiency: §0}",
     "households.groups[0].battery.round_trip_efficiency: out of range; got 0; expected a number, above 0 to 1",
     ""),
    (GROUP % "battery: {capacity_kwh: {min: 1, max: §1e9}}",
     "households.groups[0].battery.capacity_kwh.max: out of range; got 1000000000.0; expected 0 to 100,000",
     ""),
    (GROUP % "battery: {capacity_kwh: §-1}",
     "households.groups[0].battery.capacity_kwh: out of range; got -1",
     ""),
    (GROUP % "demand: {source: bdew, annual_kwh: {median: §1e8, sigma: 0.1}}",
     "households.groups[0].demand.annual_kwh.median: out of range; got 100000000.0; expected 0 to 10,000,000",
     ""),
    (GROUP % "solar: {kwp: {min: §3, max: 2}}",
     "households.groups[0].solar.kwp.min: min is above max; got 3; expected at most max, 2",
     ""),
    (GROUP % "battery: {min_soc: 0.9, initial_soc: §0.5}",
     "households.groups[0].battery.initial_soc: states of charge in the wrong order; got 0.5",
     ""),
    (GROUP % "count: 1, share: §0.5",
     "households.groups[0].share: a group has `count` or `share`, not both",
     ""),
    (GROUP % "name: a}, {name: §a", "households.groups[1].name: two groups have the same name; got 'a'", ""),
    ("households: {groups: §[]}", "households.groups: too few items; got []", "at least 1"),
    ("feeder: {source: inline, lines: §[]}", "feeder.lines: too few items; got []", "at least 1"),
    ("market: {pricing: §asks}",
     "market.pricing: not one of the choices; got 'asks'; expected ask, resting or midpoint",
     "did you mean 'ask'?"),
    ("results: {panels: [§soc]}",
     "results.panels[0]: not one of the choices; got 'soc'",
     "did you mean 'soc_kwh'?"),
    ("schema_version: §2", "schema_version: not one of the choices; got 2; expected 1", ""),
    ("feeder: {source: §simbensch}",
     "feeder.source: unknown source; got 'simbensch'; expected simbench, pandapower, file or inline",
     "did you mean 'simbench'?"),
    ("feeder: {source: §3}", "feeder.source: unknown source; got 3", ""),
    ("§feeder: {code: x}", "feeder.source: missing key; expected simbench, pandapower, file or inline", ""),
    (GROUP % "solar: {source: §sun}",
     "households.groups[0].solar.source: unknown source; got 'sun'; expected pvlib or",
     ""),
    (GROUP % "§demand: {}",
     "households.groups[0].demand.source: missing key; expected simbench, bdew, file or values",
     ""),
    (GROUP % "§demand: {source: values}",
     "households.groups[0].demand.kwh: missing key; expected a list, each a number in kWh",
     ""),
    (GROUP % "solar: {§kwp: {min: 1}}",
     "households.groups[0].solar.kwp.max: missing key; expected a number in kWp",
     ""),
    ("market: {mechanism: §cdaa}",
     "market.mechanism: unknown mechanism; got 'cdaa'; expected one of cda, none",
     "did you mean 'cda'?"),
    (GROUP % "strategy: {name: §zic}",
     "households.groups[0].strategy.name: unknown strategy; got 'zic'; expected one of",
     "did you mean 'zi_c'?"),
    ("place: {timezone: §Europe/Berln}",
     "place.timezone: unknown time zone; got 'Europe/Berln'",
     "did you mean 'Europe/Berlin'?"),
    ("place: {timezone: §../x}", "place.timezone: unknown time zone; got '../x'", ""),
    ("name: §My Village",
     "name: malformed text; got 'My Village'; expected a text, lower-case letters, digits, - and _",
     ""),
    ("tariff: {currency: §eur}",
     "tariff.currency: malformed text; got 'eur'; expected a text, three capital letters",
     ""),
    (GROUP % "demand: {source: file, path: §no.csv, unit: kW}",
     "households.groups[0].demand.path: no such file; got 'no.csv'; expected a file, relative to '.'",
     ""),
    ("place: {weather: {source: file, path: §.}}", "place.weather.path: this is a folder; got '.'", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "start", "end"), ONE_LINERS, ids=[text[:50] for text, _, _ in ONE_LINERS])
def test_one_mistake_is_one_line(complain, text, start, end):
    lines = complain(text.replace("§", ""))
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"s.yaml:1:{text.index('§') + 1}: {start}")
    assert end in lines[0]


YAML_MISTAKES = [
    ("", "s.yaml: the file is empty; expected keys such as"),
    ("# only a comment\n", "s.yaml: the file is empty"),
    ("- a\n", "s.yaml: the file is no mapping of keys to values"),
    ("just a text", "s.yaml: the file is no mapping of keys to values"),
    (
        "seed: 1\nmarket:\n\ttick: 1\n",
        "s.yaml:3:1: not valid YAML: .*; indent with spaces: YAML does not take tabs",
    ),
    (
        "seed: 1\n---\nseed: 2\n",
        "s.yaml:2:1: the file holds more than one document; expected one scenario a file",
    ),
    ("time: [1\nseed: 2", "s.yaml:2:5: not valid YAML: .*; what is not closed begins in line 1"),
    ("description: a: b\n", "s.yaml:1:15: not valid YAML: .*; check the indentation, and put texts"),
    ("seed: 1\n  time: 2\n", "s.yaml:2:7: not valid YAML"),
    ("seed: *x\n", "s.yaml:1:7: not valid YAML: found undefined alias"),
    ("description: 'a\n", "s.yaml:2:1: not valid YAML: while scanning a quoted scalar, found unexpected end"),
    ("seed: 1\nname: \x00\n", "s.yaml:2:7: not valid YAML: control characters are not allowed"),
    (
        b"seed: 1\nname: \xff\n",
        "s.yaml:2:7: the file is not UTF-8; expected text in UTF-8; save it again as UTF-8",
    ),
    ("seed: 1\nmarket: {}\nseed: 2\n", r"s.yaml:3:1: seed: the same key twice; it stands in line 1 already"),
    ("market: {tick: 0.1, tick: 0.2}\n", "s.yaml:1:21: market.tick: the same key twice"),
    ("market:\nseed: 1\n", "s.yaml:1:1: market: a key without a value; write `market: {}` for defaults"),
    ("market:\n  tick:\n", "s.yaml:2:3: market.tick: a key without a value"),
    ("seed: !!python/object:os.system {}\n", "s.yaml:1:7: seed: wrong type; got {}"),
    ("seed: !secret 3\n", "s.yaml:1:7: seed: a tag that a scenario does not know; got '!secret'"),
    ("results: {panels: &x [*x]}\n", "s.yaml:1:19: results.panels.*: an alias that contains itself"),
    ("? [a, b]\n: 1\n", "s.yaml:1:3: a key that is no text"),
    ("market: {<<: 3}\n", "s.yaml:1:10: market: `<<` takes a mapping; got 3"),
    ("extends: nix.yaml\n", "s.yaml:1:10: extends: no such file; got 'nix.yaml'; expected a scenario file"),
    ("extends: 3\n", "s.yaml:1:10: extends: wrong type; got 3; expected the path of one scenario file"),
    ("extends: s.yaml\n", "s.yaml:1:10: extends: files extend each other: s.yaml -> s.yaml"),
]


@pytest.mark.parametrize(
    ("text", "pattern"), YAML_MISTAKES, ids=[repr(text)[:40] for text, _ in YAML_MISTAKES]
)
def test_what_yaml_itself_would_not_tell(complain, text, pattern):
    lines = complain(text)
    assert any(re.match(pattern, line) for line in lines), lines


def test_aliases_that_multiply_are_stopped(complain, monkeypatch):
    monkeypatch.setattr(yamlmarks, "MOST_VALUES", 10_000)
    levels = [f"  a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]" for i in range(9)]
    lines = complain("\n".join(["description:", "  a0: &a0 [x]", *levels]))
    assert lines[0].startswith("s.yaml:")
    assert "too many values; expected at most 10,000; put series into a CSV or Parquet file" in lines[0]


def test_nesting_that_has_no_end(complain):
    (line,) = complain("seed: " + "[" * 100_000)
    assert line == "s.yaml:1:56: not valid YAML: nested too deep"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "quickstrt.yaml",
            r"quickstrt.yaml: no such file; expected a scenario file; did you mean 'quickstart.yaml'\?",
        ),
        (".", r"\.: this is a folder; expected a scenario file"),
        (
            "no/such/s.yaml",
            "no/such/s.yaml: no such file; expected a scenario file; there is no folder 'no/such'",
        ),
    ],
)
def test_files_that_are_none(tmp_path, monkeypatch, path, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart.yaml").write_text("seed: 1")
    with pytest.raises(ScenarioError, match=f"^{message}$"):
        load_scenario(path)


def test_files_that_extend_each_other(complain):
    lines = complain("extends: b.yaml", b="extends: c.yaml", c="seed: 1\nextends: s.yaml")
    assert lines == ["c.yaml:2:10: extends: files extend each other: s.yaml -> b.yaml -> c.yaml -> s.yaml"]


def test_two_files_that_extend_the_same_one_are_no_circle(tmp_path):
    (tmp_path / "root.yaml").write_text("seed: 5")
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("extends: root.yaml")
        assert load_scenario(tmp_path / f"{name}.yaml").seed == 5


OVERRIDES = [
    ("market.tick", "--set market.tick: not a path and a value; got 'market.tick'; expected KEY=VALUE"),
    ("=3", "--set =3: not a path and a value"),
    ("a..b=3", "--set a..b=3: not a path and a value"),
    ("groups[x]=3", "--set groups[x]=3: not a path and a value"),
    ("market.tick=", "--set market.tick=: market.tick: no value given"),
    ("market.tick=[", "--set market.tick=[: market.tick: not valid YAML"),
    ("market.tick=1 ct", "--set market.tick=1 ct: market.tick: wrong type; got '1 ct'; expected a number in"),
    ("market.tik=1", "--set market.tik=1: market.tik: unknown key; got 'tik'"),
    ("seed.x=1", "--set seed.x=1: seed.x: seed has no keys; got 1; expected a section"),
    ("seed[0]=1", "--set seed[0]=1: seed[0]: no such item; expected a list in the file"),
    ("households.groups[1].name=b", "--set households.groups[1].name=b: households.groups[1]: no such item;"),
    ("tariff.periods[0].days=all", "--set tariff.periods[0].days=all: tariff.periods[0]: no such item; expected a"),
    ("households.groups[0].solar.share=2",
     "--set households.groups[0].solar.share=2: households.groups[0].solar.share: out of range; got 2"),
    ("place.weather={source: file, path: no.csv}",
     "--set place.weather={source: file, path: no.csv}: place.weather.path: no"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "start"), OVERRIDES, ids=[override for override, _ in OVERRIDES])
def test_bad_overrides_name_themselves(complain, override, start):
    lines = complain("seed: 1\nhouseholds: {groups: [{name: a}]}", overrides=[override])
    assert len(lines) == 1, lines
    assert lines[0].startswith(start)


def test_bad_overrides_from_python(complain):
    lines = complain("seed: 1", overrides={"market.tick": "x", "not a path": 3})
    assert lines[0].startswith("override not a path: not a path and a value")
    assert lines[1].startswith("override market.tick: market.tick: wrong type; got 'x'")


def test_all_mistakes_of_two_files_at_once(complain):
    lines = complain(
        """\
        extends: base.yaml
        seed: 1
        seed: 2
        time:
          days: 1.5
          slot_minute: 15
        households:
          groups:
            - name: homes
              battery:
                capacity_kwh: 10 kWh
                power_kw: {min: 3, max: 1e6}
              solar: {share: 1.5}
            - name: shop
              demand: {source: values, kwh: [1.0, x, y]}
              ev:
        """,
        base="""\
        market:
          mechanism: cdb
          tick: 2
        feeder:
          source: inline
          lines:
            - {from_bus: a, to_bus: b, r_ohm: 0.1}
        results: {panels: [soc_kwh, netkwh]}
        """,
        overrides=["tariff.vat=19"],
    )
    assert [line.split(": ")[:3] for line in lines] == [
        ["s.yaml:3:1", "seed", "the same key twice; it stands in line 2 already"],
        ["s.yaml:5:9", "time.days", "wrong type; got 1.5; expected a whole number in d, 1 to 3,660"],
        ["s.yaml:6:3", "time.slot_minute", lines[2].split(": ")[2]],
        ["s.yaml:11:23", "households.groups[0].battery.capacity_kwh", lines[3].split(": ")[2]],
        ["s.yaml:12:33", "households.groups[0].battery.power_kw.max", lines[4].split(": ")[2]],
        ["s.yaml:13:22", "households.groups[0].solar.share", lines[5].split(": ")[2]],
        ["s.yaml:15:43", "households.groups[1].demand.kwh[1]", lines[6].split(": ")[2]],
        ["s.yaml:15:46", "households.groups[1].demand.kwh[2]", lines[7].split(": ")[2]],
        ["s.yaml:16:7", "households.groups[1].ev", lines[8].split(": ")[2]],
        ["base.yaml:2:14", "market.mechanism", lines[9].split(": ")[2]],
        ["base.yaml:3:9", "market.tick", lines[10].split(": ")[2]],
        ["base.yaml:7:7", "feeder.lines[0].x_ohm", "missing key; expected a number in ohm, at least 0"],
        ["base.yaml:8:29", "results.panels[1]", lines[12].split(": ")[2]],
        ["--set tariff.vat=19", "tariff.vat", "out of range; got 19; expected a number, 0 to 1"],
    ]


def test_syntax_errors_of_base_and_child_come_together_where_they_can(complain):
    lines = complain("extends: base.yaml\nseed: 1\nseed: 2", base="seed: [")
    assert [line.split(": ")[0] for line in lines] == ["s.yaml:3:1", "base.yaml:2:1"]


def _message_or_nothing(file, overrides=()):
    try:
        load_scenario(file, overrides=overrides)
    except ScenarioError as error:
        return str(error)
    return ""


@given(text=st.text(max_size=60) | st.binary(max_size=60))
def test_any_bytes_load_or_complain_with_the_file(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("any") / "s.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    message = _message_or_nothing(file)
    assert all(line.startswith(str(file)) for line in message.splitlines())


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
TREES = st.recursive(
    LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(st.text(max_size=4), t, max_size=3)
)
SECTIONS = st.sampled_from([
    "time.start", "place.weather", "feeder", "feeder.zones", "households.groups", "households.groups[0].demand",
    "households.groups[0].solar", "households.groups[0].battery.capacity_kwh", "market", "tariff.periods",
    "results.panels", "households.groups[0].strategy.parameters", "seed", "name",
])  # fmt: skip


@given(changes=st.dictionaries(SECTIONS, TREES, min_size=1, max_size=3))
def test_any_value_anywhere_is_taken_or_named(tmp_path_factory, changes):
    file = tmp_path_factory.mktemp("tree") / "s.yaml"
    file.write_text("feeder: {source: simbench}\nhouseholds: {groups: [{solar: {}, battery: {}}]}")
    message = _message_or_nothing(file, changes)
    assert all(line.startswith(("override ", str(file))) for line in message.splitlines())
    for form in ("pvlib", "uniform", "lognormal", "number", "dict[", "literal[", "simbench"):
        assert f".{form}" not in message


def test_one_mistake_stays_one_line_whatever_a_key_contains(complain):
    (line,) = complain('"a\\nb\\u001b[31m": 1')
    assert r"a\nb\x1b[31m: unknown key" in line
