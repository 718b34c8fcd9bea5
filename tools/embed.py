#!/usr/bin/env python3
"""Writes text files (OpenCL C, JSON) as one C source: the texts, quoted includes expanded, findable by name."""
import argparse
import pathlib
import re

INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"\s*$')


def expand(path, seen):
    """The text of a file with `#include "x"` replaced by x's text, each at most once."""
    lines = []
    for line in path.read_text().splitlines():
        match = INCLUDE.match(line)
        if not match:
            lines.append(line)
        elif match.group(1) not in seen:
            seen.add(match.group(1))
            lines += expand(path.parent / match.group(1), seen)
    return lines


def literal(lines):
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return "\n".join(f'    "{line}\\n"' for line in quoted)


def own_names(lines):
    """What a text of OpenCL C defines at its top level: its macros, and its functions and types."""
    text = "\n".join(lines)
    macros = re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, re.M)
    code = re.sub(r"^[ \t]*#.*(?:\\\n.*)*", "", text, flags=re.M)
    functions = re.findall(r"^(?:inline|kernel|static)\b[^;{(]*?(\w+)\(", code, re.M)
    types = re.findall(r"^typedef\b.*?(\w+);", code, re.M)
    return sorted(set(macros)), sorted(set(functions + types))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    parser.add_argument("--function", default="rt_kernel_source", help="name of the function that finds a text")
    parser.add_argument("--defined", help="name of a function that gives the macros and identifiers a text defines")
    parser.add_argument("--names", help="name of a function that gives all names, NULL-terminated")
    args = parser.parse_args()
    out = ["#include <stddef.h>", "#include <string.h>", "", f"const char *{args.function}(const char *name);", ""]
    for path in args.files:
        out += [f"static const char source_{path.stem}[] =", literal(expand(path, set())) + ";", ""]
    out += [f"const char *{args.function}(const char *name)", "{"]
    for path in args.files:
        out += [f'    if (strcmp(name, "{path.stem}") == 0)', f"        return source_{path.stem};"]
    out += ["    (void)name;", "    return NULL;", "}", ""]
    if args.defined:
        out += [f"const char *{args.defined}(const char *name, int macros);", "",
                f"const char *{args.defined}(const char *name, int macros)", "{"]
        for path in args.files:
            macros, others = own_names(expand(path, set()))
            out += [f'    if (strcmp(name, "{path.stem}") == 0)',
                    f'        return macros ? "{" ".join(macros)}" : "{" ".join(others)}";']
        out += ["    (void)macros;", '    return "";', "}", ""]
    if args.names:
        names = ", ".join([f'"{path.stem}"' for path in args.files] + ["NULL"])
        out += [f"const char *const *{args.names}(void);", "", f"const char *const *{args.names}(void)", "{",
                f"    static const char *const names[] = {{{names}}};", "    return names;", "}", ""]
    args.output.write_text("\n".join(out))


if __name__ == "__main__":
    main()
