"""The study of rounds: what counts as settled, and that table and figure show what was found."""

import pytest

from sunshare_sim.validation.convergence import Row, draw, section, settled_from, study


def rows(name, shares):
    return [
        Row(name, 2**i, tuple(share + noise for noise in (-0.1, 0.0, 0.1)), (20.0, 21.0, 22.0))
        for i, share in enumerate(shares)
    ]


@pytest.mark.parametrize(
    ("shares", "settled"),
    [
        ((100.0, 100.0, 100.0), 1),
        ((50.0, 90.0, 99.8, 100.0), 4),
        ((100.0, 90.0, 100.0), 4),  # it must stay
        ((10.0, 20.0, 40.0), 4),
    ],
)
def test_settled_is_where_energy_stays_as_at_the_finest_cut(shares, settled):
    assert settled_from(rows("x", shares)) == {"x": settled}


def test_table_and_figure_show_every_strategy(tmp_path):
    found = study(("tariff_bound", "aa"), (1, 2), seeds=2)
    text = section(found)
    assert "| tariff_bound | 1 | 100.00 ± 0.00 | " in text
    assert "| aa | 1 | 0.00 ± 0.00 | - |" in text
    for name in ("one.svg", "two.svg"):
        draw(found, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "tariff_bound" in (tmp_path / "one.svg").read_text()
