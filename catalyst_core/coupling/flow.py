"""Channels on their way through a network: beside every activation runs a tensor of labels, one entry's channel each.

The network runs as it is, operation by operation. Whatever only moves entries about (views, permutations, concatenations,
padding, shuffles) is done to the labels by the same operation; layers read labels and make new ones; element-wise
operations unite the labels that they combine; and what cannot be followed refuses the channels that it touches, by name.
"""

# C = channels of an activation

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from catalyst_core.coupling import operations as ops
from catalyst_core.coupling.activations import Activations, Flow
from catalyst_core.coupling.book import FIXED_HERE, Book
from catalyst_core.coupling.classes import ZERO, varies
from catalyst_core.coupling.layers import BatchNorm, Parameters
from catalyst_core.coupling.operations import tensors
from catalyst_core.coupling.positions import divides, turns
from catalyst_core.coupling.story import Path, Story, acts_alone, lengthen, merge, probe
from catalyst_core.coupling.weights import Weights

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class Tracer(TorchDispatchMode):
    """Follows one forward pass or several; `book` is the outcome."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__()
        self.parameters = parameters
        self.book = Book()
        self.classes = self.book.classes
        self._flows = Activations()
        self.weights = Weights(parameters)

    def __torch_dispatch__(self, func: Any, types: Any, args: Args = (), kwargs: Kwargs | None = None) -> Any:
        """Run the operation, then follow it."""
        out = func(*args, **(kwargs or {}))
        self._follow(func, args, kwargs or {}, out)
        return out

    def end(self, outputs: Any) -> None:
        """Forget the activations; what the network returned has to stay."""
        for flow in self._flows.known(outputs):
            self.classes.refuse(flow.labels, "these are the network's outputs")
        self._flows.clear()
        self.weights.end()

    def _follow(self, func: Any, args: Args, kwargs: Kwargs, out: Any) -> None:
        name = ops.base_name(func)
        known = self._flows.known((args, kwargs))
        self.weights.compute((args, kwargs), out)
        if self.weights.turn(name, args, out):
            return
        if name == "convolution":
            self._convolve(args, out)
        elif name in ("addmm", "mm", "bmm", "linear"):
            self._multiply(name, args, out)
        elif "batch_norm" in name:
            self._normalise(args, out)
        elif ops.is_new(name):
            self._flows.blank(out)
        elif not any(flow.has_channels for flow in known):
            self._carry_constants(func, name, args, kwargs, known, out)
        elif self._writes_into_the_unknown(func, args):
            self._refuse(known, "it is written into a tensor whose channels stay", out)
        elif name == "roll" and turns(args, known[0].labels):
            self._refuse(known, "the network's code moves its channels by their position (roll)", out)
        elif ops.is_move(func, name):
            self._move(func, name, args, kwargs, known, out)
        elif ops.is_gathering(name):
            self._gather(func, name, args, kwargs, out)
        elif name == "glu":
            self._gate(args, out)
        elif name == "native_dropout":
            self._flows.put(out[0], known[0])
        elif ops.is_pointwise(func, name) or self._acts_alone(func, args, kwargs):
            self._pointwise(func, name, args, kwargs, out)
        else:
            self._mix(name, args, out)

    # layers

    def _convolve(self, args: Args, out: Tensor) -> None:
        x, weight, transposed, groups = args[0], args[1], args[6], args[8]
        owner, flow = self.weights.layer(weight), self._flows.get(x)
        if owner is None or (transposed and groups > 1):
            why = "a grouped transposed convolution" if owner else "a convolution whose weight is computed from something else"
            self._refuse(self._flows.known(args), f"{why} reads its channels", out)
            self.weights.tell(weight, out, "Convolution")
            return
        columns = self.book.read(owner.name, x, flow, 1)
        self._flows.put(out, self.book.made(owner.name, out, 1))
        if groups > 1:
            self.book.join_groups(owner.name, columns, out.shape[1], groups, flow)
        self.book.count(owner.name, (x if transposed else out)[:, 0].numel() * weight[0, 0].numel())

    def _multiply(self, name: str, args: Args, out: Tensor) -> None:
        """x W^T + b with a layer's own W; any other product mixes."""
        x, weight = args[1:3] if name == "addmm" else args[:2]
        owner = self.weights.layer(weight) if name == "linear" else self.weights.turned(weight)
        if owner is None:
            self._mix("matrix product", args, out)
            return
        self.book.read(owner.name, x, self._flows.get(x), -1)
        self._flows.put(out, self.book.made(owner.name, out, -1))
        self.book.count(owner.name, out[..., 0].numel())

    def _normalise(self, args: Args, out: Any) -> None:
        x, owner, out = args[0], self.parameters.owner(args[1]), next(tensors(out))
        flow = self._flows.get(x)
        if flow is None or not flow.has_channels:
            self._flows.fix(out, flow.reason if flow else None)
            return
        if owner is None or not isinstance(owner.module, BatchNorm):
            self._refuse([flow], "a normalisation behind it has no scale and shift of its own that could vanish", out)
            return
        self.book.normalise(owner.name, x, flow)
        self._flows.put(out, Flow(flow.labels.clone(), {owner.name: Path()}))

    # what is no layer

    def _carry_constants(self, func: Any, name: str, args: Args, kwargs: Kwargs, known: list[Flow], out: Any) -> None:
        """Activations without a channel: blank ones stay blank, and why others are fixed goes on."""
        if known and not any(flow.has_fixed for flow in known):
            if ops.is_move(func, name):
                self._move(func, name, args, kwargs, known, out)
            elif ops.is_pointwise(func, name):
                self._flows.blank(out)
        elif not ops.is_in_place(func):
            self._flows.fix(out, next((flow.reason for flow in known if flow.reason), None))
            if not ops.is_move(func, name) and not ops.is_pointwise(func, name):
                self._tell(name, args, out)

    def _move(self, func: Any, name: str, args: Args, kwargs: Kwargs, known: list[Flow], out: Any) -> None:
        """The same operation on the labels."""
        labelled = ops.replaced(args, self._flows.labels())
        if name in ops.RESHAPES:  # labels may lie in memory otherwise than what they describe
            moved = labelled[0].reshape(out.shape)
        else:
            if name == "constant_pad_nd":
                labelled = (*labelled[:2], ZERO)
            moved = func(*labelled, **{key: one for key, one in kwargs.items() if key not in ("dtype", "layout", "device")})
        story = known[0].story if ops.is_view(func) else merge(*(flow.story for flow in known))
        if name == "copy":
            self._flows.rewrite(out, moved, story)
            return
        reason = next((flow.reason for flow in known if flow.reason), None)
        for tensor, labels in zip(tensors(out), tensors(moved), strict=True):
            self._flows.put(tensor, Flow(labels, story, reason))
            if divides(name, known, labels):
                self.classes.suspect(labels, f"the network's code divides them by their position ({name})")

    def _gather(self, func: Any, name: str, args: Args, kwargs: Kwargs, out: Any) -> None:
        """Pooling, resizing and means over positions: what they take together must be of one channel."""
        flow, out = self._flows.get(args[0]), next(tensors(out))
        assert flow is not None
        dims = ops.gathered_dims(func, name, args, kwargs, flow.labels.ndim)
        if any(varies(flow.labels, dim) for dim in dims):
            self._refuse([flow], f"{ops.title(name)} over its channels mixes them", out)
            return
        labels = flow.labels.amax(dims, keepdim=out.ndim == flow.labels.ndim)
        story = self._lengthened(func, name, args, kwargs, [args[0]], flow.story)
        self._flows.put(out, Flow(labels.expand(out.shape).clone(), story))

    def _pointwise(self, func: Any, name: str, args: Args, kwargs: Kwargs, out: Any) -> None:
        out = next(tensors(out))
        if self._is_own_bias(name, args):
            self._flows.put(out, self._flows.known(args)[0])
            return
        given = list({id(one): one for one in tensors((args, kwargs)) if one.ndim}.values())
        flows = {id(one): flow for one in given if (flow := self._flows.get(one)) is not None and flow.has_channels}
        wide = {key: ops.widened(flow.labels, out.ndim) for key, flow in flows.items()}
        varying = [dim for dim in range(out.ndim) if any(varies(labels, dim) for labels in wide.values())]
        main = [key for key, labels in wide.items() if all(labels.shape[dim] == out.shape[dim] for dim in varying)]
        for key in flows.keys() - set(main):
            self.classes.refuse(flows[key].labels, f"{ops.title(name)} spreads it over other channels")
        labels = wide[main[0]].expand(out.shape).clone()
        for key in main[1:]:
            other = wide[key].expand(out.shape)
            self.classes.unite_pairs(labels, other, flows[key].reason or flows[main[0]].reason or FIXED_HERE)
            labels = torch.maximum(labels, other)
        if name == "_prelu_kernel":
            self._own_slopes(args, flows[main[0]])
        else:
            self._meet_the_rest([one for one in given if id(one) not in flows], labels, varying)
        followed = {id(one): one for one in given if id(one) in main}
        story = self._combined(func, name, args, kwargs, [(followed[key], flows[key].story) for key in main])
        if ops.is_in_place(func):
            self._flows.rewrite(out, labels, story)
        else:
            self._flows.put(out, Flow(labels, story))

    def _is_own_bias(self, name: str, args: Args) -> bool:
        """A linear layer adds its bias by itself where its input does not lie in one piece of memory."""
        if name != "add" or (owner := self.parameters.owner(args[1])) is None or owner.kind != "bias":
            return False
        flow = self._flows.get(args[0])
        return flow is not None and flow.story == {owner.name: Path()}

    def _gate(self, args: Args, out: Tensor) -> None:
        """x[: C/2] * sigmoid(x[C/2 :]): the two halves go together."""
        flow = self._flows.get(args[0])
        assert flow is not None
        half, gate = flow.labels.chunk(2, args[1] if len(args) > 1 else -1)
        self.classes.unite_pairs(half, gate, flow.reason or FIXED_HERE)
        self._flows.put(out, Flow(half.clone(), lengthen(flow.story, "Glu does not scale with its input")))

    def _meet_the_rest(self, others: list[Tensor], labels: Tensor, varying: list[int]) -> None:
        """Operands that are not followed: one number for all channels is harmless, one a channel ties them to what stays."""
        for one in others:
            flow, owner = self._flows.get(one), self.parameters.origin(one)
            blank = flow is not None and not flow.has_fixed
            if blank or all(dim < labels.ndim - one.ndim or one.shape[dim - labels.ndim] == 1 for dim in varying):
                continue
            acts = owner and f"parameter {owner.path} acts on it outside of a known layer"
            self.classes.refuse(labels, acts or (flow and flow.reason) or FIXED_HERE)

    def _own_slopes(self, args: Args, flow: Flow) -> None:
        """PReLU has one slope for all channels, or one a channel, which is cut with it."""
        owner = self.parameters.origin(args[1])
        if args[1].numel() == 1:
            return
        if owner is None or not isinstance(owner.module, nn.PReLU):
            self.classes.refuse(flow.labels, "a PReLU behind it has slopes that are computed from something else")
            return
        self.book.own(self.book.rows, owner.name, self.book.columns(args[0], flow, 1))

    # stories

    def _combined(self, func: Any, name: str, args: Args, kwargs: Kwargs, followed: list[tuple[Tensor, Story]]) -> Story:
        stories = [story for _, story in followed]
        if name not in ("mul", "div") or len(followed) < 2:
            return self._lengthened(func, name, args, kwargs, [one for one, _ in followed], merge(*stories))
        # One vanishing factor is enough: the gate of a squeeze-and-excitation block need not vanish too.
        place = (
            0
            if name == "div"
            else min(range(2), key=lambda index: sum(layer not in self.book.behind for layer in stories[index]))
        )
        same = stories[0].keys() & stories[1].keys()
        return lengthen(stories[place], f"{ops.title(name)} does not scale with its input" if same else None)

    def _lengthened(self, func: Any, name: str, args: Args, kwargs: Kwargs, followed: list[Tensor], story: Story) -> Story:
        """With this operation, which is tried out on random numbers."""
        return lengthen(story, *probe(_again(func, args, kwargs, followed), ops.title(name)))

    def _acts_alone(self, func: Any, args: Args, kwargs: Kwargs) -> bool:
        """An operation of one activation that is element-wise without saying so, as hardswish is."""
        followed = [one for one in tensors((args, kwargs)) if self._flows.get(one) is not None]
        if len(followed) != 1 or torch.Tag.nondeterministic_seeded in func.tags:
            return False
        return acts_alone(_again(func, args, kwargs, followed), followed[0].shape)

    # small change

    def _refuse(self, flows: list[Flow], reason: str, out: Any) -> None:
        """These channels stay, and what comes out has none that could be cut."""
        earlier = next((flow.reason for flow in flows if flow.reason), None)
        for flow in flows:
            self.classes.refuse(flow.labels, reason)
        self._flows.fix(out, reason if any(flow.has_channels for flow in flows) else earlier)

    def _mix(self, name: str, args: Args, out: Any) -> None:
        """An operation that is not followed: named by its module, if it has a parameter."""
        owner = next((owner for one in tensors(args) if (owner := self.parameters.origin(one)) is not None), None)
        who = f"{type(owner.module).__name__} {owner.name}".rstrip() if owner else ops.title(name)
        self._refuse(self._flows.known(args), f"{who} mixes channels, so removing one changes the others", out)
        self._tell(name, args, out)

    def _tell(self, name: str, args: Args, out: Any) -> None:
        """Normalisations scale, they do not multiply: what they mix is told of the channels."""
        if "norm" not in name:
            self.weights.tell(args, out, ops.title(name))

    def _writes_into_the_unknown(self, func: Any, args: Args) -> bool:
        return ops.is_in_place(func) and self._flows.get(args[0]) is None


def _again(func: Any, args: Args, kwargs: Kwargs, followed: list[Tensor]) -> Callable[[Callable[[Tensor], Tensor]], Tensor]:
    """The operation with other numbers in place of the activations that are followed."""
    chosen = {id(one) for one in followed if one.is_floating_point()}

    def again(replace: Callable[[Tensor], Tensor]) -> Tensor:
        def put(one: Tensor) -> Tensor:
            return replace(one) if id(one) in chosen else one

        return next(tensors(func(*ops.replaced(args, put), **ops.replaced(kwargs, put))))

    return again
