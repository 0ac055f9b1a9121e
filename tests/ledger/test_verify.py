"""An auditor with nothing but the folder: what is true is proved, whatever is changed is found and named."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sunshare_sim.ledger
from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger import files
from sunshare_sim.ledger.authorities import Authorities
from sunshare_sim.ledger.billing import Accumulators, RetailParts, bill_slot, make_bills
from sunshare_sim.ledger.chain import Chain, readings_bytes, receipts_array
from sunshare_sim.ledger.settlement import REASONS, Ledger, Trades
from sunshare_sim.ledger.verify import household_bill, trade_proofs, verify

HOMES, SLOTS, FUNDED = 5, 12, 900_000
PARTS = RetailParts(100_000, 50_000, 190_000, 3_000_000)
CHECKER = Path(__file__).parents[2] / "examples" / "check_proof.py"


class Story:
    """A run made by hand; `spoil` may change what happens before it is sealed."""

    def __init__(
        self,
        run,
        *,
        audit="trade",
        scheme="ed25519",
        authorities=2,
        most_trades=3,
        every=1,
        spoil=None,
        promised=SLOTS,
    ):
        signers = Authorities.from_seed(7, authorities, scheme) if authorities else None
        keys = tuple(key.hex() for key in signers.public_keys) if signers else ()
        genesis = files.Genesis("story/7", HOMES, promised, FUNDED, PARTS, audit, scheme, keys)
        self.ledger, self.sums = Ledger(HOMES), Accumulators.zeros(HOMES)
        for home in range(HOMES):
            self.ledger.fund(home, FUNDED)
        self.writer = files.LedgerWriter(run / files.FOLDER, genesis, signers)
        self.chain = Chain(genesis.text(), audit=audit, authorities=signers)
        self.every, self.waiting = every, []
        self.sizes, self.block_slots, self.settled = [], [], []
        self.rows, self.most, self.spoil = [], most_trades, spoil or (lambda slot, net, rows: rows)
        rng = np.random.default_rng(3)
        for slot in range(SLOTS):
            self.play(slot, rng)
        self.writer.finish()
        self.bills = make_bills(self.sums, PARTS)
        self.head = self.chain.head.hex()

    def play(self, slot, rng):
        net = rng.integers(-2_000_000, 2_000_000, HOMES)
        prices = (400_000 + slot, 80_000)
        buyers, sellers = np.flatnonzero(net > 0), np.flatnonzero(net < 0)
        count = (
            int(rng.integers(0, 9)) if buyers.size and sellers.size and slot % 5 != 4 else 0
        )  # a quiet slot
        trades = Trades(
            rng.choice(buyers, count) if count else np.empty(0, dtype=np.int64),
            rng.choice(sellers, count) if count else np.empty(0, dtype=np.int64),
            rng.integers(1, 900_000, count), rng.integers(80_000, 400_000, count), rng.integers(0, 9_000, count),
        )  # fmt: skip
        self.ledger.register_injections(slot, np.maximum(-net, 0))
        status = self.ledger.settle_batch(self.ledger.oracle, trades)
        self.settled.append(bill_slot(self.sums, net, trades, status, prices))
        self.ledger.deliver(net)
        rows = self.spoil(slot, net, receipts_array(slot, trades, status))
        self.writer.slot(net, prices)
        self.rows.append(rows)
        self.waiting.append((rows, readings_bytes(net, *prices)))
        if (slot + 1) % self.every and slot + 1 != SLOTS:
            return
        rows, readings = np.concatenate([r for r, _ in self.waiting]), b"".join(r for _, r in self.waiting)
        self.waiting.clear()
        size = self.most or max(len(rows), 1)
        for number, first in enumerate(range(0, max(len(rows), 1), size)):
            data, time = rows[first : first + size], divmod(400 * (number + 1), 1000)
            block = self.chain.append(
                900 * (slot + 1) + time[0], slot, data, readings=readings, extra_ms=time[1]
            )
            self.writer.block(block, data)
            self.sizes.append(block.trades)
            self.block_slots.append(block.slot)
            readings = b""


def publish(run, story):
    """Write the tables that stand beside the ledger in a run's folder."""
    rows = np.concatenate(story.rows)
    names = ("slot", "buyer", "seller", "energy_micro_kwh", "price_micro_per_kwh", "charge_micro_per_kwh")
    columns = dict(zip(names, rows[:, [0, 2, 3, 4, 5, 6]].T, strict=True))
    status = rows[:, 7]
    columns["status"] = np.array(["settled", "failed"])[np.minimum(status, 1)]
    columns["reason"] = np.array(REASONS)[status]
    columns["block"] = np.repeat(np.arange(len(story.sizes)), story.sizes)
    table = pa.table(columns)
    pq.write_table(table, run / "trades.parquet")
    bills = {
        (f"{n.removesuffix('_energy')}_micro_kwh" if n.endswith("_energy") else f"{n}_micro"): v
        for n, v in story.bills._asdict().items()
    }
    pq.write_table(pa.table(bills), run / "bills.parquet")
    return table, pa.table(bills)


