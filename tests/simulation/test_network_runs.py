"""Runs with power flow: limits hold by an independent engine, losses and cuts balance to the unit, charges follow."""

import numpy as np
import pytest
from click.testing import CliRunner

from sunshare_sim.cli import main
from sunshare_sim.community.build import build_community
from sunshare_sim.errors import NetworkError, ResultError, ScenarioError
from sunshare_sim.feeder.gridmodel import grid_model_flow
from sunshare_sim.feeder.powerflow import radial_model
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.holding import hold_back
from sunshare_sim.simulation.run import run
from sunshare_sim.simulation.session import Simulation

TOLERANCE = 1e-6  # of a voltage [p.u.] and of a rating
BALANCE = ("solar", "discharge", "import", "load", "ev", "charge", "export", "losses")


def exact_sums(result):
    slots = result.exact("slots")
    come = sum(slots[f"{name}_micro_kwh"] for name in BALANCE[:3])
    return (come - sum(slots[f"{name}_micro_kwh"] for name in BALANCE[3:])).to_numpy()


def weak(make_small, **changes):
    """Return homes on a feeder with long thin lines, so that a village's noon is too much for it."""
    lines = [
        {"from_bus": "substation", "to_bus": "a", "r_ohm": 0.6, "x_ohm": 0.1},
        {"from_bus": "a", "to_bus": "b", "r_ohm": 0.6, "x_ohm": 0.1},
        {"from_bus": "substation", "to_bus": "c", "r_ohm": 0.6, "x_ohm": 0.1},
    ]
    return make_small(**{"homes": 12, "feeder__lines": lines, "network__power_flow": "enforce"} | changes)


def village(seed, **network):
    """Return a drawn community on a real feeder with far more solar than it was built for."""
    return Scenario.model_validate(
        {
            "name": "village",
            "seed": seed,
            "time": {"slots": 96, "slot_minutes": 15},
            "place": {"weather": {"source": "clear_sky"}},
            "feeder": {"source": "simbench", "code": "1-LV-rural3--0-sw"},
            "households": {
                "groups": [
                    {
                        "name": "homes",
                        "count": 60,
                        "solar": {"share": 0.8, "kwp": {"min": 4, "max": 12}},
                        "battery": {"share": 0.3},
                        "ev": {"share": 0.3},
                        "strategy": {"name": "zi_c"},
                    }
                ]
            },
            "network": {"power_flow": "enforce", **network},
            "results": {"figures": False},
        }
    )


@pytest.mark.parametrize(
    ("seed", "limits"),
    [
        (1, {"v_max_pu": 1.012, "loading": 0.25}),
        (2, {"v_max_pu": 1.015, "sharing": "effect"}),
        (3, {"v_max_pu": 1.02, "v_min_pu": 0.996, "shed_load": True, "loading": 0.6}),
        (4, {"v_max_pu": 1.02, "envelopes": True}),
        (5, {"v_max_pu": 1.001, "applied_to": "trades"}),
        (6, {"v_max_pu": 1.001, "applied_to": "trades", "whole_trades": True, "loading": 0.5}),
    ],
    ids=["equal", "effect", "shed", "envelopes", "trades", "whole trades"],
)
def test_no_slot_exceeds_a_limit_by_an_independent_engine(seed, limits, tmp_path):
    scenario = village(seed, limits=limits)
    community = build_community(scenario)
    simulation = Simulation(scenario, community=community, out=tmp_path / "run")
    nets = []
    for _ in range(96):
        simulation.step()
        nets.append(simulation.state.net / 1e6)
    result = simulation.finish()
    model = radial_model(community.feeder)
    p = np.zeros((96, model.tree.bus.size))
    np.add.at(p.T, community.households.bus, np.array(nets).T / 0.25)
    flow = grid_model_flow(model, p, np.zeros_like(p))
    assert flow.voltage_pu.max() <= limits["v_max_pu"] + TOLERANCE
    assert flow.voltage_pu.min() >= limits.get("v_min_pu", 0.9) - TOLERANCE
    assert result.lines["loading_max"].max() <= limits.get("loading", 1.0) + TOLERANCE
    assert result.slots["losses_kwh"].to_numpy() == pytest.approx(flow.losses_kw * 0.25, abs=2e-6)
    assert result.slots["curtailed_kwh"].sum() > 5, "the limits did bind"
    assert not exact_sums(result).any()
    refusals = result.table("refusals")
    for name in ("curtailed", "deferred", "unserved", "refused"):
        assert refusals[f"{name}_kwh"].sum() == pytest.approx(result.slots[f"{name}_kwh"].sum(), abs=1e-9)
    assert (refusals["limit"] != "").all()
    assert ((refusals["bus"] >= 0) != (refusals["line"] >= 0)).all()
    assert (result.trades["status"] == "settled").all()
    refused = refusals[refusals["refused_kwh"] > 0]
    assert (len(refused) > 0) == (limits.get("applied_to") == "trades")
    assert (refused["buyer"] >= 0).all()


