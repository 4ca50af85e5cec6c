"""Run by `python -I` in a process of its own: load exports with network.py alone, and say what they compute.

Arguments: a folder that holds network.py, a file to write, then folders of exports, each with its images in images.pt.
"""

import sys

folder, out, *exports = sys.argv[1:]
sys.path.insert(0, folder)
import torch  # noqa: E402
from network import load  # noqa: E402

torch.set_num_threads(1)
answers = {}
for export in exports:
    model = load(export)
    with torch.no_grad():
        answers[export] = model(torch.load(f"{export}/images.pt"))
torch.save({"answers": answers, "modules": sorted({name.partition(".")[0] for name in sys.modules})}, out)
