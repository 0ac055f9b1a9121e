"""Prove a run from its folder alone: hashes, signatures, every balance, every bill. Knows no market or meter.

`verify` replays the whole ledger by its rules and names the first thing that is wrong, and in which file.
`household_bill` shows one home's bill line by line; `trade_proofs` makes proofs that SHA-256 alone can check.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger import files
from sunshare_sim.ledger.account import Account
from sunshare_sim.ledger.authorities import Verifier, is_signed, load_verifier
from sunshare_sim.ledger.billing import Accumulators, Bills, Settled, bill_losses, bill_slot, make_bills
from sunshare_sim.ledger.chain import (
    RECEIPT,
    Block,
    genesis_hash,
    header_bytes,
    readings_bytes,
    receipts_bytes,
    receipts_commitment,
)
from sunshare_sim.ledger.files import Genesis, Sealed
from sunshare_sim.ledger.merkle import HASH_BYTES, leaf_hashes, merkle_levels, merkle_path
from sunshare_sim.ledger.published import MANIFEST, Published, check_manifest, wrong
from sunshare_sim.ledger.settlement import REASONS, Ledger, Trades
from sunshare_sim.units import IntArray


class Verified(NamedTuple):
    """Say what was proved: counts, energy [1e-6 kWh], money [1e-6 currency], and the hash of the last block."""

    blocks: int
    slots: int
    trades: int
    failed: int
    minted: int
    consumed: int
    fed_in: int
    money: int
    head: str
    bills: Bills


def verify(run: Path, *, head: str | None = None) -> Verified:
    """Recompute a run's whole ledger and return what it proves.

    Parameters
    ----------
    run : Path
        Folder of the run, with its folder `ledger/`. The manifest and the tables of trades, blocks, slots and bills
        beside it, where there are any, must say the same.
    head : str, optional
        Hash of the last block as published elsewhere, hexadecimal: whoever may rewrite all of a folder can make it
        whole again, but not with the same head.

    Raises
    ------
    LedgerError
        Naming the first thing that is wrong: the file, or the block and what of it.
    """
    folder = run / files.FOLDER
    genesis = check_seal(folder)
    files.check_readings(folder, genesis)
    replay = Replay(genesis)
    verifiers = _verifiers(genesis)
    listed_head = check_manifest(run, genesis)
    published = Published(run)
    previous = genesis_hash(genesis.text())
    for number, sealed in enumerate(files.read_sealed(folder, genesis)):
        check_block(sealed, number, previous, genesis)
        check_signature(sealed.block, verifiers)
        replay.take(sealed)
        published.check_block(sealed)
        previous = sealed.block.header_hash
        replay.blocks += 1
    replay.end()
    sealed_head = json.loads(files.read_text(folder / files.SEAL))["head"]
    for what, expected in ((files.SEAL, sealed_head), (MANIFEST, listed_head), ("published head", head)):
        if expected is not None and replay.blocks and expected != previous.hex():
            raise wrong("the chain ends elsewhere", what, previous.hex(), expected)
    bills = make_bills(replay.sums, genesis.parts, replay.account)
    published.check_end(replay.settled, bills)
    return replay.verified(previous.hex(), bills)


def check_seal(folder: Path) -> Genesis:
    """Check that the folder is whole: each file as sealed, the seal as signed; return the genesis."""
    path = folder / files.SEAL
    if not folder.is_dir():
        hint = "a run with `settlement.audit: none` has no ledger to check"
        raise LedgerError(describe("no such folder", where=f"{folder.name}/ of {folder.parent}", hint=hint))
    text = files.read_text(path)
    try:
        seal = json.loads(text)
        signature, content = seal["signature"], {"files": dict(seal["files"]), "head": seal["head"]}
        names = set(content["files"])
    except (ValueError, TypeError, KeyError) as error:
        raise files.unreadable(path, error) from error
    if names != set(files.SEALED):
        raise wrong("does not seal the right files", files.SEAL, sorted(names), sorted(files.SEALED))
    if files.canonical({**content, "signature": signature}) != text:
        raise files.unreadable(path, "not canonical JSON")
    for name in files.SEALED:
        _check_file(folder, name, content, signature)
    for each in sorted(folder.iterdir()):
        if each.name not in (*files.SEALED, files.SEAL):
            raise wrong("is not sealed and does not belong here", each.name, None, sorted(files.SEALED))
    genesis = files.read_genesis(folder)
    if not _seal_holds(genesis, content, signature):
        raise wrong("signature does not hold", files.SEAL, None, None)
    return genesis


def _check_file(folder: Path, name: str, content: dict[str, Any], signature: str) -> None:
    """Check that a file is the one that was sealed."""
    try:
        found = files.hash_of(folder / name)
    except OSError as error:
        raise files.unreadable(folder / name, error) from error
    if found != content["files"][name]:
        # Which of the two was changed? The seal, if its signature holds for the file as it is.
        genesis = _try_genesis(folder)
        as_found = {**content, "files": {**content["files"], name: found}}
        if genesis is not None and _seal_holds(genesis, as_found, signature):
            raise wrong(f"the hash of {name} is wrong", files.SEAL, content["files"][name], found)
        raise wrong("is not the file that was sealed", name, found, content["files"][name])


def _try_genesis(folder: Path) -> Genesis | None:
    try:
        return files.read_genesis(folder)
    except LedgerError:
        return None


def _verifiers(genesis: Genesis) -> list[Verifier]:
    """Return what checks each authority's signatures."""
    try:
        return [load_verifier(bytes.fromhex(key), genesis.signature) for key in genesis.authorities]
    except ValueError as error:
        raise files.unreadable(Path(files.GENESIS), error) from error


