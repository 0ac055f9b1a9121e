"""The folder `ledger/` of a run: all that an auditor needs, and nothing that is not sealed.

genesis.json      what the chain is bound to: households, funding, prices' parts, authorities; canonical JSON
readings.parquet  every home's metered net, slot by slot, and its share of the losses if it pays for any [1e-6 kWh]
prices.parquet    retail and feed-in price of each slot [1e-6 currency/kWh]
receipts.parquet  every trade in order, settled or failed (`chain.RECEIPT`)
blocks.bin        header (128 bytes) and signature of each block
seal.json         SHA-256 of each file and the chain's head, signed by the first authority; canonical JSON
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger.authorities import SIGNATURE_BYTES, Authorities, check_scheme
from sunshare_sim.ledger.billing import RetailParts
from sunshare_sim.ledger.chain import HEADER, RECEIPT, Audit, Block, Place, header_bytes
from sunshare_sim.ledger.terms import Terms, parse_terms
from sunshare_sim.units import IntArray

FOLDER: Final = "ledger"
FORMAT: Final = 1  # of genesis and of all it binds; raise it with any change of what is hashed
GENESIS, SEAL, BLOCKS = "genesis.json", "seal.json", "blocks.bin"
READINGS, PRICES, RECEIPTS = "readings.parquet", "prices.parquet", "receipts.parquet"
SEALED: Final = (GENESIS, READINGS, PRICES, RECEIPTS, BLOCKS)
COLUMNS: Final = {
    READINGS: ("net_micro_kwh",),
    PRICES: ("retail_micro_per_kwh", "feed_in_micro_per_kwh"),
    RECEIPTS: RECEIPT,
}
BUFFERED_VALUES: Final = 1 << 20


@dataclass(frozen=True)
class Genesis:
    """Say what a chain is bound to, and what its rules need.

    Attributes
    ----------
    run : str
        Whatever names the run, such as the scenario's hash and the seed.
    households, slots : int
        Their numbers.
    funded_micro : int
        What each household's account starts with [1e-6 currency].
    parts : RetailParts
        What a retail price consists of.
    audit, signature : str
        How receipts are hashed and blocks signed.
    authorities : tuple of str
        Public keys, hexadecimal; empty when blocks are not signed.
    losses : bool
        Whether readings hold each home's share of the energy lost in the wires; not in the text where they do not.
    terms : Terms, optional
        What the tariff asks beyond prices by slot; None, and not in the text, where it asks nothing more.
    """

    run: str
    households: int
    slots: int
    funded_micro: int
    parts: RetailParts
    audit: Audit = "trade"
    signature: str = "ed25519"
    authorities: tuple[str, ...] = ()
    losses: bool = False
    terms: Terms | None = None

    def text(self) -> str:
        """Return the canonical JSON, which is also the chain's run id."""
        values: dict[str, Any] = {**self.__dict__, "parts": self.parts._asdict(), "format": FORMAT}
        if not values["losses"]:
            del values["losses"]
        terms = values.pop("terms")
        return canonical(values if terms is None else {**values, "terms": terms._asdict()})

    @classmethod
    def parse(cls, text: str) -> "Genesis":
        """Return the genesis that a canonical JSON says."""
        values = json.loads(text)
        if (version := values.pop("format")) != FORMAT:
            raise ValueError(f"format {version!r} is not known; this version reads {FORMAT}")
        terms = (
            parse_terms(values.pop("terms"), slots=values["slots"], households=values["households"])
            if "terms" in values
            else None
        )
        parts, authorities = RetailParts(**values.pop("parts")), tuple(values.pop("authorities"))
        made = cls(**values, parts=parts, authorities=authorities, terms=terms)
        made.check()
        return made

    def check(self) -> None:
        """Check types and ranges, for the text may come from anyone.

        Raises
        ------
        ValueError
            Naming the first value that cannot be.
        """
        counts = {"households": self.households, "slots": self.slots, "funded_micro": self.funded_micro}
        parts = {f"parts.{name}": value for name, value in self.parts._asdict().items()}
        for name, value in (counts | parts).items():
            if type(value) is not int or not (name in ("households", "slots")) <= value < 2**63:
                raise ValueError(f"{name} is {value!r}")
        if self.funded_micro * self.households >= 2**63:
            raise ValueError(f"funded_micro is {self.funded_micro!r} for {self.households} households")
        texts = {"run": self.run, "audit": self.audit, "signature": self.signature}
        texts |= {f"authorities[{at}]": key for at, key in enumerate(self.authorities)}
        if type(self.losses) is not bool:
            raise ValueError(f"losses is {self.losses!r}")
        for name, value in texts.items():
            if not isinstance(value, str) or (name == "audit" and value not in ("trade", "block")):
                raise ValueError(f"{name} is {value!r}")


