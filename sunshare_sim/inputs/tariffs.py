"""The grid's prices for every slot, as integers: the one place where a tariff becomes money."""

from typing import NamedTuple

import numpy as np

from sunshare_sim.scenario.tariff import Tariff, TariffPeriod
from sunshare_sim.timegrid import MINUTES_PER_DAY, TimeGrid
from sunshare_sim.units import MICRO, BoolArray, IntArray, to_micro


class GridPrices(NamedTuple):
    """Hold what the grid charges and pays, in 1e-6 currency.

    Attributes
    ----------
    retail_micro, feed_in_micro : IntArray
        Price of a kWh bought from and fed into the grid, all charges and VAT included, shape [slots].
    network_micro, levies_micro : int
        Parts of the retail price before VAT [1e-6 currency/kWh].
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


def holds_in(period: TariffPeriod, grid: TimeGrid) -> BoolArray:
    """Return in which slots a time-of-use period holds, by local time at the slot's start, shape [slots]."""
    hour, weekend = grid.local_hour, grid.local_weekday >= 5
    if period.from_hour < period.to_hour:
        inside = (hour >= period.from_hour) & (hour < period.to_hour)
    else:
        inside = (hour >= period.from_hour) | (hour < period.to_hour)
    days = {"all": np.ones_like(weekend), "workdays": ~weekend, "weekends": weekend}[period.days]
    return inside & days


def grid_prices(tariff: Tariff, grid: TimeGrid) -> GridPrices:
    """Compute the grid's prices for each slot of `grid`; a later time-of-use period overrides an earlier one."""
    supply = np.full(grid.slots, tariff.supply_per_kwh)
    for period in tariff.periods:
        supply[holds_in(period, grid)] = period.supply_per_kwh
    retail = (supply + tariff.network_per_kwh + tariff.levies_per_kwh) * (1 + tariff.vat)
    days = grid.slots * grid.slot_minutes / MINUTES_PER_DAY
    return GridPrices(
        retail_micro=to_micro(retail),
        feed_in_micro=to_micro(np.full(grid.slots, tariff.feed_in_per_kwh)),
        network_micro=int(to_micro(tariff.network_per_kwh)),
        levies_micro=int(to_micro(tariff.levies_per_kwh)),
        vat_ppm=round(tariff.vat * MICRO),
        standing_micro=int(to_micro(tariff.standing_per_day * days)),
    )
