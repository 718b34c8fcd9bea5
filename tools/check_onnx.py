#!/usr/bin/env python3
"""Checks ONNX files of Convoy's with onnx's checker and compares what ONNX Runtime computes with them.

    pip install numpy onnx onnxruntime
    tools/check_onnx.py --convoy build/src/cli/convoy model.keras ...
    tools/check_onnx.py --cases FOLDER

The first exports each model (of one input and one output) and gives random inputs to `convoy predict` and to ONNX Runtime. The
second takes a folder of cases, as tests/test_onnx_runtime.c writes them: NAME.onnx, its inputs NAME.in0.npy, NAME.in1.npy, ... and
the outputs that are expected, NAME.out0.npy, ... Outputs may differ by 1e-5 of the largest value. Exits with 1 when something is
wrong, with 77 when a package is missing. The tests run it with python3, or with the Python that CONVOY_PYTHON names.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print(f"check_onnx.py: {error}; pip install numpy onnx onnxruntime")
    sys.exit(77)

TOLERANCE = 1e-5
IMAGES = 5


def open_session(path):
    """The model in ONNX Runtime; the checker comes first. full_check infers all shapes and compares them with those given."""
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2  # a model that ONNX Runtime warns about is not what we want
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(session, inputs):
    return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), inputs, strict=True)})


def difference(found, expected):
    """As a share of the largest value; infinite where shapes or kinds of numbers differ."""
    if found.shape != expected.shape or found.dtype != expected.dtype or not np.isfinite(found).all():
        return float("inf")
    most = np.abs(expected).max(initial=0.0)
    apart = np.abs(found.astype("float64") - expected).max(initial=0.0)
    return apart / most if most > 0 else apart


def check(path, inputs, expected):
    """The worst difference: of all images at once, and of the first alone, since any number of them must do."""
    session = open_session(path)
    shapes = [list(o.shape) for o in session.get_inputs() + session.get_outputs()]
    if shapes != [["N", *x.shape[1:]] for x in inputs + expected]:
        print(f"{path}: shapes {shapes}")
        return float("inf")
    together = zip(run(session, inputs), expected, strict=True)
    alone = zip(run(session, [x[:1] for x in inputs]), [y[:1] for y in expected], strict=True)
    # The first image's largest value may be small beside the others': measure it with theirs.
    worst = max(difference(y, e) for y, e in together)
    scale = [np.abs(e).max(initial=0.0) for e in expected]
    for (y, e), most in zip(alone, scale):
        share = difference(y, e) * (np.abs(e).max(initial=0.0) / most if most > 0 else 1)
        worst = max(worst, share)
    return worst


def arrays(folder, name, kind):
    found = []
    while (path := folder / f"{name}.{kind}{len(found)}.npy").exists():
        found.append(np.load(path))
    return found


def cases(folder):
    for path in sorted(folder.glob("*.onnx")):
        yield path.stem, check(path, arrays(folder, path.stem, "in"), arrays(folder, path.stem, "out"))


def call(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr.rstrip()}")


def models(convoy, paths):
    random = np.random.default_rng(11)
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            out, x, y = (pathlib.Path(folder) / name for name in ("model.onnx", "x.npy", "y.npy"))
            call(convoy, "export", path, "-o", out)
            shape = open_session(out).get_inputs()[0].shape
            np.save(x, random.uniform(-1, 1, (IMAGES, *shape[1:])).astype("float32"))
            call(convoy, "predict", path, "--input", x, "--output", y, "-q")
            yield path, check(out, [np.load(x)], [np.load(y)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", help="the command")
    parser.add_argument("--cases", type=pathlib.Path, help="a folder of cases")
    parser.add_argument("model", nargs="*")
    args = parser.parse_args()
    if (args.cases is None) == (args.convoy is None):
        parser.error("give --convoy and models, or --cases")
    count, failed, worst = 0, 0, 0.0
    for name, apart in cases(args.cases) if args.cases else models(args.convoy, args.model):
        count += 1
        worst = max(worst, apart)
        if not apart <= TOLERANCE:
            failed += 1
            print(f"{name}: differs by {apart:.2e} of the largest value")
    print(f"{count} models, {failed} of them wrong; the largest difference is {worst:.1e} "
          f"(onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__})")
    return 1 if failed or count == 0 else 0


sys.exit(main())
