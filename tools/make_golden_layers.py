#!/usr/bin/env python3
"""Writes tests/golden/layers.json: what Keras's layers answer, forward and backward, on small odd shapes.

    pip install keras tensorflow-cpu numpy
    tools/make_golden_layers.py

Inputs, weights and upstream gradients follow from an integer formula (`pattern`) that the test repeats, so the file
holds Keras's answers alone. They are computed in float64 from float32 values: what is pinned is the meaning of a layer,
to as many digits as float32 has.
"""
import argparse
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh", "softmax", "elu", "gelu", "silu", "leaky_relu")
MORE_ACTIVATIONS = ("relu6", "selu", "celu", "softplus", "softsign", "squareplus", "soft_shrink", "sparse_plus", "tanh_shrink",
                    "sparse_sigmoid", "exponential", "hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "mish",
                    "log_sigmoid", "log_softmax")

# (class, options, input shape, batch), then levels of the input's pattern (few: ties and exact zeros) and its shift.
CASES = [
    # convolution: kernels, strides, both paddings
    ("Conv2D", "filters=2, kernel_size=3", (5, 6, 3), 2),
    ("Conv2D", "filters=3, kernel_size=(2, 3), padding='same'", (5, 4, 2), 2),
    ("Conv2D", "filters=2, kernel_size=(3, 2), strides=(2, 1)", (7, 5, 3), 2),
    ("Conv2D", "filters=2, kernel_size=(3, 2), strides=(1, 2), padding='same'", (4, 7, 2), 2),
    ("Conv2D", "filters=3, kernel_size=4, strides=2, padding='same'", (7, 8, 1), 2),
    ("Conv2D", "filters=2, kernel_size=4, strides=3, padding='same'", (8, 7, 2), 2),
    ("Conv2D", "filters=2, kernel_size=2, strides=3", (7, 8, 2), 2),
    ("Conv2D", "filters=2, kernel_size=2, strides=3, padding='same'", (7, 8, 2), 2),
    ("Conv2D", "filters=4, kernel_size=1", (3, 4, 5), 1),
    ("Conv2D", "filters=1, kernel_size=(5, 1), padding='same'", (3, 2, 2), 3),
    ("Conv2D", "filters=3, kernel_size=(1, 3), use_bias=False", (2, 5, 2), 2),
    ("Conv2D", "filters=2, kernel_size=5", (5, 5, 1), 2),
    ("Conv2D", "filters=2, kernel_size=7, padding='same'", (3, 2, 1), 2),
    ("Conv2D", "filters=2, kernel_size=3, dilation_rate=2, padding='same'", (6, 7, 2), 1),
    ("Conv2D", "filters=2, kernel_size=(2, 3), dilation_rate=(3, 2)", (7, 6, 2), 1),
    *[("Conv2D", f"filters=3, kernel_size=2, activation='{name}'", (3, 4, 2), 2) for name in ACTIVATIONS],
    # pooling: overlapping, skipping, ties, padding beside negative values only
    ("MaxPooling2D", "", (4, 6, 2), 2),
    ("MaxPooling2D", "pool_size=2", (5, 7, 2), 2),
    ("MaxPooling2D", "pool_size=2, padding='same'", (5, 7, 2), 2),
    ("MaxPooling2D", "pool_size=(2, 3), strides=1", (4, 5, 2), 2),
    ("MaxPooling2D", "pool_size=3, strides=2, padding='same'", (6, 5, 2), 2),
    ("MaxPooling2D", "pool_size=2, strides=3", (7, 8, 2), 1),
    ("MaxPooling2D", "pool_size=2, strides=(3, 1), padding='same'", (7, 5, 2), 1),
    ("MaxPooling2D", "pool_size=2", (6, 6, 2), 2, 3),
    ("MaxPooling2D", "pool_size=3, strides=1, padding='same'", (5, 4, 2), 2, 3),
    ("MaxPooling2D", "pool_size=(3, 2), strides=(2, 1)", (7, 5, 2), 2, 5),
    ("MaxPooling2D", "pool_size=3, strides=2, padding='same'", (6, 7, 2), 2, 2003, -1.5),
    ("MaxPooling2D", "pool_size=(2, 3), strides=(2, 1), padding='same'", (5, 4, 1), 2, 3, -2.0),
    # dense
    ("Dense", "units=5", (7,), 3),
    ("Dense", "units=1", (4,), 2),
    ("Dense", "units=6, use_bias=False", (3,), 4),
    ("Dense", "units=4", (2, 3, 5), 2),
    *[("Dense", f"units=4, activation='{name}'", (5,), 3) for name in ACTIVATIONS],
    # activations alone; five levels meet the kink at 0
    *[("Activation", f"activation='{name}'", (3, 7), 2) for name in ACTIVATIONS],
    *[("Activation", f"activation='{name}'", (11,), 1, 5) for name in ("relu", "elu", "leaky_relu", "gelu", "silu")],
    ("Activation", "activation='softmax'", (5,), 2, 2003, 60.0),
    ("ReLU", "", (3, 5), 2),
    ("ReLU", "", (9,), 1, 5),
    ("ReLU", "max_value=0.25", (3, 5), 2),
    ("ReLU", "max_value=0.5", (9,), 1, 5),
    ("ReLU", "max_value=6", (3, 5), 2, 2003, 5.5),
    ("ReLU", "negative_slope=0.1", (3, 5), 2),
    ("ReLU", "negative_slope=0.1", (9,), 1, 5),
    ("ReLU", "threshold=0.3", (3, 5), 2),
    ("ReLU", "threshold=0.5", (9,), 1, 5),
    ("ReLU", "max_value=0.75, negative_slope=0.2, threshold=0.25", (4, 5), 2),
    ("ReLU", "max_value=0.5, negative_slope=0.2", (4, 5), 2),
    ("ReLU", "max_value=0.5, negative_slope=0.2", (9,), 1, 5),
    ("ReLU", "negative_slope=0.2, threshold=0.5", (9,), 1, 5),
    ("Softmax", "", (6,), 3),
    ("Softmax", "", (2, 3, 4), 2),
    # averages divide by the real cells; equal maxima of a whole image share the gradient
    ("AveragePooling2D", "pool_size=2", (5, 7, 2), 2),
    ("AveragePooling2D", "pool_size=2, padding='same'", (5, 7, 2), 1),
    ("AveragePooling2D", "pool_size=(2, 3), strides=1", (4, 5, 2), 1),
    ("AveragePooling2D", "pool_size=3, strides=2, padding='same'", (6, 5, 2), 1),
    ("AveragePooling2D", "pool_size=(2, 3), strides=(3, 1), padding='same'", (7, 4, 1), 1),
    ("GlobalAveragePooling2D", "", (3, 2, 3), 2),
    ("GlobalAveragePooling2D", "keepdims=True", (2, 3, 2), 2),
    ("GlobalMaxPooling2D", "", (3, 2, 3), 2),
    ("GlobalMaxPooling2D", "keepdims=True", (4, 3, 2), 2, 3),
    # where values go: padding, cropping, enlarging, other shapes
    ("ZeroPadding2D", "", (2, 3, 2), 2),
    ("ZeroPadding2D", "padding=(0, 2)", (3, 1, 2), 2),
    ("ZeroPadding2D", "padding=((1, 0), (2, 3))", (2, 3, 1), 2),
    ("Cropping2D", "", (2, 3, 2), 2),
    ("Cropping2D", "cropping=1", (3, 4, 2), 2),
    ("Cropping2D", "cropping=((1, 0), (2, 1))", (3, 5, 2), 2),
    ("UpSampling2D", "", (2, 3, 2), 2),
    ("UpSampling2D", "size=(1, 3)", (3, 2, 2), 1),
    ("UpSampling2D", "interpolation='bilinear'", (3, 4, 1), 2),
    ("UpSampling2D", "size=(3, 4), interpolation='bilinear'", (3, 2, 1), 1),
    ("UpSampling2D", "size=(1, 5), interpolation='bilinear'", (2, 2, 2), 1),
    ("Reshape", "target_shape=(4, -1)", (2, 3, 4), 2),
    ("Reshape", "target_shape=(3, 1, 2)", (6,), 2),
    ("Permute", "dims=(3, 1, 2)", (2, 3, 4), 2),
    ("Permute", "dims=(2, 1)", (3, 2), 2),
    ("Rescaling", "scale=0.00392156862745098", (2, 3), 2),
    ("Rescaling", "scale=2, offset=-1", (5,), 2),
    # the other activations: a range of values, then the kinks at 0, 0.5 and 1, at 3 and at 6
    *[("Activation", f"activation='{name}'", (9,), 1) for name in MORE_ACTIVATIONS],
    *[("Activation", f"activation='{name}'", (9,), 1, 5) for name in MORE_ACTIVATIONS],
    ("Activation", "activation='relu6'", (7,), 1, 3, 6.0),
    *[("Activation", f"activation='{name}'", (7,), 1, 3, shift) for name in ("hard_sigmoid", "hard_swish")
      for shift in (-3.0, 3.0)],
    ("Activation", "activation='mish'", (7,), 1, 2003, 30.0),
    ("Activation", "activation='log_softmax'", (2, 4), 1, 2003, -40.0),
    ("Dense", "units=4, activation='log_softmax'", (5,), 2),
    ("Dense", "units=4, activation='hard_silu'", (5,), 2),
    ("ReLU", "max_value=6", (7,), 1, 3, 6.0),
    ("ReLU", "max_value=6, negative_slope=0.5", (7,), 1, 3, 6.0),
    ("ReLU", "max_value=6, threshold=0.5", (7,), 1, 3, 6.0),
    ("LeakyReLU", "", (9,), 1),
    ("LeakyReLU", "negative_slope=0.1", (2, 3), 2, 5),
    ("ELU", "", (9,), 1, 5),
    ("ELU", "alpha=0.5", (2, 4), 2, 5),
    ("ELU", "alpha=2", (9,), 1),
    ("PReLU", "", (2, 3), 2, 5),
    ("PReLU", "shared_axes=(1, 2)", (3, 2, 3), 2),
    ("PReLU", "shared_axes=[2]", (2, 3, 2), 2),
    # convolution in groups and by channel
    ("Conv2D", "filters=4, kernel_size=2, groups=2, activation='relu'", (3, 4, 4), 2),
    ("Conv2D", "filters=6, kernel_size=(3, 2), strides=2, padding='same', groups=3", (5, 4, 3), 1),
    ("DepthwiseConv2D", "kernel_size=3", (4, 5, 2), 2),
    ("DepthwiseConv2D", "kernel_size=(2, 3), padding='same', depth_multiplier=2, use_bias=False", (3, 4, 2), 2),
    ("DepthwiseConv2D", "kernel_size=3, strides=2, padding='same', activation='relu6'", (6, 5, 2), 1),
    ("DepthwiseConv2D", "kernel_size=2, dilation_rate=2, padding='same', activation='mish'", (4, 5, 2), 1),
    ("DepthwiseConv2D", "kernel_size=3, dilation_rate=2, strides=2, padding='same'", (6, 7, 1), 1),
    ("SeparableConv2D", "filters=3, kernel_size=2, activation='relu'", (3, 4, 2), 2),
    ("SeparableConv2D", "filters=2, kernel_size=3, strides=2, padding='same', depth_multiplier=2, use_bias=False", (5, 4, 2), 1),
    ("SeparableConv2D", "filters=2, kernel_size=2, dilation_rate=2, padding='same', activation='silu'", (4, 3, 2), 1),
    # transposed convolution: Keras's output sizes
    ("Conv2DTranspose", "filters=2, kernel_size=3", (3, 2, 2), 2),
    ("Conv2DTranspose", "filters=2, kernel_size=3, strides=2, padding='same', activation='relu'", (3, 2, 2), 1),
    ("Conv2DTranspose", "filters=2, kernel_size=(2, 3), strides=(3, 2), use_bias=False", (2, 3, 2), 1),
    ("Conv2DTranspose", "filters=1, kernel_size=4, strides=2, padding='same', activation='gelu'", (3, 3, 2), 1),
    ("Conv2DTranspose", "filters=2, kernel_size=3, strides=3, padding='same', output_padding=(1, 2)", (2, 3, 1), 1),
    ("Conv2DTranspose", "filters=2, kernel_size=2, strides=2, output_padding=1", (2, 3, 1), 1),
    ("Conv2DTranspose", "filters=1, kernel_size=2, strides=3, output_padding=0", (2, 3, 1), 1),
    # another size; TensorFlow has no gradient of "area"
    ("Resizing", "height=5, width=3", (3, 4, 2), 2),
    ("Resizing", "height=2, width=3, interpolation='nearest'", (3, 4, 2), 1),
    ("Resizing", "height=5, width=3, interpolation='bicubic'", (3, 5, 1), 1),
    ("Resizing", "height=3, width=7, interpolation='lanczos3'", (5, 4, 1), 1),
    ("Resizing", "height=4, width=3, interpolation='lanczos5', antialias=True", (3, 7, 1), 1),
    ("Resizing", "height=2, width=4, antialias=True", (5, 3, 2), 1),
    ("Resizing", "height=3, width=2, interpolation='bicubic', antialias=True", (4, 6, 1), 1),
    ("Resizing", "height=4, width=3, crop_to_aspect_ratio=True", (3, 5, 2), 1),
    ("Resizing", "height=3, width=5, pad_to_aspect_ratio=True, fill_value=0.5", (4, 3, 2), 1),
]


