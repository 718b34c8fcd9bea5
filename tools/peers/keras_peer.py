"""The networks in Keras; see peer.py for the command line.

Modes of train: fit (as a user calls it: Keras decides on XLA) and fit-no-xla. Modes of predict: predict and
predict_on_batch (the model's methods), function and function-xla (a tf.function over tensors that are ready).
"""
import time

import keras
import peer
import tensorflow
from keras import layers

TRAIN_MODES = ("fit", "fit-no-xla")
PREDICT_MODES = ("predict", "predict_on_batch", "function", "function-xla")


class Clock(keras.callbacks.Callback):
    """The seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []
        self.start = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def tutorial():
    return keras.Sequential([
        keras.Input((32, 32, 3)),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"), layers.Flatten(),
        layers.Dense(64, activation="relu"), layers.Dense(10)])


def resnet20():
    def conv(x, filters, size, strides):
        return layers.Conv2D(filters, size, strides, padding="same", kernel_initializer="he_normal",
                             kernel_regularizer=keras.regularizers.L2(peer.L2))(x)

    images = keras.Input((32, 32, 3))
    x = layers.ReLU()(layers.BatchNormalization()(conv(images, 16, 3, 1)))
    for stack in range(3):
        for block in range(3):
            filters, strides = 16 << stack, 2 if stack > 0 and block == 0 else 1
            y = layers.ReLU()(layers.BatchNormalization()(conv(x, filters, 3, strides)))
            y = layers.BatchNormalization()(conv(y, filters, 3, 1))
            x = layers.ReLU()(layers.Add()([conv(x, filters, 1, strides) if strides > 1 else x, y]))
    return keras.Model(images, layers.Dense(10)(layers.Flatten()(layers.AveragePooling2D(8)(x))))


def build(mode, network="tutorial"):
    model = {"tutorial": tutorial, "resnet20": resnet20}[network]()
    model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=["accuracy"], jit_compile=False if mode == "fit-no-xla" else "auto")
    return model


def train(args):
    images, labels = peer.read(args.data, "train", peer.PLANES_LAST)
    clock = Clock()
    model = build(args.mode, args.network)
    model.fit(images, labels, batch_size=args.batch, epochs=1 + args.epochs, verbose=0, callbacks=[clock])
    peer.report(len(images), clock.seconds[1:])


def predict(args):
    images, _ = peer.read(args.data, "train", peer.PLANES_LAST)
    model = build(args.mode)
    batches = [images[first:first + args.batch] for first in range(0, len(images), args.batch)]

    def by_function():
        for batch in batches:
            forward(batch).numpy()

    def by_batch():
        for batch in batches:
            model.predict_on_batch(batch)

    if args.mode.startswith("function"):
        forward = tensorflow.function(lambda x: model(x, training=False), jit_compile=args.mode == "function-xla")
        batches = [tensorflow.constant(batch) for batch in batches]
        peer.time_passes(by_function, len(images), args.epochs)
    elif args.mode == "predict_on_batch":
        peer.time_passes(by_batch, len(images), args.epochs)
    else:
        peer.time_passes(lambda: model.predict(images, batch_size=args.batch, verbose=0), len(images), args.epochs)


def epoch(args):
    images, labels = peer.read(args.data, "train", peer.PLANES_LAST)
    test_images, test_labels = peer.read(args.data, "test", peer.PLANES_LAST)
    model = build(args.mode)
    at_end = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: peer.mark())
    model.fit(images, labels, batch_size=args.batch, epochs=1, verbose=0, callbacks=[at_end])
    model.evaluate(test_images, test_labels, batch_size=args.batch, verbose=0)
    model.save(args.output)


def start(args):
    images, labels = peer.read(args.data, "train", peer.PLANES_LAST)

    def on_step(_, logs):
        float(logs["loss"])  # waits for it
        peer.mark()

    at_end = keras.callbacks.LambdaCallback(on_train_batch_end=on_step)
    build(args.mode).fit(images[:args.batch], labels[:args.batch], batch_size=args.batch, epochs=1, verbose=0,
                         callbacks=[at_end])


TASKS = {"train": train, "predict": predict, "epoch": epoch, "start": start}

if __name__ == "__main__":
    arguments = peer.arguments(TASKS, TRAIN_MODES + PREDICT_MODES)
    TASKS[arguments.task](arguments)
