"""What somebody else may have put into a race file: one sentence each, and nothing is left of it."""

import io
import json
import zipfile

import pytest

from catalyst_core.errors import ArchiveError
from catalyst_core.store import open_store
from tests.store.made import travelled


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A race, and the same as a file."""
    store, file = open_store(str(tmp_path_factory.mktemp("made") / "races.db")), io.BytesIO()
    race = travelled(store)
    store.pack(store.packed(race.id, {}), file)
    yield race, file
    store.close()


@pytest.fixture
def store(tmp_path):
    """An empty store in a file: what is refused is refused before any database is asked."""
    opened = open_store(str(tmp_path / "races.db"))
    yield opened
    opened.close()


def changed(packed, **parts):
    """The archive with other parts: text or bytes; None leaves one out."""
    out = io.BytesIO()
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        given = {name: old.read(name) for name in old.namelist()} | parts
        for name, content in given.items():
            if content is not None:
                new.writestr(name, content)
    return out


def said(packed, **fields):
    """race.json with other fields."""
    with zipfile.ZipFile(packed) as old:
        race = json.loads(old.read("race.json"))
    return {"race.json": json.dumps(race | fields)}


def line(race, **body):
    """events.jsonl of one event."""
    event = {"step": 1, "kind": "note", "text": "hello"} | body
    return {"events.jsonl": json.dumps({"run": race.runs[0].id, "time": 1.0, "body": event})}


HOSTILE = {
    "a bomb": (lambda race, packed: {"events.jsonl": b"\n" * 50 * 2**20}, "would take 50 MiB, more than it may"),
    "a way out": (lambda race, packed: {f"files/{race.runs[0].id}/../../x.pt": b""}, "part that no packed race has"),
    "an absolute name": (lambda race, packed: {"/etc/passwd": b""}, "part that no packed race has"),
    "a stranger's file": (lambda race, packed: {"files/abcdabcd-00/pruned.pt": b""}, "belongs to no contender"),
    "a file nobody kept": (lambda race, packed: {f"files/{race.runs[0].id}/checkpoints/x.pt": b""}, "belongs to no contender"),
    "no events": (lambda race, packed: {"events.jsonl": None}, "events.jsonl is missing"),
    "no JSON": (lambda race, packed: {"race.json": b"{"}, "damaged"),
    "no event": (lambda race, packed: line(race, kind="boom"), "damaged"),
    "an event out of range": (lambda race, packed: line(race, step=2**40), "of no step"),
    "a look that does not fit": (
        lambda race, packed: {
            "events.jsonl": zipfile.ZipFile(packed).read("events.jsonl").replace(b'"sizes":[4]', b'"sizes":[9]')
        },
        "does not fit its groups",
    ),
    "a newer schema": (lambda race, packed: said(packed, schema_number=99), "reads up to 3: update"),
    "an id of somebody else": (lambda race, packed: said(packed, race="otherone"), "ids of its contenders"),
    "an id that is a path": (lambda race, packed: said(packed, race="../races"), "damaged at 'race'"),
    "a title nobody can read": (
        lambda race, packed: said(packed, config=race.config.model_copy(update={"title": "a\nb"}).model_dump(mode="json")),
        "cannot be seen",
    ),
    "a time that is none": (lambda race, packed: said(packed, created=float("inf")), "damaged at 'created'"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_one_sentence_and_nothing_is_left(kind, store, made):
    race, packed = made
    make, words = HOSTILE[kind]
    with pytest.raises(ArchiveError, match=words) as caught:
        store.adopt(changed(packed, **make(race, packed)))
    assert "\n" not in str(caught.value)
    assert store.races() == []
    assert not store.files.exists() or list(store.files.iterdir()) == []


def test_a_torn_or_foreign_file_is_one_sentence(store, made, tmp_path):
    whole = made[1].getvalue()
    (tmp_path / "text.race").write_text("no zip at all")
    middle = len(whole) // 2
    spoiled = whole[:middle] + bytes(255 - one for one in whole[middle : middle + 40]) + whole[middle + 40 :]
    for source in (io.BytesIO(whole[:middle]), io.BytesIO(b""), io.BytesIO(spoiled), tmp_path / "text.race", tmp_path / "none"):
        with pytest.raises(ArchiveError):
            store.adopt(source)
