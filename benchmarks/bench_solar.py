"""Cost of solar profiles by orientation, beside pvlib's ModelChain for one system in the same run.

Run: ``python benchmarks/bench_solar.py [orientations]``. CPU seconds of all threads; a year of 15-min slots.
"""

import sys
import time
from datetime import date

import numpy as np
import pandas as pd

from sunshare_sim.inputs.solar import GAMMA_PDC, MOUNTING, solar_profiles
from sunshare_sim.inputs.weather import Site, Weather, dwd_try
from sunshare_sim.timegrid import TimeGrid

SITE = Site(52.38, 13.06, 81.0, "Europe/Berlin")


def model_chain_seconds(weather: Weather, grid: TimeGrid, systems: int = 5) -> float:
    from pvlib.location import Location
    from pvlib.modelchain import ModelChain
    from pvlib.pvsystem import PVSystem
    from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

    middles = pd.DatetimeIndex(grid.starts).tz_localize("UTC") + pd.Timedelta(minutes=grid.slot_minutes) / 2
    names = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
    table = pd.DataFrame({name: getattr(weather, name) for name in names}, index=middles)
    place = Location(SITE.latitude, SITE.longitude, tz="UTC", altitude=SITE.altitude_m)
    spent = []
    for tilt in np.linspace(10, 50, systems):
        system = PVSystem(
            surface_tilt=tilt,
            surface_azimuth=180,
            module_parameters={"pdc0": 1000.0, "gamma_pdc": GAMMA_PDC},
            inverter_parameters={"pdc0": 1000.0 / 1.2 / 0.96},
            temperature_model_parameters=TEMPERATURE_MODEL_PARAMETERS["sapm"][MOUNTING],
        )
        start = time.process_time()
        ModelChain.with_pvwatts(system, place, transposition_model="haydavies").run_model(table)
        spent.append(time.process_time() - start)
    return float(np.median(spent))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    grid = TimeGrid.of_days(date(2025, 1, 1), 365, 15, "Europe/Berlin")
    weather = dwd_try(4, grid, SITE)
    rng = np.random.default_rng(1)
    tilt, azimuth = rng.uniform(0, 60, count), rng.uniform(90, 270, count)
    chain = model_chain_seconds(weather, grid)
    start, wall = time.process_time(), time.perf_counter()
    profiles = solar_profiles(weather, SITE, tilt, azimuth, grid, cache=False)
    spent, waited = time.process_time() - start, time.perf_counter() - wall
    start_copy = time.perf_counter()
    profiles.copy()
    print(f"ModelChain, one system:        {chain:8.3f} s")
    print(f"{count} orientations:        {spent:10.3f} s of CPU, {waited:.1f} s of wall clock")
    print(
        f"per orientation:               {spent / count * 1000:8.3f} ms, {chain / (spent / count):.0f} times less"
    )
    print(
        f"copy of the same bytes:        {time.perf_counter() - start_copy:8.3f} s ({profiles.nbytes / 1e6:.0f} MB)"
    )


if __name__ == "__main__":
    main()
