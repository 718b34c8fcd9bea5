#!/usr/bin/env python3
"""Draws random networks with Keras, saves them, and compares what Convoy computes with them and trains with what Keras does.

    pip install keras tensorflow-cpu numpy
    tools/check_random_models.py                       # 200 networks, seeds 1 to 200
    tools/check_random_models.py --start 1000 --count 30
    tools/check_random_models.py --start 17 --count 1  # one of them again

Networks have all layers and options that Convoy has (tools/random_models.py), are chains and graphs, with shared layers and models
inside; the loss is sparse categorical cross-entropy, from logits or probabilities; the optimizer is any of Convoy's. For each:
`convoy predict` and five steps of `convoy train`, the last one on a part of a batch perhaps, and the same in Keras. Compared are
the largest differences
    of the predictions, over the largest prediction:                       at most 1e-4
    of each weight after five steps, over the largest value of the weight: at most 1e-3
    of each weight's change, over its largest change (and 1e-3 of the weight, where it hardly changes): at most 1e-2
A network for which Keras's own float32 and float64 differ by more than a tenth of these (a relu's kink, a gradient that is nothing
but rounding and that Adam makes a step of full size of) can't be compared, nor a training that runs away: the seed draws another.
One line a network, a summary, exit 1 when one failed; a failed one's model, data and Keras program are kept in --keep. Convoy caches
what it compiles in --cache.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
# With oneDNN, TensorFlow 2.21 writes beyond some array in some of these networks: after sixty of them it dies of a damaged heap.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np  # noqa: E402
import random_models  # noqa: E402
import tensorflow as tf  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOLERANCES = {"predictions": 1e-4, "weights": 1e-3, "changes": 1e-2}
MOST = 1000  # beyond it a training has run away
ATTEMPTS = 60


class Answers(NamedTuple):
    """What Keras says."""
    case: random_models.Case
    attempt: int
    images: np.ndarray
    labels: np.ndarray
    start: list    # the weights that the file has
    outputs: np.ndarray
    weights: list  # after five steps


# ---- Keras's side ----

def start_weights(model, random):
    """Kernels of a size that keeps values alive, whatever the initializer; biases and moments that are not all the same."""
    for v in model.weights:
        name, shape = v.path.split("/")[-1], v.shape
        if name in ("gamma", "moving_variance", "variance"):
            value = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1 and name != "alpha":
            fan = np.prod(shape[:-1]) if "depthwise" not in v.path else np.prod(shape[:2])
            value = random.normal(0, 1.2 / np.sqrt(fan), shape)
        else:
            value = random.normal(0, 0.2, shape)
        v.assign(value.astype("float32"))
    settle(model)


def settle(model):
    """Normalization computes with copies of its moments, which files bring up to date and assignments do not."""
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def compile_model(keras, model, case):
    # Eager steps are quicker to begin. Those of Nadam differ from Keras's own compiled ones by some thousandths; fit compiles.
    model.compile(random_models.make_optimizer(keras, case.optimizer),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=not case.network.probabilities),
                  run_eagerly=not case.optimizer.startswith("Nadam"))


def run_keras(keras, model, case, images, labels, dtype):
    """Predictions, then five steps and their weights."""
    x = images.astype("float32") / np.float32(255)
    x = x.astype(dtype)
    outputs = np.asarray(model(x, training=False))
    if case.network.probabilities and not np.allclose(outputs.sum(-1), 1, atol=1e-5):
        raise AssertionError("no probabilities")
    model.fit(x, labels, batch_size=case.batch, epochs=1, shuffle=False, verbose=0)
    return outputs, [np.asarray(w) for w in model.get_weights()]


def relative(found, expected, scale):
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return float("inf")
    return float(np.max(np.abs(found.astype("float64") - expected), initial=0) / max(scale, 1e-6))


def largest(array):
    return float(np.max(np.abs(array), initial=0))


def differences(outputs, weights, answers):
    """The three largest differences."""
    found = {"predictions": relative(outputs, answers.outputs, largest(answers.outputs)), "weights": 0, "changes": 0}
    for mine, theirs, start in zip(weights, answers.weights, answers.start):
        size, change = largest(theirs), largest(theirs.astype("float64") - start)
        found["weights"] = max(found["weights"], relative(mine, theirs, size))
        found["changes"] = max(found["changes"], relative(mine, theirs, change + 1e-3 * size))
    return found


def ask_keras(keras, seed, attempt, path):
    """Answers and the saved model; None where this attempt is none to compare, or TensorFlow has no kernel for it on a CPU."""
    try:
        return ask(keras, seed, attempt, path)
    except tf.errors.OpError:
        return None


def ask(keras, seed, attempt, path):
    case = random_models.draw(keras, seed, attempt)
    if case is None:
        return None
    random = np.random.default_rng([seed, attempt])
    images = random.integers(0, 256, (case.rows, *case.network.shape), dtype=np.uint8)
    labels = random.integers(0, case.classes, case.rows)
    model = random_models.build(keras, case.network)
    if not model.trainable_weights:
        return None
    start_weights(model, random)
    start = model.get_weights()
    if case.in_file:
        compile_model(keras, model, case)
    model.save(path)
    if not case.in_file:
        compile_model(keras, model, case)
    answers = Answers(case, attempt, images, labels, start, *run_keras(keras, model, case, images, labels, "float32"))
    keras.config.set_floatx("float64")
    try:
        twin = random_models.build(keras, case.network)
        twin.set_weights(start)
        settle(twin)
        compile_model(keras, twin, case)
        exact = run_keras(keras, twin, case, images, labels, "float64")
    finally:
        keras.config.set_floatx("float32")
    found = differences(*exact, answers)
    if any(not value <= TOLERANCES[what] / 10 for what, value in found.items()):
        return None
    if max(map(largest, (answers.outputs, *answers.weights))) > MOST:
        return None
    return answers


# ---- Convoy's side ----

def save_data(folder, answers):
    x = answers.images.astype("float32") / np.float32(255)
    np.save(folder / "x.npy", x)
    np.savez(folder / "data.npz", x_train=answers.images, y_train=answers.labels.astype("int64"),
             x_test=answers.images[:1], y_test=answers.labels[:1].astype("int64"))


def call(args, *words):
    env = {**os.environ, "XDG_CACHE_HOME": str(args.cache)}
    done = subprocess.run([str(args.convoy), *map(str, words), "--quiet"], capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise RuntimeError(f"convoy {words[0]}: {done.stderr.strip() or done.returncode}")


def run_convoy(args, folder, answers):
    """Predictions and the trained model's file."""
    case = answers.case
    save_data(folder, answers)
    call(args, "predict", folder / "model.keras", "--input", folder / "x.npy", "--output", folder / "y.npy",
         "--batch-size", case.batch, *args.options)
    call(args, "train", folder / "model.keras", "--data", folder / "data.npz", "--batch-size", case.batch, "--no-shuffle", "--scale", 255,
         "-o", folder / "trained.keras", *([] if case.in_file else ["--optimizer", case.optimizer]),
         *(["--from-probabilities"] if case.network.probabilities else []), *args.options)
    return np.load(folder / "y.npy")


