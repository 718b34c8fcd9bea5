#!/usr/bin/env python3
"""Writes tests/golden/graph: Functional models that Keras wrote, what it computes with them, trains and prints.

    pip install keras tensorflow-cpu numpy
    pip download keras==2.12.0 --no-deps
    tools/make_golden_graph.py --keras2 keras-2.12.0-py2.py3-none-any.whl

For each model: NAME.keras; NAME.inputs.f32 and NAME.outputs.f32 (all inputs, then all outputs, IMAGES of each; little endian
float32). Those of trained.txt have one input, uint8 images in NAME.images.u8 (divided by 255), labels 0, 1, 2, 0, 1, ..., and
NAME.step1.f32, NAME.step3.f32: all weights, in Keras's order, after one step of SGD with learning rate 1, and after three with
learning rate 0.1 and momentum 0.9, each over all images. fitted.keras was trained with Adam; fitted.slots.f32 are its slots, all of
the first, then all of the second. *_COLUMNS.txt and *_classic.txt are Keras's tables.
"""
import argparse
import importlib.util
import os
import pathlib
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

TOOLS = pathlib.Path(__file__).resolve().parent
GOLDEN = TOOLS.parent / "tests" / "golden" / "graph"
IMAGES = 5
CLASSES = 3


# ---- models ----

def residual():
    """Two blocks of a residual network; the sum is read twice, and so is what the first convolution gives."""
    x = keras.Input((7, 6, 2), name="image")
    a = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(x)
    b = layers.Conv2D(4, 3, padding="same", activation="relu")(a)
    b = layers.Conv2D(4, 3, padding="same")(b)
    c = layers.ReLU()(layers.Add()([a, b]))
    d = layers.Conv2D(3, 1, strides=2, activation="relu", padding="same")(c)
    e = layers.Conv2D(5, 3, strides=2, padding="same")(c)
    y = layers.Concatenate()([d, e])
    y = layers.MaxPooling2D(2)(y)
    y = layers.Flatten()(y)
    return keras.Model(x, layers.Dense(CLASSES, name="logits")(y), name="residual")


def shared():
    """Two branches with one convolution in both, at two sizes, and one dense layer used three times in a row; every merging
    layer. Flatten's output has several readers, as has its input."""
    x = keras.Input((6, 6, 2))
    conv = layers.Conv2D(3, 3, padding="same", activation="relu", name="twice")
    left = conv(x)
    right = conv(layers.MaxPooling2D(2)(x))
    dense = layers.Dense(6, activation="tanh", name="thrice")
    l = layers.Dense(6)(layers.Flatten()(left))
    r = layers.Dense(6)(layers.Flatten()(right))
    l = dense(l)
    r = dense(r)
    m = layers.Multiply()([l, r])
    s = layers.Subtract()([l, m])
    t = layers.Average()([dense(s), r, l])
    u = layers.Maximum()([t, r])
    v = layers.Minimum()([t, l, u])
    pooled = layers.MaxPooling2D(6)(left)
    scaled = layers.Flatten()(layers.MaxPooling2D(3)(layers.Multiply()([left, pooled])))
    y = layers.Concatenate(axis=1)([u, v, scaled, s])
    return keras.Model(x, layers.Dense(CLASSES)(y), name="shared")


def encoder(name, shape):
    x = keras.Input(shape)
    y = layers.Conv2D(3, 3, activation="relu")(x)
    z = layers.Flatten()(y)
    return keras.Model(x, [layers.Dense(4)(z), y], name=name)


