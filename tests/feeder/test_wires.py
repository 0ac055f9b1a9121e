import numpy as np
import pytest

from sunshare_sim.errors import NetworkError
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.limits import feeder_limits
from sunshare_sim.feeder.powerflow import radial_model
from sunshare_sim.feeder.wires import WireRules, Wires
from sunshare_sim.inputs.grids import load_grid

HOMES = 114  # two homes at each load of the village


def village(limits=None, **rules):
    tables = load_grid("pandapower", "kerber_dorfnetz")
    feeder = build_feeder(tables.buses, tables.lines, tables.transformers)
    bus = np.repeat(tables.loads["bus"].to_numpy(dtype=np.int64), 2)
    return Wires(radial_model(feeder), feeder_limits(feeder, **(limits or {})), bus, 0.25, WireRules(**rules))


def day(seed, slots=96, mean=0.0):
    """Return net energies that swing between sun and evening [kWh]."""
    rng = np.random.default_rng(seed)
    common = -2.2 * np.sin(np.linspace(0, 2 * np.pi, slots))[:, None]
    return mean + common * rng.uniform(0.3, 1.0, (slots, HOMES)) + rng.normal(0, 0.2, (slots, HOMES))


def test_energy_balances_with_losses():
    wires = village()
    for net in day(1):
        slot = wires.carry(net)
        lost = slot.flow.slack_kw.sum() * 0.25 - net.sum()
        assert slot.losses == pytest.approx(lost * 1e6, abs=2)
        assert int(slot.losses_by_home.sum()) == slot.losses


@pytest.mark.parametrize("rule", ["socialised", "proportional", "marginal"])
def test_losses_are_shared_exactly(rule):
    wires = village(loss_rule=rule)
    slot = wires.carry(day(2)[30])
    assert int(slot.losses_by_home.sum()) == slot.losses > 0
    assert (np.ptp(slot.losses_by_home) <= 1) == (rule == "socialised")


def test_after_the_cuts_no_slot_exceeds_a_limit():
    wires = village({"v_min_pu": 0.96, "v_max_pu": 1.03, "loading": 0.9})
    cut = 0.0
    for net in day(3):
        cuts = wires.keep_limits(net, np.maximum(-net, 0), np.maximum(net, 0))
        assert np.all(cuts.curtailed_kwh <= np.maximum(-net, 0))
        assert np.all(cuts.unserved_kwh <= np.maximum(net, 0))
        slot = wires.carry(net + cuts.curtailed_kwh - cuts.unserved_kwh)
        cut += cuts.curtailed_kwh.sum() + cuts.unserved_kwh.sum()
        assert slot.flow.voltage_pu.max() <= 1.03 + 1e-6
        assert slot.flow.voltage_pu.min() >= 0.96 - 1e-6
        assert np.all(slot.flow.current_a <= 0.9 * wires.model.feeder.branches.rating_a * (1 + 1e-6))
    assert cut > 1
    voltages, loadings = wires.report()
    assert voltages.highest.max() <= 1.03 + 1e-6
    assert loadings.highest.max() <= 0.9 + 1e-6


def test_limits_that_cannot_be_met():
    net = np.full(HOMES, 3.0)
    with pytest.raises(NetworkError, match="allow load to be shed"):
        village({"v_min_pu": 0.97}).keep_limits(net, np.zeros(HOMES))
    cuts = village({"v_min_pu": 0.97}, on_divergence="mark").keep_limits(net, np.zeros(HOMES))
    assert not cuts.cuts.within[0]


def test_the_report_is_that_of_all_weeks():
    wires = village()
    for week in range(2):
        for net in day(week, slots=672):
            wires.carry(net)
    wires.carry(np.full(HOMES, 2.0))
    voltages, loadings = wires.report()
    assert voltages.weeks == 3
    assert voltages.lowest.min() < 0.99
    assert loadings.reverse_hours.max() > 100


def test_congestion_is_priced_while_it_lasts():
    wires = village({"v_max_pu": 1.01}, price_step=0.05, price_decay=0.5)
    base = np.zeros((len(wires.model.feeder.zone_names),) * 2, dtype=np.int64)
    assert wires.charges(base, 0.0001) is base
    surplus = np.zeros(HOMES)
    last = wires.bus_of_home == wires.bus_of_home[-1]
    surplus[last] = -6.0
    wires.keep_limits(surplus, np.maximum(-surplus, 0))
    seller = wires.model.feeder.zone_of_bus[wires.bus_of_home[-1]]
    first = wires.charges(base, 0.0001)
    assert first[:, seller].max() > 0, "who sells out of the congested zone pays"
    assert first[seller].max() <= first[:, seller].max()
    wires.keep_limits(np.zeros(HOMES), np.zeros(HOMES))
    later = wires.charges(base, 0.0001)
    assert 0 < later[:, seller].max() < first[:, seller].max()


def test_reactive_power_lowers_the_voltage():
    net = np.full(HOMES, 0.5)
    plain, reactive = village().carry(net), village(kvar_per_kw=0.33).carry(net)
    assert reactive.flow.voltage_pu.min() < plain.flow.voltage_pu.min()
