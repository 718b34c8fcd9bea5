#!/usr/bin/env python3
"""Writes tests/golden/parity.json: losses and weights of Keras over the first training steps of the tutorial network.

    pip install keras tensorflow-cpu numpy
    tools/make_golden_parity.py

The start weights are the library's own (convoy_model_initialize), drawn again here by the same counter-based generator.

relu and max pooling are decisions: where a value lies within the last bits of the border, two correct float32
programs decide differently, and Adam, which divides by the size of the gradient, makes 1e-3 out of it within a few
steps. So every run is repeated in float64 and a few times with all weights moved by a last bit before each step; the
largest distance (the drift) is printed and kept in the file. For most seeds Keras is further than 1e-4 from itself in
this way, and no implementation could be held to that. SEED is one whose runs meet no such border; `--scan` looks for
others.
"""
import argparse
import hashlib
import json
import math
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEED = 598
JITTERS = 8
FAIR = 5e-5  # half of the tolerance: what is left for the rounding of the program under test
BATCH = 32
ROWS = 640
RECORD = 1 + 3 * 32 * 32

PHILOX_WEIGHTS = 1  # philox_stream in src/base/philox.h


def tutorial(last):
    """Layers of the tutorial network, the options as Keras's constructors and convoy_model_add take them."""
    return [
        ("InputLayer", "shape=(32, 32, 3)"),
        ("Conv2D", "filters=32, kernel_size=3, activation='relu'"),
        ("MaxPooling2D", "pool_size=(2, 2)"),
        ("Conv2D", "filters=64, kernel_size=3, activation='relu'"),
        ("MaxPooling2D", ""),
        ("Conv2D", "filters=128, kernel_size=3, activation='relu'"),
        ("Flatten", ""),
        ("Dense", "units=64, activation='relu'"),
        ("Dense", last),
    ]


# Weights are kept at every `stride`-th place. The strides are primes, so that all channels are met.
RUNS = [
    dict(name="adam", layers=tutorial("units=10"), optimizer="adam", learning_rate=0.001, momentum=0.0,
         from_probabilities=False, steps=20, stride=37),
    dict(name="sgd with momentum", layers=tutorial("units=10"), optimizer="sgd", learning_rate=0.01, momentum=0.9,
         from_probabilities=False, steps=5, stride=211),
    dict(name="adam on probabilities", layers=tutorial("units=10, activation='softmax'"), optimizer="adam",
         learning_rate=0.001, momentum=0.0, from_probabilities=True, steps=5, stride=211),
]


def philox_words(seed, stream, substream, count):
    """Words 0 .. count-1 of (seed, stream, substream): philox_word in src/base/philox.c."""
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    c0, c1 = blocks & low, blocks >> half
    c2, c3 = np.full_like(blocks, substream), np.full_like(blocks, stream)
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & low, (p0 >> half) ^ c3 ^ k1, p0 & low
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack([c0, c1, c2, c3], axis=1).reshape(-1)[:count].astype(np.uint32)


def glorot_uniform(seed, substream, shape):
    """GlorotUniform as src/layers/initializer.c draws it."""
    fan = math.prod(shape[:-2]) * (shape[-2] + shape[-1]) / 2
    limit = math.sqrt(3 * (1 / fan))
    uniform = (philox_words(seed, PHILOX_WEIGHTS, substream, math.prod(shape)) >> 8).astype(np.float64) * 2.0 ** -24
    return (2 * limit * uniform - limit).astype(np.float32).reshape(shape)


def start_weights(model, seed):
    """Kernel and bias of every layer in order; the parameter's place in this list is its substream."""
    return [glorot_uniform(seed, i, v.shape) if len(v.shape) > 1 else np.zeros(v.shape, np.float32)
            for i, v in enumerate(model.trainable_variables)]


