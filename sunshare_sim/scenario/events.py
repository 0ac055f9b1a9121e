"""The section `events`: what happens to the wires and the sky during the run, as a list or as a file."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from sunshare_sim.scenario.base import Section, field, mistake

WHEN: Final = "local time such as 2025-06-03T14:00, or the number of a slot"
_WHERE: Final = ("transformers", "zones", "lines", "buses", "homes")
# What each kind of event takes beside its time; anything else there would be left unused without a word.
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "island": ("transformers", "zones", "priority", "rest_price"),
    "outage": _WHERE,
    "weather": ("irradiance", "warmer_k"),
}
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")


class Event(Section):
    """Tell of one event, from `start` until just before `end`.

    An island is cut off from the grid and lives on its own solar, batteries and cars; an outage leaves homes without
    supply; weather darkens the sun and warms the air.
    """

    kind: Literal["island", "outage", "weather"] = field(..., "what happens")
    start: int | str = field(..., f"first slot of it: {WHEN}", unit="slot")
    end: int | str = field(
        ..., f"first slot after it: {WHEN}; the run's number of slots for its end", unit="slot"
    )
    transformers: tuple[str, ...] = field(
        (), "island, outage: what these feed; an island of its own each (none named: all of them)"
    )
    zones: tuple[str, ...] = field(
        (), "island, outage: these zones, each cut off at its head; an island of its own each"
    )
    lines: tuple[str, ...] = field((), "outage: all homes behind these lines")
    buses: tuple[str, ...] = field((), "outage: all homes on and behind these buses")
    homes: tuple[str, ...] = field((), "outage: these homes")
    priority: dict[str, int] = field(
        {},
        "island: order of shedding by group, lowest number first, equal numbers alike; groups left out last",
    )
    rest_price: Literal["mid_market", "feed_in", "retail"] = field(
        "mid_market",
        "island: price of what the market leaves and the island still shares, as the grid's prices say",
    )
    irradiance: float = field(
        1.0, "weather: factor on the sun, and so on solar generation", unit="1", ge=0, le=1
    )
    warmer_k: float = field(
        0.0, "weather: added to the outdoor temperature of heated houses", unit="K", ge=-40, le=40
    )

    @field_validator("start", "end")
    @classmethod
    def _a_time(cls, value: int | str) -> int | str:
        if isinstance(value, int):
            if value < 0:
                raise mistake("no slot", expected="a number from 0 on")
        else:
            try:
                moment = datetime.fromisoformat(value) if _STAMP.match(value) else None
            except ValueError:
                moment = None
            if moment is None or moment.tzinfo is not None:
                raise mistake("not a time", expected=f"{WHEN}; without zone, it is the place's own")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        start, end = self.start, self.end
        numbers = isinstance(start, int) and isinstance(end, int) and end <= start
        texts = isinstance(start, str) and isinstance(end, str)
        if numbers or (texts and datetime.fromisoformat(str(end)) <= datetime.fromisoformat(str(start))):
            raise mistake("the event ends before it begins", key="end", expected=f"after {start}")
        return self

    @model_validator(mode="after")
    def _only_its_own_keys(self) -> Self:
        own = ("kind", "start", "end", *KEYS[self.kind])
        for name in sorted(self.model_fields_set):
            if name not in own and getattr(self, name) != type(self).model_fields[name].default:
                raise mistake(
                    f"an event of kind {self.kind} has no such key", key=name, expected=", ".join(own)
                )
        if self.kind == "outage" and not any(getattr(self, name) for name in _WHERE):
            raise mistake("an outage of nothing", expected="one of " + ", ".join(_WHERE))
        if self.kind == "island" and self.transformers and self.zones:
            raise mistake("an island is cut off in one place", key="zones", expected="transformers or zones")
        if self.kind == "weather" and self.irradiance == 1.0 and self.warmer_k == 0.0:
            raise mistake("a weather event that changes nothing", expected="irradiance or warmer_k")
        return self


class EventFile(Section):
    """Read the events from a file, one row each."""

    file: str = field(
        ...,
        "CSV file with the keys of an event as columns, relative to the scenario file; names in a cell are separated"
        " by ';', priorities written as group=1;other=2",
        file=True,
    )


def _form(value: object) -> str:
    return "file" if isinstance(value, Mapping | EventFile) else "list"


Events = Annotated[
    Annotated[tuple[Event, ...], Field(strict=False), Tag("list")] | Annotated[EventFile, Tag("file")],
    Discriminator(_form),
]
"""A list of events, or `file`."""


def listed_cell(text: str) -> tuple[str, ...]:
    """Return the names of a file's cell.

    >>> listed_cell("a; b")
    ('a', 'b')
    """
    return tuple(part.strip() for part in text.split(";") if part.strip())


def event_of_row(row: Mapping[str, str]) -> Event:
    """Return the event of a file's row, whose cells are texts; empty cells are left out.

    Raises
    ------
    ValueError
        When a cell cannot be read or the event is not possible (pydantic's errors are among these).
    """
    data: dict[str, Any] = {}
    for key, cell in row.items():
        text = cell.strip()
        if not text:
            continue
        if key in _WHERE:
            data[key] = listed_cell(text)
        elif key == "priority":
            pairs = [part.partition("=") for part in listed_cell(text)]
            data[key] = {group.strip(): int(number) for group, _, number in pairs}
        elif key in {"irradiance", "warmer_k"}:
            data[key] = float(text)
        else:
            data[key] = int(text) if key in {"start", "end"} and text.isdecimal() else text
    return Event.model_validate(data)
