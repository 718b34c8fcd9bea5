#!/usr/bin/env python3
"""Writes tests/golden/training_layers.json: Keras's answers for layers whose weights are not all trained, or that differ in
training, forward and backward and with what training makes of their moving statistics. Random layers get factors whose bounds are
equal: then Keras has no choice.

    pip install keras tensorflow-cpu numpy
    tools/make_golden_training.py

Made as tests/golden/layers.json is (tools/make_golden_layers.py), and read by the same test.
"""
import argparse
import json
import pathlib

import make_golden_layers as plain
import numpy as np

FIRST = 1001  # number of the first case: seeds of its own

SAMPLINGS = [f"fill_mode='{fill}', fill_value=-0.5, interpolation='{interpolation}'"
             for fill in ("constant", "nearest", "reflect", "wrap") for interpolation in ("nearest", "bilinear")]

# (class, options, input shape, batch, training), then levels of the input's pattern and its shift.
CASES = [
    ("BatchNormalization", "", (3, 2, 5), 2, True),
    ("BatchNormalization", "", (3, 2, 5), 2, False),
    ("BatchNormalization", "trainable=False", (3, 2, 5), 2, True),
    ("BatchNormalization", "momentum=0.7, epsilon=0.01", (4,), 5, True),
    ("BatchNormalization", "momentum=0.7, epsilon=0.01", (4,), 5, False),
    ("BatchNormalization", "center=False", (2, 2, 3), 3, True),
    ("BatchNormalization", "scale=False", (2, 2, 3), 3, True),
    ("BatchNormalization", "scale=False, center=False, axis=3", (2, 3, 2), 2, True),
    ("BatchNormalization", "center=False", (2, 2, 3), 3, False),
    ("BatchNormalization", "", (3, 3, 2), 2, True, 2003, 40.0),
    ("BatchNormalization", "", (7,), 1, True),
    ("LayerNormalization", "", (3, 2, 5), 2, True),
    ("LayerNormalization", "epsilon=0.01, center=False", (7,), 3, True),
    ("LayerNormalization", "scale=False", (2, 6), 2, True),
    ("LayerNormalization", "scale=False, center=False, axis=3", (2, 3, 4), 2, True),
    ("LayerNormalization", "axis=[1, 2, 3]", (3, 2, 4), 2, True),
    ("LayerNormalization", "axis=(-1, -2)", (3, 2, 4), 2, True),
    ("LayerNormalization", "rms_scaling=True", (3, 5), 2, True),
    ("LayerNormalization", "rms_scaling=True", (6,), 2, True, 2003, 3.0),
    ("LayerNormalization", "", (5,), 2, True, 2003, 40.0),
    ("LayerNormalization", "trainable=False", (5,), 2, True),
    ("GroupNormalization", "", (2, 2, 32), 1, True),
    ("GroupNormalization", "groups=2", (3, 2, 6), 2, True),
    ("GroupNormalization", "groups=3, epsilon=0.01, center=False", (2, 3, 6), 2, True),
    ("GroupNormalization", "groups=-1", (3, 3, 4), 2, True),
    ("GroupNormalization", "groups=1, scale=False", (2, 2, 5), 2, True),
    ("GroupNormalization", "groups=4, axis=3", (2, 3, 8), 2, True),
    ("GroupNormalization", "groups=2", (6,), 3, True),
    ("Normalization", "", (3, 2, 4), 2, True),
    ("Normalization", "invert=True", (5,), 2, True),
    ("Normalization", "axis=(2, 3)", (2, 3, 2), 2, True),
    ("Normalization", "mean=0.5, variance=0.25", (2, 2, 3), 2, True),
    ("Normalization", "mean=[0.4, 0.5, -0.25], variance=[0.06, 4.0, 0.0]", (2, 2, 3), 2, True),
    ("Normalization", "mean=[0.4, 0.5], variance=[0.06, 4.0], invert=True", (3, 2), 2, True),
    *[("RandomTranslation", f"height_factor=(0.2, 0.2), width_factor=(-0.3, -0.3), {how}", (7, 5, 1), 1, True)
      for how in SAMPLINGS],
    ("RandomTranslation", "height_factor=(-0.8, -0.8), width_factor=(0.95, 0.95)", (4, 6, 2), 2, True),
    ("RandomTranslation", "height_factor=(0.9, 0.9), width_factor=(-0.85, -0.85), fill_mode='wrap'", (5, 4, 2), 1, True),
    ("RandomTranslation", "height_factor=0, width_factor=(1, 1), fill_mode='constant', fill_value=2", (3, 4, 2), 1, True),
    ("RandomTranslation", "height_factor=0.5, width_factor=0.5", (3, 4, 2), 2, False),
    *[("RandomRotation", f"factor=(0.1, 0.1), {how}", (5, 7, 1), 1, True) for how in SAMPLINGS],
    ("RandomRotation", "factor=(-0.37, -0.37)", (9, 4, 2), 2, True),
    ("RandomRotation", "factor=(0.61, 0.61), fill_mode='wrap'", (3, 11, 1), 1, True),
    ("RandomRotation", "factor=(0.15, 0.15)", (1, 6, 2), 1, True),
    ("RandomRotation", "factor=0.5", (3, 4, 2), 2, False),
    *[("RandomZoom", f"height_factor=(0.45, 0.45), width_factor=(-0.35, -0.35), {how}", (6, 5, 1), 1, True)
      for how in SAMPLINGS],
    ("RandomZoom", "height_factor=(0.3, 0.3)", (4, 7, 2), 2, True),
    ("RandomZoom", "height_factor=(1, 1), fill_mode='wrap'", (8, 6, 1), 1, True),
    ("RandomZoom", "height_factor=(0.7, 0.7)", (1, 5, 1), 2, True),
    ("RandomZoom", "height_factor=0.5", (3, 4, 2), 2, False),
    # where the input is small Keras cuts the wanted size out of it: these are cases in which that is its documented window
    ("RandomCrop", "height=6, width=8", (3, 4, 2), 2, True),
    ("RandomCrop", "height=5, width=4", (7, 4, 2), 2, True),
    ("RandomCrop", "height=3, width=4", (3, 9, 1), 2, True),
    ("RandomCrop", "height=3, width=2", (3, 2, 2), 2, True),
    ("RandomCrop", "height=3, width=4", (5, 9, 2), 1, False),
    ("RandomCrop", "height=4, width=3", (9, 5, 1), 2, False),
    ("RandomCrop", "height=6, width=5", (4, 7, 1), 2, False),
    ("RandomCrop", "height=4, width=7", (1, 3, 2), 1, False),
    ("RandomContrast", "factor=(-0.3, 0.3), value_range=(-1, 1)", (4, 3, 2), 2, True),  # 1.3
    ("RandomContrast", "factor=(-0.9, 0.9), value_range=(-0.4, 0.6)", (3, 5, 1), 2, True),
    ("RandomContrast", "factor=0.5", (3, 2, 2), 2, False),
    ("RandomBrightness", "factor=(0.2, 0.2)", (3, 2, 2), 2, True, 2003, 204.0),
    ("RandomBrightness", "factor=(-0.15, -0.15), value_range=(0.7, -0.8)", (3, 4, 1), 2, True),
    ("RandomBrightness", "factor=(-1, -1), value_range=(0, 1)", (2, 3, 1), 1, True),
    ("RandomBrightness", "factor=0.5", (3, 2, 2), 2, False),
    ("RandomErasing", "factor=(1, 1), scale=(1, 1), fill_value=(0.25, 0.5, 3), value_range=(0, 1)", (2, 3, 3), 1, True),
    ("RandomErasing", "factor=0", (2, 3, 2), 1, True),
    ("RandomErasing", "factor=(1, 1), scale=(1, 1)", (2, 3, 2), 1, False),
    ("RandomFlip", "", (2, 3, 2), 2, False),
]
MAPS = ("RandomTranslation", "RandomRotation", "RandomZoom")  # their gradient in TensorFlow is not the adjoint


