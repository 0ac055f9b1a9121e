"""The section `network`: what the wires cost, what they can carry, and what happens when that is too little."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sunshare_sim.scenario.base import Section, field, mistake

PRICE = "currency/kWh"
Phase = Annotated[int, Field(ge=1, le=3)]
Phases = Annotated[tuple[Phase, ...], Field(strict=False, min_length=1)]


class ChargePeriod(Section):
    """Scale the wheeling charges in some hours or days."""

    from_hour: float = field(..., "local start of the period", unit="h", ge=0, lt=24)
    to_hour: float = field(
        ..., "local end of the period; before the start: past midnight", unit="h", gt=0, le=24
    )
    days: Literal["all", "workdays", "weekends"] = field("all", "days of the week on which the period holds")
    factor: float = field(..., "charges in the period over those of the rule", unit="1", ge=0, le=100)


class WheelingCharges(Section):
    """Say what a local trade pays the network operator for the wires it uses."""

    rule: Literal["none", "flat", "postage_stamp", "zonal", "islands", "distance", "community"] = field(
        "none",
        "how the charge follows from the two zones of a trade: flat, one price; postage_stamp, the tariff's network"
        " charge wherever it goes; zonal, by zone and transformer; islands, within a zone only; distance, by the"
        " resistance of the path; community, what the law leaves of the tariff's network charge and levies",
    )
    within_zone_per_kwh: float = field(
        0.0, "zonal, islands: both homes in one zone; distance: every trade", unit=PRICE, ge=0, le=100
    )
    between_zones_per_kwh: float = field(
        0.0, "flat: every trade; zonal: two zones of one transformer", unit=PRICE, ge=0, le=100
    )
    same_substation_per_kwh: float | None = field(
        None,
        "zonal: two transformers of one substation; unset: as `beyond_per_kwh`",
        unit=PRICE,
        ge=0,
        le=100,
    )
    beyond_per_kwh: float | None = field(
        None, "zonal: two transformers; unset: such trades are not allowed", unit=PRICE, ge=0, le=100
    )
    distance_price: float = field(
        0.0,
        "distance: for each ohm between the homes of the two zones, on average",
        unit="currency/kWh/ohm",
        ge=0,
        le=1000,
    )
    community: Literal["at-2026", "tariff", "none"] = field(
        "at-2026",
        "community: whose law; at-2026, Austria: -57 % of the network charge within a transformer, -28 % beyond it,"
        " no levies; tariff, what `tariff.sharing` says; none, no discount",
    )
    loss_price_per_kwh: float = field(
        0.0,
        "price of the energy a trade loses on its way, by marginal losses of the slot before; needs `power_flow`",
        unit=PRICE,
        ge=0,
        le=100,
    )
    periods: tuple[ChargePeriod, ...] = field((), "by time of day: later periods override earlier ones")


class WireLimits(Section):
    """Say what the wires may carry at most, and who gives way (`power_flow: enforce`)."""

    v_min_pu: float = field(0.9, "lowest voltage (EN 50160: 0.9)", unit="p.u.", gt=0, lt=2)
    v_max_pu: float = field(1.1, "highest voltage (EN 50160: 1.1)", unit="p.u.", gt=0, lt=2)
    loading: float = field(
        1.0, "highest current of lines and transformers over their rating", unit="1", gt=0, le=10
    )
    applied_to: Literal["injections", "trades"] = field(
        "injections",
        "who gives way: injections, whoever feeds in where it is too much; trades, the later ones in the market, after"
        " all surplus that is not sold",
    )
    whole_trades: bool = field(
        default=False, description="trades: refuse a trade that does not fit whole, instead of cutting it"
    )
    envelopes: bool = field(
        default=False,
        description="injections: hold each bus to an operating envelope of the slot, which is safe whatever others do",
    )
    sharing: Literal["equal", "effect"] = field(
        "equal", "injections: all who can help give the same share, or in proportion to their effect as well"
    )
    shed_load: bool = field(
        default=False, description="whether demand may be cut too: first charging, then cars, then all else"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.v_min_pu >= self.v_max_pu:
            raise mistake(
                "no voltage is within these limits",
                key="v_min_pu",
                expected=f"below v_max_pu, {self.v_max_pu:g}",
            )
        if self.envelopes and self.applied_to == "trades":
            raise mistake("envelopes hold injections, not trades", key="envelopes", hint="use one of the two")
        return self


class Losses(Section):
    """Say who pays for the energy lost in the wires; a lost kWh costs the slot's retail price."""

    rule: Literal["socialised", "proportional", "marginal"] = field(
        "socialised",
        "shares of a slot's losses: the same for all; by energy through the meter; by what one kWh more would lose",
    )


class Congestion(Section):
    """Price limits that bind: a trade against them pays more in the next slot (`power_flow: enforce`)."""

    price_step_per_kwh: float = field(
        0.0,
        "rise of a limit's price when it cuts a tenth of the feeder's rating; 0: limits have no price",
        unit=PRICE,
        ge=0,
        le=100,
    )
    price_decay: float = field(
        0.9, "what is left of the price after a slot in which the limit does not bind", unit="1", ge=0, lt=1
    )


class Network(Section):
    """Say what the wires cost and whether they limit trade."""

    charges: WheelingCharges = field(WheelingCharges(), "wheeling charges between zones")
    power_flow: Literal["off", "post", "enforce"] = field(
        "off",
        "off; post: compute voltages, loadings and losses of each slot; enforce: and keep them within `limits`",
    )
    phases: Literal["balanced", "drawn", "in_turn"] | Phases = field(
        "balanced",
        "homes on all three phases; on one drawn for each, or taken in turn, or given (1 to 3) for each in order",
    )
    source_pu: float = field(1.0, "voltage of the grid above", unit="p.u.", gt=0.5, lt=1.5)
    tap_percent: float = field(
        0.0,
        "tap of all transformers, beside that of the grid's data; 2.5 lowers what is below by 2.4 %",
        unit="%",
        ge=-15,
        le=15,
    )
    power_factor: float = field(
        1.0,
        "active over apparent power of what homes draw, inductive; feed-in is all active",
        unit="1",
        gt=0.5,
        le=1,
    )
    on_divergence: Literal["raise", "mark"] = field(
        "raise",
        "a slot without a solution, or whose limits cannot be met: end the run, or note it in `events` and go on",
    )
    limits: WireLimits = field(WireLimits(), "what the wires may carry")
    losses: Losses = field(Losses(), "who pays for losses")
    congestion: Congestion = field(Congestion(), "prices of limits that bind")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.phases != "balanced":
            if self.power_flow == "enforce":
                raise mistake(
                    "limits are enforced on a balanced feeder",
                    key="phases",
                    expected="balanced, or power_flow: post",
                )
            if self.losses.rule == "marginal" or self.charges.loss_price_per_kwh:
                raise mistake(
                    "marginal losses are those of a balanced feeder", key="phases", expected="balanced"
                )
        if self.charges.loss_price_per_kwh and self.power_flow == "off":
            raise mistake(
                "losses are unknown without power flow",
                key="charges.loss_price_per_kwh",
                expected="power_flow: post or enforce",
            )
        if self.congestion.price_step_per_kwh and self.power_flow != "enforce":
            raise mistake(
                "without enforced limits nothing is congested",
                key="congestion.price_step_per_kwh",
                expected="power_flow: enforce",
            )
        return self
