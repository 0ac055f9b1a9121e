"""What any market of homes must show: volume, the price of plenty, the cost of distance, fairness between twins."""

import numpy as np
import pytest

from sunshare_sim.agents.strategy import make_strategy
from sunshare_sim.validation.neighbourhood import Neighbourhood, try_out


def trials(name, seeds, **place):
    return [try_out(Neighbourhood(**place), make_strategy(name), seed) for seed in range(1, seeds + 1)]


@pytest.mark.parametrize("rounds", [1, 16])
def test_truthful_homes_trade_all_that_could_be_traded(rounds):
    assert all(trial.share >= 0.99 for trial in trials("tariff_bound", 5, rounds=rounds))


@pytest.mark.parametrize("name", ["zi_c", "zip", "predictive", "roth_erev"])
def test_more_solar_lowers_the_mean_local_price(name):
    prices = np.array([[t.price for t in trials(name, 6, solar=solar)] for solar in (1.0, 2.0, 4.0)])
    mean, error = prices.mean(axis=1), prices.std(axis=1, ddof=1) / np.sqrt(6)
    assert mean[0] > mean[1] > mean[2] or mean[0] - mean[2] > 3 * np.hypot(error[0], error[2])
    assert mean[0] > mean[2]


@pytest.mark.parametrize("name", ["tariff_bound", "zi_c"])
def test_a_wheeling_charge_lowers_trade_across_zones_monotonically(name):
    across = [
        np.mean([t.across * t.share for t in trials(name, 6, zones=3, charge=charge, slots=24)])
        for charge in (0, 400, 800, 1600, 3200, 3201)
    ]
    assert all(np.diff(across) <= 0)
    assert across[0] > across[3]
    assert across[-1] == 0.0  # dearer than the whole gap between the grid's prices


@pytest.mark.parametrize("name", ["zi_c", "zip", "gd"])
def test_twins_can_expect_the_same(name):
    """Homes of one kind draw from one distribution: no place in the list may be better than another."""
    gains = np.array([trial.gain for trial in trials(name, 10, rounds=8, slots=24)])
    for kind in (0, 1):  # those with and those without solar
        mine = gains[:, kind::2]
        front, back = mine[:, :15].mean(axis=1), mine[:, 15:].mean(axis=1)
        difference = front - back
        assert abs(difference.mean()) <= 3 * difference.std(ddof=1) / np.sqrt(10)


@pytest.mark.parametrize("name", ["zi_c", "zip", "gd"])
def test_the_energy_traded_has_settled_at_the_default_of_sixteen_rounds(name):
    default, finest = (np.mean([t.share for t in trials(name, 4, rounds=rounds)]) for rounds in (16, 64))
    assert default == pytest.approx(finest, abs=0.01)


def test_meters_are_paired_over_strategies_rounds_and_charges():
    """The best that could be traded is the same, so a trial that trades it all shows the same energy."""
    one = try_out(Neighbourhood(rounds=1), make_strategy("tariff_bound"), 3)
    two = try_out(Neighbourhood(rounds=4), make_strategy("set_and_forget"), 3)
    assert one.share == two.share == 1.0
    assert one.gain.sum() == pytest.approx(
        two.gain.sum()
    )  # without charges the gap is shared, whatever the price
