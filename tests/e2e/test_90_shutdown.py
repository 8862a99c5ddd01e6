# SPDX-License-Identifier: MIT
"""SIGTERM, a second one, deadlines, SIGHUP."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.answer import Answer
from support.checks import assert_error
from support.rawhttp import RawConn, request, sendable
from support.server import demo_env, provider_env
from support.stored import storage
from support.tokens import token
from support.waiting import refuses, wait_for
from support.ws import CLOSE, PING, RawWs, encode, fresh, upgrade


def messages(server, chat):
    return server.user(chat.user).get(f"/sessions/{chat.session}").json()["messages"]


def begun(server, connect, fake, question, *texts):
    """A connection whose turn has given `texts` and waits at its gate."""
    fake.when(question, Answer().tokens(*texts).gate(question).tokens("end").finish())
    one = connect(server)
    one.say(question, client_id="c")
    seen = ""
    while seen != "".join(texts):
        seen += one.get("ai_response")["content"]
    return one


def test_idle_connections_are_told_1001_and_the_exit_status_is_0(spawn, connect):
    """Req 5.4, 15.5."""
    server = spawn(demo_env())
    chats = [connect(server) for _ in range(5)]
    server.signal(signal.SIGTERM)
    assert [one.closed() for one in chats] == [1001] * 5
    assert server.wait_exit(0) == 0
    assert server.logged("stop")


def test_a_running_answer_may_finish(spawn, connect, fake, question):
    """Req 15.5: active requests are waited for up to the deadline."""
    server = spawn(provider_env(fake))
    one = begun(server, connect, fake, question, "some ")
    server.signal(signal.SIGTERM)
    wait_for(lambda: refuses(server), 5, "the listener closes")
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.finish == "stop" and turn.text == "end"
    assert one.closed() == 1001
    assert server.wait_exit(0) == 0
    server.start()
    assert messages(server, one)[1]["content"] == "some end"


def test_the_deadline_interrupts_and_the_exit_status_is_3(spawn, connect, fake, question):
    """Req 15.1, 15.2, 15.3, 15.4. Property 15."""
    server = spawn(provider_env(fake) | {"SHUTDOWN_TIMEOUT": "1s"})
    one = begun(server, connect, fake, question, "some ", "text")
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    end = one.rest_of_turn(10).end
    assert end["finish_reason"] == "interrupted"
    assert one.closed() in (1001, 1012)
    assert server.wait_exit(3, 10) == 3
    assert 0.9 <= time.monotonic() - began
    assert server.logged("shutdown_forced")
    assert fake.asked(question)[0].closed.wait(5)
    server.start()
    answer = messages(server, one)[1]
    assert answer["content"] == "some text" and answer["status"] == "interrupted"
    assert answer["finish_reason"] == "interrupted"


@pytest.mark.parametrize("deadline,idle,finish,status", [
    ("1s", "7s", "interrupted", 3), ("7s", "1s", "timeout", 0)],
    ids=["the deadline first", "the answer first"])
def test_the_deadline_comes_when_it_should(spawn, connect, fake, question, deadline, idle,
                                           finish, status):
    """Req 15.1, 15.2: by the server's own clock: a silent model is given up at another
    time, once after the deadline and once before it."""
    server = spawn(provider_env(fake) | {"SHUTDOWN_TIMEOUT": deadline,
                                         "LLM_IDLE_TIMEOUT": idle})
    fake.when(question, Answer().tokens("some ").silence())
    one = connect(server)
    one.say(question, client_id="c")
    one.get("ai_response")
    server.signal(signal.SIGTERM)
    assert one.rest_of_turn(20).finish == finish
    assert one.closed() == 1001
    assert server.wait_exit(status) == status
    assert len(server.logged("shutdown_forced")) == (status == 3)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_wait_at_once(spawn, connect, fake, question, second):
    server = spawn(provider_env(fake) | {"SHUTDOWN_TIMEOUT": "1h"})
    one = begun(server, connect, fake, question, "some ", "text")
    server.signal(signal.SIGTERM)
    wait_for(lambda: refuses(server), 5, "the listener closes")
    server.signal(second)
    assert one.rest_of_turn().finish == "interrupted"
    assert one.closed() in (1001, 1012)
    assert server.wait_exit(3, 10) == 3
    server.start()
    answer = messages(server, one)[1]
    assert answer["content"] == "some text" and answer["status"] == "interrupted"


@pytest.mark.parametrize("hurry", [False, True], ids=["deadline", "second signal"])
def test_cut_under_load_every_text_that_was_seen_is_stored(spawn, connect, fake, question,
                                                           hurry):
    """Req 15.2, 15.3: four shards, answers under way on all: stored as they were shown."""
    server = spawn({**provider_env(fake), "SERVER_THREADS": "4",
                    "SHUTDOWN_TIMEOUT": "1h" if hurry else "1s"})
    fake.when(question, Answer().trickle("and so on ", 0.05))
    chats = [connect(server) for _ in range(24)]
    for one in chats:
        one.say(question, client_id="c")
    for one in chats:
        one.get("ai_response")
    with ThreadPoolExecutor(24) as pool:
        ends = [pool.submit(lambda x=one: (x.rest_of_turn(30).finish, x.closed()))
                for one in chats]
        server.signal(signal.SIGTERM)
        if hurry:
            wait_for(lambda: refuses(server), 5, "the listener closes")
            server.signal(signal.SIGTERM)
        assert {end.result() for end in ends} == {("interrupted", 1001)}
    assert server.wait_exit(3, 20) == 3
    assert server.logged("shutdown_forced")[0]["cut"] == 24
    storage(server).whole()
    server.start()
    for one in chats:
        asked, answer = messages(server, one)
        seen = "".join(f["content"] for f in one.frames if f["type"] == "ai_response"
                       and f["metadata"]["done"] == "false")
        assert asked["client_id"] == "c" and answer["content"] == seen
        assert answer["status"] == answer["finish_reason"] == "interrupted"


def test_who_does_not_read_is_cut_at_the_deadline_and_it_is_told(spawn):
    """Req 15.3: exit status 3 and one line, when somebody had more to get."""
    server = spawn({**demo_env(), "SHUTDOWN_TIMEOUT": "1s", "WS_OUTPUT_LIMIT": "64MiB"})
    lazy, idle = RawWs(server, rcvbuf=4096), RawWs(server)
    ping = encode(PING, b"x" * 125)  # and a pong of as many bytes
    for _ in range(2 * sendable() // 125_000):
        lazy.sock.sendall(ping * 1000)
    lazy.text({"type": "ping"})
    wait_for(lambda: server.metric("chatbox_messages_received_total") == 1, 60,
             "all are answered")
    server.signal(signal.SIGTERM)
    assert idle.read_frame() == (CLOSE, b"\x03\xe9the server stops")
    assert server.wait_exit(3, 10) == 3
    (line,) = server.logged("shutdown_forced")
    assert line["level"] == "warn" and line["cut"] == 1
    lazy.close()


def test_who_is_still_sending_a_request_is_refused_and_not_waited_for(spawn):
    """Req 15.2, 15.5: half a head, half a body; the stop has an hour's time."""
    server = spawn({**demo_env(), "SHUTDOWN_TIMEOUT": "1h"})
    path = f"{server.prefix}/healthz"
    bearer = ("Authorization", f"Bearer {token(fresh())}")
    with RawConn(server) as head, RawConn(server) as body:
        head.send(request(server, "GET", path) + b"GET / HTTP/1.1\r\nHo")
        assert head.read_response().status == 200, "and the rest has been read"
        body.send(request(server, "POST", f"{server.prefix}/sessions", [
            bearer, ("Content-Type", "application/json"), ("Content-Length", "100"),
            ("Expect", "100-continue")]) + b'{"name":')
        assert body.read_response().status == 100
        server.signal(signal.SIGTERM)
        for conn in (head, body):
            assert_error(conn.read_response(), 503, "SERVICE_UNAVAILABLE")
            assert conn.closed_by_peer()
    assert server.wait_exit(0, 20) == 0


