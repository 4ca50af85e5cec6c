"""In a user's own loop, whatever steps it: Catalyst ends settled, with exactly the budget, and the cut is lossless."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from catalyst_core import decay_groups
from catalyst_core.errors import ConfigError
from tests.core.loops import (
    BATCH,
    RATE,
    STEPS,
    assert_settled_within_budget_and_lossless,
    batches,
    catalyst,
    digits,
    plain,
    run,
    small_cnn,
    small_mlp,
)

ADAM_RATE = 0.01
FEW = 16  # images: bfloat16 is slow on processors without instructions for it
OPTIMIZERS = {
    "sgd with momentum": (lambda groups: torch.optim.SGD(groups, lr=RATE, momentum=0.9), RATE),
    "sgd, nesterov": (lambda groups: torch.optim.SGD(groups, lr=RATE, momentum=0.9, nesterov=True), RATE),
    "adamw": (lambda groups: torch.optim.AdamW(groups, lr=ADAM_RATE), ADAM_RATE),
    "adamw, fused": (lambda groups: torch.optim.AdamW(groups, lr=ADAM_RATE, fused=True), ADAM_RATE),
    "adamw, foreach": (lambda groups: torch.optim.AdamW(groups, lr=ADAM_RATE, foreach=True), ADAM_RATE),
}


def trained(name, model):
    make, rate = OPTIMIZERS[name]
    regularizer = catalyst(model)
    run(model, regularizer, plain(make(decay_groups(model, regularizer.groups, 0.01))), rate)
    return regularizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_ends_settled_within_the_budget_and_lossless(name):
    model = small_cnn()
    assert_settled_within_budget_and_lossless(model, trained(name, model))


@pytest.mark.parametrize("other", ["adamw, fused", "adamw, foreach"])
def test_adamw_decides_the_same_however_it_is_carried_out(other):
    one, two = small_cnn().double(), small_cnn().double()  # in float32 other roundings decide a few channels otherwise
    first, second = trained("adamw", one), trained(other, two)
    torch.testing.assert_close(torch.cat(first.catalysts), torch.cat(second.catalysts), rtol=1e-9, atol=1e-12)
    for kept, same in zip(first.decisions().kept.values(), second.decisions().kept.values(), strict=True):
        assert torch.equal(kept, same)


def test_mixed_precision():
    model = small_cnn()
    regularizer = catalyst(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    seen = set()

    def update(model, x, y):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x[:FEW])
            loss = cross_entropy(logits, y[:FEW])
        seen.add(logits.dtype)
        loss.backward()
        optimizer.step()

    run(model, regularizer, update)
    assert seen == {torch.bfloat16}
    small = assert_settled_within_budget_and_lossless(model, regularizer)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert small(digits().test_x[:2]).dtype == torch.bfloat16


def test_steps_that_a_gradient_scaler_skips_do_no_harm():
    model = small_cnn()
    regularizer = catalyst(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=3)
    skipped = []

    def update(model, x, y):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = cross_entropy(model(x[:FEW]), y[:FEW])
        overflows = len(skipped) % 10 in (2, 3)  # the first two while evidence is gathered
        scaler.scale(loss * 2.0**60 if overflows else loss).backward()
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        skipped.append(scaler.get_scale() < before)

    run(model, regularizer, update)
    assert sum(skipped) == STEPS / 5
    assert_settled_within_budget_and_lossless(model, regularizer)


@pytest.mark.parametrize("pieces", [2, 4])
def test_accumulated_gradients_end_as_the_big_batch_does(pieces):
    one, two = small_mlp().double(), small_mlp().double()
    whole, parts = catalyst(one), catalyst(two)
    run(one, whole, plain(torch.optim.SGD(one.parameters(), lr=RATE, momentum=0.9)))
    optimizer = torch.optim.SGD(two.parameters(), lr=RATE, momentum=0.9)

    def update(model, x, y):
        optimizer.zero_grad()
        for images, labels in zip(x.split(BATCH // pieces), y.split(BATCH // pieces), strict=True):
            (cross_entropy(model(images), labels) / pieces).backward()
        optimizer.step()

    run(two, parts, update)
    assert_settled_within_budget_and_lossless(two, parts)
    torch.testing.assert_close(torch.cat(whole.catalysts), torch.cat(parts.catalysts), rtol=1e-8, atol=1e-11)
    torch.testing.assert_close(dict(one.named_parameters()), dict(two.named_parameters()), rtol=1e-8, atol=1e-11)


def test_weight_decay_is_kept_off_what_the_regularizer_shrinks():
    model = small_cnn()
    decayed, regularized = decay_groups(model, catalyst(model).groups, 0.01)
    assert (decayed["weight_decay"], regularized["weight_decay"]) == (0.01, 0.0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert [names[id(one)] for one in regularized["params"]] == [
        f"bn{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")
    ]
    assert len(decayed["params"]) + len(regularized["params"]) == len(names)


@pytest.mark.parametrize("weight_decay", [-0.1, float("nan"), float("inf")])
def test_a_weight_decay_that_is_none(weight_decay):
    with pytest.raises(ConfigError, match="weight_decay must be"):
        decay_groups(small_mlp(), [], weight_decay)


def test_the_loop_of_these_tests_sees_other_images_at_every_step():
    first, second = (x for x, _ in batches(2))
    assert not torch.equal(first, second)
