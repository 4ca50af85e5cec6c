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
    weights     what no cut reaches
    positions   what moves channels by their position
    flow        one forward pass
    reading     from what was seen to the answer
"""

import copy
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from catalyst_core.coupling.flow import Tracer
from catalyst_core.coupling.layers import BatchNorm, Convolution, Layer, Parameters, Transposed, is_grouped, output_dim, outputs
from catalyst_core.coupling.operations import tensors, unfused
from catalyst_core.coupling.plain import Coupling, Index, Multiplication, Producer, Slot, Traced, arguments
from catalyst_core.coupling.reading import Reading
from catalyst_core.errors import ConfigError, ExampleInputError, NetworkError, told

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
    "check_repeats",
    "is_grouped",
    "output_dim",
    "tensors",
    "trace",
    "unfused",
]

REPEATS = 1e-4  # of its largest output: what two runs of one network may differ by


def trace(model: nn.Module, example_inputs: Any, ignored_layers: Iterable[nn.Module | str] = ()) -> Traced:
    """Every set of coupled channels in the order of the modules, and what each layer multiplies.

    `model` is left as it was. `ignored_layers` are layers (or their names) whose output channels must stay. Raises
    `ExampleInputError` when the model does not run on `example_inputs`, `NetworkError` when it cannot be copied or does not
    answer them alike twice in evaluation mode, and `ConfigError` when an ignored layer is not one of the model's.
    """
    ignored = _names(model, ignored_layers)
    twin = _copied(model).cpu().float().requires_grad_(False)
    inputs = [_shortened(one) for one in arguments(example_inputs)]
    parameters = Parameters(twin)
    tracer = Tracer(parameters)
    counter = FlopCounterMode(display=False)
    with unfused(), _same_draws():
        seen = _run(twin.eval(), inputs, counter)
        check_repeats(twin, seen, _watch(twin, inputs, tracer))
        units = dict(tracer.book.units)
        _watch_training(twin, inputs, tracer)
    couplings = tuple(_untied(one, parameters) for one in Reading(twin, tracer.book, ignored).couplings())
    examples = len(next((one for one in inputs if isinstance(one, Tensor)), torch.zeros(1)))
    layers = {name: _multiplication(twin.get_submodule(name), unit // examples) for name, unit in units.items()}
    rest = counter.get_total_flops() // 2 // examples - sum(one.unit * one.rows * one.columns for one in layers.values())
    outside = {name: why for name, why in tracer.weights.outside.items() if name not in tracer.book.first}
    return Traced(couplings, layers, rest, outside)


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:  # as of a weight that torch.nn.utils.weight_norm has computed with a gradient
        raise NetworkError(f"{type(model).__name__} cannot be copied, and so not be cut ({told(error)})") from error


@contextmanager
def _same_draws() -> Iterator[None]:
    """The same random numbers in every trace, so that two traces of one network agree; the user's go on as if there was none."""
    state = torch.random.get_rng_state()
    torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        torch.random.set_rng_state(state)


def _untied(coupling: Coupling, parameters: Parameters) -> Coupling:
    """Refused where a layer that would be cut shares a parameter with another."""
    why = parameters.tied({slot.module for slot in (*coupling.outputs, *coupling.readers)})
    return replace(coupling, refused=why, tied=True) if why else coupling


def _watch(model: nn.Module, inputs: list[Any], tracer: Tracer) -> Any:
    """One forward pass under the tracer: what the model returns."""
    outputs = _run(model, inputs, tracer)
    tracer.end(outputs)
    return outputs


def check_repeats(model: nn.Module, first: Any, second: Any, most: float = REPEATS) -> None:
    """Raises `NetworkError` where two passes in evaluation mode differ by more than `most` of the largest output."""
    ones, others = ([one for one in tensors(given) if one.is_floating_point()] for given in (first, second))
    if [one.shape for one in ones] != [one.shape for one in others] or not all(
        _alike(one, other, most) for one, other in zip(ones, others, strict=True)
    ):
        raise NetworkError(
            f"{type(model).__name__} does not answer the same example alike twice in evaluation mode, so its channels "
            f"cannot be followed: leave out there what it draws at random or counts"
        )


def _alike(one: Tensor, other: Tensor, most: float) -> bool:
    largest = float(one.nan_to_num().abs().max()) if one.numel() else 0.0
    return torch.allclose(one, other, rtol=most, atol=most * largest, equal_nan=True)


def _run(model: nn.Module, inputs: list[Any], mode: AbstractContextManager[Any]) -> Any:
    """What the model returns; raises `ExampleInputError`."""
    try:
        with torch.no_grad(), mode:
            return model(*inputs)
    except Exception as error:  # whatever a model's own code raises
        shapes = ", ".join(str(tuple(one.shape)) if isinstance(one, Tensor) else type(one).__name__ for one in inputs)
        raise ExampleInputError(
            f"{type(model).__name__} does not run on example inputs of shape {shapes}: give one batch as it takes it "
            f"({told(error)})"
        ) from error


def _watch_training(model: nn.Module, inputs: list[Any], tracer: Tracer) -> None:
    """Training mode may know layers that evaluation does not, as auxiliary classifiers. It may also need what we lack."""
    twice = [torch.cat([one, one]) if isinstance(one, Tensor) and one.ndim and len(one) == 1 else one for one in inputs]
    try:
        _watch(model.train(), twice, tracer)
    except ExampleInputError as error:
        warnings.warn(f"in training mode {error}; layers that only training uses are not seen", stacklevel=4)


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
