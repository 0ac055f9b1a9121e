"""The section `households`: groups of homes, and what stands in them."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from sunshare_sim.errors import did_you_mean
from sunshare_sim.scenario.base import (
    Draw,
    Lognormal,
    Names,
    Section,
    Uniform,
    check_name,
    field,
    mistake,
    within,
)
from sunshare_sim.scenario.devices import (
    ANNUAL,
    SHARE,
    Appliance,
    Battery,
    ChargePoints,
    ElectricVehicle,
    Heating,
    HeatPump,
    HouseHeatPump,
)

__all__ = ["Battery", "ElectricVehicle", "Group", "HeatPump", "HouseHeatPump", "Households"]


class SimbenchDemand(Section):
    """Draw days from SimBench's household series: homes differ, and their peaks do not coincide."""

    source: Literal["simbench"] = "simbench"
    annual_kwh: Annotated[Draw, within(0, 1e7)] = field(
        Lognormal(median=3000.0, sigma=0.45), ANNUAL, unit="kWh"
    )
    shapes: tuple[str, ...] = field(
        (), "SimBench shapes to draw from; none given: the five single households"
    )
    bootstrap: bool = field(
        default=True,
        description="draw donor days for each home; without it every home follows its shape's own days",
    )


class BdewDemand(Section):
    """Follow a standard load profile of the German utilities (BDEW), drawn apart by day and by home."""

    source: Literal["bdew"] = "bdew"
    annual_kwh: Annotated[Draw, within(0, 1e7)] = field(
        Lognormal(median=3000.0, sigma=0.45), ANNUAL, unit="kWh"
    )
    profile: str = field("h0", "name of the profile: h0 (households), g0 .. g6 (trade), l0 .. l2 (farms)")


class FileDemand(Section):
    """Read demand from a file of the user's own, one column a home."""

    source: Literal["file"] = "file"
    path: str = field(..., "CSV or Parquet file, relative to the scenario file", file=True)
    unit: Literal["kW", "W", "kWh", "Wh"] = field(..., "unit of the values; kWh and Wh are per row")
    columns: tuple[str, ...] = field((), "columns to take, in the order of the homes; none given: all")
    timezone: str | None = field(None, "zone of time stamps that carry none, such as Europe/Berlin")


class ValuesDemand(Section):
    """Write demand out in the scenario, for a case small enough to check by hand."""

    source: Literal["values"] = "values"
    kwh: tuple[float, ...] = field(
        ..., "energy in each slot, repeated over the run", unit="kWh", min_length=1
    )


Demand = Annotated[SimbenchDemand | BdewDemand | FileDemand | ValuesDemand, Field(discriminator="source")]


class PvlibSolar(Section):
    """Compute solar generation with pvlib from the place's weather."""

    source: Literal["pvlib"] = "pvlib"
    share: float = field(1.0, SHARE, unit="1", ge=0, le=1)
    kwp: Annotated[Draw, within(0, 1e5)] = field(
        Uniform(min=4.0, max=10.0), "rated power of the modules", unit="kWp"
    )
    tilt_deg: Annotated[Draw, within(0, 90)] = field(
        Uniform(min=15.0, max=50.0), "tilt, drawn on whole degrees", unit="deg"
    )
    azimuth_deg: Annotated[Draw, within(0, 360)] = field(
        Uniform(min=90.0, max=270.0), "azimuth, north 0, east 90, drawn on whole degrees", unit="deg"
    )
    dc_ac_ratio: float = field(
        1.2, "rated power of the modules over that of the inverter", unit="1", ge=0.5, le=3
    )


class ValuesSolar(Section):
    """Write solar generation out in the scenario, for a case small enough to check by hand."""

    source: Literal["values"] = "values"
    share: float = field(1.0, SHARE, unit="1", ge=0, le=1)
    kwp: float = field(1.0, "rated power, for the tables only", unit="kWp", gt=0)
    kwh: tuple[float, ...] = field(
        ..., "energy in each slot, repeated over the run", unit="kWh", min_length=1
    )


