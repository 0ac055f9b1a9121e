"""Certificates: nothing is counted, sold or retired twice, and nothing is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.certificates import Registry, Stage
from sunshare_sim.ledger.parts import parts_of

HOMES = 3
SIZE = 1_000_000


def kwh(*values):
    return np.array(values, dtype=np.int64) * 1_000_000


@given(st.integers(0, 10**15), st.lists(st.integers(0, 10**15), min_size=1, max_size=9).filter(any))
def test_parts_add_up_and_are_fair_to_the_unit(amount, weights):
    parts = parts_of(amount, np.array(weights))
    assert sum(parts.tolist()) == amount
    whole = sum(weights)
    for part, weight in zip(parts.tolist(), weights, strict=True):
        assert amount * weight // whole <= part <= -(-amount * weight // whole)
    within = min(amount, whole)
    assert (parts_of(within, np.array(weights)) <= np.array(weights)).all()


def test_an_example_by_hand():
    """5 and 3 kWh at 250 g: 1.25 and 0.75 kg, two certificates of 1 kg, at 0.10 a kg: 0.125 and 0.075."""
    registry = Registry(2, SIZE)
    assert registry.register(0, kwh(5, 3), 250_000) == 2
    assert registry.holdings.minted.tolist() == [1_250_000, 750_000]
    assert registry.holdings.pooled.tolist() == [0, 0]
    sale = registry.sell(9, range(2), 100_000)
    assert (sale.paid, sale.revenue.tolist()) == (200_000, [125_000, 75_000])
    registry.retire(9, range(1))
    assert [registry.stage_of(serial) for serial in (0, 1)] == [Stage.RETIRED, Stage.SOLD]
    assert registry.holdings.retired.tolist() == [625_000, 375_000]
    assert registry.paid == {9: 200_000}
    registry.check_conservation()


class Life(RuleBasedStateMachine):
    """Register, sell and retire in any order, rightly and wrongly, beside a plain count of what should be there."""

    def __init__(self):
        super().__init__()
        self.registry = Registry(HOMES, SIZE)
        self.slots = set()
        self.avoided = self.paid = 0
        self.stages = []
        self.owners = []

    @rule(slot=st.integers(0, 5), energy=st.lists(st.integers(0, 9 * 10**6), min_size=HOMES, max_size=HOMES),
          factor=st.integers(0, 900_000))  # fmt: skip
    def register(self, slot, energy, factor):
        before = self.registry.holdings
        if slot in self.slots:
            with pytest.raises(LedgerError, match="minted certificates already"):
                self.registry.register(slot, np.array(energy), factor)
            assert all(np.array_equal(a, b) for a, b in zip(before, self.registry.holdings, strict=True))
            return
        minted = self.registry.register(slot, np.array(energy), factor)
        self.slots.add(slot)
        self.avoided += sum(each * factor // 10**6 for each in energy)
        self.stages += [Stage.HELD] * minted
        self.owners += [None] * minted
        assert len(self.stages) == self.avoided // SIZE

    @rule(
        buyer=st.integers(0, 2),
        start=st.integers(-1, 8),
        count=st.integers(0, 4),
        price=st.integers(-1, 10**6),
    )
    def sell(self, buyer, start, count, price):
        serials = range(start, start + count)
        inside = count > 0 and start >= 0 and serials.stop <= len(self.stages)
        held = inside and all(self.stages[each] is Stage.HELD for each in serials)
        oldest = held and start == sum(stage is not Stage.HELD for stage in self.stages)
        if not oldest or price < 0:
            with pytest.raises(LedgerError):
                self.registry.sell(buyer, serials, price)
            return
        sale = self.registry.sell(buyer, serials, price)
        assert sale.paid == count * (SIZE * price // 10**6) == sum(sale.revenue.tolist())
        self.paid += sale.paid
        for serial in serials:
            self.stages[serial], self.owners[serial] = Stage.SOLD, (buyer, start)

    @rule(owner=st.integers(0, 2), start=st.integers(0, 8), count=st.integers(0, 3))
    def retire(self, owner, start, count):
        serials = range(start, start + count)
        inside = count > 0 and serials.stop <= len(self.stages)
        lots = {self.owners[each] for each in serials} if inside else set()
        mine = len(lots) == 1 and None not in lots and next(iter(lots))[0] == owner
        if not mine or any(self.stages[each] is not Stage.SOLD for each in serials):
            with pytest.raises(LedgerError):
                self.registry.retire(owner, serials)
            return
        self.registry.retire(owner, serials)
        for serial in serials:
            self.stages[serial] = Stage.RETIRED

    @invariant()
    def all_is_where_it_should_be(self):
        registry, held = self.registry, self.registry.holdings
        registry.check_conservation()
        assert sum(held.avoided.tolist()) == self.avoided
        assert [registry.stage_of(each) for each in range(len(registry))] == self.stages
        assert [registry.owner_of(each) for each in range(len(registry))] == [
            each and each[0] for each in self.owners
        ]
        for name, least in (("minted", Stage.HELD), ("sold", Stage.SOLD), ("retired", Stage.RETIRED)):
            count = sum(stage >= least for stage in self.stages)
            assert sum(getattr(held, name).tolist()) == count * SIZE
        assert (held.avoided == held.pooled + held.minted).all()
        assert sum(held.revenue.tolist()) == self.paid == sum(registry.paid.values())


TestLife = Life.TestCase


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.register(0, kwh(1, 1, 1), 1), "minted certificates already"),
        (lambda r: r.register(1, kwh(1, 1), 1), "not one integer a home"),
        (lambda r: r.register(1, np.array([1.0, 1.0, 1.0]), 1), "not one integer a home"),
        (lambda r: r.register(1, np.array([1, -1, 1]), 1), "not an amount"),
        (lambda r: r.register(1, np.array([1, 2**40, 1]), 1), "not an amount"),
        (lambda r: r.register(1, kwh(1, 1, 1), -1), "not an amount"),
        (lambda r: r.sell(1, range(1), 5), "certificate 0 is retired already"),
        (lambda r: r.sell(1, range(1, 2), 5), "certificate 1 is sold already"),
        (lambda r: r.sell(1, range(3, 4), 5), "oldest first"),
        (lambda r: r.sell(1, range(2, 9), 5), "no such certificate"),
        (lambda r: r.sell(1, range(2, 2), 5), "no such certificate"),
        (lambda r: r.sell(1, range(2, 3), -5), "not a price"),
        (lambda r: r.retire(7, range(1)), "retired already"),
        (lambda r: r.retire(8, range(1, 2)), "not its certificates"),
        (lambda r: r.retire(7, range(2, 3)), "not its certificates"),
        (lambda r: r.stage_of(99), "no such certificate"),
        (lambda r: Registry(0, 5), "no registry"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(call, words):
    registry = Registry(HOMES, SIZE)
    registry.register(0, kwh(4, 5, 3), 400_000)
    registry.sell(7, range(2), 50_000)
    registry.retire(7, range(1))
    before = [column.tolist() for column in registry.holdings]
    with pytest.raises(LedgerError, match=words):
        call(registry)
    assert [column.tolist() for column in registry.holdings] == before
    registry.check_conservation()


def test_a_registry_that_does_not_add_up_is_told():
    registry = Registry(HOMES, SIZE)
    registry.register(0, kwh(4, 5, 3), 400_000)
    registry._sums["minted"][0] -= 1
    with pytest.raises(LedgerError, match="not conserved"):
        registry.check_conservation()
