# SPDX-License-Identifier: MIT
"""What names mean to a server, said by the test: names.c, which the server loads
before everything else, asks here in place of the system's resolver. A normal
machine lets nobody but root put another one there."""

import os
import shutil
import socketserver
import tempfile
import threading

from .fakellm import Moment
from .preload import preload_env

# getaddrinfo's, as glibc numbers them.
NO_NAME, AGAIN, FAIL, MEMORY = -2, -3, -4, -10


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        name = self.rfile.readline().decode().strip()
        answer = self.server.names.answer(name)
        try:
            self.wfile.write(answer.encode())
        except OSError:
            pass  # who asked has gone


class Listener(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Names:
    """`env` makes a server ask here. What it does not know is no name."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="chatbox-names-")
        self.known = {}
        self.held = {}
        self.asked = []
        self.listener = Listener(os.path.join(self.folder, "s"), Handler)
        self.listener.names = self
        self.thread = threading.Thread(target=self.listener.serve_forever, daemon=True)
        self.thread.start()

    @property
    def env(self):
        return {**preload_env("names"), "NAMES": self.listener.server_address}

    def means(self, name, *answers):
        """Addresses with blanks between, or the number of an error: one after the
        other, the last one for ever."""
        self.known[name] = list(answers)

    def hold(self, name):
        """Whoever asks waits until let_go."""
        self.held[name] = Moment()

    def let_go(self, name):
        self.held[name].set()

    def answer(self, name):
        self.asked.append(name)
        if name in self.held:
            self.held[name].wait(60)
        answers = self.known.get(name, [NO_NAME])
        return str(answers.pop(0) if len(answers) > 1 else answers[0])

    def close(self):
        for moment in self.held.values():
            moment.set()
        self.listener.shutdown()
        self.listener.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
