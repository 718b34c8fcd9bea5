#!/usr/bin/env python3
"""Makes the manual pages and the completions for shells, of what the command says of itself (--help=json).

    make_manual.py CONVOY FOLDER     writes convoy.1 and convoy-COMMAND.1, and convoy.bash, _convoy (zsh) and convoy.fish
"""
import json
import pathlib
import re
import subprocess
import sys

PATH_VALUES = ("FILE", "DIR", "DATA", "RUN")


def told(command, *words):
    done = subprocess.run([command, *words, "--help=json"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def one_line(text):
    return " ".join(text.split())


def takes_path(option):
    return option["value"].startswith(PATH_VALUES)


def flags(option):
    return [f"-{option['letter']}"] * bool(option["letter"]) + [f"--{option['name']}"]


# ---- manual pages, in man(7)'s macros ----

def roff(text):
    """Hyphens are those of commands, which are to be copied as they are."""
    for plain, escaped in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(plain, escaped)
    return "\\&" + text if text.startswith(".") else text


def paragraphs(text):
    """Empty lines part paragraphs; indented lines are rows of a word and what it means."""
    out = []
    for paragraph in text.strip("\n").split("\n\n"):
        out.append(".PP")
        for line in paragraph.split("\n"):
            word, _, meaning = line.strip().partition("  ")
            out += [".TP", roff(word), roff(meaning.strip())] if line.startswith("  ") else [roff(line)]
    return out


def page(name, purpose, version, synopsis, sections):
    """`name` is what is typed, "convoy train"; sections are (title, lines)."""
    dashed = name.replace(" ", "-")
    out = [f'.TH {roff(dashed.upper())} 1 "" "Convoy {version}" "User Commands"', ".nh", ".ad l", ".SH NAME", f"{roff(dashed)} \\- {roff(purpose)}",
           ".SH SYNOPSIS", f".B {roff(name)}", roff(synopsis)]
    for title, lines in sections:
        out += [f".SH {title}", *(lines[1:] if lines[0] == ".PP" else lines)]
    return "\n".join(out) + "\n"


def option_lines(options):
    out = []
    for o in options:
        value = f" \\fI{roff(o['value'])}\\fR" if o["value"] else ""
        out += [".TP", ", ".join(f"\\fB{roff(flag)}\\fR" for flag in flags(o)) + value, roff(one_line(o["help"]))]
    return out


def references(names):
    lines = [f".BR {roff(name)} (1)" for name in sorted(names)]
    return [f"{line} ," for line in lines[:-1]] + lines[-1:]


def manual(convoy, commands):
    names = ["convoy", *(f"convoy-{row['name']}" for row in convoy["commands"])]
    listed = []
    for row in convoy["commands"]:
        listed += [".TP", f".BR {roff('convoy-' + row['name'])} (1)", roff(row["purpose"])]
    general = [".TP", "\\fB\\-\\-help\\fR", "what there is, in short; after a command: all of its options", ".TP",
               "\\fB\\-\\-version\\fR", "the version"]
    pages = {"convoy.1": page("convoy", convoy["purpose"].rstrip(".").replace("Trains and runs", "train and run"), convoy["release"],
                              "COMMAND [options]", [("COMMANDS", listed), ("OPTIONS", general),
                                                    ("MODELS, DATA AND EXIT STATUS", paragraphs(re.sub(r"\n(?=DATA is|Exit)", "\n\n", convoy["about"]))),
                                                    ("SEE ALSO", references(names[1:]))])}
    for row, command in zip(convoy["commands"], commands):
        name = f"convoy-{row['name']}"
        pages[f"{name}.1"] = page(
            f"convoy {row['name']}", row["purpose"], convoy["release"], f"{command['arguments']} [options]".strip(),
            [("DESCRIPTION", paragraphs(command["purpose"] + "\n\n" + command["details"])),
             ("OPTIONS", option_lines(command["options"])),
             ("EXIT STATUS", ["0 done, 1 failed, 2 wrong usage."]), ("SEE ALSO", references(n for n in names if n != name))])
    return pages


# ---- bash ----

def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def bash(convoy, commands):
    out = ["# Completion of convoy for bash.", "_convoy()", "{",
           '    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options words=',
           "    COMPREPLY=()",
           "    # --option=value comes as three words",
           '    if [ "$word" = = ]; then word=; elif [ "$before" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi',
           '    if [ "$COMP_CWORD" -eq 1 ]; then',
           f"        words='{' '.join(row['name'] for row in convoy['commands'])} help --help --version'",
           '        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")', "        return", "    fi",
           "    case ${COMP_WORDS[1]} in",
           "    help)", f"        mapfile -t COMPREPLY < <(compgen -W '{' '.join(row['name'] for row in convoy['commands'])}' -- \"$word\")",
           "        return ;;"]
    for command in commands:
        out += [f"    {command['name']})", f"        options='{' '.join(flag for o in command['options'] for flag in flags(o))}'",
                "        case $before in"]
        for o in command["options"]:
            if o["choices"]:
                out.append(f"        {'|'.join(flags(o))}) words='{' '.join(o['choices'])}' ;;")
            elif o["value"] and not takes_path(o) and not o["may_lack_value"]:
                out.append(f"        {'|'.join(flags(o))}) return ;;")
        out += ["        esac ;;"]
    out += ["    *) return ;;", "    esac",
            '    if [ -n "$words" ]; then', '        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")',
            '    elif [ "${word#-}" != "$word" ]; then', '        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")',
            "    else", "        compopt -o filenames 2>/dev/null", '        mapfile -t COMPREPLY < <(compgen -f -- "$word")', "    fi",
            "}", "complete -F _convoy convoy"]
    return "\n".join(out) + "\n"


# ---- zsh ----

def zsh_text(text):
    return re.sub(r"([\[\]:\\])", r"\\\1", one_line(text))


def zsh_option(o):
    value = ""
    if o["value"]:
        action = f"({' '.join(o['choices'])})" if o["choices"] else "_files" if takes_path(o) else " "
        value = f"{':' if not o['may_lack_value'] else '::'}{zsh_text(o['value'])}:{action}"
    tail = f"[{zsh_text(o['help'])}]{value}"
    long = f"--{o['name']}" + ("=-" if o["may_lack_value"] else "=" if o["value"] else "")
    if not o["letter"]:
        return quoted(long + tail)
    short = f"-{o['letter']}" + ("+" if o["value"] else "")
    return f"'(-{o['letter']} --{o['name']})'{{{short},{long}}}{quoted(tail)}"


def zsh(convoy, commands):
    out = ["#compdef convoy", "_convoy()", "{", "    local -a commands", "    commands=("]
    out += [f"        {quoted(row['name'] + ':' + zsh_text(row['purpose']))}" for row in convoy["commands"]]
    out += ["    )", "    if (( CURRENT == 2 )); then", "        _describe command commands",
            "        _arguments '--help[what there is]' '--version[the version]'", "        return", "    fi",
            "    local command=$words[2]", "    shift words", "    (( CURRENT-- ))", "    case $command in",
            "    help) _describe command commands ;;"]
    for command in commands:
        out += [f"    {command['name']})", "        _arguments -s \\"]
        out += [f"            {zsh_option(o)} \\" for o in command["options"]]
        out += ["            '*:argument:_files' ;;"]
    return "\n".join(out + ["    esac", "}", '_convoy "$@"']) + "\n"


# ---- fish ----

def fish_quoted(text):
    return "'" + one_line(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish(convoy, commands):
    names = " ".join(row["name"] for row in convoy["commands"])
    out = ["# Completion of convoy for fish."]
    out += [f"complete -c convoy -n __fish_use_subcommand -f -a {row['name']} -d {fish_quoted(row['purpose'])}" for row in convoy["commands"]]
    out += ["complete -c convoy -n __fish_use_subcommand -l help -d 'what there is'",
            "complete -c convoy -n __fish_use_subcommand -l version -d 'the version'",
            f"complete -c convoy -n '__fish_seen_subcommand_from help' -f -a '{names}'"]
    for command in commands:
        for o in command["options"]:
            letter = f" -s {o['letter']}" if o["letter"] else ""
            value = ""
            if o["choices"]:
                value = f" -x -a '{' '.join(o['choices'])}'"
            elif o["value"] and not o["may_lack_value"]:
                value = " -r -F" if takes_path(o) else " -x"
            out.append(f"complete -c convoy -n '__fish_seen_subcommand_from {command['name']}' -l {o['name']}{letter}{value} "
                       f"-d {fish_quoted(o['help'])}")
    return "\n".join(out) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    command, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    convoy = told(command)
    commands = [told(command, row["name"]) for row in convoy["commands"]]
    files = manual(convoy, commands)
    files |= {"convoy.bash": bash(convoy, commands), "_convoy": zsh(convoy, commands), "convoy.fish": fish(convoy, commands)}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