# ---- both ----

def summary_of(answers):
    counts = collections.Counter(answers.case.network.classes())
    return " ".join(f"{name}*{n}" if n > 1 else name for name, n in counts.items())


def keep(args, folder, seed, answers, why):
    place = args.keep / f"seed_{seed}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)
    case = answers.case
    np.savez(place / "keras.npz", outputs=answers.outputs, **{f"weight_{i}": w for i, w in enumerate(answers.weights)})
    program = random_models.script(case.network, "    ")
    (place / "model.py").write_text("import keras\nfrom keras import constraints, initializers, layers, regularizers\n\n\n"
                                    "def make():\n" + "\n".join(program) + f"\n\n# {case._replace(network=None)}\n# {why}\n")


def judge(args, keras, folder, seed, answers, future):
    """Prints the line; returns whether it is good."""
    case = answers.case
    try:
        outputs = future.result()
        trained = keras.models.load_model(folder / "trained.keras")
        found = differences(outputs, trained.get_weights(), answers)
        bad = [what for what, value in found.items() if not value <= TOLERANCES[what]]
        numbers = "  ".join(f"{what} {value:.1e}" for what, value in found.items())
        verdict = "FAILED: " + ", ".join(bad) if bad else "ok"
    except Exception as error:  # a refusal by Convoy, or a file that Keras can't read
        numbers, verdict = str(error), "FAILED"
    again = f" (attempt {answers.attempt + 1})" if answers.attempt else ""
    optimizer = case.optimizer.split("(")[0] + (" of the file" if case.in_file else "")
    print(f"seed {seed}{again}: {summary_of(answers)}; {optimizer}; {numbers}; {verdict}", flush=True)
    if verdict != "ok":
        keep(args, folder, seed, answers, f"{numbers}; {verdict}")
        return None
    return found


