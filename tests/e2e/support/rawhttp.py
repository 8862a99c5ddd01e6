# SPDX-License-Identifier: MIT
"""HTTP/1.1 on a bare socket: sends any bytes, reads answers strictly."""

import json
import re
import socket
import ssl
from pathlib import Path

from .waiting import PATIENCE

HEADER = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$", re.S)
STATUS = re.compile(rb"^HTTP/1\.1 ([1-5][0-9][0-9]) ([\x20-\x7e]*)$")


def sendable():
    """How many bytes the system keeps for one socket that nobody reads from, at most."""
    return int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])


class Response:
    """An answer: `status`, `headers` as (lower-case name, value) pairs, `body`."""

    def __init__(self, status, headers, body=b""):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} occurs {len(values)} times"
        return values[0] if values else None

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


class RawConn:
    """A TCP (or TLS) connection to the server under test."""

    def __init__(self, server, timeout=10, tls=False, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout * PATIENCE)
        self.sock.connect(("127.0.0.1", server.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.sock.sendall(data)

    def send_slack(self, data):
        """Send although the server may close in the middle of it."""
        try:
            self.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _fill(self):
        """Read more; False at the end of the stream."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def read_until(self, mark):
        while mark not in self.buffer:
            if not self._fill():
                raise EOFError(f"closed before {mark!r}: {self.buffer[:200]!r}")
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def read_exact(self, count):
        while len(self.buffer) < count:
            if not self._fill():
                raise EOFError(f"closed {count - len(self.buffer)} bytes early")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def closed_by_peer(self):
        """True when nothing more than the end of the stream arrives."""
        if self.buffer:
            return False
        try:
            return self.sock.recv(1) == b""
        except (ConnectionResetError, ssl.SSLError):
            return True

    def read_response(self, method="GET"):
        """One answer, judged strictly by RFC 9112."""
        lines = self.read_until(b"\r\n\r\n").split(b"\r\n")
        match = STATUS.match(lines[0])
        assert match, f"bad status line {lines[0]!r}"
        status = int(match[1])
        headers = []
        for line in lines[1:]:
            assert b"\r" not in line and b"\n" not in line, line
            field = HEADER.match(line)
            assert field, f"bad header line {line!r}"
            headers.append((field[1].decode().lower(), field[2].decode("latin-1")))
        answer = Response(status, headers)
        answer.body = self._read_body(answer, method)
        return answer

    def _read_body(self, answer, method):
        length = answer.header("content-length")
        coding = answer.header("transfer-encoding")
        assert length is None or coding is None, "both framings at once"
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return b""
        if coding is not None:
            assert coding.lower() == "chunked", coding
            return self._read_chunked()
        assert length is not None, f"no framing: {answer}"
        return self.read_exact(int(length))

    def _read_chunked(self):
        body = b""
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                assert self.read_until(b"\r\n") == b""
                return body
            body += self.read_exact(size)
            assert self.read_exact(2) == b"\r\n"


def request(server, method, path, headers=(), body=b"", host=None):
    """The bytes of a plain request; headers as (name, value) pairs."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"{method} {path} HTTP/1.1",
             f"Host: {host or f'127.0.0.1:{server.port}'}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answered(server, data, method="GET", timeout=10):
    """Send bytes on a new connection and return the answer."""
    with RawConn(server, timeout, tls=server.scheme == "https") as conn:
        conn.send_slack(data)
        return conn.read_response(method)


def exchange(server, data, method="GET", timeout=10):
    """Send bytes on a new connection and return (answer, closed afterwards?)."""
    with RawConn(server, timeout, tls=server.scheme == "https") as conn:
        conn.send_slack(data)
        answer = conn.read_response(method)
        conn.sock.settimeout(5 * PATIENCE)  # long before it would be closed for its silence
        try:
            return answer, conn.closed_by_peer()
        except TimeoutError:
            return answer, False
