import numpy as np
import pytest

from sunshare_sim.errors import InputError
from sunshare_sim.feeder.charges import price_substations, zone_charges
from sunshare_sim.feeder.graph import build_feeder

TWO_TRANSFORMERS = np.array([0, 0, 1])
PRICES = {"within_zone_per_kwh": 0.01, "between_zones_per_kwh": 0.02, "beyond_per_kwh": 0.05}


def test_none_and_flat():
    assert zone_charges("none", TWO_TRANSFORMERS, tick=0.0001, **PRICES).tolist() == [[0] * 3] * 3
    assert zone_charges("flat", TWO_TRANSFORMERS, tick=0.0001, **PRICES).tolist() == [[200] * 3] * 3


def test_zonal_by_distance():
    charges = zone_charges("zonal", TWO_TRANSFORMERS, tick=0.0001, **PRICES)
    assert charges.tolist() == [[100, 200, 500], [200, 100, 500], [500, 500, 100]]
    assert charges.dtype == np.int64


def test_beyond_is_forbidden_unless_priced():
    charges = zone_charges("zonal", TWO_TRANSFORMERS, tick=0.0001, between_zones_per_kwh=0.02)
    assert charges.tolist() == [[0, 200, -1], [200, 0, -1], [-1, -1, 0]]


def test_islands_trade_within_only():
    charges = zone_charges("islands", TWO_TRANSFORMERS, tick=0.0001, **PRICES)
    assert charges.tolist() == [[100, -1, -1], [-1, 100, -1], [-1, -1, 100]]


def test_a_negative_price_forbids():
    charges = zone_charges("zonal", np.array([0, 0]), tick=0.0001, between_zones_per_kwh=-1.0)
    assert charges.tolist() == [[0, -1], [-1, 0]]


def test_two_zones_of_several_transformers_are_beyond_each_other():
    charges = zone_charges("zonal", np.array([-1, -1]), tick=0.0001, **PRICES)
    assert charges.tolist() == [[100, 500], [500, 100]]


@pytest.mark.parametrize(("price", "ticks"), [(0.07, 700), (0.07001, 701), (0.0, 0), (1e-6, 1)])
def test_never_below_the_asked_price(price, ticks):
    assert zone_charges("flat", np.array([0]), tick=0.0001, between_zones_per_kwh=price).item() == ticks


def test_unknown_rule_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'zonal'"):
        zone_charges("zonl", np.array([0]), tick=0.0001)


def test_two_transformers_of_one_substation_have_a_charge_of_their_own():
    buses = {"bus": ["hv", "mv", "a", "b"], "vn_kv": [110.0, 20.0, 0.4, 0.4]}
    lines = {"from_bus": [], "to_bus": [], "r_ohm": [], "x_ohm": [], "rating_a": []}
    stations = {"lv_bus": ["mv", "a", "b"], "hv_bus": ["hv", "mv", "mv"], "sn_kva": [25_000.0, 400.0, 400.0]}
    feeder = build_feeder(buses, lines, stations, zones="transformer", copies=2)
    prices = {"within_zone_per_kwh": 0.01, "between_zones_per_kwh": 0.02, "beyond_per_kwh": 0.08}
    plain = zone_charges("zonal", feeder.transformer_of_zone, tick=0.01, **prices)
    charges = price_substations(plain, feeder, 0.04, 0.01)
    village_a, village_b, other = 1, 2, 4
    assert charges[village_a, village_b] == 4
    assert charges[village_a, other] == 8
    assert charges[village_a, village_a] == 1
    assert plain[village_a, village_b] == 8
