"""A whole export, read back by others' means: onnxruntime, torch.export, safetensors, a zip."""

import json
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from catalyst_core import __version__, cost
from catalyst_core.certificate import Certificate
from catalyst_core.deploy import Facts, Line, Sample, network, open_format, program, write_model
from catalyst_core.errors import ConfigError, ExampleInputError, NetworkError

FACTS = Facts(
    title="a small one | <b>",
    about={"data set": "digits"},
    ledger=(Line("fine-tuned accuracy", "98.7%", "at the end"),),
    certificate=Certificate(7e-15, 2e-6, 0, 397),
    classes=tuple("0123456789"),
    mean=(4.9,),
    std=(6.0,),
    pixels="whole numbers, 0 to 16",
    notes=("Step 120: strength was changed from 1 to 3.",),
    raw={"run": "3f2a81c0-01"},
)


@pytest.fixture(scope="module")
def written(cnn, digits, tmp_path_factory):
    """The cnn with rounded widths, in a folder; and what it was before."""
    before = {name: value.clone() for name, value in cnn.model.state_dict().items()}
    out = tmp_path_factory.mktemp("out") / "model"
    sample = Sample(*digits, name="test images of digits")
    given = {"dense": cnn.dense, "kept": cnn.kept, "round_to": 8, "sample": sample, "facts": FACTS}
    exported = write_model(out, cnn.model, digits[0][:1], **given, seconds=0)
    assert all(torch.equal(before[name], value) for name, value in cnn.model.state_dict().items())
    return exported


def logits(model, images):
    with torch.no_grad():
        return model(images)


def test_all_files_are_there_and_nothing_is_missing(written):
    assert sorted(file.name for file in written.out.iterdir()) == sorted(written.files)
    assert len(written.files) == 7
    assert [one for one in written.warnings if "was not written" in one] == []
    sizes = {name: (written.out / name).stat().st_size for name in written.files if name != "README.md"}
    assert written.record["files"] == sizes


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_onnxruntime_computes_the_same_for_any_number_of_images(written, cnn, batch):
    session = onnxruntime.InferenceSession(written.out / "network.onnx", providers=["CPUExecutionProvider"])
    images = torch.randn(batch, 1, 8, 8)
    (found,) = session.run(None, {"images": images.numpy()})
    assert found.shape == (batch, 10)
    assert np.abs(found - logits(cnn.model, images).numpy()).max() <= 1e-4


