"""Networks that others wrote: classifiers of torchvision and timm by their names there, and the owner's factories."""

import inspect
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from catalyst_core import libraries
from catalyst_core.errors import ConfigError, NetworkError, shown, told
from catalyst_core.owner import load, owner

COLOURS = 3  # channels that torchvision's networks expect
WITH_AUXILIARY = ("googlenet", "inception_v3")  # torchvision: heads that only training uses, and an outdated initialisation


def build_foreign(name: str, channels: int, size: int, classes: int) -> nn.Module:
    """'torchvision:resnet18', 'timm:resnet18' or a name of the owner's file, freshly initialised, for (N, channels, size, size).

    Raises `ConfigError` where nobody knows it, `NetworkError` where it cannot be built for such images.
    """
    parts = libraries.split(name)
    if parts is None:
        return _from_factory(name, channels, size, classes)
    libraries.check(name)
    library, own_name = parts
    try:
        return BUILDERS[library](own_name, channels, size, classes)
    except (Exception, SystemExit) as error:  # whatever a network's own code raises on sizes that it was not made for
        raise NetworkError(_cannot(name, channels, size, classes, error)) from error


def _torchvision(name: str, channels: int, size: int, classes: int) -> nn.Module:
    from torchvision import models

    settings = {"num_classes": classes}
    if name in WITH_AUXILIARY:
        settings |= {"aux_logits": False, "init_weights": True}
    if name.startswith("vit_"):
        settings["image_size"] = size
    network = models.get_model(name, weights=None, **settings)
    return network if channels == COLOURS else _reading(network, channels)


def _timm(name: str, channels: int, size: int, classes: int) -> nn.Module:
    import timm

    settings = {"num_classes": classes, "in_chans": channels}
    known = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if known is not None and known.fixed_input_size:
        settings["img_size"] = size
    return timm.create_model(name, pretrained=False, **settings)


BUILDERS: dict[str, Callable[[str, int, int, int], nn.Module]] = {"torchvision": _torchvision, "timm": _timm}


def _reading(network: nn.Module, channels: int) -> nn.Module:
    """With a fresh first convolution for images of so many channels; the rest as it is."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == COLOURS:
            parent, _, own = name.rpartition(".")
            kept = ("out_channels", "kernel_size", "stride", "padding", "dilation", "padding_mode")
            settings = {key: getattr(module, key) for key in kept}
            first = nn.Conv2d(channels, bias=module.bias is not None, **settings)
            setattr(network.get_submodule(parent), own, first)
            return network
    raise NetworkError(f"it has no convolution that reads {COLOURS} channels, which one for {channels} could replace")


def _from_factory(name: str, channels: int, size: int, classes: int) -> nn.Module:
    registered = owner().models
    if name not in registered:
        raise ConfigError(f"model: there is no network {shown(name)} on this machine; its owner may register it in catalyst.toml")
    factory = load(registered[name], f"model {name}")
    given = {"channels": channels, "size": size, "classes": classes}
    try:
        known = inspect.signature(factory).parameters
        # A class takes what its __init__ names: that of torch.nn.Module seems to take anything.
        takes_all = not isinstance(factory, type) and any(one.kind is one.VAR_KEYWORD for one in known.values())
        network = factory(**{key: value for key, value in given.items() if takes_all or key in known})
        if isinstance(network, nn.Module):
            _draw(network, channels, size)
    except (Exception, SystemExit) as error:  # the owner's code may raise anything
        raise NetworkError(_cannot(name, channels, size, classes, error)) from error
    if not isinstance(network, nn.Module):
        raise NetworkError(f"model {name}: {registered[name]} returned a {type(network).__name__}, not a torch.nn.Module")
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise NetworkError(f"model {name}: {registered[name]} returned TorchScript, which cannot be cut: return its module")
    return network


@torch.no_grad()
def _draw(network: nn.Module, channels: int, size: int) -> None:
    """Parameters that wait for the first images (`nn.LazyLinear`) are drawn now, as all others from the seed."""
    if any(is_lazy(one) for one in (*network.parameters(), *network.buffers())):
        was_training = network.training
        network.eval()(torch.zeros(2, channels, size, size))
        network.train(was_training)


def _cannot(name: str, channels: int, size: int, classes: int, error: BaseException) -> str:
    return f"{name} cannot be built for {channels} x {size} x {size} images and {classes} classes ({told(error)})"
