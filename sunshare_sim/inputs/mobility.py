"""Charging sessions of electric vehicles at home: drawn from published statistics, or read from a user's file.

Arrival, energy and stay are drawn jointly. Margins and their dependence on the hour of arrival are those of ElaadNL's
private charge points (Open Data of charging sessions, Netherlands, as tabulated in EV2Gym: Orfanoudakis et al. 2024,
doi:10.1109/TITS.2024.3510945); how often a car comes is that of Electric Nation (Western Power Distribution 2019).
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

# Share of sessions that begin in each local hour of the day [%], workdays and weekends.
ARRIVALS_WORKDAY: Final = (
    2.13, 0.53, 0.21, 0.12, 0.11, 0.08, 0.17, 0.57, 1.38, 1.13, 1.13, 1.54,
    2.18, 2.23, 2.68, 3.65, 5.68, 12.15, 17.02, 11.54, 9.10, 8.93, 9.12, 6.62,
)  # fmt: skip
ARRIVALS_WEEKEND: Final = (
    4.08, 2.03, 0.77, 0.32, 0.21, 0.13, 0.13, 0.37, 0.91, 1.69, 3.04, 4.80,
    6.03, 6.17, 6.16, 6.90, 8.76, 10.21, 7.87, 6.51, 6.76, 6.22, 5.78, 4.14,
)  # fmt: skip
# Mean energy [kWh at the meter] and typical stay [h] of the sessions that begin in each local hour.
ENERGY_BY_ARRIVAL: Final = (
    31.4, 32.5, 28.0, 24.8, 21.3, 21.5, 21.1, 18.1, 13.3, 14.5, 14.6, 14.8,
    15.5, 16.2, 17.9, 19.5, 21.9, 22.4, 24.7, 27.4, 29.1, 29.1, 30.2, 30.8,
)  # fmt: skip
STAY_BY_ARRIVAL: Final = (
    9.1, 8.9, 7.2, 5.7, 4.7, 4.3, 4.6, 4.5, 3.2, 3.5, 3.4, 3.8,
    4.2, 4.7, 7.1, 14.9, 15.4, 14.7, 13.8, 13.0, 12.2, 11.2, 10.2, 9.6,
)  # fmt: skip
# Quantiles over all sessions of energy [kWh at the meter] and stay [h].
QUANTILES: Final = (
    0.001, 0.01, 0.02, 0.05, 0.10, 0.20, 0.25, 0.35, 0.50, 0.65, 0.70, 0.75, 0.80, 0.90, 0.95, 0.99, 0.999,
)  # fmt: skip
ENERGY_QUANTILES: Final = (
    0.1, 0.6, 1.0, 1.8, 3.3, 6.6, 8.2, 12.3, 19.4, 28.2, 31.9, 35.8, 40.4, 51.4, 59.6, 73.4, 99.9,
)  # fmt: skip
STAY_QUANTILES: Final = (
    0.25, 0.5, 0.6, 1.0, 1.5, 3.1, 4.2, 8.5, 11.0, 13.2, 13.8, 14.6, 15.7, 20.3, 29.3, 56.5, 72.0,
)  # fmt: skip
# Correlation of the normal scores of energy and stay with those of the hour of arrival: the values that come nearest to
# the two tables by hour (root mean square 1.7 kWh and 1.1 h). The tables say nothing of energy and stay within one
# hour; sessions are taken to need more energy when they last longer.
ENERGY_ARRIVAL: Final = 0.27
STAY_ARRIVAL: Final = 0.50
ENERGY_STAY: Final = 0.50

BURN_IN_DAYS: Final = 3  # the longest stay; cars that came before the run's start are there when it begins
COLUMNS: Final = ("car", "arrival", "departure", "energy_kwh")


class Sessions(NamedTuple):
    """Hold stays at the charger, sorted by slot of arrival; a car has one at a time; all arrays have shape [sessions].

    Attributes
    ----------
    car : IntArray
        Row of the car.
    arrival_slot : IntArray
        Slot in which the car plugs in; below 0 for a car that came before the run's start.
    departure_slot : IntArray
        First slot in which the car is gone; may lie beyond the run's end.
    energy_kwh : FloatArray
        Energy the car's battery needs before departure [kWh].
    """

    car: IntArray
    arrival_slot: IntArray
    departure_slot: IntArray
    energy_kwh: FloatArray


def no_sessions() -> Sessions:
    """Return an empty set of sessions, for a community without electric vehicles."""
    nothing = np.zeros(0, dtype=np.int64)
    return Sessions(nothing, nothing, nothing, np.zeros(0))


def ev_sessions(
    cars: int,
    grid: TimeGrid,
    seed: int,
    *,
    per_week: float = 3.0,
    power_kw: npt.ArrayLike = np.inf,
    efficiency: npt.ArrayLike = 0.89,
) -> Sessions:
    """Draw the home charging sessions of `cars` cars that touch the run.

    On each local day a session begins with probability ``per_week / 7``. Its hour of arrival follows the table of
    workdays or weekends; energy and stay follow their overall quantiles through a Gaussian copula whose scores lean on
    the hour of arrival (Nelsen 2006, An Introduction to Copulas). A stay ends at the latest when the same car arrives
    anew. What the charger cannot deliver in the stay is not asked for, so a shortfall never comes from the draw.

    A car's draws depend on the seed, the date and its row alone: more cars, a longer run or another charger leave the
    other draws as they were.

    Parameters
    ----------
    cars : int
        Number of cars.
    grid : TimeGrid
        Slots and local calendar.
    seed : int
        Seed of the run.
    per_week : float
        Mean number of sessions a car and week, > 0; 3 after Electric Nation.
    power_kw : array_like
        Largest charging power, AC side [kW]; one value or shape [cars].
    efficiency : array_like
        Share of the metered energy that reaches the battery; one value or shape [cars].
    """
    if cars == 0 or grid.slots == 0:
        return no_sessions()
    drawn = [_sessions_of_day(cars, day, grid, seed, per_week) for day in _local_days(grid)]
    car = np.concatenate([part[0] for part in drawn])
    arrival, stay, energy = (np.concatenate([part[i] for part in drawn]) for i in (1, 2, 3))
    first = np.floor(arrival / grid.slot_minutes).astype(np.int64)
    last = np.maximum(np.floor((arrival + 60 * stay) / grid.slot_minutes).astype(np.int64), first + 1)

    order = np.lexsort((first, car))
    car, first, last, energy = car[order], first[order], last[order], energy[order]
    same = car[:-1] == car[1:]
    last[:-1][same] = np.minimum(last[:-1][same], first[1:][same])
    stays = last > first
    car, first, last, energy = car[stays], first[stays], last[stays], energy[stays]

    shape = (cars,)
    power = np.broadcast_to(np.asarray(power_kw, dtype=np.float64), shape)[car]
    stored = np.broadcast_to(np.asarray(efficiency, dtype=np.float64), shape)[car]
    needed = np.minimum(energy, power * (last - first) * grid.hours) * stored
    return _in_order(Sessions(car, first, last, needed), grid)


def sessions_file(path: str | Path, cars: int, grid: TimeGrid) -> Sessions:
    """Read sessions from a CSV file with the columns ``car, arrival, departure, energy_kwh``.

    `car` counts from 0, times are ISO 8601 with their offset from UTC, `energy_kwh` is what the battery needs.

    Raises
    ------
    InputError
        With file and line, when the file is missing, a column is missing, or a value cannot be used.
    """
    rows = list(_read_rows(Path(path), cars))
    if not rows:
        raise InputError(describe("holds no sessions", where=str(path), expected="one line a session"))
    minute = np.array([[(t - grid.start) / timedelta(minutes=1) for t in row[2:4]] for row in rows])
    first, last = np.floor(minute / grid.slot_minutes).astype(np.int64).T
    line, car = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    energy = np.array([row[4] for row in rows], dtype=np.float64)
    last = np.maximum(last, first + 1)

    order = np.lexsort((first, car))
    clash = (car[order][:-1] == car[order][1:]) & (first[order][1:] < last[order][:-1])
    if clash.any():
        later = order[1:][clash][0]
        raise InputError(
            describe(
                f"car {car[later]} arrives in a slot in which it is still plugged in",
                where=f"{path}, line {line[later]}",
                expected="one session at a time for each car",
            )
        )
    sessions = _in_order(Sessions(car, first, last, energy), grid)
    if not sessions.car.size:
        got = f"{min(row[2] for row in rows)} to {max(row[3] for row in rows)}"
        until = grid.start + timedelta(minutes=grid.slots * grid.slot_minutes)
        raise InputError(
            describe(
                "no session touches the run", where=str(path), got=got, expected=f"{grid.start} to {until}"
            )
        )
    return sessions


def _in_order(sessions: Sessions, grid: TimeGrid) -> Sessions:
    """Return the sessions that touch the run, sorted by slot of arrival, then by car."""
    car, first, last, energy = sessions
    touches = np.flatnonzero((last > np.maximum(first, 0)) & (first < grid.slots))
    kept = touches[np.lexsort((car[touches], first[touches]))]
    return Sessions(car[kept], first[kept], last[kept], energy[kept])


def _local_days(grid: TimeGrid) -> range:
    return range(int(grid.local_day[0]) - BURN_IN_DAYS, int(grid.local_day[-1]) + 1)


def _sessions_of_day(
    cars: int, day: int, grid: TimeGrid, seed: int, per_week: float
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Draw the sessions that begin on a local day: car, arrival [min since the run's start], stay [h], energy [kWh]."""
    rounds = int(np.ceil(per_week / 7))
    # One row a car, filled row by row: what a car draws does not depend on how many come after it.
    begins, when = stream(seed, "ev", "arrival", day).random((cars, rounds, 2)).transpose(2, 0, 1)
    car, turn = np.nonzero(begins < per_week / 7 / rounds)
    noise = stream(seed, "ev", "session", day).standard_normal((cars, rounds, 2))[car, turn].T

    weekend = (day + 3) % 7 >= 5
    shares = np.array(ARRIVALS_WEEKEND if weekend else ARRIVALS_WORKDAY)
    hour = np.interp(when[car, turn] * shares.sum(), np.append(0.0, np.cumsum(shares)), np.arange(25.0))

    row = np.minimum(hour.astype(np.int64), 23)
    stay_score = _lean(_scores(STAY_BY_ARRIVAL)[row], STAY_ARRIVAL, noise[0])
    shared = _lean(noise[0], ENERGY_STAY, noise[1])
    energy_score = _lean(_scores(ENERGY_BY_ARRIVAL)[row], ENERGY_ARRIVAL, shared)
    knots = [NormalDist().inv_cdf(p) for p in QUANTILES]
    stay = np.interp(stay_score, knots, STAY_QUANTILES)
    energy = np.interp(energy_score, knots, ENERGY_QUANTILES)

    # The offset at noon holds for all but the small hours of the two days a year on which clocks change.
    noon = datetime(1970, 1, 1, 12, tzinfo=ZoneInfo(grid.timezone)) + timedelta(days=day)
    midnight = (noon.astimezone(UTC) - grid.start) / timedelta(minutes=1) - 720
    return car, midnight + 60 * hour, stay, energy


