"""The README cannot drift: what it shows exists, what exists is in it (test_example.py holds its code)."""

import re
from pathlib import Path

import pytest

from catalyst_core.catalog import DATASETS, METHODS, MODELS
from catalyst_core.cli.parser import build_parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands():
    """The words after `python -m catalyst_core` of every line that the README shows, continued lines joined."""
    lines = README.replace("\\\n", " ").splitlines()
    found = [line.split("#")[0].split()[3:] for line in lines if line.startswith("python -m catalyst_core ")]
    assert len(found) > 8
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_shown_is_understood(words):
    assert build_parser().parse_args(words).command


def test_every_command_page_method_model_and_data_set_is_named():
    shown = {words[0] for words in commands()}
    choices = next(action.choices for action in build_parser()._actions if action.choices)
    assert shown == set(choices)
    for page in (ROOT / "pages").glob("*.py"):
        assert f"| **{page.stem.capitalize()}** |" in README
    for name in (*METHODS, *MODELS, *DATASETS):
        assert f"`{name}`" in README


def test_every_variable_of_the_environment_is_named_and_every_link_leads_somewhere():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "catalyst_core").rglob("*.py"))
    for name in set(re.findall(r"environ\.get\(\"(CATALYST_\w+)\"", sources)):
        assert f"`{name}`" in README
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / target).is_file(), target
