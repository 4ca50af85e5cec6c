"""A zip with images from somebody else: what is taken in, and one sentence for each thing that is not; then nothing is left."""

import io
import json
import stat
import struct
import zipfile

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from catalyst_core import unzipped, uploads
from catalyst_core.config import DataConfig
from catalyst_core.data import check_data, load_data
from catalyst_core.engine import room
from catalyst_core.errors import DataError
from catalyst_core.store import open_store

MIB = 2**20


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root that is not there yet."""
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def store(tmp_path):
    opened = open_store(str(tmp_path / "races.db"))
    yield opened
    opened.close()


def _png(number=0):
    out = io.BytesIO()
    array = np.random.default_rng(number).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def _pets(top="pets/", count=10):
    return {f"{top}{kind}/{number}.png": _png(number) for kind in ("cat", "dog") for number in range(count)}


def _zip(parts, **more):
    """An archive of these; a name may be a ZipInfo."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in [*parts.items(), *more.items()]:
            file.writestr(name, content)
    return out


def _names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _left(root):
    """What is below the data root but the lock."""
    return sorted(path.name for path in root.iterdir() if path.name != ".unpack.lock") if root.exists() else []


def test_images_are_taken_in_and_can_be_raced(root, store):
    found = uploads.unpack(store, _zip(_pets()), "my pets")
    assert (found.folder, found.classes, found.images, found.left_out, found.damaged) == ("my pets", 2, 20, 0, 0)
    assert found.bytes == 20 * 4096 == uploads.taken()
    expected = sorted(name.removeprefix("pets/") for name in _pets())
    assert _names(root / "my pets") == [".unpacked.json", *expected]
    assert (root / "my pets" / "cat" / "3.png").read_bytes() == _png(3)
    config = DataConfig(name="folder", folder="my pets")
    check_data(config)
    assert load_data(config).classes == ("cat", "dog")
    assert _left(root) == ["my pets"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (_pets(""), {"cat", "dog"}),
        (_pets("a/b/"), {"cat", "dog"}),
        (_pets("./a/"), {"cat", "dog"}),
        ({name.replace("/", "\\"): content for name, content in _pets().items()}, {"cat", "dog"}),
        (_pets("pets/train/") | _pets("pets/test/"), {"train", "test"}),
        (_pets("train/"), {"cat", "dog"}),
        (_pets("Train/") | _pets("Test/"), {"Train", "Test"}),
    ],
    ids=["bare", "deep", "dot", "windows", "splits", "train", "capitals"],
)
def test_folders_around_all_others_are_left_away(parts, expected, root, store):
    found = uploads.unpack(store, _zip(parts), "pets")
    assert found.classes == 2
    assert {path.name for path in (root / "pets").iterdir() if path.is_dir()} == expected


def test_what_is_no_image_is_left_out_and_counted(root, store):
    more = {
        "pets/readme.txt": b"hello",
        "pets/cat/inner.zip": _zip(_pets()).getvalue(),
        "pets/cat/.hidden.png": _png(),
        "__MACOSX/pets/cat/._0.png": b"x",
        "pets/Thumbs.db": b"\0" * 50 * MIB,  # never inflated
        "pets/stray.png": _png(),
        "cover.jpg": _png(),
        "pets/empty/": b"",
    }
    found = uploads.unpack(store, _zip(_pets() | more), "pets")
    assert (found.images, found.left_out) == (20, 7)
    assert found.told == "pets: 20 images of 2 classes (81.9 kB); left out: 7 other files"
    assert len(_names(root / "pets")) == 21


def test_images_that_hold_none_are_left_out_counted_and_named(root, store):
    parts = _pets() | {f"pets/cat/bad{number}.png": b"<html>" for number in range(7)}
    found = uploads.unpack(store, _zip(parts), "pets")
    assert (found.images, found.damaged, len(found.damaged_names)) == (20, 7, 5)
    assert found.damaged_names[0] == "cat/bad0.png"
    assert found.told.endswith("left out, as damaged: 7 (" + ", ".join(found.damaged_names) + ", ...)")
    assert len(_names(root / "pets")) == 21


def test_a_folder_beside_the_splits_is_named(root, store):
    found = uploads.unpack(store, _zip(_pets("train/") | _pets("Val/") | {"emu/0.png": _png()}), "pets")
    assert found.told == "pets: 41 images of 2 classes (168 kB); left out, beside train/: 'emu'"


def _special(name, mode):
    part = zipfile.ZipInfo(name)
    part.create_system, part.external_attr = 3, mode << 16
    return part


def _patched(parts, at, form, value):
    """The archive with a number of every entry in the list of its parts changed."""
    content = bytearray(_zip(parts).getvalue())
    place = content.find(b"PK\1\2")
    while place >= 0:
        struct.pack_into(form, content, place + at, value)
        place = content.find(b"PK\1\2", place + 1)
    return io.BytesIO(bytes(content))


