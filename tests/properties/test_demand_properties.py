from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunshare_sim.inputs.demand import DemandShapes, bootstrap, follow
from sunshare_sim.inputs.profiles import read_profile
from sunshare_sim.timegrid import TimeGrid
from tests.reference.demand import demand_minute_by_minute

SLOT_MINUTES = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]


def made_up_shapes(seed, count=3):
    table = np.random.default_rng(seed).gamma(0.5, size=(count, 366, 96))
    table /= (table.sum(axis=(1, 2)) - table[:, 59].sum(axis=1))[:, None, None]
    names = tuple(f"s{i}" for i in range(count))
    return DemandShapes(names, table.astype(np.float32), 2016, "made up", "")


@settings(max_examples=60)
@given(
    day=st.dates(date(1999, 1, 1), date(2041, 12, 1))
    | st.sampled_from([date(2025, 3, 30), date(2025, 10, 26)]),
    minutes=st.sampled_from(SLOT_MINUTES),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Bangkok", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    own_days=st.booleans(),
    seed=st.integers(0, 2**40),
)
def test_gathered_demand_is_the_integral_of_power(day, minutes, zone, own_days, seed):
    grid = TimeGrid.of_days(day, 2, minutes, zone)
    annual, shape = np.array([0.0, 1000.0, 4321.5]), np.array([0, 2, 1])
    shapes = made_up_shapes(seed % 5)
    series = follow(shapes, annual, shape, grid) if own_days else bootstrap(shapes, annual, shape, grid, seed)
    expected = demand_minute_by_minute(series, 0, grid.slots)
    np.testing.assert_allclose(series.block(0, grid.slots), expected, rtol=1e-12, atol=1e-15)


@settings(max_examples=30)
@given(
    day=st.dates(date(2015, 1, 1), date(2030, 1, 1)),
    days=st.integers(1, 40),
    homes=st.integers(1, 6),
    cut=st.floats(0, 1),
    seed=st.integers(0, 2**40),
)
def test_draws_depend_on_day_and_home_alone(day, days, homes, cut, seed):
    """More homes, a longer run or another start leave what is common as it was; blocks join without a seam."""
    shapes = made_up_shapes(1)
    annual, shape = np.linspace(500, 5000, homes), np.arange(homes) % 3
    grid = TimeGrid.of_days(day, days, 60, "Asia/Bangkok")
    whole = bootstrap(shapes, annual, shape, grid, seed).block(0, grid.slots)
    fewer = int(cut * (homes - 1)) + 1
    later = int(cut * (days - 1))
    part_grid = TimeGrid.of_days(day + timedelta(days=later), days - later, 60, "Asia/Bangkok")
    part = bootstrap(shapes, annual[:fewer], shape[:fewer], part_grid, seed)
    seam = int(cut * part_grid.slots)
    joined = np.vstack([part.block(0, seam), part.block(seam, part_grid.slots)])
    np.testing.assert_array_equal(joined, whole[later * 24 :, :fewer])


@settings(max_examples=60)
@given(
    step=st.sampled_from([1, 5, 10, 15, 20, 30, 60]),
    minutes=st.sampled_from(SLOT_MINUTES),
    lead=st.integers(0, 200),
    unit=st.sampled_from(["kW", "W", "kWh", "Wh"]),
    seed=st.integers(0, 2**40),
)
def test_resampling_of_a_file_neither_loses_nor_makes_energy(
    tmp_path_factory, step, minutes, lead, unit, seed
):
    """Walk through the minutes of the file: each goes to the slot it falls in."""
    grid = TimeGrid.of_days(date(2025, 6, 1), 1, minutes, "UTC")
    rows = (lead + 1440) // step + 1
    values = np.random.default_rng(seed).gamma(0.5, size=rows).round(6)
    start = np.datetime64("2025-06-01T00:00") - np.timedelta64(lead, "m")
    stamps = start + np.arange(rows) * np.timedelta64(step, "m")
    path = tmp_path_factory.mktemp("profile") / "p.csv"
    path.write_text("time,home\n" + "".join(f"{t}:00Z,{v}\n" for t, v in zip(stamps, values, strict=True)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sunshare_sim.inputs.profiles.PLAUSIBLE_KWH", (0.0, np.inf))
        energy = read_profile(path, grid=grid, unit=unit).energy_kwh[:, 0]
    kwh_per_minute = (
        np.repeat(values, step) * {"kW": 1 / 60, "W": 1 / 60e3, "kWh": 1 / step, "Wh": 1 / step / 1e3}[unit]
    )
    expected = kwh_per_minute[lead : lead + 1440].reshape(-1, minutes).sum(axis=1)
    np.testing.assert_allclose(energy, expected, rtol=1e-9, atol=1e-12)