def test_batteries_keep_what_they_were_not_allowed_to_move(make_small, tmp_path):
    # At the first slot batteries charge from nothing and give in the evening; the limits forbid most of both.
    scenario = weak(
        make_small, network__limits={"v_max_pu": 1.002, "v_min_pu": 0.995, "shed_load": True}, slots=24
    )
    community = build_community(scenario)
    result = run(scenario, out=tmp_path / "run")
    batteries, slots = community.batteries, result.slots
    owner = np.flatnonzero(batteries.capacity_kwh > 0)[0]
    moved = slots["charge_kwh"] * batteries.charge_efficiency[owner]
    moved -= slots["discharge_kwh"] / batteries.discharge_efficiency[owner]
    stored = community.initial_soc_kwh.sum() + moved.cumsum()
    assert slots["soc_kwh"].to_numpy() == pytest.approx(stored.to_numpy(), abs=1e-5)
    assert slots["curtailed_kwh"].sum() > 0 < slots["unserved_kwh"].sum()


def test_what_is_held_back_stays_where_it_was(make_small):
    simulation = Simulation(make_small(homes=4, network__power_flow="enforce"))
    simulation.step()
    state = simulation.state
    owner = int(np.flatnonzero(state.community.batteries.capacity_kwh > 0)[0])
    gives, zero = np.zeros(4), np.zeros(4)
    gives[owner] = 1.0
    state.wiring.soc_before[:] = 1.8
    state.soc_kwh[:] = 0.8
    state.flows = state.flows._replace(load=zero, solar=0.5 * gives, charge=zero, discharge=gives)
    held = hold_back(state, 0.75 * gives, zero)
    # Generation goes first, half a kWh; the rest is a quarter of what the battery gave.
    assert (held.curtailed[owner], held.deferred[owner], held.unserved[owner]) == (500_000, 250_000, 0)
    assert state.soc_kwh[owner] == pytest.approx(1.05)
    assert state.flows.discharge[owner] == pytest.approx(0.75)
    state.wiring.soc_before[:] = 0.2
    state.flows = state.flows._replace(load=gives, solar=zero, charge=0.5 * gives, discharge=zero)
    held = hold_back(state, zero, 0.8 * gives)
    assert (held.curtailed[owner], held.deferred[owner], held.unserved[owner]) == (0, 500_000, 300_000)
    assert state.soc_kwh[owner] == pytest.approx(0.2)


def test_cars_that_wait_come_short_only_of_what_was_held_back(tmp_path):
    def cars(**limits):
        scenario = village(7, limits={"v_max_pu": 1.1, **limits})
        return run(scenario, out=tmp_path / str(len(limits)))

    free, held = cars(), cars(v_min_pu=0.9995, shed_load=True)
    less = free.slots["ev_kwh"].sum() - held.slots["ev_kwh"].sum()
    short = held.households["ev_shortfall_kwh"].sum() - free.households["ev_shortfall_kwh"].sum()
    assert less > 0.5
    # A car stores 0.89 of what it draws; what it still waits for when the run ends is in neither sum.
    assert -1e-6 <= short <= 0.89 * less + 1e-6
    assert held.slots["unserved_kwh"].sum() == pytest.approx(held.households["unserved_kwh"].sum(), abs=1e-9)