def _twice():
    out = _zip(_pets())
    with zipfile.ZipFile(out, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("pets/cat/0.png", _png(1))
    return out


def _overlapping():
    """Every entry of the list names the same compressed bytes, as in the bombs that a single layer is enough for."""
    content = _png()
    out, entries = io.BytesIO(), []
    packed = zipfile.zlib.compress(content, 9)[2:-4]
    crc = zipfile.crc32(content)
    for number in range(50):
        name = f"pets/{'cat' if number % 2 else 'dog'}/{number}.png".encode()
        fields = (20, 0, 8, 0, 0, crc, len(packed), len(content), len(name), 0)
        entries.append(struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *fields[:5], *fields[5:8], len(name), 0, 0, 0, 0, 0, 0) + name)
    out.write(struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(packed), len(content), 0, 0) + packed)
    start = out.tell()
    out.write(b"".join(entries))
    out.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 50, 50, out.tell() - start, start, 0))
    return out


HOSTILE = {
    "a way out": (lambda: _zip(_pets() | {"pets/../../out.png": _png()}), "leads out of the folder"),
    "a way out for Windows": (lambda: _zip(_pets() | {"pets\\..\\..\\out.png": _png()}), "leads out of the folder"),
    "an absolute name": (lambda: _zip(_pets() | {"/etc/out.png": _png()}), "leads out of the folder"),
    "a network's name": (lambda: _zip(_pets() | {"\\\\server\\share\\out.png": _png()}), "leads out of the folder"),
    "a drive": (lambda: _zip(_pets() | {"C:/out.png": _png()}), "leads out of the folder"),
    "a drive inside": (lambda: _zip(_pets() | {"pets/c:out.png": _png()}), "leads out of the folder"),
    "a way out of what is left out": (lambda: _zip(_pets() | {"../notes.txt": b""}), "leads out of the folder"),
    "a link": (lambda: _zip(_pets() | {_special("pets/cat/l.png", stat.S_IFLNK | 0o777): b"/etc/passwd"}), "link or a device"),
    "a pipe": (lambda: _zip(_pets() | {_special("pets/cat/p.png", stat.S_IFIFO | 0o644): b""}), "link or a device"),
    "encrypted": (lambda: _patched(_pets(), 8, "<H", 1), "is encrypted: pack it without a password"),
    "a name twice": (_twice, "has 'pets/cat/0.png' twice"),
    "a file and a folder": (
        lambda: _zip(_pets() | {"pets/cat/0.png/1.png": _png()}),
        "has 'pets/cat/0.png' as a file and as a folder",
    ),
    "a name in capitals": (lambda: _zip(_pets() | {"pets/cat/0.PNG": _png()}), "are one name on some machines"),
    "a class in capitals": (lambda: _zip(_pets() | {"pets/Cat/77.png": _png()}), "'pets/Cat' and 'pets/cat' are one name"),
    "composed otherwise": (
        lambda: _zip(_pets() | {"pets/cat/e\u0301.png": _png(), "pets/cat/\u00e9.png": _png()}),
        "are one name on some machines",
    ),
    "a line break": (lambda: _zip(_pets() | {"pets/cat/a\nb.png": _png()}), "cannot be seen"),
    "turned around": (lambda: _zip(_pets() | {"pets/cat/\u202egnp.png": _png()}), "cannot be seen"),
    "a long name": (lambda: _zip(_pets() | {f"pets/cat/{'x' * 250}.png": _png()}), "is too long"),
    "a deep path": (lambda: _zip(_pets() | {f"pets/{'x/' * 20}x.png": _png()}), "is too long"),
    "a bomb": (lambda: _zip(_pets() | {"pets/cat/bomb.bmp": b"\0" * 40 * MIB}), "would take 40 MiB, more than an image may"),
    "parts that overlap": (_overlapping, "its parts overlap each other"),
    "sizes that lie": (lambda: _patched(_pets(), 24, "<L", 300), "damaged, or only a part of one"),
    "a method nobody knows": (lambda: _patched(_pets(), 10, "<H", 77), "by a method (number 77) that is not read"),
    "half of it": (lambda: io.BytesIO(_zip(_pets()).getvalue()[:3000]), "no zip, damaged, or only a part of one"),
    "no zip": (lambda: io.BytesIO(b"\x89PNG"), "no zip, damaged, or only a part of one"),
    "nothing": (lambda: io.BytesIO(b""), "no zip, damaged, or only a part of one"),
    "an empty zip": (lambda: _zip({}), "one folder a class, with images in it"),
    "no images": (
        lambda: _zip({"pets/cat/a.txt": b"", "inner.zip": _zip(_pets()).getvalue()}),
        "one folder a class, with images",
    ),
    "images in no class": (lambda: _zip({f"{number}.png": _png(number) for number in range(20)}), "one folder a class"),
    "one class": (lambda: _zip({name: one for name, one in _pets().items() if "cat" in name}), "'pets' holds one class ('cat')"),
    "a class too small": (lambda: _zip(_pets() | {"pets/emu/0.png": _png()}), "class 'emu' in 'pets' has 1 image; at least 5"),
    "a class of damaged ones": (
        lambda: _zip(_pets() | {f"pets/emu/{number}.png": b"<html>" for number in range(8)}),
        "class 'emu' in 'pets' has no images; at least 5 are needed: add some, or take its folder away (left out, as damaged: 8, "
        "emu/0.png, emu/1.png, emu/2.png, ...)",
    ),
    "classes that do not match": (
        lambda: _zip(_pets("train/") | {"test/emu/0.png": _png()}),
        "class 'emu' is in 'pets/test' but not in the training images",
    ),
    "a poster": (lambda: _zip(_pets() | {"pets/cat/poster.png": _poster()}), "poster.png is larger than 50 megapixels"),
}


