"""Weights from files: what is read, what is named when it does not fit, and that no code in a file runs."""

import copy
import os
import pickle
import zipfile
from argparse import Namespace
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from catalyst_core.errors import NetworkError
from catalyst_core.models import build_model
from catalyst_core.models.files import digest
from catalyst_core.models.weights import load_weights


@pytest.fixture
def trained():
    """A network with weights of its own."""
    return build_model("cnn", 1, 8, 10, seed=7)


@pytest.fixture
def fresh():
    """The same network, otherwise initialised."""
    return build_model("cnn", 1, 8, 10, seed=0)


def _equal(one, other) -> bool:
    return all(a.equal(b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


WRAPS = {
    "plain": lambda state: state,
    "lightning": lambda state: {"epoch": 3, "state_dict": {f"model.{name}": value for name, value in state.items()}},
    "parallel": lambda state: {"model": {f"module.{name}": value for name, value in state.items()}, "optimizer": {"lr": 0.1}},
    "compiled": lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    "parallel, then compiled": lambda state: {f"_orig_mod.module.{name}": value for name, value in state.items()},
    "compiled, then parallel": lambda state: {f"module._orig_mod.{name}": value for name, value in state.items()},
    "under a key of their own": lambda state: {"epoch": torch.tensor(3), "best": {"student": state}},
    "with its script's options": lambda state: {"model": state, "args": Namespace(lr=0.1, nested=Namespace(opt="sgd"))},
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


@pytest.mark.parametrize("own", ["model", "module", "net", "_orig_mod"])
@pytest.mark.parametrize("around", ["", "module.", "model.model."])
def test_a_prefix_that_is_the_networks_own_stays(trained, fresh, folder, own, around):
    one, other = (torch.nn.Sequential(OrderedDict({own: network})) for network in (trained, fresh))
    torch.save({f"{around}{name}": value for name, value in one.state_dict().items()}, folder / "a.pt")
    assert load_weights(other, folder / "a.pt", 10) == ()
    assert _equal(one, other)


def test_of_several_state_dicts_that_fit_the_usual_one_is_loaded_and_the_others_are_told(trained, fresh, folder):
    other = build_model("cnn", 1, 8, 10, seed=3).state_dict()
    torch.save({"state_dict_ema": other, "optimizer": {"lr": 0.1}, "state_dict": trained.state_dict()}, folder / "a.pt")
    (note,) = load_weights(fresh, folder / "a.pt", 10)
    assert note == "the weights under 'state_dict' are loaded; 'state_dict_ema' in a.pt would fit too"
    assert _equal(trained, fresh)


def test_what_does_not_fit_is_told_of_the_network_in_the_file_and_not_of_what_is_beside_it(fresh, folder):
    torch.save({"epoch": torch.tensor(3), "model": {f"module.conv{i}.weight": torch.zeros(2) for i in range(9)}}, folder / "a.pt")
    with pytest.raises(NetworkError, match=r"unexpected, such as 'conv0.weight', 'conv4.weight', 'conv5.weight'"):
        load_weights(fresh, folder / "a.pt", 10)


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
@pytest.mark.parametrize("save", [torch.save, save_file])
def test_what_a_file_is_is_told_by_its_content(trained, fresh, folder, save, name):
    save(trained.state_dict(), folder / name)
    assert load_weights(fresh, folder / name, 10) == ()
    assert _equal(trained, fresh)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_is_converted_and_told(trained, fresh, folder, kind):
    half = {name: value.to(kind) if value.is_floating_point() else value for name, value in trained.state_dict().items()}
    torch.save(half, folder / "a.pt")
    (note,) = load_weights(fresh, folder / "a.pt", 10)
    assert str(kind).removeprefix("torch.") in note
    assert fresh.state_dict()["conv1.weight"].equal(half["conv1.weight"].float())


KINDS = {
    "float8_e4m3fn": lambda value: value.to(torch.float8_e4m3fn),
    "complex64": lambda value: value.to(torch.complex64),
    "int8": lambda value: value.to(torch.int8),
    "bool": lambda value: value.bool(),
    "meta": lambda value: value.to("meta"),
    "sparse_coo": lambda value: value.to_sparse(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [(), ("classifier.weight", "classifier.bias")])
def test_tensors_of_other_kinds_are_refused_by_name(trained, fresh, folder, kind, head):
    state = trained.state_dict()
    torch.save(state | {"conv2.weight": KINDS[kind](state["conv2.weight"])}, folder / "a.pt")
    before = copy.deepcopy(fresh)
    with pytest.raises(NetworkError, match=f"'conv2.weight' in a.pt is of the kind {kind}; allowed are dense tensors of float32"):
        load_weights(fresh, folder / "a.pt", 10, head)
    assert _equal(before, fresh)


@pytest.mark.parametrize(("value", "kept"), [(torch.tensor(7.0), True), (torch.tensor(7.5), False), (torch.tensor(1j), False)])
def test_whole_numbers_stay_what_they_are(trained, fresh, folder, value, kept):
    torch.save(trained.state_dict() | {"bn1.num_batches_tracked": value}, folder / "a.pt")
    if kept:
        load_weights(fresh, folder / "a.pt", 10)
        assert fresh.state_dict()["bn1.num_batches_tracked"].equal(torch.tensor(7))
        return
    with pytest.raises(
        NetworkError, match=r"'bn1.num_batches_tracked' in a.pt (holds numbers that int64 |is of the kind complex)"
    ):
        load_weights(fresh, folder / "a.pt", 10)


def test_a_mask_of_infinities_is_no_mistake(fresh, folder):
    for network in (fresh, trained := build_model("cnn", 1, 8, 10, seed=7)):
        network.register_buffer("mask", torch.full((4,), -torch.inf))
    torch.save(trained.state_dict(), folder / "a.pt")
    load_weights(fresh, folder / "a.pt", 10)
    assert _equal(trained, fresh)


class _Evil:
    def __reduce__(self):
        return os.system, ("touch evil_was_here",)


def _pickled(file) -> None:
    with file.open("wb") as stream:
        pickle.dump(_Evil(), stream)


def _bomb(file) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 2**25)


def _half(file) -> None:
    torch.save(torch.zeros(1000), file)
    os.truncate(file, 2000)


def _script(file) -> None:
    with zipfile.ZipFile(file, "w") as archive:  # what torch.jit.save, which warns, begins with
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl"):
            archive.writestr(f"a/{name}", b"")


WRONG = {
    "a pickle": (_pickled, "holds more than tensors"),
    "code in options": (lambda file: torch.save({"args": Namespace(act=print)}, file), "holds more than tensors"),
    "a whole network": (lambda file: torch.save(torch.nn.Linear(2, 2), file), "holds more than tensors"),
    "a zip bomb": (_bomb, "would unpack to 32 MiB"),
    "a list": (lambda file: torch.save([torch.zeros(2)], file), "holds a list, not a state dict"),
    "no torch file": (lambda file: file.write_bytes(b"hello"), "it is neither a file of torch.save nor safetensors"),
    "an empty file": (lambda file: file.write_bytes(b""), r"cannot be read as a state dict \(it is empty"),
    "half an archive": (_half, r"cannot be read as a state dict \(it is a damaged archive, or only a part of one"),
    "TorchScript": (_script, "is a TorchScript archive, which holds code"),
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
    "negative": (lambda state: {**state, "bn1.running_var": -torch.ones(32)}, "'bn1.running_var' in a.pt holds negative numbers"),
    "beyond float32": (
        lambda state: {**state, "bn1.bias": torch.ones(32).double() * 1e300},
        r"'bn1.bias' in a.pt holds numbers that float32 cannot, such as 1e\+300",
    ),
    "empty": (lambda state: {}, "a.pt holds no tensors under names of a network: it is an empty dictionary"),
    "no tensors": (lambda state: {"epoch": 3, "who": "me"}, "no tensors under names of a network: its keys are 'epoch', 'who'"),
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


def test_the_digest_is_of_the_content(folder):
    (folder / "a.pt").write_bytes(b"one")
    (folder / "b.pt").write_bytes(b"one")
    (folder / "c.pt").write_bytes(b"two")
    assert digest(folder / "a.pt") == digest(folder / "b.pt") != digest(folder / "c.pt")
