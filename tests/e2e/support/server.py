# SPDX-License-Identifier: MIT
"""The real binary as a child process: started, watched, stopped and judged.

A server gets its settings by environment only, a data folder of its own and a
free port. Who looks at its log sees all that it has written. Whoever stops it
learns its exit status; `stop()` also fails on a wrong one and on any word of a
sanitizer.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import httpx

from .backend import BACKEND
from .output import Output
from .s3server import SHELF
from .tokens import SECRET, token
from .waiting import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[3]
BINARY = os.environ.get("CHATBOX_BIN", str(ROOT / "build" / "chatbox"))
THREADS = os.environ.get("CHATBOX_TEST_THREADS", "2")
KEEP_ENV = ("PATH", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
            "LSAN_OPTIONS", "NET_FAULTS", "LLVM_PROFILE_FILE", "GCOV_PREFIX",
            "GCOV_PREFIX_STRIP", "LD_PRELOAD", "STUTTER")
SANITIZER = re.compile(r"(Address|Thread|Leak|Memory|UndefinedBehavior)Sanitizer"
                       r"|runtime error:|Assertion|CHECK failed")
API_KEY = "sk-9f3b1c77d2e84a06"

LIVE = []  # every server of this process that was not forgotten yet
KEPT = []  # what keeps the ports that free_port gave


def reserve_port():
    """A socket that keeps a port for us: nobody listens there, and no other test, of
    this or another worker, gets it while the socket is open. It is below the ports of
    outgoing connections; what keeps it is UDP, so that a server can listen by TCP."""
    while True:
        port = random.SystemRandom().randint(10000, 32000)
        kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket() as probe:
            try:
                kept.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                kept.close()
                continue
        return kept


def free_port():
    """A port nobody listens on, and which no other test gets while this process runs."""
    KEPT.append(reserve_port())
    return KEPT[-1].getsockname()[1]


def base_env():
    """What a child inherits: nothing that could be a setting."""
    env = {name: os.environ[name] for name in KEEP_ENV if name in os.environ}
    env.setdefault("PATH", "/usr/bin:/bin")
    return env


def provider_env(fake, n=1, **more):
    """The settings that make the fake model provider number `n`."""
    members = {"ID": "fake", "NAME": "Fake", "TYPE": "openai",
               "ENDPOINT": fake.endpoint, "API_KEY": API_KEY, "MODEL": "fake-1"}
    members.update(more)
    return {f"LLM_PROVIDER_{n}_{key}": value for key, value in members.items()}


def demo_env(n=1):
    return {f"LLM_PROVIDER_{n}_ID": "demo", f"LLM_PROVIDER_{n}_TYPE": "demo"}


def minimal_env():
    """The least that `check` and `serve` accept."""
    return {"JWT_SECRET": SECRET, **demo_env()}


def roomy_limits():
    """Limits that a shared server's tests never meet."""
    return {"RATE_LIMIT": "1000000", "PUBLIC_RATE_LIMIT": "1000000",
            "USER_HTTP_RATE_LIMIT": "1000000", "FAILURE_RATE_LIMIT": "1000000",
            "MAX_CONNECTIONS_PER_USER": "100"}


def run_cli(*args, env=None, cwd=None, timeout=20, stdin=None):
    """Run one command to its end; the result has text `stdout`, `stderr`, `all`."""
    result = subprocess.run([BINARY, *args], env={**base_env(), **(env or {})},
                            cwd=cwd, input=stdin or "", capture_output=True,
                            text=True, timeout=timeout * PATIENCE, check=False)
    assert not SANITIZER.search(result.stderr), result.stderr
    result.all = result.stdout + result.stderr
    return result