Solar = Annotated[PvlibSolar | ValuesSolar, Field(discriminator="source")]


class StrategySpec(Section):
    """Name a trading strategy and set its parameters."""

    name: str = field("tariff_bound", "registered name of the strategy")
    parameters: dict[str, float | int | str | bool] = field({}, "the strategy's own parameters")

    @field_validator("name")
    @classmethod
    def _known_strategy(cls, name: str, info: ValidationInfo) -> str:
        return (
            check_name(name, info.context.strategies, "strategy") if isinstance(info.context, Names) else name
        )


class Group(Section):
    """Describe homes that are alike in kind; what they own and how they differ is drawn."""

    name: str = field("homes", "name of the group", pattern="^[a-z0-9][a-z0-9_-]*$")
    kind: Literal["household", "enterprise"] = field("household", "who lives or works there")
    count: int | None = field(None, "number of homes; else `share`", unit="1", ge=1, le=1_000_000)
    share: float | None = field(None, "share of `households.count`; else `count`", unit="1", gt=0, le=1)
    buses: tuple[str, ...] = field(
        (), "buses of the homes, in order; none given: spread over the feeder's loads"
    )
    demand: Demand = field(SimbenchDemand(), "what the homes use")
    heat_pump: Heating | None = field(None, "heat pumps, on top of the demand")
    appliances: tuple[Appliance, ...] = field((), "appliances whose start can wait, on top of the demand")
    solar: Solar | None = field(None, "solar generation")
    battery: Battery | None = field(None, "batteries")
    ev: ElectricVehicle | None = field(None, "electric vehicles")
    charge_points: ChargePoints | None = field(
        None, "charge points for cars of other groups; enterprises only"
    )
    strategy: StrategySpec = field(StrategySpec(), "how the homes trade")
    income: str = field(
        "", "income group of the homes, a label of your own: bills and savings are shown by it"
    )

    @field_validator("solar", mode="before")
    @classmethod
    def _pvlib_is_usual(cls, value: object) -> object:
        return {"source": "pvlib", **value} if isinstance(value, Mapping) and "source" not in value else value

    @field_validator("heat_pump", mode="before")
    @classmethod
    def _simbench_is_usual(cls, value: object) -> object:
        return (
            {"source": "simbench", **value} if isinstance(value, Mapping) and "source" not in value else value
        )

    @model_validator(mode="after")
    def _own_devices(self) -> Self:
        if self.charge_points and self.kind != "enterprise":
            raise mistake(
                "homes have no public charge points", key="charge_points", hint="set `kind: enterprise`"
            )
        names = [appliance.name for appliance in self.appliances]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise mistake(
                    "two appliances have the same name", key=f"appliances.{i}.name", hint="give each its own"
                )
        return self

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.count is not None and self.share is not None:
            raise mistake(
                "a group has `count` or `share`, not both", key="share", hint="remove one of the two"
            )
        return self


class Households(Section):
    """Say who lives on the feeder."""

    count: int | None = field(
        None, "number of homes; unset: one for each load of the feeder", unit="1", ge=1, le=1_000_000
    )
    groups: tuple[Group, ...] = field((Group(),), "groups of homes", min_length=1)

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        names = [group.name for group in self.groups]
        twice = [i for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise mistake(
                "two groups have the same name", key=f"groups.{twice[0]}.name", hint="give each its own"
            )
        return self

    @model_validator(mode="after")
    def _charging_places(self) -> Self:
        places = [group.name for group in self.groups if group.charge_points]
        for i, group in enumerate(self.groups):
            if group.ev and group.ev.away and group.ev.away.at not in places:
                raise mistake(
                    "no group of that name has `charge_points`",
                    key=f"groups.{i}.ev.away.at",
                    got=group.ev.away.at,
                    expected=f"one of {', '.join(places)}"
                    if places
                    else "an enterprise with `charge_points`",
                    hint=did_you_mean(group.ev.away.at, places),
                )
        return self
