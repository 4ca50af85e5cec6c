"""What a race would be given: images of each split and class, their sizes, damaged ones, memory, and what is odd about them.

Plain data, and no torch for image folders: the page that sets up a race shows it, too.
"""

# K = classes, or colour channels where an array is meant; S = pixels a side

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from catalyst_core.config import DataConfig
from catalyst_core.data import READERS, check_data
from catalyst_core.data.beside import placed
from catalyst_core.data.folder import SIZES, TEST, VALIDATION, as_raced, listed
from catalyst_core.data.images import Header, read_image
from catalyst_core.data.normalised import held_bytes
from catalyst_core.data.reading import Decoded, Listing, read
from catalyst_core.data.sampling import Labelled
from catalyst_core.errors import shown

UNBALANCED = 10  # times the images of the smallest class
TINY = 20  # training images of a class
SHRUNK = 4  # times the side that the network sees
NAMED = 5  # damaged images, and classes, at most
SPLITS = ("train", "val", "test")
ORIGINS = {"digits": ("what is left", "split off", "split off")}
OFFICIAL = ("the official training images", "split off them", "the official test images")


@dataclass(frozen=True)
class Split:
    """One split as a race would have it."""

    name: str
    origin: str  # where its images come from
    counts: tuple[int, ...]  # of each class

    @property
    def images(self) -> int:
        """All of them."""
        return sum(self.counts)


@dataclass(frozen=True)
class Report:
    """What there is to say about a data set before a race."""

    data: str  # its name, or that of the folder
    classes: tuple[str, ...]
    found: tuple[int, ...]  # images of each class, also those that a race leaves out
    splits: tuple[Split, ...]  # train, val and test
    channels: int
    size: int  # pixels a side, as the network sees them
    sides: tuple[int, int, int]  # smallest, middle and largest of the shorter sides that were looked at, in pixels
    looked_at: int  # images that were decoded or, at a glance, whose headers were read
    decoded: bool
    damaged: int  # of them
    damaged_names: tuple[str, ...]  # the first few
    bytes: int  # that a contender holds in memory while it reads them
    warnings: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        """Colours and pixels, in words."""
        least, middle, most = self.sides
        told = f"{least} a side" if least == most else f"{least} to {most} a side, {middle} in the middle"
        files = "" if {least, most} == {self.size} else f" (the files {told})"
        return f"{'grey' if self.channels == 1 else 'colour'}, {self.size} x {self.size} pixels{files}"

    @property
    def damage(self) -> str:
        """How many images cannot be read, in words."""
        looked = f"{self.looked_at:,} images {'that were decoded' if self.decoded else 'whose headers were read'}"
        if not self.damaged:
            return f"none in {looked}"
        more = ", ..." if self.damaged > len(self.damaged_names) else ""
        return f"{self.damaged:,} of {looked}: {', '.join(self.damaged_names)}{more}"

    def record(self) -> dict[str, Any]:
        """As plain data for JSON; `of_record` reads it."""
        return asdict(self) | {"splits": [asdict(split) | {"images": split.images} for split in self.splits]}

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> "Report":
        """The inverse of `record`, from what JSON made of it."""
        plain = {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
        splits = tuple(Split(one["name"], one["origin"], tuple(one["counts"])) for one in record["splits"])
        return cls(**plain | {"splits": splits})


@dataclass(frozen=True)
class Thumbnail:
    """One training image as the network sees it."""

    label: str
    pixels: np.ndarray  # (S, S) or (S, S, 3) uint8


def look(config: DataConfig, tell: Callable[[str], object] = lambda said: None) -> Report:
    """Decode every image that a race with this configuration would read, and report on them.

    What is decoded is kept for the race as far as the cache goes. `tell` hears what takes long. Raises `DataError` where
    the race could not start.
    """
    generator = np.random.default_rng(0)
    if config.name == "folder":
        config = as_raced(config)
        listing = listed(config, generator)
        tell(f"decoding {sum(len(files.paths) for files in listing.parts)} images")
        return _of_folder(config, listing, read(listing))
    check_data(config)
    raw = READERS[config.name](as_raced(config), generator)
    parts = [raw.train, raw.val, raw.test]
    _, channels, size, _ = raw.train.x.shape
    splits = _splits([part.y for part in parts], len(raw.classes), ORIGINS.get(config.name, OFFICIAL))
    found = tuple(map(sum, zip(*(split.counts for split in splits), strict=True)))
    need = sum(held_bytes(part.x.size) for part in parts)
    said = (*_of_balance(raw.classes, splits[0]), *_repeated(parts))
    return Report(
        config.name, raw.classes, found, splits, channels, size, (size,) * 3, sum(found), True, 0, (), need, said
    )  # fmt: skip


def glance(config: DataConfig, thumbnails: int = 0) -> tuple[Report, tuple[Thumbnail, ...]]:
    """Report on a folder from its names and some headers, with an image of so many classes. Raises `DataError` as `look`."""
    config = as_raced(config)
    listing = listed(config, np.random.default_rng(0))
    return _of_folder(config, listing, None), _thumbnails(listing, thumbnails)


def _of_folder(config: DataConfig, listing: Listing, decoded: Decoded | None) -> Report:
    """Without `decoded`, from what its names and headers say."""
    found, classes = listing.layout.counts, listing.layout.classes
    if decoded:
        labels, damaged = [part.y for part in decoded.parts], decoded.damaged
        looked_at = taken = decoded.looked_at
    else:
        labels, looked_at = [files.labels for files in listing.parts], len(listing.headers)
        damaged, taken = [path for path, header in listing.headers.items() if header is None], sum(map(len, labels))
    splits = _splits(labels, len(classes), _origins(listing.layout.origins))
    sides = _sides([header for header in listing.headers.values() if header])
    said = [*_of_balance(classes, splits[0]), *_of_sides(sides, listing.size), *(_repeated(decoded.parts) if decoded else ())]
    if left_out := int(found.sum()) - taken:
        said.append(
            f"{left_out:,} of the {found.sum():,} images are left out: at most {config.train_images:,} (train_images) are "
            f"trained on, {VALIDATION:,} and {TEST:,} are for val and test"
        )
    return Report(
        data=config.folder,
        classes=classes,
        found=tuple(found.tolist()),
        splits=splits,
        channels=listing.channels,
        size=listing.size,
        sides=sides,
        looked_at=looked_at,
        decoded=decoded is not None,
        damaged=len(damaged),
        damaged_names=tuple(placed(path) for path in damaged[:NAMED]),
        bytes=listing.bytes,
        warnings=(*said, *listing.layout.left_out),
    )


def _splits(labels: Sequence[np.ndarray], classes: int, origins: Sequence[str]) -> tuple[Split, ...]:
    counts = [tuple(np.bincount(one, minlength=classes).tolist()) for one in labels]
    return tuple(Split(*parts) for parts in zip(SPLITS, origins, counts, strict=True))


def _origins(folders: tuple[str, str, str]) -> list[str]:
    train, *others = folders
    split_off = f"split off {train}/" if train else "split off"
    return [f"{train}/" if train else "what is left", *(f"{folder}/" if folder else split_off for folder in others)]


def _sides(headers: Sequence[Header]) -> tuple[int, int, int]:
    shorter = [min(header.width, header.height) for header in headers]
    return min(shorter), int(np.median(shorter)), max(shorter)


def _of_balance(classes: Sequence[str], train: Split) -> list[str]:
    counts, said = np.array(train.counts), []
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] >= UNBALANCED * counts[least]:
        said.append(
            f"the classes are unbalanced: {shown(classes[most])} has {counts[most]} training images, {shown(classes[least])} "
            f"{counts[least]}; accuracy mostly tells how the large classes do"
        )
    if len(tiny := np.flatnonzero(counts < TINY)):
        named = ", ".join(shown(classes[label]) for label in tiny[:NAMED]) + (", ..." if len(tiny) > NAMED else "")
        said.append(f"{len(tiny)} of {len(classes)} classes have fewer than {TINY} training images: {named}")
    return said


