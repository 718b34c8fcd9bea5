#!/usr/bin/env python3
"""Writes tests/golden/keras and tests/golden/summary: files that Keras wrote and what it computes and prints with them.

    pip install keras tensorflow-cpu h5py
    pip download keras==2.12.0 --no-deps
    tools/make_golden_files.py --keras2 keras-2.12.0-py2.py3-none-any.whl

For each line `NAME IMAGES` of keras/models.txt: NAME.keras, NAME.inputs.f32 and NAME.outputs.f32 (IMAGES of each, NHWC,
little endian float32), NAME.weights.f32 (all weights in Keras's order) and, after training, NAME.slots.f32 (the
optimizer's slots: all of the first, then all of the second). summary/*.txt are Keras's tables; those of Keras 2 are
printed by its own print_summary, taken out of the wheel, because Keras 2 does not install beside Keras 3.
"""
import argparse
import ast
import io
import os
import pathlib
import shutil
import types
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
IMAGES = 3
WEIGHTS = "model.weights.h5"


# ---- models ----

def tutorial():
    keras.utils.clear_session()
    return keras.Sequential([
        keras.Input(shape=(32, 32, 3)),
        layers.Conv2D(32, 3, padding="valid", activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10),
    ])


def conv_a():
    return [
        keras.Input(shape=(13, 11, 3)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.Conv2D(6, (3, 2), padding="same", activation="sigmoid"),
        layers.Conv2D(5, 3, strides=2, padding="same", activation="tanh"),
        layers.Conv2D(4, (1, 2), activation="elu", use_bias=False),
        layers.Flatten(),
        layers.Dense(7, activation="gelu"),
        layers.Dense(5, activation="softmax"),
    ]


def conv_b():
    return [
        keras.Input(shape=(10, 12, 2)),
        layers.Conv2D(7, (2, 3), strides=(1, 2), activation="linear"),
        layers.Conv2D(6, 3, padding="same", activation="gelu"),
        layers.Conv2D(5, 2, strides=(2, 1), padding="same", activation="silu"),
        layers.Conv2D(4, (4, 3), padding="same", activation="leaky_relu"),
        layers.Conv2D(6, 1, activation="softmax"),
        layers.Flatten(),
        layers.Dense(6, activation="leaky_relu", use_bias=False),
        layers.Dense(3),
    ]


def pool():
    return [
        keras.Input(shape=(21, 18, 2)),
        layers.MaxPooling2D((2, 1), strides=1, padding="same"),
        layers.Conv2D(3, 3),
        layers.MaxPooling2D(),
        layers.MaxPooling2D((2, 3), strides=(1, 2)),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Flatten(),
    ]


def activations():
    return [
        keras.Input(shape=(5, 6, 4)),
        layers.Conv2D(4, 1),
        layers.Activation("elu"), layers.Conv2D(4, 1),
        layers.Activation("gelu"), layers.Conv2D(4, 1),
        layers.Activation("silu"), layers.Conv2D(4, 1),
        layers.Activation("tanh"), layers.Conv2D(4, 1),
        layers.Activation("leaky_relu"), layers.Conv2D(4, 1),
        layers.Activation("relu"), layers.Conv2D(4, 1),
        layers.Activation("softmax"), layers.Conv2D(4, 1, kernel_initializer=keras.initializers.RandomNormal(stddev=4)),
        layers.Activation("sigmoid"), layers.Activation("linear"), layers.Flatten(),
        layers.Softmax(),
    ]


def rectifiers():
    return [
        keras.Input(shape=(6, 5, 3)),
        layers.ReLU(negative_slope=0.3), layers.Conv2D(5, 2),
        layers.ReLU(threshold=0.2, negative_slope=0.5), layers.Conv2D(5, 1),
        layers.ReLU(max_value=0.75, negative_slope=0.2, threshold=0.1), layers.Conv2D(5, 2),
        layers.ReLU(max_value=6), layers.Softmax(), layers.Conv2D(5, 1),
        layers.ReLU(),
    ]


def norms():
    return [
        keras.Input(shape=(7, 6, 3)),
        layers.Normalization(),
        layers.GaussianNoise(0.1),
        layers.Conv2D(8, 3, kernel_regularizer=keras.regularizers.L2(0.001),
                      kernel_constraint=keras.constraints.MaxNorm(2, axis=[0, 1, 2])),
        layers.BatchNormalization(momentum=0.9, gamma_regularizer="l1", beta_constraint="non_neg"),
        layers.ReLU(),
        layers.SpatialDropout2D(0.1, seed=5),
        layers.LayerNormalization(),
        layers.Dropout(0.25),
        layers.BatchNormalization(scale=False, trainable=False),
        layers.GroupNormalization(4),
        layers.LayerNormalization(axis=[1, 2, 3], epsilon=0.01),
        layers.Flatten(),
        layers.Dropout(0.5, seed=3),
        layers.Dense(6, activation="tanh", kernel_initializer="orthogonal", kernel_constraint="unit_norm",
                     bias_regularizer=keras.regularizers.L1L2(0.01, 0.02)),
        layers.BatchNormalization(center=False),
        layers.Dense(3),
    ]


def separable():
    return [
        keras.Input(shape=(7, 6, 3)),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="relu6"),
        layers.SeparableConv2D(4, (2, 3), activation=layers.LeakyReLU(negative_slope=0.125)),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer=keras.initializers.RandomNormal(stddev=0.5)),
        layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1, activation="hard_swish"),
        layers.SeparableConv2D(3, 2, use_bias=False, activation=layers.ELU(0.5)),
        layers.Conv2D(6, 2, groups=3, activation=layers.ReLU(6)),
        layers.PReLU(alpha_initializer=keras.initializers.RandomNormal()),
        layers.GlobalMaxPooling2D(),
    ]


