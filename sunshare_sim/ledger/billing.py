"""Bills in integers: what the grid supplied and took beside what was traded, and the same flows without a market.

A slot's payment is rounded down once (`settlement.payment`) and added up, so that any bill can be recomputed from the
trades and the metered energy, to the last digit.
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.kernels import kernel
from sunshare_sim.ledger._settlement import SETTLED, Trades, payment
from sunshare_sim.ledger.account import ALONE, WITH_MARKET, Account
from sunshare_sim.ledger.exact import exact_sum, share, tax_on, tax_within
from sunshare_sim.ledger.terms import LEVIES, NETWORK, SUPPLY
from sunshare_sim.units import MICRO, IntArray

# No single amount may reach this (1.1 million kWh or currency): then eight million of them fit int64.
LIMIT: Final = 2**40


class Accumulators(NamedTuple):
    """Hold each home's energy [1e-6 kWh] and money [1e-6 currency] since the start; int64, shape [homes] each.

    `bought` and `sold` are the last slot's own; all others add up over the run. Money is positive whichever way it
    flows, unless a price is below zero. `retail_alone`, `feed_in_alone` and `import_energy_alone` are for the same
    metered flows without a local market; `losses` is what homes pay for energy lost in the wires, with a market or not.
    """

    bought: IntArray
    sold: IntArray
    import_energy: IntArray
    export_energy: IntArray
    bought_energy: IntArray
    sold_energy: IntArray
    retail: IntArray
    feed_in: IntArray
    purchases: IntArray
    sales: IntArray
    wheeling: IntArray
    retail_alone: IntArray
    feed_in_alone: IntArray
    import_energy_alone: IntArray
    losses: IntArray

    @classmethod
    def zeros(cls, homes: int) -> "Accumulators":
        """Return accumulators of `homes` homes at zero."""
        return cls(*np.zeros((len(cls._fields), homes), dtype=np.int64))


class Settled(NamedTuple):
    """Sum up a slot's settlement: energy [1e-6 kWh], value and wheeling [1e-6 currency], and counts of trades."""

    energy: int
    trades: int
    failed: int
    value: int
    wheeling: int


class RetailParts(NamedTuple):
    """Say what a retail price consists of beside the supply.

    Attributes
    ----------
    network_micro, levies_micro : int
        Network charge and levies before VAT [1e-6 currency/kWh].
    vat_ppm : int
        Value added tax in parts per million of the net price.
    standing_micro : int
        Standing charge of a home for the whole run, VAT included [1e-6 currency].
    """

    network_micro: int
    levies_micro: int
    vat_ppm: int
    standing_micro: int


class Bills(NamedTuple):
    """Hold the run's bills: energy [1e-6 kWh], money [1e-6 currency, income negative]; int64, shape [homes] each.

    `total` is the sum of the money fields before it. `counterfactual_network` is what the operator would get without a
    local market: network, network_fixed, capacity and export_charge.
    """

    import_energy: IntArray
    export_energy: IntArray
    bought_energy: IntArray
    sold_energy: IntArray
    supply: IntArray
    network: IntArray
    network_fixed: IntArray
    capacity: IntArray
    export_charge: IntArray
    levies: IntArray
    tax: IntArray
    standing: IntArray
    feed_in: IntArray
    premium: IntArray
    purchases: IntArray
    sales: IntArray
    wheeling: IntArray
    losses: IntArray
    total: IntArray
    counterfactual_total: IntArray
    counterfactual_network: IntArray

    @property
    def saving(self) -> IntArray:
        """Return what the local market saves each home [1e-6 currency], shape [homes]."""
        return self.counterfactual_total - self.total


