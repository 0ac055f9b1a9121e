"""The schema that editors read beside the scenario files is the one the program checks by."""

import json
from pathlib import Path

from sunshare_sim.scenario.template import schema_text
from sunshare_sim.simulation.run import names

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_the_committed_schema_is_the_current_one():
    committed = (SCENARIOS / "scenario.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == json.loads(schema_text(names())), (
        "run: sunshare schema -o scenarios/scenario.schema.json"
    )
