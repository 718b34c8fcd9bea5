#!/usr/bin/env python3
"""Writes tests/golden/losses.json: what Keras says of losses and metrics.

    pip install keras tensorflow-cpu numpy
    tools/make_golden_losses.py

values   losses and their gradients on given outputs, some of them at the bounds that Keras clips to
metrics  results after two updates on given outputs
runs     an epoch of five training steps, the last one on a part of a batch, with class weights or sample weights: the loss of
         each step, what fit and evaluate say, and all weights
configs  how Keras writes losses and metrics into compile_config

Outputs, pixels, labels, weights and start values follow from integer formulas that tests/loss_help.h repeats. All is computed in
float32: a bound like 1 - 1e-7 is another number in float64.
"""
import argparse
import json
import pathlib

import make_golden_layers as plain
import numpy as np

CELLS = 5  # rows of outputs
ROWS, BATCH, SIDE = 37, 8, 3

# (loss, outputs, what the outputs are)
VALUES = [
    ("SparseCategoricalCrossentropy(from_logits=True)", 3, "logits"),
    ("SparseCategoricalCrossentropy()", 3, "probabilities"),
    ("SparseCategoricalCrossentropy()", 4, "bounds"),
    ("CategoricalCrossentropy(from_logits=True)", 3, "logits"),
    ("CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", 4, "logits"),
    ("CategoricalCrossentropy()", 3, "probabilities"),
    ("CategoricalCrossentropy(label_smoothing=0.3)", 4, "probabilities"),
    ("CategoricalCrossentropy(label_smoothing=0.1)", 3, "bounds"),
    ("BinaryCrossentropy(from_logits=True)", 3, "logits"),
    ("BinaryCrossentropy(from_logits=True, label_smoothing=0.2)", 1, "logits"),
    ("BinaryCrossentropy()", 1, "probabilities"),
    ("BinaryCrossentropy(label_smoothing=0.1)", 3, "probabilities"),
    ("BinaryCrossentropy(label_smoothing=0.1)", 4, "bounds"),
    ("BinaryCrossentropy()", 1, "bounds"),
    ("MeanSquaredError()", 3, "logits"),
    ("MeanSquaredError()", 1, "logits"),
    ("MeanAbsoluteError()", 3, "bounds"),
    ("MeanAbsoluteError()", 1, "logits"),
    ("Huber()", 3, "logits"),
    ("Huber(delta=0.25)", 4, "probabilities"),
    ("Huber(delta=2)", 1, "logits"),
    ("CategoricalFocalCrossentropy()", 3, "probabilities"),
    ("CategoricalFocalCrossentropy(alpha=[0.125, 0.5, 0.875, 1.5], gamma=1.5, label_smoothing=0.1)", 4, "bounds"),
    ("CategoricalFocalCrossentropy(from_logits=True, gamma=3)", 4, "logits"),
    ("CategoricalFocalCrossentropy(from_logits=True)", 3, "steep"),
    ("BinaryFocalCrossentropy()", 3, "probabilities"),
    ("BinaryFocalCrossentropy(apply_class_balancing=True, gamma=1)", 1, "bounds"),
    ("BinaryFocalCrossentropy(from_logits=True, apply_class_balancing=True, alpha=0.375, gamma=1.5, label_smoothing=0.125)", 1,
     "logits"),
    ("BinaryFocalCrossentropy(from_logits=True)", 3, "steep"),
    ("MeanAbsolutePercentageError()", 3, "logits"),
    ("MeanAbsolutePercentageError()", 1, "logits"),
    ("MeanSquaredLogarithmicError()", 3, "logits"),
    ("MeanSquaredLogarithmicError()", 1, "probabilities"),
    ("LogCosh()", 3, "logits"),
    ("LogCosh()", 1, "steep"),
    ("CosineSimilarity()", 4, "logits"),
    ("CosineSimilarity()", 1, "logits"),
    ("KLDivergence()", 4, "bounds"),
    ("KLDivergence()", 1, "probabilities"),
    ("Poisson()", 3, "probabilities"),
    ("Poisson()", 1, "probabilities"),
    ("Hinge()", 3, "logits"),
    ("Hinge()", 1, "bounds"),
    ("SquaredHinge()", 3, "logits"),
    ("SquaredHinge()", 1, "logits"),
    ("CategoricalHinge()", 4, "levels"),
    ("CategoricalHinge()", 1, "logits"),
    ("Dice()", 3, "probabilities"),
    ("Dice()", 1, "bounds"),
    ("Dice(axis=-1)", 3, "probabilities"),
    ("Dice(reduction='sum')", 3, "probabilities"),
    ("Dice(reduction=None)", 3, "probabilities"),
    ("Dice(reduction='mean_with_sample_weight')", 3, "probabilities"),
    ("Tversky(alpha=0.25, beta=0.875)", 3, "probabilities"),
    ("Tversky()", 1, "probabilities"),
    ("MeanSquaredError(reduction='sum')", 3, "logits"),
    ("MeanSquaredError(reduction='none')", 3, "logits"),
    ("MeanSquaredError(reduction='mean')", 3, "logits"),
    ("MeanSquaredError(reduction='mean_with_sample_weight')", 3, "logits"),
    ("SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)", 3, "logits"),
    ("SparseCategoricalCrossentropy(ignore_class=2)", 3, "bounds"),
    ("SparseCategoricalCrossentropy(from_logits=True, ignore_class=1, reduction='sum')", 3, "logits"),
    ("SparseCategoricalCrossentropy(from_logits=True, ignore_class=1, reduction=None)", 3, "logits"),
    ("SparseCategoricalCrossentropy(from_logits=True, ignore_class=1, reduction='mean_with_sample_weight')", 3, "logits"),
]