class Run:
    """Keras asks while Convoy answers what was asked before."""

    def __init__(self, args, keras, pool, work):
        self.args, self.keras, self.pool, self.work = args, keras, pool, work
        self.waiting = collections.deque()
        self.good, self.failed, self.redrawn = [], [], 0
        self.layers = collections.Counter()

    def ask(self, seed):
        folder = self.work / str(seed)
        folder.mkdir()
        for attempt in range(ATTEMPTS):
            answers = ask_keras(self.keras, seed, attempt, folder / "model.keras")
            if answers:
                self.layers.update(answers.case.network.classes())
                self.waiting.append((seed, folder, answers, self.pool.submit(run_convoy, self.args, folder, answers)))
                return
            self.redrawn += 1
        raise RuntimeError(f"seed {seed}: nothing to compare in {ATTEMPTS} attempts")

    def take(self):
        seed, folder, answers, future = self.waiting.popleft()
        found = judge(self.args, self.keras, folder, seed, answers, future)
        if found:
            self.good.append(found)
        else:
            self.failed.append(seed)
        shutil.rmtree(folder)


def report(run, seconds):
    count = len(run.good) + len(run.failed)
    worst = ", ".join(f"{what} {max(f[what] for f in run.good):.1e}" for what in TOLERANCES) if run.good else "none"
    print(f"{len(run.good)} of {count} networks are the same in Keras and Convoy; largest differences of these: {worst}; "
          f"{run.redrawn} draws were left out; {seconds:.0f} s")
    print("layers: " + ", ".join(f"{name} {n}" for name, n in sorted(run.layers.items())))
    if run.failed:
        print(f"FAILED: seeds {', '.join(map(str, run.failed))}; kept in {run.args.keep}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="networks (default: 200)")
    parser.add_argument("--start", "--seed", type=int, default=1, help="seed of the first (default: 1)")
    parser.add_argument("--convoy", type=pathlib.Path, default=ROOT / "build/src/cli/convoy")
    parser.add_argument("--keep", type=pathlib.Path, default=pathlib.Path("random_models_failed"))
    parser.add_argument("--cache", type=pathlib.Path, help="default: a folder of its own, removed at the end")
    parser.add_argument("--jobs", type=int, default=2, help="Convoys at once (default: 2)")
    parser.add_argument("options", nargs="*", help="more options for both convoy commands, behind --: -- --variant plain")
    args = parser.parse_args()
    args.convoy = args.convoy.resolve()

    warnings.simplefilter("ignore")  # Keras on softmax over one value, and the like
    import keras
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        work = pathlib.Path(folder)
        args.cache = args.cache or work / "cache"
        run = Run(args, keras, pool, work)
        for seed in range(args.start, args.start + args.count):
            run.ask(seed)
            while len(run.waiting) > 2 * args.jobs:
                run.take()
        while run.waiting:
            run.take()
    report(run, time.monotonic() - begin)
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