def start_value(variable, seed):
    """As for every layer; a variance is positive."""
    value = plain.tensor(variable.shape, seed)
    return np.abs(value) + 0.125 if "variance" in variable.name else value


def call(keras, layer, x, training):
    if type(layer).__name__ == "RandomCrop" and not training:  # as it is documented: Keras 3.15 gives x back
        return keras.preprocessing.image.smart_resize(x, (layer.height, layer.width))
    if type(layer).__name__ == "BatchNormalization" or type(layer).__name__.startswith("Random"):
        return layer(x, training=training)
    return layer(x)


def run_case(keras, tf, number, class_name, options, shape, batch, training, levels=2003, shift=0.0):
    layer = getattr(keras.layers, class_name)(dtype="float64", **eval(f"dict({options})"))
    layer.build((batch, *shape))
    parameters = layer.weights
    trained = [any(v is t for t in layer.trainable_weights) for v in parameters]
    for i, variable in enumerate(parameters):
        if variable.name != "count":
            variable.assign(start_value(variable, 10 * number + 1 + i))
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    x = tf.constant(plain.tensor((batch, *shape), 10 * number, levels, shift))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = call(keras, layer, x, training)
        upstream = tf.constant(plain.tensor(y.shape, 10 * number + 9))
        loss = tf.reduce_sum(tf.cast(y, upstream.dtype) * upstream)
    targets = [v.value for v, t in zip(parameters, trained) if t]
    d_x, *d_trained = tape.gradient(loss, [x] + targets)
    d_trained = iter(d_trained)
    return {
        "class": class_name,
        "options": options,
        "input": list(shape),
        "batch": batch,
        "training": training,
        "seed": 10 * number,
        "levels": levels,
        "shift": shift,
        "output_shape": list(y.shape[1:]),
        "output": plain.rounded(y),
        "d_input": None if training and class_name in MAPS else plain.rounded(d_x),
        "d_params": [plain.rounded(next(d_trained)) if t else None for t in trained],
        "updated": [None if t else plain.rounded(v) for v, t in zip(parameters, trained)],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=plain.ROOT / "tests/golden/training_layers.json")
    args = parser.parse_args()

    import keras
    import tensorflow as tf
    tf.config.experimental.enable_op_determinism()

    golden = {
        "made_by": f"tools/make_golden_training.py, Keras {keras.__version__}, TensorFlow {tf.__version__}",
        "cases": [run_case(keras, tf, number, *case) for number, case in enumerate(CASES, FIRST)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"class"', '\n{"class"') + "\n"
    args.output.write_text(text)
    print(f"{args.output}: {len(golden['cases'])} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
