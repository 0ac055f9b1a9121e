"""What is remembered of a run's flows: a week of voltages and loadings at a time, so that memory does not grow."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sunshare_sim.feeder._powerflow import Flow
from sunshare_sim.feeder.powerflow import RadialModel
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
from sunshare_sim.units import FloatArray


class SlotExtremes(NamedTuple):
    """Hold the extremes of one slot: lowest and highest voltage [p.u.], highest loading; NaN without a solution."""

    lowest_pu: float
    highest_pu: float
    loading: float


@dataclass
class Watch:
    """Watch a feeder's flows, slot after slot.

    Attributes
    ----------
    model : RadialModel
        The feeder.
    hours : float
        Length of a slot [h].
    losses_kwh : FloatArray
        Energy lost in each branch so far [kWh], shape [branches].
    """

    model: RadialModel
    hours: float
    losses_kwh: FloatArray = field(init=False)
    _voltages: list[FloatArray] = field(init=False, default_factory=list)
    _unbalances: list[FloatArray] = field(init=False, default_factory=list)
    _flows: list[tuple[FloatArray, FloatArray]] = field(init=False, default_factory=list)
    _weeks: list[VoltageWeek] = field(init=False, default_factory=list)
    _loadings: list[LoadingReport] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Start with nothing lost."""
        self.losses_kwh = np.zeros(self.model.feeder.branches.to_bus.size)

    def see(self, flow: Flow) -> SlotExtremes:
        """Take in the first slot of a flow and return its extremes."""
        voltage, loading = flow.voltage_pu[0], flow.current_a[0] / self.model.feeder.branches.rating_a
        solved = flow.sweeps[0] >= 0
        self._voltages.append(voltage)
        self._flows.append((loading, flow.power_kw[0]))
        if flow.unbalance.size:
            self._unbalances.append(flow.unbalance[0])
        if solved:
            self.losses_kwh += flow.losses_kw[0] * self.hours
        if len(self._voltages) * self.hours >= HOURS_OF_WEEK:
            self._close_week()
        if not solved:
            return SlotExtremes(np.nan, np.nan, np.nan)
        return SlotExtremes(float(voltage.min()), float(voltage.max()), float(loading.max(initial=0.0)))

    def report(self) -> tuple[VoltageReport | None, LoadingReport | None]:
        """Return how voltages and loadings fared so far; None for voltages without a solved slot, or without a slot."""
        if self._voltages:
            self._close_week()
        voltages = voltage_report(self._weeks) if self._weeks else None
        return voltages, merge_loadings(self._loadings) if self._loadings else None

    def _close_week(self) -> None:
        loading, power = (np.array(values) for values in zip(*self._flows, strict=True))
        feeder = self.model.feeder
        rating_kva = feeder.branches.rating_a * np.sqrt(3) * feeder.vn_kv[feeder.branches.to_bus]
        voltages = np.array(self._voltages)
        unbalance = np.array(self._unbalances) if self._unbalances else None
        if np.isfinite(voltages).reshape(len(voltages), -1).all(axis=1).any():
            self._weeks.append(voltage_week(voltages, unbalance))
        self._loadings.append(loading_report(loading, power, rating_kva, self.hours))
        self._voltages.clear()
        self._unbalances.clear()
        self._flows.clear()
