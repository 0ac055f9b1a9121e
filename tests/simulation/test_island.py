"""An island balances exactly, sheds by priority, settles all it shares, and leaves no trace when it is over."""

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.cli import main
from sunshare_sim.results.run import Run
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.island import Limits, Registers, balance, pooled
from sunshare_sim.simulation.session import Simulation

ISLAND = {"kind": "island", "start": 4, "end": 10}


@st.composite
def islands(draw):
    homes, cars = draw(st.integers(1, 6)), draw(st.integers(0, 3))

    def column(size, most=10**8):
        return np.array(draw(st.lists(st.integers(0, most), min_size=size, max_size=size)), dtype=np.int64)

    limits = Limits(column(homes), column(homes), column(cars), column(cars))
    share = draw(st.floats(-1, 1))
    battery = np.where(share > 0, share * limits.charge, share * limits.discharge).astype(np.int64)
    takes = draw(st.booleans())
    none = np.zeros(cars, dtype=np.int64)
    taken, given_back = (limits.take.copy(), none) if takes else (none, limits.give.copy())
    tier = np.array(draw(st.lists(st.integers(1, 3), min_size=homes, max_size=homes)), dtype=np.int64)
    return Registers(column(homes), column(homes), battery, taken, given_back), limits, tier


@given(islands())
def test_an_island_balances_to_the_unit_within_every_limit(island):
    registers, limits, tier = island
    before = Registers(*(column.copy() for column in registers))
    shed = balance(registers, limits, tier)
    load, solar, battery, taken, given_back = registers
    assert load.sum() + taken.sum() + battery.sum() == solar.sum() + given_back.sum()
    assert (load == before.load - shed).all()
    assert (load >= 0).all()
    assert ((solar >= 0) & (solar <= before.solar)).all()
    assert ((-limits.discharge <= battery) & (battery <= limits.charge)).all()
    assert ((taken >= 0) & (taken <= np.maximum(limits.take, before.taken))).all()
    assert ((given_back >= 0) & (given_back <= np.maximum(limits.give, before.given))).all()
    assert not (taken * given_back).any()
    # Nothing is shed while anything else could help, and no sun is lost that somebody could take.
    if shed.any():
        assert (battery == -limits.discharge).all()
        assert not taken.any()
        assert (solar == before.solar).all()
        worst = tier[shed > 0].max()
        assert not load[tier < worst].any()
    if (solar < before.solar).any():
        assert (battery == limits.charge).all()
        assert not given_back.any()


def test_within_a_priority_all_shed_the_same_part():
    load = np.array([300, 100, 500, 700])
    none = np.zeros(0, dtype=np.int64)
    nothing = np.zeros(4, dtype=np.int64)
    registers = Registers(load.copy(), np.array([0, 0, 0, 1000]), nothing.copy(), none, none)
    shed = balance(registers, Limits(nothing, nothing, none, none), np.array([1, 1, 2, 3]))
    assert shed.tolist() == [300, 100, 200, 0]
    registers = Registers(load.copy(), np.array([0, 0, 0, 1200]), nothing.copy(), none, none)
    shed = balance(registers, Limits(nothing, nothing, none, none), np.array([1, 1, 2, 3]))
    assert shed.tolist() == [300, 100, 0, 0]
    registers = Registers(load.copy(), np.array([0, 0, 0, 1400]), nothing.copy(), none, none)
    shed = balance(registers, Limits(nothing, nothing, none, none), np.array([1, 1, 2, 3]))
    assert shed.tolist() == [150, 50, 0, 0]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20))
def test_the_pool_carries_every_surplus_to_a_deficit(rest):
    rest = np.array([*rest, -sum(rest)])
    trades = pooled(rest, 7)
    left = rest.copy()
    np.subtract.at(left, trades.buyer, trades.energy)
    np.add.at(left, trades.seller, trades.energy)
    assert not left.any()
    assert (trades.energy > 0).all()
    assert (trades.buyer != trades.seller).all()
    assert trades.energy.size < rest.size


