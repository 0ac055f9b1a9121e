"""Make new scenario files from the ones that come with the package."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

from sunshare_sim.errors import ScenarioError, describe
from sunshare_sim.scenario.base import Names
from sunshare_sim.scenario.canonical import json_schema
from sunshare_sim.scenario.load import slug

TEMPLATES: Final = ("quickstart", "three-homes")
SCHEMA_FILE: Final = "scenario.schema.json"
MODELINE: Final = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"


def template_text(template: str, name: str) -> str:
    """Return the text of a template under another name; its first line points editors to the schema."""
    text = (
        files("sunshare_sim.scenario").joinpath("templates", f"{template}.yaml").read_text(encoding="utf-8")
    )
    body = re.sub(r"\A# yaml-language-server:.*\n", "", text)
    return MODELINE + re.sub(r"^name:.*$", f"name: {name}", body, count=1, flags=re.MULTILINE)


def new_scenario(path: Path, template: str, names: Names | None = None) -> tuple[Path, Path]:
    """Write a scenario file and, beside it, the schema for editors; return both paths.

    Raises
    ------
    ScenarioError
        When the file is there already, or cannot be written.
    """
    file = path if path.suffix in {".yaml", ".yml"} else path.with_name(f"{path.name}.yaml")
    schema = file.with_name(SCHEMA_FILE)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(template_text(template, slug(file.stem)))
        if not schema.exists():
            write_text(schema, schema_text(names))
    except FileExistsError as error:
        hint = "choose another name, or remove the file"
        raise ScenarioError(describe("there is such a file already", where=str(file), hint=hint)) from error
    except OSError as error:
        raise ScenarioError(describe(_reason(error), where=str(file))) from error
    return file, schema


def write_text(file: Path, text: str) -> None:
    """Write a text file.

    Raises
    ------
    ScenarioError
        When it cannot be written.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(describe(_reason(error), where=str(file))) from error


def schema_text(names: Names | None = None) -> str:
    """Return the JSON Schema of the scenario file as text."""
    return json.dumps(json_schema(names), indent=2, ensure_ascii=False) + "\n"


def _reason(error: OSError) -> str:
    return f"cannot be written: {(error.strerror or str(error)).lower()}"
