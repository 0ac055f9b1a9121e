"""A study of a second: three homes, four slots, quotes that are drawn, so that seeds matter."""

import json

import pytest

BASE = """\
name: tiny
seed: 1
time: {start: 2025-06-02, slots: 4, slot_minutes: 60}
feeder:
  source: inline
  lines:
    - {from_bus: substation, to_bus: north, r_ohm: 0.05, x_ohm: 0.02}
    - {from_bus: substation, to_bus: south, r_ohm: 0.08, x_ohm: 0.03}
households:
  groups:
    - name: anna
      count: 1
      buses: [north]
      demand: {source: values, kwh: [0.5, 0.5, 0.5, 0.5]}
      solar: {source: values, kwp: 5.0, kwh: [0.0, 2.0, 3.0, 0.0]}
      battery: {capacity_kwh: 1.0, power_kw: 1.0}
      strategy: {name: zi_c}
    - name: ben
      count: 2
      buses: [north, south]
      demand: {source: values, kwh: [1.0, 0.4, 1.0, 1.0]}
      strategy: {name: zi_c}
tariff: {feed_in_per_kwh: 0.08}
network: {charges: {rule: zonal, within_zone_per_kwh: 0.01, between_zones_per_kwh: 0.03}}
"""
STUDY = """\
name: tiny-study
question: What does it cost to trade?
base: tiny.yaml
variants:
  none: {description: no local market, set: {market.mechanism: none}}
  dear: {set: {network.charges.within_zone_per_kwh: 0.05}}
replications: 3
kpis: [total_bill, traded_kwh]
"""


@pytest.fixture
def write(tmp_path):
    """Write the tiny base and a study beside it; return the study's path."""

    def _write(text=STUDY, name="study.yaml"):
        (tmp_path / "tiny.yaml").write_text(BASE, encoding="utf-8")
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return _write


@pytest.fixture
def content():
    """Return every file of a study's folder with its bytes, but for what tells of time and machine."""

    def _content(folder):
        found = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in {"environment.json", ".lock"}:
                found[name] = path.read_bytes()
                if path.name == "manifest.json":
                    manifest = json.loads(found[name])
                    del manifest["environment"]
                    found[name] = json.dumps(manifest)
        return found

    return _content
