"""The section `network`: what the wires cost and whether they limit trade."""

from typing import Literal

from sunshare_sim.scenario.base import Section, field


class WheelingCharges(Section):
    """Say what a local trade pays the network operator for the wires it uses."""

    rule: Literal["none", "flat", "zonal"] = field(
        "none", "how the charge follows from the two zones of a trade"
    )
    within_zone_per_kwh: float = field(
        0.0, "zonal: both homes in one zone", unit="currency/kWh", ge=0, le=100
    )
    between_zones_per_kwh: float = field(
        0.0, "flat: every trade; zonal: two zones of one transformer", unit="currency/kWh", ge=0, le=100
    )
    beyond_per_kwh: float | None = field(
        None, "zonal: two transformers; unset: such trades are not allowed", unit="currency/kWh", ge=0, le=100
    )


class Network(Section):
    """Say what the wires cost and whether they limit trade."""

    charges: WheelingCharges = field(WheelingCharges(), "wheeling charges between zones")
