from datetime import date

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.inputs import solar
from sunshare_sim.inputs.solar import solar_profiles
from sunshare_sim.inputs.weather import Site, Weather, dwd_try, tmy
from sunshare_sim.timegrid import TimeGrid

POTSDAM = Site(52.38, 13.06, 81.0, "Europe/Berlin")
MIAMI = Site(25.8, -80.27, 2.0, "America/New_York")
JUNE = TimeGrid.of_days(date(2025, 6, 2), 7, 15, "Europe/Berlin")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def june(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUNSHARE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return dwd_try(4, JUNE, POTSDAM)


def model_chain(weather, site, grid, *, kwp, tilt, azimuth, ratio):
    """Return the AC power [W] of one system from pvlib's own ModelChain."""
    from pvlib.location import Location
    from pvlib.modelchain import ModelChain
    from pvlib.pvsystem import PVSystem
    from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

    system = PVSystem(
        surface_tilt=tilt,
        surface_azimuth=azimuth,
        module_parameters={"pdc0": kwp * 1000, "gamma_pdc": -0.0035},
        inverter_parameters={"pdc0": kwp * 1000 / ratio / 0.96},
        temperature_model_parameters=TEMPERATURE_MODEL_PARAMETERS["sapm"]["close_mount_glass_glass"],
    )
    place = Location(site.latitude, site.longitude, tz="UTC", altitude=site.altitude_m)
    chain = ModelChain.with_pvwatts(system, place, transposition_model="haydavies")
    middles = pd.DatetimeIndex(grid.starts).tz_localize("UTC") + pd.Timedelta(minutes=grid.slot_minutes) / 2
    columns = {name: getattr(weather, name) for name in ("ghi", "dni", "dhi", "temp_air", "wind_speed")}
    return chain.run_model(pd.DataFrame(columns, index=middles)).results.ac.to_numpy()


SYSTEMS = [
    {"kwp": 5.0, "tilt": 35.0, "azimuth": 180.0, "ratio": 1.2},
    {"kwp": 10.0, "tilt": 15.0, "azimuth": 91.0, "ratio": 1.2},
    {"kwp": 8.0, "tilt": 60.0, "azimuth": 263.0, "ratio": 1.2},
    {"kwp": 7.0, "tilt": 90.0, "azimuth": 355.0, "ratio": 1.5},
    {"kwp": 6.0, "tilt": 0.0, "azimuth": 0.0, "ratio": 0.9},
]


@pytest.mark.parametrize("place", ["potsdam-quarters", "miami-hours", "potsdam-5-minutes"])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: f"{system['tilt']:g}-{system['azimuth']:g}")
def test_a_system_equals_pvlibs_model_chain_within_half_a_watt(place, system):
    if place == "miami-hours":
        site, grid = MIAMI, TimeGrid.of_days(date(2025, 1, 1), 365, 60, "America/New_York")
        weather = tmy("miami", grid, site)
    else:
        site = POTSDAM
        days, minutes = (120, 15) if place == "potsdam-quarters" else (10, 5)
        grid = TimeGrid.of_days(date(2025, 3, 1), days, minutes, "Europe/Berlin")
        weather = dwd_try(4, grid, site)
    expected = model_chain(weather, site, grid, **system)
    ours = solar_profiles(
        weather, site, system["tilt"], system["azimuth"], grid, dc_ac_ratio=system["ratio"], cache=False
    )
    watts = ours[:, 0].astype(np.float64) / grid.hours * system["kwp"] * 1000
    assert expected.max() > 0.05 * system["kwp"] * 1000
    assert np.abs(watts - expected).max() < 0.5
    assert watts.sum() == pytest.approx(expected.sum(), rel=1e-6)


def test_profiles_are_single_precision_slots_by_orientations(june):
    profiles = solar_profiles(june, POTSDAM, [30, 40], [180, 200], JUNE, cache=False)
    assert profiles.dtype == np.float32
    assert profiles.shape == (JUNE.slots, 2)
    assert profiles.flags.c_contiguous
    assert (profiles >= 0).all()


