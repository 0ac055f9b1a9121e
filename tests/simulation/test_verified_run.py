"""A run can be proved from its folder alone, by the command, for every way of settling it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sunshare_sim.cli import main
from sunshare_sim.simulation.run import run_scenario

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "scenarios" / "three-homes.yaml"


def call(*arguments):
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"settlement.audit": "block", "settlement.authorities": 0},
        {"settlement.block_slots": 4, "settlement.block_trades": 1, "settlement.authorities": 5},
        {"settlement.signature": "ml-dsa-44", "settlement.block_interval_ms": 5000},
        {"settlement.initial_balance": 0.05},
        {"market.mechanism": "none"},
    ],
)
def test_a_run_is_proved(tmp_path, changes):
    run = run_scenario(SCENARIO, out=tmp_path / "run", overrides={**changes, "results.figures": False})
    done = call(tmp_path / "run", "--head", run.manifest["chain_head"])
    assert done.exit_code == 0, done.output
    assert run.manifest["chain_head"] in done.output


def test_a_changed_run_is_refused_with_exit_code_4(tmp_path):
    run_scenario(SCENARIO, out=tmp_path / "run", overrides={"results.figures": False})
    path = tmp_path / "run" / "ledger" / "blocks.bin"
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(raw)
    done = call(tmp_path / "run")
    assert done.exit_code == 4
    assert "blocks.bin: is not the file that was sealed" in done.output
    assert call(tmp_path / "nowhere").exit_code == 4


def test_a_home_gets_its_bill_and_proofs(tmp_path):
    run = run_scenario(SCENARIO, out=tmp_path / "run", overrides={"results.figures": False})
    proofs = tmp_path / "proofs.json"
    done = call(tmp_path / "run", "--household", 0, "--proof", proofs)
    assert done.exit_code == 0, done.output
    trades = run.trades
    assert len(json.loads(proofs.read_text())) == ((trades.buyer == 0) | (trades.seller == 0)).sum() > 0
    checker = [sys.executable, ROOT / "examples" / "check_proof.py", proofs]
    assert subprocess.run(checker, check=False, capture_output=True).returncode == 0  # noqa: S603
    assert call(tmp_path / "run", "--household", 99).exit_code == 4
    assert call(tmp_path / "run", "--proof", proofs).exit_code == 2
