"""The figure of an island shows what the run's tables say."""

import matplotlib.pyplot as plt
import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.run import run_scenario

GROUPS = [
    {"name": "sunny", "count": 2, "demand": {"source": "values", "kwh": [0.5]},
     "solar": {"source": "values", "kwh": [1.5, 0.0, 0.0]},
     "battery": {"capacity_kwh": 1.0, "power_kw": 1.0, "initial_soc": 0.5}},
    {"name": "plain", "count": 2, "demand": {"source": "values", "kwh": [0.5]}},
]  # fmt: skip
EVENTS = [
    {"kind": "island", "start": 6, "end": 12},
    {"kind": "outage", "start": 18, "end": 20, "buses": ["a"]},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    line = {"from_bus": "substation", "to_bus": "a", "r_ohm": 0.1, "x_ohm": 0.05}
    scenario = Scenario.model_validate(
        {"time": {"slots": 24, "slot_minutes": 60}, "feeder": {"source": "inline", "lines": [line]},
         "households": {"groups": GROUPS}, "events": EVENTS, "results": {"figures": False}}
    )  # fmt: skip
    return run_scenario(scenario, out=tmp_path_factory.mktemp("figure") / "run")


def test_an_island_is_drawn_with_what_was_not_served(run):
    figure = run.plot.island_event()
    upper, lower = figure.axes
    unserved = run.slots.unserved_kwh[6:12].sum()
    assert unserved > 0
    title = upper.get_title(loc="left")
    assert title.startswith("Transformer 1 on its own: ")
    assert f"{unserved:.1f} kWh not served" in title
    assert "kW" in upper.get_ylabel()
    assert "kWh" in lower.get_ylabel()
    low, high = upper.get_xlim()
    assert (high - low) * 24 == pytest.approx(6 + 2 * 3)
    red = next(each for each in upper.collections if each.get_label() == "not served")
    top = max(path.vertices[:, 1].max() for path in red.get_paths())
    assert top == pytest.approx((run.slots.load_kwh + run.slots.unserved_kwh)[3:15].max())
    plt.close(figure)


def test_the_second_event_is_the_outage(run):
    figure = run.plot.island_event(1)
    assert (
        figure.axes[0].get_title(loc="left").startswith("A without supply: 0 % of the load served, 4.0 kWh")
    )
    plt.close(figure)


def test_what_is_not_there_is_not_drawn(run):
    with pytest.raises(ResultError, match="no such event; got 2; expected 0 to 1"):
        run.plot.island_event(2)
