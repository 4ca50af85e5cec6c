"""Decide, zero, cut: the smaller network computes what the masked one does, costs what was promised, and trains on."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from catalyst_core import cost
from catalyst_core.certificate import LOSSLESS, certify
from catalyst_core.filters import find_groups
from tests.zoo.specimen import CUTS, tensors


def distance(one, other):
    return float((one - other).abs().max())


def parameters_of(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("cut", CUTS)
def test_the_cut_network_computes_what_the_masked_one_does(specimen, cut):
    masked, smaller = specimen.evaluate(specimen.masked(cut)), specimen.evaluate(copy.deepcopy(specimen.cut(cut)))
    assert [one.shape for one in smaller] == [one.shape for one in masked]
    for one, other, dense in zip(smaller, masked, specimen.dense, strict=True):
        change, sight = distance(one, other), distance(other[0], other[1])
        assert change <= LOSSLESS
        # What was cut had mattered, and what is left sees its input far more clearly than it can hide a change.
        assert distance(dense, other) > 1e-3 * float(dense.abs().max())
        assert sight > LOSSLESS
        assert change <= 1e-5 * sight


@pytest.mark.parametrize("cut", CUTS)
def test_the_cut_network_has_the_parameters_and_multiplications_that_are_left(specimen, cut):
    kept = specimen.decisions(cut).kept
    smaller = specimen.cut(cut)
    counted = cost.count(smaller, specimen.pair)
    assert counted.params < parameters_of(specimen.model)
    assert specimen.groups.macs.count(np.concatenate([kept[group.name] for group in specimen.groups])) == counted.macs


def test_with_every_channel_kept_the_count_is_that_of_the_network(specimen):
    channels = sum(group.size for group in specimen.groups)
    assert specimen.groups.macs.count(np.ones(channels, dtype=bool)) == cost.count(specimen.model, specimen.pair).macs


def test_the_certificate_calls_the_cut_lossless(specimen):
    if len(specimen.inputs) > 1:
        pytest.skip("a certificate is about networks with one input and one output")
    certificate = certify(specimen.masked("half"), specimen.cut("half"), *specimen.pair)
    assert certificate.lossless
    assert certificate.changed_predictions == 0
    assert certificate.images == 2


def test_the_cut_network_trains_on(specimen):
    smaller = copy.deepcopy(specimen.cut("half"))
    trained = [parameter for parameter in smaller.parameters() if parameter.requires_grad]
    assert len(trained) == len(list(specimen.model.parameters())) - 1  # the first one is frozen
    before = [parameter.detach().clone() for parameter in trained]
    optimizer = torch.optim.SGD(trained, lr=1e-3)
    loss = sum(one.square().mean() for one in tensors(smaller.train()(*specimen.inputs)))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(parameter.grad is not None and bool(parameter.grad.isfinite().all()) for parameter in trained)
    optimizer.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, trained, strict=True))
    assert all(bool(one.isfinite().all()) for one in tensors(smaller.eval()(*specimen.inputs)))


def test_the_cut_network_has_the_same_groups_with_the_channels_that_are_left(specimen):
    left = {name: int(mask.sum()) for name, mask in specimen.decisions("half").kept.items()}
    found = {group.name: group.size for group in find_groups(specimen.cut("half"), specimen.inputs)}
    assert {name: found.get(name) for name, size in left.items() if size > 1} == {
        name: size for name, size in left.items() if size > 1
    }


def test_every_layer_of_the_cut_network_states_its_sizes(specimen):
    for name, module in specimen.cut("most").named_modules():
        if isinstance(module, nn.modules.conv._ConvNd):
            shape = (module.out_channels, module.in_channels // module.groups)
            assert module.weight.shape[:2] == (shape[::-1] if module.transposed else shape), name
        if isinstance(module, nn.Linear):
            assert module.weight.shape == (module.out_features, module.in_features), name
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.weight.shape == module.running_mean.shape == (module.num_features,), name


def test_the_network_is_left_as_it_was(specimen):
    specimen.cut("half")
    assert all(module.training for module in specimen.model.modules())
    first, *others = specimen.model.parameters()
    assert not first.requires_grad
    assert all(parameter.requires_grad for parameter in others)
    assert all(parameter.grad is None for parameter in specimen.model.parameters())
    state = specimen.model.state_dict()
    assert list(state) == list(specimen.state)
    assert all(torch.equal(value, state[name]) for name, value in specimen.state.items())


def test_the_cut_network_shares_no_memory_with_the_network(specimen):
    mine = {tensor.data_ptr() for tensor in specimen.model.state_dict().values() if tensor.numel()}
    assert mine.isdisjoint(tensor.data_ptr() for tensor in specimen.cut("half").state_dict().values() if tensor.numel())
