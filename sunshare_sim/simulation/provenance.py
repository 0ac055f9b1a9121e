"""What made a run: scenario, seed, data sources; and, apart from it, the machine and the versions it ran on."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from sunshare_sim.community.households import Community
from sunshare_sim.community.part import Part
from sunshare_sim.scenario.load import scenario_hash
from sunshare_sim.scenario.schema import Scenario

WATCHED: Final = (
    "sunshare-sim",
    "numpy",
    "numba",
    "pandas",
    "pyarrow",
    "pvlib",
    "mesa",
    "simpy",
    "networkx",
    "pydantic",
)


PART: Final = "part.json"


def run_hash(scenario: Scenario, community: Community) -> str:
    """Return the scenario's hash; of a part, with the part's number."""
    part = community.part
    return scenario_hash(scenario) + ("" if part is None else f"#{part.number}")


def part_text(part: Part) -> str:
    """Return which part of a larger community a run is of, as JSON: rows of its homes, buses, lines and zones there."""
    rows = {name: getattr(part, name).tolist() for name in ("homes", "buses", "lines", "zones")}
    return json.dumps({"number": part.number, "count": part.count, "size": part.size, **rows}) + "\n"


def describe_run(scenario: Scenario, community: Community) -> dict[str, Any]:
    """Return what the run's numbers follow from: equal manifests, equal runs."""
    grid = community.grid
    return {
        "scenario": scenario.name,
        "scenario_hash": run_hash(scenario, community),
        "seed": scenario.seed,
        "start": grid.start.isoformat(),
        "slots": grid.slots,
        "slot_minutes": grid.slot_minutes,
        "households": len(community.households),
        "sources": list(community.sources),
    }


def describe_environment() -> dict[str, Any]:
    """Return where the run was made; it must not matter for the numbers."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: found for name in WATCHED if (found := _version(name))},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