@pytest.fixture
def told(tmp_path):
    story = Story(tmp_path)
    publish(tmp_path, story)
    return tmp_path, story


def test_what_is_true_is_proved(told):
    run, story = told
    found = verify(run, head=story.head)
    rows = np.concatenate(story.rows)
    assert (found.slots, found.trades, found.failed) == (SLOTS, len(rows), np.count_nonzero(rows[:, 7]))
    assert found.failed
    assert found.failed < found.trades
    assert found.blocks == story.chain.length > SLOTS
    assert (found.minted, found.money) == (story.ledger.minted, HOMES * FUNDED)
    assert found.minted == found.consumed + found.fed_in
    assert [c.tolist() for c in found.bills] == [c.tolist() for c in story.bills]


@pytest.mark.parametrize("audit", ["trade", "block"])
@pytest.mark.parametrize(("scheme", "authorities"), [("ed25519", 0), ("ed25519", 5), ("ml-dsa-44", 2)])
@pytest.mark.parametrize(("most_trades", "every"), [(0, 1), (1, 1), (0, 5), (4, 5)])
def test_every_kind_of_chain_is_proved(tmp_path, audit, scheme, authorities, most_trades, every):
    kind = {"audit": audit, "scheme": scheme, "authorities": authorities}
    story = Story(tmp_path, **kind, most_trades=most_trades, every=every)
    assert verify(tmp_path).head == story.head