def _lean(score: FloatArray, correlation: float, noise: FloatArray) -> FloatArray:
    """Return standard normal scores that have the given correlation with `score`."""
    mixed: FloatArray = correlation * score + np.sqrt(1 - correlation**2) * noise
    return mixed


def _scores(by_arrival: tuple[float, ...]) -> FloatArray:
    """Return the standard normal score of each hour's value among all sessions, shape [24]."""
    workday, weekend = np.array(ARRIVALS_WORKDAY), np.array(ARRIVALS_WEEKEND)
    weight = 5 * workday / workday.sum() + 2 * weekend / weekend.sum()
    order = np.argsort(by_arrival, kind="stable")
    below = np.cumsum(weight[order]) - weight[order] / 2
    scores = np.empty(24)
    scores[order] = [NormalDist().inv_cdf(p) for p in below / weight.sum()]
    return scores


def _read_rows(path: Path, cars: int) -> Iterator[tuple[int, int, datetime, datetime, float]]:
    """Yield line, car, arrival, departure and energy of each session, checked one by one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [name.strip() for name in reader.fieldnames or []]
            for column in COLUMNS:
                if column not in names:
                    raise InputError(
                        describe(
                            f"column {column!r} is missing",
                            where=str(path),
                            got=", ".join(names),
                            expected=", ".join(COLUMNS),
                            hint=did_you_mean(column, names),
                        )
                    )
            reader.fieldnames = names
            for record in reader:
                yield _check_row(record, f"{path}, line {reader.line_num}", reader.line_num, cars)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file in UTF-8"
        raise InputError(describe("cannot be read", where=str(path), got=reason)) from error


def _check_row(
    record: dict[str, str], where: str, line: int, cars: int
) -> tuple[int, int, datetime, datetime, float]:
    text = {column: (record[column] or "").strip() for column in COLUMNS}
    if not (text["car"].isdecimal() and int(text["car"]) < cars):
        raise InputError(
            describe(
                "unknown car", where=where, got=text["car"], expected=f"a whole number from 0 to {cars - 1}"
            )
        )
    arrival, departure = (_check_time(text[name], name, where) for name in ("arrival", "departure"))
    if departure <= arrival:
        raise InputError(
            describe(
                "the car departs before it arrives",
                where=where,
                got=text["departure"],
                expected=f"after {arrival}",
            )
        )
    try:
        energy = float(text["energy_kwh"])
    except ValueError:
        energy = np.nan
    if not 0 <= energy <= 1000:
        raise InputError(
            describe("no energy of a car", where=where, got=text["energy_kwh"], expected="0 to 1000 kWh")
        )
    return line, int(text["car"]), arrival, departure, energy


def _check_time(text: str, name: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(
            describe(
                f"{name} is not a time with its offset from UTC",
                where=where,
                got=text,
                expected="ISO 8601 such as 2025-06-02T18:30+02:00",
            )
        )
    return moment
