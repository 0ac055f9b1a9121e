"""A study as an object: what it shows, and what it says to a wrong question."""

import pytest

import sunshare_sim as ss
from sunshare_sim.errors import ResultError


@pytest.fixture
def study(write, tmp_path):
    return ss.study(write(), out=tmp_path / "out", workers=0, quick=True)


def test_it_is_read_back_equal(study):
    again = ss.Study.load(study.folder)
    for name in ("runs", "kpis", "differences", "variants"):
        assert getattr(again, name).equals(getattr(study, name))
    assert again.file == study.file
    assert again.record == study.record
    assert repr(again) == "<Study 'tiny-study': 3 variants, 2 seeds, 6 of 6 runs finished>"


def test_a_run_and_its_scenario(study):
    assert study.run("dear", 2).scenario.seed == 2
    assert study.scenario("dear").network.charges.within_zone_per_kwh == 0.05
    assert study.run().scenario.market.mechanism == "cda"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (("deer", 1), r"unknown variant; got 'deer'.*did you mean 'dear'"),
        (("dear", 9), "no such seed in this study"),
    ],
)
def test_wrong_questions(study, question, message):
    with pytest.raises(ResultError, match=message):
        study.run(*question)


def test_a_card_for_notebooks(study):
    text = study._repr_html_()
    assert text.count("<tr>") == 1 + len(study.differences)
    assert "<caption>Study &#x27;tiny-study&#x27;: 3 variants, 2 seeds" in text
    assert "What does it cost to trade?" in text
    assert "95% interval" in text


def test_there_is_no_study(tmp_path):
    with pytest.raises(ResultError, match="no such folder"):
        ss.Study.load(tmp_path / "nothing")
    with pytest.raises(ResultError, match="there is no study here"):
        ss.Study.load(tmp_path)


def test_a_worker_does_not_hold_on_to_its_runs(write, tmp_path):
    """What a run made is free when the next begins: nothing of it waits for the garbage collector."""
    import gc

    from sunshare_sim.simulation.state import State
    from sunshare_sim.studies.plan import make_plan
    from sunshare_sim.studies.task import Task, perform

    scenario = make_plan(write()).variants[0].scenario
    gc.disable()
    try:
        for seed in (1, 2):
            assert not perform(Task("base", seed, scenario, tmp_path / str(seed))).error
        assert not [found for found in gc.get_objects() if isinstance(found, State)]
    finally:
        gc.enable()
