"""One file -> one array, whatever is in the file."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from catalyst_core.data.beside import SUFFIXES
from catalyst_core.data.images import FORMATS, inspect, read_image
from catalyst_core.errors import DataError

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(%pipe%touch owned) (w) file\nshowpage\n%%EOF\n"


def _content(kind: str) -> bytes:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_the_content_says_what_it_is_not_the_name(kind, tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(_content(kind))
    assert (inspect(path).width, inspect(path).height) == (30, 20)
    assert read_image(path, 3, 8).shape == (3, 8, 8)
    assert read_image(path, 1, 8).shape == (1, 8, 8)


def test_a_program_in_disguise_is_no_image(tmp_path):
    (tmp_path / "image.png").write_bytes(POSTSCRIPT)
    assert inspect(tmp_path / "image.png") is None
    assert read_image(tmp_path / "image.png", 3, 8) is None


@pytest.mark.parametrize("kind", FORMATS)
def test_spoiled_files_are_an_image_or_none_or_said_to_be_huge(kind, tmp_path):
    whole, path, generator = _content(kind), tmp_path / "image.png", np.random.default_rng(1)
    for _ in range(40):
        content = np.frombuffer(whole, np.uint8).copy()
        places = generator.integers(0, len(content), generator.integers(1, 20))
        content[places] = generator.integers(0, 256, len(places))
        path.write_bytes(content.tobytes()[: generator.integers(1, len(whole) + 1)])
        with contextlib.suppress(DataError):  # what is left of the header claims so much
            read = read_image(path, 3, 8)
            assert read is None or read.shape == (3, 8, 8)


def test_what_is_missing_or_a_folder_is_no_image(tmp_path):
    assert inspect(tmp_path / "none.png") is None
    assert inspect(tmp_path) is None


def test_every_name_that_pillow_gives_to_what_is_read_is_that_of_an_image():
    assert {name for name, kind in Image.registered_extensions().items() if kind in FORMATS} == SUFFIXES


def _floats(path, *values):
    Image.fromarray(np.array(values, np.float32)[None].repeat(len(values), 0)).save(path)
    return path


def test_floating_point_pixels_have_one_scale_in_all_images(tmp_path):
    dark, light = (_floats(tmp_path / f"{top}.tiff", 0, top / 2, top) for top in (0.5, 1.0))
    assert read_image(dark, 1, 3)[0, 0].tolist() == [0, 63, 127]
    assert read_image(light, 1, 3)[0, 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize("values", [(0, 128, 255), (-0.5, 0, 0.5), (0, float("nan"), 1), (0, float("inf"), 1)])
def test_floating_point_pixels_of_another_scale_are_refused(values, tmp_path):
    path = _floats(tmp_path / "image.tiff", *values)
    with pytest.raises(DataError, match=r"/image\.tiff holds floating-point pixels from .*, which must lie in 0\.\.1"):
        read_image(path, 1, 3)


def test_sixteen_bits_keep_their_range(tmp_path):
    Image.fromarray(np.array([[0, 32768, 65535]] * 3, np.uint16)).save(tmp_path / "image.png")
    assert read_image(tmp_path / "image.png", 1, 3)[0, 0].tolist() == [0, 127, 255]
