"""Study files in, plans out: what varies, what does not, and every mistake before anything runs."""

import itertools

import pytest

from sunshare_sim.errors import ScenarioError
from sunshare_sim.studies.plan import is_study, make_plan


def refused(file, **options):
    with pytest.raises(ScenarioError) as caught:
        make_plan(file, **options)
    return str(caught.value)


def test_a_variant_is_the_base_but_for_what_it_says(write):
    plan = make_plan(write())
    base, none, dear = (variant.scenario for variant in plan.variants)
    assert [variant.name for variant in plan.variants] == ["base", "none", "dear"]
    assert none.market.mechanism == "none"
    assert none.model_copy(update={"market": base.market}) == base
    assert dear.network.charges.within_zone_per_kwh == 0.05
    assert dear.model_copy(update={"network": base.network}) == base
    assert plan.seeds == (1, 2, 3)


def test_all_combinations_of_a_grid_with_names_to_read(write):
    plan = make_plan(write("base: tiny.yaml\ngrid: {market.tick: [0.01, 0.1], tariff.vat: [0.1, 0.3]}\n"))
    names = [variant.name for variant in plan.variants]
    assert names == ["base", "tick=0.01,vat=0.1", "tick=0.01,vat=0.3", "tick=0.1,vat=0.1", "tick=0.1,vat=0.3"]
    assert dict(plan.variants[3].changes) == {"market.tick": 0.1, "tariff.vat": 0.1}


def test_the_point_of_a_grid_that_is_the_base_is_not_run_twice(write):
    plan = make_plan(write("base: tiny.yaml\ngrid: {market.mechanism: [cda, none]}\n"))
    assert [variant.name for variant in plan.variants] == ["base", "mechanism=none"]
    assert plan.notes == ("points of the grid that are not run twice: mechanism=cda is the base",)


@pytest.mark.parametrize("method", ["latin_hypercube", "sobol", "halton"])
def test_a_sample_fills_its_space_and_is_the_same_every_time(write, method):
    text = (
        f"base: tiny.yaml\nsample: {{method: {method}, n: 64, keys: "
        "{tariff.vat: {min: 0.05, max: 0.15}, market.mechanism: [cda, none]}}\n"
    )
    plan, again = make_plan(write(text)), make_plan(write(text))
    values = sorted(variant.changes["tariff.vat"] for variant in plan.variants[1:])
    assert len(values) == 64
    assert 0.05 <= values[0] < 0.055
    assert 0.145 < values[-1] <= 0.15
    assert max(b - a for a, b in itertools.pairwise(values)) < 0.01  # even draws alone would leave gaps
    kinds = [variant.changes["market.mechanism"] for variant in plan.variants[1:]]
    assert 24 <= kinds.count("cda") <= 40
    assert [v.changes for v in plan.variants] == [v.changes for v in again.variants]


def test_whole_bounds_give_whole_numbers_both_included(write):
    text = "base: tiny.yaml\nsample: {n: 40, keys: {time.slots: {min: 1, max: 3}, tariff.vat: {min: 0, max: 0.5}}}"
    found = [variant.changes["time.slots"] for variant in make_plan(write(text)).variants[1:]]
    assert set(found) == {1, 2, 3}
    assert all(type(value) is int for value in found)


def test_a_base_may_stand_in_the_file_and_extend_another(write):
    text = "base: {extends: tiny.yaml, tariff: {vat: 0.1}}\nvariants: {a: {set: {tariff.vat: 0.2}}}\n"
    base, variant = make_plan(write(text)).variants
    assert (base.scenario.tariff.vat, variant.scenario.tariff.vat) == (0.1, 0.2)
    assert base.scenario.tariff.feed_in_per_kwh == 0.08


def test_a_study_from_python():
    plan = make_plan({"base": {}, "grid": {"tariff.vat": [0.1]}, "seeds": [7, 9]})
    assert [variant.name for variant in plan.variants] == ["base", "vat=0.1"]
    assert plan.seeds == (7, 9)


def test_the_quick_form(write):
    text = "base: tiny.yaml\nvariants: {a: {set: {tariff.vat: 0.4}}}\nreplications: 50\n"
    text += "until: {kpi: total_bill, half_width: 0.1}\nquick: {set: {time.slots: 2}, replications: 2}\n"
    quick, whole = make_plan(write(text), quick=True), make_plan(write(text))
    assert [variant.scenario.time.slots for variant in quick.variants] == [2, 2]
    assert quick.seeds == (1, 2)
    assert quick.file.until is None
    assert whole.seeds == tuple(range(1, 51))
    assert quick.hash != whole.hash


def test_the_hash_is_of_what_is_run(write):
    one = make_plan(write()).hash
    assert make_plan(write(name="other.yaml")).hash == one
    more = "name: tiny-study\nbase: tiny.yaml\nreplications: 9\nvariants:\n"
    variants = (
        "  none: {set: {market.mechanism: none}}\n  dear: {set: {network.charges.within_zone_per_kwh: %s}}\n"
    )
    assert make_plan(write(more + variants % 0.05)).hash == one
    assert make_plan(write(more + variants % 0.06)).hash != one
    assert make_plan(write(), overrides=["tariff.vat=0.1"]).hash != one


