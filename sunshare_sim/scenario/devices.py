"""Devices of a group of homes: batteries, electric vehicles and charge points, heat pumps, appliances."""

import math
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from sunshare_sim.scenario.base import Draw, Lognormal, Section, Uniform, field, mistake, within

USUAL_CYCLE_LIFE: Final = 6000.0  # full cycles, as market studies take for lithium iron phosphate
ANNUAL = "demand of a home in a year"
SHARE = "share of the group's homes that have one"


class CurvePoint(Section):
    """Give the efficiency at one load of a converter."""

    load: float = field(..., "power, AC side, as a share of the rated power", unit="1", ge=0, le=1)
    efficiency: float = field(..., "one way, at that power", unit="1", gt=0, le=1)


def best_of(curve: tuple[CurvePoint, ...]) -> float | None:
    """Return the highest efficiency of a curve, None where there is no curve."""
    return max(point.efficiency for point in curve) if curve else None


def check_curve(curve: tuple[CurvePoint, ...]) -> None:
    """Raise when the points of an efficiency curve are not in order, or more power in would store less."""
    loads = [point.load for point in curve]
    if any(after <= before for before, after in pairwise(loads)):
        raise mistake(
            "loads of the curve in the wrong order", key="efficiency_curve", expected="rising `load`"
        )
    stored = [point.load * point.efficiency for point in curve]
    if any(after <= before for before, after in pairwise(stored)):
        raise mistake(
            "more power would store less", key="efficiency_curve", expected="load * efficiency that rises"
        )


def highest(law: float | Uniform | Lognormal) -> float:
    """Return the largest number a draw can give, infinite for a lognormal law."""
    if isinstance(law, Uniform):
        return law.max
    return math.inf if isinstance(law, Lognormal) else law


class Ageing(Section):
    """Say how a battery ages; what it lost stands in the table `households` (`battery_loss`)."""

    cell: Literal["naumann-lfp", "xu-lmo"] = field(
        "naumann-lfp",
        "naumann-lfp: lithium iron phosphate (Naumann 2018, 2020); xu-lmo: lithium manganese oxide (Xu 2018)",
    )
    temperature_c: float = field(25.0, "mean temperature of the cells", unit="degC", ge=-20, le=60)
    fade_days: int | None = field(
        None,
        "take what was lost off the capacity after so many days, again and again; unset: only report it",
        unit="d",
        ge=1,
        le=3660,
    )


