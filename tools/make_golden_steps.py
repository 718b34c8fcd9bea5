#!/usr/bin/env python3
"""Writes tests/golden/steps.json: an epoch of three small training steps in Keras, the last one on a part of a batch, of models
with regularizers, constraints, frozen layers and moving statistics.

    pip install keras tensorflow-cpu numpy
    tools/make_golden_steps.py

Pixels, labels and start weights follow from integer formulas that tests/test_steps.c repeats. Kept are the loss of each step and
of the epoch, what evaluate says of the trained model, and all its weights. Everything is computed in float64 from float32 values.
"""
import argparse
import json
import pathlib

import make_golden_layers as plain
import numpy as np

ROWS, BATCH, SIDE, CLASSES = 21, 8, 6, 3

NETWORK = [
    ("Conv2D", "filters=4, kernel_size=3, activation='tanh'{conv}"),
    ("BatchNormalization", "momentum=0.8{norm}"),
    ("Conv2D", "filters=5, kernel_size=2, use_bias=False{conv2}"),
    ("LayerNormalization", "axis=-1{norm}"),
    ("Flatten", ""),
    ("Dense", "units=6, activation='tanh'{dense}"),
    ("Dense", "units=3{last}"),
]
NOTHING = dict(conv="", conv2="", norm="", dense="", last="")


def network(**extra):
    return [(name, options.format(**{**NOTHING, **extra})) for name, options in NETWORK]


RUNS = [
    dict(name="plain", optimizer="sgd", layers=network()),
    dict(name="regularizers", optimizer="sgd", layers=network(
        conv=", kernel_regularizer='l2', bias_regularizer='l1'", conv2=", kernel_regularizer='l1'",
        norm=", gamma_regularizer=keras.regularizers.L2(l2=0.02), beta_regularizer='l1'",
        dense=", kernel_regularizer=keras.regularizers.L1L2(l1=0.003, l2=0.03)")),
    dict(name="constraints", optimizer="sgd", layers=network(
        conv=", kernel_constraint=keras.constraints.MaxNorm(max_value=0.9, axis=[0, 1, 2]), bias_constraint='non_neg'",
        conv2=", kernel_constraint=keras.constraints.MinMaxNorm(min_value=0.5, max_value=0.75, rate=0.5, axis=[1, 2])",
        norm=", gamma_constraint='non_neg'", dense=", kernel_constraint='unit_norm'",
        last=", kernel_constraint=keras.constraints.UnitNorm(axis=-1), bias_constraint='max_norm'")),
    dict(name="adam", optimizer="adam", layers=network(
        conv=", kernel_regularizer='l2', trainable=False", norm=", gamma_regularizer='l2', gamma_constraint='non_neg'",
        dense=", kernel_regularizer='l2', kernel_constraint=keras.constraints.MaxNorm(max_value=1.5)")),
    dict(name="frozen norms", optimizer="sgd", layers=network(norm=", trainable=False, gamma_regularizer='l2'")),
    dict(name="other convolutions", optimizer="sgd", layers=[
        ("DepthwiseConv2D", "kernel_size=2, depth_multiplier=2, depthwise_regularizer='l2', bias_regularizer='l1', "
         "depthwise_constraint=keras.constraints.MaxNorm(max_value=0.4, axis=[0, 1]), bias_constraint='non_neg'"),
        ("PReLU", "shared_axes=[1], alpha_regularizer=keras.regularizers.L1(l1=0.02), alpha_constraint='non_neg'"),
        ("SeparableConv2D", "filters=4, kernel_size=2, depthwise_regularizer='l1', "
         "pointwise_regularizer=keras.regularizers.L1L2(l1=0.003, l2=0.03), bias_regularizer='l2', "
         "depthwise_constraint=keras.constraints.UnitNorm(axis=[0, 1]), pointwise_constraint='max_norm', "
         "bias_constraint=keras.constraints.MaxNorm(max_value=0.3)"),
        ("Conv2DTranspose", "filters=3, kernel_size=2, kernel_regularizer=keras.regularizers.L2(l2=0.02), bias_regularizer='l2', "
         "kernel_constraint=keras.constraints.MinMaxNorm(min_value=0.5, max_value=0.75, rate=0.5, axis=[0, 1, 3]), "
         "bias_constraint='non_neg'"),
        ("Flatten", ""),
        ("Dense", "units=3"),
    ]),
]


def images():
    i = np.arange(ROWS * SIDE * SIDE * 3, dtype=np.int64)
    return ((i * 7919 + i // 108 * 31) % 251).astype(np.float32).reshape(ROWS, SIDE, SIDE, 3) / np.float32(255)


def start_value(variable, seed):
    """Small enough for a tanh, not so small that nothing happens; a gamma or a variance is about one."""
    value = plain.tensor(variable.shape, seed) * 0.5
    return value * 0.5 + 1.0 if "gamma" in variable.name or "variance" in variable.name else value


def build(keras, run):
    parts = [getattr(keras.layers, name)(**eval(f"dict({options})", {"keras": keras})) for name, options in run["layers"]]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *parts])
    optimizer = keras.optimizers.SGD(0.1) if run["optimizer"] == "sgd" else keras.optimizers.Adam(0.01)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for i, variable in enumerate(model.weights):
        variable.assign(start_value(variable, 5000 + i))
    return model


def run_steps(keras, run):
    x, y = images().astype(np.float64), np.arange(ROWS) * 7 % CLASSES
    steps = build(keras, run)
    losses = []
    for first in range(0, ROWS, BATCH):
        steps.reset_metrics()
        losses.append(float(np.ravel(steps.train_on_batch(x[first:first + BATCH], y[first:first + BATCH]))[0]))
    epoch = build(keras, run)
    history = epoch.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
    for a, b in zip(steps.get_weights(), epoch.get_weights()):
        assert np.allclose(a, b, rtol=0, atol=1e-12)
    return {
        **run,
        "losses": losses,
        "epoch": float(history.history["loss"][0]),
        "evaluated": float(np.ravel(epoch.evaluate(x, y, batch_size=BATCH, verbose=0))[0]),
        "weights": [{"name": v.path.split("/", 1)[-1], "values": plain.rounded(v)} for v in epoch.weights],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=plain.ROOT / "tests/golden/steps.json")
    args = parser.parse_args()

    import keras
    import tensorflow as tf
    tf.config.experimental.enable_op_determinism()
    keras.config.set_floatx("float64")

    golden = {
        "made_by": f"tools/make_golden_steps.py, Keras {keras.__version__}, TensorFlow {tf.__version__}",
        "runs": [run_steps(keras, run) for run in RUNS],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n"
    args.output.write_text(text)
    print(f"{args.output}: {len(golden['runs'])} runs, {len(text)} bytes")


if __name__ == "__main__":
    main()
