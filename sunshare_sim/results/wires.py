"""What the wires went through: losses, voltages, loadings, and what their limits cut, as key figures."""

from typing import Final

import numpy as np

from sunshare_sim.results.columns import Columns, array, ratio, total
from sunshare_sim.units import FloatArray

TRANSFORMER: Final = "transformer"


def was_computed(lines: Columns) -> bool:
    """Return whether the run had a power flow."""
    return bool(np.isfinite(array(lines, "loading_max")).any())


def loss_share(slots: Columns) -> float:
    """Return what the wires lose for each kWh used: sum(losses) / sum(load + ev)."""
    return ratio(total(slots, "losses_kwh"), total(slots, "load_kwh") + total(slots, "ev_kwh"))


def curtailed_share(slots: Columns) -> float:
    """Return the share of solar energy that limits cut: sum(curtailed) / sum(solar + curtailed)."""
    curtailed = total(slots, "curtailed_kwh")
    return ratio(curtailed, total(slots, "solar_kwh") + curtailed)


def voltage_min_pu(buses: Columns) -> float:
    """Return the lowest voltage of any bus in any slot [p.u.]."""
    return -_highest(-array(buses, "voltage_min_pu"))


def voltage_max_pu(buses: Columns) -> float:
    """Return the highest voltage of any bus in any slot [p.u.]."""
    return _highest(array(buses, "voltage_max_pu"))


def voltage_violation_share(buses: Columns) -> float:
    """Return the share of slots outside +-10 % of nominal at the worst bus: max(share_outside).

    References
    ----------
    EN 50160:2010, Voltage characteristics of electricity supplied by public electricity networks, 4.2.2.
    """
    return _highest(array(buses, "share_outside"))


def buses_failed(buses: Columns) -> float:
    """Return the number of buses that do not keep to EN 50160 in some week: count(weeks_failed > 0)."""
    return float(np.count_nonzero(np.nan_to_num(array(buses, "weeks_failed")) > 0))


def line_loading_max(lines: Columns) -> float:
    """Return the highest current of a line over its rating; NaN without rated lines."""
    return _highest(array(lines, "loading_max")[array(lines, "kind") != TRANSFORMER])


def transformer_loading_max(lines: Columns) -> float:
    """Return the highest current of a transformer over its rating; NaN without transformers."""
    return _highest(array(lines, "loading_max")[array(lines, "kind") == TRANSFORMER])


def overloaded_hours(lines: Columns) -> float:
    """Return for how long the line or transformer that was overloaded longest was above its rating [h]."""
    return _highest(array(lines, "hours_above_100"))


def _highest(values: FloatArray) -> float:
    """Return the largest number, NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else float("nan")
