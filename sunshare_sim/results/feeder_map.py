"""The map of a feeder: zones, voltages or loadings in colour, homes by number, and the devices that stand in them."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from sunshare_sim.errors import ResultError, describe, did_you_mean
from sunshare_sim.results import style
from sunshare_sim.results.network_figures import needs_power_flow
from sunshare_sim.results.shown import Shown
from sunshare_sim.results.style import blank, headline, look
from sunshare_sim.units import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ZONE_COLOURS: Final = (style.BLUE, style.RED, style.GREEN, style.PINK, style.SKY, style.ORANGE, style.GREY)
MOST_LABELS: Final = 16  # zones; more names than these would hide the wires
MOST_VECTORS: Final = 1_500  # buses drawn as vectors; of more a picture is smaller, and no worse to look at
MOST_STRETCH: Final = (
    2.0  # between the two directions: a diagram that fills its page, not a map to measure on
)
DEVICES: Final = (  # column, name, marker, colour, place across the line [points]
    ("solar_kwp", "solar", "^", style.ORANGE, 6.5),
    ("battery_kwh", "battery", "s", style.GREEN, -6.5),
    ("ev_kw", "EV", "D", style.SKY, 6.5),  # or beyond, where solar is in the way
)


class Tree(NamedTuple):
    """Hold what is drawn of a feeder: positions and zones of its buses, parents (-1 = substation), homes."""

    x: FloatArray
    y: FloatArray
    zone: IntArray
    parent: IntArray
    homes: IntArray


def feeder_map(run: Shown, by: str = "zone") -> "Figure":
    """Draw buses and lines, the homes on each bus, and where solar systems, batteries and EVs are.

    Parameters
    ----------
    run : Shown
        The run.
    by : {"zone", "voltage", "loading"}
        What the colours mean: the zone; the voltage of each bus that was furthest from nominal; the highest loading of
        each line and transformer. The last two need a run with `network.power_flow`.

    Raises
    ------
    ResultError
        When the run had no power flow, or `by` is unknown.
    """
    tree, shades = _tree(run.buses, run.lines), _shades(run, by)
    with look():
        figure, axes = blank(4.8)
        _draw_lines(axes, tree, shades)
        _draw_buses(axes, tree, shades)
        zones = len(np.unique(tree.zone[tree.zone >= 0]))
        where = f"{len(run.households)} homes on {np.count_nonzero(tree.homes)} buses"
        axes.axis("off")
        axes.margins(0.07, 0.07)
        axes.set_aspect(_aspect(tree), adjustable="datalim")
        title = (
            f"The feeder: {where}, {zones} zone{'s' if zones != 1 else ''}"
            if shades is None
            else shades.title
        )
        headline(axes, title, legend_rows=1)
        figure.draw_without_rendering()  # from here on a point's place on the page is known
        axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim(), aspect="auto")
        pixels = axes.transData.transform(np.column_stack([tree.x, tree.y]))
        marks = _draw_devices(axes, tree, pixels, run.households)
        _write_names(axes, tree, pixels, marks)
        headline(axes, axes.get_title(loc="left"))
        for drawn in axes.collections:
            drawn.set_rasterized(tree.x.size > MOST_VECTORS)
    return figure


class Shades(NamedTuple):
    """Hold what colours a map: values of buses, or of the lines that feed them, NaN for none; shape [buses] each."""

    title: str
    label: str
    bus: FloatArray
    line: FloatArray
    bounds: tuple[float, float]
    colours: str

    def rgba(self, values: FloatArray) -> Any:
        """Return a colour for each value, grey where there is none, shape [values, 4]."""
        from matplotlib.colors import to_rgba

        scale = self.mappable()
        return np.where(np.isnan(values)[:, None], to_rgba(style.PALE), scale.to_rgba(np.nan_to_num(values)))

    def mappable(self) -> Any:
        """Return the scale, for a colour bar."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        return ScalarMappable(Normalize(*self.bounds), self.colours)


def _shades(run: Shown, by: str) -> Shades | None:
    """Return what colours the map; None for zones."""
    buses, lines = run.buses, run.lines
    none = np.full(len(buses), np.nan)
    if by == "zone":
        return None
    if by == "voltage":
        low, high = buses["voltage_min_pu"].to_numpy(), buses["voltage_max_pu"].to_numpy()
        needs_power_flow(low, "feeder_map")
        furthest = np.where(np.abs(high - 1) > np.abs(low - 1), high, low)
        reach = max(0.02, float(np.nanmax(np.abs(furthest - 1))))
        title = f"Voltages of the feeder: {np.nanmin(low):.3f} to {np.nanmax(high):.3f} p.u."
        return Shades(
            title, "voltage furthest from nominal [p.u.]", furthest, none, (1 - reach, 1 + reach), "RdBu_r"
        )
    if by == "loading":
        loading, fed = lines["loading_max"].to_numpy(), none.copy()
        needs_power_flow(loading, "feeder_map")
        fed[lines["to_bus"].to_numpy()] = 100 * loading
        highest = 100 * float(np.nanmax(loading))
        title = f"Loading of the feeder: up to {highest:.0f} % of a rating"
        return Shades(title, "highest loading [%]", none, fed, (0.0, max(100.0, highest)), "cividis_r")
    known = ("zone", "voltage", "loading")
    hint = did_you_mean(by, known)
    raise ResultError(
        describe("no such colouring", where="feeder_map", got=by, expected=", ".join(known), hint=hint)
    )