def columns_of(genesis: Genesis) -> dict[str, tuple[str, ...]]:
    """Return the columns of each file of rows."""
    return (
        {**COLUMNS, READINGS: (*COLUMNS[READINGS], "losses_micro_kwh")} if genesis.losses else dict(COLUMNS)
    )


def canonical(values: dict[str, Any]) -> str:
    """Return the one JSON text of some values: sorted keys, no spaces, ASCII."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


class LedgerWriter:
    """Write the folder while the run goes on; memory does not grow with time.

    Parameters
    ----------
    folder : Path
        The folder `ledger/`; is made.
    genesis : Genesis
        What the chain is bound to.
    authorities : Authorities, optional
        Who signs the seal.
    """

    def __init__(self, folder: Path, genesis: Genesis, authorities: Authorities | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._authorities = authorities
        (folder / GENESIS).write_bytes(genesis.text().encode("ascii"))
        self._blocks = (folder / BLOCKS).open("wb")
        self._rows = {
            name: _RowWriter(folder / name, columns) for name, columns in columns_of(genesis).items()
        }
        self._head = ""

    def slot(self, net: IntArray, prices: tuple[int, int], losses: IntArray | None = None) -> None:
        """Add a slot: metered net, shape [homes]; retail and feed-in price; shares of losses, shape [homes]."""
        self._rows[READINGS].append(np.stack([net] if losses is None else [net, losses], axis=1))
        self._rows[PRICES].append(np.array([prices], dtype=np.int64))

    def block(self, block: Block, receipts: IntArray) -> None:
        """Add a block and its receipts, rows of `chain.RECEIPT`."""
        self._rows[RECEIPTS].append(receipts)
        self._blocks.write(header_bytes(block) + block.signature)
        self._head = block.header_hash.hex()

    def finish(self) -> None:
        """Close the files and seal them."""
        self.close()
        hashes = {name: hash_of(self.folder / name) for name in SEALED}
        content = {"files": hashes, "head": self._head}
        signed = canonical(content).encode("ascii")
        signature = (
            self._authorities.sign(0, signed).hex() if self._authorities else sha256(signed).hexdigest()
        )
        (self.folder / SEAL).write_bytes(canonical({**content, "signature": signature}).encode("ascii"))

    def close(self) -> None:
        """Close the files without a seal."""
        self._blocks.close()
        for rows in self._rows.values():
            rows.close()


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


class _RowWriter:
    """Write rows of integers to a Parquet file, some million values at a time."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._columns = columns
        self._schema = pa.schema([(name, pa.int64()) for name in columns])
        # Neighbours in time differ little: deltas are small. No statistics: nobody searches these files.
        self._writer = pq.ParquetWriter(
            path, self._schema, compression="zstd", use_dictionary=False, write_statistics=False,
            column_encoding=dict.fromkeys(columns, "DELTA_BINARY_PACKED"),
        )  # fmt: skip
        self._buffer: list[IntArray] = []
        self._held = 0

    def append(self, rows: IntArray) -> None:
        self._buffer.append(rows)
        self._held += rows.size
        if self._held >= BUFFERED_VALUES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._buffer:
            rows = np.concatenate(self._buffer)
            columns = [pa.array(np.ascontiguousarray(rows[:, at])) for at in range(len(self._columns))]
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
            self._buffer.clear()
            self._held = 0

    def close(self) -> None:
        self._flush()
        self._writer.close()


