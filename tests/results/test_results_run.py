import json
import shutil
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sunshare_sim.errors import ResultError, SunShareWarning
from sunshare_sim.results.run import Run, _values, format_value
from sunshare_sim.results.store import RunWriter, sha256_of
from sunshare_sim.results.tables import TABLES
from sunshare_sim.units import to_micro


@pytest.fixture
def copy(demo_folder, tmp_path):
    return shutil.copytree(demo_folder, tmp_path / "demo-3")


def edit_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_tables_balance_as_documented(demo):
    s, b = demo.exact("slots"), demo.exact("bills")
    into = s.solar_micro_kwh + s.import_micro_kwh + s.discharge_micro_kwh
    out = s.load_micro_kwh + s.ev_micro_kwh + s.charge_micro_kwh + s.export_micro_kwh
    assert (into == out).all()
    assert (s.deficit_micro_kwh - s.traded_micro_kwh == s.import_micro_kwh).all()
    parts = ["supply", "network", "levies", "tax", "standing", "feed_in", "purchases", "sales", "wheeling"]
    assert (b[[f"{part}_micro" for part in parts]].sum(axis=1) == b.total_micro).all()
    assert (b.counterfactual_total_micro - b.total_micro == b.saving_micro).all()


def test_shown_and_exact_are_the_same_numbers(demo):
    for table, shown, exact in (
        ("trades", "energy_kwh", "energy_micro_kwh"),
        ("bills", "total", "total_micro"),
    ):
        assert np.array_equal(to_micro(demo.table(table)[shown]), demo.exact(table)[exact])


def test_some_columns_only(demo):
    some = demo.exact("trades", ["slot", "energy_micro_kwh"])
    assert some.equals(demo.exact("trades")[["slot", "energy_micro_kwh"]])
    with pytest.raises(ResultError, match="did you mean 'energy_micro_kwh'"):
        demo.exact("trades", ["energy_kwh"])


def test_stored_floats_are_the_shown_ones(demo):
    stored = pd.read_parquet(demo.folder / "bills.parquet")
    for name in demo.bills.columns:
        assert stored[name].equals(demo.bills[name]), name


def test_tables_are_read_once_and_know_their_units(demo):
    assert demo.slots is demo.slots
    assert demo.slots.attrs["units"]["import_kwh"] == "kWh"
    assert str(demo.slots.time.dtype) == "datetime64[s, UTC]"
    assert demo.slots.time.iloc[0] == pd.Timestamp("2025-06-01T22:00", tz="UTC")


@pytest.mark.parametrize(
    "name",
    ["slots", "households", "trades", "bills", "lines", "buses", "blocks", "events", "accounts", "kpis"],
)
def test_every_table_is_an_attribute(demo, name):
    assert getattr(demo, name) is demo.table(name)


def test_misspelt_table_names_the_nearest(demo):
    with pytest.raises(AttributeError, match="did you mean 'trades'"):
        _ = demo.trade


def test_panel_is_slots_by_homes(demo):
    panel = demo.panel("soc_kwh")
    assert panel.shape == (672, 40)
    assert panel.index.equals(pd.DatetimeIndex(demo.slots.time, name="time"))
    assert np.allclose(panel.sum(axis=1), demo.slots.soc_kwh, atol=1e-3)
    with pytest.raises(ResultError, match="did you mean 'soc_kwh'"):
        demo.panel("soc")


def test_words_keep_their_meaning_whatever_their_order_in_the_file():
    status = next(column for column in TABLES["trades"].columns if column.name == "status")
    chunks = pa.chunked_array(
        [pa.array(words).dictionary_encode() for words in (["failed", "settled"], ["settled"])]
    )
    assert _values(status, chunks).tolist() == [1, 0, 0]
    assert _values(status, pa.chunked_array([], chunks.type)).tolist() == []


def test_scenario_comes_back_whole(demo):
    assert demo.scenario.name == "demo"
    assert demo.scenario.seed == 3
    assert demo.scenario.time.days == 7


def test_load_equals_load_and_a_second_run_of_the_same(demo, write, tmp_path):
    again = Run.load(write(tmp_path / "again", manifest={"seed": 3, "environment": {"seconds": 99}}))
    assert demo.equals(Run.load(demo.folder))
    assert demo.equals(again)


def test_another_run_is_not_equal(demo, write, tmp_path):
    other = Run.load(write(tmp_path / "other", seed=4, manifest={"seed": 3}))
    assert not demo.equals(other)


