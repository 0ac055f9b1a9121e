import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import InputError
from sunshare_sim.inputs import grids
from sunshare_sim.inputs.grids import PANDAPOWER_GRIDS, SIMBENCH_CODES, from_pandapower, load_grid


@pytest.fixture(scope="module")
def pp():
    import pandapower

    return pandapower


@pytest.fixture
def net(pp):
    """A transformer, a busbar in two parts, two lines and a house: every special case of the conversion once."""
    net = pp.create_empty_network()
    for name, kv, kind in (
        ("mv", 10, "b"),
        ("bar", 0.4, "b"),
        ("bar'", 0.4, "n"),
        ("a", 0.4, "n"),
        ("b", 0.4, "n"),
    ):
        pp.create_bus(net, kv, name=name, type=kind)
    pp.create_ext_grid(net, 0)
    pp.create_transformer_from_parameters(net, 0, 1, 0.25, 10, 0.4, 1.5, 4.0, 0, 0, parallel=2, name="T")
    pp.create_switch(net, 1, 2, et="b", closed=True)
    for start, end, n in ((2, 3, 2), (3, 4, 1), (2, 4, 1)):
        pp.create_line_from_parameters(net, start, end, 0.2, 0.5, 0.1, 0, 0.2, parallel=n)
    pp.create_switch(net, 2, 2, et="l", closed=False)  # opens the ring
    pp.create_line_from_parameters(
        net, 1, 2, 0.01, 0.5, 0.1, 0, 0.2
    )  # bridged by the switch between its ends
    pp.create_load(net, 4, 0.003, scaling=0.5, name="home")
    pp.create_load(net, 3, 0.009, in_service=False)
    pp.create_asymmetric_load(net, 3, p_a_mw=0.001, p_b_mw=0.0, p_c_mw=0.002, name="two phases")
    return net


def test_conversion(net):
    tables = from_pandapower(net)
    assert tables["buses"]["name"].tolist() == ["mv", "bar", "a", "b"], (
        "closed switches fuse, the busbar gives the name"
    )
    assert tables["buses"]["x"].isna().all()
    lines = tables["lines"].set_index("name")
    assert list(zip(lines.from_bus, lines.to_bus, strict=True)) == [(1, 2), (2, 3)], "the open line is gone"
    assert lines.r_ohm.tolist() == pytest.approx([0.05, 0.1]), (
        "two lines in parallel have half the resistance"
    )
    assert lines.x_ohm.tolist() == pytest.approx([0.01, 0.02])
    assert lines.rating_a.tolist() == pytest.approx([400.0, 200.0])
    station = tables["transformers"].iloc[0]
    assert (station.hv_bus, station.lv_bus, station.sn_kva, station.vk_percent) == (0, 1, 500.0, 4.0)
    loads = tables["loads"]
    assert (loads.name.tolist(), loads.bus.tolist(), loads.p_kw.tolist()) == (
        ["home", "two phases"],
        [3, 2],
        [1.5, 3.0],
    )
    assert loads.annual_kwh.isna().all()


def test_names_that_are_missing_or_double_become_distinct(pp, net):
    net.bus.loc[3, "name"] = None
    net.bus.loc[4, "name"] = "bar"
    assert from_pandapower(net)["buses"]["name"].tolist() == ["mv", "bar", "bus 3", "bar (2)"]


def test_conversion_refuses_what_it_cannot_express(pp, net):
    pp.create_impedance(net, 3, 4, 0.1, 0.1, 1)
    with pytest.raises(InputError, match=r"1 impedances"):
        from_pandapower(net, where="n")
    net.impedance = net.impedance.iloc[:0]
    net.load.in_service = False
    net.asymmetric_load.in_service = False
    with pytest.raises(InputError, match=r"n: a grid without loads"):
        from_pandapower(net, where="n")


