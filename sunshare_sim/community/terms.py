"""A tariff's terms for a community: what bills need beyond prices by slot, and which homes are near one another."""

from typing import Final, Literal

import numpy as np

from sunshare_sim.community.households import Households
from sunshare_sim.feeder.graph import Feeder
from sunshare_sim.inputs.tariffs import (
    SlotPrices,
    between_hours,
    billing_periods,
    network_fixed,
    slot_prices,
)
from sunshare_sim.ledger.terms import PARTS, Terms, runs_of
from sunshare_sim.scenario.tariff import COMPONENTS, Sharing, Tariff
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import ASK, MICRO, BoolArray, FloatArray, IntArray, limit_ticks, to_micro

SHORTEST_KM: Final = 1e-9  # of two buses at one place, for a graph in which no edge may be 0


def build_terms(tariff: Tariff, grid: TimeGrid, feeder: Feeder, households: Households) -> Terms | None:
    """Return a tariff's terms, None where prices by slot and the parts of a flat price say everything."""
    prices = slot_prices(tariff, grid)
    if not needs_terms(tariff, prices):
        return None
    export, sharing = tariff.export, tariff.sharing
    periods = billing_periods(grid, tariff.billing_period)
    window = between_hours(export.charge_from_hour, export.charge_to_hour, grid)
    near = local_zones(sharing, feeder, households.bus) if sharing.premium_per_kwh else None
    return Terms(
        slot_minutes=grid.slot_minutes,
        periods=tuple(zip(periods.covered.tolist(), periods.whole.tolist(), strict=True)),
        network=runs_of(to_micro(prices.network)),
        levies=runs_of(to_micro(prices.levies)),
        vat_ppm=(
            _ppm(tariff.vat_of("supply")),
            _ppm(tariff.vat_of("network")),
            _ppm(tariff.vat_of("levies")),
        ),
        tiers=_tiers(tariff),
        network_fixed_micro=_micro(network_fixed(tariff, grid)),
        capacity_micro=_micro(tariff.capacity_charge),
        export_charge_micro=_micro(export.charge_per_kwh),
        export_free_micro=_micro(export.free_kwh),
        export_window=runs_of(window.astype(np.int64)) if export.charge_per_kwh else (),
        credit_against=_credit_against(tariff),
        settlement_periods=export.settlement_periods,
        excess_ppm=_ppm(export.excess_paid),
        premium_micro=_micro(sharing.premium_per_kwh),
        zones=() if near is None else tuple(households.zone.tolist()),
        near=() if near is None else tuple(tuple(row) for row in near.astype(int).tolist()),
    )


def needs_terms(tariff: Tariff, prices: SlotPrices) -> bool:
    """Return whether a tariff's bills need more than prices by slot and the parts of a flat price."""
    return bool(
        np.ptp(prices.network)
        or np.ptp(prices.levies)
        or any(tariff.vat_of(name) != tariff.vat for name in COMPONENTS)
        or any(tariff.tiers(name) for name in COMPONENTS)
        or tariff.network_fixed_per_day
        or tariff.network_fixed_per_month
        or tariff.capacity_charge
        or tariff.export.charge_per_kwh
        or tariff.sharing.premium_per_kwh
        or _credit_against(tariff)
    )


def local_zones(sharing: Sharing, feeder: Feeder, bus: IntArray) -> BoolArray:
    """Return between which zones energy counts as shared, shape [zones, zones].

    A trade knows the zones of its homes, so a test of distance asks that the two homes of the zones that lie farthest
    apart are within the radius. Feeders side by side hang on one substation; how far apart they are is not known, so
    no radius reaches from one to another.

    Parameters
    ----------
    sharing : Sharing
        The rule.
    feeder : Feeder
        The feeder.
    bus : IntArray
        Bus of each home, shape [homes].
    """
    zones = len(feeder.zone_names)
    if sharing.locality == "substation":
        return np.ones((zones, zones), dtype=bool)
    if sharing.locality == "transformer":
        of_zone = feeder.transformer_of_zone
        return np.asarray((of_zone[:, None] == of_zone) & (of_zone >= 0))
    if sharing.radius_km is None:
        return np.zeros((zones, zones), dtype=bool)
    used = np.unique(bus)
    return farthest_km(feeder, used, feeder.zone_of_bus[used]) <= sharing.radius_km


def sharing_charges(tariff: Tariff, near: BoolArray, *, tick: float) -> IntArray:
    """Compute what the law leaves of the network charge and the levies on a shared kWh [ticks], shape [zones, zones].

    Energy between zones that are not near pays both in full. The prices are those outside time-of-use periods. Rounded
    up to ticks, like every wheeling charge.

    Parameters
    ----------
    tariff : Tariff
        Whose section `sharing` is the law.
    near : BoolArray
        Between which zones energy counts as shared, from `local_zones`, shape [zones, zones].
    tick : float
        Smallest price step [currency/kWh].
    """
    rule, network, levies = tariff.sharing, tariff.network_per_kwh, tariff.levies_per_kwh
    shared = network * (1 - rule.network_discount) + (0.0 if rule.levies_waived else levies)
    charges: IntArray = limit_ticks(np.where(near, shared, network + levies), ASK, tick)
    return charges


def farthest_km(feeder: Feeder, buses: IntArray, zone: IntArray) -> FloatArray:
    """Return the longest way along the wires between buses of two zones [km], shape [zones, zones]; 0 for no bus."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    branches, count = feeder.branches, feeder.vn_kv.size
    length = np.maximum(np.nan_to_num(branches.length_km), SHORTEST_KM)
    graph = coo_array((length, (branches.from_bus, branches.to_bus)), shape=(count, count))
    km = dijkstra(graph.tocsr(), directed=False, indices=buses)[:, buses]
    farthest = np.zeros((len(feeder.zone_names),) * 2)
    np.maximum.at(farthest, (zone[:, None], zone[None, :]), km)
    return farthest


def _credit_against(tariff: Tariff) -> Literal["", "retail", "supply"]:
    """Return what credits may pay; nothing is to be looked at where all that is left of them is paid anyhow."""
    nets = tariff.export.scheme in {"net_billing", "net_metering"} and tariff.export.excess_paid < 1
    return tariff.export.credit_against if nets else ""


def _tiers(tariff: Tariff) -> tuple[tuple[int, int, int], ...]:
    """Return each tier as part, energy from which it holds [1e-6 kWh], and its step from the price before."""
    found = []
    for part, name in enumerate(PARTS):
        before = _micro(getattr(tariff, f"{name}_per_kwh"))
        for tier in tariff.tiers(name):
            price = _micro(tier.price_per_kwh)
            found.append((part, _micro(tier.above_kwh), price - before))
            before = price
    return tuple(found)


def _micro(value: float) -> int:
    return int(to_micro(value))


def _ppm(value: float) -> int:
    return round(value * MICRO)
