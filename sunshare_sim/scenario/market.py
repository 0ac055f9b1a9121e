"""The section `market`.

Mechanisms' names, which only higher layers know, are checked through the validation context; see `base.Names`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from sunshare_sim.scenario.base import Names, Section, Within, check_name, field, mistake, number_text

Row = Annotated[tuple[float, ...], Field(strict=False)]
Matrix = Annotated[tuple[Row, ...], Field(strict=False)]
ON_THE_BOOK: Final = ("cda", "posted_seller", "posted_buyer")
# What is on neither list is another package's, which refuses capacities itself where it cannot hold them
OFF_THE_BOOK: Final = (
    "uniform_price",
    "pay_as_bid",
    "mid_market_rate",
    "bill_sharing",
    "supply_demand_ratio",
    "none",
)
MOST_KWH: Final = 1e9


@dataclass(frozen=True)
class Bounded(Within):
    """Hold the number of a key that also takes a word, or rows of numbers, between two bounds."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Publish the bounds of the number."""
        found = handler(schema)
        for form in found.get("anyOf", []):
            if form.get("type") in {"integer", "number"}:
                form |= {"minimum": self.low, "maximum": self.high}
        return found

    def _check(self, value: Any) -> Any:
        if isinstance(value, int | float) and not self.low <= value <= self.high:
            expected = f"{number_text(self.low)} to {number_text(self.high)}"
            raise mistake("out of range", expected=expected)
        return value


class Market(Section):
    """Say how local energy is traded."""

    mechanism: str = field("cda", "mechanism by name: cda (continuous double auction), none, ...")
    parameters: dict[str, float | int | str | bool] = field(
        {}, "the mechanism's own options, where it has any"
    )
    pricing: Literal["ask", "resting", "midpoint"] = field(
        "ask", "what a trade's seller gets: DESIGN rule 3 of the book"
    )
    tick: float = field(0.0001, "smallest price step", unit="currency/kWh", ge=0.000001, le=1)
    lot_kwh: float = field(
        0.001,
        "smallest traded amount, a meter's Wh; what is left goes to the grid",
        unit="kWh",
        ge=0.000001,
        le=1,
    )
    timing: Literal["ex_post"] = field("ex_post", "only metered surplus and deficit are traded")
    order_lifetime: Annotated[int | Literal["slot", "until_filled"], Bounded(1, 1_000_000)] = field(
        "slot",
        "how long an order of a cda stands in the book: its slot, a number of slots, or until filled or withdrawn",
        unit="slots",
    )
    orders_per_slot: int | None = field(
        None,
        "most orders, changed ones included, that a home may send in a slot; more are rejected; unset: no limit",
        unit="1",
        ge=1,
        le=1_000_000,
    )
    pair_capacity_kwh: Annotated[float | Matrix | None, Bounded(0.0, MOST_KWH)] = field(
        None,
        "most energy a slot's trades may carry from one zone to another: one number for every two zones, or rows of"
        " buying zones by selling zones, negative for no limit; unset: no limit",
        unit="kWh",
    )
    k: float = field(
        0.5,
        "uniform_price: where the price stands between the lowest (0) and the highest (1) that clears the market",
        unit="1",
        ge=0,
        le=1,
    )
    arrival: Literal["random", "fixed"] = field(
        "random", "order of arrival in a slot: drawn, or by household number"
    )

    rounds: int | None = field(
        None,
        "rounds of a cda's slot, in each of which all homes quote again; unset: as many as the strategies need",
        unit="1",
        ge=1,
        le=1024,
    )

    @field_validator("mechanism")
    @classmethod
    def _known_mechanism(cls, name: str, info: ValidationInfo) -> str:
        names = info.context if isinstance(info.context, Names) else Names()
        return check_name(name, names.mechanisms, "mechanism")

    @field_validator("pair_capacity_kwh")
    @classmethod
    def _square(cls, capacity: float | tuple[tuple[float, ...], ...] | None) -> object:
        if isinstance(capacity, tuple):
            if not capacity or any(len(row) != len(capacity) for row in capacity):
                raise mistake("not square", expected="as many rows as columns, one of each for every zone")
            if any(value > MOST_KWH for row in capacity for value in row):
                raise mistake("out of range", expected=f"at most {MOST_KWH:g} kWh; negative for no limit")
        return capacity

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.order_lifetime != "slot" and self.mechanism != "cda":
            raise mistake(
                f"orders of {self.mechanism} live for one slot",
                key="order_lifetime",
                expected="slot, or mechanism: cda",
            )
        if self.order_lifetime != "slot" and (self.rounds or 1) > 1:
            raise mistake(
                "in rounds every home quotes anew", key="order_lifetime", expected="slot, or rounds: 1"
            )
        if self.pair_capacity_kwh is not None and self.mechanism in OFF_THE_BOOK:
            raise mistake(
                f"{self.mechanism} knows no capacities between zones",
                key="pair_capacity_kwh",
                expected=f"mechanism: {', '.join(ON_THE_BOOK)}",
            )
        return self
