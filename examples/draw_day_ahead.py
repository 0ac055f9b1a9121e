"""Draw a year of hourly day-ahead prices, for studies that need some and may not ship measured ones.

    python examples/draw_day_ahead.py 2025 Europe/Berlin scenarios/studies/day-ahead.csv

The numbers are drawn, not measured. Their shape is that of a market with much solar power; mean (9.89 ct/kWh) and count
of hours below zero (378) are those of Austria's market in 2025. They know nothing of the weather of a scenario.
"""

# ruff: noqa: INP001

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

MEAN, NEGATIVE_HOURS = 0.0989, 378
ADDER = 0.0615  # what a supplier adds: with it the mean is the flat supply price of the quickstart, 0.1604
SEED = 2025


def day_ahead(starts: list[datetime], seed: int = SEED) -> np.ndarray:
    """Return a price for each hour [currency/kWh], shape [hours]; `starts` are local."""
    rng = np.random.default_rng(seed)
    hour = np.array([start.hour for start in starts])
    day = np.array([start.timetuple().tm_yday for start in starts]) - 1
    summer = (1 - np.cos(2 * np.pi * (day - 10) / 365)) / 2  # 0 in January, 1 in July
    peaks = 0.9 * np.exp(-(((hour - 8) / 2) ** 2)) + 1.4 * np.exp(-(((hour - 19) / 2.2) ** 2))
    noon = np.exp(-(((hour - 13) / (2.2 + 1.3 * summer)) ** 2))
    level, sun = np.zeros(day.max() + 1), rng.beta(2.0, 1.2, day.max() + 1)
    for each in range(1, level.size):  # scarce and plentiful days come in rows: wind stays for days
        level[each] = 0.75 * level[each - 1] + rng.normal(0, 0.35)
    weekend = np.array([start.weekday() >= 5 for start in starts])
    raw = (
        1.2 * (1 - summer)
        + level[day]
        + peaks * (1 - 0.35 * weekend)
        - (0.5 + 2.2 * summer) * sun[day] * noon
        - 0.35 * weekend
        + rng.normal(0, 0.15, hour.size)
    )
    return np.round(_scaled(raw), 4)


def _scaled(raw: np.ndarray) -> np.ndarray:
    """Return prices with the wanted mean and number of hours below zero: shifted, then stretched."""
    zero = np.sort(raw)[NEGATIVE_HOURS]
    above = raw - zero
    prices: np.ndarray = above * (MEAN / above.mean())
    return prices


def main(year: int, zone: str, file: Path) -> None:
    """Write the file: `time` in UTC, and `supply`, the price with the supplier's share and without tax."""
    first, last = (datetime(each, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) for each in (year, year + 1))
    hours = [first + timedelta(hours=each) for each in range(int((last - first) / timedelta(hours=1)))]
    spot = day_ahead([hour.astimezone(ZoneInfo(zone)) for hour in hours])
    lines = [f"{hour:%Y-%m-%dT%H:%MZ},{price + ADDER:.4f}" for hour, price in zip(hours, spot, strict=True)]
    file.write_text("\n".join(["time,supply", *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
