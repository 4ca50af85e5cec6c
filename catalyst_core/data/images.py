"""One image file -> one small square array (Pillow), with damaged and huge files told apart."""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from catalyst_core.data.beside import placed
from catalyst_core.errors import DataError

DECODING = 3  # counts up when the same file would become another array
ROUNDING = 1e-3  # of floating-point pixels beyond 0..1
MEGAPIXELS = 50  # larger images are refused
_GREY = frozenset(("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))
# Whatever a file is called, Pillow looks at what is in it; its other formats are rare, and one of them starts a program.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF")


@dataclass(frozen=True)
class Header:
    """What is known about an image without decoding it."""

    width: int
    height: int
    grey: bool


def inspect(path: Path) -> Header | None:
    """The header, or None when this is no image. Raises `DataError` above 50 megapixels."""
    with _damaged_is_none(), _opened(path) as image:
        return Header(*image.size, grey=image.mode in _GREY)
    return None


def read_image(path: Path, channels: int, size: int) -> np.ndarray | None:
    """The middle square, resized: (channels, size, size) uint8; None when the file is damaged."""
    with _damaged_is_none(), _opened(path) as image:
        image.draft("RGB" if channels == 3 else "L", (2 * size, 2 * size))  # JPEG only: decodes at a lower resolution
        upright = ImageOps.exif_transpose(image)
        array = np.asarray(ImageOps.fit(_eight_bits(path, upright).convert("RGB" if channels == 3 else "L"), (size, size)))
        return np.moveaxis(array, 2, 0) if channels == 3 else array[None]
    return None


@contextlib.contextmanager
def _damaged_is_none() -> Iterator[None]:
    """Leave the block where the file is no image; there is no end to what Pillow raises on files made to break it."""
    try:
        yield
    except DataError:
        raise
    except Exception:
        return


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata is no news for a user
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise DataError(_huge(path)) from None
        with image:
            if image.width * image.height > MEGAPIXELS * 1e6:
                raise DataError(_huge(path))
            yield image


def _huge(path: Path) -> str:
    return f"{placed(path)} is larger than {MEGAPIXELS} megapixels, the most that is read: scale it down or take it out"


def _eight_bits(path: Path, image: Image.Image) -> Image.Image:
    """16-bit images and floating-point ones in 0..1 keep their range; Pillow's own conversion would clip them at 255.

    Raises `DataError` for floating-point pixels beyond 0..1: the scale has to be one for all images, not each image's own.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, dtype=np.float64)
    low, high = values.min(), values.max()  # Pillow's own extremes pass over NaN
    if image.mode == "F" and not -ROUNDING <= low <= high <= 1 + ROUNDING:
        found = f"{placed(path)} holds floating-point pixels from {low:g} to {high:g}"
        raise DataError(f"{found}, which must lie in 0..1: save it with 8 or 16 bits")
    top = 1.0 if image.mode == "F" else 65535.0
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))
