"""The schema of the study file, for editors: keys of the scenario are completed and described in it too."""

import json
from typing import Any, Final

from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.canonical import DIALECT, json_schema
from sunshare_sim.scenario.keys import ITEM, all_keys, is_section, range_of, strip, unit_of
from sunshare_sim.studies.asked import known_kpis
from sunshare_sim.studies.schema import StudyFile

SETTABLE: Final = "ScenarioKeys"


def study_schema(names: Names | None = None) -> dict[str, Any]:
    """Return the JSON Schema of the study file; a base written out in it is checked as a scenario.

    Parameters
    ----------
    names : Names, optional
        Names of mechanisms and strategies, offered for completion.
    """
    scenario = json_schema(names)
    schema = StudyFile.model_json_schema()
    parts: dict[str, Any] = {**scenario.pop("$defs"), **schema.pop("$defs")}
    scenario.pop("$schema")
    parts |= {"Scenario": scenario, SETTABLE: {"type": "object", "properties": _keys()}}
    keys = schema["properties"]
    keys["base"] |= {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Scenario"}]}
    for place in (parts["Variant"]["properties"]["set"], parts["Quick"]["properties"]["set"]):
        place["allOf"] = [{"$ref": f"#/$defs/{SETTABLE}"}]
    known = {"enum": sorted(known_kpis())}
    keys["kpis"]["items"] = {"type": "string", **known}
    parts["Until"]["properties"]["kpi"] |= known
    return {"$schema": DIALECT, "title": "SunShare study", **_untitled(schema), "$defs": _untitled(parts)}


def study_schema_text(names: Names | None = None) -> str:
    """Return the JSON Schema of the study file as text."""
    return json.dumps(study_schema(names), indent=2, ensure_ascii=False) + "\n"


def _keys() -> dict[str, Any]:
    """Return a description for each dotted key; of lists the first item stands for all."""
    found: dict[str, Any] = {}
    for key in all_keys():
        path = "".join("[0]" if part == ITEM else f".{part}" for part in key.path).removeprefix(".")
        if is_section(strip(key.field.annotation)) or key.path[0] in {
            "seed",
            "name",
            "description",
            "results",
        }:
            continue
        notes = [note for note in (unit_of(key.field), range_of(key.field)) if note not in {"", "1"}]
        text = key.field.description or f"`{key.source}` chooses this form"
        found.setdefault(path, {"description": f"{text} ({'; '.join(notes)})" if notes else text})
    return found


def _untitled(part: Any) -> Any:
    """Return a schema without the titles that pydantic makes up: they repeat the keys."""
    if isinstance(part, dict):
        return {
            key: _untitled(value)
            for key, value in part.items()
            if key != "title" or not isinstance(value, str)
        }
    return [_untitled(item) for item in part] if isinstance(part, list) else part
