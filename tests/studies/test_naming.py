"""Names of variants: to be read, and safe on every disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunshare_sim.studies.naming import LONGEST, combination_name, made_unique, short_keys, value_text


def test_keys_are_cut_to_what_tells_them_apart():
    keys = ["market.tick", "households.groups[0].ev.share", "households.groups[1].ev.share"]
    assert list(short_keys(keys).values()) == ["tick", "groups[0].ev.share", "groups[1].ev.share"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (False, "false"), (1, "1"), (1e-7, "1e-07"), ("a/b:c", "a-b-c"), ("../..", "none")],
)
def test_values_as_names(value, text):
    assert value_text(value) == text


@given(st.lists(st.one_of(st.text(), st.floats(), st.integers(), st.booleans()), min_size=1, max_size=20))
def test_names_are_unique_in_any_case_and_safe(values):
    names = made_unique([combination_name({"a.b": value}, {"a.b": "b"}) for value in values], ["base"])
    assert len({name.casefold() for name in names}) == len(values)
    for name in names:
        assert len(name) <= LONGEST + 4
        assert not set(name) & set('/\\:*?"<>| \0')
        assert name[0] == "b"
        assert name[-1] not in ". "
