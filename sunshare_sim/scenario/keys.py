"""Walk the schema: which keys a section has, of which type, unit and range; for messages, documentation and paths."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from sunshare_sim.scenario.base import FILE, Lognormal, Uniform, Within, number_text
from sunshare_sim.scenario.problems import KeyPath
from sunshare_sim.scenario.schema import Scenario

ITEM: Final = "[]"
DRAWS: Final[tuple[type[BaseModel], ...]] = (Uniform, Lognormal)
NUMBER: Final = "a number"
TEXTS: Final = {
    float: NUMBER,
    int: "a whole number",
    str: "a text",
    bool: "true or false",
    date: "a date such as 2025-06-02",
}
PATTERNS: Final = {
    "^[a-z0-9][a-z0-9_-]*$": "lower-case letters, digits, - and _",
    "^[A-Z]{3}$": "three capital letters such as EUR",
}


class Key(NamedTuple):
    """Describe one key of the scenario file.

    Attributes
    ----------
    path : tuple of str
        Keys from the root; ``[]`` stands for any item of a list.
    source : str
        The `source` of the section that has the key, where a section comes in several forms.
    field : FieldInfo
        What pydantic knows of it.
    section : type
        The section that has the key.
    """

    path: tuple[str, ...]
    source: str
    field: FieldInfo
    section: type[BaseModel]


class Spot(NamedTuple):
    """Say what the schema has at a place: the path without pydantic's own levels, section, field, type and unit."""

    path: KeyPath
    section: type[BaseModel]
    field: FieldInfo | None
    kind: Any
    unit: str


def is_section(kind: Any) -> bool:
    """Return whether `kind` is a section of the scenario."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def strip(kind: Any) -> Any:
    """Return a type without annotations and without the None of an optional value."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    forms = [form for form in get_args(kind) if form is not NoneType] if is_union(kind) else []
    return strip(forms[0]) if len(forms) == 1 else kind


def is_union(kind: Any) -> bool:
    """Return whether `kind` is a union of types."""
    return get_origin(kind) in {Union, UnionType}