def test_the_same_run_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        Story(tmp_path / name)
    for name in (*files.SEALED, files.SEAL):
        assert (tmp_path / "a/ledger" / name).read_bytes() == (tmp_path / "b/ledger" / name).read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = tmp_path_factory.mktemp("whole")
    Story(run)
    return run


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from((*files.SEALED, files.SEAL)), st.integers(0, 10**9), st.integers(1, 255))
def test_any_changed_byte_of_any_file_is_found_and_the_file_named(whole, name, position, flip):
    path = whole / "ledger" / name
    kept = path.read_bytes()
    changed = bytearray(kept)
    changed[position % len(kept)] ^= flip
    path.write_bytes(changed)
    try:
        with pytest.raises(LedgerError, match=f"^{name}"):
            verify(whole)
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("name", [*files.SEALED, files.SEAL])
def test_a_missing_or_cut_file_is_named(whole, name):
    path = whole / "ledger" / name
    kept = path.read_bytes()
    try:
        for broken in (None, b"", kept[: len(kept) // 2], kept + b"\0"):
            path.unlink(missing_ok=True)
            if broken is not None:
                path.write_bytes(broken)
            with pytest.raises(LedgerError, match=f"^{name}"):
                verify(whole)
    finally:
        path.write_bytes(kept)


# ---- forgers who seal what they changed


def reseal(run, authorities=2):
    """Sign the folder as it is, as the authorities could."""
    folder = run / files.FOLDER
    seal = json.loads((folder / files.SEAL).read_text())
    content = {"files": {name: files.hash_of(folder / name) for name in files.SEALED}, "head": seal["head"]}
    signature = Authorities.from_seed(7, authorities).sign(0, files.canonical(content).encode()).hex()
    (folder / files.SEAL).write_text(files.canonical({**content, "signature": signature}))


def change_column(run, name, column, row, change):
    path = run / files.FOLDER / name
    table = pq.read_table(path)
    values = table.column(column).to_numpy().copy()
    values[row] += change
    table = table.set_column(table.schema.get_field_index(column), column, pa.array(values))
    pq.write_table(table, path)
    reseal(run)


@pytest.mark.parametrize("column", files.COLUMNS[files.RECEIPTS])
def test_a_sealed_change_of_a_receipt_is_found_in_its_block(told, column):
    run, _ = told
    change_column(run, files.RECEIPTS, column, 0, 1)
    with pytest.raises(LedgerError, match=r"^receipts.parquet, block \d+: receipts_hash is wrong"):
        verify(run)


@pytest.mark.parametrize(
    ("name", "column"), [(files.READINGS, "net_micro_kwh"), (files.PRICES, "retail_micro_per_kwh")]
)
def test_a_sealed_change_of_a_reading_or_price_is_found(told, name, column):
    run, _ = told
    change_column(run, name, column, 3, 1)
    with pytest.raises(
        LedgerError, match=r"^readings.parquet or prices.parquet, block \d+: readings_hash is wrong"
    ):
        verify(run)


def test_a_missing_block_is_found(told):
    run, story = told
    path, size = run / files.FOLDER / files.BLOCKS, 128 + 64
    blocks = path.read_bytes()
    for kept, message in (
        (blocks[size:], r"^blocks.bin, block 0: number is wrong"),
        (blocks[: 2 * size] + blocks[3 * size :], r"^blocks.bin, block 2: number is wrong"),
        (blocks[:-size], "that no block holds"),
        (blocks[:-1], r"^blocks.bin: cannot be read; got '\d+ bytes are not whole blocks of 192'"),
    ):
        path.write_bytes(kept)
        reseal(run)
        with pytest.raises(LedgerError, match=message):
            verify(run)
    path.write_bytes(blocks)
    reseal(run)
    assert verify(run).head == story.head


def test_a_chain_that_is_torn_is_found(tmp_path, monkeypatch):
    append = Chain.append

    def torn(self, *arguments, **options):
        if self.length == 4:
            self.head = bytes(32)
        return append(self, *arguments, **options)

    monkeypatch.setattr(Chain, "append", torn)
    Story(tmp_path)
    with pytest.raises(LedgerError, match=r"^blocks.bin, block 4: previous_hash is wrong"):
        verify(tmp_path)


def test_a_run_that_stopped_early_is_found(tmp_path):
    Story(tmp_path, promised=SLOTS + 1)
    with pytest.raises(
        LedgerError, match=r"^blocks.bin: blocks are missing at the end; got '12 slots'; expected 13"
    ):
        verify(tmp_path)


@pytest.mark.parametrize("name", [files.SEAL, files.GENESIS])
def test_the_same_values_in_other_bytes_are_refused(told, name):
    run, _ = told
    path = run / files.FOLDER / name
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    if name == files.GENESIS:
        reseal(run)
    with pytest.raises(LedgerError, match=f"^{name}: cannot be read; got 'not canonical JSON'"):
        verify(run)


def test_a_block_signed_by_another_is_found(told):
    run, _ = told
    path = run / files.FOLDER / files.BLOCKS
    blocks = bytearray(path.read_bytes())
    blocks[128:192], blocks[320:384] = blocks[320:384], blocks[128:192]
    path.write_bytes(blocks)
    reseal(run)
    with pytest.raises(LedgerError, match=r"^blocks.bin, block 0: not signed by authority 0"):
        verify(run)


def forged(change):
    """Change the receipts of the first slot that has any, before they are hashed and signed."""
    state = []

    def spoil(slot, net, rows):
        if state or not len(rows):
            return rows
        state.append(slot)
        rows = rows.copy()
        change(rows, net)
        return rows

    return spoil


def unbacked(rows, net):
    rows[0, 3] = int(np.flatnonzero(net > 0)[0])  # who had nothing to sell


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unbacked, "status is not what the rules give; got 0; expected Insufficient energy credits"),
        (
            lambda rows, net: rows.__setitem__((0, 7), 1),
            "status is not what the rules give; got 1; expected settled",
        ),
        (lambda rows, net: rows.__setitem__((0, 5), 10**15), "expected Insufficient fiat balance"),
        (
            lambda rows, net: rows.__setitem__((0, 1), 4),
            "index is not what the rules give; got 4; expected 0",
        ),
        (lambda rows, net: rows.__setitem__((0, 0), 10**6), "receipts"),
        (lambda rows, net: rows.__setitem__((0, 4), -1), "settle_batch, row 0: not a trade"),
    ],
)
def test_a_chain_that_breaks_the_rules_is_found_though_all_hashes_hold(tmp_path, change, message):
    Story(tmp_path, spoil=forged(change))
    with pytest.raises(LedgerError, match=message):
        verify(tmp_path)


