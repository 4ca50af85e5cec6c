"""docs/watch_digits.py runs as a script, and what it leaves in the store is a whole race."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "docs" / "watch_digits.py"


def test_the_recipe_prunes_half_losslessly_and_leaves_a_finished_race(store):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-m", "docs.watch_digits"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert (done.returncode, done.stderr) == (0, "")
    race = store.newest_race()
    change, place = re.fullmatch(r"lossless: .* by (\S+) at most\nin the dashboard: (\S+)\n", done.stdout).groups()
    assert place == f"http://localhost:8501/?race={race.id}"
    run = race.runs[0]
    assert (race.title, race.state, run.step, run.total_steps) == ("digits, a loop of my own", "completed", 500, 500)
    assert f"{run.ledger['max_abs_logit_change']:.1e}" == change
    assert run.ledger["max_abs_logit_change"] <= 1e-10
    assert run.ledger["channels_pruned"] == 80
    for column in ("dense", "sparse", "post_prune", "finetuned"):
        assert run.ledger[f"{column}_accuracy"] > 0.95
    assert run.ledger["post_prune_accuracy"] == run.ledger["sparse_accuracy"]
    looked = store.events(run.id, kinds=["evaluated"])
    assert [one.event.step for one in looked if one.event.split == "validation"] == list(range(1, 400, 50))


def test_the_recipe_stays_short():
    assert len(RECIPE.read_text(encoding="utf-8").splitlines()) < 100
