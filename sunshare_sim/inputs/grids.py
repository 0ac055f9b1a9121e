"""Real low-voltage grids as plain tables: SimBench, the feeders that come with pandapower, and pandapower files.

The packages that bring the grids take seconds to import and are needed once: the tables are kept in the user's cache
under the package's version. Their data stay on the user's machine; see docs/data.md for licences.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.inputs.cache import Notice, cached_tables

if TYPE_CHECKING:
    import pandas as pd

FORM: Final = 2  # raise it when the tables made here change, so that cached ones are made anew
HOURS_OF_YEAR: Final = 8760
EXTRA_HINT: Final = "pip install sunshare-sim[grids]"
SOURCES: Final = ("simbench", "pandapower", "file")

LICENCES: Final = {
    "simbench": "SimBench: database ODbL 1.0, contents DbCL 1.0 (Meinecke et al. 2020, doi:10.3390/en13123290)",
    "pandapower": "pandapower: BSD-3-Clause (Thurner et al. 2018, doi:10.1109/TPWRS.2018.2829021)",
    "file": "the file's own",
}

_KERBER: Final = tuple(f"kerber_landnetz_{kind}_{n}" for kind in ("freileitung", "kabel") for n in (1, 2))
_KERBER_TOWN: Final = ("kerber_dorfnetz", "kerber_vorstadtnetz_kabel_1", "kerber_vorstadtnetz_kabel_2")
PANDAPOWER_GRIDS: Final[Mapping[str, str]] = {
    "cigre_lv": "create_cigre_network_lv",
    **{name: f"create_{name}" for name in (*_KERBER, *_KERBER_TOWN)},
    "ieee_european_lv": "ieee_european_lv_asymmetric",
    "synthetic_voltage_control_lv": "create_synthetic_voltage_control_lv_network",
}
"""Names a scenario may use, and the pandapower function behind each; lv_schutterwald is left out, it has a loop."""

SIMBENCH_CODE: Final = re.compile(r"1-LV-(rural[123]|semiurb[45]|urban6)--[012]-(sw|no_sw)")
SIMBENCH_CODES: Final = tuple(
    f"1-LV-{grid}--{scenario}-{switches}"
    for grid in ("rural1", "rural2", "rural3", "semiurb4", "semiurb5", "urban6")
    for scenario in (0, 1, 2)
    for switches in ("sw", "no_sw")
)


@dataclass(frozen=True)
class GridTables:
    """Hold a grid as tables; `bus` columns hold row numbers of `buses`.

    Attributes
    ----------
    buses : DataFrame
        `bus`, `name` (they differ), `vn_kv`, `x`, `y` (NaN if unknown).
    lines : DataFrame
        `name`, `from_bus`, `to_bus`, `r_ohm`, `x_ohm`, `length_km`, `rating_a` of lines in service, and `r0_ohm`,
        `x0_ohm` of their zero sequence (NaN if unknown).
    transformers : DataFrame
        `name`, `hv_bus`, `lv_bus`, `sn_kva`, `vk_percent`, `vkr_percent`, and `ratio`, the off-nominal voltage ratio
        with its tap, upper to lower side.
    loads : DataFrame
        `name`, `bus`, `kind` ("household", "commercial", "industrial", "agricultural", "heat_pump", "ev"), `p_kw` as
        the source states it, `annual_kwh` (NaN if unknown), `profile` (empty if unknown).
    source, version, licence : str
        Where the grid comes from, and what one owes for its use.
    """

    buses: "pd.DataFrame"
    lines: "pd.DataFrame"
    transformers: "pd.DataFrame"
    loads: "pd.DataFrame"
    source: str
    version: str
    licence: str


class _Fusion(NamedTuple):
    """Fused buses: `row` maps a bus of the source to its row, `members` the row to its buses of the source."""

    row: dict[int, int]
    members: list[list[int]]


def load_grid(source: str, name: str, *, notice: Notice | None = None) -> GridTables:
    """Return a grid from the cache, or read and keep it the first time.

    Parameters
    ----------
    source : {"simbench", "pandapower", "file"}
        Where to look.
    name : str
        SimBench code such as ``"1-LV-rural3--0-sw"``, a key of `PANDAPOWER_GRIDS`, or the path of a
        pandapower JSON file.
    notice : callable, optional
        Told what is being read, only if it takes more than a moment.

    Raises
    ------
    InputError
        When the source, grid or file is unknown or unreadable, or the extra ``grids`` is not installed.
    """
    if source == "file":
        return from_file(Path(name), notice=notice)
    if source not in SOURCES:
        raise _unknown("source of grids", source, SOURCES)
    known = SIMBENCH_CODES if source == "simbench" else tuple(PANDAPOWER_GRIDS)
    if name not in known:
        raise _unknown(f"{source} grid", name, known)
    release = _release(source)
    read = _read_simbench if source == "simbench" else _read_pandapower
    tables = cached_tables(
        f"grid-{source}-{name}",
        f"{release}-{FORM}",
        lambda: read(name),
        notice=notice,
        doing=f"reading the grid {name} with {source} {release} (some seconds, once)",
    )
    return GridTables(**tables, source=f"{source} {name}", version=release, licence=LICENCES[source])


def from_file(path: Path, *, notice: Notice | None = None) -> GridTables:
    """Return the grid of a pandapower JSON file (written by ``pandapower.to_json``).

    Raises
    ------
    InputError
        When the file is missing, is no pandapower network, or pandapower is not installed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        stated = json.loads(text)
    except OSError as error:
        raise InputError(
            describe("the grid file cannot be read", where=str(path), got=error.strerror or str(error))
        ) from error
    except ValueError as error:
        raise InputError(
            describe(
                "not a JSON file", where=str(path), got=str(error), hint="write it with pandapower.to_json"
            )
        ) from error
    if not isinstance(stated, dict) or stated.get("_class") != "pandapowerNet":
        raise InputError(
            describe(
                "not a pandapower network",
                where=str(path),
                hint="write it with pandapower.to_json(net, path)",
            )
        )
    _release("pandapower")
    if notice is not None:
        notice(f"reading the grid {path.name} with pandapower")
    import pandapower

    try:
        net = pandapower.from_json_string(text)
        len(net.bus)
    except Exception as error:  # the reader raises whatever its parts raise
        raise InputError(
            describe("pandapower cannot read the file", where=str(path), got=str(error))
        ) from error
    tables = from_pandapower(net, where=str(path))
    return GridTables(**tables, source=f"file {path.name}", version="", licence=LICENCES["file"])


