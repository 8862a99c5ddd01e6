# SPDX-License-Identifier: MIT
"""RFC 6455 without a chat on top: build/bench/ws-echo, whole and byte by byte."""

import base64
import hashlib
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess

import pytest

from support.server import BINARY
from support.waiting import PATIENCE
from support.ws import (BINARY as BIN, CLOSE, CONTINUE, GUID, PING, PONG, TEXT,
                        close_payload, encode)

PROGRAM = os.environ.get(
    "WS_ECHO_BIN", str(pathlib.Path(BINARY).parent / "bench" / "ws-echo"))


@pytest.fixture(scope="module")
def echo():
    """The port of a running ws-echo; it must end in good order."""
    process = subprocess.Popen([PROGRAM, "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    yield int(re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line).group(1))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20 * PATIENCE)
    assert (process.returncode, errors) == (0, "")


class Peer:
    """A client that sees every byte."""

    def __init__(self, port, upgrade=True):
        self.socket = socket.create_connection(("127.0.0.1", port), 10 * PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b""
        if upgrade:
            key = base64.b64encode(os.urandom(16)).decode()
            self.socket.sendall(handshake({"Sec-WebSocket-Key": key}))
            head = self.head()
            proof = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest())
            assert head[0] == "HTTP/1.1 101 Switching Protocols"
            assert f"Sec-WebSocket-Accept: {proof.decode()}" in head

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def more(self):
        got = self.socket.recv(1 << 20)
        self.bytes += got
        return got

    def take(self, n):
        while len(self.bytes) < n:
            if not self.more():
                raise EOFError
        taken, self.bytes = self.bytes[:n], self.bytes[n:]
        return taken

    def head(self):
        while b"\r\n\r\n" not in self.bytes:
            if not self.more():
                raise EOFError
        text, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        return text.decode().split("\r\n")

    def send(self, data, cut=None):
        for i in range(0, len(data), cut or len(data) or 1):
            self.socket.sendall(data[i:i + (cut or len(data))])

    def frame(self):
        """(opcode, payload) of the next frame, which a server must not mask."""
        first, second = self.take(2)
        assert first & 0x80 and not first & 0x70 and not second & 0x80
        size = second
        if second == 126:
            size, = struct.unpack(">H", self.take(2))
            assert size >= 126
        elif second == 127:
            size, = struct.unpack(">Q", self.take(8))
            assert size >= 65536
        return first & 15, self.take(size)

    def frames_to_end(self):
        """Every frame until the server closes the connection."""
        seen = []
        try:
            while True:
                seen.append(self.frame())
        except EOFError:
            assert self.bytes == b""
            return seen


def handshake(fields=None, line="GET / HTTP/1.1"):
    all_fields = {"Host": "localhost", "Upgrade": "websocket",
                  "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode()}
    all_fields.update(fields or {})
    head = [line] + [f"{k}: {v}" for k, v in all_fields.items() if v is not None]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


KOSME = "κόσμε ".encode()
LONG = "Hällo 𝄞 €".encode() * 9000

# What is sent, and the frames that come back.
GOOD = {
    "empty text": (encode(TEXT), [(TEXT, b"")]),
    "short text": (encode(TEXT, "hello"), [(TEXT, b"hello")]),
    "empty binary": (encode(BIN), [(BIN, b"")]),
    "every byte": (encode(BIN, bytes(range(256))), [(BIN, bytes(range(256)))]),
    "125 bytes": (encode(TEXT, "x" * 125), [(TEXT, b"x" * 125)]),
    "126 bytes": (encode(TEXT, "x" * 126), [(TEXT, b"x" * 126)]),
    "127 bytes": (encode(TEXT, "x" * 127), [(TEXT, b"x" * 127)]),
    "65535 bytes": (encode(TEXT, "x" * 65535), [(TEXT, b"x" * 65535)]),
    "65536 bytes": (encode(TEXT, "x" * 65536), [(TEXT, b"x" * 65536)]),
    "a mask of zeros": (encode(TEXT, "hello", key=bytes(4)), [(TEXT, b"hello")]),
    "long unicode": (encode(TEXT, LONG), [(TEXT, LONG)]),
    "a character that is none": (encode(TEXT, "￿".encode()),
                                 [(TEXT, "￿".encode())]),
    "two messages": (encode(TEXT, "a") + encode(BIN, "b"), [(TEXT, b"a"), (BIN, b"b")]),
    "two fragments": (encode(TEXT, "ab", fin=False) + encode(CONTINUE, "cd"),
                      [(TEXT, b"abcd")]),
    "fragments within a character": (
        encode(TEXT, KOSME[:1], fin=False) + encode(CONTINUE, KOSME[1:4], fin=False)
        + encode(CONTINUE, KOSME[4:]), [(TEXT, KOSME)]),
    "empty fragments": (
        encode(TEXT, fin=False) + encode(CONTINUE, fin=False) + encode(CONTINUE, "x",
        fin=False) + encode(CONTINUE), [(TEXT, b"x")]),
    "only empty fragments": (encode(TEXT, fin=False) + encode(CONTINUE), [(TEXT, b"")]),
    "many fragments": (
        encode(BIN, b"0", fin=False)
        + b"".join(encode(CONTINUE, b"1", fin=False) for _ in range(500))
        + encode(CONTINUE, b"2"), [(BIN, b"0" + b"1" * 500 + b"2")]),
    "a ping": (encode(PING, "are you there"), [(PONG, b"are you there")]),
    "an empty ping": (encode(PING), [(PONG, b"")]),
    "a ping of 125 bytes": (encode(PING, b"\xff" * 125), [(PONG, b"\xff" * 125)]),
    "ten pings": (b"".join(encode(PING, str(i)) for i in range(10)),
                  [(PONG, str(i).encode()) for i in range(10)]),
    "a pong nobody asked for": (encode(PONG, "x") + encode(TEXT, "y"), [(TEXT, b"y")]),
    "a ping between fragments": (
        encode(TEXT, "a", fin=False) + encode(PING, "p") + encode(CONTINUE, "b"),
        [(PONG, b"p"), (TEXT, b"ab")]),
    "pings between all fragments": (
        encode(TEXT, "a", fin=False) + encode(PING, "1") + encode(CONTINUE, "b",
        fin=False) + encode(PONG, "-") + encode(PING, "2") + encode(CONTINUE, "c"),
        [(PONG, b"1"), (PONG, b"2"), (TEXT, b"abc")]),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("cut", [None, 1, 7])
def test_echoes_what_is_allowed(echo, name, cut):
    data, expected = GOOD[name]
    if cut and len(data) > 20000:
        cut *= 997
    with Peer(echo) as peer:
        peer.send(data, cut)
        assert [peer.frame() for _ in expected] == expected
        peer.send(encode(CLOSE, close_payload(1000, b"bye")), cut)
        assert peer.frames_to_end() == [(CLOSE, close_payload(1000))]


BAD_UTF8 = {
    "a lone continuation": b"\x80", "an overlong slash": b"\xc0\xaf",
    "an overlong nul": b"\xe0\x80\x80", "a surrogate": b"\xed\xa0\x80",
    "above the end": b"\xf4\x90\x80\x80", "a byte that never occurs": b"\xff",
    "five bytes": b"\xf8\x88\x80\x80\x80", "half a character": b"\xce",
}

# What is sent, and the code of the close frame that answers it.
BAD = {
    **{f"reserved bits {rsv}": (encode(TEXT, "x", rsv=rsv), 1002) for rsv in range(1, 8)},
    **{f"opcode {op}": (encode(op, "x"), 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{f"text with {what}": (encode(TEXT, b"ok " + text), 1007)
       for what, text in BAD_UTF8.items()},
    **{f"fragments with {what}": (encode(TEXT, "ok", fin=False) + encode(CONTINUE, text),
                                  1007) for what, text in BAD_UTF8.items()},
    **{f"close code {code}": (encode(CLOSE, close_payload(code)), 1002)
       for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)},
    "no mask": (encode(TEXT, "x", mask=False), 1002),
    "a ping in fragments": (encode(PING, "x", fin=False), 1002),
    "a close in fragments": (encode(CLOSE, fin=False), 1002),
    "a ping of 126 bytes": (encode(PING, "x" * 126), 1002),
    "a close of 126 bytes": (encode(CLOSE, close_payload(1000, b"x" * 124)), 1002),
    "a close of one byte": (encode(CLOSE, b"\x03"), 1002),
    "a close with bad text": (encode(CLOSE, close_payload(1000, b"\xff")), 1007),
    "a continuation of nothing": (encode(CONTINUE, "x"), 1002),
    "a continuation after the end": (
        encode(TEXT, "a", fin=False) + encode(CONTINUE, "b") + encode(CONTINUE, "c"), 1002),
    "a message inside a message": (encode(TEXT, "a", fin=False) + encode(TEXT, "b"), 1002),
    "a longer form than needed (16)": (encode(TEXT, "x", form=16), 1002),
    "a longer form than needed (64)": (encode(TEXT, "x" * 200, form=64), 1002),
    "a length with its top bit": (encode(TEXT, b"", form=64, length=1 << 63), 1002),
    "a message too big": (encode(BIN, b"", form=64, length=(16 << 20) + 1), 1009),
    "fragments too big": (
        encode(BIN, b"x", fin=False)
        + encode(CONTINUE, b"", form=64, length=16 << 20), 1009),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("cut", [None, 1])
def test_closes_on_what_is_not_allowed(echo, name, cut):
    data, code = BAD[name]
    with Peer(echo) as peer:
        try:
            peer.send(data, cut)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before its last byte
        seen = peer.frames_to_end()
        assert seen[-1][0] == CLOSE
        assert struct.unpack(">H", seen[-1][1][:2])[0] == code
        assert [f for f in seen[:-1] if f != (TEXT, b"ab")] == []


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011,
                                  1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_echoes_a_close_code(echo, code):
    with Peer(echo) as peer:
        peer.send(encode(CLOSE, close_payload(code, "why ".encode() * 30)))
        assert peer.frames_to_end() == [(CLOSE, close_payload(code))]


def test_answers_a_close_without_a_code_by_one_without_a_code(echo):
    with Peer(echo) as peer:
        peer.send(encode(CLOSE))
        assert peer.frames_to_end() == [(CLOSE, b"")]


def test_hears_nothing_after_a_close(echo):
    with Peer(echo) as peer:
        peer.send(encode(CLOSE, close_payload(1000)) + encode(TEXT, "x") + encode(PING))
        assert peer.frames_to_end() == [(CLOSE, close_payload(1000))]


def test_refuses_bad_text_before_the_message_ends(echo):
    with Peer(echo) as peer:
        peer.send(encode(TEXT, b"ok \xf4\x90", fin=False))
        assert peer.frames_to_end() == [(CLOSE, close_payload(1007))]
    with Peer(echo) as peer:
        peer.send(encode(TEXT, b"\xed\xa0" + b"x" * 1000)[:10])
        assert peer.frames_to_end() == [(CLOSE, close_payload(1007))]


@pytest.mark.parametrize("opcode", [TEXT, BIN])
def test_echoes_16_mib(echo, opcode):
    payload = b"0123456789abcdef" * (1 << 20)
    with Peer(echo) as peer:
        for pieces in (1, 64):
            size = len(payload) // pieces
            for i in range(pieces):
                peer.send(encode(opcode if i == 0 else CONTINUE,
                                 payload[i * size:(i + 1) * size], fin=i == pieces - 1))
            assert peer.frame() == (opcode, payload)


def test_a_reader_that_is_slow_costs_bounded_memory_and_loses_nothing(echo):
    payload = os.urandom(100000)
    data = encode(BIN, payload)
    with Peer(echo) as peer:
        peer.socket.setblocking(False)
        sent = 0
        try:
            while sent < 4000 * len(data):
                sent += peer.socket.send(data[sent % len(data):])
        except BlockingIOError:
            pass
        assert sent < 4000 * len(data), "it never stopped reading"
        peer.socket.settimeout(10 * PATIENCE)
        whole = sent // len(data)
        for _ in range(whole):
            assert peer.frame() == (BIN, payload)


def test_frames_may_come_along_with_the_handshake(echo):
    with Peer(echo, upgrade=False) as peer:
        peer.send(handshake() + encode(TEXT, "early"))
        assert peer.head()[0].startswith("HTTP/1.1 101 ")
        assert peer.frame() == (TEXT, b"early")


REFUSED = {
    "another version": (handshake({"Sec-WebSocket-Version": "8"}), 426),
    "no version": (handshake({"Sec-WebSocket-Version": None}), 400),
    "no key": (handshake({"Sec-WebSocket-Key": None}), 400),
    "a short key": (handshake({"Sec-WebSocket-Key": "AAAA"}), 400),
    "no upgrade": (handshake({"Upgrade": None}), 400),
    "no connection": (handshake({"Connection": "keep-alive"}), 400),
    "a POST": (handshake(line="POST / HTTP/1.1"), 400),
    "HTTP/1.0": (handshake(line="GET / HTTP/1.0"), 400),
    "nonsense": (b"\x16\x03\x01\r\n\r\n", 400),
    "a long line": (handshake(line="GET /" + "x" * 9000 + " HTTP/1.1"), 414),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("cut", [None, 1])
def test_refuses_a_bad_handshake(echo, name, cut):
    data, status = REFUSED[name]
    with Peer(echo, upgrade=False) as peer:
        try:
            peer.send(data, cut)
        except (BrokenPipeError, ConnectionResetError):
            pass
        head = peer.head()
        assert head[0].startswith(f"HTTP/1.1 {status} ")
        assert ("Sec-WebSocket-Version: 13" in head) == (status == 426)
        assert peer.frames_to_end() == []


def test_many_connections_echo_at_once(echo):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    peers = [Peer(echo) for _ in range(min(300, files // 4))]
    for number, peer in enumerate(peers):
        peer.send(encode(TEXT, f"I am {number}"))
    for number, peer in enumerate(peers):
        assert peer.frame() == (TEXT, f"I am {number}".encode())
        peer.socket.close()
