"""The grid's prices for every slot, as integers: the one place where a tariff becomes money."""

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from sunshare_sim.inputs.price_series import read_prices
from sunshare_sim.scenario.tariff import COMPONENTS, Tariff, TariffPeriod
from sunshare_sim.timegrid import MINUTES_PER_DAY, TimeGrid
from sunshare_sim.units import MICRO, BoolArray, FloatArray, IntArray, to_micro

Length = Literal["day", "week", "month", "year"]


class GridPrices(NamedTuple):
    """Hold what the grid charges and pays, in 1e-6 currency.

    Attributes
    ----------
    retail_micro, feed_in_micro : IntArray
        Price of a kWh bought from and fed into the grid, all charges and VAT included, shape [slots]. With tiers it
        is that of the first block; with net metering a kWh fed in is worth what one costs.
    network_micro, levies_micro : int
        Parts of the retail price before VAT, mean over the slots where they change [1e-6 currency/kWh].
    vat_ppm : int
        Value added tax in parts per million of the net price.
    standing_micro : int
        Standing charge of the whole run [1e-6 currency].
    """

    retail_micro: IntArray
    feed_in_micro: IntArray
    network_micro: int
    levies_micro: int
    vat_ppm: int
    standing_micro: int

    def quoted(self, slot: int) -> tuple[int, int]:
        """Return a slot's retail and feed-in price as the market sees them: never below zero, as no order is."""
        return max(int(self.retail_micro[slot]), 0), max(int(self.feed_in_micro[slot]), 0)


class SlotPrices(NamedTuple):
    """Hold the parts of the grid's prices by slot, before VAT [currency/kWh], shape [slots] each."""

    supply: FloatArray
    network: FloatArray
    levies: FloatArray
    feed_in: FloatArray


class BillingPeriods(NamedTuple):
    """Hold the billing periods of a run: how many slots of each the run has, and how many a whole one has."""

    covered: IntArray
    whole: IntArray


def holds_in(period: TariffPeriod, grid: TimeGrid) -> BoolArray:
    """Return in which slots a time-of-use period holds, by local time at the slot's start, shape [slots]."""
    weekend = grid.local_weekday >= 5
    days = {"all": np.ones_like(weekend), "workdays": ~weekend, "weekends": weekend}[period.days]
    inside = between_hours(period.from_hour, period.to_hour, grid) & days
    if period.months:
        month = grid.local_day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
        inside &= np.isin(month, period.months)
    return inside


def between_hours(from_hour: float, to_hour: float, grid: TimeGrid) -> BoolArray:
    """Return which slots start between two local hours, past midnight where the second is the lower, shape [slots]."""
    hour = grid.local_hour
    if from_hour < to_hour:
        return np.asarray((hour >= from_hour) & (hour < to_hour))
    return np.asarray((hour >= from_hour) | (hour < to_hour))


def slot_prices(tariff: Tariff, grid: TimeGrid) -> SlotPrices:
    """Compute the parts of the grid's prices; a later time-of-use period overrides an earlier one.

    Raises
    ------
    InputError
        When a file of prices cannot be used as it is, such as one that does not cover the run.
    """
    prices = {name: np.full(grid.slots, getattr(tariff, f"{name}_per_kwh")) for name in SlotPrices._fields}
    for period in tariff.periods:
        inside = holds_in(period, grid)
        for name in SlotPrices._fields:
            price = period.price(name)
            if price is not None:
                prices[name][inside] = price
    if tariff.series is not None:
        series, zone = tariff.series, grid.timezone if tariff.series.clock == "local" else "UTC"
        for name in SlotPrices._fields:
            column = getattr(series, name)
            if column is not None:
                # A network charge or a levy below zero would be a mistake; energy may be worth less than nothing.
                negative = name in {"supply", "feed_in"}
                read = read_prices(series.path, (column,), grid, timezone=zone, negative=negative)
                prices[name] = read[:, 0]
    return SlotPrices(**prices)


def grid_prices(tariff: Tariff, grid: TimeGrid) -> GridPrices:
    """Compute the grid's prices for each slot of `grid`.

    Raises
    ------
    InputError
        When a file of prices cannot be used as it is, such as one that does not cover the run.
    """
    parts = slot_prices(tariff, grid)
    vat = {name: tariff.vat_of(name) for name in COMPONENTS}
    if set(vat.values()) == {tariff.vat}:
        retail = (parts.supply + parts.network + parts.levies) * (1 + tariff.vat)
    else:
        retail = sum((getattr(parts, name) * (1 + vat[name]) for name in COMPONENTS), np.zeros(grid.slots))
    feed_in = parts.feed_in
    if tariff.export.scheme == "net_metering":
        feed_in = np.maximum(retail - tariff.export.non_bypassable_per_kwh, 0.0)
    days = grid.slots * grid.slot_minutes / MINUTES_PER_DAY
    standing = tariff.standing_per_day * days + monthly(tariff.standing_per_month, grid)
    return GridPrices(
        retail_micro=to_micro(retail),
        feed_in_micro=to_micro(feed_in),
        network_micro=int(to_micro(parts.network.mean() if np.ptp(parts.network) else parts.network[0])),
        levies_micro=int(to_micro(parts.levies.mean() if np.ptp(parts.levies) else parts.levies[0])),
        vat_ppm=round(tariff.vat * MICRO),
        standing_micro=int(to_micro(standing)),
    )


def network_fixed(tariff: Tariff, grid: TimeGrid) -> float:
    """Return the fixed network charge of a home for the whole run, before VAT [currency]."""
    days = grid.slots * grid.slot_minutes / MINUTES_PER_DAY
    return tariff.network_fixed_per_day * days + monthly(tariff.network_fixed_per_month, grid)


def monthly(per_month: float, grid: TimeGrid) -> float:
    """Return what a charge by the calendar month comes to in a run, of a month cut short a part by its slots."""
    if not per_month:
        return 0.0
    months = billing_periods(grid, "month")
    return per_month * float((months.covered / months.whole).sum())


def billing_periods(grid: TimeGrid, length: Length) -> BillingPeriods:
    """Return the billing periods of a run, by the local calendar; days of 23 and 25 hours count as long as they are."""
    day = grid.local_day
    changes = np.flatnonzero(np.diff(_number(day, length))) + 1
    first = np.concatenate([[0], changes])
    covered = np.diff(np.concatenate([first, [grid.slots]]))
    whole = [_whole_slots(date(1970, 1, 1) + timedelta(days=int(day[slot])), grid, length) for slot in first]
    return BillingPeriods(covered.astype(np.int64), np.array(whole, dtype=np.int64))


def _number(day: IntArray, length: Length) -> IntArray:
    """Return the number of the period each local day lies in."""
    if length == "week":
        return (day + 3) // 7
    unit = {"day": "D", "month": "M", "year": "Y"}[length]
    return day.astype("datetime64[D]").astype(f"datetime64[{unit}]").astype(np.int64)


def _whole_slots(day: date, grid: TimeGrid, length: Length) -> int:
    """Return the number of slots of the whole period that a local day lies in."""
    first = {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "year": day.replace(month=1, day=1),
    }[length]
    after = {
        "day": first + timedelta(days=1),
        "week": first + timedelta(days=7),
        "month": (first + timedelta(days=31)).replace(day=1),
        "year": first.replace(year=first.year + 1),
    }[length]
    zone = ZoneInfo(grid.timezone)
    begin, end = (datetime(d.year, d.month, d.day, tzinfo=zone).timestamp() for d in (first, after))
    return round((end - begin) / grid.seconds)
