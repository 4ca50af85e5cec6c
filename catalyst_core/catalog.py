"""What can be raced: methods, models and data sets, described in plain data (no torch), for forms, help and validation.

The implementations live in `regularizers`, `models` and `data`, each behind a dict with the same keys; a test compares them.
`METHODS` and `MODELS` also answer for what is not in them: what the owner registered, networks of other libraries, and what
a stored race names that this machine does not know. `methods()` and `models()` list what can be raced here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from catalyst_core import libraries
from catalyst_core.errors import ConfigError, shown
from catalyst_core.owner import owner
from catalyst_core.places import owner_file

DatasetName = Literal["digits", "fashion_mnist", "mnist", "cifar10", "cifar100", "folder", "own"]
OWN = "own"  # data and network of a race that was only watched (catalyst_core.watch): no form offers it, nothing here can run it
WATCHED = "this training is watched, not run, by Catalyst"  # said wherever a race has to be one of ours


OURS, TORCH_PRUNING = "ours", "Torch-Pruning 1.6.1"  # whose code it is
NOT_HERE = "not registered on this machine"

Entry = TypeVar("Entry")


class Catalog(dict[str, Entry]):
    """A dict literal, and `other(name)` for what is not in it."""

    def __init__(self, entries: dict[str, Entry], other: Callable[[str], Entry]) -> None:
        super().__init__(entries)
        self._other = other

    def __missing__(self, name: str) -> Entry:
        return self._other(name)


@dataclass(frozen=True)
class Method:
    """One way to choose filters. `strength` is the default lambda (catalyst: a factor on its ramp); None: it has none.

    `source` says whose code regularizes and chooses; `like` is the method of ours that a peer's comes closest to.
    """

    title: str
    formula: str  # LaTeX, of the penalty
    sentence: str
    strength: float | None
    strength_range: tuple[float, float] = (0.0, 100.0)
    source: str = OURS
    like: str = ""
    cuts: Literal["channels", "blocks"] = "channels"  # what goes: filters, or whole blocks from the end

    @property
    def is_peer(self) -> bool:
        """Whether Torch-Pruning's code runs."""
        return self.source == TORCH_PRUNING


@dataclass(frozen=True)
class Model:
    """One network."""

    title: str
    sentence: str


@dataclass(frozen=True)
class Dataset:
    """One source of labelled images, with the schedule that suits it by default.

    `images` caps the training images used by default (None: all of them); epochs are (dense, sparse, finetune).
    """

    title: str
    sentence: str
    channels: int | None  # None: read from the images
    size: int | None  # pixels a side
    classes: int | None
    images: int | None
    epochs: tuple[int, int, int]
    model: str


def _other_method(name: str) -> Method:
    """One that the owner registered, or that nobody knows any more."""
    try:
        own = owner().regularizers.get(name)
    except ConfigError:  # whoever wants to race it is told: `methods`
        own = None
    if own is None:
        return Method(name, r"R", f"It is {NOT_HERE}.", 1.0, source=NOT_HERE)
    return Method(own.title, own.formula, own.sentence, own.strength, own.strength_range, source=own.reference)


def _other_model(name: str) -> Model:
    parts = libraries.split(name)
    return Model(f"{parts[1]} ({parts[0]})" if parts else name, f"{name} as {parts[0]} has it." if parts else "The owner's.")


