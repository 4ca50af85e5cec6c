"""A network from network.json and network.safetensors, with nothing but PyTorch: `load(folder)(images)` are its logits.

The JSON is data, not code: layers of torch.nn with their arguments, and the steps of the forward pass as torch.fx has them. What
is not listed here is refused. `python network.py` prints the forward pass, and the shape of what random images give."""

import json
import operator
import re
from pathlib import Path

import torch
from torch import fx, nn

HOMES = {"operator": operator, "torch": torch, "functional": nn.functional}
NAMES = """adaptive_avg_pool2d add amax avg_pool2d batch_norm cat chunk clamp contiguous conv2d dim div dropout expand expand_as
    flatten float floordiv gelu getitem group_norm hardsigmoid hardswish iadd imul layer_norm linear log_softmax matmul max_pool2d
    mean mod mul neg pad permute pow relu relu6 repeat reshape reshape_as roll scaled_dot_product_attention sigmoid silu size
    softmax split sqrt squeeze stack sub sum tanh transpose truediv unbind unsqueeze view""".split()
CALLS = {f"{home}.{name}": getattr(HOMES[home], name) for home in HOMES for name in NAMES if hasattr(HOMES[home], name)}
CALLS |= {name: name for word in NAMES for name in (word, f"{word}_") if hasattr(torch.Tensor, name)}  # methods
TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def filled(said: object, done: dict[str, fx.Node]) -> object:
    """An argument: a list is a tuple, {"step": s} what step s made, {"slice": [a, b, c]} a slice, {"dots": 0} an ellipsis."""
    if isinstance(said, list):
        return tuple(filled(one, done) for one in said)
    kind, what = next(iter(said.items())) if isinstance(said, dict) else ("", said)
    return done[what] if kind == "step" else slice(*filled(what, done)) if kind == "slice" else ... if kind == "dots" else what


def load(folder: str | Path = ".") -> fx.GraphModule:
    """The network in evaluation mode, from the two files in `folder`; its `.meta` is what the JSON says "about" it."""
    said, data = json.loads(Path(folder, "network.json").read_text("utf-8")), Path(folder, "network.safetensors").read_bytes()
    about, graph, tensors = said.pop("about"), fx.Graph(), {}
    if not all(re.fullmatch(r"[\w.-]+", word) for word in re.findall(r'"([^"]*)"', json.dumps(said))):
        raise ValueError("network.json holds something else than names and numbers")  # torch.fx writes code with the names
    start = 8 + int.from_bytes(data[:8], "little")  # the length of the header, the header, the numbers
    for name, one in json.loads(data[8:start]).items():
        if name != "__metadata__":
            span = slice(*(start + place for place in one["data_offsets"]))
            tensors[name] = torch.frombuffer(bytearray(data[span]), dtype=TYPES[one["dtype"]]).view(one["shape"]).clone()
    parts = {name: nn.Parameter(tensors[name]) for name in said["parameters"]} | {name: tensors[name] for name in said["buffers"]}
    with torch.device("meta"):  # without numbers, which the file has
        parts |= {name: vars(nn.modules)[kind](**options) for name, (kind, options) in said["layers"].items()}
    done = {"images": graph.placeholder("images")}
    for step in said["steps"]:
        target = step["of"] if step["op"] in ("call_module", "get_attr") else CALLS[step["of"]]
        options = {name: filled(value, done) for name, value in step["options"].items()}
        done[step["name"]] = graph.create_node(step["op"], target, filled(step["args"], done), options, step["name"])
    graph.output(filled(said["output"], done))
    network = fx.GraphModule(parts, graph, "Network")
    network.meta = about
    network.load_state_dict(tensors, assign=True)
    return network.eval()


if __name__ == "__main__":
    network = load(Path(__file__).parent)
    print(network.code, tuple(network(torch.randn(2, *network.meta["image"])).shape))
