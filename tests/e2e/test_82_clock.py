# SPDX-License-Identifier: MIT
"""The wall clock jumps: an hour back, a day ahead. Waiting goes by another clock."""

import struct
import time
from datetime import datetime

import pytest

from support.answer import Answer
from support.checks import assert_error
from support.preload import preload_env
from support.server import provider_env
from support.tokens import token
from support.uploads import png, relative, uploaded
from support.waiting import PATIENCE, wait_for
from support.ws import fresh, upgrade

HOUR, DAY = 3600, 86400
JUMPS = [-HOUR, DAY]


@pytest.fixture
def jumping(spawn, fake, tmp_path):
    """A server whose wall clock `jump(seconds)` sets, from then on; `skip(seconds)`
    does so to the clock that waiting goes by."""
    shift = tmp_path / "shift"
    shift.write_bytes(struct.pack("qq", 0, 0))

    def start(**settings):
        server = spawn({**provider_env(fake), **settings, **preload_env("clockshift"),
                        "CLOCK_SHIFT": str(shift)})

        def jump(seconds):
            with open(shift, "r+b") as file:
                file.write(struct.pack("q", seconds))
            wait_for(lambda: abs(clock_of(server) - time.time() - seconds) < 30, 5,
                     "the server sees the jump")

        def skip(seconds):
            with open(shift, "r+b") as file:
                file.seek(8)
                file.write(struct.pack("q", seconds))
        server.jump, server.skip = jump, skip
        return server
    return start


def clock_of(server):
    text = server.http.get("/healthz").json()["timestamp"]
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def far(user, **more):
    """A token that no jump makes invalid."""
    return token(user, exp=int(time.time()) + 10 * DAY, **more)


@pytest.mark.parametrize("jump", JUMPS)
def test_nothing_that_waits_is_hurried_or_held_up(jumping, connect, fake, question, jump):
    """Timers go by the monotonic clock: turns, sessions, pings, peers."""
    server = jumping()
    user = fresh()
    fake.when(question, Answer().tokens("some ").gate(question).tokens("more").finish())
    one = connect(server, user, bearer=far(user))
    one.say(question, client_id="c")
    one.get("ai_response")
    server.jump(jump)
    one.send("ping")
    one.get("pong")
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.finish == "stop" and turn.text == "more"
    assert 0 <= turn.end["ttft_ms"] <= turn.end["duration_ms"] < 60_000
    assert one.turn("and on").finish == "stop"
    assert server.logged("session_cleanup") == []
    assert server.metric("chatbox_peers_silent_total") == 0


@pytest.mark.parametrize("jump", JUMPS)
def test_sessions_leave_memory_in_their_time(jumping, connect, jump):
    server = jumping(SESSION_TTL="2s", SESSION_CLEANUP_INTERVAL="100ms")
    user = fresh()
    one = connect(server, user, bearer=far(user))
    one.turn("hello")
    one.close()
    wait_for(lambda: server.metric("chatbox_websocket_connections_total") == 0, 5,
             "nobody is connected")
    server.jump(jump)
    wait_for(lambda: server.metric("chatbox_sessions_in_memory") == 0, 10,
             "an empty memory")


@pytest.mark.parametrize("jump", JUMPS)
def test_the_limiter_neither_forgives_nor_punishes(jumping, connect, jump):
    server = jumping(RATE_LIMIT="3", RATE_LIMIT_WINDOW="12s",
                     RATE_LIMIT_CLEANUP_INTERVAL="100ms")
    user = fresh()
    one = connect(server, user, bearer=far(user))
    admitted, began = 3, time.monotonic()
    for n in range(admitted):
        one.turn(f"q{n}")
    server.jump(jump)
    while (refused := one.turn("too many")).error is None:
        admitted += 1  # on a machine that is slow
    assert admitted <= 3 + (time.monotonic() - began) / 4
    assert refused.error["code"] == "TOO_MANY_REQUESTS"
    assert refused.error["retry_after"] <= 4000
    wait_for(lambda: one.turn("in its time").finish == "stop", 10, "admitted again",
             interval=0.05)


