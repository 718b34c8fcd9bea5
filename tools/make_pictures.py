#!/usr/bin/env python3
"""Makes README's pictures: a real session in a terminal as an SVG, and a part of a real report as a PNG.

    tools/make_pictures.py                      both, with build/src/cli/convoy, into docs/pictures
    tools/make_pictures.py --only terminal      the session alone: it needs no browser
    tools/make_pictures.py --browser chromium   another Chromium than the first in PATH

The commands run in a pseudo-terminal, as a user would see them; nothing of what they print is written by hand. The report is that of a
run on the sample data.
"""
import argparse
import fcntl
import html
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios

from check_report import BROWSERS, Browser, picture

TOP = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = 92
SESSION = [
    "convoy devices",
    "convoy summary cifar10",
    "convoy train cifar10 --data sample --epochs 4 --batch-size 64 -o sample.keras",
]
RUN = "convoy train cifar10 --data sample --epochs 12 --batch-size 64 --validation test --run run -q"
WIDTH, HEIGHT, LINE = 8.4, 17.5, 14  # of a character's cell, and of the letters
INK = {"30": "#5c6370", "31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "34": "#61afef", "35": "#c678dd", "36": "#56b6c2"}
CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|\x08|[^\x00-\x1f]")


class Screen:
    """As much of a terminal as the command needs: lines of cells (character, style), never scrolled away."""

    def __init__(self):
        self.lines, self.row, self.column, self.style = [[]], 0, 0, frozenset()

    def put(self, character):
        line = self.lines[self.row]
        line += [(" ", frozenset())] * (self.column + 1 - len(line))
        line[self.column] = (character, self.style)
        self.column += 1

    def control(self, numbers, letter):
        first = int(numbers.split(";")[0] or 0) if numbers.replace(";", "").isdigit() or not numbers else 0
        if letter == "m":
            for number in (numbers or "0").split(";"):
                self.style = frozenset() if number in ("", "0") else self.style | {number}
        elif letter == "K":
            del self.lines[self.row][self.column:]
        elif letter == "A":
            self.row = max(0, self.row - max(1, first))
        elif letter == "G":
            self.column = max(0, first - 1)
        elif letter not in "hl":
            raise ValueError(f"the command sends ESC [ {numbers} {letter}, which this terminal does not know")

    def feed(self, text):
        for match in CONTROL.finditer(text):
            word = match.group()
            if match.group(2):
                self.control(match.group(1), match.group(2))
            elif word == "\n":
                self.row, self.column = self.row + 1, 0
                if self.row == len(self.lines):
                    self.lines.append([])
            elif word == "\r":
                self.column = 0
            elif word == "\x08":
                self.column = max(0, self.column - 1)
            else:
                self.put(word)


def in_terminal(command, folder, environment):
    """What the command prints to a terminal of COLUMNS columns."""
    child, master = pty.fork()
    if child == 0:
        os.chdir(folder)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
        os.execvpe("/bin/sh", ["sh", "-c", command], environment)
    data = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError: # the other side is closed
            break
        if not piece:
            break
        data += piece
    os.close(master)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"'{command}' failed:\n{data.decode(errors='replace')}")
    return data.decode()


def runs(line):
    """(column, text, style) of cells that look alike."""
    start = 0
    for i in range(1, len(line) + 1):
        if i == len(line) or line[i][1] != line[start][1]:
            text = "".join(character for character, _ in line[start:i])
            if text.strip():
                yield start, text, line[start][1]
            start = i


def drawn(screen):
    lines = screen.lines
    while lines and not lines[-1]:
        lines.pop()
    width, height = COLUMNS * WIDTH + 32, len(lines) * HEIGHT + 52
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
           f'font-family="ui-monospace, \'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="{LINE}" fill="#dcdfe4">',
           "<title>A session of convoy in a terminal</title>",
           f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="#21252b"/>',
           *(f'<circle cx="{20 + 18 * i}" cy="18" r="6" fill="#4b5263"/>' for i in range(3))]
    for row, line in enumerate(lines):
        for column, text, style in runs(line):
            left = len(text) - len(text.lstrip(" "))
            column, text = column + left, text.strip(" ")
            look = "".join(f' fill="{INK[number]}"' for number in sorted(style) if number in INK)
            look += ' font-weight="bold"' if "1" in style else ""
            out.append(f'<text x="{16 + column * WIDTH:.1f}" y="{48 + row * HEIGHT:.1f}" textLength="{len(text) * WIDTH:.1f}" '
                       f'xml:space="preserve"{look}>{html.escape(text)}</text>')
    return "\n".join([*out, "</svg>", ""])


def terminal(folder, environment, out):
    screen = Screen()
    for command in SESSION:
        screen.feed(f"\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m\n")
        screen.feed(in_terminal(command, folder, environment))
        if screen.column:
            screen.feed("\n")
        screen.feed("\n")
    out.write_text(drawn(screen), encoding="utf-8")


def report(folder, environment, program, out):
    for command in (RUN, "convoy report run -q"):
        subprocess.run(command, shell=True, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    browser = Browser(program)
    try:
        browser.call("Emulation.setDeviceMetricsOverride", width=1100, height=912, deviceScaleFactor=1, mobile=False)
        browser.call("Emulation.setEmulatedMedia", media="screen", features=[{"name": "prefers-color-scheme", "value": "light"}])
        browser.call("Page.navigate", url=(folder / "run" / "report" / "report.html").as_uri())
        browser.wait_for("Page.loadEventFired")
        place = browser.call("Runtime.evaluate", returnByValue=True, expression="[...document.querySelectorAll('h2')]"
                             ".find(e => e.textContent === 'Learning curves').getBoundingClientRect().top + window.scrollY")
        picture(browser, out, clip={"x": 0, "y": place["result"]["value"] - 12, "width": 1100, "height": 912, "scale": 1})
    finally:
        browser.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", type=pathlib.Path, default=TOP / "build" / "src" / "cli" / "convoy", metavar="PATH")
    parser.add_argument("--only", choices=("terminal", "report"))
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), None), metavar="PROGRAM")
    parser.add_argument("--output", type=pathlib.Path, default=TOP / "docs" / "pictures", metavar="DIR")
    args = parser.parse_args()
    if args.only != "terminal" and args.browser is None:
        parser.error("no Chromium here for the report; --only terminal does without")
    args.output.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PATH": f"{args.convoy.resolve().parent}:{os.environ['PATH']}", "TERM": "xterm-256color",
                   "CONVOY_DATA_DIR": str(TOP / "data")}
    environment.pop("COLUMNS", None)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run("convoy train cifar10 --data sample --batch-size 64 -q", shell=True, cwd=folder, env=environment, check=True,
                       stdout=subprocess.DEVNULL)  # compiles the kernels, which would be told in the picture
        if args.only != "report":
            terminal(folder, environment, args.output / "terminal.svg")
        if args.only != "terminal":
            report(folder, environment, args.browser, args.output / "report.png")


if __name__ == "__main__":
    main()
