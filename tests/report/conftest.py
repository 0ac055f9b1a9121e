"""A run and a study small enough to look at, made once: the three homes that are worked by hand."""

from pathlib import Path

import pytest

import sunshare_sim as ss

ROOT = Path(__file__).parents[2]
BASE = ROOT / "scenarios" / "three-homes.yaml"
STUDY = {
    "name": "tiny",
    "question": 'What do <b>charges</b> & "quotes" cost?',
    "base": {
        "extends": str(BASE),
        "households": {
            "groups": [
                {
                    "name": "sun",
                    "count": 1,
                    "buses": ["north"],
                    "demand": {"source": "values", "kwh": [0.5, 0.5, 0.5, 0.5]},
                    "solar": {"source": "values", "kwp": 5.0, "kwh": [0.0, 2.0, 3.0, 0.0]},
                    "strategy": {"name": "zi_c"},
                },
                {
                    "name": "shade",
                    "count": 2,
                    "buses": ["north", "south"],
                    "demand": {"source": "bdew", "annual_kwh": {"min": 4000.0, "max": 12000.0}},
                    "strategy": {"name": "zi_c"},
                },
            ]
        },
    },
    "variants": {
        "no-market": {"description": "no local market", "set": {"market.mechanism": "none"}},
        "dear": {"description": "twice as dear", "set": {"network.charges.within_zone_per_kwh": 0.02}},
    },
    "replications": 3,
}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "three-homes"
    return ss.run(BASE, out=out, overrides={"results.figures": False})


@pytest.fixture(scope="session")
def make_study(tmp_path_factory):
    """Return what runs the tiny study with changes of its file."""

    def make(**changes):
        return ss.study({**STUDY, **changes}, out=tmp_path_factory.mktemp("study") / "tiny", workers=0)

    return make


@pytest.fixture(scope="session")
def study(make_study):
    return make_study()