class Battery(Section):
    """Describe home batteries and how they are run.

    The default round trip of 0.90 lies in the span of measured systems (HTW Berlin, Stromspeicher-Inspektion 2024).
    """

    share: float = field(1.0, SHARE + "; homes with solar first", unit="1", ge=0, le=1)
    capacity_kwh: Annotated[Draw, within(0, 1e5)] = field(
        Uniform(min=5.0, max=12.0), "usable capacity", unit="kWh"
    )
    power_kw: Annotated[Draw, within(0, 1e5)] = field(
        Uniform(min=2.5, max=5.0), "largest charge and discharge, AC side", unit="kW"
    )
    round_trip_efficiency: float = field(0.90, "AC to AC, the same loss each way", unit="1", gt=0, le=1)
    min_soc: float = field(0.0, "lowest state of charge", unit="1", ge=0, le=1)
    max_soc: float = field(1.0, "highest state of charge", unit="1", ge=0, le=1)
    initial_soc: float = field(0.5, "state of charge at the start", unit="1", ge=0, le=1)
    efficiency_curve: tuple[CurvePoint, ...] = field(
        (),
        "one-way efficiency by load, in place of `round_trip_efficiency`; its best point is what plans reckon with",
    )
    standby_w: float = field(
        0.0, "own use of the electronics, from the battery until it is empty", unit="W", ge=0, le=1000
    )
    dispatch: Literal[
        "self_consumption", "rule", "price_threshold", "market_aware", "day_ahead", "perfect_foresight"
    ] = field(
        "self_consumption",
        "self_consumption: surplus charges, deficit discharges; rule: the same, keeping `reserve`; price_threshold:"
        " by `charge_below` and `discharge_above`; market_aware: by what energy is worth now and later; day_ahead:"
        " optimum for each day on a forecast; perfect_foresight: optimum for the run on the truth, a yardstick",
    )
    reserve: float = field(0.3, "rule: share of the capacity kept for an outage", unit="1", ge=0, le=1)
    charge_below: float | None = field(
        None,
        "price_threshold: fill from the grid at or below this retail price",
        unit="currency/kWh",
        ge=-10,
        le=100,
    )
    discharge_above: float | None = field(
        None,
        "price_threshold: serve the home at or above this retail price",
        unit="currency/kWh",
        ge=-10,
        le=100,
    )
    value_hours: float = field(
        4.0,
        "market_aware: a stored kWh is worth the price of the last of this many dearest hours of a day",
        unit="h",
        gt=0,
        le=24,
    )
    wear_per_kwh: float | None = field(
        None,
        "wear of a kWh in or out, for market_aware and plans; unset: `replacement_per_kwh` over `cycle_life`",
        unit="currency/kWh",
        ge=0,
        le=10,
    )
    replacement_per_kwh: float = field(
        500.0,
        "cost of a new battery for each kWh of capacity, for the wear",
        unit="currency/kWh",
        ge=0,
        le=1e5,
    )
    cycle_life: float | None = field(
        None,
        "full cycles until it is worn out; unset: to 80 % as `ageing` says, else 6000",
        unit="1",
        gt=0,
        le=1e6,
    )
    ageing: Ageing | None = field(None, "compute what time and cycles cost of the capacity")

    @property
    def nominal_round_trip(self) -> float:
        """Return the round trip that plans reckon with: that of the curve's best point, if there is a curve."""
        best = best_of(self.efficiency_curve)
        return self.round_trip_efficiency if best is None else best**2

    @property
    def wear(self) -> float:
        """Return the wear of a kWh in or out [currency/kWh], `cycle_life` being 6000 where nothing says it."""
        if self.wear_per_kwh is not None:
            return self.wear_per_kwh
        return self.replacement_per_kwh / (2 * (self.cycle_life or USUAL_CYCLE_LIFE))

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_curve(self.efficiency_curve)
        if highest(self.power_kw) > 0 and highest(self.capacity_kwh) == 0:
            raise mistake(
                "a battery with power and no capacity",
                key="capacity_kwh",
                expected="above 0",
                hint="for homes without a battery lower `share`, or leave out `battery`",
            )
        if self.dispatch == "price_threshold":
            low, high = self.charge_below, self.discharge_above
            for key, value in (("charge_below", low), ("discharge_above", high)):
                if value is None:
                    raise mistake("price_threshold needs this price", key=key, hint="set it [currency/kWh]")
            if low is not None and high is not None and low >= high:
                raise mistake(
                    "thresholds in the wrong order",
                    key="charge_below",
                    expected=f"below discharge_above, {high:g}",
                )
        return self

    @model_validator(mode="after")
    def _window(self) -> Self:
        if not self.min_soc <= self.initial_soc <= self.max_soc:
            key = "initial_soc" if self.min_soc <= self.max_soc else "min_soc"
            raise mistake(
                "states of charge in the wrong order", key=key, expected="min_soc <= initial_soc <= max_soc"
            )
        return self


class Away(Section):
    """Let cars charge away from home too, at the charge points of an enterprise on the feeder.

    What a car takes there it need not take at home: its need is the same in all. A car that finds no point free, or is
    at home at the time, charges at home.
    """

    at: str = field(..., "name of the group that has the `charge_points`")
    place: Literal["work", "public"] = field(
        "work", "work: on workdays; public: on any day; with habits of their own"
    )
    share: float = field(1.0, "share of the group's cars that go there", unit="1", ge=0, le=1)
    days_per_week: float = field(3.0, "mean number of visits", unit="1/week", gt=0, le=7)


Charging = Literal["on_arrival", "spread", "delayed", "price_following"]


class ChargePoints(Section):
    """Describe the charge points of an enterprise: it buys what the cars of others take there."""

    count: int = field(2, "number of points at each of the group's sites", unit="1", ge=1, le=10_000)
    power_kw: float = field(11.0, "largest charging power of a point, AC side", unit="kW", ge=1, le=350)
    efficiency: float = field(0.89, "from the socket to the battery", unit="1", gt=0, le=1)
    charging: Charging = field("on_arrival", "how it charges, as `ev.charging`")


