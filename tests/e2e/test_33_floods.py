# SPDX-License-Identifier: MIT
"""What a stranger can make large: fragments, declared lengths, headers, lines.
The right refusal each time, and memory that does not follow."""

import resource
import threading

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage

from support.answer import Answer
from support.rawhttp import RawConn, request
from support.server import provider_env
from support.tokens import token
from support.waiting import PATIENCE, wait_for
from support.ws import CONTINUE, TEXT, encode

PEERS = 20  # at once, each with its flood
CAP = 24_000_000  # bytes that all of them together may cost


ONE_BYTE = b"".join(encode(CONTINUE, b"x", fin=False, key=b"\0\1\2\3")
                    for _ in range(131_000))
EMPTY = encode(CONTINUE, b"", fin=False) * 131_000
FRAMES = {
    "131,000 continuations of one byte": (encode(TEXT, b"", fin=False) + ONE_BYTE, 1008),
    "131,000 empty continuations": (encode(TEXT, b"", fin=False) + EMPTY, 1008),
    "131,000 empty continuations of nothing": (EMPTY, 1002),
    "a frame of 2^63 bytes": (encode(TEXT, b"x" * 1000, form=64, length=1 << 63), 1002),
    "a frame of 2^63 - 1 bytes": (encode(TEXT, b"x" * 1000, form=64,
                                         length=(1 << 63) - 1), 1009),
    "a control frame of 2^63 bytes": (encode(9, b"", form=64, length=1 << 63), 1002),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_flood_of_frames_has_its_code_and_costs_nothing(server, raw, name):
    data, code = FRAMES[name]
    other = raw()
    before = server.memory()
    floods = [raw() for _ in range(PEERS)]
    senders = [threading.Thread(target=ws.send_slack, args=(data,)) for ws in floods]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [ws.close_code() for ws in floods] == [code] * PEERS
    assert server.memory() - before < CAP
    assert other.pong() == []


LINE = b"x" * 1_000_000
HEADS = {
    "a thousand headers": (lambda path: f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode()
                                         + b"A: b\r\n" * 1000 + b"\r\n", 431),
    "a line of a megabyte": (lambda path: f"GET {path}?".encode() + LINE
                                           + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a header of a megabyte": (lambda path: f"GET {path} HTTP/1.1\r\nHost: x\r\nA: "
                                             .encode() + LINE + b"\r\n\r\n", 431),
    "a method of a megabyte": (lambda path: LINE + f" {path} HTTP/1.1\r\n\r\n".encode(),
                               None),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_flood_in_a_head_has_its_status_and_costs_nothing(server, name):
    make, status = HEADS[name]
    server.http.get("/healthz")
    before = server.memory()
    for path in ("/healthz", "/ws", "/sessions"):
        conns = [RawConn(server) for _ in range(PEERS)]
        for conn in conns:
            conn.send_slack(make(server.prefix + path))
        for conn in conns:
            answer = conn.read_response()
            assert answer.status == status or status is None and answer.status >= 400
            conn.close()
    assert server.memory() - before < CAP
    assert server.http.get("/healthz").status_code == 200


def test_a_body_that_never_ends_is_refused_at_its_limit(server, user):
    head = [("Authorization", f"Bearer {token(user)}"),
            ("Transfer-Encoding", "chunked")]
    before = server.memory()
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + "/sessions", head))
        conn.send_slack((b"10000\r\n" + b" " * 65536 + b"\r\n") * 64)
        assert conn.read_response().status == 413
    assert server.memory() - before < CAP


# --- descriptors

class allowed:  # noqa: N801 (a context manager with a function's name)
    """The server may have so many descriptors in all."""

    def __init__(self, server, most):
        self.pid, self.most = server.process.pid, most

    def __enter__(self):
        self.before = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (self.most, self.before[1]))

    def __exit__(self, *_):
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self.before)


@pytest.mark.timeout(180 * PATIENCE)
def test_with_256_descriptors_the_last_are_refused_and_those_inside_talk(spawn, connect,
                                                                        fake, question):
    """Clean refusals, and a reserve: whoever is inside is served."""
    server = spawn(provider_env(fake))
    one = connect(server)
    assert one.turn("before").finish == "stop"
    with allowed(server, 256):
        inside, refused = [one], 0
        for _ in range(300):
            try:
                inside.append(connect(server))
            except (OSError, EOFError, InvalidMessage, ConnectionClosed):
                refused += 1
        assert len(inside) > 150 and refused > 60
        for chat in inside[::10]:
            assert chat.turn("inside").finish == "stop"
        fake.when(question, Answer().tokens("a").gate(question).tokens("b").finish())
        for chat in inside[-8:]:  # at once, after every one has asked
            chat.say(question)
            chat.get("ai_response")
        fake.open(question)
        assert [chat.rest_of_turn().finish for chat in inside[-8:]] == ["stop"] * 8
        for chat in inside[50:100]:
            chat.close()
        wait_for(lambda: server.descriptors() < 200, 20, "they are let go")
        late = [connect(server) for _ in range(20)]
        assert late[-1].turn("there is room").finish == "stop"
    assert server.metric("chatbox_accept_errors_total") >= refused
    assert connect(server).turn("after").finish == "stop"