def _tree(buses: "pd.DataFrame", lines: "pd.DataFrame") -> Tree:
    from_bus, to_bus = lines["from_bus"].to_numpy(), lines["to_bus"].to_numpy()
    parent = np.full(len(buses), -1)
    parent[to_bus] = from_bus
    x, y = buses["x"].to_numpy(dtype=float), buses["y"].to_numpy(dtype=float)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        x, y = radial_layout(len(buses), from_bus, to_bus)
    else:
        x, y = side_by_side(x, y, parent)
    return Tree(x, y, buses["zone"].to_numpy(), parent, buses["households"].to_numpy())


def side_by_side(x: FloatArray, y: FloatArray, parent: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return positions where feeders that lie on each other (copies of one) stand in rows instead."""
    roots = np.flatnonzero(parent < 0)
    if len(np.unique(np.column_stack([x, y])[roots], axis=0)) == len(roots):
        return x, y
    root = np.where(parent < 0, np.arange(len(parent)), parent)
    while (parent[root] >= 0).any():
        root = np.where(parent[root] >= 0, parent[root], root)
    columns = int(np.ceil(np.sqrt(len(roots))))
    row, column = np.divmod(np.searchsorted(roots, root), columns)
    return x + 1.15 * np.ptp(x) * column, y - 1.15 * np.ptp(y) * row


def radial_layout(count: int, from_bus: IntArray, to_bus: IntArray) -> tuple[FloatArray, FloatArray]:
    """Place a tree's nodes on circles: the radius counts lines from the root, each leaf gets the same angle.

    A node stands at the middle of its leaves' angles (Eades 1992, "Drawing free trees"), so branches keep to
    their own sector.
    """
    children: dict[int, list[int]] = {node: [] for node in range(count)}
    for parent, child in zip(from_bus.tolist(), to_bus.tolist(), strict=True):
        children[parent].append(child)
    roots = np.setdiff1d(np.arange(count), to_bus)
    order, depth = roots.tolist(), np.zeros(count)
    for node in order:  # grows while it is walked: breadth first
        order.extend(children[node])
        depth[children[node]] = depth[node] + 1
    leaves = np.zeros(count)
    for node in reversed(order):
        leaves[node] = sum(leaves[child] for child in children[node]) or 1.0
    start = np.zeros(count)
    start[roots] = np.cumsum(leaves[roots]) - leaves[roots]
    for node in order:
        offsets = np.cumsum([0.0, *leaves[children[node]]])[:-1]
        start[children[node]] = start[node] + offsets
    angle = 2 * np.pi * (start + leaves / 2) / leaves[roots].sum()
    return depth * np.cos(angle), depth * np.sin(angle)


def _aspect(tree: Tree) -> float:
    """Return the stretch of y against x that fills the page, within `MOST_STRETCH`."""
    width, height = np.ptp(tree.x) or 1.0, np.ptp(tree.y) or 1.0
    return float(np.clip(0.6 * width / height, 1 / MOST_STRETCH, MOST_STRETCH))


def _shrink(tree: Tree) -> float:
    """Return what share of its area a mark keeps where there are many of them."""
    return 200 / max(200, int(np.count_nonzero(tree.homes)))


def _colour(zone: int) -> str:
    return style.BLACK if zone < 0 else ZONE_COLOURS[zone % len(ZONE_COLOURS)]


def _draw_lines(axes: "Axes", tree: Tree, shades: Shades | None) -> None:
    from matplotlib.collections import LineCollection

    child = np.flatnonzero(tree.parent >= 0)
    ends = np.column_stack([tree.parent[child], child])
    segments = np.stack([tree.x[ends], tree.y[ends]], axis=-1)
    colours: Any = [_colour(zone) for zone in tree.zone[child]]
    width = 1.5
    if shades is not None:
        colours, width = shades.rgba(shades.line[child]), 3.0
        axes.figure.colorbar(shades.mappable(), ax=axes, label=shades.label, shrink=0.8)
    axes.add_collection(
        LineCollection(list(segments), colors=colours, linewidths=width * _shrink(tree) ** 0.5, zorder=1)
    )


def _draw_buses(axes: "Axes", tree: Tree, shades: Shades | None) -> None:
    size = _shrink(tree) * np.where(tree.homes > 0, 12 + 10 * np.sqrt(tree.homes), 4)
    colours: Any = [_colour(zone) for zone in tree.zone] if shades is None else shades.rgba(shades.bus)
    axes.scatter(
        tree.x, tree.y, s=size, c=colours, edgecolors=style.BLACK, linewidths=0.4 * _shrink(tree), zorder=2
    )
    root = tree.parent < 0
    axes.scatter(tree.x[root], tree.y[root], s=80, marker="s", c=style.BLACK, zorder=5)


def _draw_devices(axes: "Axes", tree: Tree, pixels: FloatArray, homes: "pd.DataFrame") -> FloatArray:
    """Mark the buses where a device stands, beside the line, larger where several homes there have one.

    Returns the places of the marks on the page, shape [marks, 2].
    """
    across, point = _across(tree, pixels), axes.figure.dpi / 72
    used = {place: np.zeros(len(pixels)) for *_, place in DEVICES}
    marks = []
    for column, name, marker, colour, place in DEVICES:
        owners = homes[homes[column] > 0]
        bus, count = np.unique(owners["bus"].to_numpy(), return_counts=True)
        shift = place * np.sqrt(_shrink(tree)) * (1 + used[place][bus]) * point
        used[place][bus] += 1
        marks.append(pixels[bus] + shift[:, None] * across[bus])
        x, y = axes.transData.inverted().transform(marks[-1]).T
        options: dict[str, Any] = {
            "marker": marker,
            "c": colour,
            "edgecolors": style.BLACK,
            "linewidths": 0.5,
        }
        size = _shrink(tree) * (14 + 8 * np.sqrt(count - 1))
        axes.scatter(x, y, s=size, zorder=4, label=f"{name} ({len(owners)})", **options)
    return np.vstack(marks)


def _across(tree: Tree, pixels: FloatArray) -> FloatArray:
    """Return at each bus the direction square to its line, to the right or up, shape [buses, 2]."""
    along = pixels - pixels[np.where(tree.parent < 0, np.arange(len(pixels)), tree.parent)]
    length = np.hypot(*along.T)
    along = np.where(length[:, None] > 0, along / np.maximum(length, 1e-9)[:, None], [0.0, 1.0])
    across = np.column_stack([along[:, 1], -along[:, 0]])
    backward = (across[:, 0] < -0.3) | ((np.abs(across[:, 0]) <= 0.3) & (across[:, 1] < 0))
    return np.where(backward[:, None], -across, across)


def _write_names(axes: "Axes", tree: Tree, pixels: FloatArray, marks: FloatArray) -> None:
    """Write the names of substation and zones where they hide least."""
    from matplotlib.patheffects import withStroke

    roots = np.flatnonzero(tree.parent < 0)
    centre = pixels[roots].mean(axis=0)
    anchors = [("substation", int(roots[0]))] if len(roots) == 1 else []
    zones = np.unique(tree.zone[tree.zone >= 0])
    if 1 < len(zones) <= MOST_LABELS:
        for zone in zones:
            members = np.flatnonzero(tree.zone == zone)
            far = members[np.hypot(*(pixels[members] - centre).T).argmax()]
            anchors.append((f"zone {zone}", int(far)))
    upper = pixels[np.where(tree.parent < 0, np.arange(len(pixels)), tree.parent)]
    taken = np.vstack([marks, *(pixels + share * (upper - pixels) for share in (0.0, 0.25, 0.5, 0.75))])
    for text, bus in anchors:
        half = (
            axes.figure.dpi / 72 * np.array([3.3 * len(text), 6.5])
        )  # of a letter's width and a line's height
        at = _free_place(pixels[bus], pixels[bus] - centre, half, taken)
        # A name weighs more than a bus or a line: it is better to cross a wire than another name.
        taken = np.vstack([taken, *4 * [at + half * [[-1, 0], [-0.5, 0], [0, 0], [0.5, 0], [1, 0]]]])
        x, y = axes.transData.inverted().transform(at)
        halo = [withStroke(linewidth=2.5, foreground="white")]
        colour = _colour(-1 if text == "substation" else int(tree.zone[bus]))
        place: dict[str, Any] = {"ha": "center", "va": "center", "fontweight": "bold", "zorder": 6}
        axes.text(x, y, text, color=colour, path_effects=halo, fontsize=9.5, **place)


def _free_place(anchor: FloatArray, outward: FloatArray, half: FloatArray, taken: FloatArray) -> FloatArray:
    """Return the place around `anchor` where a box of half size `half` covers the fewest points of `taken`.

    Among equals the nearest to `anchor` and to the direction `outward` wins.
    """
    steps = np.array([0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8])
    turns = np.arctan2(outward[1] + 1e-9, outward[0]) + steps * np.pi / 8  # up, if there is no outward
    near = (half + half[1]) * np.column_stack([np.cos(turns), np.sin(turns)])
    candidates = anchor + np.vstack([near, 1.4 * near, 1.9 * near, 2.6 * near])
    reach = half + 0.6 * half[1]
    covered = (np.abs(taken[None] - candidates[:, None]) < reach).all(axis=2).sum(axis=1)
    return np.asarray(candidates[covered.argmin()])
