#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables against what is made of them, and sources against their tests.

    tables.py DOCGEN
"""

import importlib.util
import re
import sys

import tap
from csource import COMMENT_OR_LITERAL

ROW = re.compile(r"^([A-Z]+)\((.*?)\)$", re.S | re.M)
LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')
UNTESTED = "tests/lint/untested.txt"
# Tables of the program's own words, without a text for people.
NOT_FOR_PEOPLE = {"fold.def", "store_sqlite_sql.def"}


def docs_tool():
    spec = importlib.util.spec_from_file_location(
        "docs", tap.ROOT / "tools" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drift(root):
    return [f"{path.relative_to(root)} differs from the tables; `make docs` "
            "writes it" for path, _ in docs_tool().differing(DOCGEN, root)]


def shown(root):
    """Every view of docgen stands in a page or is a file."""
    docs = docs_tool()
    source = (tap.ROOT / "tools" / "docgen.c").read_text()
    views = set(re.findall(r'^\s*\{"([\w-]+)", \w+\},$', source, re.M))
    used = set(docs.FILES.values())
    for path in (root / "docs").glob("*.md"):
        used |= {m[1] for m in docs.SECTION.findall(path.read_text())}
    return [f"docgen {view}: stands nowhere" for view in sorted(views - used)]


def rows(path):
    """(line, macro, last text) of every row of a table."""
    text = COMMENT_OR_LITERAL.sub(
        lambda m: m.group() if m.group()[0] == '"' else
        "\n" * m.group().count("\n"), path.read_text())
    for match in ROW.finditer(text):
        literals = LITERAL.findall(match.group(2))
        yield (text.count("\n", 0, match.start()) + 1, match.group(1),
               literals[-1] if literals else "")


def has_text(root):
    """Every row ends with a sentence."""
    return [f"{path.relative_to(root)}:{line}: {macro} has no sentence"
            for path in tap.sources(root, ".def")
            if path.name not in NOT_FOR_PEOPLE
            for line, macro, text in rows(path)
            if not re.match(r".*\S[.:]\)?$", text)]


def excused(root):
    """The files that have no test of their own, each with its reason."""
    path = root / UNTESTED
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split(": ", 1) for line in lines
                if line and not line.startswith("#"))


def test_of(root, source):
    name = source.relative_to(root / "src")
    return root / "tests/unit" / name.parent / f"test_{name.name}"


def untested(root):
    """Sources without a test of their own and without a reason."""
    reasons = excused(root)
    found = []
    for source in tap.sources(root, ".c"):
        name = source.relative_to(root).as_posix()
        tested = test_of(root, source).exists()
        if not tested and not reasons.get(name, "").strip():
            found.append(f"{name}: no test_{source.name}, no reason in "
                         f"{UNTESTED}")
        elif tested and name in reasons:
            found.append(f"{name}: has a test; take it out of {UNTESTED}")
    return found + [f"{name}: is in {UNTESTED} and not in the tree"
                    for name in reasons if not (root / name).exists()]


RULES = [
    tap.Rule("generated pages, example and types equal the tables", drift,
             bad=[{"docs/errors.md": "<!-- table: errors -->\n<!-- end -->\n",
                   "web/src/generated/protocol.ts": "", "docs/a.md": ""}]),
    tap.Rule("every view of the tables is shown somewhere", shown,
             bad=[{"docs/errors.md": "<!-- table: errors -->\n<!-- end -->"}]),
    tap.Rule("every row of a table has a sentence", has_text,
             bad=[{"src/base/a.def": 'EVENT(A, "a", "")\n'},
                  {"src/base/a.def": 'EVENT(A,\n      "a")\n'},
                  {"src/base/a.def": "ERR(A, 1)\n"}],
             good=[{"src/base/a.def": '/* EVENT(A, "") */\n'
                    'EVENT(A, "a",\n      "It (a) is "\n "so.")\n'}]),
    tap.Rule("every source has a test of its own or a reason", untested,
             bad=[{"src/base/a.c": ""},
                  {"src/base/a.c": "", UNTESTED: "src/base/a.c: \n"},
                  {"src/base/a.c": "", "tests/unit/base/test_a.c": "",
                   UNTESTED: "src/base/a.c: why\n"},
                  {UNTESTED: "src/base/a.c: why\n"}],
             good=[{"src/base/a.c": "", "src/base/b.c": "",
                    "tests/unit/base/test_a.c": "",
                    UNTESTED: "# A comment\nsrc/base/b.c: why\n"}]),
]

if __name__ == "__main__":
    DOCGEN = sys.argv[1]
    tap.main(RULES)
