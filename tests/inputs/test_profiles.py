from datetime import date

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import InputError, SunShareWarning
from sunshare_sim.inputs.profiles import read_profile
from sunshare_sim.timegrid import TimeGrid

GRID = TimeGrid.of_days(date(2025, 6, 1), 1, 15, "Europe/Berlin")  # 2025-05-31T22:00Z for 24 h


def stamps(count=96, step=15, start="2025-05-31T22:00", form="%Y-%m-%dT%H:%M:%SZ"):
    return list(pd.date_range(start, periods=count, freq=f"{step}min").strftime(form))


def write(path, times, *columns, names=("a", "b"), separator=","):
    rows = [separator.join(["time", *names[: len(columns)]])]
    rows += [separator.join(map(str, row)) for row in zip(times, *columns, strict=True)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "load.csv"


def read(path, unit="kW", **options):
    return read_profile(path, grid=GRID, unit=unit, **options)


VALUES = np.linspace(0.1, 2.0, 96).round(4)


@pytest.mark.parametrize(("unit", "factor"), [("kW", 0.25), ("W", 0.25e-3), ("kWh", 1.0), ("Wh", 1e-3)])
def test_units(path, unit, factor):
    write(path, stamps(), VALUES / (1e-3 if unit.startswith("W") else 1), VALUES * 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sunshare_sim.inputs.profiles.PLAUSIBLE_KWH", (0.0, np.inf))
        series = read(path, unit)
    expected = VALUES * (factor / 1e-3 if unit.startswith("W") else factor)
    np.testing.assert_allclose(series.energy_kwh[:, 0], expected, rtol=1e-12)
    assert series.names == ("a", "b")


def test_columns_in_the_order_asked_and_blocks(path):
    write(path, stamps(), VALUES, VALUES + 1)
    series = read(path, columns=("b", "a"))
    assert series.names == ("b", "a")
    np.testing.assert_allclose(series.block(10, 20), np.column_stack([VALUES + 1, VALUES])[10:20] / 4)
    assert series.source == "load.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_other_names_of_time(path, separator):
    write(path, stamps(), VALUES, separator=separator)
    path.write_text("\ufeff" + path.read_text().replace("time", "Timestamp", 1) + "\n\n", encoding="utf-8")
    np.testing.assert_allclose(read(path).energy_kwh[:, 0], VALUES / 4)


def test_zones_of_time_stamps_mean_the_same_moment(path):
    write(path, stamps(), VALUES)
    expected = read(path).energy_kwh
    for form, start, zone in (
        ("%Y-%m-%d %H:%M+02:00", "2025-06-01T00:00", None),
        ("%Y-%m-%dT%H:%M:%S", "2025-06-01T00:00", "Europe/Berlin"),
        ("%Y-%m-%d %H:%M", "2025-05-31T22:00", "UTC"),
        ("%Y-%m-%dT%H:%MZ", "2025-05-31T22:00", "Asia/Bangkok"),  # the file's own zone wins
    ):
        write(path, stamps(start=start, form=form), VALUES)
        np.testing.assert_array_equal(read(path, timezone=zone).energy_kwh, expected)


@pytest.mark.parametrize("zoned", [True, False])
def test_parquet(tmp_path, zoned):
    path = tmp_path / "load.parquet"
    index = pd.date_range("2025-05-31T22:00", periods=96, freq="15min", tz="UTC" if zoned else None)
    pd.DataFrame({"a": VALUES, "b": VALUES}, index=index).to_parquet(path)
    series = read(path, columns=("b",), timezone=None if zoned else "UTC")
    np.testing.assert_allclose(series.energy_kwh[:, 0], VALUES / 4)
    if not zoned:
        with pytest.raises(InputError, match=r"row 1: time stamps carry no zone.*state the zone"):
            read(path)


def test_a_longer_file_is_cut_to_the_run(path):
    write(path, stamps(400, 15, "2025-05-30T00:00"), np.arange(400))
    np.testing.assert_allclose(read(path).energy_kwh[:, 0], np.arange(184, 280) / 4)


def test_autumn_hour_that_is_there_twice(path):
    grid = TimeGrid(
        TimeGrid.of_days(date(2025, 10, 26), 1, 15, "Europe/Berlin").start, 100, 15, "Europe/Berlin"
    )
    utc = pd.date_range("2025-10-25T22:00", periods=100, freq="15min", tz="UTC")
    local = utc.tz_convert("Europe/Berlin").strftime("%Y-%m-%dT%H:%M")
    write(path, local, np.arange(100.0))
    series = read_profile(path, grid=grid, unit="kW", timezone="Europe/Berlin")
    np.testing.assert_allclose(series.energy_kwh[:, 0], np.arange(100) / 4)


# What must be refused, one reason at a time


def test_unit_must_be_known(path):
    write(path, stamps(), VALUES)
    with pytest.raises(InputError, match=r"unknown unit; got 'kwh'.*did you mean 'kWh'"):
        read(path, "kwh")
    with pytest.raises(TypeError, match=r"unit"):
        read_profile(path, grid=GRID)


@pytest.mark.parametrize(
    "values", [VALUES * 1e4, VALUES * 1e-4, VALUES * 0], ids=["far too much", "too little", "zero"]
)
def test_an_implausible_year_is_warned_of(path, values):
    write(path, stamps(), values)
    with pytest.warns(
        SunShareWarning, match=r"column a is .* kWh in a year if its values are kW; is that the unit"
    ):
        read(path)


@pytest.mark.parametrize(
    "start", ["2024-05-31T22:00", "2025-05-31T22:15", "2025-05-31T21:45", "2016-05-31T22:00"]
)
def test_wrong_dates_are_never_zero_load(path, start):
    write(path, stamps(start=start), VALUES)
    with pytest.raises(
        InputError, match=r"does not cover the run.*expected 2025-05-31T22:00:00 to 2025-06-01T22:00:00"
    ):
        read(path)


def test_one_row_too_few(path):
    write(path, stamps(95), VALUES[:95])
    with pytest.raises(InputError, match=r"does not cover the run"):
        read(path)


def changed(row, value, column="time"):
    times, values = stamps(), [str(v) for v in VALUES]
    (times if column == "time" else values)[row] = value
    return times, values


@pytest.mark.parametrize(
    ("row", "value", "column", "message"),
    [
        (7, "-0.5", "a", r"line 9: a negative value in column a; got '-0.5'"),
        (7, "", "a", "line 9: no value in column a"),
        (7, "nan", "a", "line 9: not a number in column a; got 'nan'|line 9: no value"),
        (7, "inf", "a", "line 9: no value in column a; got 'inf'"),
        (7, "n/a", "a", "line 9: not a number in column a; got 'n/a'"),
        (
            7,
            '"0,5"',
            "a",
            "line 9: not a number in column a; got '0,5'; expected a number with a decimal point",
        ),
        (7, "01.06.2025 00:15", "time", "line 9: some time stamps carry a zone and some do not"),
        (7, "soonZ", "time", "line 9: not a time stamp; got 'soonZ'; expected ISO 8601"),
        (7, "2025-05-31T23:30:00Z", "time", r"line 9: the same time twice .UTC.; got '2025-05-31 23:30:00'"),
        (7, "2025-05-31T23:00:00Z", "time", "line 9: time goes backwards"),
        (
            7,
            "2025-05-31T23:46:00Z",
            "time",
            "line 9: a gap, or a row out of step.*expected a row every 15 min.*fill",
        ),
    ],
)
def test_a_bad_row_is_named_with_its_line(path, row, value, column, message):
    write(path, *changed(row, value, column))
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert "load.csv" in str(caught.value)


def test_a_gap(path):
    times, values = stamps(120), np.ones(120)
    write(path, times[:20] + times[24:], np.delete(values, np.s_[20:24]))
    with pytest.raises(InputError, match=r"line 22: a gap.*got '2025-06-01T02:45:00 to 2025-06-01T04:00:00'"):
        read(path)


def test_other_ways_to_write_a_date_are_refused(path):
    write(path, stamps(form="%d.%m.%Y %H:%M"), VALUES)
    with pytest.raises(InputError, match=r"line 2: not a time stamp"):
        read(path, timezone="UTC")
    write(path, range(96), VALUES)
    with pytest.raises(InputError, match=r"does not cover the run|not a time stamp|same time|out of step"):
        read(path, timezone="UTC")


def test_time_zone_trouble(path):
    form = "%Y-%m-%dT%H:%M"
    write(path, stamps(form=form), VALUES)
    with pytest.raises(
        InputError, match=r"line 2: time stamps carry no zone and none is stated.*such as Europe/Berlin"
    ):
        read(path)
    with pytest.raises(
        InputError, match=r"unknown time zone; got 'Europe/Berln'; did you mean 'Europe/Berlin'"
    ):
        read(path, timezone="Europe/Berln")
    write(path, stamps(200, 15, "2025-03-30T00:00", form), np.ones(200))
    with pytest.raises(InputError, match=r"line 10: a clock time that does not exist in Europe/Berlin"):
        read(path, timezone="Europe/Berlin")
    write(path, stamps(200, 15, "2025-10-26T00:00", form), np.ones(200))
    with pytest.raises(
        InputError, match=r"line 10: a clock time that comes twice in Europe/Berlin.*stamps in UTC"
    ):
        read(path, timezone="Europe/Berlin")


def test_columns_that_are_not_there(path):
    write(path, stamps(), VALUES, VALUES, names=("home_1", "home_2"))
    with pytest.raises(
        InputError, match=r"unknown column; got 'home1'; expected home_1, home_2; did you mean 'home_1'"
    ):
        read(path, columns=("home1",))
    with pytest.raises(InputError, match=r"unknown column; got 'time'"):
        read(path, columns=("time",))
    write(path, stamps(), VALUES, VALUES, names=("a", "a"))
    with pytest.raises(InputError, match=r"columns of the same name; got 'a'"):
        read(path)
    path.write_text("when,a\n2025,1\n")
    with pytest.raises(
        InputError, match=r"no time column; got 'when, a'; expected one named time or timestamp"
    ):
        read(path)
    write(path, stamps())
    with pytest.raises(InputError, match=r"no column of values"):
        read(path)


def test_files_that_cannot_be_read(path, tmp_path):
    write(path, stamps(), VALUES)
    with pytest.raises(InputError, match=r"lod.csv: no such file; did you mean 'load.csv'"):
        read(tmp_path / "lod.csv")
    (tmp_path / "load.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"unknown kind of file; got '.xlsx'; expected .csv or .parquet"):
        read(tmp_path / "load.xlsx")
    (tmp_path / "x.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match=r"cannot be read"):
        read(tmp_path / "x.parquet")
    path.write_bytes(b"time,a\n\xff\xfe\xfa,1\n")
    with pytest.raises(InputError, match=r"cannot be read"):
        read(path)
    path.write_text("")
    with pytest.raises(InputError, match=r"no time column"):
        read(path)
    path.write_text("time,a\n")
    with pytest.raises(InputError, match=r"too short; got '0 rows'"):
        read(path)


def test_rows_of_the_wrong_length(path):
    write(path, *changed(7, "1,2", "a"))
    with pytest.raises(
        InputError,
        match=r"line 9: more values than the 2 columns; got '2'; expected numbers with a decimal point",
    ):
        read(path)
    write(path, *changed(7, "1", "a"))
    path.write_text(path.read_text().replace(",1\n", "\n", 1))
    with pytest.raises(InputError, match=r"line 9: no value in column a"):
        read(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], "", *lines[5:]]))
    with pytest.raises(InputError, match=r"line 6"):
        read(path)


def test_daily_values_are_refused(path):
    write(path, stamps(3, 1440, "2025-05-30T22:00"), [5, 6, 7])
    with pytest.raises(InputError, match=r"rows too far apart.*at most an hour"):
        read(path)


def test_empty_separators_at_the_end_of_rows_do_no_harm(path):
    write(path, stamps(), VALUES)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *(row + "," for row in rows)]))
    np.testing.assert_allclose(read(path).energy_kwh[:, 0], VALUES / 4)
