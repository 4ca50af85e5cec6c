"""Numbers, states and verdicts as people read them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from app import panels, tables, words
from catalyst_core.figures import verdicts
from catalyst_core.frames import filters_frame, ledger_frame, ledger_summary
from catalyst_core.frames.view import RaceView
from tests import synthetic


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (float("nan"), "–"), (0.4, "0 s"), (73.2, "1 min 13 s"), (7321, "2 h 2 min")]
)
def test_durations(seconds, text):
    assert words.clock(seconds) == text


def test_ages_sizes_and_percentages():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert words.age(now - timedelta(seconds=5), now) == "5 s"
    assert words.age(None) == "–"
    assert [words.size(count) for count in (12, 1300, 250_000, 4_200_000, 3e9)] == [
        "12 B",
        "1.3 kB",
        "250 kB",
        "4.2 MB",
        "3.0 GB",
    ]
    assert (words.percent(0.9725, 1), words.percent(None)) == ("97.2 %", "–")


def test_every_state_has_words():
    race = synthetic.MemoryStore().create(synthetic.config())
    assert "5 queued" in words.state(race)
    assert set(words.STATES) == set(words.WHAT_NOW)
    assert words.doing(race.runs[1]) == "◌ queued, place 2"


def test_what_others_wrote_is_escaped():
    assert panels.plain("<b>*x*</b>") == r"\<b\>\*x\*\</b\>"


def test_the_status_lines_escape_html():
    store = synthetic.MemoryStore()
    race = synthetic.half_race(store)
    table = panels.status_table(race.runs, datetime.now(UTC), "light")
    assert table.count("data-testid='contender'") == 5
    assert "sparse training" in table
    assert "dense training" in table


def summary_of(**accuracies):
    """A `ledger_summary` of one race with these mean fine-tuned accuracies, and deviations where a pair is given."""
    ledger = ledger_frame(synthetic.whole_race(synthetic.MemoryStore()))
    summary = ledger_summary(ledger).set_index("label")
    for label, value in accuracies.items():
        mean, std, seeds = value if isinstance(value, tuple) else (value, np.nan, 1)
        summary.loc[label, ["finetuned_accuracy", "finetuned_accuracy_std", "seeds"]] = [mean, std, seeds]
    return summary.reset_index()


def test_the_favourite_may_lose():
    said = verdicts.verdicts(summary_of(catalyst=0.950, l1=0.962))
    assert "After fine-tuning: L1 (96.2 %), ahead of Catalyst (95.0 %) by 1.2 points; one seed" in " ".join(said).replace(
        "After fine-tuning: Group", ""
    ) or any("ahead of Catalyst" in sentence for sentence in said)


def test_a_lead_within_chance_is_called_so():
    values = dict.fromkeys(("group_lasso", "none", "random"), (0.5, 0.01, 3))
    near = verdicts.verdicts(summary_of(catalyst=(0.960, 0.02, 3), l1=(0.955, 0.02, 3), **values))
    far = verdicts.verdicts(summary_of(catalyst=(0.960, 0.002, 3), l1=(0.930, 0.002, 3), **values))
    assert any("3 seeds, not more than two standard errors apart" in sentence for sentence in near)
    assert any("3 seeds, more than two standard errors apart" in sentence for sentence in far)


def test_the_cut_is_judged_by_its_certificate():
    said = verdicts.verdicts(summary_of())
    assert any(sentence.startswith("The cut itself changed nothing for Catalyst:") for sentence in said)
    assert any("L1, Group Lasso, Magnitude cut and Random cut by up to 3.7" in sentence for sentence in said)


def test_the_ledger_says_who_is_best_in_words():
    table = tables.ledger_table(summary_of(l1=0.999))
    best = dict(zip(table["Contender"], table["Best at"], strict=True))
    assert "post-prune" in best["Catalyst"]
    assert "fine-tuned" in best["L1"]
    assert table["Race"].nunique() == 1 if "Race" in table else True


def test_layers_and_another_budget():
    store = synthetic.MemoryStore()
    race = synthetic.whole_race(store)
    view = RaceView(store, race.id)
    view.refresh()
    filters = filters_frame(view, panels.last_undecided(next(iter(view.records.values()))))
    mine = filters[filters["run"] == race.runs[0].id]
    layers = tables.layer_table(mine)
    assert layers["Channels"].tolist() == list(synthetic.GROUPS.values())
    assert (layers["Kept"] + layers["Pruned"] == layers["Channels"]).all()
    half, most = (tables.what_if(mine, ratio) for ratio in (0.5, 0.1))
    assert half["Would stay"].tolist() == [16, 32, 32]
    for few, many in zip(half["Channels that would stay"], most["Channels that would stay"], strict=True):
        assert set(few.split(", ")) < set(many.split(", "))


def test_no_number_is_a_dash():
    empty = ledger_summary(ledger_frame(synthetic.MemoryStore().create(synthetic.config())))
    table = tables.ledger_table(empty)
    assert (table["Fine-tuned"] == "–").all()
    assert verdicts.verdicts(empty) == []
    assert isinstance(table, pd.DataFrame)
