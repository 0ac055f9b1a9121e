"""Micro carbon credits: certificates for avoided emissions, minted from meter readings, pooled, sold once, retired.

Energy is in 1e-6 kWh and money in 1e-6 of the currency, as everywhere on the ledger; avoided emissions are in 1e-6 kg
of CO2, milligrams. Every reading counts once, every milligram is in one certificate or still in the pool, and every
certificate is sold once and retired once; what would break one of these is refused and changes nothing.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger._settlement import LARGEST, payment
from sunshare_sim.ledger.parts import parts_of
from sunshare_sim.units import MICRO, IntArray

MOST_ENERGY: Final = 2**40  # of one reading [1e-6 kWh], as on a bill
MOST_FACTOR: Final = 2**23  # [1e-6 kg/kWh]: with the above, a product fits int64


class Stage(IntEnum):
    """Say where a certificate is in its life; it only ever moves on."""

    HELD = 0
    SOLD = 1
    RETIRED = 2


class Holdings(NamedTuple):
    """Hold what became of each home's avoided emissions [1e-6 kg], shape [homes] each.

    Attributes
    ----------
    certified : IntArray
        Energy its readings were counted for [1e-6 kWh].
    avoided : IntArray
        What that energy avoided: ``pooled + minted``.
    pooled : IntArray
        What waits until the pool holds a whole certificate.
    minted : IntArray
        What is in certificates.
    sold : IntArray
        Of these, what is in certificates that were sold.
    retired : IntArray
        Of these, what is in certificates that are retired.
    revenue : IntArray
        What buyers paid for it [1e-6 currency].
    """

    certified: IntArray
    avoided: IntArray
    pooled: IntArray
    minted: IntArray
    sold: IntArray
    retired: IntArray
    revenue: IntArray


class Sale(NamedTuple):
    """Tell of a sale: which serial numbers, to whom, what was paid, and each home's part of that [1e-6 currency]."""

    serials: range
    buyer: int
    paid: int
    revenue: IntArray


@dataclass
class _Lot:
    """Hold certificates sold together, and each home's part of those not yet retired [1e-6 kg]."""

    serials: range
    buyer: int
    parts: IntArray


