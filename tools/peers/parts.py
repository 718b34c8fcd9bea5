"""The parts of the measurement: each a function of a Bench that returns what goes into the results."""
import dataclasses
import pathlib
import statistics
import subprocess
import tempfile

from peers.convoy import Convoy
from peers.machine import runtime_name
from peers.others import MARK, MODES, NAMES, Others
from peers.pairs import alternate, contest, summary, told
from peers.process import Failed, tell

RECORD = 1 + 3 * 32 * 32
PIECE = 1 << 20
BATCHES = (8, 32, 64, 128, 512, 1024)


@dataclasses.dataclass(frozen=True)
class Sizes:
    images: int          # in an epoch of training and prediction
    epochs: int          # timed in a run
    batch_images: int    # in an epoch of the part `batches`: whole batches of all sizes
    growing: tuple       # images in epochs that grow
    whole: bool          # the part `epoch` takes all of the data


FULL = Sizes(6400, 3, 10240, (10000, 20000, 40000), True)
QUICK = Sizes(640, 1, 1024, (256, 512, 1024), False)


@dataclasses.dataclass
class Bench:
    convoy: Convoy
    others: Others
    data: pathlib.Path      # CIFAR-10's binary files
    scratch: pathlib.Path   # a folder that goes away at the end
    runtimes: pathlib.Path  # where other OpenCL runtimes are unpacked
    pairs: int
    quick: bool

    @property
    def sizes(self):
        return QUICK if self.quick else FULL

    def folder(self, images):
        """A folder with the first `images` training images; its test images are a few of the same."""
        folder = self.scratch / f"images-{images}"
        if not folder.exists():
            folder.mkdir()
            copy_records(sorted(self.data.glob("data_batch_*.bin")), folder / "data_batch_1.bin", images)
            copy_records([folder / "data_batch_1.bin"], folder / "test_batch.bin", min(images, 100))
        return folder

    def contest(self, name, ours, modes):
        return contest(name, ours, modes, self.pairs, self.quick)

    def modes(self, task, peers, batch, network="tutorial", share=1):
        """{"Keras, fit": images per second by it, ...} of all modes of these peers; `share` as for train_rate."""
        folder, epochs = self.folder(self.sizes.images // share), self.sizes.epochs
        models = {"onnx": self.onnx_file()} if "onnx" in peers else {}
        return {f"{NAMES[peer]}, {mode}":
                lambda p=peer, m=mode: self.others.rate(p, task, m, folder, batch, epochs, network, models.get(p))
                for peer in peers for mode in MODES[peer, task]}

    def onnx_file(self):
        """The tutorial network, trained a little, for runtimes that read one."""
        trained, exported = self.scratch / "tutorial.keras", self.scratch / "tutorial.onnx"
        if not exported.exists():
            self.convoy.train(self.folder(64), 64, output=trained)
            self.convoy.export(trained, exported)
        return exported

    def train_rate(self, batch, convoy=None, share=1):
        """Images per second, in epochs of a part of the usual images."""
        images = self.sizes.images // share
        seconds = (convoy or self.convoy).train_seconds(self.folder(images), batch, self.sizes.epochs)
        return images * len(seconds) / sum(seconds)


def copy_records(sources, target, count):
    left = count * RECORD
    with target.open("wb") as out:
        for source in sources:
            with source.open("rb") as file:
                while piece := file.read(min(left, PIECE)):
                    out.write(piece)
                    left -= len(piece)
    if left > 0:
        raise Failed(f"data_batch_*.bin hold {count - left // RECORD} images, and {count} are wanted")


def attempt(rows, name, measure):
    """rows[name] = measure(), or why that failed: one missing figure keeps no other from being measured."""
    try:
        rows[name] = measure()
    except Failed as error:
        tell(f"{name}: not measured: {error}")
        rows[name] = {"failed": str(error)}


# ---- against the peers ----

def training(bench):
    rows = {}
    for peer, batch in (("keras", 64), ("keras", 128), ("torch", 64), ("tinygrad", 64)):
        name = f"{peer}-{batch}"
        attempt(rows, name, lambda p=peer, b=batch, n=name: bench.contest(
            f"training, {n}", lambda: bench.train_rate(b), bench.modes("train", [p], b)))
    return {"rows": rows}


def prediction(bench):
    rows = {}
    for batch in (64, 1):
        attempt(rows, f"best-{batch}", lambda b=batch: bench.contest(
            f"prediction, batch {b}", lambda: bench.convoy.predict_rate(b), bench.modes("predict", NAMES, b)))
    return {"rows": rows}


def resnet20(bench):
    """The residual network against each peer's best mode, on a quarter of the images: it takes some ten times as long."""
    rows = {}
    convoy = bench.convoy.variation(model="resnet20")
    for peer in ("keras", "torch"):
        attempt(rows, f"{peer}-64", lambda p=peer: bench.contest(
            f"resnet20, {p}", lambda: bench.train_rate(64, convoy, 4), bench.modes("train", [p], 64, "resnet20", 4)))
    attempt(rows, "device_bytes", lambda: convoy.bench(64)["memory"])
    return {"rows": rows}


def epoch(bench):
    """One epoch of all of CIFAR-10, from the start of the process to its exit, kernel caches filled; and memory."""
    folder = bench.data if bench.sizes.whole else bench.folder(bench.sizes.images)
    saved = bench.scratch / "epoch.keras"

    def ours():
        return bench.convoy.train(folder, 64, output=saved)[1]

    def theirs():
        return bench.others.run("keras", "epoch", "fit", folder, "--batch", 64, "--output", saved, mark=MARK)

    rows = {}

    def row(name, figure):
        pairs = [(figure(a), figure(b)) for a, b in runs]
        rows[name] = {"mode": "Keras, fit", **told(f"epoch, {name}", summary(pairs))}

    try:
        if not bench.quick:
            alternate(ours, theirs, 1)
        runs = alternate(ours, theirs, bench.pairs)
    except Failed as error:
        tell(f"epoch: not measured: {error}")
        failed = {"failed": str(error)}
        return {"rows": {"seconds": failed, "host_bytes": failed}}
    row("seconds", lambda run: run.seconds)
    row("host_bytes", lambda run: run.marked_bytes)
    row("host_bytes_until_exit", lambda run: run.peak_bytes)
    return {"rows": rows}


def start(bench):
    """From the start of the process to the end of its first training step; the data is one batch."""
    folder = bench.folder(64)

    def caches():
        top = pathlib.Path(tempfile.mkdtemp(dir=bench.scratch))
        (top / "pocl").mkdir()
        return {"XDG_CACHE_HOME": str(top), "POCL_CACHE_DIR": str(top / "pocl")}

    def ours(environment, own):
        result, finished = bench.convoy.train(folder, 64, extra=environment)
        own.append(result["first_step_seconds"])
        return finished.marked_seconds

    def theirs():
        return bench.others.run("keras", "start", "fit", folder, "--batch", 64, mark=MARK).marked_seconds

    def measure(name, environment):
        if not bench.quick or name == "filled":
            alternate(lambda: ours(environment(), []), theirs, 1)
        own = []
        row = summary(alternate(lambda: ours(environment(), own), theirs, bench.pairs))
        # convoy's own figure counts from the first line of its main()
        return {"mode": "Keras, fit", **told(f"first step, caches {name}", row), "convoy_from_main": own}

    rows = {}
    same = caches()
    attempt(rows, "empty", lambda: measure("empty", caches))
    attempt(rows, "filled", lambda: measure("filled", lambda: same))
    return {"rows": rows}


# ---- Convoy alone ----

def memory(bench):
    rows = {}
    attempt(rows, "device_bytes", lambda: bench.convoy.bench(64)["memory"])
    return {"rows": rows}


def streaming(bench):
    """Images that stay on the host and go over batch by batch, as those do that a device can't hold, against the same ones resident."""
    rows = {}
    streamed = bench.convoy.variation(options=("--stream",))

    def measure():
        pairs = alternate(lambda: bench.train_rate(64, streamed), lambda: bench.train_rate(64), bench.pairs)
        return {"mode": "the same, resident", **told("streaming", summary(pairs))}

    attempt(rows, "stream-64", measure)
    return {"rows": rows}


def batches(bench):
    """Rates at many batch sizes, and the time of epochs that grow: rounds go up and down in turn."""
    sizes = bench.sizes
    folder = bench.folder(sizes.batch_images)

    def train_rate(batch):
        seconds = bench.convoy.train_seconds(folder, batch, sizes.epochs)
        return sizes.batch_images * len(seconds) / sum(seconds)

    def epoch_seconds(images):
        return statistics.mean(bench.convoy.train_seconds(bench.folder(images), 64, sizes.epochs))

    def rounds(name, cases, measure):
        figures = {str(case): [] for case in cases}
        for number in range(bench.pairs):
            for case in cases if number % 2 == 0 else reversed(cases):
                figures[str(case)].append(measure(case))
                tell(f"{name} {case}: {figures[str(case)][-1]:.4g}")
        return {case: {"median": statistics.median(values), "all": values} for case, values in figures.items()}

    rows = {}
    attempt(rows, "training", lambda: rounds("training, batch", BATCHES, train_rate))
    attempt(rows, "prediction", lambda: rounds("prediction, batch", BATCHES, bench.convoy.predict_rate))
    attempt(rows, "epoch_seconds", lambda: rounds("seconds of an epoch, images", sizes.growing, epoch_seconds))
    return {"rows": rows}


def intel_environment(bench):
    tool = pathlib.Path(__file__).resolve().parent.parent / "opencl-env"
    script = 'settings=$("$0" intel "$1") && eval "$settings" && env -0'
    done = subprocess.run(["sh", "-c", script, str(tool), str(bench.runtimes)], check=False, stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise Failed("tools/opencl-env intel failed")
    variables = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)
    return {name: variables[name] for name in ("OCL_ICD_VENDORS", "LD_LIBRARY_PATH")}


def runtimes(bench):
    """Training on other OpenCL runtimes and vector widths, paired with the ordinary one."""
    narrow = ("--vector-width", "8")
    rows = {}

    def measure(convoy):
        device = convoy.device()
        label = f"{runtime_name(device)} {device['driver_version']}" + (", 8 floats a vector" if convoy.options else "")
        if convoy is bench.convoy:
            row = {"label": label, "convoy": statistics.median(bench.train_rate(64) for _ in range(bench.pairs))}
        else:
            bench.train_rate(64, convoy)  # fills its caches
            pairs = alternate(lambda: bench.train_rate(64, convoy), lambda: bench.train_rate(64), bench.pairs)
            row = {"label": label, **told(f"on {label}", summary(pairs))}
        attempt(row, "bench", lambda: {"peak_share": convoy.bench(64)["step"]["peak_share"]})
        return row

    def intel(options=()):
        return Convoy(bench.convoy.path, "cpu", intel_environment(bench), options)

    attempt(rows, "ordinary", lambda: measure(bench.convoy))
    attempt(rows, "ordinary-8", lambda: measure(bench.convoy.variation(options=narrow)))
    attempt(rows, "intel", lambda: measure(intel()))
    attempt(rows, "intel-8", lambda: measure(intel(narrow)))
    return {"rows": rows}


PARTS = {"training": training, "prediction": prediction, "resnet20": resnet20, "epoch": epoch, "start": start, "memory": memory,
         "streaming": streaming, "batches": batches, "runtimes": runtimes}
