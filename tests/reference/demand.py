"""The obvious twin of the demand kernel: walk through every minute, ask the clock, and add up."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np


def demand_minute_by_minute(series, first, last):
    """Return energy by slot and home [kWh]; within a slot the local clock runs on from the slot's start."""
    grid = series.grid
    zone = ZoneInfo(grid.timezone)
    first_day = grid.start.astimezone(zone).date()
    energy = np.zeros((last - first, series.annual_kwh.size))
    for slot in range(first, last):
        local = (grid.start + timedelta(minutes=slot * grid.slot_minutes)).astimezone(zone)
        day = (local.date() - first_day).days
        for minute in range(grid.slot_minutes):
            clock = local.hour * 60 + local.minute + minute
            for home, annual in enumerate(series.annual_kwh):
                quarter = ((clock - 15 * int(series.shift[day, home])) % 1440) // 15
                shape, donor = series.shape_of_home[home], series.donor_day[day, home]
                energy[slot - first, home] += annual * float(series.shapes.table[shape, donor, quarter]) / 15
    return energy
