"""Write the reference of all keys (docs/scenario.md) from the schema, so that it cannot go stale."""

import json
from typing import Any, Final

from pydantic_core import PydanticUndefined

from sunshare_sim.scenario.base import Lognormal, Uniform
from sunshare_sim.scenario.keys import (
    Key,
    all_keys,
    forms,
    is_file,
    is_section,
    range_of,
    strip,
    type_of,
    unit_of,
)

HEAD: Final = """\
# The scenario file

One YAML file describes one run. Every key has a default but for those marked *required*, so a file says only what
differs. `sunshare check FILE` names every mistake with its line; `resolved.yaml` in a run's folder shows every value
that was used. This page is written by `sunshare schema --markdown`.

- **Unknown keys are errors**, and so are a key that stands twice, a key without a value, a text where a number belongs.
- Plain values follow YAML 1.2: `1e-4` is a number; `no`, `on` and `12:30` are texts; dates are written `2025-06-02`.
- A **draw** is one value a home: a number (the same for all), `{min, max}` (uniform) or `{median, sigma}` (lognormal).
- `extends: base.yaml` starts from another file, relative to this one; chains are fine. Sections merge key by key.
  Lists, and so `households.groups`, are replaced as a whole; so is a section that names another `source`. `name` is not
  inherited: a file without one is called after its file name.
- `--set KEY=VALUE` replaces one value: `--set market.tick=0.001`, `--set households.groups[0].solar.share=0.5`. Setting
  `source` to another form drops the keys of the form that was there.
- Paths of data files are relative to the file they are written in. They are made absolute when the scenario is loaded;
  the scenario's hash takes the content of the file in place of its path, so that it is the same in every folder.
- For completion and checking in an editor, let the first line be
  `# yaml-language-server: $schema=scenario.schema.json` and write that file with
  `sunshare schema -o scenario.schema.json`.
"""
TABLE: Final = "| key | takes | unit | range | default | meaning |\n|---|---|---|---|---|---|"


def reference() -> str:
    """Return the reference of all keys as Markdown."""
    parts, heading = [HEAD], None
    for key in sorted_keys():
        if (key.path[:-1], key.source) != heading:
            heading = (key.path[:-1], key.source)
            parts.append(f"\n## {_title(key)}\n\n{_intro(key)}\n\n{TABLE}")
        parts.append(_row(key))
    return "\n".join(parts) + "\n"


def sorted_keys() -> list[Key]:
    """Return all keys, those of one section together, sections in the order in which they first occur."""
    order: dict[tuple[tuple[str, ...], str], list[Key]] = {}
    for key in all_keys():
        order.setdefault((key.path[:-1], key.source), []).append(key)
    return [key for section in order.values() for key in section]


def _title(key: Key) -> str:
    path = ".".join(key.path[:-1]).replace(".[]", "[]")
    name = f"`{path}`" if path else "Top level"
    return f"{name} with `source: {key.source}`" if key.source else name


def _intro(key: Key) -> str:
    lines = (key.section.__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines)


def _row(key: Key) -> str:
    name = f"`{key.path[-1]}`"
    if key.path[-1] == "source":
        return f"| {name} | `{key.source}` | | | {_default(key)} | chooses this form |"
    cells = (name, _takes(key), unit_of(key.field), _range(key), _default(key), key.field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _range(key: Key) -> str:
    return "" if getattr(strip(key.field.annotation), "__name__", "") == "bool" else range_of(key.field)


def _takes(key: Key) -> str:
    kind = strip(key.field.annotation)
    found = forms(kind)
    if Uniform in found and Lognormal in found:
        return "a draw"
    if all(is_section(form) for form in found):
        return "a section" if len(found) == 1 else "a section, by `source`"
    return "the path of a file" if is_file(key.field) else type_of(kind)


def _default(key: Key) -> str:
    value: Any = key.field.default
    if value is PydanticUndefined or (key.path[-1] == "source" and key.source != "pvlib"):
        return "*required*"
    if key.path == ("name",):
        return "the file's name"
    if value is None or value == "":
        return "none"
    if is_section(type(value)) and not isinstance(value, Uniform | Lognormal):
        return "its defaults"
    if isinstance(value, tuple) and any(is_section(type(item)) for item in value):
        return "one group of defaults"
    return f"`{_flow(value)}`"


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if is_section(type(value)):
        value = value.model_dump()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    return value if isinstance(value, str) else json.dumps(value, default=str).strip('"')