# (metric, outputs, what the outputs are), and perhaps that images have weights
METRICS = [
    ("SparseCategoricalAccuracy()", 3, "logits"),
    ("CategoricalAccuracy()", 4, "levels"),
    ("BinaryAccuracy()", 1, "probabilities"),
    ("BinaryAccuracy()", 1, "logits"),
    ("BinaryAccuracy(threshold=0.25)", 3, "probabilities"),
    ("TopKCategoricalAccuracy(k=2)", 4, "logits"),
    ("SparseTopKCategoricalAccuracy(k=2)", 4, "levels"),
    ("SparseTopKCategoricalAccuracy()", 7, "logits"),
    ("TopKCategoricalAccuracy()", 3, "logits"),
    ("Precision()", 3, "probabilities"),
    ("Precision(thresholds=0.25)", 1, "probabilities"),
    ("Precision(thresholds=[0.4], class_id=1)", 3, "probabilities"),
    ("Precision(top_k=2)", 4, "levels"),
    ("Precision(top_k=2, class_id=0)", 4, "logits"),
    ("Precision(thresholds=0.5, top_k=1)", 4, "logits"),
    ("Recall()", 3, "probabilities"),
    ("Recall(class_id=2)", 3, "probabilities"),
    ("Recall(thresholds=0)", 1, "logits"),
    ("Recall(top_k=2)", 4, "levels"),
    ("Recall(thresholds=0.25, top_k=3, class_id=1)", 5, "logits"),
    ("TruePositives()", 3, "probabilities"),
    ("FalsePositives(thresholds=0.25)", 1, "probabilities"),
    ("TrueNegatives()", 3, "probabilities"),
    ("FalseNegatives()", 3, "probabilities"),
    ("AUC()", 3, "probabilities"),
    ("AUC()", 1, "bounds"),
    ("AUC(num_thresholds=7, curve='PR')", 3, "probabilities"),
    ("AUC(num_thresholds=11, summation_method='minoring')", 3, "bounds"),
    ("AUC(num_thresholds=20, curve='PR', summation_method='majoring')", 3, "probabilities"),
    ("AUC(num_thresholds=9, curve='PRGAIN')", 1, "probabilities"),
    ("AUC(num_thresholds=50, multi_label=True, num_labels=3)", 3, "probabilities"),
    ("AUC(from_logits=True)", 1, "logits"),
    ("PrecisionAtRecall(recall=0.5)", 3, "probabilities"),
    ("PrecisionAtRecall(recall=0.25, num_thresholds=1)", 3, "probabilities"),
    ("RecallAtPrecision(precision=0.4, num_thresholds=20)", 1, "probabilities"),
    ("SensitivityAtSpecificity(specificity=0.6)", 3, "bounds"),
    ("SpecificityAtSensitivity(sensitivity=0.5, class_id=1)", 3, "probabilities"),
    ("F1Score(average='macro')", 3, "levels"),
    ("F1Score(average='micro')", 1, "probabilities"),
    ("F1Score(average='weighted', threshold=0.5)", 3, "probabilities"),
    ("FBetaScore(average='macro', beta=2.0, threshold=0.25)", 3, "probabilities"),
    ("MeanIoU(num_classes=3, sparse_y_pred=False)", 3, "logits"),
    ("MeanIoU(num_classes=3)", 1, "levels"),
    ("IoU(num_classes=4, target_class_ids=[0, 2], sparse_y_pred=False, ignore_class=1)", 4, "logits"),
    ("OneHotIoU(num_classes=3, target_class_ids=[1])", 3, "levels"),
    ("OneHotMeanIoU(num_classes=4)", 4, "logits"),
    ("BinaryIoU(threshold=0.25)", 1, "probabilities"),
    ("BinaryIoU(target_class_ids=[1])", 3, "probabilities"),
    ("R2Score()", 3, "probabilities"),
    ("R2Score(class_aggregation='variance_weighted_average', num_regressors=2)", 3, "probabilities"),
    ("RootMeanSquaredError()", 3, "logits"),
    ("MeanSquaredError()", 3, "logits"),
    ("MeanAbsoluteError()", 1, "logits"),
    ("MeanAbsolutePercentageError()", 3, "logits"),
    ("MeanSquaredLogarithmicError()", 3, "logits"),
    ("LogCoshError()", 3, "logits"),
    ("CosineSimilarity()", 3, "logits"),
    ("KLDivergence()", 3, "bounds"),
    ("Poisson()", 3, "probabilities"),
    ("Hinge()", 3, "logits"),
    ("SquaredHinge()", 3, "logits"),
    ("CategoricalHinge()", 3, "logits"),
    ("BinaryCrossentropy(from_logits=True)", 3, "logits"),
    ("CategoricalCrossentropy(label_smoothing=0.1)", 3, "bounds"),
    ("SparseCategoricalCrossentropy(ignore_class=1)", 3, "probabilities"),
    ("SparseCategoricalAccuracy()", 3, "logits", "weighted"),
    ("BinaryAccuracy()", 3, "probabilities", "weighted"),
    ("Precision()", 3, "probabilities", "weighted"),
    ("AUC()", 3, "probabilities", "weighted"),
    ("F1Score(average='macro')", 3, "logits", "weighted"),
    ("R2Score()", 3, "probabilities", "weighted"),
    ("RootMeanSquaredError()", 3, "logits", "weighted"),
    ("SparseCategoricalCrossentropy(ignore_class=1)", 3, "probabilities", "weighted"),
]

