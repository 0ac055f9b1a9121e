"""The contract every mechanism keeps: rules, registry, and the two simplest mechanisms."""

import re
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from sunshare_sim.errors import OrderError
from sunshare_sim.market import mechanism as module
from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import (
    Claim,
    Clearing,
    MarketRules,
    ReferencePrices,
    make_mechanism,
    mechanism,
    mechanism_names,
)
from sunshare_sim.market.orders import Fills, Orders
from sunshare_sim.streams import stream

GRID = ReferencePrices(30, 8)
BUILT_IN = {
    "bill_sharing",
    "cda",
    "mid_market_rate",
    "none",
    "pay_as_bid",
    "posted_buyer",
    "posted_seller",
    "supply_demand_ratio",
    "uniform_price",
}


@pytest.fixture
def registry(monkeypatch):
    mechanism_names()
    monkeypatch.setattr(module, "_REGISTRY", dict(module._REGISTRY))
    return module._REGISTRY


def rules(charges=((0, 2), (2, 0)), levels=64, **others):
    matrix = np.array(charges, dtype=np.int64)
    return MarketRules(len(matrix), matrix, levels, **others)


def random_orders(seed, count=50, pools=2):
    rng = stream(seed, "orders")
    side = rng.choice([-1, 1], count)
    return Orders(np.arange(count), side, rng.integers(0, pools, count), *rng.integers(1, 60, (2, count)))


def test_names():
    assert set(mechanism_names()) >= BUILT_IN
    assert list(mechanism_names()) == sorted(mechanism_names())
    for name in mechanism_names():
        assert make_mechanism(name, rules()).name == name


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_mechanism_states_its_source_and_its_properties(name):
    made = make_mechanism(name, rules())
    assert made.claims <= frozenset(Claim)
    if name not in {"none", "cda"}:
        assert "udget balanced" in type(made).__doc__


def test_an_unknown_name_or_option_is_an_error_with_the_nearest_valid_one():
    with pytest.raises(
        OrderError, match=r"unknown mechanism; got 'uniform_prise'.*did you mean 'uniform_price'"
    ):
        make_mechanism("uniform_prise", rules())
    with pytest.raises(OrderError, match=r"unknown option of cda; got 'kk'; expected one of none at all"):
        make_mechanism("cda", rules(), kk=1)


def test_third_parties_register_a_class_with_options(registry):
    @mechanism("lottery")
    class Lottery:
        claims = frozenset()

        def __init__(self, rules, *, prize=1):
            self.prize = prize

        def clear(self, orders, reference, rng=None):
            return Clearing(Fills.empty(), operator_surplus=0)

    assert make_mechanism("lottery", rules(), prize=7).prize == 7
    assert Lottery.name == "lottery"
    with pytest.raises(OrderError, match=r"got 'prise'.*did you mean 'prize'"):
        make_mechanism("lottery", rules(), prise=7)
    with pytest.raises(OrderError, match="name already taken"):
        mechanism("cda")(Lottery)


def test_a_class_defined_again_replaces_the_older(registry):
    def define(value):
        class Cell:
            answer = value

        Cell.__qualname__ = "Cell"
        return mechanism("cell")(Cell)

    define(1)
    define(2)
    assert registry["cell"].answer == 2


def test_other_packages_are_found_by_their_entry_point(registry, monkeypatch):
    entry = EntryPoint("theirs", f"{__name__}:Theirs", module.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: type("Theirs", (), {"clear": None.__eq__}))
    monkeypatch.setattr(module, "entry_points", lambda group: [entry] if group == module.ENTRY_POINTS else [])
    assert "theirs" in mechanism_names()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("no_such_module:Theirs", "mechanism cannot be loaded.*ModuleNotFoundError"),
        ("math:pi", "not a mechanism.*method clear"),
        ("fractions:Fraction", "not a mechanism.*method clear"),
    ],
)
def test_a_broken_entry_point_is_named(registry, monkeypatch, value, says):
    entry = EntryPoint("theirs", value, module.ENTRY_POINTS)
    monkeypatch.setattr(module, "entry_points", lambda group: [entry])
    with pytest.raises(OrderError, match=f"entry point theirs = {value}") as error:
        mechanism_names()
    assert re.search(says, str(error.value))
    assert "theirs" not in registry


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MarketRules(2, np.zeros((1, 2), dtype=np.int64), 64), "not a matrix of charges"),
        (lambda: MarketRules(1, np.zeros((1, 1)), 64), "not a matrix of charges"),
        (lambda: MarketRules(1, np.full((1, 1), 1 << 24), 64), "charge too high"),
        (lambda: rules(levels=1), "price_levels out of range"),
        (lambda: rules(pricing="rest"), "did you mean 'resting'"),
        (lambda: rules(k=1.5), "k out of range"),
        (lambda: rules(k=float("nan")), "k out of range"),
        (lambda: rules(k="a"), "k out of range"),
        (lambda: rules(k=None), "k out of range"),
        (lambda: rules(lifetime=1.5), "lifetime out of range"),
        (lambda: rules(lifetime="a"), "lifetime out of range"),
        (lambda: rules(levels=2.5), "price_levels out of range"),
        (lambda: rules(pricing=None), "unknown pricing"),
        (lambda: make_mechanism("cda", rules(), name="x"), "unknown option of cda; got 'name'"),
        (lambda: make_mechanism("cda", rules(), rules=1), "unknown option of cda; got 'rules'"),
    ],
)
def test_bad_rules_are_refused(make, says):
    with pytest.raises(OrderError, match=says):
        make()


def test_k_is_exact():
    assert (rules(k=0.29).k_ratio * 100) == 29


@pytest.mark.parametrize("pricing", ["ask", "resting", "midpoint"])
def test_cda_is_the_order_book_slot_by_slot(pricing):
    cda = make_mechanism("cda", rules(pricing=pricing))
    for seed in range(3):
        orders = random_orders(seed)
        book = OrderBook(rules().charges, pricing=pricing, price_levels=64)
        expected = book.submit_many(*orders)
        assert expected.count > 5
        clearing = cda.clear(orders, GRID)
        assert clearing.operator_surplus == 0
        for got, want in zip(clearing.fills, expected, strict=True):
            assert got.tolist() == want.tolist()


def test_none_trades_nothing():
    assert make_mechanism("none", rules()).clear(random_orders(1), GRID).fills.count == 0


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_slot_leaves_no_trace_in_the_next(name):
    used, fresh = make_mechanism(name, rules()), make_mechanism(name, rules())
    for seed in range(4):
        used.clear(random_orders(seed, count=80), GRID)
    orders = random_orders(9)
    for got, want in zip(used.clear(orders, GRID).fills, fresh.clear(orders, GRID).fills, strict=True):
        assert got.tolist() == want.tolist()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_fills_survive_the_next_call(name):
    """A mechanism may reuse its memory, but not that of the fills it has given away."""
    made = make_mechanism(name, rules())
    fills = made.clear(random_orders(1), GRID).fills
    kept = [column.copy() for column in fills]
    made.clear(random_orders(2), GRID)
    for column, copy in zip(fills, kept, strict=True):
        assert column.tolist() == copy.tolist()