@pytest.mark.parametrize("rule", ["socialised", "proportional", "marginal"])
def test_losses_are_on_the_bills_and_in_the_balance(make_small, tmp_path, rule):
    network = {"network__power_flow": "post", "network__losses": {"rule": rule}}
    without = run(weak(make_small, network__power_flow="off"), out=tmp_path / "off")
    result = run(weak(make_small, **network), out=tmp_path / "post")
    assert not exact_sums(result).any()
    assert (result.slots["losses_kwh"] > 0).all()
    assert np.array_equal(result.exact("trades"), without.exact("trades"))
    bills, before = result.exact("bills"), without.exact("bills")
    assert (bills["total_micro"] - before["total_micro"] == bills["losses_micro"]).all()
    assert (bills["saving_micro"] == before["saving_micro"]).all()
    paid = (result.slots["losses_kwh"] * result.slots["retail_per_kwh"]).sum()
    assert bills["losses_micro"].sum() == pytest.approx(paid * 1e6, abs=2 * len(result.slots) * len(bills))
    assert (np.ptp(bills["losses_micro"]) < 20) == (rule == "socialised")
    accounts = result.exact("accounts")
    assert accounts["cash_micro"].sum() == accounts["funded_micro"].sum()


def test_without_power_flow_nothing_is_known_of_the_wires(make_small, tmp_path):
    result = run(make_small(), out=tmp_path / "run")
    assert result.slots["losses_kwh"].sum() == 0
    assert result.slots["voltage_min_pu"].isna().all()
    assert result.buses["voltage_max_pu"].isna().all()
    assert result.lines["loading_max"].isna().all()
    with pytest.raises(ResultError, match="no power flow"):
        result.plot.loading_duration()
    with pytest.raises(ResultError, match="no such colouring"):
        result.plot.feeder_map("volts")


def test_tables_of_buses_and_lines_sum_up_the_slots(make_small, tmp_path):
    result = run(weak(make_small, network__power_flow="post", slots=30), out=tmp_path / "run")
    slots, buses, lines = result.slots, result.buses, result.lines
    assert buses["voltage_max_pu"].max() == slots["voltage_max_pu"].max() > 1.001
    assert buses["voltage_min_pu"].min() == slots["voltage_min_pu"].min() < 0.999
    assert lines["loading_max"].max() == slots["loading_max"].max()
    assert lines["losses_kwh"].sum() == pytest.approx(slots["losses_kwh"].sum(), abs=1e-4)
    assert (lines["reverse_hours"] > 0).any()
    assert len(result.plot.loading_duration().axes) == 2
    assert "p.u." in result.plot.feeder_map("voltage").axes[0].get_title(loc="left")
    assert "rating" in result.plot.feeder_map("loading").axes[0].get_title(loc="left")


def test_the_rating_of_a_transformer_that_is_written_out_holds(make_small, tmp_path):
    scenario = make_small(homes=12, network__power_flow="enforce", feeder__transformer_kva=5.5,
                          network__limits={"shed_load": True})  # fmt: skip
    result = run(scenario, out=tmp_path / "run")
    head = (result.slots["import_kwh"] - result.slots["export_kwh"]).abs().max()
    assert head <= 5.5 * (1 + 1e-3)
    assert result.lines.query("kind == 'transformer'")["loading_max"].max() == pytest.approx(1.0, abs=1e-5)
    assert set(result.table("refusals")["limit"]) == {"loading"}


def test_congestion_makes_selling_out_of_a_full_zone_dearer(make_small):
    scenario = weak(
        make_small,
        network__limits={"v_max_pu": 1.003},
        network__congestion={"price_step_per_kwh": 0.05, "price_decay": 0.5},
    )
    simulation, seen = Simulation(scenario), []
    base = simulation.community.charges
    for _ in range(6):
        simulation.step()
        seen.append(simulation.state.charges - base)
    # The sun shines in slots 1, 2 and 3: limits that bound there are priced from the next slot on.
    assert not seen[0].any()
    assert max(int(extra.max()) for extra in seen) > 0
    assert seen[5].max() < max(int(extra.max()) for extra in seen[:5])