def pattern(count, seed, levels=2003, shift=0.0):
    """Value i of a tensor: -1 .. 1 in `levels` steps (2003 is a prime), then shifted; float32."""
    i = np.arange(count, dtype=np.int64)
    k = ((i * 7919 + seed * 104729) % 2003) % levels
    return (k - levels // 2).astype(np.float32) / np.float32(levels // 2) + np.float32(shift)


def tensor(shape, seed, *rest):
    return pattern(int(np.prod(shape)), seed, *rest).reshape(shape).astype(np.float64)


def rounded(array):
    return [float(f"{v:.7g}") + 0.0 for v in np.asarray(array, np.float64).reshape(-1)]


def run_case(keras, tf, number, class_name, options, shape, batch, levels=2003, shift=0.0):
    """Seeds: input 10 n, parameters 10 n + 1, 10 n + 2, upstream gradient 10 n + 9."""
    dtype = "float32" if class_name == "Resizing" else "float64"  # TensorFlow has no other gradient of some of its forms
    layer = getattr(keras.layers, class_name)(dtype=dtype, **eval(f"dict({options})"))
    layer.build((batch, *shape))
    parameters = layer.trainable_variables
    for i, variable in enumerate(parameters):
        variable.assign(tensor(variable.shape, 10 * number + 1 + i))
    x = tf.constant(tensor((batch, *shape), 10 * number, levels, shift), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        upstream = tf.constant(tensor(y.shape, 10 * number + 9), dtype)
        loss = tf.reduce_sum(y * upstream)
    d_x, *d_parameters = tape.gradient(loss, [x] + [v.value for v in parameters])
    return {
        "class": class_name,
        "options": options,
        "input": list(shape),
        "batch": batch,
        "seed": 10 * number,
        "levels": levels,
        "shift": shift,
        "output_shape": list(y.shape[1:]),
        "output": rounded(y),
        "d_input": rounded(d_x),
        "d_params": [rounded(d) for d in d_parameters],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=ROOT / "tests/golden/layers.json")
    args = parser.parse_args()

    import keras
    import tensorflow as tf
    tf.config.experimental.enable_op_determinism()

    golden = {
        "made_by": f"tools/make_golden_layers.py, Keras {keras.__version__}, TensorFlow {tf.__version__}",
        "cases": [run_case(keras, tf, number, *case) for number, case in enumerate(CASES, 1)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"class"', '\n{"class"') + "\n"
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(text)
    print(f"{args.output}: {len(golden['cases'])} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
