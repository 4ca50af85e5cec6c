"""What can be raced: methods, models and data sets, described in plain data (no torch), for forms, help and validation.

The implementations live in `regularizers`, `models` and `data`, each behind a dict with the same keys; a test compares them.
"""

from dataclasses import dataclass
from typing import Literal

MethodName = Literal[
    "catalyst",
    "l1",
    "group_lasso",
    "slimming",
    "sparse_group_lasso",
    "group_hoyer_square",
    "polarization",
    "growing_reg",
    "none",
    "random",
    "tp_group_norm",
    "tp_bn_scale",
    "tp_growing_reg",
    "tp_magnitude",
]
ModelName = Literal["cnn", "vgg_small", "vgg16", "vgg19", "resnet20", "resnet56"]
DatasetName = Literal["digits", "fashion_mnist", "mnist", "cifar10", "cifar100", "folder"]


OURS, TORCH_PRUNING = "ours", "Torch-Pruning 1.6.1"  # whose code it is


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

    @property
    def is_peer(self) -> bool:
        """Whether another package's code runs."""
        return self.source != OURS


@dataclass(frozen=True)
class Model:
    """One network family that the product builds itself."""

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
    model: ModelName


METHODS: dict[str, Method] = {
    "catalyst": Method(
        "Catalyst",
        r"R=\lVert DF\rVert_{2,1}=\sum_i D_i\,\lVert F_i\rVert_2",
        "Auxiliary variables D beside the filters: pruning is lossless exactly when D F = 0.",
        1.0,
        (0.1, 4.0),  # at twice 5, where its ramp ends, and the default learning rate of 0.1 a step would overshoot
    ),
    # Every rival's strength is the best of several on digits by post-prune validation accuracy: docs/sweeps.md.
    "l1": Method("L1", r"R=\sum_i \lVert F_i\rVert_1", "Shrinks every weight of a filter by the same amount.", 0.3, (0.03, 3.0)),
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
    "none": Method("Magnitude cut", r"R=0", "No regularizer: the smallest filters of the dense network are cut at once.", None),
    "random": Method("Random cut", r"R=0", "Filters of the dense network are drawn at random and cut at once.", None),
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
}

DEFAULT_METHODS: tuple[MethodName, ...] = ("catalyst", "l1", "group_lasso", "none", "random")  # of a race that names none

MODELS: dict[str, Model] = {
    "cnn": Model("CNN", "Three convolutions with BatchNorm and a linear classifier; for digits and MNIST-like images."),
    "vgg_small": Model("VGG, small", "Six convolutions with BatchNorm in three blocks and a linear classifier."),
    "vgg16": Model("VGG-16", "Thirteen convolutions with BatchNorm and one linear layer, as used on CIFAR; slow without a GPU."),
    "vgg19": Model("VGG-19", "Sixteen convolutions with BatchNorm and one linear layer, as used on CIFAR; slow without a GPU."),
    "resnet20": Model("ResNet-20", "The CIFAR form: three stages of three residual blocks, so channels are coupled."),
    "resnet56": Model("ResNet-56", "The same with nine blocks a stage; slow without a GPU."),
}

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
