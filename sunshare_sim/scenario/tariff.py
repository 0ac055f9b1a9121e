"""The section `tariff`: prices of the grid."""

from typing import Literal

from sunshare_sim.scenario.base import Section, field


class TariffPeriod(Section):
    """Give the supply price of some hours of the day."""

    from_hour: float = field(..., "local start of the period", unit="h", ge=0, lt=24)
    to_hour: float = field(
        ..., "local end of the period; before the start: past midnight", unit="h", gt=0, le=24
    )
    days: Literal["all", "workdays", "weekends"] = field("all", "days of the week on which the period holds")
    supply_per_kwh: float = field(
        ..., "supply price in the period, without VAT", unit="currency/kWh", ge=0, le=100
    )


class Tariff(Section):
    """Give the prices of the grid: what homes pay and get outside the local market.

    The defaults are the German household price of 2025 at 3 500 kWh a year, 39.7 ct/kWh (BDEW-Strompreisanalyse
    2025), and the feed-in tariff for plants up to 10 kWp that feed in their surplus (EEG 2023, from August 2025).
    """

    currency: str = field("EUR", "currency of all prices", pattern="^[A-Z]{3}$")
    supply_per_kwh: float = field(
        0.1604, "retail: energy supply, without VAT", unit="currency/kWh", ge=0, le=100
    )
    network_per_kwh: float = field(
        0.1095, "retail: network charge, without VAT", unit="currency/kWh", ge=0, le=100
    )
    levies_per_kwh: float = field(
        0.0638, "retail: taxes and levies, without VAT", unit="currency/kWh", ge=0, le=100
    )
    vat: float = field(0.19, "value added tax on retail", unit="1", ge=0, le=1)
    standing_per_day: float = field(0.0, "standing charge with VAT", unit="currency/d", ge=0, le=1000)
    feed_in_per_kwh: float = field(
        0.0786, "what the grid pays for surplus", unit="currency/kWh", ge=0, le=100
    )
    periods: tuple[TariffPeriod, ...] = field((), "time of use: later periods override earlier ones")
