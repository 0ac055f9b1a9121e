"""Cost of the power flow of a year, of enforcing limits in a run, and of devices; pandapower beside it on a sample.

Run: ``python benchmarks/bench_powerflow.py``. CPU seconds of all threads; 35 040 slots of 15 min. What pandapower needs
is measured on a few slots and extrapolated; so labelled.
"""

import time
from collections.abc import Callable

import numpy as np

from sunshare_sim.community.build import build_community
from sunshare_sim.devices.battery import make_batteries
from sunshare_sim.devices.dispatch import follow
from sunshare_sim.devices.v2g import CarState, exchange, make_cars
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.feeder.gridmodel import grid_model_flow
from sunshare_sim.feeder.limits import admit, curtail, feeder_limits
from sunshare_sim.feeder.powerflow import RadialModel, power_flow, radial_model
from sunshare_sim.inputs.grids import load_grid
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.session import Simulation
from sunshare_sim.units import FloatArray

YEAR, BLOCK = 35_040, 960


def spent(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def model_of(source: str, name: str) -> tuple[RadialModel, FloatArray]:
    tables = load_grid(source, name)
    return radial_model(build_feeder(tables.buses, tables.lines, tables.transformers)), tables.loads[
        "bus"
    ].to_numpy()


def powers(model: RadialModel, loads: FloatArray, slots: int, *, phases: bool) -> FloatArray:
    rng = np.random.default_rng(1)
    drawn = rng.gamma(1.0, 0.5, (slots, loads.size)) - 1.5 * rng.random((slots, 1)) * (
        rng.random(loads.size) < 0.4
    )
    p = np.zeros((slots, model.tree.bus.size, 3) if phases else (slots, model.tree.bus.size))
    for load, bus in enumerate(loads):
        p[(slice(None), bus, load % 3) if phases else (slice(None), bus)] += drawn[:, load]
    return p


def year_of_flow(model: RadialModel, p: FloatArray) -> Callable[[], None]:
    def work() -> None:
        for _ in range(YEAR // BLOCK + 1):
            power_flow(model, p, 0.1 * p)

    return work


def pandapower_slot(name: str, *, phases: bool) -> float:
    """Return pandapower's seconds for one slot, the mean of five after a first one."""
    import pandapower as pp

    if phases:
        from pandapower import networks

        net = networks.ieee_european_lv_asymmetric()
        solve = pp.runpp_3ph
    else:
        import simbench

        net = simbench.get_simbench_net(name)
        solve = pp.runpp
    solve(net)
    return spent(lambda: [solve(net) for _ in range(5)]) / 5


def flows() -> None:
    for source, name, phases in (
        ("simbench", "1-LV-rural3--0-sw", False),
        ("pandapower", "ieee_european_lv", True),
    ):
        model, loads = model_of(source, name)
        p = powers(model, loads, BLOCK, phases=phases)
        power_flow(model, p[:2])  # compile
        own = spent(year_of_flow(model, p))
        grid_model_flow(model, p[:2], 0.1 * p[:2])
        other = (
            spent(lambda m=model, x=p: grid_model_flow(m, x, 0.1 * x, method="iterative_current"))
            * YEAR
            / BLOCK
        )
        slot = pandapower_slot(name, phases=phases)
        print(f"{name}, {model.tree.bus.size} buses, {'three-phase' if phases else 'balanced'}, a year:")
        print(f"  own sweep                {own:10.2f} s")
        print(f"  power-grid-model         {other:10.2f} s, extrapolated from {BLOCK} slots")
        print(
            f"  pandapower               {slot * YEAR:10.0f} s, extrapolated from 5 slots of {slot * 1e3:.1f} ms"
        )


def enforcing() -> None:
    model, loads = model_of("simbench", "1-LV-rural3--0-sw")
    p = powers(model, loads, 1, phases=False)
    limits = feeder_limits(model.feeder)
    rng = np.random.default_rng(2)
    trades = (rng.choice(loads, 100), rng.choice(loads, 100), rng.uniform(0.1, 1.0, 100))
    base = (p[0], np.zeros(p.shape[1]))
    many = 2000
    for what, work in (
        ("one slot, flow", lambda: power_flow(model, p)),
        ("one slot, limits kept", lambda: curtail(model, limits, (p, 0.0))),
        ("one slot, 8 kW more fed in each, cut", lambda: curtail(model, limits, (p - 8.0 * (p != 0), 0.0))),
        ("one slot, 100 trades admitted", lambda: admit(model, limits, base, trades)),
    ):
        work()
        print(f"  {what:36s}{spent(lambda w=work: [w() for _ in range(many)]) / many * 1e6:8.0f} us")


def village(mode: str, limits: dict[str, object]) -> Scenario:
    """Return 100 homes on rural3 for a week of 15 min."""
    return Scenario.model_validate(
        {
            "name": "village",
            "place": {"weather": {"source": "clear_sky"}},
            "feeder": {"source": "simbench", "code": "1-LV-rural3--0-sw"},
            "households": {
                "groups": [
                    {"name": "homes", "count": 100, "solar": {"share": 0.6}, "battery": {"share": 0.3}}
                ]
            },
            "network": {"power_flow": mode, "limits": limits},
        }
    )


def runs() -> None:
    """Print what a slot of 100 homes costs in each mode, the least of three runs each, taken in turn."""
    tight = {"v_max_pu": 1.02, "shed_load": True}
    modes: dict[str, tuple[str, dict[str, object]]] = {
        "off": ("off", {}),
        "post": ("post", {}),
        "enforce, limits seldom bind": ("enforce", {}),
        "enforce, they bind at noon": ("enforce", tight),
        "the same with envelopes": ("enforce", {**tight, "envelopes": True}),
        "limits on trades": ("enforce", {"v_max_pu": 1.02, "applied_to": "trades"}),
    }
    community = build_community(village("off", {}))
    slots = community.grid.slots - 1
    best = dict.fromkeys(modes, np.inf)
    for _ in range(3):
        for name, (mode, limits) in modes.items():
            simulation = Simulation(village(mode, limits), community=community)
            simulation.step()  # compile
            work = spent(lambda s=simulation: [s.step() for _ in range(slots)])
            best[name] = min(best[name], work / slots * 1e6)
    for name, us in best.items():
        print(f"  {name:36s}{us:8.0f} us a slot, {us / best['off']:.2f} times off")


def devices() -> None:
    size, slots = 10_000, 1000
    rng = np.random.default_rng(3)
    batteries = make_batteries(rng.uniform(5, 15, size), rng.uniform(2, 5, size))
    soc, charge, discharge = batteries.capacity_kwh / 2, np.empty(size), np.empty(size)
    wishes = rng.normal(0, 1, (50, size))

    def store() -> None:
        for slot in range(slots):
            follow(wishes[slot % 50], batteries, soc, 0.25, charge, discharge)

    cars = make_cars(np.full(size, 60.0), np.full(size, 11.0))
    state = CarState.empty(size)
    state.departure_slot[:] = slots
    state.target_kwh[:] = 54.0

    def drive() -> None:
        for slot in range(slots):
            exchange(state, cars, wishes[slot % 50], slot, 0.25)

    for what, work in (("battery", store), ("V2G car", drive)):
        work()
        print(f"  {what:36s}{spent(work) / size / slots * 1e9:8.1f} ns a device and slot")


def main() -> None:
    flows()
    print("rural3, in the loop:")
    enforcing()
    print("a run of 100 homes on rural3:")
    runs()
    print("kernels:")
    devices()


if __name__ == "__main__":
    main()