class ElectricVehicle(Section):
    """Describe electric vehicles that charge at home."""

    share: float = field(1.0, SHARE, unit="1", ge=0, le=1)
    charger_kw: Annotated[Draw, within(1, 50)] = field(11.0, "largest charging power, AC side", unit="kW")
    efficiency: float = field(0.89, "from the socket to the battery", unit="1", gt=0, le=1)
    efficiency_curve: tuple[CurvePoint, ...] = field(
        (), "efficiency by load, relative to that of the highest load given, which stands for `efficiency`"
    )
    sessions_per_week: float = field(
        3.0, "mean number of charging sessions (Electric Nation 2019)", unit="1/week", gt=0, le=14
    )
    charging: Literal["on_arrival", "spread", "delayed", "price_following", "v2g"] = field(
        "on_arrival",
        "on_arrival: full power at once; spread: evenly until departure; delayed: as late as it can;"
        " price_following: in the cheapest hours known; v2g: with the home's surplus, against its deficit where that"
        " pays, ready at departure",
    )
    battery_kwh: Annotated[Draw, within(5, 500)] = field(
        60.0, "v2g: usable capacity of the car's battery; more where a session needs more", unit="kWh"
    )
    reserve: float = field(0.3, "v2g: share of the capacity it never gives from", unit="1", ge=0, le=1)
    leave: float = field(
        0.9, "v2g: share of the capacity the driver usually leaves with", unit="1", gt=0, le=1
    )
    wear_per_kwh: float = field(
        0.04, "v2g: wear of a kWh given; what it gives must earn that", unit="currency/kWh", ge=0, le=10
    )
    sessions_file: str | None = field(
        None, "CSV file of sessions instead of drawn ones, relative to the scenario file", file=True
    )
    away: Away | None = field(None, "charging at a workplace or in public, beside that at home")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_curve(self.efficiency_curve)
        if self.reserve > self.leave:
            raise mistake(
                "a reserve above what the driver leaves with",
                key="reserve",
                expected=f"at most leave, {self.leave:g}",
            )
        return self


class HeatPump(Section):
    """Describe heat pumps, following SimBench's heat-pump series."""

    source: Literal["simbench"] = "simbench"
    share: float = field(1.0, SHARE, unit="1", ge=0, le=1)
    annual_kwh: Annotated[Draw, within(0, 1e6)] = field(Uniform(min=4000.0, max=8000.0), ANNUAL, unit="kWh")


class HouseHeatPump(Section):
    """Compute heat pumps from the house they warm and the weather: one resistance, one capacity, a band of comfort."""

    source: Literal["house"] = "house"
    share: float = field(1.0, SHARE, unit="1", ge=0, le=1)
    power_kw: Annotated[Draw, within(0.1, 100)] = field(3.5, "largest electric power", unit="kW")
    loss_w_per_k: Annotated[Draw, within(10, 5000)] = field(
        Uniform(min=120.0, max=250.0), "heat the house loses for each kelvin against outdoors", unit="W/K"
    )
    capacity_kwh_per_k: Annotated[Draw, within(0.5, 500)] = field(
        Uniform(min=6.0, max=15.0), "heat the house stores for each kelvin", unit="kWh/K"
    )
    gains_kw: float = field(0.4, "heat of people, appliances and windows, on average", unit="kW", ge=0, le=20)
    lowest_c: float = field(20.0, "lower end of the band of comfort", unit="degC", ge=5, le=30)
    highest_c: float = field(22.0, "upper end of the band of comfort", unit="degC", ge=5, le=30)
    supply_c: float = field(
        45.0, "temperature of the heating water at -10 degC outdoors", unit="degC", ge=25, le=70
    )
    heat_from: Literal["air", "ground"] = field("air", "what the pump takes heat from")
    control: Literal["comfort", "price_following", "solar_following"] = field(
        "comfort",
        "comfort: keep the lower end; price_following: warmer the more hours of the next day are dearer;"
        " solar_following: warm up to the upper end with the home's own surplus",
    )

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.lowest_c > self.highest_c:
            raise mistake(
                "a band of comfort upside down",
                key="lowest_c",
                expected=f"at most highest_c, {self.highest_c:g}",
            )
        return self


Heating = Annotated[HeatPump | HouseHeatPump, Field(discriminator="source")]


class Appliance(Section):
    """Describe an appliance whose start can wait, on top of the demand."""

    name: str = field("washing_machine", "name of the appliance", pattern="^[a-z0-9][a-z0-9_-]*$")
    share: float = field(1.0, SHARE, unit="1", ge=0, le=1)
    runs_per_week: float = field(3.0, "mean number of runs, at most one a day", unit="1/week", gt=0, le=7)
    energy_kwh: Annotated[Draw, within(0, 100)] = field(1.0, "energy of a run", unit="kWh")
    duration_hours: float = field(2.0, "length of a run, whole slots at least", unit="h", gt=0, le=12)
    earliest_hour: float = field(
        7.0, "local hour from which it is loaded and may start", unit="h", ge=0, lt=24
    )
    latest_hour: float = field(
        22.0, "local hour by which it must be done, the same day", unit="h", gt=0, le=24
    )
    start: Literal["at_once", "cheapest", "solar"] = field(
        "at_once",
        "at_once: when loaded; cheapest: where the published price is lowest; solar: where yesterday the home had"
        " surplus",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.earliest_hour + self.duration_hours > self.latest_hour:
            raise mistake(
                "a run that does not fit its hours",
                key="latest_hour",
                expected=f"at least earliest_hour + duration_hours, {self.earliest_hour + self.duration_hours:g}",
            )
        return self
