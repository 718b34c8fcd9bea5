#!/usr/bin/env python3
"""Writes tests/golden/weights: Keras's older .h5 models, and files of weights alone, with what Keras computes and trains from them.

    pip install tensorflow-cpu==2.15.1                     # in an environment of its own: Keras 2.15
    pip install keras tensorflow-cpu h5py                  # in another: Keras 3
    tools/make_golden_weights.py                           # once with each

The files of Keras 2 are called NAME_2, those of Keras 3 NAME_3. NAME.h5 is a whole model and NAME.weights.f32 its weights, layer by
layer (little endian float32). layers_N.h5 holds every layer that Convoy has: layers_N.inputs.f32 and layers_N.outputs.f32 are IMAGES
inputs and what comes of them. The others were trained for an epoch on the images of images.u8 (divided by 255), whose labels are 0,
1, 2, 0, 1, ..., in their order, BATCH at a time; NAME.losses.json has the losses of three more epochs, as Keras's history has them:
of the model that was saved, which goes on. (Loaded again, Keras 3's optimizer fails to find its variables. Keras 2's Nadam is left
out: its product of momenta goes wrong within the first step, and is not in the file.)

Of weights alone there are sequential_2.top.h5 (save_weights of Keras 2), sequential_N.weights.h5 and, with the paths of Keras 3's
variables as names, NAME_3.safetensors.

h5py's default form costs kilobytes a group; all files but sequential_N.h5 are packed smaller, and lists of names stored in the other
ways that Kerases have stored them: as texts of one length, or in pieces.
"""
import json
import os
import pathlib
import struct

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "weights"
IMAGES = 3
TRAINED, BATCH, SHAPE, CLASSES = 24, 8, (8, 7, 2), 3
VERSION = keras.__version__.split(".")[0]


# ---- models ----

def all_layers():
    """Whatever says more than its default in one of its arguments, does."""
    x = keras.Input((9, 8, 3), name="image")
    a = layers.Rescaling(0.5, offset=-0.1)(x)
    a = layers.Normalization(name="adapted")(a)
    a = layers.Conv2D(4, (3, 2), padding="same", activation="relu", kernel_regularizer=keras.regularizers.L2(0.01),
                      bias_initializer="ones", kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out"))(a)
    a = layers.BatchNormalization(momentum=0.9, gamma_initializer=keras.initializers.RandomUniform(0.5, 1.5))(a)
    a = layers.LeakyReLU()(a)
    b = layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=2, activation="tanh")(a)
    b = layers.SpatialDropout2D(0.1)(b)
    c = layers.DepthwiseConv2D(3, padding="same", activation="elu")(a)
    c = layers.GaussianNoise(0.1)(c)
    d = layers.Conv2D(4, 1, groups=2, use_bias=False)(a)
    d = layers.PReLU(shared_axes=[1, 2], alpha_initializer=keras.initializers.Constant(0.2))(d)
    s = layers.Add()([layers.Multiply()([b, c]), layers.Subtract()([d, c])])
    s = layers.Maximum()([s, layers.Minimum()([b, d]), layers.Average()([b, c, d])])
    s = layers.GroupNormalization(2)(s)
    s = layers.MaxPooling2D((2, 1), padding="same")(s)
    t = layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="sigmoid")(s)
    t = layers.AveragePooling2D(2)(t)
    t = layers.ZeroPadding2D(((1, 0), (0, 2)))(t)
    t = layers.Cropping2D(1)(t)
    t = layers.UpSampling2D((2, 1), interpolation="bilinear")(t)
    t = layers.ELU(alpha=0.5)(t)
    t = layers.ReLU(max_value=1.5, negative_slope=0.25)(t)
    t = layers.Permute((2, 1, 3))(t)
    t = layers.LayerNormalization(epsilon=0.01, scale=False)(t)
    u = layers.Concatenate()([layers.GlobalAveragePooling2D()(t), layers.GlobalMaxPooling2D()(s)])
    v = layers.Reshape((1, 1, -1))(layers.Flatten()(t))
    v = layers.Dense(5, kernel_constraint=keras.constraints.MaxNorm(2), name="wide")(layers.Flatten()(v))
    v = layers.Activation("softplus")(v)
    v = layers.Dropout(0.5, seed=3)(v)
    y = layers.Dense(4, activation="gelu")(layers.Concatenate()([u, v]))
    return keras.Model(x, layers.Softmax()(y), name="layers")


def sequential():
    return keras.Sequential([
        keras.Input(SHAPE),
        layers.Conv2D(4, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(0.001)),
        layers.BatchNormalization(momentum=0.8),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(CLASSES),
    ], name="sequential")


def graph():
    """A layer used twice; a Sequential and a Functional model inside, one with a frozen layer in front of a batch normalization, whose
    moving moments stand behind all trained weights in the older files."""
    x = keras.Input(SHAPE)
    twice = layers.Conv2D(2, 3, padding="same", name="twice")
    inner = keras.Sequential([
        keras.Input(SHAPE),
        layers.Conv2D(2, 1, name="first"),
        layers.BatchNormalization(name="middle", momentum=0.7),
        layers.Conv2D(2, 3, padding="same", name="last"),
    ], name="inner")
    inner.layers[0].trainable = False
    i = keras.Input(SHAPE)
    side = keras.Model(i, layers.ReLU()(layers.Conv2D(2, 1, name="side_conv")(i)), name="side")
    a = twice(x)
    b = twice(layers.ReLU()(a))
    y = layers.Concatenate()([layers.Add()([a, b, inner(x)]), side(x)])
    y = layers.GlobalAveragePooling2D()(y)
    return keras.Model(x, layers.Dense(CLASSES, name="logits")(y), name="graph")


