# SPDX-License-Identifier: MIT
"""WebSocket clients: `Chat` on the websockets library, `RawWs` byte by byte.

`Chat` is what an ordinary client is; every frame that it receives is kept in
`frames`. `RawWs` can break every rule of RFC 6455.
"""

import base64
import hashlib
import json
import os
import secrets
import ssl
import struct
import time
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.sync.client import connect

from .rawhttp import RawConn
from .tokens import token
from .waiting import PATIENCE

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def fresh(prefix="u"):
    """An id that nobody used before."""
    return f"{prefix}-{secrets.token_hex(6)}"


def alternating_tls():
    """TLS for a client that reads in one thread and writes in another, which one
    connection of Python's cannot bear at the same time. In TLS 1.3 the server's
    tickets arrive while the client sends its first bytes; in 1.2 they take turns."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class Chat:
    """An authenticated connection. `hello` is its first frame. `source`: the address
    that it comes from."""

    def __init__(self, server, user=None, bearer=None, headers=None, first=True,
                 source=None, **query):
        self.server = server
        self.user = user or fresh()
        self.frames = []
        self.unread = []
        url = f"ws{server.scheme[4:]}://127.0.0.1:{server.port}{server.prefix}/ws"
        if query:
            url += "?" + urlencode(query)
        head = {"Authorization": f"Bearer {bearer or token(self.user)}"}
        head.update(headers or {})
        more = {"source_address": (source, 0)} if source else {}
        if server.scheme == "https":
            more["ssl"] = alternating_tls()
        try:
            self.ws = connect(url, additional_headers=head, compression=None,
                              max_size=None, ping_interval=None, proxy=None,
                              open_timeout=10 * PATIENCE, close_timeout=2,
                              legacy=True, **more)
        except InvalidMessage as error:
            if isinstance(error.__cause__, EOFError):  # it died before it answered
                raise EOFError("no answer to the upgrade") from error
            raise
        self.hello = self.recv() if first else None
        if first:
            assert self.hello["type"] == "connection_status", self.hello
            self.session = self.hello["session_id"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self, code=1000):
        self.ws.close(code)

    def drop(self):
        """Leave without a close handshake."""
        self.ws.socket.shutdown(2)

    # --- sending

    def send(self, frame, **members):
        if isinstance(frame, str):
            frame = {"type": frame, **members}
        self.ws.send(json.dumps(frame))

    def send_text(self, text):
        self.ws.send(text)

    def say(self, content, **members):
        self.send("user_message", content=content, **members)

    # --- receiving

    def recv(self, timeout=10):
        """The next frame, decoded."""
        if self.unread:
            return self.unread.pop(0)
        frame = json.loads(self.ws.recv(timeout * PATIENCE))
        self.frames.append(frame)
        return frame

    def until(self, match, timeout=10):
        """Frames up to and with the first that `match` (a type or a function)."""
        if isinstance(match, str):
            kind = match
            match = lambda frame: frame["type"] == kind  # noqa: E731
        deadline = time.monotonic() + timeout * PATIENCE
        seen = []
        while True:
            left = deadline - time.monotonic()
            try:
                frame = self.recv(max(left, 0.001) / PATIENCE)
            except TimeoutError:
                raise AssertionError(f"not among {len(seen)} frames: {seen}") from None
            seen.append(frame)
            if match(frame):
                return seen

    def get(self, match, timeout=10):
        """The first frame that matches; what stood before it is dropped."""
        return self.until(match, timeout)[-1]

    def until_said(self, words, timeout=10):
        """Frames until the answer has come to these words, wherever it is cut."""
        said = []

        def match(frame):
            if frame["type"] == "ai_response":
                said.append(frame.get("content", ""))
            return words in "".join(said)
        return self.until(match, timeout)

    def quiet(self):
        """Everything that was on its way, found by sending a ping after it."""
        self.send("ping")
        return self.until("pong")[:-1]

    def turn(self, content, timeout=15, **members):
        """Ask and read on until the turn's end."""
        self.say(content, **members)
        return self.rest_of_turn(timeout)

    def rest_of_turn(self, timeout=15):
        return Turn(self.until(is_end, timeout))

    def closed(self, timeout=10):
        """The close code that the server sends (frames before it are kept)."""
        deadline = time.monotonic() + timeout * PATIENCE
        try:
            while True:
                text = self.ws.recv(max(0.001, deadline - time.monotonic()))
                self.frames.append(json.loads(text))
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else None


def is_end(frame):
    """Is this a turn's last frame?"""
    return frame["type"] == "error" or (
        frame["type"] == "ai_response" and frame["metadata"].get("done") == "true")