@pytest.mark.parametrize("jump", JUMPS)
def test_the_order_of_events_does_not_follow_the_clock(jumping, connect, fake, user, jump):
    server = jumping()
    one = connect(server, user, bearer=far(user))
    one.turn("first", client_id="c-1")
    server.jump(jump)
    one.turn("second", client_id="c-2")
    server.jump(0)
    one.turn("third", client_id="c-3")
    client = server.client(far(user))
    page = client.get(f"/sessions/{one.session}").json()["messages"]
    assert [m["seq"] for m in page] == [1, 2, 3, 4, 5, 6]
    assert [m["content"] for m in page][::2] == ["first", "second", "third"]
    again = connect(server, user, bearer=far(user), session_id=one.session, last_seq=0,
                    epoch=one.hello["epoch"])
    assert [f["seq"] for f in again.quiet()] == [1, 2, 3, 4, 5, 6]
    again.say("second", client_id="c-2")
    assert again.get("ack")["seq"] == 3
    asked = fake.asked("third")[-1].messages
    assert [m["content"] for m in asked if m["role"] == "user"][-3:] == [
        "first", "second", "third"]


def test_tokens_end_by_the_wall_clock_with_their_leeway(jumping):
    """Section 3: exp and nbf with 30 s, wherever the clock jumped to."""
    server = jumping()
    now = int(time.time())

    def ask(**claims):
        with server.client(token("u", **claims)) as client:
            return client.get("/models")
    assert ask(exp=now + HOUR).status_code == 200
    server.jump(DAY)
    assert_error(ask(exp=now + HOUR), 401, "EXPIRED_TOKEN")
    assert ask(exp=now + DAY + HOUR).status_code == 200
    assert_error(ask(exp=now + DAY - 60), 401, "EXPIRED_TOKEN")
    assert ask(exp=now + DAY + 20, nbf=now + DAY + 20).status_code == 200
    server.jump(-HOUR)
    assert ask(exp=now + 10).status_code == 200
    assert_error(ask(exp=now + DAY, nbf=now), 401)
    assert ask(exp=now + DAY, nbf=now - HOUR).status_code == 200


def test_a_live_connection_is_told_when_the_clock_passes_its_token(jumping, connect):
    """Section 3: at exp + leeway, also when the clock was set there."""
    server = jumping(WS_PING_PERIOD="1s", WS_PONG_WAIT="5s")
    user = fresh()
    one = connect(server, user, bearer=token(user, exp=int(time.time()) + HOUR))
    keeps = connect(server, user, bearer=far(user))
    server.jump(DAY)
    told = one.get("error", timeout=5)
    assert told["error"]["code"] == "EXPIRED_TOKEN"
    one.send("auth", token=far(user))
    one.get("ack")
    assert one.turn("still here").finish == "stop"
    assert all(f["type"] != "error" for f in keeps.quiet())
    assert upgrade(server, bearer=far(user)).status == 101


def test_a_minute_after_it_was_told_a_connection_without_a_new_token_ends(jumping, connect,
                                                                         user):
    """Section 3: EXPIRED_TOKEN once, 60 s for an auth frame, then 4401."""
    leeway = int(2 * PATIENCE)
    server = jumping(JWT_LEEWAY=f"{leeway}s", WS_PING_PERIOD="9m", WS_PONG_WAIT="10m")
    one, renewed, keeps = (connect(server, user) for _ in range(3))
    for chat in (one, renewed):
        chat.send("auth", token=token(user, exp=int(time.time()) + 1))
        chat.get("ack")
        assert chat.get("error")["error"]["code"] == "EXPIRED_TOKEN"
    server.skip(30)
    assert one.quiet() == [] == renewed.quiet(), "half of the time is left"
    renewed.send("auth", token=token(user))
    renewed.get("ack")
    server.skip(100)
    one.send("ping")
    assert one.closed() == 4401
    assert renewed.quiet() == [] == keeps.quiet()
    assert [f["type"] for f in one.frames].count("error") == 1


def test_links_to_files_end_by_the_wall_clock(jumping, user):
    """UPLOAD_URL_TTL: a link of yesterday is refused, one that is made now is good."""
    server = jumping(UPLOAD_URL_TTL="12h")
    client = server.client(far(user))
    body = uploaded(client)
    link = relative(server, body["file_url"])
    server.jump(11 * HOUR)
    assert server.http.get(link).content == png()
    server.jump(DAY)
    assert_error(server.http.get(link), 403, "FORBIDDEN")
    assert client.get(f"/files/{body['file_id']}").content == png()
    late = relative(server, uploaded(client)["file_url"])
    assert server.http.get(late).status_code == 200
