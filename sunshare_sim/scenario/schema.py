"""The scenario: everything a run depends on, typed, with unit, range, default and one line of description.

Names that only higher layers know (strategies, mechanisms) are checked through the validation context, so that this
module stays at the bottom of the house; see `base.Names`.
"""

from typing import Literal

from pydantic import Field

from sunshare_sim.scenario.base import Section, field
from sunshare_sim.scenario.events import Events
from sunshare_sim.scenario.feeders import Feeder, SimbenchFeeder
from sunshare_sim.scenario.households import Households
from sunshare_sim.scenario.market import Market
from sunshare_sim.scenario.network import Network
from sunshare_sim.scenario.place import Place
from sunshare_sim.scenario.settlement import Settlement
from sunshare_sim.scenario.tariff import Tariff
from sunshare_sim.scenario.time import Time


class Telemetry(Section):
    """Say how meters report."""

    model: Literal["ideal"] = field("ideal", "every reading arrives at once and unchanged")


Panel = Literal["load_kwh", "solar_kwh", "ev_kwh", "charge_kwh", "discharge_kwh", "net_kwh", "soc_kwh"]


class Results(Section):
    """Say what a run writes beside its standard tables."""

    panels: tuple[Panel, ...] = field((), "home-by-slot quantities to keep")
    orders: bool = field(default=False, description="keep every order (large)")
    quotes: bool = field(default=False, description="keep the best bid and ask of each slot and zone")
    foresight: bool = field(
        default=False,
        description="solve each battery's optimum with perfect foresight, for `foresight_gap` (slow: seconds a year)",
    )
    figures: bool = field(default=True, description="draw the four standard figures")


class Scenario(Section):
    """Describe one run completely; the same scenario gives the same bytes."""

    schema_version: Literal[1] = field(1, "version of this format")
    name: str = field(
        "scenario", "short name; the run's folder begins with it", pattern="^[a-z0-9][a-z0-9_-]*$"
    )
    description: str = field("", "the question this scenario answers, in a sentence or two")
    seed: int = field(1, "root of all random streams", unit="1", ge=0, lt=2**63)
    time: Time = field(Time(), "when, and how finely")
    place: Place = field(Place(), "where, and under which sky")
    feeder: Feeder = field(SimbenchFeeder(), "the wires that join the homes")
    households: Households = field(Households(), "who lives there")
    market: Market = field(Market(), "how local energy is traded")
    tariff: Tariff = field(Tariff(), "prices of the grid")
    network: Network = field(Network(), "cost and limits of the wires")
    settlement: Settlement = field(Settlement(), "accounts and blocks")
    telemetry: Telemetry = field(Telemetry(), "how meters report")
    events: Events = Field(default=(), description="what happens during the run: a list of events, or `file`")
    results: Results = field(Results(), "what is written")
