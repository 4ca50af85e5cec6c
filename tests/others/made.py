"""Event files made with TensorBoard's own record writer and messages, and with the numbers that tests choose."""

from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.summary.writer.record_writer import RecordWriter


def histo(tag, values, limits=None):
    """A histogram as TensorFlow 1 and PyTorch write it; `limits`: inner ends of the buckets, 20 equal ones if not given."""
    values = np.asarray(values, dtype=float)
    edges = np.linspace(values.min() - 1e-3, values.max() + 1e-3, 21) if limits is None else np.asarray(limits, dtype=float)
    counts, _ = np.histogram(values, edges)
    return buckets(tag, edges[1:], counts, (values.min(), values.max()))


def buckets(tag, limits, counts, ends):
    """A histogram of given buckets: upper limits, counts, the smallest and the largest number."""
    proto = HistogramProto(min=ends[0], max=ends[1], num=float(np.sum(counts)), bucket_limit=limits, bucket=counts)
    return Summary.Value(tag=tag, histo=proto)


def tensor(tag, values, **more):
    """A histogram as TensorFlow 2 writes it."""
    return histogram_pb(tag, values, **more).value[0]


def event_file(folder, looks, name="events.out.tfevents.1"):
    """An event file in a folder: (step, values of a summary) an event; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=1.0, file_version="brain.Event:2").SerializeToString())
        for step, values in looks:
            writer.write(Event(wall_time=100.0 + step, step=step, summary=Summary(value=values)).SerializeToString())
        writer.flush()
    return Path(folder, name)
