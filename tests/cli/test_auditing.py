"""`audit` and `bench audits`: the same figures as text and as JSON, on races that are small or made up."""

import json

import pytest

from catalyst_core.cli import main
from catalyst_core.cli.report import table
from catalyst_core.config import RaceConfig
from catalyst_core.frames import audit_race
from catalyst_core.store import Process
from tests import synthetic
from tests.cli.refusal import refusal

TINY = "--train-images 100 --dense-epochs 1 --sparse-epochs 2".split()


def printed(capsys, *words):
    code = main([*words])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


@pytest.fixture
def race(store):
    """A race in a real store: Catalyst and a random cut have finished, L1 waits."""
    race_id = store.create_race(RaceConfig.build(methods=[{"name": name} for name in ("catalyst", "random", "l1")]))
    for place, run in enumerate(store.race(race_id).runs[:2]):
        store.claim(run.id, Process(place + 1, 1.0, "another-host"), slots=1)
        store.append(run.id, list(synthetic.run_events(run.config)))
    return store.race(race_id)


def test_audit_run_prints_the_reports_of_every_contender(capsys, store, race):
    found = json.loads(printed(capsys, "audit", "run", race.id[:5], "--json"))
    assert found["race"] == race.id
    catalyst, random, waiting = found["runs"]
    (report, *_) = audit_race(store, race.id)
    assert catalyst["gap"] == report.gap
    assert catalyst["bias"] == {
        "correlation": report.bias.correlation,
        "low": report.bias.low,
        "high": report.bias.high,
        "auc": report.bias.auc,
    }
    assert catalyst["flips"] == [{"eps": eps, "share": share} for eps, share in report.flips]
    assert catalyst["certificate"]["images"] == 360
    assert (random["flips"], random["flip_point"]) == ([], None)
    assert (waiting["state"], waiting["channels"], waiting["gap"], waiting["certificate"]) == ("queued", None, None, None)


def test_audit_run_is_a_table_with_a_dash_where_there_is_no_number(capsys, race):
    lines = printed(capsys, "audit", "run", race.id).splitlines()
    assert race.id in lines[0]
    assert lines[1].split()[:2] == ["method", "seed"]
    assert [line.split()[0] for line in lines[2:]] == ["catalyst", "random", "l1"]
    assert lines[4].split()[2] == "-"


def test_audit_rescale_says_what_a_planting_did_to_each_method(capsys, catalyst_home):
    found = json.loads(
        printed(capsys, "audit", "rescale", "--methods", "catalyst:canonicalize=true", "--seeds", "0,1", *TINY, "--json")
    )
    assert (found["dataset"], found["model"], found["pruning_ratio"], found["seeds"]) == ("digits", "cnn", 0.5, [0, 1])
    kinds = [(one["method"], one["factors"]) for one in found["results"]]
    assert kinds == [("catalyst canonical", "powers_of_two"), ("catalyst canonical", "any")]
    exact = found["results"][0]
    assert (exact["identical"], exact["bit_identical"], exact["jaccard"], exact["max_abs_logit_change"]) == (True, True, 1, 0)
    assert [one["seed"] for one in exact["each"]] == [0, 1]
    assert exact["each"][0].keys() == exact.keys() - {"method", "factors", "each"} | {"seed"}


def test_audit_rescale_is_a_table(capsys, catalyst_home):
    lines = printed(capsys, "audit", "rescale", "--methods", "none", "--seeds", "3", *TINY).splitlines()
    assert [line.split()[0] for line in lines] == ["method", "none", "none"]


def test_a_network_of_ones_own_is_audited_and_what_it_prints_is_not_in_the_json(capsys, printing):
    given = ["--model", "printing", "--normalisation", "half", "--methods", "none", "--seeds", "3"]
    found = json.loads(printed(capsys, "audit", "rescale", *given, *TINY, "--json"))
    assert (found["model"], len(found["results"])) == ("printing", 2)


def test_bench_audits_times_every_audit(capsys):
    found = json.loads(printed(capsys, "bench", "audits", "--draws", "2", "--json"))
    assert found["seconds"].keys() == {"decision_gap", "margins", "flip_curve", "flip_point", "magnitude_bias"}
    assert (found["channels"], found["groups"], found["draws"]) == (10_000, 50, 2)
    assert "magnitude_bias" in printed(capsys, "bench", "audits", "--draws", "2")


WRONG = {
    "audit run nowhere": "none in",
    "audit rescale --methods random": "looks at no filter",
    "audit rescale --methods nothing": "'nothing'",
    "audit rescale --seeds x": "comma-separated",
    "audit rescale --pruning-ratio 1": "less than 1",
    "audit rescale --dataset nothing": "data.name",
    "bench audits --draws 0": "--draws must lie in",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_sentence_and_exit_code_2(line, capsys, catalyst_home):
    assert WRONG[line] in refusal(capsys, line.split())


@pytest.mark.parametrize("words", [("audit", "run"), ("audit", "rescale")])
def test_help_names_the_keys_of_json(words, capsys):
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    said = capsys.readouterr().out
    keys = {
        "run": "channels kept undecided gap smallest_margin median_margin flip_point flips bias certificate",
        "rescale": "method factors correlation low high jaccard identical bit_identical max_abs_logit_change each seeds",
    }
    assert all(key in said for key in keys[words[1]].split())


def test_a_table_without_rows_is_nothing():
    assert table([]) == ""
    assert table([{"a": "1", "long": "2"}]) == "a  long\n1     2"
