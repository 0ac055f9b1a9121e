"""The conformance suite itself: ours pass it, and each way to be wrong fails it where it should."""

import random

import numpy as np
import pytest

from sunshare_sim.errors import OrderError
from sunshare_sim.market.auction import PayAsBidAuction, UniformPriceAuction
from sunshare_sim.market.conformance import (
    BOOKS_A_MARKET,
    PROPERTIES,
    check_mechanism,
    random_book,
    random_rules,
)
from sunshare_sim.market.continuous import ContinuousDoubleAuction
from sunshare_sim.market.mechanism import Claim, mechanism_names
from sunshare_sim.market.orders import Fills
from sunshare_sim.streams import stream
from sunshare_sim.units import ASK, BID


@pytest.mark.parametrize("name", mechanism_names())
def test_every_registered_mechanism_conforms(name):
    report = check_mechanism(name)
    assert report.passed, report
    report.raise_on_failure()


def changed(change, base=UniformPriceAuction, claimed=None):
    """Return a mechanism that spoils the fills of another."""

    class Broken(base):
        name = "broken"
        claims = base.claims if claimed is None else frozenset(claimed)

        def clear(self, orders, reference, rng=None):
            clearing = super().clear(orders, reference, rng)
            if not clearing.fills.count:
                return clearing
            return change(clearing, orders)

    return Broken


def with_fills(clearing, **columns):
    return clearing._replace(fills=clearing.fills._replace(**columns))


def repeat(fills, times):
    return Fills(*(np.repeat(column, times) for column in fills))


def swap_prices(clearing, orders):
    """Take the price of the last fill for all, as a clearer that overwrites it does."""
    return with_fills(clearing, price=np.full_like(clearing.fills.price, 60))


def double_fill(clearing, orders):
    """Fill each bid in full against each of its asks."""
    return with_fills(clearing, quantity=orders.quantity[clearing.fills.bid_id])


def dust(clearing, orders):
    """Add a fill of nothing."""
    fills = repeat(clearing.fills, 2)
    fills.quantity[1::2] = 0
    return clearing._replace(fills=fills)


def crumbs(clearing, orders):
    """Split each fill in two."""
    fills = repeat(clearing.fills, 2)
    fills.quantity[::2] //= 2
    fills.quantity[1::2] -= fills.quantity[::2]
    fills = Fills(*(column[fills.quantity > 0] for column in fills))
    return clearing._replace(fills=fills)


def unstated_margin(clearing, orders):
    """Let buyers pay one tick more than anybody gets."""
    return with_fills(clearing, charge=clearing.fills.charge + 1)


def stated_but_not_taken(clearing, orders):
    return clearing._replace(operator_surplus=5)


def unseeded(clearing, orders):
    """Match in an order drawn from the global generator."""
    mixed = list(range(clearing.fills.count))
    random.shuffle(mixed)
    return clearing._replace(fills=Fills(*(column[mixed] for column in clearing.fills)))


def one_less(clearing, orders):
    """Trade a unit less than possible."""
    fills = clearing.fills
    quantity = fills.quantity.copy()
    quantity[0] -= 1
    return clearing._replace(fills=Fills(*(c[quantity > 0] for c in fills._replace(quantity=quantity))))


def no_marginal_units(clearing, orders):
    """Leave out the units that gain nothing."""
    fills = clearing.fills
    gain = orders.price[fills.bid_id] - fills.charge - orders.price[fills.ask_id]
    return clearing._replace(fills=Fills(*(column[gain > 0] for column in fills)))


def floats(clearing, orders):
    return with_fills(clearing, quantity=clearing.fills.quantity.astype(float))


def strangers(clearing, orders):
    return with_fills(clearing, buyer=clearing.fills.buyer + 1)


def sides_swapped(clearing, orders):
    fills = clearing.fills
    return with_fills(clearing, bid_id=fills.ask_id, ask_id=fills.bid_id)


def no_such_row(clearing, orders):
    return with_fills(clearing, ask_id=clearing.fills.ask_id + len(orders.owner))


def below_zero(clearing, orders):
    return with_fills(clearing, price=-clearing.fills.price)


def vandal(clearing, orders):
    orders.quantity[:] = 0
    return clearing


def crash(clearing, orders):
    raise KeyError("price")


def nothing(clearing, orders):
    return None


def bare_fills(clearing, orders):
    return clearing.fills


def lists(clearing, orders):
    return clearing._replace(fills=Fills(*(column.tolist() for column in clearing.fills)))


def columns_of_columns(clearing, orders):
    return clearing._replace(fills=Fills(*(column[:, None] for column in clearing.fills)))


def wrong_taker(clearing, orders):
    return with_fills(clearing, taker=clearing.fills.taker + 1000)


def subsidy(clearing, orders):
    """Pay sellers more than buyers and network bring in, and say so."""
    fills = clearing.fills
    lost = with_fills(clearing, price=fills.price + 1, charge=fills.charge - 1)
    return lost._replace(operator_surplus=-int(fills.quantity.sum()))


