"""What others' code said, inside of our sentences."""

import pytest

from catalyst_core.errors import TOLD, told

SAID = {
    "one line": (ValueError("no such size"), "ValueError: no such size"),
    "nothing": (ValueError(), "ValueError"),
    "a key": (KeyError("one\x1b[31m"), "KeyError: one\\x1b[31m"),
    "lines that fit": (
        RuntimeError("Error(s) in Net:\n\n\tsize mismatch for fc"),
        "RuntimeError: Error(s) in Net: size mismatch for fc",
    ),
    "lines that do not": (RuntimeError("first\n" + "x" * TOLD), "RuntimeError: first"),
    "a long line": (RuntimeError("x" * 900), f"RuntimeError: {'x' * TOLD}..."),
}


@pytest.mark.parametrize("name", SAID)
def test_what_others_code_raised_is_told_in_one_line(name):
    error, said = SAID[name]
    assert told(error) == said
