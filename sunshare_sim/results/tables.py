"""The tables of a run: each column's name, kind, unit and meaning, stated once for writer, reader and manual.

Money and traded energy are exact: whole 1e-6 units, int64, in a column whose name carries ``micro`` before
its unit (`exact_name`). The column of the schema's own name shows the same number as float64.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import ResultError, describe, did_you_mean
from sunshare_sim.units import from_micro

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["int16", "int32", "int64", "float64", "micro", "time", "text", "choice"]
Array = npt.NDArray[Any]


class Column(NamedTuple):
    """Describe one column.

    Attributes
    ----------
    name : str
        Name as a `Run` shows it.
    kind : str
        numpy's name of the dtype; or ``micro`` (an exact number, see `exact_name`), ``time`` (UTC, whole
        seconds), ``text``, ``choice`` (one of `choices`, handed over as its position).
    unit : str
        Unit of the number; empty where there is none.
    text : str
        One line of description.
    """

    name: str
    kind: Kind
    unit: str
    text: str
    choices: tuple[str, ...] = ()

    @property
    def stored_name(self) -> str:
        """Return the name under which a writer is given the column: the exact one where there is one."""
        return exact_name(self.name) if self.kind == "micro" else self.name


@dataclass(frozen=True)
class TableSchema:
    """Describe one table.

    Attributes
    ----------
    name : str
        Name of the table and of its file.
    text : str
        What a row is.
    columns : tuple of Column
        The columns in order.
    long : bool
        True for tables that grow with the number of trades: exact columns only are kept on disk, without the
        floats beside them, which would double the file and its cost.
    optional : bool
        True when a run may be without the table.
    """

    name: str
    text: str
    columns: tuple[Column, ...]
    long: bool = False
    optional: bool = False

    def stored(self) -> Iterator[tuple[str, Column]]:
        """Yield name and schema of each column on disk, exact columns before the float that shows them."""
        for column in self.columns:
            yield column.stored_name, column
            if column.kind == "micro" and not self.long:
                yield column.name, Column(column.name, "float64", column.unit, column.text)


def exact_name(name: str) -> str:
    """Return the name of the int64 column behind an exact one: ``micro`` stands before the unit.

    >>> exact_name("energy_kwh"), exact_name("price_per_kwh"), exact_name("total")
    ('energy_micro_kwh', 'price_micro_per_kwh', 'total_micro')
    """
    for unit in ("_per_kwh", "_kwh"):
        if name.endswith(unit):
            return f"{name.removesuffix(unit)}_micro{unit}"
    return f"{name}_micro"


def schema_of(table: str) -> TableSchema:
    """Return the schema of `table`, or say which name was meant."""
    if table not in TABLES:
        hint = did_you_mean(table, TABLES)
        raise ResultError(describe("unknown table", got=table, expected=", ".join(TABLES), hint=hint))
    return TABLES[table]


def as_frame(table: str, columns: Mapping[str, Any]) -> "pd.DataFrame":
    """Return the table as a `Run` shows it, from columns as a writer is given them; units in ``attrs``."""
    import pandas as pd

    schema = schema_of(table)
    shown = {column.name: _shown(column, columns[column.stored_name]) for column in schema.columns}
    frame = pd.DataFrame(shown, copy=False)
    frame.attrs["units"] = {column.name: column.unit for column in schema.columns}
    return frame


def _shown(column: Column, values: Any) -> Any:
    import pandas as pd

    if column.kind == "micro":
        return from_micro(values)
    if column.kind == "time":
        return pd.DatetimeIndex(np.asarray(values).astype("datetime64[s]")).tz_localize("UTC")
    if column.kind == "choice":
        choices = pd.CategoricalDtype(list(column.choices))
        return pd.Categorical.from_codes(np.asarray(values, dtype=np.int8), dtype=choices)
    if column.kind == "text":
        return np.asarray(values, dtype=object)
    return np.asarray(values).astype(column.kind, copy=False)


KWH, MONEY, PRICE = "kWh", "currency", "currency/kWh"
SLOT = Column("slot", "int32", "", "number of the slot, from 0")
TIME = Column("time", "time", "", "start of the slot, UTC")
HOUSEHOLD = Column("household", "int32", "", "row of the home in `households`")

_SLOTS = TableSchema(
    "slots",
    "One row a slot: the community as a whole. In every slot solar + import + discharge = load + ev + charge"
    " + export + losses; import = deficit - traded and export = surplus - traded.",
    (
        SLOT,
        TIME,
        Column("load_kwh", "micro", KWH, "energy used in the homes, without EVs"),
        Column("solar_kwh", "micro", KWH, "energy generated"),
        Column("ev_kwh", "micro", KWH, "energy charged into EVs, at the charger's plug"),
        Column("charge_kwh", "micro", KWH, "energy into batteries, at their AC side"),
        Column("discharge_kwh", "micro", KWH, "energy out of batteries, at their AC side"),
        Column("soc_kwh", "float64", KWH, "energy stored in batteries at the end of the slot"),
        Column("losses_kwh", "float64", KWH, "energy lost in the wires"),
        Column("surplus_kwh", "micro", KWH, "sum over the homes of metered surplus"),
        Column("deficit_kwh", "micro", KWH, "sum over the homes of metered deficit"),
        Column("traded_kwh", "micro", KWH, "energy traded and settled"),
        Column("import_kwh", "micro", KWH, "deficit the grid's supplier covers"),
        Column("export_kwh", "micro", KWH, "surplus the grid takes at the feed-in price"),
        Column("trades", "int32", "1", "number of settled trades"),
        Column("failed", "int32", "1", "number of trades that settlement refused"),
        Column("trade_value", "micro", MONEY, "paid to the sellers of settled trades"),
        Column("wheeling", "micro", MONEY, "paid to the network operator for settled trades"),
        Column("retail_per_kwh", "micro", PRICE, "price of the grid's energy, all charges and tax included"),
        Column("feed_in_per_kwh", "micro", PRICE, "price the grid pays for surplus"),
    ),
)
_TRADES = TableSchema(
    "trades",
    "One row a trade, in order of time. The buyer pays price and charge; the operator gets the charge.",
    (
        SLOT,
        TIME,
        Column("buyer", "int32", "", "row of the buying home in `households`"),
        Column("seller", "int32", "", "row of the selling home in `households`"),
        Column("buyer_pool", "int16", "", "pool (zone) of the bid"),
        Column("seller_pool", "int16", "", "pool (zone) of the ask"),
        Column("energy_kwh", "micro", KWH, "energy traded"),
        Column("price_per_kwh", "micro", PRICE, "price the seller gets"),
        Column("charge_per_kwh", "micro", PRICE, "wheeling charge the buyer pays on top, to the operator"),
        Column("status", "choice", "", "what became of it", ("settled", "failed")),
    ),
    long=True,
)
_ORDERS = TableSchema(
    "orders",
    "One row an order, in order of arrival; written on request (`results.orders`).",
    (
        SLOT,
        HOUSEHOLD,
        Column("side", "choice", "", "which side of the book", ("ask", "bid")),
        Column("pool", "int16", "", "pool (zone) of the order"),
        Column("price_per_kwh", "micro", PRICE, "limit price"),
        Column("quantity_kwh", "micro", KWH, "energy offered or asked for"),
    ),
    long=True,
    optional=True,
)
_BILLS = TableSchema(
    "bills",
    "One row a home: its energy and money over the whole run. Costs are positive, income negative;"
    " `total` is the sum of all money columns before it.",
    (
        HOUSEHOLD,
        Column("import_kwh", "micro", KWH, "bought from the grid"),
        Column("export_kwh", "micro", KWH, "fed into the grid"),
        Column("bought_kwh", "micro", KWH, "bought in the local market"),
        Column("sold_kwh", "micro", KWH, "sold in the local market"),
        Column("supply", "micro", MONEY, "energy part of the imports"),
        Column("network", "micro", MONEY, "network charge of the imports"),
        Column("levies", "micro", MONEY, "levies on the imports"),
        Column("tax", "micro", MONEY, "value added tax on the imports"),
        Column("standing", "micro", MONEY, "standing charge"),
        Column("feed_in", "micro", MONEY, "income for exports, negative"),
        Column("purchases", "micro", MONEY, "paid to sellers in the local market"),
        Column("sales", "micro", MONEY, "income from buyers in the local market, negative"),
        Column("wheeling", "micro", MONEY, "wheeling charges of the purchases"),
        Column("total", "micro", MONEY, "the bill"),
        Column("counterfactual_total", "micro", MONEY, "bill of the same flows without local market"),
        Column("saving", "micro", MONEY, "counterfactual_total - total"),
    ),
)
_HOUSEHOLDS = TableSchema(
    "households",
    "One row a home: what it is and has.",
    (
        HOUSEHOLD,
        Column("name", "text", "", "name of the home"),
        Column("group", "text", "", "group of the scenario it belongs to"),
        Column("kind", "text", "", "Prosumer, Consumer or Enterprise"),
        Column("zone", "int32", "", "zone (market pool) it lies in"),
        Column("bus", "int32", "", "row of its bus in `buses`"),
        Column("solar_kwp", "float64", "kWp", "solar system, 0 = none"),
        Column("tilt_deg", "float64", "deg", "tilt of the solar system from the horizontal"),
        Column("azimuth_deg", "float64", "deg", "azimuth of the solar system, south = 180"),
        Column("battery_kwh", "float64", KWH, "battery's usable capacity, 0 = none"),
        Column("battery_kw", "float64", "kW", "battery's power"),
        Column("ev_kw", "float64", "kW", "power of the EV chargers, 0 = none"),
        Column("heat_pump_kwh", "float64", "kWh/a", "annual demand of the heat pump, 0 = none"),
        Column(
            "annual_kwh",
            "float64",
            "kWh/a",
            "annual demand without heat pump and EV, NaN = from a file",
        ),
        Column("strategy", "text", "", "strategy it trades by"),
        Column("ev_shortfall_kwh", "float64", KWH, "energy its EVs asked for but left without"),
    ),
)
_BUSES = TableSchema(
    "buses",
    "One row a bus of the feeder.",
    (
        Column("bus", "int32", "", "number of the bus, from 0"),
        Column("name", "text", "", "name of the bus"),
        Column("zone", "int32", "", "zone it lies in"),
        Column("x", "float64", "", "position to draw it at, NaN = unknown"),
        Column("y", "float64", "", "position to draw it at, NaN = unknown"),
        Column("households", "int32", "1", "number of homes on the bus"),
    ),
)
_LINES = TableSchema(
    "lines",
    "One row a line (or transformer) of the feeder, directed away from the substation.",
    (
        Column("line", "int32", "", "number of the line, from 0"),
        Column("from_bus", "int32", "", "bus at the substation's side"),
        Column("to_bus", "int32", "", "bus at the far side"),
        Column("length_km", "float64", "km", "length"),
        Column("r_ohm", "float64", "ohm", "resistance"),
        Column("x_ohm", "float64", "ohm", "reactance"),
        Column("rating_a", "float64", "A", "thermal rating"),
        Column("kind", "text", "", "line, transformer or switch"),
    ),
)
_BLOCKS = TableSchema(
    "blocks",
    "One row a block of the ledger.",
    (
        Column("number", "int32", "", "number of the block, from 0"),
        Column("slot", "int32", "", "last slot whose trades it holds"),
        Column("time", "time", "", "when it was made, UTC"),
        Column("trades", "int32", "1", "number of receipts in the block"),
        Column("previous_hash", "text", "", "header_hash of the block before, hexadecimal"),
        Column("receipts_hash", "text", "", "Merkle root (or digest) of the block's receipts, hexadecimal"),
        Column("header_hash", "text", "", "SHA-256 of this block's header, hexadecimal"),
        Column("latency_ms", "int64", "ms", "from the end of its last slot to the block"),
        Column("gas", "int64", "1", "gas of settling its trades in one batch, at most"),
    ),
)
_EVENTS = TableSchema(
    "events",
    "One row an event worth a note: a trade that settlement refused, a limit that was reached.",
    (
        SLOT,
        TIME,
        Column("kind", "text", "", "kind of event"),
        Column("household", "int32", "", "row of the home in `households`, -1 = none"),
        Column("text", "text", "", "what happened, with numbers"),
    ),
)
_ACCOUNTS = TableSchema(
    "accounts",
    "One row an account of the ledger at the end of the run: homes first, then operator, retailer, state and"
    " the like. The sum of `cash` equals the sum of `funded`.",
    (
        Column("account", "int32", "", "number of the account; a home's is its row in `households`"),
        Column("name", "text", "", "whose account it is"),
        Column("funded", "micro", MONEY, "what it was funded with at the start"),
        Column("cash", "micro", MONEY, "what it holds at the end"),
    ),
)
_KPIS = TableSchema(
    "kpis",
    "One row a key figure of the whole run; formulas below.",
    (
        Column("name", "text", "", "name of the key figure"),
        Column("value", "float64", "", "its value, NaN where it has none (a mean over nothing)"),
        Column("unit", "text", "", "unit of the value"),
        Column("description", "text", "", "what it says, in one line"),
    ),
)

TABLES: Final[Mapping[str, TableSchema]] = {
    schema.name: schema
    for schema in (
        _SLOTS,
        _TRADES,
        _ORDERS,
        _BILLS,
        _HOUSEHOLDS,
        _BUSES,
        _LINES,
        _BLOCKS,
        _EVENTS,
        _ACCOUNTS,
        _KPIS,
    )
}
