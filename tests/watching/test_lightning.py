"""The callback in real trainers: bit for bit the plain loop, also after a resume, and one sentence for what it cannot do."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW

from catalyst_core import build_regularizer, certify, decay_groups, find_groups, remove_filters
from catalyst_core.errors import ConfigError
from catalyst_core.events import Command
from catalyst_core.lightning import CatalystCallback
from catalyst_core.watching import Unwatched
from tests.core.loops import batches, digits, small_cnn
from tests.watching.lit import DECAY, EPOCH, EPOCHS, PEAK, STEPS, Lit, cosine

pytestmark = pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning")  # Lightning's own

ROOT = Path(__file__).resolve().parents[2]


class Validated(Lit):
    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())


class Told:
    """The same batches in every epoch. Not a list, which Lightning takes for several loaders."""

    def __init__(self, count=EPOCH, seed=0):
        self._batches = list(batches(count, seed))

    def __iter__(self):
        return iter(self._batches)

    def __len__(self):
        return len(self._batches)


def trainer(*callbacks, **settings):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False}
    usual = {"accelerator": "cpu", "devices": 1, "max_epochs": EPOCHS} | quiet
    return Trainer(callbacks=list(callbacks), **usual | settings)


def fit(module, callback, *others, fit_settings=None, **settings):
    made = trainer(callback, *others, **settings)
    made.fit(module, Told(), **fit_settings or {})
    return made


def plain(pieces=1):
    """docs/prune_digits.py's loop on the same batches, `pieces` of them a step: the network and its regularizer."""
    model = small_cnn()
    groups = find_groups(model, digits().test_x[:2])
    reg = build_regularizer("catalyst", groups, pruning_ratio=0.5, total_steps=STEPS // pieces)
    optimizer = SGD(decay_groups(model, groups, DECAY), lr=PEAK, momentum=0.9)
    told = list(batches(EPOCH)) * EPOCHS
    for step in range(STEPS // pieces):
        for group in optimizer.param_groups:
            group["lr"] = PEAK * cosine(step)
        optimizer.zero_grad()
        for x, y in told[step * pieces : (step + 1) * pieces]:
            (cross_entropy(model(x), y) / pieces).backward()
        optimizer.step()
        reg.step(lr=optimizer.param_groups[0]["lr"])
    reg.settle()
    return model, reg


def assert_same(one, other):
    assert list(one) == list(other)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training to its end, and the checkpoint of its first epoch."""
    path = tmp_path_factory.mktemp("lightning") / "first.ckpt"

    class Saving(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 0:
                trainer.save_checkpoint(path)

    module, callback = Lit(), CatalystCallback(pruning_ratio=0.5)
    fit(module, callback, Saving())
    return module, callback, path


def test_it_is_the_plain_loop_bit_for_bit(whole):
    module, callback, _ = whole
    model, reg = plain()
    assert_same(module.net.state_dict(), model.state_dict())
    assert callback.regularizer.steps == STEPS
    assert all(torch.equal(one, other) for one, other in zip(callback.regularizer.catalysts, reg.catalysts, strict=True))
    expected = {f"net.{name}": mask for name, mask in reg.decisions().kept.items()}
    assert_same(callback.decisions.kept, expected)


def test_what_is_left_is_a_smaller_module_with_its_certificate(whole):
    module, callback, _ = whole
    assert isinstance(callback.small, Lit)
    assert [callback.small.net[place].out_channels for place in (0, 4, 7)] == [16, 32, 32]
    assert module.net[0].out_channels == 32
    assert callback.certificate.lossless
    assert callback.certificate == certify(module, callback.small, module.example_input_array)
    model, reg = plain()
    assert_same(callback.small.net.state_dict(), remove_filters(model, digits().test_x[:2], reg.decisions()).state_dict())


def test_a_resumed_training_ends_with_the_same(whole):
    module, callback, path = whole
    saved = torch.load(path, weights_only=True)
    (state,) = [one for key, one in saved["callbacks"].items() if "CatalystCallback" in key]
    assert state["regularizer"]["steps"] == EPOCH
    again, other = Lit(), CatalystCallback(pruning_ratio=0.5)
    fit(again, other, fit_settings={"ckpt_path": str(path)})
    assert_same(again.state_dict(), module.state_dict())
    assert other.regularizer.steps == STEPS
    assert all(torch.equal(*pair) for pair in zip(other.regularizer.catalysts, callback.regularizer.catalysts, strict=True))
    assert_same(other.decisions.kept, callback.decisions.kept)


def test_a_checkpoint_of_before_leaves_the_rest_of_the_steps(tmp_path):
    class Saving(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.save_checkpoint(tmp_path / "plain.ckpt")

    fit(Lit(), Saving(), max_epochs=1)
    callback = CatalystCallback(pruning_ratio=0.5)
    fit(Lit(), callback, fit_settings={"ckpt_path": str(tmp_path / "plain.ckpt")})
    assert (callback.regularizer.steps, callback.regularizer.settings.total_steps) == (EPOCH, EPOCH)
    assert callback.certificate.lossless


def test_with_accumulated_gradients_it_steps_when_the_optimizer_does():
    module, callback = Lit(), CatalystCallback(pruning_ratio=0.5)
    made = fit(module, callback, accumulate_grad_batches=2)
    assert callback.regularizer.steps == made.global_step == STEPS // 2
    model, _ = plain(pieces=2)
    assert_same(module.net.state_dict(), model.state_dict())


def test_mixed_precision(tmp_path):
    module, callback = Lit(), CatalystCallback(pruning_ratio=0.5)
    fit(module, callback, precision="bf16-mixed", max_epochs=1)
    assert callback.regularizer.steps == EPOCH
    assert next(callback.small.parameters()).dtype == torch.float32
    assert callback.certificate.lossless


def test_a_part_of_the_module_may_be_what_is_pruned():
    callback = CatalystCallback(method="l1", macs_ratio=0.5, network="net", example_inputs=digits().test_x[:7], strength=0.2)
    fit(Lit(), callback, max_epochs=1)
    assert isinstance(callback.small, torch.nn.Sequential)
    assert (callback.regularizer.name, callback.regularizer.macs_ratio, callback.certificate.images) == ("l1", 0.5, 7)


def test_training_that_ends_early_is_decided_at_its_end():
    callback = CatalystCallback(pruning_ratio=0.5)
    fit(Lit(), callback, max_time={"seconds": 0}, min_steps=3)
    assert 0 < callback.regularizer.steps < STEPS
    assert callback.decisions.undecided == 0
    assert callback.certificate.lossless


# watched


def events(store, *kinds):
    return [one.event for one in store.events(store.newest_race().runs[0].id, kinds=kinds)]


def test_it_shows_in_the_dashboard_when_asked(store, every_step):
    callback = CatalystCallback(pruning_ratio=0.5, store=store)
    held = {"val_dataloaders": Told(2, seed=5)}
    fit(Validated(), callback, num_sanity_val_steps=1, accumulate_grad_batches=2, fit_settings=held)
    race = store.newest_race()
    assert (race.title, race.state, race.runs[0].step) == ("Validated", "completed", STEPS // 2)
    logged = events(store, "step")
    assert [one.step for one in logged] == list(range(1, STEPS // 2 + 1))
    assert [one.learning_rate for one in logged] == pytest.approx([PEAK * cosine(step) for step in range(STEPS // 2)])
    assert [one.epoch for one in logged] == pytest.approx([2 * step / EPOCH for step in range(1, STEPS // 2 + 1)])
    assert {one.accuracy for one in logged} == {0.25}
    assert 1.5 < logged[0].loss < 3.5  # ln 10 is 2.3: not halved
    assert len(events(store, "evaluated")) == EPOCHS
    assert race.runs[0].ledger["max_abs_logit_change"] == callback.certificate.max_abs_logit_change


def test_unasked_nothing_is_written(store, whole):
    assert isinstance(whole[1]._watched, Unwatched)
    assert store.races() == []


def test_stop_from_the_dashboard_ends_the_training_and_cuts(store, every_step):
    class Asking(Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 2:
                store.send(f"{callback._watched.race_id}-00", Command(name="stop"))

    callback = CatalystCallback(pruning_ratio=0.5, store=True)
    made = fit(Lit(), callback, Asking(), max_epochs=1000)
    assert 2 < made.global_step < 1000 * EPOCH
    assert store.newest_race().state == "stopped"
    assert store.newest_race().runs[0].ledger["channels_pruned"] == 80


@pytest.mark.parametrize(
    ("error", "ends", "state"), [(ValueError, ValueError, "failed"), (KeyboardInterrupt, SystemExit, "stopped")]
)
def test_a_training_that_breaks_ends_the_run(store, error, ends, state):
    class Breaking(Lit):
        def on_train_batch_start(self, batch, batch_idx):
            if batch_idx == 3:
                raise error("in the module")

    with pytest.raises(ends):
        fit(Breaking(), CatalystCallback(pruning_ratio=0.5, store=store))
    assert (store.newest_race().state, store.newest_race().runs[0].step) == (state, 3)


# refusals


class Manual(Lit):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def configure_optimizers(self):
        return [SGD(self.net.parameters(), lr=0.1), SGD(self.net.parameters(), lr=0.1)]


class Decaying(Lit):
    def configure_optimizers(self):
        return AdamW(self.parameters(), lr=1e-3)


class Several(Lit):
    def configure_optimizers(self):
        first, *rest = self.parameters()
        norms = [parameter for parameter in rest if parameter.ndim == 1]
        others = [first, *(parameter for parameter in rest if parameter.ndim > 1)]
        return SGD([{"params": norms[:1], "lr": 0.1}, {"params": [*norms[1:], *others], "lr": 0.2}])


class Frozen(Lit):
    def configure_optimizers(self):
        return SGD(self.net[-1].parameters(), lr=0.1)


class Nameless(Lit):
    def __init__(self):
        super().__init__()
        self.example_input_array = None

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=0.1)


REFUSED = {
    "automatic optimization and one optimizer, not 2": (Manual, {}, {}),
    r"decays 6 regularized parameters \(weight_decay 0.01\).*decay_groups": (Decaying, {}, {}),
    "several learning rates": (Several, {}, {}),
    "frozen, or sharded": (Frozen, {}, {}),
    "half precision.*bf16-mixed": (Lit, {}, {"precision": "bf16-true"}),
    "needs example inputs": (Nameless, {}, {}),
    "network 'head': Lit has no such submodule": (Lit, {"network": "head"}, {}),
    "when training ends": (Lit, {}, {"max_epochs": -1}),
    "unknown method 'l3'": (Lit, {"method": "l3"}, {}),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_it_cannot_do_is_one_sentence(said):
    module, settings, trained = REFUSED[said]
    with pytest.raises(ConfigError, match=said):
        fit(module(), CatalystCallback(**settings), **trained)


def test_an_unknown_setting_is_refused_at_once():
    with pytest.raises(ConfigError, match="no setting 'solver'"):
        CatalystCallback(solver="subgradient")


def test_without_lightning_there_is_one_sentence_and_watching_needs_none():
    code = """
import sys
sys.modules["lightning"] = None
import catalyst_core.watching
from catalyst_core.errors import ConfigError
try:
    import catalyst_core.lightning
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "catalyst_core.lightning needs Lightning 2, which is not installed: pip install lightning\n", (
        done.stderr
    )
