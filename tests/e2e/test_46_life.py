# SPDX-License-Identifier: MIT
"""Sessions come into memory and leave it: TTL, clean-up, warning, figures."""

import time

import pytest
from websockets.exceptions import InvalidStatus

from support.answer import Answer
from support.server import provider_env
from support.stored import storage
from support.tokens import token
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh, upgrade

ACTIVE = "chatbox_active_sessions_total"
INACTIVE = "chatbox_inactive_sessions"
TOTAL = "chatbox_sessions_in_memory"


def counts(server):
    figures = server.metrics()
    return figures[ACTIVE], figures[INACTIVE], figures[TOTAL]


def short(fake, **more):
    return {**provider_env(fake), "SESSION_TTL": "1s", "SESSION_CLEANUP_INTERVAL": "200ms",
            **more}


def end(server, one):
    answer = server.user(one.user).post(f"/sessions/{one.session}/end")
    assert answer.json() == {"status": "ended"}


# --- leaving

def test_idle_sessions_leave_memory_and_come_back_from_storage(spawn, connect, fake):
    """Req 1.1, 1.2, 1.5; Property 1: what has expired is removed."""
    server = spawn(short(fake))
    chats = [connect(server) for _ in range(10)]
    answers = [one.turn("hello").text for one in chats]
    assert counts(server) == (10, 0, 10)
    for one in chats:
        one.close()
    wait_for(lambda: counts(server) == (0, 0, 0), 10, "an empty memory")
    wait_for(lambda: sum(line["removed"] for line in server.logged("session_cleanup"))
             == 10, 5, "what was removed is logged")
    assert all("left" in line for line in server.logged("session_cleanup"))
    for one, text in zip(chats, answers):
        again = connect(server, one.user, session_id=one.session, last_seq=0,
                        epoch=one.hello["epoch"])
        assert again.hello["session_id"] == one.session and again.hello["resumed"] is True
        assert [f["content"] for f in again.quiet()] == ["hello", text]
    assert counts(server) == (10, 0, 10)


def test_an_ended_session_leaves_memory_after_its_connections(spawn, connect, fake):
    """Req 1.1, 1.2: an end is counted at once and removed after the grace period."""
    server = spawn(short(fake))
    one, other = connect(server), connect(server)
    one.turn("hello")
    other.turn("hello")
    end(server, one)
    assert one.get("connection_status")["metadata"]["event"] == "session_ended"
    assert counts(server) == (1, 1, 2)
    one.close()
    wait_for(lambda: counts(server) == (1, 0, 1), 10, "the ended one is gone")
    assert other.turn("still here").finish == "stop"


def test_a_session_in_use_never_leaves(spawn, connect, fake, question):
    """Property 2: neither with a connection nor with a running answer."""
    server = spawn(short(fake))
    fake.when(question, Answer().tokens("some ").gate(question).tokens("more").finish())
    listening, leaving = connect(server), connect(server)
    listening.turn("hello")
    leaving.say(question, client_id="c")
    leaving.get("ai_response")
    leaving.drop()
    idle = connect(server)
    idle.turn("hello")
    idle.close()
    wait_for(lambda: server.logged("session_cleanup"), 10, "others were removed")
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 2, 10, "more than the TTL")
    assert counts(server)[2] == 2
    assert listening.turn("still here").finish == "stop"
    fake.open(question)
    wait_for(lambda: counts(server)[2] == 1, 10, "the other one after its answer")
    page = server.user(leaving.user).get(f"/sessions/{leaving.session}").json()
    assert page["messages"][1]["content"] == "some more"


def test_no_session_leaves_before_its_ttl(spawn, connect, fake):
    server = spawn(short(fake, SESSION_TTL="3s"))
    one = connect(server)
    began = time.monotonic()
    one.turn("hello")
    one.close()
    wait_for(lambda: server.metric("chatbox_websocket_connections_total") == 0, 5,
             "nobody is connected")
    wait_for(lambda: counts(server)[2] == 0, 10, "an empty memory", interval=0.02)
    assert time.monotonic() - began > 2.5


def test_a_new_session_without_a_message_leaves_nothing(spawn, connect, fake):
    server = spawn(short(fake))
    for _ in range(20):
        connect(server).close()
    wait_for(lambda: counts(server) == (0, 0, 0), 10, "an empty memory")
    assert storage(server).sessions() == []


# --- the warning

def test_one_warning_for_all_shards_at_the_count(spawn, connect, fake):
    """Req 1.3: a threshold of the process is warned of once, with the figures."""
    server = spawn(short(fake, SESSION_WARN_COUNT="5", SERVER_THREADS="3"))
    chats = [connect(server) for _ in range(5)]
    assert server.logged("session_warn_count") == []
    chats += [connect(server) for _ in range(5)]
    warned = server.wait_log("session_warn_count")
    assert len(server.logged("session_warn_count")) == 1
    assert warned[0]["level"] == "warn"
    assert warned[0]["sessions"] == 6 and warned[0]["limit"] == 5
    assert warned[0]["active"] + warned[0]["inactive"] == 6
    for one in chats:
        one.close()
    wait_for(lambda: counts(server)[2] == 0, 10, "an empty memory")
    chats = [connect(server) for _ in range(7)]
    wait_for(lambda: len(server.logged("session_warn_count")) == 2, 5,
             "a second warning after it had fallen")


