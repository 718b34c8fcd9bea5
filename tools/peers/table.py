"""The results as the tables of docs/benchmarks.md."""
import os
import shlex
import tempfile

MISSING = "not measured"


def count(value):
    return f"{value:,.0f}"


def seconds(value):
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def megabytes(value):
    return f"{value / 1e6:,.0f}" if value >= 1e7 else f"{value / 1e6:.1f}"


# part, row, what it is, the peer where the row does not say, how a figure is written
ROWS = (
    ("training", "keras-64", "training, batch 64, images/s", "Keras", count),
    ("training", "keras-128", "training, batch 128, images/s", "Keras", count),
    ("training", "torch-64", "training, batch 64, images/s", "PyTorch", count),
    ("training", "tinygrad-64", "training, batch 64, images/s", "tinygrad", count),
    ("prediction", "best-64", "prediction, batch 64, images/s", "the best of all", count),
    ("prediction", "best-1", "prediction, batch 1, images/s", "the best of all", count),
    ("resnet20", "keras-64", "training of resnet20, batch 64, images/s", "Keras", count),
    ("resnet20", "torch-64", "training of resnet20, batch 64, images/s", "PyTorch", count),
    ("streaming", "stream-64", "training with images kept on the host, batch 64, images/s", "the same, resident", count),
    ("epoch", "seconds", "one epoch of CIFAR-10 with test and saving, from start to exit, s", "Keras", seconds),
    ("epoch", "host_bytes", "host memory at the end of that epoch, its peak, MB", "Keras", megabytes),
    ("start", "empty", "from start to the end of the first step, kernel caches empty, s", "Keras", seconds),
    ("start", "filled", "from start to the end of the first step, kernel caches filled, s", "Keras", seconds),
)


def row_of(results, part, name):
    """A row's figures; None when there are none."""
    row = results["parts"].get(part, {}).get("rows", {}).get(name)
    return None if row is None or "failed" in row else row


def ratio(row):
    text = f"{row['ratio']:.2f}"
    return text if len(row["pairs"]) == 1 else f"{text} ({row['least']:.2f} to {row['most']:.2f})"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def compared(results):
    lines = [line(["", "against", "Convoy", "peer", "Convoy / peer"]), "| --- | --- | ---: | ---: | ---: |"]
    for part, name, what, peer, written in ROWS:
        if part not in results["parts"]:
            continue
        row = row_of(results, part, name)
        if row is None:
            lines.append(line([what, peer, MISSING, MISSING, MISSING]))
        else:
            lines.append(line([what, row["mode"], written(row["convoy"]), written(row["peer"]), ratio(row)]))
    return lines + [memory_line(results, part, whose) for part, whose in (("memory", "a training run"), ("resnet20", "resnet20"))
                    if part in results["parts"]]


def memory_line(results, part, whose):
    memory = row_of(results, part, "device_bytes")
    what = [f"device memory of {whose}, batch 64, its peak, MB", "the least that the plan needs"]
    if memory is None:
        return line([*what, MISSING, MISSING, MISSING])
    peak, least = memory["peak_bytes"], memory["least_bytes"]
    return line([*what, megabytes(peak), megabytes(least), f"{peak / least:.2f}"])


def not_in(results):
    """What kept peers or modes out, one short line."""
    absent = {}
    for part in results["parts"].values():
        for row in part["rows"].values():
            absent.update(row.get("failed_modes", {}))
    return [f"Failed to run here: {'; '.join(absent)}."] if absent else []


def share_line(figures, name, sizes):
    if figures is None:
        return line([name] + [MISSING] * len(sizes))
    best = max(figure["median"] for figure in figures.values())
    return line([name] + [f"{count(figures[size]['median'])} ({figures[size]['median'] / best:.0%})"
                          if size in figures else MISSING for size in sizes])


