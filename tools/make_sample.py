#!/usr/bin/env python3
"""Draws Convoy's sample data set: ten classes of shapes and textures, in the binary format of CIFAR-10.

    tools/make_sample.py [FOLDER]          (default: data/sample beside this script's folder)

writes data_batch_1.bin (1,000 images), test_batch.bin (300) and batches.meta.txt, 3,994,900 bytes of images in all.
Every image is 32x32 RGB; classes are equally frequent and take turns, so that any run of images is balanced.

Shapes and textures are chosen so that a network has to learn, yet can learn from 1,000 images: position, size, angle (a
little), colours, period and phase are drawn anew for each image. The colours of background and figure are independent
of the class, either may be the brighter one, and light, clutter and noise lie on top. A single pixel says next to
nothing about the class: softmax regression gets about a quarter of the test images right, the tutorial network of
`convoy train cifar10` well over nine in ten.

Needs numpy only. The bytes do not depend on numpy's version or the processor: the generator is RandomState, whose
streams numpy keeps frozen, sines come from the C library through `math`, and arrays see only operations that IEEE 754
rounds exactly. Each image has a stream of its own, seeded by (SEED, part, index).
"""
import argparse
import math
import pathlib

import numpy

SEED = 20150
SIDE = 32
FINE = 3  # each pixel is the mean of FINE x FINE points
PARTS = (("data_batch_1.bin", 1000), ("test_batch.bin", 300))


class Canvas:
    """The points of one image in a frame that is moved, turned and scaled: u and v are about -1 .. 1 in a shape."""

    def __init__(self, x, y, angle, radius):
        steps = (numpy.arange(SIDE * FINE) + 0.5) / FINE
        px, py = steps[None, :] - x, steps[:, None] - y
        cos, sin = math.cos(angle), math.sin(angle)
        self.u = (px * cos + py * sin) / radius
        self.v = (py * cos - px * sin) / radius


# ---- shapes: where the points of the frame are inside ----


def disc(c):
    return c.u * c.u + c.v * c.v < 0.9


def ring(c):
    square = c.u * c.u + c.v * c.v
    return (square < 1.0) & (square > 0.36)


def square(c):
    return (abs(c.u) < 0.8) & (abs(c.v) < 0.8)


def triangle(c):
    """The three half-planes at distance 0.55 from the middle."""
    half = math.sqrt(0.75)
    return (c.v < 0.55) & (half * c.u - 0.5 * c.v < 0.55) & (-half * c.u - 0.5 * c.v < 0.55)


def cross(c):
    return ((abs(c.u) < 0.3) & (abs(c.v) < 1.05)) | ((abs(c.v) < 0.3) & (abs(c.u) < 1.05))


# ---- textures: stripes of a period of 1 in the frame ----


def wave(t):
    return t - numpy.floor(t) < 0.5


def stripes(c):
    return wave(c.v)


def checkerboard(c):
    return wave(c.u) ^ wave(c.v)


def dots(c):
    u, v = c.u - numpy.floor(c.u) - 0.5, c.v - numpy.floor(c.v) - 0.5
    return u * u + v * v < 0.1


# Name, drawing, and for textures the angle in degrees.
CLASSES = (
    ("disc", disc, None),
    ("ring", ring, None),
    ("square", square, None),
    ("triangle", triangle, None),
    ("cross", cross, None),
    ("horizontal stripes", stripes, 0),
    ("vertical stripes", stripes, 90),
    ("diagonal stripes", stripes, 45),
    ("checkerboard", checkerboard, 0),
    ("dots", dots, 0),
)


def draw_mask(rng, drawing, angle):
    """How much of each pixel the figure covers, 0 .. 1."""
    if angle is None:
        radius = rng.uniform(10.0, 13.0)
        x, y = rng.uniform(radius, SIDE - radius, 2)
        canvas = Canvas(x, y, math.radians(rng.uniform(-15, 15)), radius)
    else:
        x, y = rng.uniform(0, SIDE, 2)
        canvas = Canvas(x, y, math.radians(angle + rng.uniform(-10, 10)), rng.uniform(5.0, 9.0))
    points = drawing(canvas).reshape(SIDE, FINE, SIDE, FINE).sum(axis=(1, 3))
    return points / (FINE * FINE)


def draw_colours(rng):
    """Two colours that differ visibly; which is the brighter one is left to chance."""
    while True:
        back, front = rng.uniform(30, 225, 3), rng.uniform(30, 225, 3)
        if abs(back - front).sum() > 280:
            return back, front


def add_clutter(rng, image):
    """Up to two faint bars of any direction, which belong to no class."""
    for _ in range(rng.randint(0, 3)):
        x, y = rng.uniform(0, SIDE, 2)
        canvas = Canvas(x, y, rng.uniform(0, math.pi), 1.0)
        bar = (abs(canvas.u) < rng.uniform(2, 8)) & (abs(canvas.v) < rng.uniform(0.5, 1.5))
        cover = bar.reshape(SIDE, FINE, SIDE, FINE).sum(axis=(1, 3))[:, :, None] / (FINE * FINE)
        image += cover * (rng.uniform(0, 255, 3) - image) * 0.5


def add_light(rng, image):
    """A slope of brightness across the image."""
    across, down = rng.uniform(-20, 20, 2)
    steps = (numpy.arange(SIDE) + 0.5) / SIDE - 0.5
    image += (across * steps[None, :] + down * steps[:, None])[:, :, None]


def draw_image(seed, part, index):
    """One record: the label's byte and the planes of red, green and blue."""
    label = index % len(CLASSES)
    rng = numpy.random.RandomState([seed, part, index])
    _, drawing, angle = CLASSES[label]
    mask = draw_mask(rng, drawing, angle)[:, :, None]
    back, front = draw_colours(rng)
    image = back + mask * (front - back)
    add_clutter(rng, image)
    add_light(rng, image)
    image += rng.uniform(2, 14) * rng.uniform(-1.73, 1.73, image.shape)
    pixels = numpy.clip(numpy.floor(image + 0.5), 0, 255).astype(numpy.uint8)
    return bytes([label]) + pixels.transpose(2, 0, 1).tobytes()


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=here.parent / "data" / "sample")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for part, (name, count) in enumerate(PARTS):
        (folder / name).write_bytes(b"".join(draw_image(SEED, part, i) for i in range(count)))
    (folder / "batches.meta.txt").write_text("".join(name + "\n" for name, _, _ in CLASSES))


if __name__ == "__main__":
    main()