def forms(kind: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the type itself, annotations removed and None left out."""
    kind = strip(kind)
    return (
        tuple(strip(form) for form in get_args(kind) if form is not NoneType) if is_union(kind) else (kind,)
    )


def source_of(section: Any) -> str:
    """Return the `source` by which a section is chosen among its forms, or an empty string."""
    found = section.model_fields.get("source") if is_section(section) else None
    return str(found.default) if found else ""


def unit_of(field: FieldInfo | None) -> str:
    """Return the unit of a field, or an empty string."""
    return str(extra.get("unit", "")) if field and isinstance(extra := field.json_schema_extra, dict) else ""


def is_file(field: FieldInfo) -> bool:
    """Return whether a field takes the path of a file."""
    return isinstance(extra := field.json_schema_extra, dict) and extra.get("format") == FILE


def range_of(field: FieldInfo | None) -> str:
    """Return the range of a field in words, such as ``0 to 1`` or ``above 0``, or an empty string."""
    low = high = text = ""
    for limit in field.metadata if field else ():
        match limit:
            case Within():
                low, high = number_text(limit.low), number_text(limit.high)
            case annotated_types.Ge():
                low = _number(limit.ge)
            case annotated_types.Gt():
                low = f"above {_number(limit.gt)}"
            case annotated_types.Le():
                high = _number(limit.le)
            case annotated_types.Lt():
                high = f"below {_number(limit.lt)}"
            case annotated_types.MinLen():
                text = f"at least {limit.min_length} of them"
        if pattern := getattr(limit, "pattern", None):
            text = PATTERNS.get(pattern, pattern)
    if low and high:
        return f"{low} to {high}"
    bound = low if low.startswith("above") else f"at least {low}"
    return text or (bound if low else f"at most {high}" if high else "")


def _number(value: Any) -> str:
    return "2^63" if value == 2**63 else number_text(value)


def type_of(kind: Any, unit: str = "") -> str:
    """Return what a type takes, in words: ``a number in kWh``, ``'ask' or 'bid'``, ``a list of texts``."""
    kind = strip(kind)
    if is_union(kind):
        found = forms(kind)
        if Uniform in found:
            return f"{_in(NUMBER, unit)}, {{min, max}} or {{median, sigma}}"
        return " or ".join(dict.fromkeys(type_of(form, unit) for form in found))
    if is_section(kind):
        source = source_of(kind)
        return f"a section with `source: {source}`" if source else "a section"
    arguments = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            text = listed(arguments)
        case origin if origin in {tuple, list} and arguments[0] is not Any:
            text = f"a list, each {type_of(arguments[0], unit)}"
        case origin if origin is list:
            text = "a list"
        case origin if origin is dict and arguments[1] is Any:
            text = "a mapping"
        case origin if origin is dict:
            text = f"a mapping, each {type_of(arguments[1], unit)}"
        case _:
            text = _in(TEXTS.get(kind, "a value"), unit)
    return text


def _in(text: str, unit: str) -> str:
    return f"{text} in {unit}" if unit and unit != "1" else text


def listed(choices: tuple[object, ...]) -> str:
    """Return choices as a sentence lists them."""
    shown = [str(choice) for choice in choices]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def expected_of(spot: Spot) -> str:
    """Return what is right at a place: type, unit and range."""
    named = bool(spot.path) and spot.field is not None and not isinstance(spot.path[-1], int)
    limits = range_of(spot.field) if named else ""
    text = type_of(spot.kind, spot.unit)
    if is_section(strip(spot.kind)):
        limits = "with keys " + listed(tuple(strip(spot.kind).model_fields))
    return f"{text}, {limits}" if limits else text


def locate(loc: tuple[int | str, ...], root: type[BaseModel] = Scenario) -> Spot:
    """Follow the location of a pydantic error through the schema.

    pydantic puts the chosen form of a union (``pvlib``, ``uniform``, ``dict[str,str]``) into its locations; nobody has
    written that into a file, so it is left out of the path here.
    """
    path: list[int | str] = []
    section: type[BaseModel] = root
    field: FieldInfo | None = None
    kind: Any = root
    unit = ""
    for step, part in enumerate(loc):
        kind = strip(kind)
        if is_union(kind):
            form = _form(kind, part)
            # No form fits a plain value: then all of them are what would have been right.
            kind = kind if step == len(loc) - 1 and not is_section(form) else form
            continue
        if part == "[key]":
            continue
        path.append(part)
        if is_section(kind):
            section, field = kind, kind.model_fields.get(str(part))
            kind = field.annotation if field else Any
            # The bounds of a draw are in the unit of the key they stand under.
            unit = unit_of(field) or (unit if kind is float and section in DRAWS else "")
        else:
            arguments = get_args(kind)
            items = {tuple: arguments[:1], list: arguments, dict: arguments[1:]}
            kind = items.get(get_origin(kind) or kind, (Any,))[0]
    return Spot(tuple(path), section, field, kind, unit)


def _form(union: Any, label: int | str) -> Any:
    """Return the form of a union that pydantic calls `label`."""
    for form in get_args(union):
        tags = [tag.tag for tag in get_args(form)[1:] if isinstance(tag, Tag)]
        plain = strip(form)
        name = str(label).split("[", maxsplit=1)[0]
        called = getattr(get_origin(plain) or plain, "__name__", "")
        if label in tags or (source_of(plain) and source_of(plain) == label) or called.lower() == name:
            return plain
    return Any


@cache
def all_keys() -> tuple[Key, ...]:
    """Return every key of the schema, section by section, depth first."""
    return tuple(_walk(Scenario, (), ""))


def _walk(section: type[BaseModel], path: tuple[str, ...], source: str) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        here = (*path, name)
        yield Key(here, source, field, section)
        for form in forms(field.annotation):
            item = get_origin(form) is tuple
            inner = strip(get_args(form)[0]) if item else form
            if is_section(inner) and inner not in DRAWS:
                yield from _walk(inner, (*here, ITEM) if item else here, source_of(inner))