def load_rows(path):
    """Images (uint8, NHWC), labels and the digest of the records that the runs see."""
    raw = path.read_bytes()[:ROWS * RECORD]
    if len(raw) != ROWS * RECORD:
        raise SystemExit(f"{path}: {len(raw)} bytes, but {ROWS} records of {RECORD} are needed")
    records = np.frombuffer(raw, np.uint8).reshape(ROWS, RECORD)
    images = np.ascontiguousarray(records[:, 1:].reshape(ROWS, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, records[:, 0].astype(np.int32), hashlib.sha256(raw).hexdigest()


def build(keras, run):
    parts = []
    for class_name, options in run["layers"]:
        parts.append(getattr(keras.layers, class_name)(**eval(f"dict({options})")))
    model = keras.Sequential(parts)
    if run["optimizer"] == "adam":
        optimizer = keras.optimizers.Adam(learning_rate=run["learning_rate"])
    else:
        optimizer = keras.optimizers.SGD(learning_rate=run["learning_rate"], momentum=run["momentum"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not run["from_probabilities"])
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], jit_compile=False)
    return model


compiled_models = {}


def compiled(keras, run, floatx):
    """The model of a run and its optimizer's first state; built once, since tracing takes longer than the steps."""
    key = (run["name"], floatx)
    if key not in compiled_models:
        keras.config.set_floatx(floatx)
        keras.utils.set_random_seed(1)
        model = build(keras, run)
        model.optimizer.build(model.trainable_variables)
        compiled_models[key] = model, [np.asarray(v) for v in model.optimizer.variables]
    keras.config.set_floatx(floatx)
    return compiled_models[key]


def train(keras, run, images, labels, seed, floatx="float32", jitter=0):
    """Names, start weights, losses, and the weights after the last step. A jitter moves every weight up or down by
    about its last bit before each step, differently for each number."""
    model, fresh = compiled(keras, run, floatx)
    for variable, value in zip(model.optimizer.variables, fresh):
        variable.assign(value)
    names = [v.path for v in model.trainable_variables]
    start = start_weights(model, seed)
    model.set_weights(start)
    noise = np.random.default_rng(jitter)
    pixels = images.astype(np.float32) / np.float32(255)
    losses = []
    for step in range(run["steps"]):
        if jitter:
            model.set_weights([w * (1 + noise.integers(-1, 2, w.shape) * np.float32(2.0 ** -23))
                               for w in model.get_weights()])
        rows = slice(step * BATCH, (step + 1) * BATCH)
        logs = model.train_on_batch(pixels[rows].astype(floatx), labels[rows], return_dict=True)
        losses.append(float(logs["loss"]))
    return names, start, losses, model.get_weights()


def drift(keras, run, images, labels, seed, losses, end):
    """How far correct programs end from each other: losses (relative) and weights (absolute), at most. Gives up once
    that is too far."""
    loss_drift = weight_drift = 0.0
    for settings in [dict(floatx="float64")] + [dict(jitter=i) for i in range(1, JITTERS + 1)]:
        _, _, other_losses, other_end = train(keras, run, images, labels, seed, **settings)
        loss_drift = max(loss_drift, max(abs(a - b) / abs(b) for a, b in zip(losses, other_losses)))
        weight_drift = max(weight_drift, max(float(np.abs(a - b).max()) for a, b in zip(end, other_end)))
        if max(loss_drift, weight_drift) > FAIR:
            break
    return float(f"{loss_drift:.2g}"), float(f"{weight_drift:.2g}")


def rounded(values, digits=7):
    return [float(f"{v:.{digits}g}") for v in np.asarray(values, np.float64).reshape(-1)]


def tensor_record(name, start, end, stride):
    flat = end.reshape(-1)
    step = stride if flat.size > 4 * stride else 1
    wide = flat.astype(np.float64)
    return {
        "name": name,
        "shape": list(end.shape),
        "start": rounded(start.reshape(-1)[:4], 9),
        "stride": step,
        "values": rounded(flat[::step]),
        "sum": float(f"{wide.sum():.9g}"),
        "sum_of_squares": float(f"{(wide * wide).sum():.9g}"),
    }


def record(keras, run, images, labels, seed):
    names, start, losses, end = train(keras, run, images, labels, seed)
    again = train(keras, run, images, labels, seed)
    if losses != again[2] or any(not np.array_equal(a, b) for a, b in zip(end, again[3])):
        raise SystemExit(f"{run['name']}: two runs of Keras differ")
    loss_drift, weight_drift = drift(keras, run, images, labels, seed, losses, end)
    print(f"{run['name']}: loss {losses[0]:.6f} -> {losses[-1]:.6f}; drift {loss_drift} in the losses (relative), "
          f"{weight_drift} in the weights")
    if max(loss_drift, weight_drift) > FAIR:
        raise SystemExit(f"{run['name']}: the drift is too large for a comparison to 1e-4; --scan finds other seeds")
    out = {key: run[key] for key in ("name", "layers", "optimizer", "learning_rate", "momentum", "from_probabilities")}
    out["losses"] = rounded(losses, 9)
    out["loss_drift"] = loss_drift
    out["weight_drift"] = weight_drift
    out["weights"] = [tensor_record(n, s, e, run["stride"]) for n, s, e in zip(names, start, end)]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data/sample/data_batch_1.bin",
                        help="CIFAR-10 binary file whose first 640 records are used (default: the sample set)")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=ROOT / "tests/golden/parity.json")
    parser.add_argument("--scan", type=int, nargs=2, metavar=("FIRST", "LAST"),
                        help="only print the drift of the longest run for these seeds")
    args = parser.parse_args()
    images, labels, digest = load_rows(args.data)

    import keras
    import tensorflow as tf
    tf.config.experimental.enable_op_determinism()

    if args.scan:
        for seed in range(args.scan[0], args.scan[1] + 1):
            _, _, losses, end = train(keras, RUNS[0], images, labels, seed)
            print(seed, *drift(keras, RUNS[0], images, labels, seed, losses, end), flush=True)
        return

    golden = {
        "made_by": f"tools/make_golden_parity.py, Keras {keras.__version__}, TensorFlow {tf.__version__}",
        "data": args.data.name,
        "rows": ROWS,
        "rows_sha256": digest,
        "pixel_sum": int(images.astype(np.int64).sum()),
        "label_sum": int(labels.sum()),
        "seed": SEED,
        "batch": BATCH,
        "runs": [record(keras, run, images, labels, SEED) for run in RUNS],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n"
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(text)
    print(f"{args.output}: {len(text)} bytes")


if __name__ == "__main__":
    main()
