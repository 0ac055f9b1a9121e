"""A community built from real data: the quickstart's."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from sunshare_sim.community.build import build_community
from sunshare_sim.errors import InputError, NetworkError, ScenarioError, SunShareWarning
from sunshare_sim.scenario.load import load_scenario

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"


def built(*overrides):
    return build_community(load_scenario(QUICKSTART, overrides=overrides))


@pytest.fixture(scope="module")
def community():
    return built()


def test_who_lives_there(community):
    homes = community.households
    assert len(homes) == 111
    assert homes.group.count("homes") == 110
    assert (homes.solar_kwp[:110] > 0).sum() == 44
    assert (community.batteries.capacity_kwh > 0).sum() == 28
    assert (homes.solar_kwp[community.batteries.capacity_kwh > 0] > 0).all()
    assert community.fleet.home.size == 22
    assert homes.solar_kwp[110] == 60.0
    assert np.median(homes.annual_kwh[:110]) == pytest.approx(3000, rel=0.15)
    assert len(np.unique(homes.bus)) == 111  # as many homes as loads: each has its own
    assert homes.zone.max() < len(community.feeder.zone_names)


def test_energy_of_the_week_is_plausible(community):
    load, solar = community.load.block(0, 672), community.solar.block(0, 672)
    assert load.shape == solar.shape == (672, 111)
    weekly = load[:, :110].sum() / (community.households.annual_kwh[:110].sum() * 7 / 365)
    assert 0.75 < weekly < 1.05  # June is below the mean of a year
    yields = (
        solar.sum(axis=0)[:110]
        / np.where(community.households.solar_kwp > 0, community.households.solar_kwp, np.nan)[:110]
    )
    assert 15 < np.nanmean(yields) < 50  # kWh/kWp in a June week in Potsdam
    assert not solar[:, community.households.solar_kwp == 0].any()


def test_blocks_do_not_depend_on_how_they_are_cut(community):
    whole = community.load.block(0, 672)
    assert np.array_equal(np.concatenate([community.load.block(i, i + 7) for i in range(0, 672, 7)]), whole)


def test_more_solar_keeps_the_systems_there_were(community):
    more = built("households.groups[0].solar.share=0.5")
    before, after = community.households.solar_kwp, more.households.solar_kwp
    assert (after > 0).sum() == 56
    assert np.array_equal(after[before > 0], before[before > 0])


def test_more_cars_keep_the_trips_there_were(community):
    more = built("households.groups[0].ev.share=0.5")
    few, many = community.fleet, more.fleet
    assert many.home.size == 55
    for car, home in enumerate(few.home):
        other = int(np.flatnonzero(many.home == home)[0])
        mine, theirs = few.sessions.car == car, many.sessions.car == other
        assert np.array_equal(few.sessions.arrival_slot[mine], many.sessions.arrival_slot[theirs])
        assert np.array_equal(few.sessions.energy_kwh[mine], many.sessions.energy_kwh[theirs])


def test_a_change_in_one_group_leaves_the_other_alone(community):
    other = built("households.groups[0].count=90")
    assert other.households.annual_kwh[:90].tolist() == community.households.annual_kwh[:90].tolist()
    assert np.array_equal(other.load.block(0, 96)[:, 90], community.load.block(0, 96)[:, 110])


def test_more_than_the_transformer_is_rated_for_is_said_with_numbers():
    message = r"expected peak feed-in of 151 homes is \d+ kW, the feeder's transformers are rated 400 kVA"
    with pytest.warns(SunShareWarning, match=message):
        built("households.groups[0].count=150", "households.groups[0].solar.share=1.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built("households.groups[0].count=150", "feeder.copies=3")


def test_copies_of_the_feeder_hold_more_homes():
    many = built("feeder.copies=3", "households.groups[0].count=330")
    assert len(many.households) == 331
    assert len(many.feeder.bus_names) == 3 * 129
    assert len(np.unique(many.households.bus)) == 331


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("feeder.code=1-LV-rural9--0-sw", InputError, r"1-LV-rural9--0-sw.*did you mean '1-LV-rural"),
        ("households.groups[1].demand.profile=g9", InputError, "g9"),
        ("households.groups[1].count=null", ScenarioError, "the groups do not add up"),
        ("feeder.zones={nowhere: a}", NetworkError, r"nowhere"),
    ],
)
def test_what_cannot_be_built_is_said(override, error, message):
    overrides = [override]
    if "count=null" in override:
        overrides = ["households.count=110", override]
    with pytest.raises(error, match=message):
        built(*overrides)
