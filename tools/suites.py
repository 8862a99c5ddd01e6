#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs test suites one after another and ends with one line that sums them up.

    tools/suites.py [--carry FILE] SUITE|GROUP...

A suite is a row in SUITES: what it builds, what it runs, where its cases are
counted. A suite that cannot be built, that crashes or leaves no results counts
as a failed case, so does a skipped case. Results go to build/suites.json;
--carry adds those of an earlier run. The last line on standard output is
`N passed, N failed`; the exit status is 0 if nothing failed.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "results"
RECORD = ROOT / "build" / "suites.json"
SUPPRESSIONS = ROOT / "tests" / "tsan.supp"
TAP_CASE = re.compile(r"^(not )?ok\b(?!.*# SKIP)", re.M)
TAP_SKIP = re.compile(r"^ok\b.*# SKIP", re.M)

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
                    f"suppressions={SUPPRESSIONS}",
}

# builds: commands that must succeed first. run: the command. counted: the
# function that gives (passed, failed) from where the run left its results.
Suite = collections.namedtuple("Suite", "builds run env counted")


# --- counting ---------------------------------------------------------------

def count_meson(path):
    """Of Meson's JSON lines; each holds the TAP of one program."""
    passed = failed = 0
    for line in path.read_text().splitlines():
        test = json.loads(line)
        ok, bad = count_tap(test.get("stdout", ""))
        if test["result"] != "OK" and bad == 0:
            bad = 1  # crashed, hung or ended before its plan
        passed, failed = passed + ok, failed + bad
    return passed, failed


def count_tap(text):
    cases = [bool(match.group(1)) for match in TAP_CASE.finditer(text)]
    skipped = len(TAP_SKIP.findall(text))
    return cases.count(False), cases.count(True) + skipped


def count_junit(path):
    passed = failed = 0
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        bad = any(child.tag in ("failure", "error", "skipped")
                  for child in case)
        passed, failed = passed + (not bad), failed + bad
    return passed, failed


def count_tap_file(path):
    return count_tap(path.read_text())


# --- suites -----------------------------------------------------------------

def folder(variant):
    return "build" if variant == "release" else f"build-{variant}"


def builds(variant, *targets):
    web = [["tools/web"]] if variant != "fuzz" else []
    return [*web, ["tools/build", variant, *targets]]


def meson(variant, name, slower=1):
    """One of Meson's suites in one variant."""
    log = ROOT / folder(variant) / "meson-logs" / f"suite-{name}.json"
    run = ["meson", "test", "-C", folder(variant), "--suite", name,
           "--logbase", f"suite-{name}", "--print-errorlogs",
           "--timeout-multiplier", str(slower)]
    return Suite(builds(variant), run, SANITIZER_ENV,
                 (count_meson, log))


def workers(count, by="loadfile"):
    """Most of their time the tests wait; by: what stays together."""
    return ("-n", str(count), "--dist", by)


def without(*names):
    return tuple(f"--ignore-glob=tests/e2e/test_{name}.py" for name in names)


# Of the tests' own tools: no program of ours runs in them.
TOOLS = without("01_support", "01_official_clients", "02_mongo_tools")
# Commands that end at once: no second thread, and no socket.
COMMANDS = without("05_config_rows", "06_config_sources", "07_commands",
                   "08_health")
# Others' proxies before us: what they do to us has tests of its own.
FRONTS = without("93_fronts", "94_front_restarts")
# With a MongoDB of their own in any run; its connections are the driver's.
MONGO = without("03_mongo", "04_*", "05_standby*")
# Faults by chance: e2e has a few schedules, soak-long a thousand.
CHANCE = without("04_mongo_schedules")
# Starts that fail and a command: before there are threads, or without them.
ONE_THREAD = without("04_mongo_start", "04_migrate")
# Settings, heads, tokens, frames, limits and ways to a provider: what is stored
# plays no part in it, so that another storage makes no difference.
NO_STORE = without("05_config_rows", "06_config_sources", "10_malformed",
                   "11_http", "12_cors_pages_tls", "20_auth",
                   "21_origins_limits", "22_jwks", "23_live_tokens",
                   "30_ws_rules", "31_ws_echo", "48_upstream_*", "70_limits",
                   "71_buckets")


def pytest(variant, name, where="tests/e2e", targets=(), how=workers(2),
           **env):
    """A suite of pytest's, against one variant's program."""
    junit = OUT / f"{name}.xml"
    run = [".venv/bin/python", "-m", "pytest", "-q", *how,
           f"--junitxml={junit}", *where.split()]
    if "CHATBOX_TEST_PATIENCE" in env:  # the limit of a test waits as well
        env["PYTEST_TIMEOUT"] = str(60 * int(env["CHATBOX_TEST_PATIENCE"]))
    env = {**SANITIZER_ENV, **env,
           "CHATBOX_BUILD": str(ROOT / folder(variant)),
           "CHATBOX_BIN": str(ROOT / folder(variant) / "chatbox")}
    return Suite(builds(variant, "chatbox", "bench/ws-echo", *targets), run,
                 env, (count_junit, junit))