def moved_charge(clearing, orders):
    """Let one fill carry another's charge."""
    fills = clearing.fills
    if fills.count < 2 or fills.quantity[0] != fills.quantity[1]:
        return clearing
    charge = fills.charge.copy()
    charge[:2] += 1, -1
    return with_fills(clearing, charge=charge)


class TamperingWithRules(UniformPriceAuction):
    """Open forbidden pairs in the rules themselves."""

    def __init__(self, rules):
        np.maximum(rules.charges, 0, out=rules.charges)
        super().__init__(rules)


class Deaf(UniformPriceAuction):
    """Take charges, and stay with the first ones."""

    def set_charges(self, charges):
        self._told = charges


class Late(ContinuousDoubleAuction):
    """Use new charges one slot too late."""

    def clear(self, orders, reference, rng=None):
        told, self._told = self._told, self._rules
        clearing = super().clear(orders, reference, rng)
        self._told = told
        return clearing


class SelfServing(UniformPriceAuction):
    """Ignore who owns what."""

    def clear(self, orders, reference, rng=None):
        clearing = super().clear(orders._replace(owner=np.arange(len(orders.owner))), reference, rng)
        fills = clearing.fills
        return with_fills(clearing, buyer=orders.owner[fills.bid_id], seller=orders.owner[fills.ask_id])


class BlindToCharges(UniformPriceAuction):
    """Treat forbidden pairs as free."""

    def __init__(self, rules):
        super().__init__(rules)
        self._charges = np.maximum(self._charges, 0)


class Forgetful(ContinuousDoubleAuction):
    """Leave last slot's orders in the book."""

    def clear(self, orders, reference, rng=None):
        fills = self._book.submit_many(*orders)
        return type(super().clear(orders, reference))(fills)


class Optimist(ContinuousDoubleAuction):
    claims = frozenset(Claim) - {Claim.INDIVIDUALLY_RATIONAL}


class Discriminating(PayAsBidAuction):
    claims = frozenset(Claim)


class ByArrival(UniformPriceAuction):
    """Break ties by arrival although a generator is given."""

    def clear(self, orders, reference, rng=None):
        fills = ContinuousDoubleAuction(self._rules).clear(orders, reference).fills
        return super().clear(orders, reference)._replace(fills=fills)


class FallsOverNothing(UniformPriceAuction):
    def clear(self, orders, reference, rng=None):
        orders.price[0]
        return super().clear(orders, reference, rng)


class NeedsAGenerator(UniformPriceAuction):
    def clear(self, orders, reference, rng=None):
        rng.random()
        return super().clear(orders, reference, rng)


class KeepsAFloat(UniformPriceAuction):
    surplus = 0.0

    def clear(self, orders, reference, rng=None):
        return super().clear(orders, reference, rng)._replace(operator_surplus=self.surplus)


class KeepsFalse(KeepsAFloat):
    surplus = False


class KeepsSomethingOfNothing(UniformPriceAuction):
    def clear(self, orders, reference, rng=None):
        return super().clear(orders, reference, rng)._replace(operator_surplus=int(not orders.owner.size))


BROKEN = [
    (FallsOverNothing, "clears every book"),
    (NeedsAGenerator, "clears every book"),
    (KeepsAFloat, "clears every book"),
    (KeepsFalse, "clears every book"),
    (KeepsSomethingOfNothing, "clears every book"),
    (changed(double_fill), "no order is filled beyond its size"),
    (changed(dust), "no empty or split fills"),
    (changed(crumbs), "no empty or split fills"),
    (changed(unstated_margin), "buyers pay = sellers get + charges + stated operator surplus"),
    (changed(stated_but_not_taken), "buyers pay = sellers get + charges + stated operator surplus"),
    (changed(swap_prices), "nobody trades beyond a limit"),
    (changed(below_zero), "no negative price"),
    (changed(unseeded), "same seed, same fills"),
    (changed(one_less), "highest welfare"),
    (changed(no_marginal_units), "most energy at that welfare"),
    (changed(floats), "fills name a bid, an ask and their owners"),
    (changed(strangers), "fills name a bid, an ask and their owners"),
    (changed(sides_swapped), "fills name a bid, an ask and their owners"),
    (changed(no_such_row), "fills name a bid, an ask and their owners"),
    (changed(vandal), "clears every book"),
    (changed(crash), "clears every book"),
    (changed(nothing), "clears every book"),
    (changed(bare_fills), "clears every book"),
    (changed(lists), "clears every book"),
    (changed(columns_of_columns), "fills name a bid, an ask and their owners"),
    (changed(wrong_taker), "fills name a bid, an ask and their owners"),
    (changed(subsidy), "buyers pay = sellers get + charges + stated operator surplus"),
    (changed(moved_charge), "buyers pay = sellers get + charges + stated operator surplus"),
    (TamperingWithRules, "no trade over a forbidden pair"),
    (Deaf, "charges set between slots hold from then on"),
    (Late, "charges set between slots hold from then on"),
    (SelfServing, "no trade with oneself"),
    (BlindToCharges, "no trade over a forbidden pair"),
    (Forgetful, "fills name a bid, an ask and their owners"),
    (Optimist, "highest welfare"),
    (Optimist, "one price a pool and side"),
    (Discriminating, "one price a pool and side"),
    (ByArrival, "order of submission is irrelevant"),
]


