"""Function-preserving rescalings on whole networks: canonical form up to rounding, planted powers of two to the last bit."""

import torch

from catalyst_core.canonical import canonicalize, plant_rescale
from tests.zoo.networks import ZOO

# Everything between a channel and its readers is ReLU, PReLU, pooling or addition: each group can be rescaled.
HOMOGENEOUS = {
    "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "regnet_x_400mf", "resnet20", "resnet56", "preactivated",
    "alexnet", "vgg11", "vgg16_bn", "vgg19_bn", "mlp_relu", "mlp_batchnorm", "line", "prelu", "prelu_shared", "two_sided",
    "squeezenet1_1", "densenet121", "googlenet", "googlenet_aux", "inception_v3", "concatenated", "unet",
    "mnasnet0_5", "shufflenet_v2_x1_0", "depthwise", "chunked", "reused",
}  # fmt: skip
# Every group that can be pruned goes through a GELU.
INHOMOGENEOUS = {"convnext_tiny", "swin_t", "deit_tiny", "mlp_gelu"}


def test_canonical_form_keeps_the_function_and_makes_unit_magnitudes(specimen):
    model, groups = specimen.copied()
    report = canonicalize(model, groups)
    for one, dense in zip(specimen.evaluate(model), specimen.dense, strict=True):
        assert float((one - dense).abs().max()) <= 1e-9 * float(dense.abs().max())
    for group in groups:
        if group.name in report.rescaled:
            torch.testing.assert_close(group.magnitudes(), torch.ones(group.size, dtype=torch.float64))


def test_the_report_names_every_group_once_and_gives_reasons(specimen):
    model, groups = specimen.copied()
    report = canonicalize(model, groups)
    names = [group.name for group in groups]
    assert sorted([*report.rescaled, *report.skipped]) == sorted(names)
    assert all(report.skipped.values())
    if specimen.name in HOMOGENEOUS:
        assert list(report.rescaled) == names
    if specimen.name in INHOMOGENEOUS:
        assert list(report.skipped) == names


def test_planted_powers_of_two_change_no_bit(specimen):
    model, groups = specimen.copied()
    factors = plant_rescale(model, groups, seed=1)
    assert list(factors) == [group.name for group in groups]
    planted = {name for name, one in factors.items() if bool((one != 1).any())}
    assert planted <= {group.name for group in groups if group.inhomogeneous is None}
    if specimen.name in HOMOGENEOUS:
        assert planted
    assert all(torch.equal(one, dense) for one, dense in zip(specimen.evaluate(model), specimen.dense, strict=True))


def test_the_two_lists_are_about_networks_of_the_zoo():
    assert ZOO.keys() >= HOMOGENEOUS | INHOMOGENEOUS
    assert HOMOGENEOUS.isdisjoint(INHOMOGENEOUS)
