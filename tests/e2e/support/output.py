# SPDX-License-Identifier: MIT
"""What a process writes, line by line. A thread reads it, so that the process is never
held up; and whoever looks reads what there is first. So a line that was written before
anything else could be seen from outside is seen, too."""

import os
import select
import threading

ALL = 1 << 20  # more than a pipe holds


class Output:
    """One pipe of a process; `lines` are those so far."""

    def __init__(self, pipe):
        self.pipe, self.seen, self.rest = pipe, [], b""
        self.lock, self.ended = threading.Lock(), False
        os.set_blocking(pipe.fileno(), False)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def lines(self):
        self._take()
        return self.seen

    def join(self):
        """Up to the end; the process, and whoever it began, has gone."""
        self.thread.join(10)

    # --- inside

    def _run(self):
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        while not self.ended:
            poll.poll()
            self._take()
        self.pipe.close()

    def _take(self):
        with self.lock:
            try:
                data = b"" if self.ended else os.read(self.pipe.fileno(), ALL)
            except BlockingIOError:
                return
            self.ended = not data
            *whole, self.rest = (self.rest + (data or b"\n" * bool(self.rest))).split(b"\n")
            self.seen += [line.decode(errors="backslashreplace") for line in whole]
