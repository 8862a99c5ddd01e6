#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the program's tables into the pages of docs/ and the files made of them.

    docs.py DOCGEN FOLDER           writes what differs
    docs.py DOCGEN FOLDER --check   says what differs, as exit status 1

In a page a table stands between `<!-- table: NAME -->` and `<!-- end -->`;
NAME is one of docgen's. What is around it is written by hand. The page of
requirements is made of the tests instead (requirements.py), and Grafana's board
of the table of metrics (board.py).
"""

import pathlib
import re
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent))
import board  # noqa: E402
import requirements  # noqa: E402

SECTION = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.S)
FILES = {
    "chatbox.example.yaml": "example",
    "web/src/generated/protocol.ts": "typescript",
}


def wanted(docgen, folder):
    """(path, text as it should be) of every page and file."""
    def view(name):
        return subprocess.run([docgen, name], check=True, text=True,
                              capture_output=True).stdout

    for name, of in FILES.items():
        yield folder / name, view(of)
    yield folder / board.PAGE, board.text(view("metrics"))
    for path in sorted((folder / "docs").glob("*.md")):
        if path == folder / requirements.PAGE:
            continue
        text = path.read_text()
        yield path, SECTION.sub(
            lambda m: m.group(1) + "\n" + view(m.group(2)).strip() + "\n\n"
            + m.group(3), text)


def differing(docgen, folder):
    return [(path, text) for path, text in wanted(docgen, folder)
            if not path.exists() or path.read_text() != text]


def main():
    docgen, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    found = differing(docgen, folder) + requirements.differing(folder)
    for path, text in found:
        if "--check" in sys.argv:
            print(f"{path} differs from what it is made of; run `make docs`")
        else:
            print(f"docs: {path.relative_to(folder)}")
            path.write_text(text)
    return 1 if found and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
