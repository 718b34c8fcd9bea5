"""The peers' Pythons: found, or made as virtual environments; and the peers' programs run in them."""
import json
import os
import pathlib
import subprocess
import sys

from peers.process import Failed, run, tell

HERE = pathlib.Path(__file__).resolve().parent
MARK = "bench: reached"  # as peer.py says it
NAMES = {"keras": "Keras", "torch": "PyTorch", "tinygrad": "tinygrad", "onnx": "ONNX file"}
# Each peer's folder under --venv, and what pip installs.
PACKAGES = {"keras": ("keras", ["keras", "tensorflow-cpu", "numpy"]),
            "torch": ("torch", ["torch", "numpy"]),
            "tinygrad": ("torch", ["tinygrad", "numpy"]),
            "onnx": ("onnx", ["onnxruntime", "openvino", "MNN", "numpy"])}
MODULES = {"onnx": "onnxruntime"}  # what shows that the peer is there, where it is not called as the peer
MODES = {("keras", "train"): ["fit", "fit-no-xla"],
         ("keras", "predict"): ["predict", "predict_on_batch", "function", "function-xla"],
         ("torch", "train"): ["contiguous", "channels_last", "compiled", "compiled-channels_last"],
         ("torch", "predict"): ["contiguous", "channels_last", "compiled", "compiled-channels_last"],
         ("tinygrad", "train"): ["jit"],
         ("tinygrad", "predict"): ["jit"],
         ("onnx", "predict"): ["onnxruntime", "openvino-latency", "openvino-throughput", "mnn"]}
DISTRIBUTIONS = {"Keras": ("keras", ["keras"]), "TensorFlow": ("keras", ["tensorflow-cpu", "tensorflow"]),
                 "PyTorch": ("torch", ["torch"]), "tinygrad": ("tinygrad", ["tinygrad"]),
                 "ONNX Runtime": ("onnx", ["onnxruntime"]), "OpenVINO": ("onnx", ["openvino"]), "MNN": ("onnx", ["mnn"])}
# All run on the CPU; tinygrad through OpenCL.
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "", "DEV": "CL"}


def has_module(python, module):
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    try:
        return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def install(folder, packages):
    """Adds packages to the virtual environment `folder`, which is made when it is missing."""
    tell(f"{folder}: installing {' '.join(packages)}")
    commands = [[str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]]
    if not (folder / "bin" / "python").exists():
        commands.insert(0, [sys.executable, "-m", "venv", str(folder)])
    for command in commands:
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
            raise Failed(f"can't install {' '.join(packages)}: {' '.join(command[1:4])} failed")


class Others:
    def __init__(self, venv, pythons, convoy):
        """`pythons` are the Pythons that the user gave, {"keras": path or None, ...} by folder."""
        self.venv, self.given, self.convoy = venv, pythons, convoy
        self.ready = {}  # peer: its Python, or the Failed that says why there is none

    def python(self, peer, may_install=True):
        folder, packages = PACKAGES[peer]
        module = MODULES.get(peer, peer)
        python = self.given.get(folder) or str(self.venv / folder / "bin" / "python")
        if has_module(python, module):
            return python
        if self.given.get(folder) or not may_install:
            raise Failed(f"{python} has no {module}")
        install(self.venv / folder, packages)
        if not has_module(python, module):
            raise Failed(f"{python} has no {module} in spite of pip")
        return python

    def check_device(self, python):
        """tinygrad takes the first platform's device, whichever that is: refuses to compare two devices."""
        found = json.loads(run([python, HERE / "tinygrad_peer.py", "device", "jit", "--data", "."], ENVIRONMENT).output)
        wanted = self.convoy.device()["name"]
        if found["device"] != wanted:
            raise Failed(f"tinygrad runs on {found['device']}, Convoy on {wanted}")

    def prepared(self, peer):
        if peer not in self.ready:
            try:
                self.ready[peer] = self.python(peer)
                if peer == "tinygrad":
                    self.check_device(self.ready[peer])
            except Failed as error:
                self.ready[peer] = error
        if isinstance(self.ready[peer], Failed):
            raise self.ready[peer]
        return self.ready[peer]

    def run(self, peer, task, mode, folder, *options, mark=None):
        command = [self.prepared(peer), HERE / f"{peer}_peer.py", task, mode, "--data", folder, *options]
        # What torch.compile made stays, so that a mode's second process starts sooner.
        return run(command, {**ENVIRONMENT, "TORCHINDUCTOR_CACHE_DIR": str(self.venv / "inductor")}, mark)

    def rate(self, peer, task, mode, folder, batch, epochs, network="tutorial", model=None):
        """Images per second; `model` is an ONNX file, for the peer that wants one."""
        options = ["--network", network, "--batch", batch, "--epochs", epochs] + (["--model", model] if model else [])
        output = self.run(peer, task, mode, folder, *options).output
        return json.loads(output.splitlines()[-1])["images_per_second"]

    def versions(self):
        """{name: version} of the peers that are there; installs nothing."""
        found = {}
        for name, (peer, distributions) in DISTRIBUTIONS.items():
            code = ("import importlib.metadata as m, sys\n"
                    "known = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}\n"
                    "print(next((known[n] for n in sys.argv[1:] if n in known), ''))")
            try:
                version = run([self.python(peer, may_install=False), "-c", code, *distributions]).output.strip()
            except Failed:
                continue
            if version:
                found[name] = version
        return found


def default_venv():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(cache) / "convoy-peers"
