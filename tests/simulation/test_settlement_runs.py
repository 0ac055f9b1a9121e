"""Runs in which settlement is late, refused or left out: trading goes on, nothing is lost, every bill follows."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import sunshare_sim as ss
from sunshare_sim.cli import main
from sunshare_sim.ledger.verify import verify
from sunshare_sim.simulation.session import Simulation

OUTCOME = ["slot", "buyer", "seller", "energy_kwh", "price_per_kwh", "status", "reason"]


def play(make_small, out, **settlement):
    changes = {f"settlement__{name}": value for name, value in settlement.items()}
    return ss.run(make_small(homes=20, slots=24, **changes), out=out)


def test_a_backlog_changes_when_but_not_what(make_small, tmp_path):
    prompt = play(make_small, tmp_path / "a")
    late = play(make_small, tmp_path / "b", block_interval_ms=900_000, block_trades=2)
    assert prompt.trades["latency_ms"].unique().tolist() == [400]
    assert late.trades["latency_ms"].max() > 3_600_000  # longer than a slot
    assert late.blocks["trades"].max() == 2
    assert late.trades[OUTCOME].equals(prompt.trades[OUTCOME])
    assert late.bills.equals(prompt.bills)
    assert late.slots.equals(prompt.slots)
    found = verify(tmp_path / "b")
    assert found.trades == len(late.trades)
    sizes = late.trades.groupby("block").size()
    assert (late.blocks.set_index("number")["trades"].loc[sizes.index] == sizes).all()


def test_trading_does_not_wait_for_settlement(make_small):
    simulation = Simulation(make_small(homes=20, slots=8, settlement__block_interval_ms=7 * 3_600_000))
    seen, queue = [], simulation.state.queue
    while not simulation.clock.finished:
        simulation.step()
        seen.append((simulation.state.trades.energy.size, queue.pending))
        if (simulation.state.status < 0).any():
            assert simulation.state.settled.trades == 0
            assert simulation.state.agreed[0] == simulation.state.trades.energy.sum()
    assert any(traded and waiting > traded for traded, waiting in seen)
    assert seen[-1][1] == 0  # at the end of the run all is settled


def test_homes_that_cannot_pay_buy_of_the_grid_and_are_counted(make_small, tmp_path):
    rich = play(make_small, tmp_path / "rich")
    poor = play(make_small, tmp_path / "poor", initial_balance=0.2, block_trades=3)
    failed = poor.trades[poor.trades["status"] == "failed"]
    assert 0 < len(failed) < len(poor.trades)
    assert set(failed["reason"]) <= {"Insufficient fiat balance", "Insufficient energy credits"}
    assert "Insufficient fiat balance" in set(failed["reason"])
    assert (poor.trades.loc[poor.trades["status"] == "settled", "reason"] == "").all()
    assert poor.slots["failed"].sum() == len(failed)
    assert (
        poor.slots["deficit_kwh"] - poor.slots["traded_kwh"] - poor.slots["import_kwh"]
    ).abs().max() < 1e-9
    need = poor.bills["import_kwh"] + poor.bills["bought_kwh"]
    assert need.sub(rich.bills["import_kwh"] + rich.bills["bought_kwh"]).abs().max() < 1e-9
    assert verify(tmp_path / "poor").failed == len(failed)


def test_without_audit_the_numbers_are_the_same_and_there_is_nothing_to_verify(make_small, tmp_path):
    sealed, bare = play(make_small, tmp_path / "a"), play(make_small, tmp_path / "b", audit="none")
    for name in ("trades", "slots", "bills", "accounts"):
        assert getattr(bare, name).equals(getattr(sealed, name))
    assert bare.manifest["chain_head"] == ""
    assert bare.blocks["gas"].tolist() == sealed.blocks["gas"].tolist()
    done = CliRunner().invoke(main, ["verify", str(tmp_path / "b")])
    assert done.exit_code == 4
    assert "settlement.audit: none" in done.output


def test_an_interrupted_run_shows_what_was_pending(make_small, tmp_path):
    simulation = Simulation(
        make_small(homes=20, slots=24, settlement__block_interval_ms=8 * 3_600_000), out=tmp_path / "run"
    )
    for _ in range(12):
        simulation.step()
    place = simulation.abandon("test")
    with pytest.warns(match="only a part"):
        partial = ss.Run.load(place)
    assert len(partial.slots) == 12
    pending = partial.trades[partial.trades["status"] == "pending"]
    assert 0 < len(pending) < len(partial.trades)
    assert (pending["block"] == -1).all()
    assert set(partial.trades["status"]) == {"settled", "pending"}


@pytest.mark.parametrize("name", ["trades", "blocks", "slots", "bills", "households"])
def test_a_table_changed_beside_the_ledger_is_named(make_small, tmp_path, name):
    play(make_small, tmp_path / "run")
    path: Path = tmp_path / "run" / f"{name}.parquet"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 1
    path.write_bytes(raw)
    done = CliRunner().invoke(main, ["verify", str(tmp_path / "run")])
    assert done.exit_code == 4
    assert f"{name}.parquet: is not the file that manifest.json lists" in done.output


def test_the_ledger_of_another_run_is_refused(make_small, tmp_path):
    play(make_small, tmp_path / "a")
    ss.run(make_small(homes=20, slots=24, seed=2), out=tmp_path / "b")
    (tmp_path / "b" / "ledger").rename(tmp_path / "theirs")
    (tmp_path / "a" / "ledger").rename(tmp_path / "b" / "ledger")
    done = CliRunner().invoke(main, ["verify", str(tmp_path / "b")])
    assert done.exit_code == 4
    assert "manifest.json: scenario_hash is not that of the ledger" in done.output


def test_a_home_sees_its_bill_its_total_and_where_each_trade_stands(make_small, tmp_path):
    run = play(make_small, tmp_path / "run", block_trades=3)
    mine = run.trades[(run.trades["buyer"] == 15) | (run.trades["seller"] == 15)]
    done = CliRunner().invoke(main, ["verify", str(tmp_path / "run"), "--household", "15"])
    assert done.exit_code == 0, done.output
    shown = [line for line in done.output.splitlines() if line.startswith("proof: ")]
    assert len(shown) == len(mine) > 0
    for line, block in zip(shown, mine["block"], strict=True):
        assert f"in block {block}, " in line
        assert run.blocks["receipts_hash"][block] in line
        assert line.endswith("holds")
    assert f"{run.bills['total'][15]:.6f}" in done.output


def test_the_same_seed_gives_the_same_ledger_bytes(make_small, tmp_path):
    for name in ("a", "b"):
        play(make_small, tmp_path / name, block_trades=3, authorities=3)
    for path in (tmp_path / "a" / "ledger").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "ledger" / path.name).read_bytes()


def test_gas_of_a_block_is_priced_and_on_no_bill(make_small, tmp_path):
    free, priced = play(make_small, tmp_path / "a"), play(make_small, tmp_path / "b", gas_price=120.0)
    blocks = priced.blocks
    assert blocks["gas"].equals(free.blocks["gas"])
    assert (blocks.loc[blocks["trades"] == 0, "gas"] == 0).all()
    assert (blocks.loc[blocks["trades"] > 0, "gas"] > 24_000).all()
    # Half of the homes have surplus in some slots; each is a call of its own.
    assert blocks["metering_gas"].max() > 76_498
    expected = (blocks["gas"] + blocks["metering_gas"]) * 120 / 1e6
    assert (blocks["gas_cost"] - expected).abs().max() < 1e-6
    assert (free.blocks["gas_cost"] == 0).all()
    assert priced.bills.equals(free.bills)