def finished(scenario, folder) -> tuple[Simulation, Run]:
    with Simulation(scenario, out=folder / "run") as simulation:
        while not simulation.clock.finished:
            simulation.step()
        return simulation, simulation.finish()


def changed(scenario, *, market=None, ev=None, battery=None):
    data = scenario.model_dump()
    data["market"].update(market or {})
    for group in data["households"]["groups"]:
        group["ev"] = ev
        if group["battery"]:
            group["battery"].update(battery or {})
    return Scenario.model_validate(data)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"market": {"mechanism": "none"}},
        {"market": {"mechanism": "uniform_price"}},
        {"market": {"mechanism": "bill_sharing"}},
        {"market": {"mechanism": "posted_seller"}},
        {"market": {"rounds": 4}},
        {"market": {"order_lifetime": "until_filled"}},
        {"ev": {"charging": "on_arrival", "sessions_per_week": 10.0}},
        {"ev": {"charging": "spread", "sessions_per_week": 10.0}},
        {"ev": {"charging": "v2g", "sessions_per_week": 10.0}},
        {
            "battery": {
                "efficiency_curve": [{"load": 0.1, "efficiency": 0.7}, {"load": 1.0, "efficiency": 0.95}]
            }
        },
        {"battery": {"dispatch": "market_aware", "standby_w": 8.0}},
    ],
    ids=str,
)
def test_no_energy_crosses_the_breaker_and_all_of_it_is_settled(make_small, tmp_path, changes):
    scenario = changed(make_small(10, 48, events=[{"kind": "island", "start": 10, "end": 40}]), **changes)
    with Simulation(scenario, out=tmp_path / "run") as simulation:
        state, stored = simulation.state, simulation.community.batteries
        while not simulation.clock.finished:
            before = state.soc_kwh.copy()
            simulation.step()
            flows = state.flows
            assert all((column >= 0).all() for column in flows)
            assert (state.soc_kwh <= stored.max_soc_kwh + 1e-9).all()
            assert (state.soc_kwh >= stored.min_soc_kwh - 1e-9).all()
            if not 10 <= state.slot < 40:
                continue
            assert state.net.sum() == 0
            left = state.net.copy()
            np.subtract.at(left, state.trades.buyer, state.trades.energy)
            np.add.at(left, state.trades.seller, state.trades.energy)
            assert not left.any()
            if not changes.get("ev") and not changes.get("battery"):
                moved = (
                    flows.charge * stored.charge_efficiency - flows.discharge / stored.discharge_efficiency
                )
                assert state.soc_kwh - before == pytest.approx(moved, abs=1e-9)
        run = simulation.finish()
    inside = run.slots[(run.slots.slot >= 10) & (run.slots.slot < 40)]
    assert (inside.islanded == 10).all()
    assert not inside.import_kwh.any()
    assert not inside.export_kwh.any()
    assert (inside.failed == 0).all()
    assert (run.slots.islanded[~run.slots.slot.isin(inside.slot)] == 0).all()
    assert run.slots.unserved_kwh.sum() == pytest.approx(run.households.unserved_kwh.sum())
    assert run.accounts.cash.sum() == pytest.approx(run.accounts.funded.sum())
    done = CliRunner().invoke(main, ["verify", str(run.folder)])
    assert done.exit_code == 0, done.output


def test_shedding_follows_the_stated_priority(make_small, tmp_path):
    """In the first islanded slot 2.0 kWh can come out of batteries for 2.4 kWh of load: 0.4 are shed."""
    for first, last in (("buyers", "sellers"), ("sellers", "buyers")):
        island = {**ISLAND, "end": 5, "priority": {first: 1, last: 2}}
        scenario = make_small(6, 6, events=[island], households__groups=None)
        _, run = finished(scenario, tmp_path / first)
        homes = run.households
        unserved = homes.groupby("group").unserved_kwh.sum()
        assert unserved[first] == pytest.approx(0.4, abs=1e-5)
        assert unserved[last] == 0
        group = homes[homes.group == first]
        load = 0.5 if first == "buyers" else 0.3
        assert group.interruption_h.to_numpy() == pytest.approx(group.unserved_kwh.to_numpy() / load)
        assert np.ptp(group.unserved_kwh) <= 1.1e-6


