"""The models folder: what is read of it, and uploads to it."""

import io
import os

import pytest

from catalyst_core import shelf
from catalyst_core.errors import NetworkError
from catalyst_core.shelf import find_weights


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../secret.pt", "leads out of the models folder"),
        ("/etc/passwd", "leads out of the models folder"),
        ("link.pt", "leads out of the models folder"),
        ("a.bin", "must end in"),
        ("missing.pt", "there is no file 'missing.pt'"),
        ("a\0b.pt", "is not a path that can be followed"),
    ],
)
def test_only_files_below_the_models_folder_are_read(folder, name, said):
    (folder.parent / "secret.pt").write_bytes(b"")
    (folder / "link.pt").symlink_to(folder.parent / "secret.pt")
    with pytest.raises(NetworkError, match=said):
        find_weights(name)


def test_an_upload_is_there_whole_or_not_at_all(folder):
    content = os.urandom(3_000_000)
    assert shelf.put("mine.pt", io.BytesIO(content), len(content)).read_bytes() == content
    assert shelf.listed() == ("mine.pt",)
    with pytest.raises(NetworkError, match=r"there is a file 'mine.pt' already"):
        shelf.put("mine.pt", io.BytesIO(b""), 0)

    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError(28, "No space left on device")

    with pytest.raises(NetworkError, match="No space left"):
        shelf.put("other.pt", Broken(), 10)
    assert sorted(file.name for file in folder.iterdir()) == ["mine.pt"]


@pytest.mark.parametrize("name", ["../a.pt", "a/b.pt", ".hidden.pt", "a.exe", "", "a\n.pt", "ü.pt"])
def test_an_upload_with_an_odd_name_is_refused(folder, name):
    with pytest.raises(NetworkError, match="a file's name has letters"):
        shelf.put(name, io.BytesIO(b""), 0)


def test_an_upload_that_is_too_large_is_refused(folder):
    with pytest.raises(NetworkError, match=r"'a.pt' has 3072 MiB, at most 500 are taken here; put it into .*models by hand"):
        shelf.put("a.pt", io.BytesIO(b""), 3 * 2**30)
    with pytest.raises(NetworkError, match=r"'a.pt' has 501 MiB, at most 500 are taken here"):
        shelf.put("a.pt", io.BytesIO(b""), shelf.LARGEST + 1)