def bill_slot(
    sums: Accumulators, net: IntArray, trades: Trades, status: IntArray, prices: tuple[int, int]
) -> Settled:
    """Add one slot to every home's account and return what was settled in it.

    What a home needs beyond what it bought is its import; what it has beyond what it sold is its export. A trade that
    failed moved nothing, so its energy is imported and exported like any other.

    Parameters
    ----------
    sums : Accumulators
        Changed in place.
    net : IntArray
        Metered net of the slot [1e-6 kWh], deficit positive, shape [homes].
    trades, status : Trades, IntArray
        The slot's trades and what `Ledger.settle_batch` made of them, shape [trades].
    prices : (int, int)
        Retail and feed-in price of the slot [1e-6 currency/kWh]; below zero money flows the other way.

    Raises
    ------
    LedgerError
        When one amount reaches `LIMIT`, so that a sum could leave int64; nothing was added.
    """
    if net.shape != sums.bought.shape or status.shape != trades.energy.shape:
        got = (net.shape, status.shape)
        expected = f"{sums.bought.shape} and {trades.energy.shape}"
        raise LedgerError(
            describe("net or status of another size", where="bill_slot", got=got, expected=expected)
        )
    retail, feed_in = int(prices[0]), int(prices[1])
    home, settled = _bill(sums, net, trades, status, (retail, feed_in))
    if home >= 0:
        raise LedgerError(
            describe(
                "more energy or money in one slot than a bill can hold",
                where=f"household {home}",
                got=int(net[home]),
                expected=f"every amount below {LIMIT} (1e-6 kWh or 1e-6 currency)",
            )
        )
    return Settled(*settled)


