#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""C is laid out as clang-format 14 lays it out (`make fmt` does it)."""

import re
import shutil
import subprocess

import tap

TOOL = "clang-format-14"
FOLDERS = ("src", "tests", "bench", "tools")


def c_files(root):
    return [p for folder in FOLDERS if (root / folder).is_dir()
            for p in tap.sources(root, ".c", ".h", folder=folder)
            if "node_modules" not in p.parts]


def unformatted(root):
    """One line per file that would change."""
    paths = c_files(root)
    style = tap.ROOT / ".clang-format"
    if not paths:
        return []
    done = subprocess.run(
        [TOOL, f"--style=file:{style}", "--dry-run", "--Werror",
         "--ferror-limit=1", *paths], capture_output=True, text=True,
        check=False)
    found = re.findall(r"^(.*?):(\d+):\d+: error", done.stderr, re.M)
    if done.returncode and not found:
        return [done.stderr.strip()]
    return [f"{path}:{line}: not as {TOOL} would lay it out"
            for path, line in dict(reversed(found)).items()]


def wide(root):
    """Lines that the formatter cannot break."""
    return [f"{path.relative_to(root)}:{number}: {len(line)} columns"
            for path in c_files(root)
            for number, line in enumerate(path.read_text().split("\n"), 1)
            if len(line) > 80]


RULES = [
    tap.Rule("C is formatted", unformatted,
             bad=[{"src/a.c": "int  a;\n"}, {"tests/a.c": "int a ;\n"}],
             good=[{"src/a.c": "int a;\n"}]),
    tap.Rule("lines of C have at most 80 columns", wide,
             bad=[{"src/a.c": "x" * 81 + "\n"}],
             good=[{"src/a.c": "x" * 80 + "\n"}]),
]

if __name__ == "__main__":
    if shutil.which(TOOL) is None:
        print(f"1..1\nnot ok 1 - {TOOL} is installed")
        raise SystemExit(1)
    tap.main(RULES)
