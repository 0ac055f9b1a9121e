"""Every key of a device, from a scenario file to the tables of its run."""

import numpy as np
import pytest
import yaml

import sunshare_sim as ss
from sunshare_sim.community.build import build_community
from sunshare_sim.errors import InputError, ScenarioError
from sunshare_sim.scenario.load import load_scenario
from sunshare_sim.simulation.plant import hear, make_plant, run_batteries, serve
from sunshare_sim.simulation.session import Simulation
from sunshare_sim.simulation.trading import quote

SUN = [0.0] * 7 + [0.2, 0.6, 1.2, 1.8, 2.2, 2.4, 2.2, 1.8, 1.2, 0.6, 0.2] + [0.0] * 6
PANELS = ["load_kwh", "solar_kwh", "ev_kwh", "charge_kwh", "discharge_kwh", "net_kwh", "soc_kwh"]


def written(folder, homes=None, works=None, *, days=3, periods=True, **sections):
    """Write a scenario of four homes with sun and one enterprise, and return its file."""
    lines = [{"from_bus": "substation", "to_bus": bus, "r_ohm": 0.1, "x_ohm": 0.05} for bus in "abc"]
    tariff = {
        "periods": [
            {"from_hour": 0, "to_hour": 6, "supply_per_kwh": 0.02},
            {"from_hour": 17, "to_hour": 21, "supply_per_kwh": 0.4},
        ]
        if periods
        else []
    }
    group = {
        "name": "homes",
        "count": 4,
        "demand": {"source": "values", "kwh": [0.3, 0.2, 0.5, 0.4]},
        "solar": {"source": "values", "kwh": SUN},
    }
    enterprise = {
        "name": "works",
        "kind": "enterprise",
        "count": 1,
        "demand": {"source": "values", "kwh": [1.5]},
    }
    content = {
        "name": "devices",
        "seed": 5,
        "time": {"start": "2025-03-03", "days": days, "slot_minutes": 60},
        "place": {"timezone": "Europe/Berlin", "weather": {"source": "clear_sky"}},
        "feeder": {"source": "inline", "lines": lines},
        "tariff": tariff,
        "households": {"groups": [{**group, **(homes or {})}, {**enterprise, **(works or {})}]},
        "results": {"figures": False, "panels": PANELS},
        **sections,
    }
    path = folder / "devices.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def ran(folder, *args, **kwargs):
    path = written(folder, *args, **kwargs)
    return ss.run(path, out=folder / "run")


def stepped(path):
    """Yield the state after each slot."""
    simulation = Simulation(load_scenario(path))
    while not simulation.clock.finished:
        simulation.step()
        yield simulation.state


def battery(**keys):
    return {"battery": {"capacity_kwh": 8.0, "power_kw": 4.0, "round_trip_efficiency": 0.81, **keys}}


POLICIES = {
    "self_consumption": {},
    "rule": {"reserve": 0.4},
    "price_threshold": {"charge_below": 0.3, "discharge_above": 0.5},
    "market_aware": {"wear_per_kwh": 0.01},
    "day_ahead": {"wear_per_kwh": 0.01},
    "perfect_foresight": {"wear_per_kwh": 0.01},
}


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_beats_perfect_foresight_in_a_run(tmp_path, policy):
    keys = battery(dispatch=policy, **{"wear_per_kwh": 0.01, **POLICIES[policy]})
    results = {"figures": False, "foresight": True}
    run = ran(tmp_path, {**keys, "ev": {"share": 0.5}}, results=results)
    gap = run.households.foresight_gap.to_numpy()[:4]
    assert (gap >= -1e-9).all()
    if policy == "perfect_foresight":
        assert gap == pytest.approx(0.0, abs=1e-7), "the plan is carried out, and costs what it said"
    else:
        assert (gap > 1e-4).any()
    assert np.isnan(run.households.foresight_gap[4]), "no battery, no gap"


def test_the_gap_is_only_computed_on_demand(tmp_path):
    run = ran(tmp_path, battery())
    assert run.households.foresight_gap.isna().all()
    assert run.households.battery_loss.isna().all()


