"""network.py with network.json and network.safetensors: the same bits in a process that knows nothing of ours."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from catalyst_core.deploy import network
from catalyst_core.deploy.graph import describe
from tests.core.conftest import NETWORKS, lively
from tests.deploy.made import cut, pruned

FRESH = Path(__file__).with_name("fresh.py")
FOREIGN = ("torchvision:resnet18", "torchvision:mobilenet_v3_small", "timm:regnetx_002")


class Odd(nn.Module):
    """Parameters and buffers used by themselves, sizes in an `if`, slices, in-place operations, two results, a default."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding="same", padding_mode="reflect")
        self.scale = nn.Parameter(torch.rand(6, 1, 1))
        self.register_buffer("shift", torch.rand(6, 1, 1))
        self.norm = nn.LayerNorm((4, 8, 8), eps=1e-3)
        self.act = nn.LeakyReLU(0.2, inplace=True)
        self.head = nn.Linear(4, 10, bias=False)

    def forward(self, x, features=False):
        x = self.conv(x) * self.scale
        x += self.shift
        if x.shape[-1] > 4 and x.ndim == 4:
            x = x[:, 1:5]
        a, b = self.act(self.norm(x)).chunk(2, dim=1)
        x = torch.cat([b, a], 1)
        x = x.flatten(2).mean(-1) if not features else x
        return self.head(x.view(x.size(0), -1)[..., :])


class Shuffled(nn.Module):
    """What enlarges and mixes without a parameter, called as functions."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(16, 10)
        self.slope = nn.Parameter(torch.full((2,), 0.3))

    def forward(self, x):
        x = F.pixel_unshuffle(F.prelu(F.pixel_shuffle(F.elu(self.conv(x)), 2), self.slope), 4)
        x = torch.channel_shuffle(torch.maximum(F.softplus(x), x.abs().log1p() if x.ndim < 4 else x.abs()), 4)
        return self.head(F.adaptive_max_pool2d(x, (1, 1)).flatten(1)[:, :16])


def save(folder, model, images):
    """What `write_model` writes of it for network.py, with images beside it."""
    described = describe(model, images[:2])
    folder.mkdir()
    save_file(described.tensors, folder / "network.safetensors")
    (folder / "network.json").write_text(json.dumps({"about": {"image": images.shape[1:]}} | described.said))
    torch.save(images, folder / "images.pt")
    (folder / "network.py").write_text(Path(network.__file__).read_text())


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Name -> (logits here, logits there) for several networks, and the packages that the other process had imported."""
    root = tmp_path_factory.mktemp("exports")
    made = {name: cut(lively(name), torch.randn(5, 3, 8, 8), 0.5) for name in NETWORKS}
    made |= {name: pruned(name) for name in FOREIGN}
    networks = {name: (one.model, one.images) for name, one in made.items()} | {
        "odd": (Odd().eval(), torch.randn(5, 3, 8, 8)),
        "shuffled": (Shuffled().eval(), torch.randn(5, 3, 8, 8)),
    }
    here = {}
    for name, (model, images) in networks.items():
        save(root / name.replace(":", "_"), model, images)
        with torch.no_grad():
            here[name] = model(images)
    folders = {name: str(root / name.replace(":", "_")) for name in networks}
    out, elsewhere = root / "answers.pt", tmp_path_factory.mktemp("elsewhere")
    words = [sys.executable, "-I", str(FRESH), folders["cnn"], str(out), *folders.values()]
    done = subprocess.run(words, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = torch.load(out)
    return {name: (here[name], found["answers"][folder]) for name, folder in folders.items()}, found["modules"]


@pytest.mark.parametrize("name", [*NETWORKS, *FOREIGN, "odd", "shuffled"])
def test_a_fresh_python_computes_the_same_bits(fresh, name):
    here, there = fresh[0][name]
    assert here.std() > 0
    assert torch.equal(here, there)


def test_that_python_had_torch_and_nothing_of_ours(fresh):
    _, modules = fresh
    assert "torch" in modules
    assert {"catalyst_core", "torchvision", "timm", "safetensors"}.isdisjoint(modules)


def test_the_file_is_short_and_imports_only_torch_and_python_itself():
    text = Path(network.__file__).read_text()
    assert len(text.splitlines()) <= 60
    imported = {line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"torch"}


@pytest.fixture
def export(tmp_path, cnn):
    """A folder with an export of the cnn."""
    save(tmp_path / "export", cnn.model, cnn.images)
    return tmp_path / "export"


def test_run_by_itself_it_prints_the_forward_pass_and_a_shape(export, tmp_path):
    words = [sys.executable, "-I", str(export / "network.py")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "conv1 = self.conv1(images)" in done.stdout
    assert done.stdout.rstrip().endswith("(2, 10)")


def test_the_json_states_the_channels_and_the_tensors_have_their_names(export, cnn):
    said = json.loads((export / "network.json").read_text())
    kept = [int(mask.sum()) for mask in cnn.kept.values()]
    layers = [said["layers"][f"conv{number}"] for number in (1, 2, 3)]
    assert [kind for kind, _ in layers] == ["Conv2d"] * 3
    assert [options["out_channels"] for _, options in layers] == kept
    assert [options["in_channels"] for _, options in layers] == [1, *kept[:2]]
    assert load_file(export / "network.safetensors").keys() == cnn.model.state_dict().keys()


def test_what_was_loaded_trains_and_saves_like_any_network(export, cnn):
    model = network.load(export).train()
    model(cnn.images).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert torch.equal(copy.deepcopy(model.eval())(cnn.images), model(cnn.images))
    assert model.state_dict().keys() == cnn.model.state_dict().keys()


def test_loading_leaves_the_random_state_alone(export):
    before = torch.get_rng_state()
    network.load(export)
    assert torch.equal(before, torch.get_rng_state())


STRANGE = {
    "another function of torch": lambda said: said["steps"][0].update(op="call_function", of="torch.load"),
    "a function of Python": lambda said: said["steps"][0].update(op="call_function", of="os.system"),
    "a way out of an object": lambda said: said["steps"][0].update(op="call_function", of="operator.attrgetter"),
    "a method that is not listed": lambda said: said["steps"][0].update(op="call_method", of="register_hook"),
    "something that is no layer": lambda said: said["layers"]["relu1"].__setitem__(0, "container"),
    "a tensor that is not there": lambda said: said["steps"][0].update(op="get_attr", of="__class__"),
    "code as the name of an option": lambda said: said["steps"][0]["options"].append(["a=print(1),b", 1]),
    "code as the name of a layer": lambda said: said["layers"].update({'a"),print(1),("': said["layers"]["relu1"]}),
    "code as a word": lambda said: said["steps"][0]["args"].append("print(1)"),
    "an escaped quote": lambda said: said["steps"][0]["args"].append('"'),
    "a layer without its tensors": lambda said: said["layers"].pop("bn1"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_strangers_write_is_refused(export, what):
    file = export / "network.json"
    said = json.loads(file.read_text())
    STRANGE[what](said)
    file.write_text(json.dumps(said))
    with pytest.raises((ValueError, KeyError, RuntimeError, TypeError, AssertionError)):
        network.load(export)
