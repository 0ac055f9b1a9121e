import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from sunshare_sim.results import feeder_map, style
from sunshare_sim.results.figures import FIGURES, save_figures
from sunshare_sim.results.run import Run

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def files(demo_folder, tmp_path_factory):
    return {
        path.name: path for path in save_figures(Run.load(demo_folder), tmp_path_factory.mktemp("figures"))
    }


def svg_text(path):
    return [text.text for text in ET.parse(path).iter(f"{SVG}text")]  # noqa: S314 - our own file


def title(figure, axes=0):
    return figure.axes[axes].get_title(loc="left")


def test_four_figures_in_two_formats(files):
    assert set(files) == {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}


@pytest.mark.parametrize("name", FIGURES)
def test_png_is_light_and_not_blank(files, name):
    png = files[f"{name}.png"]
    assert png.stat().st_size < 150_000
    with Image.open(png) as image:
        assert image.width == round(style.WIDTH_IN * style.LOOK["savefig.dpi"])
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_same_run_same_bytes(files, demo, tmp_path):
    for path in save_figures(demo, tmp_path):
        assert path.read_bytes() == files[path.name].read_bytes(), path.name


@pytest.mark.parametrize("name", FIGURES)
def test_svg_keeps_text_and_has_no_date(files, name):
    content = files[f"{name}.svg"].read_text(encoding="utf-8")
    assert "<dc:date>" not in content
    assert len(svg_text(files[f"{name}.svg"])) > 3


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_written_runs_off_the_page(demo, name):
    """A title longer than the page is cut by every viewer: look at what a reader would see."""
    figure = FIGURES[name](demo)
    figure.draw_without_rendering()
    page = figure.bbox
    for axes in figure.axes:
        for text in [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]:
            if text.get_text():
                box = text.get_window_extent()
                assert box.x0 >= page.x0 - 1, text
                assert box.x1 <= page.x1 + 1, text
                assert box.y1 <= page.y1 + 1, text


def test_energy_areas_add_up_to_what_homes_use_and_generate(demo):
    figure = FIGURES["energy-balance"](demo)
    s = demo.slots
    for axes, whole in zip(figure.axes, (s.load_kwh + s.ev_kwh, s.solar_kwh), strict=False):
        top = axes.collections[2].get_paths()[0].vertices[:, 1].max()
        assert top == pytest.approx(whole.max() / 0.25, rel=1e-6)
    share = demo.kpis.set_index("name").value
    bought = share.traded_kwh / share.consumption_kwh
    assert f"{100 * share.home_self_sufficiency:.0f} % own, {100 * bought:.0f} % from" in title(figure)
    sold = share.traded_kwh / share.solar_kwh
    assert f"{100 * share.home_self_consumption:.0f} % stays at home, {100 * sold:.0f} % goes" in title(
        figure, 1
    )
    assert figure.axes[0].get_ylabel() == "power [kW]"


def test_days_are_local(demo):
    """Slot 0 is 22:00 UTC on 1 June: midnight of Monday 2 June in Berlin."""
    figure = FIGURES["price-path"](demo)
    figure.draw_without_rendering()
    names = [label.get_text() for label in figure.axes[1].get_xticklabels(minor=True)]
    assert names == [
        "Mon 2 Jun",
        "Tue 3 Jun",
        "Wed 4 Jun",
        "Thu 5 Jun",
        "Fri 6 Jun",
        "Sat 7 Jun",
        "Sun 8 Jun",
    ]


def test_price_lines_are_the_volume_weighted_means(demo):
    axes = FIGURES["price-path"](demo).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    trades = demo.trades
    slot = int(trades.slot.mode()[0])
    mine = trades[trades.slot == slot]
    mean = np.average(mine.price_per_kwh, weights=mine.energy_kwh)
    assert lines["mean to sellers"][slot] == pytest.approx(mean, rel=1e-12)
    assert lines["mean paid, with wheeling"][slot] == pytest.approx(mean + 0.02, rel=1e-12)
    assert np.isnan(lines["mean to sellers"][0])  # midnight: no trade, no price
    assert "EUR/kWh" in axes.get_ylabel()


def test_price_band_is_of_settled_trades(demo):
    trades = (
        demo.exact("trades").iloc[:2].assign(slot=40, status=[0, 1], price_micro_per_kwh=[200_000, 300_000])
    )
    demo.exact = lambda _, columns: trades[columns]
    band = FIGURES["price-path"](demo).axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert np.unique(band) == pytest.approx([0.2])


def test_price_of_dust_is_not_zero(demo):
    """One trade of 1e-6 kWh pays nothing after rounding; its price is still its price."""
    trades = demo.exact("trades").iloc[:1].assign(slot=40, energy_micro_kwh=1, price_micro_per_kwh=200_000)
    demo.exact = lambda _, columns: trades[columns]
    lines = {line.get_label(): line.get_ydata() for line in FIGURES["price-path"](demo).axes[0].lines}
    assert lines["mean to sellers"][40] == pytest.approx(0.2)


def test_savings_show_every_home_once(demo):
    axes = FIGURES["savings"](demo).axes[0]
    heights = sorted(bar.get_height() for bar in axes.patches)
    assert heights == pytest.approx(sorted(demo.bills.saving))
    assert "40 homes save 188 EUR together; none pays more" in axes.get_title(loc="left")


@pytest.mark.parametrize(("losers", "words"), [(1, "one pays more"), (3, "3 pay more")])
def test_savings_tell_who_loses(demo, losers, words):
    bills = demo.bills.copy()
    bills.loc[: losers - 1, "saving"] = -1.0
    demo._tables["bills"] = bills
    assert words in title(FIGURES["savings"](demo))


