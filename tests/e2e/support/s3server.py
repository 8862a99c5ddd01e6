# SPDX-License-Identifier: MIT
"""A server that speaks S3 and looks at every signature, as a process of its own; and
which shelf the servers of this run keep files on: a folder, or with `--uploads s3` a
bucket there, each data folder's own. A bucket is a folder of the server's, with a file
an object."""

import hashlib
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import httpx

from .waiting import PATIENCE, wait_for

KEY_ID = "chatbox-e2e"
SECRET = "kJ7vQm2xT9bR4nW8zY1c/L6hG5+f0dSp"
REGION = "eu-test-1"


def settings(bucket, endpoint, **more):
    """Of a server that keeps files in this bucket."""
    return {"UPLOAD_STORE": "s3", "S3_ENDPOINT": endpoint, "S3_BUCKET": bucket,
            "S3_REGION": REGION, "S3_ACCESS_KEY_ID": KEY_ID,
            "S3_SECRET_ACCESS_KEY": SECRET, **more}


class S3Server:
    """Started when it is made. `pair`: a file with a certificate and its key, for TLS;
    `domain`: buckets are hosts in front of it."""

    def __init__(self, pair=None, domain=None):
        from .server import ROOT, reserve_port  # which asks us for settings
        self.program = ROOT / ".tools" / "go" / "bin" / "versitygw"
        self.folder = Path(tempfile.mkdtemp(prefix="chatbox-s3-"))
        self.kept = reserve_port()
        self.port = self.kept.getsockname()[1]
        self.endpoint = f"{'https' if pair else 'http'}://127.0.0.1:{self.port}"
        self.options = ["--cert", pair, "--key", pair] if pair else []
        self.options += ["--virtual-domain", domain] if domain else []
        self.lines = []
        self.start()

    def bucket(self, name):
        """Its folder; made when it is not there."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def start(self):
        from .server import base_env
        env = {**base_env(), "ROOT_ACCESS_KEY_ID": KEY_ID, "ROOT_SECRET_ACCESS_KEY": SECRET}
        self.process = subprocess.Popen(
            [self.program, "--port", f"127.0.0.1:{self.port}", "--region", REGION,
             "--keep-alive", *self.options, "posix", "--nometa", self.folder],
            env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="backslashreplace")
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,),
                                       daemon=True)
        self.reader.start()
        wait_for(self._ready, 30, "S3 answers", interval=0.02)

    def _read(self, pipe):
        for line in pipe:
            self.lines.append(line.rstrip("\n"))
        pipe.close()

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError("S3 has ended:\n" + "\n".join(self.lines[-40:]))
        try:
            return httpx.get(self.endpoint, verify=False).status_code == 403
        except httpx.TransportError:
            return False

    def stop(self):
        """Its connections are cut; the buckets stay."""
        self.process.kill()
        self.process.wait(20 * PATIENCE)
        self.reader.join(5)

    def close(self):
        try:
            self.stop()
        finally:
            self.kept.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Shelf:
    """One per process of the run. S3 is started when the first server is."""

    def __init__(self):
        self.kind = "local"
        self.own = None

    def choose(self, kind):
        self.kind = kind

    def name(self, data):
        """The bucket that belongs to a data folder."""
        return "e2e-" + hashlib.sha256(str(data).encode()).hexdigest()[:24]

    def env(self, data):
        if self.kind == "local":
            return {}
        if self.own is None:
            self.own = S3Server()
        self.own.bucket(self.name(data))
        return settings(self.name(data), self.own.endpoint)

    def folders(self, data):
        """Where files of a server are, or are being written."""
        mine = [Path(data) / "uploads"]
        if self.kind == "s3":
            mine.insert(0, self.own.bucket(self.name(data)))
        return mine

    def forget(self, data):
        if self.own is not None:
            shutil.rmtree(self.own.folder / self.name(data), ignore_errors=True)

    def close(self):
        if self.own is not None:
            self.own.close()


SHELF = Shelf()
