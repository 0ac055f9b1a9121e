"""The committed bytecode is what the sources give, with the compiler that is pinned."""

import json
import re
import shutil
import subprocess

import pytest

from tests.contracts.evm import ARTIFACTS, artifact, keccak256, selector

CONTRACTS = ARTIFACTS.parent


def test_artifacts_name_the_pinned_versions():
    pinned = json.loads((CONTRACTS / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    for path in ARTIFACTS.glob("*.json"):
        compiler = artifact(path.stem)["compiler"]
        assert compiler["solc"].split("+")[0] == pinned["solc"]
        assert compiler["openzeppelin"] == pinned["@openzeppelin/contracts"]


def test_contracts_fit_the_limit_of_a_chain():
    for path in ARTIFACTS.glob("*.json"):
        assert len(artifact(path.stem)["deployedBytecode"]) // 2 - 1 < 24_576  # EIP-170


def test_selectors_are_the_known_ones():
    assert selector("EnergyToken", "transfer").hex() == "a9059cbb"  # of every ERC-20
    assert keccak256(b"").hex().startswith("c5d2460186f7233c")


def test_the_manual_names_every_function_and_every_revert():
    manual = (CONTRACTS / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", manual))))
    for contract in ("SunShareSettlement", "EnergyToken", "TestCoin"):
        for entry in artifact(contract)["abi"]:
            if entry["type"] in ("function", "error"):
                assert entry["name"] in named, (contract, entry["name"])
    for source in (CONTRACTS / "SunShareSettlement.sol", CONTRACTS / "EnergyToken.sol"):
        for reason in re.findall(
            r'require\([^;]*?"([^"]*)"\)', source.read_text(encoding="utf-8"), re.DOTALL
        ):
            assert reason in manual


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed: the bytecode cannot be compared")
@pytest.mark.skipif(
    not (CONTRACTS / "node_modules" / "solc").exists(),
    reason="the compiler is not installed: contracts/check.sh does",
)
def test_the_committed_bytecode_is_what_the_sources_give():
    done = subprocess.run(  # noqa: S603
        [shutil.which("node") or "node", "compile.mjs", "--check"],
        cwd=CONTRACTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
