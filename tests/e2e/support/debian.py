# SPDX-License-Identifier: MIT
"""Debian 12 in a folder, of the archive that `tools/setup deploy` makes of Debian's own
packages."""

import os
import subprocess

from .server import ROOT

ARCHIVE = ROOT / "build" / "deploy" / "debian.tar"


def run(*command, **options):
    """Runs it to its end, which has to be a good one; the result has text."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done


def unpack(folder):
    """The whole system below the folder."""
    assert os.geteuid() == 0, "this suite makes systems in folders: it needs root"
    run("tar", "-x", "-f", ARCHIVE, "-C", folder)
    return folder


def inside(root, *command, env=None):
    """Runs a command of that system to its end."""
    return run("chroot", root, *command,
               env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})})