class Server:
    """One `chatbox` process. `settings` are environment variables; None removes.
    `program`: how it is started, where that is not the binary alone."""

    def __init__(self, settings=None, command=("serve",), data=None, limits=True,
                 cwd=None, wait=True, program=(BINARY,)):
        self.own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix="chatbox-e2e-")
        self.kept = reserve_port()
        self.port = self.kept.getsockname()[1]
        defaults = {"JWT_SECRET": SECRET, "SERVER_HOST": "127.0.0.1",
                    "SERVER_PORT": str(self.port), "SERVER_THREADS": THREADS,
                    "DATA_DIR": self.data, "LOG_LEVEL": "debug",
                    "LLM_RETRY_DELAY": "10ms", "LLM_RETRY_MAX_DELAY": "50ms",
                    "SHUTDOWN_TIMEOUT": "10s", **BACKEND.env(self.data), **SHELF.env(self.data)}
        if limits:
            defaults.update(roomy_limits())
        merged = {**defaults, **(settings or {})}
        self.env = {k: v for k, v in merged.items() if v is not None}
        self.port = int(self.env.get("SERVER_PORT", 8080))
        self.prefix = self.env.get("CHATBOX_PATH_PREFIX", "/chatbox").rstrip("/")
        self.scheme = "https" if "TLS_CERT_FILE" in self.env else "http"
        self.command = [*program, *command]
        self.cwd = cwd
        self.process = None
        self.start(wait=wait)

    # --- life

    def start(self, wait=True):
        """Start (again, on the same data folder and port)."""
        assert self.process is None or self.process.poll() is not None
        self.process = subprocess.Popen(
            self.command, env={**base_env(), **self.env}, cwd=self.cwd,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.output = Output(self.process.stdout)
        self.errors = Output(self.process.stderr)
        if self not in LIVE:
            LIVE.append(self)
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.kill9()  # nobody else knows of it yet
                raise
        return self

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"exit {self.process.returncode} instead of a "
                                     f"start:\n{self.tail()}")
            try:
                return self.is_ready()
            except httpx.TransportError:
                return False
        wait_for(ready, 45, "readyz answers 200")

    def is_ready(self):
        return self.http.get("/readyz").status_code == 200

    def stop(self, expect=0, sig=signal.SIGTERM, timeout=20):
        """Stop by signal; returns the exit status after checking it."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.wait_exit(expect, timeout)

    def wait_exit(self, expect=0, timeout=20):
        try:
            status = self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"still running after {timeout} s") from None
        self._read_all()
        self.check_quiet()
        if expect is not None:
            assert status == expect, f"exit status {status}\n{self.tail()}"
        return status

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self._read_all()

    def _read_all(self):
        for pipe in (self.output, self.errors):
            pipe.join()

    def signal(self, sig):
        self.process.send_signal(sig)

    def close(self):
        """Stop if still running, judge, and remove the data folder."""
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            if self.process.poll() is None:
                self.kill9()
            self.kept.close()
            if self.own_data:
                shutil.rmtree(self.data, ignore_errors=True)
                BACKEND.forget(self.data)
                SHELF.forget(self.data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- looking at it

    @property
    def http(self):
        """A client without a token; paths are below the prefix."""
        if getattr(self, "_http", None) is None:
            self._http = self.client()
        return self._http

    def client(self, bearer=None, **headers):
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        return httpx.Client(base_url=self.url(""), headers=headers, verify=False,
                            timeout=10 * PATIENCE, trust_env=False)

    def user(self, user_id, **claims):
        return self.client(token(user_id, **claims))

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self.port}{self.prefix}{path}"

    @property
    def lines(self):
        """Standard error, up to now: also the line before a frame that was received."""
        return self.errors.lines

    @property
    def stdout(self):
        return self.output.lines

    @property
    def logs(self):
        """The log's JSON lines, in order."""
        parsed = []
        for line in self.lines:
            try:
                parsed.append(json.loads(line))
            except ValueError:
                continue
        return parsed

    def logged(self, event, **members):
        """The log lines of an event whose members equal the given ones."""
        return [line for line in self.logs if line.get("event") == event
                and all(line.get(k) == v for k, v in members.items())]

    def wait_log(self, event, timeout=5, **members):
        return wait_for(lambda: self.logged(event, **members), timeout,
                        f"log event {event} {members}")

    def log_text(self):
        return "\n".join(self.lines)

    def tail(self, count=60):
        return "\n".join(self.stdout[-10:] + self.lines[-count:])

    def check_quiet(self):
        found = [line for line in self.lines if SANITIZER.search(line)]
        assert not found, "\n".join(self.lines[-200:])

    def metrics(self):
        """The metrics page as {name or name{labels}: value}."""
        answer = self.http.get("/metrics/prometheus")
        assert answer.status_code == 200, answer.text
        values = {}
        for line in answer.text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def metric(self, name):
        """The sum of a metric over all its labels; 0 when it is not there."""
        return sum(value for key, value in self.metrics().items()
                   if key == name or key.startswith(name + "{"))

    def descriptors(self):
        """How many are open; the first shard answers before the last one has its own.
        Without those to the database: its driver opens them as they are needed, and
        keeps them."""
        wait_for(lambda: self.logged("start"), 15, "all shards have started")
        folder, others = f"/proc/{self.process.pid}/fd", BACKEND.sockets()
        count = 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}") not in others
            except FileNotFoundError:
                continue
        return count

    def memory(self):
        """Resident bytes."""
        text = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")
