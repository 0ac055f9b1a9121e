"""The scenario: everything a run depends on, typed, with unit, range, default and one line of description.

Names that only higher layers know (strategies, mechanisms) are checked through the validation context, so that this
module stays at the bottom of the house; see `base.Names`.
"""

from contextlib import suppress
from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, ValidationInfo, field_validator

from sunshare_sim.scenario.base import Names, Section, check_name, field, mistake
from sunshare_sim.scenario.households import Households


class Time(Section):
    """Say when the run takes place and how finely it is cut."""

    start: date = field(date(2025, 6, 2), "first day; the run starts at its local midnight")
    days: int = field(7, "length of the run", unit="d", ge=1, le=3660)
    slots: int | None = field(
        None, "length of the run in slots, instead of `days`, for cases of some hours", unit="slot", ge=1
    )
    slot_minutes: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60] = field(
        15, "length of a market slot", unit="min"
    )

    @field_validator("start", mode="before")
    @classmethod
    def _written_as_text(cls, value: object) -> object:
        # YAML 1.2 has no dates: what stands in the file is a text.
        with suppress(ValueError):
            return date.fromisoformat(value) if isinstance(value, str) else value
        return value


class DwdTry(Section):
    """Use one of the 15 German test reference years (DWD/BBR 2010)."""

    source: Literal["dwd_try"] = "dwd_try"
    region: int = field(4, "region of the test reference year (4 = Potsdam)", unit="1", ge=1, le=15)


class Tmy(Section):
    """Use a typical meteorological year that comes with pvlib."""

    source: Literal["tmy"] = "tmy"
    station: Literal["greensboro", "sand_point", "miami"] = field("greensboro", "station of the typical year")


class ClearSky(Section):
    """Compute a clear sky and draw clouds over it, where there is no weather file."""

    source: Literal["clear_sky"] = "clear_sky"
    clouds: bool = field(
        default=True, description="draw clouds from the stream 'weather'; without them the sky stays clear"
    )


class WeatherFile(Section):
    """Read weather from a file of the user's own."""

    source: Literal["file"] = "file"
    path: str = field(..., "CSV, Parquet, EPW or TMY3 file, relative to the scenario file", file=True)


Weather = Annotated[DwdTry | Tmy | ClearSky | WeatherFile, Field(discriminator="source")]


class Place(Section):
    """Say where the community is: sun, clock and weather follow from it."""

    name: str = field("Potsdam", "name of the place, for figures")
    latitude: float = field(52.38, "latitude, north positive", unit="deg", ge=-66, le=66)
    longitude: float = field(13.06, "longitude, east positive", unit="deg", ge=-180, le=180)
    altitude_m: float = field(81.0, "height above sea level", unit="m", ge=-430, le=6000)
    timezone: str = field("Europe/Berlin", "IANA name of the local time, for habits and tariffs")
    weather: Weather = field(DwdTry(), "where irradiance and temperature come from")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            # The list of all zones is read from hundreds of files, so only when it is needed.
            check_name(name, available_timezones(), "time zone")
            raise mistake("unknown time zone", expected="an IANA name such as Europe/Berlin") from None
        return name


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


class Settlement(Section):
    """Say how trades are settled on the ledger."""

    initial_balance: float = field(
        10_000.0, "what each household's account is funded with", unit="currency", ge=0, le=1e9
    )
    block_slots: int = field(1, "slots whose receipts share a block", unit="slot", ge=1, le=10_000)
    block_interval_ms: int = field(400, "time between blocks", unit="ms", ge=1, le=86_400_000)
    block_trades: int = field(0, "most trades in a block; 0 for no limit", unit="1", ge=0, le=1_000_000)
    audit: Literal["trade", "block"] = field("trade", "a proof for each trade, or one digest a block")
    signature: Literal["ed25519", "ml-dsa-44"] = field("ed25519", "how blocks are signed")
    authorities: int = field(1, "how many sign blocks in turn; 0 for unsigned blocks", unit="1", ge=0, le=5)


class Telemetry(Section):
    """Say how meters report."""

    model: Literal["ideal"] = field("ideal", "every reading arrives at once and unchanged")


Panel = Literal["load_kwh", "solar_kwh", "ev_kwh", "charge_kwh", "discharge_kwh", "net_kwh", "soc_kwh"]


class Results(Section):
    """Say what a run writes beside its standard tables."""

    panels: tuple[Panel, ...] = field((), "home-by-slot quantities to keep")
    orders: bool = field(default=False, description="keep every order (large)")
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
    results: Results = field(Results(), "what is written")