def from_pandapower(net: Any, *, where: str = "pandapower network") -> "dict[str, pd.DataFrame]":
    """Turn a pandapower network into the tables `buses`, `lines`, `transformers` and `loads` of `GridTables`.

    Buses joined by closed bus-bus switches become one; lines and transformers out of service or behind an open switch
    are left out; `parallel` elements become one. Shunt capacitance and the zero sequence of transformers are not
    represented; nor are taps that turn the phases.

    Parameters
    ----------
    net : pandapowerNet
        The network; it is not changed.
    where : str
        What error messages call it.

    Raises
    ------
    InputError
        When it has no transformer or no load, or elements that the tables cannot express.
    """
    import pandas as pd

    if len(net.trafo3w) or len(net.impedance):
        raise InputError(
            describe(
                "elements that cannot be represented",
                where=where,
                got=f"{len(net.trafo3w)} three-winding transformers, {len(net.impedance)} impedances",
                hint="replace them by two-winding transformers and lines",
            )
        )
    fusion = _fused(net)
    tables = {
        "buses": pd.DataFrame(_buses(net, fusion)),
        "lines": pd.DataFrame(_lines(net, fusion)),
        "transformers": pd.DataFrame(_transformers(net, fusion)),
        "loads": pd.DataFrame(_loads(net, fusion)),
    }
    for needed in ("transformers", "loads"):
        if not len(tables[needed]):
            raise InputError(
                describe(f"a grid without {needed}", where=where, hint="add them to the network")
            )
    return tables


