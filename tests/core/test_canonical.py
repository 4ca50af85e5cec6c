"""Rescalings that leave the function alone, and the ones that are refused."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from catalyst_core.canonical import PLANTED, canonicalize, draw_factors, plant_rescale, rescale_filters
from catalyst_core.certificate import certify
from catalyst_core.errors import ConfigError, NetworkError
from catalyst_core.filters import find_groups

HOMOGENEOUS = ["cnn", "vgg_small", "resnet20", "dense", "flatten"]


@pytest.mark.parametrize("name", HOMOGENEOUS)
@pytest.mark.parametrize("training", [False, True])
def test_planting_changes_no_bit_of_the_function(make_network, images, name, training):
    model = make_network(name)
    planted = copy.deepcopy(model)
    factors = plant_rescale(planted, find_groups(planted, images), seed=1)
    assert {float(value) for value in torch.cat(list(factors.values()))} == set(PLANTED)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), planted.parameters(), strict=True))
    assert torch.equal(model.train(training)(images), planted.train(training)(images))


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_any_factors_change_the_function_by_rounding_alone(make_network, images, name):
    model = make_network(name).double()
    planted = copy.deepcopy(model)
    factors = plant_rescale(planted, find_groups(planted, images.double()), seed=1, factors="any")
    assert certify(model, planted, images).lossless
    assert all(torch.all((value >= 0.25) & (value <= 4)) for value in factors.values())
    assert len(torch.cat(list(factors.values())).unique()) == sum(map(len, factors.values()))


def test_any_factors_are_uniform_in_their_logarithm(make_network, images):
    groups = find_groups(make_network("vgg_small"), images)
    drawn = np.concatenate([torch.cat(list(draw_factors(groups, seed, "any").values())).numpy() for seed in range(20)])
    places = np.sort(np.log(drawn) / np.log(16) + 0.5)  # uniform on 0..1
    steps = (np.arange(len(places)) + 0.5) / len(places)
    assert np.abs(places - steps).max() < 1.63 / np.sqrt(len(places))  # Kolmogorov and Smirnov, 1 %


def test_factors_depend_on_their_seed_alone(make_network, images):
    groups = find_groups(make_network("cnn"), images)
    for kind in ("powers_of_two", "any"):
        first, again, other = (torch.cat(list(draw_factors(groups, seed, kind).values())) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


def test_factors_multiply_the_magnitudes_and_their_inverses_put_them_back(make_network, images):
    model = make_network("resnet20")
    before = copy.deepcopy(model.state_dict())
    groups = find_groups(model, images)
    old = {group.name: group.magnitudes() for group in groups}
    factors = draw_factors(groups, seed=4)
    rescale_filters(model, groups, factors)
    for group in groups:
        assert torch.equal(group.magnitudes(), old[group.name] * factors[group.name].float())
    rescale_filters(model, groups, {name: 1 / value for name, value in factors.items()})
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_powers_of_two_leave_no_trace_in_the_canonical_form(make_network, images, name):
    model = make_network(name)
    planted = copy.deepcopy(model)
    plant_rescale(planted, find_groups(planted, images), seed=5)
    for one in (model, planted):
        canonicalize(one, find_groups(one, images))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), planted.parameters(), strict=True))


def test_wrong_factors_and_the_groups_of_another_network_are_refused(make_network, images):
    model = make_network("cnn")
    groups = find_groups(model, images)
    with pytest.raises(ConfigError, match=r"powers_of_two, any, not 'thirds'"):
        plant_rescale(model, groups, seed=0, factors="thirds")
    for refuse in (canonicalize, lambda one, of: plant_rescale(one, of, seed=0)):
        with pytest.raises(NetworkError, match="another network"):
            refuse(make_network("cnn"), groups)


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_canonical_form_has_unit_magnitudes_and_the_same_function(make_network, images, name):
    model = make_network(name)
    canonical = copy.deepcopy(model)
    groups = find_groups(canonical, images)
    report = canonicalize(canonical, groups)
    assert report.rescaled == tuple(group.name for group in groups)
    assert report.skipped == {}
    for group in groups:
        torch.testing.assert_close(group.magnitudes(), torch.ones(group.size))
    certificate = certify(model, canonical, images)
    assert certificate.max_abs_logit_change_float32 < 1e-4
    assert certificate.max_abs_logit_change < 1e-4  # the factors were rounded to float32


def test_in_float64_the_function_is_the_same_to_rounding(make_network, images):
    model = make_network("resnet20").double()
    canonical = copy.deepcopy(model)
    canonicalize(canonical, find_groups(canonical, images.double()))
    assert certify(model, canonical, images).lossless


def test_planted_and_unplanted_have_the_same_canonical_form(make_network, images):
    model = make_network("resnet20").double()
    planted = copy.deepcopy(model)
    plant_rescale(planted, find_groups(planted, images.double()), seed=5)
    for one in (model, planted):
        canonicalize(one, find_groups(one, images.double()))
    for one, other in zip(model.parameters(), planted.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_folded_magnitudes_have_a_canonical_form_too(make_network, images):
    model = make_network("cnn")
    groups = find_groups(model, images, magnitude="folded")
    assert canonicalize(model, groups).skipped == {}
    torch.testing.assert_close(groups[0].magnitudes(), torch.ones(32), check_dtype=False)


@pytest.mark.parametrize(
    ("name", "skipped"), [("depthwise", {"expand.0": "Hardtanh"}), ("gated", {"conv": ""}), ("mlp", {"1": "Gelu", "3": "Tanh"})]
)
def test_groups_that_do_not_scale_are_skipped_by_name(make_network, images, name, skipped):
    model = make_network(name)
    before = copy.deepcopy(model)
    groups = find_groups(model, images)
    report = canonicalize(model, groups)
    assert skipped.keys() <= report.skipped.keys()
    assert all(reason in report.skipped[group] for group, reason in skipped.items())
    assert certify(before, model, images).max_abs_logit_change < 1e-5
    assert str(report).startswith(f"{len(report.rescaled)} of {len(groups)} groups")
    factors = plant_rescale(model, groups, seed=0)
    assert all(torch.all(factors[group] == 1) for group in skipped)


class Shifted(nn.Module):
    """relu(x - 0.5) maps 0 to 0, so cuts are lossless, and yet it does not scale with x."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.classifier = nn.Conv2d(3, 6, 8), nn.BatchNorm2d(6), nn.Linear(6, 4)

    def forward(self, x):
        return self.classifier((self.bn(self.conv(x)) + (-0.5)).relu().flatten(1))


def test_an_added_constant_is_seen(images):
    model = Shifted().eval()
    groups = find_groups(model, images)
    assert list(groups.skipped) == ["classifier"]
    assert "Add" in canonicalize(model, groups).skipped["conv"]


def test_weights_in_front_of_a_batchnorm_are_skipped(make_network, images):
    model = make_network("cnn")
    report = canonicalize(model, find_groups(model, images, magnitude="weight"))
    assert report.rescaled == ()
    assert "BatchNorm" in report.skipped["conv1"]


def test_a_silent_channel_stays_silent(make_network, images):
    model = make_network("cnn")
    with torch.no_grad():
        model.bn1.weight[3] = model.bn1.bias[3] = 0
    before = copy.deepcopy(model)
    canonicalize(model, find_groups(model, images))
    assert model.bn1.weight[3] == 0
    assert certify(before, model, images).max_abs_logit_change < 1e-4
