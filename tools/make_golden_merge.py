#!/usr/bin/env python3
"""Writes tests/golden/merge.json: what Keras's merging layers answer, forward and backward, on small odd shapes.

    pip install keras tensorflow-cpu numpy
    tools/make_golden_merge.py

As tools/make_golden_layers.py, whose integer formula for inputs and upstream gradients it uses; input k has the seed of the case
plus k. Few levels of the pattern make ties.
"""
import argparse
import importlib.util
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

TOOLS = pathlib.Path(__file__).resolve().parent
BATCH = 2

SHAPES = [
    [(3, 2, 4), (3, 2, 4)],
    [(5,), (5,)],
    [(3, 4, 2), (1, 1, 2)],
    [(2, 1, 3), (2, 4, 1)],
    [(3,), (2, 4, 3)],
    [(2, 3), (4, 2, 3)],
]
MORE_SHAPES = [
    [(4,), (4,), (4,)],
    [(2, 3), (2, 1), (1, 3), (2, 3)],
    [(2, 2)],
]
CONCATENATIONS = [
    ("", [(2, 3, 4), (2, 3, 1)]),
    ("", [(5,), (2,), (3,)]),
    ("axis=1", [(2, 3, 2), (1, 3, 2), (4, 3, 2)]),
    ("axis=-2", [(2, 3, 2), (2, 1, 2)]),
    ("axis=2", [(3, 2), (3, 5)]),
    ("axis=3", [(2, 2, 3), (2, 2, 2)]),
]


def cases():
    """(class, options, shapes, levels)"""
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        for shapes in SHAPES + ([] if name == "Subtract" else MORE_SHAPES):
            yield name, "", shapes, 5
    for options, shapes in CONCATENATIONS:
        yield "Concatenate", options, shapes, 2003


def run_case(tools, keras, tf, number, class_name, options, shapes, levels):
    layer = getattr(keras.layers, class_name)(dtype="float64", **eval(f"dict({options})"))
    seed = 20 * number
    x = [tf.constant(tools.tensor((BATCH, *shape), seed + k, levels)) for k, shape in enumerate(shapes)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y * tf.constant(tools.tensor(y.shape, seed + 9)))
    return {
        "class": class_name,
        "options": options,
        "inputs": [list(shape) for shape in shapes],
        "batch": BATCH,
        "seed": seed,
        "levels": levels,
        "output_shape": list(y.shape[1:]),
        "output": tools.rounded(y),
        "d_inputs": [tools.rounded(d) for d in tape.gradient(loss, x)],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=TOOLS.parent / "tests/golden/merge.json")
    args = parser.parse_args()

    import keras
    import tensorflow as tf
    tf.config.experimental.enable_op_determinism()
    spec = importlib.util.spec_from_file_location("make_golden_layers", TOOLS / "make_golden_layers.py")
    tools = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tools)

    golden = {
        "made_by": f"tools/make_golden_merge.py, Keras {keras.__version__}, TensorFlow {tf.__version__}",
        "cases": [run_case(tools, keras, tf, number, *case) for number, case in enumerate(cases(), 1)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"class"', '\n{"class"') + "\n"
    args.output.write_text(text)
    print(f"{args.output}: {len(golden['cases'])} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
