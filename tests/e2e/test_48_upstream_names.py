# SPDX-License-Identifier: MIT
"""Providers behind a name: one that nobody knows, that is slow to be found, or that
means several addresses of which the first are dead."""

import errno
import socket

import pytest

from support.answer import plain
from support.names import AGAIN, FAIL, MEMORY, NO_NAME, Names
from support.server import provider_env
from support.waiting import PATIENCE, wait_for
from support.ws import fresh

NAME = "model.internal"
HERE = "127.0.0.1"
PATIENT = {"LLM_CONNECT_TIMEOUT": "300s", "LLM_STREAM_TIMEOUT": "600s"}
SHORT = f"{300 * PATIENCE:g}ms"  # and enough for who answers at once
# Asking the same one again would take longer than any test.
ONCE = {"LLM_RETRY_DELAY": "300s", "LLM_RETRY_MAX_DELAY": "300s",
        "LLM_STREAM_TIMEOUT": "600s"}


@pytest.fixture
def names():
    with Names() as one:
        yield one


def named(fake, n=1, name=NAME, **more):
    """The fake under a name."""
    return provider_env(fake, n, ENDPOINT=f"http://{name}:{fake.port}/v1", **more)


def with_fallback(fake):
    """a, under the name; and b, which is the fake itself."""
    return {**named(fake, ID="a", NAME="A", FALLBACK="b"),
            **provider_env(fake, 2, ID="b", NAME="B"), **ONCE}


def reasons(server, event="llm_error"):
    return [line["reason"] for line in server.logged(event)]


# --- no such name

@pytest.mark.parametrize("error", [NO_NAME, AGAIN, FAIL, MEMORY])
def test_a_name_that_is_not_found(spawn, connect, fake, names, error):
    """One error for the user, without the name; the operator's says what it was."""
    names.means(NAME, error)
    server = spawn({**named(fake), **names.env})
    turn = connect(server).turn("hello")
    assert turn.error["code"] == "LLM_UNAVAILABLE" and NAME not in str(turn.frames)
    wait_for(lambda: server.logged("turn"), 5, "the end is logged")
    assert reasons(server) == ["resolve_failed"] * 3
    assert names.asked.count(NAME) == 3, "a failure is not remembered"


def test_a_name_that_is_found_the_second_time(spawn, connect, fake, names, question):
    names.means(NAME, AGAIN, HERE)
    server = spawn({**named(fake), **names.env})
    assert connect(server).turn(question).finish == "stop"
    assert reasons(server) == ["resolve_failed"]


def test_the_fallback_of_a_name_that_is_not_found_is_asked_at_once(spawn, connect, fake,
                                                                  names, question):
    server = spawn({**with_fallback(fake), **names.env})
    turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.end["model_id"] == "b"
    assert reasons(server) == ["resolve_failed"] and names.asked == [NAME]


def test_the_system_s_own_resolver(spawn, connect, fake, tmp_path):
    """The alias has a part longer than 63 characters (RFC 1035), so that the resolver
    asks nobody."""
    name = fresh("model")
    (tmp_path / "aliases").write_text(f"{name} {'x' * 64}.internal\n")
    server = spawn({**named(fake, name=name), "HOSTALIASES": str(tmp_path / "aliases")})
    assert connect(server).turn("hello").error["code"] == "LLM_UNAVAILABLE"
    wait_for(lambda: server.logged("turn"), 5, "the end is logged")
    assert reasons(server) == ["resolve_failed"] * 3


# --- a name that is slow to be found

def test_a_slow_name_within_the_time_for_connecting(spawn, connect, fake, names, question):
    """Meanwhile the same thread serves everybody else."""
    names.means(NAME, HERE)
    names.hold(NAME)
    server = spawn({**named(fake), **provider_env(fake, 2, ID="b", NAME="B"), **PATIENT,
                    **names.env, "SERVER_THREADS": "1"})
    one = connect(server)
    one.say(question)
    wait_for(lambda: names.asked, 5, "the name is asked for")
    for n in range(3):
        assert connect(server).turn(f"{question} {n}", model_id="b").finish == "stop"
    assert not fake.asked(question)
    names.let_go(NAME)
    assert one.rest_of_turn().finish == "stop"
    assert len(fake.asked(question)) == 1


