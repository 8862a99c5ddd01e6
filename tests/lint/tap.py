# SPDX-License-Identifier: MIT
"""What the lints share: a rule, its planted violations, and TAP.

A rule is checked on the project's tree. Then every violation planted for it is
written into an empty folder, where the rule must find it, and it must find
nothing in what was planted as correct: a lint that finds nothing by mistake
would otherwise look like a clean tree.
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Rule:
    """check(root) gives one line per violation; name is a sentence."""

    def __init__(self, name, check, bad, good=()):
        self.name, self.check = name, check
        self.bad, self.good = list(bad), list(good)


def planted(check, files):
    """The violations that check finds in a folder holding just these files."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check(root)


def cases(rule):
    """(name, violations) of everything that a rule is tried on."""
    yield rule.name, rule.check(ROOT)
    for number, files in enumerate(rule.bad, 1):
        missed = [] if planted(rule.check, files) else [
            f"not found in {sorted(files)}"]
        yield f"{rule.name}: finds violation {number}", missed
    for number, files in enumerate(rule.good, 1):
        yield (f"{rule.name}: accepts example {number}",
               planted(rule.check, files))


def run(rules, notes=()):
    """Prints TAP for all rules; returns the exit status."""
    for note in notes:
        print(f"# {note}")
    results = [one for rule in rules for one in cases(rule)]
    print(f"1..{len(results)}")
    failed = 0
    for number, (name, violations) in enumerate(results, 1):
        failed += bool(violations)
        print(f"{'not ok' if violations else 'ok'} {number} - {name}")
        for line in violations:
            print(f"# {line}")
    return 1 if failed else 0


def main(rules, notes=()):
    sys.exit(run(rules, notes))


def sources(root, *suffixes, folder="src"):
    """The files below a folder with these endings, in a fixed order."""
    return sorted(p for p in (root / folder).rglob("*")
                  if p.suffix in suffixes and p.is_file())


def tracked(root):
    """What git would commit; in a planted folder, every file."""
    done = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], capture_output=True, check=False)
    if done.returncode == 0 and (root / ".git").exists():
        names = done.stdout.decode().split("\0")
        found = (root / name for name in names if name)
    else:
        found = root.rglob("*")
    return sorted(p for p in found if p.is_file())
