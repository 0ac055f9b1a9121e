"""The terms of a tariff are part of the genesis: whoever changes them is found."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sunshare_sim as ss
from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger import files
from sunshare_sim.ledger.billing import RetailParts
from sunshare_sim.ledger.terms import Terms
from sunshare_sim.ledger.verify import verify

SCENARIO = """
time: {start: 2025-06-02, slots: 6, slot_minutes: 60}
feeder:
  source: inline
  substation: s
  lines: [{from_bus: s, to_bus: a, r_ohm: 0.05, x_ohm: 0.02, length_km: 0.2}]
households:
  groups: [{name: a, count: 2, demand: {source: values, kwh: [1.0, 0.5]}}]
market: {mechanism: none}
tariff: {capacity_charge: 2.0, supply_tiers: [{above_kwh: 0.5, price_per_kwh: 0.5}]}
settlement: {authorities: 0}
results: {figures: false}
"""


def play(folder, text):
    (folder / "s.yaml").write_text(text, "utf-8")
    ss.run(folder / "s.yaml", out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return play(tmp_path_factory.mktemp("terms"), SCENARIO)


def seal_again(run, name):
    """Seal a folder anew after a file of it was changed, and take away the manifest, which would tell as well."""
    (run / "manifest.json").unlink()
    seal = json.loads((run / "ledger" / files.SEAL).read_text("ascii"))
    content = {"files": {**seal["files"], name: files.hash_of(run / "ledger" / name)}, "head": seal["head"]}
    signature = sha256(files.canonical(content).encode("ascii")).hexdigest()
    (run / "ledger" / files.SEAL).write_text(files.canonical({**content, "signature": signature}), "ascii")


def test_a_genesis_says_terms_only_where_there_are_any():
    plain = files.Genesis("x/1", 2, 3, 0, RetailParts(1, 2, 3, 4))
    assert "terms" not in plain.text()
    terms = Terms(
        60, ((3, 3),), ((3, 5),), ((1, 6), (2, 7)), (1, 2, 3), tiers=((0, 4, -5),), credit_against="supply"
    )
    told = replace(plain, terms=terms)
    assert files.Genesis.parse(told.text()) == told
    assert files.Genesis.parse(plain.text()) == plain


def test_the_bill_is_proved_with_its_terms(run):
    assert (verify(run).bills.capacity > 0).all()


@pytest.mark.parametrize("name", ["capacity_micro", "network_fixed_micro"])
def test_changed_terms_are_found_even_with_a_new_seal(run, tmp_path, name):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    genesis = json.loads((copy / "ledger" / files.GENESIS).read_text("ascii"))
    genesis["terms"][name] += 1
    (copy / "ledger" / files.GENESIS).write_text(files.canonical(genesis), "ascii")
    with pytest.raises(LedgerError, match=r"genesis\.json"):
        verify(copy)
    seal_again(copy, files.GENESIS)
    with pytest.raises(LedgerError, match="previous_hash is wrong"):
        verify(copy)


@pytest.mark.parametrize("rule", ["socialised", "proportional", "marginal"])
def test_losses_on_the_bill_are_proved_and_cannot_be_changed(tmp_path, rule):
    run = play(tmp_path, f"{SCENARIO}network: {{power_flow: post, losses: {{rule: {rule}}}}}\n")
    assert verify(run).bills.losses.sum() > 0
    path = run / "ledger" / files.READINGS
    table = pq.read_table(path)
    losses = table["losses_micro_kwh"].to_numpy().copy()
    losses[0] += 1
    pq.write_table(table.set_column(1, "losses_micro_kwh", pa.array(losses)), path)
    seal_again(run, files.READINGS)
    with pytest.raises(LedgerError, match="readings_hash is wrong"):
        verify(run)


def test_without_power_flow_nobody_pays_for_losses(run):
    assert pq.read_schema(run / "ledger" / files.READINGS).names == ["net_micro_kwh"]
    assert not verify(run).bills.losses.any()
