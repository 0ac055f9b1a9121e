"""A scenario in words: sentences made from its keys, so that they cannot say anything else than what was run."""

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from sunshare_sim.scenario.base import Lognormal, Uniform
from sunshare_sim.scenario.events import EventFile, Events
from sunshare_sim.scenario.feeders import Feeder, FeederFile, PandapowerFeeder, SimbenchFeeder
from sunshare_sim.scenario.households import Group
from sunshare_sim.scenario.network import Network
from sunshare_sim.scenario.place import ClearSky, DwdTry, Tmy, Weather
from sunshare_sim.scenario.presets import PRESETS
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.scenario.tariff import COMPONENTS, Tariff


def sentences(scenario: Scenario, households: int) -> Iterator[str]:
    """Yield the sentences that describe a scenario.

    Parameters
    ----------
    scenario : Scenario
        What was run.
    households : int
        Number of homes, which may follow from the feeder.
    """
    time, place = scenario.time, scenario.place
    length = f"{time.slots} slots" if time.slots else counted(time.days, "day")
    yield f"The run covers {length} from {time.start:%d %B %Y} in slots of {time.slot_minutes} minutes."
    where = f"{place.latitude:g}° north, {place.longitude:g}° east"
    yield f"The place is {place.name} ({where}), weather: {_weather(place.weather)}."
    yield f"{counted(households, 'home')} on {_feeder(scenario.feeder)}."
    for group in scenario.households.groups:
        yield _group(group)
    yield _market(scenario)
    tariff = scenario.tariff
    yield (
        f"Outside the local market a kWh costs what the tariff says (supply, network charge, levies and "
        f"{100 * tariff.vat:g} % value added tax, in {tariff.currency}); the tables below list every price."
    )
    yield from _prices(tariff)
    yield _charges(scenario)
    yield _wires(scenario.network)
    yield from _events(scenario.events)


def counted(count: int, noun: str) -> str:
    """Return a number and its noun: 1 home, 2 homes."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def numbers_text(numbers: Iterable[int]) -> str:
    """Return whole numbers in words, those that follow each other as a span.

    >>> numbers_text([1, 2, 3, 7, 9, 10])
    '1 to 3, 7, 9, 10'
    """
    spans: list[list[int]] = []
    for each in numbers:
        if spans and spans[-1][-1] + 1 == each:
            spans[-1].append(each)
        else:
            spans.append([each])
    return ", ".join(
        f"{span[0]} to {span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in spans
    )


def law(draw: Any, unit: str) -> str:
    """Return how a value is drawn: 5 kWh, 5 to 12 kWh, about 3,000 kWh."""
    if isinstance(draw, Uniform):
        return f"{draw.min:g} to {draw.max:g} {unit}"
    if isinstance(draw, Lognormal):
        return f"about {draw.median:,.4g} {unit} (lognormal, spread {draw.sigma:g})"
    return f"{draw:,.6g} {unit}"


def _weather(weather: Weather) -> str:
    if isinstance(weather, DwdTry):
        return f"German test reference year, region {weather.region}"
    if isinstance(weather, Tmy):
        return f"typical meteorological year of {weather.station.replace('_', ' ')}"
    if isinstance(weather, ClearSky):
        return "computed clear sky" + (" with drawn clouds" if weather.clouds else "")
    return "a file"


def _feeder(feeder: Feeder) -> str:
    if isinstance(feeder, SimbenchFeeder):
        name = f"the SimBench grid {feeder.code}"
    elif isinstance(feeder, PandapowerFeeder):
        name = f"pandapower's feeder {feeder.name}"
    else:
        name = (
            "a feeder from a file"
            if isinstance(feeder, FeederFile)
            else "a feeder written out in the scenario"
        )
    return name if feeder.copies == 1 else f"{feeder.copies} copies of {name}"


def _group(group: Group) -> str:
    size = f"{group.count}" if group.count else f"{100 * group.share:g} %" if group.share else "the rest"
    owned = [
        f"{100 * part.share:g} % with {text}"
        for part, text in (
            (group.solar, "solar"),
            (group.battery, "a battery"),
            (group.ev, "an electric vehicle"),
            (group.heat_pump, "a heat pump"),
        )
        if part is not None and part.share > 0
    ]
    has = f", {', '.join(owned)}" if owned else ", without devices of their own"
    kind = "enterprises" if group.kind == "enterprise" else "homes"
    return f"Group {group.name}: {size} of the {kind}{has}; they trade by the strategy {group.strategy.name}."


def _market(scenario: Scenario) -> str:
    market = scenario.market
    if market.mechanism == "none":
        return "There is no local market: every home deals with the grid alone."
    return (
        f"Local energy is traded by the mechanism {market.mechanism}, in steps of {market.tick:g} "
        f"{scenario.tariff.currency}/kWh and {market.lot_kwh:g} kWh; only metered surplus and deficit are traded."
    )


def _prices(tariff: Tariff) -> Iterator[str]:
    """Yield what is special about a tariff."""
    if tariff.preset:
        yield f"The tariff starts from the preset {tariff.preset}: {PRESETS[tariff.preset].text}"
    if tariff.periods:
        yield f"Prices change by the hour, in {counted(len(tariff.periods), 'period')}."
    if tariff.series is not None:
        named = [name for name in (*COMPONENTS, "feed_in") if getattr(tariff.series, name)]
        parts = " and ".join(name.replace("_", "-") for name in named)
        yield f"Prices of {parts} follow a series from the file {PurePath(tariff.series.path).name}."
    if tariff.capacity_charge:
        price = f"{tariff.capacity_charge:g} {tariff.currency} a kW"
        yield f"Homes pay {price} of their highest import each {tariff.billing_period}."
    if tariff.export.scheme != "feed_in":
        yield f"Surplus is paid by the scheme {tariff.export.scheme.replace('_', ' ')}."
    if tariff.sharing.locality != "none":
        yield f"Energy shared by homes near each other has privileges by law; near means: {_near(tariff)}."


def _events(events: Events) -> Iterator[str]:
    if isinstance(events, EventFile):
        yield f"What happens during the run is read from the file {PurePath(events.file).name}."
    elif events:
        kinds = ", ".join(dict.fromkeys(event.kind for event in events))
        yield f"{counted(len(events), 'event')} during the run: {kinds}."


def _near(tariff: Tariff) -> str:
    sharing = tariff.sharing
    return (
        f"within {sharing.radius_km:g} km" if sharing.locality == "radius" else f"on one {sharing.locality}"
    )


def _wires(network: Network) -> str:
    """Return what is done about the wires."""
    limits = network.limits
    if network.power_flow == "off":
        return "Voltages and loadings of the wires are not computed."
    if network.power_flow == "post":
        return "Voltages, loadings and losses of the wires are computed and limit nothing."
    return (
        f"The wires are kept within {limits.v_min_pu:g} to {limits.v_max_pu:g} of nominal voltage and "
        f"{100 * limits.loading:g} % of their ratings; what is too much is cut from {limits.applied_to}."
    )


def _charges(scenario: Scenario) -> str:
    rule = scenario.network.charges.rule
    if rule == "none":
        return "Local trades pay no wheeling charge."
    return f"Local trades pay the network operator a wheeling charge by the rule {rule}."
