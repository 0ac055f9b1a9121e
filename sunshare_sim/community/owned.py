"""What the homes of a group own, drawn device by device; every array has shape [homes of the group]."""

from typing import NamedTuple

import numpy as np

from sunshare_sim.community.draws import draw, owners, ranks
from sunshare_sim.community.households import CONSUMER, ENTERPRISE, PROSUMER
from sunshare_sim.scenario.devices import HouseHeatPump
from sunshare_sim.scenario.households import BdewDemand, Group, PvlibSolar, SimbenchDemand
from sunshare_sim.streams import stream
from sunshare_sim.units import BoolArray, FloatArray, IntArray


class Owned(NamedTuple):
    """Hold the devices of a group's homes; 0 stands for none.

    Attributes
    ----------
    kind : IntArray
        `PROSUMER`, `CONSUMER` or `ENTERPRISE`.
    annual_kwh, heat_pump_kwh : FloatArray
        Demand of a year, NaN where values are given slot by slot [kWh].
    solar_kwp, tilt_deg, azimuth_deg : FloatArray
        Solar system [kWp, deg, deg].
    battery_kwh, battery_kw : FloatArray
        Battery's usable capacity and power [kWh, kW].
    ev_kw : FloatArray
        Power of the car's charger [kW].
    heat_pump_kw : FloatArray
        Electric power of a heat pump that follows its house [kW].
    """

    kind: IntArray
    annual_kwh: FloatArray
    heat_pump_kwh: FloatArray
    solar_kwp: FloatArray
    tilt_deg: FloatArray
    azimuth_deg: FloatArray
    battery_kwh: FloatArray
    battery_kw: FloatArray
    ev_kw: FloatArray
    heat_pump_kw: FloatArray


def draw_group(group: Group, size: int, seed: int) -> Owned:
    """Draw what each of the `size` homes of a group owns."""

    def rng(*names: str) -> np.random.Generator:
        return stream(seed, "households", group.name, *names)

    def shared(device: str, share: float, *, first: BoolArray | None = None) -> FloatArray:
        return owners(share, ranks(size, rng(device, "owners"), first=first)).astype(np.float64)

    none = np.zeros(size)
    annual = none + np.nan
    if isinstance(group.demand, SimbenchDemand | BdewDemand):
        annual = draw(group.demand.annual_kwh, size, rng("annual_kwh"))
    heat_pump, kwp, tilt, azimuth, capacity, power, charger, pump_kw = (none,) * 8
    if isinstance(group.heat_pump, HouseHeatPump):
        owned = shared("heat_pump", group.heat_pump.share)
        pump_kw = owned * draw(group.heat_pump.power_kw, size, rng("heat_pump_kw"))
    elif group.heat_pump:
        owned = shared("heat_pump", group.heat_pump.share)
        heat_pump = owned * draw(group.heat_pump.annual_kwh, size, rng("heat_pump_kwh"))
    if group.solar:
        kwp = shared("solar", group.solar.share) * draw(group.solar.kwp, size, rng("kwp"))
    if isinstance(group.solar, PvlibSolar):
        # Whole degrees: homes that face the same way share one profile, computed once and exactly.
        tilt = np.rint(draw(group.solar.tilt_deg, size, rng("tilt_deg")))
        azimuth = np.rint(draw(group.solar.azimuth_deg, size, rng("azimuth_deg")))
    if group.battery:
        owned = shared("battery", group.battery.share, first=kwp > 0)
        capacity = owned * draw(group.battery.capacity_kwh, size, rng("battery_kwh"))
        power = owned * draw(group.battery.power_kw, size, rng("battery_kw"))
    if group.ev:
        charger = shared("ev", group.ev.share) * draw(group.ev.charger_kw, size, rng("charger_kw"))
    kind = np.where(kwp > 0, PROSUMER, CONSUMER) if group.kind == "household" else np.full(size, ENTERPRISE)
    return Owned(kind, annual, heat_pump, kwp, tilt, azimuth, capacity, power, charger, pump_kw)
