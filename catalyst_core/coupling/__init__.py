"""Which channels of a network live and die together: `trace` runs it once in training and once in evaluation mode, and watches.

The answer is plain data in module names and channel indices, so that it serves the filter groups (which parameters make a
channel vanish), the canonical form (what reads it), the surgery (what to slice) and the budgets (what it costs).

    plain       the answer
    layers      layers, and who owns a parameter
    classes     which channels are one
    operations  what kind of thing an operation is
    story       what happened to an activation since the layers that made it
    activations the table of activations
    book        what layers make, own and read
    flow        one forward pass
    reading     from what was seen to the answer
"""

import copy
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from catalyst_core.coupling.flow import Tracer
from catalyst_core.coupling.layers import BatchNorm, Convolution, Layer, Parameters, Transposed, is_grouped, output_dim, outputs
from catalyst_core.coupling.operations import tensors, unfused
from catalyst_core.coupling.plain import Coupling, Index, Multiplication, Producer, Slot, Traced, arguments
from catalyst_core.coupling.reading import Reading
from catalyst_core.errors import ConfigError, ExampleInputError

__all__ = [
    "BatchNorm",
    "Convolution",
    "Coupling",
    "Index",
    "Producer",
    "Slot",
    "Traced",
    "Transposed",
    "arguments",
    "is_grouped",
    "output_dim",
    "tensors",
    "trace",
    "unfused",
]


def trace(model: nn.Module, example_inputs: Any, ignored_layers: Iterable[nn.Module | str] = ()) -> Traced:
    """Every set of coupled channels in the order of the modules, and what each layer multiplies.

    `model` is left as it was. `ignored_layers` are layers (or their names) whose output channels must stay. Raises
    `ExampleInputError` when the model does not run on `example_inputs`, `TiedParametersError` when two layers that would be
    cut share a parameter, and `ConfigError` when an ignored layer is not one of the model's.
    """
    ignored = _names(model, ignored_layers)
    twin = copy.deepcopy(model).cpu().float().requires_grad_(False)
    inputs = [_shortened(one) for one in arguments(example_inputs)]
    parameters = Parameters(twin)
    tracer = Tracer(parameters)
    counter = FlopCounterMode(display=False)
    with unfused():
        _run(twin.eval(), inputs, counter)
        _watch(twin, inputs, tracer)
        units = dict(tracer.book.units)
        _watch_training(twin, inputs, tracer)
    reading = Reading(twin, tracer.book, ignored)
    couplings = reading.couplings()
    parameters.check_untied({slot.module for one in couplings if not one.refused for slot in (*one.outputs, *one.readers)})
    examples = len(next((one for one in inputs if isinstance(one, Tensor)), torch.zeros(1)))
    layers = {name: _multiplication(twin.get_submodule(name), unit // examples) for name, unit in units.items()}
    rest = counter.get_total_flops() // 2 // examples - sum(one.unit * one.rows * one.columns for one in layers.values())
    return Traced(tuple(couplings), layers, rest)


def _watch(model: nn.Module, inputs: list[Any], tracer: Tracer) -> None:
    """One forward pass under the tracer."""
    tracer.end(_run(model, inputs, tracer))


def _run(model: nn.Module, inputs: list[Any], mode: AbstractContextManager[Any]) -> Any:
    """What the model returns; raises `ExampleInputError`."""
    try:
        with torch.no_grad(), mode:
            return model(*inputs)
    except Exception as error:  # whatever a model's own code raises
        shapes = ", ".join(str(tuple(one.shape)) if isinstance(one, Tensor) else type(one).__name__ for one in inputs)
        said = (str(error).strip() or "no message").splitlines()[0]
        raise ExampleInputError(
            f"{type(model).__name__} does not run on example inputs of shape {shapes}: give one batch as it takes it "
            f"({type(error).__name__}: {said})"
        ) from error


def _watch_training(model: nn.Module, inputs: list[Any], tracer: Tracer) -> None:
    """Training mode may know layers that evaluation does not, as auxiliary classifiers. It may also need what we lack."""
    state = torch.random.get_rng_state()
    twice = [torch.cat([one, one]) if isinstance(one, Tensor) and one.ndim and len(one) == 1 else one for one in inputs]
    try:
        _watch(model.train(), twice, tracer)
    except ExampleInputError as error:
        warnings.warn(f"in training mode {error}; layers that only training uses are not seen", stacklevel=4)
    finally:
        torch.random.set_rng_state(state)


def _multiplication(module: nn.Module, unit: int) -> Multiplication:
    assert isinstance(module, Layer)
    rows = outputs(module)
    return Multiplication(unit, rows, int(module.weight.shape[1 - output_dim(module)]), is_grouped(module))


def _names(model: nn.Module, layers: Iterable[nn.Module | str]) -> set[str]:
    names = {id(module): name for name, module in model.named_modules()}
    found = {layer if isinstance(layer, str) else names.get(id(layer), "") for layer in layers}
    unknown = found - {name for name in names.values() if name}
    if unknown:
        raise ConfigError(f"ignored_layers: {sorted(unknown)[0]!r} is not a layer of this {type(model).__name__}")
    return found


def _shortened(example: Any) -> Any:
    """Two examples are enough, and no gradient."""
    if not isinstance(example, Tensor):
        return example
    short = example.detach()[:2] if example.ndim else example.detach()
    return (short.float() if short.is_floating_point() else short).cpu().clone()
