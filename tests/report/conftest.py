"""A run small enough to look at, made once: the three homes that are worked by hand."""

from pathlib import Path

import pytest

import sunshare_sim as ss

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "three-homes"
    return ss.run(ROOT / "scenarios" / "three-homes.yaml", out=out, overrides={"results.figures": False})
