"""Write a scenario out: as YAML with every default, as a hash, and the schema of all scenarios for editors."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic.json_schema import GenerateJsonSchema

from sunshare_sim.errors import InputError, describe
from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.keys import ITEM, all_keys, is_file, range_of, unit_of
from sunshare_sim.scenario.schema import Scenario

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
WIDTH: Final = 110
CHUNK: Final = 1 << 20


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Write plain lists on one line, and quote texts that our reader would take for numbers."""


def _list(dumper: Any, value: Any) -> yaml.Node:
    flow = all(isinstance(item, str | int | float | bool) for item in value)
    node: yaml.Node = dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)
    return node


_Dumper.add_representer(list, _list)
_Dumper.add_representer(tuple, _list)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def dump(scenario: Scenario) -> str:
    """Return a scenario as YAML with every default, in the order of the schema; it loads back equal.

    Paths of data files are absolute; nothing else depends on the machine.
    """
    content = scenario.model_dump()
    text: str = yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False
    )
    return text


def scenario_hash(scenario: Scenario) -> str:
    """Return the SHA-256 of a scenario with every default, as hexadecimal digits.

    A data file counts with the hash of its content and not with its path: the same scenario has the same hash in any
    folder, and another hash when its data change. The section `results` does not count: what is written of a run does
    not change the run.

    Raises
    ------
    InputError
        When a data file is no longer there.
    """
    content = scenario.model_dump(mode="json", exclude={"results"})
    for path in {key.path for key in all_keys() if is_file(key.field)}:
        _digest_files(content, path)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_files(content: Any, path: tuple[str, ...]) -> None:
    """Replace the paths of files below `content` by the hashes of their content, in place."""
    if isinstance(content, list):
        for item in content if path[0] == ITEM else ():  # the other form of the same key is no list
            _digest_files(item, path[1:])
    elif isinstance(content, dict) and content.get(path[0]) is not None:
        if len(path) == 1:
            content[path[0]] = file_hash(Path(content[path[0]]))
        else:
            _digest_files(content[path[0]], path[1:])


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file's content."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        what = f"the data file cannot be read: {(error.strerror or str(error)).lower()}"
        raise InputError(describe(what, where=str(file), expected="the file the scenario names")) from error


class _Schema(GenerateJsonSchema):
    """Leave out the titles pydantic makes up: they repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def json_schema(names: Names | None = None) -> dict[str, Any]:
    """Return the JSON Schema of the scenario file, for editors: units and ranges stand in the descriptions.

    Parameters
    ----------
    names : Names, optional
        Names of mechanisms and strategies, offered for completion.
    """
    names = names or Names()
    schema = Scenario.model_json_schema(schema_generator=_Schema)
    sections = {section.__name__: section for section in (key.section for key in all_keys())}
    for name, part in [("Scenario", schema), *schema["$defs"].items()]:
        if name in sections:
            _describe(part, sections[name].model_fields)
    _offer(schema["$defs"]["Market"]["properties"]["mechanism"], names.mechanisms)
    _offer(schema["$defs"]["StrategySpec"]["properties"]["name"], names.strategies)
    extends = {"type": "string", "description": "scenario file to start from, relative to this one"}
    schema["properties"] = {"extends": extends, **schema["properties"]}
    return {
        "$schema": DIALECT,
        "title": "SunShare scenario",
        **{k: v for k, v in schema.items() if k != "title"},
    }


def _describe(part: dict[str, Any], fields: Any) -> None:
    """Put unit and range into the descriptions of a section's keys; editors show nothing else."""
    for name, field in fields.items():
        entry = part["properties"][name]
        unit = unit_of(field)
        notes = [unit if unit != "1" else "", range_of(field)]
        if name == "source":
            entry["description"] = part.get("description", "")
        elif any(notes):
            entry["description"] = f"{field.description} ({'; '.join(note for note in notes if note)})"
    chosen = fields.get("source")
    # `solar` takes pvlib where nothing is said; every other section with forms must name its own.
    if chosen is not None and chosen.default != "pvlib":
        part["required"] = ["source", *part.get("required", [])]


def _offer(entry: dict[str, Any], names: Any) -> None:
    if names:
        entry["enum"] = sorted(names)
