"""A network out of the door: everything that somebody needs who has PyTorch, or onnxruntime, and nothing of ours."""

# N = images, C = channels of a group, K = classes

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from catalyst_core import cost
from catalyst_core.config import Magnitude
from catalyst_core.deploy import network
from catalyst_core.deploy.card import FILES, card, versions
from catalyst_core.deploy.checking import MANY, Checks, Sample
from catalyst_core.deploy.facts import Facts
from catalyst_core.deploy.graph import describe
from catalyst_core.deploy.open_format import OPSET, Session, onnx_bytes
from catalyst_core.deploy.place import README, check_free, placing
from catalyst_core.deploy.program import program_bytes, program_call
from catalyst_core.deploy.subject import Cut, Networks, networks
from catalyst_core.deploy.timing import measure, slower
from catalyst_core.errors import ConfigError, NetworkError, said_by
from catalyst_core.finite import finite

REPORT = "report.json"
Tell = Callable[[int, int], None]  # parts done, and of how many
DEEP = 2  # levels of its JSON that take a line a value


@dataclass(frozen=True)
class Exported:
    """What was written."""

    out: Path  # folder or zip
    record: dict[str, Any]  # what report.json holds, and its size among the files

    @property
    def files(self) -> tuple[str, ...]:
        """Their names."""
        return (README, *self.record["files"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences: what is missing and why, where pruning did not make it faster."""
        return tuple(self.record["warnings"])


def write_model(
    out: Path | str,
    model: nn.Module,
    example: Tensor,
    *,
    dense: nn.Module | None = None,
    kept: Mapping[str, Tensor] | None = None,
    round_to: int | None = None,
    standing: Mapping[str, Tensor] | None = None,
    magnitude: Magnitude = "response",
    sample: Sample | None = None,
    facts: Facts | None = None,
    seconds: float = 3.0,
    tell: Tell = lambda done, parts: None,
) -> Exported:
    """Write a classifier into the folder or zip (`*.zip`) `out`, whole or not at all; an earlier export there is replaced.

    `model`: (N, ...) -> (N, K) as it computes in evaluation mode; it is left as it is. `example`: images that it runs on.
    `dense`: the network before the cut, for costs and latency side by side. `kept`: group name -> (C,) bool, what the cut left
    of it. `round_to`: 8 or 16 rounds widths up (see `rounding.pad`) and needs both; `standing` says which channels come back
    first, `magnitude` is that of `find_groups`. `sample`: images that the files are checked on; without it random numbers are.
    `seconds`: to spend on the latency of one engine and batch size. `tell` hears how far it is.

    Writes network.safetensors, network.json and network.py (nothing but PyTorch, same bits), network.onnx, network.pt2
    (torch.export), report.json and README.md, the model card. One that is impossible, or whose logits are off by more than 1e-4,
    is left out, and `warnings` says why. Raises `ConfigError` for a place or settings that are not possible,
    `ExampleInputError` and `NetworkError` for a network that does not classify the example.
    """
    out, facts, example = Path(out), facts or Facts(), example.detach().cpu()
    check_free(out)
    subject = networks(model, example[:2], Cut(dense, kept, standing, magnitude), round_to)
    checks = Checks(subject.final, _fitting(sample, example) or Sample.noise(example))
    with placing(out) as folder:
        export = _Export(folder, subject, checks, facts)
        parts = (export.plain, export.open_format, export.program, lambda: export.latency(seconds), export.finish)
        for done, part in enumerate(parts):
            tell(done, len(parts))
            part()
        tell(len(parts), len(parts))
    return Exported(out, export.record)


class _Export:
    """Fills a folder, file by file, and notes what it finds in `record`."""

    def __init__(self, folder: Path, subject: Networks, checks: Checks, facts: Facts) -> None:
        self._folder, self._subject, self._checks, self._facts = folder, subject, checks, facts
        images = checks.sample.images
        self._blank = torch.zeros(2, *images.shape[1:], dtype=images.dtype)  # files repeat it: it must be nobody's image
        self._onnx: bytes | None = None
        self.record: dict[str, Any] = {
            "title": facts.title,
            "image": list(images.shape[1:]),
            "dtype": str(images.dtype).removeprefix("torch."),
            "classes": subject.classes,
            "widths": subject.widths,
            "rounding": subject.rounding(images),
            "checked_on": checks.described,
            "checks": {},
            "accuracy": checks.accuracy,
            "cost": {name: asdict(cost.count(model, images[:1])) for name, model in subject.models.items()},
            "warnings": [],
            "versions": versions(),
            "facts": asdict(facts),
        }
        kept = {name: self.record[name] for name in ("title", "image", "dtype", "widths")}
        self._about = kept | {"classes": facts.classes, "mean": facts.mean, "std": facts.std}

    def plain(self) -> None:
        """network.safetensors, network.json and network.py."""
        from safetensors.torch import save  # here, as whoever imports this may not write anything

        tensors, said, code = self._folder / "network.safetensors", self._folder / "network.json", self._folder / "network.py"
        try:
            described = describe(self._subject.final, self._blank)
            tensors.write_bytes(save(described.tensors, {"format": "pt"}))
            said.write_text(_text({"about": self._about} | described.said), encoding="utf-8")
            code.write_text(Path(network.__file__).read_text(encoding="utf-8"), encoding="utf-8")
            self._agrees(code.name, self._loaded(), exact=True)
        except NetworkError as error:
            code.unlink(missing_ok=True)
            state = {name: one.clone() for name, one in self._subject.final.state_dict().items()}
            tensors.write_bytes(save(state, {"format": "pt"}))
            said.write_text(_text({"about": self._about}), encoding="utf-8")
            self._missing(code.name, error, ", and network.json holds the widths alone")

    def open_format(self) -> None:
        """network.onnx."""
        try:
            content = onnx_bytes(self._subject.final, self._blank)
            self._agrees("network.onnx", Session(content), opset=OPSET)
            (self._folder / "network.onnx").write_bytes(content)
            self._onnx = content
        except NetworkError as error:
            self._missing("network.onnx", error)

    def program(self) -> None:
        """network.pt2."""
        try:
            content = program_bytes(self._subject.final, self._blank)
            self._agrees("network.pt2", program_call(content))
            (self._folder / "network.pt2").write_bytes(content)
        except NetworkError as error:
            self._missing("network.pt2", error)

    def latency(self, seconds: float) -> None:
        """Of all networks, and what pruning and rounding did not bring."""
        models = self._subject.models
        last = list(models)[-1]
        found = measure(models, self._sessions(), self._checks.sample.images, seconds)
        self.record |= {"latency": [one._asdict() for one in found], "threads": torch.get_num_threads()}
        self.record["warnings"] += slower(found, last, "dense", "Pruning")
        if self.record["rounding"] and self.record["rounding"]["channels_back"]:
            self.record["warnings"] += slower(found, "rounded", "pruned", "Rounding")

    def finish(self) -> None:
        """report.json and README.md."""
        sizes = {name: file.stat().st_size for name in FILES if (file := self._folder / name).is_file()}
        self.record["files"] = sizes
        report = self._folder / REPORT
        report.write_text(_text(self.record), encoding="utf-8")
        self.record["files"] = sizes | {REPORT: report.stat().st_size}
        (self._folder / README).write_text(card(self._facts, self.record), encoding="utf-8")

    def _loaded(self) -> nn.Module:
        try:
            return network.load(self._folder)
        except Exception as error:  # a layer that does not come out of its arguments as it was
            raise NetworkError(f"it does not build the network again ({said_by(error)})") from error

    def _sessions(self) -> dict[str, Session]:
        """Of all networks that have an ONNX form which computes the same, where the one that is written has."""
        sessions = {}
        *others, last = self._subject.models
        few = Sample(self._checks.sample.images[:MANY])
        for name in others if self._onnx is not None else ():
            model = self._subject.models[name]
            try:
                session = Session(onnx_bytes(model, self._blank))
                Checks(model, few).compare(session)
                sessions[name] = session
            except NetworkError as error:
                self.record["warnings"].append(f"The {name} network is not timed in onnxruntime: {error}")
        return sessions | ({} if self._onnx is None else {last: Session(self._onnx)})

    def _agrees(self, name: str, call: Callable[[Tensor], Tensor], *, exact: bool = False, **more: Any) -> None:
        self.record["checks"][name] = {"max_abs_logit_difference": self._checks.compare(call, exact=exact)} | more

    def _missing(self, name: str, error: NetworkError, more: str = "") -> None:
        self.record["warnings"].append(f"{name} was not written{more}: {error}")


def _fitting(sample: Sample | None, example: Tensor) -> Sample | None:
    if sample is not None and (sample.images.shape[1:], sample.images.dtype) != (example.shape[1:], example.dtype):
        given, wanted = (f"{tuple(one.shape[1:])} {one.dtype}" for one in (sample.images, example))
        raise ConfigError(f"sample: its images are {given}, those of the example {wanted}")
    return sample


def _text(content: dict[str, Any]) -> str:
    return _json(finite(content)) + "\n"


def _json(content: Any, depth: int = 0) -> str:
    """Plain data as text: a line a layer, a step and a group of channels, so that people can read it too."""
    inner = content.values() if isinstance(content, dict) else content
    if not isinstance(content, dict | list) or not content or depth > DEEP or (depth == DEEP and not _all_dicts(inner)):
        return json.dumps(content, allow_nan=False, ensure_ascii=False)
    indent = "\n" + " " * (depth + 1)
    texts = [_json(one, depth + 1) for one in inner]
    if isinstance(content, dict):
        texts = [f"{json.dumps(key, ensure_ascii=False)}: {text}" for key, text in zip(content, texts, strict=True)]
    opened, closed = "{}" if isinstance(content, dict) else "[]"
    return f"{opened}{indent}{f',{indent}'.join(texts)}{indent[:-1]}{closed}"


def _all_dicts(values: Iterable[Any]) -> bool:
    return all(isinstance(one, dict) for one in values)
