# SPDX-License-Identifier: MIT
"""Lets the n-th call of a kind fail inside a running server (nthcall.c)."""

import errno
import mmap
import signal
import struct

from .preload import preload_env

KINDS = 64
NAME_BYTES = 24
TARGET, ERROR, FIRST, EVERY, FAILED, SEEN = 0, 4, 8, 16, 24, 32
NAMES = SEEN + 8 * KINDS
SIZE = NAMES + NAME_BYTES * KINDS
NOBODY = -1

# Errors that the kernel, or the C library, may give at any time to those who
# call it here. What only says that time or luck was short (EINTR) is all that
# some of these descriptors can say at all.
ERRORS = {
    "memory": (errno.ENOMEM,),
    "accept4": (errno.EMFILE, errno.ECONNABORTED, errno.ENOMEM),
    "close": (errno.EIO,),
    "connect": (errno.ENETUNREACH, errno.EADDRNOTAVAIL),
    "dup": (errno.EMFILE,),
    "epoll_ctl": (errno.ENOMEM,),
    "epoll_wait": (errno.EINTR,),
    "fcntl": (errno.ENOLCK, errno.EIO),
    "fstat": (errno.EIO,),
    "fsync": (errno.EIO,),
    "ftruncate": (errno.EIO,),
    "getpeername": (errno.ENOBUFS,),
    "getrandom": (errno.EINTR,),
    "getsockname": (errno.ENOBUFS,),
    "getsockopt": (errno.ENOBUFS,),
    "mmap": (errno.ENOMEM,),
    "open": (errno.EMFILE, errno.EIO),
    "poll": (errno.EINTR, errno.ENOMEM),
    "pread": (errno.ESTALE,),  # EIO is damage to SQLite: test_81_disk.py
    "pthread_create": (errno.EAGAIN,),
    "pwrite": (errno.ENOSPC, errno.EIO),
    "read": (errno.EINTR,),
    "recv": (errno.ECONNRESET, errno.ENOMEM),
    "send": (errno.EPIPE, errno.ENOBUFS),
    "setsockopt": (errno.ENOMEM,),
    "shutdown": (errno.ENOTCONN,),
    "socket": (errno.EMFILE, errno.ENOBUFS),
    "stat": (errno.EIO,),
    "unlink": (errno.EIO,),
    "write": (errno.EINTR,),
}

# Only while a server starts.
ERRORS_AT_START = {
    **ERRORS,
    "bind": (errno.EADDRINUSE,),
    "epoll_create": (errno.EMFILE,),
    "eventfd": (errno.EMFILE,),
    "listen": (errno.EADDRINUSE,),
}


class NthCall:
    """The page that a server and this test share. `env` makes it read it."""

    def __init__(self, path):
        path.write_bytes(b"\0" * SIZE)
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), SIZE)
        self.env = {**preload_env("nthcall"), "NTH_CALL": str(path)}
        self.disarm()

    def _index(self, name):
        for i in range(KINDS):
            at = NAMES + i * NAME_BYTES
            if self.page[at:at + NAME_BYTES].rstrip(b"\0") == name.encode():
                return i
        raise AssertionError(f"nthcall.c does not know {name}")

    def _put(self, form, at, value):
        struct.pack_into(form, self.page, at, value)

    def forget(self):
        """Counts everything from now on."""
        for i in range(KINDS):
            self._put("Q", SEEN + 8 * i, 0)

    def seen(self, name):
        """Calls since they were last counted from nought."""
        return struct.unpack_from("Q", self.page, SEEN + 8 * self._index(name))[0]

    def arm(self, name, error, first, every=0):
        """The `first` call from now on fails, then each `every`-th after it."""
        self.disarm()
        for form, at, value in (("i", ERROR, error), ("Q", FIRST, first),
                                ("Q", EVERY, every), ("Q", FAILED, 0),
                                ("Q", SEEN + 8 * self._index(name), 0),
                                ("i", TARGET, self._index(name))):
            self._put(form, at, value)

    def kill(self, name, nth):
        """The process that makes this call, from now on, dies before it."""
        self.arm(name, -signal.SIGKILL, nth)

    def disarm(self):
        """No more failures; gives how many there were."""
        self._put("i", TARGET, NOBODY)
        return struct.unpack_from("Q", self.page, FAILED)[0]
