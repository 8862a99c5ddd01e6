#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts a program as a container engine does: in a file system of its own that
nothing can be written to, as a user without any right.

    unshare --mount --propagation private jail.py ROOT USER [FROM:TO[:ro]]... -- ARGV...

FROM is a folder or a file of the machine, TO where the program finds it; `tmpfs:TO` is an
empty folder. The environment is handed on. The process stays the same one, so that who
started it can signal it.
"""

import ctypes
import os
import subprocess
import sys

PR_SET_NO_NEW_PRIVS = 38


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def bind(root, where):
    source, to, *more = where.split(":")
    target = f"{root}{to}"
    if source == "tmpfs":
        mount("-t", "tmpfs", "tmpfs", target)
        return
    if not os.path.exists(target):
        if os.path.isdir(source):
            os.makedirs(target)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "x").close()
    mount("--bind", source, target)
    if more:
        mount("-o", f"remount,bind,{more[0]}", target)


def main():
    split = sys.argv.index("--")
    root, user, *binds = sys.argv[1:split]
    mount("--bind", root, root)
    mount("-o", "remount,bind,ro", root)
    mount("-t", "proc", "proc", f"{root}/proc")
    for where in ("tmpfs:/dev", "/dev/null:/dev/null", "tmpfs:/run", *binds):
        bind(root, where)
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(int(user), int(user), int(user))
    os.setresuid(int(user), int(user), int(user))
    if ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("jail: no PR_SET_NO_NEW_PRIVS")
    os.execv(sys.argv[split + 1], sys.argv[split + 1:])


if __name__ == "__main__":
    main()
