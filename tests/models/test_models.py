"""Every network, for every input that the product offers."""

import pytest
import torch

from catalyst_core import catalog
from catalyst_core.models import MODELS, build_model


def test_the_catalogue_and_the_registry_agree():
    assert set(MODELS) == set(catalog.MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize(("channels", "size", "classes"), [(1, 8, 10), (3, 9, 2), (1, 28, 10), (3, 32, 100)])
def test_logits_have_the_right_shape(name, channels, size, classes):
    model = build_model(name, channels, size, classes, seed=0)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, classes)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_seed_decides_the_weights_and_the_global_state_is_left_alone(name):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (build_model(name, 1, 8, 10, seed) for seed in (0, 0, 1))
    assert torch.rand(3).equal(expected)
    weights = [torch.cat([p.flatten() for p in model.parameters()]) for model in (first, again, other)]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])


def test_resnet20_has_its_published_size():
    # He et al. 2016 report 0.27 million parameters; the two 1 x 1 projections add 2,752.
    assert sum(p.numel() for p in build_model("resnet20", 3, 32, 10, 0).parameters()) == 272_474
