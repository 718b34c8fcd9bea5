"""What the peers' programs share: the command line, CIFAR-10's binary files, the clock. Runs in a peer's own Python.

    python X_peer.py TASK MODE --data DIR [--network NAME] [--batch N] [--epochs N] [--output FILE] [--model FILE]

TASK, each as far as the peer has it:
    train     an epoch to warm up, then the timed ones: prints {"images_per_second": N}
    predict   the same with the forward pass alone
    epoch     loads DIR, trains one epoch, tests, saves: for the caller to time; says MARK when the epoch is over
    start     says MARK when the first training step is over, and ends

FILE of --model is an ONNX file of the network, for peers that have no layers of their own.

NAME is tutorial, the network of the CIFAR-10 tutorial, or resnet20, as Keras's example cifar10_resnet has it (version 1, n = 3).
"""
import argparse
import json
import os
import pathlib
import sys
import time

import numpy

MARK = "bench: reached"
RECORD = 1 + 3 * 32 * 32
PLANES_LAST = (0, 2, 3, 1)
PLANES_FIRST = (0, 1, 2, 3)
L2 = 1e-4  # of the residual network's weights
LEAST_SECONDS = 1.0  # of timing, where passes are short


def arguments(tasks, modes):
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=tasks)
    parser.add_argument("mode", choices=modes)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--network", choices=("tutorial", "resnet20"), default="tutorial")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--output", default=None)
    parser.add_argument("--model", default=None)
    return parser.parse_args()


def threads():
    return len(os.sched_getaffinity(0))


def read(folder, part, order):
    """(float32 images in 0..1 with their axes in `order`, labels) of a folder; nothing is held twice meanwhile."""
    paths = sorted(folder.glob("data_batch_*.bin" if part == "train" else "test_batch.bin"))
    counts = [path.stat().st_size // RECORD for path in paths]
    shape = [(sum(counts), 3, 32, 32)[axis] for axis in order]
    images = numpy.empty(shape, numpy.float32)
    labels = numpy.empty(sum(counts), numpy.int64)
    first = 0
    for path, count in zip(paths, counts):
        records = numpy.fromfile(path, numpy.uint8).reshape(count, RECORD)
        planes = records[:, 1:].reshape(count, 3, 32, 32).transpose(order)
        numpy.divide(planes, numpy.float32(255), out=images[first:first + count])
        labels[first:first + count] = records[:, 0]
        first += count
    return images, labels


def mark():
    print(MARK, file=sys.stderr, flush=True)


def report(images, seconds):
    """`images` a pass, and the seconds of each pass."""
    print(json.dumps({"images_per_second": images * len(seconds) / sum(seconds)}))


def time_passes(run, images, passes):
    """Reports `passes` calls of run(), and more until they took long enough to time; one before them is not counted."""
    run()
    seconds = []
    while len(seconds) < passes or sum(seconds) < LEAST_SECONDS:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    report(images, seconds)