def test_rule_keeps_its_reserve_and_threshold_its_prices(tmp_path):
    soc = ran(tmp_path, battery(dispatch="rule", reserve=0.4, initial_soc=0.6)).panel("soc_kwh").to_numpy()
    assert soc[:, :4].min() == pytest.approx(3.2, abs=1e-5)
    run = ran(tmp_path, battery(dispatch="price_threshold", charge_below=0.3, discharge_above=0.5))
    retail = run.slots.retail_per_kwh.to_numpy()
    out, taken = (run.panel(name).to_numpy()[:, :4] for name in ("discharge_kwh", "charge_kwh"))
    assert out[retail < 0.5].max() == 0
    assert out[retail >= 0.5].max() > 0
    assert taken[(retail <= 0.3)][0].min() == 4.0, "at full power from the grid in the first cheap hour"


def test_market_aware_waits_for_the_dear_hours(tmp_path):
    run = ran(tmp_path, battery(dispatch="market_aware", wear_per_kwh=0.0, value_hours=4))
    retail, out = run.slots.retail_per_kwh.to_numpy(), run.panel("discharge_kwh").to_numpy()[:, :4]
    assert out[retail < 0.5].sum() == 0, "nor are batteries emptied into the grid as the run ends"
    assert out[(retail > 0.5)].sum() > 0


def test_a_home_sells_from_its_battery_for_no_less_than_it_is_worth_kept(tmp_path):
    simulation = Simulation(load_scenario(written(tmp_path, battery(dispatch="market_aware"), periods=False)))
    plant, soc, out = simulation.state.plant, np.full(5, 4.0), (np.zeros(5), np.zeros(5))
    for slot in range(24):
        hear(plant, slot, 0.39 if slot == 9 else 0.1)  # yesterday's local prices
    run_batteries(plant, 24 + 8, np.array([0.5, 0.5, -1.0, 0.0, 1.0]), soc.copy(), out)
    assert plant.ask_floor.tolist() == [0.0] * 5, "nothing is sold from a battery"
    run_batteries(plant, 24 + 9, np.array([0.5, 0.5, -1.0, 0.0, 1.0]), soc, out)
    assert out[1][:4] == pytest.approx(4 * 0.9), "local energy is dear now and cheap later: at full power"
    assert plant.ask_floor == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.0])


def test_asks_are_held_to_that_worth(tmp_path):
    path = written(
        tmp_path, battery(dispatch="market_aware", wear_per_kwh=0.05, value_hours=4), periods=False
    )
    simulation = Simulation(load_scenario(path))
    simulation.step()
    state = simulation.state
    state.plant.ask_floor[:] = 0.21
    state.net[:] = np.array([-500_000] * 4 + [1_500_000])
    quote(state)
    held = np.flatnonzero(state.wishes.side < 0)
    assert held.tolist() == [0, 1, 2, 3]
    assert (state.wishes.price[held] * state.tick >= 0.21 - 1e-12).all()
    state.plant.ask_floor[:] = 0.0
    quote(state)
    assert (state.wishes.price[held] * state.tick < 0.21).all(), "the strategy itself asks for less"


def test_dear_wear_leaves_the_battery_alone(tmp_path):
    used = [
        ran(tmp_path, battery(dispatch=policy, wear_per_kwh=wear, initial_soc=0.0)).households.battery_cycles[
            0
        ]
        for policy in ("market_aware", "perfect_foresight")
        for wear in (0.0, 1.0)
    ]
    assert used[0] > 1
    assert used[2] > 1
    assert used[1] == used[3] == 0


def test_wear_follows_price_and_cycles(tmp_path):
    def wear(**keys):
        community = build_community(load_scenario(written(tmp_path, battery(**keys))))
        return community.equipment.controls[0].wear_per_kwh

    assert wear() == pytest.approx(500 / 12_000)
    assert wear(wear_per_kwh=0.02) == 0.02
    assert wear(replacement_per_kwh=300, cycle_life=3000) == pytest.approx(0.05)
    # 6.9 years to 80 % at a cycle of 0.8 a day (the notes' table for this cell): 2 015 full cycles
    assert wear(ageing={"cell": "xu-lmo"}) == pytest.approx(500 / (2 * 6.86 * 365 * 0.8), rel=0.01)


