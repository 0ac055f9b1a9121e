"""Tariffs in scenario files: presets and what is written beside them, and every mistake at its line."""

from pathlib import Path

import pytest

from sunshare_sim.errors import ScenarioError
from sunshare_sim.scenario.load import dump, load_scenario, scenario_hash
from sunshare_sim.scenario.presets import PRESETS
from sunshare_sim.scenario.tariff import Tariff


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def _load(text, **options):
        (tmp_path / "s.yaml").write_text(text, "utf-8")
        return load_scenario("s.yaml", **options)

    return _load


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_sets_its_values_and_comes_back_from_a_dump(load, name):
    scenario = load(f"tariff: {{preset: {name}}}")
    assert scenario.tariff == Tariff(**PRESETS[name].values, preset=name)
    again = load(dump(scenario))
    assert again == scenario
    assert scenario_hash(again) == scenario_hash(scenario)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_figure_of_a_preset_has_a_source_or_is_marked(name):
    preset = PRESETS[name]
    zero = {key for key, value in preset.values.items() if value == 0}
    told = {*preset.sources, *preset.unverified, *zero, "currency"}
    # The value added tax of the German price is that of its source.
    assert set(preset.values) - told <= ({"vat"} if name == "de-2025" else set())
    assert preset.text
    assert str(preset.year) in name or name == "es-collective"


def test_the_page_shows_every_figure_of_every_preset():
    page = (Path(__file__).parents[2] / "docs" / "tariffs.md").read_text("utf-8")
    for name, preset in PRESETS.items():
        part = page.split(f"### {name}\n")[1].split("###")[0]
        for key, value in preset.values.items():
            row = key == "currency" or next(
                line for line in part.splitlines() if line.startswith(f"| `{key}` |")
            )
            assert key == "currency" or isinstance(value, dict | list) or f" {value} " in row, (name, key)
            assert preset.sources.get(key, "") in part
            assert preset.unverified.get(key, "") in part


def test_keys_beside_a_preset_override_it(load):
    tariff = load("tariff: {preset: nsw-2025, supply_per_kwh: 0.3, export: {free_kwh: 100.0}}").tariff
    assert (tariff.supply_per_kwh, tariff.network_per_kwh, tariff.currency) == (0.3, 0.0515, "AUD")
    assert (tariff.export.free_kwh, tariff.export.charge_per_kwh) == (100.0, 0.0123)
    other = load("tariff: {preset: nsw-2025, export: {scheme: net_billing}}").tariff
    assert other.export.charge_per_kwh == 0.0


def test_a_preset_can_be_set_from_outside(load):
    scenario = load("seed: 3", overrides=["tariff.preset=gb-2026-cap", "tariff.vat=0.2"])
    assert (scenario.tariff.currency, scenario.tariff.vat) == ("GBP", 0.2)


def test_without_a_preset_nothing_has_changed(load):
    assert load("tariff: {vat: 0.2}").tariff == Tariff(vat=0.2)
    assert Tariff(preset="de-2025").model_dump(exclude={"preset", "sharing"}) == Tariff().model_dump(
        exclude={"preset", "sharing"}
    )


MISTAKES = [
    ("preset: de-2026",
     "1:18: tariff.preset: unknown preset; got 'de-2026'; expected one of at-2026-local", "did you mean 'de-2025'?"),
    ("preset: 3", "tariff.preset: wrong type; got 3", ""),
    ("preset: th-2026-tou, supply_tiers: [{above_kwh: 100, price_per_kwh: 3.0}]",
     "tariff.supply_tiers: supply has two forms, `periods` and `supply_tiers`", "keep one of them"),
    ("supply_tiers: [{above_kwh: 100, price_per_kwh: 0.2}, {above_kwh: 100, price_per_kwh: 0.3}]",
     "tariff.supply_tiers[1].above_kwh: tiers overlap or are out of order; got 100; expected above 100", ""),
    ("network_tiers: [{above_kwh: 400, price_per_kwh: 0.2}, {above_kwh: 150, price_per_kwh: 0.3}]",
     "tariff.network_tiers[1].above_kwh: tiers overlap or are out of order; got 150; expected above 400", ""),
    ("levies_tiers: [{above_kwh: 0, price_per_kwh: 0.2}]", "tariff.levies_tiers[0].above_kwh: out of range; got 0", ""),
    ("network_per_kwh: -0.1", "tariff.network_per_kwh: out of range; got -0.1", ""),
    ("capacity_charge: -1", "tariff.capacity_charge: out of range; got -1", ""),
    ("vat_levies: 19", "tariff.vat_levies: out of range; got 19", ""),
    ("periods: [{from_hour: 1, to_hour: 2}]", "tariff.periods[0]: a period without a price", ""),
    ("periods: [{from_hour: 1, to_hour: 2, months: [0], supply_per_kwh: 0.1}]",
     "tariff.periods[0].months[0]: out of range; got 0", ""),
    ("export: {scheme: net_meterin}", "tariff.export.scheme: not one of the choices", "did you mean 'net_metering'?"),
    ("export: {scheme: avoided_cost}", "tariff.series: avoided cost needs a series of prices", ""),
    ("export: {charge_per_kwh: 0.01}", "tariff.export.scheme: a charge on surplus belongs to two_way", ""),
    ("export: {scheme: net_metering}, periods: [{from_hour: 1, to_hour: 2, feed_in_per_kwh: 0.1}]",
     "tariff.export.scheme: net metering credits the retail price", ""),
    ("export: {settlement_periods: 0}", "tariff.export.settlement_periods: out of range; got 0", ""),
    ("export: {excess_paid: 1.5}", "tariff.export.excess_paid: out of range; got 1.5", ""),
    ("sharing: {network_discount: 0.5}", "tariff.sharing.locality: no two homes are near enough for this rule", ""),
    ("sharing: {locality: radius}", "tariff.sharing.radius_km: radius_km belongs to `locality: radius`", ""),
    ("sharing: {locality: transformer, network_discount: 57}",
     "tariff.sharing.network_discount: out of range; got 57", ""),
    ("series: {path: nowhere.csv, supply: p}", "tariff.series.path: no such file; got 'nowhere.csv'", ""),
    ("series: {path: s.yaml}", "tariff.series: a series without a column", ""),
    ("series: {path: s.yaml, suply: p}", "tariff.series.suply: unknown key", "did you mean 'supply'?"),
    ("billing_period: quarter", "tariff.billing_period: not one of the choices; got 'quarter'", ""),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "message", "hint"), MISTAKES)
def test_a_mistake_is_told_at_its_line(load, keys, message, hint):
    with pytest.raises(ScenarioError) as caught:
        load(f"tariff: {{{keys}}}")
    (line,) = [line for line in str(caught.value).splitlines() if "s.yaml" in line]
    assert "s.yaml:1:" in line
    assert message in line
    assert hint in line


def test_all_mistakes_come_at_once(load):
    with pytest.raises(ScenarioError) as caught:
        load("tariff:\n  preset: de-2026\n  vat: 19\n  export: {scheme: x}\n")
    assert [line.split(":")[1] for line in str(caught.value).splitlines() if "s.yaml:" in line] == [
        "2",
        "3",
        "4",
    ]
