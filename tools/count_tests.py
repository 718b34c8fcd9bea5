#!/usr/bin/env python3
"""Sums the tests in meson's testlog.json: "N passed, N failed, N skipped" over what the cmocka programs say of themselves.

A program that says nothing of itself (a script) is one test; one that ended badly has at least one failed test.
"""
import json
import pathlib
import re
import sys

TOTAL = re.compile(r"^\[  (PASSED |FAILED |SKIPPED) *\] (?:.*: )?(\d+) test\(s\)", re.MULTILINE)
ERROR = re.compile(r"^\[  ERROR   \] (?!---)", re.MULTILINE)  # a set-up that failed: in no total


def count(run):
    """(passed, failed, skipped) of one program."""
    totals = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    text = run.get("stdout", "") + "\n" + run.get("stderr", "")
    lines = TOTAL.findall(text)
    for word, number in lines:
        totals[word.strip()] += int(number)
    totals["FAILED"] += len(ERROR.findall(text))
    good = run["result"] in ("OK", "EXPECTEDFAIL")
    if not good and run["result"] != "SKIP":
        totals["FAILED"] = max(totals["FAILED"], 1)
    elif not lines:
        totals["PASSED" if good else "SKIPPED"] = 1
    return totals["PASSED"], totals["FAILED"], totals["SKIPPED"]


def main():
    path = pathlib.Path(sys.argv[1])
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    runs = [json.loads(line) for line in lines if line.strip()]
    passed, failed, skipped = (sum(column) for column in zip(*map(count, runs))) if runs else (0, 1, 0)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
