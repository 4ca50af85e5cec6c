"""A network of network.json and network.safetensors, with PyTorch alone: `load(folder)(images)` are its logits. The JSON is data:
layers of torch.nn and steps of torch.fx or torch.export; what is not listed here is refused. Run alone, this prints the steps."""

import json
import operator
import re
from pathlib import Path

import torch
from torch import fx, nn

WORDS = """abs adaptive_avg_pool2d adaptive_max_pool2d add addcmul alias amax arange avg_pool1d avg_pool2d batch_norm bitwise_not
    bmm cat channel_shuffle chunk clamp clamp_min clone contiguous conv1d conv2d conv_transpose2d copy cos cumsum detach dim div
    dropout einsum elu eq exp expand expand_as fill flatten float floordiv gelu getitem group_norm hardsigmoid hardswish hardtanh
    iadd imul index interpolate invert layer_norm leaky_relu lift_fresh_copy linalg_vector_norm linear log log_softmax masked_fill
    matmul max_pool2d maximum mean minimum mod mul ne neg new_zeros norm normalize pad permute pixel_shuffle pixel_unshuffle pow
    prelu relu relu6 repeat repeat_interleave reshape reshape_as roll rsub scaled_dot_product_attention select sigmoid silu sin
    size slice softmax softplus split split_with_sizes sqrt square squeeze stack sub sum sym_size tanh tile to transpose truediv
    unbind unfold unsqueeze upsample_bicubic2d upsample_bilinear2d upsample_nearest2d view where zeros"""
NAMES = [word + mark for word in WORDS.split() for mark in ("", "_")]
HOMES = {"operator": operator, "torch": torch, "functional": nn.functional, "aten": torch.ops.aten}
CALLS = {f"{home}.{name}": getattr(HOMES[home], name) for home in HOMES for name in NAMES if hasattr(HOMES[home], name)}
CALLS |= {name: name for name in NAMES if hasattr(torch.Tensor, name)}  # methods
TYPE = {"F64": torch.double, "F32": torch.float, "F16": torch.half, "BF16": torch.bfloat16, "I64": torch.long, "BOOL": torch.bool}


def filled(said: object, done: dict[str, object]) -> object:
    """An argument: a list is a tuple, {"step": s} what step s made, or .dots or a type, {"slice": [a, b, c]} a slice."""
    if isinstance(said, list):
        return tuple(filled(one, done) for one in said)
    kind, what = next(iter(said.items())) if isinstance(said, dict) else ("", said)
    return done[what] if kind == "step" else slice(*filled(what, done)) if kind == "slice" else what


def load(folder: str | Path = ".") -> fx.GraphModule:
    """The network in evaluation mode, from the two files in `folder`; its `.meta` is what the JSON says "about" it."""
    said, data = json.loads(Path(folder, "network.json").read_text("utf-8")), Path(folder, "network.safetensors").read_bytes()
    about, graph, tensors = said.pop("about"), fx.Graph(), {}
    if not all(re.fullmatch(r"[\w.-]+", word) for word in re.findall(r'"([^"]*)"', json.dumps(said))):
        raise ValueError("network.json holds something else than names and numbers")  # torch.fx writes code with the names
    start = 8 + int.from_bytes(data[:8], "little")  # the length of the header, the header, the numbers
    for name, one in (item for item in json.loads(data[8:start]).items() if item[0] != "__metadata__"):
        span = slice(*(start + place for place in one["data_offsets"]))
        tensors[name] = torch.frombuffer(bytearray(data[span]), dtype=TYPE[one["dtype"]]).view(one["shape"]).clone()
    parts = {name: nn.Parameter(tensors[name]) for name in said["parameters"]} | {name: tensors[name] for name in said["buffers"]}
    with torch.device("meta"):  # without numbers, which the file has
        parts |= {name: vars(nn.modules)[kind](**options) for name, (kind, options) in said["layers"].items()}
    done = {"images": graph.placeholder("images"), ".dots": ...} | {f".{name}": kind for name, kind in TYPE.items()}
    for name, op, of, args, options in (step.values() for step in said["steps"]):
        target = of if op in ("call_module", "get_attr") else CALLS[of]
        done[name] = graph.create_node(op, target, filled(args, done), dict(filled(options, done)), name)
    graph.output(filled(said["output"], done))
    network = fx.GraphModule(parts, graph, "Network")
    network.meta = about
    network.load_state_dict(tensors, assign=True)
    return network.eval()


if __name__ == "__main__":
    print((network := load(Path(__file__).parent)).code, tuple(network(torch.randn(2, *network.meta["image"])).shape))