def test_the_onnx_file_is_valid_of_a_current_operator_set_and_says_nothing_of_this_machine(written):
    model = onnx.load(written.out / "network.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 23)]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert written.record["checks"]["network.onnx"]["opset"] == 23
    assert b"catalyst_core/" not in (written.out / "network.onnx").read_bytes()
    assert b"site-packages" not in (written.out / "network.onnx").read_bytes()


def test_the_program_computes_the_same_and_holds_no_image_and_no_path(written, cnn, digits):
    program = torch.export.load(written.out / "network.pt2").module()
    for batch in (1, 5, 64):
        images = torch.randn(batch, 1, 8, 8)
        assert (program(images) - logits(cnn.model, images)).abs().max() <= 1e-4
    given, _ = torch.export.load(written.out / "network.pt2").example_inputs
    assert float(given[0].abs().max()) == 0
    with zipfile.ZipFile(written.out / "network.pt2") as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"site-packages" not in content
    assert b"torch/nn/modules" not in content
    assert digits[0][0].numpy().tobytes() not in content


def test_network_py_gives_the_bits_and_the_numbers_of_the_rounded_network(written, cnn, digits):
    model = network.load(written.out)
    assert (logits(model, digits[0]) - logits(cnn.model, digits[0])).abs().max() < 1e-5
    for name, width in written.record["widths"].items():
        assert width["dense"] == len(cnn.kept[name])
        assert width["pruned"] == int(cnn.kept[name].sum())
        assert width["rounded"] == model.get_submodule(name).out_channels
        assert width["rounded"] % 8 == 0
    assert model.meta["widths"] == written.record["widths"]
    assert model.meta["classes"] == list("0123456789")
    assert (model.meta["mean"], model.meta["std"], model.meta["image"]) == ([4.9], [6.0], [1, 8, 8])
    numbers = load_file(written.out / "network.safetensors")
    assert sum(one.numel() for one in numbers.values()) == sum(one.numel() for one in model.state_dict().values())


def test_the_record_says_what_was_measured(written, cnn, digits):
    record = json.loads((written.out / "report.json").read_text())
    assert {**record, "files": None} == json.loads(json.dumps({**written.record, "files": None}))
    images, labels = digits
    accuracy = float((logits(cnn.model, images).argmax(1) == labels).double().mean())
    assert record["accuracy"] == accuracy
    assert record["checks"]["network.py"] == {"max_abs_logit_difference": 0.0}
    assert max(one["max_abs_logit_difference"] for one in record["checks"].values()) <= 1e-4
    assert record["checked_on"] == {"images": 200, "of": "test images of digits", "batches": [1, 7, 8, 64]}
    counted = {name: cost.count(model, images[:1]) for name, model in (("dense", cnn.dense), ("pruned", cnn.model))}
    for name, one in counted.items():
        assert record["cost"][name] == {"macs": one.macs, "params": one.params, "bytes": one.bytes}
    assert record["cost"]["pruned"]["macs"] < record["cost"]["rounded"]["macs"] < record["cost"]["dense"]["macs"]
    assert record["rounding"]["max_abs_logit_change"] <= 1e-10
    back = sum(one["rounded"] - one["pruned"] for one in record["widths"].values())
    assert record["rounding"]["channels_back"] == back > 0
    assert record["facts"]["raw"] == {"run": "3f2a81c0-01"}
    assert record["versions"]["catalyst"] == __version__


def test_latency_is_of_all_networks_in_both_engines(written):
    found = {(one["engine"], one["batch"], one["network"]): one["ms"] for one in written.record["latency"]}
    engines, networks = ("PyTorch", "onnxruntime"), ("dense", "pruned", "rounded")
    assert set(found) == {(engine, batch, name) for engine in engines for batch in (1, 64) for name in networks}
    assert min(found.values()) > 0
    assert written.record["threads"] == torch.get_num_threads()
    slow = [key for key in found if key[2] == "rounded" and found[key] >= found[*key[:2], "dense"]]
    assert sum(one.startswith("Pruning did not make it faster") for one in written.warnings) == len(slow)


def test_the_card_has_every_fact_and_file(written):
    card = (written.out / "README.md").read_text()
    assert card.startswith("# Catalyst model: a small one \\| &lt;b&gt;\n")
    for fact in (
        "98.7%",
        "7.0e-15",
        "397 images",
        "whole numbers, 0 to 16",
        "4.9",
        "0: 0, 1: 1",
        "strength was changed from 1 to 3",
    ):
        assert fact in card
    assert all(f"`{name}`" in card for name in written.files if name != "README.md")
    assert "multiples of 8" in card
    assert f"classifies {100 * written.record['accuracy']:.1f} % of 200 test images of digits" in card
    for head in (
        "Files",
        "Images and classes",
        "Ledger",
        "Certificate of the cut",
        "Size",
        "Rounding",
        "Latency",
        "Checks",
        "Notes",
    ):
        assert f"\n## {head}\n" in card
    for line in card.splitlines():
        if line.startswith("| conv"):
            name, dense, pruned, rounded = (cell.strip() for cell in line.strip("|").split("|"))
            assert {"dense": int(dense), "pruned": int(pruned), "rounded": int(rounded)} == written.record["widths"][name]


class Picky(nn.Module):
    """torch.fx cannot follow it; torch.export can, but erf is no operation of network.py."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        if not isinstance(x, torch.Tensor):
            raise TypeError("no tensor")
        return self.head(torch.erf(x.flatten(1)))


def test_what_cannot_be_followed_is_a_sentence_and_the_other_files_are_there(tmp_path):
    torch.manual_seed(0)
    model = Picky().eval()
    exported = write_model(tmp_path / "model.zip", model, torch.randn(2, 3, 2, 2), seconds=0)
    (sentence,) = exported.warnings
    assert sentence == (
        "network.py was not written, and network.json holds the widths alone: torch.fx cannot follow the forward pass of Picky "
        "(no tensor)"
    )
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        names = {name.removeprefix("model/") for name in archive.namelist()}
        assert names == {"README.md", "network.json", "network.onnx", "network.pt2", "network.safetensors", "report.json"}
        assert sentence.replace("<", "&lt;") in archive.read("model/README.md").decode()
        assert "layers" not in json.loads(archive.read("model/network.json"))
        archive.extract("model/network.safetensors", tmp_path)
    state = load_file(tmp_path / "model" / "network.safetensors")
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert exported.record["accuracy"] is None
    assert exported.record["checked_on"]["of"] == "images of random numbers"


def test_an_onnx_file_that_is_off_is_not_written(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 3)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1e4)  # logits of about 1e7: float32 cannot agree to 1e-4 on them
    exported = write_model(tmp_path / "model", model, torch.randn(2, 3, 4, 4), seconds=0)
    assert "network.onnx" not in exported.files
    assert not (tmp_path / "model" / "network.onnx").exists()
    (sentence,) = (one for one in exported.warnings if "network.onnx" in one)
    assert "network.onnx was not written: it gives other logits than the network, by" in sentence
    assert "at most 0.0001 is allowed" in sentence
    assert {one["engine"] for one in exported.record["latency"]} == {"PyTorch"}


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(open_format, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(NetworkError, match=r"^onnxscript is not installed: pip install"):
        open_format.onnx_bytes(nn.Flatten(), torch.zeros(2, 3))


class Fixed(nn.Module):
    """Runs on two images at a time and on no other number."""

    def forward(self, x):
        return x.reshape(2, 3) if len(x) == 2 else x.reshape(0, 5)


def test_a_network_for_one_number_of_images_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(NetworkError, match="does not run on a batch of 1 "):
        write_model(tmp_path / "model", Fixed(), torch.randn(2, 3, 1, 1))


class Grown(nn.Module):
    """Whatever an exporter makes of it, it is not this function for any number of images."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        return self.head(torch.tensor(x.flatten(1).tolist()))


def test_a_dense_network_without_an_onnx_form_is_only_not_timed_there(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    exported = write_model(tmp_path / "model", model, torch.randn(2, 3, 2, 2), dense=Grown().eval(), seconds=0)
    assert "network.onnx" in exported.files
    (sentence,) = (one for one in exported.warnings if "not timed" in one)
    assert sentence.startswith("The dense network is not timed in onnxruntime: ")
    timed = {(one["engine"], one["network"]) for one in exported.record["latency"]}
    assert timed == {("PyTorch", "dense"), ("PyTorch", "pruned"), ("onnxruntime", "pruned")}
    assert "| onnxruntime | 1 | – |" in (tmp_path / "model" / "README.md").read_text()


WRONG = {
    "a multiple": (ConfigError, {"round_to": 5}, "round_to must be 8 or 16"),
    "nothing to round with": (ConfigError, {"round_to": 8}, "round_to needs the dense network"),
    "other images": (ExampleInputError, {"example": torch.zeros(2, 3, 8, 8)}, "does not run on images of shape 2 x 3 x 8 x 8"),
    "no classifier": (NetworkError, {"model": nn.Conv2d(1, 2, 3)}, "not with a row of logits each"),
    "an image of integers": (ExampleInputError, {"example": torch.zeros(2, 1, 8, 8, dtype=torch.int64)}, "floating-point"),
    "a sample of another size": (ConfigError, {"sample": Sample(torch.zeros(3, 1, 4, 4))}, r"sample: its images are \(1, 4, 4\)"),
    "numbers that are none": (NetworkError, {"example": torch.full((2, 1, 8, 8), float("nan"))}, "not finite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_possible_is_one_sentence_and_nothing_is_written(tmp_path, cnn, case):
    kind, changed, sentence = WRONG[case]
    given = {"model": cnn.model, "example": cnn.images} | changed
    with pytest.raises(kind, match=sentence):
        write_model(tmp_path / "model", **given)
    assert list(tmp_path.iterdir()) == []


class Keeping(nn.Module):
    """Keeps what it made for the next call, as recurrent layers and some of timm's do."""

    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x):
        made = self.layer(x)[0][:, -1]
        self.last = made.detach()
        return made


def test_a_network_that_keeps_tensors_is_exported_without_a_warning():
    model, images = Keeping().eval(), torch.randn(2, 5, 3)
    with torch.no_grad():
        expected = model(images)
        assert torch.equal(program.program_call(program.program_bytes(model, images))(images), expected)
        assert torch.allclose(open_format.Session(open_format.onnx_bytes(model, images))(images), expected, atol=1e-5)
