"""The section `market`.

Mechanisms' names, which only higher layers know, are checked through the validation context; see `base.Names`.
"""

from typing import Literal

from pydantic import ValidationInfo, field_validator

from sunshare_sim.scenario.base import Names, Section, check_name, field


class Market(Section):
    """Say how local energy is traded."""

    mechanism: str = field("cda", "mechanism by name: cda (continuous double auction), none, ...")
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
    order_lifetime: Literal["slot"] = field("slot", "how long an order stays in the book")
    arrival: Literal["random", "fixed"] = field(
        "random", "order of arrival in a slot: drawn, or by household number"
    )

    rounds: int = field(
        1,
        "rounds of a cda's slot, in each of which all homes quote again (16 has settled)",
        unit="1",
        ge=1,
        le=1024,
    )

    @field_validator("mechanism")
    @classmethod
    def _known_mechanism(cls, name: str, info: ValidationInfo) -> str:
        names = info.context if isinstance(info.context, Names) else Names()
        return check_name(name, names.mechanisms, "mechanism")
