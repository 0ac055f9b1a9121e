"""The section `tariff`: what homes pay to the grid and get from it, part by part."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from sunshare_sim.scenario.base import Section, check_name, field, mistake
from sunshare_sim.scenario.presets import PRESETS

COMPONENTS: Final = ("supply", "network", "levies")
PRICE, MONTH = "currency/kWh", "currency/month"
MonthOfYear = Annotated[int, Field(ge=1, le=12)]


class TariffPeriod(Section):
    """Give prices of some hours, days or months; a price that is not given stays what it was."""

    from_hour: float = field(..., "local start of the period", unit="h", ge=0, lt=24)
    to_hour: float = field(
        ..., "local end of the period; before the start: past midnight", unit="h", gt=0, le=24
    )
    days: Literal["all", "workdays", "weekends"] = field("all", "days of the week on which the period holds")
    months: tuple[MonthOfYear, ...] = field((), "months in which it holds, 1 to 12; none given: all")
    supply_per_kwh: float | None = field(
        None, "supply price in the period, without VAT", unit=PRICE, ge=0, le=100
    )
    network_per_kwh: float | None = field(
        None, "network charge in the period, without VAT", unit=PRICE, ge=0, le=100
    )
    levies_per_kwh: float | None = field(None, "levies in the period, without VAT", unit=PRICE, ge=0, le=100)
    feed_in_per_kwh: float | None = field(
        None, "what the grid pays for surplus in the period", unit=PRICE, ge=0, le=100
    )

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if all(self.price(name) is None for name in (*COMPONENTS, "feed_in")):
            raise mistake("a period without a price", expected="supply_per_kwh, network_per_kwh, or the like")
        return self

    def price(self, component: str) -> float | None:
        """Return the price the period sets for a component, or None."""
        price: float | None = getattr(self, f"{component}_per_kwh")
        return price


class Tier(Section):
    """Give the price of what a home takes in a billing period beyond some energy."""

    above_kwh: float = field(
        ..., "energy of a billing period beyond which the price holds", unit="kWh", gt=0, le=1e6
    )
    price_per_kwh: float = field(..., "price of the energy beyond, without VAT", unit=PRICE, ge=0, le=100)


class PriceSeries(Section):
    """Read prices from a file, one row an interval; they replace the flat price of the component."""

    path: str = field(
        ...,
        "CSV or Parquet file with a column `time`, relative to the scenario file; covers the run",
        file=True,
    )
    clock: Literal["utc", "local"] = field("utc", "clock of time stamps that carry no zone")
    supply: str | None = field(None, "column of the supply price, without VAT; may be negative")
    network: str | None = field(None, "column of the network charge, without VAT")
    levies: str | None = field(None, "column of the levies, without VAT")
    feed_in: str | None = field(None, "column of what the grid pays for surplus; may be negative")

    @model_validator(mode="after")
    def _has_a_column(self) -> Self:
        if not any((self.supply, self.network, self.levies, self.feed_in)):
            raise mistake("a series without a column", expected="supply, network, levies or feed_in")
        return self


class Export(Section):
    """Say how surplus is paid."""

    scheme: Literal["feed_in", "net_billing", "net_metering", "avoided_cost", "two_way"] = field(
        "feed_in",
        "feed_in: money at `feed_in_per_kwh`; net_billing: the same as a credit against what the home takes;"
        " net_metering: a credit at the slot's retail price; avoided_cost: money at the series' price;"
        " two_way: money, and a charge in some hours beyond a free amount",
    )
    credit_against: Literal["retail", "supply"] = field(
        "retail",
        "net_billing, net_metering: what credits may pay, with VAT; fixed charges are never paid by them",
    )
    settlement_periods: int = field(
        1, "net_billing, net_metering: billing periods after which credits end", unit="1", ge=1, le=1200
    )
    excess_paid: float = field(
        1.0,
        "net_billing, net_metering: share of the credits left at the end that is paid, 0 = lost",
        unit="1",
        ge=0,
        le=1,
    )
    non_bypassable_per_kwh: float = field(
        0.0, "net_metering: part of the retail price that a credit does not have", unit=PRICE, ge=0, le=100
    )
    charge_per_kwh: float = field(
        0.0, "two_way: charge on surplus beyond the free amount, without VAT", unit=PRICE, ge=0, le=100
    )
    charge_from_hour: float = field(10.0, "two_way: local start of the charge", unit="h", ge=0, lt=24)
    charge_to_hour: float = field(15.0, "two_way: local end of the charge", unit="h", gt=0, le=24)
    free_kwh: float = field(
        0.0, "two_way: surplus of a billing period in these hours that is free", unit="kWh", ge=0, le=1e6
    )


class Sharing(Section):
    """Say what the law gives to energy that neighbours share, if they are near; a trade between others gets none."""

    locality: Literal["none", "transformer", "substation", "radius"] = field(
        "none", "which two homes are near: none; on one transformer; on one substation; within `radius_km`"
    )
    radius_km: float | None = field(
        None, "radius: distance along the wires, from zone to zone", unit="km", gt=0, le=1000
    )
    network_discount: float = field(
        0.0, "part of the network charge by energy that shared energy does not pay", unit="1", ge=0, le=1
    )
    levies_waived: bool = field(default=False, description="whether shared energy pays no levies")
    premium_per_kwh: float = field(
        0.0, "what the state pays the seller of a shared kWh", unit=PRICE, ge=0, le=100
    )

    @model_validator(mode="after")
    def _has_a_test(self) -> Self:
        if (self.locality == "radius") != (self.radius_km is not None):
            raise mistake(
                "radius_km belongs to `locality: radius`", key="radius_km", hint="give both or neither"
            )
        if self.locality == "none" and (self.network_discount or self.levies_waived or self.premium_per_kwh):
            raise mistake(
                "no two homes are near enough for this rule",
                key="locality",
                got=self.locality,
                expected="transformer, substation or radius",
            )
        return self


class Tariff(Section):
    """Give the prices of the grid: what homes pay and get outside the local market.

    The defaults are the German household price of 2025 at 3 500 kWh a year, 39.7 ct/kWh (BDEW-Strompreisanalyse
    2025), and the feed-in tariff for plants up to 10 kWp that feed in their surplus (EEG 2023, from August 2025).
    """

    preset: str | None = field(None, "tariff of a country to start from; keys beside it override its own")
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
    vat_supply: float | None = field(None, "value added tax on supply; unset: `vat`", unit="1", ge=0, le=1)
    vat_network: float | None = field(
        None, "value added tax on all network charges; unset: `vat`", unit="1", ge=0, le=1
    )
    vat_levies: float | None = field(None, "value added tax on levies; unset: `vat`", unit="1", ge=0, le=1)
    standing_per_day: float = field(0.0, "standing charge with VAT", unit="currency/d", ge=0, le=1000)
    standing_per_month: float = field(
        0.0, "standing charge with VAT, a month's part by its slots", unit=MONTH, ge=0, le=1e5
    )
    network_fixed_per_day: float = field(
        0.0, "network: fixed charge, without VAT", unit="currency/d", ge=0, le=1000
    )
    network_fixed_per_month: float = field(
        0.0, "network: fixed charge, without VAT, a month's part by its slots", unit=MONTH, ge=0, le=1e5
    )
    capacity_charge: float = field(
        0.0,
        "network: charge on the highest import of a slot in each billing period, without VAT",
        unit="currency/kW",
        ge=0,
        le=1e4,
    )
    feed_in_per_kwh: float = field(
        0.0786, "what the grid pays for surplus", unit="currency/kWh", ge=0, le=100
    )
    periods: tuple[TariffPeriod, ...] = field((), "time of use: later periods override earlier ones")
    supply_tiers: tuple[Tier, ...] = field(
        (), "supply beyond a billing period's first block, in rising order"
    )
    network_tiers: tuple[Tier, ...] = field((), "network charge beyond the first block, in rising order")
    levies_tiers: tuple[Tier, ...] = field((), "levies beyond the first block, in rising order")
    series: PriceSeries | None = field(None, "prices from a file")
    billing_period: Literal["day", "week", "month", "year"] = field(
        "month",
        "local calendar period of tiers, capacity, credits and free amounts; cut short: in proportion",
    )
    export: Export = field(Export(), "how surplus is paid")
    sharing: Sharing = field(Sharing(), "what the law gives to shared energy")

    @model_validator(mode="before")
    @classmethod
    def _start_from_preset(cls, value: Any) -> Any:
        """Put the keys that are given over those of the preset; a section of another scheme replaces its own."""
        if not isinstance(value, Mapping) or not isinstance(value.get("preset"), str):
            return value
        name = value["preset"]
        if name not in PRESETS:
            return value  # `_known_preset` says so, at its line
        merged: dict[str, Any] = {**PRESETS[name].values, **value}
        for key in ("export", "sharing"):
            own, given = PRESETS[name].values.get(key), value.get(key)
            if isinstance(own, Mapping) and isinstance(given, Mapping):
                same = all(given.get(kind, own.get(kind)) == own.get(kind) for kind in ("scheme", "locality"))
                merged[key] = {**own, **given} if same else given
        return merged

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str | None) -> str | None:
        return name if name is None else check_name(name, PRESETS, "preset")

    @model_validator(mode="after")
    def _tiers_rise(self) -> Self:
        for name in COMPONENTS:
            tiers = self.tiers(name)
            for i in range(1, len(tiers)):
                if tiers[i].above_kwh <= tiers[i - 1].above_kwh:
                    raise mistake(
                        "tiers overlap or are out of order",
                        key=f"{name}_tiers.{i}.above_kwh",
                        expected=f"above {tiers[i - 1].above_kwh:g}, where the tier before begins",
                    )
        return self

    @model_validator(mode="after")
    def _one_form_each(self) -> Self:
        for name in (*COMPONENTS, "feed_in"):
            forms = {
                "periods": any(period.price(name) is not None for period in self.periods),
                f"{name}_tiers": bool(name in COMPONENTS and self.tiers(name)),
                "series": self.series is not None and getattr(self.series, name) is not None,
            }
            used = [form for form, given in forms.items() if given]
            if len(used) > 1:
                raise mistake(
                    f"{name} has two forms, `{used[0]}` and `{used[1]}`", key=used[1], hint="keep one of them"
                )
        return self

    @model_validator(mode="after")
    def _export_is_whole(self) -> Self:
        export, from_file = self.export, self.series is not None and self.series.feed_in is not None
        if export.scheme == "avoided_cost" and not from_file:
            raise mistake(
                "avoided cost needs a series of prices", key="series", expected="`series.feed_in`, a column"
            )
        if export.scheme == "net_metering" and (from_file or any(p.feed_in_per_kwh for p in self.periods)):
            raise mistake(
                "net metering credits the retail price",
                key="export.scheme",
                hint="remove the feed-in prices, or use net_billing",
            )
        if export.scheme != "two_way" and (export.charge_per_kwh or export.free_kwh):
            raise mistake(
                "a charge on surplus belongs to two_way",
                key="export.scheme",
                got=export.scheme,
                expected="two_way",
            )
        return self

    def tiers(self, component: str) -> tuple[Tier, ...]:
        """Return the tiers of a component."""
        tiers: tuple[Tier, ...] = getattr(self, f"{component}_tiers")
        return tiers

    def vat_of(self, component: str) -> float:
        """Return the value added tax on a component."""
        own: float | None = getattr(self, f"vat_{component}")
        return self.vat if own is None else own
