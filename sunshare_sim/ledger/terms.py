"""What a tariff of several parts needs beyond a retail and a feed-in price a slot, as sealed in a run's genesis."""

from typing import Any, Final, Literal, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.units import IntArray

Runs = tuple[tuple[int, int], ...]
SUPPLY, NETWORK, LEVIES = 0, 1, 2
PARTS: Final = ("supply", "network", "levies")
LARGEST: Final = 2**62


class Terms(NamedTuple):
    """Hold the terms of a tariff as plain whole numbers; money in 1e-6 of the currency, before VAT.

    Attributes
    ----------
    slot_minutes : int
        Length of a slot.
    periods : tuple of (int, int)
        Billing periods in order: slots of each in the run, and of a whole one.
    network, levies : tuple of (int, int)
        Price by energy [1e-6 currency/kWh], as runs of slots: how many, and the price.
    vat_ppm : (int, int, int)
        Value added tax on supply, network and levies, in parts per million.
    tiers : tuple of (int, int, int)
        Part (0 supply, 1 network, 2 levies), energy of a whole period beyond which it holds [1e-6 kWh], and what a kWh
        beyond costs more (or less) than one before [1e-6 currency].
    network_fixed_micro : int
        Fixed network charge of a home for the run.
    capacity_micro : int
        Charge on a kW of the highest import of a slot in a whole period.
    export_charge_micro, export_free_micro : int
        Charge on a kWh fed in in the slots of `export_window`, and energy of a whole period that is free [1e-6 kWh].
    export_window : tuple of (int, int)
        Runs of slots: how many, and whether they count (1).
    credit_against : str
        What credits for surplus may pay: ``retail``, ``supply``, or nothing for surplus paid in money.
    settlement_periods, excess_ppm : int
        After how many periods credits end, and what part of those left is paid.
    premium_micro : int
        What the state pays the seller of a shared kWh.
    zones : tuple of int
        Zone of each home; empty without a premium.
    near : tuple of tuple of int
        Whether energy between two zones counts as shared, one row a buyer's zone; empty without a premium.
    """

    slot_minutes: int
    periods: tuple[tuple[int, int], ...]
    network: Runs
    levies: Runs
    vat_ppm: tuple[int, int, int]
    tiers: tuple[tuple[int, int, int], ...] = ()
    network_fixed_micro: int = 0
    capacity_micro: int = 0
    export_charge_micro: int = 0
    export_free_micro: int = 0
    export_window: Runs = ()
    credit_against: Literal["", "retail", "supply"] = ""
    settlement_periods: int = 1
    excess_ppm: int = 0
    premium_micro: int = 0
    zones: tuple[int, ...] = ()
    near: tuple[tuple[int, ...], ...] = ()

    @property
    def slots(self) -> int:
        """Return the number of slots of the run."""
        return sum(covered for covered, _ in self.periods)


def runs_of(values: IntArray) -> Runs:
    """Return values as runs of equal ones.

    >>> runs_of(np.array([7, 7, 8]))
    ((2, 7), (1, 8))
    """
    first = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1])
    counts = np.diff(np.concatenate([first, [values.size]]))
    return tuple(zip(counts.tolist(), values[first].tolist(), strict=True))


def spread(runs: Runs, slots: int) -> IntArray:
    """Return the value of each slot, shape [slots]; no runs are zeros."""
    if not runs:
        return np.zeros(slots, dtype=np.int64)
    counts, values = zip(*runs, strict=True)
    return np.repeat(np.array(values, dtype=np.int64), counts)


def parse_terms(values: dict[str, Any], *, slots: int, households: int) -> Terms:
    """Return the terms of a JSON object, checked to fit a run of so many slots and households.

    Raises
    ------
    LedgerError
        When they do not.
    """
    terms = Terms(**{name: _frozen(value, name) for name, value in values.items()})
    zones = len(terms.near)
    placed = len(terms.zones) == households and all(0 <= zone < zones for zone in terms.zones)
    fits = {
        "slot_minutes": terms.slot_minutes > 0,
        "periods": terms.slots == slots and all(0 < covered <= whole for covered, whole in terms.periods),
        "network": _length(terms.network) == slots,
        "levies": _length(terms.levies) == slots,
        "export_window": _length(terms.export_window) == (slots if terms.export_window else 0),
        "vat_ppm": len(terms.vat_ppm) == len(PARTS) and min(terms.vat_ppm) >= 0,
        "tiers": all(part in range(len(PARTS)) and above >= 0 for part, above, _ in terms.tiers),
        "credit_against": terms.credit_against in {"", "retail", "supply"},
        "settlement_periods": terms.settlement_periods > 0,
        "zones": placed or not (terms.zones or terms.premium_micro),
        "near": all(len(row) == zones for row in terms.near),
    }
    for name, right in fits.items():
        if not right:
            raise LedgerError(describe("does not fit the run", where=f"genesis.json, terms.{name}"))
    return terms


def _length(runs: Runs) -> int:
    return sum(count for count, _ in runs)


def _frozen(value: Any, name: str) -> Any:
    """Return a value of whole numbers, lists as tuples; the text may come from anyone."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(item, name) for item in value)
    if (type(value) is int and abs(value) < LARGEST) or (name == "credit_against" and isinstance(value, str)):
        return value
    raise LedgerError(
        describe("not a whole number that fits", where=f"genesis.json, terms.{name}", got=value)
    )
