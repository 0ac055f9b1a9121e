"""The figures of devices, drawn from a run that kept its panels."""

import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.simulation.run import run

LINES = [{"from_bus": "substation", "to_bus": bus, "r_ohm": 0.1, "x_ohm": 0.05} for bus in "ab"]
PANELS = ["load_kwh", "solar_kwh", "ev_kwh", "charge_kwh", "discharge_kwh", "soc_kwh"]


def a_run(folder, panels):
    owner = {
        "name": "owner", "count": 1, "demand": {"source": "values", "kwh": [0.5, 0.2]},
        "solar": {"source": "values", "kwh": [0.0, 1.5]}, "battery": {"capacity_kwh": 4.0, "power_kw": 2.0},
        "ev": {"charging": "v2g", "sessions_per_week": 14.0},
    }  # fmt: skip
    other = {"name": "other", "count": 1, "demand": {"source": "values", "kwh": [0.5]}}
    data = {
        "time": {"days": 3, "slot_minutes": 60},
        "feeder": {"source": "inline", "lines": LINES},
        "households": {"groups": [owner, other]},
        "results": {"figures": False, "panels": panels},
    }
    return run(Scenario.model_validate(data), out=folder / "run")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return a_run(tmp_path_factory.mktemp("devices"), PANELS)


def test_a_day_of_a_battery_says_what_went_in_and_out(kept):
    figure = kept.plot.battery_day(0, 1)
    charge = kept.panel("charge_kwh")[0].to_numpy()[24:48].sum()
    title = figure.axes[0].get_title(loc="left")
    assert title.startswith(f"A day of the battery of owner: {charge:.1f} kWh in")
    assert {text.get_text() for text in figure.axes[0].get_legend().get_texts()} > {"solar", "charge"}
    assert figure.axes[1].get_ylabel() == "in the battery [kWh]"
    line = figure.axes[0].get_lines()[0]
    assert len(line.get_xdata()) == 25, "24 slots and the end of the last"


def test_a_day_of_a_car_says_what_it_took(kept):
    figure = kept.plot.ev_day(home=0)
    days = kept.panel("ev_kwh")[0].to_numpy().reshape(3, 24).sum(axis=1)
    assert f"{days.max():.1f} kWh charged" in figure.axes[0].get_title(loc="left"), "the day with most"


def test_what_cannot_be_drawn_is_said(kept, tmp_path):
    with pytest.raises(ResultError, match="this home has no battery"):
        kept.plot.battery_day(1)
    with pytest.raises(ResultError, match="no such day"):
        kept.plot.ev_day(day=9)
    bare = a_run(tmp_path, ["ev_kwh"])
    with pytest.raises(ResultError, match=r"results\.panels: \[load_kwh"):
        bare.plot.battery_day()