def _unknown(what: str, name: str, known: tuple[str, ...]) -> InputError:
    return InputError(
        describe(
            f"unknown {what}",
            where="feeder",
            got=name,
            expected=", ".join(known),
            hint=did_you_mean(name, known),
        )
    )


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise InputError(
            describe(f"this grid needs {package}, which is not installed", hint=EXTRA_HINT)
        ) from error


def _read_pandapower(name: str) -> "dict[str, pd.DataFrame]":
    from pandapower import networks

    make: Callable[[], Any] = getattr(networks, PANDAPOWER_GRIDS[name])
    return from_pandapower(make(), where=name)


def _read_simbench(code: str) -> "dict[str, pd.DataFrame]":
    import simbench

    net = simbench.get_simbench_net(code)
    tables = from_pandapower(net, where=code)
    shapes = net.profiles["load"]
    hours = {
        profile: float(shapes[f"{profile}_pload"].mean() * HOURS_OF_YEAR) for profile in set(net.load.profile)
    }
    loads = tables["loads"]
    loads["annual_kwh"] = loads["p_kw"] * loads["profile"].map(hours)
    return tables


def _fused(net: Any) -> _Fusion:
    """Join buses over closed bus-bus switches, those in service only, in the order of the source's bus table."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(net.bus.index[net.bus.in_service].tolist())
    closed = net.switch[(net.switch.et == "b") & net.switch.closed]
    graph.add_edges_from(
        (a, b) for a, b in zip(closed.bus, closed.element, strict=True) if a in graph and b in graph
    )
    members = [sorted(part) for part in nx.connected_components(graph)]
    return _Fusion({bus: row for row, part in enumerate(members) for bus in part}, members)


def _buses(net: Any, fusion: _Fusion) -> dict[str, list[Any]]:
    is_busbar = {bus: kind == "b" for bus, kind in net.bus.type.items()}
    leads = [max(part, key=lambda bus: (is_busbar[bus], -bus)) for part in fusion.members]
    xy = [_position(net, part) for part in fusion.members]
    return {
        "bus": list(range(len(leads))),
        "name": _distinct([_text(net.bus.loc[bus, "name"]) or f"bus {bus}" for bus in leads]),
        "vn_kv": [float(net.bus.loc[bus, "vn_kv"]) for bus in leads],
        "x": [x for x, _ in xy],
        "y": [y for _, y in xy],
    }


def _text(value: Any) -> str:
    return (
        value.strip()
        if isinstance(value, str)
        else str(int(value))
        if isinstance(value, (int, np.integer))
        else ""
    )


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct


def _position(net: Any, part: list[int]) -> tuple[float, float]:
    """Return where a bus lies; pandapower 3 keeps GeoJSON text in the column `geo`."""
    for bus in part:
        point = net.bus.loc[bus, "geo"] if "geo" in net.bus else None
        if isinstance(point, str) and point:
            x, y = json.loads(point)["coordinates"][:2]
            return float(x), float(y)
    return float("nan"), float("nan")


def _in_service(net: Any, table: str, kind: str, ends: tuple[str, str], fusion: _Fusion) -> "pd.DataFrame":
    """Return the rows of a branch table that carry current: in service, no open switch, both buses in service."""
    rows = getattr(net, table)
    opened = net.switch[(net.switch.et == kind) & ~net.switch.closed].element
    alive = rows.in_service & ~rows.index.isin(opened)
    for end in ends:
        alive &= rows[end].isin(list(fusion.row))
    same = rows[ends[0]].map(fusion.row) == rows[ends[1]].map(fusion.row)
    kept: pd.DataFrame = rows[alive & ~same]  # a line between two fused buses carries nothing
    return kept


def _names(rows: "pd.DataFrame", kind: str) -> list[str]:
    return _distinct([_text(name) or f"{kind} {i}" for i, name in rows["name"].items()])


def _lines(net: Any, fusion: _Fusion) -> dict[str, list[Any]]:
    rows = _in_service(net, "line", "l", ("from_bus", "to_bus"), fusion)
    each_ohm = rows.length_km / rows.parallel
    return {
        "name": _names(rows, "line"),
        "from_bus": rows.from_bus.map(fusion.row).tolist(),
        "to_bus": rows.to_bus.map(fusion.row).tolist(),
        "r_ohm": (rows.r_ohm_per_km * each_ohm).tolist(),
        "x_ohm": (rows.x_ohm_per_km * each_ohm).tolist(),
        "length_km": rows.length_km.tolist(),
        "rating_a": (rows.max_i_ka * 1000 * rows.df * rows.parallel).tolist(),
        **{
            f"{part}0_ohm": (rows[f"{part}0_ohm_per_km"] * each_ohm).astype(float).tolist()
            if f"{part}0_ohm_per_km" in rows
            else [float("nan")] * len(rows)
            for part in "rx"
        },
    }


def _transformers(net: Any, fusion: _Fusion) -> dict[str, list[Any]]:
    rows = _in_service(net, "trafo", "t", ("hv_bus", "lv_bus"), fusion)
    return {
        "name": _names(rows, "transformer"),
        "hv_bus": rows.hv_bus.map(fusion.row).tolist(),
        "lv_bus": rows.lv_bus.map(fusion.row).tolist(),
        "sn_kva": (rows.sn_mva * 1000 * rows.parallel).tolist(),
        "vk_percent": rows.vk_percent.astype(float).tolist(),
        "vkr_percent": rows.vkr_percent.astype(float).tolist(),
        "ratio": [_ratio(net, row) for _, row in rows.iterrows()],
    }


def _ratio(net: Any, row: Any) -> float:
    """Return a transformer's voltage ratio over that of its buses: rated voltages, and a tap that changes the ratio."""
    own = {"hv": row.vn_hv_kv / net.bus.vn_kv[row.hv_bus], "lv": row.vn_lv_kv / net.bus.vn_kv[row.lv_bus]}
    steps = float(row.tap_pos) - float(row.tap_neutral)
    if row.tap_changer_type in {"Ratio", "Symmetrical"} and row.tap_side in own and np.isfinite(steps):
        own[row.tap_side] *= 1.0 + steps * float(row.tap_step_percent) / 100.0
    return float(own["hv"] / own["lv"])