@kernel
def _largest(price: int) -> int:
    """Return the largest energy below `LIMIT` whose payment is below `LIMIT`."""
    return min(LIMIT - 1, (LIMIT * MICRO - 1) // max(price, 1))


@kernel
def _tally(sums: Accumulators, net: IntArray, trades: Trades, status: IntArray, price: int) -> int:
    """Write what each home bought and sold in the slot; return a home with too large an amount, or -1.

    `price` is the larger of the slot's two prices, without their signs.
    """
    sums.bought[:] = 0
    sums.sold[:] = 0
    for i in range(status.size):
        if status[i] == SETTLED:
            buyer, energy = trades.buyer[i], trades.energy[i]
            cost = payment(energy, trades.price_micro[i])
            wheeling = payment(energy, trades.charge_micro[i])
            # One comparison of the joined bits compares each; `BEYOND` makes them negative.
            if not 0 <= (energy | cost | wheeling) < LIMIT:
                return int(buyer)
            sums.bought[buyer] += energy
            sums.sold[trades.seller[i]] += energy
    largest = _largest(price)
    for home in range(net.size):
        # A home's whole energy of the slot bounds each part of it; net goes first, as its own size could wrap.
        small = -LIMIT < net[home] < LIMIT
        if not small or abs(net[home]) + sums.bought[home] + sums.sold[home] > largest:
            return home
    return -1


@kernel
def _bill(
    sums: Accumulators, net: IntArray, trades: Trades, status: IntArray, prices: tuple[int, int]
) -> tuple[int, tuple[int, int, int, int, int]]:
    """Add a slot; return -1 (or the home with too large an amount) and the slot's sums in the order of `Settled`."""
    retail, feed_in = abs(prices[0]), abs(prices[1])
    pays, gets = 1 if prices[0] >= 0 else -1, 1 if prices[1] >= 0 else -1
    energy = count = value = wheeled = 0
    wrong = _tally(sums, net, trades, status, max(retail, feed_in))
    if wrong >= 0:
        return wrong, (energy, count, 0, value, wheeled)
    for i in range(status.size):
        if status[i] == SETTLED:
            buyer, seller, quantity = trades.buyer[i], trades.seller[i], trades.energy[i]
            cost = payment(quantity, trades.price_micro[i])
            wheeling = payment(quantity, trades.charge_micro[i])
            sums.bought_energy[buyer] += quantity
            sums.sold_energy[seller] += quantity
            sums.purchases[buyer] += cost
            sums.sales[seller] += cost
            sums.wheeling[buyer] += wheeling
            energy += quantity
            count += 1
            value += cost
            wheeled += wheeling
    for home in range(net.size):
        rest = net[home] - sums.bought[home] + sums.sold[home]
        # No branch on the sign, which a processor cannot foresee: three times as fast.
        imported, exported = max(rest, 0), max(-rest, 0)
        sums.import_energy[home] += imported
        sums.export_energy[home] += exported
        sums.retail[home] += pays * payment(imported, retail)
        sums.feed_in[home] += gets * payment(exported, feed_in)
        sums.retail_alone[home] += pays * payment(max(net[home], 0), retail)
        sums.feed_in_alone[home] += gets * payment(max(-net[home], 0), feed_in)
        sums.import_energy_alone[home] += max(net[home], 0)
    return -1, (energy, count, status.size - count, value, wheeled)


def bill_losses(bills: Accumulators, losses_by_home: IntArray, retail_micro_per_kwh: int) -> int:
    """Charge homes for energy lost in the wires and return the sum [1e-6 currency].

    Each payment is rounded towards 0. The wires lose as much with a local market as without, because metered flows are
    the same: the charge stands on both bills and moves no saving.

    Parameters
    ----------
    bills : Accumulators
        Changed in place.
    losses_by_home : IntArray
        What each home has to pay of the slot's losses [1e-6 kWh]; below 0 it is a credit; shape [homes].
    retail_micro_per_kwh : int
        Price of a lost kWh, VAT included [1e-6 currency/kWh]; below 0 money flows the other way.

    Raises
    ------
    LedgerError
        When there is not one share a home, or an amount reaches `LIMIT`; nothing was added.
    """
    price = int(retail_micro_per_kwh)
    if losses_by_home.shape != bills.losses.shape:
        got, expected = losses_by_home.shape, bills.losses.shape
        raise LedgerError(describe("not one share a home", where="bill_losses", got=got, expected=expected))
    most = _largest(abs(price))
    wrong = np.flatnonzero((losses_by_home < -most) | (losses_by_home > most))
    if wrong.size:
        home = int(wrong[0])
        raise LedgerError(
            describe(
                "a share of losses that a bill cannot hold",
                where=f"household {home}",
                got=int(losses_by_home[home]),
                expected=f"{-most} to {most} (1e-6 kWh)",
            )
        )
    amount = share(np.abs(losses_by_home), abs(price), MICRO)
    money = np.where((losses_by_home < 0) != (price < 0), -amount, amount)
    bills.losses[:] += money
    return exact_sum(money)


class _GridSide(NamedTuple):
    """Hold what a home and the grid owe each other, with a local market or without; fields as in `Bills`."""

    supply: IntArray
    network: IntArray
    network_fixed: IntArray
    capacity: IntArray
    export_charge: IntArray
    levies: IntArray
    tax: IntArray
    standing: IntArray
    feed_in: IntArray

    @property
    def total(self) -> IntArray:
        return np.asarray(np.sum(self, axis=0, dtype=np.int64))

    @property
    def operators(self) -> IntArray:
        return self.network + self.network_fixed + self.capacity + self.export_charge


def make_bills(sums: Accumulators, parts: RetailParts, account: Account | None = None) -> Bills:
    """Write the bills of a run.

    Tax, network charge and levies are rounded down; supply is the rest of the retail amount, so that the parts add up
    to the last digit (with a supply price of 0 it can be a few units of 1e-6 below zero).

    Parameters
    ----------
    sums : Accumulators
        What all slots added up to.
    parts : RetailParts
        What the retail price consists of, where its parts are the same in all slots.
    account : Account, optional
        What a tariff of several parts asks beyond that; a period still open is ended. Network charge and levies are
        then those of the account.
    """
    if account is None:
        with_market = _plain(sums.retail, sums.import_energy, sums.feed_in, parts)
        alone = _plain(sums.retail_alone, sums.import_energy_alone, sums.feed_in_alone, parts)
        premium = np.zeros_like(sums.retail)
    else:
        account.close(sums)
        with_market = _by_terms(sums.retail, sums.feed_in, parts, account, WITH_MARKET)
        alone = _by_terms(sums.retail_alone, sums.feed_in_alone, parts, account, ALONE)
        premium = -account.premium
    local = {
        "premium": premium,
        "purchases": sums.purchases.copy(),
        "sales": -sums.sales,
        "wheeling": sums.wheeling.copy(),
        "losses": sums.losses.copy(),
    }
    return Bills(
        import_energy=sums.import_energy.copy(),
        export_energy=sums.export_energy.copy(),
        bought_energy=sums.bought_energy.copy(),
        sold_energy=sums.sold_energy.copy(),
        **with_market._asdict(),
        **local,
        total=with_market.total + sum(local.values()),
        counterfactual_total=alone.total + sums.losses,
        counterfactual_network=alone.operators,
    )


def _plain(retail: IntArray, energy: IntArray, feed_in: IntArray, parts: RetailParts) -> _GridSide:
    """Take a retail amount apart, once a run, by the exact energy."""
    tax, nothing = tax_within(retail, parts.vat_ppm), np.zeros_like(retail)
    network, levies = share(energy, parts.network_micro, MICRO), share(energy, parts.levies_micro, MICRO)
    return _GridSide(
        supply=retail - tax - network - levies,
        network=network,
        network_fixed=nothing,
        capacity=nothing,
        export_charge=nothing,
        levies=levies,
        tax=tax,
        standing=np.full_like(retail, parts.standing_micro),
        feed_in=-feed_in,
    )


def _by_terms(
    retail: IntArray, feed_in: IntArray, parts: RetailParts, account: Account, row: int
) -> _GridSide:
    """Take a retail amount apart by an account's network charge and levies, and add what its periods cost."""
    terms, more = account.terms, account.more[:, row]
    network, levies = account.network[row], account.levies[row]
    tax = tax_on(network, terms.vat_ppm[NETWORK]) + tax_on(levies, terms.vat_ppm[LEVIES])
    gross_supply = retail - network - levies - tax
    supply_tax = tax_within(gross_supply, terms.vat_ppm[SUPPLY])
    fixed = np.full_like(retail, terms.network_fixed_micro)
    capacity, export_charge = account.capacity[row], account.export_charge[row]
    beyond = [*zip(more, terms.vat_ppm, strict=True)]
    beyond += [(each, terms.vat_ppm[NETWORK]) for each in (fixed, capacity, export_charge)]
    return _GridSide(
        supply=gross_supply - supply_tax + more[SUPPLY],
        network=network + more[NETWORK],
        network_fixed=fixed,
        capacity=capacity.copy(),
        export_charge=export_charge.copy(),
        levies=levies + more[LEVIES],
        tax=tax + supply_tax + sum(tax_on(amount, vat_ppm) for amount, vat_ppm in beyond),
        standing=np.full_like(retail, parts.standing_micro),
        feed_in=account.lost[row] - feed_in,
    )


def counterparties(bills: Bills, vat_ppm: int) -> dict[str, int]:
    """Return what operator, retailer and state receive from all homes [1e-6 currency].

    The operator gets all network charges and wheeling; the state levies and VAT, that within the standing charge and
    the price of lost energy too, and pays premiums; the retailer gets the rest, and pays for what is fed in. With all
    homes' totals as payments the sum is exactly 0, since what buyers pay for local energy is what sellers get.
    """
    other_tax = tax_within(bills.standing, vat_ppm) + tax_within(bills.losses, vat_ppm)
    return {
        "operator": exact_sum(
            bills.network, bills.network_fixed, bills.capacity, bills.export_charge, bills.wheeling
        ),
        "retailer": exact_sum(bills.supply, bills.standing, bills.losses, -other_tax, bills.feed_in),
        "state": exact_sum(bills.levies, bills.tax, other_tax, bills.premium),
    }
