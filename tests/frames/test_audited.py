import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalyst_core import audits, frames
from catalyst_core.frames import RaceView
from catalyst_core.frames.audited import wilson
from tests import synthetic


@pytest.fixture(scope="module")
def filters():
    store = synthetic.MemoryStore()
    view = RaceView(store, synthetic.whole_race(store, synthetic.config(seeds=(0, 1))).id)
    view.refresh()
    return frames.filters_frame(view, until_cut=True)


def one_run(filters, label="l1"):
    run = filters[(filters["label"] == label) & (filters["seed"] == 0)]
    return run, run["group"].cat.codes.to_numpy()


def test_gap_is_the_audits_gap(filters):
    run, groups = one_run(filters)
    gaps = frames.gap_frame(filters)
    mine = gaps[(gaps["label"] == "l1") & (gaps["seed"] == 0)]["gap"].item()
    assert mine == audits.decision_gap(run["magnitude"].to_numpy(), run["kept"].to_numpy(), groups)
    assert len(gaps) == 10


def test_there_is_no_gap_after_the_cut(filters):
    later = filters.assign(stage="finetune")
    assert frames.gap_frame(later)["gap"].isna().all()
    assert len(frames.flip_frame(later)) == 0


def test_correlation_is_the_audits_correlation(filters):
    run, groups = one_run(filters)
    rho = frames.correlation_frame(filters)
    mine = rho[(rho["label"] == "l1") & (rho["seed"] == 0)]["correlation"].item()
    assert mine == audits.magnitude_bias(run["initial"].to_numpy(), run["kept"].to_numpy(), groups, draws=0).correlation


def test_the_interval_of_the_correlation_is_the_audits(filters):
    run, groups = one_run(filters)
    rho = frames.correlation_frame(filters, draws=60, seed=3)
    mine = rho[(rho["label"] == "l1") & (rho["seed"] == 0)].iloc[0]
    wanted = audits.magnitude_bias(run["initial"].to_numpy(), run["kept"].to_numpy(), groups, draws=60, seed=3)
    assert audits.Bias(*mine[["correlation", "low", "high", "auc"]]) == wanted


def test_a_run_whose_magnitudes_are_no_numbers_has_no_audit_and_breaks_none(filters):
    broken = filters.assign(magnitude=filters["magnitude"].where(filters["label"] != "l1"))
    for frame, column in ((frames.gap_frame(broken), "gap"), (frames.correlation_frame(broken), "auc")):
        assert set(frame.loc[frame[column].isna(), "label"]) >= {"l1"}
        assert frame.loc[frame["label"] == "none", column].notna().all()
    assert "l1" not in set(frames.flip_frame(broken, draws=5)["label"])


def test_flips_use_the_catalyst_variable_where_there_is_one(filters):
    run, groups = one_run(filters, "catalyst")
    flips = frames.flip_frame(filters, draws=50, seed=1)
    mine = flips[(flips["label"] == "catalyst") & (flips["seed"] == 0)]
    given = (run["magnitude"].to_numpy(), run["catalyst"].to_numpy(), run["kept"].to_numpy(), groups)
    wanted = audits.flip_curve(*given, mine["eps"].to_numpy(), noisy_limits=True, draws=50, seed=1)
    assert list(mine["flipped"]) == list(wanted)
    assert set(mine["draws"]) == {50}


def test_a_random_cut_has_no_limit_and_so_no_flips(filters):
    assert set(frames.flip_frame(filters, draws=5)["label"]) == {"catalyst", "l1", "group_lasso", "none"}


def test_survival_counts_every_channel_once_and_spots_a_magnitude_cut(filters):
    survival = frames.survival_frame(filters)
    assert survival["channels"].sum() == len(filters)
    assert survival["kept"].sum() == filters["kept"].sum()
    assert ((survival["low"] <= survival["share"]) & (survival["share"] <= survival["high"])).all()
    cut = survival[survival["label"] == "none"].sort_values("percentile")
    assert list(cut["share"]) == sorted(cut["share"])
    assert (cut["share"].iloc[0], cut["share"].iloc[-1]) == (0, 1)


@given(st.integers(0, 40), st.integers(1, 40))
def test_wilson_holds_the_share_and_lies_in_0_1(hits, more):
    trials = hits + more
    low, high = wilson(np.array([float(hits)]), np.array([float(trials)]))
    assert 0 <= low[0] <= hits / trials + 1e-12
    assert hits / trials - 1e-12 <= high[0] <= 1


def test_wilson_against_a_published_value():
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I: 81 of 263 and 0 of 20.
    low, high = wilson(np.array([81.0, 0.0]), np.array([263.0, 20.0]))
    assert np.allclose(low, [0.2553, 0.0], atol=5e-5)
    assert np.allclose(high, [0.3662, 0.1611], atol=5e-5)