def rewrite(folder, change):
    """Write the trades anew, as another version of Parquet would: other bytes, other hash, same manifest else."""
    path = folder / "trades.parquet"
    table = pq.read_table(path)
    energy = change(table["energy_micro_kwh"].to_numpy().copy())
    place = table.schema.get_field_index("energy_micro_kwh")
    table = table.set_column(place, table.schema.field(place), pa.array(energy))
    pq.write_table(table, path, compression="snappy")
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = {"sha256": sha256_of(path), "bytes": path.stat().st_size, "rows": table.num_rows}
    edit_manifest(folder, files={**manifest["files"], "trades.parquet": entry})


def test_other_bytes_of_the_same_numbers_are_equal(demo, copy):
    rewrite(copy, lambda energy: energy)
    assert Run.load(copy).manifest["files"] != demo.manifest["files"]
    assert demo.equals(Run.load(copy))


def test_one_millionth_more_is_not_equal(demo, copy):
    rewrite(copy, lambda energy: np.append(energy[:-1], energy[-1] + 1))
    assert not demo.equals(Run.load(copy))


def test_no_such_folder_names_the_nearest(demo_folder):
    with pytest.raises(ResultError, match=r"no such folder.*did you mean 'demo-3'"):
        Run.load(demo_folder.parent / "demo-4")


def test_folder_without_a_run(tmp_path):
    with pytest.raises(ResultError, match=r"there is no run here.*manifest\.json"):
        Run.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_damaged_manifest(copy, text):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(ResultError, match="not a run's manifest, or damaged"):
        Run.load(copy)


@pytest.mark.parametrize("version", [0, 1, 99])
def test_other_format(copy, version):
    edit_manifest(copy, format_version=version)
    with pytest.raises(ResultError, match=f"written in another format; got {version}; expected 2"):
        Run.load(copy)


def test_missing_and_cut_files_are_named_at_once(copy):
    (copy / "bills.parquet").unlink()
    data = (copy / "trades.parquet").read_bytes()
    (copy / "trades.parquet").write_bytes(data[:-100])
    with pytest.raises(ResultError, match=r"missing or cut short: bills\.parquet, trades\.parquet"):
        Run.load(copy)


def test_changed_content_is_found_when_read(copy):
    data = bytearray((copy / "trades.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "trades.parquet").write_bytes(data)
    run = Run.load(copy)
    with pytest.raises(ResultError, match=r"trades\.parquet: missing, or changed since the run wrote it"):
        _ = run.trades


def test_changed_panel_and_scenario_are_found_too(copy):
    for file, read in (
        ("panels/soc_kwh.npy", lambda run: run.panel("soc_kwh")),
        ("resolved.yaml", lambda run: run.scenario),
    ):
        data = (copy / file).read_bytes()
        (copy / file).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(ResultError, match="changed since"):
            read(Run.load(copy))


def test_partial_run_warns_and_is_readable(tmp_path):
    with RunWriter(tmp_path / "run") as writer:
        writer.panel("soc_kwh", np.ones((2, 3)))
        place = writer.abandon({"seed": 1}, "interrupted by the user")
    with pytest.warns(SunShareWarning, match=r"only a part.*interrupted by the user"):
        run = Run.load(place)
    assert len(run.slots) == 0
    assert "partial" in repr(run)


def test_complete_run_does_not_warn(demo_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Run.load(demo_folder)


def test_repr_says_what_it_is(demo):
    assert repr(demo) == f"<Run 'demo-3': 40 homes, 672 slots, {len(demo.trades)} trades, complete>"


def test_card_is_an_accessible_table_and_escapes(copy):
    edit_manifest(copy, warnings=["too many <homes>"])
    html = Run.load(copy)._repr_html_()
    assert "<caption>" in html
    assert html.count('scope="row"') == 8
    assert "too many &lt;homes&gt;" in html
    assert "EUR" in html
    assert "seed 3" in html


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.4567, "1", "0.457"),
        (7523.0, "1", "7,523"),
        (float("nan"), "1", "none"),
        (1234.5, "currency", "1,234.50 EUR"),
        (0.17607, "currency/kWh", "0.1761 EUR/kWh"),
        (75.646, "kW", "75.65 kW"),
    ],
)
def test_values_read_well(value, unit, text):
    assert format_value(value, unit, "EUR") == text