def by_batch(results):
    if "batches" not in results["parts"]:
        return []
    rates = {name: row_of(results, "batches", name) for name in ("training", "prediction")}
    if not any(rates.values()):
        return ["", f"Batch sizes: {MISSING}."]
    sizes = sorted({size for figures in rates.values() for size in figures or ()}, key=int)
    lines = ["", line(["images/s (of the best) at batch", *sizes]), "| --- |" + " ---: |" * len(sizes)]
    lines += [share_line(figures, name, sizes) for name, figures in rates.items()]
    epochs = row_of(results, "batches", "epoch_seconds")
    if epochs is not None:
        lines += ["", "Training time of an image, batch 64, in epochs of "
                  + ", ".join(f"{count(int(images))}" for images in epochs) + " images: "
                  + ", ".join(f"{1e6 * figure['median'] / int(images):.0f}" for images, figure in epochs.items())
                  + " µs."]
    return lines


def by_runtime(results):
    rows = results["parts"].get("runtimes", {}).get("rows", {})
    if not rows:
        return []
    lines = ["", line(["training, batch 64, with", "images/s", "against the first", "share of the measured peak"]),
             "| --- | ---: | ---: | ---: |"]
    for name, row in rows.items():
        if "failed" in row:
            lines.append(line([row.get("label", name), MISSING, MISSING, MISSING]))
            continue
        share = row["bench"].get("peak_share")
        lines.append(line([row["label"], count(row["convoy"]), ratio(row) if "ratio" in row else "1",
                           MISSING if share is None else f"{share:.0%}"]))
    return lines


def preamble(results):
    machine, parts = results["machine"], results["parts"]
    dates = sorted({part["date"] for part in parts.values()}) or ["no date"]
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    cores = f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [f"{when}: {machine['cpu']}, {cores}, {machine['vectors']}, {machine['system']}. {versions}."]
    if results.get("busy"):
        one = results["busy"] == 1
        lines.append("Beside " + ("another process that never sleeps." if one else f"{results['busy']} other processes that never sleep."))
    if results["quick"]:
        lines.append("**A quick trial of the tool, not a measurement.**")
    pairs = f"{results['pairs']} pair{'s' if results['pairs'] > 1 else ''}"
    lines += [
        f"The tutorial network, processes on the same cores in turn (A B B A), {pairs}: medians, and the median ratio "
        "within a pair (least to most). In rows of images/s more is better, in the others less.", ""]
    return lines


def postscript(results):
    command = ["tools/bench", "--data", "DIR"]
    if results["quick"]:
        command.append("--quick")
    elif results["pairs"] != 5:
        command += ["--pairs", str(results["pairs"])]
    if results.get("busy"):
        command += ["--busy", str(results["busy"])]
    if results["device"] != "cpu":
        command += ["--device", results["device"]]
    return [
        "", "Images/s are against the fastest of the peer's modes: Keras's `fit` with and without XLA, its predict "
        "methods and a `tf.function`; PyTorch contiguous, channels_last and both compiled; tinygrad's JIT on the same "
        "OpenCL device; in prediction also ONNX Runtime, OpenVINO with either hint, and MNN, on the file that "
        f"Convoy exports. `{shlex.join(command)} --write` repeats it (`--help` says more)."]


def render(results):
    """Markdown, without the markers."""
    lines = preamble(results) + compared(results) + by_batch(results) + by_runtime(results)
    lines += postscript(results) + not_in(results)
    return "\n".join(lines) + "\n"


def write(path, block, text):
    """Puts `text` between the markers of a block of the file, and touches nothing else."""
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    old = path.read_text(encoding="utf-8")
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise ValueError(f"{path}: expected {begin} and, below it, {end}, once each; put them where the table belongs")
    before, rest = old.split(begin)
    after = rest.split(end)[1]
    # Its first paragraph is set off by an empty line: a line of HTML would make it part of the HTML.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(f"{before}{begin}\n\n{text}\n{end}{after}")
    os.chmod(file.name, path.stat().st_mode & 0o7777)
    os.replace(file.name, path)
