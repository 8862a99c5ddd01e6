# SPDX-License-Identifier: MIT
"""A server whose settings stand in a file that a test changes."""

import json
import signal

from .server import API_KEY, THREADS
from .waiting import wait_for

HUGE = 1_000_000


class Reloadable:
    """A server whose settings stand in a file. `with_` changes and reloads."""

    def __init__(self, spawn, fake, path, settings, threads=None, wait=True,
                 **env):
        self.fake, self.path = fake, path
        self.values = self.defaults()
        self.merge(settings)
        self.server = spawn({"CHATBOX_CONFIG": str(path), "LOG_LEVEL": None,
                             "LLM_RETRY_DELAY": None, "LLM_RETRY_MAX_DELAY": None,
                             "SERVER_THREADS": THREADS if threads is None else threads,
                             **env},
                            limits=False, wait=wait)

    def defaults(self):
        return {
            "limit": {"messages": HUGE, "public": HUGE, "user_http": HUGE,
                      "failures": HUGE},
            "ws": {}, "session": {}, "server": {}, "log": {"level": "info"},
            "llm": {"providers": [self.provider("fake")]}}

    def provider(self, name, **more):
        return {"id": name, "name": name.title(), "type": "openai",
                "endpoint": self.fake.endpoint, "api_key": API_KEY,
                "model": "fake-1", **more}

    def merge(self, settings):
        for group, members in settings.items():
            self.values[group].update(members)
        self.path.write_text(json.dumps(self.values))  # JSON is YAML

    def with_(self, **settings):
        """Change settings and wait until they were read."""
        before = len(self.read())
        self.merge(settings)
        self.server.signal(signal.SIGHUP)
        wait_for(lambda: len(self.read()) > before, 5, "the settings are read again")
        return self

    def read(self):
        return [line for line in self.server.logged("reload") if "applied" in line]
