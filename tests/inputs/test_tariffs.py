from datetime import date

import numpy as np
import pytest

from sunshare_sim.inputs.tariffs import grid_prices
from sunshare_sim.scenario.tariff import Tariff, TariffPeriod
from sunshare_sim.timegrid import TimeGrid

WEEK = TimeGrid.of_days(date(2025, 6, 2), 7, 60, "Europe/Berlin")


def test_the_default_is_the_german_household_price_of_2025():
    prices = grid_prices(Tariff(), WEEK)
    assert prices.retail_micro.tolist() == [397_103] * 168  # (16.04 + 10.95 + 6.38 ct) * 1.19
    assert prices.feed_in_micro[0] == 78_600
    assert (prices.network_micro, prices.levies_micro, prices.vat_ppm) == (109_500, 63_800, 190_000)


def test_time_of_use_follows_local_hours_and_days_and_later_periods_win():
    night = TariffPeriod(from_hour=22, to_hour=6, supply_per_kwh=0.10)
    weekend = TariffPeriod(from_hour=0, to_hour=24, days="weekends", supply_per_kwh=0.05)
    tariff = Tariff(
        supply_per_kwh=0.2, network_per_kwh=0.0, levies_per_kwh=0.0, vat=0.0, periods=(night, weekend)
    )
    retail = grid_prices(tariff, WEEK).retail_micro.reshape(7, 24)
    assert np.flatnonzero(retail[0] == 100_000).tolist() == [0, 1, 2, 3, 4, 5, 22, 23]
    assert set(retail[5:].ravel().tolist()) == {50_000}


@pytest.mark.parametrize(("days", "expected"), [(7, 3_500_000), (1, 500_000)])
def test_the_standing_charge_is_by_the_day(days, expected):
    grid = TimeGrid.of_days(date(2025, 6, 2), days, 15, "UTC")
    assert grid_prices(Tariff(standing_per_day=0.5), grid).standing_micro == expected
