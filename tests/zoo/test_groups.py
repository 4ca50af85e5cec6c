"""How many groups each network has, of how many channels, and which are left out for what reason."""

import torch
from torch import nn
from torchvision import models

from catalyst_core import cost
from catalyst_core.decisions import Decisions
from catalyst_core.filters import find_groups
from catalyst_core.surgery import remove_filters, zero_pruned
from tests.zoo.networks import ZOO

# Name -> (groups, channels in all of them), added up by hand from the papers' tables of widths.
RESIDUAL = {
    "resnet18": (4 + 8, 960 + 2 * 960),  # streams, and the inside of each block
    "resnet34": (4 + 16, 960 + 3 * 64 + 4 * 128 + 6 * 256 + 3 * 512),
    "resnet50": (1 + 4 + 32, 64 + 3840 + 2 * (3 * 64 + 4 * 128 + 6 * 256 + 3 * 512)),  # the stem is no stream
    "resnext50_32x4d": (1 + 4 + 16, 64 + 3840 + 16 * 32),  # inside a block, a channel is one of 32 convolution groups
    "regnet_x_400mf": (1 + 4 + 22, 32 + (32 + 64 + 160 + 400) + (1 * 2 + 2 * 4 + 7 * 10 + 12 * 25)),
    "regnet_y_400mf": (  # ... + squeezed channels: a quarter of each block's inputs
        1 + 4 + 16 + 16,
        32 + 800 + (1 * 6 + 3 * 13 + 6 * 26 + 6 * 55) + (8 + 12 + 2 * 26 + 26 + 5 * 52 + 52 + 5 * 110),
    ),
    "resnet20": (3 + 9, 112 + 3 * 112),
    "resnet56": (3 + 27, 112 + 9 * 112),
    "preactivated": (1 + 2, 8 + 2 * 12),
    "squeezed": (1 + 1 + 1, 8 + 12 + 4),
}
PLAIN = {
    "alexnet": (5 + 2, 64 + 192 + 384 + 256 + 256 + 2 * 64),
    "vgg11": (8 + 2, 64 + 128 + 2 * 256 + 4 * 512 + 2 * 64),
    "vgg16_bn": (13 + 2, 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512 + 2 * 64),
    "vgg19_bn": (16 + 2, 2 * 64 + 2 * 128 + 4 * 256 + 8 * 512 + 2 * 64),
    "mlp_relu": (2, 32 + 20),
    "mlp_gelu": (2, 32 + 20),
    "mlp_batchnorm": (2, 32 + 20),
    "lenet": (4, 6 + 16 + 120 + 84),
    "line": (2, 8 + 12),
    "prelu": (2, 8 + 12),
    "prelu_shared": (2, 8 + 12),
    "two_sided": (2, 8 + 16),
}
# The convolutions of the blocks, one line a block or a kind of block; every one is a group of its own.
GOOGLENET = sum(
    (
        64 + 96 + 128 + 16 + 32 + 32,
        128 + 128 + 192 + 32 + 96 + 64,
        192 + 96 + 208 + 16 + 48 + 64,
        160 + 112 + 224 + 24 + 64 + 64,
        128 + 128 + 256 + 24 + 64 + 64,
        112 + 144 + 288 + 32 + 64 + 64,
        256 + 160 + 320 + 32 + 128 + 128,
        256 + 160 + 320 + 32 + 128 + 128,
        384 + 192 + 384 + 48 + 128 + 128,
    )
)
INCEPTION = sum(
    (
        32 + 32 + 64 + 80 + 192,
        3 * (64 + 48 + 64 + 64 + 96 + 96) + 32 + 64 + 64,
        384 + 64 + 96 + 96,
        4 * 4 * 192 + 6 * (128 + 160 + 160 + 192),
        192 + 320 + 4 * 192,
        2 * (320 + 3 * 384 + 448 + 3 * 384 + 192),
    )
)
CONCATENATED = {
    "squeezenet1_1": (1 + 3 * 8, 64 + 2 * (16 + 32 + 48 + 64) + 4 * (64 + 128 + 192 + 256)),
    "densenet121": (1 + 2 * 58 + 3, 64 + 58 * (128 + 32) + (128 + 256 + 512)),
    "googlenet": (3 + 6 * 9, 64 + 64 + 192 + GOOGLENET),
    "googlenet_aux": (3 + 6 * 9 + 2 * 2, 64 + 64 + 192 + GOOGLENET + 2 * (128 + 1024)),  # only training sees the other heads
    "inception_v3": (94, INCEPTION),
    "concatenated": (6, 8 + 4 + 6 + 5 + 7 + 9),
}
# What the blocks of EfficientNet-B0 take in, but for the first, which expands nothing.
EFFICIENT = 16 + 2 * 24 + 2 * 40 + 3 * 80 + 3 * 112 + 4 * 192
MOBILE = {  # stem + streams + expanded channels (+ squeezed channels) + last layers
    "mobilenet_v2": (1 + 7 + 16 + 1, 32 + 712 + 6 * (16 + 2 * 24 + 3 * 32 + 4 * 64 + 3 * 96 + 3 * 160) + 1280),
    "mobilenet_v3_small": (
        1 + 5 + 10 + 9 + 2,
        (16 + 224)
        + (72 + 88 + 96 + 240 + 240 + 120 + 144 + 288 + 576 + 576)
        + (8 + 24 + 64 + 64 + 32 + 40 + 72 + 144 + 144)
        + (576 + 1024),
    ),
    "mnasnet0_5": (
        1 + 7 + 16 + 1,
        16 + 392 + 3 * (8 + 3 * 16 + 2 * 24) + 6 * (24 + 2 * 40 + 40 + 48 + 48 + 3 * 96 + 96) + 1280,
    ),
    "efficientnet_b0": (1 + 7 + 15 + 16 + 1, 32 + 784 + 6 * EFFICIENT + (8 + EFFICIENT // 4) + 1280),
    "depthwise": (2, 8 + 12),
}
OTHERS = {
    "unet": (4, 8 + 12 + 6 + 9),
    "reused": (2, 8 + 12),
    "gated": (4, 16 + 24 + 14 + 10),  # a value and its gate are one channel
}
OPEN = RESIDUAL | PLAIN | CONCATENATED | MOBILE | OTHERS
# Name -> (groups, channels, layer -> a word of the reason why its channels stay)
MIXED = dict.fromkeys(("features.0.0", "features.2.1", "features.4.1", "features.6.1"), "LayerNorm")
CLOSED = {
    # The hidden neurons of the feed-forward blocks; the streams go through LayerNorm.
    "convnext_tiny": (18, 4 * (3 * 96 + 3 * 192 + 9 * 384 + 3 * 768), MIXED),
    "swin_t": (12, 4 * (2 * 96 + 2 * 192 + 6 * 384 + 2 * 768), {"features.0.0": "LayerNorm"}),
    "deit_tiny": (12, 12 * 768, {"conv_proj": "pos_embedding"}),
    # The inside of the branches, the stem and the last convolution; half of the stream always passes a block by.
    "shufflenet_v2_x1_0": (1 + 16 + 1, 24 + 4 * 58 + 8 * 116 + 4 * 232 + 1024, {"stage2.0.branch1.2": ""}),
    "chunked": (3, 10 + 4 + 12, {"stem.0": ""}),
    "shuffled": (1, 12, {"0": ""}),
    "sigmoid": (1, 12, {"0": "Sigmoid maps 0 to 0.5"}),
    "softplus": (1, 12, {"0": "Softplus maps 0 to 0.693"}),
    "hardsigmoid": (1, 12, {"0": "Hardsigmoid maps 0 to 0.5"}),
    "layernorm": (1, 12, {"0": "LayerNorm"}),
    "groupnorm": (1, 12, {"0": "GroupNorm"}),
}


def test_the_tables_are_about_every_network_of_the_zoo():
    assert OPEN.keys() | CLOSED.keys() == ZOO.keys()
    assert OPEN.keys().isdisjoint(CLOSED)


def test_as_many_groups_and_channels_as_added_up_by_hand(specimen):
    found = len(specimen.groups), sum(group.size for group in specimen.groups)
    assert found == (OPEN | CLOSED)[specimen.name][:2]


def test_every_group_has_a_name_of_its_own_that_is_a_layer_s(specimen):
    names = [group.name for group in specimen.groups]
    assert len({*names, *specimen.groups.skipped}) == len(names) + len(specimen.groups.skipped)
    for name in (*names, *specimen.groups.skipped):
        assert isinstance(specimen.model.get_submodule(name), nn.Linear | nn.modules.conv._ConvNd | nn.MultiheadAttention)


def test_what_is_left_out_has_a_reason(specimen):
    outputs = {name for name, reason in specimen.groups.skipped.items() if "outputs" in reason}
    others = {name: reason for name, reason in specimen.groups.skipped.items() if name not in outputs}
    assert outputs
    if specimen.name in OPEN:
        assert others == {}
        return
    expected = CLOSED[specimen.name][2]
    assert expected.keys() <= others.keys()
    assert all(word in others[name] for name, word in expected.items())


def test_the_hidden_neurons_of_vit_b_16_at_its_real_size():  # the slowest test of the zoo: 86 million parameters
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, image = models.vit_b_16(num_classes=10), torch.randn(1, 3, 224, 224)
    nn.init.normal_(model.heads.head.weight, std=0.1)
    groups = find_groups(model, image)
    assert [group.size for group in groups] == [3072] * 12
    decisions = Decisions({group.name: torch.arange(3072) % 5 == position % 5 for position, group in enumerate(groups)})
    smaller = remove_filters(model, image, decisions)
    kept = torch.cat(list(decisions.kept.values())).numpy()
    assert groups.macs.count(kept) == cost.count(smaller, image).macs
    model, smaller, image = model.double().eval(), smaller.double().eval(), image.double()
    with torch.no_grad():
        dense, cut = model(image), smaller(image)
        zero_pruned(groups, decisions)
        masked = model(image)
    assert float((masked - cut).abs().max()) <= 1e-10
    assert float((masked - dense).abs().max()) > 1e-3 * float(dense.abs().max())
