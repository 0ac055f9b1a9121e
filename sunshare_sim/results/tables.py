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
    asked_by : str
        Key of the scenario that asks for an optional table, where it is not that of its name under `results`.
    """

    name: str
    text: str
    columns: tuple[Column, ...]
    long: bool = False
    optional: bool = False
    asked_by: str = ""

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
    " + export + losses; import = deficit - traded + losses and export = surplus - traded.",
    (
        SLOT,
        TIME,
        Column("load_kwh", "micro", KWH, "energy used in the homes, without EVs"),
        Column("solar_kwh", "micro", KWH, "energy generated"),
        Column("ev_kwh", "micro", KWH, "energy charged into EVs, at the charger's plug"),
        Column("charge_kwh", "micro", KWH, "energy into batteries, at their AC side"),
        Column("discharge_kwh", "micro", KWH, "energy out of batteries, at their AC side"),
        Column("soc_kwh", "float64", KWH, "energy stored in batteries at the end of the slot"),
        Column("losses_kwh", "micro", KWH, "energy lost in the wires, 0 without `network.power_flow`"),
        Column("surplus_kwh", "micro", KWH, "sum over the homes of metered surplus"),
        Column("deficit_kwh", "micro", KWH, "sum over the homes of metered deficit"),
        Column("largest_surplus_kwh", "micro", KWH, "metered surplus of the home that had most"),
        Column("traded_kwh", "micro", KWH, "energy traded and settled"),
        Column("import_kwh", "micro", KWH, "deficit and losses the grid's supplier covers"),
        Column("export_kwh", "micro", KWH, "surplus the grid takes at the feed-in price"),
        Column("trades", "int32", "1", "number of settled trades"),
        Column("failed", "int32", "1", "number of trades that settlement refused"),
        Column("trade_value", "micro", MONEY, "paid to the sellers of settled trades"),
        Column("wheeling", "micro", MONEY, "paid to the network operator for settled trades"),
        Column("retail_per_kwh", "micro", PRICE, "price of the grid's energy, all charges and tax included"),
        Column("feed_in_per_kwh", "micro", PRICE, "price the grid pays for surplus"),
        Column(
            "rejected", "int32", "1", "number of orders beyond `market.orders_per_slot`, which were rejected"
        ),
        Column(
            "unserved_kwh",
            "micro",
            KWH,
            "load that was shed or without supply (`events`), or that the wires' limits cut; not in load_kwh",
        ),
        Column("islanded", "int32", "1", "number of homes that were part of an island"),
        Column("curtailed_kwh", "micro", KWH, "generation that the wires' limits cut, not in solar_kwh"),
        Column("deferred_kwh", "micro", KWH, "moves of batteries and cars that the wires' limits held back"),
        Column("refused_kwh", "micro", KWH, "part of agreed trades that the wires' limits refused"),
        Column(
            "curtailment_cost",
            "micro",
            MONEY,
            "curtailed_kwh at the feed-in price: what the grid would have paid",
        ),
        Column("voltage_min_pu", "float64", "p.u.", "lowest voltage of all buses, NaN without power flow"),
        Column("voltage_max_pu", "float64", "p.u.", "highest voltage of all buses, NaN without power flow"),
        Column("loading_max", "float64", "1", "highest current over its rating, NaN: no power flow"),
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
        Column(
            "status",
            "choice",
            "",
            "what became of it; pending if interrupted",
            ("settled", "failed", "pending"),
        ),
        Column(
            "reason",
            "choice",
            "",
            "why settlement refused it, in the contract's words",
            ("", "Insufficient fiat balance", "Insufficient energy credits"),
        ),
        Column("block", "int32", "", "number of the block that settled or refused it, -1 = pending"),
        Column("latency_ms", "int64", "ms", "from the end of its slot to that block, -1 = pending"),
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
        Column("trades", "int32", "1", "number of trades it made as it arrived; the next ones in `trades`"),
    ),
    long=True,
    optional=True,
)
_QUOTES = TableSchema(
    "quotes",
    "One row a slot and pool: its best quotes, NaN where there is none; written on request (`results.quotes`).",
    (
        SLOT,
        Column("pool", "int16", "", "pool (zone) of the orders"),
        Column("highest_bid_per_kwh", "float64", PRICE, "highest limit of all bids sent in the slot"),
        Column("lowest_ask_per_kwh", "float64", PRICE, "lowest limit of all asks sent in the slot"),
        Column(
            "best_bid_per_kwh", "float64", PRICE, "highest limit of the bids left when the slot was cleared"
        ),
        Column(
            "best_ask_per_kwh", "float64", PRICE, "lowest limit of the asks left when the slot was cleared"
        ),
    ),
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
        Column("network", "micro", MONEY, "network charge of the imports by energy"),
        Column("network_fixed", "micro", MONEY, "network charge by the day and month"),
        Column("capacity", "micro", MONEY, "network charge on the highest import of each billing period"),
        Column(
            "export_charge", "micro", MONEY, "network charge on surplus beyond what is free (two-way tariff)"
        ),
        Column("levies", "micro", MONEY, "levies on the imports"),
        Column("tax", "micro", MONEY, "value added tax on supply, network and levies"),
        Column("standing", "micro", MONEY, "standing charge"),
        Column(
            "feed_in", "micro", MONEY, "income for exports, negative; credits that ended unused taken off"
        ),
        Column("premium", "micro", MONEY, "paid by the state for energy shared with near homes, negative"),
        Column("purchases", "micro", MONEY, "paid to sellers in the local market"),
        Column("sales", "micro", MONEY, "income from buyers in the local market, negative"),
        Column("wheeling", "micro", MONEY, "wheeling charges of the purchases"),
        Column("losses", "micro", MONEY, "share of the energy lost in the wires, at its price with tax"),
        Column("total", "micro", MONEY, "the bill"),
        Column("counterfactual_total", "micro", MONEY, "bill of the same flows without local market"),
        Column("saving", "micro", MONEY, "counterfactual_total - total"),
        Column(
            "counterfactual_network",
            "micro",
            MONEY,
            "network, network_fixed, capacity and export_charge without local market",
        ),
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
        Column("battery_cycles", "float64", "1", "full cycles of the battery, NaN = none"),
        Column("battery_loss", "float64", "1", "capacity the run cost a new battery, NaN = `ageing` not set"),
        Column("ev_given_kwh", "float64", KWH, "energy its EVs gave back (V2G)"),
        Column("wear", "float64", MONEY, "wear of battery and EVs by what passed them, on no bill"),
        Column("discomfort_kh", "float64", "K h", "kelvin below the band of comfort, NaN = no heated house"),
        Column(
            "foresight_gap",
            "float64",
            "1",
            "part of the saving possible at the grid's prices that its battery left: 0 = perfect foresight,"
            " 1 = no battery; NaN = `results.foresight` not set",
        ),
        Column("rejected", "int32", "1", "number of its orders beyond `market.orders_per_slot`"),
        Column("unserved_kwh", "micro", KWH, "its load that was shed, without supply, or cut by limits"),
        Column("income", "text", "", "income group the scenario gives it, empty = none"),
        Column(
            "interruption_h", "float64", "h", "time without supply; shed in part, a slot counts by that part"
        ),
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
        Column("voltage_min_pu", "float64", "p.u.", "lowest voltage of the run, NaN without power flow"),
        Column("voltage_max_pu", "float64", "p.u.", "highest voltage of the run"),
        Column(
            "deviation_p95_pu", "float64", "p.u.", "distance from nominal that 95 % of slots keep, worst week"
        ),
        Column("share_outside", "float64", "1", "share of slots outside +-10 % of nominal (EN 50160)"),
        Column("weeks_failed", "float64", "1", "weeks in which the bus does not keep to EN 50160"),
        Column(
            "unbalance_p95",
            "float64",
            "1",
            "negative- over positive-sequence voltage that 95 % of slots keep, worst week; NaN: balanced phases",
        ),
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
        Column("loading_max", "float64", "1", "highest current over rating, NaN without power flow"),
        Column("loading_p95", "float64", "1", "loading that 95 % of a week's slots keep, worst week"),
        Column("hours_above_80", "float64", "h", "time above 80 % of the rating"),
        Column("hours_above_100", "float64", "h", "time above the rating"),
        Column("hours_above_120", "float64", "h", "time above 120 % of the rating"),
        Column("above_rating_kwh", "float64", KWH, "energy carried beyond the rating, at nominal voltage"),
        Column("reverse_hours", "float64", "h", "time with power towards the substation"),
        Column("losses_kwh", "float64", KWH, "energy lost in it"),
    ),
)
_REFUSALS = TableSchema(
    "refusals",
    "One row a home (or trade) held back by a limit of the wires (`network.power_flow: enforce`).",
    (
        SLOT,
        Column("household", "int32", "", "row of the home in `households`; of a trade, the seller"),
        Column("buyer", "int32", "", "row of the buyer of a refused trade, -1 = no trade"),
        Column("curtailed_kwh", "micro", KWH, "generation that was cut"),
        Column("deferred_kwh", "micro", KWH, "moves of its battery and cars that were held back"),
        Column("unserved_kwh", "micro", KWH, "demand that was not served"),
        Column("refused_kwh", "micro", KWH, "part of the trade that was not admitted"),
        Column(
            "limit",
            "choice",
            "",
            "limit that cut most",
            ("", "voltage too high", "voltage too low", "loading", "no solution"),
        ),
        Column("bus", "int32", "", "bus of that limit, -1 for a loading"),
        Column("line", "int32", "", "line of that limit, -1 for a voltage"),
    ),
    long=True,
    optional=True,
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
        Column("latency_ms", "int64", "ms", "from the end of the slot of its first trade to the block"),
        Column("gas", "int64", "1", "gas of settling its trades, one batch a slot"),
        Column(
            "metering_gas", "int64", "1", "gas of registering and delivering energy, a call a home and slot"
        ),
        Column("gas_cost", "micro", MONEY, "both at `settlement.gas_price`; on no bill"),
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
_CERTIFICATES = TableSchema(
    "certificates",
    "One row a home: what its certificates of emissions came to (`settlement.certificates`); household -1 is the"
    " outside fund. The sum of `revenue` equals the sum of `paid`; avoided = pooled + minted.",
    (
        HOUSEHOLD,
        Column("certified_kwh", "micro", KWH, "metered solar energy that counts"),
        Column("avoided_kg", "micro", "kg", "emissions it avoids"),
        Column("pooled_kg", "micro", "kg", "of these, waiting for a whole certificate"),
        Column("minted_kg", "micro", "kg", "of these, in certificates"),
        Column("sold_kg", "micro", "kg", "of these, in certificates that are sold, retired ones among them"),
        Column("retired_kg", "micro", "kg", "of these, in certificates that are retired"),
        Column("revenue", "micro", MONEY, "received for certificates, on no bill"),
        Column("paid", "micro", MONEY, "paid for certificates, on no bill"),
    ),
    optional=True,
    asked_by="settlement.certificates.enabled",
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
        _QUOTES,
        _BILLS,
        _HOUSEHOLDS,
        _BUSES,
        _LINES,
        _REFUSALS,
        _BLOCKS,
        _EVENTS,
        _ACCOUNTS,
        _CERTIFICATES,
        _KPIS,
    )
}
