"""Closed by default: no call that runs what it reads, no markup but our own, and one sentence for everything hostile."""

import ast
import os
import re
import socket
import tomllib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalyst_core import shelf
from catalyst_core.config import DataConfig, RaceConfig
from catalyst_core.data import check_data
from catalyst_core.errors import CatalystError, ConfigError, DataError, NotFoundError
from catalyst_core.store import open_store
from tests.cli.refusal import refusal

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted(path for folder in ("app", "pages", "catalyst_core", "docs") for path in (ROOT / folder).rglob("*.py"))
SENTENCE = 400  # characters, at most; a path of the machine may be among them
LONG = "x" * 10_000
MARKUP = "<script>alert(1)</script>![x](https://evil.example/x.png)"
TURNED = "abc\u202egnp.exe"  # written from right to left after the mark

FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.hub.load"}
# Markup: each was read for what it lets in.
OURS = ("context.STYLE", "panels.status_table(", "tables.html_table(", "f\"<span data-testid='tick'")
OUR_SQL = ("f\"VACUUM {', '.join(metadata.tables)}\"",)  # the names of our own tables


def name_of(node):
    """'a.b.c' for a dotted name; '?' stands for what is no name."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def dangers(source):
    """What in a source could run, read or show something that somebody else wrote, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            found += [(node.lineno, name) for name in names if name.partition(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.Call):
            found += [(node.lineno, why) for why in dangers_of_call(node)]
    return found


def dangers_of_call(node):
    """Why one call must not be there."""
    name, last = name_of(node.func), name_of(node.func).rpartition(".")[2]
    true = {one.arg for one in node.keywords if isinstance(one.value, ast.Constant) and one.value.value is True}
    first = ast.unparse(node.args[0]) if node.args else ""
    put_together = bool(node.args) and isinstance(node.args[0], ast.JoinedStr | ast.BinOp | ast.Call)
    if name in FORBIDDEN_CALLS:
        yield name
    if name == "torch.load" and "weights_only" not in true:
        yield "torch.load without weights_only"
    if true & {"allow_pickle", "shell", "unsafe_allow_html", "unsafe_allow_javascript"}:
        yield "a switch that lets others in"
    if last == "html" and not first.startswith(OURS):
        yield "markup that nobody has looked at"
    if (name in ("text", "sqlalchemy.text") or last == "exec_driver_sql") and put_together and first not in OUR_SQL:
        yield "SQL that is put together"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_runs_or_shows_what_others_wrote(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import load",
        "eval(x)",
        "os.system(x)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "torch.load(p, weights_only=flag)",
        "np.load(p, allow_pickle=True)",
        "subprocess.run(x, shell=True)",
        "st.markdown(x, unsafe_allow_html=True)",
        "st.html(race.title)",
        "connection.execute(text(f'SELECT {x}'))",
        "connection.exec_driver_sql('DROP ' + x)",
        "connection.exec_driver_sql('DROP {}'.format(x))",
    ],
)
def test_the_sweep_can_fail(source):
    assert dangers(source)
    assert dangers("torch.load(p, weights_only=True)\nnp.load(p)\ntext('SELECT 1')\nmodel.eval()\nsubprocess.run([x])") == []


