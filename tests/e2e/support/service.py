# SPDX-License-Identifier: MIT
"""chatbox.service in a booted system."""

import json
import shutil
import socket

import httpx

from .server import ROOT, free_port
from .tokens import SECRET
from .waiting import wait_for

FOLDER = ROOT / "deploy/systemd"
UNIT = FOLDER / "chatbox.service"


def at_another_port(system):
    """A drop-in, so that a page's lines do not meet somebody else's server; the port."""
    port = free_port()
    folder = system.root / "etc/systemd/system/chatbox.service.d"
    folder.mkdir()
    (folder / "port.conf").write_text(f"[Service]\nEnvironment=SERVER_PORT={port}\n")
    return port


def knows(port, bearer):
    """The server there takes the token."""
    def answered():
        try:
            return httpx.get(f"http://127.0.0.1:{port}/chatbox/sessions", trust_env=False,
                             headers={"Authorization": f"Bearer {bearer}"})
        except httpx.TransportError:
            return None
    answer = wait_for(answered, 15, "it answers")
    assert answer.status_code == 200, answer.text
    assert answer.json()["user_id"] == "me"


class Service:
    """chatbox.service there, with a settings file, drop-ins and secrets of a test's own.
    What a Chat wants of a server is here as well."""

    prefix, scheme = "/chatbox", "http"

    def __init__(self, system):
        self.system, self.port = system, free_port()
        self.etc = system.root / "etc/chatbox"
        self.configure()
        self.secret("jwt-secret", SECRET)
        self.dropins = system.root / "etc/systemd/system/chatbox.service.d"
        system.ctl("stop", "chatbox")
        shutil.rmtree(self.dropins, ignore_errors=True)
        self.dropins.mkdir()
        self.dropin("test.conf", "[Service]\nEnvironment=LLM_PROVIDER_1_MODEL=demo-brief")

    def configure(self, old="port: 8080", new=None):
        text = (FOLDER / "chatbox.yaml").read_text()
        assert old in text
        text = text.replace(old, new or f"port: {self.port}")
        (self.etc / "chatbox.yaml").write_text(text)

    def secret(self, name, value):
        (self.etc / "secrets" / name).write_text(value)

    def dropin(self, name, text):
        (self.dropins / name).write_text(text)
        self.system.ctl("daemon-reload")

    def start(self):
        """Whether it is up."""
        done = self.system.ctl("start", "chatbox", check=False)
        if done.returncode == 0:
            wait_for(self.settled, 15, "it listens, or has ended")
        return done.returncode == 0 and self.state() == "active"

    def state(self):
        return self.system.show("chatbox", "ActiveState")

    def settled(self):
        if self.state() != "active":
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"

    def status(self):
        return int(self.system.show("chatbox", "ExecMainStatus"))

    def errors(self):
        """What the program has said to be wrong since it was last started."""
        lines = []
        for line in self.system.journal("chatbox").splitlines():
            if line.startswith("Starting"):  # it may speak before "Started"
                lines = []
            elif line.startswith("{") and json.loads(line)["level"] == "error":
                lines.append(json.loads(line)["msg"])
        return lines

    def remove(self):
        self.system.ctl("stop", "chatbox", check=False)
        self.system.ctl("reset-failed", "chatbox", check=False)
        shutil.rmtree(self.dropins)
        self.system.ctl("daemon-reload")
        shutil.rmtree(self.system.root / "var/lib/private/chatbox", ignore_errors=True)