def _of_sides(sides: tuple[int, int, int], size: int) -> list[str]:
    middle = sides[1]
    if middle > SHRUNK * size:
        return [f"the images are about {middle} pixels a side and are scaled down to {size}: image_size may be up to 512"]
    if SHRUNK * middle < size and size > SIZES[0]:
        return [f"the images are about {middle} pixels a side and are blown up to {size}: a smaller image_size takes less time"]
    return []


def _repeated(parts: Sequence[Labelled]) -> list[str]:
    """Of train, val and test: how many images of the latter are in train, too, pixel for pixel."""
    train, *others = ([hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in part.x] for part in parts)
    known, said = set(train), []
    for name, digests in zip(SPLITS[1:], others, strict=True):
        if twice := sum(digest in known for digest in digests):
            said.append(f"{twice} of the {len(digests)} images of {name} are also among the training images, pixel for pixel")
    return said


def _thumbnails(listing: Listing, most: int) -> tuple[Thumbnail, ...]:
    """The first readable image of `most` classes, spread over all of them."""
    paths, labels = listing.train.paths, listing.train.labels
    chosen = np.unique(np.linspace(0, len(listing.layout.classes) - 1, most).astype(int)) if most else ()
    made = []
    for label in chosen:
        mine = (read_image(paths[i], listing.channels, listing.size) for i in np.flatnonzero(labels == label))
        image = next((one for one in mine if one is not None), None)
        if image is not None:
            made.append(Thumbnail(listing.layout.classes[label], image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)))
    return tuple(made)
