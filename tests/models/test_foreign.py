"""Networks of torchvision, timm and the owner: every name, a few of them for real, and what goes wrong."""

import pytest
import timm
import torch
import torchvision

from catalyst_core import libraries
from catalyst_core.errors import ConfigError, NetworkError
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from tests.owned import register


def test_the_names_read_from_the_sources_are_those_that_the_libraries_list():
    assert set(libraries.names("torchvision")) == set(torchvision.models.list_models(module=torchvision.models))
    assert set(libraries.names("timm")) == set(timm.list_models())


@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [
        ("torchvision:resnet18", 3, 32),
        ("torchvision:resnet18", 1, 28),
        ("torchvision:mobilenet_v3_small", 1, 32),
        ("torchvision:googlenet", 3, 32),
        ("timm:resnet10t", 1, 32),
        ("timm:vit_tiny_patch16_224", 3, 64),
    ],
)
def test_a_network_of_a_library_answers_these_images(name, channels, size):
    model = build_model(name, channels, size, 7, seed=3)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 7)
    again = build_model(name, channels, size, 7, seed=3)
    assert all(one.equal(other) for one, other in zip(model.parameters(), again.parameters(), strict=True))


def test_only_the_first_convolution_is_made_anew_for_grey_images():
    grey, colour = (build_model("torchvision:resnet18", channels, 32, 7, seed=0) for channels in (1, 3))
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in (grey, colour)]
    assert {name for name in shapes[0] if shapes[0][name] != shapes[1][name]} == {"conv1.weight"}


def test_resnet18_has_its_published_groups():
    groups = find_groups(build_model("torchvision:resnet18", 3, 32, 10, seed=0), torch.zeros(1, 3, 32, 32))
    assert [group.size for group in groups] == [64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512, 512]


def test_a_network_that_cannot_be_built_for_these_images_is_one_sentence():
    with pytest.raises(
        NetworkError, match=r"torchvision:vit_b_16 cannot be built for 3 x 30 x 30 images and 10 classes"
    ) as caught:
        build_model("torchvision:vit_b_16", 3, 30, 10, seed=0)
    assert "\n" not in str(caught.value)


FAILING = ("failing", "text", "wanting", "leaving", "lines", "Scripted")


@pytest.fixture
def factories(catalyst_home):
    """Factories of the owner's: one that works, and others."""
    code = (
        "import torch\n"
        "from torch import nn\n"
        "def small(classes):\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))\n"
        "def failing(**sizes):\n    raise ValueError('no such size')\n"
        "def text():\n    return 'a network'\n"
        "def wanting(channels, width):\n    pass\n"
        "def leaving():\n    raise SystemExit(0)\n"
        "def lines():\n    raise KeyError('one\\x1b[31m\\ntwo')\n"
        "class Scripted(torch.jit.ScriptModule):\n    pass\n"
    )
    register(catalyst_home, "own_networks", code, ("small", *FAILING))


def test_a_factory_is_called_with_what_it_takes(factories):
    assert build_model("small", 1, 8, 5, seed=0)(torch.zeros(2, 1, 8, 8)).shape == (2, 5)


def test_what_waits_for_the_first_images_is_drawn_from_the_seed(factories):
    one, again, other = (build_model("small", 1, 8, 5, seed).state_dict()["1.weight"] for seed in (0, 0, 1))
    assert one.equal(again)
    assert not one.equal(other)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("failing", NetworkError, r"failing cannot be built for 1 x 8 x 8 images and 5 classes \(ValueError"),
        ("wanting", NetworkError, r"\(TypeError: wanting\(\) missing 1 required positional argument: 'width'\)$"),
        ("leaving", NetworkError, r"leaving cannot be built for .* \(SystemExit: 0\)$"),
        ("lines", NetworkError, r"\(KeyError: one\\x1b\[31m two\)$"),
        ("scripted", NetworkError, "own_networks:Scripted returned TorchScript, which cannot be cut"),
        ("text", NetworkError, "own_networks:text returned a str"),
        ("nobody", ConfigError, "there is no network 'nobody' on this machine"),
    ],
)
def test_a_factory_that_fails_is_one_sentence(factories, name, kind, said):
    with pytest.raises(kind, match=said):
        build_model(name, 1, 8, 5, seed=0)
