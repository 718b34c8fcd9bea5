#!/usr/bin/env python3
"""Times `convoy train` against Keras and PyTorch on the tutorial network, side by side on the same cores.

    tools/bench_peers.py --convoy build/src/cli/convoy --data DIR --keras-python VENV/bin/python

A machine's speed wanders, so single numbers say little. For each peer, processes alternate in pairs, Convoy first in
one pair and second in the next; what counts is the ratio within a pair. Every process reads the same images, trains one
epoch to warm up, then the epochs that are timed, and tells its images per second over those; starting, reading and
compiling are left out for all alike.

Peers: keras (model.fit as a user calls it), torch (contiguous NCHW), torch-cl (channels_last), torch-compiled
(torch.compile of the channels_last model). They come by `pip install keras tensorflow-cpu numpy` and
`pip install torch numpy`.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

RECORD = 1 + 3 * 32 * 32
TEST_IMAGES = 100

# What the peers' programs share: argv is the data folder, the batch size and the number of timed epochs.
COMMON = """
import glob, json, os, sys, time
import numpy as np
folder, batch, epochs, variant = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
records = np.fromfile(os.path.join(folder, "data_batch_1.bin"), np.uint8).reshape(-1, 3073)
labels = records[:, 0].astype(np.int64)
images = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
threads = len(os.sched_getaffinity(0))
def report(seconds):
    print(json.dumps({"images_per_second": len(images) * len(seconds) / sum(seconds)}))
"""

KERAS = COMMON + """
import keras
from keras import layers
images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
model = keras.Sequential([
    keras.Input((32, 32, 3)),
    layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
    layers.Conv2D(128, 3, activation="relu"), layers.Flatten(),
    layers.Dense(64, activation="relu"), layers.Dense(10)])
model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
class Clock(keras.callbacks.Callback):
    seconds = []
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)
clock = Clock()
model.fit(images, labels, batch_size=batch, epochs=1 + epochs, verbose=0, callbacks=[clock])
report(clock.seconds[1:])
"""

TORCH = COMMON + """
import torch
from torch import nn
torch.set_num_threads(threads)
model = nn.Sequential(
    nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2048, 64), nn.ReLU(), nn.Linear(64, 10))
x, y = torch.from_numpy(images), torch.from_numpy(labels)
if variant != "torch":
    model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
forward = torch.compile(model, dynamic=False) if variant == "torch-compiled" else model
optimizer = torch.optim.Adam(model.parameters())
criterion = nn.CrossEntropyLoss()
def epoch():
    order = torch.randperm(len(x))
    hits = total = 0.0
    for first in range(0, len(x), batch):
        rows = order[first:first + batch]
        target = y[rows]
        optimizer.zero_grad()
        output = forward(x[rows])
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            total = total + loss.detach() * len(rows)
            hits = hits + (output.argmax(1) == target).sum()
    return float(total), float(hits)
epoch()
seconds = []
for _ in range(epochs):
    start = time.perf_counter()
    epoch()
    seconds.append(time.perf_counter() - start)
