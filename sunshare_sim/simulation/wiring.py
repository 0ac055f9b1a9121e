"""The wires of a run: what the scenario's section `network` makes of the feeder, and what a slot found out of it."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.community.households import Community
from sunshare_sim.errors import ScenarioError, describe
from sunshare_sim.feeder.charges import scale_charges
from sunshare_sim.feeder.limits import feeder_limits
from sunshare_sim.feeder.powerflow import radial_model
from sunshare_sim.feeder.watch import SlotExtremes
from sunshare_sim.feeder.wires import WireRules, Wires
from sunshare_sim.scenario.network import ChargePeriod, Network
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import BoolArray, FloatArray, IntArray

UNKNOWN: Final = SlotExtremes(np.nan, np.nan, np.nan)


class Refusals(NamedTuple):
    """Hold what the limits refused in a slot, one row a home or trade; energy [1e-6 kWh], shape [rows].

    Attributes
    ----------
    household, buyer : IntArray
        The home held back, or the seller of a trade, and the trade's buyer, -1 if it is no trade.
    curtailed, deferred, unserved, refused : IntArray
        Generation that was cut, energy that stayed in (or out of) batteries and cars, demand that was not served, and
        energy of the trade that was not admitted.
    limit, where : IntArray
        Which limit (a row of `feeder.limits.LIMIT_NAMES`), and its bus, or branch for a loading.
    """

    household: IntArray
    buyer: IntArray
    curtailed: IntArray
    deferred: IntArray
    unserved: IntArray
    refused: IntArray
    limit: IntArray
    where: IntArray


NOTHING_REFUSED: Final = Refusals(*np.empty((len(Refusals._fields), 0), dtype=np.int64))


@dataclass
class Wiring:
    """Hold the wires of a run and what a slot found out of them.

    Attributes
    ----------
    rules : Network
        The scenario's section.
    wires : Wires or None
        The feeder in the loop; None without power flow.
    base : tuple of IntArray
        Charges of each time of day [ticks], shape [zones, zones] each.
    period : IntArray
        Row of `base` that holds in each slot, shape [slots]; empty where charges never change.
    soc_before : FloatArray
        Energy in the batteries when the slot began [kWh], shape [homes].
    refusals : list of Refusals
        What was refused in this slot.
    losses : int
        Energy lost in this slot [1e-6 kWh].
    losses_by_home : IntArray or None
        What of it each home is billed, shape [homes]; None without power flow.
    extremes : SlotExtremes
        Voltages and loading of this slot.
    unserved : IntArray
        Demand of each home that the limits cut so far [1e-6 kWh], shape [homes].
    noted : list of (int, str)
        Slots with which something is wrong, in a run that goes on, and what.
    """

    rules: Network
    wires: Wires | None
    base: tuple[IntArray, ...]
    period: IntArray
    soc_before: FloatArray
    unserved: IntArray
    refusals: list[Refusals] = field(default_factory=list)
    losses: int = 0
    losses_by_home: IntArray | None = None
    extremes: SlotExtremes = UNKNOWN
    noted: list[tuple[int, str]] = field(default_factory=list)

    @property
    def enforced(self) -> Wires | None:
        """Return the wires if they limit homes, else None."""
        return self.wires if self.rules.power_flow == "enforce" else None

    @property
    def limits_trades(self) -> bool:
        """Return whether limits are on trades instead of injections."""
        return self.enforced is not None and self.rules.limits.applied_to == "trades"

    @property
    def changes_charges(self) -> bool:
        """Return whether charges change from slot to slot."""
        priced = self.rules.charges.loss_price_per_kwh > 0 or self.rules.congestion.price_step_per_kwh > 0
        return self.period.size > 0 or priced


def make_wiring(scenario: Scenario, community: Community) -> Wiring:
    """Return the wires of a run before its first slot.

    Raises
    ------
    ScenarioError
        When phases are given for another number of homes.
    NetworkError
        When the limits cannot be met even without any load.
    """
    rules, periods = scenario.network, scenario.network.charges.periods
    factors = (1.0, *(period.factor for period in periods))
    wires = make_wires(scenario, community) if rules.power_flow != "off" else None
    if wires is not None and rules.power_flow == "enforce":
        wires.check_limits()
    return Wiring(
        rules=rules,
        wires=wires,
        base=tuple(scale_charges(community.charges, factor) for factor in factors),
        period=charge_periods(periods, community.grid),
        soc_before=community.initial_soc_kwh.copy(),
        unserved=np.zeros(len(community.households), dtype=np.int64),
    )


def make_wires(scenario: Scenario, community: Community) -> Wires:
    """Return the feeder in the loop."""
    rules, limits, branches = scenario.network, scenario.network.limits, community.feeder.branches
    ratio = branches.ratio * np.where(branches.is_transformer, 1.0 + rules.tap_percent / 100.0, 1.0)
    return Wires(
        model=radial_model(community.feeder, ratio=ratio),
        limits=feeder_limits(
            community.feeder, v_min_pu=limits.v_min_pu, v_max_pu=limits.v_max_pu, loading=limits.loading
        ),
        bus_of_home=community.households.bus,
        hours=community.grid.hours,
        rules=WireRules(
            loss_rule=rules.losses.rule,
            sharing=limits.sharing,
            envelopes=limits.envelopes,
            kvar_per_kw=float(np.tan(np.arccos(rules.power_factor))),
            source_pu=rules.source_pu,
            on_divergence=rules.on_divergence,
            price_step=rules.congestion.price_step_per_kwh,
            price_decay=rules.congestion.price_decay,
            loss_price=rules.charges.loss_price_per_kwh,
        ),
        phase_of_home=phases_of_homes(scenario, community),
    )


def phases_of_homes(scenario: Scenario, community: Community) -> IntArray | None:
    """Return the phase of each home, 0 to 2, shape [homes]; None for a balanced feeder.

    Taken in turn is along each feeder's buses, so that neighbours differ.

    Raises
    ------
    ScenarioError
        When phases are given for another number of homes.
    """
    phases, homes = scenario.network.phases, len(community.households)
    if phases == "balanced":
        return None
    if phases == "drawn":
        return stream(scenario.seed, "phases").integers(0, 3, homes)
    if phases == "in_turn":
        phase = np.empty(homes, dtype=np.int64)
        phase[np.argsort(community.households.bus, kind="stable")] = np.arange(homes) % 3
        return phase
    if len(phases) != homes:
        raise ScenarioError(
            describe(
                "not one phase a home", where="network.phases", got=len(phases), expected=f"{homes} phases"
            )
        )
    return np.array(phases, dtype=np.int64) - 1


def charge_periods(periods: tuple[ChargePeriod, ...], grid: TimeGrid) -> IntArray:
    """Return which period holds in each slot, 0 for none, shape [slots]; empty without periods."""
    if not periods:
        return np.empty(0, dtype=np.int64)
    held = np.zeros(grid.slots, dtype=np.int64)
    for number, period in enumerate(periods):
        held[_holds(period, grid)] = number + 1
    return held


def _holds(period: ChargePeriod, grid: TimeGrid) -> BoolArray:
    """Return in which slots a period holds, by local time at the slot's start, shape [slots]."""
    hour, weekend = grid.local_hour, grid.local_weekday >= 5
    after, before = hour >= period.from_hour, hour < period.to_hour
    inside = after & before if period.from_hour < period.to_hour else after | before
    days = {"all": np.ones_like(weekend), "workdays": ~weekend, "weekends": weekend}[period.days]
    return np.asarray(inside & days)