def test_a_name_that_is_too_slow(spawn, connect, fake, names):
    names.hold(NAME)
    server = spawn({**named(fake), **names.env, "LLM_CONNECT_TIMEOUT": "300ms"})
    assert connect(server).turn("hello").error["code"] == "LLM_TIMEOUT"
    wait_for(lambda: server.logged("turn"), 5, "the end is logged")
    assert reasons(server, "llm_timeout") == ["resolve_timeout"] * 3


def test_the_fallback_of_a_name_that_is_too_slow(spawn, connect, fake, names, question):
    names.hold(NAME)
    server = spawn({**with_fallback(fake), **names.env, "LLM_CONNECT_TIMEOUT": SHORT})
    turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.end["model_id"] == "b"
    assert reasons(server, "llm_timeout") == ["resolve_timeout"]


def test_a_cancel_does_not_wait_for_a_name(spawn, connect, fake, names, question):
    names.hold(NAME)
    server = spawn({**named(fake), **PATIENT, **names.env})
    one = connect(server)
    one.say(question)
    wait_for(lambda: names.asked, 5, "the name is asked for")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    assert one.quiet() == []


def test_a_stop_does_not_wait_for_a_name(spawn, connect, fake, names, question):
    """The process ends in good order while the resolver is still asked."""
    names.hold(NAME)
    server = spawn({**named(fake), **PATIENT, **names.env, "SHUTDOWN_TIMEOUT": "1s"})
    one = connect(server)
    one.say(question)
    wait_for(lambda: names.asked, 5, "the name is asked for")
    assert server.stop(expect=None) in (0, 3)
    assert not names.held[NAME].is_set()


# --- several addresses

class Silent:
    """127.0.0.2 with the fake's port: somebody listens, and takes no connection any
    more, so that whoever knocks hears nothing."""

    def __init__(self, port):
        self.sockets = [socket.socket()]
        self.sockets[0].bind(("127.0.0.2", port))
        self.sockets[0].listen(0)
        for _ in range(4):
            stuffing = socket.socket()
            stuffing.setblocking(False)
            assert stuffing.connect_ex(("127.0.0.2", port)) in (0, errno.EINPROGRESS)
            self.sockets.append(stuffing)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()


@pytest.mark.parametrize("addresses", [
    f"127.0.0.2 {HERE}", f"127.0.0.2 127.0.0.3 127.0.0.4 {HERE}", f"::1 {HERE}",
    f"::1 127.0.0.2 {HERE}", f"{HERE} 127.0.0.2"])
def test_addresses_that_refuse_are_passed_over(spawn, connect, fake, names, question,
                                               addresses):
    """In the first attempt: no failure is told, and no fallback is asked."""
    names.means(NAME, addresses)
    server = spawn({**with_fallback(fake), **names.env})
    turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.end["model_id"] == "a"
    assert not server.logged("llm_error") and not server.logged("llm_timeout")


def test_an_address_that_is_silent_is_passed_over(spawn, connect, fake, names, question):
    """It has its share of the time for connecting, and no more."""
    names.means(NAME, f"127.0.0.2 {HERE}")
    with Silent(fake.port):
        server = spawn({**with_fallback(fake), **names.env, "LLM_CONNECT_TIMEOUT": "4s"})
        turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.end["model_id"] == "a"
    assert not server.logged("llm_error") and not server.logged("llm_timeout")


def test_no_address_answers(spawn, connect, fake, names, question):
    names.means(NAME, "127.0.0.2 127.0.0.3 ::1")
    server = spawn({**with_fallback(fake), **names.env})
    assert connect(server).turn(question).end["model_id"] == "b"
    assert reasons(server) == ["connect_failed"]


def test_the_only_address_is_silent(spawn, connect, fake, names, question):
    names.means(NAME, "127.0.0.2")
    with Silent(fake.port):
        server = spawn({**with_fallback(fake), **names.env,
                        "LLM_CONNECT_TIMEOUT": SHORT})
        assert connect(server).turn(question).end["model_id"] == "b"
    assert reasons(server, "llm_timeout") == ["connect_timeout"]


def test_localhost_is_where_somebody_listens(spawn, connect, fake, question):
    """By the system's own resolver; most know it by an IPv6 address first, where the
    fake does not listen."""
    fake.when(question, plain("here"))
    server = spawn(named(fake, name="localhost"))
    assert connect(server).turn(question).text == "here"
    assert not server.logged("llm_error")
