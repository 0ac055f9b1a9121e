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
from sunshare_sim.inputs.habits import ENERGY_ARRIVAL, ENERGY_STAY, HOME, QUANTILES, STAY_ARRIVAL, Habits
from sunshare_sim.rowstreams import RowsOf, whole_stream
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

BURN_IN_DAYS: Final = 3  # the longest stay; cars that came before the run's start are there when it begins
COLUMNS: Final = ("car", "arrival", "departure", "energy_kwh")
PLACES: Final = ("home", "away")


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


def ev_sessions(  # noqa: PLR0913 - options by name
    cars: int,
    grid: TimeGrid,
    seed: int,
    *,
    per_week: float = 3.0,
    power_kw: npt.ArrayLike = np.inf,
    efficiency: npt.ArrayLike = 0.89,
    of: RowsOf = whole_stream,
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
    of : callable
        Makes of the stream of a group's cars that of the `cars` among them.
    """
    if cars == 0 or grid.slots == 0:
        return no_sessions()
    car, first, last, energy = draw_stays(cars, grid, seed, per_week, HOME, of=of)
    shape = (cars,)
    power = np.broadcast_to(np.asarray(power_kw, dtype=np.float64), shape)[car]
    stored = np.broadcast_to(np.asarray(efficiency, dtype=np.float64), shape)[car]
    needed = np.minimum(energy, power * (last - first) * grid.hours) * stored
    return _in_order(Sessions(car, first, last, needed), grid)


def draw_stays(  # noqa: PLR0913 - options by name
    cars: int,
    grid: TimeGrid,
    seed: int,
    per_week: float,
    habits: Habits,
    *,
    days: tuple[int, ...] = (*range(7),),
    of: RowsOf = whole_stream,
) -> Sessions:
    """Draw stays of `cars` cars at a kind of place, sorted by car and arrival; energy as metered, unbounded [kWh].

    Parameters
    ----------
    cars, grid, seed
        As in `ev_sessions`.
    per_week : float
        Mean number of stays a car and week.
    habits : Habits
        When cars come to such a place, for how long and for how much.
    days : tuple of int
        Days of the week on which they come, Monday = 0.
    of : callable
        As in `ev_sessions`.
    """
    chance = per_week / len(days)
    drawn = [
        _sessions_of_day(cars, day, grid, (seed, of), chance, habits)
        for day in _local_days(grid)
        if (day + 3) % 7 in days
    ]
    car = np.concatenate([part[0] for part in drawn])
    arrival, stay, energy = (np.concatenate([part[i] for part in drawn]) for i in (1, 2, 3))
    first = np.floor(arrival / grid.slot_minutes).astype(np.int64)
    last = np.maximum(np.floor((arrival + 60 * stay) / grid.slot_minutes).astype(np.int64), first + 1)

    order = np.lexsort((first, car))
    car, first, last, energy = car[order], first[order], last[order], energy[order]
    same = car[:-1] == car[1:]
    last[:-1][same] = np.minimum(last[:-1][same], first[1:][same])
    stays = last > first
    return Sessions(car[stays], first[stays], last[stays], energy[stays])


def sessions_file(path: str | Path, cars: int, grid: TimeGrid, *, place: str = "home") -> Sessions:
    """Read sessions from a CSV file with the columns ``car, arrival, departure, energy_kwh`` and perhaps ``place``.

    `car` counts from 0, times are ISO 8601 with their offset from UTC, `energy_kwh` is what the battery needs, `place`
    is ``home`` (also where it is empty) or ``away``; only the sessions at `place` are returned.

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
    if not _in_order(Sessions(car, first, last, energy), grid).car.size:
        got = f"{min(row[2] for row in rows)} to {max(row[3] for row in rows)}"
        until = grid.start + timedelta(minutes=grid.slots * grid.slot_minutes)
        raise InputError(
            describe(
                "no session touches the run", where=str(path), got=got, expected=f"{grid.start} to {until}"
            )
        )
    here = np.array([row[5] == place for row in rows])
    return _in_order(Sessions(car[here], first[here], last[here], energy[here]), grid)


def _in_order(sessions: Sessions, grid: TimeGrid) -> Sessions:
    """Return the sessions that touch the run, sorted by slot of arrival, then by car."""
    car, first, last, energy = sessions
    touches = np.flatnonzero((last > np.maximum(first, 0)) & (first < grid.slots))
    kept = touches[np.lexsort((car[touches], first[touches]))]
    return Sessions(car[kept], first[kept], last[kept], energy[kept])


def _local_days(grid: TimeGrid) -> range:
    return range(int(grid.local_day[0]) - BURN_IN_DAYS, int(grid.local_day[-1]) + 1)


def _sessions_of_day(
    cars: int, day: int, grid: TimeGrid, draws: tuple[int, RowsOf], chance: float, habits: Habits
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Draw the sessions that begin on a local day: car, arrival [min since the run's start], stay [h], energy [kWh]."""
    rounds, (seed, of) = int(np.ceil(chance)), draws
    # One row a car, filled row by row: what a car draws does not depend on how many come after it.
    begins, when = of(stream(seed, "ev", "arrival", day)).random((cars, rounds, 2)).transpose(2, 0, 1)
    car, turn = np.nonzero(begins < chance / rounds)
    noise = of(stream(seed, "ev", "session", day)).standard_normal((cars, rounds, 2))[car, turn].T

    weekend = (day + 3) % 7 >= 5
    shares = np.array(habits.weekend if weekend else habits.workday)
    hour = np.interp(when[car, turn] * shares.sum(), np.append(0.0, np.cumsum(shares)), np.arange(25.0))

    row = np.minimum(hour.astype(np.int64), 23)
    stay_score = _lean(habits.scores(habits.stay_by_arrival)[row], STAY_ARRIVAL, noise[0])
    shared = _lean(noise[0], ENERGY_STAY, noise[1])
    energy_score = _lean(habits.scores(habits.energy_by_arrival)[row], ENERGY_ARRIVAL, shared)
    knots = [NormalDist().inv_cdf(p) for p in QUANTILES]
    stay = np.interp(stay_score, knots, habits.stay)
    energy = np.interp(energy_score, knots, habits.energy)

    return car, midnight_of(day, grid) + 60 * hour, stay, energy


def midnight_of(day: int, grid: TimeGrid) -> float:
    """Return when a local day (counted from 1970-01-01) begins, in minutes since the run's start.

    The offset at noon holds for all but the small hours of the two days a year on which clocks change.
    """
    noon = datetime(1970, 1, 1, 12, tzinfo=ZoneInfo(grid.timezone)) + timedelta(days=day)
    return (noon.astimezone(UTC) - grid.start) / timedelta(minutes=1) - 720


def _lean(score: FloatArray, correlation: float, noise: FloatArray) -> FloatArray:
    """Return standard normal scores that have the given correlation with `score`."""
    mixed: FloatArray = correlation * score + np.sqrt(1 - correlation**2) * noise
    return mixed


def _read_rows(path: Path, cars: int) -> Iterator[tuple[int, int, datetime, datetime, float, str]]:
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
) -> tuple[int, int, datetime, datetime, float, str]:
    text = {column: (record.get(column) or "").strip() for column in (*COLUMNS, "place")}
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
    place = text["place"] or "home"
    if place not in PLACES:
        raise InputError(
            describe(
                "unknown place",
                where=where,
                got=place,
                expected=", ".join(PLACES),
                hint=did_you_mean(place, PLACES),
            )
        )
    return line, int(text["car"]), arrival, departure, energy, place


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
