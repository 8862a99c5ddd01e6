#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every criterion and property has a test that names it, and no test names
what does not exist. What is being built stands in unproven.txt, each with its
reason, and only as long as there is no test."""

import importlib.util

import tap


def tool():
    spec = importlib.util.spec_from_file_location(
        "requirements_tool", tap.ROOT / "tools" / "requirements.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = tool()


def promised(root):
    return [row for _, group in TOOL.rows(root) for row in group]


def complete(root):
    """Ninety-five criteria and twenty-two properties, each once."""
    names = [row.id for row in promised(root)]
    found = [f"{name} stands twice" for name in set(names)
             if names.count(name) > 1]
    for n, kind, want in ((95, "criteria", False), (22, "properties", True)):
        count = sum(name.startswith("P") == want for name in names)
        if count != n:
            found.append(f"{count} {kind} instead of {n}")
    return found


def proven(root):
    claimed = {claim.id for claim in TOOL.claims(root)}
    reasons = TOOL.unproven(root)
    return [f"{row.id} has no test: {row.text}" for row in promised(root)
            if not (row.later or row.id in claimed
                    or reasons.get(row.id, "").strip())]


def needless(root):
    claimed = {claim.id for claim in TOOL.claims(root)}
    names = {row.id for row in promised(root) if not row.later}
    return [f"{name} has a test or does not exist; take it out of "
            f"{TOOL.UNPROVEN}" for name in TOOL.unproven(root)
            if name in claimed or name not in names]


def existing(root):
    names = {row.id for row in promised(root)}
    return [f"{c.path}: {c.test} names {c.id}, which does not exist"
            for c in TOOL.claims(root) if c.id not in names] + [
        f"{path}: a Req or Property stands at no test"
        for path in TOOL.loose(root)]


def stale(root):
    return [f"{path.relative_to(root)} is stale; `make docs` writes it"
            for path, _ in TOOL.differing(root)]


LIST = TOOL.CRITERIA
ONE = {LIST: "# 1 A\n1.1 It is so.\n1.2 It will be. later\n# Properties\n"
       "P1 It is.\n"}
C_TEST = ("/* Req 1.1: so it\n * is; Property 1 */\nstatic void\n"
          "it_is(void **state)\n{\n}\n")
PY_TEST = '"""Head."""\n\n\ndef test_a():\n    """Req 1.1. Property 1."""\n'
JS_TEST = "test('it is (Req 1.1; Property 1)', async () => {\n})\n"
ALL = [tuple(f"{a}.{b}" for a in range(1, 20) for b in range(1, 6))]
FULL = "# 1 A\n" + "".join(f"{name} It is.\n" for name in ALL[0]) + \
    "# Properties\n" + "".join(f"P{n} It is.\n" for n in range(1, 23))

RULES = [
    tap.Rule("the list of criteria is whole", complete,
             bad=[ONE, {LIST: FULL.replace("3.3 ", "3.4 ")},
                  {LIST: FULL.replace("P22 It is.\n", "")}],
             good=[{LIST: FULL}]),
    tap.Rule("every criterion has a test or a reason", proven,
             bad=[ONE, {**ONE, "tests/unit/test_a.c": C_TEST[:10] + "2.1 */\n"},
                  {**ONE, TOOL.UNPROVEN: "1.1: \nP1: why\n"},
                  {**ONE, "tests/e2e/test_a.py":
                   PY_TEST.replace("test_a", "helper")}],
             good=[{**ONE, "tests/unit/test_a.c": C_TEST},
                   {**ONE, "tests/e2e/test_a.py": PY_TEST},
                   {**ONE, "tests/browser/a.spec.mjs": JS_TEST},
                   {**ONE, TOOL.UNPROVEN: "# x\n1.1: why\nP1: why\n"}]),
    tap.Rule("a reason goes when the test comes", needless,
             bad=[{**ONE, TOOL.UNPROVEN: "1.1: why\n",
                   "tests/unit/test_a.c": C_TEST},
                  {**ONE, TOOL.UNPROVEN: "1.3: why\n"},
                  {**ONE, TOOL.UNPROVEN: "1.2: why\n"}],
             good=[{**ONE, TOOL.UNPROVEN: "1.1: why\n"}]),
    tap.Rule("tests name what exists, and stand where they are found", existing,
             bad=[{**ONE, "tests/a.c": C_TEST.replace("1.1", "1.9")},
                  {**ONE, "tests/a.py": PY_TEST.replace("y 1", "y 2")},
                  {**ONE, "tests/a.py": PY_TEST.replace("Req 1.1", "Req 1")},
                  {**ONE, "tests/a.py": PY_TEST.replace("Head", "Req 1.1")},
                  {**ONE, "tests/a.c": C_TEST + "/* Req 1.1 */\nint a;\n"}],
             good=[{**ONE, "tests/a.c": C_TEST, "tests/b.py": PY_TEST,
                    "tests/c.mjs": JS_TEST}]),
    tap.Rule("docs/requirements.md is up to date", stale,
             bad=[ONE, {**ONE, TOOL.PAGE: "# Requirements\n"}]),
]

if __name__ == "__main__":
    tap.main(RULES)
