# SPDX-License-Identifier: MIT
"""Disks that stop: full by a limit, really full, read-only.

Each is a context manager: inside it the server cannot write. `folder` is where
the server has to keep its data, or None. A real file system needs the right to
mount; without it writes fail by nthcall.c instead, so that no test is left out.
"""

import errno
import os
import resource
import subprocess

from .nthcall import NthCall

BLOCKS = (1 << 20, 4096)


class Limited:
    """No file of the server can grow beyond what it is."""

    folder, env = None, {}

    def watch(self, server):
        self.server = server

    def __enter__(self):
        pid = self.server.process.pid
        self.before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, self.before[1]))

    def __exit__(self, *_):
        if self.server.process.poll() is None:
            resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, self.before)

    def close(self):
        """Nothing of it is left."""


class Refused(Limited):
    """Every write to a file fails with this error: what a file system says
    that the kernel has made read-only, or that is full."""

    def __init__(self, tmp_path, error):
        self.calls = NthCall(tmp_path / "page")
        self.env, self.error = self.calls.env, error

    def __enter__(self):
        self.calls.arm("pwrite", self.error, 1, 1)

    def __exit__(self, *_):
        self.calls.disarm()


class Filled(Limited):
    """A file system of its own, and a file that takes all that is free."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __enter__(self):
        with open(f"{self.folder}/ballast", "wb", buffering=0) as ballast:
            for block in BLOCKS:
                try:
                    while True:
                        ballast.write(b"\0" * block)
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def __exit__(self, *_):
        os.unlink(f"{self.folder}/ballast")

    def close(self):
        mount("umount", "-l", self.folder)

    def read_only(self, yes):
        """Only while nobody writes there; that is what the kernel allows."""
        return mount("mount", "-o", f"remount,{'ro' if yes else 'rw'}", self.folder)


def mount(*command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def small_disk(tmp_path):
    """A file system of its own; None when nobody may mount one here."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = ("-t", "tmpfs", "-o", "size=16m", "none", str(folder))
    return Filled(folder) if mount("mount", *size) else None


def full(tmp_path):
    return small_disk(tmp_path) or Refused(tmp_path, errno.ENOSPC)


def read_only(tmp_path):
    return Refused(tmp_path, errno.EROFS)


def limited(_):
    return Limited()
