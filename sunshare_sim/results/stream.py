"""Long tables read slot by slot: rows in order of their slots, a row group in memory at a time."""

from collections.abc import Iterator

import numpy as np

from sunshare_sim.results.run import Run, _values
from sunshare_sim.results.tables import Array, schema_of


class SlotStream:
    """Give the rows of a run's table, whose slots rise, up to one slot after another.

    Parameters
    ----------
    run : Run
        The run.
    table : str
        Name of a table with a column `slot`.
    """

    def __init__(self, run: Run, table: str) -> None:
        self._columns = {column.stored_name: column for column in schema_of(table).columns}
        self._batches = self._read(run, table)
        self._held: dict[str, Array] | None = None

    def _read(self, run: Run, table: str) -> Iterator[dict[str, Array]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(run._verified(f"{table}.parquet")) as file:  # noqa: SLF001 - of this package
            for batch in file.iter_batches(columns=list(self._columns)):
                whole = pa.table(batch)
                yield {name: _values(column, whole.column(name)) for name, column in self._columns.items()}

    def before(self, slot: int) -> dict[str, Array]:
        """Return the next rows, by stored name, whose slots come before `slot`."""
        found: list[dict[str, Array]] = []
        while True:
            if self._held is None:
                self._held = next(self._batches, None)
                if self._held is None:
                    break
            count = int(np.searchsorted(self._held["slot"], slot))
            whole = count == self._held["slot"].size
            found.append({name: values[:count] for name, values in self._held.items()})
            self._held = None if whole else {name: values[count:] for name, values in self._held.items()}
            if not whole:
                break
        if not found:
            return {name: np.empty(0, dtype=np.int64) for name in self._columns}
        return {name: np.concatenate([part[name] for part in found]) for name in self._columns}
