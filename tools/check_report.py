#!/usr/bin/env python3
"""Opens pages of `convoy report` in a headless Chromium, narrow and wide, light and dark, and looks whether all is in order:
no error, every picture loaded, every reference met, nothing cut off, wider than the window, too small or too pale to read.

    tools/check_report.py PAGE... [--screenshots DIR]

Prints a line a page and a line for each fault. Exits with 1 where there are faults, with 77 where there is no browser.
It speaks the browser's own protocol over a pipe and needs nothing but Python.
"""
import argparse
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VIEWS = [(width, scheme) for width in (400, 1400) for scheme in ("light", "dark")]
LOOK = r"""(() => {
  const faults = [], fault = (what, e) => faults.push(what + ': <' + e.tagName.toLowerCase() + '> ' +
    (e.alt || e.getAttribute('aria-label') || e.textContent || '').trim().slice(0, 60));
  const channel = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parts = colour => colour.match(/[\d.]+/g).map(Number);
  const luminance = c => 0.2126 * channel(c[0] / 255) + 0.7152 * channel(c[1] / 255) + 0.0722 * channel(c[2] / 255);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parts(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  const scrolls = e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
  if (document.documentElement.scrollWidth > window.innerWidth)
    faults.push('the page is ' + document.documentElement.scrollWidth + ' wide in a window of ' + window.innerWidth);
  for (const img of document.images)
    if (!img.complete || img.naturalWidth === 0) fault('not loaded', img);
  for (const svg of document.querySelectorAll('svg')) {
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    if (box.width < 10 || box.height < 10) fault('empty', svg);
    if (scale < 0.74) fault('drawn at ' + scale.toFixed(2) + ' of its size', svg);
    const ink = parts(getComputedStyle(svg).color);
    if (contrast(ink, behind(svg)) < 7) fault('pale', svg);
  }
  for (const e of document.querySelectorAll('main *:not(svg, svg *)')) {
    const style = getComputedStyle(e);
    if (style.display !== 'inline' && e.scrollWidth > e.clientWidth + 1 && !scrolls(e)) fault('cut off', e);
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own) continue;
    if (parseFloat(style.fontSize) < 12) fault('tiny, ' + style.fontSize, e);
    const seen = contrast(parts(style.color), behind(e));
    if (seen < 4.5) fault('a contrast of ' + seen.toFixed(1), e);
  }
  return {faults, images: document.images.length, drawings: document.querySelectorAll('svg').length,
          height: document.documentElement.scrollHeight};
})()"""


class Browser:
    """A Chromium of its own, on a pipe: messages are JSON, each ended by a zero byte."""

    def __init__(self, program):
        self.home = tempfile.TemporaryDirectory(prefix="convoy-browser-")
        to_read, self.to = os.pipe()
        self.source, to_write = os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        command = ["sh", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "sh", program, "--headless=new", "--no-sandbox",
                   "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-extensions", "--hide-scrollbars",
                   f"--user-data-dir={self.home.name}", "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.kept = b""
        self.number = 0
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def receive(self):
        while b"\0" not in self.kept:
            more = os.read(self.source, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self.kept += more
        message, self.kept = self.kept.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event):
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.receive())

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (RuntimeError, OSError):
            self.process.terminate()
        self.process.wait(timeout=30)
        os.close(self.to)
        os.close(self.source)
        self.home.cleanup()


def complaints(events):
    """What the browser itself has to say."""
    for event in events:
        method, given = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            yield "exception: " + given["exceptionDetails"]["text"]
        elif method == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            yield given["entry"]["level"] + ": " + given["entry"]["text"]
        elif method == "Runtime.consoleAPICalled":
            yield "console: " + given["type"]
        elif method == "Network.requestWillBeSent" and not given["request"]["url"].startswith(("file:", "data:")):
            yield "asks the network for " + given["request"]["url"][:100]


def picture(browser, path, **options):
    shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, **options)
    path.write_bytes(base64.b64decode(shot["data"]))


def look_at(browser, page, width, scheme, shots):
    browser.events.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia", media="screen", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Page.navigate", url=page.resolve().as_uri())
    browser.wait_for("Page.loadEventFired")
    seen = browser.call("Runtime.evaluate", expression=LOOK, returnByValue=True)
    if "exceptionDetails" in seen:
        raise RuntimeError(str(seen["exceptionDetails"]))
    seen = seen["result"]["value"]
    if shots:
        picture(browser, shots / f"{page.resolve().parent.parent.name}-{page.parent.name}-{width}-{scheme}.png")
    return seen, [*seen["faults"], *complaints(browser.events)]


def print_page(browser, page, shots):
    browser.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    ink = browser.call("Runtime.evaluate", expression="getComputedStyle(document.body).color", returnByValue=True)
    sheet = browser.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)
    data = base64.b64decode(sheet["data"])
    if shots:
        (shots / f"{page.resolve().parent.parent.name}-{page.parent.name}-print.pdf").write_bytes(data)
    dark = ink["result"]["value"] != "rgb(21, 24, 27)"
    return ["printed in the colours of the dark theme: " + ink["result"]["value"]] if dark or len(data) < 10000 else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path, help="also keep what the pages look like in this folder")
    args = parser.parse_args()
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print("no Chromium here: the pages were not opened in a browser")
        sys.exit(77)
    if args.screenshots:
        args.screenshots.mkdir(parents=True, exist_ok=True)
    browser = Browser(program)
    bad = False
    try:
        for page in args.pages:
            faults = []
            for width, scheme in VIEWS:
                seen, found = look_at(browser, page, width, scheme, args.screenshots)
                faults += [f"{width} {scheme}: {what}" for what in found]
            faults += print_page(browser, page, args.screenshots)
            print(f"{page}: {seen['images']} images, {seen['drawings']} drawings, {len(faults)} faults")
            for what in faults:
                print("  " + what)
            bad |= bool(faults) or seen["images"] + seen["drawings"] == 0
    finally:
        browser.close()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
