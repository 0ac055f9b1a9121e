"""A study's figures: their numbers by hand, and their shape with many variants, one seed, or no value."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sunshare_sim.errors import ResultError
from sunshare_sim.studies import figures
from sunshare_sim.studies.figures import StudyFigures, changes_by_home, half_widths, shortened
from sunshare_sim.studies.tables import differences_table

BILLS = {  # by variant and seed: the bills of two homes
    ("base", 1): (10.0, 20.0), ("base", 2): (14.0, 20.0), ("a", 1): (11.0, 18.0), ("a", 2): (17.0, 16.0),
}  # fmt: skip


def made(kpis, bills=BILLS):
    """Return what figures see of a study; `kpis` is variant: values by seed."""
    rows = [
        (name, seed, "total_bill", value, "currency")
        for name, values in kpis.items()
        for seed, value in enumerate(values, 1)
    ]
    table = pd.DataFrame(rows, columns=["variant", "seed", "kpi", "value", "unit"])
    homes = [
        (name, seed, home, total)
        for (name, seed), totals in bills.items()
        for home, total in enumerate(totals)
    ]
    return SimpleNamespace(
        record={"currency": "CHF", "file": {}},
        kpis=table,
        differences=differences_table(table, (), 0.95),
        bills=pd.DataFrame(homes, columns=["variant", "seed", "household", "total"]),
    )


@pytest.fixture
def study():
    return made({"base": [10, 12, 11], "a": [12, 15, 16], "b": [10, 12, 11]})


def many(count=60, seeds=3):
    kpis = {"base": [0.0] * seeds} | {
        f"{each:02d}-{'long' * 20}": [each + 0.1 * s for s in range(seeds)] for each in range(count)
    }
    bills = {
        (name, seed): (value, 2 * value) for name, values in kpis.items() for seed, value in enumerate(values)
    }
    return made(kpis, bills)


def title(figure):
    return figure.axes[0].get_title(loc="left").replace("\n", " ")


def test_a_home_is_compared_with_itself(study):
    # Home 0 pays 1 and 3 more, home 1 pays 2 and 4 less.
    assert changes_by_home(study, "a").tolist() == [-3.0, 2.0]


def test_seeds_that_only_one_side_has_do_not_count():
    study = made({"base": [1, 2], "a": [2, 3]}, BILLS | {("a", 3): (1000.0, 1000.0)})
    assert changes_by_home(study, "a").tolist() == [-3.0, 2.0]


def test_half_widths_are_students(study):
    # Differences 2, 3, 5: after two seeds 12.706 * 0.5, after three 4.303 * 1.5275 / sqrt(3).
    assert half_widths(study, "total_bill", "a").tolist() == pytest.approx([6.3531, 3.7946], rel=1e-4)
    assert half_widths(study, "total_bill", "b").tolist() == [0.0, 0.0]
    assert half_widths(study, "total_bill", "a", 0.5).iloc[0] == pytest.approx(0.5)


def test_differences_say_how_many_are_sure(study):
    figure = StudyFigures(study).differences()
    assert title(figure).startswith("0 of 2 variants differ")  # 3.33 +- 3.79
    assert figure.axes[0].get_xlabel() == "total bill: variant less base [CHF]"
    assert list(figure.axes[0].get_lines()[0].get_xdata()) == pytest.approx([10 / 3, 0.0])
    sure = made({"base": [1, 2, 3], "a": [2.0, 3.1, 4.0]})
    assert title(StudyFigures(sure).differences()).startswith("1 of 1 variants differ")


def test_one_seed_has_no_interval():
    figure = StudyFigures(made({"base": [1], "a": [2]})).differences()
    assert "one seed gives no interval" in title(figure)
    figure.draw_without_rendering()


def test_nothing_to_draw_is_drawn_as_nothing():
    study = made({"base": [np.nan, np.nan], "a": [1, 2]})
    assert title(StudyFigures(study).differences()) == "No variant has this key figure"
    with pytest.raises(ResultError, match="no run has this key figure"):
        StudyFigures(made({"base": [np.nan], "a": [np.nan]})).spread()


def test_winners_are_curves_while_they_can_be_told_apart(study):
    (curve, *_) = StudyFigures(study).winners().axes[0].get_lines()
    assert curve.get_label() == "a: 50 % pay more"
    assert list(curve.get_xdata()) == [-3.0, 2.0]
    assert list(curve.get_ydata()) == [25.0, 75.0]


@pytest.mark.parametrize("name", ["differences", "winners", "spread"])
def test_of_many_variants_those_that_differ_most(name):
    figure = getattr(StudyFigures(many()), name)()
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == figures.MOST_ROWS
    # The base, in `spread` alone, differs least of all; so do the first twenty.
    assert names[0].startswith("20-")
    assert names[-1].startswith("59-")
    assert max(map(len, names)) <= figures.LONGEST_NAME
    assert "40 of 6" in title(figure)
    figure.draw_without_rendering()


def test_convergence_names_the_widest_of_many():
    study = many(count=12)
    rng = np.random.default_rng(1)
    study.kpis.loc[study.kpis.variant != "base", "value"] += rng.normal(
        0, 1, (study.kpis.variant != "base").sum()
    )
    axes = StudyFigures(study).convergence().axes[0]
    named = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    other = [line for line in axes.get_lines() if line.get_label().startswith("_")]
    assert (len(named), len(other)) == (figures.MOST_LINES, 12 - figures.MOST_LINES)
    assert min(line.get_ydata()[-1] for line in named) >= max(line.get_ydata()[-1] for line in other)


def test_many_runs_are_drawn_as_their_range():
    study = made({"base": np.arange(1000.0), "a": np.arange(1000.0)})
    assert "from the lowest to the highest seed" in StudyFigures(study).spread().axes[0].get_xlabel()


def test_unknown_names_are_refused(study):
    with pytest.raises(ResultError, match="did you mean 'total_bill'"):
        StudyFigures(study).differences("total_bil")
    with pytest.raises(ResultError, match="did you mean 'a'"):
        changes_by_home(study, "aa")


def test_long_names_keep_both_ends():
    assert shortened("x" * 36) == "x" * 36
    assert shortened("begin" + "x" * 60 + "end").startswith("begin")
    assert shortened("begin" + "x" * 60 + "end").endswith("end")
