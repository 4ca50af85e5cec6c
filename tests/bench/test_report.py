"""The report: HTML, Markdown and CSV say the same numbers, nothing is left out, and text stays text."""

import csv
import html
import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from catalyst_core.bench.ledger import tables
from catalyst_core.bench.ledger.blocks import Drawing, escaped, html_page, markdown_page
from catalyst_core.bench.ledger.pictures import FIELDS, pictures, varied
from catalyst_core.bench.ledger.report import TOO_FEW, content, write
from catalyst_core.bench.ledger.summary import summarise
from catalyst_core.figures import plotted
from catalyst_core.figures.style import title
from tests.bench import made

NO_WORK = {"rows": [], "studies": [], "audits": [], "curves": [], "timings": []}


def pages(ledger):
    """Both pages, without figures."""
    blocks = [block for block in content(ledger, []) if not isinstance(block, Drawing)]
    return html_page(ledger["title"], blocks, {}), markdown_page(ledger["title"], blocks)


def test_html_markdown_and_csv_agree_on_every_number():
    ledger = made.ledger()
    page, markdown = pages(ledger)
    main_part = markdown[: markdown.index("How strengths were picked")]
    found = pd.read_csv(io.StringIO(tables.summary_csv(ledger["rows"])))
    main = found[found["section"] == "main"]
    assert len(main) == 2 * 19
    for _, row in main.iterrows():
        said = [
            f"{100 * row[name]:.1f} ± {100 * row[f'{name}_std']:.1f}"
            for name in ("sparse_accuracy", "post_prune_accuracy", "recalibrated_accuracy", "finetuned_accuracy")
        ]
        assert "".join(f"<td>{one}</td>" for one in said) in page
        name = escaped(title(row["label"]))
        line = [one for one in main_part.splitlines() if one.startswith(f"| {name} |") and " | ".join(said) in one]
        assert len(line) == 1
        assert f"| {100 * row['macs_share']:.1f} |" in line[0]


def test_every_row_is_in_the_csv_as_measured():
    rows = made.ledger()["rows"]
    found = list(csv.DictReader(io.StringIO(tables.rows_csv(rows))))
    assert len(found) == len(rows)
    for said, row in zip(found, rows, strict=True):
        assert said["post_prune_accuracy"] == str(row.get("post_prune_accuracy", ""))
        assert said["validation_finetuned"] == str(row.get("validation", {}).get("finetuned", ""))
        assert json.loads(said["settings"]) == row["settings"]


def test_failed_contenders_keep_their_row_and_their_reason():
    rows = [made.row(seed=seed) for seed in (0, 1, 2)]
    rows += [made.failed("slimming", seed, "the loss is not finite") for seed in (0, 1, 2)]
    for page in pages(made.ledger(rows)):
        line = next(one for one in re.split(r"\n|<tr>", page) if "Slimming" in one)
        assert "0 of 3" in line
        assert all(f"seed {seed} failed: the loss is not finite" in line for seed in (0, 1, 2))


def test_one_seed_is_called_no_result_in_red():
    ledger = made.ledger(made.main_rows(seeds=(0,)), seeds=[0])
    page, markdown = pages(ledger)
    assert f"<p class='bad'>{TOO_FEW}</p>" in page
    assert f"**{TOO_FEW}**" in markdown
    assert all(TOO_FEW not in page for page in pages(made.ledger()))


def test_several_commits_and_changed_files_are_said():
    rows = [made.row(), made.row(seed=1, commit="1" * 40 + "-dirty")]
    page, _ = pages(made.ledger(rows))
    assert f"The races were run at 2 commits: {'0' * 40}, {'1' * 40}-dirty." in page
    assert "files that differ from the commit" in page


def test_what_was_not_run_is_said_and_an_empty_ledger_has_a_report():
    page, markdown = pages(made.ledger(**NO_WORK))
    for text in (page, markdown):
        assert "CIFAR-10, CNN: this machine has no accelerator" in text
        assert "None of the races that the targets are about has been run." in text


