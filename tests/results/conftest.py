"""A small, balanced, made-up run: flows, trades and bills that agree with each other, written and read back."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from sunshare_sim.results.kpis import kpi_table
from sunshare_sim.results.run import Run
from sunshare_sim.results.store import RunWriter
from sunshare_sim.results.tables import as_frame, schema_of
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.scenario.time import Time

START = np.datetime64("2025-06-01T22:00:00", "s")
RETAIL, FEED_IN, WHEELING = 396_900, 78_600, 20_000


def micro(values):
    return np.rint(np.asarray(values) * 1e6).astype(np.int64)


def make_flows(slots=672, homes=40, seed=3):
    """Return metered flows [1e-6 kWh], shape [slots, homes]: load, solar, ev, charge, discharge, soc."""
    rng = np.random.default_rng(seed)
    hour = (np.arange(slots) / 4) % 24
    day = np.arange(slots) // 96
    shape = 0.12 + 0.25 * np.exp(-(((hour - 7.5) / 1.5) ** 2)) + 0.45 * np.exp(-(((hour - 19) / 2.3) ** 2))
    load = shape[:, None] * rng.gamma(3, 1 / 3, (slots, homes)) * rng.lognormal(0, 0.4, homes) * 0.6
    sun = np.clip(np.sin((hour - 5) / 16 * np.pi), 0, None) ** 1.4 * (hour > 5) * (hour < 21)
    clear = rng.uniform(0.35, 1.0, int(day.max()) + 1)[day]
    kwp = np.where(np.arange(homes) < homes * 0.4, rng.uniform(4, 10, homes).round(1), 0.0)
    solar = sun[:, None] * clear[:, None] * kwp * 0.22 * rng.uniform(0.9, 1.0, (slots, homes))
    ev = np.where((hour[:, None] > 17.5) & (hour[:, None] < 20) & (np.arange(homes) % 5 == 1), 0.9, 0.0)
    capacity = np.where(np.arange(homes) < homes * 0.25, 8.0, 0.0)
    load, solar, ev = micro(load), micro(solar), micro(ev)
    charge, discharge, soc = np.zeros_like(load), np.zeros_like(load), np.zeros(load.shape)
    stored, cap = np.zeros(homes, dtype=np.int64), micro(capacity)
    for slot in range(slots):
        net = load[slot] + ev[slot] - solar[slot]
        charge[slot] = np.clip(np.minimum(-net, cap - stored), 0, micro(1.0))
        discharge[slot] = np.clip(np.minimum(net, stored), 0, micro(1.0))
        stored += charge[slot] - discharge[slot]
        soc[slot] = stored / 1e6
    return (
        {"load": load, "solar": solar, "ev": ev, "charge": charge, "discharge": discharge},
        soc,
        kwp,
        capacity,
    )


def make_trades(net, rng):
    """Pair surplus with deficit, home by home, at prices between the tariffs; columns as a writer takes them."""
    rows = []
    for slot, homes in enumerate(net):
        sellers = [(home, -energy) for home, energy in enumerate(homes) if energy < 0]
        buyers = [(home, energy) for home, energy in enumerate(homes) if energy > 0]
        level = 0.2 + 0.08 * np.tanh((homes.sum() / 1e6) / 5)
        while sellers and buyers:
            (seller, offered), (buyer, wanted) = sellers[-1], buyers[-1]
            energy = min(offered, wanted)
            price = int(np.clip(rng.normal(level, 0.02), 0.08, 0.37) * 1e4) * 100
            rows.append((slot, buyer, seller, buyer % 4, seller % 4, energy, price, WHEELING))
            for side, home, rest in ((sellers, seller, offered - energy), (buyers, buyer, wanted - energy)):
                side[-1] = (home, rest)
                if not rest:
                    side.pop()
    columns = np.array(rows, dtype=np.int64).reshape(-1, 8).T
    names = ("slot", "buyer", "seller", "buyer_pool", "seller_pool")
    names += ("energy_micro_kwh", "price_micro_per_kwh", "charge_micro_per_kwh")
    trades = dict(zip(names, columns, strict=True))
    return {
        **trades,
        "time": START + trades["slot"] * np.timedelta64(900, "s"),
        "status": np.zeros(len(rows), np.int8),
    }


def make_slots(flows, soc, trades):
    slots = len(soc)
    net = flows["load"] + flows["ev"] + flows["charge"] - flows["solar"] - flows["discharge"]
    total = {name: values.sum(axis=1) for name, values in flows.items()}
    deficit, surplus = np.maximum(net, 0).sum(axis=1), np.maximum(-net, 0).sum(axis=1)

    def by_slot(values):
        out = np.zeros(slots, dtype=np.int64)
        np.add.at(out, trades["slot"], values)
        return out

    energy = trades["energy_micro_kwh"]
    traded = by_slot(energy)
    return {
        "slot": np.arange(slots),
        "time": START + np.arange(slots) * np.timedelta64(900, "s"),
        **{f"{name}_micro_kwh": values for name, values in total.items()},
        "soc_kwh": soc.sum(axis=1),
        "surplus_micro_kwh": surplus,
        "deficit_micro_kwh": deficit,
        "largest_surplus_micro_kwh": np.maximum(-net, 0).max(axis=1),
        "traded_micro_kwh": traded,
        "import_micro_kwh": deficit - traded,
        "export_micro_kwh": surplus - traded,
        "trades": by_slot(np.ones(len(energy), np.int64)),
        "failed": np.zeros(slots, np.int64),
        "trade_value_micro": by_slot(energy * trades["price_micro_per_kwh"] // 10**6),
        "wheeling_micro": by_slot(energy * trades["charge_micro_per_kwh"] // 10**6),
        "retail_micro_per_kwh": np.full(slots, RETAIL),
        "feed_in_micro_per_kwh": np.full(slots, FEED_IN),
    }


def make_bills(net, trades):
    homes = net.shape[1]

    def by_home(who, values):
        out = np.zeros(homes, dtype=np.int64)
        np.add.at(out, trades[who], values)
        return out

    energy = trades["energy_micro_kwh"]
    bought, sold = by_home("buyer", energy), by_home("seller", energy)
    value = energy * trades["price_micro_per_kwh"] // 10**6
    deficit, surplus = np.maximum(net, 0).sum(axis=0), np.maximum(-net, 0).sum(axis=0)
    imports, exports = deficit - bought, surplus - sold
    money = {
        "supply": imports * 160_400 // 10**6,
        "network": imports * 109_500 // 10**6,
        "levies": imports * 63_800 // 10**6,
        "tax": imports * 63_200 // 10**6,
        "standing": np.zeros(homes, np.int64),
        "feed_in": -(exports * FEED_IN // 10**6),
        "purchases": by_home("buyer", value),
        "sales": -by_home("seller", value),
        "wheeling": by_home("buyer", energy * WHEELING // 10**6),
    }
    total = sum(money.values())
    alone = deficit * RETAIL // 10**6 - surplus * FEED_IN // 10**6
    return {
        "household": np.arange(homes),
        "import_micro_kwh": imports,
        "export_micro_kwh": exports,
        "bought_micro_kwh": bought,
        "sold_micro_kwh": sold,
        **{f"{name}_micro": values for name, values in money.items()},
        "total_micro": total,
        "counterfactual_total_micro": alone,
        "saving_micro": alone - total,
    }


def make_households(kwp, capacity):
    homes = len(kwp)
    row = np.arange(homes)
    zeros = np.zeros(homes)
    return {
        "household": row,
        "name": [f"home-{i:03d}" for i in row],
        "group": ["homes"] * homes,
        "kind": ["Enterprise" if i == 0 else "Prosumer" if kwp[i] else "Consumer" for i in row],
        "zone": row % 4,
        "bus": 1 + row,
        "solar_kwp": kwp,
        "tilt_deg": np.full(homes, 35.0),
        "azimuth_deg": np.full(homes, 180.0),
        "battery_kwh": capacity,
        "battery_kw": capacity / 2,
        "ev_kw": np.where(row % 5 == 1, 3.7, 0.0),
        "heat_pump_kwh": zeros,
        "annual_kwh": np.full(homes, np.nan),
        "strategy": ["tariff_bound"] * homes,
        "ev_shortfall_kwh": zeros,
        "battery_cycles": zeros,
        "battery_loss": zeros,
        "ev_given_kwh": zeros,
        "wear": zeros,
        "discomfort_kh": zeros,
        "foresight_gap": zeros,
    }


def make_feeder(homes, *, coordinates):
    """Return buses and lines: four branches from the substation (bus 0), homes strung along them."""
    bus = np.arange(homes + 1)
    row = bus - 1
    parent = np.where(row < 4, 0, bus - 4)
    parent[0] = -1
    angle, depth = (row % 4) * np.pi / 2 + 0.3, row // 4 + 1.0
    bend = angle + 0.05 * depth
    x, y = depth * np.cos(bend), depth * np.sin(bend)
    x[0] = y[0] = 0.0
    if not coordinates:
        x, y = np.full(len(bus), np.nan), np.full(len(bus), np.nan)
    buses = {
        "bus": bus,
        "name": [f"bus {i}" for i in bus],
        "zone": np.where(bus == 0, -1, row % 4),
        "x": x,
        "y": y,
        "households": np.where(bus == 0, 0, 1),
    }
    lines = {
        "line": np.arange(homes),
        "from_bus": parent[1:],
        "to_bus": bus[1:],
        "length_km": np.full(homes, 0.05),
        "r_ohm": np.full(homes, 0.01),
        "x_ohm": np.full(homes, 0.004),
        "rating_a": np.full(homes, 270.0),
        "kind": ["line"] * homes,
    }
    return buses, lines


def complete(name, columns):
    """Give what the made-up run knows nothing of (orders rejected, energy cut) as nothing."""
    count = len(next(iter(columns.values())))
    empty = {"text": "", "time": np.datetime64("1970-01-01", "s"), "float64": np.nan}
    for column in schema_of(name).columns:
        if column.stored_name not in columns:
            columns[column.stored_name] = np.full(count, empty.get(column.kind, 0))
    return columns


def write_run(
    out: Path, *, slots=672, homes=40, seed=3, coordinates=True, chunk=None, manifest=None, days=7
) -> Path:
    """Write the made-up run; `chunk` appends the trades in pieces of that many rows."""
    flows, soc, kwp, capacity = make_flows(slots, homes, seed)
    net = flows["load"] + flows["ev"] + flows["charge"] - flows["solar"] - flows["discharge"]
    trades = make_trades(net, np.random.default_rng(seed))
    tables = {
        "slots": make_slots(flows, soc, trades),
        "bills": make_bills(net, trades),
        "households": make_households(kwp, capacity),
    }
    tables["buses"], tables["lines"] = make_feeder(homes, coordinates=coordinates)
    tables = {name: complete(name, table) for name, table in tables.items()}
    shown = {name: as_frame(name, table) for name, table in tables.items()}
    tables["kpis"] = kpi_table(shown, hours=0.25)
    scenario = Scenario(time=Time(days=days), seed=seed, name="demo")
    with RunWriter(out) as writer:
        for name, table in tables.items():
            writer.write(name, table)
        trades = complete("trades", trades)
        count = len(trades["slot"])
        for first in range(0, count, chunk or max(count, 1)):
            writer.append("trades", {k: v[first : first + (chunk or count)] for k, v in trades.items()})
        for first in range(0, slots, 96):
            writer.panel("soc_kwh", soc[first : first + 96])
        writer.text("resolved.yaml", yaml.safe_dump(scenario.model_dump(mode="json"), sort_keys=False))
        return writer.finish(manifest or {"seed": seed, "environment": {"seconds": 1.5}})


@pytest.fixture(scope="session")
def write():
    """Return `write_run`: test files cannot import a conftest."""
    return write_run


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "demo-3")


@pytest.fixture
def demo(demo_folder) -> Run:
    return Run.load(demo_folder)