class Rows:
    """Read rows of integers from a Parquet file, in order, as many as asked for; memory stays small.

    Parameters
    ----------
    path : Path
        The file.
    columns : tuple of str
        Its columns, in the order wanted.
    codes : mapping, optional
        Texts of a column, each of which is read as its position among them, and any other as -1.
    """

    def __init__(
        self, path: Path, columns: tuple[str, ...], codes: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._codes = codes or {}
        self._left: IntArray = np.empty((0, len(columns)), dtype=np.int64)
        try:
            file = pq.ParquetFile(path)
            missing = set(columns) - set(file.schema_arrow.names)
            self._batches = file.iter_batches(batch_size=1 << 17, columns=list(columns))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(path, error) from error
        if missing:
            raise unreadable(path, f"no column {min(missing)!r}")
        self._columns = columns

    def take(self, count: int) -> IntArray:
        """Return the next `count` rows, shape [count, columns]; fewer at the end of the file."""
        parts, held = [self._left], len(self._left)
        while held < count and (more := self._next()) is not None:
            parts.append(more)
            held += len(more)
        rows = np.concatenate(parts) if len(parts) > 1 else parts[0]
        self._left = rows[count:]
        return rows[:count]

    def _next(self) -> IntArray | None:
        import pyarrow as pa

        try:
            batch = next(self._batches, None)
            if batch is None:
                return None
            columns = [self._numbers(name, batch.column(name)) for name in self._columns]
            if any(column.dtype.kind not in "iu" for column in columns):
                raise unreadable(self._path, "not all numbers are whole")
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(self._path, error) from error
        return np.stack(columns, axis=1).astype(np.int64, copy=False)

    def _numbers(self, name: str, column: Any) -> Any:
        if name not in self._codes:
            return column.to_numpy(zero_copy_only=False)
        column = column.dictionary_encode() if not hasattr(column, "dictionary") else column
        known = {text: code for code, text in enumerate(self._codes[name])}
        codes = np.array([known.get(text, -1) for text in column.dictionary.to_pylist()], dtype=np.int64)
        return codes[column.indices.to_numpy(zero_copy_only=False)]


def unreadable(path: Path, why: object) -> LedgerError:
    """Return the error of a file that cannot be read."""
    return LedgerError(describe("cannot be read", where=path.name, got=str(why).splitlines()[0]))


def read_text(path: Path) -> str:
    """Return a small file's text."""
    try:
        return path.read_bytes().decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error


def read_genesis(folder: Path) -> Genesis:
    """Return what the chain in `folder` is bound to."""
    path = folder / GENESIS
    text = read_text(path)
    try:
        genesis = Genesis.parse(text)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unreadable(path, error) from error
    if genesis.text() != text:
        raise unreadable(path, "not canonical JSON")
    check_scheme(genesis.signature)
    return genesis


def check_readings(folder: Path, genesis: Genesis) -> None:
    """Check that there is a whole number of slots of readings, before memory is taken for that many homes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / READINGS
    try:
        rows = pq.read_metadata(path).num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
    if rows % genesis.households:
        what, expected = "not whole slots of readings", f"a multiple of {genesis.households} rows"
        raise LedgerError(describe(what, where=path.name, got=rows, expected=expected))


def read_blocks(folder: Path, genesis: Genesis) -> Iterator[Block]:
    """Yield the blocks as stored."""
    path = folder / BLOCKS
    size = HEADER.size + (SIGNATURE_BYTES[genesis.signature] if genesis.authorities else 0)
    try:
        length = path.stat().st_size
        if length % size:
            raise unreadable(path, f"{length} bytes are not whole blocks of {size}")
        with path.open("rb") as file:
            while data := file.read(size):
                header, signature = data[: HEADER.size], data[HEADER.size :]
                number, time_ms, slot, trades, *hashes = HEADER.unpack(header)
                place, header_hash = Place(number, time_ms, slot, trades), sha256(header).digest()
                yield Block(*place, hashes[0], hashes[1], hashes[2], header_hash, signature)
    except OSError as error:
        raise unreadable(path, error) from error


class Sealed(NamedTuple):
    """Hold a block with what it seals: receipts, and the readings and prices of the slots it is the first to hold.

    Attributes
    ----------
    block : Block
        The block.
    receipts : IntArray
        Rows of `chain.RECEIPT`.
    net : IntArray
        Metered net, shape [slots, homes].
    prices : IntArray
        Retail and feed-in price, shape [slots, 2].
    losses : IntArray or None
        Shares of the energy lost in the wires, shape [slots, homes]; None where nobody is billed for any.
    """

    block: Block
    receipts: IntArray
    net: IntArray
    prices: IntArray
    losses: IntArray | None = None


def read_sealed(folder: Path, genesis: Genesis) -> Iterator[Sealed]:
    """Yield every block with what it seals; a file that ends too early gives fewer rows, which the hashes show."""
    rows = {name: Rows(folder / name, columns) for name, columns in columns_of(genesis).items()}
    last = -1
    for block in read_blocks(folder, genesis):
        new = min(max(block.slot - last, 0), genesis.slots)
        read = rows[READINGS].take(new * genesis.households)
        whole = read[: len(read) // genesis.households * genesis.households]
        by_slot = whole.T.reshape(whole.shape[1], -1, genesis.households)
        yield Sealed(
            block,
            rows[RECEIPTS].take(min(max(block.trades, 0), 1 << 40)),
            by_slot[0],
            rows[PRICES].take(new),
            by_slot[1] if genesis.losses else None,
        )
        last = max(last, block.slot)
    for name, reader in rows.items():
        if len(reader.take(1)):
            raise LedgerError(describe("rows that no block holds", where=name))