ANY_NUMBER = ("mean", "mse", "mape", "msle", "huber", "logcosh", "cosine", "kl", "poisson", "categoricalhinge", "tversky")
CLASS_WEIGHT = {0: 0.5, 2: 2.25}

# (loss, outputs, last activation, metrics, weights)
RUNS = [
    ("SparseCategoricalCrossentropy(from_logits=True)", 3, "linear", ["accuracy"], None),
    ("SparseCategoricalCrossentropy(from_logits=True)", 3, "linear",
     ["accuracy", "SparseTopKCategoricalAccuracy(k=2)"], "classes"),
    ("SparseCategoricalCrossentropy()", 3, "softmax", ["acc"], "images"),
    ("CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", 3, "linear",
     ["TopKCategoricalAccuracy(k=2)", "accuracy", "Recall(thresholds=0.3)", "Precision(thresholds=0.4)"], "images"),
    ("CategoricalCrossentropy()", 4, "softmax",
     ["Precision(thresholds=0.25)", "Precision(thresholds=0.25, class_id=1)", "Recall(top_k=2, class_id=0, name='two')"],
     "classes"),
    ("BinaryCrossentropy(label_smoothing=0.2)", 1, "sigmoid", ["accuracy", "Precision()", "Recall()"], "images"),
    ("BinaryCrossentropy(from_logits=True)", 3, "linear", ["binary_accuracy", "accuracy"], "classes"),
    ("mse", 3, "linear", ["CategoricalAccuracy"], "images"),
    ("mean_squared_error", 1, "linear", ["accuracy"], "classes"),
    ("MeanAbsoluteError()", 3, "tanh", ["accuracy"], "classes"),
    ("CategoricalFocalCrossentropy()", 3, "softmax", ["accuracy"], "images"),
    ("BinaryFocalCrossentropy(from_logits=True)", 1, "linear", ["accuracy"], "classes"),
    ("CategoricalHinge()", 3, "tanh", ["accuracy"], "classes"),
    ("Dice()", 3, "softmax", ["accuracy"], None),
    ("Dice(reduction='sum')", 3, "softmax", ["accuracy"], "images"),
    ("Tversky(reduction='none')", 3, "softmax", ["accuracy"], "classes"),
    ("SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)", 3, "linear", ["accuracy"], "images"),
    ("CategoricalCrossentropy(from_logits=True, reduction='mean_with_sample_weight')", 3, "linear", ["accuracy"], "classes"),
    ("MeanSquaredError(reduction='sum')", 3, "tanh", ["accuracy"], "images"),
    ("LogCosh(reduction=None)", 3, "tanh", ["accuracy"], None),
    ("Huber(delta=0.3)", 3, "linear", ["accuracy"], "images"),
]
SPLIT = 0.3  # of the last row's run, once more

