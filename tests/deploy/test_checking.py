"""What counts as the same network."""

import pytest
import torch
from torch import nn

from catalyst_core.deploy.checking import LIMIT, Checks, Sample, cycled
from catalyst_core.errors import ConfigError, NetworkError

LAST = nn.Flatten()  # the logits are the pixels


def sample(count, labels=None):
    return Sample(torch.randn(count, 1, 2, 2, generator=torch.Generator().manual_seed(0)), labels)


def test_images_come_one_by_one_by_seven_and_by_sixty_four():
    checks = Checks(LAST, sample(150))
    assert [len(batch) for batch in checks.batches] == [1, 7, 64, 64, 22]
    assert checks.described == {"images": 150, "of": "images", "batches": [1, 7, 22, 64]}
    assert torch.equal(torch.cat(checks.batches[2:]), checks.sample.images)


def test_few_images_are_taken_again():
    checks = Checks(LAST, sample(3))
    assert [len(batch) for batch in checks.batches] == [1, 3, 64]
    assert torch.equal(cycled(torch.arange(3), 7), torch.tensor([0, 1, 2, 0, 1, 2, 0]))


@pytest.mark.parametrize("count", [3, 64, 150])
def test_the_accuracy_is_the_share_of_labels_that_are_met(count):
    images = sample(count).images
    labels = images.flatten(1).argmax(1)
    wrong = max(1, count // 5)
    labels[:wrong] = (labels[:wrong] + 1) % 4
    assert Checks(LAST, Sample(images, labels)).accuracy == pytest.approx(1 - wrong / count)
    assert Checks(LAST, Sample(images)).accuracy is None


def test_the_largest_difference_over_all_batches_is_told():
    checks = Checks(LAST, sample(150))
    assert checks.compare(LAST, exact=True) == 0.0
    assert checks.compare(lambda x: LAST(x) + (len(x) == 22) * 0.5 * LIMIT) == pytest.approx(0.5 * LIMIT, rel=1e-2)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: LAST(x) + 2 * LIMIT,
        lambda x: LAST(x) * float("nan"),
        lambda x: LAST(x) + (len(x) == 7) * 2 * LIMIT,
    ],
)
def test_another_network_is_refused(call):
    with pytest.raises(NetworkError, match=r"at most 0.0001 is allowed"):
        Checks(LAST, sample(10)).compare(call)


def test_a_call_that_fails_is_a_sentence():
    with pytest.raises(NetworkError, match=r"it does not run on a batch of 1 \(.*shape.*\)$"):
        Checks(LAST, sample(10)).compare(lambda x: LAST(x).view(3, -1, 5))


def test_a_bit_is_enough_where_bits_count():
    with pytest.raises(NetworkError, match="not a bit may differ"):
        Checks(LAST, sample(10)).compare(lambda x: LAST(x) * (1 + 1e-7), exact=True)


@pytest.mark.parametrize(("count", "labels"), [(0, None), (3, torch.zeros(2, dtype=torch.int64))])
def test_a_sample_without_images_or_with_other_labels_is_refused(count, labels):
    with pytest.raises(ConfigError, match="at least one image"):
        Checks(LAST, sample(count, labels))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: LAST(x)[:, :3], r"with \(1, 3\) float32 where the network answers with \(1, 4\) float32"),
        (lambda x: LAST(x).double(), r"with \(1, 4\) float64 where"),
        (lambda x: LAST(x).squeeze(), r"with \(4,\) float32 where"),
    ],
)
def test_answers_of_another_form_are_told_by_their_form(call, said):
    with pytest.raises(NetworkError, match=said):
        Checks(LAST, sample(10)).compare(call)
