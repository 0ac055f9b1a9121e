"""Mesa's view of a run."""

import mesa
import numpy as np
import pytest

import sunshare_sim as ss
from sunshare_sim.agents.population import BatteryAgent, Consumer, Household, Prosumer


@pytest.fixture
def model(make_small):
    made = ss.CommunityModel(make_small(homes=8))
    yield made
    made.close()


def test_agents_show_what_the_arrays_hold(model):
    for _ in range(3):
        model.step()
    state = model.state
    homes = model.agents.select(agent_type=Household)
    assert len(homes) == 8
    assert len(model.agents.select(agent_type=Prosumer)) == 4
    assert len(model.agents.select(agent_type=Consumer)) == 4
    assert [home.net_kwh for home in homes] == (state.net / 1e6).tolist()
    assert [home.bill for home in homes] == [state.total_micro(row) / 1e6 for row in range(8)]
    batteries = model.agents.select(agent_type=BatteryAgent)
    assert sum(battery.soc_kwh for battery in batteries) == pytest.approx(state.soc_kwh.sum())
    assert model.utility.retail_price == pytest.approx(0.397103)
    assert homes.agg("net_kwh", sum) == pytest.approx(state.net.sum() / 1e6)
    assert {zone for zone, _ in homes.groupby("zone")} == set(state.community.households.zone.tolist())


def test_a_data_collector_works(model):
    collector = mesa.DataCollector(agenttype_reporters={Prosumer: {"net_kwh": "net_kwh"}})
    for _ in range(2):
        model.step()
        collector.collect(model)
    frame = collector.get_agenttype_vars_dataframe(Prosumer)
    assert len(frame) == 8


class ByHand(Household):
    """Quote for one home at a time what `zi_c` quotes for a cohort."""

    def quote(self, view):
        low, high = view.feed_in_price, view.retail_price
        steps = np.floor((high - low) / view.tick + 1e-9)
        return low + np.floor(view.rng.random() * (steps + 1)) * view.tick, np.abs(view.net_kwh)


def test_a_mesa_subclass_that_quotes_for_itself_gives_the_same_run(make_small, tmp_path):
    scenario = make_small(homes=8)
    results = []
    for name, household in (("cohort", None), ("one-by-one", ByHand)):
        model = ss.CommunityModel(scenario, out=tmp_path / name, household=household)
        while model.running:
            model.step()
        results.append(model.result)
        model.close()
    assert len(results[0].trades) > 5
    assert results[0].trades.equals(results[1].trades)
    assert results[0].bills.equals(results[1].bills)


def test_a_closed_model_is_let_go(make_small):
    before = len(getattr(mesa.Agent, "_ids", {}))
    model = ss.CommunityModel(make_small())
    model.close()
    assert len(getattr(mesa.Agent, "_ids", {})) == before
