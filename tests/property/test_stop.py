# SPDX-License-Identifier: MIT
"""Whoever is connected, and whatever they do: a stop ends, tells everybody,
and says by its exit status whether something was cut.

Four parts, so that four workers can share the cases.
"""

import pathlib
import signal
import sys
import threading

import pytest
from hypothesis import given, settings, strategies as st

from pure import CASES

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support.answer import Answer, plain  # noqa: E402
from support.fakellm import FakeLLM  # noqa: E402
from support.rawhttp import RawConn  # noqa: E402
from support.server import Server, provider_env  # noqa: E402
from support.ws import Chat, fresh, is_end  # noqa: E402

PARTS = 4
QUARTER = settings(CASES, max_examples=CASES.max_examples // PARTS)


@pytest.fixture(scope="module")
def model():
    one = FakeLLM()
    yield one
    one.close()


def idle(server, model):
    return Chat(server)


def brief(server, model):
    """Asks, and the answer may or may not be over in time."""
    chat = Chat(server)
    model.when(question := fresh("question"), plain("It", " ends."))
    chat.say(question)
    return chat


def endless(server, model):
    """In the middle of an answer that will not end."""
    chat = Chat(server)
    model.when(question := fresh("question"), Answer().tokens("It does not ").silence())
    chat.say(question)
    chat.until(lambda frame: frame.get("content", "").startswith("It does"))
    return chat


class HalfAHead(threading.Thread):
    """Has begun a request, and reads until the server has closed."""

    def __init__(self, server, _):
        super().__init__()
        self.conn, self.over = RawConn(server, 30), False
        self.conn.send(b"GET /chatbox/ws HTTP/1.1\r\nHost: ")
        self.start()

    def run(self):
        with self.conn:
            while self.conn._fill():
                pass
        self.over = True


def told(guest):
    """What a socket was closed with, or what half a request was answered, if anything."""
    if isinstance(guest, Chat):
        return guest.closed()
    guest.join()
    assert guest.over, "the server did not close"
    if not guest.conn.buffer:
        return None
    status = guest.conn.read_response().status
    assert not guest.conn.buffer, "one answer"
    return status


def assert_ended(kind, frames):
    """What was asked has its one end, also when it was cut."""
    ends = [frame for frame in frames if is_end(frame)]
    begun = [frame for frame in frames if frame["type"] == "loading"]
    assert len(begun) <= len(ends) <= 1, frames
    if kind is endless:
        assert ends[0]["finish_reason"] == "interrupted"


guests = st.lists(st.sampled_from([idle, idle, brief, endless, HalfAHead]), max_size=5)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_stop_tells_everybody_and_is_over_or_says_what_it_cut(model, part):
    """Req 15.1, 15.2, 15.3, 15.5. Property 15, 16."""
    @QUARTER
    @given(guests, st.sampled_from([False, True, True, True, True, True]))
    def stop(kinds, hurry):
        limit = "1s" if endless in kinds else "20s"
        server = Server({**provider_env(model), "SHUTDOWN_TIMEOUT": limit})
        there = [kind(server, model) for kind in kinds]
        server.signal(signal.SIGTERM)
        if hurry:  # two at once would be one
            server.wait_log("shutdown")
            server.signal(signal.SIGTERM)
        status = server.wait_exit(None)
        if endless in kinds:
            assert status == 3, "what was cut is told"
        elif not hurry or brief not in kinds:
            assert status == 0, "there was time enough, or nothing to be cut"
        assert status in (0, 3)
        for kind, guest in zip(kinds, there):
            assert told(guest) in ((None, 503) if kind is HalfAHead else (1001,)), kind
            if kind is not HalfAHead:
                assert_ended(kind, guest.frames)
        server.close()
    stop()
