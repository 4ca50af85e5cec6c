"""Weights from files: what is read, what is named when it does not fit, and that no code in a file runs."""

import copy
import io
import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from catalyst_core import shelf
from catalyst_core.errors import NetworkError
from catalyst_core.models import build_model
from catalyst_core.models.weights import digest, load_weights
from catalyst_core.shelf import find_weights


@pytest.fixture
def trained():
    """A network with weights of its own."""
    return build_model("cnn", 1, 8, 10, seed=7)


@pytest.fixture
def fresh():
    """The same network, otherwise initialised."""
    return build_model("cnn", 1, 8, 10, seed=0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The models folder."""
    monkeypatch.setenv("CATALYST_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def _equal(one, other) -> bool:
    return all(a.equal(b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


WRAPS = {
    "plain": lambda state: state,
    "lightning": lambda state: {"epoch": 3, "state_dict": {f"model.{name}": value for name, value in state.items()}},
    "parallel": lambda state: {"model": {f"module.{name}": value for name, value in state.items()}, "optimizer": {"lr": 0.1}},
    "compiled": lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    "old": lambda state: {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS.keys())
def test_state_dicts_are_read_as_trainers_save_them(trained, fresh, folder, wrap):
    torch.save(wrap(trained.state_dict()), folder / "a.pt")
    assert load_weights(fresh, folder / "a.pt", 10) == ()
    assert _equal(trained, fresh)


def test_safetensors_are_read(trained, fresh, folder):
    save_file(trained.state_dict(), folder / "a.safetensors")
    assert load_weights(fresh, folder / "a.safetensors", 10) == ()
    assert _equal(trained, fresh)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_converted_and_told(trained, fresh, folder, kind):
    half = {name: value.to(kind) if value.is_floating_point() else value for name, value in trained.state_dict().items()}
    torch.save(half, folder / "a.pt")
    (note,) = load_weights(fresh, folder / "a.pt", 10)
    assert str(kind).removeprefix("torch.") in note
    assert fresh.state_dict()["conv1.weight"].equal(half["conv1.weight"].float())


class _Evil:
    def __reduce__(self):
        return os.system, ("touch evil_was_here",)


def _pickled(file) -> None:
    with file.open("wb") as stream:
        pickle.dump(_Evil(), stream)


def _bomb(file) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 2**25)


WRONG = {
    "a pickle": (_pickled, "holds more than tensors"),
    "a whole network": (lambda file: torch.save(torch.nn.Linear(2, 2), file), "holds more than tensors"),
    "a zip bomb": (_bomb, "would unpack to 32 MiB"),
    "a list": (lambda file: torch.save([torch.zeros(2)], file), "holds a list, not a state dict"),
    "no torch file": (lambda file: file.write_bytes(b"hello"), "cannot be read as a state dict|holds more than tensors"),
    "an empty file": (lambda file: file.write_bytes(b""), "cannot be read as a state dict"),
}


@pytest.mark.parametrize(("make", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_state_dict_is_one_sentence(fresh, folder, make, said, monkeypatch):
    monkeypatch.chdir(folder)
    make(folder / "a.pt")
    before = copy.deepcopy(fresh)
    with pytest.raises(NetworkError, match=said) as caught:
        load_weights(fresh, folder / "a.pt", 10)
    assert "\n" not in str(caught.value)
    assert _equal(before, fresh)
    assert not (folder / "evil_was_here").exists()


def test_a_torn_safetensors_file_is_one_sentence(trained, fresh, folder):
    save_file(trained.state_dict(), folder / "a.safetensors")
    os.truncate(folder / "a.safetensors", 1000)
    with pytest.raises(NetworkError, match=r"a\.safetensors cannot be read as safetensors"):
        load_weights(fresh, folder / "a.safetensors", 10)


def _without(state, name):
    return {key: value for key, value in state.items() if key != name}


def _renamed(state):
    return {key.replace("conv2", "convolution2"): value for key, value in state.items()}


UNFIT = {
    "missing": (lambda state: _without(state, "conv2.weight"), "1 missing, such as 'conv2.weight'"),
    "unexpected": (lambda state: {**state, "aux.weight": torch.zeros(2)}, "1 unexpected, such as 'aux.weight'"),
    "renamed": (
        _renamed,
        r"1 missing, such as 'conv2.weight' \(the nearest in the file is 'convolution2.weight'\); 1 unexpected",
    ),
    "reshaped": (
        lambda state: {**state, "conv1.weight": torch.zeros(32, 1, 5, 5)},
        "'conv1.weight' in a.pt has the shape 32 x 1 x 5 x 5",
    ),
    "not finite": (lambda state: {**state, "bn1.bias": torch.full((32,), torch.nan)}, "'bn1.bias' in a.pt holds NaN"),
    "empty": (lambda state: {}, "missing"),
}


@pytest.mark.parametrize(("change", "said"), UNFIT.values(), ids=UNFIT.keys())
def test_what_does_not_fit_is_named(trained, fresh, folder, change, said):
    torch.save(change(trained.state_dict()), folder / "a.pt")
    with pytest.raises(NetworkError, match=said):
        load_weights(fresh, folder / "a.pt", 10)


def test_another_number_of_classes_is_named(fresh, folder):
    torch.save(build_model("cnn", 1, 8, 100, seed=0).state_dict(), folder / "a.pt")
    with pytest.raises(NetworkError, match=r"a\.pt is of a network with 100 classes, these images have 10; with fresh_head"):
        load_weights(fresh, folder / "a.pt", 10)


HEAD = ("classifier.weight", "classifier.bias")


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (100, "the last layer of a.pt for 100 classes is left out"),
        (10, "the last layer of a.pt for 10 classes, which would fit, is left out"),
        (None, "a.pt has no last layer"),
    ],
)
def test_a_head_of_its_own_stays_and_everything_else_is_loaded(fresh, folder, classes, said):
    theirs = build_model("cnn", 1, 8, classes or 10, seed=7).state_dict()
    torch.save(theirs if classes else {name: value for name, value in theirs.items() if name not in HEAD}, folder / "a.pt")
    before = copy.deepcopy(fresh.state_dict())
    (note,) = load_weights(fresh, folder / "a.pt", 10, HEAD)
    assert note == f"fresh head: {said}; 'classifier.weight', 'classifier.bias' for 10 classes begin at random"
    for name, value in fresh.state_dict().items():
        assert value.equal(before[name] if name in HEAD else theirs[name])


@pytest.mark.parametrize("shape", [(10, 7), (), (10,), (10, 64, 1)])
def test_a_head_that_differs_in_more_than_classes_is_refused_with_one_of_its_own_too(trained, fresh, folder, shape):
    torch.save(trained.state_dict() | {"classifier.weight": torch.zeros(shape)}, folder / "a.pt")
    for head in (HEAD, ()):
        with pytest.raises(NetworkError, match=r"'classifier.weight' in a.pt has the shape"):
            load_weights(fresh, folder / "a.pt", 10, head)


def test_a_trunk_that_does_not_fit_is_named_with_a_fresh_head_too(trained, fresh, folder):
    torch.save(_without(trained.state_dict(), "conv2.weight"), folder / "a.pt")
    with pytest.raises(NetworkError, match=r"1 missing, such as 'conv2.weight'"):
        load_weights(fresh, folder / "a.pt", 10, HEAD)


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


def test_the_digest_is_of_the_content(folder):
    (folder / "a.pt").write_bytes(b"one")
    (folder / "b.pt").write_bytes(b"one")
    (folder / "c.pt").write_bytes(b"two")
    assert digest(folder / "a.pt") == digest(folder / "b.pt") != digest(folder / "c.pt")
