from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sunshare_sim.timegrid import TimeGrid


def test_a_week_starts_at_local_midnight_in_utc():
    grid = TimeGrid.of_days(date(2025, 6, 2), 7, 15, "Europe/Berlin")
    assert grid.start == datetime(2025, 6, 1, 22, tzinfo=UTC)
    assert grid.slots == 672
    assert grid.hours == 0.25
    assert grid.slots_per_day == 96
    assert grid.local_weekday[[0, 95, 96, 671]].tolist() == [0, 0, 1, 6]
    assert str(grid.starts[1]) == "2025-06-01T22:15:00"


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Bangkok", "America/St_Johns", "UTC"]
)
@pytest.mark.parametrize("minutes", [1, 10, 15, 30, 60])
@pytest.mark.parametrize("day", [date(2025, *day) for day in [(3, 8), (3, 29), (4, 5), (10, 4), (10, 25)]])
def test_local_time_is_that_of_the_time_zone_data_base(zone, minutes, day):
    grid = TimeGrid.of_days(day, 2, minutes, zone)
    for slot in range(0, grid.slots, max(1, 20 // minutes)):
        local = (grid.start + timedelta(minutes=minutes * slot)).astimezone(ZoneInfo(zone))
        assert grid.local_minute_of_day[slot] == local.hour * 60 + local.minute
        assert grid.local_weekday[slot] == local.weekday()
        assert grid.local_day[slot] == (local.date() - date(1970, 1, 1)).days
        assert grid.local_hour[slot] == pytest.approx(local.hour + local.minute / 60)


def test_blocks_cover_the_grid_once():
    grid = TimeGrid(datetime(2025, 1, 1, tzinfo=UTC), 100)
    blocks = list(grid.blocks(33))
    assert blocks == [(0, 33), (33, 66), (66, 99), (99, 100)]
    assert np.concatenate([np.arange(*block) for block in blocks]).tolist() == list(range(100))
