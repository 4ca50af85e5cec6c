"""Networks as data: what has such a form, and the sentence where there is none."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm

from catalyst_core.deploy import network
from catalyst_core.deploy.graph import describe
from catalyst_core.errors import NetworkError
from catalyst_core.models import build_model
from tests.deploy.made import pruned

IMAGES = torch.randn(2, 3, 8, 8)


def network_of(forward, **parts):
    """A module with these parts and this forward pass."""
    kind = type("Given", (nn.Module,), {"forward": forward})
    model = kind()
    for name, part in parts.items():
        setattr(model, name, part)
    return model.eval()


def built(found, folder):
    """The network that these files make."""
    (folder / "network.json").write_text(json.dumps({"about": {}} | found.said))
    save_file(found.tensors, folder / "network.safetensors")
    return network.load(folder)


def test_what_is_stated_are_arguments_that_differ_from_their_defaults():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False), nn.ReLU(inplace=True), nn.Flatten()).eval()
    said = describe(model, IMAGES).said
    assert said["layers"] == {
        "0": [
            "Conv2d",
            {"in_channels": 3, "out_channels": 4, "kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1], "bias": False},
        ],
        "1": ["ReLU", {"inplace": True}],
        "2": ["Flatten", {}],
    }
    assert said["output"] == {"step": said["steps"][-1]["name"]}
    json.dumps(said, allow_nan=False)


def test_a_layer_that_is_called_twice_is_one_layer():
    model = network_of(lambda self, x: self.act(self.act(x)), act=nn.ReLU())
    said = describe(model, IMAGES).said
    assert list(said["layers"]) == ["act"]
    assert [step["of"] for step in said["steps"]] == ["act", "act"]
    assert len({step["name"] for step in said["steps"]}) == 2


def test_the_model_is_left_as_it_is_also_in_training_mode():
    model = pruned("cnn", 3, 8).model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    describe(model, IMAGES)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert before.keys() == model.state_dict().keys()


def test_functions_that_torchvision_hides_from_the_tracer_are_followed():
    model = build_model("torchvision:efficientnet_b0", 3, 32, 10, 0)  # stochastic depth is behind torch.fx.wrap
    said = describe(model, torch.randn(2, 3, 32, 32)).said
    assert {step["of"] for step in said["steps"] if step["op"] != "call_module"} <= {
        "operator.add",
        "operator.mul",
        "torch.flatten",
    }


def test_sizes_in_an_if_are_numbers_but_the_batch_is_not():
    def forward(self, x):
        return (self.act(x) if x.shape[-1] == 8 else x).reshape(x.shape[0], x.shape[1] * x.size(2) * x.shape[-1])

    steps = describe(network_of(forward, act=nn.ReLU()), IMAGES).said["steps"]
    reshape = next(step for step in steps if step["of"] == "reshape")
    batch, width = reshape["args"][1:]
    assert width == 3 * 8 * 8
    assert set(batch) == {"step"}


def picky(self, x):
    """As code that checks what it is given."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"a tensor is needed,\nnot a {type(x).__name__}")
    return self.a(x)


REFUSED = {
    "values": (lambda self, x: x if x.sum() > 0 else -x, {}, "cannot follow the forward pass of Given"),
    "no tensor": (lambda self, x: torch.erf(picky(self, x)), {"a": nn.ReLU()}, r"of Given \(a tensor is needed, not a Proxy\)"),
    "an operation": (lambda self, x: torch.fft.fft(x).real, {}, "'fft_fft' is not among those"),
    "an attribute": (lambda self, x: x.mT, {}, "'getattr' is not among those"),
    "infinite": (lambda self, x: self.a(x), {"a": nn.Hardtanh(-float("inf"), 1.0)}, "layer 'a' has an argument"),
    "another type": (lambda self, x: x.mean((2, 3), dtype=torch.complex64).real, {}, "a step has an argument"),
    "half-way integers": (lambda self, x: self.t * x, {"t": nn.Parameter(torch.ones(1, dtype=torch.int32), False)}, "int32"),
}


def masked(self, x):
    """Types, devices, constants, steps that write into others, and an if on what the example holds."""
    assert isinstance(x, torch.Tensor)
    mask = torch.zeros(x.shape[0], 8, 8, dtype=torch.bool, device=x.device)
    mask[:, 2:4] = True
    high = x.to(torch.float64).clamp(min=0) + torch.tensor(0.5, dtype=torch.float64)
    return self.a(high.to(torch.float32).masked_fill(mask[:, None], -1.0))[:, :, ::2]


@pytest.mark.parametrize(
    ("forward", "parts"),
    [(picky, {"a": nn.ReLU()}), (masked, {"a": nn.Conv2d(3, 2, 3)}), (lambda self, x: x.mean((2, 3), dtype=torch.float64), {})],
)
def test_what_torch_fx_cannot_follow_is_written_in_operators(forward, parts, tmp_path):
    model = network_of(forward, **parts)
    found = describe(model, IMAGES)
    assert found.said["layers"] == {}
    images = torch.randn(5, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(built(found, tmp_path)(images), model(images))


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_such_form_is_said_in_a_sentence(case):
    forward, parts, sentence = REFUSED[case]
    with pytest.raises(NetworkError, match=sentence) as refusal:
        describe(network_of(forward, **parts), IMAGES)
    assert "\n" not in str(refusal.value)


@pytest.mark.filterwarnings(
    "ignore:.*weight_norm. is deprecated:FutureWarning", "ignore:.*spectral_norm. is deprecated:FutureWarning"
)
def test_layers_whose_weights_are_made_by_normalisations_are_written_as_they_are_now(tmp_path):
    """Also those of before there were parametrizations; the network itself stays as it is."""
    made = [parametrizations.weight_norm, parametrizations.spectral_norm, weight_norm, spectral_norm]
    model = nn.Sequential(*(form(nn.Conv2d(3, 3, 3, padding=1)) for form in made)).eval()
    with torch.no_grad():
        expected = model(IMAGES)
        assert torch.equal(built(describe(model, IMAGES), tmp_path)(IMAGES), expected)
        assert torch.equal(model(IMAGES), expected)
    assert parametrize.is_parametrized(model[0])


def test_recurrent_layers_are_layers(tmp_path):
    def forward(self, x):
        found, _ = self.rnn(x.flatten(2))
        return self.gru(found)[0].mean(1)

    model = network_of(forward, rnn=nn.LSTM(64, 6, 2, batch_first=True, bidirectional=True), gru=nn.GRU(12, 5, bias=False))
    found = describe(model, IMAGES)
    assert found.said["layers"]["rnn"][1] == {
        "input_size": 64, "hidden_size": 6, "num_layers": 2, "batch_first": True, "bidirectional": True,
    }  # fmt: skip
    with torch.no_grad():
        assert torch.equal(built(found, tmp_path)(IMAGES), model(IMAGES))
