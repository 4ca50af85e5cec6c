"""What strangers call their classes and networks stays text."""

import pytest

from catalyst_core.deploy.card import card
from catalyst_core.deploy.facts import Facts, Line

RECORD = {
    "image": [3, 8, 8],
    "dtype": "float32",
    "classes": 2,
    "widths": {},
    "rounding": None,
    "checked_on": {"images": 5, "of": "images", "batches": [1, 5]},
    "checks": {},
    "accuracy": None,
    "cost": {"pruned": {"macs": 1, "params": 2, "bytes": 3}},
    "latency": [],
    "files": {"network.json": 12},
    "warnings": [],
    "versions": {"catalyst": "1"},
}
HOSTILE = "a\n# \x1b[31m\u202eb | <img src=x onerror=y> [z](javascript:z) `c` *d*"
SAFE = r"a\\n\# \\x1b\[31m\\u202eb \| &lt;img src=x onerror=y&gt; \[z\](javascript:z) \`c\` \*d\*"


@pytest.mark.parametrize(
    "facts",
    [
        Facts(title=HOSTILE),
        Facts(about={"data set": HOSTILE}),
        Facts(ledger=(Line("what", HOSTILE, "why"),)),
        Facts(classes=(HOSTILE, "b")),
        Facts(mean=(0.0,), std=(1.0,), pixels=HOSTILE),
        Facts(notes=(HOSTILE,)),
    ],
)
def test_what_is_given_is_text_and_no_markup(facts):
    page = card(facts, RECORD)
    assert SAFE in page
    assert "<img" not in page
    assert "\n# b" not in page


def test_without_facts_there_are_no_empty_sections():
    page = card(Facts(), RECORD)
    assert page.startswith("# Catalyst model: a pruned network\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Files",
        "## Images and classes",
        "## Size",
        "## Versions",
    ]
    assert "| | |" not in page.replace("  ", " ")


def test_widths_that_are_multiples_already_are_said_to_be():
    rounding = {"multiple": 8, "channels_back": 0, "max_abs_logit_change": 0.0, "max_abs_logit_change_float32": 0.0, "images": 5}
    assert "Nothing was rounded: every width is a multiple of 8 as it is" in card(Facts(), {**RECORD, "rounding": rounding})
