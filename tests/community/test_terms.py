"""What a community makes of a tariff: terms only where they are needed, and which zones are near."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from sunshare_sim.community.terms import build_terms, local_zones, sharing_charges
from sunshare_sim.feeder.graph import build_feeder
from sunshare_sim.ledger.terms import spread
from sunshare_sim.scenario.tariff import Sharing, Tariff
from sunshare_sim.timegrid import TimeGrid

JUNE = TimeGrid.of_days(date(2025, 6, 1), 30, 60, "Europe/Berlin")


@pytest.fixture(scope="module")
def feeder():
    """One transformer with two streets of 0.3 and 0.5 km, and a copy of it all."""
    buses = {"bus": ["s", "a", "b", "c"], "vn_kv": [0.4] * 4}
    lines = {
        "from_bus": ["s", "a", "s"],
        "to_bus": ["a", "b", "c"],
        "r_ohm": [0.1] * 3,
        "x_ohm": [0.1] * 3,
        "length_km": [0.1, 0.2, 0.5],
        "rating_a": [100.0] * 3,
    }
    transformers = {"lv_bus": ["s"], "sn_kva": [100.0]}
    return build_feeder(buses, lines, transformers, copies=2)


def homes(feeder, *names):
    bus = np.array([feeder.bus_names.index(name) for name in names])
    return SimpleNamespace(bus=bus, zone=feeder.zone_of_bus[bus])


@pytest.mark.parametrize(
    "tariff",
    [
        {},
        {"preset": "de-2025"},
        {"preset": "gb-2026-cap"},
        {"preset": "th-2026-tou"},  # credits that are paid out are money
        {"standing_per_month": 5.0},
        {"export": {"scheme": "net_metering"}},
        {"periods": [{"from_hour": 1.0, "to_hour": 2.0, "supply_per_kwh": 0.1, "feed_in_per_kwh": 0.2}]},
    ],
)
def test_prices_by_slot_say_it_all(feeder, tariff):
    assert build_terms(Tariff.model_validate(tariff), JUNE, feeder, homes(feeder, "a")) is None


def test_terms_hold_what_the_tariff_says(feeder):
    tariff = Tariff.model_validate(
        {
            "preset": "nsw-2025",
            "supply_tiers": [
                {"above_kwh": 100.0, "price_per_kwh": 0.3},
                {"above_kwh": 200.0, "price_per_kwh": 0.2},
            ],
            "capacity_charge": 2.0,
            "network_fixed_per_month": 3.0,
            "vat_levies": 0.0,
            "sharing": {"locality": "transformer", "premium_per_kwh": 0.11},
        }
    )
    terms = build_terms(tariff, JUNE, feeder, homes(feeder, "a", "c", "a#2"))
    assert terms.periods == ((720, 720),)
    assert np.flatnonzero(spread(terms.network, 720) == 292_500)[:7].tolist() == [15, 16, 17, 18, 19, 20, 39]
    assert terms.levies == ((720, 0),)
    assert terms.vat_ppm == (100_000, 100_000, 0)
    assert terms.tiers == ((0, 100_000_000, 57_200), (0, 200_000_000, -100_000))
    assert (terms.capacity_micro, terms.network_fixed_micro) == (2_000_000, 3_000_000)
    assert (terms.export_charge_micro, terms.export_free_micro) == (12_300, 200_000_000)
    assert np.flatnonzero(spread(terms.export_window, 720))[:6].tolist() == [10, 11, 12, 13, 14, 34]
    assert terms.credit_against == ""
    assert terms.premium_micro == 110_000
    assert (len(terms.zones), len(terms.near)) == (3, len(feeder.zone_names))


def near(feeder, sharing, *names):
    """Return between which of some buses energy counts as shared."""
    place = homes(feeder, *names)
    return (
        local_zones(Sharing(**sharing), feeder, place.bus)[np.ix_(place.zone, place.zone)]
        .astype(int)
        .tolist()
    )


def test_nearness_on_the_graph(feeder):
    everywhere = ("b", "c", "b#2")
    assert near(feeder, {}, *everywhere) == [[0, 0, 0]] * 3
    assert near(feeder, {"locality": "substation"}, *everywhere) == [[1, 1, 1]] * 3
    assert near(feeder, {"locality": "transformer"}, *everywhere) == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    # From b to c are 0.2 + 0.1 + 0.5 km, from a to c 0.6; how far the copy is nobody knows.
    assert near(feeder, {"locality": "radius", "radius_km": 0.81}, *everywhere) == [
        [1, 1, 0],
        [1, 1, 0],
        [0, 0, 1],
    ]
    assert (
        near(feeder, {"locality": "radius", "radius_km": 0.79}, *everywhere) == np.eye(3, dtype=int).tolist()
    )
    # A zone is as far away as its farthest home.
    assert near(feeder, {"locality": "radius", "radius_km": 0.7}, "a", "c") == [[1, 1], [1, 1]]
    assert near(feeder, {"locality": "radius", "radius_km": 0.7}, "a", "c", "b")[0][1] == 0
    assert near(feeder, {"locality": "radius", "radius_km": 0.15}, "a", "b") == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("preset", "shared", "beyond"),
    [
        ("at-2026-local", 0.0698 * 0.43, 0.0698 + 0.015),
        ("at-2026-regional", 0.0698 * 0.72, 0.0698 * 0.72),
        ("de-2025", 0.1095 + 0.0638, 0.1095 + 0.0638),
        ("es-collective", 0.0, 0.003 + 0.007),
    ],
)
def test_what_the_law_leaves_of_network_charge_and_levies(feeder, preset, shared, beyond):
    """In ticks of a thousandth, rounded up; between two transformers a local community gets nothing."""
    tariff = Tariff.model_validate({"preset": preset, "periods": []})
    place = homes(feeder, "b", "c", "b#2")
    between = local_zones(tariff.sharing, feeder, place.bus)
    charges = sharing_charges(tariff, between, tick=0.001)
    rows = charges[np.ix_(place.zone, place.zone)]
    assert (rows[0, 1], rows[0, 2]) == (np.ceil(round(shared * 1000, 9)), np.ceil(round(beyond * 1000, 9)))
