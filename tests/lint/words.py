#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Words that do not belong into the tree: promises for later, paths of one
machine, secrets; and the licence line that belongs into every source file."""

import re

import tap

LATER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE = re.compile(r"(?<![\w.$}])/(?:work|farm|root|home/\w+|Users/\w+)/\w"
                     r"|/tmp/bash" r"_jobs|\.lib" r"rary/")
SECRETS = re.compile(
    r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[bap]-[0-9A-Za-z-]{20,}"
    r"|\bAIza[0-9A-Za-z_-]{35}|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY"
    r"-----\\?n?[\s\"']*[A-Za-z0-9+/]{40,}")
LICENCE = "SPDX-License-Identifier: MIT"

SOURCES = {".c", ".h", ".def", ".S", ".py", ".ts", ".mjs", ".sh", ".css"}
SOURCE_NAMES = {"Makefile", "run", "setup", "web"}
# Files whose bytes are somebody's input and not ours to word.
DATA = ("tests/fuzz/corpus/",)
LOCKS = {"package-lock.json"}


def texts(root):
    """(path, text) of all text files that are ours."""
    for path in tap.tracked(root):
        name = path.relative_to(root).as_posix()
        if name.startswith(DATA) or path.name in LOCKS:
            continue
        try:
            yield name, path.read_text()
        except UnicodeDecodeError:
            continue


def without(pattern, what):
    def check(root):
        return [f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {what}"
                for name, text in texts(root)
                for match in pattern.finditer(text)]
    return check


def licensed(root):
    found = []
    for name, text in texts(root):
        base = name.rsplit("/", 1)[-1]
        suffix = "." + base.rsplit(".", 1)[-1] if "." in base else ""
        if suffix not in SOURCES and base not in SOURCE_NAMES:
            continue
        if text and LICENCE not in "\n".join(text.split("\n")[:3]):
            found.append(f"{name}: no licence line at the top")
    return found


def tidy(root):
    """Trailing blanks, tabs in C, a missing newline at the end."""
    found = []
    for name, text in texts(root):
        lines = text.split("\n")
        if name.endswith((".c", ".h", ".def", ".py", ".ts", ".md", ".build")):
            found += [f"{name}:{number}: blanks at the end of the line"
                      for number, line in enumerate(lines, 1)
                      if line != line.rstrip()]
        if name.endswith((".c", ".h", ".def")) and "\t" in text:
            found.append(f"{name}: has a tab")
        if text and not text.endswith("\n") and not name.endswith(".json"):
            found.append(f"{name}: does not end with a newline")
    return found


RULES = [
    tap.Rule("nothing is promised for later",
             without(LATER, "a promise for later"),
             bad=[{"a.c": f"/* {word}: x */\n"} for word in (
                 "TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")],
             good=[{"a.c": "/* todos, a hacksaw */\n"}]),
    tap.Rule("no path of somebody's machine stands in the tree",
             without(MACHINE, "a machine's path"),
             bad=[{"a.md": f"cd /{'work'}/main\n"},
                  {"a.md": f"/{'root'}/x\n"}, {"a.md": f"/{'home'}/me/x\n"}],
             good=[{"a.md": "src/work/x, /tmp/x, /usr/bin/x\n"}]),
    tap.Rule("no secret stands in the tree", without(SECRETS, "a secret"),
             bad=[{"a.py": f"'sk-{'a1B2' * 8}'\n"},
                  {"a.py": f"AKIA{'ABCD' * 4}\n"},
                  {"a.pem": "-----BEGIN PRIVATE " "KEY-----\n"
                   + "MIIB" * 15 + "\n"}],
             good=[{"a.py": "'sk-test'\n"}]),
    tap.Rule("every source file names its licence at the top", licensed,
             bad=[{"a.c": "int a;\n"}, {"tools/setup": "#!/bin/sh\n"}],
             good=[{"a.c": f"/* {LICENCE} */\n",
                    "a.py": f"#!/usr/bin/env python3\n# {LICENCE}\n"}]),
    tap.Rule("lines end cleanly", tidy,
             bad=[{"a.c": "int a; \n"}, {"a.c": "\tint a;\n"},
                  {"a.md": "x"}],
             good=[{"a.c": "int a;\n", "Makefile": "a:\n\tb\n"}]),
]

if __name__ == "__main__":
    tap.main(RULES)
