#!/usr/bin/env python3
"""Writes tests/golden/random: a few of the networks that tools/check_random_models.py draws, with all layers among them.

    pip install keras tensorflow-cpu h5py numpy
    tools/make_golden_random.py                  # the seeds below
    tools/make_golden_random.py --seeds 3 17 40  # others

For each network N: N.keras as Keras saved it (packed); N.images.u8, uint8; N.expected.f32, what Keras predicts for the images divided
by 255 and then all weights, in Keras's order, after five steps; and a row of models.json, which tests/test_random.c reads.
"""
import argparse
import json
import shutil

import check_random_models as check
import numpy as np

GOLDEN = check.ROOT / "tests" / "golden" / "random"
# Small ones that have every layer and every optimizer together.
SEEDS = [4, 6, 11, 13, 24, 27, 49, 101, 116, 127, 130]


def ask(keras, seed, path):
    """As check_random_models does: the first attempt that can be compared."""
    for attempt in range(check.ATTEMPTS):
        answers = check.ask_keras(keras, seed, attempt, path)
        if answers:
            return answers
    raise RuntimeError(f"seed {seed}: nothing to compare in {check.ATTEMPTS} attempts")


def write(keras, seed, deflate):
    """The files of a network; returns its row and what kinds it has."""
    path = GOLDEN / f"{seed}.keras"
    answers = ask(keras, seed, path)
    case = answers.case
    deflate(path)
    (GOLDEN / f"{seed}.images.u8").write_bytes(answers.images.tobytes())
    floats = [np.ascontiguousarray(a, "<f4").tobytes() for a in (answers.outputs, *answers.weights)]
    (GOLDEN / f"{seed}.expected.f32").write_bytes(b"".join(floats))
    row = {"name": str(seed), "layers": check.summary_of(answers), "batch": case.batch, "classes": case.classes,
           "probabilities": case.network.probabilities, "optimizer": None if case.in_file else case.optimizer,
           "in_file": case.optimizer if case.in_file else None, "labels": answers.labels.tolist()}
    return row, {*case.network.classes(), case.optimizer.split("(")[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    args = parser.parse_args()

    import keras
    import make_golden_files
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir(parents=True)
    rows, kinds = zip(*(write(keras, seed, make_golden_files.deflate) for seed in sorted(args.seeds)))
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = f'{{"made_by": "tools/make_golden_random.py, Keras {keras.__version__}", "models": ['
    (GOLDEN / "models.json").write_text(f"{head}\n{lines}\n]}}\n")
    files = list(GOLDEN.iterdir())
    every = set().union(*kinds)
    print(f"{len(rows)} networks, {len(files)} files, {sum(f.stat().st_size for f in files)} bytes")
    print(f"{len(every)} layers and optimizers: {', '.join(sorted(every))}")


if __name__ == "__main__":
    main()