def _poster():
    out = io.BytesIO()
    Image.new("1", (10_000, 5_001)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_one_sentence_and_nothing_is_left(kind, root, store):
    make, words = HOSTILE[kind]
    with pytest.raises(DataError) as caught:
        uploads.unpack(store, make(), "pets")
    said = str(caught.value)
    assert words in said
    assert "\n" not in said
    assert len(said) < 300
    assert ".unpack-" not in said
    assert _left(root) == []


def test_too_many_and_too_much(root, store, monkeypatch):
    monkeypatch.setattr(unzipped, "MOST_IMAGES", 19)
    assert "holds 20 images, at most 19" in _refusal(root, store, _zip(_pets()))
    monkeypatch.setattr(unzipped, "MOST_IMAGES", 20)
    monkeypatch.setattr(unzipped, "MOST_OF_ALL", 20 * len(_png()) - 1000)
    assert "more than a zip of its size may" in _refusal(root, store, _zip(_pets()))
    monkeypatch.setattr(unzipped, "MOST_OF_LIST", 500)
    assert "the list of its parts takes" in _refusal(root, store, _zip(_pets()))


def _refusal(root, store, source, name="pets"):
    with pytest.raises(DataError) as caught:
        uploads.unpack(store, source, name)
    assert _left(root) == []
    return str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/x", ".hidden", "a\0", "a\nb", "x" * 81, "a ", "-a", "a\\b"])
def test_names_that_no_folder_gets(name, root, store):
    assert "give 1 to 80 letters" in _refusal(root, store, _zip(_pets()), name)


@pytest.mark.parametrize("make", [lambda at: at.mkdir(), lambda at: at.write_text(""), lambda at: at.symlink_to("nowhere")])
def test_what_is_there_already_is_not_touched(make, root, store):
    root.mkdir()
    make(root / "pets")
    before = (root / "pets").lstat()
    with pytest.raises(DataError, match="already; nothing is overwritten"):
        uploads.unpack(store, _zip(_pets()), "pets")
    assert (root / "pets").lstat().st_ino == before.st_ino
    assert _left(root) == ["pets"]


def test_a_full_disk(root, store, monkeypatch):
    monkeypatch.setattr(room, "bytes_free", lambda folder: 24 * MIB)
    assert "no disk space: " in _refusal(root, store, _zip(_pets()))


def test_a_disk_that_fills_up_meanwhile(root, store, monkeypatch):
    real = unzipped.Zipped.extract

    def extract(self, path, target):
        if path.name == "7.png":
            raise OSError(28, "No space left on device")
        real(self, path, target)

    monkeypatch.setattr(unzipped.Zipped, "extract", extract)
    assert _refusal(root, store, _zip(_pets())) == "folder 'pets': cannot be written (No space left on device)"


def test_the_quota_counts_what_was_unpacked_before(root, store, monkeypatch):
    monkeypatch.setattr(room, "limit_mib", lambda: 1)
    monkeypatch.setattr(type(store), "size_bytes", lambda self: MIB - 30 * 4096)
    uploads.unpack(store, _zip(_pets()), "one")
    with pytest.raises(DataError, match="races and unpacked images take 0 MiB and may take 1, these need 0"):
        uploads.unpack(store, _zip(_pets()), "two")
    assert _left(root) == ["one"]


def test_a_note_that_is_somebody_elses_counts_nothing(root):
    for name, text in {"a": "{", "b": "[]", "c": json.dumps({"bytes": 12})}.items():
        (root / name).mkdir(parents=True)
        (root / name / ".unpacked.json").write_text(text)
    assert uploads.taken() == 12


def test_one_at_a_time_and_what_a_killed_one_left_goes(root, store):
    (root / ".unpack-0123" / "cat").mkdir(parents=True)
    with FileLock(root / ".unpack.lock"), pytest.raises(DataError, match="another zip is being unpacked"):
        uploads.unpack(store, _zip(_pets()), "pets")
    assert _left(root) == [".unpack-0123"]
    uploads.unpack(store, _zip(_pets()), "pets")
    assert _left(root) == ["pets"]


def test_a_file_that_is_not_there(root, store, tmp_path):
    assert "zip 'none.zip': cannot be read (No such file" in _refusal(root, store, tmp_path / "none.zip")


def test_a_data_root_that_cannot_be_made(root, store):
    root.write_text("in the way")
    with pytest.raises(DataError, match="folder 'pets': cannot be written"):
        uploads.unpack(store, _zip(_pets()), "pets")


def test_an_upload_is_called_by_its_name(root, store):
    file = io.BytesIO(b"no zip")
    file.name = "pets.zip"
    assert _refusal(root, store, file).startswith("zip 'pets.zip': ")
