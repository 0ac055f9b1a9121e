from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from sunshare_sim.errors import InputError
from sunshare_sim.inputs.tariffs import billing_periods, grid_prices, network_fixed, slot_prices
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


def test_periods_set_the_parts_they_name_in_the_months_they_name():
    summer = TariffPeriod(from_hour=16, to_hour=21, months=(6, 7), network_per_kwh=0.5, feed_in_per_kwh=0.2)
    tariff = Tariff(periods=(summer,))
    june, august = (TimeGrid.of_days(date(2025, month, 2), 1, 60, "Europe/Berlin") for month in (6, 8))
    prices = slot_prices(tariff, june)
    assert np.flatnonzero(prices.network == 0.5).tolist() == [16, 17, 18, 19, 20]
    assert np.flatnonzero(prices.feed_in == 0.2).tolist() == [16, 17, 18, 19, 20]
    assert set(prices.supply.tolist()) == {0.1604}
    assert set(slot_prices(tariff, august).network.tolist()) == {0.1095}


@pytest.mark.parametrize(("day", "hours", "night"), [(date(2025, 3, 30), 23, 5), (date(2025, 10, 26), 25, 7)])
def test_a_day_of_changing_clocks_has_its_own_number_of_hours(day, hours, night):
    """From 0 to 6 by the clock there are 5 hours in spring and 7 in autumn."""
    grid = TimeGrid.of_days(day, 2, 60, "Europe/Berlin")
    tariff = Tariff(periods=(TariffPeriod(from_hour=0, to_hour=6, supply_per_kwh=0.0),))
    free = slot_prices(tariff, grid).supply == 0
    assert np.flatnonzero(free)[:night].tolist() == list(range(night))
    assert free[:hours].sum() == night
    periods = billing_periods(grid, "day")
    assert (periods.covered[0], periods.whole[0]) == (hours, hours)


def test_billing_periods_are_local_and_know_how_long_they_would_be():
    grid = TimeGrid.of_days(date(2025, 2, 24), 40, 60, "Europe/Berlin")  # 24 February, a Monday, to 4 April
    months = billing_periods(grid, "month")
    assert months.covered.tolist() == [5 * 24, 31 * 24 - 1, 960 - 120 - 743]
    assert months.whole.tolist() == [28 * 24, 31 * 24 - 1, 30 * 24]
    weeks = billing_periods(grid, "week")
    assert weeks.covered.tolist()[:2] == weeks.whole.tolist()[:2] == [168, 168]
    assert weeks.whole.tolist()[4] == 167
    year = billing_periods(grid, "year")
    assert (year.covered.tolist(), year.whole.tolist()) == ([960], [8760])
    assert billing_periods(grid, "day").whole.sum() == 41 * 24 - 1  # of the 41st day the run has an hour


def test_charges_by_the_month_are_cut_to_its_part():
    grid = TimeGrid.of_days(date(2025, 6, 16), 15, 60, "UTC")
    assert grid_prices(Tariff(standing_per_month=30.0), grid).standing_micro == 15_000_000
    fixed = Tariff(network_fixed_per_month=30.0, network_fixed_per_day=0.1)
    assert network_fixed(fixed, grid) == pytest.approx(16.5)


def test_each_part_has_its_own_tax():
    tariff = Tariff(
        supply_per_kwh=0.1, network_per_kwh=0.1, levies_per_kwh=0.1, vat=0.2, vat_supply=0.1, vat_levies=0.0
    )
    assert set(grid_prices(tariff, WEEK).retail_micro.tolist()) == {110_000 + 120_000 + 100_000}


def test_a_kwh_given_is_worth_one_taken_under_net_metering():
    export = {"scheme": "net_metering", "non_bypassable_per_kwh": 0.097103}
    prices = grid_prices(Tariff(export=export), WEEK)
    assert set(prices.feed_in_micro.tolist()) == {300_000}
    dear = grid_prices(Tariff(export={**export, "non_bypassable_per_kwh": 1.0}), WEEK)
    assert not dear.feed_in_micro.any()


