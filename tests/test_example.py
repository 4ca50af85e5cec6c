"""The example runs as a script, twice alike, ends lossless within its budget, and is what the README shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from catalyst_core import example, packing
from catalyst_core.store import open_store

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "docs" / "prune_digits.py"
SECONDS = 280


@pytest.fixture(scope="module")
def printed():
    """What two runs of the script print, started together."""
    command = [sys.executable, "-W", "error", "-m", "docs.prune_digits"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for _ in range(2)]
    try:
        said = [run.communicate(timeout=SECONDS) for run in runs]
    finally:
        for run in runs:
            run.kill()
            run.wait()
    assert [(run.returncode, errors) for run, (_, errors) in zip(runs, said, strict=True)] == [(0, "")] * 2
    return [output for output, _ in said]


@pytest.fixture
def rows(printed):
    """{"dense": (accuracy in %, parameters, MACs), ...}"""
    lines = re.findall(r"^(\w+) +([\d.]+) % +([\d,]+) parameters +([\d,]+) MACs$", printed[0], re.MULTILINE)
    return {name: (float(accuracy), *(int(number.replace(",", "")) for number in counts)) for name, accuracy, *counts in lines}


def test_two_runs_print_the_same(printed):
    assert printed[0] == printed[1]


def test_the_cut_is_lossless_and_the_sparse_network_is_good(printed, rows):
    change, images = re.search(r"^lossless: the cut changed logits by (\S+) at most, on (\d+) images$", printed[0], re.M).groups()
    assert float(change) <= 1e-10
    assert int(images) == 1797
    assert list(rows) == ["dense", "sparse", "pruned"]
    assert rows["pruned"][0] == rows["sparse"][0] > 96
    assert rows["dense"][0] > 96


def test_half_of_the_channels_are_gone_and_with_them_parameters_and_macs(printed, rows):
    assert "channels kept: 16 of 32, 32 of 64, 32 of 64\n" in printed[0]

    def parameters(first, second, third):
        return 9 * (first + first * second + second * third) + 2 * (first + second + third) + 10 * third + 10

    def macs(first, second, third):
        return 9 * (64 * first + 16 * first * second + 16 * second * third) + 10 * third

    assert rows["dense"][1:] == rows["sparse"][1:] == (parameters(32, 64, 64), macs(32, 64, 64))
    assert rows["pruned"][1:] == (parameters(16, 32, 32), macs(16, 32, 32))


def test_the_readme_shows_the_example_and_names_it():
    readme, source = (ROOT / "README.md").read_text(encoding="utf-8"), EXAMPLE.read_text(encoding="utf-8")
    (block,) = (one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "build_regularizer" in one)
    paragraphs = block.strip().split("\n\n")
    assert len(paragraphs) == 2
    for paragraph in paragraphs:
        assert f"\n{paragraph}\n" in source
    assert "python -m docs.prune_digits" in readme
    assert "(docs/prune_digits.py)" in readme


def test_the_example_stays_short():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 80


def test_the_notebook_of_the_readme_runs_on_the_example_race(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = (one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "figures.plotted" in one)
    store = open_store()
    packing.unpack(store, example.FILE)
    store.close()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Filters at exactly zero: Catalyst 80 of 160")
    assert len((tmp_path / "magnitudes.csv").read_text().splitlines()) > 100