def test_a_run_that_was_rewritten_as_a_whole_shows_against_the_published_head(told, tmp_path):
    _, story = told
    other = Story(tmp_path / "other", most_trades=0)
    verify(tmp_path / "other")
    with pytest.raises(LedgerError, match="published head: the chain ends elsewhere"):
        verify(tmp_path / "other", head=story.head)
    assert other.head != story.head


def test_published_tables_must_follow_from_the_chain(told):
    run, story = told
    trades, bills = publish(run, story)
    values = bills.column("supply_micro").to_numpy().copy()
    values[2] -= 1
    at = bills.schema.get_field_index("supply_micro")
    pq.write_table(bills.set_column(at, "supply_micro", pa.array(values)), run / "bills.parquet")
    with pytest.raises(LedgerError, match=r"^bills.parquet, household 2, supply_micro: does not follow"):
        verify(run)
    publish(run, story)
    pq.write_table(trades.slice(0, trades.num_rows - 1), run / "trades.parquet")
    with pytest.raises(LedgerError, match=r"^trades.parquet, trades of block \d+: differs from the receipts"):
        verify(run)
    pq.write_table(pa.concat_tables([trades, trades.slice(0, 1)]), run / "trades.parquet")
    with pytest.raises(LedgerError, match=r"^trades.parquet: more trades than receipts"):
        verify(run)


# ---- one home


def test_a_bill_line_by_line_sums_to_the_bill(told):
    run, story = told
    for home in range(HOMES):
        lines = household_bill(run, home)
        assert [line.slot for line in lines] == list(range(SLOTS))
        sums = {name: sum(getattr(line, name) for line in lines) for name in lines[0]._fields}
        bill = {name: int(column[home]) for name, column in story.bills._asdict().items()}
        assert sums["imported"] == bill["import_energy"]
        assert sums["exported"] == bill["export_energy"]
        assert (sums["bought"], sums["sold"]) == (bill["bought_energy"], bill["sold_energy"])
        assert sums["retail"] == bill["supply"] + bill["network"] + bill["levies"] + bill["tax"]
        assert (sums["feed_in"], sums["sales"]) == (-bill["feed_in"], -bill["sales"])
        assert (sums["purchases"], sums["wheeling"]) == (bill["purchases"], bill["wheeling"])


def test_proofs_hold_for_anyone_with_sha256(told, tmp_path):
    run, story = told
    proofs = [proof for home in range(HOMES) for proof in trade_proofs(run, home)]
    assert len(proofs) == 2 * sum(map(len, story.rows))  # one for the buyer, one for the seller
    place = tmp_path / "proofs.json"

    def check():
        place.write_text(json.dumps(proofs))
        return subprocess.run([sys.executable, CHECKER, place], capture_output=True, text=True, check=False)  # noqa: S603

    assert check().returncode == 0
    assert check().stdout.count("holds") == len(proofs)
    raw = bytearray.fromhex(proofs[3]["receipt_bytes"])
    raw[40] ^= 1
    proofs[3]["receipt_bytes"] = raw.hex()
    assert (check().returncode, check().stderr) == (1, "proof 3 does NOT hold\n")


