"""What both registries of plug-ins share: one class a name, what is found where, and the nearest name."""

import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from sunshare_sim.errors import InputError, ResultError
from sunshare_sim.registry import enter, gather, require_known


def a_class(qualname, module="cell", **attributes):
    return type(qualname, (), {"__module__": module, **attributes})


def add(registry, name, cls):
    enter(registry, name, cls, where=f"plug({name!r})", error=InputError)


def test_a_name_belongs_to_one_class_and_the_first_keeps_it():
    first, registry = a_class("First"), {}
    add(registry, "one", first)
    says = (
        r"^plug\('one'\): name already taken; got 'Second'; expected a name other than that of cell\.First$"
    )
    with pytest.raises(InputError, match=says):
        add(registry, "one", a_class("Second"))
    with pytest.raises(InputError, match="name already taken"):
        add(registry, "one", a_class("First", module="elsewhere"))
    assert registry == {"one": first}


def test_a_class_may_have_two_names_and_be_entered_twice():
    cls, registry = a_class("First"), {}
    for name in ("one", "one", "two"):
        add(registry, name, cls)
    assert registry == {"one": cls, "two": cls}


def test_a_class_defined_again_in_a_notebook_cell_replaces_the_older():
    registry = {}
    for answer in (1, 2):
        add(registry, "one", a_class("Cell", answer=answer))
    assert registry["one"].answer == 2


def test_what_is_no_class_is_not_entered():
    registry = {}
    with pytest.raises(AttributeError):
        add(registry, "one", 3)
    assert registry == {}


@pytest.fixture
def owner(monkeypatch, tmp_path):
    """Make a registry, and the module `own_plug` on disk that enters its class there when imported."""
    owner = SimpleNamespace(registry={"zebra": a_class("Zebra")})
    monkeypatch.setitem(sys.modules, "owner_of_plugs", owner)
    monkeypatch.syspath_prepend(tmp_path)
    lines = ("from owner_of_plugs import registry", "class Own: pass", "registry['own'] = Own")
    (tmp_path / "own_plug.py").write_text("\n".join(lines))
    yield owner
    del sys.modules["own_plug"]


def test_built_in_modules_and_entry_points_are_listed_in_alphabetical_order(owner):
    theirs = a_class("Theirs")
    entries = [EntryPoint(name, "pkg:Theirs", "plugs") for name in ("theirs", "ape")]
    found = gather(owner.registry, ["own_plug"], entries, lambda entry: theirs)
    assert list(found) == ["ape", "own", "theirs", "zebra"]
    assert found == owner.registry
    assert found["ape"] is theirs
    found.clear()
    assert len(owner.registry) == 4, "the owner's dict is not handed out"


def test_a_built_in_class_goes_before_an_entry_point_of_its_name(owner):
    entries = [EntryPoint("own", "pkg:Theirs", "plugs")]
    assert gather(owner.registry, ["own_plug"], entries, pytest.fail)["own"].__name__ == "Own"


def test_an_entry_point_is_loaded_only_while_its_name_is_unknown():
    own, theirs, loaded = a_class("Own"), a_class("Theirs"), []

    def load(entry):
        loaded.append(entry.name)
        return theirs

    registry = {"own": own}
    entries = [EntryPoint(name, "pkg:Theirs", "plugs") for name in ("own", "theirs")]
    for _ in range(2):
        assert gather(registry, (), entries, load) == {"own": own, "theirs": theirs}
    assert loaded == ["theirs"]


def test_an_entry_point_that_fails_to_load_is_not_entered_and_is_tried_again():
    cls, registry, tries = a_class("Late"), {}, []

    def load(entry):
        tries.append(entry.name)
        if len(tries) == 1:
            raise ResultError(f"entry point {entry.name} cannot be loaded")
        return cls

    entries = [EntryPoint("late", "pkg:Late", "plugs")]
    with pytest.raises(ResultError, match="entry point late cannot be loaded"):
        gather(registry, (), entries, load)
    assert registry == {}
    assert gather(registry, (), entries, load) == {"late": cls}


@pytest.mark.parametrize(
    ("name", "valid", "rest"),
    [
        ("zic", ["basic", "zi_c"], "got 'zic'; expected one of basic, zi_c; did you mean 'zi_c'?"),
        ("xyz", {"basic": 1}, "got 'xyz'; expected one of basic"),
        ("zic", [], "got 'zic'; expected one of none at all"),
    ],
)
def test_an_unknown_name_is_told_the_valid_ones_and_the_nearest(name, valid, rest):
    with pytest.raises(ResultError) as caught:
        require_known(name, valid, what="plug", where="some.place", error=ResultError)
    assert str(caught.value) == f"some.place: unknown plug; {rest}"


def test_a_known_name_passes():
    require_known("zi_c", ["basic", "zi_c"], what="plug", where="some.place", error=ResultError)
