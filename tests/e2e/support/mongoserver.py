# SPDX-License-Identifier: MIT
"""A server that speaks MongoDB's protocol, as a process of its own: on a free
port, with a folder of its own, both kept from start to start.

It is the one-node replica set "secantus": primary, transactions, retryable
writes, fail points, step-down. What it is not stands in docs/decisions/0032.
"""

import shutil
import subprocess
import sys
import tempfile

import pymongo
from pymongo.errors import PyMongoError

from .output import Output
from .server import base_env, reserve_port
from .waiting import PATIENCE, wait_for

SET = "secantus"


class MongoServer:
    """Started when it is made; `client` is ours, past every proxy."""

    def __init__(self, *arguments):
        self.folder = tempfile.mkdtemp(prefix="chatbox-mongo-")
        self.kept = reserve_port()
        self.port = self.kept.getsockname()[1]
        self.arguments = arguments
        self.process = None
        self.client = None
        self.start()

    def uri(self, host=None, **options):
        """As a server's MONGO_URI; `host` is a proxy's."""
        options = {"replicaSet": SET, "heartbeatFrequencyMS": 500, **options}
        return f"mongodb://{host or self.host}/?" + "&".join(
            f"{name}={value}" for name, value in options.items())

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    # --- life

    def start(self):
        """Ready when it answers `hello` as primary."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "secantus", "--host", "127.0.0.1", "--port",
             str(self.port), "--storage-path", self.folder, "--cache-size", "64M",
             "--sync-on-commit", "--enable-test-commands", *self.arguments],
            env=base_env(), cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = Output(self.process.stdout)
        self.client = pymongo.MongoClient(
            self.host, directConnection=True, serverSelectionTimeoutMS=1000,
            w="majority", journal=True)
        wait_for(self._ready, 30, "the database answers hello", interval=0.02)

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"exit {self.process.returncode} instead of a start:\n"
                                 + "\n".join(self.output.lines[-40:]))
        try:
            return self.client.admin.command("hello")["isWritablePrimary"]
        except PyMongoError:
            return False

    def stop(self):
        """In good order; the folder stays."""
        self.process.terminate()
        self._gone(20)

    def kill9(self):
        self.process.kill()
        self._gone(20)

    def _gone(self, seconds):
        self.client.close()
        try:
            self.process.wait(seconds * PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.output.join()

    def close(self):
        """For good; as its folder goes, too, it need not stop in good order."""
        try:
            if self.process.poll() is None:
                self.kill9()
        finally:
            self.kept.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- harm

    def fail_point(self, *commands, times=1, app=None, **data):
        """failCommand for the next `times` of these commands (None: until it is turned
        off), of the client with this appName: errorCode, errorLabels,
        writeConcernError, closeConnection, blockConnection with blockTimeMS."""
        if app:
            data["appName"] = app
        self.client.admin.command(
            "configureFailPoint", "failCommand", data={"failCommands": commands, **data},
            mode="alwaysOn" if times is None else {"times": times})

    def fail_point_off(self):
        self.client.admin.command("configureFailPoint", "failCommand", mode="off")

    def step_down(self, seconds):
        """No primary for so long; then it is elected again by itself."""
        self.client.admin.command("replSetStepDown", seconds, force=True)

    def is_primary(self):
        return self.client.admin.command("hello")["isWritablePrimary"]