@pytest.fixture
def make_small(make_small):
    def make(homes=6, slots=16, **changes):
        if changes.pop("households__groups", 0) is None:
            scenario = make_small(homes, slots, **changes)
            data = scenario.model_dump()
            for group in data["households"]["groups"]:
                if group["battery"]:
                    # Full before the island begins, and 1 kW each of two: 2 kWh in its first slot.
                    group["battery"].update(initial_soc=1.0, dispatch="rule", reserve=1.0, share=0.67)
            return Scenario.model_validate(data)
        return make_small(homes, slots, **changes)

    return make


def test_what_the_market_leaves_is_shared_at_the_stated_price(make_small, tmp_path):
    prices = {}
    for rule in ("mid_market", "feed_in", "retail"):
        scenario = make_small(events=[{**ISLAND, "rest_price": rule}], market__mechanism="none")
        _, run = finished(scenario, tmp_path / rule)
        inside = run.trades[(run.trades.slot >= 4) & (run.trades.slot < 10)]
        assert len(run.trades) == len(inside) > 0
        assert not inside.charge_per_kwh.any()
        prices[rule] = inside.price_per_kwh.unique()
    slots = run.slots
    assert prices["retail"] == pytest.approx(slots.retail_per_kwh.unique())
    assert prices["feed_in"] == pytest.approx(slots.feed_in_per_kwh.unique())
    assert prices["mid_market"] == pytest.approx((prices["retail"] + prices["feed_in"]) / 2, abs=1e-6)


def test_a_payment_that_fails_is_billed_by_the_supplier_and_all_still_adds_up(make_small, tmp_path):
    """Homes with 5 ct run out of money: what they cannot pay their neighbours stands as import, and as export."""
    island = {"kind": "island", "start": 2, "end": 20}
    simulation, run = finished(
        make_small(10, 24, events=[island], settlement__initial_balance=0.05), tmp_path
    )
    inside = run.slots[2:20]
    assert inside.failed.sum() > 0
    assert (inside.import_kwh - inside.export_kwh).abs().max() < 1e-9
    assert inside.import_kwh.sum() > 0
    assert (inside.traded_kwh + inside.import_kwh).to_numpy() == pytest.approx(inside.deficit_kwh.to_numpy())
    simulation.state.ledger.check_conservation()
    assert CliRunner().invoke(main, ["verify", str(run.folder)]).exit_code == 0


def test_the_market_works_inside_and_not_across(make_small, tmp_path):
    """Zone "feeder 1" (buses a, b) is cut off; "feeder 2" (bus c) stays with the grid."""
    scenario = make_small(12, 24, events=[{"kind": "island", "start": 2, "end": 20, "zones": ["feeder 1"]}])
    simulation, run = finished(scenario, tmp_path)
    inside = run.trades[(run.trades.slot >= 2) & (run.trades.slot < 20)]
    assert (inside.buyer_pool == inside.seller_pool).all()
    assert {0, 1} >= set(inside.buyer_pool)
    assert 0 in set(inside.buyer_pool)
    outside = run.trades[(run.trades.slot < 2) | (run.trades.slot >= 20)]
    assert (outside.buyer_pool != outside.seller_pool).any()
    zone = simulation.community.households.zone
    assert set(run.slots.islanded[2:20]) == {np.count_nonzero(zone == 0)}
    assert run.slots.import_kwh[2:20].sum() > 0
    assert np.array_equal(simulation.state.charges, simulation.community.charges)