def test_each_orientation_is_itself_whatever_its_neighbours(june):
    tilts, azimuths = np.arange(5.0, 75.0, 10.0), np.linspace(90, 270, 7)
    together = solar_profiles(june, POTSDAM, tilts, azimuths, JUNE, cache=False)
    for i, (tilt, azimuth) in enumerate(zip(tilts, azimuths, strict=True)):
        alone = solar_profiles(june, POTSDAM, tilt, azimuth, JUNE, cache=False)
        np.testing.assert_array_equal(together[:, i], alone[:, 0])


def test_night_yields_nothing_and_east_comes_before_west(june):
    profiles = solar_profiles(june, POTSDAM, [40, 40], [90, 270], JUNE, cache=False)
    assert not profiles[june.ghi == 0].any()
    centre = (profiles * JUNE.local_hour[:, None]).sum(axis=0) / profiles.sum(axis=0)
    assert centre[0] < 13.2 < centre[1]  # noon by the sun is at 13:07 summer time
    assert centre[1] - centre[0] > 2


def test_a_year_on_a_german_roof_yields_what_such_roofs_yield():
    grid = TimeGrid.of_days(date(2025, 1, 1), 365, 60, "Europe/Berlin")
    weather = dwd_try(4, grid, POTSDAM)
    south, north, wall = solar_profiles(weather, POTSDAM, [35, 35, 90], [180, 0, 180], grid, cache=False).sum(
        axis=0
    )
    assert 850 < south < 1100  # kWh/kWp
    assert 0.5 < north / south < 0.75
    assert 0.6 < wall / south < 0.8


def test_the_inverter_clips_at_its_rating(june):
    bright = Weather(*(np.full(JUNE.slots, value) for value in (1000.0, 900.0, 100.0, 0.0, 5.0)))
    profiles = solar_profiles(bright, POTSDAM, 35, 180, JUNE, dc_ac_ratio=1.6, cache=False)
    assert profiles.max() / JUNE.hours == pytest.approx(1 / 1.6, rel=1e-6)


def test_light_from_the_ground_reaches_a_wall_to_the_north(june):
    dark = Weather(*(np.full(JUNE.slots, value) for value in (500.0, 0.0, 0.0, 10.0, 2.0)))
    profile = solar_profiles(dark, POTSDAM, [90, 0], [0, 0], JUNE, cache=False)
    assert profile[:, 0].max() > 0.01  # albedo 0.25 of 500 W/m2, half of it seen
    assert profile[:, 1].max() == 0


def test_profiles_are_kept_and_mapped_into_memory(june, monkeypatch):
    told = []
    first = solar_profiles(june, POTSDAM, [30, 40], [180, 200], JUNE, notice=told.append)
    assert isinstance(first, np.memmap)
    assert first.flags.c_contiguous
    assert not first.flags.writeable
    assert told == [f"solar generation of 2 orientations in {JUNE.slots} slots"]
    monkeypatch.setattr(solar, "_profiles", None)  # a second call computes nothing
    again = solar_profiles(june, POTSDAM, [30, 40], [180, 200], JUNE, notice=told.append)
    np.testing.assert_array_equal(first, again)
    assert len(told) == 1


def test_anything_that_matters_makes_another_file(june):
    plain = (june, POTSDAM, np.array([30.0]), np.array([180.0]), JUNE, 1.2)
    brighter = Weather(june.ghi * 1.001, june.dni, june.dhi, june.temp_air, june.wind_speed)
    changed = [
        (brighter, *plain[1:]),
        (june, Site(52.39, 13.06, 81.0), *plain[2:]),
        (*plain[:2], np.array([31.0]), *plain[3:]),
        (*plain[:3], np.array([181.0]), *plain[4:]),
        (*plain[:4], TimeGrid(JUNE.start, JUNE.slots, 5), 1.2),
        (*plain[:5], 1.3),
    ]
    keys = [solar._key(*parts) for parts in (plain, *changed)]
    assert len(set(keys)) == len(keys)
    assert solar._key(*plain) == keys[0]