def test_shutdown_before_any_text_is_a_service_error(spawn, connect, fake, question):
    server = spawn(provider_env(fake) | {"SHUTDOWN_TIMEOUT": "1s"})
    fake.when(question, Answer().silence_before_head())
    one = connect(server)
    one.say(question, client_id="c")
    one.get("loading")
    fake.wait_asked(question)
    server.signal(signal.SIGTERM)
    error = one.rest_of_turn(10).error
    assert error["code"] == "SERVICE_ERROR" and error["recoverable"] is True
    assert one.closed() in (1001, 1012)
    server.wait_exit(3, 10)
    server.start()
    assert [m["sender"] for m in messages(server, one)] == ["user"]


def test_the_drain_delay_keeps_the_listener_open_but_not_ready(spawn, connect):
    server = spawn({**demo_env(), "SHUTDOWN_DRAIN_DELAY": "2s"})
    early = connect(server)
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    answer = wait_for(lambda: (a := server.client().get("/readyz")).status_code == 503
                      and a, 1, "not ready at once")
    assert answer.json()["status"] == "not ready"
    assert server.client().get("/healthz").status_code == 200
    late = connect(server)
    late.send("ping")
    assert late.recv()["type"] == "pong"
    assert late.closed() in (1001, 1012) and early.closed() in (1001, 1012)
    assert server.wait_exit(0) == 0
    assert time.monotonic() - began >= 1.9


def test_a_peer_that_never_answers_its_close_is_not_forced(spawn):
    server = spawn({**demo_env(), "SHUTDOWN_TIMEOUT": "2s"})
    ws = RawWs(server)
    server.signal(signal.SIGTERM)
    opcode, payload = ws.read_frame()
    assert opcode == CLOSE and payload[:2] == b"\x03\xe9"
    assert server.wait_exit(0, 10) == 0


