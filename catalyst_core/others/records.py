"""TensorBoard's event files as records: length, checksum of the length, content, checksum of the content.

    crc     CRC-32C, masked: ((crc >> 15 | crc << 17) + 0xa282ead8) mod 2^32

TensorBoard's own reader takes whatever length a file claims, and ends without a word where one is damaged. Here the length is
bounded, what ends in the middle of a record is a run that still goes on, and what is damaged is said.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np

from catalyst_core.errors import DataError, shown

HEAD = struct.Struct("<QI")
MOST = 64 * 2**20  # bytes of a record that is read; larger ones, graphs or images, are passed over
FEW = 24  # records: of fewer a checksum is quicker one by one


class Record(NamedTuple):
    """The content of one record, and the checksum that the file has for it."""

    content: bytes
    crc: int


def records(file: IO[bytes], named: str) -> Iterator[Record]:
    """The records of an open event file, until it ends or the last one is not complete. Contents are not checked yet.

    Raises DataError for a file that is none or is damaged, and OSError as the disk does.
    """
    size, at = file.seek(0, os.SEEK_END), file.seek(0)
    while at + HEAD.size <= size:
        head = file.read(HEAD.size)
        if len(head) < HEAD.size:  # it was cut since
            return
        length, crc = HEAD.unpack(head)
        if int(checksums([head[:8]])[0]) != crc:
            raise _damaged(named, at)
        end = at + HEAD.size + length + 4
        if end > size:
            return
        if length > MOST:
            file.seek(end)
        else:
            content, foot = file.read(length), file.read(4)
            if len(foot) < 4:
                return
            yield Record(content, int.from_bytes(foot, "little"))
        at = end


def check(found: Sequence[Record], named: str) -> None:
    """Raise DataError unless the checksums of these records are right."""
    if found and (checksums([one.content for one in found]) != np.array([one.crc for one in found], dtype=np.uint32)).any():
        raise DataError(f"{shown(named)} is damaged: the checksum of a record in it is wrong")


def _damaged(named: str, at: int) -> DataError:
    if at == 0:
        return DataError(f"{shown(named)} is no event file of TensorBoard's")
    return DataError(f"{shown(named)} is damaged at byte {at}: what begins there is no record")


def checksums(parts: Sequence[bytes]) -> np.ndarray:
    """(N,) uint32: the masked checksum of each of N contents; of many, all of them byte by byte at once."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import CRC_TABLE, masked_crc32c

    if len(parts) < FEW:
        return np.array([masked_crc32c(part) for part in parts], dtype=np.uint32)
    order = np.argsort([-len(part) for part in parts], kind="stable")  # the longest first
    lengths = np.array([len(parts[place]) for place in order])
    block = np.zeros((lengths[0], len(parts)), dtype=np.uint8)  # a column a content
    for column, place in enumerate(order):
        block[: lengths[column], column] = np.frombuffer(parts[place], dtype=np.uint8)
    table = np.array(CRC_TABLE, dtype=np.uint32)
    crc = np.full(len(parts), 0xFFFFFFFF, dtype=np.uint32)
    going = len(parts) - np.searchsorted(lengths[::-1], np.arange(lengths[0]), side="right")  # how many are longer than that
    for row, many in zip(block, going, strict=True):
        crc[:many] = table[(crc[:many] ^ row[:many]) & 0xFF] ^ (crc[:many] >> 8)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
    found = np.empty_like(masked)
    found[order] = masked
    return found
