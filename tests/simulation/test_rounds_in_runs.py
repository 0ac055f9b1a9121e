import numpy as np
import pytest

from sunshare_sim.simulation.session import Simulation

LEARNERS = ("zip", "gd", "aa", "roth_erev", "predictive")


def simulate(make_small, strategy, rounds):
    simulation = Simulation(make_small(homes=12, slots=48, strategy=strategy, market__rounds=rounds))
    traded = []
    for _ in range(48):
        simulation.step()
        traded.append(int(simulation.state.trades.energy.sum()))
    return traded, simulation.state


@pytest.mark.parametrize("strategy", LEARNERS)
@pytest.mark.parametrize("rounds", [1, 16])
def test_learners_trade_in_a_run_and_the_same_seed_gives_the_same(make_small, strategy, rounds):
    one, state = simulate(make_small, strategy, rounds)
    two, again = simulate(make_small, strategy, rounds)
    assert one == two
    assert np.array_equal(state.bills.sales, again.bills.sales)
    if (strategy, rounds) != ("aa", 1):  # AA closes in on a price over rounds
        assert sum(one) > 0


def test_truthful_homes_trade_as_much_in_one_round_as_in_sixteen(make_small):
    assert simulate(make_small, "tariff_bound", 1)[0] == simulate(make_small, "tariff_bound", 16)[0]
