"""The zoo: every network that has to work, with random weights, 10 classes and small images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.vision_transformer import VisionTransformer

from catalyst_core.models import build_model, resnet
from tests.zoo import small

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)
BATCH = 4


@dataclass(frozen=True)
class Case:
    """How to build a network, and the shapes of its inputs without the batch dimension."""

    build: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...] = ((3, 64, 64),)


def torchvision(name: str, size: int = 64, **options: bool) -> Case:
    """A network of torchvision for square images of `size` pixels."""
    return Case(lambda: models.get_model(name, num_classes=10, **options), ((3, size, size),))


def narrow(name: str) -> Case:
    """A VGG or AlexNet with 64 hidden neurons in place of 4096, which would hold nine tenths of all parameters."""

    def build() -> nn.Module:
        model = models.get_model(name, num_classes=10)
        linear = [index for index, module in enumerate(model.classifier) if isinstance(module, nn.Linear)]
        inputs = model.classifier[linear[0]].in_features
        for index, width in zip(linear, (64, 64, 10), strict=True):
            model.classifier[index] = nn.Linear(inputs, width)
            inputs = width
        return model

    return Case(build)


def own(build: Callable[[], nn.Module], *shape: int) -> Case:
    """A network that is built here, for inputs of `shape`."""
    return Case(build, (shape,))


def deit_tiny() -> VisionTransformer:
    """The widths and depth of DeiT-Tiny, on 16 patches."""
    return VisionTransformer(
        image_size=64, patch_size=16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=10
    )


def resnet56() -> nn.Module:
    """ResNet-56 in its CIFAR form: nine blocks a stage."""
    return resnet.resnet(3, 10, depth=56)


LARGE = {
    **{name: torchvision(name) for name in ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "squeezenet1_1")},
    **{name: narrow(name) for name in ("alexnet", "vgg11", "vgg16_bn", "vgg19_bn")},
    **{name: torchvision(name) for name in ("mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "efficientnet_b0")},
    **{name: torchvision(name) for name in ("regnet_x_400mf", "regnet_y_400mf", "shufflenet_v2_x1_0", "densenet121")},
    "googlenet": torchvision("googlenet", aux_logits=False, init_weights=False),
    "googlenet_aux": torchvision("googlenet", aux_logits=True, init_weights=False),
    "inception_v3": torchvision("inception_v3", 75, aux_logits=False, init_weights=False),
    "convnext_tiny": torchvision("convnext_tiny"),
    "swin_t": torchvision("swin_t", 32),
    "deit_tiny": own(deit_tiny, 3, 64, 64),
    "resnet20": own(lambda: build_model("resnet20", 3, 16, 10, 0), 3, 16, 16),
    "resnet56": own(resnet56, 3, 16, 16),
}
SMALL = {
    "mlp_relu": own(lambda: small.mlp(nn.ReLU), 3, 4, 4),
    "mlp_gelu": own(lambda: small.mlp(nn.GELU), 3, 4, 4),
    "mlp_batchnorm": own(lambda: small.mlp(nn.ReLU, norm=True), 3, 4, 4),
    "lenet": own(small.lenet, 3, 28, 28),
    "line": own(small.line, 3, 32),
    "preactivated": own(small.Preactivated, 3, 8, 8),
    "concatenated": own(small.Concatenated, 3, 8, 8),
    "squeezed": own(small.Squeezed, 3, 8, 8),
    "depthwise": own(small.Depthwise, 3, 8, 8),
    "unet": own(small.UNet, 3, 8, 8),
    "gated": own(small.Gated, 3, 4, 4),
    "reused": own(small.Reused, 3, 8, 8),
    "chunked": own(small.Chunked, 3, 8, 8),
    "shuffled": own(lambda: small.activated(nn.ChannelShuffle(2)), 3, 8, 8),
    "prelu": own(lambda: small.activated(nn.PReLU(8)), 3, 8, 8),
    "prelu_shared": own(lambda: small.activated(nn.PReLU()), 3, 8, 8),
    "sigmoid": own(lambda: small.activated(nn.Sigmoid()), 3, 8, 8),
    "softplus": own(lambda: small.activated(nn.Softplus()), 3, 8, 8),
    "hardsigmoid": own(lambda: small.activated(nn.Hardsigmoid()), 3, 8, 8),
    "layernorm": own(lambda: small.normed(nn.LayerNorm([8, 8, 8])), 3, 8, 8),
    "groupnorm": own(lambda: small.normed(nn.GroupNorm(2, 8)), 3, 8, 8),
    "two_sided": Case(small.TwoSided, ((3, 8, 8), (5,))),
}
ZOO = LARGE | SMALL


def build(case: Case) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The network in training mode, with no parameter or statistic at a value that hides mistakes, and its inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = case.build().eval()
        inputs = tuple(torch.randn(BATCH, *shape) for shape in case.shapes)
        with torch.no_grad():
            _enliven(model)
            _calibrate(model, inputs)
    return model.train(), inputs


def _enliven(model: nn.Module) -> None:
    """No constant parameters: neither identities in norms, nor zeros in biases, classifiers and layer scales."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, NORMS):
                nn.init.uniform_(parameter, *((0.5, 1.5) if name == "weight" else (-0.5, 0.5)))
            elif bool((parameter == parameter.flatten()[0]).all()):
                nn.init.normal_(parameter, std=0.1)


def _calibrate(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """BatchNorm statistics near those of `inputs`, so that the signal reaches the end of deep networks."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    model(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.running_var.mul_(torch.rand_like(norm.running_var) + 0.5)