def nested():
    """Models inside the model: a Functional with two outputs, used twice, of which one is left unread once; a Sequential with a
    Sequential inside, used twice; names that are used inside and outside."""
    a, b = keras.Input((5, 5, 1), name="a"), keras.Input((5, 5, 1), name="b")
    inner = encoder("encoder", (5, 5, 1))
    head = keras.Sequential([
        keras.Input((4,)),
        layers.Dense(4, activation="relu", name="dense"),
        keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(4, use_bias=False)], name="tail"),
    ], name="head")
    code_a, map_a = inner(a)
    code_b, _ = inner(b)
    far = layers.Dense(4, name="dense")(layers.Flatten()(map_a))
    y = layers.Add()([head(code_a), head(code_b), far])
    return keras.Model([b, a], [layers.Dense(CLASSES, name="out")(y), code_a], name="nested")


def chain_with_model():
    """A Sequential that begins with a Functional model."""
    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(3, 3, padding="same", activation="relu")(x)
    backbone = keras.Model(x, layers.Add()([y, layers.Conv2D(3, 1)(x)]), name="backbone")
    backbone.layers[1].trainable = False
    return keras.Sequential([keras.Input((6, 6, 2)), backbone, layers.Flatten(), layers.Dense(CLASSES)], name="chain")


def fitted():
    """Two branches whose layers of one class are not in the order in which they were made; trained with Adam."""
    x = keras.Input((6, 6, 2))
    late = layers.Conv2D(2, 3, name="late")
    early = layers.Conv2D(3, 3, name="early")
    y = layers.Concatenate()([early(x), late(layers.Conv2D(2, 1, name="first")(x))])
    y = layers.Dense(CLASSES)(layers.Flatten()(y))
    return keras.Model(x, y, name="fitted")


# ---- files ----

def randomize(model, seed):
    """Biases are zero at first, which hides mistakes."""
    random = np.random.default_rng(seed)
    for w in model.weights:
        w.assign(random.normal(0, 0.4, w.shape).astype("float32"))


def write_floats(name, arrays):
    (GOLDEN / name).write_bytes(b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays))


def logits():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def labels():
    return np.arange(IMAGES) % CLASSES


def write_steps(tools, path, name, images):
    for steps, optimizer in ((1, keras.optimizers.SGD(1.0)), (3, keras.optimizers.SGD(0.1, momentum=0.9))):
        model = keras.models.load_model(path)
        model.compile(optimizer, logits())
        model.fit(images / np.float32(255), labels(), batch_size=IMAGES, epochs=steps, shuffle=False, verbose=0)
        write_floats(f"{name}.step{steps}.f32", model.get_weights())


def write_model(tools, make, train=False, fit=False):
    keras.utils.clear_session()
    model = make()
    name = model.name
    randomize(model, len(name))
    random = np.random.default_rng(len(name) + 1)
    images = [random.integers(0, 256, (IMAGES, *t.shape[1:]), dtype=np.uint8) for t in model.inputs]
    if fit:
        model.compile("adam", logits(), metrics=["accuracy"])
        model.fit(images[0] / np.float32(255), labels(), batch_size=2, epochs=2, shuffle=False, verbose=0)
        write_floats(f"{name}.slots.f32", tools.slots(model.optimizer))
    path = GOLDEN / f"{name}.keras"
    model.save(path)
    tools.deflate(path)
    model = keras.models.load_model(path)
    inputs = [i.astype("float32") / np.float32(255) for i in images]
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    write_floats(f"{name}.inputs.f32", inputs)
    write_floats(f"{name}.outputs.f32", outputs if isinstance(outputs, list) else [outputs])
    if train:
        (GOLDEN / f"{name}.images.u8").write_bytes(images[0].tobytes())
        write_steps(tools, path, name, images[0])
    return model


# ---- summaries ----

def wide_names():
    """A graph for the tables: long names, a layer with many uses, a frozen one, a model inside."""
    x = keras.Input((16, 16, 3), name="an_image_with_a_long_name")
    dense = layers.Dense(2048, name="a_dense_layer_that_is_used_again_and_again")
    y = layers.Conv2D(32, 3, padding="same", name="größe")(x)
    y = layers.Concatenate(name="several words between them")([y, x, y])
    flat = layers.Flatten()(layers.MaxPooling2D(8)(y))
    z = layers.Dense(2048, name="frozen")(flat)
    z = dense(dense(dense(dense(z))))
    inner = keras.Sequential([keras.Input((2048,)), layers.Dense(8)], name="a_model_inside")
    y = keras.Model(x, [inner(z), z], name="a graph whose name is longer than a terminal of sixty columns")
    y.get_layer("frozen").trainable = False
    return y


