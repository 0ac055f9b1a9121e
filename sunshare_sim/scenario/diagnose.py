"""Turn pydantic's errors into the mistakes a user made: at their line, in their words, with the nearest valid key."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sunshare_sim.errors import did_you_mean
from sunshare_sim.scenario.keys import (
    Spot,
    all_keys,
    expected_of,
    forms,
    is_union,
    listed,
    locate,
    source_of,
    strip,
)
from sunshare_sim.scenario.problems import Place, Problem, Shown, dotted, shown
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.scenario.yamlmarks import Node

Maker = Callable[[ErrorDetails, Spot, Place, Any], Problem]
OUT_OF_RANGE: Final = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


def diagnose(
    errors: Iterable[ErrorDetails], tree: Node, root: type[BaseModel] = Scenario
) -> Iterator[Problem]:
    """Yield one problem a mistake.

    Parameters
    ----------
    errors : iterable of ErrorDetails
        What pydantic found.
    tree : Node
        The scenario it was given, with the places where its values were written.
    root : type
        What the tree was validated as.
    """
    spots = [(error, _spot(error, root)) for error in errors]
    paths = {spot.path for _, spot in spots}
    for error, spot in spots:
        # A list that is "too short" because its items failed, or the other forms of a union: only follow from the rest.
        if not any(len(path) > len(spot.path) and path[: len(spot.path)] == spot.path for path in paths):
            yield _problem(error, spot, tree)


def _spot(error: ErrorDetails, root: type[BaseModel]) -> Spot:
    spot = locate(error["loc"], root)
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return spot._replace(path=(*spot.path, "source"))
    if error["type"] == "mistake" and (key := error["ctx"]["key"]):
        parts = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
        return spot._replace(path=(*spot.path, *parts))
    return spot


def _problem(error: ErrorDetails, spot: Spot, tree: Node) -> Problem:
    node, steps = tree.find(spot.path)
    found = steps == len(spot.path)
    make: Maker = KINDS.get(error["type"], _wrong_value)
    place = node.place if found else node.key
    problem = make(error, spot, place, shown(node.plain()) if found else None)
    return problem._replace(place=node.key) if error["type"] == "extra_forbidden" else problem


def _missing(_: ErrorDetails, spot: Spot, place: Place, __: Shown | None) -> Problem:
    return Problem(place, spot.path, "missing key", None, expected_of(spot))


def _unknown_key(_: ErrorDetails, spot: Spot, place: Place, __: Shown | None) -> Problem:
    name, valid = str(spot.path[-1]), tuple(spot.section.model_fields)
    hint = _elsewhere(name) or did_you_mean(name, valid)
    return Problem(place, spot.path, "unknown key", name, f"one of {', '.join(valid)}", hint)


def _elsewhere(name: str) -> str:
    """Return where a key belongs that only another section has, or an empty string."""
    homes = {dotted(key.path).replace(".[]", "[]") for key in all_keys() if key.path[-1] == name}
    return f"did you mean {homes.pop()!r}?" if len(homes) == 1 else ""


def _unknown_source(error: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    tags = tuple(tag.strip(" '") for tag in str(error["ctx"].get("expected_tags", "")).split(","))
    return Problem(place, spot.path, "unknown source", got, listed(tags), _nearest(got, tags))


def _missing_source(_: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    return Problem(
        place, spot.path, "missing key", got, listed(tuple(source_of(form) for form in forms(spot.kind)))
    )


def _not_a_choice(error: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    if is_union(strip(spot.kind)):
        return Problem(place, spot.path, "wrong type", got, expected_of(spot))
    choices = str(error["ctx"]["expected"]).replace(" or ", ", ").split(", ")
    hint = _nearest(got, [choice.strip("'") for choice in choices])
    return Problem(place, spot.path, "not one of the choices", got, expected_of(spot), hint)


def _nearest(got: Shown | None, valid: Iterable[str]) -> str:
    return did_you_mean(str(got).strip("'"), valid) if got is not None else ""


def _out_of_range(_: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    return Problem(place, spot.path, "out of range", got, expected_of(spot))


def _mistake(error: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    context = error["ctx"]
    return Problem(
        place, spot.path, context["what"], context["got"] or got, context["expected"] or None, context["hint"]
    )


def _too_few(_: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    return Problem(place, spot.path, "too few items", got, expected_of(spot))


def _malformed(_: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    return Problem(place, spot.path, "malformed text", got, expected_of(spot))


def _wrong_value(error: ErrorDetails, spot: Spot, place: Place, got: Shown | None) -> Problem:
    what = "wrong type" if error["type"].endswith("_type") else error["msg"].removeprefix("Value error, ")
    return Problem(place, spot.path, what, got, expected_of(spot))


KINDS: Mapping[str, Maker] = {
    **dict.fromkeys(OUT_OF_RANGE, _out_of_range),
    "finite_number": _out_of_range,
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "literal_error": _not_a_choice,
    "union_tag_invalid": _unknown_source,
    "union_tag_not_found": _missing_source,
    "mistake": _mistake,
    "too_short": _too_few,
    "string_pattern_mismatch": _malformed,
}
