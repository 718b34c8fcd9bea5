"""What the numbers were measured on, and the load that it had meanwhile."""
import contextlib
import os
import pathlib
import platform
import subprocess
import sys

from peers.process import Failed

VECTORS = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("asimd", "NEON"))
RUNTIMES = {"Portable Computing Language": "PoCL", "Intel(R) OpenCL": "Intel's CPU runtime"}


def cpu_field(*names):
    """The first line of /proc/cpuinfo with one of these names."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() in names), "")


def system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def describe():
    flags = cpu_field("flags", "Features").split()
    return {"cpu": cpu_field("model name") or platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "vectors": next((name for flag, name in VECTORS if flag in flags), "no vectors known"), "system": system()}


@contextlib.contextmanager
def busy(count):
    """Keeps `count` processes running that never sleep."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
        if any(process.poll() is not None for process in processes):
            raise Failed("a process that was to keep the machine busy has ended")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def runtime_name(device):
    """"PoCL" of what `convoy devices` tells about a device."""
    return RUNTIMES.get(device["platform"], device["platform"])
