"""The tables that describe a whole run: who lives there, the wires, the bills, the accounts."""

from typing import Any, Final

import numpy as np

from sunshare_sim.community.households import KINDS, Community
from sunshare_sim.feeder.graph import Feeder
from sunshare_sim.feeder.quality import LoadingReport, VoltageReport
from sunshare_sim.ledger.billing import Bills, counterparties
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.events import Course
from sunshare_sim.units import FloatArray, IntArray, from_micro, to_micro

Columns = dict[str, Any]
VOLTAGES: Final = (
    "voltage_min_pu", "voltage_max_pu", "deviation_p95_pu", "share_outside", "weeks_failed", "unbalance_p95",
)  # fmt: skip
LOADINGS: Final = (
    "loading_max", "loading_p95", "hours_above_80", "hours_above_100", "hours_above_120", "above_rating_kwh",
    "reverse_hours", "losses_kwh",
)  # fmt: skip


def household_columns(community: Community, shortfall_kwh: FloatArray, rejected: IntArray) -> Columns:
    """Return the table `households`: `shortfall_kwh` is what each car lacked at departure, shape [cars].

    `rejected` counts the orders each home sent in vain, shape [homes].
    """
    homes, fleet = community.households, community.fleet
    count = len(homes)
    strategies = np.empty(count, dtype=object)
    for cohort in community.cohorts:
        strategies[cohort.members] = cohort.strategy
    return {
        "household": np.arange(count),
        "name": list(homes.name),
        "group": list(homes.group),
        "kind": [KINDS[kind] for kind in homes.kind],
        "zone": homes.zone,
        "bus": homes.bus,
        "solar_kwp": homes.solar_kwp,
        "tilt_deg": homes.tilt_deg,
        "azimuth_deg": homes.azimuth_deg,
        "battery_kwh": community.batteries.capacity_kwh,
        "battery_kw": community.batteries.power_kw,
        "ev_kw": np.bincount(fleet.home, fleet.chargers.power_kw, minlength=count),
        "heat_pump_kwh": homes.heat_pump_kwh,
        "annual_kwh": homes.annual_kwh,
        "strategy": strategies,
        # To a meter's unit: what is below it is rounding, not a shortfall.
        "ev_shortfall_kwh": from_micro(to_micro(np.bincount(fleet.home, shortfall_kwh, minlength=count))),
        "rejected": rejected,
    }


def income_column(scenario: Scenario, community: Community) -> Columns:
    """Return what the table `households` says of the homes' income: what their groups say."""
    income = {group.name: group.income for group in scenario.households.groups}
    return {"income": [income[name] for name in community.households.group]}


def interruption_columns(course: Course | None, homes: int, cut: IntArray | None = None) -> Columns:
    """Return what the table `households` says of supply that failed; `cut` by the wires' limits, shape [homes]."""
    nothing = np.zeros(homes, dtype=np.int64)
    return {
        "unserved_micro_kwh": (nothing if course is None else course.unserved)
        + (nothing if cut is None else cut),
        "interruption_h": nothing.astype(np.float64) if course is None else course.interruption_h,
    }


def bill_columns(bills: Bills) -> Columns:
    """Return the table `bills`."""
    money = [name for name in Bills._fields if not name.endswith("_energy")]
    money.insert(money.index("counterfactual_total") + 1, "saving")
    energy = {"import": bills.import_energy, "export": bills.export_energy, "bought": bills.bought_energy,
              "sold": bills.sold_energy}  # fmt: skip
    return {
        "household": np.arange(bills.total.size),
        **{f"{name}_micro_kwh": values for name, values in energy.items()},
        **{f"{name}_micro": getattr(bills, name) for name in money},
    }


def account_columns(funded_micro: int, bills: Bills, vat_ppm: int) -> Columns:
    """Return the table `accounts`: what each party was funded with, and what it holds when all bills are paid.

    Households pay their bills from what they hold, so the sum over all parties stays what was paid in.
    """
    received = counterparties(bills, vat_ppm)
    homes = bills.total.size
    funded = np.zeros(homes + len(received), dtype=np.int64)
    funded[:homes] = funded_micro
    flows = np.concatenate([-bills.total, np.array(list(received.values()), dtype=np.int64)])
    return {
        "account": np.arange(funded.size),
        "name": [*(f"household {home}" for home in range(homes)), *received],
        "funded_micro": funded,
        "cash_micro": funded + flows,
    }


def bus_columns(community: Community, voltages: VoltageReport | None = None) -> Columns:
    """Return the table `buses`, with what a report says of its voltages."""
    feeder = community.feeder
    count = len(feeder.bus_names)
    return {
        "bus": np.arange(count),
        "name": list(feeder.bus_names),
        "zone": feeder.zone_of_bus,
        "x": feeder.x,
        "y": feeder.y,
        "households": np.bincount(community.households.bus, minlength=count),
        **{name: np.full(count, np.nan) for name in VOLTAGES},
        **({} if voltages is None else voltage_columns(voltages)),
    }


def voltage_columns(report: VoltageReport) -> Columns:
    """Return what the table `buses` says of voltages, in the order of `VOLTAGES`."""
    unbalance = report.worst_unbalance_95
    values = (
        report.lowest, report.highest, report.worst_deviation_95, report.share_outside,
        report.weeks_failed.astype(np.float64),
        unbalance if unbalance.size else np.full(report.lowest.size, np.nan),
    )  # fmt: skip
    return dict(zip(VOLTAGES, values, strict=True))


def line_columns(
    feeder: Feeder, loadings: LoadingReport | None = None, losses_kwh: FloatArray | None = None
) -> Columns:
    """Return the table `lines`: lines and transformers, away from the substation, with what a report says of them."""
    branches = feeder.branches
    return {
        "line": np.arange(branches.from_bus.size),
        "from_bus": branches.from_bus,
        "to_bus": branches.to_bus,
        "length_km": branches.length_km,
        "r_ohm": branches.r_ohm,
        "x_ohm": branches.x_ohm,
        "rating_a": branches.rating_a,
        "kind": ["transformer" if is_transformer else "line" for is_transformer in branches.is_transformer],
        **{name: np.full(branches.from_bus.size, np.nan) for name in LOADINGS},
        **({} if loadings is None else loading_columns(loadings)),
        **({} if losses_kwh is None else {"losses_kwh": losses_kwh}),
    }


def loading_columns(report: LoadingReport) -> Columns:
    """Return what the table `lines` says of loadings, in the order of `LOADINGS`."""
    values = (
        report.highest, report.percentile_95, *report.hours_above.T, report.kwh_above_rating, report.reverse_hours,
    )  # fmt: skip
    return dict(zip(LOADINGS[:-1], values, strict=True))
