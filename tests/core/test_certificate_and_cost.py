"""What the certificate sees, and what a network costs, against counts made by hand."""

import copy
import io

import pytest
import torch
from torch import nn

from catalyst_core import cost
from catalyst_core.certificate import certify


class Shift(nn.Module):
    """Adds to the first logit."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by, dtype=torch.float64))

    def forward(self, x):
        return torch.cat([x[:, :1] + self.by.to(x), x[:, 1:]], 1)


def test_the_certificate_sees_the_change_and_the_flipped_predictions():
    logits = torch.tensor([[0.0, 1.0], [0.0, 3.0], [2.0, 0.0]]).repeat(200, 1)  # more than one batch
    certificate = certify(Shift(0.0), Shift(2.0), logits)
    assert certificate.max_abs_logit_change == 2.0
    assert certificate.max_abs_logit_change_float32 == 2.0
    assert certificate.changed_predictions == 200
    assert certificate.images == 600
    assert not certificate.lossless


def test_the_float64_number_is_not_limited_by_float32():
    certificate = certify(Shift(0.0), Shift(1e-9), torch.ones(4, 2))
    assert certificate.max_abs_logit_change == pytest.approx(1e-9, rel=1e-6)
    assert certificate.max_abs_logit_change_float32 == 0.0
    assert not certificate.lossless


def test_both_networks_are_left_in_their_mode_and_precision(make_network, images):
    model = make_network("cnn").train()
    statistics = model.bn1.running_mean.clone()
    certify(model, model, images)
    assert model.training
    assert model.conv1.weight.dtype == torch.float32
    assert torch.equal(model.bn1.running_mean, statistics)


def test_both_are_compared_in_evaluation_mode(make_network, images):
    model = make_network("cnn")
    assert certify(copy.deepcopy(model).train(), model, images).max_abs_logit_change == 0


def test_macs_and_parameters_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(320, 4)
    )
    counted = cost.count(model, torch.zeros(7, 3, 8, 8))
    assert counted.macs == 8 * 8 * 5 * 3 * 9 + 320 * 4
    assert counted.params == 5 * 3 * 9 + 2 * 5 + 320 * 4 + 4


def test_a_layer_that_reads_a_view_of_a_parameter_is_counted():
    class Token(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.mix = nn.Parameter(torch.randn(1, 1, 8)), nn.Linear(8, 4)

        def forward(self, x):
            return self.mix(self.token.expand(len(x), -1, -1))[:, 0]

    model = Token()
    assert cost.count(model, torch.zeros(2, 3)).macs == 8 * 4
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_bytes_are_those_of_the_saved_state_even_when_it_is_a_view(make_network):
    model = make_network("cnn")
    buffer = io.BytesIO()
    torch.save(dict(model.state_dict()), buffer)
    assert cost.count(model, torch.zeros(1, 3, 8, 8)).bytes == pytest.approx(buffer.tell(), rel=0.01)
    storage = torch.zeros(1_000_000)
    storage[: model.conv1.weight.numel()] = model.conv1.weight.detach().flatten()
    model.conv1.weight.data = storage[: model.conv1.weight.numel()].view_as(model.conv1.weight)
    assert cost.count(model, torch.zeros(1, 3, 8, 8)).bytes < 500_000


def test_latency_is_positive_and_leaves_the_network_in_its_mode(make_network, images):
    model = make_network("cnn").train()
    assert cost.latency(model, images, repeats=3) > 0
    assert model.training
