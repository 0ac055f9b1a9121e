"""The scenario in words: sentences say what the keys say."""

import json

import pytest

from sunshare_sim.report.words import counted, numbers_text, sentences
from sunshare_sim.scenario.schema import Scenario


def said(**sections):
    return "\n".join(sentences(Scenario.model_validate_json(json.dumps(sections)), 12))


@pytest.mark.parametrize(
    ("sections", "wanted"),
    [
        ({}, "The run covers 7 days from 02 June 2025 in slots of 15 minutes."),
        ({}, "12 homes on the SimBench grid 1-LV-rural3--0-sw."),
        ({}, "Local trades pay no wheeling charge."),
        ({}, "Voltages and loadings of the wires are not computed."),
        ({"market": {"mechanism": "none"}}, "There is no local market"),
        ({"tariff": {"preset": "gb-2026-cap"}}, "from the preset gb-2026-cap: British household"),
        (
            {"tariff": {"periods": [{"from_hour": 1, "to_hour": 2, "supply_per_kwh": 0.1}]}},
            "by the hour, in 1 period.",
        ),
        ({"tariff": {"capacity_charge": 5.0}}, "5 EUR a kW of their highest import each month"),
        ({"tariff": {"export": {"scheme": "net_metering"}}}, "by the scheme net metering"),
        ({"tariff": {"sharing": {"locality": "radius", "radius_km": 2.0}}}, "near means: within 2 km."),
        ({"tariff": {"sharing": {"locality": "substation"}}}, "near means: on one substation."),
        ({"network": {"power_flow": "post"}}, "are computed and limit nothing"),
        (
            {"network": {"power_flow": "enforce"}},
            "within 0.9 to 1.1 of nominal voltage and 100 % of their ratings",
        ),
        ({"network": {"charges": {"rule": "flat", "between_zones_per_kwh": 0.02}}}, "by the rule flat"),
    ],
)
def test_sentences(sections, wanted):
    assert wanted in said(**sections)


def test_counting():
    assert counted(1, "home") == "1 home"
    assert counted(1200, "home") == "1,200 homes"
    assert numbers_text([1, 2]) == "1, 2"
    assert numbers_text([5, 1, 2, 3]) == "5, 1 to 3"
    assert numbers_text([]) == ""
