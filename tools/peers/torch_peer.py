"""The tutorial network in PyTorch; see peer.py for the command line.

Modes: contiguous and channels_last, and both compiled by torch.compile. The optimizer is Adam's fused form, the fastest
one that PyTorch has on CPUs.
"""
import peer
import torch
from torch import nn

MODES = ("contiguous", "channels_last", "compiled", "compiled-channels_last")


def build(mode):
    """(the model, how to call it)"""
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2048, 64), nn.ReLU(), nn.Linear(64, 10))
    if mode.endswith("channels_last"):
        model = model.to(memory_format=torch.channels_last)
    return model, torch.compile(model, dynamic=False) if mode.startswith("compiled") else model


def read(args):
    images, labels = peer.read(args.data, "train", peer.PLANES_FIRST)
    images = torch.from_numpy(images)
    if args.mode.endswith("channels_last"):
        images = images.contiguous(memory_format=torch.channels_last)
    return images, torch.from_numpy(labels)


def train(args):
    images, labels = read(args)
    model, forward = build(args.mode)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    criterion = nn.CrossEntropyLoss()

    def epoch():
        order = torch.randperm(len(images))
        loss_sum = hits = 0
        for first in range(0, len(images), args.batch):
            rows = order[first:first + args.batch]
            target = labels[rows]
            optimizer.zero_grad()
            output = forward(images[rows])
            loss = criterion(output, target)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                loss_sum = loss_sum + loss * len(rows)
                hits = hits + (output.argmax(1) == target).sum()
        return float(loss_sum), float(hits)

    peer.time_passes(epoch, len(images), args.epochs)


def predict(args):
    images, _ = read(args)
    model, forward = build(args.mode)
    model.eval()
    batches = images.split(args.batch)

    def epoch():
        for batch in batches:
            forward(batch).numpy()

    with torch.inference_mode():
        peer.time_passes(epoch, len(images), args.epochs)


TASKS = {"train": train, "predict": predict}

if __name__ == "__main__":
    arguments = peer.arguments(TASKS, MODES)
    torch.set_num_threads(peer.threads())
    TASKS[arguments.task](arguments)