def test_charges_change_by_time_of_day_and_with_losses(make_small):
    day = {"from_hour": 10, "to_hour": 12, "factor": 2.0}
    scenario = make_small(
        network__charges={"rule": "flat", "between_zones_per_kwh": 0.02, "periods": [day]}, slots=24
    )
    simulation = Simulation(scenario)
    ticks = []
    for _ in range(24):
        simulation.step()
        ticks.append(int(simulation.state.charges[0, 0]))
    hours = simulation.community.grid.local_hour
    assert [tick for tick, hour in zip(ticks, hours, strict=True) if 10 <= hour < 12] == [400, 400]
    assert set(ticks) == {200, 400}
    lossy = Simulation(weak(make_small, network__charges={"rule": "none", "loss_price_per_kwh": 50.0}))
    lossy.step()
    assert not lossy.state.charges.any()
    lossy.step()
    assert lossy.state.charges.max() > 0


@pytest.mark.parametrize(
    ("charges", "near", "far"),
    [
        ({"rule": "postage_stamp"}, 1095, 1095),
        ({"rule": "community"}, 471, 471),  # 43 % of 0.1095, up to whole ticks
        ({"rule": "community", "community": "none"}, 1733, 1733),
        ({"rule": "distance", "distance_price": 0.1, "within_zone_per_kwh": 0.001}, 60, 260),
    ],
    ids=["postage stamp", "at-2026", "no discount", "distance"],
)
def test_charges_by_rule(make_small, charges, near, far):
    community = build_community(make_small(network__charges=charges))
    # zone 0: buses a and b, 0.1 ohm apart, so 0.05 on average; zone 1: bus c, 0.25 ohm from them on average
    assert community.charges[0, 0] == near
    assert community.charges[0, 1] == community.charges[1, 0] == far


def test_phases_drawn_or_given_unbalance_the_feeder(make_small, tmp_path):
    even = run(weak(make_small, network__power_flow="post"), out=tmp_path / "even")
    one = run(weak(make_small, network__power_flow="post", network__phases=[1] * 12), out=tmp_path / "one")
    drawn = run(weak(make_small, network__power_flow="post", network__phases="drawn"), out=tmp_path / "drawn")
    assert even.buses["unbalance_p95"].isna().all()
    assert one.buses["unbalance_p95"].max() > 0 < drawn.buses["unbalance_p95"].max()
    losses = [result.slots["losses_kwh"].sum() for result in (even, drawn, one)]
    assert losses[0] < min(losses[1:])
    with pytest.raises(ScenarioError, match="not one phase a home"):
        run(weak(make_small, network__power_flow="post", network__phases=[1, 2]), out=tmp_path / "two")


def test_power_factor_and_taps_move_the_voltage(make_small, tmp_path):
    def lowest(name, **network):
        changes = {f"network__{key}": value for key, value in network.items()}
        return run(weak(make_small, network__power_flow="post", **changes), out=tmp_path / name).buses[
            "voltage_min_pu"
        ]

    plain, inductive = lowest("plain"), lowest("inductive", power_factor=0.9)
    raised, source = lowest("raised", tap_percent=-2.5), lowest("source", source_pu=1 / 0.975)
    assert inductive.min() < plain.min()
    below = slice(0, -1)  # the last bus lies above the transformer
    assert raised[below].to_numpy() == pytest.approx(source[below].to_numpy(), abs=1e-9)


def test_limits_that_cannot_be_met_name_slot_feeder_and_bus(make_small, tmp_path):
    with pytest.raises(NetworkError, match=r"bus .*even with all load shed and nothing fed in"):
        run(weak(make_small, network__limits={"v_min_pu": 1.01}), out=tmp_path / "a")
    scenario = weak(make_small, network__limits={"v_min_pu": 0.999})
    with pytest.raises(
        NetworkError, match=r"slot 0, transformer 1, bus .*limits that cannot be met.*shed_load"
    ):
        run(scenario, out=tmp_path / "b")
    result = run(
        weak(make_small, network__limits={"v_min_pu": 0.999}, network__on_divergence="mark"),
        out=tmp_path / "c",
    )
    assert set(result.events["kind"]) == {"network"}
    assert result.events["slot"].iloc[0] == 0
    assert "limits that cannot be met" in result.events["text"].iloc[0]