def shapes():
    return [
        keras.Input(shape=(5, 6, 2)),
        layers.Rescaling(0.5, offset=-0.25),
        layers.ZeroPadding2D(((1, 0), (2, 1))),
        layers.UpSampling2D((2, 3), interpolation="bilinear"), layers.LeakyReLU(),
        layers.Cropping2D((1, 2)), layers.ELU(alpha=0.5),
        layers.AveragePooling2D((2, 3), padding="same"),
        layers.UpSampling2D(2),
        layers.Permute((2, 3, 1)),
        layers.Reshape((8, 5, -1)),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Activation("log_softmax"),
    ]


def small(last):
    return [
        keras.Input(shape=(8, 7, 2)),
        layers.Conv2D(4, 3, activation="relu", name="first"),
        layers.MaxPooling2D(),
        layers.Conv2D(5, 2, padding="same"),
        layers.Flatten(),
        layers.Dense(6, activation="relu", use_bias=False),
        layers.Dense(3, activation=last),
    ]


def fit(model, optimizer, loss):
    random = np.random.default_rng(4)
    x = random.normal(size=(20, *model.input_shape[1:])).astype("float32")
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(x, random.integers(0, 3, 20), batch_size=8, epochs=2, verbose=0, shuffle=False)


def logits():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


# ---- files ----

