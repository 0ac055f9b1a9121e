"""The tables that describe a whole run: who lives there, the wires, the bills, the accounts."""

from typing import Any

import numpy as np

from sunshare_sim.community.households import KINDS, Community
from sunshare_sim.feeder.graph import Feeder
from sunshare_sim.ledger.billing import Bills, counterparties
from sunshare_sim.units import FloatArray, from_micro, to_micro

Columns = dict[str, Any]


def household_columns(community: Community, shortfall_kwh: FloatArray) -> Columns:
    """Return the table `households`; `shortfall_kwh` is what each car lacked at departure, shape [cars]."""
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
    }


def bill_columns(bills: Bills) -> Columns:
    """Return the table `bills`."""
    money = ("supply", "network", "levies", "tax", "standing", "feed_in", "purchases", "sales", "wheeling", "total",
             "counterfactual_total", "saving")  # fmt: skip
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


def bus_columns(community: Community) -> Columns:
    """Return the table `buses`."""
    feeder = community.feeder
    count = len(feeder.bus_names)
    return {
        "bus": np.arange(count),
        "name": list(feeder.bus_names),
        "zone": feeder.zone_of_bus,
        "x": feeder.x,
        "y": feeder.y,
        "households": np.bincount(community.households.bus, minlength=count),
    }


def line_columns(feeder: Feeder) -> Columns:
    """Return the table `lines`: lines and transformers, away from the substation."""
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
    }
