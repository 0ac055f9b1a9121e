import sys
import warnings
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import InputError
from sunshare_sim.inputs.sky import clear_sky_at, clear_sky_on, steps
from sunshare_sim.inputs.typical_years import TMY_FILES, laid_over, read_dwd_try, read_tmy
from sunshare_sim.inputs.weather import Site, Weather, clear_sky, dwd_try, tmy, weather_file
from sunshare_sim.timegrid import TimeGrid

POTSDAM = Site(52.38, 13.06, 81.0, "Europe/Berlin")
YEAR = TimeGrid(datetime(2025, 1, 1, tzinfo=UTC), 35_040, 15, "Europe/Berlin")
JUNE_WEEK = TimeGrid.of_days(date(2025, 6, 2), 7, 15, "Europe/Berlin")
COLUMNS = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
YEARS = ["try-4", "try-13", *TMY_FILES]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module", params=YEARS)
def typical(request):
    """Return a typical year and its weather over 2025 at its own station."""
    name = request.param
    year = read_dwd_try(int(name[4:])) if name.startswith("try") else read_tmy(name)
    return year, Weather(**laid_over(year, YEAR, year.station))


def sun_of(grid, site):
    from sunshare_sim.inputs.sky import location, utc_index

    middles = utc_index(grid.starts + np.timedelta64(grid.seconds // 2, "s"))
    return location(site).get_solarposition(middles)


def hours_late(ghi, clear, minutes=15):
    angle = np.exp(2j * np.pi * (np.arange(ghi.size) * minutes % 1440) / 1440)
    return np.angle((ghi * angle).sum() / (clear * angle).sum()) / (2 * np.pi) * 24


def test_each_hour_keeps_its_energy(typical):
    year, weather = typical
    assert weather.ghi.sum() / 4 == pytest.approx(year.ghi.sum(), rel=0.002)
    assert weather.dhi.sum() / 4 == pytest.approx(year.dhi.sum(), rel=0.005)
    # From midnight of the file's clock, four slots are a row; 2025 has no leap day.
    start = YEAR.start - timedelta(hours=year.utc_offset)
    slots = laid_over(year, TimeGrid(start, 35_040, 15), year.station)["ghi"]
    clear = clear_sky_on(TimeGrid(start, 35_040, 15), year.station).ghi
    hourly, clear_hourly = (values.reshape(-1, 4).mean(axis=1) for values in (slots, clear))
    high = clear_hourly > 100  # away from the horizon, where an index beyond 2 is cut
    np.testing.assert_allclose(hourly[high], year.ghi[high], rtol=1e-9, atol=1e-9)


def test_night_is_dark_and_no_light_is_negative(typical):
    year, weather = typical
    below = (
        sun_of(YEAR, year.station)["apparent_elevation"].to_numpy() < -3
    )  # some of a slot may lie before sunset
    for name in ("ghi", "dni", "dhi"):
        values = getattr(weather, name)
        assert (values >= 0).all()
        assert not values[below].any()
        assert np.isfinite(values).all()


def test_the_parts_of_the_light_add_up(typical):
    year, weather = typical
    sun = sun_of(YEAR, year.station)
    cosine = np.cos(np.radians(sun["apparent_zenith"].to_numpy()))
    # Exact at each moment; a slot's mean beam is not quite its mean DNI at the sun of the slot's middle.
    difference = weather.ghi - weather.dni * np.maximum(cosine, 0) - weather.dhi
    assert np.abs(difference).max() < 4
    assert np.abs(difference).mean() < 0.1
    assert weather.dni.max() < 1100


def test_the_sun_stands_right(typical):
    year, weather = typical
    clear = clear_sky_on(YEAR, year.station).ghi
    shifts = range(-6, 7)
    fit = [np.corrcoef(weather.ghi, np.roll(clear, shift))[0, 1] for shift in shifts]
    assert shifts[int(np.argmax(fit))] == 0
    # Morning and afternoon weigh about the same, which an index taken at the wrong hour would undo.
    assert abs(hours_late(weather.ghi, clear)) < 0.15
    day = weather.ghi.reshape(365, 96).mean(axis=0)
    noon = 12 - year.station.longitude / 15
    peak = np.convolve(np.tile(day, 2), np.ones(13) / 13, mode="same")[96 - 6 : 192 - 6].argmax() - 6
    assert abs((peak + 0.5) / 4 % 24 - noon) < 1.0


@pytest.mark.parametrize("name", [*(f"try-{region}" for region in range(1, 16)), *TMY_FILES])
def test_the_clock_of_a_year_is_right(name):
    # Before any sun is laid under it: the light of bright days against the clear sky of the same hours.
    year = read_dwd_try(int(name[4:])) if name.startswith("try") else read_tmy(name)
    midnight = np.datetime64("2025-01-01T00:00") - np.timedelta64(round(60 * year.utc_offset), "m")
    clear = clear_sky_at(steps(midnight, 10, 8760 * 6), year.station).ghi.reshape(-1, 6).mean(axis=1)
    bright = year.ghi.reshape(365, 24).sum(axis=1) > 0.85 * clear.reshape(365, 24).sum(axis=1)
    kept = np.repeat(bright, 24)
    assert bright.sum() > 40
    assert abs(hours_late(year.ghi[kept], clear[kept], 60)) < 0.1


def test_a_year_is_laid_over_a_leap_year():
    leap = TimeGrid(datetime(2024, 2, 27, tzinfo=UTC), 4 * 96, 15)
    plain = TimeGrid(datetime(2025, 2, 27, tzinfo=UTC), 3 * 96, 15)
    year = read_dwd_try(4)
    warm = laid_over(year, leap, POTSDAM)["temp_air"].reshape(4, 96)
    usual = laid_over(year, plain, POTSDAM)["temp_air"].reshape(3, 96)
    np.testing.assert_allclose(warm[0], usual[0])  # the 27th
    np.testing.assert_allclose(warm[2][10:86], usual[1][10:86])  # 29 February repeats the 28th
    np.testing.assert_allclose(warm[3][10:], usual[2][10:])  # 1 March is itself


def test_a_run_may_cross_the_new_year():
    grid = TimeGrid(datetime(2025, 12, 31, 12, tzinfo=UTC), 96, 15)
    weather = dwd_try(4, grid, POTSDAM)
    assert all(np.isfinite(getattr(weather, name)).all() for name in COLUMNS)


@pytest.mark.parametrize("minutes", [1, 5, 12, 20, 30, 60])
def test_slots_of_any_length_have_the_same_energy(minutes):
    grid = TimeGrid(datetime(2025, 6, 2, tzinfo=UTC), 2 * 1440 // minutes, minutes)
    reference = dwd_try(4, TimeGrid(grid.start, 192, 15), POTSDAM)
    weather = dwd_try(4, grid, POTSDAM)
    for name in ("ghi", "dhi", "temp_air"):
        mean = getattr(weather, name).mean()
        assert mean == pytest.approx(getattr(reference, name).mean(), rel=0.005)


def test_a_place_with_half_an_hour_in_its_clock():
    grid = TimeGrid.of_days(date(2025, 3, 1), 2, 60, "Asia/Kolkata")  # starts at half past a UTC hour
    weather = tmy("miami", grid, Site(28.6, 77.2, 216.0, "Asia/Kolkata"))
    brightest = weather.ghi.reshape(2, 24).mean(axis=0).argmax()
    assert brightest in {11, 12, 13}


def test_a_far_station_is_shifted_to_the_noon_of_the_site():
    bangkok = Site(13.75, 100.5, 5.0, "Asia/Bangkok")
    grid = TimeGrid.of_days(date(2025, 1, 1), 365, 30, "Asia/Bangkok")
    weather = tmy("miami", grid, bangkok)
    clear = clear_sky_on(grid, bangkok).ghi
    assert abs(hours_late(weather.ghi, clear, 30)) < 0.35
    assert 0.7 < weather.ghi.sum() / clear.sum() < 0.95


def test_sources_say_where_they_come_from_and_are_cached():
    told = []
    first = dwd_try(4, JUNE_WEEK, POTSDAM, notice=told.append)
    again = dwd_try(4, JUNE_WEEK, POTSDAM, notice=told.append)
    assert len(told) == 1
    assert "test reference year" in told[0]
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert getattr(first, name).shape == (JUNE_WEEK.slots,)
    assert "Deutscher Wetterdienst" in first.licence
    other = dwd_try(5, JUNE_WEEK, POTSDAM)
    assert not np.array_equal(first.ghi, other.ghi)
    elsewhere = dwd_try(4, JUNE_WEEK, Site(50.0, 8.0))
    assert not np.array_equal(first.ghi, elsewhere.ghi)


def test_reading_leaves_warning_filters_alone():
    before, imported = list(warnings.filters), "demandlib" in sys.modules
    read_dwd_try(1)
    assert list(warnings.filters) == before
    assert ("demandlib" in sys.modules) == imported


@pytest.mark.parametrize("region", range(1, 16))
def test_every_german_region_reads(region):
    year = read_dwd_try(region)
    assert 900 < year.ghi.sum() / 1000 < 1200  # DWD: 944 to 1 111 kWh/m2
    assert (year.dhi <= year.ghi).all()
    assert 47 < year.station.latitude < 55
    assert 6 < year.station.longitude < 15


def test_unknown_names_are_errors_with_a_hint():
    with pytest.raises(InputError, match="expected 1 to 15"):
        dwd_try(16, JUNE_WEEK, POTSDAM)
    with pytest.raises(InputError, match="did you mean 'miami'"):
        tmy("miamy", JUNE_WEEK, POTSDAM)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("sunshare_sim.inputs.typical_years.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"demandlib is not installed.*pip install 'sunshare-sim\[grids\]'"):
        read_dwd_try(4)


def test_a_clear_sky_is_pvlibs():
    weather = clear_sky(JUNE_WEEK, POTSDAM)
    sky = clear_sky_on(JUNE_WEEK, POTSDAM)
    np.testing.assert_array_equal(weather.ghi, sky.ghi)
    np.testing.assert_array_equal(weather.dni, sky.dni)
    assert 800 < weather.ghi.max() < 900
    assert 5 < weather.temp_air.mean() < 20


# ---- files of the user's own


@pytest.fixture(scope="module")
def measured():
    """Return a week of weather as a user would have it, with a day to spare on either side."""
    grid = TimeGrid(datetime(2025, 6, 1, tzinfo=UTC), 9 * 96, 15)
    arrays = laid_over(read_dwd_try(4), grid, POTSDAM)
    times = pd.DatetimeIndex(grid.starts).tz_localize("UTC")
    return pd.DataFrame({"time": times, **{name: arrays[name] for name in COLUMNS if name != "dni"}})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("minutes", [5, 15, 30])
def test_a_file_comes_back_as_it_was(measured, tmp_path, suffix, minutes):
    path = tmp_path / f"mine{suffix}"
    measured.to_csv(path, index=False) if suffix == ".csv" else measured.to_parquet(path, index=False)
    grid = TimeGrid.of_days(date(2025, 6, 2), 7, minutes, "Europe/Berlin")
    weather = weather_file(path, grid, POTSDAM)
    expected = measured.set_index("time").loc[str(grid.start) :].iloc[: 7 * 96]
    assert weather.ghi.sum() * minutes == pytest.approx(expected["ghi"].sum() * 15, rel=0.001)
    if minutes == 15:
        np.testing.assert_allclose(weather.ghi, expected["ghi"], atol=1)
        np.testing.assert_allclose(weather.dhi, expected["dhi"], atol=1)
        np.testing.assert_allclose(weather.temp_air, expected["temp_air"], atol=1e-9)


def test_the_index_of_a_parquet_file_may_hold_the_time(measured, tmp_path):
    path = tmp_path / "mine.parquet"
    measured.set_index("time").to_parquet(path)
    assert weather_file(path, JUNE_WEEK, POTSDAM).ghi.max() > 500


def test_temperature_is_interpolated_up_to_the_ends_of_the_run(measured, tmp_path):
    path = tmp_path / "mine.csv"
    hourly = measured.set_index("time").resample("h").mean().reset_index()
    hourly.assign(temp_air=np.arange(len(hourly)) / 10.0).to_csv(path, index=False)
    weather = weather_file(path, JUNE_WEEK, POTSDAM)
    np.testing.assert_allclose(np.diff(weather.temp_air), 0.025)
    at_hours = weather.temp_air.reshape(-1, 4).mean(axis=1)
    np.testing.assert_allclose(at_hours, (np.arange(168) + 22) / 10)  # the file starts 22 h before the run


def test_without_diffuse_light_the_global_is_split(measured, tmp_path):
    path = tmp_path / "mine.csv"
    measured.drop(columns=["dhi", "wind_speed"]).to_csv(path, index=False)
    weather = weather_file(path, JUNE_WEEK, POTSDAM)
    assert 0.2 < weather.dhi.sum() / weather.ghi.sum() < 0.9
    assert (weather.dhi <= weather.ghi + 1e-9).all()
    assert (weather.wind_speed == 2).all()


def shifted(table, hours):
    return table.assign(time=table["time"] + pd.Timedelta(hours=hours))


def with_value(table, column, row, value):
    changed = table.copy()
    changed[column] = changed[column].astype(object)
    changed.loc[row, column] = value
    return changed


SPOILT = {
    "missing": (lambda t: t.drop(columns="ghi"), r"column 'ghi' is missing.*got 'time, dhi"),
    "misspelt": (lambda t: t.rename(columns={"temp_air": "tempair"}), "did you mean 'tempair'"),
    "gap": (lambda t: t.drop(index=[100, 101]), r"row 101 of the data: has a gap; .* every 15 min"),
    "repeated": (lambda t: pd.concat([t.iloc[:50], t.iloc[49:]]), "row 51 of the data: repeats a time"),
    "naive": (lambda t: t.assign(time=t["time"].dt.tz_localize(None)), "time without time zone"),
    "no time": (lambda t: with_value(t, "time", 7, "yesterday+02:00"), "row 8 of the data: not a time"),
    "negative": (lambda t: with_value(t, "ghi", 40, -50.0), "row 41 of the data: ghi is negative; got '-50"),
    "empty": (lambda t: with_value(t, "ghi", 40, None), "row 41 of the data: ghi is missing or out of range"),
    "word": (lambda t: with_value(t, "temp_air", 3, "cold"), "row 4 of the data: temp_air .* got 'cold'"),
    "kelvin": (lambda t: t.assign(temp_air=t["temp_air"] + 273.15), "are these kelvin"),
    "kilowatt": (lambda t: t.assign(ghi=t["ghi"] / 1000, dhi=0.0), "not that of the sun.*is ghi in W/m2"),
    "kJ/m2": (lambda t: t.assign(ghi=t["ghi"] * 3.6), "ghi is missing or out of range; .* 1800 W/m2"),
    "zone": (lambda t: shifted(t, 2), r"the sun of the file stands wrong; got '[12]\.\d h late'"),
    "other zone": (lambda t: shifted(t, -7), r"stands wrong; got '[67]\.\d h early'"),
    "too short": (lambda t: t.iloc[:400], "does not cover the run; .*2025-06-08T22:00:00"),
    "too late": (lambda t: t.iloc[300:], "does not cover the run"),
    "odd step": (lambda t: t.iloc[::5], "odd interval"),
    "one row": (lambda t: t.iloc[:1], "too short"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_file_is_refused_with_its_row(measured, tmp_path, case):
    spoil, message = SPOILT[case]
    path = tmp_path / "mine.csv"
    spoil(measured).to_csv(path, index=False)
    with pytest.raises(InputError, match=message) as caught:
        weather_file(path, JUNE_WEEK, POTSDAM)
    assert "mine.csv" in str(caught.value)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.epw"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(InputError, match=f"{name}: cannot be read; got 'No such file"):
        weather_file(tmp_path / name, JUNE_WEEK, POTSDAM)


@pytest.mark.parametrize("name", ["bad.csv", "bad.parquet", "bad.epw"])
def test_rubbish_is_an_input_error(tmp_path, name):
    path = tmp_path / name
    path.write_text("this is\nnot, a\nweather file, at all\n")
    with pytest.raises(InputError, match=name):
        weather_file(path, JUNE_WEEK, POTSDAM)


def test_a_tmy3_file_reads_as_the_bundled_one():
    from sunshare_sim.inputs.typical_years import _package_folder

    path = _package_folder("pvlib", "") / "data" / TMY_FILES["greensboro"]
    site = Site(36.1, -79.95, 273.0, "America/New_York")
    grid = TimeGrid.of_days(date(2025, 6, 2), 7, 15, "America/New_York")
    np.testing.assert_array_equal(weather_file(path, grid, site).ghi, tmy("greensboro", grid, site).ghi)


def test_an_epw_file_reads_as_the_year_it_was_made_from(tmp_path):
    year = read_tmy("miami")
    hours = pd.date_range("2001-01-01", periods=8760, freq="h")
    place = f"LOCATION,MIAMI,FL,USA,TMY2,722020,{year.station.latitude},{year.station.longitude},-5.0,2.0\n"
    rows = [
        f"{t.year},{t.month},{t.day},{t.hour + 1},60,?,{year.temp_air[i]},10,50,101300,0,0,0,{year.ghi[i]},0,"
        f"{year.dhi[i]},0,0,0,0,180,{year.wind_speed[i]},5,5,20,2000,9,999999999,0,0,0,88,0,0,0\n"
        for i, t in enumerate(hours)
    ]
    path = tmp_path / "miami.epw"
    path.write_text(place + "HEAD\n" * 7 + "".join(rows))
    grid = TimeGrid.of_days(date(2025, 6, 2), 7, 15, "America/New_York")
    read, bundled = weather_file(path, grid, year.station), tmy("miami", grid, year.station)
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(read, name), getattr(bundled, name), atol=1e-6)
    path.write_text(place + "HEAD\n" * 7 + "".join(rows[:-1]))
    with pytest.raises(InputError, match="no whole year; got '8759 rows'"):
        weather_file(path, grid, year.station)
