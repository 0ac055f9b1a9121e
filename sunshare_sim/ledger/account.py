"""What a tariff of several parts asks of each home, slot by slot and period by period, with a market and without.

Only tariffs that need it have an `Account`; all others are billed from the sums of `billing` alone. Both rows of
its arrays, with the local market and without, are filled by the same functions.
"""

from typing import TYPE_CHECKING

import numpy as np

from sunshare_sim.kernels import kernel
from sunshare_sim.ledger._settlement import SETTLED, Trades, payment
from sunshare_sim.ledger.exact import share, tax_on
from sunshare_sim.ledger.terms import LEVIES, NETWORK, SUPPLY, Terms, spread
from sunshare_sim.units import MICRO, IntArray

if TYPE_CHECKING:
    from sunshare_sim.ledger.billing import Accumulators

WITH_MARKET, ALONE = 0, 1


class Account:
    """Add up what every home owes under a tariff's terms; money before VAT [1e-6 currency].

    Attributes
    ----------
    network, levies : IntArray
        By energy, at each slot's price, shape [2, homes]: with the local market, and without.
    more : IntArray
        What tiers add to supply, network and levies, shape [3, 2, homes].
    capacity, export_charge : IntArray
        Charges of the periods that are over, shape [2, homes].
    lost : IntArray
        Credits for surplus that ended unused and are not paid, shape [2, homes].
    premium : IntArray
        What the state paid for shared energy, shape [homes].
    """

    def __init__(self, terms: Terms, homes: int) -> None:
        self.terms = terms
        self.network, self.levies, self.capacity, self.export_charge, self.lost = _zeros(5, homes)
        self.more = _zeros(3, homes)
        self.premium = np.zeros(homes, dtype=np.int64)
        self._slot = self._period = 0
        self._ends = np.cumsum([covered for covered, _ in terms.periods])
        slots = terms.slots
        self._prices = (
            spread(terms.network, slots),
            spread(terms.levies, slots),
            spread(terms.export_window, slots),
        )
        self._zone, self._near = np.array(terms.zones, dtype=np.int64), np.array(terms.near, dtype=np.int64)
        # Of the period so far: energy taken and given in the window [1e-6 kWh], highest slot; credits that are left.
        self._taken, self._given, self._peak, self._credit = _zeros(4, homes)
        # What had been paid when the period began: retail, feed-in, network, levies.
        self._before = _zeros(4, homes)

    def take(self, sums: "Accumulators", net: IntArray, trades: Trades, status: IntArray) -> None:
        """Add the next slot, after `bill_slot` has added it to `sums`."""
        network, levies, window = (int(prices[self._slot]) for prices in self._prices)
        flows = self.network, self.levies, self._taken, self._given, self._peak
        _add_slot(net, sums.bought, sums.sold, (network, levies, window), flows)
        if self.terms.premium_micro:
            _add_premium(self.premium, trades, status, self.terms.premium_micro, (self._zone, self._near))
        self._slot += 1
        if self._slot == self._ends[self._period]:
            self.close(sums)

    def close(self, sums: "Accumulators") -> None:
        """End the billing period: charge its tiers, peak and surplus, and let its credits pay; of an open one too."""
        begun = 0 if not self._period else int(self._ends[self._period - 1])
        if self._period == len(self._ends) or self._slot == begun:
            return
        terms, (covered, whole) = self.terms, self.terms.periods[self._period]
        more = np.zeros_like(self.more)
        for part, above, step in terms.tiers:
            beyond = np.maximum(self._taken - above * covered // whole, 0)
            more[part] += share(beyond, step, MICRO)
        self.more += more
        kw_micro = share(self._peak, 60, terms.slot_minutes)
        self.capacity += share(share(kw_micro, terms.capacity_micro, MICRO), covered, whole)
        charged = np.maximum(self._given - terms.export_free_micro * covered // whole, 0)
        self.export_charge += share(charged, terms.export_charge_micro, MICRO)
        self._period += 1
        self._use_credits(sums, more)
        for counter in (self._taken, self._given, self._peak):
            counter[:] = 0

    def _use_credits(self, sums: "Accumulators", more: IntArray) -> None:
        terms = self.terms
        if not terms.credit_against:
            return
        retail, feed_in = (
            np.stack([sums.retail, sums.retail_alone]),
            np.stack([sums.feed_in, sums.feed_in_alone]),
        )
        now = np.stack([retail, feed_in, self.network, self.levies])
        due, credit, *by_energy = now - self._before
        self._before = now
        due = due + more[SUPPLY] + tax_on(more[SUPPLY], terms.vat_ppm[SUPPLY])
        for part, amount in zip((NETWORK, LEVIES), by_energy, strict=True):
            # What a home takes is charged in full; where credits pay supply alone, the other parts are taken off.
            counted = more[part] if terms.credit_against == "retail" else -amount
            due = due + counted + tax_on(counted, terms.vat_ppm[part])
        self._credit = np.maximum(self._credit + credit - np.maximum(due, 0), 0)
        last = self._period == len(self._ends) or self._slot < self._ends[self._period - 1]
        if last or self._period % terms.settlement_periods == 0:
            self.lost += self._credit - share(self._credit, terms.excess_ppm, MICRO)
            self._credit = np.zeros_like(self._credit)


def _zeros(count: int, homes: int) -> IntArray:
    return np.zeros((count, 2, homes), dtype=np.int64)


@kernel
def _add_slot(
    net: IntArray,
    bought: IntArray,
    sold: IntArray,
    prices: tuple[int, int, int],
    flows: tuple[IntArray, IntArray, IntArray, IntArray, IntArray],
) -> None:
    """Add a slot's payments, energy and peak, with the market (row 0) and without (row 1)."""
    network_price, levies_price, window = prices
    network, levies, taken, given, peak = flows
    for home in range(net.size):
        for row in range(2):
            rest = net[home] - bought[home] + sold[home] if row == 0 else net[home]
            imported, exported = max(rest, 0), max(-rest, 0)
            network[row, home] += payment(imported, network_price)
            levies[row, home] += payment(imported, levies_price)
            taken[row, home] += imported
            given[row, home] += exported * window
            peak[row, home] = max(peak[row, home], imported)


@kernel
def _add_premium(
    premium: IntArray, trades: Trades, status: IntArray, price: int, places: tuple[IntArray, IntArray]
) -> None:
    """Add the premium of a slot's settled trades between near zones to their sellers."""
    zone, near = places
    for i in range(status.size):
        buyer, seller = trades.buyer[i], trades.seller[i]
        if status[i] == SETTLED and near[zone[buyer], zone[seller]]:
            premium[seller] += payment(trades.energy[i], price)
