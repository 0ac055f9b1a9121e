from pathlib import Path

import numpy as np
import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.results.manual import BEGIN, END, markdown
from sunshare_sim.results.tables import TABLES, as_frame, exact_name, schema_of

DOCS = Path(__file__).parents[2] / "docs" / "results.md"
PROMISED = {  # the names DESIGN section 6 promises to everybody
    "trades": "slot time buyer seller buyer_pool seller_pool energy_kwh price_per_kwh charge_per_kwh status",
    "slots": "time load_kwh solar_kwh charge_kwh discharge_kwh traded_kwh import_kwh export_kwh losses_kwh",
    "bills": "household total counterfactual_total saving",
    "households": "household kind zone bus solar_kwp battery_kwh strategy",
    "kpis": "name value unit description",
}


@pytest.mark.parametrize(
    ("shown", "exact"),
    [
        ("energy_kwh", "energy_micro_kwh"),
        ("price_per_kwh", "price_micro_per_kwh"),
        ("feed_in_per_kwh", "feed_in_micro_per_kwh"),
        ("counterfactual_total", "counterfactual_total_micro"),
    ],
)
def test_micro_stands_before_the_unit(shown, exact):
    assert exact_name(shown) == exact


@pytest.mark.parametrize("table", PROMISED)
def test_promised_names_are_there(table):
    assert set(PROMISED[table].split()) <= {column.name for column in TABLES[table].columns}


@pytest.mark.parametrize("schema", TABLES.values(), ids=TABLES)
def test_every_column_has_a_line_and_numbers_have_a_unit(schema):
    names = [name for name, _ in schema.stored()]
    assert len(names) == len(set(names))
    for column in schema.columns:
        assert column.text
        assert "\n" not in column.text
        if column.kind == "micro":
            assert column.unit in {"kWh", "currency", "currency/kWh", "kg"}
        assert bool(column.choices) == (column.kind == "choice")
        suffixes = {
            "_per_kwh": "currency/kWh",
            "_kwh": "kWh",
            "_kw": "kW",
            "_km": "km",
            "_ohm": "ohm",
            "_deg": "deg",
        }
        unit = next((unit for suffix, unit in suffixes.items() if column.name.endswith(suffix)), None)
        if unit:
            assert column.unit.removesuffix("/a") == unit, column.name


def test_small_tables_keep_floats_beside_exact_columns_and_long_ones_do_not():
    assert [name for name, _ in TABLES["bills"].stored()][:3] == [
        "household",
        "import_micro_kwh",
        "import_kwh",
    ]
    assert "energy_kwh" not in [name for name, _ in TABLES["trades"].stored()]


def test_frame_shows_floats_zones_and_words():
    one = {
        "slot": [0, 1],
        "time": np.array(["2025-06-01T22:00", "2025-06-01T22:15"], "datetime64[s]"),
        "buyer": [1, 2],
        "seller": [2, 1],
        "buyer_pool": [0, 0],
        "seller_pool": [0, 1],
        "energy_micro_kwh": [250_000, 1],
        "price_micro_per_kwh": [81_100, 90_000],
        "charge_micro_per_kwh": [0, 20_000],
        "status": [0, 1],
        "reason": [0, 2],
        "block": [0, 0],
        "latency_ms": [400, 400],
    }
    frame = as_frame("trades", one)
    assert frame.energy_kwh.tolist() == [0.25, 1e-6]
    assert frame.status.tolist() == ["settled", "failed"]
    assert frame.reason.tolist() == ["", "Insufficient energy credits"]
    assert str(frame.time.dtype) == "datetime64[s, UTC]"
    assert str(frame.buyer_pool.dtype) == "int16"
    assert frame.attrs["units"]["price_per_kwh"] == "currency/kWh"


def test_unknown_table_names_the_nearest():
    with pytest.raises(ResultError, match="did you mean 'trades'"):
        schema_of("trade")


def test_manual_is_in_step_with_the_schemas():
    text = DOCS.read_text(encoding="utf-8")
    generated = text.partition(BEGIN)[2].partition(END)[0]
    assert generated.strip() == markdown().strip(), "run: python -m sunshare_sim.results.manual"
