#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian with systemd as its first process, in namespaces of its own. The network is the
machine's, so that a server in it is reached as any other.

    unshare --mount --pid --fork --uts --ipc --cgroup --propagation private \\
        booted.py ROOT

is how System starts it: it lays out what a kernel would have, and becomes systemd.
"""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
GROUPS = Path("/sys/fs/cgroup")


class System:
    """Booted when it is made."""

    def __init__(self, root):
        from .waiting import wait_for
        self.root = root
        hierarchy = GROUPS / "unified"
        self.group = (hierarchy if hierarchy.exists() else GROUPS) / f"chatbox-{uuid.uuid4()}"
        self.group.mkdir()
        self.outer = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup",
             "--propagation", "private", sys.executable, __file__, str(root)],
            preexec_fn=self.enter_group, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            wait_for(lambda: self.ctl("is-system-running", check=False).stdout.strip()
                     in ("running", "degraded"), 30, "systemd has booted")
        except BaseException:
            self.close()
            raise

    def enter_group(self):
        (self.group / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def init(self):
        """systemd's process, as the machine counts; None as long as there is none."""
        pid = self.outer.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return children[0] if children else None

    def run(self, *command, check=True):
        """Runs a command in it to its end; the result has text."""
        if self.init is None:
            return subprocess.CompletedProcess(command, 1, "", "it does not run yet")
        done = subprocess.run(
            ["nsenter", "--target", self.init, "--mount", "--pid", "--uts", "--ipc",
             "--cgroup", "--root", "--wd", *command], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False, timeout=60,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def ctl(self, *arguments, check=True):
        return self.run("systemctl", "--no-pager", *arguments, check=check)

    def show(self, unit, name):
        return self.ctl("show", unit, "--property", name, "--value").stdout.strip()

    def journal(self, unit):
        """The messages about a unit and of it."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout

    def close(self):
        """Its first process takes all others along."""
        if self.init is not None:
            os.kill(int(self.init), signal.SIGKILL)
        self.outer.wait(30)
        self.outer.stderr.close()
        for folder, _, _ in os.walk(self.group, topdown=False):
            os.rmdir(folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def device(root, name):
    Path(f"{root}/dev/{name}").touch()
    mount("--bind", f"/dev/{name}", f"{root}/dev/{name}")


def main():
    root = sys.argv[1]
    mount("--bind", root, root)
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("-t", "sysfs", "-o", "ro", "sysfs", f"{root}/sys")
    mount("-t", "cgroup2", "cgroup2", f"{root}/sys/fs/cgroup")
    for folder in ("dev", "run", "tmp"):
        mount("-t", "tmpfs", "tmpfs", f"{root}/{folder}")
    for name in DEVICES:
        device(root, name)
    for name in ("pts", "shm"):
        os.mkdir(f"{root}/dev/{name}")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", f"{root}/dev/pts")
    os.symlink("pts/ptmx", f"{root}/dev/ptmx")
    os.chdir(root)
    os.makedirs("run/old")
    subprocess.run(["pivot_root", ".", "run/old"], check=True)
    subprocess.run(["umount", "--lazy", "/run/old"], check=True)
    mount("--make-rshared", "/")  # what systemd mounts for a unit comes by sharing
    os.execve("/lib/systemd/systemd", ["systemd"],
              {"container": "chatbox", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


if __name__ == "__main__":
    main()