def _seal_holds(genesis: Genesis, content: dict[str, Any], signature: str) -> bool:
    signed = files.canonical(content).encode("ascii")
    if not genesis.authorities:
        return sha256(signed).hexdigest() == signature
    try:
        given, first = bytes.fromhex(signature), _verifiers(genesis)[0]
    except (ValueError, TypeError, LedgerError):
        return False
    # Two spellings of one number must not both pass.
    return given.hex() == signature and is_signed(first, given, signed)


def check_block(sealed: Sealed, number: int, previous: bytes, genesis: Genesis) -> None:
    """Check that a block stands where it should and seals what lies beside it."""
    block, where = sealed.block, f"{files.BLOCKS}, block {number}"
    if block.number != number:
        raise wrong("number is wrong", where, block.number, number)
    if block.previous_hash != previous:
        raise wrong("previous_hash is wrong", where, block.previous_hash.hex(), previous.hex())
    if block.trades != len(sealed.receipts):
        raise wrong(
            "receipts are missing", f"{files.RECEIPTS}, block {number}", len(sealed.receipts), block.trades
        )
    found = receipts_commitment(receipts_bytes(sealed.receipts), genesis.audit)
    if found != block.receipts_hash:
        where = f"{files.RECEIPTS}, block {number}"
        raise wrong("receipts_hash is wrong", where, found.hex(), block.receipts_hash.hex())
    slots = zip(sealed.net, sealed.prices, _losses(sealed), strict=False)
    read = b"".join(readings_bytes(net, int(at[0]), int(at[1]), losses) for net, at, losses in slots)
    if sha256(read).digest() != block.readings_hash:
        where = f"{files.READINGS} or {files.PRICES}, block {number}"
        raise wrong("readings_hash is wrong", where, sha256(read).hexdigest(), block.readings_hash.hex())


def _losses(sealed: Sealed) -> Iterable[IntArray | None]:
    """Return each slot's shares of losses, None where there are none."""
    return [None] * len(sealed.net) if sealed.losses is None else sealed.losses


def check_signature(block: Block, verifiers: list[Verifier]) -> None:
    """Check that the authority whose turn it was signed the block."""
    if verifiers:
        turn = block.number % len(verifiers)
        if not is_signed(verifiers[turn], block.signature, header_bytes(block)):
            raise wrong(
                f"not signed by authority {turn}", f"{files.BLOCKS}, block {block.number}", None, None
            )