def test_file_round_trip(pp, net, tmp_path):
    path = tmp_path / "net.json"
    pp.to_json(net, str(path))
    told = []
    grid = load_grid("file", str(path), notice=told.append)
    assert told == ["reading the grid net.json with pandapower"]
    assert (grid.source, grid.licence) == ("file net.json", "the file's own")
    for name, table in from_pandapower(net).items():
        pd.testing.assert_frame_equal(getattr(grid, name), table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read; got 'No such file"),
        ("{", "not a JSON file.*pandapower.to_json"),
        ("[1]", "not a pandapower network"),
        (
            '{"_class": "pandapowerNet", "_object": {"bus": 3}}',
            "pandapower cannot read the file",
        ),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "net.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_grid("file", str(path))
    assert str(path) in str(caught.value)


def test_unknown_names_get_the_nearest():
    with pytest.raises(InputError, match=r"unknown source of grids; got 'simbnch'.*did you mean 'simbench'"):
        load_grid("simbnch", "x")
    with pytest.raises(InputError, match=r"did you mean '1-LV-rural3--0-sw'"):
        load_grid("simbench", "1-LV-rural3-0-sw")
    with pytest.raises(InputError, match=r"did you mean 'kerber_dorfnetz'"):
        load_grid("pandapower", "kerber_dorfnet")


def test_without_the_extra_the_remedy_is_named(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(grids, "version", absent)
    with pytest.raises(
        InputError, match=r"needs simbench, which is not installed; pip install sunshare-sim\[grids\]"
    ):
        load_grid("simbench", "1-LV-rural1--0-sw")


@pytest.mark.parametrize(
    ("code", "buses", "loads", "kva", "km"),
    [  # measured with pandapower: buses without the auxiliary ones of switches, total length
        ("1-LV-rural1--0-sw", 15, 13, 160, 0.56),
        ("1-LV-rural2--0-sw", 97, 99, 250, 1.47),
        ("1-LV-rural3--0-sw", 129, 118, 400, 2.35),
        ("1-LV-semiurb4--0-sw", 44, 41, 400, 0.75),
        ("1-LV-semiurb5--0-sw", 111, 104, 630, 1.79),
        ("1-LV-urban6--0-sw", 59, 111, 630, 1.08),
    ],
)
def test_simbench_grids(code, buses, loads, kva, km):
    grid = load_grid("simbench", code)
    assert (len(grid.buses), len(grid.lines), len(grid.loads)) == (buses, buses - 2, loads)
    assert grid.transformers.sn_kva.tolist() == [kva]
    assert grid.lines.length_km.sum() == pytest.approx(km, abs=0.01)
    assert grid.buses.name.is_unique
    assert grid.loads.bus.isin(grid.buses.bus).all()
    assert np.isfinite(grid.buses[["x", "y"]].to_numpy()).all()
    assert (grid.loads.annual_kwh > 100).all()
    assert "ODbL" in grid.licence


def test_simbench_loads_are_told_apart():
    loads = load_grid("simbench", "1-LV-rural3--2-sw").loads
    assert loads.kind.value_counts().to_dict() == {
        "household": 113,
        "heat_pump": 18,
        "ev": 17,
        "commercial": 5,
    }
    homes = loads[loads.kind == "household"]
    assert homes.annual_kwh.mean() == pytest.approx(2183, rel=0.005)  # measured with SimBench's own series
    assert set(homes.profile) == {"H0-A", "H0-B", "H0-C", "H0-G", "H0-L"}


def test_pandapower_grids():
    sizes = {
        name: (len(grid.buses), len(grid.loads))
        for name in PANDAPOWER_GRIDS
        if (grid := load_grid("pandapower", name))
    }
    assert sizes["cigre_lv"] == (41, 15)
    assert sizes["kerber_dorfnetz"] == (116, 57)
    assert sizes["kerber_vorstadtnetz_kabel_1"] == (294, 146)
    assert sizes["ieee_european_lv"] == (907, 55)
    kinds = load_grid("pandapower", "cigre_lv").loads.kind.value_counts().to_dict()
    assert kinds == {"commercial": 8, "household": 6, "industrial": 1}
    assert load_grid("pandapower", "ieee_european_lv").loads.p_kw.min() > 0, "single-phase loads are read too"


def test_names_are_those_the_packages_know(pp):
    import simbench
    from pandapower import networks

    assert set(SIMBENCH_CODES) <= set(simbench.collect_all_simbench_codes())
    assert len(SIMBENCH_CODES) == 36
    assert all(hasattr(networks, function) for function in PANDAPOWER_GRIDS.values())


def test_a_grid_is_read_once_and_then_without_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("SUNSHARE_CACHE", str(tmp_path))
    told = []
    first = load_grid("pandapower", "cigre_lv", notice=told.append)
    assert len(told) == 1
    assert "cigre_lv" in told[0]
    (path,) = tmp_path.iterdir()
    assert first.version in path.name
    assert set(json.loads(path.read_text())) == {"buses", "lines", "transformers", "loads"}
    code = (
        "import sys; from sunshare_sim.inputs.grids import load_grid; grid = load_grid('pandapower', 'cigre_lv');"
        "assert not {'pandapower', 'simbench'} & set(sys.modules); print(grid.lines.r_ohm.sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert float(done.stdout) == first.lines.r_ohm.sum()