# (loss, metrics): names, objects and functions
CONFIGS = [
    ("'sparse_categorical_crossentropy'", "['accuracy']"),
    ("'mse'", "['acc', 'Precision']"),
    ("'BinaryCrossentropy'", "None"),
    ("losses.mean_absolute_error", "[metrics.categorical_accuracy]"),
    ("losses.SparseCategoricalCrossentropy(from_logits=True)", "[['accuracy']]"),
    ("losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)",
     "[metrics.TopKCategoricalAccuracy(k=2), 'accuracy', metrics.Precision(thresholds=[0.4], class_id=1, name='one')]"),
    ("losses.BinaryCrossentropy(label_smoothing=0.25)",
     "[metrics.Recall(top_k=2, name='recall'), metrics.BinaryAccuracy(threshold=0.25)]"),
    ("losses.Huber(delta=0.5)", "[metrics.SparseTopKCategoricalAccuracy(k=3), metrics.SparseCategoricalAccuracy()]"),
    ("losses.KLDivergence()", "[metrics.AUC(), 'accuracy']"),
]


def evaluated(module, text):
    """A loss or a metric as its text says: an object, or a word that Keras reads itself."""
    return eval(text, dict(vars(module))) if "(" in text else text


def classes_of(text, count):
    """A single output: two classes, or for a loss that compares it with the label itself, three."""
    return count if count > 1 else 3 if text.lower().startswith(ANY_NUMBER) else 2


def outputs(kind, shape, seed):
    v = plain.tensor(shape, seed).astype(np.float32)
    if kind == "logits":
        return v * np.float32(3)
    if kind == "steep":
        return v * np.float32(60)
    if kind == "levels":  # many ties
        return np.round(v * np.float32(2))
    v = np.abs(v)
    if kind == "bounds":  # every third value is 0 or 1
        flat = v.reshape(-1)
        flat[::6], flat[3::6] = 0, 1
    return v


def labels_of(rows, classes):
    return np.arange(rows) * 11 % classes


def weights_of(rows):
    i = np.arange(rows)
    return ((i * 13 % 7 + 1) / 4).astype(np.float32)


def targets(keras, labels, count, sparse):
    if sparse:
        return labels
    return labels[:, None].astype(np.float32) if count == 1 else keras.utils.to_categorical(labels, count)