@pytest.mark.parametrize("where", ["note", "title", "reason", "processor", "command"])
def test_text_from_people_and_machines_is_never_markup(where):
    ledger = made.ledger()
    ledger["tasks"][0]["note"] = made.HOSTILE if where == "note" else ""
    ledger["title"] = made.HOSTILE if where == "title" else "Quick"
    ledger["rows"][-1]["reason"] = made.HOSTILE if where == "reason" else ""
    ledger["machine"]["processor"] = made.HOSTILE if where == "processor" else ""
    ledger["command"] = made.HOSTILE if where == "command" else ""
    page, markdown = pages(ledger)
    assert "<script" not in page
    assert html.escape(made.HOSTILE) in page
    if where != "command":  # that stands in a block of code
        assert "<script" not in markdown
        assert escaped(made.HOSTILE) in markdown


@pytest.fixture(scope="module")
def drawn():
    return {one.name: one for one in pictures(made.ledger())}


def test_a_panel_has_no_more_lines_than_can_be_told_apart():
    assert {name: len(names) <= 8 for name, names in FIELDS.items()} == {"rivals": True, "peers": True}


def test_figures_show_the_means_of_the_summary(drawn):
    summary = summarise(made.main_rows())
    shown = plotted(drawn["accuracy_macs_digits_peers"].figure)
    for method in ("catalyst", "none", "tp_magnitude"):
        wanted = sorted((row["macs_share"], row["finetuned_accuracy"]) for row in summary if row["label"] == method)
        mine = shown[(shown["trace"] == title(method)) & (shown["panel"] == "fine-tuned")]
        assert mine[["x", "y"]].to_numpy() / 100 == pytest.approx(np.array(wanted))
    assert {"dense network", "Catalyst", "TP GroupNorm", "Random cut"} <= set(shown["trace"])


def test_curves_begin_behind_the_dense_stage(drawn):
    shown = plotted(drawn["training_digits"].figure)
    mine = shown[(shown["trace"] == "Catalyst") & (shown["panel"] == "steps behind the dense stage")]
    assert list(mine["x"]) == [10, 20, 30, 40, 40, 50, 60, 70, 80]
    assert mine["y"].to_numpy()[[0, 3, 4]] == pytest.approx([62, 74, 40])  # the cut comes after the step before it
    seconds = shown[(shown["trace"] == "Catalyst") & (shown["panel"] == "seconds behind the dense stage")]["x"].to_numpy()
    assert np.diff(seconds) == pytest.approx(np.diff(mine["x"]) / 20)
    trained = [row["train_seconds"] for row in made.main_rows() if (row["label"], row["ratio"]) == ("catalyst", 0.7)]
    assert seconds[-1] == pytest.approx(np.mean(trained))


def test_a_study_knows_what_it_varies():
    rows = summarise(made.study_rows())
    names = {name: varied([row for row in rows if row["section"] == name]).title for name in ("strength", "length", "solver")}
    assert names == {"strength": "strength λ", "length": "epochs of the sparse stage", "solver": "solver"}
    other = [made.row(label="catalyst"), made.row(label="catalyst canonical")]
    assert [varied(summarise(other)).value(row) for row in summarise(other)] == ["default", "canonical"]


def test_files_are_written_and_figures_of_an_earlier_report_go(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").write_bytes(b"")
    rows = made.main_rows(ratios=(0.7,))
    write(made.ledger(rows, studies=[], audits=[], curves=[]), tmp_path)
    names = ("accuracy_macs_digits_rivals", "accuracy_macs_digits_peers", "accuracy_seconds_digits", "accuracy_size_digits")
    kinds = ("svg", "pdf", "png", "csv")
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {f"{name}.{kind}" for name in names for kind in kinds}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(names)
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert json.loads((tmp_path / "ledger.json").read_text(encoding="utf-8"))["rows"] == rows