class Line(NamedTuple):
    """Show one slot of a home's bill: energy [1e-6 kWh], money [1e-6 currency], prices [1e-6 currency/kWh]."""

    slot: int
    net: int
    bought: int
    sold: int
    imported: int
    exported: int
    retail_price: int
    feed_in_price: int
    retail: int
    feed_in: int
    purchases: int
    sales: int
    wheeling: int
    losses: int


class Replay:
    """Settle everything again by the ledger's rules, slot by slot, and compare.

    Parameters
    ----------
    genesis : Genesis
        What the chain is bound to.
    watch : int, optional
        Household whose bill is written down in `lines`, slot by slot.
    """

    def __init__(self, genesis: Genesis, *, watch: int | None = None) -> None:
        self.lines: list[Line] = []
        self.settled: list[Settled] = []  # sums of each slot
        self._watch = watch
        self._before = (0,) * len(Accumulators._fields)
        self.ledger = Ledger(genesis.households)
        self.sums = Accumulators.zeros(genesis.households)
        self.account = Account(genesis.terms, genesis.households) if genesis.terms else None
        self.slot = -1
        self.slots = genesis.slots
        self.blocks = self.trades = self.failed = 0
        self._net: IntArray = np.zeros(genesis.households, dtype=np.int64)
        self._prices = (0, 0)
        self._ahead: deque[tuple[IntArray, tuple[int, int], IntArray | None]] = deque()
        self._rows: list[IntArray] = []
        self._index = 0
        if genesis.funded_micro:
            for household in range(genesis.households):
                self.ledger.fund(household, genesis.funded_micro)

    def take(self, sealed: Sealed) -> None:
        """Take in a block. A slot ends when receipts of a later one come, for its own may fill several blocks."""
        rows, where = sealed.receipts, f"{files.RECEIPTS}, block {sealed.block.number}"
        self._ahead.extend(
            (net, (int(prices[0]), int(prices[1])), losses)
            for net, prices, losses in zip(sealed.net, sealed.prices, _losses(sealed), strict=True)
        )
        if self.slot + len(self._ahead) != sealed.block.slot:
            raise wrong(
                "slot is wrong", f"{files.BLOCKS}, block {sealed.block.number}", sealed.block.slot, None
            )
        if not len(rows):
            return
        slots, first = np.unique(rows[:, 0], return_index=True)
        if np.diff(rows[:, 0]).min(initial=0) < 0 or slots[0] < self.slot:
            raise wrong("receipts are not in order of slots", where, None, None)
        if slots[-1] > sealed.block.slot:
            raise wrong("receipts of a later slot", where, int(slots[-1]), sealed.block.slot)
        for slot, start, stop in zip(slots, first, [*first[1:], len(rows)], strict=True):
            while self.slot < slot:
                self._begin()
            self._settle(rows[start:stop], where)

    def end(self) -> None:
        """End the last slots and check that none is missing."""
        while self._ahead:
            self._begin()
        self._finish_slot()
        if self.slot != self.slots - 1:
            raise wrong("blocks are missing at the end", files.BLOCKS, f"{self.slot + 1} slots", self.slots)

    def verified(self, head: str, bills: Bills) -> Verified:
        """Return what was proved."""
        ledger = self.ledger
        return Verified(
            self.blocks, self.slot + 1, self.trades, self.failed, ledger.minted, ledger.consumed, ledger.fed_in,
            ledger.funded - ledger.withdrawn, head, bills,
        )  # fmt: skip

    def _begin(self) -> None:
        """End the slot and begin the next one."""
        self._finish_slot()
        self.slot += 1
        net, self._prices, losses = self._ahead.popleft()
        if losses is not None:
            bill_losses(self.sums, losses, max(self._prices[0], 0))
        self._net, self._index = np.ascontiguousarray(net), 0
        self.ledger.register_injections(self.slot, np.maximum(-self._net, 0))

    def _settle(self, rows: IntArray, where: str) -> None:
        if not len(rows):
            return
        if self.slot < 0:
            raise wrong("receipts before the first slot", where, None, None)
        expected = np.arange(self._index, self._index + len(rows))
        self._index += len(rows)
        status = self.ledger.settle_batch(self.ledger.oracle, as_trades(rows))
        for what, got, want in (("index", rows[:, 1], expected), ("status", rows[:, 7], status)):
            differs = np.flatnonzero(got != want)
            if differs.size:
                at = int(differs[0])
                place = f"{where}, slot {self.slot}, trade {int(rows[at, 1])}"
                shown = (
                    [REASONS[int(v)] or "settled" for v in (want[at],)]
                    if what == "status"
                    else [int(want[at])]
                )
                raise wrong(f"{what} is not what the rules give", place, int(got[at]), shown[0])
        self._rows.append(rows)
        self.trades += len(rows)
        self.failed += int(np.count_nonzero(status))

    def _finish_slot(self) -> None:
        if self.slot < 0:
            return
        rows = np.concatenate(self._rows) if self._rows else np.empty((0, len(RECEIPT)), dtype=np.int64)
        self._rows.clear()
        status = np.ascontiguousarray(rows[:, 7])
        trades = as_trades(rows)
        self.settled.append(bill_slot(self.sums, self._net, trades, status, self._prices))
        if self.account is not None:
            self.account.take(self.sums, self._net, trades, status)
        self.ledger.deliver(self._net)
        self.ledger.check_conservation()
        if self._watch is not None:
            self._write_line(self._watch)

    def _write_line(self, household: int) -> None:
        """Write down what the slot has added to a home's account."""
        now = tuple(int(column[household]) for column in self.sums)
        names = zip(Accumulators._fields, now, self._before, strict=True)
        added = {name: new - old for name, new, old in names}
        self._before = now
        self.lines.append(
            Line(
                self.slot, int(self._net[household]), int(self.sums.bought[household]), int(self.sums.sold[household]),
                added["import_energy"], added["export_energy"], *self._prices,
                added["retail"], added["feed_in"], added["purchases"], added["sales"], added["wheeling"],
                added["losses"],
            )
        )  # fmt: skip


