"""Running a command and noting its time and memory, from its start until it says something and until its exit."""
import dataclasses
import os
import subprocess
import sys
import tempfile
import threading
import time

LIMIT_SECONDS = 1800  # whatever runs longer hangs


class Failed(Exception):
    """A measurement that could not be made; the text says why."""


@dataclasses.dataclass
class Finished:
    output: str          # what it wrote to stdout
    seconds: float       # from start to exit
    peak_bytes: int      # of host memory, until exit
    marked_seconds: float = 0.0  # from start to the line that was waited for
    marked_bytes: int = 0        # the peak of host memory until then


def tell(text):
    print(text, file=sys.stderr, flush=True)


def peak_so_far(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def run(command, environment=None, mark=None):
    """Runs `command` with `environment` over ours; `mark` is how the line of its stderr begins that is waited for.

    Until a child is exec'ed, the kernel counts what this process holds in the child's peak: so this process stays
    small, and images pass through it in pieces."""
    command = [str(word) for word in command]
    name = " ".join(command[:3])
    errors = []
    finished = Finished("", 0.0, 0)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        start = time.monotonic()
        try:
            process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, text=True, errors="replace",
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE)
        except OSError as error:
            raise Failed(f"{name}: {error.strerror}") from error
        timer = threading.Timer(LIMIT_SECONDS, process.kill)
        timer.start()
        try:
            for line in process.stderr:
                if mark is not None and line.startswith(mark) and finished.marked_seconds == 0.0:
                    finished.marked_seconds = time.monotonic() - start
                    finished.marked_bytes = peak_so_far(process.pid)
                errors.append(line)
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
            process.stderr.close()
        finished.seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        finished.peak_bytes = usage.ru_maxrss * 1024
        output.seek(0)
        finished.output = output.read()
    if process.returncode != 0:
        tell("".join(errors[-30:]).rstrip())
        last = " ".join(line.strip() for line in errors[-3:] if line.strip()) or "it said nothing"
        raise Failed(f"{name} ended with {process.returncode}: {last[-300:]}")
    if mark is not None and finished.marked_seconds == 0.0:
        raise Failed(f"{name} never said '{mark}'")
    return finished
