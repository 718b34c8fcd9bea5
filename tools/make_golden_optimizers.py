#!/usr/bin/env python3
"""Writes tests/golden/optimizers: what Keras's optimizers, schedules and callbacks compute and write.

    pip install keras tensorflow-cpu
    tools/make_golden_optimizers.py

optimizers.json: weights of two variables after some of six steps on given gradients, for each optimizer and set of options,
and its variables at the end.
schedules.json: rates at some steps, and the config as Keras writes it.
NAME.keras for each optimizer: compiled and fitted for six steps; files.json: its slots and the next three losses.
callbacks.json: what callbacks did in runs whose metrics are given; log*.csv: CSVLogger's files of the same runs.
"""
import json
import os
import pathlib
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import optimizers  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "optimizers"
NAMES = {name.lower(): getattr(optimizers, name) for name in
         ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Nadam", "Lamb", "Lion")}
SCHEDULES = vars(optimizers.schedules)
STEPS = 6

OPTIMIZERS = [
    "sgd", "sgd(momentum=0.9)", "sgd(momentum=0.9, nesterov=True)", "sgd(weight_decay=0.02, learning_rate=0.5)",
    "sgd(clipvalue=0.2)", "sgd(global_clipnorm=0.7, momentum=0.9)", "sgd(clipnorm=0.3, weight_decay=0.1)",
    "sgd(gradient_accumulation_steps=2, momentum=0.5)",
    "sgd(use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2)",
    "adam", "adam(amsgrad=True)", "adam(beta_1=0.8, beta_2=0.99, epsilon=0.001)", "adam(clipnorm=0.5)",
    "adam(use_ema=True, ema_momentum=0.9)", "adam(weight_decay=0.05, amsgrad=True, global_clipnorm=0.5)",
    "adam(gradient_accumulation_steps=3, use_ema=True, ema_overwrite_frequency=1, clipnorm=0.1)",
    "adamw", "adamw(weight_decay=0.1, learning_rate=0.01)",
    "rmsprop", "rmsprop(momentum=0.9)", "rmsprop(centered=True)",
    "rmsprop(momentum=0.9, centered=True, rho=0.8, epsilon=0.01)",
    "adagrad", "adagrad(initial_accumulator_value=0.5, learning_rate=0.1)",
    "adadelta(learning_rate=1.0)", "adadelta(rho=0.9, epsilon=0.001)",
    "nadam", "nadam(gradient_accumulation_steps=2, learning_rate=0.01)", "nadam(beta_1=0.7, clipnorm=0.2)",
    "lamb", "lamb(weight_decay=0.01, learning_rate=0.1)", "lamb(clipnorm=0.2)",
    "lion", "lion(beta_1=0.95, beta_2=0.98, weight_decay=0.01)",
    "sgd(learning_rate=ExponentialDecay(initial_learning_rate=0.1, decay_steps=2, decay_rate=0.5))",
    "adamw(learning_rate=CosineDecay(initial_learning_rate=0.0, decay_steps=4, warmup_target=0.1, warmup_steps=2))",
]

RATES = [
    "ExponentialDecay(initial_learning_rate=0.1, decay_steps=1000, decay_rate=0.96)",
    "ExponentialDecay(initial_learning_rate=0.1, decay_steps=100, decay_rate=0.5, staircase=True)",
    "PiecewiseConstantDecay(boundaries=[100, 200, 1000], values=[1.0, 0.5, 0.1, 0.01])",
    "PiecewiseConstantDecay(boundaries=[10], values=[0.1, 0.2])",
    "PolynomialDecay(initial_learning_rate=0.1, decay_steps=300)",
    "PolynomialDecay(initial_learning_rate=0.1, decay_steps=300, end_learning_rate=0.01, power=0.5)",
    "PolynomialDecay(initial_learning_rate=0.1, decay_steps=300, end_learning_rate=0.01, power=2.0, cycle=True)",
    "InverseTimeDecay(initial_learning_rate=0.1, decay_steps=50, decay_rate=0.5)",
    "InverseTimeDecay(initial_learning_rate=0.1, decay_steps=50, decay_rate=0.5, staircase=True)",
    "CosineDecay(initial_learning_rate=0.1, decay_steps=1000)",
    "CosineDecay(initial_learning_rate=0.0, decay_steps=900, alpha=0.1, warmup_target=0.1, warmup_steps=100)",
    "CosineDecayRestarts(initial_learning_rate=0.1, first_decay_steps=90)",
    "CosineDecayRestarts(initial_learning_rate=0.1, first_decay_steps=90, t_mul=1.0, m_mul=0.8, alpha=0.05)",
    "CosineDecayRestarts(initial_learning_rate=0.1, first_decay_steps=45, t_mul=1.5, m_mul=0.9)",
]
RATE_STEPS = [0, 1, 2, 7, 10, 11, 49, 50, 99, 100, 101, 150, 199, 200, 201, 299, 300, 301, 449, 600, 899, 1000, 1001, 5000]

FILES = {
    "sgd": "sgd(momentum=0.9, nesterov=True, learning_rate=0.05)",
    "adam": "adam(amsgrad=True, learning_rate=0.01)",
    "adamw": "adamw(learning_rate=0.01, clipnorm=0.5)",
    "rmsprop": "rmsprop(momentum=0.5, centered=True, learning_rate=0.01)",
    "adagrad": "adagrad(learning_rate=0.05)",
    "adadelta": "adadelta(learning_rate=0.5)",
    "nadam": "nadam(learning_rate=0.01)",
    "lamb": "lamb(learning_rate=0.05)",
    "lion": "lion(learning_rate=0.005, weight_decay=0.01)",
    "averaged": "adam(use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4, gradient_accumulation_steps=2)",
    "scheduled": "sgd(momentum=0.5, learning_rate=CosineDecay(initial_learning_rate=0.1, decay_steps=20))",
}


def make(text):
    return eval(text if text.endswith(")") else text + "()", {**SCHEDULES, **NAMES})  # only the texts above come here


def numbers(array):
    """Short and exact: the shortest text of each float32."""
    return [float(str(v)) for v in np.asarray(array, "float32").ravel()]


def write(name, value):
    lines = json.dumps(value).replace('}, {"', '},\n{"').replace(': [{"', ': [\n{"')
    (GOLDEN / name).write_text(lines + "\n")


def deflate(path):
    """Keras stores the members; here they are packed, without their times (libhdf5 keeps some of its own)."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist() if info.filename != "metadata.json"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


# ---- optimizers ----

def steps_of(text, start, gradients):
    optimizer = make(text)
    variables = [keras.Variable(s) for s in start]
    seen = {}
    for step, gradient in enumerate(gradients, 1):
        optimizer.apply(gradient, variables)
        if step in (1, 3, STEPS):
            seen[str(step)] = numbers(np.concatenate([v.numpy().ravel() for v in variables]))
    state = [v for v in optimizer.variables if v.name not in ("iteration", "learning_rate")]
    case = {"optimizer": text, "weights": seen, "state": [numbers(v.numpy()) for v in state]}
    if optimizer.use_ema:
        optimizer.finalize_variable_values(variables)
        case["final"] = numbers(np.concatenate([v.numpy().ravel() for v in variables]))
    return case


def optimizers_json():
    rng = np.random.default_rng(1)
    start = [rng.normal(size=(3, 2)).astype("float32"), rng.normal(size=2).astype("float32")]
    gradients = [[rng.normal(size=s.shape).astype("float32") * 0.5 for s in start] for _ in range(STEPS)]
    flat = [numbers(np.concatenate([g.ravel() for g in step])) for step in gradients]
    write("optimizers.json", {"start": numbers(np.concatenate([s.ravel() for s in start])), "gradients": flat,
                              "cases": [steps_of(text, start, [[g.copy() for g in s] for s in gradients])
                                        for text in OPTIMIZERS]})


# ---- schedules ----

def schedules_json():
    rows = []
    for text in RATES:
        schedule = make(text)
        rates = [float(str(np.float32(schedule(keras.ops.convert_to_tensor(step, "int64"))))) for step in RATE_STEPS]
        rows.append({"schedule": text, "rates": rates, "config": optimizers.schedules.serialize(schedule)})
    write("schedules.json", {"steps": RATE_STEPS, "cases": rows})


# ---- files ----

def images(count):
    """The same in tests/test_optimizers.c."""
    n, i = np.meshgrid(np.arange(count), np.arange(9), indexing="ij")
    labels = np.arange(count) * 7 % 3
    x = (n * 31 + i * 17) % 97 + np.where(i % 3 == labels[:, None], 90, 0)
    return (x.reshape(count, 3, 3, 1) / np.float32(255)).astype("float32"), labels


def file_row(name, text):
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3, 3, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(make(text), loss, metrics=["accuracy"])
    x, y = images(24)
    for step in range(STEPS):
        rows = slice(step % 3 * 8, step % 3 * 8 + 8)
        model.train_on_batch(x[rows], y[rows])
    model.save(GOLDEN / f"{name}.keras")
    deflate(GOLDEN / f"{name}.keras")
    slots = [v.numpy() for v in model.optimizer.variables if v.name not in ("iteration", "learning_rate")]
    row = {"name": name, "optimizer": text, "slots": [numbers(s) for s in slots], "losses": []}
    for step in range(3):
        rows = slice(step * 8, step * 8 + 8)
        model.reset_metrics()
        row["losses"].append(float(model.train_on_batch(x[rows], y[rows])[0]))
    row["weights"] = numbers(np.concatenate([w.ravel() for w in model.get_weights()]))
    return row


# ---- callbacks ----

EPOCHS = [  # loss, accuracy, val_loss, val_accuracy
    (2.1, 0.25, 2.0, 0.3), (1.5, 0.5, 1.6, 0.45), (1.2, 0.6, 1.55, 0.5), (1.0, 0.65, 1.5499, 0.5),
    (0.9, 0.7, 1.7, 0.55), (0.85, 0.72, 1.3, 0.54), (0.8, 0.75, 1.29995, 0.53), (0.7, 0.8, 1.4, 0.6),
    (1e-5, 0.82, 1.35, 0.61), (float("inf"), 0.83, 1.3, 0.6), (0.62, 1.0, 1.25, 0.59), (0.6, 0.0, 123456.789, 0.58),
]
STOPS = [
    "EarlyStopping()", "EarlyStopping(patience=2)", "EarlyStopping(patience=3, restore_best_weights=True)",
    "EarlyStopping(monitor='val_accuracy', patience=1)", "EarlyStopping(monitor='accuracy', mode='min', patience=4)",
    "EarlyStopping(min_delta=0.1, patience=2)", "EarlyStopping(baseline=1.4, patience=3)",
    "EarlyStopping(start_from_epoch=4, patience=1, restore_best_weights=True)", "EarlyStopping(monitor='loss', patience=1)",
]
REDUCTIONS = [
    "ReduceLROnPlateau(patience=1)", "ReduceLROnPlateau(patience=2, factor=0.5)",
    "ReduceLROnPlateau(monitor='val_accuracy', patience=1, cooldown=2)",
    "ReduceLROnPlateau(patience=1, factor=0.3, min_lr=0.0002, min_delta=0.2)",
]
CHECKPOINTS = [
    "ModelCheckpoint(filepath='e{epoch:02d}.keras')",
    "ModelCheckpoint(filepath='b{epoch}-{val_loss:.2f}.keras', save_best_only=True)",
    "ModelCheckpoint(filepath='a{epoch:03d}-{val_accuracy:.3e}{{x}}.keras', save_best_only=True, monitor='val_accuracy')",
    "ModelCheckpoint(filepath='t{epoch}-{accuracy}.keras', save_best_only=True, initial_value_threshold=1.55)",
]
LOGS = [  # name, callbacks, keys of the logs that there are
    ("log", ["CSVLogger(filename='log.csv')"], 4), ("log_train", ["CSVLogger(filename='log_train.csv', separator=';')"], 2),
    ("log_rate", ["ReduceLROnPlateau(patience=2, factor=0.3)", "CSVLogger(filename='log_rate.csv', append=True)"], 4),
]


def logs_of(epoch, keys=4):
    loss, accuracy, val_loss, val_accuracy = (float(np.float32(v)) for v in EPOCHS[epoch])
    logs = {"accuracy": accuracy, "loss": loss, "val_accuracy": val_accuracy, "val_loss": val_loss}
    return dict(list(logs.items())[:keys])


def run_callbacks(texts, keys=4, after=lambda model, epoch: None):
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3, 3, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(*images(8))  # Keras asks the metrics which way is up
    callbacks = [eval(text, vars(keras.callbacks)) for text in texts]
    saved = []
    model.save = lambda path, **_: saved.append(path)
    model.stop_training = False
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch in range(len(EPOCHS)):
        logs = logs_of(epoch, keys)
        for callback in callbacks:
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, logs)
        after(model, epoch)
        if model.stop_training:
            break
    for callback in callbacks:
        callback.on_train_end()
    return callbacks, epoch if model.stop_training else -1, saved


def callbacks_json():
    os.chdir(GOLDEN)
    root = {"epochs": EPOCHS, "stops": [], "reductions": [], "checkpoints": [], "logs": []}
    root["epochs"] = [[None if not np.isfinite(v) else v for v in row] for row in EPOCHS]  # JSON has no infinity
    for text in STOPS:
        (callback,), stopped, _ = run_callbacks([text])
        root["stops"].append({"callback": text, "stopped": stopped, "best_epoch": callback.best_epoch})
    for text in REDUCTIONS:
        rates = []
        run_callbacks([text], after=lambda model, _: rates.append(float(str(model.optimizer.learning_rate.numpy()))))
        root["reductions"].append({"callback": text, "rates": rates})
    for text in CHECKPOINTS:
        root["checkpoints"].append({"callback": text, "saved": run_callbacks([text])[2]})
    for name, texts, keys in LOGS:
        (GOLDEN / f"{name}.csv").unlink(missing_ok=True)
        run_callbacks(texts, keys)
        root["logs"].append({"file": f"{name}.csv", "callbacks": texts, "keys": keys})
    write("callbacks.json", root)


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    optimizers_json()
    schedules_json()
    write("files.json", {"files": [file_row(name, text) for name, text in FILES.items()]})
    callbacks_json()


main()
