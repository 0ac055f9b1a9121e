"""Certificates in a run: what the meters counted of the sun becomes micro carbon credits, pooled and sold."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sunshare_sim.community.households import ENTERPRISE, Community
from sunshare_sim.errors import ScenarioError, describe, did_you_mean
from sunshare_sim.inputs.price_series import read_prices
from sunshare_sim.ledger.certificates import Registry
from sunshare_sim.ledger.settlement import payment
from sunshare_sim.scenario.certificates import Certificates
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.units import FloatArray, IntArray, to_micro

FUND = -1


@dataclass
class Certifier:
    """Hold the registry of a run and the rules of its sales.

    Attributes
    ----------
    registry : Registry
        The certificates.
    rules : Certificates
        The scenario's section.
    factor : IntArray
        Emissions that a kWh avoids in each slot [1e-6 kg/kWh], shape [slots].
    buyer : int
        Row of the enterprise that buys, `FUND` for the outside fund.
    budget : int, optional
        What the buyer may still spend [1e-6 currency].
    """

    registry: Registry
    rules: Certificates
    factor: IntArray
    buyer: int
    budget: int | None

    def count(self, slot: int, solar_kwh: FloatArray, net: IntArray) -> None:
        """Register a slot's renewable energy as the meters counted it, and sell what certificates it makes.

        Solar only: what batteries and cars give back was counted when the sun made it, or never was.

        Parameters
        ----------
        slot : int
            The slot.
        solar_kwh : FloatArray
            Generation [kWh], shape [homes].
        net : IntArray
            Metered net [1e-6 kWh], surplus negative, shape [homes].
        """
        solar = to_micro(solar_kwh)
        if self.rules.basis == "injection":
            solar = np.minimum(solar, np.maximum(-net, 0))
        self.registry.register(slot, solar, int(self.factor[slot]))
        self.sell()
        self.registry.check_conservation()

    def sell(self) -> None:
        """Sell what the buyer can pay for, and retire it if the buyer does."""
        price = int(to_micro(self.rules.price_per_kg))
        cost, unsold = payment(self.registry.size, price), self.registry.unsold
        count = len(unsold) if self.budget is None or not cost else min(len(unsold), self.budget // cost)
        if not count:
            return
        sale = self.registry.sell(self.buyer, unsold[:count], price)
        if self.budget is not None:
            self.budget -= sale.paid
        if self.rules.retire:
            self.registry.retire(self.buyer, sale.serials)


def make_certifier(scenario: Scenario, community: Community) -> Certifier | None:
    """Return what makes the run's certificates; None where the scenario wants none.

    Raises
    ------
    ScenarioError, InputError
        When the buyer is no enterprise of the community, or the file of factors cannot be used.
    """
    rules = scenario.settlement.certificates
    if not rules.enabled:
        return None
    return Certifier(
        registry=Registry(len(community.households), int(to_micro(rules.size_kg))),
        rules=rules,
        factor=grid_emissions(rules, community),
        buyer=_buyer(rules.buyer, community),
        budget=None if rules.budget is None else int(to_micro(rules.budget)),
    )


def grid_emissions(rules: Certificates, community: Community) -> IntArray:
    """Return what a kWh from the grid emits in each slot [1e-6 kg/kWh], shape [slots]; a renewable one avoids it."""
    if rules.factor_file is None:
        return np.full(community.grid.slots, round(rules.factor_g_per_kwh * 1000), dtype=np.int64)
    columns = read_prices(rules.factor_file, ("kg_per_kwh",), community.grid, timezone="UTC", negative=False)
    if columns.max() > 5.0:
        worst = float(columns.max())
        raise ScenarioError(
            describe("not a grid's emissions", where=rules.factor_file, got=worst, expected="0 to 5 kg a kWh")
        )
    return to_micro(columns[:, 0])


def _buyer(name: str, community: Community) -> int:
    if name == "fund":
        return FUND
    homes = community.households
    enterprises = [homes.name[row] for row in np.flatnonzero(homes.kind == ENTERPRISE)]
    if name not in enterprises:
        raise ScenarioError(
            describe(
                "no such buyer",
                where="settlement.certificates.buyer",
                got=name,
                expected=", ".join(["fund", *enterprises[:12]]),
                hint=did_you_mean(name, ["fund", *enterprises]),
            )
        )
    return homes.name.index(name)


def certificate_columns(certifier: Certifier) -> dict[str, Any]:
    """Return the table `certificates`: a row a home, and one for the fund if it buys."""
    held = certifier.registry.holdings
    homes = held.avoided.size
    rows = np.append(np.arange(homes), FUND) if certifier.buyer == FUND else np.arange(homes)
    paid = np.zeros(rows.size, dtype=np.int64)
    paid[certifier.buyer] = certifier.registry.paid.get(certifier.buyer, 0)

    def column(values: IntArray) -> IntArray:
        return np.pad(values, (0, rows.size - homes))

    return {
        "household": rows,
        "certified_micro_kwh": column(held.certified),
        **{
            f"{name}_kg_micro": column(getattr(held, name))
            for name in ("avoided", "pooled", "minted", "sold", "retired")
        },
        "revenue_micro": column(held.revenue),
        "paid_micro": paid,
    }
