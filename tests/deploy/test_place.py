"""Folders and zips that appear whole or not at all."""

import zipfile

import pytest

from catalyst_core.deploy.place import SIGN, placing
from catalyst_core.errors import ConfigError

NAMES = ("model", "model.zip")


def write(out, text):
    with placing(out) as folder:
        (folder / "README.md").write_text(f"{SIGN}: {text}\n")
        (folder / "network.json").write_text(text)


def write_half(out):
    with placing(out) as folder:
        (folder / "README.md").write_text("half")
        raise ZeroDivisionError


def content(out):
    if out.suffix != ".zip":
        return {file.name: file.read_text() for file in out.iterdir()}
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        return {name.removeprefix("model/"): archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_written_and_an_earlier_one_is_replaced(tmp_path, name):
    out = tmp_path / "new" / name
    write(out, "one")
    assert content(out) == {"README.md": f"{SIGN}: one\n", "network.json": "one"}
    write(out, "two")
    assert content(out)["network.json"] == "two"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_goes_wrong_leaves_everything_as_it_was(tmp_path, name):
    out = tmp_path / name
    write(out, "one")
    with pytest.raises(ZeroDivisionError):
        write_half(out)
    assert content(out)["network.json"] == "one"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda out: out.mkdir() or (out / "thesis.tex").write_text("x"), "model"),
        (lambda out: out.mkdir() or (out / "README.md").write_text("# Another model"), "model"),
        (lambda out: out.write_text("x"), "model"),
        (lambda out: out.write_text("x"), "model.zip"),
        (lambda out: out.mkdir(), "model.zip"),
        (lambda out: zipfile.ZipFile(out, "w").close(), "model.zip"),
    ],
)
def test_what_is_no_export_is_left_alone(tmp_path, make, name):
    out = tmp_path / name
    make(out)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="earlier export of a model"):
        write(out, "one")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "model").mkdir()
    write(tmp_path / "model", "one")
    assert content(tmp_path / "model")["network.json"] == "one"


def test_a_place_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(tmp_path / "file" / "model", "one")
