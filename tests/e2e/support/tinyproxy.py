# SPDX-License-Identifier: MIT
"""Proxies for requests to the outside: Debian's tinyproxy as a process of its own,
and a fake for what that one does not do."""

import re
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from .output import Output
from .server import base_env, reserve_port
from .waiting import PATIENCE, wait_for

REQUEST = re.compile(r"Request \(file descriptor \d+\): (\S+) (\S+)")


class Tinyproxy:
    """Started when it is made; `lines` are more of its settings."""

    def __init__(self, *lines, env=None):
        self.folder = tempfile.mkdtemp(prefix="chatbox-proxy-")
        self.kept = reserve_port()
        self.port = self.kept.getsockname()[1]
        settings = Path(self.folder) / "tinyproxy.conf"
        settings.write_text("\n".join(
            ["Listen 127.0.0.1", f"Port {self.port}", "LogLevel Connect", *lines, ""]))
        self.process = subprocess.Popen(
            ["tinyproxy", "-d", "-c", settings], env={**base_env(), **(env or {})},
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.output = Output(self.process.stdout)
        wait_for(self._ready, 10, "the proxy listens")

    def _ready(self):
        assert self.process.poll() is None, "\n".join(self.output.lines)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, user=""):
        return f"http://{user and user + '@'}127.0.0.1:{self.port}"

    def requests(self):
        """(method, target) of each, in order."""
        return [found.groups() for found in map(REQUEST.search, self.output.lines) if found]

    def close(self):
        try:
            self.process.terminate()
            self.process.wait(10 * PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.output.join()
            self.kept.close()
            shutil.rmtree(self.folder, ignore_errors=True)


class FakeProxy:
    """Keeps what it is sent, answers each head with these bytes, and closes; without
    any it is silent until the other side goes."""

    def __init__(self, answer):
        self.answer, self.heads = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def url(self, user=""):
        return f"http://{user and user + '@'}127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._one, args=(peer,), daemon=True).start()

    def _one(self, peer):
        head = b""
        with peer:
            try:
                while b"\r\n\r\n" not in head:
                    more = peer.recv(65536)
                    if not more:
                        return
                    head += more
                self.heads.append(head)
                if self.answer is not None:
                    peer.sendall(self.answer)
                else:
                    peer.recv(1)
            except OSError:
                pass  # the other side went

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