# --- figures

def test_the_figures_are_exact(spawn, connect, fake):
    """Req 1.4; Property 3: active, inactive and total at every step."""
    server = spawn(short(fake, SESSION_TTL="1h"))
    assert counts(server) == (0, 0, 0)
    chats = []
    for n in range(1, 9):
        chats.append(connect(server))
        chats[-1].turn("hello")
        assert counts(server) == (n, 0, n)
    for n, one in enumerate(chats[:5], 1):
        end(server, one)
        assert counts(server) == (8 - n, n, 8)
    assert chats[0].turn("an ended one is opened again").finish == "stop"
    assert counts(server) == (4, 4, 8)
    server.user(chats[1].user).delete(f"/sessions/{chats[1].session}")
    assert chats[1].closed() == 4410
    wait_for(lambda: counts(server) == (4, 3, 7), 5, "the deleted one is gone")


def test_the_operators_figures_are_those_of_the_metrics_page(spawn, connect, fake):
    """Req 1.4; Property 3: two places, one truth."""
    server = spawn(short(fake, SESSION_TTL="1h", SERVER_THREADS="4"))
    desk = server.user("olga", roles=["admin"])
    chats = []

    def both():
        told = desk.get("/admin/metrics").json()
        memory, page = told["sessions_in_memory"], server.metrics()
        assert (memory["active"], memory["inactive"], memory["total"]) == (
            page[ACTIVE], page[INACTIVE], page[TOTAL])
        assert told["connections"] == page["chatbox_websocket_connections_total"]
        return memory["active"], memory["inactive"], told["connections"]
    for n in range(6):
        chats.append(connect(server))
        chats[-1].turn("hello")
        assert both() == (n + 1, 0, n + 1)
    for n, one in enumerate(chats[:3]):
        end(server, one)
        assert both() == (5 - n, n + 1, 6)
    for n, one in enumerate(chats):
        one.close()
        wait_for(lambda left=5 - n: left == server.metric(
            "chatbox_websocket_connections_total"), 5, "it is counted no more")
        assert both() == (3, 3, 5 - n)


# --- response times

@pytest.mark.parametrize("most", [1, 3])
def test_response_times_are_the_last_ones_only(spawn, connect, fake, most):
    """Req 12.1, 12.2, 12.3, 12.4, 12.5; Property 12, Property 13."""
    server = spawn({**provider_env(fake), "SESSION_RESPONSE_TIMES": str(most)})
    one = connect(server)
    took = [one.turn(f"q{n}").end["duration_ms"] for n in range(most + 3)]
    item = server.user(one.user).get("/sessions").json()["sessions"][0]
    last = took[-most:]
    assert item["max_response_time"] == max(took)
    assert abs(item["avg_response_time"] - sum(last) / len(last)) <= 1
    server.stop()
    session, = storage(server).sessions()
    assert session["respTimes"] == last


# --- one device, however fast it comes back

@pytest.mark.timeout(120 * PATIENCE)
def test_a_device_that_storms_keeps_one_connection(spawn, connect, fake):
    """Req 3.1, 3.2, 3.4, 3.5: also while the one before is still being resumed."""
    server = spawn({**provider_env(fake), "MAX_CONNECTIONS_PER_USER": "2"})
    user = fresh()
    one = connect(server, user, device_id="desk")
    for n in range(30):
        one.turn(f"q{n}")
    before = server.descriptors()
    chats = [connect(server, user, first=False, session_id=one.session,
                     device_id="phone", last_seq=0, epoch=one.hello["epoch"])
             for _ in range(20)]
    assert [x.closed() for x in chats[:-1]] == [4409] * 19
    last = chats[-1]
    hello = last.recv()
    assert hello["resumed"] is True
    replay = last.quiet()
    assert [f["seq"] for f in replay] == list(range(1, 61))
    assert server.metric("chatbox_websocket_connections_total") == 2
    assert upgrade(server, bearer=token(user)).status == 429
    assert len(server.logged("connection_replaced")) == 19
    wait_for(lambda: server.descriptors() <= before + 1, 5, "the others are let go")


def test_posting_sessions_opens_no_way_around_the_limit(spawn, connect, fake):
    """2.1: what would be replaced does not count, and nothing else."""
    server = spawn({**provider_env(fake), "MAX_CONNECTIONS_PER_USER": "3"})
    user = fresh()
    client = server.user(user)
    for n in range(3):
        made = client.post("/sessions", json={"name": f"s{n}"}).json()["id"]
        connect(server, user, device_id="phone", session_id=made).turn("hello")
    kept = []
    for n in range(6):
        client.post("/sessions", json={"name": f"more {n}"})
        try:
            kept.append(Chat(server, user, device_id="phone"))
        except InvalidStatus as refused:
            assert refused.response.status_code == 429
    assert server.metric("chatbox_websocket_connections_total") <= 4
    for one in kept:
        one.close()