@pytest.mark.parametrize(
    ("broken", "where"), BROKEN, ids=[f"{cls.__name__}-{where}" for cls, where in BROKEN]
)
def test_a_broken_mechanism_fails_where_it_is_wrong(broken, where):
    report = check_mechanism(broken, books=100)
    failed = {check.name for check in report.checks if not check.passed}
    assert where in failed, report
    assert not report.passed
    with pytest.raises(OrderError, match="does not conform"):
        report.raise_on_failure()
    assert f"FAIL  {where}" in repr(report)


def test_every_property_has_a_mechanism_that_fails_it():
    assert {where for _, where in BROKEN} == {*PROPERTIES, "clears every book"}


def test_a_spoiler_that_spoils_nothing_passes():
    assert check_mechanism(changed(lambda clearing, orders: clearing), books=100).passed


def test_an_operator_may_keep_what_it_states():
    def margin(clearing, orders):
        fills = clearing.fills
        return unstated_margin(clearing, orders)._replace(operator_surplus=int(fills.quantity.sum()))

    broken = changed(margin, claimed={Claim.ORDER_INDEPENDENT})
    assert check_mechanism(broken, books=100).passed


def test_a_claim_not_made_is_not_held_against():
    report = check_mechanism(changed(one_less, claimed={Claim.INDIVIDUALLY_RATIONAL}), books=50)
    assert report.passed
    assert "highest welfare: not claimed" in repr(report)


def test_the_books_are_as_hard_as_they_should_be():
    """Ties at one price, one-sided and empty books, shared owners, forbidden pairs: all occur often."""
    rng = stream(0, "conformance", "books")
    seen = {"ties": 0, "one-sided": 0, "empty": 0, "shared": 0, "forbidden": 0, "huge": 0, "single units": 0}
    for book in range(300):
        if book % BOOKS_A_MARKET == 0:
            rules = random_rules(rng, 6)
            seen["forbidden"] += (rules.charges < 0).any()
        orders, unit = random_book(rng, rules.pools, book % BOOKS_A_MARKET)
        bids, asks = (orders.price[orders.side == side] for side in (BID, ASK))
        seen["ties"] += len(set(bids.tolist())) < len(bids) and bool(set(bids.tolist()) & set(asks.tolist()))
        seen["one-sided"] += (len(bids) == 0) != (len(asks) == 0)
        seen["empty"] += len(orders.owner) == 0
        seen["shared"] += len(set(orders.owner.tolist())) < len(orders.owner)
        seen["huge"] += bool((orders.quantity > 10**13).any())
        seen["single units"] += bool(len(bids)) and set(orders.quantity.tolist()) == {1}
        assert (orders.quantity % unit == 0).all()
    assert min(seen.values()) >= 5, seen


def test_a_mechanism_that_knows_no_pools_can_be_checked_on_one():
    report = check_mechanism(BlindToCharges, books=50, most_pools=1)
    assert report.passed, report


def test_the_same_seed_gives_the_same_report():
    assert repr(check_mechanism("uniform_price", books=20, seed=3)) == repr(
        check_mechanism("uniform_price", books=20, seed=3)
    )


def test_a_mechanism_that_cannot_be_told_charges_is_not_asked_to():
    class Fixed:
        claims = UniformPriceAuction.claims

        def __init__(self, rules):
            self._inner = UniformPriceAuction(rules)

        def clear(self, orders, reference, rng=None):
            return self._inner.clear(orders, reference, rng)

    assert check_mechanism(Fixed, books=50).passed


def test_what_is_no_mechanism_or_no_claim_is_refused():
    for wrong in (3, None, UniformPriceAuction(random_rules(stream(1, "rules"), 1))):
        with pytest.raises(OrderError, match="a registered name, or a class"):
            check_mechanism(wrong)
    with pytest.raises(OrderError, match="did you mean 'welfare_optimal'"):
        check_mechanism(changed(nothing, claimed={"welfare_optimum"}))


def test_no_books_and_no_such_mechanism_are_errors():
    for wrong in ({"books": 0}, {"books": 2.5}, {"seed": "a"}, {"seed": -1}, {"most_pools": 0}):
        with pytest.raises(OrderError, match=f"{next(iter(wrong))} out of range"):
            check_mechanism("none", **wrong)
    with pytest.raises(OrderError, match="did you mean 'uniform_price'"):
        check_mechanism("uniform")
