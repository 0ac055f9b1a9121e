"""The section `time`."""

from contextlib import suppress
from datetime import date
from typing import Literal

from pydantic import field_validator

from sunshare_sim.scenario.base import Section, field


class Time(Section):
    """Say when the run takes place and how finely it is cut."""

    start: date = field(date(2025, 6, 2), "first day; the run starts at its local midnight")
    days: int = field(7, "length of the run", unit="d", ge=1, le=3660)
    slots: int | None = field(
        None, "length of the run in slots, instead of `days`, for cases of some hours", unit="slot", ge=1
    )
    slot_minutes: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60] = field(
        15, "length of a market slot", unit="min"
    )

    @field_validator("start", mode="before")
    @classmethod
    def _written_as_text(cls, value: object) -> object:
        # YAML 1.2 has no dates: what stands in the file is a text.
        with suppress(ValueError):
            return date.fromisoformat(value) if isinstance(value, str) else value
        return value