def test_two_islands_at_once_do_not_trade_with_each_other(make_small, tmp_path):
    island = {
        "kind": "island",
        "start": 2,
        "end": 20,
        "zones": ["feeder 1", "feeder 2"],
        "rest_price": "feed_in",
    }
    _, run = finished(make_small(12, 24, events=[island]), tmp_path)
    inside = run.trades[(run.trades.slot >= 2) & (run.trades.slot < 20)]
    assert (inside.buyer_pool == inside.seller_pool).all()
    assert not run.slots.import_kwh[2:20].any()
    assert not run.slots.export_kwh[2:20].any()


def test_an_island_that_is_over_leaves_only_its_batteries_behind(make_small, tmp_path):
    """Before the island all is as without it; a scenario with no event is the one from before there were any."""
    _, plain = finished(make_small(8, 16), tmp_path / "plain")
    _, cut = finished(make_small(8, 16, events=[{**ISLAND, "start": 8, "end": 10}]), tmp_path / "cut")
    columns = [name for name in plain.slots.columns if name != "failed"]
    assert plain.slots[columns][:8].equals(cut.slots[columns][:8])
    assert not plain.slots.unserved_kwh.any()
    assert len(plain.table("events")) == 0


def test_cars_wait_before_any_home_goes_dark(make_small, tmp_path):
    """With cars on top of it, no home is served less than without them in the first slot of the island."""
    ev = {"charging": "on_arrival", "sessions_per_week": 14.0}
    events = [{"kind": "island", "start": 18, "end": 24}]
    simulation, run = finished(changed(make_small(8, 30, events=events), ev=ev), tmp_path / "cars")
    inside = run.slots[18:24]
    assert not inside.ev_kwh[inside.unserved_kwh > 0].any()
    free = changed(make_small(8, 30), ev=ev)
    _, without = finished(free, tmp_path / "free")
    assert without.slots.ev_kwh[18:24].sum() > inside.ev_kwh.sum()
    # What they did not get is asked for later, or told as a shortfall.
    missing = simulation.state.ev.need_kwh.sum() + run.households.ev_shortfall_kwh.sum()
    assert missing > 0 or run.slots.ev_kwh[24:].sum() > without.slots.ev_kwh[24:].sum()


def one_car(tmp_path, charging, *, island, solar=(0.0,), energy=20.0, **ev):
    """Return a case of a home with a car, plugged in from 18:00 to 07:00 local time for 20 kWh, and one without."""
    stays = tmp_path / "stays.csv"
    stays.write_text(
        "car,arrival,departure,energy_kwh,place\n"
        f"0,2025-03-03T18:00+01:00,2025-03-04T07:00+01:00,{energy:g},\n"
    )
    car = {
        "charger_kw": 10.0,
        "efficiency": 1.0,
        "charging": charging,
        "sessions_file": stays.as_posix(),
        **ev,
    }
    line = {"from_bus": "substation", "to_bus": "a", "r_ohm": 0.1, "x_ohm": 0.05}
    homes = [
        {"name": "driver", "count": 1, "demand": {"source": "values", "kwh": [1.0]}, "ev": car},
        {
            "name": "other",
            "count": 1,
            "demand": {"source": "values", "kwh": [1.0]},
            "solar": {"source": "values", "kwh": list(solar)},
        },
    ]
    return Scenario.model_validate(
        {
            "time": {"start": "2025-03-03", "slots": 36, "slot_minutes": 60},
            "feeder": {"source": "inline", "lines": [line]},
            "households": {"groups": homes},
            "events": [{"kind": "island", "start": island[0], "end": island[1]}],
            "results": {"figures": False, "panels": ["ev_kwh", "discharge_kwh"]},
        }
    )


def test_a_car_charges_after_the_island_what_it_could_not_in_it(tmp_path):
    """Dark from 18:00 to 21:00: nothing is there to charge from, and 20 kWh fit into the two hours after it."""
    simulation, run = finished(one_car(tmp_path, "on_arrival", island=(18, 21)), tmp_path)
    assert run.panel("ev_kwh")[0].to_numpy()[18:24].tolist() == [0, 0, 0, 10, 10, 0]
    assert run.households.ev_shortfall_kwh[0] == 0
    assert run.households.unserved_kwh.tolist() == [3.0, 3.0]
    assert run.households.interruption_h.tolist() == [3.0, 3.0]
    assert simulation.state.ev.need_kwh[0] == 0


