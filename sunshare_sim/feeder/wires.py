"""The wires in a run's loop: homes' energies in; cuts, admitted trades, flow, losses and congestion out, slot by slot.

The only stateful part of the feeder: it remembers the prices of scarce limits, the last flow and one week of voltages.
It knows rows of homes and nothing of markets.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import NetworkError, describe
from sunshare_sim.feeder import limits as network
from sunshare_sim.feeder._limits import worst_violation
from sunshare_sim.feeder._powerflow import DIVERGED, Flow
from sunshare_sim.feeder.charges import add_charges, loss_charges, price_difference_charges
from sunshare_sim.feeder.limits import FREE, LOADING, VOLTAGE_HIGH, Cuts, Envelopes, Limits, Sharing
from sunshare_sim.feeder.losses import allocate_losses, loss_factors
from sunshare_sim.feeder.powerflow import Divergence, RadialModel, place_name, power_flow, raise_diverged
from sunshare_sim.feeder.quality import LoadingReport, VoltageReport
from sunshare_sim.feeder.watch import SlotExtremes, Watch
from sunshare_sim.units import FloatArray, IntArray, to_micro

ROUNDING_KWH: Final = 3e-6
SCALE_OF_PRICE: Final = 0.1  # share of the feeder's rating whose cut raises a limit's price by a step


@dataclass(frozen=True)
class WireRules:
    """Say how the wires are run.

    Attributes
    ----------
    loss_rule : str
        Who pays for losses: "socialised", "proportional" or "marginal".
    sharing : {"equal", "effect"}
        Who gives way when a limit binds.
    envelopes : bool
        Hold every bus to what is safe whatever the others do, instead of looking at the slot as it is.
    kvar_per_kw : float
        Reactive power that a deficit draws; 0.33 is a power factor of 0.95.
    source_pu : float
        Voltage of the grid above.
    on_divergence : {"raise", "mark"}
        What to do with a slot without a solution, or whose limits cannot be met.
    price_step, price_decay : float
        Rise of a binding limit's price when it cuts a tenth of the feeder's rating [currency/kWh], and what is left of
        it after a slot in which it does not bind; no price with a step of 0.
    loss_price : float
        Price of the energy a trade loses on its way [currency/kWh].
    """

    loss_rule: str = "socialised"
    sharing: Sharing = "equal"
    envelopes: bool = False
    kvar_per_kw: float = 0.0
    source_pu: float = 1.0
    on_divergence: Divergence = "raise"
    price_step: float = 0.0
    price_decay: float = 0.9
    loss_price: float = 0.0


class HomeCuts(NamedTuple):
    """Hold what homes may not feed in and are not served.

    Attributes
    ----------
    curtailed_kwh, unserved_kwh : FloatArray
        Cut of what each home feeds in and draws [kWh], shape [homes].
    limit, where : IntArray
        What took most from each home's bus (a row of `LIMIT_NAMES`), and its bus or branch; shape [homes].
    cuts : Cuts
        The cuts by bus and limit.
    trouble : str
        What is wrong with the slot, for a run that goes on; else empty.
    """

    curtailed_kwh: FloatArray
    unserved_kwh: FloatArray
    limit: IntArray
    where: IntArray
    cuts: Cuts
    trouble: str = ""


class TradeCuts(NamedTuple):
    """Hold what is left of trades, and the cuts of what was not sold.

    Attributes
    ----------
    granted_kwh : FloatArray
        Energy admitted, shape [trades].
    limit, where : IntArray
        What cut each trade (a row of `LIMIT_NAMES`), and its bus or branch; shape [trades].
    unsold : HomeCuts
        Cuts of what homes feed in without having sold it.
    """

    granted_kwh: FloatArray
    limit: IntArray
    where: IntArray
    unsold: HomeCuts


class SlotFlow(NamedTuple):
    """Hold a slot's flow, the energy it lost, who bears that, and what is wrong with it.

    Attributes
    ----------
    flow : Flow
        The exact flow.
    extremes : SlotExtremes
        Its lowest and highest voltage and its highest loading.
    losses : int
        Energy lost [1e-6 kWh]; 0 for a slot without a solution.
    losses_by_home : IntArray
        Each home's part, summing to `losses`, shape [homes]; below 0 only by the marginal rule.
    trouble : str
        What is wrong with the slot, for a run that goes on; else empty.
    """

    flow: Flow
    extremes: SlotExtremes
    losses: int
    losses_by_home: IntArray
    trouble: str = ""


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
    phase_of_home : IntArray, optional
        Phase of each home, 0 to 2, shape [homes]; balanced if not given.
    branch_price, bus_price : FloatArray
        Price of each loading and voltage limit [currency/kWh], see `limits.update_prices`.
    watch : Watch
        What is remembered for the report.
    """

    model: RadialModel
    limits: Limits
    bus_of_home: IntArray
    hours: float
    rules: WireRules
    phase_of_home: IntArray | None = None
    branch_price: FloatArray = field(init=False)
    bus_price: FloatArray = field(init=False)
    watch: Watch = field(init=False)
    _last: Flow | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start without congestion."""
        self.branch_price = np.zeros(self.limits.rating_a.size)
        self.bus_price = np.zeros(self.limits.v_min.size)
        self.watch = Watch(self.model, self.hours)

    def check_limits(self) -> None:
        """Raise when the limits are not met by the feeder without any load.

        Raises
        ------
        NetworkError
            Naming the feeder, the bus and its voltage.
        """
        flow = power_flow(self.model, np.zeros((1, self.model.tree.bus.size)), source_pu=self.rules.source_pu)
        wrong = self._violation(flow)
        if wrong is not None:
            raise _unmet("limits that cannot be met even with all load shed and nothing fed in", wrong)

    def keep_limits(
        self,
        net_kwh: FloatArray,
        injection_kwh: FloatArray,
        demand_kwh: FloatArray | None = None,
        *,
        slot: int = 0,
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
        slot : int
            Number of the slot, for messages.

        Raises
        ------
        NetworkError
            When the limits cannot be met with what may be cut; names slot, feeder, bus or line.
        """
        demand_kwh = np.zeros_like(net_kwh) if demand_kwh is None else demand_kwh
        p, q = self._powers(net_kwh)
        may = self._at_buses(injection_kwh), self._at_buses(demand_kwh)
        cuts = self._within_envelopes((p, q), may) if self.rules.envelopes else self._curtail((p, q), may)
        trouble = "" if cuts.within[0] else self._trouble((p, q), cuts, slot)
        self._learn_prices(cuts)
        return HomeCuts(
            curtailed_kwh=network.share_cut(
                cuts.injection_kw[0] * self.hours, self.bus_of_home, injection_kwh
            ),
            unserved_kwh=network.share_cut(cuts.demand_kw[0] * self.hours, self.bus_of_home, demand_kwh),
            limit=cuts.limit[0][self.bus_of_home],
            where=cuts.where[0][self.bus_of_home],
            cuts=cuts,
            trouble=trouble,
        )

    def admit_trades(
        self,
        net_kwh: FloatArray,
        seller: IntArray,
        energy_kwh: FloatArray,
        *,
        whole: bool = False,
        slot: int = 0,
    ) -> TradeCuts:
        """Grant trades in their order what the wires leave beside all demand, then cut surplus that is not sold.

        A buyer draws what it draws, from its neighbour or from the grid: so a trade is what its seller feeds in. What
        is refused of a trade counts as surplus that is not sold.

        Parameters
        ----------
        net_kwh : FloatArray
            Deficit (> 0) or surplus (< 0) of each home [kWh], shape [homes].
        seller, energy_kwh : array
            Home that sells, and energy [kWh], of each trade in order of priority, shape [trades].
        whole : bool
            Refuse what does not fit whole, instead of cutting it.
        slot : int
            Number of the slot, for messages.

        Raises
        ------
        NetworkError
            When the limits cannot be met with what may be cut.
        """
        p, q = self._powers(np.maximum(net_kwh, 0.0))
        bus = self.bus_of_home[seller]
        admission = network.admit(
            self.model,
            self.limits,
            (p, q),
            (bus, self.model.root_of_bus[bus], energy_kwh / self.hours),
            source_pu=self.rules.source_pu,
            whole=whole,
        )
        granted = np.minimum(admission.granted_kw * self.hours, energy_kwh)
        unsold = np.maximum(-net_kwh, 0.0) - np.bincount(seller, granted, net_kwh.size)
        # What is sold stays whole when the meters round to 1e-6 kWh.
        cuts = self.keep_limits(net_kwh, np.maximum(unsold - ROUNDING_KWH, 0.0), slot=slot)
        return TradeCuts(granted, admission.limit, admission.where, cuts)

    def carry(self, net_kwh: FloatArray, *, slot: int = 0) -> SlotFlow:
        """Return the exact flow of a slot as it was metered, its losses and who bears them; remember it for the report.

        Parameters
        ----------
        net_kwh : FloatArray
            Deficit (> 0) or surplus (< 0) of each home as metered [kWh], shape [homes].
        slot : int
            Number of the slot, for messages.

        Raises
        ------
        NetworkError
            When the flow has no solution and the rules do not say to go on; names slot, feeder, worst bus.
        """
        rules = self.rules
        p, q = (power[None] for power in self._powers(net_kwh, self.phase_of_home))
        flow = power_flow(self.model, p, q, source_pu=rules.source_pu, on_divergence="mark")
        self._last, solved = flow, flow.sweeps[0] != DIVERGED
        if not solved and rules.on_divergence == "raise":
            raise_diverged(self.model, flow, p, slot)
        lost = int(to_micro(flow.losses_kw.sum() * self.hours)) if solved else 0
        factor = None
        if rules.loss_rule == "marginal":
            factor = loss_factors(self.model, flow)[0][self.bus_of_home] if solved else np.zeros(net_kwh.size)
        by_home = allocate_losses(rules.loss_rule, lost, net_kwh, factor)
        trouble = "" if solved else self._no_solution(flow)
        return SlotFlow(flow, self.watch.see(flow), lost, by_home, trouble)

    def charges(self, base: IntArray, tick: float) -> IntArray:
        """Return the slot's charges [ticks], shape [zones, zones]: the base and the prices of congestion and losses.

        Congestion and marginal losses are those of the slot before.
        """
        feeder, charges = self.model.feeder, base
        if self.branch_price.any() or self.bus_price.any():
            price = network.bus_prices(self.model, self.branch_price, self.bus_price)
            extra = price_difference_charges(feeder, price, tick=tick, buses=self.bus_of_home)
            charges = add_charges(charges, extra)
        if self.rules.loss_price > 0 and self._last is not None and self._last.sweeps[0] != DIVERGED:
            factor = loss_factors(self.model, self._last)[0]
            extra = loss_charges(
                feeder, factor, tick=tick, energy_per_kwh=self.rules.loss_price, buses=self.bus_of_home
            )
            charges = add_charges(charges, extra)
        return charges

    def report(self) -> tuple[VoltageReport | None, LoadingReport | None]:
        """Return how voltages and loadings fared over the slots carried so far."""
        return self.watch.report()

    def _curtail(self, power: tuple[FloatArray, FloatArray], may: tuple[FloatArray, FloatArray]) -> Cuts:
        return network.curtail(
            self.model,
            self.limits,
            (power[0][None], power[1][None]),
            cuttable=(may[0][None], may[1][None]),
            source_pu=self.rules.source_pu,
            sharing=self.rules.sharing,
        )

    def _within_envelopes(
        self, power: tuple[FloatArray, FloatArray], may: tuple[FloatArray, FloatArray]
    ) -> Cuts:
        """Cut what is beyond each bus's envelope for the slot; what still exceeds a limit is cut as ever.

        The envelopes follow from all feeding in what they have while none draws, and the other way round: a bus is safe
        whatever the others do, and not helped by a neighbour's load.
        """
        p, q = power
        wish = Envelopes(np.maximum(-p, 0.0), np.maximum(p, 0.0))
        worst = network.worst_case_cuts(
            self.model,
            self.limits,
            wish,
            np.stack([np.zeros_like(q), q]),
            source_pu=self.rules.source_pu,
            sharing=self.rules.sharing,
        )
        given_in, given_out = (
            np.minimum(worst.injection_kw[0], may[0]),
            np.minimum(worst.demand_kw[1], may[1]),
        )
        left = np.maximum(may[0] - given_in, 0.0), np.maximum(may[1] - given_out, 0.0)
        rest = self._curtail((p + given_in - given_out, q), left)
        sheds = bool(given_out.any())
        # a bus feeds in or draws: that case says what took from it
        feeds, taken = given_in > 0, given_in + given_out > 0
        limit, where = (np.where(feeds, case[0], case[1]) for case in (worst.limit, worst.where))
        return rest._replace(
            injection_kw=rest.injection_kw + given_in,
            demand_kw=rest.demand_kw + given_out,
            by_bus_kw=rest.by_bus_kw + worst.by_bus_kw[:1] + worst.by_bus_kw[1:] * sheds,
            by_branch_kw=rest.by_branch_kw + worst.by_branch_kw[:1] + worst.by_branch_kw[1:] * sheds,
            limit=np.where(taken, limit, rest.limit),
            where=np.where(taken, where, rest.where),
        )

    def _trouble(self, power: tuple[FloatArray, FloatArray], cuts: Cuts, slot: int) -> str:
        """Raise because limits are exceeded with all cut that helps, or say so for a run that goes on."""
        left = power[0] + cuts.injection_kw[0] - cuts.demand_kw[0]
        flow = power_flow(
            self.model, left[None], power[1][None], source_pu=self.rules.source_pu, on_divergence="mark"
        )
        shed = cuts.demand_kw[0].sum() > 0
        what = f"limits that cannot be met{' even with all load shed' if shed else ''}"
        where, got, expected = self._violation(flow) or ("", "", "")
        if self.rules.on_divergence == "mark":
            return f"{what}: {where}, {got}, expected {expected}"
        raise NetworkError(
            describe(
                what,
                where=f"slot {slot}, {where}",
                got=got,
                expected=expected,
                hint=("" if shed else "allow load to be shed (`shed_load: true`), ")
                + "widen the limits, or go on (`on_divergence: mark`)",
            )
        )

    def _violation(self, flow: Flow) -> tuple[str, str, str] | None:
        """Return place, value and bound of the worst violation of a flow's first slot; None if there is none."""
        feeder, limits = self.model.feeder, self.limits
        if flow.sweeps[0] == DIVERGED:
            return place_name(feeder, int(flow.worst_bus[0])), "no solution of the power flow", "one"
        kind, row = worst_violation(self.model.tree, limits, flow, network.CUT_TOLERANCE_PU)
        if kind == FREE:
            return None
        bus, branch = int(self.model.tree.bus[row]), int(self.model.tree.branch[row])
        if kind == LOADING:
            loading, most = flow.current_a[0, branch], limits.rating_a[branch]
            name = feeder.branches.name[branch]
            return f"{place_name(feeder, bus)}, {name}", f"{loading:.6g} A", f"at most {most:.6g} A"
        bound = (
            f"at most {limits.v_max[bus]:.6g}"
            if kind == VOLTAGE_HIGH
            else f"at least {limits.v_min[bus]:.6g}"
        )
        return place_name(feeder, bus), f"{flow.voltage_pu[0, bus]:.6g} p.u.", f"{bound} p.u."

    def _no_solution(self, flow: Flow) -> str:
        place = place_name(self.model.feeder, int(flow.worst_bus[0]))
        return f"the power flow has no solution: {place}; the slot counts without voltages and losses"

    def _learn_prices(self, cuts: Cuts) -> None:
        rules = self.rules
        if rules.price_step > 0:
            scale = SCALE_OF_PRICE * float(self.model.feeder.transformer_kva.sum())
            step, decay = rules.price_step, rules.price_decay
            self.branch_price = network.update_prices(
                self.branch_price, cuts.by_branch_kw[0], scale, step=step, decay=decay
            )
            self.bus_price = network.update_prices(
                self.bus_price, cuts.by_bus_kw[0], scale, step=step, decay=decay
            )

    def _at_buses(self, energy_kwh: FloatArray, phase: IntArray | None = None) -> FloatArray:
        """Sum homes' energies to the buses' mean power [kW], shape [buses], or [buses, 3] by phase."""
        buses = self.model.tree.bus.size
        if phase is None:
            return np.bincount(self.bus_of_home, energy_kwh, buses) / self.hours
        summed = np.bincount(3 * self.bus_of_home + phase, energy_kwh, 3 * buses) / self.hours
        return summed.reshape(buses, 3)

    def _powers(self, net_kwh: FloatArray, phase: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        deficit = np.maximum(net_kwh, 0.0)
        return self._at_buses(net_kwh, phase), self._at_buses(deficit, phase) * self.rules.kvar_per_kw


def _unmet(what: str, violation: tuple[str, str, str]) -> NetworkError:
    where, got, expected = violation
    return NetworkError(
        describe(what, where=where, got=got, expected=expected, hint="widen `network.limits`")
    )
