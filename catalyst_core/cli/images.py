"""`data` and `data unpack`: what a race would be given, and image folders from a zip."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from catalyst_core import uploads
from catalyst_core.cli.report import print_json, say, table
from catalyst_core.config import DataConfig, RaceConfig
from catalyst_core.data import report
from catalyst_core.errors import shown
from catalyst_core.figures.words import size
from catalyst_core.store import open_store

MOST_ROWS = 40  # classes: of more the largest and the smallest are shown
ENDS = 5  # of these
OPTIONS = ("train_images", "image_size", "normalisation")

Add = Callable[..., argparse.ArgumentParser]  # as `parser._add`


def add_commands(subparsers: Any, add: Add) -> None:
    """Both commands, each made by `add`."""
    about = {name: str(DataConfig.model_fields[name].description) for name in ("folder", *OPTIONS)}
    sentence = "what a race would be given: images of each split and class, sizes, damaged ones, memory; or `data unpack`"
    data = add(subparsers, "data", look, sentence)
    data.add_argument("--dataset", metavar="NAME", help="data set (default: folder with --folder, else digits)")
    data.add_argument("--folder", default="", metavar="PATH", help=about["folder"])
    data.add_argument("--train-images", type=int, metavar="N", help=about["train_images"])
    data.add_argument("--image-size", type=int, metavar="N", help=about["image_size"])
    data.add_argument("--normalisation", metavar="NAME", help=f"refused where it does not fit: {about['normalisation']}")
    data.add_argument("--quick", action="store_true", help="of a folder: read some headers instead of decoding every image")
    kinds = data.add_subparsers(metavar="unpack")
    unpacked = add(kinds, "unpack", unpack, "take a zip of images in below the data root, all of it or nothing")
    unpacked.add_argument("file", metavar="FILE.zip", help="one folder a class, or train/ and test/ (val/) with such folders")
    unpacked.add_argument("--as", dest="folder", required=True, metavar="NAME", help="the folder to make")


def look(options: argparse.Namespace) -> int:
    """Report on the images of a data set or folder."""
    fields = {name: value for name in OPTIONS if (value := getattr(options, name)) is not None}
    name = options.dataset or ("folder" if options.folder else "digits")
    config = RaceConfig.build(data={"name": name, "folder": options.folder, **fields}).data
    if options.quick and config.name == "folder":
        found, _ = report.glance(config)
    else:
        found = report.look(config, lambda said: print(f"{said} ...", file=sys.stderr, flush=True))
    if options.json:
        print_json(found.record())
    else:
        print(told(found))
    return 0


def unpack(options: argparse.Namespace) -> int:
    """Take a zip of images in as a folder below the data root."""
    found = uploads.unpack(open_store(options.store), Path(options.file), options.folder)
    say(asdict(found), found.told, as_json=options.json)
    return 0


def told(found: report.Report) -> str:
    """A report as text."""
    lines = [f"{shown(found.data)}: {sum(found.found)} images of {len(found.classes)} classes, {found.shape}", ""]
    lines += [f"{split.name:6}{split.images:>8}  {split.origin}" for split in found.splits]
    lines += ["", table(_rows(found)), "", f"damage: {found.damage}", f"memory: {size(found.bytes)} a contender"]
    return "\n".join(lines + [f"note: {said}" for said in found.warnings])


def _rows(found: report.Report) -> list[dict[str, str]]:
    """A row a class; of many classes the largest, the middle one and the smallest."""
    order = np.argsort(found.found, kind="stable")[::-1]
    many = len(order) > MOST_ROWS
    chosen = [*order[:ENDS], order[len(order) // 2], *order[-ENDS:]] if many else range(len(order))
    rows = [
        {"class": shown(found.classes[label]).strip("'\""), "images": str(found.found[label])}
        | {split.name: str(split.counts[label]) for split in found.splits}
        for label in chosen
    ]
    return [*rows[:ENDS], _gap(rows), rows[ENDS], _gap(rows), *rows[-ENDS:]] if many else rows


def _gap(rows: list[dict[str, str]]) -> dict[str, str]:
    return {name: "..." if name == "class" else "" for name in rows[0]}
