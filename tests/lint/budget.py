#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes: of functions (pmccabe), of parameter lists, of nesting, of files.

The ten worst functions are printed always, so that a tail that grows is seen
before it hits the wall.
"""

import collections
import re
import subprocess

import tap
from csource import functions, nesting

LINES, COMPLEXITY, PARAMS, NESTING = 60, 12, 5, 4
FILE_LINES, HEADER_LINES = 600, 200

# (file, function or None for the file, what): reason. No entry without one,
# and none that is not needed any more.
EXCEPTIONS = {
    ("src/net/tls.c", "choose_alpn", "params"):
        "the callback's form is OpenSSL's",
}

PMCCABE = re.compile(r"(\d+)\t(\d+)\t\d+\t(\d+)\t(\d+)\t(.+)\(\d+\): (\w+)$")
FOLDERS = ("src", "bench", "tools")

Measured = collections.namedtuple(
    "Measured", "path line name lines complexity params nesting")


def c_files(root, *suffixes):
    return [p for folder in FOLDERS if (root / folder).is_dir()
            for p in tap.sources(root, *suffixes, folder=folder)]


def complexities(root):
    """(path, function) -> (lines, modified complexity) by pmccabe."""
    paths = c_files(root, ".c")
    if not paths:
        return {}
    done = subprocess.run(["pmccabe", *map(str, paths)], check=True,
                          capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        match = PMCCABE.match(line)
        if match and match.group(6) != "_Atomic":  # a type, not a function
            modified, _, _, lines, path, name = match.groups()
            found[path, name] = int(lines), int(modified)
    return found


def measure(root):
    """Every function with its figures."""
    known = complexities(root)
    for path in c_files(root, ".c", ".h"):
        for one in functions(path.read_text()):
            own = one.body.count("\n") + 3
            lines, complexity = known.get((str(path), one.name), (own, 0))
            yield Measured(path.relative_to(root).as_posix(), one.line,
                           one.name, lines, complexity, len(one.params),
                           nesting(one.body))


def over(root, what, limit):
    """The functions whose figure is over its limit, without exceptions."""
    for one in measure(root):
        figure = getattr(one, what)
        if figure > limit and (one.path, one.name, what) not in EXCEPTIONS:
            yield (f"{one.path}:{one.line}: {one.name} has {what} {figure}, "
                   f"over {limit}")


def long_files(root, suffix, limit):
    for path in c_files(root, suffix):
        lines = path.read_text().count("\n")
        name = path.relative_to(root).as_posix()
        if lines > limit and (name, None, "lines") not in EXCEPTIONS:
            yield f"{name}: {lines} lines, over {limit}"


def needless(_root):
    """Exceptions that nothing needs; the table must not rot."""
    real = {(one.path, one.name): one for one in measure(tap.ROOT)}
    limits = {"lines": LINES, "complexity": COMPLEXITY, "params": PARAMS,
              "nesting": NESTING}
    for (path, name, what), reason in EXCEPTIONS.items():
        if not reason:
            yield f"{path} {name} {what}: no reason given"
        if name is None:
            limit = HEADER_LINES if path.endswith(".h") else FILE_LINES
            text = tap.ROOT / path
            if not text.exists() or text.read_text().count("\n") <= limit:
                yield f"{path}: is within its budget"
        elif (path, name) not in real or getattr(
                real[path, name], what) <= limits[what]:
            yield f"{path} {name} {what}: is within its budget"


def unseen(root):
    """Functions that pmccabe knows and our reader does not: a form of
    definition that would slip through."""
    ours = {(one.path, one.name) for one in measure(root)}
    for path, name in complexities(root):
        relative = str(path).removeprefix(f"{root}/")
        if (relative, name) not in ours:
            yield f"{relative}: {name} is not written in the house's form"


def worst():
    """The ten functions nearest to or over their limits."""
    ranked = sorted(measure(tap.ROOT), reverse=True, key=lambda one: max(
        one.lines / LINES, one.complexity / COMPLEXITY))
    yield "ten worst functions: lines, complexity, parameters, nesting"
    for one in ranked[:10]:
        yield (f"  {one.lines:3} {one.complexity:3} {one.params:2} "
               f"{one.nesting:2}  {one.path}:{one.line} {one.name}")
    lengths = sorted(one.lines for one in ranked) or [0]
    yield (f"{len(ranked)} functions, median {lengths[len(lengths) // 2]} "
           f"lines, 90 % within {lengths[len(lengths) * 9 // 10]}")


def function(body, params="void"):
    return {"src/base/a.c": f"int\nf({params})\n{{\n{body}}}\n"}


def rule(name, what, limit, bad, good):
    return tap.Rule(name, lambda root: list(over(root, what, limit)),
                    bad, good)


def deep(levels):
    """A body whose innermost statement is at this level."""
    head = "".join(f"if (a{i}) {{\n" for i in range(levels - 1))
    return function(head + "x();\n" + "}\n" * (levels - 1))


def bare_deep(levels):
    head = "".join(f"for (;a{i};)\n" for i in range(levels - 1))
    return function(head + "x();\n")


RULES = [
    rule(f"a function has at most {LINES} lines", "lines", LINES,
         [function("x();\n" * 58)], [function("x();\n" * 50)]),
    rule(f"its complexity is at most {COMPLEXITY}, a switch counting once",
         "complexity", COMPLEXITY,
         [function("if (a && b) x();\n" * 6)],
         [function("if (a && b) x();\n" * 5), function(
             "switch (a) {\n" + "case 1: x(); break;\n" * 20 + "}\n")]),
    rule(f"it takes at most {PARAMS} parameters", "params", PARAMS,
         [function("x();\n", "int a, int b, int c, int d, int e, int f")],
         [function("x();\n", "int a, int (*b)(int, int, int), int c, int d, "
                   "struct e *e")]),
    rule(f"blocks nest at most {NESTING} deep, the body being one",
         "nesting", NESTING, [deep(5), bare_deep(5)],
         [deep(4), bare_deep(4), function(
             "if (a) x();\nelse if (b) x();\nelse if (c) x();\n"
             "else if (d) x();\nelse {\nwhile (e) do x(); while (f);\n}\n"
             "struct p p = {{{{1}}}};\np = (struct p){{{{2}}}};\n")]),
    tap.Rule(f"a file has at most {FILE_LINES} lines",
             lambda root: list(long_files(root, ".c", FILE_LINES)),
             [{"src/base/a.c": "\n" * 601}], [{"src/base/a.c": "\n" * 600}]),
    tap.Rule(f"a header has at most {HEADER_LINES} lines",
             lambda root: list(long_files(root, ".h", HEADER_LINES)),
             [{"src/base/a.h": "\n" * 201}], [{"src/base/a.h": "\n" * 200}]),
    tap.Rule("every function is written in the form that is measured",
             lambda root: list(unseen(root)),
             [{"src/base/a.c": "int f(void) { return 1; }\n"}],
             [function("x();\n")]),
]

if __name__ == "__main__":
    RULES.append(tap.Rule("every exception is needed and has its reason",
                          lambda root: list(needless(root)), []))
    tap.main(RULES, worst())