def test_the_server_keeps_its_guards_up():
    server = tomllib.loads((ROOT / "app" / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["server"]
    assert (server["address"], server["enableCORS"], server["enableXsrfProtection"]) == ("localhost", True, True)
    assert server["maxUploadSize"] * shelf.MIB == shelf.LARGEST
    assert not server.get("enableAgentApi", False)
    assert "app/.streamlit/secrets.toml" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def sane(error):
    """A sentence: one line, of a length that somebody reads, with nothing in it that a terminal or a reader trips over."""
    text = str(error).strip()
    assert len(text) <= SENTENCE + len(os.environ.get("CATALYST_DATA", ""))
    assert text.isprintable()
    return text


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A sound image folder below a data root, with something outside of the root beside it."""
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path / "data"))
    for place in ("data/pets/cat", "data/pets/dog", "outside/cat", "outside/dog"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(np.full((8, 8), 40 * number, np.uint8)).save(tmp_path / place / f"{number}.png")
    check_data(DataConfig(name="folder", folder="pets"))
    return tmp_path / "data" / "pets"


def refused(folder):
    """The sentence with which a folder is refused."""
    with pytest.raises(CatalystError) as found:
        check_data(RaceConfig.build(data={"name": "folder", "folder": folder}).data)
    assert isinstance(found.value, ConfigError | DataError)
    return sane(found.value)


FOLDERS = {
    "../outside": "leads out of the data root",
    "pets/../../outside": "leads out of the data root",
    "/etc": "leads out of the data root",
    "linked": "leads out of the data root",
    "round": "not a path that can be followed",
    "pets\0": "U\\+0000",
    "pets\n": "U\\+000A",
    TURNED: "U\\+202E",
    MARKUP: "no folder",
    "p" * 400: "cannot be read|no folder",
    LONG: "at most 400 characters",
    "\ud800": "unicode|surrogate",
}


@pytest.mark.parametrize("folder", FOLDERS, ids=ascii)
def test_an_image_folder_cannot_lead_anywhere_else(folder, pets):
    (pets.parent / "linked").symlink_to(pets.parent.parent / "outside")
    (pets.parent / "round").symlink_to(pets.parent / "round")
    assert re.search(FOLDERS[folder], refused(folder))


def test_what_is_no_image_is_not_opened(pets):
    """Opening a pipe would wait for ever, a device never ends."""
    trap = pets / "cat" / "x.png"
    os.mkfifo(trap)
    assert "'cat/x.png' is a pipe" in refused("pets")
    trap.unlink()
    trap.symlink_to("/dev/zero")
    assert "leads out of the data root" in refused("pets")
    trap.unlink()
    with socket.socket(socket.AF_UNIX) as held:
        where = os.open(trap.parent, os.O_RDONLY)
        held.bind(f"/proc/self/fd/{where}/x.png")  # the whole path may be too long for a socket
        os.close(where)
        assert "is a pipe, a socket" in refused("pets")
    trap.unlink()
    trap.symlink_to(pets.parent.parent / "outside" / "cat" / "0.png")
    assert "leads out of the data root" in refused("pets")


def test_names_of_files_are_shown_as_text(pets):
    for path in (pets / "dog").iterdir():
        path.unlink()
    for number in range(5):
        (pets / "dog" / f"{MARKUP.replace('/', ' ')}\x1b[2J\u202e{number}.png").write_text("no image")
    assert "none of the images of class 'dog' can be read" in refused("pets")
    (pets / "dog").rename(pets / f"do\ng{'g' * 200}")
    assert "do\\ngg" in refused("pets")


HOSTILE = {
    "markup": MARKUP,
    "long": LONG,
    "escape": "\x1b[2J\x1b[31mred",
    "turned": TURNED,
    "lines": "one\ntwo",
    "surrogate": "\udcff",
    "emoji": "🐈" * 200,
    "path": "../../etc/passwd",
    "sql": "x' OR 1=1; DROP TABLE races; --",
}
OPTIONS = (
    "--methods",
    "--title",
    "--dataset",
    "--model",
    "--folder",
    "--seeds",
    "--strength",
    "--solver",
    "--pruning-ratio",
    "--x",
)
HARMLESS = {("--title", "markup"), ("--title", "path"), ("--title", "sql")}  # names for people, shown as text


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("option", OPTIONS)
def test_hostile_options_are_one_sentence_and_nothing_is_made(option, kind, capsys, catalyst_home):
    if (option, kind) in HARMLESS:
        assert RaceConfig.build(title=HOSTILE[kind]).title == HOSTILE[kind]
        return
    data = ["--dataset", "folder"] if option == "--folder" else []
    said = sane(refusal(capsys, ["race", *data, f"{option}={HOSTILE[kind]}"]))
    assert LONG[:100] not in said
    with closing(open_store()) as store:
        assert store.races() == []


@pytest.mark.parametrize("command", ["show", "stop", "resume", "export"])
@pytest.mark.parametrize("kind", [*HOSTILE, "zero"])
def test_hostile_race_ids_are_one_sentence(command, kind, capsys, tmp_path):
    given = {**HOSTILE, "zero": "ab\0"}[kind]
    words = [command, given] + ["--out", str(tmp_path / "out")] * (command == "export")
    assert re.search("none in|unrecognized|expected", sane(refusal(capsys, words)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_contender_settings_are_one_sentence(kind):
    for fields in ({"variant": HOSTILE[kind]}, {"solver": HOSTILE[kind]}, {HOSTILE[kind]: 1}, {"strength": HOSTILE[kind]}):
        with pytest.raises(ConfigError) as found:
            RaceConfig.build(methods=[{"name": "l1", **fields}])
        sane(found.value)


@pytest.mark.parametrize("kind", ["long", "escape", "turned", "lines"])
def test_a_race_cannot_be_renamed_to_what_nobody_can_read(kind, catalyst_home):
    with closing(open_store()) as store:
        race = store.create_race(RaceConfig.build(title="Mine"))
        with pytest.raises(ConfigError) as found:
            store.rename(race, HOSTILE[kind])
        sane(found.value)
        with pytest.raises(NotFoundError) as found:
            store.race(HOSTILE[kind])
        sane(found.value)
        assert store.race(race).title == "Mine"