@pytest.mark.parametrize("charging", ["on_arrival", "spread", "delayed", "v2g"])
def test_what_a_car_lacks_when_it_leaves_is_told(tmp_path, charging):
    """Dark until it has left but for 4 kWh of sun an hour, of which two homes use 2: 6 of the 20 kWh in three hours."""
    solar = (*(0.0,) * 24, 4.0, 4.0, 4.0, *(0.0,) * 9)
    _, run = finished(one_car(tmp_path, charging, island=(18, 34), solar=solar, battery_kwh=40.0), tmp_path)
    taken = run.panel("ev_kwh")[0].to_numpy()
    given_back = run.panel("discharge_kwh")[0].to_numpy()
    assert taken[24:27].tolist() == [2.0, 2.0, 2.0]
    assert taken.sum() - given_back.sum() == pytest.approx(6.0)
    assert run.households.ev_shortfall_kwh[0] == pytest.approx(14.0)


def test_a_car_that_gives_is_full_again_when_it_leaves(tmp_path):
    """The island ends at 22:00 with nine hours to go: the car serves both homes until then, down to its reserve."""
    island = (18, 22)
    case = one_car(tmp_path, "v2g", island=island, battery_kwh=40.0, reserve=0.3, leave=0.9, energy=20.0)
    simulation, run = finished(case, tmp_path)
    # It comes with 36 - 20 = 16 kWh and gives down to 12: two hours of 2 kWh.
    assert run.panel("discharge_kwh")[0].to_numpy()[18:22].tolist() == pytest.approx([2.0, 2.0, 0.0, 0.0])
    assert run.households.ev_given_kwh[0] == pytest.approx(run.panel("discharge_kwh")[0].sum())
    assert run.households.unserved_kwh.sum() == pytest.approx(4.0)
    assert run.households.ev_shortfall_kwh[0] == pytest.approx(0.0, abs=1e-6)
    assert run.panel("ev_kwh")[0].sum() == pytest.approx(20.0 + run.households.ev_given_kwh[0])
    assert simulation.state.plant.cars.soc_kwh[0] == pytest.approx(36.0)


def test_a_car_keeps_what_the_grid_could_not_put_back(tmp_path):
    """The island lasts until the car leaves: it gives nothing, as it already has less than it needs."""
    _, run = finished(one_car(tmp_path, "v2g", island=(18, 33), battery_kwh=40.0), tmp_path)
    assert run.households.ev_given_kwh[0] == 0
    assert run.households.ev_shortfall_kwh[0] == pytest.approx(20.0)


def test_what_passes_a_battery_in_an_island_counts_as_its_cycles_and_wear(make_small, tmp_path):
    panels = ("charge_kwh", "discharge_kwh", "soc_kwh")
    scenario = make_small(8, 30, events=[{"kind": "island", "start": 5, "end": 25}], results__panels=panels)
    scenario = changed(scenario, battery={"standby_w": 20.0, "ageing": {}})
    simulation, run = finished(scenario, tmp_path)
    charge, discharge, soc = (run.panel(name).to_numpy().astype(float) for name in panels)
    homes = run.households
    owns = (homes.battery_kwh > 0).to_numpy()
    through = (charge + discharge).sum(axis=0)[owns]
    assert homes.battery_cycles[owns].to_numpy() == pytest.approx(
        through / (2 * homes.battery_kwh[owns]), abs=1e-5
    )
    # Every hour costs a battery the 20 Wh of its electronics, as long as there is something in it.
    stored = simulation.community.batteries
    moved = charge * stored.charge_efficiency - discharge / stored.discharge_efficiency
    own = (moved[1:] - np.diff(soc, axis=0))[5:24, owns]
    left = soc[6:25, owns] > 1e-6
    assert left.any()
    assert own[left] == pytest.approx(0.02, abs=1e-5)
