"""From the first click to files that load anywhere, without a line of code: somebody's images, network and weights come in by
the browser, are looked at and raced, and an ONNX file and a folder for PyTorch alone leave it."""

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torchvision
from PIL import Image
from playwright.sync_api import expect
from safetensors.torch import save_file
from torch.utils.tensorboard import SummaryWriter

from catalyst_core.training import load_pruned
from tests.browser.form import fill_in

pytestmark = pytest.mark.browser

SECONDS = 120_000  # milliseconds that a slow machine may take for one step
SIDE = 24  # pixels
CLASSES = ("blue", "green", "red")
FRESH = Path(__file__).parents[1] / "deploy" / "fresh.py"


@pytest.fixture(scope="module")
def luggage(tmp_path_factory):
    """A zip with 50 noisy images of each of three colours, one of them damaged, and weights of a ResNet-18 for three classes."""
    folder, generator = tmp_path_factory.mktemp("luggage"), np.random.default_rng(0)
    with zipfile.ZipFile(folder / "colours.zip", "w") as archive:
        for channel, name in enumerate(reversed(CLASSES)):
            for number in range(50):
                pixels = generator.integers(0, 120, (SIDE, SIDE, 3)).astype(np.uint8)
                pixels[..., channel] += 100
                out = io.BytesIO()
                Image.fromarray(pixels).save(out, "PNG")
                archive.writestr(f"colours/{name}/{number:02}.png", out.getvalue())
        archive.writestr("colours/red/torn.png", b"\x89PNG torn")
    torch.manual_seed(0)
    save_file(torchvision.models.resnet18(num_classes=3).state_dict(), folder / "mine.safetensors")
    return folder


def choose(page, label, text):
    """One of a list, by typing."""
    box = page.get_by_role("combobox", name=label, exact=True)
    box.click()
    box.fill(text)
    page.get_by_role("option", name=text, exact=True).first.click()
    expect(page.get_by_role("combobox", name=label, exact=True)).to_have_value(text, timeout=SECONDS)


def bring(page, luggage):
    """Images by the zip field and weights by theirs, both chosen in the form."""
    choose(page, "Data", "Image folder")
    page.get_by_role("button", name="Upload a zip").click()
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(luggage / "colours.zip")
    expect(page.get_by_text(re.compile("red/torn.png.*Write its name into the field above"))).to_be_visible(timeout=SECONDS)
    page.keyboard.press("Escape")
    field = page.get_by_role("textbox", name="Folder below the data root")
    field.fill("colours")
    field.press("Enter")
    choose(page, "Model", "resnet18 (torchvision)")
    page.get_by_text("Your own network").click()
    page.get_by_test_id("stMain").locator("input[type=file]").set_input_files(luggage / "mine.safetensors")
    choose(page, "Weights", "mine.safetensors")


def look(page):
    """At the images, and at what can be pruned of the network."""
    page.get_by_role("button", name="Look at the images").click()
    page.get_by_role("button", name="Check every image").click(timeout=SECONDS)
    expect(page.get_by_text("Damage: none in 150 images that were decoded.")).to_be_visible(timeout=SECONDS)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="What can be pruned?").click()
    expect(page.get_by_text("The weights classify")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("masked and cut are the same function")).to_be_visible()


def take(page):
    """The zip that the Lab makes."""
    page.get_by_role("link", name="Lab", exact=True).first.click()
    page.get_by_role("button", name="Make the files").click(timeout=SECONDS)
    with page.expect_download(timeout=2 * SECONDS) as download:
        page.get_by_role("button", name=re.compile("Model as a zip")).click(timeout=2 * SECONDS)
    return zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))


def test_images_network_and_weights_come_in_and_a_model_leaves(server, page, luggage, tmp_path):
    page.goto(server.url)
    bring(page, luggage)
    look(page)
    fill_in(page, contenders=1, dense=0, sparse=4, finetune=2)
    page.get_by_role("button", name="Start race", exact=True).click()
    page.wait_for_url(re.compile(r"race=[0-9a-f]{8}"), timeout=SECONDS)
    race_id = re.search(r"race=([0-9a-f]{8})", page.url)[1]
    ended = "() => document.querySelector('[data-testid=tick]')?.dataset.state === 'completed'"
    page.wait_for_function(ended, timeout=2 * SECONDS)
    with take(page) as archive:
        archive.extractall(tmp_path)
    (export,) = tmp_path.iterdir()
    expect(page.get_by_text(re.compile("network.py: the same bits"))).to_be_visible(timeout=SECONDS)

    # It computes what the network in the store does: the same bits with PyTorch alone, nearly the same in onnxruntime.
    images = torch.randn(5, 3, SIDE, SIDE)
    own = load_pruned(server.home / "catalyst-files" / "runs" / f"{race_id}-00" / "pruned.pt")
    torch.save(images, export / "images.pt")
    subprocess.run([sys.executable, "-I", FRESH, export, tmp_path / "out.pt", export], check=True)
    session = onnxruntime.InferenceSession(export / "network.onnx")
    with torch.no_grad():
        expected = own(images)
    assert torch.equal(torch.load(tmp_path / "out.pt")["answers"][str(export)], expected)
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    assert np.abs(found - expected.numpy()).max() <= 1e-4
    assert all(name in (export / "README.md").read_text() for name in CLASSES)


def test_histograms_of_event_files_are_drawn(server, page):
    """In a server, whose Python looks for modules in the folder of app/main.py, too."""
    with SummaryWriter(server.home / "data" / "logs") as writer:
        writer.add_histogram("weights", torch.linspace(-1, 1, 1000), 3)
    page.goto(f"{server.url}/runs")
    page.get_by_text("From TensorBoard").click()
    folder = page.get_by_role("textbox", name="Folder below the data root")
    folder.fill("logs")
    folder.press("Enter")
    expect(page.locator("[data-figure] .js-plotly-plot").first).to_be_visible(timeout=SECONDS)