BAD = [
    ("variants: {a: {set: {market.mechansim: none}}}", "2:22: market.mechansim: unknown key"),
    ("variants: {a: {set: {market.mechanism: nne}}}", "2:40: market.mechanism: unknown mechanism; got 'nne'"),
    ("variants: {a: {set: {tariff.vat: 20 %}}}", "2:34: tariff.vat: wrong type; got '20 %'"),
    ("variants: {a: {set: {tariff.vat: 20}}}", "2:34: tariff.vat: out of range; got 20"),
    (
        'variants: {a: {set: {"households.groups[0].battery.capacity_kwh": 10 MWh}}}',
        "2:67: households.groups[0].battery.capacity_kwh: wrong type; got '10 MWh'; expected a number in kWh",
    ),
    ('variants: {a: {set: {"households.groups[7].count": 3}}}', "no such item; expected [0] to [1]"),
    ("variants: {a: {set: {market: 3}}}", "2:30: market: wrong type; got 3"),
    ("variants: {a: {set: {market.mechanism: cda}}}", "variants.a: changes nothing of the base"),
    ("variants: {a: {set: {name: other}}}", "changes nothing of the base"),
    ("variants: {a: {set: {seed: 3}}}", "2:22: seed: a variant does not change the seed"),
    ("variants: {a: {set: {}}}", "2:21: variants.a.set: too few items"),
    ("variants: {a: {sett: {tariff.vat: 0}}}", "did you mean 'set'?"),
    ("variants: {Base: {set: {tariff.vat: 0}}}", "the base has this name already"),
    ("variants: {a b: {set: {tariff.vat: 0}}}", "not a name for a variant"),
    ("variants: {../a: {set: {tariff.vat: 0}}}", "not a name for a variant"),
    ("variants: {a: {set: {tariff.vat: 0}}, A: {set: {tariff.vat: 0.1}}}", "in capitals only"),
    ("variants: {a: {set: {tariff.vat: 0}}, b: {set: {tariff.vat: 0}}}", "the same as variant 'a'"),
    ("variants: {a: {set: {tariff vat: 0}}}", "2:22: not a scenario key; got 'tariff vat'"),
    ("grid: {}", "2:7: grid: the grid is empty"),
    ("grid: {tariff.vat: []}", "the grid has no value for tariff.vat"),
    ("grid: {market.mechanism: [cda]}", "2:1: grid: changes nothing of the base"),
    ("grid: {tariff.vat: [0.1, 9]}", "2:26: tariff.vat: out of range; got 9"),
    ("grid: {tarif.vat: [0.1]}", "2:8: tarif: unknown key; got 'tarif'"),
    ("sample: {n: 3, keys: {tariff.vat: {min: 0.3, max: 0.1}}}", "min is not below max"),
    ("sample: {n: 3, method: sobol, keys: {tariff.vat: {min: 0, max: 1}}}", "expected 2 or 4"),
    ("sample: {n: 3, keys: {tariff.vat: {min: 0, max: 90}}}", "tariff.vat: out of range"),
    ("sample: {n: 3, keys: {}}", "sample.keys: too few items"),
    ("kpis: [total_bil]", "2:8: kpis[0]: unknown key figure; got 'total_bil'"),
    ("kpis: [total_bil]", "did you mean 'total_bill'?"),
    ("until: {kpi: nope, half_width: 1}", "until.kpi: unknown key figure"),
    ("until: {kpi: total_bill, half_width: 0}", "until.half_width: out of range"),
    ("until: {kpi: total_bill, half_width: 1}\nreplications: 3", "3:15: replications: too few replications"),
    ("until: {kpi: total_bill, half_width: 1}\nseeds: [1, 2]", "does not go with fixed `seeds`"),
    ("until: {kpi: total_bill, half_width: 1, max_replications: 7}", "below `replications`"),
    ("seeds: [1, 1]", "2:12: seeds[1]: the same seed twice"),
    ("seeds: [-1]", "seeds[0]: out of range"),
    ("seeds: []", "there are no seeds"),
    ("seeds: [1]\nreplications: 2", "`seeds` or `replications`, not both"),
    ("confidence: 95", "confidence: out of range; got 95"),
    ("replication: 3", "did you mean 'replications'?"),
    ("modules: [no_such_module]", "2:10: modules: cannot be imported"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_a_mistake_is_found_before_any_run_at_its_line(write, line, message):
    assert message in refused(write(f"base: tiny.yaml\n{line}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: nope.yaml", "study.yaml:1:7: base: no such file; got 'nope.yaml'"),
        ("base: [1]", "base: wrong type"),
        ("question: a", "base: missing key"),
        ("base: {time: {slots: 0}}", "study.yaml:1:22: time.slots: out of range; got 0"),
        ("", "the file is empty"),
    ],
)
def test_a_study_without_a_sound_base(write, text, message):
    assert message in refused(write(text))


def test_all_mistakes_come_at_once(write):
    text = "base: tiny.yaml\nvariants: {a: {set: {tariff.vat: 9}}, b: {set: {nope: 1}}}\nkpis: [x]\n"
    assert refused(write(text)).count("\n") == 2


def test_a_mistake_that_shows_in_the_base_file_names_the_variant(write):
    text = 'base: tiny.yaml\nvariants: {a: {set: {"households.groups[0].name": ben}}}\n'
    message = refused(write(text))
    assert (
        "tiny.yaml:18:13: households.groups[1].name: two groups have the same name (in variant 'a')"
        in message
    )


def test_a_study_is_known_by_its_base(write):
    file = write()
    assert is_study(file)
    assert not is_study(file.parent / "tiny.yaml")