def as_trades(rows: IntArray) -> Trades:
    """Return receipts as trades."""
    return Trades(*np.ascontiguousarray(rows[:, 2:7].T))


def household_bill(run: Path, household: int) -> list[Line]:
    """Return a home's bill slot by slot; the columns sum to its row of the bills. `verify` the run first."""
    folder = run / files.FOLDER
    genesis = files.read_genesis(folder)
    _check_household(genesis, household)
    replay = Replay(genesis, watch=household)
    for sealed in files.read_sealed(folder, genesis):
        replay.take(sealed)
    replay.end()
    return replay.lines


def trade_proofs(run: Path, household: int) -> Iterator[dict[str, Any]]:
    """Yield a proof for each of a home's trades: its receipt, the path to the block's root, the header, the signature.

    ``examples/check_proof.py`` checks one with SHA-256 alone.

    Raises
    ------
    LedgerError
        When the run's blocks hold one digest each (`settlement.audit` is ``block``), from which no trade can be proved.
    """
    folder = run / files.FOLDER
    genesis = files.read_genesis(folder)
    _check_household(genesis, household)
    if genesis.audit != "trade":
        raise wrong("no proof of single trades", "settlement.audit", genesis.audit, "trade")
    for sealed in files.read_sealed(folder, genesis):
        rows = np.flatnonzero((sealed.receipts[:, 2:4] == household).any(axis=1))
        if not rows.size:
            continue
        levels = merkle_levels(leaf_hashes(receipts_bytes(sealed.receipts)))
        for row in rows.tolist():
            yield {
                "receipt": dict(zip(RECEIPT, sealed.receipts[row].tolist(), strict=True)),
                "receipt_bytes": receipts_bytes(sealed.receipts[row]).hex(),
                "leaf": levels[0][HASH_BYTES * row : HASH_BYTES * (row + 1)].hex(),
                "path": [(side, sibling.hex()) for side, sibling in merkle_path(levels, row)],
                "header": header_bytes(sealed.block).hex(),
                "header_hash": sealed.block.header_hash.hex(),
                "signature": sealed.block.signature.hex(),
            }


def _check_household(genesis: Genesis, household: int) -> None:
    if not 0 <= household < genesis.households:
        raise wrong("unknown household", "verify", household, f"0..{genesis.households - 1}")
