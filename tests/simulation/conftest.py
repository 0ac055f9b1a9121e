"""Small scenarios that need no data but what they carry themselves."""

import pytest

from sunshare_sim.scenario.schema import Scenario


def small(homes=6, slots=8, *, strategy="zi_c", seed=1, **changes):
    """Return a scenario of `homes` homes on two feeders, written out in full: half of them sell at noon."""
    sellers = {
        "name": "sellers",
        "count": homes // 2,
        "demand": {"source": "values", "kwh": [0.3, 0.2, 0.4, 0.1]},
        "solar": {"source": "values", "kwh": [0.0, 1.0, 1.7, 0.4]},
        "battery": {"share": 0.5, "capacity_kwh": 2.0, "power_kw": 1.0, "initial_soc": 0.2},
        "strategy": {"name": strategy},
    }
    buyers = {
        "name": "buyers",
        "count": homes - homes // 2,
        "demand": {"source": "values", "kwh": [0.5, 0.7, 0.3, 0.9]},
        "strategy": {"name": strategy},
    }
    data = {
        "name": "small",
        "seed": seed,
        "time": {"slots": slots, "slot_minutes": 60},
        "feeder": {
            "source": "inline",
            "lines": [
                {"from_bus": "substation", "to_bus": "a", "r_ohm": 0.1, "x_ohm": 0.05},
                {"from_bus": "a", "to_bus": "b", "r_ohm": 0.1, "x_ohm": 0.05},
                {"from_bus": "substation", "to_bus": "c", "r_ohm": 0.1, "x_ohm": 0.05},
            ],
        },
        "households": {"groups": [sellers, buyers]},
        "network": {"charges": {"rule": "zonal", "within_zone_per_kwh": 0.01, "between_zones_per_kwh": 0.04}},
        "results": {"figures": False},
    }
    for path, value in changes.items():
        target = data
        *sections, key = path.split("__")
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value
    return Scenario.model_validate(data)


@pytest.fixture
def make_small():
    return small
