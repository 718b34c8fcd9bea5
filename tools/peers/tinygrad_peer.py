"""The tutorial network in tinygrad; see peer.py for the command line. DEV=CL in the environment puts it on OpenCL.

The one mode, jit: step and forward pass are TinyJit'ed; no BEAM search. It always takes the first platform's device, so
the task `device` prints that device's name for the caller to compare.
"""
import json

import numpy
import peer
from tinygrad import Context, Device, Tensor, TinyJit, nn


class Tutorial:
    def __init__(self):
        self.convolutions = [nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3), nn.Conv2d(64, 128, 3)]
        self.dense = [nn.Linear(2048, 64), nn.Linear(64, 10)]

    def __call__(self, x):
        for convolution in self.convolutions[:2]:
            x = convolution(x).relu().max_pool2d(2)
        x = self.convolutions[2](x).relu().flatten(1)
        return self.dense[1](self.dense[0](x).relu())


def train(args):
    images, labels = peer.read(args.data, "train", peer.PLANES_FIRST)
    labels = labels.astype(numpy.int32)
    model = Tutorial()
    optimizer = nn.optim.Adam(nn.state.get_parameters(model))

    @TinyJit
    @Context(TRAINING=1)
    def step(x, target):
        optimizer.zero_grad()
        output = model(x)
        loss = output.sparse_categorical_crossentropy(target)
        loss.backward()
        hits = (output.argmax(1) == target).sum()
        Tensor.realize(loss, hits, *optimizer.schedule_step())
        return loss, hits

    def epoch():
        order = numpy.random.permutation(len(images))
        for first in range(0, len(images), args.batch):
            rows = order[first:first + args.batch]
            loss, hits = step(Tensor(images[rows]).realize(), Tensor(labels[rows]).realize())
        return loss.item(), hits.item()

    peer.time_passes(epoch, len(images), args.epochs)


def predict(args):
    images, _ = peer.read(args.data, "train", peer.PLANES_FIRST)
    model = Tutorial()
    batches = [Tensor(images[first:first + args.batch]).realize() for first in range(0, len(images), args.batch)]

    @TinyJit
    def forward(x):
        return model(x).realize()

    def epoch():
        for batch in batches:
            forward(batch).numpy()

    peer.time_passes(epoch, len(images), args.epochs)


def device(_):
    print(json.dumps({"device": Device[Device.DEFAULT].device_name}))


TASKS = {"train": train, "predict": predict, "device": device}

if __name__ == "__main__":
    arguments = peer.arguments(TASKS, ("jit",))
    TASKS[arguments.task](arguments)