def plain_chain():
    x = keras.Input((8, 8, 3))
    return keras.Model(x, layers.Dense(4)(layers.Flatten()(layers.Conv2D(4, 3)(x))), name="plain")


def node_seen(node):
    histories = [t._keras_history for t in node.input_tensors]
    return Seen(keras_inputs=list(node.input_tensors),
                iterate_inbound=lambda: [(h.operation, h.node_index, h.tensor_index, None) for h in histories])


class Seen:
    """What Keras 2's print_summary sees of a weight, a node, a layer or a model."""

    def __init__(self, **members):
        self.__dict__.update(members)


def classic_table(model, print_summary):
    own = {n: node_seen(n) for nodes in model._nodes_by_depth.values() for n in nodes}

    def weight(v):
        return Seen(shape=Seen(as_list=lambda: list(v.shape)))

    def layer(l):
        mine = [n for n in l._inbound_nodes if n in own]
        shapes = [n.outputs[0].shape if len(n.outputs) == 1 else [t.shape for t in n.outputs] for n in mine]
        seen = type(l.__class__.__name__, (), {})()
        seen.name, seen.built, seen.count_params = l.name, True, l.count_params
        seen._inbound_nodes = [own[n] for n in mine]
        if isinstance(l, layers.InputLayer):
            seen.output_shape = [shapes[0]]
        elif all(s == shapes[0] for s in shapes):
            seen.output_shape = shapes[0]
        return seen

    seen = type("Functional", (), {})()
    seen._is_graph_network = True
    seen._nodes_by_depth = {d: [own[n] for n in nodes] for d, nodes in model._nodes_by_depth.items()}
    seen.name, seen.layers = model.name, [layer(l) for l in model.layers]
    seen.trainable_weights = [weight(v) for v in model.trainable_weights]
    seen.non_trainable_weights = [weight(v) for v in model.non_trainable_weights]
    lines = []
    print_summary(seen, print_fn=lines.append)
    return "\n".join(lines) + "\n"


def write_tables(tools, models, print_summary):
    print_summary.__globals__["tf"] = tf
    for model, name, columns in models:
        for width in columns:
            (GOLDEN / f"{name}_{width}.txt").write_text(tools.summary3(model, width))
        (GOLDEN / f"{name}_classic.txt").write_text(classic_table(model, print_summary))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras2", required=True, help="wheel of keras 2.12.0")
    args = parser.parse_args()
    spec = importlib.util.spec_from_file_location("make_golden_files", TOOLS / "make_golden_files.py")
    tools = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tools)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir(parents=True)
    a = write_model(tools, residual, train=True)
    b = write_model(tools, shared, train=True)
    c = write_model(tools, nested)
    write_model(tools, chain_with_model, train=True)
    write_model(tools, fitted, fit=True)
    (GOLDEN / "trained.txt").write_text("residual\nshared\nchain\n")
    keras.utils.clear_session()
    wide, plain = wide_names(), plain_chain()
    (GOLDEN / "wide.json").write_text(wide.to_json())
    (GOLDEN / "plain.json").write_text(plain.to_json())
    write_tables(tools, [(a, "residual", (80, 120)), (b, "shared", (80, 100)), (c, "nested", (80,)),
                         (wide, "wide", (25, 47, 60, 112, 200)), (plain, "plain", (80,))],
                 tools.keras2_print_summary(args.keras2))
    files = list(GOLDEN.iterdir())
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files)} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    sys.exit(main())