class Turn:
    """The frames of one turn, in the words of protocol.md 2.6."""

    def __init__(self, frames):
        self.frames = frames
        self.end = frames[-1]
        self.ack = next((f for f in frames if f["type"] == "ack"), None)
        self.loading = next((f for f in frames if f["type"] == "loading"), None)
        self.deltas = [f for f in frames[:-1] if f["type"] == "ai_response"]
        self.text = "".join(f["content"] for f in self.deltas)
        self.finish = self.end.get("finish_reason")
        self.error = self.end.get("error")
        self.seq = self.end.get("seq")
        self.answer_id = self.end.get("message_id")


# --- byte by byte

TEXT, BINARY, CLOSE, PING, PONG, CONTINUE = 1, 2, 8, 9, 10, 0


def encode(opcode, payload=b"", fin=True, rsv=0, mask=True, key=None, length=None,
           form=None):
    """One frame. `length` may lie; `form` forces the 7, 16 or 64 bit length."""
    if isinstance(payload, str):
        payload = payload.encode()
    size = len(payload) if length is None else length
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    head = bytes([(0x80 if fin else 0) | (rsv << 4) | opcode])
    bit = 0x80 if mask else 0
    if form == 7:
        head += bytes([bit | size])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4) if key is None else key
    stream = (key * (len(payload) // 4 + 1))[:len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + key + mixed.to_bytes(len(payload), "big")


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


def upgrade_request(server, headers=None, query="", drop=(), bearer=None, path=None,
                    method="GET", version="HTTP/1.1", extra=()):
    """The bytes of an opening handshake, with members replaced or dropped."""
    fields = {"Host": f"127.0.0.1:{server.port}", "Upgrade": "websocket",
              "Connection": "Upgrade",
              "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
              "Sec-WebSocket-Version": "13"}
    if bearer is None:
        bearer = token(fresh())
    if bearer:
        fields["Authorization"] = f"Bearer {bearer}"
    fields.update(headers or {})
    for name in drop:
        fields.pop(name)
    path = path or f"{server.prefix}/ws"
    target = path + (f"?{query}" if query else "")
    lines = [f"{method} {target} {version}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"{name}: {value}" for name, value in extra]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def upgrade(server, **members):
    """Try to connect; the HTTP answer, 101 or not. The connection is closed."""
    with RawConn(server, tls=server.scheme == "https") as conn:
        conn.send(upgrade_request(server, **members))
        return conn.read_response()


class RawWs(RawConn):
    """A WebSocket after a correct handshake, driven frame by frame."""

    def __init__(self, server, user=None, early=b"", timeout=10, hello=True, rcvbuf=None,
                 **members):
        super().__init__(server, timeout, server.scheme == "https", rcvbuf)
        self.user = user or fresh()
        key = base64.b64encode(os.urandom(16)).decode()
        head = {"Sec-WebSocket-Key": key, **members.pop("headers", {})}
        self.send(upgrade_request(server, headers=head, bearer=token(self.user),
                                  **members) + early)
        self.answer = self.read_response()
        assert self.answer.status == 101, self.answer
        digest = hashlib.sha1((key + GUID).encode()).digest()
        expected = base64.b64encode(digest).decode()
        assert self.answer.header("sec-websocket-accept") == expected
        self.hello = self.json() if hello else None

    def frame(self, opcode, payload=b"", **members):
        self.send_slack(encode(opcode, payload, **members))

    def text(self, payload, **members):
        if not isinstance(payload, (str, bytes)):
            payload = json.dumps(payload)
        self.frame(TEXT, payload, **members)

    def read_frame(self):
        """(opcode, payload) of the next frame; the server's must be correct."""
        first, second = self.read_exact(2)
        assert first & 0x70 == 0, "reserved bits from the server"
        assert first & 0x80, "the server fragments"
        assert second & 0x80 == 0, "the server masks"
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.read_exact(2))[0]
            assert size >= 126
        elif size == 127:
            size = struct.unpack(">Q", self.read_exact(8))[0]
            assert size >= 65536
        opcode = first & 0x0F
        assert opcode in (TEXT, CLOSE, PING, PONG), opcode
        return opcode, self.read_exact(size)

    def json(self):
        """The next data frame, decoded; pings between are skipped."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == TEXT:
                return json.loads(payload.decode("utf-8"))
            assert opcode in (PING, PONG), (opcode, payload)

    def pong(self, payload=b"probe"):
        """Ping the server and read up to the pong; gives the frames between."""
        self.frame(PING, payload)
        between = []
        while True:
            opcode, data = self.read_frame()
            if opcode == PONG:
                assert data == payload
                return between
            between.append((opcode, data))

    def close_code(self):
        """Read to the server's close frame, then to the end of the stream."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == CLOSE:
                break
        code = struct.unpack(">H", payload[:2])[0] if payload else None
        payload[2:].decode("utf-8")
        self.send_slack(encode(CLOSE, payload[:2]))
        while self._fill():
            pass
        return code
