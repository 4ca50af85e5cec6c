"""The README's table is made from a stored ledger, and nothing else can stand in its place."""

import json
from pathlib import Path

import pytest

from catalyst_core.bench.ledger import readme
from catalyst_core.bench.ledger.summary import summarise
from catalyst_core.cli import main
from tests.bench import made
from tests.cli.refusal import refusal

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "docs" / "ledger.json"


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(made.ledger()), encoding="utf-8")
    return path


def test_the_readme_has_the_table_of_the_stored_ledger():
    if not STORED.is_file():
        pytest.skip("docs/ledger.json has not been stored yet")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    between = text[text.index(readme.BEGIN) + len(readme.BEGIN) : text.index(readme.END)]
    assert between.strip() == readme.table(json.loads(STORED.read_text(encoding="utf-8")))


def test_the_table_has_the_numbers_of_the_summary_with_all_that_belongs_beside_them():
    ledger = made.ledger()
    text = readme.table(ledger)
    ours = {row["ratio"]: row for row in summarise(ledger["rows"]) if row["label"] == "catalyst" and row["section"] == "main"}
    for ratio, row in ours.items():
        said = f"{100 * row['post_prune_accuracy']:.1f} ± {100 * row['post_prune_accuracy_std']:.1f}"
        assert f"| Digits, CNN | {100 * ratio:g} % | Catalyst | {100 * row['macs_share']:.1f} % | {said} |" in text
    assert text.count("| Digits, CNN |") == 2 * 6
    for words in (
        ledger["command"],
        "Commit 000000000000",
        "Made-up, 2 cores",
        ledger["written"],
        "seeds 0, 1, 2",
        "8 x 8 pixels.",
    ):
        assert words in text
    assert "Not run: CIFAR-10, CNN (this machine has no accelerator)." in text


def test_the_best_of_several_is_chosen_by_validation():
    rows = made.main_rows()
    for row in rows:
        if row["label"] == "polarization":
            row |= {"post_prune_accuracy": 0.99, "validation": {"post_prune": 0.1, "finetuned": 0.1}}
        if row["label"] == "slimming":
            row |= {"post_prune_accuracy": 0.11, "validation": {"post_prune": 0.99, "finetuned": 0.1}}
    lines = [line for line in readme.table(made.ledger(rows)).splitlines() if "best rival" in line]
    assert len(lines) == 2
    assert all("11.0 ± 0.0 (Slimming)" in line and "Polarization" not in line for line in lines)


def test_one_seed_is_called_no_result():
    assert "no result" in readme.table(made.ledger(made.main_rows(seeds=(0,)), seeds=[0]))


def test_the_command_prints_it_or_puts_it_between_the_marks(stored, tmp_path, capsys):
    assert main(["bench", "table", str(stored)]) == 0
    text = capsys.readouterr().out.strip()
    page = tmp_path / "README.md"
    page.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        assert main(["bench", "table", str(stored), "--into", str(page)]) == 0
        assert page.read_text(encoding="utf-8") == f"before\n{readme.BEGIN}\n{text}\n{readme.END}\nafter\n"


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"rows": [1]}'])
def test_what_is_no_ledger_is_one_sentence(content, tmp_path, capsys):
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    assert "no ledger.json" in refusal(capsys, ["bench", "table", str(tmp_path / "x.json")])
    assert "cannot be read" in refusal(capsys, ["bench", "table", str(tmp_path / "y.json")])


def test_a_file_without_the_marks_is_left_alone(stored, tmp_path, capsys):
    page = tmp_path / "README.md"
    for content in ("nothing", f"{readme.END}\n{readme.BEGIN}", readme.BEGIN * 2 + readme.END):
        page.write_text(content, encoding="utf-8")
        assert "have to be there once each" in refusal(capsys, ["bench", "table", str(stored), "--into", str(page)])
        assert page.read_text(encoding="utf-8") == content
