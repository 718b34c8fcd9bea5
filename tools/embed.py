#!/usr/bin/env python3
"""Writes text files (OpenCL C, JSON) as one C source: the texts, quoted includes expanded, findable by name."""
import argparse
import pathlib
import sys

import kernel_contract


def literal(lines):
    quoted = (line.text.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return "\n".join(f'    "{line}\\n"' for line in quoted)


def refuse_breaches(files):
    found = sorted({breach for path in files for breach in kernel_contract.breaches(path)})
    if found:
        sys.exit("\n".join(f"{path}:{line}: {what}" for path, line, what in found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    parser.add_argument("--function", default="rt_kernel_source", help="name of the function that finds a text")
    parser.add_argument("--defined", help="name of a function that gives the macros and identifiers a text defines; the texts are kernels")
    parser.add_argument("--fused", help="name of a function that tells whether a kernel file's launches may be fused")
    parser.add_argument("--names", help="name of a function that gives all names, NULL-terminated")
    args = parser.parse_args()
    out = ["#include <stddef.h>", "#include <string.h>", "", f"const char *{args.function}(const char *name);", ""]
    for path in args.files:
        out += [f"static const char source_{path.stem}[] =", literal(kernel_contract.expand(path)) + ";", ""]
    out += [f"const char *{args.function}(const char *name)", "{"]
    for path in args.files:
        out += [f'    if (strcmp(name, "{path.stem}") == 0)', f"        return source_{path.stem};"]
    out += ["    (void)name;", "    return NULL;", "}", ""]
    if args.defined:
        refuse_breaches(args.files)
        out += [f"const char *{args.defined}(const char *name, int macros);", "",
                f"const char *{args.defined}(const char *name, int macros)", "{"]
        for path in args.files:
            macros, others = kernel_contract.own_names(kernel_contract.expand(path))
            out += [f'    if (strcmp(name, "{path.stem}") == 0)',
                    f'        return macros ? "{" ".join(macros)}" : "{" ".join(others)}";']
        out += ["    (void)macros;", '    return "";', "}", ""]
    if args.fused:
        out += [f"int {args.fused}(const char *name);", "", f"int {args.fused}(const char *name)", "{"]
        for path in args.files:
            if not kernel_contract.fuses(kernel_contract.expand(path)):
                out += [f'    if (strcmp(name, "{path.stem}") == 0)', "        return 0;"]
        out += ["    return 1;", "}", ""]
    if args.names:
        names = ", ".join([f'"{path.stem}"' for path in args.files] + ["NULL"])
        out += [f"const char *const *{args.names}(void);", "", f"const char *const *{args.names}(void)", "{",
                f"    static const char *const names[] = {{{names}}};", "    return names;", "}", ""]
    args.output.write_text("\n".join(out))


if __name__ == "__main__":
    main()
