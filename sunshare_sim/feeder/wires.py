"""The wires in a run's loop: homes' energies in; cuts, flow, losses and congestion out, slot after slot.

The only stateful part of the feeder: it remembers the prices of scarce limits and one week of voltages. It knows rows
of homes and nothing of markets.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.feeder import limits as network
from sunshare_sim.feeder._powerflow import Flow
from sunshare_sim.feeder.charges import add_charges, price_difference_charges
from sunshare_sim.feeder.limits import Cuts, Limits, Sharing
from sunshare_sim.feeder.losses import allocate_losses, loss_factors
from sunshare_sim.feeder.powerflow import Divergence, RadialModel, power_flow
from sunshare_sim.feeder.quality import (
    HOURS_OF_WEEK,
    LoadingReport,
    VoltageReport,
    VoltageWeek,
    loading_report,
    merge_loadings,
    voltage_report,
    voltage_week,
)
from sunshare_sim.units import FloatArray, IntArray, to_micro


@dataclass(frozen=True)
class WireRules:
    """Say how the wires are run.

    Attributes
    ----------
    loss_rule : str
        Who pays for losses: "socialised", "proportional" or "marginal".
    sharing : {"equal", "effect"}
        Who gives way when a limit binds.
    kvar_per_kw : float
        Reactive power that a deficit draws; 0.33 is a power factor of 0.95.
    source_pu : float
        Voltage of the grid above.
    on_divergence : {"raise", "mark"}
        What to do with a slot without a solution.
    price_step, price_decay : float
        Rise of a binding limit's price when it cuts a tenth of the feeder's rating [currency/kWh], and what is left of
        it after a slot in which it does not bind; no price with a step of 0.
    """

    loss_rule: str = "socialised"
    sharing: Sharing = "equal"
    kvar_per_kw: float = 0.0
    source_pu: float = 1.0
    on_divergence: Divergence = "raise"
    price_step: float = 0.0
    price_decay: float = 0.9


class HomeCuts(NamedTuple):
    """Hold what each home may not feed in and is not served [kWh], shape [homes], and the cuts by bus and limit."""

    curtailed_kwh: FloatArray
    unserved_kwh: FloatArray
    cuts: Cuts


class SlotFlow(NamedTuple):
    """Hold a slot's flow, the energy it lost [1e-6 kWh], and each home's part of that, shape [homes]."""

    flow: Flow
    losses: int
    losses_by_home: IntArray


@dataclass
class Wires:
    """Run a feeder alongside a market.

    Attributes
    ----------
    model, limits : RadialModel, Limits
        The feeder.
    bus_of_home : IntArray
        Bus of each home, shape [homes].
    hours : float
        Length of a slot [h].
    rules : WireRules
        How it is run.
    branch_price, bus_price : FloatArray
        Price of each loading and voltage limit [currency/kWh], see `limits.update_prices`.
    """

    model: RadialModel
    limits: Limits
    bus_of_home: IntArray
    hours: float
    rules: WireRules
    branch_price: FloatArray = field(init=False)
    bus_price: FloatArray = field(init=False)
    _voltages: list[FloatArray] = field(init=False, default_factory=list)
    _flows: list[tuple[FloatArray, FloatArray]] = field(init=False, default_factory=list)
    _weeks: list[VoltageWeek] = field(init=False, default_factory=list)
    _loadings: list[LoadingReport] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Start without congestion."""
        self.branch_price = np.zeros(self.limits.rating_a.size)
        self.bus_price = np.zeros(self.limits.v_min.size)

    def keep_limits(
        self, net_kwh: FloatArray, injection_kwh: FloatArray, demand_kwh: FloatArray | None = None
    ) -> HomeCuts:
        """Return what each home has to give up so that the slot is within all limits, and learn the limits' prices.

        Parameters
        ----------
        net_kwh : FloatArray
            Deficit (> 0) or surplus (< 0) of each home [kWh], shape [homes].
        injection_kwh : FloatArray
            What each home feeds in and may be told not to [kWh], >= 0.
        demand_kwh : FloatArray, optional
            What each home may be denied [kWh], >= 0; nothing if not given.

        Raises
        ------
        NetworkError
            When the limits cannot be met with what may be cut.
        """
        demand_kwh = np.zeros_like(net_kwh) if demand_kwh is None else demand_kwh
        p, q = self._powers(net_kwh)
        may_inject, may_draw = self._at_buses(injection_kwh), self._at_buses(demand_kwh)
        cuts = network.curtail(
            self.model,
            self.limits,
            (p[None], q[None]),
            cuttable=(may_inject[None], may_draw[None]),
            source_pu=self.rules.source_pu,
            sharing=self.rules.sharing,
        )
        if not cuts.within[0] and self.rules.on_divergence == "raise":
            raise NetworkError(
                describe(
                    "limits that cannot be met",
                    where="network.limits",
                    got=f"{p.sum():.6g} kW drawn, {may_inject.sum():.6g} kW of injection and "
                    f"{may_draw.sum():.6g} kW of demand may be cut",
                    hint="allow load to be shed, or widen the limits",
                )
            )
        self._learn_prices(cuts)
        return HomeCuts(
            curtailed_kwh=network.share_cut(
                cuts.injection_kw[0] * self.hours, self.bus_of_home, injection_kwh
            ),
            unserved_kwh=network.share_cut(cuts.demand_kw[0] * self.hours, self.bus_of_home, demand_kwh),
            cuts=cuts,
        )

    def carry(self, net_kwh: FloatArray) -> SlotFlow:
        """Return the exact flow of a slot as it was metered, its losses and who bears them; remember it for the report.

        Parameters
        ----------
        net_kwh : FloatArray
            Deficit (> 0) or surplus (< 0) of each home as metered [kWh], shape [homes].
        """
        p, q = self._powers(net_kwh)
        flow = power_flow(
            self.model,
            p[None],
            q[None],
            source_pu=self.rules.source_pu,
            on_divergence=self.rules.on_divergence,
        )
        lost = int(to_micro(np.nan_to_num(flow.losses_kw).sum() * self.hours))
        factor = None
        if self.rules.loss_rule == "marginal":
            factor = np.nan_to_num(loss_factors(self.model, flow)[0])[self.bus_of_home]
        self._voltages.append(flow.voltage_pu[0])
        self._flows.append((self.model.loading(flow)[0], flow.power_kw[0]))
        if len(self._voltages) * self.hours >= HOURS_OF_WEEK:
            self._close_week()
        return SlotFlow(flow, lost, allocate_losses(self.rules.loss_rule, lost, net_kwh, factor))

    def charges(self, base: IntArray, tick: float) -> IntArray:
        """Return the charges for the next slot: the base and the price of congestion [ticks], shape [zones, zones]."""
        if not (self.branch_price.any() or self.bus_price.any()):
            return base
        price = network.bus_prices(self.model, self.branch_price, self.bus_price)
        extra = price_difference_charges(self.model.feeder, price, tick=tick, buses=self.bus_of_home)
        return add_charges(base, extra)

    def report(self) -> tuple[VoltageReport, LoadingReport]:
        """Return how voltages and loadings fared over the slots carried so far."""
        if self._voltages:
            self._close_week()
        return voltage_report(self._weeks), merge_loadings(self._loadings)

    def _close_week(self) -> None:
        loading, power = (np.array(values) for values in zip(*self._flows, strict=True))
        feeder = self.model.feeder
        rating_kva = feeder.branches.rating_a * np.sqrt(3) * feeder.vn_kv[feeder.branches.to_bus]
        voltages = np.array(self._voltages)
        if np.isfinite(voltages).all(axis=1).any():
            self._weeks.append(voltage_week(voltages))
        self._loadings.append(loading_report(loading, power, rating_kva, self.hours))
        self._voltages.clear()
        self._flows.clear()

    def _learn_prices(self, cuts: Cuts) -> None:
        rules = self.rules
        if rules.price_step > 0:
            scale = 0.1 * float(self.model.feeder.transformer_kva.sum())
            step, decay = rules.price_step, rules.price_decay
            self.branch_price = network.update_prices(
                self.branch_price, cuts.by_branch_kw[0], scale, step=step, decay=decay
            )
            self.bus_price = network.update_prices(
                self.bus_price, cuts.by_bus_kw[0], scale, step=step, decay=decay
            )

    def _at_buses(self, energy_kwh: FloatArray) -> FloatArray:
        """Sum homes' energies to the buses' mean power [kW]."""
        return np.bincount(self.bus_of_home, energy_kwh, self.model.tree.bus.size) / self.hours

    def _powers(self, net_kwh: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._at_buses(net_kwh), self._at_buses(np.maximum(net_kwh, 0.0)) * self.rules.kvar_per_kw