def needing(group, suite):
    """With large parts of others' making, which are installed for it alone."""
    return suite._replace(builds=[["tools/setup", group], *suite.builds])


# A root folder that is read-only, and a systemd that boots: by namespaces and
# control groups of their own.
HOUSES = ["unshare", "--mount", "--pid", "--fork", "--cgroup", "sh", "-c",
          "mount -t tmpfs none /mnt && d=$(mktemp -d /sys/fs/cgroup/XXXXXX)"
          " && rmdir $d"]


def packed(suite):
    """With the tarball and the package, built in a folder of their own."""
    return suite._replace(builds=[*suite.builds, ["tools/deb"]])


def node(where, name, command, env=None):
    junit = OUT / f"{name}.xml"
    run = ["sh", "-c", f"cd {where} && ../{'../' * where.count('/')}"
           f"tools/node {command.format(junit=junit)}"]
    env = {key: value.format(junit=junit) for key, value in
           (env or {}).items()}
    return Suite(builds("release", "chatbox"), run, env, (count_junit, junit))


def tap(name, *command, prepared=()):
    """A command that speaks TAP on standard output."""
    log = OUT / f"{name}.tap"
    run = ["sh", "-c", f'"$@" >{log}; status=$?; cat {log}; exit $status',
           "sh", *command]
    return Suite(list(prepared), run, SANITIZER_ENV, (count_tap_file, log))


def long_forms():
    """The end-to-end files that have one, by CHATBOX_LONG=1."""
    return " ".join(str(path.relative_to(ROOT)) for path in
                    sorted((ROOT / "tests" / "e2e").glob("test_*.py"))
                    if "CHATBOX_LONG" in path.read_text())


def other_store():
    """MONGO_URI in the environment: on that database instead of SQLite."""
    uri = os.environ.get("MONGO_URI")
    return ("--store", "mongo", "--mongo-uri", uri) if uri else ()


PROPERTY = ("tests/property/libpure.so", "tests/property/token_tool")
SUITES = {
    "unit": meson("release", "unit"),
    "lint": meson("release", "lint"),
    "corpus": meson("release", "fuzz"),
    "web": node("web", "web", "npx vitest run --reporter=default "
                "--reporter=junit --outputFile.junit={junit}"),
    "types": tap("types", "tools/types"),
    "e2e": pytest("release", "e2e", how=workers(6) + other_store(),
                  CHATBOX_TEST_PATIENCE="2"),
    "e2e-mongo": pytest("release", "e2e-mongo",
                        how=workers(6) + ("--store", "mongo")
                        + TOOLS + FRONTS + MONGO + NO_STORE,
                        CHATBOX_TEST_PATIENCE="2"),
    "e2e-real": needing("real", pytest(
        "release", "e2e-real", "tests/e2e/real", how=(),
        CHATBOX_TEST_PATIENCE="3")),
    "cluster": needing("cluster", pytest(
        "release", "cluster", "tests/e2e/cluster", CHATBOX_TEST_PATIENCE="2")),
    "s3": needing("s3", pytest(
        "release", "s3", "tests/e2e/s3 tests/e2e/test_51_upload.py "
        "tests/e2e/test_52_upload_messages.py tests/e2e/test_53_voice.py",
        how=workers(4) + ("--uploads", "s3"), CHATBOX_TEST_PATIENCE="2")),
    "deploy": needing("deploy", packed(pytest(
        "release", "deploy", "tests/e2e/deploy", CHATBOX_TEST_PATIENCE="2"))),
    "property": pytest("release", "property", "tests/property", PROPERTY,
                       how=workers(3, by="load")),
    "browser": node("tests/browser", "browser",
                    "npx playwright test --reporter=list,junit",
                    {"PLAYWRIGHT_JUNIT_OUTPUT_FILE": "{junit}"}),
    "tidy": tap("tidy", "tools/tidy", prepared=builds("release")),
    "asan-unit": meson("asan", "unit", 5),
    "asan-corpus": meson("asan", "fuzz", 5),
    "asan-e2e": pytest("asan", "asan-e2e", how=workers(6) + TOOLS + FRONTS + CHANCE,
                       CHATBOX_TEST_PATIENCE="4"),
    "tsan-unit": meson("tsan", "unit", 10),
    "tsan-e2e": pytest("tsan", "tsan-e2e",
                       how=workers(6) + TOOLS + FRONTS + COMMANDS
                       + ONE_THREAD + CHANCE,
                       CHATBOX_TEST_THREADS="4", CHATBOX_TEST_PATIENCE="6"),
    "faults-e2e": pytest("faults", "faults-e2e",
                         how=workers(6) + TOOLS + FRONTS + COMMANDS + MONGO,
                         CHATBOX_TEST_PATIENCE="3"),
    "cov-unit": meson("cov", "unit", 3),
    "cov-corpus": meson("cov", "fuzz", 3),
    "cov-property": pytest("cov", "cov-property", "tests/property", PROPERTY),
    "cov-e2e": pytest("cov", "cov-e2e", CHATBOX_TEST_PATIENCE="2"),
    "coverage": tap("coverage", "tools/coverage"),
    "fuzzing": tap("fuzzing", "tools/fuzz", "6", prepared=builds("fuzz")),
    "tree": tap("tree", "tools/tree"),
    "soak-crash": pytest("release", "soak-crash", "tests/e2e/test_85_crash.py",
                         how=("-n", "2"), CHATBOX_CRASH_ROUNDS="500"),
    "soak-turns": pytest("release", "soak-turns", "tests/soak",
                         ("bench/load_turns", "tests/property/nonce_tool"),
                         how=("-s",)),
    "soak-property": pytest("release", "soak-property", "tests/property",
                            PROPERTY, how=workers(3, by="load"),
                            CHATBOX_CASES="10000",
                            CHATBOX_CONVERSATIONS="1000"),
    "soak-long": pytest("release", "soak-long", long_forms(),
                        how=workers(4, by="load"), CHATBOX_LONG="1"),
}
GROUPS = {
    "test": ["unit", "lint", "corpus", "types", "web", "property",
             "e2e", "e2e-mongo", "browser"],
    "asan": ["asan-unit", "asan-corpus", "asan-e2e"],
    "tsan": ["tsan-unit", "tsan-e2e"],
    "faults": ["faults-e2e"],
    "cov": ["cov-unit", "cov-corpus", "cov-property", "cov-e2e", "coverage"],
    "soak": ["soak-crash", "soak-turns", "soak-property",
             *(["soak-long"] if long_forms() else [])],
    "ci": ["tidy", "e2e-real", "cluster", "s3", "deploy", "asan", "tsan", "faults", "fuzzing", "tree"],
}