METHODS: Catalog[Method] = Catalog(
    {
        "catalyst": Method(
            "Catalyst",
            r"R=\lVert DF\rVert_{2,1}=\sum_i D_i\,\lVert F_i\rVert_2",
            "Auxiliary variables D beside the filters: pruning is lossless exactly when D F = 0.",
            1.0,
            (0.1, 4.0),  # at twice 5, where its ramp ends, and the default learning rate of 0.1 a step would overshoot
        ),
        # Every rival's strength is the best of several on digits by post-prune validation accuracy: docs/sweeps.md.
        "l1": Method(
            "L1", r"R=\sum_i \lVert F_i\rVert_1", "Shrinks every weight of a filter by the same amount.", 0.3, (0.03, 3.0)
        ),
        "group_lasso": Method(
            "Group Lasso", r"R=\sum_i \lVert F_i\rVert_2", "Shrinks every filter's norm by the same amount.", 0.3, (0.03, 3.0)
        ),
        "slimming": Method(
            "Slimming",
            r"R=\sum_i \lvert\gamma_i\rvert",
            "Shrinks the scales of BatchNorm by the same amount; the shifts stay, so the cut is not lossless.",
            0.6,
            (0.06, 6.0),
        ),
        "sparse_group_lasso": Method(
            "Sparse Group Lasso",
            r"R=\sum_i a\,\lVert F_i\rVert_1+(1-a)\,\lVert F_i\rVert_2",
            "Half L1, half Group Lasso: weights within a filter and whole filters shrink.",
            0.2,
            (0.02, 2.0),
        ),
        "group_hoyer_square": Method(
            "Group Hoyer-square",
            r"R=\sum_g \bigl(\sum_{i\in g} \lVert F_i\rVert_2\bigr)^2 \big/ \sum_{i\in g} \lVert F_i\rVert_2^2",
            "Does not change when all filters are scaled: small ones shrink, large ones grow.",
            0.3,
            (0.03, 3.0),
        ),
        "polarization": Method(
            "Polarization",
            r"R=\sum_g \sum_{i\in g} \kappa\, n_i-\lvert n_i-\bar n_g\rvert,\quad n_i=\lVert F_i\rVert_2",
            "Pushes the filters below their group's mean to zero and hardly moves those above it.",
            2.0,
            (0.2, 20.0),
        ),
        "growing_reg": Method(
            "Growing reg.",
            r"R=\tfrac12\sum_i \lambda_i\,\lVert F_i\rVert_2^2",
            "An L2 coefficient that grows step by step for the filters below the budget's quantile.",
            1.0,
            (0.1, 4.0),  # at twice 5, where its ramp ends, and the default learning rate of 0.1 a step would overshoot
        ),
        "none": Method(
            "Magnitude cut", r"R=0", "No regularizer: the smallest filters of the dense network are cut at once.", None
        ),
        "random": Method("Random cut", r"R=0", "Filters of the dense network are drawn at random and cut at once.", None),
        "depth": Method(
            "Depth cut",
            r"y=h(f_k(\dots f_1(x))),\quad h(z)=W\,\mathrm{mean}(z)+b",
            "The first blocks of the dense network stay, as many as the budget of MACs allows, with a new linear head.",
            None,
            cuts="blocks",
        ),
        # Peers: their own code through its public API, with the settings that its authors give for CIFAR (catalyst_core.peers).
        "tp_group_norm": Method(
            "TP GroupNorm",
            r"\nabla\mathrel{+}=\lambda\,\gamma_i\,w_i,\quad \gamma_i=2^{4\,(s_{\max}-s_i)/(s_{\max}-s_{\min})}",
            "Torch-Pruning's GroupNormPruner: weight decay that is up to 16 times as strong on the weakest filters of a group.",
            5e-4,
            (5e-5, 0.5),
            TORCH_PRUNING,
            "group_lasso",
        ),
        "tp_bn_scale": Method(
            "TP BNScale",
            r"R=\sum_i \lvert\gamma_i\rvert",
            "Torch-Pruning's BNScalePruner: L1 on the scales of BatchNorm by its subgradient.",
            5e-4,
            (5e-5, 0.5),
            TORCH_PRUNING,
            "slimming",
        ),
        "tp_growing_reg": Method(
            "TP GrowingReg",
            r"\nabla\mathrel{+}=\lambda_i\,w_i",
            "Torch-Pruning's GrowingRegPruner: weight decay that grows every epoch, most for the weakest filters of a group.",
            5e-4,
            (5e-5, 0.5),
            TORCH_PRUNING,
            "growing_reg",
        ),
        "tp_magnitude": Method(
            "TP magnitude",
            r"R=0",
            "Torch-Pruning's GroupMagnitudeImportance: the smallest filters of the dense network are cut at once.",
            None,
            source=TORCH_PRUNING,
            like="none",
        ),
    },
    _other_method,
)

