#!/usr/bin/env python3
"""What a kernel file in cl/ may hold, as docs/kernel-contract.md says it: read here for the build (embed.py) and for tools/check.

    kernel_contract.py cl/*.cl    prints one line per breach, with file and line, and exits with 1 if there are any
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'#include "(\w+\.clh)"$')
DIRECTIVE = re.compile(r"[ \t]*#")
NOT_FUSED = re.compile(r"// Not fused: \S")
HEADS = [re.compile(r"kernel void \w+\("), re.compile(r"(?:inline|static) (?!.*__attribute__)[^;{(]*?\w+\("),
         re.compile(r"typedef\b[^;]*\w+;$"), re.compile(r"__attribute__\(\(reqd_work_group_size\(\w+, \w+, \w+\)\)\)(?: [A-Z_]+)?$"), re.compile(r"[{}]")]
GROUPS = re.compile(r"\b(?:get_local_id|get_local_size|get_group_id|get_num_groups|get_global_size|get_global_offset|get_work_dim|"
                    r"barrier|async_work_group_\w*copy|wait_group_events)\b|reqd_work_group_size\((?!1, 1, 1\))[^)]*\)")
FOREIGN = re.compile(r"\b(?:__\w*kernel|__global|__local|__constant|constant|struct|union|enum)\b")
RESERVED = re.compile(r"kernel|get_global_id|reqd_work_group_size|work_item|[xyzw]{1,4}|s[0-9a-fA-F]+|lo|hi|even|odd")


class Line:
    """One line of an expanded file, and where it stands."""

    def __init__(self, path, number, text):
        self.path, self.number, self.text = path, number, text


def opened(text):
    """How many #if a line opens; -1: it closes one."""
    return bool(re.match(r"[ \t]*#[ \t]*if", text)) - bool(re.match(r"[ \t]*#[ \t]*endif", text))


def expand(path, seen=None, depth=0):
    """The lines of a file with `#include "x"` replaced by x's, each file at most once. Where the first time was within an #if, the second
    stays as it is: whether its text is there already, nobody knows."""
    seen = {} if seen is None else seen # what was included, and whether within an #if
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        depth += opened(text)
        match = INCLUDE.match(text)
        if not match or seen.get(match.group(1)):
            lines.append(Line(path, number, text))
        elif match.group(1) not in seen:
            seen[match.group(1)] = depth > 0
            lines += expand(path.parent / match.group(1), seen, depth)
    return lines


def code_of(text):
    """The text with comments blanked, lines kept."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)


def own_names(lines):
    """What a text defines at its top level: its macros; its functions and types."""
    text = "\n".join(line.text for line in lines)
    macros = re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, re.M)
    code = re.sub(r"^[ \t]*#.*(?:\\\n.*)*", "", text, flags=re.M)
    functions = re.findall(r"^(?:inline|kernel|static)\b[^;{(]*?(\w+)\(", code, re.M)
    types = re.findall(r"^typedef\b.*?(\w+);", code, re.M)
    return sorted(set(macros)), sorted(set(functions + types))


def fuses(lines):
    """May its launches be fused? Unless the file says that it is not."""
    return not any(NOT_FUSED.match(line.text) for line in lines)


def in_kernels(code):
    """For each line of code, whether it is in a kernel: from `kernel void` to the next `}` at the line's start."""
    inside, found = False, []
    for line in code:
        inside = inside or line.startswith("kernel void ")
        found.append(inside)
        inside = inside and not line.startswith("}")
    return found


def parameters(code):
    """(line, text) of each kernel's parameters."""
    text = "\n".join(code)
    for match in re.finditer(r"^kernel void \w+\(([^{]*)\)", text, re.M):
        yield text.count("\n", 0, match.start()), match.group(1)


def check_lines(lines, code):
    """What each line may be."""
    kernels, continued = in_kernels(code), False
    for i, line in enumerate(code):
        raw = lines[i].text
        directive = continued or DIRECTIVE.match(line)
        continued = bool(directive) and line.rstrip().endswith("\\")
        if re.match(r"[ \t]*#[ \t]*include", line):
            yield i, 'an #include is a line of its own, #include "x.clh"; of a file that is included within an #if it is the only one'
        if FOREIGN.search(line):
            yield i, f"'{FOREIGN.search(line).group()}' is not known here: its names would not be found, and clash in joint programs"
        if "kernel void " in raw and not re.match(r"kernel void \w+\(", raw) or re.search(r"\bkernel\b(?! void )", line):
            yield i, "a kernel begins a line with 'kernel void name(', and these words stand nowhere else"
        if not directive and line[:1].strip() and not any(head.match(line) for head in HEADS):
            yield i, "at a line's start stand kernel void, inline, static, typedef in one line, or reqd_work_group_size alone"
        if "get_global_id" in line and (re.search(r"get_global_id(?!\([012]\))", line) or not directive and not kernels[i]):
            yield i, "get_global_id(0), (1) or (2), in kernels only: the item form knows the place in no function"


def check_names(lines, code):
    """What the text calls its own."""
    macros, others = own_names(lines)
    for name in macros + others:
        if RESERVED.fullmatch(name):
            yield next(i for i, line in enumerate(code) if re.search(rf"\b{name}\b", line)), \
                f"'{name}' can't be a name of its own: it would be renamed where it means something else"
    types = [m.group(1) for m in re.finditer(r"^typedef\b.*?(\w+);", "\n".join(code), re.M)]
    for i, text in parameters(code):
        for name in types:
            if re.search(rf"\b{name}\b", text):
                yield i, f"a kernel's parameters have built-in types, not '{name}': fused launches are declared from what the driver tells"


def check_fusing(lines, code):
    """Does the file say what is so?"""
    kernels = in_kernels(code)
    groups = [(i, GROUPS.search(line)) for i, line in enumerate(code)]
    groups += [(i, re.search(r"\blocal\b", line)) for i, line in enumerate(code) if kernels[i]]
    groups = [(i, match.group()) for i, match in groups if match]
    if fuses(lines):
        for i, word in sorted(groups)[:1]:
            yield i, f"'{word}' belongs to work-groups, which a fused launch has not: take it out or say '// Not fused: why'"
        for i, text in parameters(code):
            if text.strip() in ("", "void"):
                yield i, "a kernel without parameters can't be fused: say '// Not fused: why'"
    elif not groups and not any(text.strip() in ("", "void") for _, text in parameters(code)):
        i = next(i for i, line in enumerate(lines) if NOT_FUSED.match(line.text))
        yield i, "nothing here belongs to work-groups, so its launches can be fused: take this line out"


def breaches(path):
    """(path, line, what) of each breach in a .cl file or in what it includes."""
    lines = expand(path)
    code = code_of("\n".join(line.text for line in lines)).split("\n")
    for check in (check_lines, check_names, check_fusing):
        for i, what in check(lines, code):
            yield lines[i].path, lines[i].number, what


def main():
    found = sorted({breach for name in sys.argv[1:] for breach in breaches(pathlib.Path(name))})
    for path, line, what in found:
        print(f"{path}:{line}: {what}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
