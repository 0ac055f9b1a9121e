"""SunShare Sim: an agent-based simulation of peer-to-peer energy markets in neighbourhoods.

>>> import sunshare_sim as ss
>>> run = ss.run("scenarios/quickstart.yaml")  # doctest: +SKIP
>>> run.kpis  # doctest: +SKIP

Names are loaded when they are first used, so that ``import sunshare_sim`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sunshare_sim.agents.check import check_strategy
    from sunshare_sim.agents.strategy import Quotes, Strategy, Tape, View, strategy
    from sunshare_sim.market.book import OrderBook
    from sunshare_sim.market.conformance import check_mechanism
    from sunshare_sim.results.run import Run
    from sunshare_sim.scenario.load import load_scenario
    from sunshare_sim.scenario.schema import Scenario
    from sunshare_sim.simulation.model import CommunityModel
    from sunshare_sim.simulation.run import run_scenario as run
    from sunshare_sim.studies.execute import run_study as study
    from sunshare_sim.studies.study import Study

_HOMES = {
    "CommunityModel": "sunshare_sim.simulation.model:CommunityModel",
    "OrderBook": "sunshare_sim.market.book:OrderBook",
    "Quotes": "sunshare_sim.agents.strategy:Quotes",
    "Run": "sunshare_sim.results.run:Run",
    "Scenario": "sunshare_sim.scenario.schema:Scenario",
    "Strategy": "sunshare_sim.agents.strategy:Strategy",
    "Study": "sunshare_sim.studies.study:Study",
    "Tape": "sunshare_sim.agents.strategy:Tape",
    "View": "sunshare_sim.agents.strategy:View",
    "check_mechanism": "sunshare_sim.market.conformance:check_mechanism",
    "check_strategy": "sunshare_sim.agents.check:check_strategy",
    "load_scenario": "sunshare_sim.scenario.load:load_scenario",
    "run": "sunshare_sim.simulation.run:run_scenario",
    "strategy": "sunshare_sim.agents.strategy:strategy",
    "study": "sunshare_sim.studies.execute:run_study",
}

__all__ = [
    "CommunityModel",
    "OrderBook",
    "Quotes",
    "Run",
    "Scenario",
    "Strategy",
    "Study",
    "Tape",
    "View",
    "check_mechanism",
    "check_strategy",
    "load_scenario",
    "run",
    "strategy",
    "study",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name].split(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