BLIND = ("random", "depth")  # cuts that look at no filter
DEFAULT_METHODS: tuple[str, ...] = ("catalyst", "l1", "group_lasso", "none", "random")  # of a race that names none

MODELS: Catalog[Model] = Catalog(
    {
        "cnn": Model("CNN", "Three convolutions with BatchNorm and a linear classifier; for digits and MNIST-like images."),
        "vgg_small": Model("VGG, small", "Six convolutions with BatchNorm in three blocks and a linear classifier."),
        "vgg16": Model(
            "VGG-16", "Thirteen convolutions with BatchNorm and one linear layer, as used on CIFAR; slow without a GPU."
        ),
        "vgg19": Model(
            "VGG-19", "Sixteen convolutions with BatchNorm and one linear layer, as used on CIFAR; slow without a GPU."
        ),
        "resnet20": Model("ResNet-20", "The CIFAR form: three stages of three residual blocks, so channels are coupled."),
        "resnet56": Model("ResNet-56", "The same with nine blocks a stage; slow without a GPU."),
    },
    _other_model,
)

DATASETS: dict[str, Dataset] = {
    "digits": Dataset(
        "Digits", "1,797 real handwritten digits, part of scikit-learn: needs no network.", 1, 8, 10, None, (12, 15, 5), "cnn"
    ),
    "fashion_mnist": Dataset("Fashion-MNIST", "70,000 grey images of clothing.", 1, 28, 10, 10_000, (4, 6, 3), "cnn"),
    "mnist": Dataset("MNIST", "70,000 grey handwritten digits.", 1, 28, 10, 10_000, (4, 6, 3), "cnn"),
    "cifar10": Dataset("CIFAR-10", "60,000 colour images of 10 classes.", 3, 32, 10, 10_000, (8, 6, 2), "resnet20"),
    "cifar100": Dataset("CIFAR-100", "60,000 colour images of 100 classes.", 3, 32, 100, 10_000, (8, 6, 2), "resnet20"),
    "folder": Dataset(
        "Image folder", "Your images: one folder a class below the data root.", None, None, None, 10_000, (8, 6, 2), "resnet20"
    ),
}


def methods() -> dict[str, Method]:
    """What can be raced here: ours, the peers, and the owner's. Raises `ConfigError` where the owner's file is wrong."""
    return {**METHODS, **_owned("regularizers", METHODS)}


def models() -> dict[str, Model]:
    """Ours and the owner's; those of other libraries are in `libraries.names`. Raises as `methods`."""
    return {**MODELS, **_owned("models", MODELS)}


def check_method(name: str) -> None:
    """Raise `ConfigError` for a method that cannot be raced here."""
    if name not in METHODS and name not in (known := methods()):
        hint = libraries.suggestion(name, tuple(known)) or "; one of " + ", ".join(known)
        raise ConfigError(f"methods: there is no {shown(name)}{hint}")


def check_model(name: str) -> None:
    """Raise `ConfigError` for a network that cannot be built here."""
    if name in MODELS or name in (known := models()):
        return
    if ":" in name:
        libraries.check(name)
        return
    others = " or ".join(f"{library}:NAME" for library in libraries.LIBRARIES)
    hint = libraries.suggestion(name, tuple(known)) or f"; one of {', '.join(known)}, or {others}"
    raise ConfigError(f"model: there is no {shown(name)}{hint}")


def _owned(kind: Literal["models", "regularizers"], ours: Catalog[Entry]) -> dict[str, Entry]:
    names = getattr(owner(), kind)
    if taken := next((name for name in names if name in ours), None):
        raise ConfigError(f"{owner_file()}: {kind}.{taken} is the name of one of ours; choose another")
    return {name: ours[name] for name in names}
