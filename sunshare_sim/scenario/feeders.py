"""The section `feeder`: where the wires come from."""

from typing import Annotated, Literal

from pydantic import Field

from sunshare_sim.scenario.base import Section, field

Zones = Literal["feeder", "transformer"] | dict[str, str]


ZONES = "pools of the market: 'feeder' (each outgoing feeder of a transformer), 'transformer', or a map bus -> zone"


COPIES = "number of copies of the feeder side by side: a community of many feeders"


class SimbenchFeeder(Section):
    """Take a SimBench grid (Meinecke et al. 2020, doi:10.3390/en13123290)."""

    source: Literal["simbench"] = "simbench"
    code: str = field("1-LV-rural3--0-sw", "SimBench code of a low-voltage grid")
    zones: Zones = field("feeder", ZONES)
    copies: int = field(1, COPIES, unit="1", ge=1, le=10_000)


class PandapowerFeeder(Section):
    """Take one of the feeders that pandapower brings along."""

    source: Literal["pandapower"] = "pandapower"
    name: str = field("kerber_dorfnetz", "name of the feeder, such as cigre_lv or ieee_european_lv")
    zones: Zones = field("feeder", ZONES)
    copies: int = field(1, COPIES, unit="1", ge=1, le=10_000)


class FeederFile(Section):
    """Read a feeder from a pandapower JSON file of the user's own."""

    source: Literal["file"] = "file"
    path: str = field(..., "pandapower JSON file, relative to the scenario file", file=True)
    zones: Zones = field("feeder", ZONES)
    copies: int = field(1, COPIES, unit="1", ge=1, le=10_000)


class Line(Section):
    """Describe one line of a feeder that is written out in the scenario."""

    from_bus: str = field(..., "name of the bus at the substation's side")
    to_bus: str = field(..., "name of the bus at the far side")
    r_ohm: float = field(..., "resistance", unit="ohm", ge=0)
    x_ohm: float = field(..., "reactance", unit="ohm", ge=0)
    length_km: float = field(0.1, "length", unit="km", gt=0)
    rating_a: float = field(270.0, "thermal rating", unit="A", gt=0)


class InlineFeeder(Section):
    """Write a small feeder out in the scenario itself."""

    source: Literal["inline"] = "inline"
    substation: str = field("substation", "name of the low-voltage busbar of the transformer")
    transformer_kva: float = field(100.0, "rating of the transformer", unit="kVA", gt=0)
    voltage_kv: float = field(0.4, "nominal voltage", unit="kV", gt=0)
    lines: tuple[Line, ...] = field(..., "lines of the feeder", min_length=1)
    zones: Zones = field("feeder", ZONES)
    copies: int = field(1, COPIES, unit="1", ge=1, le=10_000)


Feeder = Annotated[
    SimbenchFeeder | PandapowerFeeder | FeederFile | InlineFeeder, Field(discriminator="source")
]