report(seconds)
"""

PEERS = {"keras": KERAS, "torch": TORCH, "torch-cl": TORCH, "torch-compiled": TORCH}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", default="convoy", metavar="PATH", help="the convoy command (default: from PATH)")
    parser.add_argument("--data", required=True, type=pathlib.Path, metavar="DIR",
                        help="folder with CIFAR-10's data_batch_*.bin")
    parser.add_argument("--keras-python", default="python3", metavar="PATH", help="a Python that has Keras")
    parser.add_argument("--torch-python", default="python3", metavar="PATH", help="a Python that has PyTorch")
    parser.add_argument("--peers", default=None, metavar="LIST",
                        help=f"comma-separated, of {', '.join(PEERS)} (default: those that the Pythons have)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of processes for each peer (default: 5)")
    parser.add_argument("--images", type=int, default=6400, help="images in an epoch (default: 6400)")
    parser.add_argument("--batch", type=int, default=64, help="batch size (default: 64)")
    parser.add_argument("--epochs", type=int, default=3, help="timed epochs, after one to warm up (default: 3)")
    parser.add_argument("--cores", default=None, metavar="LIST", help="cores to run on, as 0,1 (default: all allowed)")
    parser.add_argument("--device", default=None, help="device for convoy, as its --device takes it")
    parser.add_argument("--json", action="store_true", help="print all numbers as one JSON object")
    args = parser.parse_args()
    for name in ("pairs", "images", "batch", "epochs"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if args.peers is not None:
        args.peers = args.peers.split(",")
        unknown = sorted(set(args.peers) - set(PEERS))
        if unknown:
            parser.error(f"unknown peer {', '.join(unknown)}; known: {', '.join(PEERS)}")
    if args.cores is not None:
        try:
            os.sched_setaffinity(0, {int(core) for core in args.cores.split(",")})
        except (ValueError, OSError) as error:
            parser.error(f"--cores {args.cores}: {error}")
    if shutil.which(args.convoy) is None:
        parser.error(f"{args.convoy}: no such command; give its path with --convoy")
    return args


def write_data(source, count, folder):
    """The first `count` images of the training files as one CIFAR-10 folder; the test part is a few of the same."""
    raw = b""
    for path in sorted(source.glob("data_batch_*.bin")):
        with path.open("rb") as file:
            raw += file.read(count * RECORD - len(raw))
    if len(raw) < count * RECORD:
        sys.exit(f"{source}: {len(raw) // RECORD} images in data_batch_*.bin, but --images wants {count}")
    (folder / "data_batch_1.bin").write_bytes(raw)
    (folder / "test_batch.bin").write_bytes(raw[:min(count, TEST_IMAGES) * RECORD])


def has_module(python, module):
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return shutil.which(python) is not None and subprocess.run([python, "-c", code], check=False).returncode == 0


def python_of(peer, args):
    return args.keras_python if peer == "keras" else args.torch_python


def choose_peers(args):
    chosen = [p for p in PEERS if has_module(python_of(p, args), p.split("-")[0])] if args.peers is None else args.peers
    if not chosen:
        sys.exit("neither Keras nor PyTorch found; give --keras-python or --torch-python")
    return chosen


def output_of(command):
    """What a command printed to stdout; ends with its stderr if it fails."""
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed with {done.returncode}:\n{done.stderr.strip()[-3000:]}")
    return done.stdout


def run_convoy(args, folder):
    command = [args.convoy, "train", "cifar10", "--data", str(folder), "--epochs", str(1 + args.epochs),
               "--batch-size", str(args.batch), "-o", str(folder / "model.keras"), "--json"]
    if args.device is not None:
        command += ["--device", args.device]
    epochs = json.loads(output_of(command))["epochs"][1:]
    return len(epochs) / sum(1 / epoch["images_per_second"] for epoch in epochs)


def run_peer(peer, args, folder):
    command = [python_of(peer, args), "-c", PEERS[peer], str(folder), str(args.batch), str(args.epochs), peer]
    return json.loads(output_of(command).splitlines()[-1])["images_per_second"]


def run_pairs(peer, args, folder):
    """[(convoy's images per second, the peer's)] of all pairs."""
    pairs = []
    for number in range(args.pairs):
        if number % 2 == 0:
            ours = run_convoy(args, folder)
            theirs = run_peer(peer, args, folder)
        else:
            theirs = run_peer(peer, args, folder)
            ours = run_convoy(args, folder)
        pairs.append((ours, theirs))
        print(f"{peer} pair {number + 1}/{args.pairs}: convoy {ours:.0f}, {peer} {theirs:.0f} images/s, "
              f"ratio {ours / theirs:.2f}", file=sys.stderr, flush=True)
    return pairs


def print_table(results, args):
    print(f"training the tutorial network, batch {args.batch}, {args.images} images an epoch, "
          f"{args.epochs} epochs timed, {args.pairs} pairs, {len(os.sched_getaffinity(0))} cores")
    print(f"{'':16}{'images/s, median':>22}{'convoy / peer':>28}")
    print(f"{'peer':16}{'peer':>11}{'convoy':>11}{'min':>12}{'median':>8}{'max':>8}")
    for peer, pairs in results.items():
        ratios = [ours / theirs for ours, theirs in pairs]
        print(f"{peer:16}{statistics.median(t for _, t in pairs):11.0f}{statistics.median(o for o, _ in pairs):11.0f}"
              f"{min(ratios):12.2f}{statistics.median(ratios):8.2f}{max(ratios):8.2f}")


def main():
    args = arguments()
    peers = choose_peers(args)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_data(args.data, args.images, folder)
        results = {peer: run_pairs(peer, args, folder) for peer in peers}
    if args.json:
        rates = {peer: [{"convoy": ours, "peer": theirs} for ours, theirs in pairs] for peer, pairs in results.items()}
        print(json.dumps({"batch": args.batch, "images": args.images, "epochs": args.epochs,
                          "cores": len(os.sched_getaffinity(0)), "pairs": rates}))
    else:
        print_table(results, args)


if __name__ == "__main__":
    main()
