"""What is raced, as plain data: `SUITES` maps a name to tasks, who races on them at which budgets, and what is varied.

Peers and rivals race twice: with their documented or default strength, and with those that a short sweep picked by
validation accuracy, once right after the cut and once after fine-tuning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalyst_core.config import RaceConfig
from catalyst_core.data.official import SOURCES, find_copy
from catalyst_core.places import data_root

Method = Mapping[str, Any]  # fields of MethodConfig
RATIOS = (0.3, 0.5, 0.7, 0.85)
TARGET_RATIOS = (0.5, 0.7)


@dataclass(frozen=True)
class Task:
    """A data set, a network and a schedule."""

    name: str
    title: str
    data: Mapping[str, Any]  # fields of DataConfig
    model: str
    schedule: Mapping[str, Any] = field(default_factory=dict)  # fields of Schedule; what is left out is the data set's preset
    note: str = ""  # what a reader has to know
    accelerator: bool = False  # whether it is too much for a CPU

    @property
    def images(self) -> dict[str, Any]:
        """Fields of DataConfig: an official set that is not here is taken from a folder of its name, if there is one."""
        data = dict(self.data)
        name = str(data["name"])
        if name in SOURCES and find_copy(name) is None and (data_root() / name / "train").is_dir():
            return data | {"name": "folder", "folder": name}
        return data

    def race(self, methods: Sequence[Method], ratio: float, seeds: Sequence[int], title: str = "") -> RaceConfig:
        """These methods on it. Raises ConfigError."""
        return RaceConfig.build(
            data=self.images,
            model=self.model,
            methods=[dict(method) for method in methods],
            pruning_ratio=ratio,
            seeds=tuple(seeds),
            schedule=dict(self.schedule),
            title=title,
        )


@dataclass(frozen=True)
class Heat:
    """Contenders that race on a task at several budgets."""

    task: str
    ratios: tuple[float, ...]
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class Sweep:
    """Strengths that are tried on one seed of their own, at one ratio."""

    strengths: Mapping[str, tuple[float, ...]]
    seed: int = 100
    ratio: float = 0.7


@dataclass(frozen=True)
class Study:
    """One thing that is varied, everything else being as usual; one race for each schedule."""

    name: str
    title: str
    task: str
    methods: tuple[Method, ...]
    ratio: float = 0.7
    schedules: tuple[Mapping[str, Any], ...] = ({},)


@dataclass(frozen=True)
class Audit:
    """The planted rescale audit of some methods on a task."""

    task: str
    methods: tuple[Method, ...]
    ratio: float = 0.5


@dataclass(frozen=True)
class Suite:
    """Everything that one command does."""

    title: str
    limit_hours: float  # that it should take at most, on the machine it is meant for
    tasks: tuple[Task, ...]
    heats: tuple[Heat, ...]
    sweep: Sweep
    studies: tuple[Study, ...] = ()
    audits: tuple[Audit, ...] = ()
    timed: tuple[str, ...] = ()  # tasks whose training steps are timed, at the end, when nothing else runs
    seeds: tuple[int, ...] = (0, 1, 2)

    def task(self, name: str) -> Task:
        """The task of that name."""
        return next(task for task in self.tasks if task.name == name)


def _methods(*names: str, **settings: Any) -> tuple[Method, ...]:
    return tuple({"name": name, **settings} for name in names)


CATALYST = _methods("catalyst")
RIVALS = _methods("l1", "group_lasso", "slimming", "sparse_group_lasso", "group_hoyer_square", "polarization", "growing_reg")
SUBGRADIENT = tuple({**method, "solver": "subgradient"} for method in RIVALS)
BASELINES = _methods("none", "random")
PEERS = _methods("tp_group_norm", "tp_bn_scale", "tp_growing_reg", "tp_magnitude")
CLOSEST = _methods("catalyst", "group_lasso", "none", "tp_group_norm")  # where the whole field would take too long
CANONICAL = _methods("catalyst", canonicalize=True)

PEER_SWEEP = {  # of the three, the documented strength is the first
    "tp_group_norm": (5e-4, 1.5e-3, 5e-3),  # at ten times as much accuracy is gone on CIFAR-10
    "tp_bn_scale": (5e-4, 5e-3, 5e-2),
    "tp_growing_reg": (5e-4, 5e-3, 5e-2),
}
LASSO_SWEEP = {"l1": (0.03, 0.1, 0.3), "group_lasso": (0.03, 0.1, 0.3)}  # at 1 accuracy is gone on CIFAR-10

DIGITS = Task("digits", "Digits, CNN", {"name": "digits"}, "cnn")
FASHION = Task(
    "fashion_mnist",
    "Fashion-MNIST, CNN",
    {"name": "fashion_mnist", "train_images": 5_000},
    "cnn",
    {"dense_epochs": 6, "sparse_epochs": 4, "finetune_epochs": 2},
    "5,000 of the training images; the network has three convolutions.",
)
CIFAR_SUBSET = Task(
    "cifar10",
    "CIFAR-10, CNN",
    {"name": "cifar10", "train_images": 10_000},
    "cnn",
    {"dense_epochs": 8, "sparse_epochs": 4, "finetune_epochs": 2},
    "10,000 of the training images; the network has three convolutions.",
)
RESNET_SUBSET = Task(
    "cifar10_resnet20",
    "CIFAR-10, ResNet-20",
    {"name": "cifar10", "train_images": 10_000},
    "resnet20",
    {"dense_epochs": 8, "sparse_epochs": 6, "finetune_epochs": 2},
    "10,000 of the training images.",
)


def _whole(name: str, title: str, model: str, dense: int, sparse: int, finetune: int, data: str = "cifar10") -> Task:
    epochs = {"dense_epochs": dense, "sparse_epochs": sparse, "finetune_epochs": finetune}
    images = {"name": data, "train_images": 48_000, "batch_size": 128}
    return Task(name, title, images, model, epochs, "All but the 2,000 validation images.", accelerator=True)


def _strengths(name: str, largest: float) -> tuple[Method, ...]:
    """Four decades, the largest last."""
    return tuple({"name": name, "strength": largest / 10**decade} for decade in (4, 3, 2, 1, 0))


BOTH_SOLVERS = tuple({**method, "solver": solver} for solver in ("proximal", "subgradient") for method in (*CATALYST, *RIVALS))
STUDIES = (
    Study(
        "strength",
        "Strength over four decades",
        "digits",
        (
            *_strengths("catalyst", 4.0),
            *_strengths("group_lasso", 30.0),
            *_strengths("l1", 30.0),
            *_strengths("tp_group_norm", 0.5),
        ),
    ),
    Study(
        "start_ratio",
        "Fixed start ratio, without a budget",
        "digits",
        tuple({"name": "catalyst", "start_ratio": ratio, "strength": 2.0} for ratio in (0.7, 0.9, 1.0, 1.1, 1.3, 1.6, 2.0)),
    ),
    Study(
        "evidence",
        "Share of the sparse stage that gathers evidence",
        "digits",
        tuple({"name": "catalyst", "evidence_share": share} for share in (0.0, 0.05, 0.1, 0.2, 0.4)),
    ),
    Study(
        "ramp",
        "Ramp, constant strength, canonical form, global allocation",
        "digits",
        (
            {"name": "catalyst"},
            {"name": "catalyst", "schedule": "constant"},
            {"name": "catalyst", "canonicalize": True},
            {"name": "catalyst", "allocation": "global"},
        ),
    ),
    Study(
        "length",
        "Length of the sparse stage, of 20 epochs behind the dense stage",
        "digits",
        CLOSEST,
        schedules=tuple({"sparse_epochs": sparse, "finetune_epochs": 20 - sparse} for sparse in (5, 10, 15, 18)),
    ),
    Study("solver", "Proximal and subgradient", "digits", BOTH_SOLVERS),
)
TIMED = (*CATALYST, *RIVALS, *SUBGRADIENT, *PEERS)
EVERY_AUDIT = (*CANONICAL, *CATALYST, *RIVALS, *BASELINES[:1], *PEERS)

SUITES: dict[str, Suite] = {
    "quick": Suite(
        "Quick: digits",
        1 / 6,
        (DIGITS,),
        (
            Heat("digits", TARGET_RATIOS, (*CATALYST, *RIVALS[:3], *BASELINES, *PEERS)),
            Heat("digits", (0.3, 0.85), CLOSEST),
        ),
        Sweep(PEER_SWEEP),
        timed=("digits",),
    ),
    "standard": Suite(
        "Standard: Fashion-MNIST and a subset of CIFAR-10",
        3.0,
        (FASHION, CIFAR_SUBSET, DIGITS),
        (
            Heat("fashion_mnist", (0.7, 0.5), (*CATALYST, *RIVALS, *BASELINES, *PEERS)),
            Heat("cifar10", (0.7, 0.5), (*CATALYST, *RIVALS, *BASELINES, *PEERS)),
            Heat("fashion_mnist", (0.3, 0.85), CLOSEST),
            Heat("cifar10", (0.3, 0.85), CLOSEST),
        ),
        Sweep(PEER_SWEEP | LASSO_SWEEP),
        STUDIES,
        (Audit("digits", EVERY_AUDIT),),
        ("fashion_mnist", "cifar10"),
    ),
    "cifar": Suite(
        "CIFAR-10: ResNet-20, ResNet-56, VGG-16; without an accelerator ResNet-20 on a subset",
        24.0,
        (
            RESNET_SUBSET,
            _whole("resnet20", "CIFAR-10, ResNet-20", "resnet20", 100, 60, 40),
            _whole("resnet56", "CIFAR-10, ResNet-56", "resnet56", 100, 60, 40),
            _whole("vgg16", "CIFAR-10, VGG-16", "vgg16", 100, 60, 40),
        ),
        (
            Heat("cifar10_resnet20", TARGET_RATIOS, CLOSEST),
            *(Heat(task, RATIOS, (*CATALYST, *RIVALS[:3], *BASELINES, *PEERS)) for task in ("resnet20", "resnet56", "vgg16")),
        ),
        Sweep(PEER_SWEEP),
    ),
    "gpu": Suite(
        "As in papers: ResNet-56 on CIFAR-10, VGG-19 on CIFAR-100",
        48.0,
        (
            _whole("resnet56_long", "CIFAR-10, ResNet-56", "resnet56", 200, 100, 100),
            _whole("vgg19_cifar100", "CIFAR-100, VGG-19", "vgg19", 200, 100, 100, "cifar100"),
        ),
        (
            Heat("resnet56_long", (0.37, 0.5), (*CATALYST, *BASELINES[:1], *PEERS)),
            Heat("vgg19_cifar100", (0.5, 0.7), (*CATALYST, *BASELINES[:1], *PEERS)),
        ),
        Sweep(PEER_SWEEP),
    ),
}