def test_without_trees_no_trade_can_be_proved(tmp_path):
    Story(tmp_path, audit="block")
    with pytest.raises(LedgerError, match=r"settlement.audit: no proof of single trades"):
        list(trade_proofs(tmp_path, 0))


@pytest.mark.parametrize("home", [-1, HOMES])
def test_an_unknown_household_is_named(told, home):
    for call in (household_bill, lambda *a: list(trade_proofs(*a))):
        with pytest.raises(LedgerError, match=r"unknown household; got -?\d; expected 0..4"):
            call(told[0], home)


def test_the_auditor_imports_nothing_of_simulation_or_market():
    code = (
        "import sys, sunshare_sim.ledger.verify; "
        "print([m for m in sys.modules if m.startswith('sunshare_sim.') and not m.startswith('sunshare_sim.ledger')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    allowed = {"sunshare_sim.errors", "sunshare_sim.units", "sunshare_sim.kernels"}
    assert set(ast.literal_eval(done.stdout)) <= allowed
    assert sunshare_sim.ledger.__doc__


def test_a_folder_without_ledger_says_so(tmp_path):
    with pytest.raises(
        LedgerError, match=r"no such folder; a run with `settlement.audit: none` has no ledger"
    ):
        verify(tmp_path)


def test_a_file_that_nobody_sealed_is_named(told):
    run, _ = told
    (run / files.FOLDER / "more.parquet").write_bytes(b"x")
    with pytest.raises(LedgerError, match=r"^more.parquet: is not sealed"):
        verify(run)


def test_files_swapped_between_each_other_or_runs_are_named(told, tmp_path):
    run, _ = told
    folder = run / files.FOLDER
    a, b = folder / files.READINGS, folder / files.PRICES
    kept = a.read_bytes(), b.read_bytes()
    a.write_bytes(kept[1])
    b.write_bytes(kept[0])
    with pytest.raises(LedgerError, match=r"^readings.parquet: is not the file that was sealed"):
        verify(run)
    a.write_bytes(kept[0])
    b.write_bytes(kept[1])
    Story(tmp_path / "other", most_trades=0)
    (folder / files.BLOCKS).write_bytes((tmp_path / "other" / files.FOLDER / files.BLOCKS).read_bytes())
    with pytest.raises(LedgerError, match=r"^blocks.bin: is not the file that was sealed"):
        verify(run)


def test_a_format_of_the_future_is_refused(told):
    run, _ = told
    path = run / files.FOLDER / files.GENESIS
    path.write_text(files.canonical({**json.loads(path.read_text()), "format": 99}))
    reseal(run)
    with pytest.raises(LedgerError, match=r"^genesis.json: cannot be read; got 'format 99 is not known"):
        verify(run)


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "failed"), ("status", "lost"), ("reason", "Insufficient fiat balance"), ("block", 7)],
)
def test_what_the_table_says_of_a_trade_must_follow_from_the_chain(told, column, value):
    run, story = told
    trades, _ = publish(run, story)
    values = trades.column(column).to_pylist()
    row = next(at for at, rows in enumerate(np.concatenate(story.rows)) if rows[7] == 0)
    values[row] = value
    pq.write_table(
        trades.set_column(trades.schema.get_field_index(column), column, pa.array(values)),
        run / "trades.parquet",
    )
    with pytest.raises(
        LedgerError, match=rf"^trades.parquet, trades of block \d+, the \d. of them, {column}: differs"
    ):
        verify(run)


