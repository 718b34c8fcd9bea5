#!/usr/bin/env python3
"""Measures how fast Convoy and Pillow turn JPEG files into a network's input, on one core: decoding, RGB, antialiased resizing.

    tools/bench_images.py                       all sizes, five pairs each
    tools/bench_images.py --pairs 3 --json images.json

Photo-like JPEGs of several sizes (soft shapes and noise) are drawn by Pillow in a scratch folder. Convoy reads them by
build/tests/image_rate, which calls convoy_image_read; Pillow by Image.open, exif_transpose, convert("RGB") and resize with
BILINEAR, which is the same arithmetic (tests/test_images.c compares the pixels).
Processes alternate in pairs, each bound to one core; seconds are of processor time, so that what else runs matters less;
the first reading of all files is not counted. What counts is the median of the ratios within the pairs.

The table goes to stdout, progress to stderr.
"""
import argparse
import json
import os
import pathlib
import random
import sys
import tempfile
import time

from peers import machine
from peers.others import default_venv, has_module, install
from peers.pairs import alternate, summary, told
from peers.process import Failed, run, tell

TOP = pathlib.Path(__file__).resolve().parent.parent
#        name          width, height of the files, side of the result, how many files
CASES = (("thumbnail", 160, 120, 32, 120),
         ("web",       500, 375, 224, 60),
         ("large",     1600, 1200, 224, 12),
         ("camera",    4000, 3000, 224, 3),
         ("enlarged",  64, 48, 224, 120))
ENOUGH = 1.0  # seconds that a process should measure for


# ---- what runs with Pillow ----

def draw(width, height, seed):
    from PIL import Image
    numbers = random.Random(seed)
    soft = Image.frombytes("RGB", (8, 6), numbers.randbytes(8 * 6 * 3)).resize((width, height), Image.Resampling.BICUBIC)
    shapes = Image.frombytes("RGB", (40, 30), numbers.randbytes(40 * 30 * 3)).resize((width, height),
                                                                                     Image.Resampling.BICUBIC)
    noise = Image.effect_noise((width, height), 60).convert("RGB")
    return Image.blend(Image.blend(soft, shapes, 0.3), noise, 0.12)


def make(folder, width, height, count):
    for number in range(count):
        picture = draw(width, height, number)
        picture.save(folder / f"{number}.jpg", quality=90)


def fit(path, side):
    from PIL import Image, ImageOps
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)


def worker(words):
    """make FOLDER WIDTH HEIGHT COUNT, or read FOLDER SIDE TIMES: prints images and seconds, as image_rate does."""
    folder, numbers = pathlib.Path(words[1]), [int(word) for word in words[2:]]
    if words[0] == "make":
        return make(folder, *numbers)
    side, times = numbers
    paths = sorted(folder.iterdir())
    for number in range(times + 1):
        for path in paths:
            fit(path, side).tobytes()
        if number == 0:
            start = time.process_time()
    print(times * len(paths), time.process_time() - start)
    return None


# ---- what measures ----

class Measure:
    def __init__(self, args):
        self.program, self.python, self.pairs = args.program, args.python, args.pairs
        self.core = str(min(os.sched_getaffinity(0)))

    def rate(self, command):
        """Images a second by what the command prints."""
        images, seconds = run(["taskset", "-c", self.core, *command]).output.split()
        return float(images) / float(seconds)

    def ours(self, folder, side, times):
        return self.rate([self.program, folder, side, side, times])

    def theirs(self, folder, side, times):
        return self.rate([self.python, __file__, "--worker", "read", folder, side, times])

    def case(self, scratch, name, width, height, side, count):
        folder = scratch / name
        folder.mkdir()
        run([self.python, __file__, "--worker", "make", folder, width, height, count])
        slow = min(self.ours(folder, side, 1), self.theirs(folder, side, 1))
        times = max(1, round(ENOUGH * slow / count))
        pairs = alternate(lambda: self.ours(folder, side, times), lambda: self.theirs(folder, side, times), self.pairs)
        return told(f"{name}, {width} x {height} to {side} x {side}", summary(pairs))


def find_python(args):
    if args.python is None:
        args.python = str(default_venv() / "images" / "bin" / "python")
        if not has_module(args.python, "PIL"):
            install(default_venv() / "images", ["Pillow"])
    if not has_module(args.python, "PIL"):
        raise Failed(f"{args.python} has no Pillow")


def table(rows, pillow):
    lines = [f"| JPEG files, on one core | Convoy, images/s | Pillow {pillow}, images/s | ratio (least to most) |",
             "|---|---:|---:|---:|"]
    for name, width, height, side, _ in CASES:
        if name in rows:
            row = rows[name]
            lines.append(f"| {width} x {height} to {side} x {side} | {row['convoy']:,.1f} | {row['peer']:,.1f} | "
                         f"{row['ratio']:.2f} ({row['least']:.2f} to {row['most']:.2f}) |")
    return "\n".join(lines) + "\n"


def main():
    if sys.argv[1:2] == ["--worker"]:
        return worker(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="pairs for each ratio (default: 5)")
    parser.add_argument("--cases", default=",".join(case[0] for case in CASES), metavar="LIST", help="default: %(default)s")
    parser.add_argument("--program", default=str(TOP / "build" / "tests" / "image_rate"), metavar="PATH",
                        help="default: %(default)s")
    parser.add_argument("--python", metavar="PATH", help="a Python that has Pillow (default: one in a virtual environment)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all numbers")
    args = parser.parse_args()
    wanted = args.cases.split(",")
    unknown = sorted(set(wanted) - {case[0] for case in CASES})
    if unknown or args.pairs < 1:
        parser.error(f"--cases: unknown {', '.join(unknown)}" if unknown else f"--pairs {args.pairs}: at least 1")
    rows = {}
    try:
        find_python(args)
        pillow = run([args.python, "-c", "import PIL; print(PIL.__version__)"]).output.strip()
        with tempfile.TemporaryDirectory(prefix="convoy-images-") as scratch:
            for case in CASES:
                if case[0] in wanted:
                    rows[case[0]] = Measure(args).case(pathlib.Path(scratch), *case)
    except Failed as error:
        sys.exit(f"tools/bench_images.py: {error}")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine.describe(), "pillow": pillow, "rows": rows}, indent=1) + "\n",
                             encoding="utf-8")
    sys.stdout.write(table(rows, pillow))
    return 0


if __name__ == "__main__":
    sys.exit(main())
