"""What a scenario says of its market, seen in runs: standing orders, rates, capacities, k, the tape, the quotes."""

import numpy as np
import pytest

import sunshare_sim as ss
from sunshare_sim.errors import OrderError, ResultError, ScenarioError
from sunshare_sim.market.mechanism import MarketRules, make_mechanism, mechanism
from sunshare_sim.scenario.load import dump
from sunshare_sim.simulation.session import Simulation
from sunshare_sim.units import MICRO


def steps(scenario):
    """Yield the state after each slot."""
    simulation = Simulation(scenario)
    for _ in range(scenario.time.slots):
        simulation.step()
        yield simulation.state


@pytest.fixture
def run(make_small, tmp_path):
    def go(**changes):
        return ss.run(make_small(**changes), out=tmp_path / f"run-{len(list(tmp_path.iterdir()))}")

    return go


def sold_within_meters(state):
    sold = np.zeros(state.net.size, dtype=np.int64)
    np.add.at(sold, state.trades.buyer, state.trades.energy)
    np.subtract.at(sold, state.trades.seller, state.trades.energy)
    return (sold * np.sign(state.net) <= np.abs(state.net)).all() and (sold * state.net >= 0).all()


@pytest.mark.parametrize("lifetime", [1, 3, "until_filled"])
@pytest.mark.parametrize("strategy", ["zi_c", "tariff_bound", "zip"])
def test_standing_orders_sell_metered_energy_only(make_small, lifetime, strategy):
    scenario = make_small(homes=12, slots=24, strategy=strategy, market__order_lifetime=lifetime)
    traded = 0
    for state in steps(scenario):
        assert sold_within_meters(state)
        traded += int(state.trades.energy.sum())
    assert traded > 0


def test_a_lifetime_of_one_slot_is_the_default(run):
    kept = {"results__orders": True, "strategy": "zi_c", "homes": 10, "slots": 12, "market__rounds": 1}
    default, one = run(**kept), run(**kept, market__order_lifetime=1)
    for name in ("trades", "orders", "bills", "slots"):
        assert default.exact(name).equals(one.exact(name))
    assert "order_lifetime: 1" in dump(one.scenario)


def test_homes_that_quote_the_same_price_trade_in_the_order_they_have_stood(run):
    """Everybody quotes the tariffs' bounds, so that only the order of arrival decides."""
    changes = {"homes": 12, "slots": 24, "strategy": "tariff_bound", "results__orders": True}
    each, stands = run(**changes), run(**changes, market__order_lifetime="until_filled")
    assert each.slots.traded_kwh.tolist() == stands.slots.traded_kwh.tolist()
    assert not each.bills.equals(stands.bills)


@pytest.mark.parametrize("most", [1, 3])
def test_homes_send_no_more_orders_than_their_rate(run, most):
    changes = {"homes": 8, "slots": 12, "strategy": "zip", "market__rounds": 6, "results__orders": True}
    free, held = run(**changes), run(**changes, market__orders_per_slot=most)
    sent = free.orders.groupby(["slot", "household"]).size()
    kept = held.orders.groupby(["slot", "household"]).size()
    assert sent.max() > most
    assert kept.max() == most
    assert held.slots.rejected.sum() == held.households.rejected.sum() > 0
    assert free.slots.rejected.sum() == free.households.rejected.sum() == 0


def test_one_order_a_slot_is_within_every_rate(run):
    once = {"slots": 6, "market__rounds": 1}
    free, held = run(**once), run(**once, market__orders_per_slot=1)
    assert free.exact("trades").equals(held.exact("trades"))
    assert held.slots.rejected.sum() == 0


@pytest.mark.parametrize("market", [{}, {"market__rounds": 3}, {"market__order_lifetime": 3}])
@pytest.mark.parametrize("capacity", [0.0, 0.25, [[-1, 0.2], [0.1, 0.4]]])
def test_pairs_of_zones_trade_no_more_than_their_capacity(run, market, capacity):
    changes = {"homes": 12, "slots": 12, "strategy": "tariff_bound", **market}
    free, held = run(**changes), run(**changes, market__pair_capacity_kwh=capacity)
    most = np.array([[-1, capacity], [capacity, -1]]) if isinstance(capacity, float) else np.array(capacity)

    def carried(run):
        energy = np.zeros((run.scenario.time.slots, 2, 2))
        trades = run.trades
        np.add.at(energy, (trades.slot, trades.buyer_pool, trades.seller_pool), trades.energy_kwh)
        return energy

    assert (carried(free) > np.where(most < 0, np.inf, most)).any()
    assert (carried(held) <= np.where(most < 0, np.inf, most) + 1e-9).all()
    assert held.slots.traded_kwh.sum() > 0