def value(keras, tf, text, count, kind, seed):
    z = tf.constant(outputs(kind, (CELLS, count), seed))
    y = targets(keras, labels_of(CELLS, classes_of(text, count)), count, text.startswith("Sparse"))
    made = evaluated(keras.losses, text)

    @tf.function  # as fit has it: the logits of a sigmoid are seen
    def both(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = made(y, z, sample_weight=weights_of(CELLS))
        return loss, tape.gradient(loss, z)

    loss, gradient = both(z)
    return {"loss": text, "outputs": count, "kind": kind, "seed": seed, "value": plain.rounded(tf.reduce_mean(loss))[0],
            "gradient": plain.rounded(gradient)}


def metric(keras, text, count, kind, weighted, seed):
    made = evaluated(keras.metrics, text)
    z = outputs(kind, (2 * CELLS + 1, count), seed)
    y = targets(keras, labels_of(len(z), classes_of(text, count)), count, text.startswith(("Sparse", "MeanIoU", "IoU")))
    for part in (slice(0, 8), slice(8, None)):
        made.update_state(y[part], z[part], **({"sample_weight": weights_of(len(z))[part]} if weighted else {}))
    return {"metric": text, "outputs": count, "kind": kind, "weighted": bool(weighted), "seed": seed, "value": plain.rounded(made.result())[0]}


def images():
    i = np.arange(ROWS * SIDE * SIDE, dtype=np.int64)
    return ((i * 7919 + i // 9 * 31) % 251).astype(np.float32).reshape(ROWS, SIDE, SIDE, 1) / np.float32(255)


def build(keras, text, count, activation, metrics):
    keras.utils.clear_session()  # names count anew: precision, precision_1
    model = keras.Sequential([keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(),
                              keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(count, activation=activation)])
    model.compile(keras.optimizers.SGD(0.2), evaluated(keras.losses, text),
                  metrics=[evaluated(keras.metrics, m) for m in metrics])
    for i, variable in enumerate(model.weights):
        variable.assign(plain.tensor(variable.shape, 7000 + i) * 0.5)
    return model


def logs_of(logs):
    return {name: plain.rounded(v)[0] for name, v in logs.items()}


def run(keras, text, count, activation, metrics, weights, split=0.0):
    x, labels = images(), labels_of(ROWS, classes_of(text, count))
    y = targets(keras, labels, count, text.startswith("Sparse"))
    how = {"classes": dict(class_weight=CLASS_WEIGHT), "images": dict(sample_weight=weights_of(ROWS)), None: {}}[weights]
    losses = []
    steps = build(keras, text, count, activation, metrics)
    for first in range(0, 0 if split else ROWS, BATCH):
        part = slice(first, first + BATCH)
        steps.reset_metrics()
        given = dict(sample_weight=how["sample_weight"][part]) if weights == "images" else how
        losses.append(float(steps.train_on_batch(x[part], y[part], return_dict=True, **given)["loss"]))
    model = build(keras, text, count, activation, metrics)
    history = model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0, validation_split=split, **how).history
    if not split:
        for a, b in zip(steps.get_weights(), model.get_weights()):
            assert np.allclose(a, b, rtol=0, atol=1e-6)
    again = {"sample_weight": weights_of(ROWS)} if weights == "images" else {}
    said = model.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True, **again)
    return {
        "loss": text, "outputs": count, "activation": activation, "metrics": metrics, "weights": weights, "split": split,
        "losses": plain.rounded(losses) if losses else [],
        "history": [[name, plain.rounded(values)[0]] for name, values in history.items()],
        "evaluated": logs_of(said),
        "values": [plain.rounded(v) for v in model.weights],
    }


def config(keras, loss, metrics):
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    names = {"losses": keras.losses, "metrics": keras.metrics}
    model.compile("sgd", loss=eval(loss, dict(names)), metrics=eval(metrics, dict(names)))
    written = model.get_compile_config()
    return {"given": [loss, metrics], "compile_config": {key: written[key] for key in ("loss", "metrics")}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=plain.ROOT / "tests/golden/losses.json")
    args = parser.parse_args()

    import keras
    import tensorflow as tf
    tf.config.experimental.enable_op_determinism()

    values = [value(keras, tf, *row, 100 + i) for i, row in enumerate(VALUES)]
    metrics = [metric(keras, *row[:3], row[3:], 300 + i) for i, row in enumerate(METRICS)]
    configs = [config(keras, *row) for row in CONFIGS]
    runs = [run(keras, *row) for row in RUNS] + [run(keras, *RUNS[-1], split=SPLIT)]
    golden = {
        "made_by": f"tools/make_golden_losses.py, Keras {keras.__version__}, TensorFlow {tf.__version__}",
        "values": values,
        "metrics": metrics,
        "runs": runs,
        "configs": configs,
    }
    text = json.dumps(golden, separators=(",", ":"))
    for key in ('{"loss":"', '{"metric":', '{"given"'):
        text = text.replace(key, "\n" + key)
    args.output.write_text(text + "\n")
    print(f"{args.output}: {len(values)} values, {len(metrics)} metrics, {len(runs)} runs, {len(text)} bytes")


if __name__ == "__main__":
    main()
