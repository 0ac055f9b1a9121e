"""Weather events: a darker sky and warmer air over the run's own weather."""

from dataclasses import dataclass, replace

import numpy as np

from sunshare_sim.community.equipment import GROUND_C
from sunshare_sim.community.households import Community, Series
from sunshare_sim.devices.heat_pump import coefficient_of_performance, supply_temperature
from sunshare_sim.scenario.devices import HouseHeatPump
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.events import events_of, span_of
from sunshare_sim.units import FloatArray


@dataclass(frozen=True)
class Dimmed:
    """Scale a series slot by slot: solar generation under a darker sky.

    Attributes
    ----------
    series : Series
        Under the usual sky.
    factor : FloatArray
        Factor of each slot, shape [slots].
    """

    series: Series
    factor: FloatArray

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` [kWh], shape [last - first, homes]."""
        return self.series.block(first, last) * self.factor[first:last, np.newaxis]


def with_weather(scenario: Scenario, community: Community) -> Community:
    """Return the community under the scenario's weather events; the same one where there are none.

    Generation follows irradiance in proportion: what a warmer module loses, some 0.4 % a kelvin, is left out. A
    heated house and the coefficient of performance of its heat pump follow the outdoor temperature.
    """
    skies = [
        (span_of(event, community.grid, where), event)
        for where, event in events_of(scenario)
        if event.kind == "weather"
    ]
    if not skies:
        return community
    factor, warmer = np.ones(community.grid.slots), np.zeros(community.grid.slots)
    for (first, last), event in skies:
        factor[first:last] = event.irradiance
        warmer[first:last] = event.warmer_k
    sections = [group.heat_pump for group in scenario.households.groups]
    heating = []
    houses = [section for section in sections if isinstance(section, HouseHeatPump)]
    for section, each in zip(houses, community.equipment.heating, strict=True):
        outdoor = each.outdoor_c + warmer
        supply = supply_temperature(outdoor, design_supply_c=section.supply_c)
        # The ground, some metres down, does not feel it: its pump keeps its source and only its supply follows.
        source = outdoor if section.heat_from == "air" else np.full(outdoor.size, GROUND_C)
        cop = coefficient_of_performance(source, supply, source=section.heat_from)
        heating.append(replace(each, outdoor_c=outdoor, cop=cop))
    equipment = replace(community.equipment, heating=tuple(heating))
    return replace(community, solar=Dimmed(community.solar, factor), equipment=equipment)