def test_part_load_and_standby_in_a_run(tmp_path):
    curve = [
        {"load": 0.0, "efficiency": 0.5},
        {"load": 0.5, "efficiency": 0.9},
        {"load": 1.0, "efficiency": 0.9},
    ]
    path = written(tmp_path, battery(efficiency_curve=curve, standby_w=100.0))
    before = None
    for state in stepped(path):
        if before is not None:
            charge, discharge = state.flows.charge[:4], state.flows.discharge[:4]
            wish = np.abs((state.flows.load - state.flows.solar)[:4])
            # by hand: a straight line from 0.5 at no load to 0.9 at half
            eta = np.interp(np.minimum(wish / 4.0, 1.0), [0.0, 0.5, 1.0], [0.5, 0.9, 0.9])
            moved = before + charge * eta - discharge / eta
            expected = moved - np.clip(moved, 0.0, 0.1)
            assert state.soc_kwh[:4] == pytest.approx(expected, abs=1e-9)
        before = state.soc_kwh[:4].copy()


def test_ageing_is_reported_and_fades(tmp_path):
    keys = battery(ageing={"cell": "xu-lmo", "temperature_c": 25.0})
    run = ran(tmp_path, keys, days=10)
    homes = run.households
    from sunshare_sim.devices.ageing import capacity_loss

    soc = run.panel("soc_kwh")[0].to_numpy() / 8.0
    assert homes.battery_loss[0] == pytest.approx(capacity_loss("xu-lmo", soc, 3600.0), rel=1e-5)
    through = run.panel("charge_kwh")[0].sum() + run.panel("discharge_kwh")[0].sum()
    assert homes.battery_cycles[0] == pytest.approx(through / 16, rel=1e-5)
    assert homes.wear[0] == pytest.approx(through * 500 / (2 * 2015), rel=0.02)
    assert np.isnan(homes.battery_loss[4])
    assert np.isnan(homes.battery_cycles[4])
    fading = battery(ageing={"cell": "xu-lmo", "fade_days": 2})
    *_, state = stepped(written(tmp_path, fading, days=10))
    kept = state.plant.batteries.capacity_kwh[:4] / 8.0
    assert (kept < 1).all()
    assert 1 - kept == pytest.approx(homes.battery_loss[:4], rel=0.1)
    assert state.community.batteries.capacity_kwh[0] == 8.0


