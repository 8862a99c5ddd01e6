#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/requirements.md: every criterion and property, and its tests.

    requirements.py FOLDER           writes the page if it differs
    requirements.py FOLDER --check   says whether it differs, as exit status

What is promised stands in tests/criteria.txt. A test names what it shows as
`Req 7.2, 7.3` or `Property 14`: in the docstring of a Python test or of a
lint's rule, in the comment before a C test, in the title of a browser test.
tests/lint/criteria.py judges what is found here.
"""

import ast
import collections
import pathlib
import re
import sys

CRITERIA = "tests/criteria.txt"
PAGE = "docs/requirements.md"
UNPROVEN = "tests/lint/unproven.txt"

ROW = re.compile(r"(P?\d+(?:\.\d+)?) (.*?)( later)?$")
MARKER = re.compile(r"\b(Req|Property) (\d+(?:\.\d+)?"
                    r"(?:(?:,| and) \d+(?:\.\d+)?)*)")
C_COMMENT = re.compile(r"/\*.*?\*/", re.S)
C_TEST = re.compile(r"(/\*(?:(?!\*/).)*\*/)\nstatic void\n(\w+)\(void \*\*",
                    re.S)
JS_TEST = re.compile(r"\btest\(\s*'((?:\\.|[^'\\\n])*)'")

Row = collections.namedtuple("Row", "id text later how")
Claim = collections.namedtuple("Claim", "id path test")


# --- what is promised -------------------------------------------------------

def rows(root):
    """[(title, [Row])] of the criteria."""
    found = []
    for line in (root / CRITERIA).read_text().splitlines():
        if match := re.fullmatch(r"# (\d+ \S.*|Properties)", line):
            found.append((match[1], []))
        elif line.startswith("> "):
            found[-1][1][-1] = found[-1][1][-1]._replace(how=line[2:])
        elif line and not line.startswith("#"):
            name, text, later = ROW.fullmatch(line).groups()
            found[-1][1].append(Row(name, text, bool(later), None))
    return found


def unproven(root):
    """{id: reason} of what has no test yet."""
    path = root / UNPROVEN
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split(": ", 1) for line in lines
                if line and not line.startswith("#"))


# --- what the tests say -----------------------------------------------------

def ids(text):
    """The ids that a docstring, comment or title names."""
    plain = re.sub(r"\s*\n\s*(?:\* )?", " ", text)
    for kind, numbers in MARKER.findall(plain):
        for number in re.findall(r"[\d.]*\d", numbers):
            yield f"P{number}" if kind == "Property" else number


def of_python(text, path):
    """(test, its text), also of a lint's functions; then the whole file."""
    lint = "lint" in path.parts
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (
                lint or node.name.startswith("test_")):
            yield node.name, ast.get_docstring(node) or ""


def of_c(text, path):
    del path
    return [(name, comment) for comment, name in C_TEST.findall(text)]


def of_script(text, path):
    del path
    return [(re.sub(r" *\((?:Req|Property) [^)]*\)", "", title), title)
            for title in JS_TEST.findall(text)]


READERS = {".py": of_python, ".c": of_c, ".mjs": of_script}


def sources(root):
    for path in sorted((root / "tests").rglob("*")):
        if path.suffix in READERS and "node_modules" not in path.parts:
            yield path


def claims(root):
    """Every (id, path, test), in the order of the files."""
    for path in sources(root):
        name = path.relative_to(root)
        for test, text in READERS[path.suffix](path.read_text(), name):
            for one in dict.fromkeys(ids(text)):
                yield Claim(one, name.as_posix(), test)


def loose(root):
    """Markers that stand at no test: in files, how many more than claims."""
    for path in sources(root):
        name = path.relative_to(root)
        if name.parts[:2] == ("tests", "lint"):
            continue  # plants them
        text = path.read_text()
        said = sum(len(list(ids(part))) for _, part in
                   READERS[path.suffix](text, name))
        if len(list(ids(text))) != said:
            yield name.as_posix()


# --- the page ---------------------------------------------------------------

INTRO = """\
# Requirements

What was asked of a chat server before it is trusted in production, and the tests that show it. `make docs` writes this page of
`tests/criteria.txt` and of the tests, which name what they show (`Req 7.2`, `Property 14`); a lint fails when a row is empty, when a
test names what does not exist, and when this page is stale. Where a criterion asks for a mechanism that this program does not have,
the line below it says how the intent is met; the tests prove the intent.
"""


def shown(row, tests, reasons):
    """The third column of a row."""
    if row.later:
        return "belongs to later work"
    if not tests:
        return reasons.get(row.id, "")
    return "<br>".join(f"[{t.test}](../{t.path})" for t in tests)


def page(root):
    """The page as it should be."""
    by_id = collections.defaultdict(list)
    for claim in claims(root):
        by_id[claim.id].append(claim)
    reasons = unproven(root)
    out = [INTRO]
    for title, group in rows(root):
        out.append(f"## {title}\n\n| | promised | shown by |\n|---|---|---|")
        for row in group:
            how = f"<br>*{row.how}*" if row.how else ""
            out.append(f"| {row.id} | {row.text}{how} | "
                       f"{shown(row, by_id[row.id], reasons)} |")
        out[-1] += "\n"
    return "\n".join(out)


def differing(root):
    """(path, text) if the page is not as it should be."""
    path, text = root / PAGE, page(root)
    fresh = path.exists() and path.read_text() == text
    return [] if fresh else [(path, text)]


def main():
    root = pathlib.Path(sys.argv[1])
    for path, text in differing(root):
        if "--check" in sys.argv:
            print(f"{path} is stale; run `make docs`")
            return 1
        path.write_text(text)
        print(f"requirements: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
