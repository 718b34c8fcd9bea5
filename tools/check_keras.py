#!/usr/bin/env python3
"""Loads a .keras file with Keras and says what it holds; with a second file, whether Keras finds the same in both.

    pip install keras tensorflow-cpu
    tools/check_keras.py model.keras
    tools/check_keras.py model.keras other.keras
    tools/check_keras.py model.h5 other.keras
    tools/check_keras.py model.keras --weights file.weights.h5
    tools/check_keras.py model.keras --weights file.safetensors

With --weights the second model is the first with the weights of that file, which Convoy wrote, in place of its own.

"The same": the layers' configs and shapes, every weight and every variable of the optimizer bit for bit, the outputs on
random inputs, and the losses of three further training steps. Exits with 1 when something differs.
"""
import argparse
import hashlib
import json
import os
import pathlib
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402


def load(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras only warns when it leaves an optimizer's variables out
        return keras.models.load_model(path)


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    return {name: np.frombuffer(data[8 + length:][slice(*t["data_offsets"])], "<f4").reshape(t["shape"])
            for name, t in json.loads(data[8:8 + length]).items()}


def is_called(name, path):
    """Convoy names a weight by its way through the models; Keras leaves models out that were made after their layers, and puts a
    Sequential's name in front."""
    return name == path or name.endswith("/" + path) or path.endswith("/" + name)


def load_weights(model, path):
    for v in model.weights:
        v.assign(np.zeros_like(v.numpy()))
    if not path.endswith(".safetensors"):
        model.load_weights(path)
        return
    tensors = read_safetensors(path)
    for v in model.weights:
        [name] = [name for name in tensors if is_called(name, v.path)]
        v.assign(tensors.pop(name))
    if tensors:
        raise ValueError(f"left over: {list(tensors)}")


def digest(arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:16]


def shape_of(layer):
    """What its last use gives: a layer used several times has no one output."""
    shapes = [t.shape for t in layer._inbound_nodes[-1].output_tensors]
    return shapes if len(shapes) > 1 else shapes[0]


def describe(path, model):
    weights = model.get_weights()
    print(f"{path}: {model.name}, {len(model.layers)} layers, {model.count_params()} parameters")
    for layer in model.layers:
        print(f"  {layer.name} ({layer.__class__.__name__}) {shape_of(layer)}, "
              f"weights {digest(layer.get_weights())}")
    print(f"  weights {digest(weights)}, all finite: {all(np.isfinite(w).all() for w in weights)}")
    optimizer = getattr(model, "optimizer", None)  # a model that was never compiled has none
    if optimizer:
        step = int(optimizer.iterations)
        print(f"  optimizer {optimizer.name}, step {step}, learning rate {float(optimizer.learning_rate):g}, "
              f"variables {digest([v.numpy() for v in optimizer.variables])}")
        print(f"  compiled with {compiled(model)}")


def inputs(model, count):
    """One array for each input."""
    random = np.random.default_rng(7)
    return [random.random((count, *t.shape[1:]), dtype="float32") for t in model.inputs]


def alone(arrays):
    return arrays if len(arrays) > 1 else arrays[0]


def outputs(model):
    found = model.predict(alone(inputs(model, 8)), verbose=0)
    return found if isinstance(found, list) else [found]


def compiled(model):
    """Loss and metrics as Keras would write them."""
    config = model.get_compile_config()
    return json.dumps({key: config.get(key) for key in ("loss", "metrics")})


def losses(model):
    x = alone(inputs(model, 24))
    y = np.random.default_rng(8).integers(0, model.output_shape[-1], 24)
    if "sparse" not in json.dumps(model.get_compile_config()["loss"]).lower():
        y = keras.utils.to_categorical(y, model.output_shape[-1])
    return [float(np.ravel(model.train_on_batch(x[i:i + 8], y[i:i + 8]))[0]) for i in (0, 8, 16)]


def same_arrays(a, b):
    return len(a) == len(b) and all(x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes()
                                    for x, y in zip(a, b))


def checks(a, b):
    """Yields what was compared and whether it was the same. The last one changes the models."""
    configs = [[json.dumps(layer.get_config(), default=str) for layer in model.layers] for model in (a, b)]
    shapes = [[shape_of(layer) for layer in model.layers] for model in (a, b)]
    yield "layers", configs[0] == configs[1] and shapes[0] == shapes[1]
    yield "weights", same_arrays(a.get_weights(), b.get_weights())
    yield "outputs", same_arrays(outputs(a), outputs(b))
    optimizers = [getattr(model, "optimizer", None) for model in (a, b)]
    yield "kind of optimizer", type(optimizers[0]) is type(optimizers[1])
    if all(optimizers):
        yield "optimizer's variables", same_arrays(*([v.numpy() for v in o.variables] for o in optimizers))
        found = losses(a), losses(b)
        yield f"losses {found[0]} and {found[1]}", found[0] == found[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("other", nargs="?")
    parser.add_argument("--weights", help="of the second model, in place of those of the first")
    args = parser.parse_args()
    model = load(args.file)
    describe(args.file, model)
    if not args.other and not args.weights:
        return 0
    other = load(args.other or args.file)
    if args.weights:
        load_weights(other, args.weights)
    describe(args.weights or args.other, other)
    failed = 0
    for what, same in checks(model, other):
        print(f"  {what}: {'the same' if same else 'DIFFERENT'}")
        failed += not same
    return 1 if failed else 0


sys.exit(main())
