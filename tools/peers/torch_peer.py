"""The networks in PyTorch; see peer.py for the command line.

Modes: contiguous and channels_last, and both compiled by torch.compile. The optimizer is Adam's fused form, the fastest
one that PyTorch has on CPUs.
"""
import peer
import torch
from torch import nn

MODES = ("contiguous", "channels_last", "compiled", "compiled-channels_last")


def tutorial():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2048, 64), nn.ReLU(), nn.Linear(64, 10))


class Block(nn.Module):
    def __init__(self, before, filters, strides):
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(before, filters, 3, strides, 1), nn.BatchNorm2d(filters)
        self.second, self.norm2 = nn.Conv2d(filters, filters, 3, 1, 1), nn.BatchNorm2d(filters)
        self.shortcut = nn.Conv2d(before, filters, 1, strides) if strides > 1 else nn.Identity()

    def forward(self, x):
        y = self.norm2(self.second(nn.functional.relu(self.norm1(self.first(x)))))
        return nn.functional.relu(self.shortcut(x) + y)


def resnet20():
    blocks, before = [], 16
    for stack in range(3):
        for block in range(3):
            blocks.append(Block(before, 16 << stack, 2 if stack > 0 and block == 0 else 1))
            before = 16 << stack
    return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU(), *blocks, nn.AvgPool2d(8), nn.Flatten(),
                         nn.Linear(64, 10))


def build(mode, network="tutorial"):
    """(the model, how to call it)"""
    model = {"tutorial": tutorial, "resnet20": resnet20}[network]()
    if mode.endswith("channels_last"):
        model = model.to(memory_format=torch.channels_last)
    return model, torch.compile(model, dynamic=False) if mode.startswith("compiled") else model


def read(args):
    images, labels = peer.read(args.data, "train", peer.PLANES_FIRST)
    images = torch.from_numpy(images)
    if args.mode.endswith("channels_last"):
        images = images.contiguous(memory_format=torch.channels_last)
    return images, torch.from_numpy(labels)


def groups(model, network):
    """The parameters; the weights of the residual network's convolutions have a decay, the optimizer's form of L2."""
    if network == "tutorial":
        return model.parameters()
    weights = [layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    others = [p for p in model.parameters() if all(p is not weight for weight in weights)]
    return [{"params": weights, "weight_decay": 2 * peer.L2}, {"params": others}]


def train(args):
    images, labels = read(args)
    model, forward = build(args.mode, args.network)
    optimizer = torch.optim.Adam(groups(model, args.network), fused=True)
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
