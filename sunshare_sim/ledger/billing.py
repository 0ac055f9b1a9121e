"""Bills in integers: what the grid supplied and took beside what was traded, and the same flows without a market.

A slot's payment is rounded down once (`settlement.payment`) and added up, so that any bill can be recomputed from the
trades and the metered energy, to the last digit.
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.kernels import kernel
from sunshare_sim.ledger._settlement import SETTLED, Trades, payment
from sunshare_sim.units import MICRO, IntArray

# No single amount may reach this (1.1 million kWh or currency): then eight million of them fit int64.
LIMIT: Final = 2**40


class Accumulators(NamedTuple):
    """Hold each home's energy [1e-6 kWh] and money [1e-6 currency] since the start; int64, shape [homes] each.

    `bought` and `sold` are the last slot's own; all others add up over the run. Money is positive whichever way it
    flows. `retail_alone` and `feed_in_alone` are for the same metered flows without a local market.
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

    `total` is the sum of the money fields before it.
    """

    import_energy: IntArray
    export_energy: IntArray
    bought_energy: IntArray
    sold_energy: IntArray
    supply: IntArray
    network: IntArray
    levies: IntArray
    tax: IntArray
    standing: IntArray
    feed_in: IntArray
    purchases: IntArray
    sales: IntArray
    wheeling: IntArray
    total: IntArray
    counterfactual_total: IntArray

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
        Retail and feed-in price of the slot [1e-6 currency/kWh], not negative.

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
    if retail < 0 or feed_in < 0:
        raise LedgerError(
            describe("negative price", where="bill_slot", got=(retail, feed_in), expected=">= 0")
        )
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

    `price` is the higher of the slot's two prices.
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
    retail, feed_in = prices
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
        sums.retail[home] += payment(imported, retail)
        sums.feed_in[home] += payment(exported, feed_in)
        sums.retail_alone[home] += payment(max(net[home], 0), retail)
        sums.feed_in_alone[home] += payment(max(-net[home], 0), feed_in)
    return -1, (energy, count, status.size - count, value, wheeled)


def make_bills(sums: Accumulators, parts: RetailParts) -> Bills:
    """Write the bills of a run.

    Tax, network charge and levies are computed once, from the retail amount and the exact energy, each rounded down;
    supply is the rest of the retail amount, so that the parts add up to the last digit (with a supply price of 0 it can
    be a few units of 1e-6 below zero).
    """
    tax = _tax_within(sums.retail, parts.vat_ppm)
    network = _share(sums.import_energy, parts.network_micro, MICRO)
    levies = _share(sums.import_energy, parts.levies_micro, MICRO)
    standing = np.full_like(tax, parts.standing_micro)
    return Bills(
        import_energy=sums.import_energy.copy(),
        export_energy=sums.export_energy.copy(),
        bought_energy=sums.bought_energy.copy(),
        sold_energy=sums.sold_energy.copy(),
        supply=sums.retail - tax - network - levies,
        network=network,
        levies=levies,
        tax=tax,
        standing=standing,
        feed_in=-sums.feed_in,
        purchases=sums.purchases.copy(),
        sales=-sums.sales,
        wheeling=sums.wheeling.copy(),
        total=sums.retail + standing - sums.feed_in + sums.purchases - sums.sales + sums.wheeling,
        counterfactual_total=sums.retail_alone + standing - sums.feed_in_alone,
    )


def counterparties(bills: Bills, vat_ppm: int) -> dict[str, int]:
    """Return what operator, retailer and state receive from all homes [1e-6 currency].

    The operator gets network and wheeling charges; the state levies and VAT, that within the standing charge too; the
    retailer the rest, and pays for what is fed in. With all homes' totals as payments the sum is exactly 0, since
    what buyers pay for local energy is what sellers get.
    """
    standing_tax = _tax_within(bills.standing, vat_ppm)
    return {
        "operator": _exact(bills.network, bills.wheeling),
        "retailer": _exact(bills.supply, bills.standing, -standing_tax, bills.feed_in),
        "state": _exact(bills.levies, bills.tax, standing_tax),
    }


def _share(amount: IntArray, numerator: int, denominator: int) -> IntArray:
    """Return ``amount * numerator // denominator`` where the product may not fit int64 but the result does."""
    units, rest = amount // denominator, amount % denominator
    return units * numerator + rest * numerator // denominator


def _tax_within(gross: IntArray, vat_ppm: int) -> IntArray:
    """Return the VAT contained in a gross amount, rounded down."""
    return _share(gross, vat_ppm, MICRO + vat_ppm)


def _exact(*columns: IntArray) -> int:
    """Sum columns over all homes in Python integers, which do not wrap."""
    return sum(int(value) for column in columns for value in column)
