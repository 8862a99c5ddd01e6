#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Doors between rooms, the form of includes, and calls that are not made."""

import re

import tap
from csource import bare

# Which rooms a room may include; "net/fetch" is that header alone. Rooms that
# do not exist yet stand here so that they find their place.
DOORS = {
    "base": [],
    "codec": ["base"],
    "loop": ["base"],
    "net": ["base", "codec", "loop"],
    "proto": ["base", "codec"],
    "guard": ["base", "codec"],
    "provider": ["base", "codec"],
    "store": ["base", "codec", "loop"],
    "cluster": ["base", "loop"],
    "notify": ["base", "codec", "loop", "net/fetch", "net/fetch_mail"],
    "upload": ["base", "codec", "net/call"],
    "chat": ["base", "codec", "loop", "proto", "guard", "provider", "store",
             "upload", "notify", "net/fetch"],
    "gate": ["base", "codec", "loop", "net", "proto", "guard", "provider",
             "store", "cluster", "notify", "upload", "chat"],
    "app": ["base", "codec", "loop", "net", "proto", "guard", "provider",
            "store", "cluster", "notify", "upload", "chat", "gate"],
}
# Doors beside the table, each with its reason.
EXTRA_DOORS = {}

BANNED = ["strcpy", "strcat", "strncat", "sprintf", "vsprintf", "strtok",
          "strtok_r", "atoi", "atol", "atoll", "atof", "sscanf", "gets",
          "alloca", "system", "popen", "mktemp", "tmpnam", "rand", "srand",
          "gmtime", "localtime", "ctime", "asctime"]
BASE_ONLY = ["malloc", "free", "calloc", "realloc", "reallocarray", "strdup",
             "strndup", "asprintf", "vasprintf", "strtol", "strtoul",
             "strtoll", "strtoull", "strtod"]
# Places that must make such a call, each with its reason.
BASE_ONLY_EXCEPT = {
    "src/proto/decode.c": {
        "strtod": "finds the shortest text of a number by reading it back",
    },
}

UMBRELLA_LIMIT = 10  # project headers that one header may include

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def includes(path):
    """(line number, name) of the project's headers that a file includes."""
    text = path.read_text()
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(1)) + 1, match.group(1)


def allowed(room, name):
    target = name.split("/")[0]
    doors = [room, *DOORS.get(room, []), *EXTRA_DOORS.get(room, {})]
    return target in doors or name.rsplit(".", 1)[0] in doors


def doors(root):
    for path in tap.sources(root, ".c", ".h", ".def"):
        room = path.relative_to(root / "src").parts[0]
        if room not in DOORS:
            yield f"{path.relative_to(root)}: no room {room} in the table"
        for line, name in includes(path):
            if "/" not in name:
                yield f"{path.relative_to(root)}:{line}: {name} names no room"
            elif not allowed(room, name):
                yield (f"{path.relative_to(root)}:{line}: {room} may not "
                       f"include {name}")


def own_header_first(root):
    for path in tap.sources(root, ".c"):
        own = path.relative_to(root / "src").with_suffix(".h")
        if not (root / "src" / own).exists():
            continue
        first = next((name for _, name in includes(path)), "")
        before = path.read_text().split('#include "')[0]
        if first != own.as_posix() or "#include" in before:
            yield f"{path.relative_to(root)}: {own} is not the first include"


def umbrellas(root):
    for path in tap.sources(root, ".h"):
        count = len(list(includes(path)))
        if count > UMBRELLA_LIMIT:
            yield f"{path.relative_to(root)}: includes {count} headers"


def guards(root):
    for path in tap.sources(root, ".h"):
        name = path.relative_to(root / "src").as_posix()
        macro = "CHATBOX_" + re.sub(r"\W", "_", name).upper()
        text = path.read_text()
        if f"#ifndef {macro}\n#define {macro}\n" not in text:
            yield f"{path.relative_to(root)}: the guard is not {macro}"


