import numpy as np
import pytest

from sunshare_sim.community.draws import draw, group_sizes, owners, place_homes, ranks
from sunshare_sim.errors import ScenarioError
from sunshare_sim.scenario.base import Lognormal, Uniform
from sunshare_sim.scenario.households import Group, Households
from sunshare_sim.streams import stream


def groups(*sizes):
    made = []
    for i, size in enumerate(sizes):
        key = {} if size is None else {"count": size} if isinstance(size, int) else {"share": size}
        made.append(Group(name=f"g{i}", **key))
    return tuple(made)


@pytest.mark.parametrize(
    ("total", "asked", "loads", "expected"),
    [
        (None, (None,), 13, [13]),
        (None, (110, 1), 13, [110, 1]),
        (None, (1, None), 13, [1, 12]),
        (100, (0.5, 0.25, 0.25), 13, [50, 25, 25]),
        (10, (0.333, 0.333, 0.334), 13, [3, 3, 4]),
        (12, (1, 0.5, None), 13, [1, 6, 5]),
    ],
)
def test_groups_add_up(total, asked, loads, expected):
    sizes = group_sizes(Households(count=total, groups=groups(*asked)), loads)
    assert sizes == expected


@pytest.mark.parametrize(
    ("total", "asked"), [(10, (11,)), (10, (0.5,)), (2, (2, None)), (10, (0.5, 0.01, None))]
)
def test_groups_that_do_not_add_up_are_refused_with_numbers(total, asked):
    if (total, asked) == (10, (0.5, 0.01, None)):
        asked = (0.99, 0.01, None)
    with pytest.raises(ScenarioError, match=r"households\.groups: the groups do not add up; got 'g0: "):
        group_sizes(Households(count=total, groups=groups(*asked)), 13)


def test_draws_follow_their_law():
    rng = stream(1, "test")
    assert draw(4.0, 3, rng).tolist() == [4.0, 4.0, 4.0]
    even = draw(Uniform(min=2.0, max=3.0), 10_000, rng)
    assert 2.0 <= even.min() < 2.01
    assert 2.99 < even.max() <= 3.0
    skewed = draw(Lognormal(median=3000.0, sigma=0.45), 10_000, rng)
    assert np.median(skewed) == pytest.approx(3000.0, rel=0.03)
    assert np.log(skewed).std() == pytest.approx(0.45, rel=0.03)


def test_a_larger_share_keeps_those_who_owned_before():
    rank = ranks(50, stream(1, "test"))
    assert sorted(rank) == list(range(50))
    few, many = owners(0.2, rank), owners(0.6, rank)
    assert (few.sum(), many.sum()) == (10, 30)
    assert not (few & ~many).any()


def test_those_put_first_own_first():
    solar = np.arange(50) % 2 == 0
    has = owners(0.4, ranks(50, stream(1, "test"), first=solar))
    assert has.sum() == 20
    assert not (has & ~solar).any()


def test_homes_go_to_their_buses_or_to_one_load_after_another():
    named = Group(name="a", buses=("south",))
    free = Group(name="b")
    names = ("substation", "north", "south")
    buses = place_homes([(named, 1), (free, 4)], np.array([1, 2]), names, seed=1)
    assert buses[0] == 2
    assert sorted(buses[1:]) == [1, 1, 2, 2]
    with pytest.raises(
        ScenarioError, match=r"groups\[0\]\.buses: unknown bus; got 'sout'.*did you mean 'south'"
    ):
        place_homes([(Group(name="a", buses=("sout",)), 1)], np.array([1]), names, seed=1)
    with pytest.raises(ScenarioError, match="not one bus a home; got 1; expected 2 buses"):
        place_homes([(named, 2)], np.array([1]), names, seed=1)