def rewrite_weights(path, rewrite):
    """Replaces the file by one whose weights rewrite(h5 file read, h5 file written) has copied."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    written = io.BytesIO()
    with h5py.File(io.BytesIO(members[WEIGHTS])) as old, h5py.File(written, "w", libver="latest") as new:
        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                rewrite(new, name, item[()])
            else:
                new.create_group(name).attrs.update(item.attrs)
        old.visititems(copy)
    members[WEIGHTS] = written.getvalue()
    del members["metadata.json"]
    members["assets/note.txt"] = b"not for readers of weights\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def as_half(new, name, value):
    if value.dtype == np.float32 and value.ndim > 0:
        new.create_dataset(name, data=value.astype("<f2"), compression="gzip", shuffle=True)
    else:
        new[name] = value


def as_big_double(new, name, value):
    new.create_dataset(name, data=value.astype(">f8" if value.dtype == np.float32 else ">i4"))


def deflate(path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def write_floats(path, arrays):
    path.write_bytes(b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays))


def slots(optimizer):
    """All of the first slot, then all of the second; Keras keeps the slots of one variable together."""
    variables = [np.ravel(v) for v in optimizer.variables[2:]]
    count = 2 if isinstance(optimizer, keras.optimizers.Adam) else 1
    return [v for s in range(count) for v in variables[s::count]]


def write_model(folder, name, network, train=None, change=deflate):
    keras.utils.clear_session()
    keras.utils.set_random_seed(len(name))
    model = keras.Sequential(network, name=name)
    for w in model.trainable_variables:  # biases are zero at first, which hides mistakes
        if len(w.shape) == 1:
            w.assign(np.random.normal(0, 0.5, w.shape))
    if train:
        train(model)
    path = folder / f"{name}.keras"
    model.save(path)
    change(path)
    model = keras.models.load_model(path)
    x = np.random.normal(size=(IMAGES, *model.input_shape[1:])).astype("float32")
    write_floats(folder / f"{name}.inputs.f32", [x])
    write_floats(folder / f"{name}.outputs.f32", [model.predict(x, verbose=0)])
    write_floats(folder / f"{name}.weights.f32", model.get_weights())
    if train and len(model.optimizer.variables) > 2:
        write_floats(folder / f"{name}.slots.f32", slots(model.optimizer))
    return f"{name} {IMAGES}\n"


def write_models(folder, only=None):
    def adam(model):
        fit(model, "adam", logits())

    def sgd(model):
        model.layers[0].trainable = False
        fit(model, keras.optimizers.SGD(0.05, momentum=0.8), "sparse_categorical_crossentropy")

    def adapted(model):
        model.layers[0].adapt(np.random.default_rng(4).normal(1, 2, (50, *model.input_shape[1:])).astype("float32"))
        adam(model)

    def compiled(model):
        model.compile(keras.optimizers.Adam(0.002), logits())

    def keep(path):
        pass

    if only == "norms":
        return write_model(folder, "norms", norms(), adapted)
    lines = [
        write_model(folder, "conv_a", conv_a()),
        write_model(folder, "conv_b", conv_b()),
        write_model(folder, "pool", pool()),
        write_model(folder, "activations", activations()),
        write_model(folder, "rectifiers", rectifiers()),
        write_model(folder, "compiled", small(None), compiled),
        write_model(folder, "fitted", small(None), adam, keep),
        write_model(folder, "fitted_sgd", small("softmax"), sgd),
        write_model(folder, "half", small("softmax"), change=lambda path: rewrite_weights(path, as_half)),
        write_model(folder, "double", small(None), adam, lambda path: rewrite_weights(path, as_big_double)),
        write_model(folder, "norms", norms(), adapted),
        write_model(folder, "separable", separable()),
        write_model(folder, "shapes", shapes()),
    ]
    (folder / "models.txt").write_text("".join(lines))


# ---- summaries ----

def summary3(model, columns):
    lines = []
    os.environ["COLUMNS"] = str(columns)
    model.summary(print_fn=lambda text, **_: lines.append(text))
    return "".join(lines)


def keras2_print_summary(wheel):
    source = zipfile.ZipFile(wheel).read("keras/utils/layer_utils.py").decode()
    wanted = {"print_summary", "count_params", "get_layer_index_bound_by_layer_name"}
    kept = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name in wanted]
    names = {"np": np, "io_utils": None}
    exec(compile(ast.Module(kept, []), "layer_utils.py", "exec"), names)
    return names["print_summary"]


def summary2(model, print_summary):
    """Hands Keras 2's function what it asks of a model."""
    def weight(v):
        return types.SimpleNamespace(shape=types.SimpleNamespace(as_list=lambda: list(v.shape)))

    def layer(l):
        as_seen = type(l.__class__.__name__, (), {})()
        as_seen.name, as_seen.output_shape, as_seen.built = l.name, l.output.shape, True
        as_seen.count_params = l.count_params
        return as_seen

    as_seen = type("Sequential", (), {})()
    as_seen.name, as_seen.layers = model.name, [layer(l) for l in model.layers]
    as_seen.trainable_weights = [weight(v) for v in model.trainable_weights]
    as_seen.non_trainable_weights = [weight(v) for v in model.non_trainable_weights]
    lines = []
    print_summary(as_seen, print_fn=lines.append)
    return "\n".join(lines) + "\n"


def long_names():
    keras.utils.clear_session()
    model = keras.Sequential([
        keras.Input(shape=(1000, 1000, 3)),
        layers.Conv2D(1024, 3, name="a_name_that_no_column_of_the_table_can_hold"),
        layers.MaxPooling2D(1, name="several words are broken between them"),
        layers.Conv2D(2048, 3, name="frozen"),
        layers.Dense(1, use_bias=False, name="größe"),
    ], name="a model whose name is longer than a terminal of sixty columns")
    model.layers[2].trainable = False
    return model


def write_summaries(folder, wheel):
    print_summary = keras2_print_summary(wheel)
    model = tutorial()
    (folder / "tutorial_80.txt").write_text(summary3(model, 80))
    (folder / "tutorial_120.txt").write_text(summary3(model, 120))
    (folder / "tutorial_classic.txt").write_text(summary2(model, print_summary))
    model.compile("adam", logits())
    model.optimizer.build(model.trainable_variables)
    (folder / "tutorial_adam_80.txt").write_text(summary3(model, 80))
    model = long_names()
    for columns in (20, 47, 60, 90):
        (folder / f"names_{columns}.txt").write_text(summary3(model, columns))
    (folder / "names_classic.txt").write_text(summary2(model, print_summary))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras2", help="wheel of keras 2.12.0")
    parser.add_argument("--only", choices=["norms"], help="writes this model's files beside those that are there")
    args = parser.parse_args()
    if args.only:
        write_models(GOLDEN / "keras", args.only)
        return
    if not args.keras2:
        parser.error("--keras2 is needed for the summaries")
    for name in ("keras", "summary"):
        shutil.rmtree(GOLDEN / name, ignore_errors=True)
        (GOLDEN / name).mkdir(parents=True)
    write_models(GOLDEN / "keras")
    write_summaries(GOLDEN / "summary", args.keras2)
    files = [f for name in ("keras", "summary") for f in (GOLDEN / name).iterdir()]
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files)} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