# ---- weights ----

def leaves(model):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer)
        else:
            yield layer


def weights(model):
    return [w for layer in leaves(model) for w in layer.get_weights()]


def randomize(model):
    """No weight is what its initializer made it, so that none can take another's place unseen."""
    random = np.random.default_rng(5)
    for layer in leaves(model):
        layer.set_weights([w if w.ndim == 0 else
                           (random.uniform(0.5, 1.5, w.shape) if k > 1 else w + random.normal(0, 0.3, w.shape)).astype(w.dtype)
                           for k, w in enumerate(layer.get_weights())])


def write_floats(path, arrays):
    path.write_bytes(b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays))


def write_safetensors(path, model):
    """By hand, as the format's description has it: what reads it has another author."""
    header, data = {}, b""
    for v in model.weights:
        value = np.ascontiguousarray(v.numpy(), "<f4")
        header[v.path] = {"dtype": "F32", "shape": list(value.shape),
                          "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    header["__metadata__"] = {"framework": "keras"}
    text = json.dumps(dict(sorted(header.items()))).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# ---- files ----

def is_names(value):
    return isinstance(value, np.ndarray) and value.dtype.kind in "OS" and value.size > 0


def pack(path, lengths=False, pieces=False):
    """The same file in fewer bytes; lists of names as texts of one length, or cut into two lists."""
    small = path.with_suffix(".small")
    with h5py.File(path) as old, h5py.File(small, "w", libver="latest") as new:
        def attributes(a, b):
            for name, value in a.attrs.items():
                if is_names(value) and lengths:
                    b.attrs[name] = np.array([n.encode() if isinstance(n, str) else n for n in value], "S")
                elif is_names(value) and pieces and len(value) > 1:
                    b.attrs[name + "0"], b.attrs[name + "1"] = value[:1], value[1:]
                else:
                    b.attrs[name] = value

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                attributes(item, new.create_dataset(name, data=item[()], track_times=False))
            else:
                attributes(item, new.create_group(name))

        attributes(old, new)
        old.visititems(copy)
    small.rename(path)


def images():
    path = GOLDEN / "images.u8"
    if not path.exists():
        path.write_bytes(np.random.default_rng(6).integers(0, 256, (TRAINED, *SHAPE), dtype=np.uint8).tobytes())
    return np.frombuffer(path.read_bytes(), np.uint8).reshape(TRAINED, *SHAPE)


def fit(model, epochs):
    x = images().astype("float32") / 255
    history = model.fit(x, np.arange(TRAINED) % CLASSES, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0)
    return [float(loss) for loss in history.history["loss"]]


def save_weights(name, model):
    model.save_weights(GOLDEN / f"{name}_{VERSION}.weights.h5")
    pack(GOLDEN / f"{name}_{VERSION}.weights.h5")
    if VERSION == "2":
        model.save_weights(GOLDEN / f"{name}_2.top.h5")
        pack(GOLDEN / f"{name}_2.top.h5")


def write_trained(name, network, optimizer, alone=False, **packing):
    path = GOLDEN / f"{name}_{VERSION}.h5"
    keras.backend.clear_session()
    model = network()
    randomize(model)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    fit(model, 1)
    model.save(path)
    if packing:
        pack(path, **packing)
    write_floats(path.with_suffix(".weights.f32"), weights(model))
    if alone:
        save_weights(name, model)
    if VERSION == "3" and name != "nadam":
        write_safetensors(path.with_suffix(".safetensors"), model)
    losses = fit(model, 3)
    path.with_suffix(".losses.json").write_text(json.dumps(losses) + "\n")


def write_layers():
    path = GOLDEN / f"layers_{VERSION}.h5"
    keras.backend.clear_session()
    model = all_layers()
    random = np.random.default_rng(7)
    model.get_layer("adapted").adapt(random.normal(1, 2, (50, 9, 8, 3)).astype("float32"))
    randomize(model)
    model.save(path)
    pack(path, pieces=True)
    x = random.normal(size=(IMAGES, 9, 8, 3)).astype("float32")
    write_floats(path.with_suffix(".inputs.f32"), [x])
    write_floats(path.with_suffix(".outputs.f32"), [keras.models.load_model(path).predict(x, verbose=0)])
    write_floats(path.with_suffix(".weights.f32"), weights(model))


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(3)
    write_layers()
    write_trained("sequential", sequential, keras.optimizers.Adam(0.01), alone=True)
    write_trained("graph", graph, keras.optimizers.SGD(0.05, momentum=0.8), lengths=True)
    if VERSION == "2":
        write_trained("old", sequential, keras.optimizers.legacy.Adam(0.01), pieces=True)
    else:
        write_trained("nadam", sequential, keras.optimizers.Nadam(0.01), lengths=True)
    files = list(GOLDEN.iterdir())
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files)} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