def test_the_market_sees_no_price_below_zero():
    prices = grid_prices(Tariff(), WEEK)._replace(
        retail_micro=np.array([-5, 7]), feed_in_micro=np.array([3, -2])
    )
    assert (prices.quoted(0), prices.quoted(1)) == ((0, 3), (7, 0))


def series(tmp_path, rows, **changes):
    (tmp_path / "prices.csv").write_text("\n".join(["time,energy,wires", *rows]) + "\n", "utf-8")
    return Tariff(series={"path": str(tmp_path / "prices.csv"), "supply": "energy", **changes})


DAY = TimeGrid.of_days(date(2025, 6, 2), 1, 30, "Europe/Berlin")  # from 22:00 UTC of 1 June


def hourly(first, count, **odd):
    stamps = np.datetime64(first, "m") + np.arange(count) * np.timedelta64(60, "m")
    return [odd.get(f"r{i}", f"{stamp},{i / 100},0.05") for i, stamp in enumerate(stamps)]


def test_a_series_is_laid_on_the_slots_by_either_clock(tmp_path):
    utc = slot_prices(series(tmp_path, hourly("2025-06-01T20:00", 40), network="wires"), DAY)
    assert utc.supply.tolist() == [(2 + i // 2) / 100 for i in range(48)]
    assert set(utc.network.tolist()) == {0.05}
    local = slot_prices(series(tmp_path, hourly("2025-06-01T20:00", 40), clock="local"), DAY)
    assert local.supply.tolist() == [(4 + i // 2) / 100 for i in range(48)]


def test_a_slot_longer_than_the_rows_has_their_mean(tmp_path):
    rows = [
        f"2025-06-01T{22 + i // 4:02d}:{15 * (i % 4):02d}Z,{p},0"
        for i, p in enumerate([0.1, 0.2, 0.3, -0.2] * 2)
    ]
    grid = TimeGrid.of_days(date(2025, 6, 2), 1, 60, "Europe/Berlin")
    assert slot_prices(series(tmp_path, rows), replace(grid, slots=2)).supply == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (hourly("2025-06-01T22:00", 23), {}, r"does not cover the run \[UTC\].*got .*to 2025-06-02T21:00:00'"),
        (hourly("2025-06-01T23:00", 30), {}, "does not cover the run"),
        (hourly("2025-06-01T22:00", 24), {"clock": "local"}, "does not cover the run"),
        (hourly("2025-06-01T22:00", 1), {}, "too short"),
        (hourly("2025-06-01T22:00", 9) + hourly("2025-06-02T08:00", 20), {}, r"line 11: a gap, or a row out of step"),
        (hourly("2025-06-01T22:00", 24, r3="2025-06-02T00:00,0.1,0"), {}, "line 5: the same time twice"),
        (hourly("2025-06-01T22:00", 24, r3="2025-06-02T01:00,n/a,0"), {}, "line 5: not a price in column energy"),
        (hourly("2025-06-01T22:00", 24, r3="2025-06-02T01:00,500,0"), {}, "line 5: a price out of range"),
        (hourly("2025-06-01T22:00", 24, r3="2025-06-02T01:00,0,-0.1"), {"network": "wires"},
         "line 5: a price out of range in column wires.*expected 0 to 100"),
        (hourly("2025-06-01T22:00", 24), {"supply": "enery"}, "unknown column; got 'enery'.*did you mean 'energy'"),
    ],
)  # fmt: skip
def test_a_series_that_does_not_fit_is_refused(tmp_path, rows, changes, message):
    with pytest.raises(InputError, match=message):
        grid_prices(series(tmp_path, rows, **changes), DAY)


@pytest.mark.parametrize(
    ("day", "first", "message"),
    [
        (date(2025, 3, 30), "2025-03-30T00:00", "a clock time that does not exist in Europe/Berlin"),
        (date(2025, 10, 26), "2025-10-26T00:00", "a clock time that comes twice in Europe/Berlin"),
    ],
)
def test_a_local_series_of_24_hours_is_wrong_when_the_clock_changes(tmp_path, day, first, message):
    grid = TimeGrid.of_days(day, 1, 60, "Europe/Berlin")
    with pytest.raises(InputError, match=message):
        slot_prices(series(tmp_path, hourly(first, 24), clock="local"), grid)
