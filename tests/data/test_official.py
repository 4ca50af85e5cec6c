"""Copies on the machine, damaged copies, and no copy without a network."""

import gzip
import pickle
import struct
import urllib.request

import numpy as np
import pytest

from catalyst_core.config import DataConfig
from catalyst_core.data import check_data, load_data, official
from catalyst_core.errors import DataError

FILES = official.SOURCES["mnist"].files


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data root on a machine without installed copies and without a network."""
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path / "data"))
    for name, source in official.SOURCES.items():
        below = tuple(folder for folder in source.folders if not folder.startswith("/"))
        monkeypatch.setitem(official.SOURCES, name, official.Source(**{**vars(source), "folders": below}))

    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path / "data"


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def _write_mnist(folder, *, zipped: bool, train: int = 400, test: int = 50) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for file, count in zip(FILES, (train, train, test, test), strict=True):
        shape = (count, 28, 28) if "images" in file else (count,)
        array = generator.integers(0, 256, shape) if "images" in file else np.arange(count) % 10
        content = _idx(array.astype(np.uint8))
        (folder / (f"{file}.gz" if zipped else file)).write_bytes(gzip.compress(content) if zipped else content)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("name", "place"), [("mnist", "MNIST/raw"), ("fashion_mnist", "fashion-mnist")])
def test_a_copy_in_the_data_root_is_found(root, name, place, zipped):
    _write_mnist(root / place, zipped=zipped)
    config = DataConfig(name=name, train_images=100)
    check_data(config)
    splits = load_data(config)
    assert splits.train_x.shape == (100, 1, 28, 28)
    assert (len(splits.val_y), len(splits.test_y)) == (40, 50)
    assert len(splits.classes) == 10


def test_cifar10_is_read_in_torchvisions_layout(root, monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for file in official.SOURCES["cifar10"].files[:-1]:
        data = generator.integers(0, 256, (40, 3072)).astype(np.uint8)
        (folder / file).write_bytes(pickle.dumps({"data": data, "labels": [n % 10 for n in range(40)]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class{n}" for n in range(10)]}))
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *args: True)
    splits = load_data(DataConfig(name="cifar10"))
    assert splits.train_x.shape == (180, 3, 32, 32)
    assert splits.classes[0] == "class0"


@pytest.mark.parametrize("name", sorted(official.SOURCES))
def test_offline_without_a_copy_is_one_sentence_that_names_the_places(root, name):
    with pytest.raises(DataError) as caught:
        check_data(DataConfig(name=name))
    assert str(root) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_worker_offline_gets_the_same_sentence_and_leaves_nothing_half_made(root, name, capfd):
    with pytest.raises(DataError, match="cannot be reached") as caught:
        load_data(DataConfig(name=name))
    assert "\n" not in str(caught.value)
    assert not [path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert capfd.readouterr() == ("", "")


def test_a_download_brings_over_the_files_and_no_archive(root, monkeypatch):
    def download(folder, download):
        _write_mnist(folder_path := __import__("pathlib").Path(folder) / "MNIST" / "raw", zipped=False)
        (folder_path.parent.parent / "archive.tar.gz").write_bytes(b"x")

    monkeypatch.setattr("torchvision.datasets.MNIST", download)
    splits = load_data(DataConfig(name="mnist"))
    assert len(splits.train_y) == 360
    assert not list(root.glob("*.gz"))


@pytest.mark.parametrize("content", [b"", b"not an idx file", gzip.compress(b"x" * 100, mtime=0)[:30]])
def test_a_damaged_copy_is_one_sentence(root, content):
    folder = root / "MNIST" / "raw"
    _write_mnist(folder, zipped=True)
    (folder / f"{FILES[0]}.gz").write_bytes(content)
    with pytest.raises(DataError, match="delete or replace it") as caught:
        load_data(DataConfig(name="mnist"))
    assert "\n" not in str(caught.value)


def test_labels_that_do_not_belong_to_the_images_are_refused(root):
    folder = root / "MNIST" / "raw"
    _write_mnist(folder, zipped=False)
    (folder / FILES[1]).write_bytes(_idx(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match="do not belong"):
        load_data(DataConfig(name="mnist"))
