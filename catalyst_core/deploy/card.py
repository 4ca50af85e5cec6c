"""The model card: README.md, for people who get the files and nothing else. Every figure on it is given or was measured."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import catalyst_core
from catalyst_core.deploy.facts import Facts
from catalyst_core.deploy.open_format import INPUT
from catalyst_core.deploy.place import SIGN
from catalyst_core.latencies import share, side_by_side

PACKAGES = ("torch", "numpy", "safetensors", "onnx", "onnxscript", "onnxruntime")
FILES = {  # name -> what it is, how to load it
    "network.safetensors": ("its tensors by name", '`safetensors.torch.load_file("network.safetensors")`'),
    "network.json": ("widths, layers and forward pass, as data", "`network.py` reads it"),
    "network.py": (
        "builds the network from these two with nothing but PyTorch",
        '`from network import load; model = load(".")`; `python network.py` tries it',
    ),
    "network.onnx": (
        "ONNX, for any number of images",
        f'`onnxruntime.InferenceSession("network.onnx").run(None, {{"{INPUT}": array}})[0]`',
    ),
    "network.pt2": (
        "a `torch.export` program, for any number of images",
        '`torch.export.load("network.pt2").module()(images)`',
    ),
    "report.json": ("every figure of this page", "any reader of JSON"),
}
MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*[]|#"} | {"<": "&lt;", ">": "&gt;"})
NETWORKS = {"dense": "before the cut", "pruned": "pruned", "rounded": "pruned, widths rounded up"}


def versions() -> dict[str, str]:
    """This program, Python, the system and the packages that made the files."""
    return {
        "catalyst": catalyst_core.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    } | {name: _version(name) for name in PACKAGES}


def card(facts: Facts, record: Mapping[str, Any]) -> str:
    """The page, of what is known and of the `record` of an export (see `writing.write_model`)."""
    sections = [
        [f"{SIGN}: {_text(facts.title)}", *table(("", ""), _texts(facts.about.items()))],
        _warnings(record["warnings"]),
        _files(record),
        _input(facts, record),
        _ledger(facts, record),
        _certificate(facts),
        _size(record),
        _rounding(record),
        _latency(record),
        _checks(record),
        ["## Notes", "", *(f"- {_text(note)}" for note in facts.notes)] if facts.notes else [],
        ["## Versions", "", ", ".join(f"{name} {one}" for name, one in record["versions"].items())],
    ]
    return "\n".join("\n".join(section) + "\n" for section in sections if section)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table, with an empty one in front; none without rows. Cells are Markdown."""
    lines = [list(heads), ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return ["", *("| " + " | ".join(line) + " |" for line in lines)] if len(lines) > 2 else []


def _warnings(sentences: Sequence[str]) -> list[str]:
    return ["## Warnings", "", *(f"- {_text(one)}" for one in sentences)] if sentences else []


def _files(record: Mapping[str, Any]) -> list[str]:
    rows = [(f"`{name}`", f"{FILES[name][0]}, {size:,} bytes", FILES[name][1]) for name, size in record["files"].items()]
    return ["## Files", *table(("file", "what it is", "how to load it"), rows)]


def _input(facts: Facts, record: Mapping[str, Any]) -> list[str]:
    shape = " x ".join(str(size) for size in record["image"])
    lines = ["## Images and classes", "", f"Images are (batch, {shape.replace(' x ', ', ')}), {record['dtype']}."]
    if facts.mean:
        rows = [(place, f"{mean:.6g}", f"{std:.6g}") for place, (mean, std) in enumerate(zip(facts.mean, facts.std, strict=True))]
        pixels = f", where pixels are {_text(facts.pixels)}" if facts.pixels else ""
        lines += [f"Each channel is (pixel - mean) / std{pixels}:", *table(("channel", "mean", "std"), rows)]
    lines += ["", f"Logits are (batch, {record['classes']})" + (", of these classes:" if facts.classes else ".")]
    named = ", ".join(f"{place}: {_text(name)}" for place, name in enumerate(facts.classes))
    return lines + (["", named] if named else [])


def _ledger(facts: Facts, record: Mapping[str, Any]) -> list[str]:
    lines = table(("what", "value", "what it means"), _texts(facts.ledger))
    if record["accuracy"] is not None:
        on = record["checked_on"]
        said = f"The network in these files classifies {100 * record['accuracy']:.1f} % of {on['images']} {_text(on['of'])}"
        lines += ["", f"{said} correctly, measured as it was written."]
    return ["## Ledger", *lines] if lines else []


def _certificate(facts: Facts) -> list[str]:
    cut = facts.certificate
    if cut is None:
        return []
    verdict = "changed nothing but rounding" if cut.lossless else "changed the function"
    return [
        "## Certificate of the cut",
        "",
        f"The cut {verdict}: on {cut.images} images it changed a logit by {cut.max_abs_logit_change:.1e} at most in float64 "
        f"({cut.max_abs_logit_change_float32:.1e} in float32), and {cut.changed_predictions} predictions. Before is the network "
        "as sparse training left it, after is the smaller one; this says nothing about the accuracy against the dense network.",
    ]


def _size(record: Mapping[str, Any]) -> list[str]:
    costs = record["cost"]
    rows = [(NETWORKS[name], *(f"{one[key]:,}" for key in ("macs", "params", "bytes"))) for name, one in costs.items()]
    heads = [name for name in NETWORKS if name in costs]
    widths = [(_text(name), *(_width(one.get(head)) for head in heads)) for name, one in record["widths"].items()]
    return [
        "## Size",
        *table(("network", "multiply-accumulates, one image", "parameters", "bytes of its state dict"), rows),
        *table(("channels of", *(NETWORKS[head] for head in heads)), widths),
    ]


def _width(count: int | None) -> str:
    return "–" if count is None else str(count)


def _rounding(record: Mapping[str, Any]) -> list[str]:
    rounding = record["rounding"]
    if rounding is None:
        return []
    if not rounding["channels_back"]:
        said = (
            f"Nothing was rounded: every width is a multiple of {rounding['multiple']} as it is, or what it was before the cut."
        )
        return ["## Rounding", "", said]
    return [
        "## Rounding",
        "",
        f"Widths are rounded up to multiples of {rounding['multiple']} (never above the width before the cut): "
        f"{rounding['channels_back']} pruned channels are back, with zeros in what makes them, so that they compute nothing. "
        f"Against the pruned network a logit changed by {rounding['max_abs_logit_change']:.1e} at most in float64 "
        f"({rounding['max_abs_logit_change_float32']:.1e} in float32), on {rounding['images']} images.",
    ]


def _latency(record: Mapping[str, Any]) -> list[str]:
    names = [name for name in NETWORKS if name in record["cost"]]
    lines = []
    for (engine, batch), taken in side_by_side(record["latency"]).items():
        cells = [f"{taken[name]:.3g} ms" if name in taken else "–" for name in names]
        left = share(taken)
        lines.append((engine, batch, *cells, "" if left is None else f"{left:.2f}"))
    if not lines:
        return []
    threads = f"{record['threads']} thread{'s' * (record['threads'] > 1)}"
    heads = ("engine", "images", *(NETWORKS[name] for name in names), "share of the first")
    return [
        "## Latency",
        "",
        f"Median of a forward pass on the CPU of the machine that wrote this, with {threads}, the networks of a row in turns.",
        *table(heads, lines),
    ]


def _checks(record: Mapping[str, Any]) -> list[str]:
    found = record["checks"]
    said = {
        "network.py": "`network.py` gives the same bits as the network it was written from.",
        "network.onnx": "onnxruntime and PyTorch differ by {:.1e} at most in a logit (opset {}).",
        "network.pt2": "the `torch.export` program and PyTorch differ by {:.1e} at most in a logit.",
    }
    lines = [said[name].format(one["max_abs_logit_difference"], one.get("opset")) for name, one in found.items()]
    if not lines:
        return []
    on = record["checked_on"]
    batches = ", ".join(str(size) for size in on["batches"])
    said = f"On {on['images']} {_text(on['of'])}, in batches of {batches}:"
    return ["## Checks", "", said, "", *(f"- {line}" for line in lines)]


def _texts(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[_text(cell) for cell in row] for row in rows]


def _text(text: str) -> str:
    """One line that Markdown takes for text and nothing else; what cannot be seen is spelled out."""
    seen = (mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)
    return "".join(seen).translate(MARKS)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
