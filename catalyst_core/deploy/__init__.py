"""Leave with a model: a pruned network as files that need nothing of ours. `write_model` writes them.

writing      the folder or zip, and what goes into it
subject      the networks side by side: dense, pruned, rounded
rounding     widths that are multiples of 8 or 16, with the same function
graph        the network as plain data, which network.py (with PyTorch alone) builds again
tracing      what torch.fx sees of a forward pass
open_format  ONNX
program      torch.export
checking     whether a file computes what the network does
timing       latency, side by side
card         README.md, of facts and of what was measured
of_run       the same for a run of a store
"""

from catalyst_core.deploy.checking import Sample
from catalyst_core.deploy.facts import Facts, Line
from catalyst_core.deploy.rounding import pad, rounded_up
from catalyst_core.deploy.writing import Exported, write_model

__all__ = ["Exported", "Facts", "Line", "Sample", "pad", "rounded_up", "write_model"]