def sessions_file(folder, rows):
    path = folder / "sessions.csv"
    path.write_text("car,arrival,departure,energy_kwh,place\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def one_night(folder, charging, **keys):
    """Run one stay of car 0, 18:00 to 07:00, that needs 20 kWh, and return its kWh by hour from 18:00 on."""
    stays = sessions_file(folder, ["0,2025-03-03T18:00+01:00,2025-03-04T07:00+01:00,20,"])
    ev = {"share": 0.25, "charger_kw": 10.0, "efficiency": 1.0, "charging": charging, "sessions_file": stays}
    run = ran(folder, {"ev": {**ev, **keys}})
    home = int(run.households.ev_kw.to_numpy().argmax())
    return run, run.panel("ev_kwh")[home].to_numpy()[18:31].round(6).tolist(), home


def test_each_way_to_charge(tmp_path):
    assert one_night(tmp_path, "on_arrival")[1] == [10, 10, *[0] * 11]
    assert one_night(tmp_path, "spread")[1] == pytest.approx([20 / 13] * 13, abs=1e-5)
    assert one_night(tmp_path, "delayed")[1] == [*[0] * 11, 10, 10]
    run, charged, _ = one_night(tmp_path, "price_following")
    assert charged == [*[0] * 6, 10, 10, *[0] * 5], "the night tariff begins at midnight"
    assert run.households.ev_shortfall_kwh.sum() == 0


def test_v2g_serves_the_home_and_leaves_full(tmp_path):
    run, charged, home = one_night(tmp_path, "v2g", battery_kwh=50.0, wear_per_kwh=0.02)
    given = run.panel("discharge_kwh")[home].to_numpy()
    net = run.panel("net_kwh")[home].to_numpy()
    needs = [0.5, 0.4, 0.3, 0.2, 0.5, 0.4]
    assert given[18:24].tolist() == pytest.approx(needs, abs=1e-5), (
        "as the home needs, until refilling is cheap"
    )
    assert given[24:].sum() == 0
    assert net[18:24] == pytest.approx(0, abs=1e-6)
    assert sum(charged) == pytest.approx(20 + given.sum(), abs=1e-4)
    assert run.households.ev_given_kwh[home] == pytest.approx(2.3)
    assert run.households.wear[home] == pytest.approx(2.3 * 0.02)
    assert run.households.ev_shortfall_kwh.sum() == 0


@pytest.mark.parametrize("charging", ["price_following", "v2g"])
def test_prices_are_known_a_day_ahead_and_no_further(tmp_path, charging):
    stays = sessions_file(tmp_path, ["0,2025-03-03T00:00+01:00,2025-03-05T00:00+01:00,20,"])
    homes = {
        "ev": {"share": 0.25, "charging": charging, "sessions_file": stays},
        "heat_pump": {"source": "house", "control": "price_following"},
        "appliances": [{"runs_per_week": 7.0, "start": "cheapest"}],
        **battery(dispatch="market_aware"),
    }
    community = build_community(load_scenario(written(tmp_path, homes, periods=False)))

    def course(*cheap_slots):
        plant, soc, out = make_plant(community), np.zeros(5), (np.zeros(5), np.zeros(5))
        plant.retail = plant.retail.copy()
        for slot in cheap_slots:
            plant.retail[slot : slot + 2] = 0.01, 0.9
        seen = []
        for slot in range(48):
            done = serve(plant, slot, np.full(5, 0.5), np.zeros(5))
            run_batteries(plant, slot, done.load + done.ev - done.given, soc, out)
            seen.append(np.stack([*done, soc]))
        return np.array(seen)

    flat, cheap = course(), course(44)
    assert np.array_equal(flat[:20], cheap[:20]), "slot 44 is published from slot 20 on"
    assert not np.array_equal(flat[20:], cheap[20:])


def test_a_shortfall_is_reported(tmp_path):
    stays = sessions_file(tmp_path, ["0,2025-03-03T18:00+01:00,2025-03-03T20:00+01:00,35,home"])
    for charging in ("on_arrival", "delayed", "price_following", "v2g"):
        ev = {
            "share": 0.25,
            "charger_kw": 10.0,
            "efficiency": 1.0,
            "charging": charging,
            "sessions_file": stays,
        }
        assert ran(tmp_path, {"ev": ev}).households.ev_shortfall_kwh.sum() == pytest.approx(15), charging


def test_a_charger_at_low_power_draws_more(tmp_path):
    curve = [{"load": 0.1, "efficiency": 0.4}, {"load": 1.0, "efficiency": 0.8}]
    _, spread, _ = one_night(tmp_path, "spread", efficiency=0.8, efficiency_curve=curve)
    stored = 20 / 13
    load = spread[0] / 10
    assert load * 10 * np.interp(load, [0.1, 1.0], [0.4, 0.8]) == pytest.approx(stored, rel=1e-3)
    assert one_night(tmp_path, "on_arrival", efficiency=0.8, efficiency_curve=curve)[1][:2] == [10, 10]


def test_what_a_car_takes_at_work_it_need_not_take_at_home(tmp_path):
    ev = {"sessions_per_week": 5.0, "charger_kw": 11.0}
    points = {"charge_points": {"count": 2, "power_kw": 11.0}}
    alone = build_community(load_scenario(written(tmp_path, {"ev": ev}, points, days=14)))
    away = {**ev, "away": {"at": "works", "days_per_week": 5}}
    path = written(tmp_path, {"ev": away}, points, days=14)
    with_work = build_community(load_scenario(path))
    fleet = with_work.fleet
    assert fleet.visits.car.size > 10
    at_home = fleet.sessions.car < 4
    assert np.array_equal(fleet.sessions.departure_slot[at_home], alone.fleet.sessions.departure_slot)
    for car in range(4):
        mine = alone.fleet.sessions.energy_kwh[alone.fleet.sessions.car == car].sum()
        home = fleet.sessions.energy_kwh[fleet.sessions.car == car].sum()
        work = fleet.visits.energy_kwh[fleet.visits.car == car].sum()
        assert home + work == pytest.approx(mine, rel=1e-12)
    run = ss.run(path, out=tmp_path / "run")
    assert run.panel("ev_kwh")[4].sum() > 1, "the enterprise buys it"
    assert run.households.ev_kw[4] == 22
    assert run.households.ev_shortfall_kwh.sum() == pytest.approx(0, abs=1e-6)


def test_written_sessions_away(tmp_path):
    stays = sessions_file(
        tmp_path,
        [
            "0,2025-03-03T18:00+01:00,2025-03-04T07:00+01:00,20,home",
            "0,2025-03-04T08:00+01:00,2025-03-04T16:00+01:00,8.9,away",
        ],
    )
    ev = {"share": 0.25, "sessions_file": stays, "away": {"at": "works"}}
    run = ran(tmp_path, {"ev": ev}, {"charge_points": {"count": 1, "power_kw": 10.0}})
    assert run.panel("ev_kwh")[4].to_numpy()[[31, 32, 33]] == pytest.approx([0, 10, 0])


def test_a_house_stays_warm_and_moves_its_heat(tmp_path):
    def heated(control):
        pump = {"source": "house", "power_kw": 4.0, "loss_w_per_k": 150.0, "capacity_kwh_per_k": 10.0}
        solar = {"source": "values", "kwh": [2 * value for value in SUN]}
        run = ran(tmp_path, {"heat_pump": {**pump, "control": control}, "solar": solar})
        electric = run.panel("load_kwh")[0].to_numpy() - np.resize([0.3, 0.2, 0.5, 0.4], 72)
        return run, electric

    run, comfort = heated("comfort")
    assert run.households.discomfort_kh[:4].max() == pytest.approx(0, abs=1e-9)
    assert run.households.discomfort_kh.isna()[4]
    assert run.households.heat_pump_kwh[:4].isna().all()
    # from the start on, what leaves the house comes in: 150 W/K against outdoors less 0.4 kW, at the pump's COP
    heating = build_community(load_scenario(tmp_path / "devices.yaml")).equipment.heating[0]
    heat = 0.150 * (20.0 - heating.outdoor_c) - 0.4
    assert comfort == pytest.approx(np.maximum(heat, 0) / heating.cop, abs=1e-6)
    cheap = run.slots.retail_per_kwh.to_numpy() < 0.3
    _, price = heated("price_following")
    assert price[cheap].sum() > 1.3 * comfort[cheap].sum()
    assert price[~cheap].sum() < comfort[~cheap].sum()
    sunny, sun = heated("solar_following")
    noon = sunny.panel("solar_kwh")[0].to_numpy() > 1
    assert sun[noon].sum() > 1.3 * comfort[noon].sum()
    assert sunny.households.discomfort_kh[:4].max() == pytest.approx(0, abs=1e-9)


def test_appliances_run_in_their_hours_and_as_told(tmp_path):
    def extra(start):
        washer = {
            "runs_per_week": 7.0, "energy_kwh": 2.0, "duration_hours": 2.0, "earliest_hour": 6.0,
            "latest_hour": 24.0, "start": start,
        }  # fmt: skip
        run = ran(tmp_path, {"appliances": [washer]})
        load = run.panel("load_kwh").to_numpy()[:, :4]
        return run, load - np.resize([0.3, 0.2, 0.5, 0.4], 72)[:, None]

    run, at_once = extra("at_once")
    assert at_once.sum() == pytest.approx(4 * 3 * 2.0, rel=1e-5)
    assert np.abs(at_once.reshape(3, 24, 4)[:, :6]).max() < 1e-6
    retail = run.slots.retail_per_kwh.to_numpy()[:, None]
    _, cheapest = extra("cheapest")
    assert (cheapest * retail).sum() < (at_once * retail).sum()
    _, sun = extra("solar")
    noon = np.resize(SUN, 72) > 1.0
    assert sun[24:][noon[24:]].sum() > at_once[24:][noon[24:]].sum()
    for found in (cheapest, sun):
        assert found.sum() == pytest.approx(at_once.sum(), rel=1e-5)


def test_a_device_in_one_group_leaves_the_other_alone(tmp_path):
    base = {"ev": {"share": 0.5}, "appliances": [{"start": "solar"}]}
    full = {
        **battery(dispatch="market_aware"),
        "ev": {"charging": "v2g"},
        "heat_pump": {"source": "house"},
        "appliances": [{}, {"name": "dryer"}],
    }
    few = build_community(load_scenario(written(tmp_path, base, base)))
    many = build_community(load_scenario(written(tmp_path, full, base)))

    def of_works(community):
        fleet, runs = community.fleet, community.equipment.runs
        car = np.isin(fleet.sessions.car, np.flatnonzero(fleet.home == 4))
        mine = runs.home == 4
        return (
            fleet.sessions.arrival_slot[car].tolist(),
            fleet.sessions.energy_kwh[car].tolist(),
            runs.earliest_slot[mine].tolist(),
            runs.energy_kwh[mine].tolist(),
        )

    assert of_works(few) == of_works(many)
    # and in the same group: another way to run a device leaves what is drawn
    assert np.array_equal(
        few.fleet.home[few.fleet.home < 4],
        many.fleet.home[many.fleet.home < 4][np.isin(many.fleet.home[many.fleet.home < 4], few.fleet.home)],
    )


BAD = [
    ({"battery": {"capacity_kwh": 0.0, "power_kw": 3.0}}, "a battery with power and no capacity"),
    (battery(round_trip_efficiency=1.2), "round_trip_efficiency"),
    (battery(min_soc=0.9, max_soc=0.5), "states of charge in the wrong order"),
    (battery(dispatch="price_threshold"), "price_threshold needs this price"),
    (
        battery(dispatch="price_threshold", charge_below=0.5, discharge_above=0.2),
        "thresholds in the wrong order",
    ),
    (battery(dispatch="day_head"), "did you mean 'day_ahead'|day_ahead"),
    (
        battery(efficiency_curve=[{"load": 0.5, "efficiency": 0.9}, {"load": 0.2, "efficiency": 0.9}]),
        "wrong order",
    ),
    (
        battery(efficiency_curve=[{"load": 0.5, "efficiency": 0.9}, {"load": 0.6, "efficiency": 0.2}]),
        "store less",
    ),
    (battery(efficiency_curve=[{"load": 0.5, "efficiency": 1.9}]), "efficiency"),
    (battery(ageing={"cell": "lfp"}), "naumann-lfp"),
    ({"ev": {"efficiency": 1.1}}, "efficiency"),
    ({"ev": {"charging": "v2g", "reserve": 0.95}}, "a reserve above what the driver leaves with"),
    ({"ev": {"away": {"at": "work"}}}, "no group of that name has `charge_points`"),
    ({"charge_points": {}}, "homes have no public charge points"),
    ({"heat_pump": {"source": "house", "lowest_c": 23.0}}, "a band of comfort upside down"),
    ({"appliances": [{"earliest_hour": 20.0, "latest_hour": 21.0}]}, "a run that does not fit its hours"),
    ({"appliances": [{}, {}]}, "two appliances have the same name"),
]


@pytest.mark.parametrize(("homes", "message"), BAD)
def test_impossible_devices_are_refused_by_name(tmp_path, homes, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(written(tmp_path, homes))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,2025-03-04T18:00+01:00,2025-03-03T20:00+01:00,5,", "departs before it arrives"),
        ("0,2025-03-03T18:00,2025-03-03T20:00,5,", "offset from UTC"),
        ("0,2025-03-03T18:00+01:00,2025-03-03T20:00+01:00,-5,", "no energy of a car"),
        ("9,2025-03-03T18:00+01:00,2025-03-03T20:00+01:00,5,", "unknown car"),
        ("0,2025-03-03T18:00+01:00,2025-03-03T20:00+01:00,5,hme", "did you mean 'home'"),
        ("0,2025-03-03T18:00+01:00,2025-03-03T20:00+01:00,5,away", "nowhere to charge away"),
    ],
)
def test_impossible_sessions_are_refused_with_their_line(tmp_path, row, message):
    stays = sessions_file(tmp_path, [row])
    with pytest.raises(InputError, match=message):
        build_community(load_scenario(written(tmp_path, {"ev": {"share": 0.25, "sessions_file": stays}})))


def test_two_cars_at_one_point_are_refused(tmp_path):
    rows = [f"{car},2025-03-03T08:00+01:00,2025-03-03T12:00+01:00,5,away" for car in (0, 1)]
    ev = {"sessions_file": sessions_file(tmp_path, rows), "away": {"at": "works"}}
    with pytest.raises(InputError, match="no charge point is free"):
        build_community(load_scenario(written(tmp_path, {"ev": ev}, {"charge_points": {"count": 1}})))
