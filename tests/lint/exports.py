#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the objects show to the linker: exported names and mutable globals.

    exports.py ARCHIVE

foo.c exports only foo_* (its plural or singular counts as the same word), so
that a name tells its file. Nothing outlives a function but what is listed.
"""

import pathlib
import re
import subprocess
import sys

import tap

# Files whose names do not begin like their file, each with its reason.
PREFIXES = {
    "base/xalloc.c": (("x",), "the words of malloc and its kin with an x"),
    "proto/decode.c": (("proto_", "message_"),
                       "half of the room, the other half is encode.c"),
    "proto/encode.c": (("proto_",), "half of the room, see decode.c"),
    "store/mongo_wire.c": (("_mongoc_rpc_scatter",),
                           "the driver's name for it"),
    "store/record.c": (("message_record_", "session_record_", "sender_",
                        "status_"), "plain values, named after themselves"),
}
# Mutable words that belong to no object, each with its reason.
GLOBALS = {
    "base/log.c": {
        "current_level": "the logger's",
        "current_format": "the logger's",
        "current_shard": "the logger's, of this thread",
    },
    "base/metrics.c": {
        "my_row": "this thread's row",
        "rows": "the list of all rows, added to only",
        "slots": "names of the cells with labels, added to only",
    },
    "base/rand.c": {
        "left": "this thread's reserve of random bytes",
        "reserve": "this thread's reserve of random bytes",
        "once": "draws process_key",
        "process_key": "the hash key, drawn once",
    },
    "store/store_mongo_call.c": {
        "sent": "the driver tells of each command by a callback without any "
                "object of ours that is one thread's",
    },
    "net/sys.c": {
        "state": "the fault build's dice, of this thread",
    },
}

MEMBER = re.compile(r"^Symbols from .*\[(?:.*/)?([\w.]+)\.c\.o\]:$")
WRITABLE = re.compile(r"\.(?:data|bss|tdata|tbss)(?:\.|$)")


def objects(archive):
    """object name -> [(symbol, class, section)]; room_file for room/file.c."""
    done = subprocess.run(
        ["nm", "--format=sysv", "--defined-only", archive], check=True,
        capture_output=True, text=True)
    found, current = {}, None
    for line in done.stdout.splitlines():
        match = MEMBER.match(line)
        fields = [field.strip() for field in line.split("|")]
        if line.startswith("Symbols from"):
            current = match and found.setdefault(match.group(1), [])
        elif current is not None and len(fields) == 7:
            current.append((fields[0], fields[2], fields[6]))
    return found


def compiled(root):
    """An archive of a planted folder's sources, named as Meson names them."""
    archive = root / "lib.a"
    made = []
    for path in tap.sources(root, ".c"):
        name = "_".join(path.relative_to(root / "src").parts)
        made.append(root / f"{name}.o")
        subprocess.run(["cc", "-c", path, "-o", made[-1]], check=True)
    subprocess.run(["ar", "rc", archive, *made], check=True)
    return archive


def symbols(root):
    """(path below src, symbol, class, section) of all objects of src."""
    archive = ARCHIVE if root == tap.ROOT else compiled(root)
    found = objects(archive)
    for path in tap.sources(root, ".c"):
        name = path.relative_to(root / "src")
        for one in found.get("_".join(name.with_suffix("").parts), []):
            yield (name.as_posix(), *one)


def prefixes(name):
    stem = pathlib.PurePath(name).stem
    words = {stem, stem.removesuffix("s"), stem + "s"}
    more, _reason = PREFIXES.get(name, ((), ""))
    return tuple(f"{word}_" for word in words) + more


def exported_names(root):
    return [f"src/{name}: exports {symbol}"
            for name, symbol, kind, _ in symbols(root)
            if kind.isupper() and not symbol.startswith(prefixes(name))
            and symbol != pathlib.PurePath(name).stem]


def globals_(root):
    return [f"src/{name}: {symbol} is a mutable global"
            for name, symbol, _, section in symbols(root)
            if WRITABLE.match(section)
            and not section.startswith(".data.rel.ro")
            and symbol.split(".")[0] not in GLOBALS.get(name, {})]


def all_seen(root):
    """Every source file has its object: a lint of nothing finds nothing."""
    known = {name for name, *_ in symbols(root)}
    return [f"src/{name.as_posix()}: not in the archive"
            for path in tap.sources(root, ".c")
            if (name := path.relative_to(root / "src")).as_posix()
            not in known | {"app/main.c"}]


RULES = [
    tap.Rule("foo.c exports only foo_*", exported_names,
             bad=[{"src/base/str.c": "int string_eq(void) { return 1; }"},
                  {"src/base/str.c": "int strange;"}],
             good=[{"src/base/str.c": "int str_eq(void) { return 1; }\n"
                    "static int other(void) { return str_eq(); }\n"
                    "int (*str_p)(void) = other;"},
                   {"src/loop/timer.c": "int timers_n(void) { return 1; }"}]),
    tap.Rule("there are no mutable globals but the listed", globals_,
             bad=[{"src/base/str.c": "int str_n;"},
                  {"src/base/str.c": "static int n; int *str_f(void)"
                   "{ return &n; }"},
                  {"src/base/str.c": "int *str_f(void)"
                   "{ static int n = 3; return &n; }"},
                  {"src/base/str.c": "_Thread_local int str_n;"}],
             good=[{"src/base/str.c": "const char *const str_w[] = {\"a\"};\n"
                    "static const int n = 1; const int *str_f(void)"
                    "{ return &n; }"}]),
    tap.Rule("every source file is part of the program", all_seen, bad=[]),
]

if __name__ == "__main__":
    ARCHIVE = sys.argv[1]
    tap.main(RULES)