# --- running ----------------------------------------------------------------

def call(command, env=None):
    """Runs in the project's root, output straight through; True if it went."""
    sys.stdout.flush()
    try:
        return subprocess.run(command, cwd=ROOT, env={**os.environ,
                              **(env or {})}, stdin=subprocess.DEVNULL,
                              check=False).returncode == 0
    except OSError as error:
        print(f"{command[0]}: {error}")
        return False


def count(counted, went):
    """(passed, failed); a run that went wrong has at least one failure."""
    function, path = counted
    try:
        passed, failed = function(path)
    except (OSError, ValueError, KeyError,
            xml.etree.ElementTree.ParseError) as error:
        print(f"no results: {error}")
        return 0, 1
    if passed + failed == 0 or (failed == 0 and not went):
        failed += 1
    return passed, failed


def is_possible(name):
    """False where the machine cannot give what the suite is about."""
    return name != "deploy" or call(HOUSES)


def run(name):
    suite = SUITES[name]
    print(f"\n=== {name}")
    if not is_possible(name):
        print(f"=== {name}: not run: it cannot run anywhere where root has no"
              " namespaces and no control groups")
        return 0, 0
    suite.counted[1].unlink(missing_ok=True)
    for command in suite.builds:
        if not call(command):
            print(f"=== {name}: cannot be built")
            return 0, 1
    return count(suite.counted, call(suite.run, suite.env))


def expand(names):
    for name in names:
        if name in GROUPS:
            yield from expand(GROUPS[name])
        else:
            yield name


def report(rows):
    print(f"\n{'suite':12} {'passed':>7} {'failed':>7} {'seconds':>8}")
    for name, passed, failed, seconds in rows:
        print(f"{name:12} {passed:7} {failed:7} {seconds:8.0f}")
    passed, failed = (sum(row[i] for row in rows) for i in (1, 2))
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def carried(path):
    """The rows of an earlier run; one that left none has failed."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return [["earlier", 0, 1, 0]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--carry", type=pathlib.Path, metavar="FILE")
    parser.add_argument("suite", nargs="+", choices=[*SUITES, *GROUPS])
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    rows = carried(args.carry) if args.carry else []
    for name in expand(args.suite):
        began = time.monotonic()
        rows.append([name, *run(name), time.monotonic() - began])
        RECORD.write_text(json.dumps(rows))
    return report(rows)


if __name__ == "__main__":
    sys.exit(main())