def test_a_slot_without_solution_ends_the_run_or_is_noted(make_small, tmp_path):
    lines = [{"from_bus": "substation", "to_bus": "a", "r_ohm": 30.0, "x_ohm": 10.0}]
    changes = {"feeder__lines": lines, "network__power_flow": "post", "slots": 4}
    with pytest.raises(NetworkError, match=r"slot 0, transformer 1, bus a.*no solution.*mark"):
        run(make_small(**changes), out=tmp_path / "a")
    result = run(make_small(**changes, network__on_divergence="mark"), out=tmp_path / "b")
    failed = result.events["slot"].to_numpy()
    assert failed.size > 0
    assert result.slots["voltage_min_pu"].isna().to_numpy().nonzero()[0].tolist() == failed.tolist()
    assert not exact_sums(result).any()
    assert "bus a" in result.events["text"].iloc[0]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"power_flow": "post", "limits": {"v_min_pu": 1.1, "v_max_pu": 1.0}}, "no voltage is within"),
        ({"power_flow": "enforce", "phases": "drawn"}, "enforced on a balanced feeder"),
        ({"power_flow": "post", "phases": "drawn", "losses": {"rule": "marginal"}}, "balanced feeder"),
        ({"charges": {"rule": "none", "loss_price_per_kwh": 0.1}}, "unknown without power flow"),
        ({"power_flow": "post", "congestion": {"price_step_per_kwh": 0.1}}, "nothing is congested"),
        ({"power_flow": "enforce", "limits": {"envelopes": True, "applied_to": "trades"}}, "not trades"),
    ],
)
def test_sections_that_contradict_themselves(make_small, network, message):
    with pytest.raises(ValueError, match=message):
        make_small(network=network)


FEEDER = """
feeder:
  source: inline
  lines:
    - {from_bus: substation, to_bus: a, r_ohm: RESISTANCE, x_ohm: 0.1}
time: {slots: 2, slot_minutes: 60}
results: {figures: false}
households:
  groups:
    - {name: homes, count: 4, demand: {source: values, kwh: [4.0]}}
"""


@pytest.mark.parametrize(
    ("resistance", "network", "message"),
    [
        (
            "0.1",
            "power_flow: enforce\n  limits: {v_min_pu: 1.02}",
            "even with all load shed and nothing fed in",
        ),
        (
            "0.5",
            "power_flow: enforce\n  limits: {v_min_pu: 0.98}",
            "slot 0, transformer 1, bus a: limits that cannot",
        ),
        ("9.0", "power_flow: post", "slot 0, transformer 1, bus a: the power flow has no solution"),
        (
            "0.1",
            "power_flow: enforce\n  limits: {v_min_pu: 1.2, v_max_pu: 1.1}",
            "no voltage is within these limits",
        ),
        ("0.1", "power_flow: always", "power_flow"),
    ],
    ids=["never", "not in this slot", "diverges", "empty band", "no such mode"],
)
def test_a_scenario_file_with_impossible_wires_is_a_users_error(tmp_path, resistance, network, message):
    path = tmp_path / "impossible.yaml"
    path.write_text(
        f"name: impossible\n{FEEDER.replace('RESISTANCE', resistance)}network:\n  {network}\n", "utf-8"
    )
    result = CliRunner().invoke(main, ["run", str(path), "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")
    assert not (tmp_path / "run").exists()
    marked = path.read_text("utf-8").replace("network:", "network:\n  on_divergence: mark")
    path.write_text(marked, "utf-8")
    result = CliRunner().invoke(main, ["run", str(path), "--out", str(tmp_path / "run")])
    assert (result.exit_code == 0) == (message.startswith("slot 0"))