class Registry:
    """Keep the certificates of a community, and what of them belongs to which home.

    A certificate belongs to the home whose meter counted the kWh, pooled with its neighbours'; a local trade of the
    same kWh does not carry it. The buyer of the energy has no claim to it, so no kWh is counted twice.

    Parameters
    ----------
    homes : int
        Number of homes.
    size : int
        Avoided emissions in one certificate [1e-6 kg].

    Notes
    -----
    Certificates are numbered as they are minted and sold in that order. They are alike: each takes of all homes in
    proportion to what they have in the pool, in whole milligrams (`parts_of`), so that the parts add up to the
    certificate and no home gives more than it has.

    Examples
    --------
    >>> registry = Registry(homes=2, size=1_000_000)
    >>> registry.register(0, np.array([3_000_000, 1_000_000]), factor=400_000)  # 1.6 kg
    1
    >>> registry.holdings.pooled.tolist()
    [450000, 150000]
    >>> registry.sell(7, registry.unsold, price=55_000).revenue.tolist()  # 5.5 ct a kg
    [41250, 13750]
    >>> registry.retire(7, range(1))
    >>> registry.stage_of(0).name, registry.owner_of(0)
    ('RETIRED', 7)
    """

    def __init__(self, homes: int, size: int) -> None:
        if homes < 1 or size < 1:
            expected = "at least one home, at least 1e-6 kg"
            raise LedgerError(describe("no registry", where="Registry", got=(homes, size), expected=expected))
        self.size = int(size)
        names = ("certified", "avoided", "minted", "sold", "retired", "revenue")
        self._sums: dict[str, IntArray] = {name: np.zeros(homes, dtype=np.int64) for name in names}
        self._registered: set[int] = set()
        self._stages = bytearray()
        self._sold = 0
        self._lots: list[_Lot] = []
        self.paid: dict[int, int] = {}

    def __len__(self) -> int:
        """Return how many certificates have been minted."""
        return len(self._stages)

    @property
    def unsold(self) -> range:
        """Return the serial numbers that wait for a buyer."""
        return range(self._sold, len(self))

    @property
    def holdings(self) -> Holdings:
        """Return what became of each home's avoided emissions."""
        pooled = self._sums["avoided"] - self._sums["minted"]
        return Holdings(pooled=pooled, **{name: column.copy() for name, column in self._sums.items()})

    def stage_of(self, serial: int) -> Stage:
        """Return where a certificate is in its life."""
        self._check_known(range(serial, serial + 1), "stage_of")
        return Stage(self._stages[serial])

    def owner_of(self, serial: int) -> int | None:
        """Return who bought a certificate, None while it is the pool's."""
        self._check_known(range(serial, serial + 1), "owner_of")
        return next((lot.buyer for lot in self._lots if serial in lot.serials), None)

    def register(self, slot: int, energy: IntArray, factor: int) -> int:
        """Count a slot's verified renewable energy, mint the whole certificates in the pool and return how many.

        Parameters
        ----------
        slot : int
            Slot of the readings; each counts once.
        energy : IntArray
            Metered renewable energy [1e-6 kWh], not negative, shape [homes].
        factor : int
            Emissions that a kWh avoids [1e-6 kg/kWh], not negative; a home's milligrams are rounded down.

        Raises
        ------
        LedgerError
            When the slot has been counted before or a value is impossible; nothing was changed.
        """
        where, sums = f"register(slot {slot})", self._sums
        if energy.shape != sums["avoided"].shape or energy.dtype != np.int64:
            got, expected = (energy.shape, str(energy.dtype)), f"shape {sums['avoided'].shape} of int64"
            raise LedgerError(describe("not one integer a home", where=where, got=got, expected=expected))
        if slot in self._registered:
            raise LedgerError(describe("these readings have minted certificates already", where=where))
        low, high = int(energy.min()), int(energy.max())
        if low < 0 or high >= MOST_ENERGY or not 0 <= factor < MOST_FACTOR:
            expected = f"energy below {MOST_ENERGY} and factor below {MOST_FACTOR}, not negative"
            raise LedgerError(
                describe("not an amount", where=where, got=(low, high, factor), expected=expected)
            )
        avoided = energy * int(factor) // MICRO
        for name, more in (("certified", energy), ("avoided", avoided)):
            if _exact(more) > LARGEST - _exact(sums[name]):
                raise LedgerError(describe("more than int64 counts", where=where, got=_exact(more)))
        self._registered.add(slot)
        sums["certified"] += energy
        sums["avoided"] += avoided
        pooled = sums["avoided"] - sums["minted"]
        count = _exact(pooled) // self.size
        if count:
            sums["minted"] += parts_of(count * self.size, pooled)
            self._stages += bytes([Stage.HELD]) * count
        return count

    def sell(self, buyer: int, serials: range, price: int) -> Sale:
        """Sell certificates of the pool, oldest first, and share the money among the homes they are from.

        Parameters
        ----------
        buyer : int
            Account of the buyer.
        serials : range
            The certificates: the next ones that nobody has bought, at least one.
        price : int
            Price [1e-6 currency/kg], not negative; what one certificate costs is rounded down.

        Raises
        ------
        LedgerError
            When one of them is sold, retired or not minted, or an argument is impossible; nothing was changed.
        """
        where = f"sell to {buyer}"
        cost = payment(self.size, int(price)) if price >= 0 else -1
        if cost < 0:
            raise LedgerError(
                describe("not a price", where=where, got=price, expected="0 or above, within int64")
            )
        self._check_known(serials, where)
        if serials.start < self._sold:
            what = f"certificate {serials.start} is {self.stage_of(serials.start).name.lower()} already"
            raise LedgerError(describe(what, where=where, got=serials, expected=f"{self.unsold}"))
        if serials.start > self._sold:
            raise LedgerError(
                describe("sold oldest first", where=where, got=serials, expected=f"{self.unsold}")
            )
        sums, paid = self._sums, cost * len(serials)
        if paid > LARGEST - _exact(sums["revenue"]):
            raise LedgerError(describe("more money than int64 counts", where=where, got=paid))
        parts = parts_of(len(serials) * self.size, sums["minted"] - sums["sold"])
        revenue = parts_of(paid, parts)
        sums["sold"] += parts
        sums["revenue"] += revenue
        self._sold = serials.stop
        self._stages[serials.start : serials.stop] = bytes([Stage.SOLD]) * len(serials)
        self._lots.append(_Lot(serials, buyer, parts))
        self.paid[buyer] = self.paid.get(buyer, 0) + paid
        return Sale(serials, buyer, paid, revenue)

    def retire(self, owner: int, serials: range) -> None:
        """Retire certificates that `owner` bought together, for good.

        Raises
        ------
        LedgerError
            When one of them is not the owner's to retire; nothing was changed.
        """
        where = f"retire by {owner}"
        self._check_known(serials, where)
        lot = next((each for each in reversed(self._lots) if serials.start in each.serials), None)
        if lot is None or serials.stop > lot.serials.stop or lot.buyer != owner:
            got = "none sold to it" if lot is None else f"sold to {lot.buyer} as {lot.serials}"
            expected = "certificates that one sale gave it"
            raise LedgerError(describe("not its certificates", where=where, got=got, expected=expected))
        span = slice(serials.start, serials.stop)
        if any(stage != Stage.SOLD for stage in self._stages[span]):
            raise LedgerError(describe("a certificate is retired already", where=where, got=serials))
        parts = parts_of(len(serials) * self.size, lot.parts)
        lot.parts -= parts
        self._sums["retired"] += parts
        self._stages[span] = bytes([Stage.RETIRED]) * len(serials)

    def check_conservation(self) -> None:
        """Check that every milligram is in one place and every payment has reached the homes.

        Raises
        ------
        LedgerError
            When that does not hold.
        """
        held, retired = self.holdings, self._stages.count(Stage.RETIRED)
        counted = {"minted": len(self), "sold": self._sold, "retired": retired}
        whole = all(_exact(getattr(held, name)) == self.size * count for name, count in counted.items())
        chain = (held.pooled, held.minted - held.sold, held.sold - held.retired, held.retired, held.revenue)
        money = _exact(held.revenue) == sum(self.paid.values())
        if not (
            whole
            and money
            and all((column >= 0).all() for column in chain)
            and _exact(held.pooled) < self.size
        ):
            got = {name: _exact(column) for name, column in held._asdict().items()}
            raise LedgerError(describe("certificates not conserved", where="check_conservation", got=got))

    def _check_known(self, serials: range, where: str) -> None:
        if not serials or serials.step != 1 or serials.start < 0 or serials.stop > len(self):
            expected = f"some of {range(len(self))}" if len(self) else "none has been minted"
            raise LedgerError(describe("no such certificate", where=where, got=serials, expected=expected))


def _exact(column: IntArray) -> int:
    """Return the sum of a column in Python integers, which do not wrap."""
    return sum(column.tolist())