def test_map_marks_every_device_once(demo):
    axes = FIGURES["feeder-map"](demo).axes[0]
    labels = {marks.get_label(): len(marks.get_offsets()) for marks in axes.collections}
    assert labels["solar (16)"] == 16
    assert labels["battery (10)"] == 10
    assert labels["EV (8)"] == 8
    assert {text.get_text() for text in axes.texts} == {"substation", "zone 0", "zone 1", "zone 2", "zone 3"}
    assert title(FIGURES["feeder-map"](demo)) == "The feeder: 40 homes on 40 buses, 4 zones"


def test_map_without_coordinates_is_laid_out_in_circles(write, tmp_path):
    run = Run.load(write(tmp_path / "run", slots=96, coordinates=False))
    tree = feeder_map._tree(run.buses, run.lines)
    assert np.hypot(tree.x, tree.y) == pytest.approx(np.r_[0, (np.arange(40) // 4) + 1])
    assert len(np.unique(np.column_stack([tree.x, tree.y]).round(6), axis=0)) == 41
    FIGURES["feeder-map"](run)


def test_copies_of_a_feeder_stand_side_by_side():
    """Three feeders of two buses in one place: two in the first row, one in the second."""
    x, y = np.array([0.0, 2.0] * 3), np.array([0.0, 1.0] * 3)
    parent = np.array([-1, 0, -1, 2, -1, 4])
    moved_x, moved_y = feeder_map.side_by_side(x, y, parent)
    assert moved_x == pytest.approx([0, 2, 2.3, 4.3, 0, 2])
    assert moved_y == pytest.approx([0, 1, 0, 1, -1.15, -0.15])


def test_feeders_in_different_places_stay_there():
    x, y, parent = np.array([0.0, 1.0, 5.0, 6.0]), np.zeros(4), np.array([-1, 0, -1, 2])
    assert feeder_map.side_by_side(x, y, parent)[0].tolist() == x.tolist()


def test_radial_layout_gives_each_branch_its_sector():
    """A root with a leaf and a fork of two leaves: three leaves, a third of the circle each."""
    x, y = feeder_map.radial_layout(5, np.array([0, 0, 2, 2]), np.array([1, 2, 3, 4]))
    angle = np.degrees(np.arctan2(y, x)) % 360
    assert angle[1:] == pytest.approx([60, 240, 180, 300])
    assert np.hypot(x, y) == pytest.approx([0, 1, 1, 2, 2])


@pytest.mark.parametrize("homes", [5, 9, 40])
def test_names_keep_clear_of_each_other(write, tmp_path, homes):
    figure = FIGURES["feeder-map"](Run.load(write(tmp_path / "run", slots=96, homes=homes)))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_place_is_free_or_the_freest():
    """A name goes outward; where a wire runs there it turns aside, and where another name stands it gives way."""
    anchor, half = np.array([100.0, 100.0]), np.array([20.0, 6.0])
    east = np.array([1.0, 0.0])
    assert feeder_map._free_place(anchor, east, half, anchor[None])[0] > 120
    wire = anchor + np.column_stack([np.linspace(0, 90, 40), np.zeros(40)])
    at = feeder_map._free_place(anchor, east, half, wire)
    assert abs(at[1] - 100) > 6


def quiet(run):
    """Take all trade out of a run's tables."""
    demo_trades = run.exact("trades")
    run._tables["slots"] = run.slots.assign(traded_kwh=0.0, trade_value=0.0, wheeling=0.0, soc_kwh=0.0)
    none = demo_trades.iloc[:0]
    run.exact = lambda _, columns: none[columns]
    return run


def test_a_run_without_trade_is_drawn_and_says_so(demo, tmp_path):
    run = quiet(demo)
    assert "nothing was traded" in title(FIGURES["price-path"](run))
    save_figures(run, tmp_path)


def test_one_home_on_one_bus(write, tmp_path):
    run = Run.load(write(tmp_path / "run", slots=96, homes=1))
    save_figures(run, tmp_path / "figures")
    assert title(FIGURES["feeder-map"](run)).endswith("1 homes on 1 buses, 1 zone")


def test_long_runs_are_drawn_by_day(write, tmp_path):
    days = 20
    run = Run.load(write(tmp_path / "run", slots=96 * days, homes=5, days=days))
    axes = FIGURES["price-path"](run).axes
    assert len(axes[0].lines[0].get_ydata()) == days
    traded = run.slots.traded_kwh[96:192].sum() / 24
    figure = FIGURES["energy-balance"](run)
    assert np.isclose(axes[1].collections[0].get_paths()[0].vertices[:, 1], traded).any()
    save_figures(run, tmp_path / "figures")
    assert len(figure.axes) == 3


def test_settings_of_matplotlib_are_left_alone_and_pyplot_is_not_loaded(demo_folder):
    code = (
        "import sys, matplotlib as mpl; from sunshare_sim.results import style;"
        "before = {key: mpl.rcParams[key] for key in style.LOOK};"
        "from sunshare_sim.results.run import Run;"
        f"run = Run.load({str(demo_folder)!r}); run.plot.savings(); run.plot.feeder_map();"
        "run.plot.energy_balance(); run.plot.price_path();"
        "assert {key: mpl.rcParams[key] for key in style.LOOK} == before;"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)  # noqa: S603 - our own words


def test_palette_is_that_of_okabe_and_ito():
    palette = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    colours = {
        value for name, value in vars(style).items() if isinstance(value, str) and value.startswith("#")
    }
    assert colours - palette == {style.GREY, style.PALE}
