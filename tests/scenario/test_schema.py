"""Every key is described, and every description is published: schema, reference, editors."""

import json
from datetime import date
from itertools import groupby
from pathlib import Path

import jsonschema
import pytest
import yaml

from sunshare_sim.scenario.base import Names, Section
from sunshare_sim.scenario.keys import all_keys, forms, is_file, range_of, unit_of
from sunshare_sim.scenario.load import json_schema, load_scenario
from sunshare_sim.scenario.reference import reference
from sunshare_sim.scenario.template import MODELINE, TEMPLATES, template_text

ROOT = Path(__file__).parents[2]
# Numbers that any finite value suits: their sections check them against each other, or `within` checks the whole draw.
FREE = {"min", "max", "kwh", "start", "end"}  # bounds of the run are known when it starts
UNITS = {"_kwh": "kWh", "_kw": "kW", "kwp": "kWp", "_deg": "deg", "_km": "km", "_ohm": "ohm", "_m": "m", "_kva": "kVA",
         "_kv": "kV", "_a": "A", "_hour": "h", "_minutes": "min", "_per_kwh": "currency/kWh", "days": "d",
         "g_per_kwh": "g/kWh", "_g_per_kwh": "g/kWh"}  # fmt: skip


def sections(section=Section):
    for child in section.__subclasses__():
        yield child
        yield from sections(child)


def fields():
    """Yield every field of every section, the draws' own included; `source` is described by its section."""
    for section in sections():
        if section.__module__.startswith("sunshare_sim.scenario"):
            for name, field in section.model_fields.items():
                if name != "source":
                    yield pytest.param(section, name, field, id=f"{section.__name__}.{name}")


@pytest.mark.parametrize(("section", "name", "field"), list(fields()))
def test_every_field_says_what_it_is(section, name, field):
    description = field.description or ""
    assert description, "no description"
    assert "\n" not in description
    assert not description.removesuffix("...").endswith(".")
    kinds = forms(field.annotation)
    if float in kinds or (int in kinds and "schema" not in name):
        unit = unit_of(field)
        assert unit or name in {"min", "max", "median", "parameters"}, "a number without a unit"
        assert range_of(field) or name in FREE, "a number without a range"
        suffix = max((s for s in UNITS if name.endswith(s)), key=len, default="")
        assert not suffix or unit == UNITS[suffix] or name == "standing_per_day"
    assert (section.__doc__ or "").strip().splitlines()[0].endswith(".")


def test_all_keys_finds_every_section():
    reached = {key.section for key in all_keys()}
    missing = {s for s in sections() if s.__module__.startswith("sunshare_sim.scenario")} - reached
    assert {section.__name__ for section in missing} == {"Scenario", "Uniform", "Lognormal"} - {"Scenario"}


def test_paths_of_files_are_the_keys_that_say_so():
    marked = {(key.section.__name__, key.path[-1]) for key in all_keys() if is_file(key.field)}
    said = {
        (k.section.__name__, k.path[-1])
        for k in all_keys()
        if "relative to the scenario file" in (k.field.description or "")
    }
    assert marked == said
    assert len(marked) >= 4


def test_the_reference_in_docs_is_current():
    text = (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8")
    assert text == reference(), "run: sunshare schema --markdown -o docs/scenario.md"


def test_the_reference_has_a_row_for_every_key():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) == len(all_keys())
    headings = [line for line in reference().splitlines() if line.startswith("## ")]
    assert len(set(headings)) == len(headings) == len(list(groupby(
        sorted((key.path[:-1], key.source) for key in all_keys()))))  # fmt: skip
    assert (
        "| `capacity_kwh` | a draw | kWh | 0 to 100,000 | `{min: 5.0, max: 12.0}` | usable capacity |" in rows
    )


@pytest.fixture(scope="module")
def validator():
    schema = json_schema(
        Names(mechanisms=("cda", "none"), strategies=("zi_c", "fixed_limit", "tariff_bound"))
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def as_json(text):
    return json.loads(json.dumps(yaml.safe_load(text), default=date.isoformat))


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_editor_finds_nothing_wrong_with_the_templates(validator, template):
    assert list(validator.iter_errors(as_json(template_text(template, "x")))) == []


@pytest.mark.parametrize(
    "text",
    [
        "extends: base.yaml",
        "households: {groups: [{solar: {share: 0.5}, battery: {capacity_kwh: {min: 1, max: 2}}}]}",
        "feeder: {source: simbench, zones: {a: b}}", "households: {groups: [{battery: null}]}", "{}",
    ],
)  # fmt: skip
def test_an_editor_takes_what_loads(validator, text):
    assert list(validator.iter_errors(as_json(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "sead: 1", "seed: -1", "time: {days: 0}", "market: {mechanism: cdaa}", "feeder: {code: x}",
        "feeder: {source: x}",
        "households: {groups: [{battery: {capacity_kwh: 1e9}}]}", "households: {groups: [{strategy: {name: zic}}]}",
        "households: {groups: [{solar: {source: values}}]}", "households: {groups: []}",
    ],
)  # fmt: skip
def test_an_editor_sees_what_would_not_load(validator, text):
    assert list(validator.iter_errors(as_json(text)))


def test_units_and_ranges_can_be_seen_in_the_editor(validator):
    battery = validator.schema["$defs"]["Battery"]["properties"]
    assert battery["capacity_kwh"]["description"] == "usable capacity (kWh; 0 to 100,000)"
    assert battery["min_soc"]["description"] == "lowest state of charge (0 to 1)"
    assert validator.schema["$defs"]["SimbenchFeeder"]["properties"]["source"]["description"].startswith(
        "Take a SimBench"
    )
    described = [p for d in validator.schema["$defs"].values() for p in d["properties"].values()]
    assert all(entry.get("description") for entry in described)


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_the_scenarios_of_the_repository(template):
    ours = (ROOT / "sunshare_sim" / "scenario" / "templates" / f"{template}.yaml").read_text(encoding="utf-8")
    theirs = (ROOT / "scenarios" / f"{template}.yaml").read_text(encoding="utf-8")
    assert ours == theirs, f"copy scenarios/{template}.yaml to sunshare_sim/scenario/templates/"


@pytest.mark.parametrize("file", sorted((ROOT / "scenarios").glob("*.yaml")), ids=lambda file: file.name)
def test_all_scenarios_of_the_repository_load_and_point_editors_to_the_schema(file):
    assert load_scenario(file).name == file.stem
    assert file.read_text(encoding="utf-8").startswith(MODELINE)