def unique_names(root):
    seen = {}
    for path in tap.sources(root, ".c", ".h"):
        other = seen.setdefault(path.name, path)
        if other != path:
            yield f"{path.relative_to(root)}: as {other.relative_to(root)}"


def calls(root, path, names):
    """The calls of these functions that stand in a file."""
    code = bare(path.read_text())
    pattern = r"(?<![\w.>])(" + "|".join(names) + r")\s*\("
    for match in re.finditer(pattern, code):
        line = code.count("\n", 0, match.start()) + 1
        yield f"{path.relative_to(root)}:{line}: {match.group(1)}"


def banned(root):
    for path in tap.sources(root, ".c", ".h"):
        yield from calls(root, path, BANNED)


def base_only(root):
    for path in tap.sources(root, ".c", ".h"):
        room = path.relative_to(root / "src").parts[0]
        if room == "base":
            continue
        except_for = BASE_ONLY_EXCEPT.get(
            path.relative_to(root).as_posix(), {})
        for found in calls(root, path, BASE_ONLY):
            if found.rsplit(" ", 1)[1] not in except_for:
                yield found


def listed(check):
    return lambda root: list(check(root))


def header(name, body=""):
    macro = "CHATBOX_" + re.sub(r"\W", "_", name).upper()
    return f"#ifndef {macro}\n#define {macro}\n{body}#endif\n"


RULES = [
    tap.Rule("rooms open only their own doors", listed(doors), bad=[
        {"src/codec/ws.c": '#include "net/conn.h"\n'},
        {"src/proto/field.def": '#include "chat/turn.h"\n'},
        {"src/chat/turn.c": '#include "net/conn.h"\n'},
        {"src/base/str.c": '#include "str.h"\n'},
        {"src/cellar/wine.c": ""},
    ], good=[
        {"src/chat/turn.c": '#include "net/fetch.h"\n#include "base/str.h"\n'},
        {"src/app/boot.c": '#include "gate/gate.h"\n'},
    ]),
    tap.Rule("a .c file includes its own header first",
             listed(own_header_first), bad=[
        {"src/base/str.h": "", "src/base/str.c": "#include <stdio.h>\n"
         '#include "base/str.h"\n'},
        {"src/base/str.h": "", "src/base/str.c": '#include "base/buf.h"\n'
         '#include "base/str.h"\n'},
    ], good=[
        {"src/base/str.h": "", "src/base/str.c": '/* #1 */\n#include '
         '"base/str.h"\n#include <stdio.h>\n'},
        {"src/app/main.c": "#include <stdio.h>\n"},
    ]),
    tap.Rule("there is no umbrella header", listed(umbrellas), bad=[
        {"src/chat/all.h": "".join(
            f'#include "base/h{i}.h"\n' for i in range(UMBRELLA_LIMIT + 1))},
    ]),
    tap.Rule("a header's guard is its path", listed(guards), bad=[
        {"src/base/str.h": "#pragma once\n"},
        {"src/base/str.h": header("base/string.h")},
    ], good=[{"src/base/str.h": "/* Why. */\n" + header("base/str.h")}]),
    tap.Rule("a file's name is unique in the tree", listed(unique_names),
             bad=[{"src/base/str.c": "", "src/codec/str.c": ""}],
             good=[{"src/base/str.c": "", "src/base/str.h": ""}]),
    tap.Rule("banned functions are not called", listed(banned), bad=[
        {"src/base/a.c": f"int x = {name}(y);\n"} for name in BANNED
    ], good=[
        {"src/base/a.c": "/* sprintf( */ char *s = \"strcpy(\";\n"
         "my_strcpy(a); ops->system(a); ops.gets(a);\n"},
    ]),
    tap.Rule("memory and numbers come from base", listed(base_only), bad=[
        {"src/chat/a.c": f"x = {name}(y);\n"} for name in BASE_ONLY
    ], good=[{"src/base/a.c": "free(x);\n", "src/chat/a.c": "xfree(x);\n"}]),
]

if __name__ == "__main__":
    tap.main(RULES)