def test_half_open_http_connections_do_not_hold_the_server(spawn):
    server = spawn({**demo_env(), "SHUTDOWN_TIMEOUT": "2s"})
    socks = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    socks[0].sendall(b"GET /chatbox/healthz HTTP/1.1\r\nHost")
    socks[1].sendall(b"POST /chatbox/sessions HTTP/1.1\r\nHost: x\r\nContent-Le")
    assert server.stop(expect=None) in (0, 3)
    for sock in socks:
        sock.close()


def test_stopping_with_fifty_busy_connections(spawn, connect, fake):
    """Property 16."""
    server = spawn(provider_env(fake))
    chats = [connect(server) for _ in range(50)]
    for one in chats:
        one.say(fresh("q"), client_id="c")
    for one in chats:
        one.get("ack")
    server.signal(signal.SIGTERM)
    for one in chats:
        assert one.rest_of_turn().finish in ("stop", "interrupted")
        assert one.closed() == 1001
    assert server.wait_exit(0) == 0


def test_a_broken_pipe_does_not_end_the_server(spawn):
    server = spawn(demo_env())
    server.signal(signal.SIGPIPE)
    assert server.client().get("/healthz").status_code == 200


# --- reload

@pytest.fixture
def reloadable(spawn, fake, tmp_path):
    path = tmp_path / "chatbox.yaml"

    def write(origins="https://one.example", level="info", more=""):
        path.write_text(f"ws:\n  allowed_origins: ['{origins}']\n"
                        f"log:\n  level: {level}\n{more}")
    write()
    server = spawn({**provider_env(fake), "CHATBOX_CONFIG": str(path),
                    "LOG_LEVEL": None})
    server.write = write
    return server


def passes(server, origin):
    return upgrade(server, headers={"Origin": origin}).status == 101


def test_sighup_replaces_origins_without_touching_a_connection(reloadable, connect):
    """Req 13.2: the list is replaced while running."""
    one = connect(reloadable, headers={"Origin": "https://one.example"})
    assert not passes(reloadable, "https://two.example")
    reloadable.write(origins="https://two.example")
    reloadable.signal(signal.SIGHUP)
    reloadable.wait_log("reload")
    wait_for(lambda: passes(reloadable, "https://two.example"), 5, "the new origin passes")
    assert not passes(reloadable, "https://one.example")
    assert one.turn("still here").finish == "stop"


def test_sighup_changes_the_log_level(reloadable):
    def debug_lines():
        return [line for line in reloadable.logs if line["level"] == "debug"]
    upgrade(reloadable)
    assert debug_lines() == []
    reloadable.write(level="debug")
    reloadable.signal(signal.SIGHUP)
    reloadable.wait_log("reload")
    wait_for(lambda: upgrade(reloadable) and debug_lines(), 5, "debug lines")


def test_a_reload_that_silences_the_log_is_told(reloadable):
    reloadable.write(level="error")
    reloadable.signal(signal.SIGHUP)
    reloadable.wait_log("reload", setting="log.level")
    reloadable.wait_log("reload", applied=1)


@pytest.mark.parametrize("more,blamed", [
    ("session:\n  warn_count: 0\n", "session.warn_count"), ("nonsense: true\n", "nonsense"),
    ("server: [\n", "chatbox.yaml"), ("limit:\n  max_keys: few\n", "limit.max_keys")])
def test_an_invalid_reload_changes_nothing_and_says_why(reloadable, connect, more, blamed):
    one = connect(reloadable)
    reloadable.write(origins="https://two.example", level="debug", more=more)
    reloadable.signal(signal.SIGHUP)
    (failed,) = reloadable.wait_log("reload_failed")
    why, *_ = reloadable.logged("config_error")
    assert failed["level"] == why["level"] == "error" and blamed in why["msg"]
    upgrade(reloadable)
    assert [line for line in reloadable.logs if line["level"] == "debug"] == []
    assert passes(reloadable, "https://one.example")
    assert not passes(reloadable, "https://two.example")
    assert one.turn("still here").finish == "stop"
    reloadable.write(origins="https://two.example")
    reloadable.signal(signal.SIGHUP)
    wait_for(lambda: passes(reloadable, "https://two.example"), 5, "a good one works")


def test_a_missing_file_at_reload_changes_nothing(reloadable, tmp_path):
    (tmp_path / "chatbox.yaml").unlink()
    reloadable.signal(signal.SIGHUP)
    reloadable.wait_log("reload_failed")
    assert passes(reloadable, "https://one.example")


def test_many_reloads_under_load(reloadable, connect):
    """Req 13.4: checking and replacing origins at the same time."""
    one = connect(reloadable)
    for n in range(20):
        reloadable.write(origins=f"https://o{n}.example")
        reloadable.signal(signal.SIGHUP)
        assert upgrade(reloadable).status == 101
        assert one.turn(f"n{n}").finish == "stop"
    wait_for(lambda: passes(reloadable, "https://o19.example"), 5, "the last list holds")
