"""The audits of a finished run are those of plain arrays, on the measurement that its cut was made from."""

import dataclasses

import numpy as np
import pytest

from catalyst_core import audits, frames
from catalyst_core.errors import NotFoundError
from catalyst_core.events import FiltersMeasured, GroupsFound, Pruned, StageStarted
from catalyst_core.frames import unpack
from tests import synthetic


@pytest.fixture(scope="module")
def store():
    made = synthetic.MemoryStore()
    synthetic.whole_race(made, synthetic.config(seeds=(0, 1)))
    return made


def decided(store, run_id):
    """Magnitudes, catalysts, thresholds, kept, group index and initial magnitudes, read off the raw events."""
    events = [stored.event for stored in store.events(run_id)]
    measured = [event for event in events if isinstance(event, FiltersMeasured)]
    (cut,) = (event for event in measured if event.decided)
    sizes = next(event for event in events if isinstance(event, GroupsFound)).sizes
    limits = np.repeat([np.nan if limit is None else limit for limit in cut.thresholds], sizes)
    initial = next(event for event in measured if event.stage != "dense")
    n, kept = unpack(cut.magnitudes), unpack(cut.margins) > 0
    catalysts = None if cut.catalysts is None else unpack(cut.catalysts)
    return n, catalysts, limits, kept, np.repeat(np.arange(len(sizes)), sizes), unpack(initial.magnitudes)


@pytest.mark.parametrize("place", range(5))
def test_every_number_is_what_the_plain_functions_say(store, place):
    run = store.race("00000000").runs[place]
    report = frames.audit_run(store, run.id, draws=60, bootstrap=80, seed=2)
    n, catalysts, limits, kept, groups, initial = decided(store, run.id)
    assert (report.run, report.label, report.method, report.seed) == (run.id, run.label, run.config.method.name, 0)
    assert (report.state, report.channels, report.kept) == ("completed", 160, kept.sum())
    assert report.gap == audits.decision_gap(n, kept, groups)
    np.testing.assert_equal(report.bias, audits.magnitude_bias(initial, kept, groups, draws=80, seed=2))
    given = (n, limits if catalysts is None else catalysts, kept, groups)
    noise = {"noisy_limits": catalysts is not None, "draws": 60, "seed": 2}
    if run.label == "random":
        assert report.flips == ()
        assert np.isnan(report.flip_point)
    else:
        assert report.flip_point == audits.flip_point(*given, **noise)
        eps, shares = zip(*report.flips, strict=True)
        np.testing.assert_array_equal(shares, audits.flip_curve(*given, eps, **noise))


def test_the_certificate_is_the_one_that_the_run_stated(store):
    for run in store.race("00000000").runs:
        (stated,) = (stored.event for stored in store.events(run.id) if isinstance(stored.event, Pruned))
        assert frames.audit_run(store, run.id, draws=5, bootstrap=5).certificate == stated


def test_a_settled_catalyst_has_infinite_margins_and_a_magnitude_cut_finite_ones(store):
    reports = {report.label: report for report in frames.audit_race(store, "00000000", draws=5, bootstrap=5)}
    assert reports["catalyst"].undecided == 0
    assert reports["catalyst"].smallest_margin == np.inf
    assert 0 <= reports["none"].smallest_margin < reports["none"].median_margin < np.inf


def test_a_race_is_audited_run_by_run_in_its_order(store):
    reports = frames.audit_race(store, "00000000", draws=20, bootstrap=20)
    runs = store.race("00000000").runs
    assert [report.run for report in reports] == [run.id for run in runs]
    np.testing.assert_equal(
        dataclasses.asdict(reports[7]), dataclasses.asdict(frames.audit_run(store, runs[7].id, draws=20, bootstrap=20))
    )


def test_channels_that_were_not_settled_are_counted(store):
    mine = synthetic.MemoryStore()
    run = mine.create(synthetic.config(methods=({"name": "catalyst"},))).runs[0]
    population = synthetic.Population(run.config, synthetic.GROUPS)
    mine.append(run.id, GroupsFound(step=0, names=tuple(synthetic.GROUPS), sizes=tuple(synthetic.GROUPS.values())))
    mine.append(run.id, population.look(0, "sparse"), population.look(0, "prune", decided=True))
    report = frames.audit_run(mine, run.id, draws=5, bootstrap=5)
    assert report.undecided == report.channels == 160
    assert np.isfinite(report.smallest_margin)
    assert report.certificate is None


def test_a_run_that_was_never_cut_has_no_numbers():
    store = synthetic.MemoryStore()
    race = synthetic.half_race(store)
    training, queued = (frames.audit_run(store, race.runs[place].id) for place in (0, 4))
    assert (training.state, queued.state) == ("running", "queued")
    for report in (training, queued):
        assert (report.channels, report.undecided, report.certificate, report.flips) == (None, None, None, ())
        assert np.isnan([report.gap, report.flip_point, report.bias.correlation]).all()


def test_what_comes_after_the_cut_changes_no_audit(store):
    mine = synthetic.MemoryStore()
    run = mine.create(synthetic.config(methods=({"name": "l1"},))).runs[0]
    reports = []
    for event in synthetic.run_events(run.config):
        if isinstance(event, StageStarted) and event.stage == "finetune":
            reports.append(frames.audit_run(mine, run.id, draws=9, bootstrap=9))
        mine.append(run.id, event)
    later = frames.audit_run(mine, run.id, draws=9, bootstrap=9)
    assert reports[0] == dataclasses.replace(later, state="running")


def test_a_run_that_is_not_there_is_one_sentence(store):
    with pytest.raises(NotFoundError, match="nowhere"):
        frames.audit_run(store, "nowhere")
