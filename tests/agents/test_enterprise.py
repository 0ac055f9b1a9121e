"""An enterprise sells homes what it has when it is closed, at its own price."""

import numpy as np
import pytest
import yaml

from sunshare_sim.agents.check import check_strategy
from sunshare_sim.agents.enterprise import WeekendSurplus
from sunshare_sim.agents.strategy import View, make_strategy, strategies
from sunshare_sim.errors import StrategyError
from sunshare_sim.simulation.run import run_scenario

FRIDAY, SATURDAY, SUNDAY, MONDAY = 4, 5, 6, 0


def view(weekday, hour, net=(-2.0, 1.0, 0.0), feed_in=0.08, retail=0.40):
    net = np.array(net)
    return View(
        slot=0,
        net_kwh=net,
        side=np.sign(net),
        soc_kwh=np.zeros(net.size),
        retail_price=retail,
        feed_in_price=feed_in,
        last_price=0.2,
        cap_price=0.5,
        rng=np.random.default_rng(1),
        hour=hour,
        weekday=weekday,
    )


@pytest.mark.parametrize(
    "strategy",
    [
        WeekendSurplus(),
        WeekendSurplus(sells_when_open=True),
        WeekendSurplus(opens=22.0, closes=6.0, open_days=7),
    ],
)
def test_it_keeps_its_contract(strategy):
    check_strategy(strategy).require()
    assert "weekend_surplus" in strategies()


@pytest.mark.parametrize(
    ("weekday", "hour", "ask", "sells"),
    [
        (SATURDAY, 12.0, 0.16, True),
        (SUNDAY, 0.0, 0.16, True),
        (FRIDAY, 18.0, 0.24, True),
        (FRIDAY, 7.75, 0.24, True),
        (FRIDAY, 8.0, 0.32, False),
        (MONDAY, 17.75, 0.32, False),
    ],
)
def test_prices_by_the_calendar(weekday, hour, ask, sells):
    quotes = WeekendSurplus().quote(view(weekday, hour))
    assert quotes.price[:2] == pytest.approx([ask, 0.40])
    assert quotes.quantity.tolist() == [2.0 if sells else 0.0, 1.0, 0.0]
    assert WeekendSurplus(sells_when_open=True).quote(view(weekday, hour)).quantity[0] == 2.0


@pytest.mark.parametrize(
    ("weekday", "hour", "opened"),
    [
        (FRIDAY, 23.0, True),
        (SATURDAY, 5.0, True),
        (SATURDAY, 23.0, False),
        (MONDAY, 5.0, False),
        (MONDAY, 12.0, False),
    ],
)
def test_a_night_shift_belongs_to_its_evening(weekday, hour, opened):
    quotes = WeekendSurplus(opens=22.0, closes=6.0).quote(view(weekday, hour))
    assert (quotes.quantity[0] == 0.0) == opened


def test_a_feed_in_price_above_retail_leaves_no_spread():
    quotes = WeekendSurplus().quote(view(SATURDAY, 12.0, feed_in=0.45))
    assert quotes.price[0] == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"weekend_share": 1.5}, r"weekend_surplus\.weekend_share.*0 to 1"),
        ({"opens": -1.0}, r"weekend_surplus\.opens"),
        ({"open_days": 8}, r"open_days"),
        ({"open_share": float("nan")}, "open_share"),
        ({"weekendshare": 0.5}, "did you mean 'weekend_share'?"),
    ],
)
def test_impossible_parameters(parameters, words):
    with pytest.raises(StrategyError, match=words):
        make_strategy("weekend_surplus", parameters)


def test_a_week_through_yaml(tmp_path):
    """A shop with a constant surplus of 1 kWh an hour sells it to a home from Friday evening to Monday morning."""
    data = {
        "time": {"start": "2025-06-06", "days": 4, "slot_minutes": 60},
        "feeder": {"source": "inline",
                   "lines": [{"from_bus": "substation", "to_bus": "a", "r_ohm": 0.1, "x_ohm": 0.05}]},
        "households": {"groups": [
            {"name": "shop", "kind": "enterprise", "count": 1, "demand": {"source": "values", "kwh": [0.0]},
             "solar": {"source": "values", "kwh": [1.0]},
             "strategy": {"name": "weekend_surplus", "parameters": {"closes": 19, "weekend_share": 0.1}}},
            {"name": "home", "count": 1, "demand": {"source": "values", "kwh": [1.0]}},
        ]},
        "results": {"figures": False},
    }  # fmt: skip
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    run = run_scenario(path, out=tmp_path / "run")
    local = run.trades.time.dt.tz_convert("Europe/Berlin")
    weekend = local.dt.dayofweek >= 5
    assert set(local[~weekend].dt.hour) == {*range(8), *range(19, 24)}
    assert (weekend.sum(), (~weekend).sum()) == (48, 2 * 13)
    slots = run.slots.set_index("slot").loc[run.trades.slot]
    share = np.where(weekend, 0.1, 0.5)
    asked = (
        slots.feed_in_per_kwh.to_numpy() + share * (slots.retail_per_kwh - slots.feed_in_per_kwh).to_numpy()
    )
    assert run.trades.price_per_kwh.to_numpy() == pytest.approx(asked, abs=1e-4)
    assert (run.trades.seller == 0).all()
    data["market"] = {"rounds": 4}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    rounds = run_scenario(path, out=tmp_path / "rounds")
    assert rounds.slots.traded_kwh.sum() == pytest.approx(48 + 26)