def _loads(net: Any, fusion: _Fusion) -> dict[str, list[Any]]:
    loads: dict[str, list[Any]] = {
        key: [] for key in ("name", "bus", "kind", "p_kw", "annual_kwh", "profile")
    }
    single = net.asymmetric_load.assign(p_mw=net.asymmetric_load[["p_a_mw", "p_b_mw", "p_c_mw"]].sum(axis=1))
    for table in (net.load, single):
        rows = table[table.in_service & table.bus.isin(list(fusion.row))]
        profiles = [_text(profile) for profile in rows["profile"]] if "profile" in rows else [""] * len(rows)
        names = [_text(name) for name in rows["name"]]
        loads["name"] += [name or f"load {i}" for i, name in zip(rows.index, names, strict=True)]
        loads["bus"] += rows.bus.map(fusion.row).tolist()
        loads["kind"] += [_kind(profile, name) for profile, name in zip(profiles, names, strict=True)]
        loads["p_kw"] += (rows.p_mw * rows.scaling * 1000).tolist()
        loads["profile"] += profiles
    loads["annual_kwh"] = [float("nan")] * len(loads["bus"])
    return loads


def _kind(profile: str, name: str) -> str:
    """Tell the kind of a load by SimBench's profile, or by CIGRE's names ("Load R11", "Load I2", "Load C1")."""
    by_profile = {
        "H": "household",
        "G": "commercial",
        "B": "commercial",
        "W": "commercial",
        "L": "agricultural",
    }
    if re.match(r"(Air|Soil)_", profile):
        return "heat_pump"
    if re.match(r"(HLS|APLS)_", profile):
        return "ev"
    if profile:
        return by_profile.get(profile[0], "household")
    cigre = re.fullmatch(r"Load ([RIC])\d+", name)
    return {"I": "industrial", "C": "commercial"}.get(cigre[1], "household") if cigre else "household"
