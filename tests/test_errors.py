import pytest

from sunshare_sim import errors
from sunshare_sim.errors import SunShareError, describe, did_you_mean


def test_every_error_derives_from_one_base():
    found = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)]
    assert len(found) >= 8
    assert all(issubclass(cls, SunShareError) or issubclass(cls, Warning) for cls in found)


def test_a_message_says_where_what_got_expected_and_hint():
    text = describe("not a price", where="a.yaml:3", got=-1, expected="0 to 1", hint="did you mean 1?")
    assert text == "a.yaml:3: not a price; got -1; expected 0 to 1; did you mean 1?"
    assert describe("broken") == "broken"


@pytest.mark.parametrize(("name", "hint"), [("solr", "did you mean 'solar'?"), ("zzz", "")])
def test_the_nearest_name_is_suggested_only_when_near(name, hint):
    assert did_you_mean(name, ["solar", "battery"]) == hint