def test_a_matrix_of_capacities_must_fit_the_zones(make_small):
    with pytest.raises(ScenarioError, match="2 zones"):
        Simulation(make_small(market__pair_capacity_kwh=[[1.0]]))


def test_k_moves_the_uniform_price_from_the_sellers_to_the_buyers(run):
    prices = [
        run(
            strategy="tariff_bound", market__mechanism="uniform_price", market__k=k
        ).trades.price_per_kwh.mean()
        for k in (0.0, 0.5, 1.0)
    ]
    assert prices[0] <= prices[1] <= prices[2]
    assert prices[0] < prices[2]


def test_all_keys_stand_in_the_resolved_scenario(run):
    kept = run(slots=2, market__pair_capacity_kwh=0.5, market__orders_per_slot=4, market__order_lifetime=2)
    text = (kept.folder / "resolved.yaml").read_text(encoding="utf-8")
    for line in ("order_lifetime: 2", "orders_per_slot: 4", "pair_capacity_kwh: 0.5", "k: 0.5"):
        assert line in text
    assert kept.scenario.market.pair_capacity_kwh == 0.5


def test_charges_of_the_slot_are_those_that_trades_pay(make_small):
    """Zones trade in even slots only, then at 7 ticks."""
    for rounds in (1, 3):
        simulation = Simulation(
            make_small(homes=12, slots=12, strategy="tariff_bound", market__rounds=rounds)
        )
        state = simulation.state
        apart, joined = np.array([[1, -1], [-1, 1]]), np.array([[1, 7], [7, 1]])
        seen = set()
        for slot in range(12):
            state.charges = apart if slot % 2 else joined
            simulation.step()
            zone = state.community.households.zone
            pairs = zone[state.trades.buyer] != zone[state.trades.seller]
            assert not (slot % 2 and pairs.any())
            seen |= set((state.trades.charge_micro[pairs] // state.tick_micro).tolist())
        assert seen == {7}


def test_a_mechanism_without_set_charges_is_refused_only_where_charges_change(make_small, monkeypatch):
    from sunshare_sim.market import mechanism as module

    monkeypatch.setattr(module, "_REGISTRY", dict(module.mechanisms()))

    @mechanism("fixed")
    class Fixed:
        claims = frozenset()

        def __init__(self, rules):
            self._inner = make_mechanism("cda", rules)

        def clear(self, orders, reference, rng=None):
            return self._inner.clear(orders, reference, rng)

    simulation = Simulation(make_small(slots=4, market__mechanism="fixed"))
    simulation.step()
    simulation.state.charges = simulation.state.charges + 1
    with pytest.raises(OrderError, match="set_charges"):
        simulation.step()


@pytest.mark.parametrize(
    "market",
    [
        {},
        {"market__rounds": 3},
        {"market__order_lifetime": "until_filled"},
        {"market__mechanism": "uniform_price"},
        {"market__mechanism": "posted_seller"},
    ],
)
def test_the_tape_holds_every_quote_and_trade_in_order_of_time(run, market):
    kept = run(homes=12, slots=12, strategy="zip", results__orders=True, **market)
    tape = kept.tape()
    quotes, trades = tape[tape.kind == "quote"], tape[tape.kind == "trade"]
    assert tape.slot.is_monotonic_increasing
    assert quotes.household.tolist() == kept.orders.household.tolist()
    assert trades.quantity_kwh.tolist() == kept.trades.energy_kwh.tolist()
    assert trades.buyer.tolist() == kept.trades.buyer.tolist()
    assert len(trades)
    last = None
    for row in tape.itertuples():
        if row.kind == "quote":
            last = row
        elif row.household >= 0:
            assert row.household == last.household
            assert row.household in {row.buyer, row.seller}
    arrived = trades.household >= 0
    if kept.scenario.market.mechanism == "uniform_price":
        assert not arrived.any()
        for _, kinds in tape.groupby("slot").kind:
            assert sorted(kinds) == kinds.tolist()  # quotes, then trades
    else:
        assert arrived.all()


def test_a_tape_needs_orders(run):
    with pytest.raises(ResultError, match=r"results\.orders"):
        run(slots=2).tape()


@pytest.mark.parametrize("rounds", [1, 4])
def test_best_quotes_of_a_slot(run, rounds):
    kept = run(
        homes=12, slots=12, strategy="zip", market__rounds=rounds, results__quotes=True, results__orders=True
    )
    quotes, orders = kept.quotes, kept.orders
    assert len(quotes) == 12 * 2
    for (slot, pool), row in quotes.groupby(["slot", "pool"]):
        here = orders[(orders.slot == slot) & (orders.pool == pool)]
        for side, name, best in (("bid", "highest_bid", "max"), ("ask", "lowest_ask", "min")):
            price = getattr(here[here.side == side].price_per_kwh, best)()
            assert row[f"{name}_per_kwh"].item() == pytest.approx(price, nan_ok=True)
    left = quotes.dropna(subset=["best_bid_per_kwh", "best_ask_per_kwh"])
    assert (
        left.best_bid_per_kwh - 0.01 < left.best_ask_per_kwh
    ).all()  # no zone is left crossed net of charges
    both = quotes.dropna(subset=["best_bid_per_kwh", "highest_bid_per_kwh"])
    assert (both.best_bid_per_kwh <= both.highest_bid_per_kwh + 1 / MICRO).all()
    assert len(both)


def test_rules_refuse_what_they_cannot_mean():
    free = np.zeros((2, 2), dtype=np.int64)
    for wrong in ({"lifetime": 0}, {"capacity": np.zeros((1, 1), dtype=np.int64)}, {"capacity": free + 0.5}):
        with pytest.raises(OrderError):
            MarketRules(2, free, 64, **wrong)
    for name in ("uniform_price", "pay_as_bid", "mid_market_rate", "supply_demand_ratio", "bill_sharing"):
        with pytest.raises(OrderError, match="capacities"):
            make_mechanism(name, MarketRules(2, free, 64, capacity=free))


def test_figures_of_the_market(run, tmp_path):
    from sunshare_sim.results.market_figures import depth_of

    kept = run(
        homes=12, slots=12, strategy="zip", market__rounds=1, results__quotes=True, results__orders=True
    )
    for figure in (kept.plot.depth(), kept.plot.depth(slot=0), kept.plot.quotes()):
        figure.savefig(tmp_path / "figure.png")
        assert figure.axes[0].get_title(loc="left")
    labels = [line.get_label() for line in kept.plot.price_path().axes[0].lines]
    assert {"highest bid left", "lowest ask left"} <= set(labels)
    for slot in range(12):
        book, orders = depth_of(kept, slot), kept.orders[kept.orders.slot == slot]
        for side in ("bid", "ask"):
            part, mine = book[book.side == side], orders[orders.side == side]
            assert part.quantity_kwh.sum() == pytest.approx(mine.quantity_kwh.sum())
            assert part.orders.sum() == len(mine)
            assert (part.price_per_kwh if side == "ask" else -part.price_per_kwh).is_monotonic_increasing
    for wrong in (12, -1, 1.5, "a"):
        with pytest.raises(ResultError, match="no such slot"):
            kept.plot.depth(slot=wrong)
    with pytest.raises(ResultError, match=r"results\.quotes"):
        run(slots=2).plot.quotes()


@pytest.mark.parametrize(
    ("market", "problem"),
    [
        ({"order_lifetime": 0}, "out of range"),
        ({"order_lifetime": "day"}, "order_lifetime"),
        ({"order_lifetime": 2, "rounds": 4}, "in rounds every home quotes anew"),
        ({"order_lifetime": 2, "mechanism": "uniform_price"}, "live for one slot"),
        ({"orders_per_slot": 0}, "orders_per_slot"),
        ({"pair_capacity_kwh": -1.0}, "out of range"),
        ({"pair_capacity_kwh": [[1.0, 2.0], [3.0]]}, "not square"),
        ({"pair_capacity_kwh": [[1.0, 2e9], [3.0, 4.0]]}, "out of range"),
        ({"pair_capacity_kwh": 1.0, "mechanism": "mid_market_rate"}, "no capacities"),
        ({"k": 1.5}, "k"),
    ],
)
def test_what_a_scenario_cannot_mean_is_refused(make_small, market, problem):
    with pytest.raises(ValueError, match=problem):
        make_small(**{f"market__{key}": value for key, value in market.items()})


def test_standing_orders_meet_what_cheaper_wires_let_through_before_anyone_arrives(make_small, tmp_path):
    steady = {"count": 6, "strategy": {"name": "tariff_bound"}}
    sellers = {"name": "sellers", **steady, "solar": {"source": "values", "kwh": [1.0, 0.9]}}
    sellers["demand"] = {"source": "values", "kwh": [0.1]}
    buyers = {"name": "buyers", **steady, "demand": {"source": "values", "kwh": [0.9, 0.7]}}
    late = {"name": "late", **steady, "count": 2, "demand": {"source": "values", "kwh": [0.0, 0.4]}}
    scenario = make_small(
        slots=16,
        households__groups=[sellers, buyers, late],
        market__order_lifetime="until_filled",
        results__orders=True,
    )
    simulation = Simulation(scenario, out=tmp_path / "run")
    swept = 0
    for slot in range(16):
        simulation.state.charges = np.full((2, 2), 3 if slot % 2 else -1)
        simulation.step()
        assert sold_within_meters(simulation.state)
        swept += int((simulation.state.fills.taker < 0).sum())
    tape = simulation.finish().tape()
    assert swept > 0
    assert ((tape.kind == "trade") & (tape.household >= 12)).any()  # those who come late trade as they arrive
    assert swept == ((tape.kind == "trade") & (tape.household < 0)).sum()
    made = tape[(tape.kind == "trade") & (tape.household >= 0)]
    assert ((made.household == made.buyer) | (made.household == made.seller)).all()
    first = tape.groupby("slot").head(1)
    assert ((first.kind == "trade") == (first.household < 0)).all()


def test_homes_in_rounds_see_the_best_quotes_net_of_the_slots_charges(make_small, monkeypatch):
    from sunshare_sim.simulation import trading

    seen = []
    rounds = trading.trade_in_rounds

    def watched(book, ground, *others, **options):
        seen.append(ground.charges.copy())
        assert np.array_equal(book.charges, ground.charges)
        return rounds(book, ground, *others, **options)

    monkeypatch.setattr(trading, "trade_in_rounds", watched)
    simulation = Simulation(make_small(slots=4, market__rounds=2))
    for slot in range(4):
        simulation.state.charges = np.full((2, 2), slot)
        simulation.step()
    assert [int(charges.max()) for charges in seen] == [0, 1, 2, 3]


def test_a_third_partys_mechanism_gets_its_options_from_the_scenario(make_small, monkeypatch):
    from sunshare_sim.market import mechanism as module

    monkeypatch.setattr(module, "_REGISTRY", dict(module.mechanisms()))

    @mechanism("closed-at")
    class ClosedAt:
        claims = frozenset()

        def __init__(self, rules, *, slot=0, note=""):
            self._inner, self._slots, self.note = make_mechanism("cda", rules), slot, note

        def clear(self, orders, reference, rng=None):
            self._slots -= 1
            open_ = orders if self._slots < 0 else type(orders)(*(column[:0] for column in orders))
            return self._inner.clear(open_, reference, rng)

    changes = {"slots": 8, "homes": 12, "strategy": "tariff_bound", "market__mechanism": "closed-at"}
    scenario = make_small(**changes, market__parameters={"slot": 3, "note": "late"})
    traded = [int(state.trades.energy.sum()) for state in steps(scenario)]
    assert traded[:3] == [0, 0, 0]
    assert sum(traded) > 0
    with pytest.raises(OrderError, match="did you mean 'slot'"):
        Simulation(make_small(**changes, market__parameters={"slots": 3}))
    with pytest.raises(OrderError, match="none at all"):
        Simulation(make_small(market__parameters={"k": 3}))
