"""What cannot be pruned as asked is an error of its own, which says where and what to do."""

import pytest
import torch
from torch import nn

from catalyst_core.decisions import Decisions
from catalyst_core.errors import ExampleInputError, LossyGroupError
from catalyst_core.filters import find_groups
from catalyst_core.surgery import remove_filters
from tests.zoo import small


def tied() -> nn.Sequential:
    """Two hidden layers with one weight, and one without."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(48, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 12), nn.Linear(12, 10)
    )
    model[5].weight = model[3].weight
    return model


def test_tied_parameters_name_both_layers():
    groups = find_groups(tied(), torch.randn(2, 3, 4, 4))
    assert groups == []
    assert "'3' and '5' share a parameter" in groups.skipped["1"]


def test_an_example_of_the_wrong_shape_is_told_with_its_shape():
    with pytest.raises(ExampleInputError, match=r"\(2, 5, 8, 8\)"):
        find_groups(small.Squeezed(), torch.randn(2, 5, 8, 8))


def test_one_of_two_inputs_is_not_enough():
    with pytest.raises(ExampleInputError, match="vector"):
        find_groups(small.TwoSided(), torch.randn(2, 3, 8, 8))


@pytest.mark.parametrize("layer", ["0", "4.2"])
def test_channels_that_were_left_out_cannot_be_cut(layer):
    model, image = small.normed(nn.GroupNorm(2, 8)), torch.randn(2, 3, 8, 8)
    reason = find_groups(model, image).skipped[layer]
    size = model.get_submodule(layer).weight.shape[0]
    with pytest.raises(LossyGroupError, match=reason):
        remove_filters(model, image, Decisions({layer: torch.arange(size) < size - 1}))