def manifest_of(run, story, **changes):
    listed = {name: {"sha256": files.hash_of(run / name)} for name in ("trades.parquet", "bills.parquet")}
    values = {
        "scenario_hash": "story",
        "seed": 7,
        "slots": SLOTS,
        "households": HOMES,
        "chain_head": story.head,
    }
    (run / "manifest.json").write_text(json.dumps({**values, "files": listed, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 8}, r"^manifest.json: seed is not that of the ledger; got 8; expected 7"),
        ({"scenario_hash": "other"}, r"^manifest.json: scenario_hash is not"),
        ({"slots": SLOTS + 1}, r"^manifest.json: slots is not"),
        ({"households": 1}, r"^manifest.json: households is not"),
        ({"chain_head": "00"}, r"^manifest.json: the chain ends elsewhere"),
        (
            {"files": {"trades.parquet": {"sha256": "00"}}},
            r"^trades.parquet: is not the file that manifest.json lists",
        ),
        ({"files": {"gone.parquet": {"sha256": "00"}}}, r"^gone.parquet: cannot be read"),
        ({"files": [1]}, r"^manifest.json: cannot be read"),
    ],
)
def test_an_edited_manifest_is_found(told, changes, message):
    run, story = told
    manifest_of(run, story)
    assert verify(run).head == story.head
    manifest_of(run, story, **changes)
    with pytest.raises(LedgerError, match=message):
        verify(run)


def test_slots_and_blocks_beside_the_ledger_must_follow_from_it(told):
    run, story = told
    found = verify(run)
    assert found.blocks == len(story.sizes)
    sums = np.array(story.settled)
    names = ("traded_micro_kwh", "trades", "failed", "trade_value_micro", "wheeling_micro")
    blocks = {
        "number": np.arange(len(story.sizes)),
        "slot": np.array(story.block_slots),
        "trades": np.array(story.sizes),
    }
    for name, columns, row, message in (
        (
            "slots.parquet",
            dict(zip(names, sums[:, [0, 1, 2, 3, 4]].T, strict=True)),
            "slot",
            "does not follow",
        ),
        ("blocks.parquet", blocks, "block", "differs from the chain"),
    ):
        pq.write_table(pa.table(columns), run / name)
        verify(run)
        for column, values in columns.items():
            changed = values.copy()
            changed[2] += 1
            pq.write_table(pa.table({**columns, column: changed}), run / name)
            with pytest.raises(LedgerError, match=rf"^{name}, {row} 2.*: {message}"):
                verify(run)
        pq.write_table(pa.table({key: values[:-1] for key, values in columns.items()}), run / name)
        with pytest.raises(LedgerError, match=rf"^{name}"):
            verify(run)
        pq.write_table(pa.table(columns), run / name)


@pytest.mark.parametrize(
    ("name", "value"),
    [("households", 0), ("households", 10**9), ("households", "5"), ("slots", -1), ("funded_micro", 1.5),
     ("funded_micro", 2**62), ("audit", "none"), ("signature", {}), ("signature", "rsa"), ("authorities", [7]),
     ("authorities", ["zz"]), ("parts", {}), ("run", None), ("more", 1)],
)  # fmt: skip
def test_a_sealed_genesis_that_cannot_be_is_refused_without_a_crash(told, name, value):
    run, _ = told
    path = run / files.FOLDER / files.GENESIS
    path.write_text(files.canonical({**json.loads(path.read_text()), name: value}))
    reseal(run)
    with pytest.raises(LedgerError):
        verify(run)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(files.SEALED), st.integers(0, 10**9), st.integers(1, 255))
def test_sealed_nonsense_is_an_error_and_never_a_crash(whole, name, position, flip):
    """An authority may seal anything: what still reads as the same values holds, all else is named."""
    path, seal = whole / "ledger" / name, whole / "ledger" / files.SEAL
    kept = path.read_bytes(), seal.read_bytes()
    changed = bytearray(kept[0])
    changed[position % len(changed)] ^= flip
    path.write_bytes(changed)
    try:
        reseal(whole)
        verify(whole)
    except LedgerError:
        pass
    else:
        assert name.endswith(".parquet")
    finally:
        path.write_bytes(kept[0])
        seal.write_bytes(kept[1])
