#!/usr/bin/env python3
"""Reads the event files of a run with TensorBoard's own reader and prints what they hold.

    pip install tensorboard
    convoy train cifar10 --data sample --tensorboard logs
    tools/check_tensorboard.py logs

One line for each tag: its kind, the steps and the values (of histograms: how many values, from where to where; of images:
how many, and their size). Exits with 1
when a part has no events.
"""
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util


def told(kind, array):
    if kind == "images":
        return f"{len(array) - 2} of {int(array[0])} x {int(array[1])} pixels, {sum(map(len, array[2:]))} bytes"
    if kind == "histograms":
        return f"{array[:, 2].sum():.0f} in [{array[0, 0]:.4g}, {array[-1, 1]:.4g}]"
    return f"{float(array):.6g}"


def show(part):
    events = EventAccumulator(str(part), size_guidance={"tensors": 0})
    events.Reload()
    tags = events.Tags()["tensors"]
    for tag in tags:
        kind = events.SummaryMetadata(tag).plugin_data.plugin_name
        values = []
        for event in events.Tensors(tag):
            array = tensor_util.make_ndarray(event.tensor_proto)
            values.append(f"{event.step}: {told(kind, array)}")
        print(f"{part.name}: {tag} ({kind}) {'; '.join(values)}")
    return len(tags)


def main():
    parts = sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir())
    return 0 if parts and all([show(p) for p in parts]) else 1


sys.exit(main())
