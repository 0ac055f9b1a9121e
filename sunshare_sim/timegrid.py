"""Time as a row of equal, half-open UTC slots, with the local calendar beside it.

State is a slot number; clocks and time zones appear only here, where people's habits and tariffs need them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from sunshare_sim.units import FloatArray, IntArray

MINUTES_PER_DAY = 1440


def _offset_minutes(moment: datetime, zone: ZoneInfo) -> int:
    return (moment.astimezone(zone).utcoffset() or timedelta(0)) // timedelta(minutes=1)


@dataclass(frozen=True)
class TimeGrid:
    """Hold the slots of a run: `slots` intervals of `slot_minutes`, the first one starting at `start`.

    Attributes
    ----------
    start : datetime
        Start of slot 0, UTC.
    slots : int
        Number of slots.
    slot_minutes : int
        Length of a slot [min]; divides an hour.
    timezone : str
        IANA name of the place's local time, for habits and tariffs.
    """

    start: datetime
    slots: int
    slot_minutes: int = 15
    timezone: str = "UTC"

    @classmethod
    def of_days(cls, first_day: date, days: int, slot_minutes: int, timezone: str) -> "TimeGrid":
        """Return the grid from local midnight of `first_day` over `days` times 24 hours."""
        midnight = datetime(first_day.year, first_day.month, first_day.day, tzinfo=ZoneInfo(timezone))
        slots = days * MINUTES_PER_DAY // slot_minutes
        return cls(midnight.astimezone(UTC), slots, slot_minutes, timezone)

    @property
    def hours(self) -> float:
        """Return the length of a slot [h]: power [kW] times this is energy [kWh]."""
        return self.slot_minutes / 60

    @property
    def seconds(self) -> int:
        """Return the length of a slot [s]."""
        return self.slot_minutes * 60

    @property
    def slots_per_day(self) -> int:
        """Return the number of slots in 24 hours."""
        return MINUTES_PER_DAY // self.slot_minutes

    @cached_property
    def starts(self) -> npt.NDArray[np.datetime64]:
        """Return the start of each slot, UTC without zone, datetime64[s], shape [slots]."""
        first = np.datetime64(self.start.replace(tzinfo=None), "s")
        return first + np.arange(self.slots) * np.timedelta64(self.seconds, "s")

    @cached_property
    def _local_minutes(self) -> IntArray:
        """Return local wall-clock minutes since 1970 at each slot's start, shape [slots]."""
        zone = ZoneInfo(self.timezone)
        # UTC offsets change on the hour of the place's own clock, where grids begin: one look-up an hour is exact.
        per_hour = max(1, 60 // self.slot_minutes)
        offsets = np.array(
            [
                (self.start + timedelta(minutes=self.slot_minutes * i)).astimezone(zone).utcoffset()
                // timedelta(minutes=1)  # type: ignore[operator]
                for i in range(0, self.slots, per_hour)
            ],
            dtype=np.int64,
        )
        utc = self.starts.astype("datetime64[m]").astype(np.int64)
        return utc + np.repeat(offsets, per_hour)[: self.slots]

    @cached_property
    def local_minute_of_day(self) -> IntArray:
        """Return the local wall-clock minute of the day at each slot's start, 0 .. 1439, shape [slots]."""
        return self._local_minutes % MINUTES_PER_DAY

    @cached_property
    def local_day(self) -> IntArray:
        """Return the local calendar day of each slot, counted from 1970-01-01, shape [slots]."""
        return self._local_minutes // MINUTES_PER_DAY

    @cached_property
    def local_weekday(self) -> IntArray:
        """Return the local day of the week of each slot, Monday = 0, shape [slots]."""
        return (self.local_day + 3) % 7

    @cached_property
    def local_hour(self) -> FloatArray:
        """Return the local time of day of each slot's start [h], shape [slots]."""
        return self.local_minute_of_day / 60

    def blocks(self, slots: int) -> Iterator[tuple[int, int]]:
        """Yield half-open slot ranges of at most `slots` slots that together cover the grid."""
        for first in range(0, self.slots, slots):
            yield first, min(first + slots, self.slots)
